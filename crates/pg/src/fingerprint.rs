//! Did somebody change the source under the run? Its catalogs as they were just before the snapshot, its tables' files as
//! they were just before the load, both kept in schema `pgleap` and compared there: nothing but the differences travels.
//!
//! A table's file changes with TRUNCATE, which DMS does not carry, and with every rewrite.

use std::collections::BTreeMap;

use crate::{PgError, Session};

/// What every part is read with; `fingerprint.sql` has the reasons.
const CATALOG: &str = include_str!("fingerprint.sql");

/// For a server of this major.
fn catalog(major: i32) -> String {
    CATALOG.replace("{attcompression}", if major >= 14 { "a.attcompression" } else { "''" })
}

/// Files of the tables that are carried: plain ones, whose changes are logged, and not an extension's.
const FILES: &str = "\
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.oid AS relation, c.relfilenode AS file
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)";

const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS pgleap.catalog_skipped (schema name PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS pgleap.roles_ignored (pattern text PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS pgleap.catalog_before (kind text, object text, fingerprint text NOT NULL, PRIMARY KEY (kind, object));
    CREATE TABLE IF NOT EXISTS pgleap.filenode_before (name text PRIMARY KEY, relation oid NOT NULL, file oid NOT NULL, columns text);";

/// Which transactions made the columns of a table what they are. ALTER TABLE .. TYPE .. USING may rewrite every row and leave the
/// catalogs as they were but for this; TRUNCATE, CLUSTER and VACUUM FULL do not touch it.
/// Source: PostgreSQL, tablecmds.c (ATExecAlterColumnType, ExecuteTruncateGuts), cluster.c (finish_heap_swap).
const COLUMNS: &str = "(SELECT md5(string_agg(a.attnum || ':' || a.xmin, ',' ORDER BY a.attnum)) FROM pg_catalog.pg_attribute a WHERE a.attrelid = {relation} AND a.attnum > 0)";

/// What a change of a table's file means to the copy engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncate {
    /// The engine does not carry a TRUNCATE.
    IsLost,
    /// It does, and rewriting rows as they are changes nothing.
    IsCarried,
}

/// How many differences are named; the rest are counted.
const NAMED: i64 = 20;

/// Remember the catalogs, once: a repeated call keeps the first, so that no change in between is lost. `skipped` schemas
/// go live as of the snapshot and may change; `ignored` are patterns of roles that may come and go. As the owner of schema
/// `pgleap`; `reader` may compare later.
pub async fn take(owner: &Session, skipped: &[String], ignored: &[String], reader: &str) -> Result<(), PgError> {
    let doing = "store the fingerprint of the catalogs";
    let reader = crate::ident(reader);
    let skip = insert("catalog_skipped", skipped.iter().map(String::as_str));
    let catalog = catalog(owner.major().await?);
    let ignore = insert("roles_ignored", ignored.iter().map(|pattern| like(pattern)));
    let sql = format!(
        "BEGIN; {TABLES}
         GRANT SELECT ON pgleap.catalog_skipped, pgleap.roles_ignored, pgleap.catalog_before, pgleap.filenode_before TO {reader};
         {skip}{ignore}
         INSERT INTO pgleap.catalog_before (kind, object, fingerprint)
         SELECT kind, object, fingerprint FROM ({catalog}) now WHERE NOT EXISTS (SELECT FROM pgleap.catalog_before);
         COMMIT"
    );
    owner.run(doing, &sql).await
}

fn insert(table: &str, texts: impl Iterator<Item = impl AsRef<str>>) -> String {
    let list: Vec<String> = texts.map(|text| format!("({})", crate::literal(text.as_ref()))).collect();
    if list.is_empty() {
        return String::new();
    }
    format!("INSERT INTO pgleap.{table} VALUES {} ON CONFLICT DO NOTHING;", list.join(", "))
}

/// A pattern of the input, in which `%` alone means something, as LIKE takes it: names of roles are full of `_`.
pub fn like(pattern: &str) -> String {
    pattern.replace('\\', "\\\\").replace('_', "\\_")
}

/// Remember the catalogs of the new server, on which the old one is about to follow, in place of what the snapshot brought; once,
/// however often it is asked for. As the owner of schema `pgleap`.
pub async fn take_new_server(owner: &Session) -> Result<(), PgError> {
    const FIRST: &str = "EXISTS (SELECT FROM pgleap.fail_back WHERE catalogs_at IS NULL)";
    let catalog = catalog(owner.major().await?);
    let sql = format!(
        "BEGIN;
         DELETE FROM pgleap.catalog_before WHERE {FIRST};
         DELETE FROM pgleap.filenode_before WHERE {FIRST};
         INSERT INTO pgleap.catalog_before (kind, object, fingerprint)
         SELECT kind, object, fingerprint FROM ({catalog}) now WHERE {FIRST};
         {} WHERE {FIRST};
         UPDATE pgleap.fail_back SET catalogs_at = clock_timestamp() WHERE catalogs_at IS NULL;
         COMMIT",
        remember_files()
    );
    owner.run("store the fingerprint of the new server's catalogs", &sql).await
}

/// Have the next call of [`take_new_server`] remember the catalogs as they are then: what changed until then is accepted.
pub async fn accept_changes(owner: &Session) -> Result<(), PgError> {
    owner.run("accept the changes of the catalogs", "UPDATE pgleap.fail_back SET catalogs_at = NULL").await
}

/// What is otherwise than when the catalogs were remembered: "table shop.orders: changed". Empty if nothing is.
pub async fn changed(session: &Session) -> Result<Vec<String>, PgError> {
    let catalog = catalog(session.major().await?);
    differences(session, "compare the catalogs", &format!(
        "SELECT coalesce(now.kind, before.kind) || ' ' || coalesce(now.object, before.object) AS what,
                CASE WHEN before.object IS NULL THEN 'new' WHEN now.object IS NULL THEN 'gone' ELSE 'changed' END AS how
         FROM ({catalog}) now FULL JOIN pgleap.catalog_before before ON before.kind = now.kind AND before.object = now.object
         WHERE now.fingerprint IS DISTINCT FROM before.fingerprint"
    ))
    .await
}

/// Columns, grants and row security of each table, in words that mean the same on every major: a server's own numbers do not.
/// MAINTAIN exists from 17 on.
pub async fn tables(session: &Session) -> Result<BTreeMap<String, String>, PgError> {
    let sql = "SELECT format('%I.%I', n.nspname, c.relname), concat_ws('; ', c.relrowsecurity, c.relforcerowsecurity,
                   (SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                                                CASE WHEN a.attnotnull THEN 'NOT NULL' END), ', ' ORDER BY a.attname)
                    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                   (SELECT string_agg(concat_ws(' ', coalesce(r.rolname, 'PUBLIC'), e.privilege_type, e.is_grantable), ', '
                                      ORDER BY r.rolname, e.privilege_type)
                    FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) e LEFT JOIN pg_catalog.pg_roles r ON r.oid = e.grantee
                    WHERE e.privilege_type <> 'MAINTAIN' AND coalesce(r.rolname, '') !~ '^pgleap_'))
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg' AND n.nspname <> 'information_schema'";
    let rows = session.rows("list columns and grants of the tables", sql, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Remember the tables' files, in place of what was remembered before. As the owner of schema `pgleap`.
pub async fn take_filenodes(owner: &Session) -> Result<(), PgError> {
    let sql = format!("BEGIN; DELETE FROM pgleap.filenode_before; {}; COMMIT", remember_files());
    owner.run("store the file numbers of the tables", &sql).await
}

/// The same, once: a repeated call keeps the first.
pub async fn take_filenodes_once(owner: &Session) -> Result<(), PgError> {
    let sql = format!("{} WHERE NOT EXISTS (SELECT FROM pgleap.filenode_before)", remember_files());
    owner.run("store the file numbers of the tables", &sql).await
}

fn remember_files() -> String {
    let columns = COLUMNS.replace("{relation}", "files.relation");
    format!(
        "INSERT INTO pgleap.filenode_before (name, relation, file, columns)
         SELECT files.name, files.relation, files.file, {columns} FROM ({FILES}) files"
    )
}

/// Tables that were truncated, rewritten, dropped or made since their files were remembered; where the engine carries a
/// TRUNCATE, only those whose rows may be others without anybody having said so.
pub async fn changed_filenodes(session: &Session, truncate: Truncate) -> Result<Vec<String>, PgError> {
    let matters = match truncate {
        Truncate::IsLost => "true".to_owned(),
        Truncate::IsCarried => format!(
            "now.relation IS DISTINCT FROM before.relation OR before.columns IS DISTINCT FROM {}",
            COLUMNS.replace("{relation}", "now.relation")
        ),
    };
    differences(
        session,
        "compare the file numbers of the tables",
        &format!(
            "SELECT 'table ' || coalesce(now.name, before.name) AS what,
                CASE WHEN before.name IS NULL THEN 'new' WHEN now.name IS NULL THEN 'gone'
                     ELSE 'truncated or rewritten' END AS how
         FROM ({FILES}) now FULL JOIN pgleap.filenode_before before ON before.name = now.name
         WHERE (now.relation, now.file) IS DISTINCT FROM (before.relation, before.file) AND ({matters})"
        ),
    )
    .await
}

async fn differences(session: &Session, doing: &str, query: &str) -> Result<Vec<String>, PgError> {
    let sql = format!("SELECT d.what || ': ' || d.how, count(*) OVER () FROM ({query}) d ORDER BY 1 LIMIT {NAMED}");
    let rows = session.rows(doing, &sql, &[]).await?;
    let mut named: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let all = rows.first().map_or(0, |row| row.get::<_, i64>(1));
    if all > NAMED {
        named.push(format!("and {} more", all - NAMED));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_percent_sign_means_something_in_a_pattern() {
        for (pattern, expected) in [("v-token-%", "v-token-%"), ("app_%", r"app\_%"), (r"a\b", r"a\\b")] {
            assert_eq!(like(pattern), expected, "{pattern}");
        }
    }
}
