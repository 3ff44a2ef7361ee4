//! Unique indexes by which the rows of a table without a primary key can be told apart.

/// Common table expressions, to stand after `WITH`: `identifying` has all such indexes, `identity_indexes` for each table the
/// one that may serve as its replica identity (`indrelid`, `indexrelid`, `relname`).
/// Source: PostgreSQL, ATExecReplicaIdentity.
pub const INDEXES: &str = include_str!("identifying.sql");
