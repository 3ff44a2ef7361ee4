//! `mode: plan`: what the machine calls for it changes nothing, and says what a run would do.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use pgleap_contract::Mode;
use pgleap_contract::steps::{DatabaseSize, PlanRunInput, SourceLoad};
use step_tests::{World, wait_for};

/// What is in the database's catalogs of users and roles, as one text.
const STATE: &str = "\
    SELECT md5(string_agg(line, ',' ORDER BY line)) FROM ( \
        SELECT 'c ' || c.oid || c.relname || coalesce(c.relacl::text, '') || c.relreplident::text || pg_relation_filenode(c.oid) AS line \
            FROM pg_class c WHERE c.relkind IN ('r', 'i', 'S', 'm') AND c.relpersistence <> 't' AND c.oid >= 16384 \
        UNION ALL SELECT 'r ' || rolname || rolcreaterole FROM pg_roles \
        UNION ALL SELECT 'd ' || datname || coalesce(datacl::text, '') FROM pg_database \
        UNION ALL SELECT 's ' || slot_name FROM pg_replication_slots \
        UNION ALL SELECT 'n ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)') AS lines";

#[tokio::test]
async fn a_plan_says_what_a_run_would_do_and_changes_nothing() -> Result<()> {
    for major in [13, 17] {
        let mut world = World::start(major).await?;
        world.run.mode = Mode::Plan;
        world.load_rehearsal().await?;
        let changes = world.changes();
        let owner = world.owner().await?;
        let before: String = owner.row("look", STATE, &[]).await?.get(0);

        let instance = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
        let database = check_database::run(world.as_step("check-database"), world.on_source()).await?;
        let input = PlanRunInput {
            instance: Default::default(),
            database: Default::default(),
            run: world.run.clone(),
            shape: instance.shape,
            way: instance.way,
            size: database.size,
            load: database.load.clone(),
        };
        let plan = plan_run::run(world.as_step("plan-run"), input).await?;

        assert_eq!(world.changes(), changes, "{major}");
        assert_eq!(owner.row("look", STATE, &[]).await?.get::<_, String>(0), before, "{major}");
        assert!(
            database.load.index_bytes > 0 && database.load.index_bytes < database.size.bytes,
            "{:?}",
            database.load
        );
        assert!(
            plan.plan.outage.milliseconds > 100.0 && plan.plan.outage.milliseconds < 60_000.0,
            "{:?}",
            plan.plan.outage
        );
        assert!(plan.plan.outage.reboot_seconds.is_some());
        assert_eq!(plan.plan.phases.len(), 12);
        assert!(plan.plan.creates.iter().any(|made| made.kind == "DB instance" && made.stays));
        assert!(plan.plan.cost.usd > 0.0 && plan.plan.cost.unpriced.is_empty(), "{:?}", plan.plan.cost);
    }
    Ok(())
}

#[tokio::test]
async fn a_plan_names_tables_that_are_written_to_all_the_time_and_no_others() -> Result<()> {
    let mut world = World::start(13).await?;
    world.run.mode = Mode::Plan;
    let owner = world.owner().await?;
    let tables = "CREATE TABLE public.counters (id int PRIMARY KEY, n int); INSERT INTO public.counters VALUES (1, 0);
                  CREATE TABLE public.quiet (id int PRIMARY KEY); INSERT INTO public.quiet SELECT generate_series(1, 100000)";
    owner.run("make tables", tables).await?;
    let writer = world.owner().await?;
    let writing = tokio::spawn(async move {
        loop {
            writer.run("count", "UPDATE public.counters SET n = n + 1").await.expect("source");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    // What filled the tables has been counted when the busy one shows.
    wait_for("the writer's changes", async || {
        let counted = "SELECT pg_stat_get_tuples_updated('public.counters'::regclass) > 0
                       AND pg_stat_get_tuples_inserted('public.quiet'::regclass) > 0";
        Ok(owner.row("look", counted, &[]).await?.get::<_, bool>(0).then_some(()))
    })
    .await?;

    let database = check_database::run(world.as_step("check-database"), world.on_source()).await?;
    let input = PlanRunInput {
        run: world.run.clone(),
        shape: None,
        way: None,
        size: database.size,
        load: database.load,
        instance: Default::default(),
        database: database.findings,
    };
    let plan = plan_run::run(world.as_step("plan-run"), input).await?;
    writing.abort();

    let warning = plan.plan.findings.list.iter().find(|warning| warning.check == "busy-tables").expect("a warning");
    assert!(warning.found.contains("public.counters ("), "{}", warning.found);
    assert!(
        warning.found.contains("in few rows, so it probably cannot be compared") && !warning.found.contains("quiet"),
        "{}",
        warning.found
    );
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_is_due_inside_the_run_is_a_blocker_of_the_plan() -> Result<()> {
    let world = World::start(15).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    for (due, blockers) in [(now + 600.0, 1), (now + 20.0 * 86_400.0, 0)] {
        world.aws.secrets().announce_rotation(&world.run.source.login_secret, due).expect("the secret");

        let instance = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
        let (size, load) = (DatabaseSize::default(), SourceLoad::default());
        let input = PlanRunInput {
            run: world.run.clone(),
            shape: instance.shape,
            way: instance.way,
            size,
            load,
            instance: instance.findings.clone(),
            database: Default::default(),
        };
        let plan = plan_run::run(world.as_step("plan-run"), input).await?;

        let warned = instance.findings.list.iter().any(|finding| finding.check == "login-secret-rotates");
        assert!(warned && instance.findings.blockers == 0, "{:?}", instance.findings);
        assert_eq!(plan.plan.findings.blockers, blockers, "{:?}", plan.plan.findings);
    }
    Ok(())
}
