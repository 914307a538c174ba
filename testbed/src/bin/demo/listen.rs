//! Where the parts of the demo listen: fixed ports, so that the tutorial's calls work as they stand.

use anyhow::{Result, bail};
use tributary_testbed::ports;

/// The ports of the parts, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Envoy, traffic.
    pub(crate) envoy: u16,
    /// Envoy, admin page.
    pub(crate) admin: u16,
    /// Kafka, clients.
    pub(crate) kafka: u16,
    /// Kafka, its controller.
    pub(crate) controller: u16,
    /// The collector.
    pub(crate) collector: u16,
    /// The demo app.
    pub(crate) users: u16,
}

/// The ports that everybody expects.
const USUAL: Listen = Listen { envoy: 3000, admin: 9901, kafka: 9092, controller: 9093, collector: 8088, users: 8080 };

/// Proposed when the usual ones are taken.
const PROPOSED_BASE: u16 = 13_000;

impl Listen {
    /// The usual ports, or six from `base` on.
    ///
    /// # Errors
    /// Some are taken: names each, its part, and the way out.
    pub(crate) fn choose(base: Option<u16>, without_kafka: bool) -> Result<Listen> {
        let listen = base.map_or(USUAL, Listen::from);
        let kafka_is_ours =
            !without_kafka && std::env::var_os("KAFKA_BROKERS").is_none_or(|brokers| brokers.is_empty());
        let taken = listen.taken(kafka_is_ours, ports::is_free);
        match taken.as_slice() {
            [] => Ok(listen),
            taken => bail!(
                "{}; stop what listens there, or choose other ports: --port-base {}",
                taken.join(", "),
                base.map_or(PROPOSED_BASE, |base| base.saturating_add(100))
            ),
        }
    }

    fn from(base: u16) -> Listen {
        let [envoy, admin, kafka, controller, collector, users] = [0, 1, 2, 3, 4, 5].map(|n| base.saturating_add(n));
        Listen { envoy, admin, kafka, controller, collector, users }
    }

    fn taken(&self, kafka_is_ours: bool, is_free: impl Fn(u16) -> bool) -> Vec<String> {
        let always = [
            (self.envoy, "Envoy"),
            (self.admin, "Envoy's admin page"),
            (self.collector, "the collector"),
            (self.users, "the users app"),
        ];
        let of_kafka = [(self.kafka, "Kafka"), (self.controller, "Kafka's controller")];
        let kafka = of_kafka.into_iter().filter(|_| kafka_is_ours);
        let busy = always.into_iter().chain(kafka).filter(|(port, _)| !is_free(*port));
        busy.map(|(port, part)| format!("port {port} (for {part}) is taken")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_taken_port_is_named_with_its_part() {
        let taken = USUAL.taken(true, |port| port != 3000 && port != 9093);

        assert_eq!(taken, ["port 3000 (for Envoy) is taken", "port 9093 (for Kafka's controller) is taken"]);
    }

    #[test]
    fn ports_of_a_kafka_that_is_not_started_do_not_matter() {
        assert!(USUAL.taken(false, |port| port != 9092).is_empty());
    }

    #[test]
    fn a_taken_base_proposes_another_base() {
        let port = ports::Port::tcp().unwrap();
        let _taken = std::net::TcpListener::bind(port.address()).unwrap();

        let error = Listen::choose(Some(port.number()), true).unwrap_err().to_string();

        let expected = format!("port {} (for Envoy) is taken", port.number());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.ends_with(&format!("--port-base {}", port.number() + 100)), "{error}");
    }

    #[test]
    fn base_gives_six_ports_in_a_row() {
        let expected = Listen { envoy: 5000, admin: 5001, kafka: 5002, controller: 5003, collector: 5004, users: 5005 };

        assert_eq!(Listen::from(5000), expected);
    }
}
