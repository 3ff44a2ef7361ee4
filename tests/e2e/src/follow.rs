//! What the clients of a rehearsal read the host from: the record, or a secret.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::stage::RECORD;

/// What all clients follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Follow {
    /// The record.
    #[default]
    Record,
    /// A secret of Secrets Manager, which they read for every connection.
    Secret,
}

/// Where a client finds the host.
#[derive(Debug, Clone)]
pub enum HostSource {
    /// A name.
    Name(String),
    /// The member `host` of a secret.
    Secret {
        /// Secrets Manager, as the clients reach it.
        client: aws_sdk_secretsmanager::Client,
        /// The secret's ARN.
        id: String,
    },
}

impl HostSource {
    /// The record.
    pub fn record() -> Self {
        Self::Name(RECORD.to_owned())
    }

    /// The host to connect to now.
    pub async fn read(&self) -> Result<String> {
        match self {
            HostSource::Name(name) => Ok(name.clone()),
            HostSource::Secret { client, id } => {
                let read = client.get_secret_value().secret_id(id).send().await.context("read the clients' secret")?;
                let value: Value = serde_json::from_str(read.secret_string().context("the secret has no text")?)
                    .map_err(|_| anyhow::anyhow!("the clients' secret is no JSON"))?;
                Ok(value["host"].as_str().context("the clients' secret has no host")?.to_owned())
            }
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        match self {
            HostSource::Name(name) => name,
            HostSource::Secret { .. } => "the host in their secret",
        }
    }

    /// What the run must be told about it; null for nothing.
    pub fn input(&self) -> Value {
        match self {
            HostSource::Name(_) => json!({}),
            HostSource::Secret { id, .. } => json!({ "clients": { "secrets": [{ "secretId": id }] } }),
        }
    }

    /// What the stack must be told about it.
    pub fn parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            HostSource::Name(_) => None,
            HostSource::Secret { id, .. } => Some(("ClientSecretArns", id)),
        }
    }
}
