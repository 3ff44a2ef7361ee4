//! What preflight says of a copy by DMS: what passes, how what does not pass is listed, and that a remedy which is a statement works.

use anyhow::{Context, Result};
use pgleap_contract::{Finding, KeylessTables, Severity};
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
    assert!(of("column public.shifts.ends").found.contains("hours, minutes and seconds, but no time zone"));
    let fractions = of("a time of day with a fraction of a second, which DMS drops");
    assert_eq!(fractions.objects, ["public.shifts.begins", "public.shifts.closes"]);
    assert_eq!(findings.len(), 6, "{:#?}", worded(&findings));
    assert!(serde_json::to_string(&findings)?.len() < 100_000);
    Ok(())
}

const MENDABLE: &str = r#"
    CREATE TABLE public."Document" (id text PRIMARY KEY, title text NOT NULL);
    INSERT INTO public."Document" SELECT n::text, 'x' FROM generate_series(1, 100) n;
    CREATE TABLE public.pages (id int PRIMARY KEY, document text REFERENCES public."Document");
    CREATE TABLE public.parted (day date, id text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
    CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE public.event_auth (event_id varchar NOT NULL, auth_id varchar NOT NULL, room text);
    CREATE UNIQUE INDEX event_auth_u ON public.event_auth (event_id, auth_id);
    CREATE TABLE public.by_text (id text NOT NULL, n int);
    CREATE UNIQUE INDEX by_text_u ON public.by_text (id);
    CREATE TABLE public.by_constraint (a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
    CREATE TABLE public.backwards (a int NOT NULL, b int);
    CREATE UNIQUE INDEX backwards_u ON public.backwards (a DESC) INCLUDE (b);
    CREATE TABLE public.silent (id int PRIMARY KEY);
    ALTER TABLE public.silent REPLICA IDENTITY NOTHING;
    CREATE TABLE public.other_index (id int PRIMARY KEY, n int NOT NULL UNIQUE);
    ALTER TABLE public.other_index REPLICA IDENTITY USING INDEX other_index_n_key;
    CREATE TABLE public.pinned (p point, n int NOT NULL UNIQUE); ALTER TABLE public.pinned REPLICA IDENTITY FULL;
    CREATE TABLE public.whole (n int NOT NULL, body text); ALTER TABLE public.whole REPLICA IDENTITY FULL;
    CREATE UNIQUE INDEX whole_u ON public.whole (n);
    CREATE TABLE public.secret_of_tenants (id int PRIMARY KEY, tenant int);
    ALTER TABLE public.secret_of_tenants ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON public.secret_of_tenants USING (tenant::text = current_setting('app.tenant'));
    CREATE TABLE public."Another secret" (id int PRIMARY KEY, tenant int);
    ALTER TABLE public."Another secret" ENABLE ROW LEVEL SECURITY;
    CREATE TABLE public.patient (id int PRIMARY KEY, turn int CONSTRAINT once UNIQUE DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE public.g1 (id int PRIMARY KEY, email varchar(80) NOT NULL, closed_reason text);
    CREATE UNIQUE INDEX g1_live ON public.g1 (email) WHERE closed_reason IS NULL;
    CREATE DOMAIN public.present AS text NOT NULL;
    CREATE TABLE public.notes (id int PRIMARY KEY, body public.present, more public.present);"#;

/// What no statement mends.
const OTHERS: &str = "
    CREATE TABLE public.hash (digest bytea PRIMARY KEY);
    CREATE TABLE public.viewed (id text PRIMARY KEY); CREATE VIEW public.a_view AS SELECT id FROM public.viewed;
    CREATE TABLE public.keyless (id int);
    CREATE TABLE public.restricted (id int PRIMARY KEY); ALTER TABLE public.restricted ENABLE ROW LEVEL SECURITY;
    CREATE POLICY few ON public.restricted AS RESTRICTIVE USING (id < 5);";

/// Those in a remedy, which says `run` before the first.
fn statements(finding: &Finding) -> Vec<&str> {
    let parts = finding.remedy.split(';').map(|part| {
        let part = part.trim();
        part.strip_prefix("or run ").or_else(|| part.strip_prefix("run ")).unwrap_or(part)
    });
    parts.filter(|part| ["ALTER ", "CREATE "].iter().any(|verb| part.starts_with(verb))).collect()
}

#[tokio::test]
async fn each_remedy_that_is_a_statement_works_and_its_finding_is_gone() -> Result<()> {
    for major in [13, 16, 18] {
        let world = world_with(major, &format!("{MENDABLE} {OTHERS}")).await?;
        let owner = world.owner().await?;
        let files = "SELECT string_agg(relname || pg_relation_filenode(oid), ',' ORDER BY relname) FROM pg_class
                     WHERE relname IN ('Document', 'Document_pkey', 'parted_1', 'event_auth', 'event_auth_u', 'by_text', 'g1', 'g1_pkey')";
        let files_before: String = owner.row("look for rewrites", files, &[]).await?.get(0);

        let (mut mended, mut last) = (Vec::new(), None);
        let rest = loop {
            let findings = found(&world).await?;
            let stays = findings.iter().find(|finding| Some(&finding.found) == last.as_ref());
            assert!(stays.is_none(), "{major}: {stays:?}");
            let Some(finding) = findings.iter().find(|finding| !statements(finding).is_empty()) else { break findings };
            for statement in statements(finding) {
                let what = format!("{major}: mend {}", finding.found);
                owner.run(&what, statement).await.with_context(|| statement.to_owned())?;
            }
            last = Some(finding.found.clone());
            mended.push(finding.check.clone());
            assert!(mended.len() < 40, "{major}: {mended:?}");
        };

        for check in [
            "lob-not-null",
            "table-without-key",
            "lob-without-key",
            "row-security",
            "deferred-constraint",
            "lob-in-unique-index",
            "row-not-comparable",
        ] {
            assert!(mended.iter().any(|known| known == check), "{major}: {check} is not among {mended:?}");
        }
        let blockers = rest.iter().filter(|finding| finding.severity == Severity::Blocker);
        let rest: Vec<_> = blockers.map(|finding| (finding.check.as_str(), finding.found.as_str())).collect();
        let [("table-without-key", keyless), ("lob-not-null", hash), ("lob-not-null", viewed), ("row-security", few)] =
            rest[..]
        else {
            panic!("{major}: {rest:#?}")
        };
        assert!(keyless.contains("public.keyless") && hash.contains("public.hash.digest"), "{keyless} {hash}");
        assert!(viewed.contains("public.viewed.id") && few.contains("public.restricted"), "{viewed} {few}");
        let files_after: String = owner.row("look for rewrites", files, &[]).await?.get(0);
        assert_eq!(files_after, files_before, "{major}: a table or an index was rewritten");
    }
    Ok(())
}

const INDEXES: &str = "
    CREATE TABLE public.g (id int PRIMARY KEY, n int, gone date, off boolean, a varchar(80), reason text, kind text, doc jsonb,
        is_open boolean GENERATED ALWAYS AS (reason IS NULL) STORED, small varchar GENERATED ALWAYS AS (lower(kind)) STORED);
    CREATE UNIQUE INDEX bad_null ON public.g (a) WHERE reason IS NULL;
    CREATE UNIQUE INDEX bad_and ON public.g (a) WHERE n > 1 AND reason IS NULL;
    CREATE UNIQUE INDEX bad_or ON public.g (a) WHERE kind = 'x' OR n > 1;
    CREATE UNIQUE INDEX bad_not ON public.g (a) WHERE NOT (kind IS NOT NULL);
    CREATE UNIQUE INDEX bad_distinct ON public.g (a) WHERE kind IS DISTINCT FROM 'x';
    CREATE UNIQUE INDEX bad_inside ON public.g (a) WHERE (kind IS NOT NULL) = off;
    CREATE UNIQUE INDEX bad_expression ON public.g (a, (reason IS NULL));
    CREATE UNIQUE INDEX bad_case ON public.g (a, (CASE WHEN n > 1 THEN kind END));
    CREATE UNIQUE INDEX bad_generated ON public.g (a, is_open);
    CREATE UNIQUE INDEX bad_generated_predicate ON public.g (a) WHERE is_open;
    CREATE UNIQUE INDEX good_equal ON public.g (a) WHERE kind = 'x';
    CREATE UNIQUE INDEX good_list ON public.g (a) WHERE kind IN ('x', 'y') AND gone IS NULL;
    CREATE UNIQUE INDEX good_not_null ON public.g (a) WHERE kind IS NOT NULL AND NOT off;
    CREATE UNIQUE INDEX good_lower ON public.g (lower(kind), n);
    CREATE UNIQUE INDEX good_plain ON public.g (kind, a);
    CREATE UNIQUE INDEX good_document ON public.g ((doc ->> 'id'));
    CREATE UNIQUE INDEX good_generated ON public.g (small);
    CREATE UNIQUE INDEX good_elsewhere ON public.g (a) WHERE gone IS NULL OR off;
    CREATE INDEX good_many ON public.g (a) WHERE reason IS NULL;
    CREATE TABLE public.booked (id int PRIMARY KEY, room int4, note text, EXCLUDE USING btree (room WITH =) WHERE (note IS NULL));
    CREATE TABLE public.by_text (region text, id int) PARTITION BY LIST (region);
    CREATE TABLE public.by_text_eu PARTITION OF public.by_text (PRIMARY KEY (id)) FOR VALUES IN ('eu');
    CREATE TABLE public.by_lower (region text, id int) PARTITION BY LIST (lower(region));
    CREATE TABLE public.by_lower_eu PARTITION OF public.by_lower (PRIMARY KEY (id)) FOR VALUES IN ('eu');
    CREATE TABLE public.by_day (day date, said text, PRIMARY KEY (day)) PARTITION BY RANGE (day);
    CREATE TABLE public.by_day_1 PARTITION OF public.by_day FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');";

#[tokio::test]
async fn unique_indexes_and_partition_keys_that_a_null_for_a_moment_would_break_are_found_and_no_others() -> Result<()>
{
    for major in [13, 18] {
        let world = world_with(major, INDEXES).await?;
        let mut expected = vec![
            "bad_and on public.g",
            "bad_case on public.g",
            "bad_distinct on public.g",
            "bad_expression on public.g",
            "bad_generated on public.g",
            "bad_generated_predicate on public.g",
            "bad_inside on public.g",
            "bad_not on public.g",
            "bad_null on public.g",
            "bad_or on public.g",
            "booked_room_excl on public.booked",
        ];
        if major >= 15 {
            let equal = "CREATE UNIQUE INDEX bad_nulls_equal ON public.g (kind) NULLS NOT DISTINCT;
                CREATE UNIQUE INDEX good_nulls_equal ON public.g (n) NULLS NOT DISTINCT";
            world.owner().await?.run("make indexes", equal).await?;
            expected.push("bad_nulls_equal on public.g");
            expected.sort_unstable();
        }

        let findings = found(&world).await?;

        let of = |check: &str, before: &str, after: &str| -> Vec<String> {
            let of_check = findings.iter().filter(|finding| finding.check == check);
            let between = |text: &str| {
                let rest = text.strip_prefix(before).unwrap_or(text);
                rest.split(after).next().unwrap_or_default().to_owned()
            };
            of_check.map(|finding| between(&finding.found)).collect()
        };
        assert_eq!(of("lob-in-unique-index", "unique index ", " would refuse"), expected, "{major}");
        let keys = of("lob-in-partition-key", "column ", " is in a partition key");
        assert_eq!(keys, ["public.by_lower.region", "public.by_text.region"], "{major}");
        assert_eq!(findings.len(), expected.len() + 2, "{major}: {:#?}", worded(&findings));
    }
    Ok(())
}

#[tokio::test]
async fn a_column_that_cannot_be_compared_is_a_blocker_of_a_table_without_a_key() -> Result<()> {
    let schema =
        "CREATE TABLE public.l2 (p point, n int, block cidr); CREATE TABLE public.keyed (id int PRIMARY KEY, p point)";
    let mut world = world_with(15, schema).await?;
    world.run.choices.keyless_tables = KeylessTables::ReplicaIdentityFull;

    let blockers: Vec<_> = worded(&found(&world).await?).into_iter().filter(|line| line.starts_with('b')).collect();

    let why = "has no equality operator, and its table has no primary key: DMS could not find the row of an update";
    assert_eq!(blockers, [format!("b row-not-comparable: column public.l2.p of type point {why}")]);
    Ok(())
}
