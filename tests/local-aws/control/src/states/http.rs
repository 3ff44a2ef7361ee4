//! The way to the interpreter: one request on one connection. The other end is ours and always sends a length, so this
//! needs no HTTP client.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) error: Option<String>,
    pub(super) body: Vec<u8>,
}

pub(super) async fn post(address: SocketAddr, operation: &str, body: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-amz-target: AWSStepFunctions.{operation}\r\n\
         content-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&answer).ok_or_else(|| std::io::Error::other("the interpreter hung up"))
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let body = answer[end + 4..].to_vec();
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if header("content-length")?.parse() != Ok(body.len()) {
        return None;
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, error: header("x-amzn-errortype").map(str::to_owned), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        let whole = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nx-amzn-errortype: InvalidArn\r\n\r\n{}";

        let answer = parse(whole).unwrap();

        assert_eq!(
            (answer.status, answer.error.as_deref(), answer.body.as_slice()),
            (400, Some("InvalidArn"), b"{}".as_slice())
        );
        assert!(parse(&whole[..whole.len() - 1]).is_none());
        assert!(parse(b"").is_none());
    }
}
