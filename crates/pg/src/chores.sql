-- Chores: statements that the target still needs, run by workers on the server that outlive their client.
--
-- Installed and called by the owner's login; `complete` also by the run's working login, under the fence, when the
-- owner cannot connect. Reads and changes: pgleap.chore, and what the chores' statements change. Safe to repeat: a
-- chore's statements and the note that they ran are one transaction.

CREATE TABLE IF NOT EXISTS pgleap.chore (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phase text NOT NULL,               -- whose: prepare, rebuild, analyze, warm, calm, complete, refresh, settle
    rank int NOT NULL,                 -- everything of a rank is done before the next rank begins
    object text NOT NULL,              -- for people: 'index shop.orders_open'
    statements text[] NOT NULL,
    weight bigint NOT NULL DEFAULT 0,  -- the heaviest of a rank begin first, so that none is left alone at the end
    optional boolean NOT NULL DEFAULT false,  -- if it fails for good, it counts as done, and is named
    attempts int NOT NULL DEFAULT 0,
    failure text,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    milliseconds bigint,
    done_at timestamptz
);
CREATE INDEX IF NOT EXISTS chore_left ON pgleap.chore (phase, rank, weight DESC, id) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS chore_object ON pgleap.chore (object) WHERE done_at IS NULL;

-- Plans that were made.
CREATE TABLE IF NOT EXISTS pgleap.plan (name text PRIMARY KEY);

-- When a phase was first polled.
CREATE TABLE IF NOT EXISTS pgleap.phase_begun (
    phase text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The rank that is in work. After OPEN what has failed holds up nothing but what comes after it of the same object. Asked before
-- each of ten thousand chores, so it reads along the index up to the first.
CREATE OR REPLACE FUNCTION pgleap.rank_in_work(wanted text) RETURNS int LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.rank FROM pgleap.chore m
    WHERE m.phase = wanted AND m.done_at IS NULL AND (wanted <> 'settle' OR m.attempts < 3 AND NOT EXISTS (
        SELECT FROM pgleap.chore e WHERE e.object = m.object AND e.phase = m.phase AND e.rank < m.rank AND e.done_at IS NULL AND e.attempts >= 3))
    ORDER BY m.phase, m.rank LIMIT 1
$$;
CREATE OR REPLACE FUNCTION pgleap.is_held_up(chore pgleap.chore) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgleap.chore e WHERE e.object = chore.object AND e.phase = chore.phase AND e.rank < chore.rank AND e.done_at IS NULL)
$$;

-- Work off a phase: one chore a transaction, until none is left that nobody else has. Any number of workers may run.
-- A lock that somebody holds is no failure: the chore comes again. Anything else is one, and comes again twice.
CREATE OR REPLACE PROCEDURE pgleap.work_off(wanted text) LANGUAGE plpgsql AS $$
DECLARE
    todo record;
    statement text;
    began timestamptz;
    worker text := current_setting('application_name');
BEGIN
    LOOP
        SELECT c.id, c.object, c.statements INTO todo
        FROM pgleap.chore c
        WHERE c.phase = wanted AND c.done_at IS NULL AND c.attempts < 3 AND c.not_before <= clock_timestamp()
          AND c.rank = (SELECT pgleap.rank_in_work(wanted)) AND NOT pgleap.is_held_up(c)
        ORDER BY c.weight DESC, c.id
        LIMIT 1 FOR UPDATE OF c SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        PERFORM set_config('application_name', left(worker || ': ' || todo.object, 63), false);
        began := clock_timestamp();
        BEGIN
            FOREACH statement IN ARRAY todo.statements LOOP
                EXECUTE statement;
            END LOOP;
            UPDATE pgleap.chore
            SET done_at = clock_timestamp(), milliseconds = extract(epoch FROM clock_timestamp() - began) * 1000, failure = NULL
            WHERE id = todo.id;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected OR serialization_failure OR object_in_use THEN
                UPDATE pgleap.chore SET failure = SQLERRM, not_before = clock_timestamp() + interval '3 seconds'
                WHERE id = todo.id;
            WHEN OTHERS THEN
                -- Rows that break a rule, values that no expression takes and names that are not found are so the next time too.
                UPDATE pgleap.chore
                SET failure = SQLERRM, attempts = CASE WHEN SQLSTATE ~ '^(22|23|42)' THEN 3 ELSE attempts + 1 END,
                    done_at = CASE WHEN optional AND (attempts = 2 OR SQLSTATE ~ '^(22|23|42)') THEN clock_timestamp() END
                WHERE id = todo.id;
        END;
        COMMIT;
        PERFORM set_config('application_name', worker, false);
    END LOOP;
END $$;

-- Run chores of the phases that happen around and under the fence, at most so many in one transaction: its locks must fit the
-- server's lock table. Any failure undoes this call's chores and reaches the caller. Answers what was done and what is left.
CREATE OR REPLACE FUNCTION pgleap.complete(wanted text, most int, OUT done bigint, OUT remaining bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    todo record;
    statement text;
BEGIN
    IF wanted NOT IN ('calm', 'complete', 'refresh') THEN
        RAISE EXCEPTION 'phase % is not for the working login', wanted;
    END IF;
    done := 0;
    FOR todo IN
        SELECT c.id, c.object, c.statements FROM pgleap.chore c
        WHERE c.phase = wanted AND c.done_at IS NULL ORDER BY c.rank, c.id LIMIT most FOR UPDATE
    LOOP
        FOREACH statement IN ARRAY todo.statements LOOP
            EXECUTE statement;
        END LOOP;
        UPDATE pgleap.chore SET done_at = clock_timestamp() WHERE id = todo.id;
        done := done + 1;
    END LOOP;
    SELECT count(*) INTO remaining FROM pgleap.chore c WHERE c.phase = wanted AND c.done_at IS NULL;
END $$;
