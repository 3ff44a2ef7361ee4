-- What the chores of this step call, and what the gate measures with. Installed by the owner; the working login may call
-- read_milliseconds. Reads: the user's relations. Changes: an index that is out of order; pgleap.chore. Safe to repeat.

-- Read blocks of a relation that has them still: a restored volume is loaded from S3 as it is read. They need not stay in memory.
CREATE OR REPLACE FUNCTION pgleap.read_blocks(relation oid, first bigint, last bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    blocks bigint := pg_relation_size(relation) / current_setting('block_size')::bigint;
BEGIN
    IF first < blocks THEN
        PERFORM {prewarm}.pg_prewarm(relation::regclass, 'read', 'main', first, least(last, blocks - 1));
    END IF;
END $$;

-- Check the order of an index, and build it anew if it is broken. Other errors are the caller's.
CREATE OR REPLACE FUNCTION pgleap.check_index(index oid, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
BEGIN
    PERFORM {amcheck}.bt_index_check(index::regclass);
EXCEPTION WHEN index_corrupted THEN
    said := SQLERRM;
    EXECUTE format('REINDEX INDEX %s', index::regclass);
    INSERT INTO pgleap.chore (phase, rank, object, statements, optional, attempts, failure, done_at)
    VALUES ('warm', 9, name, '{}', true, 3, format('was out of order after the upgrade and has been rebuilt (%s)', said), clock_timestamp());
END $$;

-- The median time of reading a block of the largest table, of some that are chosen by chance, in milliseconds; none for an
-- empty database.
CREATE OR REPLACE FUNCTION pgleap.read_milliseconds() RETURNS float8
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    largest oid;
    blocks bigint;
    began timestamptz;
    took float8[] := '{}';
BEGIN
    SELECT c.oid, c.relpages INTO largest, blocks FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
    ORDER BY c.relpages DESC LIMIT 1;
    IF coalesce(blocks, 0) = 0 THEN
        RETURN NULL;
    END IF;
    FOR nth IN 1 .. 15 LOOP
        began := clock_timestamp();
        EXECUTE format('SELECT FROM ONLY %s WHERE ctid = ''(%s,1)''', largest::regclass, floor(random() * blocks));
        took := took || extract(epoch FROM clock_timestamp() - began)::float8 * 1000;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END $$;
REVOKE ALL ON FUNCTION pgleap.read_blocks(oid, bigint, bigint), pgleap.check_index(oid, text), pgleap.read_milliseconds() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgleap.read_milliseconds() TO {work_login};
