//! THE end-to-end test: a live database goes from one major to another through the real machine, functions, servers and
//! record, and nobody loses a row. The functions must have been built (`make test` does).

#![allow(clippy::unwrap_used, reason = "a test")]

use clap::Parser;
use rehearsal::cli::{Cli, Command, RunArguments};
use rehearsal::observer::AT_DRAIN_POINT;
use serde_json::Value;

fn arguments(words: &[&str], reports: &std::path::Path) -> RunArguments {
    let all =
        ["rehearsal", "run", "--megabytes", "20", "--propagation", "1", "--reports"].into_iter().map(str::to_owned);
    let all = all.chain([reports.display().to_string()]).chain(words.iter().map(|word| (*word).to_owned()));
    match Cli::parse_from(all).command {
        Command::Run(arguments) => *arguments,
        other => panic!("{other:?}"),
    }
}

async fn report_of(words: &[&str]) -> Value {
    rehearsal::said::listen();
    let folder = tempfile::tempdir().unwrap();
    rehearsal::run::run(arguments(words, folder.path())).await.unwrap();
    let text = std::fs::read_to_string(folder.path().join("latest/report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn list<'a>(report: &'a Value, pointer: &str) -> &'a Vec<Value> {
    report.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer} is no list"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_database_is_upgraded_and_nothing_is_lost() {
    let report = report_of(&["--from", "13", "--to", "18"]).await;

    let text = format!("{report:#}");
    assert_eq!(report["status"], "SUCCEEDED", "{text}");
    assert_eq!(report["error"], Value::Null);
    assert!(report["source"]["version"].as_str().unwrap().starts_with("13."));
    assert!(report["target"]["version"].as_str().unwrap().starts_with("18."));
    assert!(report["clients"]["acknowledged"].as_u64().unwrap() > 1_000);
    assert_eq!((&report["clients"]["lost"], &report["clients"]["duplicated"]), (&0.into(), &0.into()));
    assert!(list(&report, "/clients/invariants").iter().all(|invariant| invariant["holds"] == true));
    assert!(list(&report, "/tables").len() > 30 && list(&report, "/tables").iter().all(|table| table["equal"] == true));
    assert!(list(&report, "/sequences").iter().all(|sequence| sequence["past"] == true));
    assert_eq!(list(&report, "/schemaDifferences").len(), 0);
    assert_eq!((&report["comparison"], &report["catalogsOf"]), (&AT_DRAIN_POINT.into(), &"under the fence".into()));
    assert_eq!(list(&report, "/changesUnderRun").len(), 0, "the run's own changes count as people's: {text}");
    assert_eq!(list(&report, "/outage/lockOuts").len(), 1, "{text}");
    assert_eq!(list(&report, "/recoveries").len(), 0);
    assert_eq!(list(&report, "/secrecy/leaks").len(), 0);
    // The owner's, the run's own logins on both sides, the clients', the verifiers of the source's logins with their keys;
    // a log a function, histories, servers, the report. (Verifiers of 13 are md5, which have fewer parts than those since.)
    assert!(report["secrecy"]["secrets"].as_u64().unwrap() >= 16, "{}", report["secrecy"]);
    assert!(report["secrecy"]["texts"].as_u64().unwrap() > 40, "{}", report["secrecy"]);
    assert!(report["secrecy"]["bytes"].as_u64().unwrap() > 300_000, "{}", report["secrecy"]);
    let outage = report["outage"]["writeSeconds"].as_f64().unwrap();
    assert!(outage > 0.0 && outage < 60.0, "{outage}");
    let parts: f64 = list(&report, "/outage/madeOf").iter().map(|part| part["seconds"].as_f64().unwrap()).sum();
    assert!((parts - outage).abs() < 0.01, "{parts} of {outage}");
    let phases: Vec<_> = list(&report, "/phases").iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert!(phases.starts_with(&["preflight"]) && phases.ends_with(&["finish"]), "{phases:?}");
    // Two counts of one history, made apart: the run's own step, and the rehearsal's.
    assert_eq!(report["cost"]["transitions"], report["machine"]["transitions"], "{}", report["cost"]);
    assert!(report["cost"]["functionSeconds"].as_f64().unwrap() > 1.0, "{}", report["cost"]);
    assert!(report["cost"]["cost"]["usd"].as_f64().unwrap() > 0.0, "{}", report["cost"]);
    assert!(report["expectedCost"]["usd"].as_f64().unwrap() > 0.0, "{}", report["expectedCost"]);
    let largest = list(&report, "/lambdas").iter().map(|lambda| lambda["peakBytes"].as_u64().unwrap()).max().unwrap();
    assert!(largest < 64 << 20, "{largest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_owner_is_not_the_master_user_is_upgraded_by_its_owner() {
    let report = report_of(&["--owner", "--from", "16", "--to", "18"]).await;

    assert_eq!(report["status"], "SUCCEEDED", "{report:#}");
    assert_eq!((&report["clients"]["lost"], &report["clients"]["duplicated"]), (&0.into(), &0.into()));
    assert_eq!(list(&report, "/schemaDifferences").len(), 0);
}

/// What an operator's own dump may bring: a psql that stops at errors, in a transaction; a statement that fails; a file
/// beside it; a type that DMS does not carry; and an event trigger, which refuses what comes later.
const DUMP: &str = "\\set ON_ERROR_STOP 1
    BEGIN;
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE person (id bigint PRIMARY KEY, mood mood NOT NULL);
    ALTER TABLE person OWNER TO somebody_unknown;
    CREATE TABLE visits (id bigint PRIMARY KEY);
    COMMIT;
    \\copy visits FROM './visits.csv' CSV
    INSERT INTO visits SELECT count(*) + 10 FROM visits;
    CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL'; END $$;
    CREATE EVENT TRIGGER no_ddl
        ON ddl_command_start EXECUTE FUNCTION no_ddl();
";

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_operators_dump_names_what_failed_and_what_stops_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.sql");
    std::fs::write(&dump, DUMP).unwrap();
    std::fs::write(folder.path().join("visits.csv"), "1\n2\n").unwrap();

    let dump = dump.display().to_string();
    let report = report_of(&["--plan", "--engine", "dms", "--dump", &dump]).await;

    assert_eq!(report["status"], "SUCCEEDED", "{report:#}");
    let failed = "line 5: role \"somebody_unknown\" does not exist";
    assert_eq!(report["dump"], serde_json::json!({ "failedStatements": 1, "examples": [failed] }));
    assert_eq!(report["preflight"]["blockers"], 2);
    let findings = list(&report, "/preflight/findings");
    for (check, name) in [("event-trigger", "no_ddl"), ("type-not-carried", "public.person.mood")] {
        let blocker = findings.iter().find(|finding| finding["check"] == check).unwrap();
        assert_eq!(blocker["severity"], "blocker");
        assert!(blocker["found"].as_str().unwrap().contains(name), "{blocker}");
        assert!(!blocker["remedy"].as_str().unwrap().is_empty());
    }
    assert!(!list(&report, "/plan/phases").is_empty() && report["plan"]["cost"]["usd"].is_number());
    // Both tables are there: the statement that failed took nothing of its transaction with it.
    let written: Vec<_> = list(&report, "/clients/ownTables").iter().map(|table| table["table"].as_str()).collect();
    assert_eq!(written, [Some("\"public\".\"person\""), Some("\"public\".\"visits\"")]);

    // Left to the run, the engine is the one that carries the type.
    let chosen = report_of(&["--plan", "--dump", &dump]).await;
    assert_eq!(
        (&chosen["plan"]["engine"], &chosen["preflight"]["blockers"]),
        (&"native".into(), &1.into()),
        "{chosen:#}"
    );
    assert!(chosen["plan"]["why"].as_str().unwrap().contains("public.person.mood"), "{}", chosen["plan"]);
}
