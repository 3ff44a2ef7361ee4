//! What `infra/README.md` tells the account of a hosted zone to grant to the stack of another one.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::machine::{kebab, repository};

/// The zone of the page.
const ZONE: &str = "Z0123456789ABC";

/// A role of that account, as the page asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// Steps whose functions its trust policy lets in.
    pub trusted: Vec<String>,
    /// Its permission policy.
    pub policy: Value,
}

/// The page's two policies, for a zone.
pub fn granted(zone_id: &str) -> Result<Granted> {
    let page = std::fs::read_to_string(repository().join("infra/README.md")).context("read infra/README.md")?;
    let section = page.split("\n## ").find(|section| section.starts_with("A hosted zone of another account"));
    let blocks = section.context("the page has no such section")?.split("```json\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let parsed = blocks.map(|block| serde_json::from_str(&block.replace(ZONE, zone_id)).context("parse a policy"));
    let policies: Vec<Value> = parsed.collect::<Result<_>>()?;
    let [trust, policy] = <[Value; 2]>::try_from(policies).ok().context("the page has not two policies")?;
    Ok(Granted { trusted: trusted(&trust)?, policy })
}

/// `arn:aws:iam::111122223333:role/orders-SwapRecordFunctionRole-*` is the role of `swap-record`.
fn trusted(trust: &Value) -> Result<Vec<String>> {
    let [statement] = &trust["Statement"].as_array().context("no statements")?[..] else {
        anyhow::bail!("not one statement");
    };
    ensure!(statement["Effect"] == "Allow" && statement["Action"] == "sts:AssumeRole", "{statement}");
    let names = statement["Condition"]["ArnLike"]["aws:PrincipalArn"].as_array().context("nobody is named")?;
    let step = |arn: &Value| {
        let name = arn.as_str()?.split_once(":role/orders-")?.1.strip_suffix("FunctionRole-*")?;
        Some(kebab(name))
    };
    names.iter().map(|arn| step(arn).with_context(|| format!("{arn} is no function's role"))).collect()
}
