//! A connection pool: calls over the link take a connection each, or wait for one.
//!
//! A connection is opened when a caller needs one and none is idle, which takes `connect`. A caller that gives up closes
//! its connection: the place is free at once, and the next caller pays `connect`. Who waits too long leaves with
//! `pool_timeout`. Defaults are HikariCP's (acquire timeout 30 s, connections kept open, first come first served).

use std::collections::VecDeque;

use settings::values::Scalar;
use settings::{Duration, DurationDist, Setting};
use sim_core::figures::Set;
use sim_core::histogram::Histogram;
use sim_core::line::{Discipline, Line};
use sim_core::slots::Slots;
use sim_core::{Figure, Figures, Span, Time};

use super::flaw::Flaw;
use super::policy::{Beside, Described, Policy};
use super::presets::{OrPreset, Preset, Presets};

/// Which of the waiting callers gets the next free connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum PoolOrder {
    /// The one that has waited longest.
    Fifo,
    /// The one that came last.
    Lifo,
}

/// A connection pool.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PoolSettings {
    /// Connections that may be open at once.
    #[setting(range = "1..=1000000", live)]
    pub size: u32,
    /// Connections that are kept open and are open at the start; `size` if not written.
    pub min_idle: Option<u32>,
    /// How long a caller waits for a connection.
    #[setting(default = "30s", live)]
    pub acquire_timeout: Duration,
    /// After how long a connection is closed when it comes back.
    pub max_lifetime: Option<Duration>,
    /// After how long an idle connection beyond `min_idle` is closed.
    pub idle_timeout: Option<Duration>,
    /// How long opening a connection takes; one round trip if not written.
    pub connect: Option<DurationDist>,
    /// Callers that may wait; who comes beyond is refused at once.
    pub max_waiters: Option<u32>,
    /// Who of the waiting gets the next connection.
    #[setting(default = "fifo")]
    pub order: PoolOrder,
}

impl Presets for PoolSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "hikari",
            doc: "HikariCP (`HikariConfig.java`): all connections are kept open; the random 2.5 % by which it shortens their lives is left out.",
            settings: "{size: 10, acquire_timeout: 30s, max_lifetime: 30m}",
        },
        Preset {
            word: "pgbouncer",
            doc: "pgbouncer (`doc/config.md`): a server connection is opened when it is needed; of the 100 clients that it lets in, 20 are served and the others wait.",
            settings: "{size: 20, min_idle: 0, acquire_timeout: 120s, max_lifetime: 3600s, idle_timeout: 600s, max_waiters: 80}",
        },
    ];
}

const SIZE: Figure = Figure::level("pool.size", "Connections that may be open at once, in the pools of all callers.");
/// Connections in use.
pub const ACTIVE: Figure = Figure::gauge("pool.active", "Connections in use, time average.").kept().sampled();
const WAIT: Figure = Figure::times("pool.wait", "How long callers waited for a connection.");
/// Callers who wait.
pub const WAITING: Figure =
    Figure::gauge("pool.waiting", "Callers waiting for a connection, time average.").kept().sampled();
const OPENED: Figure = Figure::count("pool_opened", "Connections opened after the warm-up.");

impl Policy for Pool {
    const FIGURES: Set = &[&SIZE, &ACTIVE, &WAIT, &WAITING, &OPENED];
    type Settings = OrPreset<PoolSettings>;

    fn brief(pool: &Self::Settings) -> Option<String> {
        Some(format!("pool {}", pool.size))
    }

    fn described(pool: &Self::Settings) -> Option<Described> {
        let words = format!("of {}, waits {}", pool.size, pool.acquire_timeout.format());
        Some(Described { words, has_state: true })
    }

    fn holds_up(pool: &Self::Settings) -> Span {
        pool.acquire_timeout.0
    }

    fn flaws(pool: &Self::Settings, _: &Beside<'_>) -> Vec<Flaw> {
        if pool.idle_timeout.is_none() || pool.min_idle.is_some_and(|kept| kept < pool.size) {
            return Vec::new();
        }
        vec![Flaw {
            code: "no_effect",
            key: "idle_timeout".into(),
            message: "`idle_timeout` of this link's pool has no effect: all its connections are kept open".into(),
            help: "write a `min_idle` below `size`, or remove `idle_timeout`".into(),
        }]
    }
}

/// An open connection that nobody uses.
#[derive(Clone, Copy, Debug)]
struct Idle {
    opened: Time,
    since: Time,
}

/// What a caller that holds a place must do before it can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: there is an open connection, opened at that instant.
    Ready(Time),
    /// Open one.
    Open,
}

/// The pool of one calling replica.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Places and those who wait for one.
    pub slots: Slots,
    idle: VecDeque<Idle>,
    min_idle: usize,
    max_lifetime: Option<Span>,
    idle_timeout: Option<Span>,
    /// No idle connection reaches its `max_lifetime` before that.
    expires_first: Time,
    /// Connections opened since the end of the warm-up.
    pub opened: u64,
}

impl Pool {
    /// A pool at the start of a run or of its replica: `min_idle` connections are open.
    pub fn new(settings: &PoolSettings, now: Time) -> Pool {
        let discipline = match settings.order {
            PoolOrder::Fifo => Discipline::Fifo,
            PoolOrder::Lifo => Discipline::Lifo,
        };
        let min_idle = settings.min_idle.unwrap_or(settings.size).min(settings.size) as usize;
        Pool {
            slots: Slots::new(Some(settings.size), Line::new(discipline, settings.max_waiters)),
            idle: (0..min_idle).map(|_| Idle { opened: now, since: now }).collect(),
            min_idle,
            max_lifetime: settings.max_lifetime.map(|d| d.0),
            idle_timeout: settings.idle_timeout.map(|d| d.0),
            expires_first: 0,
            opened: 0,
        }
    }

    /// A place has been taken: with which connection? The one used last comes first, so that the others can grow idle.
    pub fn connection(&mut self, now: Time) -> Connection {
        self.close_idle(now);
        match self.idle.pop_back() {
            Some(idle) => Connection::Ready(idle.opened),
            None => {
                self.opened += 1;
                Connection::Open
            }
        }
    }

    /// The connection comes back in good order.
    pub fn returned(&mut self, now: Time, opened: Time) {
        if let Some(most) = self.max_lifetime {
            if now - opened >= most {
                return;
            }
            self.expires_first = self.expires_first.min(opened + most);
        }
        self.idle.push_back(Idle { opened, since: now });
    }

    /// Reports the pool's figures; `wait` has how long callers waited, which outlives the pool.
    pub fn figures(&self, now: Time, wait: &Histogram, figures: &mut Figures) {
        figures.level(&SIZE, self.slots.capacity().map_or(0, u64::from));
        figures.gauge(&ACTIVE, self.slots.held_over_time(), now);
        figures.times(&WAIT, wait);
        figures.gauge(&WAITING, self.slots.waiting_over_time(), now);
        figures.count(&OPENED, self.opened);
    }

    /// Idle connections, after closing those that have been idle for too long.
    pub fn idle(&mut self, now: Time) -> usize {
        self.close_idle(now);
        self.idle.len()
    }

    fn close_idle(&mut self, now: Time) {
        if let Some(most) = self.max_lifetime
            && now >= self.expires_first
        {
            self.idle.retain(|idle| now - idle.opened < most);
            self.expires_first = self.idle.iter().map(|idle| idle.opened + most).min().unwrap_or(Time::MAX);
        }
        if let Some(most) = self.idle_timeout {
            while self.idle.len() > self.min_idle && self.idle.front().is_some_and(|idle| now - idle.since >= most) {
                self.idle.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::slots::Admission;

    const S: Span = 1_000_000_000;

    fn pool(text: &str) -> Pool {
        Pool::new(&settings::notation::read(text).expect("a pool"), 0)
    }

    #[test]
    fn connections_are_open_at_the_start_and_are_reused() {
        let mut pool = pool("{size: 2}");
        assert_eq!(pool.slots.ask(0, 1, 0), Admission::Granted);
        assert_eq!(pool.connection(0), Connection::Ready(0));
        assert_eq!(pool.slots.ask(0, 2, 0), Admission::Granted);
        assert_eq!(pool.slots.ask(0, 3, 0), Admission::Queued);
        assert_eq!(pool.idle(0), 1);
    }

    #[test]
    fn a_connection_that_was_closed_must_be_opened_again() {
        let mut pool = pool("{size: 1}");
        assert_eq!(pool.connection(0), Connection::Ready(0));
        // Its caller gave up: it is not returned.
        assert_eq!(pool.connection(S), Connection::Open);
        pool.returned(2 * S, S);
        assert_eq!(pool.connection(2 * S), Connection::Ready(S));
        assert_eq!(pool.opened, 1);
    }

    #[test]
    fn old_and_idle_connections_are_closed() {
        let mut old = pool("{size: 3, max_lifetime: 10s}");
        assert_eq!(old.connection(9 * S), Connection::Ready(0));
        old.returned(10 * S, 0);
        assert_eq!(old.idle(10 * S), 0);
        let mut idle = pool("{size: 3, min_idle: 1, idle_timeout: 10s}");
        assert_eq!(idle.idle(0), 1);
        idle.returned(S, 0);
        idle.returned(S, 0);
        assert_eq!(idle.idle(10 * S), 2);
        assert_eq!(idle.idle(11 * S), 1);
    }

    #[test]
    fn it_agrees_with_a_list_that_is_searched() {
        use sim_core::random::Stream;
        let all = [
            "{size: 5}",
            "{size: 5, max_lifetime: 10s}",
            "{size: 5, min_idle: 2, idle_timeout: 3s}",
            "{size: 6, min_idle: 1, idle_timeout: 2s, max_lifetime: 7s}",
        ];
        for text in all {
            let settings: PoolSettings = settings::notation::read(text).expect("a pool");
            let mut pool = Pool::new(&settings, 0);
            let mut stream = Stream::named(5, text);
            // The obvious way: what is idle with its instants, what is in use with its own.
            let mut idle: Vec<(Time, Time)> = vec![(0, 0); settings.min_idle.unwrap_or(settings.size) as usize];
            let (mut in_use, mut now, mut opened): (Vec<Time>, Time, u64) = (Vec::new(), 0, 0);
            for step in 0..5_000 {
                now += stream.below(S);
                idle.retain(|(since, _)| settings.max_lifetime.is_none_or(|most| now - since < most.0));
                let kept = settings.min_idle.unwrap_or(settings.size) as usize;
                while let (Some(most), Some((_, since))) = (settings.idle_timeout, idle.first())
                    && idle.len() > kept
                    && now - since >= most.0
                {
                    idle.remove(0);
                }
                assert_eq!(pool.idle(now), idle.len(), "{text}, step {step}");
                if in_use.len() < settings.size as usize && stream.below(2) == 0 {
                    let expected = idle.pop().map_or(Connection::Open, |(since, _)| Connection::Ready(since));
                    assert_eq!(pool.connection(now), expected, "{text}, step {step}");
                    opened += u64::from(expected == Connection::Open);
                    in_use.push(if let Connection::Ready(since) = expected { since } else { now });
                } else if !in_use.is_empty() {
                    let opened = in_use.swap_remove(stream.below(in_use.len() as u64) as usize);
                    // One in four is closed by a caller who gave up.
                    if stream.below(4) > 0 {
                        pool.returned(now, opened);
                        if settings.max_lifetime.is_none_or(|most| now - opened < most.0) {
                            idle.push((opened, now));
                        }
                    }
                }
            }
            assert_eq!(pool.opened, opened, "{text}");
        }
    }
}
