//! What preflight says of a copy by DMS: what passes, and how what does not pass is listed.

use anyhow::Result;
use pgleap_contract::{Finding, Severity};
use step_tests::World;

async fn world_with(major: u16, schema: &str) -> Result<World> {
    let world = World::start(major).await?;
    world.owner().await?.run("make the schema", schema).await?;
    Ok(world)
}

async fn found(world: &World) -> Result<Vec<Finding>> {
    Ok(check_database::run(world.as_step("check-database"), world.on_source()).await?.findings.list)
}

fn worded(findings: &[Finding]) -> Vec<String> {
    let word = |finding: &Finding| match finding.severity {
        Severity::Blocker => format!("b {}: {}", finding.check, finding.found),
        Severity::Warning => format!("w {}: {}", finding.check, finding.found),
    };
    findings.iter().map(word).collect()
}

/// Set aside while DMS writes, or carried.
const CARRIED: &str = "
    CREATE TABLE public.auth_user (id bigint PRIMARY KEY);
    CREATE TABLE public.auth_permission (id bigint PRIMARY KEY, user_id bigint NOT NULL
        CONSTRAINT auth_permission_user_id_fk REFERENCES public.auth_user (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE public.zz (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY IMMEDIATE);
    CREATE FUNCTION public.zt() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER zct AFTER INSERT ON public.zz DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.zt();
    CREATE TABLE public.roles (id bigint PRIMARY KEY, organization_id bigint, permissions text[],
        CONSTRAINT roles_c CHECK (organization_id IS NOT NULL OR cardinality(permissions) = 0));
    CREATE TABLE public.lockers (pid int PRIMARY KEY, queues text[] NOT NULL,
        CONSTRAINT valid_queues CHECK (array_ndims(queues) = 1 AND array_length(queues, 1) IS NOT NULL));
    CREATE TABLE public.in_other_words (id bigint PRIMARY KEY, a text, b text, CONSTRAINT one CHECK (num_nonnulls(a, b) = 1));
    CREATE TABLE public.net (id int PRIMARY KEY, block cidr, blocks cidr[], price money, opens time);
    INSERT INTO public.net VALUES (1, '10.0.0.0/8', '{10.0.0.0/8,::/0}', 12.34, '09:30');
    CREATE DOMAIN public.pct AS int;
    CREATE TABLE public.shares (id int PRIMARY KEY, share public.pct);
    INSERT INTO public.shares VALUES (1, 140);
    ALTER DOMAIN public.pct ADD CONSTRAINT pct_range CHECK (VALUE BETWEEN 0 AND 100) NOT VALID;";

#[tokio::test]
async fn what_the_target_sets_aside_while_dms_writes_and_what_dms_carries_passes() -> Result<()> {
    for major in [13, 18] {
        let world = world_with(major, CARRIED).await?;

        assert_eq!(worded(&found(&world).await?), [""; 0], "{major}");
    }
    Ok(())
}

const MANY_TYPES: &str = "
    CREATE TYPE public.status AS ENUM ('a', 'b');
    DO $do$ BEGIN FOR n IN 1..1200 LOOP
        EXECUTE format('CREATE TABLE public.t%s (id int PRIMARY KEY, status public.status, kinds public.status[])', n);
    END LOOP; END $do$;
    CREATE TABLE public.zz_sessions (id int PRIMARY KEY, ip inet, search tsvector);
    CREATE TABLE public.packages (id uuid PRIMARY KEY, data oid);
    CREATE TABLE public.shifts (id int PRIMARY KEY, begins time, ends timetz, closes time);
    INSERT INTO public.shifts VALUES (1, '09:00:00.25', '17:00:00+02', '18:00:00.5');";

#[tokio::test]
async fn many_columns_of_one_type_hide_no_other_type_and_what_is_left_out_is_counted() -> Result<()> {
    let world = world_with(15, MANY_TYPES).await?;

    let findings = found(&world).await?;

    let of = |says: &str| {
        let of_it: Vec<_> = findings.iter().filter(|finding| finding.found.contains(says)).collect();
        assert_eq!(of_it.len(), 1, "{says}: {:#?}", worded(&findings));
        of_it[0]
    };
    let enums = of("DMS does not carry enum (AWS lists it");
    assert!(enums.found.contains("): 2400 columns, among them public.t1.kinds (public.status[]), "), "{}", enums.found);
    assert_eq!(enums.objects.len() + enums.left_out, 2_400);
    assert!(enums.objects.len() > 1_000, "{}", enums.objects.len());
    assert!(of("DMS does not carry inet").found.ends_with(": column public.zz_sessions.ip (inet)"));
    assert!(of("DMS does not carry tsvector").found.ends_with(": column public.zz_sessions.search (tsvector)"));
    assert!(of("column public.packages.data").found.contains("DMS does not migrate the OID type"));
    assert!(of("column public.shifts.ends").found.contains("hours, minutes and seconds, and no zone"));
    let fractions = of("a time of day with a fraction of a second, which DMS cuts");
    assert_eq!(fractions.objects, ["public.shifts.begins", "public.shifts.closes"]);
    assert_eq!(findings.len(), 6, "{:#?}", worded(&findings));
    assert!(serde_json::to_string(&findings)?.len() < 100_000);
    Ok(())
}
