//! Were there rows equal to the one that changed, in a table without a key?
//!
//! An equal row is still there when it is looked for, or it went by a change of its own, which the log has before the
//! position at which was looked. So what was looked for is remembered until the log has been read to there, and another old
//! row that is equal to it counts as well. Both may see an equal row that came later: then a table is named without need, and
//! never the other way.

use std::collections::{BTreeMap, HashMap};

use super::verdict::{Compared, Image, normal};
use crate::{Lsn, PgError, Session, ident};

/// Old rows of one table that have the same columns null.
struct Alike {
    compared: Vec<Compared>,
    /// For each column: its value in each row.
    values: Vec<Vec<String>>,
    nulls: Vec<bool>,
    lsns: Vec<String>,
}

/// Old rows of changes, by table.
#[derive(Default)]
pub(super) struct Seen {
    alike: BTreeMap<(String, Vec<bool>), Alike>,
    images: HashMap<String, Vec<(String, String)>>,
}

impl Seen {
    pub(super) fn add(&mut self, name: &str, lsn: &str, image: Image, compared: Vec<Compared>) {
        self.images.entry(name.to_owned()).or_default().push((normal(&image, &compared), lsn.to_owned()));
        let nulls: Vec<bool> = image.iter().map(Option::is_none).collect();
        let alike = self.alike.entry((name.to_owned(), nulls.clone())).or_insert_with(|| Alike {
            values: vec![Vec::new(); compared.len()],
            compared,
            nulls,
            lsns: Vec::new(),
        });
        alike.lsns.push(lsn.to_owned());
        for (column, value) in alike.values.iter_mut().zip(image) {
            column.push(value.unwrap_or_default());
        }
    }

    /// Tables with a change of a row that had an equal one, and that change's position.
    pub(super) async fn twins(self, session: &Session) -> Result<Vec<(String, String)>, PgError> {
        let mut twins = Vec::new();
        for ((name, _), alike) in &self.alike {
            twins.extend(alike.still_there(session, name).await?.map(|lsn| (name.clone(), lsn)));
        }
        for (name, images) in &self.images {
            twins.extend(gone(session, name, images).await?.map(|lsn| (name.clone(), lsn)));
        }
        Ok(twins)
    }
}

impl Alike {
    /// Compared as the server compares; a table with no column to compare has twins as soon as it has a row.
    async fn still_there(&self, session: &Session, name: &str) -> Result<Option<String>, PgError> {
        let shown: Vec<usize> = (0..self.compared.len()).filter(|column| !self.nulls[*column]).collect();
        let lists: Vec<String> =
            shown.iter().map(|column| format!(", ${}::text[]", column_parameter(&shown, *column))).collect();
        let names: Vec<String> = (0..shown.len()).map(|place| format!(", v{place}")).collect();
        let equal = (0..self.compared.len()).map(|column| {
            let Compared { column: of, type_name, .. } = &self.compared[column];
            match shown.iter().position(|shown| *shown == column) {
                Some(place) => format!("t.{} = g.v{place}::{type_name}", ident(of)),
                None => format!("t.{} IS NULL", ident(of)),
            }
        });
        let equal: Vec<String> = ["true".to_owned()].into_iter().chain(equal).collect();
        let sql = format!(
            "SELECT g.lsn FROM unnest($1::text[]{}) AS g (lsn{}) WHERE EXISTS (SELECT FROM ONLY {name} t WHERE {}) LIMIT 1",
            lists.concat(),
            names.concat(),
            equal.join(" AND ")
        );
        let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&self.lsns];
        for column in shown {
            parameters.push(&self.values[column]);
        }
        let rows = session.rows(&format!("look for equal rows in table {name}"), &sql, &parameters).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

/// The parameters begin with the positions.
fn column_parameter(shown: &[usize], column: usize) -> usize {
    shown.iter().position(|shown| *shown == column).unwrap_or(0) + 2
}

/// Another old row was equal, and went by itself. What was looked for is remembered, with where the log stood afterwards.
async fn gone(session: &Session, name: &str, images: &[(String, String)]) -> Result<Option<String>, PgError> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (image, lsn) in images {
        if seen.insert(image, lsn).is_some() {
            return Ok(Some(lsn.clone()));
        }
    }
    let (texts, lsns): (Vec<&str>, Vec<&str>) =
        images.iter().map(|(image, lsn)| (image.as_str(), lsn.as_str())).unzip();
    let earlier = "SELECT g.lsn FROM unnest($2::text[], $3::text[]) AS g (image, lsn)
                   JOIN pgleap.watch_image i ON i.name = $1 AND i.image = md5(g.image)::uuid AND i.lsn <> g.lsn::pg_lsn AND i.until >= g.lsn::pg_lsn
                   LIMIT 1";
    let doing = "compare old rows";
    if let Some(row) = session.rows(doing, earlier, &[&name, &texts, &lsns]).await?.first() {
        return Ok(Some(row.get(0)));
    }
    let remember = "INSERT INTO pgleap.watch_image (name, image, lsn, until)
                    SELECT $1, md5(g.image)::uuid, g.lsn::pg_lsn, pg_current_wal_insert_lsn()
                    FROM unnest($2::text[], $3::text[]) AS g (image, lsn) ON CONFLICT DO NOTHING";
    session.rows(doing, remember, &[&name, &texts, &lsns]).await?;
    Ok(None)
}

/// Positions to which the log has been read.
pub(super) async fn forget(session: &Session, read: Lsn) -> Result<(), PgError> {
    let sql = "DELETE FROM pgleap.watch_image WHERE until <= $1::text::pg_lsn";
    session.rows("delete old rows", sql, &[&read.to_string()]).await?;
    Ok(())
}
