//! A browser, as far as a question's link needs one: it opens the address of a function URL at the local AWS, which
//! tells functions apart by the host that is asked for.

use anyhow::{Context, Result};
use axum::http::{Method, Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Page {
    /// HTTP's status.
    pub(crate) status: u16,
    /// HTML.
    pub(crate) text: String,
}

/// Opens pages and presses their buttons.
pub(crate) struct Browser {
    gateway: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Browser {
    /// For the local AWS at this address, `http://host:port`.
    pub(crate) fn new(gateway: &str) -> Result<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { gateway: gateway.parse().context("read the gateway's address")?, client })
    }

    /// Look at a page.
    pub(crate) async fn open(&self, address: &str) -> Result<Page> {
        self.send(Method::GET, address, "").await
    }

    /// Press a button of the page's form, which sends `name=value` to the page's own address.
    pub(crate) async fn press(&self, address: &str, button: &str) -> Result<Page> {
        self.send(Method::POST, address, button).await
    }

    async fn send(&self, method: Method, address: &str, form: &str) -> Result<Page> {
        let address: Uri = address.parse().with_context(|| format!("read address {address}"))?;
        let mut here = self.gateway.clone().into_parts();
        here.path_and_query = address.path_and_query().cloned();
        let request = Request::builder()
            .method(method)
            .uri(Uri::from_parts(here)?)
            .header("host", address.host().unwrap_or_default())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form.to_owned()))?;
        let answer = self.client.request(request).await.context("ask the local AWS for a page")?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.context("read a page")?.to_bytes();
        Ok(Page { status, text: String::from_utf8_lossy(&body).into_owned() })
    }
}
