-- What DMS puts on a source whose endpoint has CaptureDdls.
-- Changes: one table, one function, one event trigger. Safe to repeat up to the trigger.
-- {schema} is the endpoint's DdlArtifactsSchema.
CREATE TABLE IF NOT EXISTS {schema}.awsdms_ddl_audit (
  c_key bigserial PRIMARY KEY, c_time timestamp, c_user varchar(64), c_txn varchar(16), c_tag varchar(24),
  c_oid integer, c_name varchar(64), c_schema varchar(64), c_ddlqry text);
CREATE OR REPLACE FUNCTION {schema}.awsdms_intercept_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF tg_tag IN ('CREATE TABLE', 'ALTER TABLE', 'DROP TABLE') THEN
    INSERT INTO {schema}.awsdms_ddl_audit
      VALUES (DEFAULT, current_timestamp, current_user, txid_current()::varchar(16), tg_tag, 0, '', current_schema,
              current_query());
    DELETE FROM {schema}.awsdms_ddl_audit;
  END IF;
END $$;
CREATE EVENT TRIGGER awsdms_intercept_ddl ON ddl_command_end EXECUTE PROCEDURE {schema}.awsdms_intercept_ddl();
