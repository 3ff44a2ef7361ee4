//! `infra/template.yaml`: what is written by hand in `infra/template.base.yaml`, with the functions of the steps and whatever
//! else follows from them put in where it says `#{ .. }`.

use anyhow::{Context, Result, bail};
use pgleap_contract::Phase;

use crate::declared::{Reaches, Step};
use crate::machine::{Machine, pascal, repository};

const HEAD: &str = "# Rendered by make render from template.base.yaml and each step's step.yaml; edit those files.\n";

pub(super) fn render(steps: &[Step]) -> Result<String> {
    let base = std::fs::read_to_string(repository().join("infra/template.base.yaml")).context("read the base")?;
    let mut text = HEAD.to_owned();
    for line in base.lines() {
        let Some(what) = line.trim_start().strip_prefix("#{ ").and_then(|rest| rest.strip_suffix(" }")) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        for line in lines_of(what, steps)? {
            if !line.is_empty() {
                text.push_str(indent);
                text.push_str(&line);
            }
            text.push('\n');
        }
    }
    Ok(text)
}

fn lines_of(what: &str, steps: &[Step]) -> Result<Vec<String>> {
    Ok(match what {
        "functions of the steps" => {
            let functions: Vec<String> = steps.iter().map(function).collect();
            functions.join("\n\n").lines().map(str::to_owned).collect()
        }
        "roles that read the owner's secret" => {
            let readers =
                steps.iter().filter(|(_, step)| step.policy().iter().any(|line| line.contains("!Ref LoginSecretArn")));
            readers
                .filter(|(_, step)| step.policy().iter().any(|line| line.contains("secretsmanager:GetSecretValue")))
                .map(|(name, _)| format!("- !Ref {}FunctionRole", pascal(name)))
                .collect()
        }
        "roles that use the run's secrets" => {
            let users =
                steps.iter().filter(|(_, step)| step.policy().iter().any(|line| line.contains(":secret:pgleap/")));
            users.map(|(name, _)| format!("- !Ref {}FunctionRole", pascal(name))).collect()
        }
        "phases" => {
            let lines = Phase::ALL
                .iter()
                .map(|phase| format!(r#"{{"value": {}, "label": "{}"}}"#, phase.number(), phase.name()));
            lines.collect::<Vec<_>>().join(",\n").lines().map(str::to_owned).collect()
        }
        other if other.starts_with("functions of ") => substitutions(&other["functions of ".len()..], steps)?,
        other => bail!("infra/template.base.yaml asks for {other:?}, which nothing renders"),
    })
}

fn function((name, step): &Step) -> String {
    let mut lines = vec![
        format!("{}Function:", pascal(name)),
        "  Type: AWS::Serverless::Function".to_owned(),
        "  Properties:".to_owned(),
        format!("    FunctionName: !Sub ${{AWS::StackName}}-{name}"),
        format!("    Description: {}", step.does),
        format!("    CodeUri: ../target/lambda/{name}/bootstrap.zip"),
        "    AutoPublishAliasAllProperties: true".to_owned(),
        format!("    MemorySize: {}", step.memory),
        format!("    Timeout: {}", step.timeout),
    ];
    if step.reaches == Reaches::Databases {
        lines.push(
            "    VpcConfig: { SubnetIds: !Ref VpcSubnetIds, SecurityGroupIds: !Ref VpcSecurityGroupIds }".to_owned(),
        );
    }
    if !step.environment().is_empty() {
        lines.extend(["    Environment:".to_owned(), "      Variables:".to_owned()]);
        lines.extend(step.environment().iter().map(|line| format!("        {line}")));
    }
    let in_vpc = (step.reaches == Reaches::Databases).then_some("      - AWSLambdaVPCAccessExecutionRole".to_owned());
    let statements: Vec<String> = step.policy().iter().map(|line| format!("          {line}")).collect();
    if in_vpc.is_some() || !statements.is_empty() {
        lines.push("    Policies:".to_owned());
    }
    lines.extend(in_vpc);
    if !statements.is_empty() {
        lines.extend(["      - Version: \"2012-10-17\"".to_owned(), "        Statement:".to_owned()]);
        lines.extend(statements);
    }
    lines.join("\n")
}

/// Machines call versions, so that an execution keeps its code.
fn substitutions(machine: &str, steps: &[Step]) -> Result<Vec<String>> {
    let called = Machine::read(machine)?.steps();
    let called = steps.iter().map(|(name, _)| name).filter(|name| called.contains(*name));
    Ok(called.map(|name| format!("{0}FunctionArn: !Ref {0}Function.Version", pascal(name))).collect())
}
