-- Roles as applications have them: an owner that also logs in, an application role, readers through a group.
-- Reads: nothing. Changes: roles, their settings, the database's settings and grants.
-- Passwords are for this rehearsal only; the servers listen on the loopback network and live as long as it does.

CREATE ROLE shop_owner LOGIN PASSWORD 'owner-of-the-rehearsal';
CREATE ROLE shop_app LOGIN PASSWORD 'app-of-the-rehearsal' CONNECTION LIMIT 80;
CREATE ROLE shop_readers NOLOGIN;
CREATE ROLE shop_reporting LOGIN PASSWORD 'reporting-of-the-rehearsal' IN ROLE shop_readers;
CREATE ROLE "Shop Intern" NOLOGIN;
GRANT shop_readers TO "Shop Intern";
GRANT shop_owner TO CURRENT_USER;
COMMENT ON ROLE shop_readers IS 'may read what is not personal';

ALTER ROLE shop_app SET search_path = shop, public;
ALTER ROLE shop_reporting SET statement_timeout = '5min';
ALTER ROLE shop_reporting SET work_mem = '16MB';

DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Europe/Vienna');
  EXECUTE format('ALTER DATABASE %I SET lock_timeout = %L', current_database(), '30s');
  EXECUTE format('ALTER ROLE shop_app IN DATABASE %I SET application_name = %L', current_database(), 'shop, "the" app');
  EXECUTE format('ALTER ROLE shop_reporting IN DATABASE %I SET default_transaction_read_only = on', current_database());
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO shop_app', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO shop_owner WITH GRANT OPTION', current_database());
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO shop_readers', current_database());
  EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), 'the shop, and pgbench beside it');
END
$$;

CREATE EXTENSION pg_trgm;
