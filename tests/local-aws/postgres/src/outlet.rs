//! The way out of a server: where libpq in it connects to, whatever `host` it was given.
//!
//! A subscription and dblink name the endpoint of another instance. Only the stand-in's DNS knows that name, and a server
//! asks the resolver of the machine. So `PGHOSTADDR` leads all of a server's connections to its outlet, which passes each
//! on to the server that is meant. The name is the one that libpq asks for when TLS begins, so the outlet begins TLS for
//! the server that is meant, and sees nothing of what follows. libpq of 13 does not tell the name.

use std::io::{Error, ErrorKind, Result as IoResult};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener as StdListener};
use std::sync::Arc;

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Result;
use crate::config::Listen;

/// Decides where a server's connections go.
pub trait Route: Send + Sync + 'static {
    /// The address behind a name, if the network lets the server connect to it now; without a name, that of the server
    /// which it can only mean.
    fn destination(&self, name: Option<&str>) -> Option<Ipv4Addr>;

    /// Changes whenever destinations may have changed. Connections whose destination is another one by then are cut.
    fn changes(&self) -> watch::Receiver<()>;
}

/// Accepts a server's connections to other servers for as long as it is kept.
#[derive(Debug)]
pub struct Outlet {
    address: Ipv4Addr,
    accepting: JoinHandle<()>,
}

impl Outlet {
    /// Start to accept, in a Tokio runtime. Destinations listen on the same port.
    pub fn open(listen: Listen, route: Arc<dyn Route>) -> Result<Self> {
        let failed = |error: Error| crate::Error::NoAddress(error.to_string());
        let listener = StdListener::bind(SocketAddrV4::new(listen.address, listen.port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, listen.port, route.clone()));
            }
        });
        Ok(Self { address: listen.address, accepting })
    }

    /// Where it accepts.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, port: u16, route: Arc<dyn Route>) {
    if let Err(error) = pass_on(&mut client, port, route.as_ref()).await {
        tracing::debug!(%error, "a connection from one server to another ended");
    }
}

async fn pass_on(client: &mut TcpStream, port: u16, route: &dyn Route) -> IoResult<()> {
    let mut changes = route.changes();
    let opening = opening(client).await?;
    let name = opening.name.as_deref();
    let no_route = || Error::new(ErrorKind::HostUnreachable, format!("no way to {}", name.unwrap_or("anybody")));
    let address = route.destination(name).ok_or_else(no_route)?;
    let mut server = TcpStream::connect((address, port)).await?;
    if opening.has_tls {
        server.write_all(&SSL_REQUEST).await?;
        if server.read_u8().await? != YES {
            return Err(Error::new(ErrorKind::Unsupported, "the destination offers no TLS"));
        }
    }
    server.write_all(&opening.read).await?;
    let cut = async { while changes.changed().await.is_ok() && route.destination(name) == Some(address) {} };
    tokio::select! {
        carried = copy_bidirectional(client, &mut server) => carried.map(|_bytes| ()),
        () = cut => Err(no_route()),
    }
}

/// Source: PostgreSQL documentation, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
const YES: u8 = b'S';
const NO: u8 = b'N';

/// What a client says before the destination is known.
struct Opening {
    has_tls: bool,
    name: Option<String>,
    /// What the destination has to be told of it.
    read: Vec<u8>,
}

async fn opening(client: &mut TcpStream) -> IoResult<Opening> {
    loop {
        let mut request = [0; 8];
        client.read_exact(&mut request).await?;
        match request {
            GSSENC_REQUEST => client.write_all(&[NO]).await?,
            SSL_REQUEST => {
                client.write_all(&[YES]).await?;
                return hello(client).await;
            }
            _ => return Ok(Opening { has_tls: false, name: None, read: request.to_vec() }),
        }
    }
}

/// Read as far as the ClientHello goes.
async fn hello(client: &mut TcpStream) -> IoResult<Opening> {
    let (mut acceptor, mut read) = (Acceptor::default(), Vec::new());
    loop {
        let mut part = [0; 4_096];
        let length = client.read(&mut part).await?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let part = &part[..length];
        read.extend_from_slice(part);
        let mut unread = part;
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_owned);
                return Ok(Opening { has_tls: true, name, read });
            }
            Ok(None) => {}
            Err((error, _)) => return Err(Error::new(ErrorKind::InvalidData, error)),
        }
    }
}
