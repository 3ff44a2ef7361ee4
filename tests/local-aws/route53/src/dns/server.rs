//! The resolver on the wire: UDP and TCP on one port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hickory_proto::op::{Header, HeaderCounts, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::Record;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use local_aws_core::Hosts;
use tokio::net::{TcpListener, UdpSocket};

use super::resolver::{Answer, Resolver};
use crate::zones::Zones;

/// How long a client may keep a TCP connection open without asking.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// A free UDP port whose TCP twin is taken is given up for another one this often.
const PORT_TRIES: usize = 16;

/// Answers the zones and the names of the endpoints; stops when dropped.
pub struct DnsServer {
    address: SocketAddr,
    _server: Server<Answers>,
}

impl DnsServer {
    /// On a free port of 127.0.0.1, without a minimum TTL.
    pub async fn start(zones: Zones, hosts: Hosts) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), zones, hosts, Duration::ZERO).await
    }

    /// On this address; port 0 takes a free one. Answers are kept for at least `minimum_ttl`.
    pub async fn start_at(address: SocketAddr, zones: Zones, hosts: Hosts, minimum_ttl: Duration) -> io::Result<Self> {
        let (udp, tcp) = bind(address).await?;
        let address = udp.local_addr()?;
        let mut server = Server::new(Answers { resolver: Resolver::new(zones, hosts, minimum_ttl) });
        server.register_socket(udp);
        server.register_listener(tcp, IDLE_CONNECTION, 16);
        Ok(Self { address, _server: server })
    }

    /// Where it answers, on UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tried = 0;
    loop {
        let udp = UdpSocket::bind(address).await?;
        tried += 1;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() != 0 || tried == PORT_TRIES => return Err(error),
            Err(_) => {}
        }
    }
}

struct Answers {
    resolver: Resolver,
}

impl Answers {
    fn to(&self, request: &Request) -> Answer {
        let refused = |code| Answer::new(code, Vec::new());
        if request.metadata.message_type != MessageType::Query || request.metadata.op_code != OpCode::Query {
            return refused(ResponseCode::NotImp);
        }
        match request.request_info() {
            Ok(info) => {
                let mut throw = |below: u64| fastrand::u64(0..below.max(1));
                let (name, kind) = (&info.query.original().name, info.query.query_type());
                self.resolver.answer(name, kind, Instant::now(), &mut throw)
            }
            Err(_) => refused(ResponseCode::FormErr),
        }
    }
}

#[async_trait]
impl RequestHandler for Answers {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let answer = self.to(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true; // CNAMEs are followed to the endpoints, as a VPC's resolver does
        metadata.response_code = answer.code;
        let none: [&Record; 0] = [];
        let message = MessageResponseBuilder::from_message_request(request).build(
            metadata,
            &answer.records,
            none,
            &answer.soa,
            none,
        );
        match response.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "send a DNS answer");
                let mut metadata = Metadata::response_from_request(&request.metadata);
                metadata.response_code = ResponseCode::ServFail;
                Header { metadata, counts: HeaderCounts::default() }.into()
            }
        }
    }
}
