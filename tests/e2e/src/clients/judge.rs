//! Reads back what the clients wrote, and sums that must come out whatever was written.

use anyhow::{Context, Result};
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::Client;

use super::ledger::{Found, Ledger, of_hash};
use super::own::OwnTables;
use super::work::{Family, Kind};

/// Key and up to three numbers of every row of a family, in the order of [`super::ledger::Value`].
const ROWS: &[(Family, Kind, &str)] = &[
    (
        Family::Order,
        Kind::App,
        "SELECT o.id::text, o.revision::int8, coalesce(l.lines, 0), coalesce(a.audits, 0) FROM shop.orders o
         LEFT JOIN (SELECT order_id, count(*) AS lines FROM shop.order_lines GROUP BY order_id) l ON l.order_id = o.id
         LEFT JOIN (SELECT order_id, count(*) AS audits FROM shop.order_audit GROUP BY order_id) a ON a.order_id = o.id",
    ),
    (
        Family::Document,
        Kind::Owner,
        "SELECT id::text, revision::int8, ('x' || left(encode(sha256(convert_to(body, 'UTF8')), 'hex'), 8))::bit(32)::int8,
                coalesce(('x' || left(encode(sha256(scan), 'hex'), 8))::bit(32)::int8, 0) FROM shop.documents",
    ),
    (
        Family::Transfer,
        Kind::Master,
        "SELECT filler::text, delta::int8 & 4294967295, aid::int8, 0::int8 FROM public.pgbench_history",
    ),
    (Family::Click, Kind::App, "SELECT token::text, seen::int8, 0::int8, 0::int8 FROM shop.clicks"),
    (Family::Ticket, Kind::App, "SELECT token::text, 0::int8, 0::int8, 0::int8 FROM shop.tickets"),
    (Family::Invoice, Kind::App, "SELECT token::text, 0::int8, 0::int8, 0::int8 FROM shop.invoices"),
    (Family::CreditNote, Kind::App, "SELECT token::text, 0::int8, 0::int8, 0::int8 FROM shop.credit_notes"),
    (Family::Countdown, Kind::App, "SELECT token::text, 0::int8, 0::int8, 0::int8 FROM shop.countdowns"),
    (
        Family::Measurement,
        Kind::App,
        "SELECT token::text, substr(remark, 2)::int8, 0::int8, 0::int8 FROM shop.measurements WHERE remark ~ '^r[0-9]+$'",
    ),
    (Family::Wide, Kind::Wide, "SELECT token::text, 0::int8, 0::int8, 0::int8 FROM wide.written"),
    (Family::Probe, Kind::Probe, "SELECT id::text, revision::int8, 0::int8, 0::int8 FROM rehearsal.probe"),
];

/// Read every row that clients of these kinds may have written. Rows are streamed; only the clients' own are kept.
pub async fn find_rows(client: &Client, kinds: &[Kind], own: &OwnTables, ledger: &Ledger) -> Result<Found> {
    let mut found = Found::default();
    own.each_row(client, |table, id, hash| {
        let key = (Family::Own(table), id);
        if ledger.knows(&key) {
            found.see(key, of_hash(hash));
        }
    })
    .await?;
    for (family, kind, sql) in ROWS {
        if !kinds.contains(kind) {
            continue;
        }
        let no_params: [&str; 0] = [];
        let rows = client.query_raw(*sql, no_params).await.with_context(|| format!("read back {family:?}"))?;
        pin_mut!(rows);
        while let Some(row) = rows.try_next().await.with_context(|| format!("read back {family:?}"))? {
            let Some(id) = key(row.get(0)) else { continue };
            if ledger.knows(&(*family, id)) {
                found.see((*family, id), [number(row.get(1)), number(row.get(2)), number(row.get(3))]);
            }
        }
    }
    Ok(found)
}

/// A uuid, or the 22 hex digits of a transfer.
fn key(text: &str) -> Option<u128> {
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}

/// No number of ours leaves 32 bits; one that does, and NULL, was not written by a client and compares as different.
fn number(value: Option<i64>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(u32::MAX)
}

/// Something that holds whatever the clients wrote, if nothing was applied twice, half or not at all.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invariant {
    /// In words.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
}

const INVARIANTS: &[(&str, &str)] = &[
    (
        "accounts, tellers, branches and history have the same sums",
        "SELECT a = h AND t = h AND b = h FROM (SELECT
            (SELECT coalesce(sum(abalance), 0) FROM public.pgbench_accounts) AS a, (SELECT coalesce(sum(tbalance), 0) FROM public.pgbench_tellers) AS t,
            (SELECT coalesce(sum(bbalance), 0) FROM public.pgbench_branches) AS b, (SELECT coalesce(sum(delta), 0) FROM public.pgbench_history) AS h) AS sums",
    ),
    (
        "the ALWAYS trigger counted every ticket once",
        "SELECT (SELECT sum(tickets) FROM shop.ticket_counts) = (SELECT count(*) - 1000 FROM shop.tickets)",
    ),
    ("no trigger fired that was disabled or for replicas only", "SELECT NOT EXISTS (SELECT FROM shop.alarms)"),
    (
        "no number of the shared sequence was used twice",
        "SELECT NOT EXISTS (SELECT FROM shop.invoices JOIN shop.credit_notes USING (number))",
    ),
    (
        "every order line belongs to an order",
        "SELECT NOT EXISTS (SELECT FROM shop.order_lines l WHERE NOT EXISTS (SELECT FROM shop.orders o WHERE o.id = l.order_id))",
    ),
];

/// Look whether the fixture's invariants hold.
pub async fn invariants(client: &Client) -> Result<Vec<Invariant>> {
    let mut all = Vec::new();
    for (name, sql) in INVARIANTS {
        let row = client.query_one(*sql, &[]).await.with_context(|| format!("look whether {name}"))?;
        all.push(Invariant { name: (*name).to_owned(), holds: row.get::<_, Option<bool>>(0).unwrap_or(false) });
    }
    Ok(all)
}
