//! The template against the contract and the machines.

use std::collections::BTreeSet;

use anyhow::Result;
use contract_tests::declared::steps;
use contract_tests::machine::{
    MACHINES, Machine, goes_on_at_once, is_under_fence, only_warms, pascal, repository, step_of, waits_for_token,
};
use contract_tests::template;
use pgleap_contract::steps::{PAGES, STEPS};
use serde_json::json;

#[test]
fn there_is_a_function_for_every_step_and_page_and_no_other() -> Result<()> {
    let functions = template::functions()?.into_keys().collect::<BTreeSet<_>>();

    let names = STEPS.iter().map(|step| step.name).chain(PAGES.iter().copied());
    assert_eq!(functions, names.map(str::to_owned).collect());
    Ok(())
}

/// Rendering takes lines as they are written: none may get lost.
#[test]
fn a_function_has_the_variables_and_as_many_statements_as_its_step_declares() -> Result<()> {
    let template = template::read()?;
    for (step, declared) in steps()? {
        let function = &template["Resources"][format!("{}Function", pascal(&step))]["Properties"];
        let variables = function["Environment"]["Variables"].as_object();
        let variables: BTreeSet<_> = variables.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        assert_eq!(variables, declared.variables(), "{step}");
        assert_eq!(template::statements(function).count(), declared.statements(), "{step}");
    }
    Ok(())
}

#[test]
fn a_function_is_dead_before_its_state_gives_up_on_it() -> Result<()> {
    let functions = template::functions()?;
    for machine in MACHINES {
        let machine = Machine::read(machine)?;
        for (name, state) in machine.states() {
            let Some(step) = step_of(&state) else { continue };
            if waits_for_token(&state) || goes_on_at_once(&state) {
                continue; // state and function live apart on purpose
            }
            if is_under_fence(&state) {
                // The function is for the largest limit, and the step ends at the deadline by itself.
                assert_eq!(functions[&step].timeout, 600 + 40, "{name} of {}", machine.name);
                continue;
            }
            if only_warms(&state) {
                continue; // answered before the step begins
            }
            let state_seconds = state["TimeoutSeconds"].as_u64().expect("checked with the machines");
            assert!(functions[&step].timeout < state_seconds, "{name} of {} outlives its function", machine.name);
        }
    }
    Ok(())
}

#[test]
fn a_machine_is_given_exactly_the_functions_that_it_calls() -> Result<()> {
    let template = template::read()?;
    for name in MACHINES {
        let properties = &template["Resources"][format!("{}StateMachine", pascal(name))]["Properties"];
        let given = properties["DefinitionSubstitutions"].as_object().expect("substitutions");
        let given = given.keys().cloned().collect::<BTreeSet<_>>();

        let called = Machine::read(name)?.steps().iter().map(|step| format!("{}FunctionArn", pascal(step))).collect();
        assert_eq!(given, called, "{name}");
    }
    Ok(())
}

/// Route 53 has no VPC endpoint, and a database is reached from inside the VPC only.
#[test]
fn a_step_in_the_vpc_calls_nothing_but_secrets_manager() -> Result<()> {
    for (step, function) in template::functions()? {
        if function.in_vpc {
            let others: Vec<_> =
                function.actions.iter().filter(|action| !action.starts_with("secretsmanager:")).collect();
            assert!(others.is_empty(), "{step} would need a way out for {others:?}");
        }
    }
    Ok(())
}

#[test]
fn no_policy_allows_every_action() -> Result<()> {
    for (step, function) in template::functions()? {
        assert!(function.actions.iter().all(|action| !action.contains('*')), "{step}: {:?}", function.actions);
    }
    Ok(())
}

#[test]
fn a_role_is_passed_to_one_service_or_is_the_stacks_own() -> Result<()> {
    let listed = json!({"Fn::If": [
        "LimitsPassedRoles",
        {"Ref": "PassableRoleArns"},
        {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*"},
    ]});
    let mut passed = 0;
    for (name, resource) in template::read()?["Resources"].as_object().expect("resources") {
        for statement in template::statements(&resource["Properties"]) {
            if !template::actions(statement).iter().any(|action| action == "iam:PassRole") {
                continue;
            }
            passed += 1;
            let role = &statement["Resource"];
            let own = role["Fn::GetAtt"].as_str().is_some_and(|of| of.ends_with("Role.Arn"));
            let service = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
            assert!(own || (*role == listed && service.is_string()), "{name}: {statement}");
        }
    }
    assert_eq!(passed, 6);
    Ok(())
}

/// By name, wherever an action has a resource: DMS takes minutes to see the tags of a new one. Its Describe actions have none,
/// but for one table's.
#[test]
fn what_a_function_changes_or_reads_of_dms_is_a_runs_own() -> Result<()> {
    let takes_no_resource =
        |action: &str| action.starts_with("dms:Describe") && action != "dms:DescribeTableStatistics";
    for (name, resource) in template::read()?["Resources"].as_object().expect("resources") {
        for statement in template::statements(&resource["Properties"]) {
            let actions = template::actions(statement);
            let free = actions.iter().filter(|action| action.starts_with("dms:") && !takes_no_resource(action));
            let listed = match &statement["Resource"] {
                serde_json::Value::Array(several) => several.clone(),
                one => vec![one.clone()],
            };
            let named =
                listed.iter().all(|one| [":pgleap-*", ":task:pgleap*"].iter().any(|own| one.to_string().contains(own)));
            let bound = named || statement["Condition"].to_string().contains("aws:RequestTag/pgleap:run");
            assert!(bound || free.clone().count() == 0, "{name}: {:?} on everybody's", free.collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// An organisation may refuse a role without them. DMS looks for its two roles by their names, which have no path.
#[test]
fn every_role_has_the_boundary_and_the_path() -> Result<()> {
    let template = template::read()?;
    let boundary =
        serde_json::json!({"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]});
    let path = serde_json::json!({"Ref": "RolePath"});
    let functions = &template["Globals"]["Function"];
    assert_eq!((&functions["PermissionsBoundary"], &functions["RolePath"]), (&boundary, &path));
    for (name, resource) in template["Resources"].as_object().expect("resources") {
        let of = &resource["Properties"];
        match resource["Type"].as_str() {
            Some("AWS::IAM::Role") => {
                assert_eq!(of["PermissionsBoundary"], boundary, "{name}");
                assert!(of["Path"] == path || of["RoleName"].is_string(), "{name}");
            }
            Some("AWS::Serverless::StateMachine") => {
                assert_eq!((&of["PermissionsBoundary"], &of["RolePath"]), (&boundary, &path), "{name}");
            }
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn whoever_creates_a_secret_of_the_run_encrypts_it_with_the_stacks_key() -> Result<()> {
    let template = template::read()?;
    let roles = template["Resources"]["RunSecretsKeyPolicy"]["Properties"]["Roles"].to_string();
    let mut creators = 0;
    for (name, resource) in template["Resources"].as_object().expect("resources") {
        let of = &resource["Properties"];
        let creates = of["Policies"].to_string().contains("secretsmanager:CreateSecret");
        if creates {
            creators += 1;
            let key = &of["Environment"]["Variables"]["PGLEAP_SECRETS_KEY_ARN"];
            assert_eq!(*key, serde_json::json!({"Ref": "RunSecretsKeyArn"}), "{name}");
        }
        if of["Policies"].to_string().contains(":secret:pgleap/") && resource["Type"] == "AWS::Serverless::Function" {
            assert!(roles.contains(&format!("{name}Role")), "{name} may not use the key");
        }
    }
    assert!(creators >= 4, "{creators}");
    Ok(())
}

/// A version is of the code alone unless this is said, and machines call versions: a changed variable would never come to
/// be used.
#[test]
fn whatever_changes_of_a_function_is_published() -> Result<()> {
    for (name, resource) in template::read()?["Resources"].as_object().expect("resources") {
        if resource["Type"] == "AWS::Serverless::Function" {
            assert_eq!(resource["Properties"]["AutoPublishAliasAllProperties"], true, "{name}");
        }
    }
    Ok(())
}

#[test]
fn machines_call_versions_so_that_an_execution_keeps_its_code() -> Result<()> {
    let template = template::read()?;
    for machine in ["UpgradeStateMachine", "RecoverStateMachine"] {
        let given = &template["Resources"][machine]["Properties"]["DefinitionSubstitutions"];
        for (name, value) in given.as_object().expect("substitutions") {
            let function = name.trim_end_matches("Arn");
            assert_eq!(value["Ref"], format!("{function}.Version"), "{machine}");
        }
    }
    Ok(())
}

/// Functions of other keys' owners cannot read the owner's secret without it.
#[test]
fn every_function_that_reads_the_owners_secret_may_use_its_key() -> Result<()> {
    let template = template::read()?;
    let reads = |resource: &serde_json::Value| {
        let text = resource["Properties"]["Policies"].to_string();
        text.contains("secretsmanager:GetSecretValue") && text.contains(r#"{"Ref":"LoginSecretArn"}"#)
    };
    let resources = template["Resources"].as_object().expect("resources");
    let readers = resources.iter().filter(|(_, resource)| reads(resource)).map(|(name, _)| format!("{name}Role"));
    let given = template["Resources"]["SecretKeyPolicy"]["Properties"]["Roles"].as_array().expect("roles");
    let given = given.iter().filter_map(|role| role["Ref"].as_str()).map(str::to_owned);

    assert_eq!(given.collect::<BTreeSet<_>>(), readers.collect());
    Ok(())
}

/// Whatever the dashboard or an alarm shows is told by a step, or is a metric of AWS's own.
#[test]
fn every_metric_of_the_dashboard_and_the_alarms_is_told_by_somebody() -> Result<()> {
    let told = metrics_told();
    assert!(told.contains("RetainedWalBytes") && told.contains("RunPhase"), "{told:?}");
    let mut shown = Vec::new();
    for widget in dashboard()?["widgets"].as_array().expect("widgets") {
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            match metric[0].as_str() {
                Some(namespace) => shown.push((namespace.to_owned(), metric[1].as_str().expect("a name").to_owned())),
                None => {
                    let search = metric[0]["expression"].as_str().expect("a search");
                    let namespace = search.split(['{', ',']).nth(1).expect("a namespace");
                    let name = search
                        .split("MetricName=")
                        .nth(1)
                        .and_then(|rest| rest.split(['"', '\\']).find(|word| !word.is_empty()));
                    shown.push((namespace.to_owned(), name.expect("a name").to_owned()));
                }
            }
        }
    }
    for (name, resource) in template::read()?["Resources"].as_object().expect("resources") {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            let properties = &resource["Properties"];
            let of_math =
                properties["Metrics"].as_array().into_iter().flatten().map(|query| &query["MetricStat"]["Metric"]);
            let named = of_math
                .chain([properties])
                .filter_map(|metric| Some((metric["Namespace"].as_str()?, metric["MetricName"].as_str()?)));
            let named: Vec<_> = named.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect();
            let asks = properties["Metrics"].to_string().contains("FreeableMemory");
            assert!(!named.is_empty() || asks, "{name} watches nothing");
            shown.extend(named);
        }
    }
    for (namespace, name) in shown {
        let is_known = match namespace.as_str() {
            "pgleap" => told.contains(&name),
            other => AWS_METRICS.contains(&(other, name.as_str())),
        };
        assert!(is_known, "{namespace} {name} is told by nobody");
    }
    Ok(())
}

/// Sources: Step Functions developer guide, "Monitoring metrics using CloudWatch"; RDS user guide, "CloudWatch metrics for
/// Amazon RDS"; AWS DMS user guide, "Monitoring AWS DMS tasks".
const AWS_METRICS: &[(&str, &str)] = &[
    ("AWS/States", "ExecutionsStarted"),
    ("AWS/States", "ExecutionsSucceeded"),
    ("AWS/States", "ExecutionsFailed"),
    ("AWS/RDS", "TransactionLogsDiskUsage"),
    ("AWS/RDS", "FreeStorageSpace"),
    ("AWS/DMS", "FreeableMemory"),
    ("AWS/DMS", "SwapUsage"),
];

fn dashboard() -> Result<serde_json::Value> {
    let template = template::read()?;
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        .as_str()
        .expect("a text")
        .to_owned();
    Ok(serde_json::from_str(&body)?)
}

/// Names that stand before a unit in what steps tell: `("LagBytes", Unit::Bytes, ..)`.
fn metrics_told() -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    let functions = steps().expect("steps").into_iter().map(|(_, step)| format!("{}/src/lib.rs", step.folder));
    for path in functions.chain(["crates/step-kit/src/movement.rs".to_owned()]) {
        let text = std::fs::read_to_string(repository().join(&path)).unwrap_or_default();
        let before = text.split("\", Unit::").map(|text| text.rsplit('"').next().unwrap_or_default().to_owned());
        told.extend(before.filter(|name| name.bytes().all(|letter| letter.is_ascii_alphanumeric())));
    }
    told
}
