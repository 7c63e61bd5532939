//! The state of a cache, and what reads and writes do to it.

use std::sync::Arc;

use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::{CallId, Class, Cx, Next, NodeId, Outcome, Span, Time, Timer, To};

use super::super::kind::Access;
use super::facts::{Fact, Facts};
use super::measures::{Asked, Measures};
use super::settings::Settings;
use super::unsent::Unsent;
use crate::caching::{Data, Store, Table};
use crate::link::{forget_deadline, sample};

// Timers of calls …
pub(super) const LOOK_UP: u8 = 0;
pub(super) const GIVE_UP: u8 = 3;
// … and of the cache.
pub(super) const HEARD: u8 = 1;
pub(super) const FLUSH: u8 = 2;

pub(super) const PURPOSE_LATENCY: u32 = 0x6c61;
pub(super) const PURPOSE_JITTER: u32 = 0x6a69;
pub(super) const PURPOSE_HIT: u32 = 0x6869;
pub(super) const PURPOSE_EARLY: u32 = 0x6561;
pub(super) const PURPOSE_BACK: u32 = 0x6261;

/// What a call over the link is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A miss.
    Read,
    /// A read that was answered with what was there.
    Refresh,
    Write,
    /// Writes that were answered before: how many, and how often they have been sent before.
    Flush {
        writes: u64,
        tried: u32,
    },
    Pass,
}

/// A call under way: who made the call that it is made for, and who waits for its answer too.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub(super) work: Work,
    pub(super) data: Data,
    pub(super) call: CallId,
    pub(super) child: CallId,
    pub(super) since: Time,
    /// What it brings must not be kept: a write has voided its token, or another one has been given out.
    pub(super) voided: bool,
    pub(super) followers: Vec<CallId>,
}

/// What the cache will hear of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    /// A value, with how long it is good.
    Value { data: Data, fact: Fact, good: Span, voided: bool },
    /// A write after which the entries of a key are to be forgotten.
    Forget { key: u64 },
    /// The value that was written.
    Written { key: u64, fact: Fact, good: Span },
}

/// The cache.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) settings: Settings,
    pub(super) changes: Vec<(u32, Settings)>,
    pub(super) link: (NodeId, u32),
    /// What each operation does, by its number.
    pub(super) accesses: Vec<Access>,
    /// The operations that read, of those that can arrive.
    pub(super) readers: Vec<u16>,
    /// The same with their names.
    pub(super) names: Vec<(u16, Arc<str>)>,
    /// How many different keys requests are about, at most.
    pub(super) keys_most: u64,
    pub(super) asked: Asked,
    pub(super) stream: Stream,
    // State.
    pub(super) store: Store,
    pub(super) facts: Facts,
    pub(super) under_way: Slab<UnderWay>,
    /// The miss that others of the same entry can join.
    pub(super) by_data: Table,
    /// Reads of an entry whose readers do not wait.
    pub(super) refreshing: Table,
    pub(super) to_hear: Slab<Heard>,
    pub(super) unsent: Unsent,
    pub(super) lost_lately: u64,
    pub(super) measures: Measures,
}

impl Cache {
    /// A call goes on to what is behind.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>, call: CallId, work: Work, data: Data) -> Next {
        let child = self.call_behind(cx, call, work, data, 0);
        if self.settings.shares() && work == Work::Read {
            // Further callers may join it at any time.
            forget_deadline(cx, child);
        }
        Next::call(child)
    }

    /// Makes the call to what is behind that is made for `call`.
    pub(super) fn call_behind(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        work: Work,
        data: Data,
        ordinal: u32,
    ) -> CallId {
        let (node, link) = self.link;
        let child = cx.call(call, To { node, link, ordinal, profile: None, path: 0, is_retry: false });
        let since = cx.now();
        let (voided, followers) = (false, Vec::new());
        let index = self.under_way.insert(UnderWay { work, data, call, child, since, voided, followers });
        match work {
            Work::Read if self.settings.shares() => self.by_data.insert(data, index),
            Work::Refresh => self.refreshing.insert(data, index),
            Work::Read | Work::Write | Work::Flush { .. } | Work::Pass => {}
        }
        cx.set_ticket(call, index + 1);
        child
    }

    pub(super) fn end(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<UnderWay> {
        let ended = self.under_way.remove(index)?;
        for table in [&mut self.by_data, &mut self.refreshing] {
            if table.get(ended.data) == Some(index) {
                table.remove(ended.data);
            }
        }
        if self.settings.shares() {
            cx.end_sharing(ended.call);
        }
        Some(ended)
    }

    /// For how long a value that is read or written now is good.
    pub(super) fn good_for(&self, cx: &mut Cx<'_>, call: CallId) -> Span {
        let Some(ttl) = &self.settings.ttl else { return Span::MAX };
        let mut span = ttl.time.0;
        if ttl.jitter.0 > 0.0 {
            let shortened = span as f64 * ttl.jitter.0 * cx.draw(call, PURPOSE_JITTER).unit();
            span -= (shortened as Span).min(span);
        }
        span
    }

    /// The cache hears of something, now or after a while.
    pub(super) fn tell(&mut self, cx: &mut Cx<'_>, call: CallId, heard: Heard) {
        let delay = sample(&self.settings.write_back.0, cx, call, PURPOSE_BACK);
        if delay == 0 {
            self.hear(cx.now(), heard);
        } else {
            let index = self.to_hear.insert(heard);
            cx.after(delay, Class::First, Timer { what: HEARD, data: u64::from(index) });
        }
    }

    pub(super) fn hear(&mut self, now: Time, heard: Heard) {
        match heard {
            Heard::Value { voided: true, .. } => self.measures.voided += 1,
            Heard::Value { data, fact, good, voided: false } => self.put(data, fact, now.saturating_add(good)),
            Heard::Forget { key } => self.forget(key),
            Heard::Written { key, fact, good } => {
                self.void(key);
                self.put_all(key, fact, now.saturating_add(good));
            }
        }
    }

    pub(super) fn put(&mut self, data: Data, fact: Fact, expires: Time) {
        if let Some(index) = self.store.insert(data, expires) {
            self.facts.note(index, fact);
        }
    }

    /// The same value for all operations that read.
    pub(super) fn put_all(&mut self, key: u64, fact: Fact, expires: Time) {
        for nth in 0..self.readers.len() {
            self.put(Data { op: self.readers[nth], key }, fact, expires);
        }
    }

    /// Forgets all entries of a key.
    pub(super) fn forget(&mut self, key: u64) {
        for op in &self.readers {
            self.store.forget(Data { op: *op, key });
        }
        self.void(key);
    }

    /// No token that was given out for a key counts any more.
    pub(super) fn void(&mut self, key: u64) {
        if self.settings.lease.is_none() {
            return;
        }
        for op in &self.readers {
            if let Some(index) = self.by_data.remove(Data { op: *op, key }) {
                self.under_way[index].voided = true;
            }
        }
        for (_, heard) in self.to_hear.iter_mut() {
            if let Heard::Value { data, voided, .. } = heard
                && data.key == key
            {
                *voided = true;
            }
        }
    }

    /// Fills a share of the room, as if the keys had been asked for some time ago.
    pub(super) fn fill(&mut self, now: Time, share: f64) {
        let readers = self.readers.len().max(1);
        let room = (self.settings.room() as f64 * share) as u64 / readers as u64;
        let ttl = self.settings.ttl.as_ref().map(|ttl| ttl.time.0);
        // The most popular come last.
        for key in (0..room.min(self.keys_most)).rev() {
            for nth in 0..self.readers.len() {
                let data = Data { op: self.readers[nth], key };
                if self.store.find(data).is_some() {
                    continue;
                }
                let (expires, since) = match ttl {
                    Some(ttl) => {
                        let left = (self.stream.unit() * ttl as f64) as Span;
                        (now.saturating_add(left), now.saturating_add(left).saturating_sub(ttl))
                    }
                    None => (Time::MAX, now),
                };
                self.put(data, Fact { since, took: 0, stale: Time::MAX, negative: false }, expires);
            }
        }
    }
}

/// Whether something may have been done where this was answered.
pub(super) fn may_have_happened(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Ok | Outcome::Accepted | Outcome::Degraded => true,
        // Nobody knows.
        Outcome::Timeout | Outcome::Reset | Outcome::Unavailable | Outcome::Cancelled => true,
        Outcome::RateLimited
        | Outcome::Overload
        | Outcome::Error
        | Outcome::ClientError
        | Outcome::BreakerOpen
        | Outcome::PoolTimeout => false,
    }
}
