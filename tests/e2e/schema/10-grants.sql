-- Grants to several roles: on schemas, tables, columns, sequences, functions, types; with grant option; default ones.

GRANT USAGE ON SCHEMA shop TO shop_app, shop_readers;
GRANT USAGE ON SCHEMA "Sales Dept" TO shop_readers;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO shop_app;
REVOKE DELETE ON documents FROM shop_app;
GRANT SELECT ON orders, order_lines, products, best_sellers, open_orders TO shop_readers;
GRANT SELECT (id, country, full_name), REFERENCES (id) ON customers TO shop_readers;
GRANT UPDATE (note, status) ON orders TO "Shop Intern";
GRANT SELECT, TRIGGER ON "Sales Dept"."Order Archive" TO shop_readers WITH GRANT OPTION;
GRANT ALL ON "Sales Dept"."user" TO PUBLIC;
REVOKE EXECUTE ON FUNCTION customer_name(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION customer_name(bigint, boolean) TO shop_readers;
GRANT EXECUTE ON PROCEDURE void_order(uuid) TO shop_app;
REVOKE USAGE ON TYPE email FROM PUBLIC;
GRANT USAGE ON TYPE email TO shop_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO shop_readers;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT USAGE ON SEQUENCES TO shop_app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON pgbench_accounts, pgbench_tellers, pgbench_branches TO shop_app;
GRANT INSERT ON pgbench_history TO shop_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_readers;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE USAGE ON TYPES FROM PUBLIC;
