//! How a service accepts connections, and what each of them takes.

use settings::{Duration, Fraction, Setting};
use sim_core::Span;

use crate::policies::not_yet::NotYet;

/// Accepting connections.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ListenSettings {
    /// Connections that may wait until a worker accepts them. Further requests to connect are dropped, and callers repeat them after 1,
    /// 3, 7, 15 s and so on. Only of callers who open a connection for a call. Default: Linux' `somaxconn` since 5.4.
    #[setting(default = 4096, range = "1..=1000000000")]
    pub backlog: u32,
    /// Threads that each open connection holds.
    #[setting(default = 0, range = "0..=1000")]
    pub threads: u32,
    /// Idle connections are closed after this long. A call that is sent over one before word of that has come is `reset`. Node closes after
    /// 5 s; a balancer's own `pool.idle_timeout` should be shorter.
    #[setting(range = ">0s")]
    pub idle_timeout: Option<Duration>,
    /// Connections are closed at this age, as soon as no call is under way over them, so that callers open others, and to others. gRPC's
    /// `MAX_CONNECTION_AGE`.
    #[setting(range = ">0s")]
    pub max_age: Option<Duration>,
    /// Largest share by which an age differs from `max_age`, so that not all connections end together. gRPC's is 10 %.
    #[setting(default = "10%")]
    pub jitter: Fraction,
    /// Connections that may be open.
    pub max_connections: Option<NotYet>,
}

/// When a service closes connections that its callers keep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Closing {
    /// After so long without a call.
    pub idle: Option<Span>,
    /// At this age.
    pub age: Option<Span>,
    /// The share by which ages differ.
    pub jitter: f64,
}

impl Closing {
    /// That of a service.
    pub fn of(listen: Option<&ListenSettings>) -> Closing {
        listen.map_or_else(Closing::default, |listen| Closing {
            idle: listen.idle_timeout.map(|timeout| timeout.0),
            age: listen.max_age.map(|age| age.0),
            jitter: listen.jitter.0,
        })
    }

    /// Whether the ages of connections are drawn.
    pub fn draws_ages(&self) -> bool {
        self.age.is_some() && self.jitter > 0.0
    }

    /// How long a connection lives, where `share`, from 0 to below 1, was drawn for it.
    pub fn life(&self, share: f64) -> Span {
        self.age.map_or(Span::MAX, |age| (age as f64 * (1.0 + self.jitter * (2.0 * share - 1.0))) as Span)
    }
}
