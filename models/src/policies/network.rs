//! The network between a caller and its callee.
//!
//! `rtt` is the round trip, half each way. Without `pool` connections are warm, unlimited and free; with
//! `keep_alive: false` each attempt first opens one, which takes a round trip. A lost packet is retransmitted after
//! 200 ms, doubling (RFC 6298's doubling over Linux's least timeout), and after the last the connection is `reset`.

use settings::{Bandwidth, Duration, Fraction, Setting};

/// What lies between caller and callee.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct NetworkSettings {
    /// Round-trip time, half each way. Without it: 0 within a region, the table of `regions` between two.
    pub rtt: Option<Duration>,
    /// Share of the packets that are lost, each way.
    #[setting(default = "0%")]
    pub loss: Fraction,
    /// How fast the call's bytes are sent; without it they take no time.
    pub bandwidth: Option<Bandwidth>,
    /// Whether connections stay open between attempts.
    #[setting(default = true)]
    pub keep_alive: bool,
}
