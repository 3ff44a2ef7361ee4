//! What was seen of a run, into its report.

use anyhow::Result;

use crate::catalog::{self, Catalog};
use crate::clients::{Kind, OwnTables};
use crate::judge::Seen;
use crate::leaks::{Secret, distinct, verifiers};
use crate::observer::connect;
use crate::proof;
use crate::report::{LambdaReport, MachineReport, Report};
use crate::stage::{SOURCE, Stage};

pub(crate) async fn fill_report(
    report: &mut Report,
    stage: &Stage,
    seen: &Seen,
    (kinds, own): (&[Kind], &OwnTables),
    before: Catalog,
    target_instance: &str,
) -> Result<()> {
    let Seen { standing, execution, observed, cutover, drain, fence, addresses, .. } = seen;
    report.machine = MachineReport {
        transitions: execution.history.transitions(),
        seconds: standing.seconds,
        status: standing.status.as_str().to_owned(),
    };
    let first = execution.history.visits().first().map_or(0.0, |visit| visit.entered);
    report.repairs = execution.history.repairs().to_vec();
    report.phases = execution.history.phases(first + standing.seconds);
    report.outage = proof::of_outage(cutover, *addresses, fence, drain.as_ref(), &execution.history);
    let expected = execution.history.plan().and_then(|plan| plan["outage"]["milliseconds"].as_f64());
    report.outage.expected_seconds = expected.map(|milliseconds| milliseconds / 1_000.0);
    report.outage.forecast = execution.history.gate().cloned();
    report.preflight = execution.history.preflight();
    report.plan = execution.history.plan().cloned();
    report.cost = execution.history.report().cloned();
    report.expected_cost = execution.history.plan().map(|plan| plan["cost"].clone());
    let serving = if seen.target_serves() { target_instance } else { SOURCE };
    let client = connect(&stage.access(serving)).await?;
    report.clients = proof::of_clients(observed, (&cutover.together, *addresses), kinds, own, &client).await?;
    if let Some(mut drain) = drain.clone() {
        if serving == target_instance {
            drain.look_at_views_again(&client).await?;
        } else if seen.has_returned {
            drain.look_at_views_again(&connect(&stage.access(target_instance)).await?).await?;
        }
        report.comparison = drain.comparison;
        report.uncompared_tables = drain.uncompared;
        report.tables = drain.tables;
        report.sequences = drain.sequences;
        report.materialized_views = drain.views;
    }
    let catalogs = drain.as_ref().and_then(|drain| drain.catalog.as_ref());
    let expected = catalogs.map(|catalogs| catalog::as_fenced(&before, catalogs, fence.grants_before.as_deref()));
    report.catalogs_of = if expected.is_some() { "under the fence" } else { "before the run" }.to_owned();
    report.changes_under_run =
        expected.as_ref().map_or_else(Vec::new, |now| proof::of_changes(before.clone(), now.clone()));
    report.schema_differences = proof::of_schema(expected.unwrap_or(before), &client).await?;
    report.take_warnings(execution.history.warnings());
    Ok(())
}

/// Every value that must not be seen: what Secrets Manager ever held, what is known already (the clients' passwords, the
/// source's verifiers as before the run), and the verifiers of every role that the servers have now.
pub(crate) async fn secrets(stage: &Stage, known: &[Secret], instances: &[&str]) -> Result<Vec<Secret>> {
    let kept = stage.aws().secrets().ever_kept();
    let of_run = kept.iter().flat_map(|(name, content)| Secret::of_content(name, content));
    let mut secrets: Vec<_> = of_run.chain(known.iter().cloned()).collect();
    // A server that is down has no sessions to read them in; a copy's verifiers are the source's.
    for instance in instances.iter().filter(|instance| stage.access(instance)().is_some()) {
        secrets.extend(verifiers(&connect(&stage.access(instance)).await?, instance).await?);
    }
    Ok(distinct(secrets))
}

pub(crate) fn lambdas(stage: &Stage) -> Vec<LambdaReport> {
    let host = stage.aws().lambda();
    host.functions().into_iter().map(|name| LambdaReport { peak_bytes: host.peak_rss(&name), name }).collect()
}
