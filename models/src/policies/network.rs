//! The network between a caller and its callee.
//!
//! `rtt` is the round trip, half each way. Without `pool` connections are warm, unlimited and free; with
//! `keep_alive: false` each attempt first opens one, which takes a round trip. A lost packet is retransmitted after
//! 200 ms, doubling (RFC 6298's doubling over Linux's least timeout), and after the last the connection is `reset`.

use settings::values::Scalar;
use settings::{Bandwidth, Duration, Fraction, Setting, Size};

use super::flaw::Flaw;
use super::policy::{Beside, Described, Policy, Way};

/// What lies between caller and callee.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct NetworkSettings {
    /// Round-trip time, half each way. Without it: 0 within a region, the table of `regions` between two.
    pub rtt: Option<Duration>,
    /// Share of the packets lost in each direction.
    #[setting(default = "0%")]
    pub loss: Fraction,
    /// Bandwidth for the call's bytes. Without it, transfer takes no time.
    pub bandwidth: Option<Bandwidth>,
    /// Bytes of headers that each segment of 1,460 B takes on the wire beside the call's bytes, and a call is one segment at least:
    /// 78 with IPv4, TCP and Ethernet with its preamble and gap. Only with `bandwidth`.
    #[setting(range = "1B..=64KiB")]
    pub headers: Option<Size>,
    /// Whether connections stay open between attempts.
    #[setting(default = true)]
    pub keep_alive: bool,
}

/// The network of a link. Delays and losses act in the engine; what the link itself does is open connections.
#[derive(Clone, Copy, Debug)]
pub struct Network;

impl Policy for Network {
    type Settings = NetworkSettings;

    fn way(network: &NetworkSettings) -> Way {
        if network.keep_alive { Way::Bare } else { Way::InOrder }
    }

    fn brief(network: &NetworkSettings) -> Option<String> {
        network.rtt.as_ref().map(|rtt| format!("network {}", rtt.format()))
    }

    fn described(network: &NetworkSettings) -> Option<Described> {
        let rtt = network.rtt.as_ref().map(|rtt| format!("round trip {}", rtt.format()));
        let loss = (network.loss.0 > 0.0).then(|| format!("loss {}", network.loss.format()));
        let said: Vec<String> = rtt.into_iter().chain(loss).collect();
        (!said.is_empty()).then(|| Described { words: said.join(", "), has_state: false })
    }

    fn flaws(network: &NetworkSettings, beside: &Beside<'_>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if network.headers.is_some() && network.bandwidth.is_none() {
            flaws.push(Flaw {
                code: "no_effect",
                key: "headers".into(),
                message: "`headers` has no effect: without `bandwidth` bytes take no time".into(),
                help: "write `bandwidth: 1Gb/s`, or remove it".into(),
            });
        }
        if !network.keep_alive && beside.has("pool") {
            flaws.push(Flaw {
                code: "no_effect",
                key: "keep_alive".into(),
                message: "`keep_alive: false` of this link has no effect: its pool keeps connections open".into(),
                help: "remove it, or the pool".into(),
            });
        }
        flaws
    }
}
