//! A connection on the level of the protocol's frames.
//!
//! Two things need it: the replication protocol, which the SQL client does not speak, and the load, where rows go
//! from one server's COPY to the other's as they are. Taking every row apart and putting it together again would
//! cost more than both servers' own work.

use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::access::{Access, Login};
use super::failure::{Failure, server_failure};
use super::tls::{self, SslMode};

/// How much is read from a socket at once; a power of two well above a TLS record.
const READ_SIZE: usize = 256 * 1024;

trait Socket: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Socket for T {}

/// An authenticated connection, idle or inside a COPY.
pub(crate) struct Wire {
    socket: Pin<Box<dyn Socket>>,
    unread: BytesMut,
}

/// One message of the server.
pub(crate) struct Frame {
    /// Its type byte.
    pub(crate) tag: u8,
    /// What follows the length.
    pub(crate) body: Bytes,
}

impl Wire {
    /// Connect, authenticate, run the endpoint's script, and be idle.
    pub(crate) async fn connect(access: &Access, replication: bool) -> Result<Self, Failure> {
        let login = access.login()?;
        let stream = access.dial(&login).await?;
        let socket: Pin<Box<dyn Socket>> = match access.ssl_mode {
            SslMode::None => Box::pin(stream),
            _ => encrypt(access, &login, stream).await?,
        };
        let mut wire = Self { socket, unread: BytesMut::with_capacity(READ_SIZE) };
        wire.authenticate(&login, replication).await?;
        if let Some(script) = &access.after_connect {
            wire.command(script).await?;
        }
        Ok(wire)
    }

    async fn authenticate(&mut self, login: &Login, replication: bool) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        frontend::startup_message(Access::startup_parameters(login, replication), &mut out)?;
        self.send(&out).await?;
        let mut scram: Option<ScramSha256> = None;
        loop {
            let mut frame = self.frame().await?;
            match frame.tag {
                b'E' => return Err(server_failure(&frame.body)),
                b'Z' => return Ok(()),
                b'R' => self.answer(&mut frame.body, login, &mut scram).await?,
                _ => {}
            }
        }
    }

    async fn answer(
        &mut self,
        request: &mut Bytes,
        login: &Login,
        scram: &mut Option<ScramSha256>,
    ) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        match request.try_get_u32().map_err(|_| broken("an authentication request"))? {
            0 => return Ok(()),
            3 => frontend::password_message(login.password.as_bytes(), &mut out)?,
            5 => {
                let salt: [u8; 4] =
                    request.get(..4).and_then(|salt| salt.try_into().ok()).ok_or_else(|| broken("a salt"))?;
                let hash = md5_hash(login.user.as_bytes(), login.password.as_bytes(), salt);
                frontend::password_message(hash.as_bytes(), &mut out)?;
            }
            10 => {
                let begun = ScramSha256::new(login.password.as_bytes(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), &mut out)?;
                *scram = Some(begun);
            }
            11 => {
                let scram = scram.as_mut().ok_or_else(|| broken("a SASL exchange"))?;
                scram.update(request)?;
                frontend::sasl_response(scram.message(), &mut out)?;
            }
            12 => return Ok(scram.as_mut().ok_or_else(|| broken("a SASL exchange"))?.finish(request)?),
            method => return Err(Failure::Connection(format!("authentication method {method} is not supported"))),
        }
        self.send(&out).await
    }

    /// Run statements without rows.
    pub(crate) async fn command(&mut self, sql: &str) -> Result<(), Failure> {
        self.query(sql).await?;
        self.finish().await
    }

    /// Send statements; the answer is the caller's to read.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out)?;
        self.send(&out).await
    }

    /// Send statements and read up to the message that opens a COPY of the given kind (`G`, `H` or `W`).
    pub(crate) async fn open_copy(&mut self, sql: &str, opening: u8) -> Result<(), Failure> {
        self.query(sql).await?;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'E' => {
                    let failure = server_failure(&frame.body);
                    self.finish().await?;
                    return Err(failure);
                }
                b'Z' => return Err(broken("an open COPY")),
                tag if tag == opening => return Ok(()),
                _ => {}
            }
        }
    }

    /// Read the rest of an answer; the first error in it is the answer.
    pub(crate) async fn finish(&mut self) -> Result<(), Failure> {
        let mut failure = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'E' => failure = failure.or(Some(server_failure(&frame.body))),
                b'Z' => return failure.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    /// The next message.
    pub(crate) async fn frame(&mut self) -> Result<Frame, Failure> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// The next message, if all of it was read already.
    pub(crate) fn take_frame(&mut self) -> Option<Frame> {
        let length = frame_length(&self.unread)?;
        if self.unread.len() < length {
            self.unread.reserve(length - self.unread.len());
            return None;
        }
        let mut whole = self.unread.split_to(length);
        let tag = whole[0];
        whole.advance(5);
        Some(Frame { tag, body: whole.freeze() })
    }

    /// Rows of a COPY that were read already, as whole frames exactly as they came, and how many they are.
    pub(crate) fn take_copy_rows(&mut self, at_most: usize) -> (Bytes, u64) {
        let (mut end, mut rows) = (0, 0);
        while end < at_most && self.unread.get(end) == Some(&b'd') {
            match frame_length(&self.unread[end..]) {
                Some(length) if end + length <= self.unread.len() => {
                    end += length;
                    rows += 1;
                }
                _ => break,
            }
        }
        (self.unread.split_to(end).freeze(), rows)
    }

    /// Read what the socket has; safe to give up half-way.
    pub(crate) async fn fill(&mut self) -> Result<(), Failure> {
        self.unread.reserve(READ_SIZE);
        match self.socket.read_buf(&mut self.unread).await? {
            0 => Err(Failure::Connection("server closed the connection unexpectedly".to_owned())),
            _ => Ok(()),
        }
    }

    /// The server's refusal of a COPY that is still under way, if it came already. A server that refused ignores the
    /// rest of the COPY, so nobody would notice before its end.
    pub(crate) fn failure_at_hand(&mut self) -> Option<Failure> {
        if let Some(Err(failure)) = self.fill().now_or_never() {
            return Some(failure);
        }
        while let Some(frame) = self.take_frame() {
            if frame.tag == b'E' {
                return Some(server_failure(&frame.body));
            }
        }
        None
    }

    /// The single value that a query answers.
    pub(crate) async fn value(&mut self, sql: &str) -> Result<String, Failure> {
        self.query(sql).await?;
        let mut value = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'E' => {
                    let failure = server_failure(&frame.body);
                    self.finish().await?;
                    return Err(failure);
                }
                b'D' => value = frame.body.get(6..).map(|text| String::from_utf8_lossy(text).into_owned()),
                b'Z' => return value.ok_or_else(|| broken("a row")),
                _ => {}
            }
        }
    }

    /// Write bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.socket.write_all(bytes).await?;
        Ok(self.socket.flush().await?)
    }

    /// End a COPY towards the server and learn whether it took everything.
    pub(crate) async fn end_copy(&mut self) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        frontend::copy_done(&mut out);
        self.send(&out).await?;
        self.finish().await
    }
}

/// The length of the frame that begins here, its type byte included.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..5)?;
    Some(1 + u32::from_be_bytes(length.try_into().expect("four bytes were asked for")) as usize)
}

async fn encrypt(access: &Access, login: &Login, mut stream: TcpStream) -> Result<Pin<Box<dyn Socket>>, Failure> {
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    stream.write_all(&out).await?;
    if stream.read_u8().await? != b'S' {
        return Err(Failure::Connection("server does not support SSL, but SSL was required".to_owned()));
    }
    let mut tls = tls::client(access.ssl_mode, access.authority.as_deref()).map_err(Failure::Connection)?;
    let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, &login.host)
        .map_err(|error| Failure::Connection(error.to_string()))?;
    let encrypted = tls.connect(stream).await.map_err(|error| Failure::Connection(format!("SSL error: {error}")))?;
    Ok(Box::pin(encrypted))
}

fn broken(expected: &str) -> Failure {
    Failure::Connection(format!("unexpected message of the server: expected {expected}"))
}
