-- Properties that a copy made from definitions forgets: CLUSTER flags, statistics targets, extended statistics,
-- storage and autovacuum settings, policies, comments of every kind.

ALTER TABLE orders CLUSTER ON orders_by_customer;
ALTER TABLE measurements_2024 CLUSTER ON measurements_2024_sensor_id_day_idx;
ALTER TABLE orders ALTER COLUMN customer_id SET STATISTICS 300;
ALTER INDEX customers_by_lower_name ALTER COLUMN 1 SET STATISTICS 700;
ALTER TABLE products ALTER COLUMN name SET STORAGE EXTENDED;
ALTER TABLE order_audit SET (autovacuum_enabled = on, toast_tuple_target = 4096);
ALTER INDEX orders_by_customer SET (fillfactor = 80);
CREATE STATISTICS customers_place (dependencies, ndistinct, mcv) ON country, family_name FROM customers;
ALTER STATISTICS customers_place SET STATISTICS 250;
-- The table's owner passes a policy that is not enabled; with row security on, a copy by another login would be empty.
CREATE POLICY own_department ON employees FOR SELECT TO shop_readers USING (department_id > 0);

COMMENT ON SCHEMA shop IS 'the shop';
COMMENT ON TABLE orders IS 'orders; the clients make the keys';
COMMENT ON COLUMN orders.revision IS 'counts from 1';
COMMENT ON COLUMN "Sales Dept"."Order Archive"."Unit Price €" IS E'in €,\nwith a line break and a '' quote';
COMMENT ON CONSTRAINT orders_status_known ON orders IS 'the closed list';
COMMENT ON CONSTRAINT order_lines_order_id_fkey ON order_lines IS 'lines go with their order';
COMMENT ON INDEX orders_open IS 'what the packers look at';
COMMENT ON INDEX measurements_2024_value IS 'on one partition only';
COMMENT ON SEQUENCE slot_seq IS 'goes round';
COMMENT ON FUNCTION customer_name(bigint, boolean) IS 'for letters';
COMMENT ON TRIGGER audit ON orders IS 'one row a revision';
COMMENT ON VIEW open_orders IS 'open ones';
COMMENT ON MATERIALIZED VIEW best_sellers IS 'refreshed at night';
COMMENT ON DOMAIN email IS 'an address';
COMMENT ON STATISTICS customers_place IS 'names go with countries';
COMMENT ON POLICY own_department ON employees IS 'not enabled';
COMMENT ON AGGREGATE longest_of(text) IS 'the longest text';
