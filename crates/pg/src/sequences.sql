-- Where sequences stand: read on the source, put on the target, under the fence.
--
-- Installed by the owner's login on both sides, called by the run's working login with the owner's rights.
-- Reads: sequences. Changes: sequences (set_sequences). Safe to repeat: the same values give the same state.

-- User sequences with their values, a page at a time, by oid: each that is read holds a lock until the transaction ends.
-- One that was never called has no value in the catalogs, so it is asked itself. pg_sequence_last_value answers NULL
-- from 17 on, and fails before, where the right to read is missing: the question that follows fails then.
CREATE OR REPLACE FUNCTION pgleap.sequence_values(after oid, most int, OUT id oid, OUT name text, OUT value bigint, OUT called boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    FOR id, name, value IN
        SELECT p.oid, p.name, pg_sequence_last_value(p.oid)
        FROM (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND c.oid > after
                AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap')
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
              ORDER BY c.oid LIMIT most) AS p
    LOOP
        called := true;
        IF value IS NULL THEN
            EXECUTE format('SELECT last_value, is_called FROM %s', name) INTO value, called;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- Put values, with head-room in the direction of the increment: at most a hundred steps and at most a hundredth of
-- what is left, so that a narrow sequence does not end sooner. Cycling ones and those never called are put exactly.
-- Only for a cutover that is undecided, and never backwards: after OPEN clients have numbers of the target.
CREATE OR REPLACE FUNCTION pgleap.set_sequences(cutover int, until timestamptz, names text[], vals bigint[], calls boolean[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    put bigint;
BEGIN
    PERFORM pgleap.hold_undecided(cutover, until);
    SELECT count(setval(n.id::regclass, n.wanted, n.called)) INTO put
    FROM (
        SELECT s.seqrelid AS id, s.seqcycle AS cycles, s.seqincrement AS step, w.called, pg_sequence_last_value(s.seqrelid) AS now,
               CASE WHEN s.seqcycle OR NOT w.called THEN w.value
                    ELSE (w.value + s.seqincrement::numeric * least(100, floor(
                            CASE WHEN s.seqincrement > 0 THEN s.seqmax::numeric - w.value ELSE w.value - s.seqmin::numeric END
                            / abs(s.seqincrement) / 100)))::bigint
               END AS wanted
        FROM unnest(names, vals, calls) AS w(name, value, called)
        JOIN pg_sequence s ON s.seqrelid = w.name::regclass
        OFFSET 0
    ) n
    WHERE n.cycles OR n.now IS NULL OR (n.called AND (n.wanted - n.now) * sign(n.step) >= 0);
    RETURN cardinality(names);
END $$;
