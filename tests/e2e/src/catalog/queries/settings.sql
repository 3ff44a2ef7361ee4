-- How a session prints definitions, whatever the database's own settings are.
-- An empty search_path makes the server qualify every name that it prints.
SELECT set_config('search_path', '', false);
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
-- A database may have settings of its own for how its sessions print. Majors do not apply them alike: newer ones
-- leave the type json unquoted whatever quote_all_identifiers says.
SET quote_all_identifiers = off;
SET timezone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET statement_timeout = 0;
-- What is made for the reading is nobody's DDL: event triggers keep still.
SET session_replication_role = replica;
