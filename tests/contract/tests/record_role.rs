//! A hosted zone of another account: who may assume the role there, and what the page asks that account to grant.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use contract_tests::record_role::granted;
use contract_tests::template;
use serde_json::{Value, json};

const VARIABLE: &str = "PGLEAP_RECORD_ROLE_ARN";
const ZONE: &str = "arn:aws:route53:::hostedzone/Z0123456789ABC";

fn of_route53(statement: &Value) -> Vec<String> {
    template::actions(statement).into_iter().filter(|action| action.starts_with("route53:")).collect()
}

/// Logical ids of the functions that call Route 53.
fn callers(template: &Value) -> Result<BTreeSet<String>> {
    let resources = template["Resources"].as_object().context("no resources")?;
    let calls = |of: &Value| template::statements(&of["Properties"]).any(|statement| !of_route53(statement).is_empty());
    Ok(resources.iter().filter(|(_, of)| calls(of)).map(|(id, _)| id.clone()).collect())
}

/// On exactly that role, and only where the stack has one.
#[test]
fn whoever_calls_route_53_and_nobody_else_may_assume_the_zones_role() -> Result<()> {
    let template = template::read()?;
    let callers = callers(&template)?;
    assert_eq!(callers.len(), 4, "{callers:?}");
    let statement = json!({"Fn::If": [
        "HasRecordRole",
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": {"Ref": "RecordRoleArn"}},
        {"Ref": "AWS::NoValue"},
    ]});
    for (id, resource) in template["Resources"].as_object().context("no resources")? {
        let policies = resource["Properties"]["Policies"].as_array().into_iter().flatten();
        let statements: Vec<_> =
            policies.flat_map(|policy| policy["Statement"].as_array().into_iter().flatten()).collect();
        let assumes = statements.iter().filter(|one| one.to_string().contains("sts:AssumeRole")).collect::<Vec<_>>();
        let variable = &resource["Properties"]["Environment"]["Variables"][VARIABLE];
        if callers.contains(id) {
            assert_eq!(assumes, [&&statement], "{id}");
            assert_eq!(*variable, json!({"Ref": "RecordRoleArn"}), "{id}");
        } else {
            assert!(assumes.is_empty() && variable.is_null(), "{id}");
        }
    }
    let told = template["Outputs"]["RecordCallers"]["Value"].to_string();
    assert!(callers.iter().all(|id| told.contains(&format!("{id}Role.Arn"))), "{told}");
    Ok(())
}

#[test]
fn the_page_asks_the_zones_account_for_what_the_functions_use() -> Result<()> {
    let template = template::read()?;
    let granted = granted("Z0123456789ABC")?;
    let callers = callers(&template)?;
    let steps: BTreeSet<_> = granted.trusted.iter().map(|step| contract_tests::machine::pascal(step)).collect();
    assert_eq!(steps.iter().map(|step| format!("{step}Function")).collect::<BTreeSet<_>>(), callers);

    let mut own: BTreeMap<String, Value> = BTreeMap::new();
    for id in &callers {
        for statement in template::statements(&template["Resources"][id]["Properties"]) {
            own.extend(of_route53(statement).into_iter().map(|action| (action, statement["Condition"].clone())));
        }
    }
    let mut asked: BTreeMap<String, Value> = BTreeMap::new();
    for statement in granted.policy["Statement"].as_array().context("no statements")? {
        for action in template::actions(statement) {
            let on = if action == "route53:GetChange" { "arn:aws:route53:::change/*" } else { ZONE };
            assert_eq!((&statement["Effect"], &statement["Resource"]), (&json!("Allow"), &json!(on)), "{action}");
            asked.insert(action, statement["Condition"].clone());
        }
    }
    let name = own["route53:ChangeResourceRecordSets"]
        .to_string()
        .replace(r#"{"Ref":"RecordName"}"#, r#""orders-db.example.internal""#);
    own.insert("route53:ChangeResourceRecordSets".to_owned(), serde_json::from_str(&name)?);
    assert_eq!(asked, own);
    Ok(())
}
