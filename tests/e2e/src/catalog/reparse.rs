//! Let one server print what another printed.
//!
//! Majors print the same definition differently: 13 writes `SELECT t.id FROM t`, 18 writes `SELECT id FROM t`, and a
//! definition that was dumped and restored is not even printed as before by the same major (`ARRAY['a'::varchar]::text[]`
//! becomes `ARRAY['a'::varchar::text]`). Rather than to imitate that with text, the source's definition is given to the
//! target, which parses it and prints it in its own way: two definitions that mean the same are then the same text.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::{Catalog, Facts, ObjectName};

/// Where the two sides print a definition differently, replace the source's text by what the target makes of it.
/// The source's text stays if the target cannot parse it: then it is a difference indeed.
/// Everything happens in transactions that are rolled back; the client must be a superuser's.
pub async fn print_alike(source: &mut Catalog, target: &Catalog, on_target: &Client) -> Result<()> {
    super::read::print_plainly(on_target).await?;
    for (object, facts) in &mut source.objects {
        let same = target.objects.get(object).is_none_or(|theirs| theirs.get("definition") == facts.get("definition"));
        if same {
            continue;
        }
        let Some(trial) = Trial::of(object, facts) else { continue };
        if let Some(printed) = trial.printed_by(on_target).await.with_context(|| format!("print {object}"))? {
            facts.insert("definition".to_owned(), printed);
        }
    }
    Ok(())
}

/// How a definition is made and printed again.
#[derive(Debug, PartialEq, Eq)]
struct Trial {
    make: String,
    print: String,
    /// What stands in the printed text for the name that the definition has.
    rename: Option<(&'static str, String)>,
}

/// The temporary table that stands for the object's table.
const STAND_IN: &str = "printed_alike";

impl Trial {
    fn of(object: &ObjectName, facts: &Facts) -> Option<Self> {
        let definition = facts.get("definition")?;
        let like_table = |table: &str| format!("CREATE TEMP TABLE {STAND_IN} (LIKE {table}); ");
        match object.kind.as_str() {
            "view" | "materialized view" => Some(Self {
                make: format!("CREATE TEMP VIEW {STAND_IN} AS {}", definition.trim_end().trim_end_matches(';')),
                print: format!("SELECT pg_get_viewdef('pg_temp.{STAND_IN}'::regclass)"),
                rename: None,
            }),
            "function" | "procedure" => Some(Self {
                make: definition.clone(),
                print: format!("SELECT pg_get_functiondef({}::regprocedure)", quoted(&object.name)),
                rename: None,
            }),
            "constraint" if facts.get("type")? == "c" => Some(Self {
                make: format!(
                    "{}ALTER TABLE {STAND_IN} ADD CONSTRAINT {STAND_IN} {definition}",
                    like_table(facts.get("table")?)
                ),
                print: format!(
                    "SELECT pg_get_constraintdef(oid) FROM pg_constraint \
                     WHERE conrelid = 'pg_temp.{STAND_IN}'::regclass AND conname = '{STAND_IN}'"
                ),
                rename: None,
            }),
            "index" => {
                let table = facts.get("table")?;
                let (head, tail) = definition.split_once(" USING ")?;
                let unique = if head.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
                Some(Self {
                    make: format!(
                        "{}CREATE {unique}INDEX {STAND_IN}_index ON {STAND_IN} USING {tail}",
                        like_table(table)
                    ),
                    print: format!(
                        "SELECT substr(printed, strpos(printed, ' USING ') + 1) \
                         FROM pg_get_indexdef('pg_temp.{STAND_IN}_index'::regclass) AS printed"
                    ),
                    rename: Some(("USING ", format!("{head} USING "))),
                })
            }
            _ => None,
        }
    }

    async fn printed_by(&self, client: &Client) -> Result<Option<String>> {
        client.batch_execute("BEGIN").await.context("begin a transaction")?;
        let printed = match client.batch_execute(&self.make).await {
            Ok(()) => Some(client.query_one(&self.print, &[]).await.context("read what was made")?.get::<_, String>(0)),
            Err(_) => None,
        };
        client.batch_execute("ROLLBACK").await.context("roll back")?;
        Ok(printed.map(|text| match &self.rename {
            Some((stands_for, name)) => text.replacen(stands_for, name, 1),
            None => text,
        }))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(kind: &str, facts: &[(&str, &str)]) -> Option<Trial> {
        let object = ObjectName { kind: kind.to_owned(), name: "s.it's(integer)".to_owned() };
        Trial::of(&object, &facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_index_keeps_its_own_name_and_table() {
        let facts =
            [("definition", "CREATE UNIQUE INDEX i ON ONLY s.t USING btree (a) WHERE (b > 0)"), ("table", "s.t")];
        let trial = trial("index", &facts).unwrap();

        assert_eq!(
            trial.make,
            "CREATE TEMP TABLE printed_alike (LIKE s.t); CREATE UNIQUE INDEX printed_alike_index ON printed_alike USING \
             btree (a) WHERE (b > 0)"
        );
        assert_eq!(trial.rename.unwrap().1, "CREATE UNIQUE INDEX i ON ONLY s.t USING ");
    }

    #[test]
    fn what_has_no_text_of_its_own_is_left_alone() {
        assert_eq!(trial("table", &[("owner", "o")]), None);
        assert_eq!(trial("constraint", &[("definition", "PRIMARY KEY (id)"), ("type", "p"), ("table", "s.t")]), None);
        assert!(trial("function", &[("definition", "CREATE ..")]).unwrap().print.contains("'s.it''s(integer)'"));
    }
}
