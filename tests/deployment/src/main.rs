//! `test-deploy`: packages and deploys the template with the operator's own scripts into a local CloudFormation, checks
//! every resource, permission and substitution, runs a plan through it and compares it with the stand-in's, and removes
//! the stack again.
//!
//! The functions run from their zips and reach the stand-in's RDS, Route 53 and Secrets Manager, so that a plan has
//! something to look at. A door of its own, not a test of `make ci`: it wants the zips of `make build`.

mod checks;
mod cloud;
mod plan;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use contract_tests::Machine;
use contract_tests::machine::repository;
use local_aws::{Config, LocalAws};
use local_aws_lambda::Template;
use rehearsal::stage::{DATABASE, RECORD, SOURCE, Stage, master_login};
use serde_json::{Value, json};

use cloud::Cloud;

const STACK: &str = "pgleap"; // the name that the stand-in's reading of the template assumes

#[tokio::main]
async fn main() -> Result<()> {
    let aws = Arc::new(LocalAws::start(Config::default()).await?);
    let mut stage = Stage::new(Arc::clone(&aws))?;
    let source = stage.create_source(15, None, false).await?;
    let (zone, secret) = (stage.create_record(&source).await?, stage.create_login_secret(&master_login()).await?);
    let input = json!({
        "mode": "plan",
        "source": { "instance": SOURCE, "database": DATABASE, "loginSecret": secret },
        "target": { "version": "18" },
        "record": { "zoneId": zone, "name": RECORD },
    });
    stage.deploy(&repository().join("target/debug"), &zone, &secret, &[]).await?;
    let rehearsed = plan::on_stand_in(&aws, stage.upgrade_machine()?, &input).await?;
    say(&format!("the stand-in's plan went through {}", rehearsed.states.join(", ")));

    let folder = tempfile::tempdir()?;
    let cloud = Cloud::start(folder.path(), &aws.addresses()).await?;
    deploy(&cloud, folder.path(), &zone, &secret).await?;
    let deployed = plan::on_cloud(
        &cloud,
        &format!("arn:aws:states:eu-west-1:111122223333:stateMachine:{STACK}-upgrade:live"),
        &input,
    )
    .await?;
    if deployed != rehearsed {
        bail!("the plans differ\nstand-in: {rehearsed:#?}\ndeployed: {deployed:#?}");
    }
    say("the deployed plan went through the same states to the same end");
    try_one_step(&cloud).await?;
    remove(&cloud).await
}

/// Deploy, check, deploy again.
async fn deploy(cloud: &Cloud, folder: &Path, zone: &str, secret: &str) -> Result<()> {
    let parameters = [
        ("SourceInstance", SOURCE),
        ("LoginSecretArn", secret),
        ("HostedZoneId", zone),
        ("RecordName", RECORD),
        ("VpcSubnetIds", "subnet-1,subnet-2"),
        ("VpcSecurityGroupIds", "sg-1"),
        ("AnswerLinks", "yes"),
    ];
    let file = folder.join("parameters");
    std::fs::write(&file, parameters.map(|(name, value)| format!("{name}={value}\n")).concat())?;
    let file = file.to_str().context("the folder's name is no text")?;
    cloud.script("deploy.sh", &[STACK, file]).await?;

    let read = |path: &str| std::fs::read_to_string(repository().join(path)).with_context(|| format!("read {path}"));
    let mut values: std::collections::BTreeMap<_, _> =
        parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    values.insert("Architecture".to_owned(), read("target/lambda/architecture")?.trim().to_owned());
    let template = Template::read(&read("infra/template.yaml")?, &values)?;
    let transformed: Value = serde_json::from_str(&read("target/template.transformed.json")?)?;
    let deployed = cloud.look(STACK).await?;
    let made = checks::resources(&deployed, &transformed)?;
    say(&format!("{} resources are there, and no other", made.len()));
    say(&format!("{} functions are as the template says", checks::functions(&deployed, &template)?));
    say(&format!("{} statements are in the roles", checks::permissions(&deployed, &template, &made)?));
    for machine in template.of_kind("AWS::Serverless::StateMachine") {
        let arn = made.get(&machine.logical_id).context("a machine is missing")?;
        let name = contract_tests::machine::MACHINES.iter().find(|name| arn.ends_with(&format!(":{STACK}-{name}")));
        let name = name.with_context(|| format!("{arn} is no machine of the project"))?;
        let substitutions = &machine.properties["DefinitionSubstitutions"];
        let filled = checks::machine(&deployed, arn, substitutions, &Machine::read(name)?.definition)?;
        say(&format!("{filled} substitutions are in {name}"));
    }

    let again = cloud.script("deploy.sh", &[STACK]).await?;
    if !again.contains("No changes to deploy") {
        bail!("a second deployment of the same changed something: {again}");
    }
    say("deployed again, nothing changes");
    Ok(())
}

/// One step by hand: its newest code is what was built, and what machines call stays as it was.
async fn try_one_step(cloud: &Cloud) -> Result<()> {
    const STEP: &str = "find-window";
    let function = format!("{STACK}-{STEP}");
    let versions = async || {
        let ask = ["lambda", "list-versions-by-function", "--function-name", &function];
        let versions =
            cloud.ask(&[&ask[..], &["--query", "Versions[].[Version,CodeSha256,RevisionId]"]].concat()).await?;
        anyhow::Ok(versions.as_array().cloned().unwrap_or_default())
    };
    let is_published = |version: &&Value| version[0] != "$LATEST";
    let before = versions().await?;
    cloud.script("deploy-function.sh", &[STACK, STEP]).await?;
    let after = versions().await?;
    if !before.iter().filter(is_published).all(|version| after.contains(version)) {
        bail!("deploying {STEP} by hand changed what machines call: {before:?}, then {after:?}");
    }
    let newest = |versions: &[Value]| versions.iter().find(|version| version[0] == "$LATEST").cloned();
    if newest(&before) == newest(&after) {
        bail!("deploying {STEP} by hand changed nothing: {after:?}");
    }
    say(&format!("{STEP} was deployed by hand, and what machines call is as before"));
    Ok(())
}

/// Nothing is left but the roles that DMS wants in the account.
async fn remove(cloud: &Cloud) -> Result<()> {
    cloud.script("remove.sh", &[STACK]).await?;
    let roles = cloud.ask(&["iam", "list-roles", "--query", "Roles[].RoleName"]).await?;
    let functions = cloud.ask(&["lambda", "list-functions", "--query", "Functions[].FunctionName"]).await?;
    let machines = cloud.ask(&["stepfunctions", "list-state-machines", "--query", "stateMachines[].name"]).await?;
    let buckets = cloud.ask(&["s3api", "list-buckets", "--query", "Buckets[].Name"]).await?;
    let logs = cloud.ask(&["logs", "describe-log-groups", "--query", "logGroups[].logGroupName"]).await?;
    let secrets = cloud.ask(&["secretsmanager", "list-secrets", "--query", "SecretList[].Name"]).await?;
    let left = json!([roles, functions, machines, buckets, logs, secrets]);
    if left != json!([["dms-cloudwatch-logs-role", "dms-vpc-role"], [], [], [], [], []]) {
        bail!("removing the stack left {left}");
    }
    say("removed, nothing is left but the two roles of DMS");
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the findings are what this program is for")]
fn say(finding: &str) {
    println!("{finding}");
}
