//! A target beside the world's source, for steps that need both before the steps that make one.

use anyhow::{Context, Result};
use pgleap_contract::Server;
use pgleap_pg::Session;
use serde_json::json;
use step_tests::{DATABASE, OWNER, TARGET, World, wait_for};

/// An empty target of this version, with the run's marker table in it.
pub(crate) async fn create_target(world: &World, version: &str) -> Result<Server> {
    let login = world.ctx.login(&world.run.source.login_secret).await?;
    let request =
        world.rds().create_db_instance().db_instance_identifier(TARGET).engine("postgres").engine_version(version);
    let request = request.db_instance_class("db.t3.medium").allocated_storage(20).db_name(DATABASE);
    request.master_username(OWNER).master_user_password(&login.password).send().await?;
    let target = wait_for("the target", async || {
        let answer = world.rds().describe_db_instances().db_instance_identifier(TARGET).send().await?;
        let instance = answer.db_instances().first().context("the target is gone")?;
        let endpoint = instance.endpoint().filter(|_| instance.db_instance_status() == Some("available"));
        Ok(endpoint.and_then(|endpoint| {
            let (host, port) = (endpoint.address()?.to_owned(), u16::try_from(endpoint.port()?).ok()?);
            Some(Server { host, port, database: DATABASE.to_owned(), storage_gib: None })
        }))
    })
    .await?;
    let there = world.ctx.as_owner(&world.run, &target).await?;
    let marker = "CREATE SCHEMA pgleap;
        CREATE TABLE pgleap.marker (id uuid PRIMARY KEY, kind text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE TABLE pgleap.catalog_skipped (schema name PRIMARY KEY);
        CREATE TABLE pgleap.filenode_before (name text PRIMARY KEY, relation oid NOT NULL, file oid NOT NULL, columns text)";
    there.run("make what the snapshot would bring", marker).await?;
    create_copy_login(world, &target, &there).await?;
    Ok(target)
}

async fn create_copy_login(world: &World, target: &Server, there: &Session) -> Result<()> {
    let names = world.run.names();
    let dms = names.copy_login();
    let sql = format!(
        "CREATE ROLE {dms} LOGIN PASSWORD 'a-password'; CREATE SCHEMA pgleap_copy; GRANT ALL ON SCHEMA pgleap_copy TO {dms};
         GRANT USAGE ON SCHEMA pgleap TO {dms}; GRANT ALL ON ALL TABLES IN SCHEMA pgleap TO {dms}"
    );
    there.run("make DMS's login", &sql).await?;
    let settings = "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)
                    FROM pg_db_role_setting r JOIN pg_roles o ON o.oid = r.setrole CROSS JOIN unnest(r.setconfig) AS s
                    WHERE o.rolname = $1::text AND r.setdatabase = 0";
    for row in world.owner().await?.rows("read what the snapshot would bring", settings, &[&dms]).await? {
        let (name, value): (String, String) = (row.get(0), row.get(1));
        let set = format!("ALTER ROLE {dms} SET {name} = {}", pgleap_pg::literal(&value));
        there.run("set up DMS's login", &set).await?;
    }
    let value = json!({ "username": dms, "password": "a-password", "host": target.host, "port": target.port });
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    secrets.create_secret().name(names.copy_target_secret()).secret_string(value.to_string()).send().await?;
    Ok(())
}
