-- Statistics as a database in use has them, and the materialized views in order of dependency.

SET ROLE shop_owner;
REFRESH MATERIALIZED VIEW shop.sales_by_product;
REFRESH MATERIALIZED VIEW shop.best_sellers;
REFRESH MATERIALIZED VIEW shop."All Sales";
RESET ROLE;
RESET search_path;
-- ANALYZE warns of every catalog that only a superuser may analyze.
SET client_min_messages = error;
ANALYZE;
RESET client_min_messages;
