//! Connections that a handler can end without an answer, which no HTTP library offers: a lost answer is a planned
//! fault. Small writes leave at once (TCP_NODELAY), or every call would cost Nagle's 40 ms. Connections end with their
//! gateway: an idle one would keep its services, and the servers behind them, alive.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::BoxFuture;

/// Ends the connection that it belongs to at the next byte that would be sent.
#[derive(Debug, Clone, Default)]
pub(super) struct HangUp {
    asked: Arc<AtomicBool>,
}

impl HangUp {
    /// From now on nothing leaves; the connection ends when something should.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Connections>> for HangUp {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.remote_addr().clone()
    }
}

/// The gateway's listener.
pub(super) struct Connections {
    listener: TcpListener,
    closed: watch::Sender<bool>,
}

impl Connections {
    pub(super) fn of(listener: TcpListener) -> Self {
        Self { listener, closed: watch::Sender::new(false) }
    }

    /// Send `true` to end every connection.
    pub(super) fn closer(&self) -> watch::Sender<bool> {
        self.closed.clone()
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = HangUp;

    async fn accept(&mut self) -> (Connection, HangUp) {
        let (stream, _peer) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
        let hang_up = HangUp::default();
        let mut closed = self.closed.subscribe();
        let gateway_closed = Box::pin(async move {
            let _closed_or_gone = closed.wait_for(|closed| *closed).await;
        });
        (Connection { stream, hang_up: hang_up.clone(), gateway_closed: Some(gateway_closed) }, hang_up)
    }

    fn local_addr(&self) -> io::Result<HangUp> {
        Ok(HangUp::default())
    }
}

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    hang_up: HangUp,
    /// None once it has happened.
    gateway_closed: Option<BoxFuture<'static, ()>>,
}

impl Connection {
    fn still_wanted(&self) -> io::Result<()> {
        if self.hang_up.asked.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "a planned fault ends the connection"));
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A server always reads, if only to notice that the client left; so this is where it notices our own end.
        if self.gateway_closed.as_mut().is_none_or(|closed| closed.as_mut().poll(context).is_ready()) {
            self.gateway_closed = None;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the gateway is closed")));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.still_wanted()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
