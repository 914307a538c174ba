//! Free ports for the parts: below the range that the kernel gives to outgoing connections, kept while a part
//! is down, and not handed out twice, not even by another testbed on the same machine.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Context as _, Result};

/// Lowest port handed out.
const LOWEST: u16 = 15_000;

/// First port not handed out: Linux gives 32768 and up to outgoing connections (`ip_local_port_range`), macOS 49152.
const END: u16 = 32_000;

/// Where the search goes on in this process; 0 means that it has not begun.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback port that belongs to one part until this is dropped.
///
/// Handing out a free port number is a race: the part binds it later, and a part that is killed and started again
/// must find it still free. So the number is held by a socket of the *other* transport (UDP for a TCP port), which
/// does not disturb the part, and which every other testbed finds taken.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held_by: Hold,
}

#[derive(Debug)]
#[allow(dead_code, reason = "the sockets are only held: dropping them gives the port back")]
enum Hold {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

impl Port {
    /// A free TCP port of 127.0.0.1.
    ///
    /// # Errors
    /// No port of the range is free.
    pub fn tcp() -> Result<Port> {
        free_port(|number| {
            let hold = UdpSocket::bind(loopback(number)).ok()?;
            TcpListener::bind(loopback(number)).ok()?;
            Some(Hold::Udp(hold))
        })
    }

    /// A free UDP port of 127.0.0.1, for HTTP/3.
    ///
    /// # Errors
    /// No port of the range is free.
    pub fn udp() -> Result<Port> {
        free_port(|number| {
            let hold = TcpListener::bind(loopback(number)).ok()?;
            UdpSocket::bind(loopback(number)).ok()?;
            Some(Hold::Tcp(hold))
        })
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1` with the number.
    pub fn address(&self) -> SocketAddr {
        loopback(self.number)
    }
}

/// Whether nobody listens at this TCP port of 127.0.0.1 now.
pub fn is_free(number: u16) -> bool {
    // Both: macOS lets us bind beside somebody who listens on all addresses.
    TcpListener::bind(loopback(number)).is_ok() && TcpStream::connect(loopback(number)).is_err()
}

/// `127.0.0.1:number`.
pub fn loopback(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, number))
}

fn free_port(take: impl Fn(u16) -> Option<Hold>) -> Result<Port> {
    // Processes begin at different places, so that two testbeds started together rarely meet.
    let begin = LOWEST + (std::process::id().wrapping_mul(97) % u32::from(END - LOWEST)) as u16;
    let _ = NEXT.compare_exchange(0, begin, Ordering::Relaxed, Ordering::Relaxed);
    (LOWEST..END)
        .find_map(|_| {
            let number = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| Some(after(next))).ok()?;
            take(number).map(|hold| Port { number, _held_by: hold })
        })
        .with_context(|| format!("no free port from {LOWEST} to {}", END - 1))
}

fn after(number: u16) -> u16 {
    if number + 1 < END { number + 1 } else { LOWEST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_for_its_part_and_taken_for_everybody_else() {
        let port = Port::tcp().unwrap();

        let part = TcpListener::bind(port.address()).unwrap();

        assert!(!is_free(port.number()));
        assert!(UdpSocket::bind(port.address()).is_err(), "the hold must be seen by other testbeds");
        drop(part);
        assert!(is_free(port.number()));
    }

    #[test]
    fn ports_differ_and_lie_below_the_ephemeral_range() {
        let ports: Vec<Port> = (0..50).map(|_| Port::tcp().unwrap()).collect();

        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        assert!(numbers.iter().all(|number| (LOWEST..END).contains(number)));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
    }

    #[test]
    fn a_udp_port_can_be_bound_by_its_part() {
        let port = Port::udp().unwrap();

        assert!(UdpSocket::bind(port.address()).is_ok());
    }
}
