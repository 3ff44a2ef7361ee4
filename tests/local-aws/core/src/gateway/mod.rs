//! The gateway: one port for every service. It finds service and operation, decodes, refuses what the model
//! refuses, asks whether the caller may, lets planned faults strike, has the call carried out, checks the answer
//! against the model, encodes it, and writes the call down.

mod calls;
mod connection;
mod scope;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::call_log::CallLog;
use crate::faults::Faults;
use crate::{AllowAll, ApiError, Authorize, RawService, Service};
use calls::{Calls, Fate};
use connection::{Connections, HangUp};

/// Larger than any request that AWS takes (Lambda: 6 MB).
const LONGEST_BODY: usize = 32 * 1024 * 1024;

/// What a gateway is told from outside, beside its services.
#[derive(Clone)]
pub struct Controls {
    /// Planned faults.
    pub faults: Faults,
    /// Where calls are written down.
    pub log: CallLog,
    /// Who may do what.
    pub authorize: Arc<dyn Authorize>,
    /// How Route 53 refuses a change batch.
    pub change_batch_errors: ChangeBatchErrors,
}

/// The two bodies in which Route 53's `InvalidChangeBatch` has been seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeBatchErrors {
    /// `<ErrorResponse><Error><Code>`, as every other error.
    #[default]
    Usual,
    /// `<InvalidChangeBatch><Messages>`, which SDKs take for an error without a code.
    Messages,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            faults: Faults::default(),
            log: CallLog::default(),
            authorize: Arc::new(AllowAll),
            change_batch_errors: ChangeBatchErrors::default(),
        }
    }
}

/// A port taken, not served yet: for services that must know the gateway's address before they exist.
pub struct BoundGateway {
    connections: Connections,
    address: SocketAddr,
}

impl BoundGateway {
    /// Take a port; 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let connections = Connections::of(TcpListener::bind(address).await?);
        let address = connections.address()?;
        Ok(Self { connections, address })
    }

    /// Where it will serve.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serve until the gateway is dropped.
    pub fn serve(self, services: Vec<Arc<dyn Service>>, raw: Vec<Arc<dyn RawService>>, controls: Controls) -> Gateway {
        let calls = Arc::new(Calls { services, raw, controls: controls.clone() });
        let router = Router::new().fallback(handle).with_state(calls);
        let closer = self.connections.closer();
        let server = axum::serve(self.connections, router.into_make_service_with_connect_info::<HangUp>());
        let server = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the gateway stopped");
            }
        });
        Gateway { address: self.address, controls, server, closer }
    }
}

/// A gateway that serves; dropped, it ends its connections and takes no more.
pub struct Gateway {
    address: SocketAddr,
    controls: Controls,
    server: JoinHandle<()>,
    closer: watch::Sender<bool>,
}

impl Gateway {
    /// Take a port (0 takes a free one) and serve these services.
    pub async fn bind(
        address: SocketAddr,
        services: Vec<Arc<dyn Service>>,
        raw: Vec<Arc<dyn RawService>>,
        controls: Controls,
    ) -> std::io::Result<Self> {
        Ok(BoundGateway::bind(address).await?.serve(services, raw, controls))
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its planned faults.
    pub fn faults(&self) -> &Faults {
        &self.controls.faults
    }

    /// Its calls.
    pub fn log(&self) -> &CallLog {
        &self.controls.log
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.closer.send_replace(true);
        self.server.abort();
    }
}

async fn handle(
    State(calls): State<Arc<Calls>>,
    ConnectInfo(hang_up): ConnectInfo<HangUp>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let fate = match to_bytes(body, LONGEST_BODY).await {
        Ok(body) => calls.fate(parts, body).await,
        Err(error) => calls::refuse(&ApiError::new(413, "RequestTooLarge", format!("read body: {error}"))),
    };
    match fate {
        Fate::Answer(answer) => answer.map(Body::from),
        Fate::HangUp => {
            hang_up.ask();
            Response::default()
        }
    }
}
