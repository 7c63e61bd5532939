//! A connection pool: calls over the link take a connection each, or share some, or wait for one.
//!
//! A connection leads to one replica and stays there. It is opened when a caller needs one and none is free, which takes
//! `connect`; a caller that gives up closes it, unless others share it, and the next caller pays `connect`. That its peer is dead
//! shows when it is used: a connection whose process has died is found closed, and another is taken; one whose host has died
//! looks as good as any. Who waits too long leaves with `pool_timeout`. Defaults are HikariCP's (acquire timeout 30 s, connections
//! kept open, first come first served).

use std::collections::{BTreeMap, VecDeque};

use settings::values::Scalar;
use settings::{Duration, DurationDist, Fraction, Setting};
use sim_core::NO_CONNECTION;
use sim_core::figures::Set;
use sim_core::histogram::Histogram;
use sim_core::line::{Discipline, Line, Popped};
use sim_core::slab::Slab;
use sim_core::slots::Slots;
use sim_core::{Figure, Figures, NodeId, Span, Time};

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

/// What `size` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Per {
    /// The connections of the whole pool; each leads to whichever replica was chosen when it was opened.
    Component,
    /// The connections to each replica.
    Target,
}

/// Which replica a call takes, where each has connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Choose {
    /// Any of them.
    Random,
    /// One after the other.
    RoundRobin,
}

/// Whether callers or the pool itself open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Opening {
    /// The caller who finds none free, and who waits for that very connection.
    OnDemand,
    /// The pool itself, one after the other: a caller who finds none free takes whichever comes free first, a new one or one that
    /// is given back. Those that are lost are opened anew before anybody asks for them, up to `min_idle`.
    InBackground,
}

/// A connection pool.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PoolSettings {
    /// Connections that may be open at once.
    #[setting(range = "1..=1000000", live)]
    pub size: u32,
    /// Scope of `size`: connections to the whole component or to each target. Defaults to `component`; on a balancer to
    /// `target`.
    pub per: Option<Per>,
    /// How a call chooses a replica, with `per: target`. Any replica by default.
    pub choose: Option<Choose>,
    /// Calls that share a connection, as HTTP/2 and gRPC do.
    #[setting(default = 1, range = "1..=1000000")]
    pub streams: u32,
    /// Connections kept open, and open at the start. Defaults to `size`, or to 0 with `idle_timeout`.
    pub min_idle: Option<u32>,
    /// Time that a caller waits for a connection.
    #[setting(default = "30s", live)]
    pub acquire_timeout: Duration,
    /// Maximum lifetime of a connection; it is closed once it is idle.
    pub max_lifetime: Option<Duration>,
    /// Largest share by which a connection's lifetime is shortened at random, so that connections do not all expire at
    /// once.
    #[setting(default = "0%")]
    pub jitter: Fraction,
    /// Idle time after which connections above `min_idle` are closed.
    pub idle_timeout: Option<Duration>,
    /// Time to open a connection. Defaults to one round trip.
    pub connect: Option<DurationDist>,
    /// Whether callers or the pool itself open connections.
    #[setting(default = "on_demand")]
    pub open: Opening,
    /// Callers that may wait for a connection; further callers are rejected.
    pub max_waiters: Option<u32>,
    /// Order in which waiting callers get connections.
    #[setting(default = "fifo")]
    pub order: PoolOrder,
    /// Threads that each connection holds at the caller, which count against its `threads_max`.
    #[setting(default = 0, range = "0..=1000")]
    pub threads: u32,
}

impl PoolSettings {
    /// Connections that are kept open.
    pub(crate) fn min_idle(&self) -> u32 {
        let kept = if self.idle_timeout.is_some() { 0 } else { self.size };
        self.min_idle.unwrap_or(kept).min(self.size)
    }

    /// How many calls can be served at once by what `size` counts.
    fn places(&self) -> u32 {
        self.size.saturating_mul(self.streams)
    }
}

impl Presets for PoolSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "hikari",
            doc: "HikariCP (`HikariConfig.java`, `HikariPool.java`): all connections are kept open, and live up to 2.5 % shorter than `max_lifetime`; one thread opens new ones, and callers take whichever comes free first.",
            settings: "{size: 10, acquire_timeout: 30s, max_lifetime: 30m, jitter: 2.5%, open: in_background}",
        },
        Preset {
            word: "pgbouncer",
            doc: "pgbouncer (`doc/config.md`): a server connection is opened when it is needed; of the 100 clients that it lets in, 20 are served and the others wait.",
            settings: "{size: 20, min_idle: 0, acquire_timeout: 120s, max_lifetime: 3600s, idle_timeout: 600s, max_waiters: 80}",
        },
        Preset {
            word: "grpc",
            doc: "A gRPC channel: one connection, to one replica, which up to 100 calls share (the `MAX_CONCURRENT_STREAMS` of most servers).",
            settings: "{size: 1, streams: 100}",
        },
    ];
}

const SIZE: Figure = Figure::level(
    "pool.size",
    "Calls that all callers' pools can carry at once: the number of connections, unless calls share them.",
);
/// Calls that use a connection.
pub const ACTIVE: Figure = Figure::gauge("pool.active", "Calls using a connection, time average.").kept().sampled();
const WAIT: Figure = Figure::times("pool.wait", "Time that callers waited for a connection.");
/// Those who wait.
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
        let flaw = |key: &str, message: &str, help: &str| Flaw {
            code: "no_effect",
            key: key.into(),
            message: format!("`{key}` of this link's pool has no effect: {message}"),
            help: help.into(),
        };
        let mut flaws = Vec::new();
        if pool.idle_timeout.is_some() && pool.min_idle.is_some_and(|kept| kept >= pool.size) {
            let help = "write a `min_idle` below `size`, or remove `idle_timeout`";
            flaws.push(flaw("idle_timeout", "all its connections are kept open", help));
        }
        if pool.choose.is_some() && pool.per != Some(Per::Target) {
            let help = "write `per: target`, or remove `choose`";
            flaws.push(flaw("choose", "calls take any of its connections", help));
        }
        if pool.jitter.0 > 0.0 && pool.max_lifetime.is_none() {
            flaws.push(flaw("jitter", "its connections live for ever", "write a `max_lifetime`, or remove `jitter`"));
        }
        flaws
    }
}

/// Whom a connection leads to, as it was when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The node.
    pub node: NodeId,
    /// Row of the table of paths.
    pub path: u16,
    /// Its number among those that the link can call.
    pub number: u32,
    /// Which life of it.
    pub epoch: u16,
}

/// An open connection, or one that is being opened.
#[derive(Clone, Debug)]
struct Connection {
    peer: Peer,
    /// What calls over it say they come over ([`sim_core::Cx::open_connection`]).
    line: u32,
    /// Which part of the pool it belongs to.
    part: u32,
    /// The instant at which it is open.
    opened: Time,
    /// How long it lives.
    life: Span,
    /// Calls that use it.
    used: u32,
    /// Since when nobody has used it.
    since: Time,
    /// No further call may use it: it is closed as soon as nobody does.
    ends: bool,
}

/// The connections that `size` counts, and those who wait for one.
#[derive(Clone, Debug)]
pub struct PoolPart {
    /// A place for each call that can be served.
    pub slots: Slots,
    /// Those with room for another call; the one used last at the back.
    free: VecDeque<u32>,
    /// No connection that nobody uses comes to its end before that.
    expires_first: Time,
    /// How many there are.
    count: u32,
    /// The replica to which they lead, if each has its own.
    pub number: Option<u32>,
    /// What the pool opens by itself.
    pub adder: Adder,
}

/// A pool's own opening of connections, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Adder {
    /// What is under way.
    pub doing: Adding,
    /// How many it has begun to open.
    pub begun: u32,
    /// How many in a row it could not open.
    pub failures: u32,
    /// For when the next look at connections that come to their end is set.
    pub looks_at: Option<Time>,
}

/// What is under way for a connection that the pool opens by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Adding {
    /// Nothing.
    #[default]
    Nothing,
    /// It opens; `share` of the jitter its life is spared.
    Opens {
        /// To whom.
        peer: Peer,
        /// From 0 to below 1.
        share: f64,
    },
    /// Nothing has answered, so many times.
    Silent(u8),
    /// Nobody listens there.
    Refused,
    /// It could not be opened: the next one is not tried at once.
    Waits,
}

/// The pool of one calling replica.
#[derive(Clone, Debug)]
pub struct Pool {
    settings: PoolSettings,
    /// The one part, or one for each replica.
    parts: Vec<PoolPart>,
    part_of: BTreeMap<u32, u32>,
    connections: Slab<Connection>,
    /// Parts in which a place may have become free.
    freed: Vec<u32>,
    /// Lines that were closed, and of which nobody has been told yet.
    closed: Vec<u32>,
    /// Connections opened since the end of the warm-up.
    pub opened: u64,
}

impl Pool {
    /// A pool at the start of a run or of its replica, without connections.
    pub fn new(settings: &PoolSettings) -> Pool {
        Pool {
            settings: settings.clone(),
            parts: Vec::new(),
            part_of: BTreeMap::new(),
            connections: Slab::new(),
            freed: Vec::new(),
            closed: Vec::new(),
            opened: 0,
        }
    }

    /// Its replica has crashed: all connections are gone, and those who waited for one; what was measured stays.
    pub fn clear(&mut self, now: Time) {
        self.connections = Slab::new();
        self.freed.clear();
        self.closed.clear();
        for part in &mut self.parts {
            part.slots.clear(now);
            part.free.clear();
            part.count = 0;
            part.adder = Adder { begun: part.adder.begun, ..Adder::default() };
        }
    }

    /// Its replica leaves: its places do not count any more.
    pub fn retire(&mut self, now: Time) {
        self.parts.iter_mut().for_each(|part| part.slots.retire(now));
    }

    /// A replica is there again.
    pub fn attend(&mut self, now: Time) {
        self.parts.iter_mut().for_each(|part| part.slots.attend(now));
    }

    /// The size changes; connections beyond it are closed when they come back.
    pub fn adopt(&mut self, now: Time, settings: &PoolSettings) {
        self.settings = settings.clone();
        self.parts.iter_mut().for_each(|part| part.slots.set_capacity(now, Some(settings.places())));
        self.freed = (0..self.parts.len() as u32).collect();
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self, now: Time) {
        self.opened = 0;
        self.parts.iter_mut().for_each(|part| part.slots.begin_measuring(now));
    }

    /// How many connections are kept open from the start, in each part.
    pub fn kept(&self) -> u32 {
        self.settings.min_idle()
    }

    /// Which part the calls to the replica of this number take, or all calls.
    pub fn part(&mut self, number: Option<u32>, now: Time) -> u32 {
        let key = number.unwrap_or(0);
        if let Some(part) = self.part_of.get(&key) {
            return *part;
        }
        let discipline = match self.settings.order {
            PoolOrder::Fifo => Discipline::Fifo,
            PoolOrder::Lifo => Discipline::Lifo,
        };
        let mut slots = Slots::new(None, Line::new(discipline, self.settings.max_waiters));
        slots.set_capacity(now, Some(self.settings.places()));
        self.parts.push(PoolPart {
            slots,
            free: VecDeque::new(),
            expires_first: Time::MAX,
            count: 0,
            number,
            adder: Adder::default(),
        });
        let part = (self.parts.len() - 1) as u32;
        self.part_of.insert(key, part);
        part
    }

    /// The places of a part and those who wait there.
    pub fn slots(&mut self, part: u32) -> &mut Slots {
        &mut self.parts[part as usize].slots
    }

    /// A place is given back that was held since an instant.
    pub fn free_place(&mut self, now: Time, part: u32, since: Time) {
        self.slots(part).give_back(now, since, None);
        self.freed.push(part);
    }

    /// The next in line for a place that has become free, who has it now.
    pub fn next(&mut self, now: Time, is_closed: impl Fn(Peer, u32) -> bool) -> Option<Popped> {
        while let Some(part) = self.freed.last().copied() {
            // Where the pool opens connections by itself, one that is open must be free, too.
            if (!self.opens_itself() || self.has_free(now, part, &is_closed))
                && let Some(next) = self.parts[part as usize].slots.next(now, &mut Vec::new())
            {
                return Some(next);
            }
            self.freed.pop();
        }
        None
    }

    /// Whether it opens connections by itself.
    pub fn opens_itself(&self) -> bool {
        self.settings.open == Opening::InBackground
    }

    /// What is under way for connections that it opens by itself.
    pub fn adder(&mut self, part: u32) -> &mut Adder {
        &mut self.parts[part as usize].adder
    }

    /// How many parts it has.
    pub fn parts(&self) -> u32 {
        self.parts.len() as u32
    }

    /// The replica to which the connections of a part lead, if each has its own.
    pub fn number_of(&self, part: u32) -> Option<u32> {
        self.parts[part as usize].number
    }

    /// Whether an open connection is free; forgets those that are found closed.
    pub fn has_free(&mut self, now: Time, part: u32, is_closed: impl Fn(Peer, u32) -> bool) -> bool {
        self.close_idle(now, part);
        while let Some(id) = self.parts[part as usize].free.back().copied() {
            let connection = self.connections.get_mut(id).expect("it has room for calls");
            if !is_closed(connection.peer, connection.line) {
                return true;
            }
            connection.ends = true;
            self.parts[part as usize].free.pop_back();
            self.drop_unused(id);
        }
        false
    }

    /// Whether it is to open another connection by itself, after a look at those that have come to their end.
    pub fn wants_another(&mut self, now: Time, part: u32) -> bool {
        self.close_idle(now, part);
        let min_idle = self.settings.min_idle() as usize;
        let PoolPart { slots, free, count, adder, .. } = &self.parts[part as usize];
        adder.doing == Adding::Nothing && *count < self.settings.size && (slots.waiting() > 0 || free.len() < min_idle)
    }

    /// After how long it tries again to open a connection: a quarter of a second, and half as long again each time, up to 10 s and
    /// the time that a caller waits (`HikariPool.java`).
    pub fn waits_to_add(&self, failures: u32) -> Span {
        const FIRST: Span = 250_000_000;
        const MOST: Span = 10_000_000_000;
        let most = MOST.min(self.settings.acquire_timeout.0).max(FIRST);
        (0..failures.min(32)).fold(FIRST, |wait, _| (wait + wait / 2).min(most)).min(most)
    }

    /// When the first of the free connections comes to its end, if that is to be looked at and is not yet.
    pub fn next_look(&mut self, part: u32) -> Option<Time> {
        let PoolPart { expires_first, adder, .. } = &mut self.parts[part as usize];
        let is_new = *expires_first < Time::MAX && adder.looks_at.is_none_or(|at| *expires_first < at);
        is_new.then(|| *adder.looks_at.insert(*expires_first))
    }

    /// A connection that it has opened by itself is open.
    pub fn add(&mut self, now: Time, part: u32, peer: (Peer, u32), share: f64) {
        self.opened += 1;
        self.keep_open(now, part, peer, share);
        self.freed.push(part);
    }

    /// Whom a connection leads to.
    pub fn peer(&self, connection: u32) -> Peer {
        self.connection(connection).peer
    }

    /// The instant at which a connection is open.
    pub fn opened_at(&self, connection: u32) -> Time {
        self.connection(connection).opened
    }

    fn connection(&self, connection: u32) -> &Connection {
        self.connections.get(connection).expect("who uses a connection keeps it")
    }

    /// A place has been taken: with which open connection? `None` where one must be opened. `is_closed` tells whether the other
    /// side has closed one.
    pub fn take(&mut self, now: Time, part: u32, is_closed: impl Fn(Peer, u32) -> bool) -> Option<u32> {
        if !self.has_free(now, part, is_closed) {
            return None;
        }
        let id = *self.parts[part as usize].free.back()?;
        let connection = self.connections.get_mut(id).expect("it has room for calls");
        connection.used += 1;
        if connection.used == self.settings.streams {
            self.parts[part as usize].free.pop_back();
        }
        Some(id)
    }

    /// A connection is being opened for a call that has a place, and will be open at that instant. `share`, from 0 to below 1,
    /// says how much of the jitter its life is spared.
    pub fn open(&mut self, now: Time, part: u32, (peer, line): (Peer, u32), opened: Time, share: f64) -> u32 {
        self.opened += 1;
        let id = self.begin(now, part, (peer, line), opened, share);
        self.connections.get_mut(id).expect("it was just opened").used = 1;
        if self.settings.streams > 1 {
            self.parts[part as usize].free.push_back(id);
        }
        id
    }

    /// A connection is open from the start.
    pub fn keep_open(&mut self, now: Time, part: u32, (peer, line): (Peer, u32), share: f64) {
        let id = self.begin(now, part, (peer, line), now, share);
        let connection = self.connection(id);
        let ends = connection.opened.saturating_add(connection.life);
        let part = &mut self.parts[part as usize];
        part.expires_first = part.expires_first.min(ends);
        part.free.push_back(id);
    }

    fn begin(&mut self, now: Time, part: u32, (peer, line): (Peer, u32), opened: Time, share: f64) -> u32 {
        let life = self
            .settings
            .max_lifetime
            .map_or(Span::MAX, |most| most.0 - (most.0 as f64 * self.settings.jitter.0 * (1.0 - share)) as Span);
        self.parts[part as usize].count += 1;
        self.connections.insert(Connection { peer, line, part, opened, life, used: 0, since: now, ends: false })
    }

    /// Whether the life of connections is drawn.
    pub fn draws_lives(&self) -> bool {
        self.settings.max_lifetime.is_some() && self.settings.jitter.0 > 0.0
    }

    /// A call no longer uses a connection. Its place must be given back, too. `is_good` is whether the connection can be used
    /// further: not after a reset, nor where a caller gives up who does not share it.
    pub fn give_back(&mut self, now: Time, id: u32, is_good: bool) {
        let streams = self.settings.streams;
        let connection = self.connections.get_mut(id).expect("who uses a connection keeps it");
        let was_full = connection.used == streams;
        connection.used -= 1;
        let ends = connection.opened.saturating_add(connection.life);
        let is_over = !is_good || now >= ends;
        if is_over && !connection.ends {
            connection.ends = true;
            if !was_full {
                let free = &mut self.parts[connection.part as usize].free;
                free.retain(|other| *other != id);
            }
        }
        let connection = self.connections.get_mut(id).expect("it is there");
        if connection.ends {
            self.drop_unused(id);
            return;
        }
        connection.since = now;
        let part = &mut self.parts[connection.part as usize];
        if was_full {
            part.free.push_back(id);
        }
        part.expires_first = part.expires_first.min(ends);
    }

    /// Whether a caller that gives up closes its connection: it does where it has it for itself.
    pub fn is_shared(&self) -> bool {
        self.settings.streams > 1
    }

    fn drop_unused(&mut self, id: u32) {
        if let Some(Connection { used: 0, part, .. }) = self.connections.get(id) {
            self.parts[*part as usize].count -= 1;
            remove(&mut self.connections, &mut self.closed, id);
        }
    }

    /// The line of a connection.
    pub fn line(&self, connection: u32) -> u32 {
        self.connection(connection).line
    }

    /// A line of a connection that was closed; each is told once.
    pub fn next_closed(&mut self) -> Option<u32> {
        self.closed.pop()
    }

    /// Reports the pool's figures; `wait` has how long callers waited, which outlives the pool.
    pub fn figures(&self, now: Time, wait: &Histogram, figures: &mut Figures) {
        // Where the replica is not there, nor is anything to count.
        let nobody = Slots::new(None, Line::new(Discipline::Fifo, None));
        let nobody = self.parts.is_empty().then_some((0, &nobody));
        let parts = || {
            let of = |part: &'_ PoolPart| part.slots.counted().map_or(0, u64::from);
            self.parts.iter().map(move |part| (of(part), &part.slots)).chain(nobody)
        };
        parts().for_each(|(size, _)| figures.level(&SIZE, size));
        parts().for_each(|(_, slots)| figures.gauge(&ACTIVE, slots.held_over_time(), now));
        figures.times(&WAIT, wait);
        parts().for_each(|(_, slots)| figures.gauge(&WAITING, slots.waiting_over_time(), now));
        figures.count(&OPENED, self.opened);
    }

    /// Connections with room for calls, after closing those that have been idle for too long.
    pub fn idle(&mut self, now: Time, part: u32) -> usize {
        self.close_idle(now, part);
        self.parts[part as usize].free.len()
    }

    fn close_idle(&mut self, now: Time, part: u32) {
        let part = &mut self.parts[part as usize];
        let (connections, closed) = (&mut self.connections, &mut self.closed);
        if now >= part.expires_first {
            part.expires_first = Time::MAX;
            part.free.retain(|id| {
                let connection = connections.get_mut(*id).expect("it has room for calls");
                let ends = connection.opened.saturating_add(connection.life);
                if now < ends {
                    part.expires_first = part.expires_first.min(ends);
                    return true;
                }
                connection.ends = true;
                if connection.used == 0 {
                    part.count -= 1;
                    remove(connections, closed, *id);
                }
                false
            });
        }
        let Some(most) = self.settings.idle_timeout else { return };
        let kept = self.settings.min_idle() as usize;
        // The one that has been idle longest stands first; where calls share connections, those in use lie between.
        let mut at = 0;
        while part.free.len() > kept && at < part.free.len() {
            let connection = connections.get(part.free[at]).expect("it has room for calls");
            if connection.used > 0 {
                at += 1;
            } else if now - connection.since >= most.0 {
                part.count -= 1;
                remove(connections, closed, part.free.remove(at).expect("it stands there"));
            } else {
                break;
            }
        }
    }
}

/// A connection is closed.
fn remove(connections: &mut Slab<Connection>, closed: &mut Vec<u32>, id: u32) {
    let line = connections.remove(id).map(|connection| connection.line);
    closed.extend(line.filter(|line| *line != NO_CONNECTION));
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::slots::Admission;

    const S: Span = 1_000_000_000;

    fn peer(number: u32) -> (Peer, u32) {
        (Peer { node: NodeId(number), path: 0, number, epoch: 0 }, NO_CONNECTION)
    }

    /// A pool with its one part, and the connections that are open from the start.
    fn pool(text: &str) -> Pool {
        let mut pool = Pool::new(&settings::notation::read(text).expect("a pool"));
        let part = pool.part(None, 0);
        (0..pool.kept()).for_each(|number| pool.keep_open(0, part, peer(number), 1.0));
        pool
    }

    fn take(pool: &mut Pool, now: Time) -> Option<u32> {
        pool.take(now, 0, |_, _| false)
    }

    #[test]
    fn connections_are_open_at_the_start_and_are_reused() {
        let mut pool = pool("{size: 2}");
        assert_eq!(pool.slots(0).ask(0, 1, 0), Admission::Granted);
        assert!(take(&mut pool, 0).is_some());
        assert_eq!(pool.slots(0).ask(0, 2, 0), Admission::Granted);
        assert_eq!(pool.slots(0).ask(0, 3, 0), Admission::Queued);
        assert_eq!(pool.idle(0, 0), 1);
    }

    #[test]
    fn a_connection_that_was_closed_must_be_opened_again() {
        let mut pool = pool("{size: 1}");
        let first = take(&mut pool, 0).expect("it is open");
        // Its caller gives up.
        pool.give_back(S, first, false);
        assert_eq!(take(&mut pool, S), None);
        let second = pool.open(S, 0, peer(7), S, 1.0);
        pool.give_back(2 * S, second, true);
        assert_eq!(take(&mut pool, 2 * S), Some(second));
        assert_eq!((pool.peer(second), pool.opened), (peer(7).0, 1));
    }

    #[test]
    fn what_the_other_side_has_closed_is_passed_over() {
        let mut pool = pool("{size: 3}");
        let found = pool.take(0, 0, |peer, _| peer.number != 0).expect("one is open");
        assert_eq!(pool.peer(found).number, 0);
        assert_eq!(pool.idle(0, 0), 0);
    }

    #[test]
    fn old_and_idle_connections_are_closed() {
        let mut old = pool("{size: 3, max_lifetime: 10s}");
        let one = take(&mut old, 9 * S).expect("it is open");
        old.give_back(10 * S, one, true);
        assert_eq!(old.idle(10 * S, 0), 0);
        let mut idle = pool("{size: 3, min_idle: 1, idle_timeout: 10s}");
        assert_eq!(idle.idle(0, 0), 1);
        let opened: Vec<u32> = (0..2).map(|number| idle.open(S, 0, peer(number), S, 1.0)).collect();
        opened.into_iter().for_each(|id| idle.give_back(S, id, true));
        assert_eq!(idle.idle(10 * S, 0), 2);
        assert_eq!(idle.idle(11 * S, 0), 1);
        assert_eq!(pool("{size: 3, idle_timeout: 10s}").idle(0, 0), 0);
    }

    #[test]
    fn lives_are_shorter_by_up_to_the_jitter() {
        let mut pool =
            Pool::new(&settings::notation::read("{size: 9, max_lifetime: 100s, jitter: 10%}").expect("a pool"));
        let part = pool.part(None, 0);
        [0.0, 0.5, 1.0].into_iter().for_each(|share| pool.keep_open(0, part, peer(0), share));
        let left = [89 * S, 90 * S, 94 * S, 95 * S, 99 * S, 100 * S].map(|now| pool.idle(now, part));
        assert_eq!(left, [3, 2, 2, 1, 1, 0]);
    }

    #[test]
    fn calls_share_a_connection() {
        let mut pool = pool("{size: 2, streams: 3, min_idle: 0}");
        assert_eq!(pool.slots(0).capacity(), Some(6));
        let first = pool.open(0, 0, peer(1), S, 1.0);
        // Those who come while it is being opened wait for it rather than open another.
        assert_eq!([take(&mut pool, 0), take(&mut pool, 0), take(&mut pool, 0)], [Some(first), Some(first), None]);
        assert_eq!(pool.opened_at(first), S);
        let second = pool.open(0, 0, peer(2), S, 1.0);
        pool.give_back(2 * S, first, true);
        assert_eq!(take(&mut pool, 2 * S), Some(first));
        // It breaks: nobody else gets it, and it is gone with the last of its calls.
        pool.give_back(3 * S, first, false);
        assert_eq!(take(&mut pool, 3 * S), Some(second));
        pool.give_back(3 * S, first, false);
        pool.give_back(3 * S, first, true);
        assert_eq!(pool.idle(3 * S, 0), 1);
        assert_eq!(pool.connections.len(), 1);
    }

    #[test]
    fn each_replica_has_connections_of_its_own() {
        let mut pool = Pool::new(&settings::notation::read("{size: 1, per: target}").expect("a pool"));
        let (one, other) = (pool.part(Some(3), 0), pool.part(Some(5), 0));
        assert_eq!((one, other, pool.part(Some(3), 9)), (0, 1, 0));
        assert_eq!(pool.slots(one).ask(0, 1, 0), Admission::Granted);
        assert_eq!(pool.slots(other).ask(0, 2, 0), Admission::Granted);
        assert_eq!(pool.slots(other).ask(0, 3, 0), Admission::Queued);
    }

    #[test]
    fn it_agrees_with_a_list_that_is_searched() {
        use sim_core::random::Stream;
        let all = [
            "{size: 5}",
            "{size: 5, max_lifetime: 10s}",
            "{size: 5, min_idle: 2, idle_timeout: 3s}",
            "{size: 6, min_idle: 1, idle_timeout: 2s, max_lifetime: 7s}",
            "{size: 6, idle_timeout: 2s}",
        ];
        for text in all {
            let settings: PoolSettings = settings::notation::read(text).expect("a pool");
            let mut pool = pool(text);
            let mut stream = Stream::named(5, text);
            // The obvious way: what is idle with its instants, what is in use with its own.
            let kept = settings.min_idle() as usize;
            let mut idle: Vec<(Time, Time)> = vec![(0, 0); kept];
            let (mut in_use, mut now, mut opened): (Vec<(u32, Time)>, Time, u64) = (Vec::new(), 0, 0);
            for step in 0..5_000 {
                now += stream.below(S);
                idle.retain(|(_, opened)| settings.max_lifetime.is_none_or(|most| now - opened < most.0));
                while let (Some(most), Some((since, _))) = (settings.idle_timeout, idle.first())
                    && idle.len() > kept
                    && now - since >= most.0
                {
                    idle.remove(0);
                }
                assert_eq!(pool.idle(now, 0), idle.len(), "{text}, step {step}");
                if in_use.len() < settings.size as usize && stream.below(2) == 0 {
                    let expected = idle.pop().map(|(_, opened)| opened);
                    let found = take(&mut pool, now);
                    assert_eq!(found.map(|id| pool.opened_at(id)), expected, "{text}, step {step}");
                    opened += u64::from(found.is_none());
                    let id = found.unwrap_or_else(|| pool.open(now, 0, peer(0), now, 1.0));
                    in_use.push((id, expected.unwrap_or(now)));
                } else if !in_use.is_empty() {
                    let (id, opened) = in_use.swap_remove(stream.below(in_use.len() as u64) as usize);
                    // One in four is closed by a caller who gave up.
                    let is_good = stream.below(4) > 0;
                    pool.give_back(now, id, is_good);
                    if is_good && settings.max_lifetime.is_none_or(|most| now - opened < most.0) {
                        idle.push((now, opened));
                    }
                }
            }
            assert_eq!(pool.opened, opened, "{text}");
        }
    }
}
