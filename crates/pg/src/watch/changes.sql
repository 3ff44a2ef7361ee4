-- Changes that may be of the kinds that DMS does not carry, up to a position, with what the run knows of their tables. On the
-- source, as a login that may replicate. {slot}, {upto}; {old}: a change that shows no old key may matter too, because
-- there are tables without one; {suspicious}: texts that a tested value may hold, {long}: some columns' lengths are tested.
-- Reads: the slot, without moving it; pgleap.watch_table. Changes: nothing.
-- Most rows are dropped by a look for a text anywhere in them, and only the rest is taken apart.
DECLARE changes NO SCROLL CURSOR FOR
SELECT d.lsn::text, w.name, w.key, w.image, w.types, w.forms, w.tested, w.tests, d.data
FROM (
    SELECT s.lsn, s.data, s.suspect,
           (regexp_match(s.data, '^table ((?:[^" .:,]+|"(?:[^"]|"")*")\.(?:[^" .:,]+|"(?:[^"]|"")*")): '))[1] AS name
    FROM (
        SELECT c.lsn, c.data,
               strpos(c.data, ': UPDATE: old-key:') > 0 OR c.data ~ {suspicious} OR {long} AND length(c.data) > 8000 AS suspect
        FROM pg_logical_slot_peek_changes({slot}, {upto}, NULL, 'include-xids', '0', 'skip-empty-xacts', '1') c
        OFFSET 0
    ) s
    WHERE s.suspect OR {old} AND (strpos(s.data, ': DELETE:') > 0 OR strpos(s.data, ': UPDATE:') > 0)
    OFFSET 0
) d JOIN pgleap.watch_table w ON w.name = d.name
WHERE d.suspect OR w.key = '{{}}'
