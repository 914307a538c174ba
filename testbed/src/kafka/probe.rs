//! Asks a broker for its metadata, the question that tells whether Kafka is ready (an open port comes earlier).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes of an answer that names no topic.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A metadata request, version 1, for no topic: the answer names the brokers and the controller.
///
/// Source: Kafka protocol guide, "Metadata API (Key: 3)"; version 1 is in the baseline that Kafka 4 keeps (KIP-896).
const REQUEST: &[u8] = b"\x00\x00\x00\x13\x00\x03\x00\x01\x00\x00\x00\x2a\x00\x05probe\x00\x00\x00\x00";

/// Succeeds when the broker at `address` knows itself as a broker and knows a controller.
///
/// # Errors
/// It does not answer, or not yet so.
pub(super) async fn metadata(address: SocketAddr) -> Result<()> {
    tokio::time::timeout(PATIENCE, ask(address)).await.context("no answer to a metadata request")?
}

async fn ask(address: SocketAddr) -> Result<()> {
    let mut connection = TcpStream::connect(address).await.context("connect")?;
    connection.write_all(REQUEST).await.context("ask for metadata")?;
    let length = connection.read_u32().await.context("metadata answer")? as usize;
    ensure!(length <= MAX_ANSWER_BYTES, "metadata answer of {length} bytes");
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer).await.context("metadata answer")?;
    let (brokers, controller) = parsed(&answer).context("metadata answer cut short")?;
    ensure!(brokers > 0, "no broker registered yet");
    ensure!(controller >= 0, "no controller yet");
    Ok(())
}

/// The number of brokers and the id of the controller (−1: none) in a metadata answer of version 1:
/// `correlation int32, brokers [node int32, host string, port int32, rack nullable string], controller int32, …`.
fn parsed(answer: &[u8]) -> Option<(i32, i32)> {
    let mut rest = answer.get(4..)?;
    let brokers = int32(&mut rest)?;
    for _ in 0..brokers {
        int32(&mut rest)?;
        string(&mut rest)?;
        int32(&mut rest)?;
        string(&mut rest)?;
    }
    Some((brokers, int32(&mut rest)?))
}

fn int32(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

/// Skips a string; length −1 is the null string.
fn string(rest: &mut &[u8]) -> Option<()> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let length = usize::try_from(i16::from_be_bytes(*length)).unwrap_or(0);
    *rest = after.get(length..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_tells_brokers_and_controller() {
        let answer = b"\0\0\0\x2a\0\0\0\x01\0\0\0\x01\0\x09127.0.0.1\0\0\x23\x84\xff\xff\0\0\0\x01\0\0\0\0";

        assert_eq!(parsed(answer), Some((1, 1)));
        assert_eq!(parsed(&answer[..20]), None, "a cut answer is no answer");
    }

    #[test]
    fn request_says_its_own_length() {
        assert_eq!(REQUEST.len(), 4 + 0x13);
    }
}
