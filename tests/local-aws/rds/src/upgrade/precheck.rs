//! What RDS looks at before `pg_upgrade`. Community `pg_upgrade` would drop a logical slot in silence.

use local_aws_postgres::{Cluster, Error};
use tokio_postgres::Client;

use super::report::Findings;
use crate::parameter_groups::Catalog;

const PREPARED_TRANSACTIONS: &str = "SELECT gid FROM pg_catalog.pg_prepared_xacts";
const LOGICAL_SLOTS: &str =
    "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE slot_type = 'logical' ORDER BY 1";
const RESERVED_ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname ~ '^pg_' AND oid >= 16384";
const INVALID_DATABASES: &str = "SELECT datname::text FROM pg_catalog.pg_database WHERE datconnlimit = -2 ORDER BY 1";
const DATABASES: &str =
    "SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY 1";
const EXTENSIONS: &str = "SELECT extname::text FROM pg_catalog.pg_extension ORDER BY 1";
const REG_COLUMNS: &str = "SELECT n.nspname || '.' || c.relname || '.' || a.attname
    FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n, pg_catalog.pg_attribute a
    WHERE c.oid = a.attrelid AND NOT a.attisdropped AND c.relnamespace = n.oid
      AND a.atttypid IN ('regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regoperator'::regtype,
                         'regconfig'::regtype, 'regdictionary'::regtype)
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
const ACTIVITY_VIEWS: &str = "SELECT DISTINCT v.oid::regclass::text
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm') AND v.oid >= 16384
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refobjid = 'pg_catalog.pg_stat_activity'::regclass";

/// From this major on slots survive an upgrade, if they are wholly consumed; `pg_upgrade` itself judges that.
const FIRST_MAJOR_THAT_KEEPS_SLOTS: u16 = 17;

/// Look at a running cluster; `target` knows what the new major offers.
pub(super) async fn look(cluster: &Cluster, target: &Catalog) -> Result<Findings, Error> {
    let admin = cluster.admin("postgres").await?;
    let mut findings = Findings::default();
    if !texts(&admin, PREPARED_TRANSACTIONS).await?.is_empty() {
        let text = "There are uncommitted prepared transactions. Please commit or rollback all prepared transactions.";
        findings.instance.push(text.to_owned());
    }
    if cluster.major() < FIRST_MAJOR_THAT_KEEPS_SLOTS && !texts(&admin, LOGICAL_SLOTS).await?.is_empty() {
        let text =
            "There are one or more logical replication slots. Please drop all logical replication slots and try again.";
        findings.instance.push(text.to_owned());
    }
    if !texts(&admin, RESERVED_ROLES).await?.is_empty() {
        let text = "One or more role names start with 'pg_'. Rename all role names that start with 'pg_'.";
        findings.instance.push(text.to_owned());
    }
    let invalid = texts(&admin, INVALID_DATABASES).await?;
    if !invalid.is_empty() {
        findings
            .instance
            .push(format!("There are invalid databases: {}. Drop all invalid databases.", listed(&invalid)));
    }
    for database in texts(&admin, DATABASES).await? {
        let issues = look_into(&cluster.admin(&database).await?, target).await?;
        if !issues.is_empty() {
            findings.databases.push((database, issues));
        }
    }
    Ok(findings)
}

async fn look_into(client: &Client, target: &Catalog) -> Result<Vec<String>, Error> {
    let mut issues = Vec::new();
    if !texts(client, REG_COLUMNS).await?.is_empty() {
        issues.push(
            "The [\"reg*\"] data types are used in user tables. Remove all usage of these data types.".to_owned(),
        );
    }
    let extensions = texts(client, EXTENSIONS).await?;
    let unsupported: Vec<String> = extensions.into_iter().filter(|name| !target.extensions.contains(name)).collect();
    if !unsupported.is_empty() {
        issues.push(format!(
            "The database has extensions installed that are not supported on the target database version. Drop the \
             following extensions from your database: [{}].",
            listed(&unsupported)
        ));
    }
    if !texts(client, ACTIVITY_VIEWS).await?.is_empty() {
        issues.push(
            "The database has views or materialized views that depend on 'pg_stat_activity'. Drop the views."
                .to_owned(),
        );
    }
    Ok(issues)
}

async fn texts(client: &Client, query: &str) -> Result<Vec<String>, Error> {
    let rows = client.query(query, &[]).await;
    let rows = rows.map_err(|source| Error::Sql { what: "check before an upgrade".to_owned(), source })?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
}
