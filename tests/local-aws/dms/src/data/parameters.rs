//! Statements with values in text form: prepared once, sent without waiting for each other's answers.

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::task::Poll;

use bytes::BytesMut;
use futures_util::poll;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement as Prepared};

use super::failure::Failure;
use super::statements::Statement;

/// Prepared statements of one connection by their text.
#[derive(Default)]
pub(crate) struct Statements {
    prepared: HashMap<String, Prepared>,
}

impl Statements {
    /// A statement, prepared if it is not yet.
    pub(crate) async fn prepared(&mut self, client: &Client, sql: &str) -> Result<Prepared, Failure> {
        if let Some(prepared) = self.prepared.get(sql) {
            return Ok(prepared.clone());
        }
        let prepared = client.prepare(sql).await?;
        self.prepared.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// A request that is on its way.
pub(crate) struct Sent<'a, T> {
    request: Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>,
    answer: Option<Result<T, tokio_postgres::Error>>,
}

/// Put a request on its way without waiting for its answer. Requests go out in the order of these calls.
pub(crate) async fn send<'a, T>(
    request: impl Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a,
) -> Sent<'a, T> {
    let mut request: Pin<Box<dyn Future<Output = _> + Send + 'a>> = Box::pin(request);
    let answer = match poll!(&mut request) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    };
    Sent { request, answer }
}

impl<T> Sent<'_, T> {
    /// The answer.
    pub(crate) async fn answer(self) -> Result<T, Failure> {
        Ok(match self.answer {
            Some(answer) => answer?,
            None => self.request.await?,
        })
    }
}

/// A value in its text form, for a parameter of whatever type the server infers.
#[derive(Debug)]
pub(crate) struct TextForm(String);

impl ToSql for TextForm {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A statement's values as parameters.
pub(crate) fn parameters(statement: &Statement) -> Vec<Option<TextForm>> {
    statement.values.iter().map(|value| value.clone().map(TextForm)).collect()
}

/// As the client takes them.
pub(crate) fn as_sql(values: &[Option<TextForm>]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
