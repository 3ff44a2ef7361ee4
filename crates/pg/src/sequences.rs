//! Where sequences stand: read on the source and put on the target while nobody writes. The SQL is in `sequences.sql`.

use crate::{PgError, Session, ident};

const SQL: &str = include_str!("sequences.sql");

/// Values are put so many at a time: each sequence of a transaction holds a lock of the server's lock table.
const CHUNK: usize = 1_000;

/// Where sequences stand: name, value and whether it was handed out, column by column as they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    names: Vec<String>,
    values: Vec<i64>,
    called: Vec<bool>,
}

/// Install the functions as the owner, on either side; the working login may call them. Safe to repeat.
pub async fn install(owner: &Session, work_login: &str) -> Result<(), PgError> {
    let work = ident(work_login);
    let mut sql = format!("BEGIN; {SQL}");
    for function in ["pgleap.sequence_values()", "pgleap.set_sequences(text[], bigint[], boolean[])"] {
        sql.push_str(&format!("REVOKE ALL ON FUNCTION {function} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {function} TO {work};"));
    }
    sql.push_str("COMMIT");
    owner.run("install functions of the sequences", &sql).await
}

/// Where every user sequence stands.
pub async fn read(source: &Session) -> Result<Values, PgError> {
    let mut found = Values::default();
    for row in source.rows("read sequences", "SELECT name, value, called FROM pgleap.sequence_values()", &[]).await? {
        found.names.push(row.get(0));
        found.values.push(row.get(1));
        found.called.push(row.get(2));
    }
    Ok(found)
}

/// Put them, with head-room in the direction of the increment. Answers how many.
pub async fn set(target: &Session, values: &Values) -> Result<u64, PgError> {
    let mut count = 0;
    let chunks = values.names.chunks(CHUNK).zip(values.values.chunks(CHUNK)).zip(values.called.chunks(CHUNK));
    for ((names, values), called) in chunks {
        let row = target.row("set sequences", "SELECT pgleap.set_sequences($1, $2, $3)", &[&names, &values, &called]).await?;
        count += row.get::<_, i64>(0).unsigned_abs();
    }
    Ok(count)
}
