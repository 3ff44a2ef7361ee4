//! DMS's limits, each met on real servers.

use std::time::Instant;

use crate::support::{Rig, Wishes, until};
use serde_json::{Value, json};

async fn load(rig: &Rig, settings: Value) -> String {
    let arn = rig.make_task(settings).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    arn
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_in_a_not_null_column_fails_in_full_mode_and_loads_in_limited_mode() {
    let schema = "CREATE TABLE app.strict (id int PRIMARY KEY, body text NOT NULL);
                  CREATE TABLE app.easy (id int PRIMARY KEY, body text);";
    let rig = Rig::start("notnull", 15, 18, schema, Wishes::default()).await;
    rig.on_source
        .batch_execute("INSERT INTO app.strict VALUES (1, 'b'); INSERT INTO app.easy VALUES (1, 'b')")
        .await
        .unwrap();

    let arn = load(&rig, json!({})).await;

    let task = rig.task().await;
    assert_eq!(task["Status"], "running");
    assert_eq!(task["ReplicationTaskStats"]["TablesErrored"], 1);
    assert_eq!(task["ReplicationTaskStats"]["FullLoadProgressPercent"], 100);
    assert_eq!(rig.table_statistics("strict").await["TableState"], "Table error");
    rig.assert_table_equal("app.easy").await;

    // The ladder: stop, limited mode, resume, load that table again. Its changes go two ways again and fail.
    rig.stop_task(&arn).await;
    let limited = json!({"TargetMetadata": {"FullLobMode": false, "LimitedSizeLobMode": true, "LobMaxSize": 1}});
    rig.call(
        "ModifyReplicationTask",
        json!({"ReplicationTaskArn": arn, "ReplicationTaskSettings": limited.to_string()}),
    )
    .await;
    rig.wait_for_task("stopped").await;
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    assert_eq!(rig.table_statistics("strict").await["TableState"], "Table error");
    let tables = json!({"ReplicationTaskArn": arn, "TablesToReload": [{"SchemaName": "app", "TableName": "strict"}]});
    rig.call("ReloadTables", tables).await;
    until("the reload", async || {
        let table = rig.table_statistics("strict").await;
        if table["TableState"] == "Table completed" { Ok(()) } else { Err(table.to_string()) }
    })
    .await;
    assert_eq!(rig.table_statistics("strict").await["FullLoadReloaded"], true);
    rig.assert_table_equal("app.strict").await;
    rig.on_source.batch_execute("INSERT INTO app.strict VALUES (2, 'later')").await.unwrap();
    rig.drain().await;
    assert_eq!(rig.target_count("SELECT count(*) FROM app.strict").await, 1);
    assert_eq!(rig.target_count("SELECT count(*) FROM awsdms_apply_exceptions").await, 1);
}

/// With InlineLobMaxSize a value up to that size comes with its row: it fits a NOT NULL column, and costs no look-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inline_values_come_with_their_row_and_each_larger_one_costs_a_look_up() {
    let schema = "CREATE TABLE app.small (id int PRIMARY KEY, body text NOT NULL, raw bytea NOT NULL);
                  CREATE TABLE app.large (id int PRIMARY KEY, body text, raw bytea);";
    let wishes = Wishes { faults: vec!["look-ups take 200 ms"], ..Wishes::default() };
    let rig = Rig::start("inline", 15, 18, schema, wishes).await;
    let rows = "INSERT INTO app.small SELECT n, repeat('x', 1024), decode(repeat('ab', 1024), 'hex') FROM generate_series(1, 500) n;
                INSERT INTO app.large SELECT n, repeat('x', 1024 + n % 2), 'x' FROM generate_series(1, 10) n;";
    rig.on_source.batch_execute(rows).await.unwrap();
    let inline = json!({"TargetMetadata": {"FullLobMode": true, "LimitedSizeLobMode": false, "InlineLobMaxSize": 1}});
    let began = Instant::now();

    load(&rig, inline).await;

    let loaded = began.elapsed();
    rig.assert_table_equal("app.small").await;
    rig.assert_table_equal("app.large").await;
    assert!((1_000..20_000).contains(&loaded.as_millis()), "five look-ups, not five hundred: {loaded:?}");

    let began = Instant::now();
    rig.on_source
        .batch_execute("INSERT INTO app.large SELECT n, 'short', NULL FROM generate_series(11, 15) n")
        .await
        .unwrap();
    rig.drain().await;
    assert!(began.elapsed().as_millis() >= 1_000, "a change costs one whatever its size: {:?}", began.elapsed());
    rig.assert_table_equal("app.large").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limited_mode_cuts_and_can_be_told_to_fail_instead() {
    let schema = "CREATE TABLE app.texts (id int PRIMARY KEY, body text, raw bytea);";
    let wishes = Wishes { source_settings: json!({"FailTasksOnLobTruncation": false}), ..Wishes::default() };
    let rig = Rig::start("limited", 15, 17, schema, wishes).await;
    let long =
        "INSERT INTO app.texts VALUES (1, repeat('ü', 600), decode(repeat('ab', 1100), 'hex')), (2, 'short', NULL)";
    rig.on_source.batch_execute(long).await.unwrap();
    let limited = json!({"TargetMetadata": {"FullLobMode": false, "LimitedSizeLobMode": true, "LobMaxSize": 1}});

    let arn = load(&rig, limited).await;
    rig.on_source.batch_execute("INSERT INTO app.texts VALUES (3, repeat('z', 700), NULL)").await.unwrap();
    rig.drain().await;

    let lengths = "SELECT sum(length(body) + coalesce(length(raw), 0)) FROM app.texts";
    assert_eq!(rig.target_count(lengths).await, 512 + 341 + 5 + 512);

    rig.stop_task(&arn).await;
    let endpoint =
        json!({"EndpointArn": rig.source_endpoint, "PostgreSQLSettings": {"FailTasksOnLobTruncation": true}});
    rig.call("ModifyEndpoint", endpoint).await;
    rig.start_task(&arn, "reload-target").await;
    let failed = rig.wait_for_task("failed").await;
    let text = failed["LastFailureMessage"].as_str().unwrap();
    assert!(text.starts_with("Last Error LOB value of column"), "{text}");
    assert!(text.ends_with("Stop Reason FATAL_ERROR Error Level FATAL"), "{text}");
    assert_eq!(failed["StopReason"], failed["LastFailureMessage"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_updates_are_lost_unless_the_whole_old_row_is_logged() {
    let schema = "CREATE TABLE app.keyless (n int, v varchar(9)); CREATE TABLE app.wordy (n int, v varchar(9), t text);
                  CREATE TABLE app.whole (n int, v varchar(9)); ALTER TABLE app.whole REPLICA IDENTITY FULL;
                  CREATE TABLE app.moved (id int PRIMARY KEY, v int);";
    let rig = Rig::start("keyless", 13, 18, schema, Wishes::default()).await;
    rig.on_source
        .batch_execute(
            "INSERT INTO app.keyless VALUES (1, 'a'), (2, 'b'); INSERT INTO app.whole VALUES (1, 'a'), (2, 'b'), (3, NULL);
             INSERT INTO app.wordy VALUES (1, 'a', 'lost'); INSERT INTO app.moved VALUES (1, 1)",
        )
        .await
        .unwrap();
    load(&rig, json!({})).await;

    rig.on_source
        .batch_execute(
            "UPDATE app.keyless SET v = 'x' WHERE n = 1; DELETE FROM app.keyless WHERE n = 2; INSERT INTO app.keyless VALUES (3, 'c');
             UPDATE app.whole SET v = 'x' WHERE n = 1; DELETE FROM app.whole WHERE n = 2; UPDATE app.whole SET n = 4 WHERE v IS NULL;
             UPDATE app.moved SET id = 2; INSERT INTO app.moved VALUES (3, 3); TRUNCATE app.wordy;",
        )
        .await
        .unwrap();
    rig.drain().await;

    rig.assert_table_equal("app.whole").await;
    let keyless = "SELECT count(*) FROM app.keyless WHERE (n, v) IN ((1, 'a'), (2, 'b'), (3, 'c'))";
    assert_eq!(rig.target_count(keyless).await, 3);
    assert_eq!(rig.target_count("SELECT count(*) FROM app.wordy WHERE t IS NULL").await, 1, "no key, no large values");
    assert_eq!(rig.target_count("SELECT sum(id) FROM app.moved").await, 4, "the update of a key value is ignored");
    assert_eq!(rig.table_statistics("keyless").await["Updates"], 0);
    rig.assert_no_exceptions().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_table_stops_alone_and_the_marker_passes_it() {
    let schema =
        "CREATE TABLE app.broken (id int PRIMARY KEY, v int); CREATE TABLE app.fine (id int PRIMARY KEY, v int);
                  CREATE TABLE app.pinned (p point, n int); ALTER TABLE app.pinned REPLICA IDENTITY FULL;
                  CREATE TABLE app.live (id int PRIMARY KEY, email varchar(80), gone text);
                  CREATE UNIQUE INDEX live_once ON app.live (email) WHERE gone IS NULL;
                  CREATE SCHEMA control; GRANT ALL ON SCHEMA control TO PUBLIC;";
    let rig = Rig::start("suspended", 16, 17, schema, Wishes::default()).await;
    let strict = json!({
        "ErrorBehavior": {"ApplyErrorInsertPolicy": "SUSPEND_TABLE", "ApplyErrorUpdatePolicy": "SUSPEND_TABLE"},
        "ControlTablesSettings": {"ControlSchema": "control", "SuspendedTablesTableEnabled": true, "StatusTableEnabled": true,
            "HistoryTableEnabled": true, "FullLoadExceptionTableEnabled": true}});
    let arn = load(&rig, strict).await;
    rig.on_target.batch_execute("INSERT INTO app.broken VALUES (1, 99)").await.unwrap();

    rig.on_source
        .batch_execute(
            "BEGIN; INSERT INTO app.fine VALUES (1, 1); INSERT INTO app.broken VALUES (1, 1); INSERT INTO app.fine VALUES (2, 2); COMMIT;
             INSERT INTO app.broken VALUES (2, 2);
             INSERT INTO app.pinned VALUES ('(1,2)', 1); UPDATE app.pinned SET n = 2;
             INSERT INTO app.live VALUES (1, 'a@x', NULL), (2, 'a@x', 'moved')",
        )
        .await
        .unwrap();
    rig.drain().await;

    rig.assert_table_equal("app.fine").await;
    assert_eq!(rig.target_count("SELECT count(*) FROM app.broken").await, 1);
    for table in ["broken", "pinned", "live"] {
        assert_eq!(rig.table_statistics(table).await["TableState"], "Table error", "{table}");
    }
    let task = rig.task().await;
    assert_eq!((&task["Status"], &task["ReplicationTaskStats"]["TablesErrored"]), (&json!("running"), &json!(3)));
    let resource = arn.rsplit(':').next().unwrap();
    let exception = rig
        .on_target
        .query_one(
            "SELECT \"TASK_NAME\", \"TABLE_NAME\", \"STATEMENT\", \"ERROR\" FROM control.awsdms_apply_exceptions WHERE \"TABLE_NAME\" = 'broken'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(exception.get::<_, String>(0), resource);
    assert_eq!(exception.get::<_, String>(1), "broken");
    assert_eq!(exception.get::<_, String>(2), r#"INSERT INTO "app"."broken" ("id","v") VALUES ('1','1')"#);
    assert!(exception.get::<_, String>(3).contains("duplicate key value violates unique constraint"));
    assert_eq!(
        rig.target_count("SELECT count(*) FROM control.awsdms_suspended_tables WHERE table_name = 'broken'").await,
        1
    );
    until("the status table", async || {
        let written = rig
            .target_count("SELECT count(*) FROM control.awsdms_status WHERE task_status = 'CHANGE PROCESSING'")
            .await;
        if written == 1 { Ok(()) } else { Err(format!("{written} rows")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_decide_what_a_conflict_does() {
    let schema = "CREATE TABLE app.logged (id int PRIMARY KEY, v int);";
    let rig = Rig::start("policies", 18, 18, schema, Wishes::default()).await;
    rig.on_source.batch_execute("INSERT INTO app.logged VALUES (1, 1), (2, 2), (3, 3)").await.unwrap();
    let arn = load(&rig, json!({})).await;
    rig.on_target.batch_execute("DELETE FROM app.logged WHERE id IN (1, 2)").await.unwrap();

    rig.on_source
        .batch_execute("UPDATE app.logged SET v = 10 WHERE id = 1; DELETE FROM app.logged WHERE id = 2; UPDATE app.logged SET v = 30 WHERE id = 3")
        .await
        .unwrap();
    rig.drain().await;
    assert_eq!(
        rig.target_count("SELECT count(*) FROM awsdms_apply_exceptions WHERE \"ERROR\" = '0 rows affected'").await,
        1
    );
    assert_eq!(rig.target_count("SELECT sum(v) FROM app.logged").await, 30);

    rig.stop_task(&arn).await;
    let upsert = json!({"ErrorBehavior": {"ApplyErrorUpdatePolicy": "UPDATE_RECORD", "ApplyErrorInsertPolicy": "INSERT_RECORD"}});
    rig.call(
        "ModifyReplicationTask",
        json!({"ReplicationTaskArn": arn, "ReplicationTaskSettings": upsert.to_string()}),
    )
    .await;
    rig.wait_for_task("stopped").await;
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.on_target.batch_execute("INSERT INTO app.logged VALUES (7, 0)").await.unwrap();
    rig.on_source
        .batch_execute("UPDATE app.logged SET v = 11 WHERE id = 1; INSERT INTO app.logged VALUES (7, 70)")
        .await
        .unwrap();
    rig.drain().await;
    rig.assert_table_equal("app.logged").await;

    rig.stop_task(&arn).await;
    let stop = json!({"ErrorBehavior": {"ApplyErrorUpdatePolicy": "STOP_TASK"}});
    rig.call("ModifyReplicationTask", json!({"ReplicationTaskArn": arn, "ReplicationTaskSettings": stop.to_string()}))
        .await;
    rig.wait_for_task("stopped").await;
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.on_target.batch_execute("DELETE FROM app.logged WHERE id = 3").await.unwrap();
    rig.on_source.batch_execute("UPDATE app.logged SET v = 31 WHERE id = 3").await.unwrap();
    let failed = rig.wait_for_task("failed").await;
    assert!(failed["LastFailureMessage"].as_str().unwrap().contains("0 rows affected"), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_generated_and_unsupported_columns_fail_as_on_postgresql() {
    let schema = "CREATE TABLE app.parents (id int PRIMARY KEY); CREATE TABLE app.children (id int PRIMARY KEY, parent int REFERENCES app.parents);
                  CREATE TABLE app.generated (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
                  CREATE TYPE app.mood AS ENUM ('sad'); CREATE TABLE app.moods (id int PRIMARY KEY, m app.mood);
                  CREATE TABLE app.moodless (id int PRIMARY KEY, m app.mood, i inet);
                  CREATE TABLE app.arrays (a int[]);
                  CREATE TABLE app.always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);";
    let wishes = Wishes { no_replica_role: true, ..Wishes::default() };
    let rig = Rig::start("postgres", 15, 16, schema, wishes).await;
    rig.on_source
        .batch_execute("INSERT INTO app.parents VALUES (1); INSERT INTO app.generated VALUES (1); INSERT INTO app.moods VALUES (1, 'sad');
                        INSERT INTO app.moodless VALUES (1); INSERT INTO app.always (v) VALUES (1)")
        .await
        .unwrap();

    load(&rig, json!({})).await;

    let cases = [
        ("parents", "Table error"), // TRUNCATE of a referenced table
        ("generated", "Table error"),
        ("moods", "Table error"),
        ("arrays", "Table error"),
        ("moodless", "Table completed"),
        ("always", "Table completed"),
        ("children", "Table completed"),
    ];
    for (table, expected) in cases {
        assert_eq!(rig.table_statistics(table).await["TableState"], expected, "{table}");
    }
    rig.on_source
        .batch_execute(
            "INSERT INTO app.children VALUES (5, 1); INSERT INTO app.moodless VALUES (2, 'sad');
                        INSERT INTO app.always (v) VALUES (2)",
        )
        .await
        .unwrap();
    rig.drain().await;
    let errors = rig
        .on_target
        .query("SELECT \"TABLE_NAME\", \"ERROR\" FROM awsdms_apply_exceptions ORDER BY 1", &[])
        .await
        .unwrap();
    let errors: Vec<(String, String)> = errors.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [("always", "428C9"), ("children", "23503"), ("moodless", "not supported")];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for ((table, error), (expected_table, expected_error)) in errors.iter().zip(expected) {
        assert_eq!(table, expected_table);
        assert!(error.contains(expected_error), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_and_indexes_stay_behind_and_a_made_table_is_bare() {
    let schema =
        "CREATE TABLE app.rich (id serial PRIMARY KEY, v int DEFAULT 7 NOT NULL CHECK (v > 0), n numeric, b boolean);
                  CREATE INDEX by_v ON app.rich (v);";
    let wishes = Wishes { source_settings: json!({"MapBooleanAsBoolean": false}), ..Wishes::default() };
    let rig = Rig::start("bare", 17, 18, schema, wishes).await;
    rig.on_source
        .batch_execute("INSERT INTO app.rich (v, n, b) SELECT i, i / 3.0, true FROM generate_series(1, 10) i")
        .await
        .unwrap();
    rig.on_target.batch_execute("DROP TABLE app.rich").await.unwrap();

    load(&rig, json!({"FullLoadSettings": {"TargetTablePrepMode": "DO_NOTHING"}})).await;

    let columns = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || atthasdef, ', ' ORDER BY attnum)
                   FROM pg_attribute WHERE attrelid = 'app.rich'::regclass AND attnum > 0";
    let columns: String = rig.on_target.query_one(columns, &[]).await.unwrap().get(0);
    assert_eq!(columns, "id integer false, v integer false, n numeric false, b character varying(5) false");
    assert_eq!(rig.target_count("SELECT count(*) FROM pg_index WHERE indrelid = 'app.rich'::regclass").await, 1);
    assert_eq!(rig.target_count("SELECT count(*) FROM app.rich WHERE b = 'true'").await, 10);
}
