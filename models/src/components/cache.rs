//! A cache: memory in front of something, by real keys.
//!
//! Beside what it fronts (cache aside): the caller looks here, calls what lies behind on a miss and writes the answer
//! back. Both take place in this component, so that the caller sees one call: a hit is answered after `latency`, a miss
//! goes over the link `to`, whose answer is passed on as it is and, if it is `ok`, kept, `write_back` later. A caller who has given
//! up meanwhile writes nothing back. Entries are (operation, data key); expired ones take up room until they are asked for
//! or evicted, as in memcached and Redis. A crash loses everything, unless it is `durable`.
//!
//! What writes goes on over the link `to`, and when it is answered, `write_back` later, all entries of its key are forgotten or
//! take the new value: unless it was certainly not carried out, since whoever had to was never asked, or said that it has failed.
//! What neither reads nor writes passes through. With `mode: behind` a write is answered at once and passed on with the next
//! flush.
//!
//! ```text
//!   call ─▶ [latency] ─▶ read ─▶ hit ─▶ answer ─▶ [expired: read anew behind its back]
//!                  │         └─▶ miss ─▶ [joins another's miss?] ─▶ to ─▶ answer ─▶ [write_back] ─▶ kept
//!                  └──▶ write ─▶ to ─▶ answer ─▶ [write_back] ─▶ forgotten, or the new value is kept
//!                             └─▶ behind: answer ─▶ [next flush] ─▶ to
//! ```
//!
//! What can be said of it stands in `cache/settings.rs`, what it is made of in `state.rs`; reads go through `reading.rs`, writes through `writing.rs`.

mod facts;
mod measures;
mod reading;
mod settings;
mod state;
mod unsent;
mod writing;

use std::sync::Arc;

use ::settings::{Name, Spanned};
use sim_core::figures::Set;
use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::{Answer, CallId, Class, Component, Cx, Figures, Happens, Next, Outcome, Time, Timer};

use super::kind::{Access, Ask, Checks, Kind, Links};
use super::site::Site;
use crate::caching::hit_ratio::{self, Hits, KeyGroup, Room};
use crate::caching::{Data, Store, Table};
use crate::change_numbers::{FORGET, Share, share_of};
use crate::demand::{CallsMade, Demand, Outcomes, Surroundings};
use crate::law::Law;
use crate::link::sample;
use crate::policies::outcomes::{from_behind, passed_on_from_behind};
use facts::Facts;
use measures::{Asked, Measures};
use state::{FLUSH, GIVE_UP, HEARD, LOOK_UP, PURPOSE_LATENCY, Work};
use unsent::Unsent;

pub use settings::{
    BehindSettings, EarlyExpirySettings, LeaseSettings, ModeSettings, OnWriteSettings, Settings, TtlSettings,
};
pub use state::Cache;

const EXAMPLE: &str = "\
kind: cache
to: {to: db, timeout: 200ms}
capacity: 10k
ttl: {time: 60s, jitter: 10%}
eviction: lru
latency: 500us
coalesce: true
";

const LINK: &str = "to";

impl Kind for Cache {
    const NAME: &'static str = "cache";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = measures::FIGURES;
    const HAPPENS: &'static [&'static Happens] = measures::HAPPENS;
    const FORGETS: bool = true;
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        vec![(LINK, &settings.to)]
    }

    fn goes_on_after_answers(settings: &Settings) -> bool {
        settings.refreshes() || settings.flush().is_some()
    }

    fn replicas(settings: &Settings) -> u32 {
        settings.instances
    }

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn asks(settings: &Settings) -> Vec<Ask<'_>> {
        Ask::same(LINK, &settings.to)
    }

    fn needs_keys(settings: &Settings) -> bool {
        settings.hit_ratio.is_none()
    }

    fn keeps_at_most(settings: &Settings) -> u64 {
        settings.room() as u64
    }

    fn access(settings: &Settings, op: &str) -> Access {
        settings.access(op)
    }

    fn tells_apart(settings: &Settings) -> Option<Vec<&Spanned<Name>>> {
        Some(settings.read_ops.iter().chain(&settings.write_ops).flatten().collect())
    }

    fn demand(settings: &Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let is_later = settings.access(op) == Access::Write && settings.flush().is_some();
        let (goes_on, mean) = match settings.access(op) {
            Access::Read => (around.miss_ratio, around.fetch_ratio),
            Access::Write if is_later => (0.0, 1.0),
            Access::Write | Access::Pass => (1.0, 1.0),
        };
        let whole = Law::of_durations(&settings.latency.0);
        let limit_s = settings.timeout.map_or(f64::INFINITY, |timeout| timeout.0 as f64 / 1e9);
        let (look_up, late) = if limit_s.is_finite() { whole.split(limit_s) } else { (whole, 0.0) };
        let mean = if is_later { mean } else { mean * (1.0 - late) + late };
        let fetched = (around.call)(LINK, None);
        let mut answer = Outcomes::ok(look_up.weighted(1.0 - goes_on));
        let ways = [(look_up, goes_on), (Law::always(limit_s.min(1e9)), if is_later { 0.0 } else { late })];
        for (before, weight) in ways.iter().filter(|(_, weight)| *weight > 0.0) {
            let after = fetched.map(|law| before.then(law).weighted(*weight));
            after.parts().for_each(|(outcome, law)| answer.add(from_behind(outcome), law));
        }
        if is_later && late > 0.0 {
            answer.add(Outcome::Ok, &Law::always(limit_s).weighted(late));
        }
        let calls = vec![CallsMade {
            link: LINK.to_string(),
            op: None,
            key: None,
            mean,
            most: 1.0,
            at_once: 1.0,
            awaited: !is_later,
            sent: false,
        }];
        Demand { answer, calls, ..Demand::default() }
    }

    fn hits(settings: &Settings, groups: &[KeyGroup], fetch_s: f64) -> Option<Hits> {
        if let Some(ratio) = settings.hit_ratio {
            return Some(Hits { ratio: ratio.0, fetches: 1.0 - ratio.0 });
        }
        if !settings.is_plain() {
            return None;
        }
        let ttl_s = settings.ttl.as_ref().map(|ttl| ttl.time.0 as f64 / 1e9 * (1.0 - ttl.jitter.0 / 2.0));
        let (capacity, coalesce) = (settings.room() as f64, settings.shares());
        // Each instance sees its share of the requests for each key.
        let instances = f64::from(settings.instances);
        let share = |group: &KeyGroup| KeyGroup { rate_per_s: group.rate_per_s / instances, ..*group };
        let groups: Vec<KeyGroup> = groups.iter().map(share).collect();
        hit_ratio::hits(&groups, &Room { capacity, eviction: settings.eviction, ttl_s, coalesce, fetch_s })
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        settings.check(checks);
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Cache {
        let accesses: Vec<Access> = site.ops().iter().map(|op| settings.access(op)).collect();
        let of = |op: &u16| accesses.get(usize::from(*op)).copied().unwrap_or(Access::Pass);
        let arrive = &site.directory.asked[site.component];
        let readers: Vec<u16> = arrive.iter().copied().filter(|op| of(op) == Access::Read).collect();
        let writes = arrive.iter().any(|op| of(op) == Access::Write);
        let asked = Asked {
            keeps: settings.hit_ratio.is_none(),
            writes,
            shares: settings.shares(),
            refreshes: settings.refreshes(),
            serves_on_error: settings.stale_if_error.is_some(),
            early: settings.early_expiry.is_some(),
            negative: settings.negative_ttl.is_some(),
            lease: settings.lease.is_some(),
            behind: settings.flush().is_some(),
            timeout: settings.timeout.is_some(),
            tells_ops_apart: readers.len() > 1,
            hot_keys: settings.hot_keys.map_or(0, u64::from),
        };
        let stream = |what: &str| Stream::named(site.seed(), &site.stream(what));
        let names = readers.iter().map(|op| (*op, Arc::from(site.ops()[usize::from(*op)].as_str())));
        Cache {
            names: names.collect(),
            link: site.link(LINK),
            store: Store::new(settings.eviction, settings.room(), readers.len(), stream("eviction")),
            stream: stream("forgetting"),
            facts: Facts::new(asked.early, writes, asked.negative),
            settings: settings.clone(),
            changes: Vec::new(),
            keys_most: site.directory.keys_most,
            readers,
            asked,
            accesses,
            under_way: Slab::new(),
            by_data: Table::default(),
            refreshing: Table::default(),
            to_hear: Slab::new(),
            unsent: Unsent::default(),
            lost_lately: 0,
            measures: Measures::default(),
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        self.changes.push((change, settings.clone()));
    }
}

impl Cache {
    /// Looks at a call whose look-up is over.
    fn look_up(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.is_expired(call) {
            return Next::reply(call, cx.answer(Outcome::Timeout));
        }
        let data = Data { op: cx.profile(call).op, key: cx.data_key(call) };
        match self.accesses[usize::from(data.op)] {
            Access::Read => self.read(cx, call, data),
            Access::Write => self.write(cx, call, data),
            Access::Pass => self.go_on(cx, call, Work::Pass, data),
        }
    }

    /// A look-up takes too long: the call goes on as if there were no cache.
    fn go_past(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        self.measures.timeouts += 1;
        let data = Data { op: cx.profile(call).op, key: cx.data_key(call) };
        match self.accesses[usize::from(data.op)] {
            Access::Read => {
                self.measures.miss(&self.asked, data);
                self.go_on(cx, call, Work::Pass, data)
            }
            Access::Write => self.write(cx, call, data),
            Access::Pass => self.go_on(cx, call, Work::Pass, data),
        }
    }
}

impl Component for Cache {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        // What it fetches it keeps, whether or not those above its caller still wait.
        for (op, _) in self.accesses.iter().enumerate().filter(|(_, access)| **access == Access::Read) {
            cx.keep_answers(op as u16);
        }
        if std::mem::take(&mut self.lost_lately) > 0 {
            cx.happened(&measures::LOST);
        }
        if self.settings.warm.0 > 0.0 && self.store.is_empty() {
            self.fill(cx.now(), self.settings.warm.0);
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        cx.set_ticket(call, 0);
        let latency = sample(&self.settings.latency.0, cx, call, PURPOSE_LATENCY);
        if latency == 0 {
            return self.look_up(cx, call);
        }
        match self.settings.timeout {
            Some(timeout) if cx.stretched(latency) > timeout.0 => {
                cx.after(timeout.0, Class::GivingUp, Timer::of(GIVE_UP, call));
            }
            _ => {
                cx.work(latency, Timer::of(LOOK_UP, call));
            }
        }
        Next::WAIT
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let Some(ended) = self.end(cx, cx.ticket(call) - 1) else { return Next::reply(call, answer) };
        match ended.work {
            Work::Read => self.have_read(cx, ended, answer),
            Work::Refresh => self.have_refreshed(cx, ended, answer),
            Work::Write => {
                self.have_written(cx, call, ended.data.key, answer.outcome());
                Next::reply(call, passed_on_from_behind(answer))
            }
            Work::Flush { writes, tried } => self.have_sent(cx, &ended, (writes, tried), answer.outcome()),
            Work::Pass => Next::reply(call, passed_on_from_behind(answer)),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            HEARD => {
                if let Some(heard) = self.to_hear.remove(timer.data as u32) {
                    self.hear(cx.now(), heard);
                }
                Next::WAIT
            }
            FLUSH => self.flush(cx, timer.data == 1),
            _ if !cx.is_open(timer.call()) => Next::WAIT,
            GIVE_UP => self.go_past(cx, timer.call()),
            _ => self.look_up(cx, timer.call()),
        }
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let cancelled = Next::reply(call, cx.answer(Outcome::Cancelled));
        let ticket = cx.ticket(call);
        if ticket == 0 {
            return cancelled;
        }
        let under_way = &mut self.under_way[ticket - 1];
        if under_way.call != call {
            under_way.followers.retain(|f| *f != call);
            let leader = under_way.call;
            cx.stop_sharing(leader, call);
            return cancelled;
        }
        if !under_way.followers.is_empty() {
            // Others wait for its answer: the call goes on.
            return Next::WAIT;
        }
        let (child, work, key) = (under_way.child, under_way.work, under_way.data.key);
        self.end(cx, ticket - 1);
        if work == Work::Write {
            self.have_written(cx, call, key, Outcome::Cancelled);
        }
        cx.abandon(child);
        cx.cancel_call(child);
        cancelled
    }

    fn rebuild(&mut self, _now: Time) {
        self.lost_lately = self.unsent.clear();
        self.measures.lost_writes += self.lost_lately;
        if !self.settings.durable {
            self.store.clear();
        }
        self.under_way.clear();
        self.by_data.clear();
        self.refreshing.clear();
        self.to_hear.clear();
    }

    fn begin_measuring(&mut self, _now: Time) {
        self.measures = Measures::default();
        self.store.begin_measuring();
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        let held = (self.store.len() as u64, self.store.evictions(), self.unsent.writes());
        self.measures.figures(self.asked, held, figures);
        if self.asked.tells_ops_apart {
            self.measures.figures_of_ops(&self.names, figures);
        }
        if let Some(size) = self.settings.entry_size {
            figures.level(&measures::BYTES, (self.store.len() as u64).saturating_mul(size.0));
        }
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        if change == FORGET {
            self.store.clear();
            self.drop_unsent(cx);
            return true;
        }
        match share_of(change) {
            Some(Share::Forgotten(share)) => {
                let stream = &mut self.stream;
                self.store.forget_some(|_| stream.unit() < share);
                return true;
            }
            Some(Share::Filled(share)) => {
                self.fill(cx.now(), share);
                return true;
            }
            None => {}
        }
        let Some((_, settings)) = self.changes.iter().find(|(number, _)| *number == change) else { return false };
        self.settings = settings.clone();
        self.store.set_capacity(self.settings.room());
        true
    }
}
