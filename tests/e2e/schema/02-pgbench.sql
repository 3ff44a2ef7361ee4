-- The tables of pgbench, owned by the master user, with pgbench's own fill factor and key names.
-- pgbench_history has no key: the run carries it with REPLICA IDENTITY FULL or refuses it, as its input says.
-- `filler` of a history row holds the writing client's own mark (22 characters).

CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100);
CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));

INSERT INTO pgbench_branches
SELECT bid, 0, NULL FROM generate_series(1, current_setting('rehearsal.branches')::int) AS bid;
INSERT INTO pgbench_tellers
SELECT tid, (tid - 1) / 10 + 1, 0, NULL FROM generate_series(1, current_setting('rehearsal.branches')::int * 10) AS tid;
INSERT INTO pgbench_accounts
SELECT aid, (aid - 1) % current_setting('rehearsal.branches')::int + 1, 0, ''
FROM generate_series(1, current_setting('rehearsal.accounts')::int) AS aid;

ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid);
ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid);
ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
ALTER TABLE pgbench_tellers ADD CONSTRAINT pgbench_tellers_bid_fkey FOREIGN KEY (bid) REFERENCES pgbench_branches;
ALTER TABLE pgbench_accounts ADD CONSTRAINT pgbench_accounts_bid_fkey FOREIGN KEY (bid) REFERENCES pgbench_branches;
ALTER TABLE pgbench_history ADD CONSTRAINT pgbench_history_bid_fkey FOREIGN KEY (bid) REFERENCES pgbench_branches;
CREATE INDEX pgbench_history_recent ON pgbench_history USING brin (mtime) WITH (pages_per_range = 16);
