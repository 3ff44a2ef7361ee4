//! Who may do what on an instance: `rdsadmin` is AWS, the master user is no superuser.
//!
//! RDS patches PostgreSQL so that `rds_superuser` and `rds_replication` can do what roles cannot do by themselves.
//! Here they are plain roles with what can be granted; `role_attributes` does what cannot.

use local_aws_postgres::{ADMIN, Cluster, Error, Result};
use tokio_postgres::Client;

/// The database that only `rdsadmin` enters.
pub(crate) const ADMIN_DATABASE: &str = "rdsadmin";

const GROUPS: [&str; 4] = ["rds_superuser", "rds_replication", "rds_iam", "rds_password"];

/// Memberships of `rds_superuser`, by the major that brought them.
const PRIVILEGES: &[(u16, &str)] = &[
    (10, "pg_monitor, pg_signal_backend, rds_replication, rds_password, rds_iam"),
    (14, "pg_read_all_data, pg_write_all_data"),
    (15, "pg_checkpoint"),
    (16, "pg_create_subscription, pg_use_reserved_connections"),
    (17, "pg_maintain"),
];

/// From 14 on. Up to 13 these functions ask for a superuser themselves.
const ORIGIN_RIGHTS: &str = "
    GRANT EXECUTE ON FUNCTION
        pg_replication_origin_advance(text, pg_lsn), pg_replication_origin_create(text), pg_replication_origin_drop(text),
        pg_replication_origin_oid(text), pg_replication_origin_progress(text, boolean), pg_show_replication_origin_status()
    TO rds_superuser;
    GRANT SELECT ON pg_replication_origin_status TO rds_superuser";

/// Make a new cluster an instance: roles, the master user, who owns what.
pub(crate) async fn set_up(cluster: &Cluster, master: &str, password: &str, database: Option<&str>) -> Result<()> {
    let admin = cluster.admin("postgres").await?;
    for group in GROUPS {
        execute(&admin, &format!("CREATE ROLE {group} NOLOGIN")).await?;
    }
    grant_privileges(&admin, cluster.major()).await?;
    // Later databases are copies of template1.
    grant_in_databases(cluster).await?;
    let master_name = identifier(master);
    execute(
        &admin,
        &format!(
            "CREATE ROLE {master_name} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD {} VALID UNTIL 'infinity'",
            literal(password)
        ),
    )
    .await?;
    // The guide lets the master user hand rds_superuser on, which from 16 on takes the admin option.
    execute(&admin, &format!("GRANT rds_superuser TO {master_name} WITH ADMIN OPTION")).await?;
    execute(&admin, &format!("CREATE DATABASE {ADMIN_DATABASE} OWNER {ADMIN}")).await?;
    execute(&admin, &format!("REVOKE ALL ON DATABASE {ADMIN_DATABASE} FROM PUBLIC")).await?;
    for owned in ["postgres", "template1"] {
        execute(&admin, &format!("ALTER DATABASE {owned} OWNER TO {master_name}")).await?;
        if cluster.major() < 15 {
            // From 15 on the schema belongs to whoever owns the database.
            let inside = cluster.admin(owned).await?;
            execute(&inside, &format!("ALTER SCHEMA public OWNER TO {master_name}")).await?;
        }
    }
    if let Some(database) = database {
        execute(&admin, &format!("CREATE DATABASE {} OWNER {master_name}", identifier(database))).await?;
    }
    Ok(())
}

/// After an upgrade: what the new major's predefined roles bring.
pub(crate) async fn complete(cluster: &Cluster) -> Result<()> {
    grant_privileges(&cluster.admin("postgres").await?, cluster.major()).await?;
    grant_in_databases(cluster).await
}

/// Give the master user a new password.
pub(crate) async fn set_password(cluster: &Cluster, master: &str, password: &str) -> Result<()> {
    let admin = cluster.admin("postgres").await?;
    execute(&admin, &format!("ALTER ROLE {} PASSWORD {}", identifier(master), literal(password))).await
}

async fn grant_privileges(admin: &Client, major: u16) -> Result<()> {
    for (_, roles) in PRIVILEGES.iter().filter(|(since, _)| *since <= major) {
        execute(admin, &format!("GRANT {roles} TO rds_superuser WITH ADMIN OPTION")).await?;
    }
    if major >= 15 {
        execute(admin, "GRANT SET ON PARAMETER session_replication_role TO rds_superuser WITH GRANT OPTION").await?;
    }
    Ok(())
}

/// Functions of the catalog have their rights in each database.
async fn grant_in_databases(cluster: &Cluster) -> Result<()> {
    if cluster.major() < 14 {
        return Ok(());
    }
    let query = "SELECT datname FROM pg_database WHERE datallowconn";
    let admin = cluster.admin("postgres").await?;
    let failed = |source| Error::Sql { what: "list the databases".to_owned(), source };
    let databases = admin.query(query, &[]).await.map_err(failed)?;
    for database in databases {
        let inside = cluster.admin(database.get(0)).await?;
        // Event triggers of the user's own do not fire as a replica.
        execute(&inside, "SET session_replication_role = replica").await?;
        execute(&inside, ORIGIN_RIGHTS).await?;
    }
    Ok(())
}

/// Statements may hold passwords, so an error never carries one.
pub(crate) async fn execute(client: &Client, statement: &str) -> Result<()> {
    let what = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ").to_lowercase();
    client.batch_execute(statement).await.map_err(|source| Error::Sql { what, source })
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
