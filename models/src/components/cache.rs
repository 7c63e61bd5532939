//! A cache: memory in front of something, by real keys.
//!
//! Beside what it fronts (cache aside): the caller looks here, calls what lies behind on a miss and writes the answer
//! back. Both take place in this component, so that the caller sees one call: a hit is answered after `latency`, a miss
//! goes over the link `to`, whose answer is passed on as it is and, if it is `ok`, kept. A caller who has given up
//! meanwhile writes nothing back. Entries are (operation, data key); expired ones take up room until they are asked for
//! or evicted, as in memcached and Redis. A crash loses everything.
//!
//! What writes goes on over the link `to`, and when it is answered, all entries of its key are forgotten: unless it was
//! certainly not carried out, since whoever had to was never asked, or said that it has failed. What neither reads nor writes
//! passes through.
//!
//! ```text
//!   call ─▶ [latency] ─▶ read ─▶ hit ─▶ answer
//!                  │         └─▶ miss ─▶ [joins another's miss?] ─▶ to ─▶ kept, answer
//!                  └──▶ write ─▶ to ─▶ forgotten, answer
//! ```

use settings::{Count, Duration, DurationDist, Fraction, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::{Answer, CallId, Component, Cx, Figure, Figures, Next, NodeId, Outcome, Span, Spent, Time, Timer, To};

use super::kind::{Access, Ask, Checks, Kind, Links};
use super::site::Site;
use crate::caching::hit_ratio::{self, Hits, KeyGroup, Room};
use crate::caching::{Data, EvictionSettings, Store, Table};
use crate::change_numbers::FORGET;
use crate::demand::{CallsMade, Demand, Outcomes, Surroundings};
use crate::law::Law;
use crate::link::{LinkSettings, forget_deadline, sample};
use crate::policies::not_yet::NotYet;
use crate::policies::outcomes::{from_behind, passed_on_from_behind};

/// How long entries are good.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "time")]
pub struct TtlSettings {
    /// Time from write to expiry.
    pub time: Duration,
    /// Largest share by which the TTL is shortened at random, so that entries written together do not expire together:
    /// TTL × uniform(1 − jitter, 1).
    #[setting(default = "0%")]
    pub jitter: Fraction,
}

/// Region.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum ModeSettings {
    /// Cache-aside: callers fetch what they miss and write it back.
    Aside,
    /// Read-through: the cache itself reads and writes.
    Through(NotYet),
    /// Write-behind: writes are passed on later.
    Behind(NotYet),
}

impl Settings {
    /// What an operation does.
    fn access(&self, op: &str) -> Access {
        let is_in = |ops: &Option<Vec<Spanned<Name>>>| ops.as_ref().map(|ops| ops.iter().any(|of| of.as_str() == op));
        match (is_in(&self.read_ops), is_in(&self.write_ops)) {
            (_, Some(true)) => Access::Write,
            (Some(true), _) | (None, _) => Access::Read,
            (Some(false), _) => Access::Pass,
        }
    }
}

impl ModeSettings {
    /// Whether the cache asks what is behind it only for what it has missed.
    fn is_aside(&self) -> bool {
        match self {
            ModeSettings::Aside => true,
            ModeSettings::Through(never) | ModeSettings::Behind(never) => match *never {},
        }
    }
}

/// Effect of a write on the entries of its key.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum OnWriteSettings {
    /// They are forgotten when it is answered.
    Invalidate,
    /// Entries take the written value.
    Update(NotYet),
    /// Entries stay, stale.
    Keep(NotYet),
}

impl OnWriteSettings {
    /// Whether a write makes its entries be forgotten.
    fn invalidates(&self) -> bool {
        match self {
            OnWriteSettings::Invalidate => true,
            OnWriteSettings::Update(never) | OnWriteSettings::Keep(never) => match *never {},
        }
    }
}

/// A cache in front of another component.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Component called on a miss, and by writes.
    pub to: LinkSettings,
    /// Operations that read; all but `write_ops` if not written. Where calls for several operations arrive, this or `write_ops`
    /// must be.
    pub read_ops: Option<Vec<Spanned<Name>>>,
    /// Operations that write: they go on to `to`. What is in neither list passes through.
    pub write_ops: Option<Vec<Spanned<Name>>>,
    /// Capacity in entries.
    #[setting(live)]
    pub capacity: Count,
    /// Time to live of entries. Without it they never expire.
    #[setting(live)]
    pub ttl: Option<TtlSettings>,
    /// Eviction policy. Redis and memcached evict by recency.
    #[setting(default = "lru")]
    pub eviction: EvictionSettings,
    /// Lookup time, for hits and misses.
    #[setting(default = "0s", live)]
    pub latency: DurationDist,
    /// Whether concurrent misses of the same entry share one call.
    #[setting(default = false)]
    pub coalesce: bool,
    /// Region.
    #[setting(default = "aside")]
    pub mode: ModeSettings,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Effect of a write on the entries of its key.
    #[setting(default = "invalidate")]
    pub on_write: OnWriteSettings,
    /// Serves expired entries while they are refreshed.
    pub stale_while_revalidate: Option<NotYet>,
    /// Probabilistic refresh before expiry.
    pub early_expiry: Option<NotYet>,
    /// Number of instances.
    pub instances: Option<NotYet>,
    /// Whether it survives a crash.
    pub durable: Option<NotYet>,
}

const EXAMPLE: &str = "\
kind: cache
to: {to: db, timeout: 200ms}
capacity: 10k
ttl: {time: 60s, jitter: 10%}
eviction: lru
latency: 500us
coalesce: true
";

const HIT_RATIO: Figure = Figure::share("hit_ratio", "Share of the reads answered from memory.");
const HITS: Figure = Figure::count("hits", "Reads answered from memory.");
const MISSES: Figure = Figure::count("misses", "Reads of an entry that was missing or had expired.");
const WRITES: Figure =
    Figure::count("writes", "Writes that went on to what is behind the cache; only with operations that write.");
const ENTRIES: Figure = Figure::level("entries", "Entries held at the end, expired ones included.");
const EVICTIONS: Figure = Figure::count("evictions", "Entries evicted to make room.");
const COALESCED: Figure =
    Figure::count("coalesced", "Misses that shared the call of another miss in flight; only with `coalesce`.");

const LINK: &str = "to";

const LOOK_UP: u8 = 0;

const PURPOSE_LATENCY: u32 = 0x6c61;
const PURPOSE_JITTER: u32 = 0x6a69;

/// A miss or a write under way: who made the call, and who waits for its answer too.
#[derive(Clone, Debug)]
struct Fetch {
    access: Access,
    data: Data,
    call: CallId,
    child: CallId,
    followers: Vec<CallId>,
}

/// The cache.
#[derive(Clone, Debug)]
pub struct Cache {
    settings: Settings,
    changes: Vec<(u32, Settings)>,
    link: (NodeId, u32),
    /// What each operation does, by its number.
    accesses: Vec<Access>,
    // State.
    store: Store,
    under_way: Slab<Fetch>,
    /// The miss that others of the same entry can join.
    by_data: Table,
    // Measures.
    hits: u64,
    misses: u64,
    writes: u64,
    coalesced: u64,
}

impl Kind for Cache {
    const NAME: &'static str = "cache";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[&[&HIT_RATIO, &HITS, &MISSES, &WRITES, &ENTRIES, &EVICTIONS, &COALESCED]];
    const FORGETS: bool = true;
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        vec![(LINK, &settings.to)]
    }

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn asks(settings: &Settings) -> Vec<Ask<'_>> {
        Ask::same(LINK, &settings.to)
    }

    fn needs_keys(_settings: &Settings) -> bool {
        true
    }

    fn keeps_at_most(settings: &Settings) -> u64 {
        settings.capacity.0
    }

    fn access(settings: &Settings, op: &str) -> Access {
        settings.access(op)
    }

    fn tells_apart(settings: &Settings) -> Option<Vec<&Spanned<Name>>> {
        Some(settings.read_ops.iter().chain(&settings.write_ops).flatten().collect())
    }

    fn demand(settings: &Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let (goes_on, mean) = match settings.access(op) {
            Access::Read => (around.miss_ratio, around.fetch_ratio),
            Access::Write | Access::Pass => (1.0, 1.0),
        };
        let look_up = Law::of_durations(&settings.latency.0);
        let fetched = (around.call)(LINK, None).map(|law| look_up.then(law).weighted(goes_on));
        let mut answer = Outcomes::ok(look_up.weighted(1.0 - goes_on));
        fetched.parts().for_each(|(outcome, law)| answer.add(from_behind(outcome), law));
        let calls = vec![CallsMade {
            link: LINK.to_string(),
            op: None,
            key: None,
            mean,
            most: 1.0,
            at_once: 1.0,
            awaited: true,
            sent: false,
        }];
        Demand { answer, calls, ..Demand::default() }
    }

    fn hits(settings: &Settings, groups: &[KeyGroup], fetch_s: f64) -> Option<Hits> {
        let ttl_s = settings.ttl.as_ref().map(|ttl| ttl.time.0 as f64 / 1e9 * (1.0 - ttl.jitter.0 / 2.0));
        let capacity = settings.capacity.0 as f64;
        let room = Room { capacity, eviction: settings.eviction, ttl_s, coalesce: settings.coalesce, fetch_s };
        hit_ratio::hits(groups, &room)
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        for op in settings.write_ops.iter().flatten() {
            if settings.read_ops.iter().flatten().any(|read| read.as_str() == op.as_str()) {
                let message = format!("`{}` cannot both read and write", op.as_str());
                checks.error("contradiction", op.span, "write_ops", &message, Some("remove it from one of the two"));
            }
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Cache {
        debug_assert!(settings.mode.is_aside(), "the look-up below is that of a cache aside");
        debug_assert!(settings.on_write.invalidates(), "and so is what writes do");
        Cache {
            accesses: site.ops().iter().map(|op| settings.access(op)).collect(),
            link: site.link(LINK),
            store: Store::new(
                settings.eviction,
                settings.capacity.0 as usize,
                site.ops().iter().filter(|op| settings.access(op) == Access::Read).count(),
                Stream::named(site.seed(), &site.stream("eviction")),
            ),
            settings: settings.clone(),
            changes: Vec::new(),
            under_way: Slab::new(),
            by_data: Table::default(),
            hits: 0,
            misses: 0,
            writes: 0,
            coalesced: 0,
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        self.changes.push((change, settings.clone()));
    }
}

impl Cache {
    fn look_up(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        if cx.is_expired(call) {
            return Next::reply(call, cx.answer(Outcome::Timeout));
        }
        let data = Data { op: cx.profile(call).op, key: cx.data_key(call) };
        let access = self.accesses[usize::from(data.op)];
        if access != Access::Read {
            self.writes += u64::from(access == Access::Write);
            return self.fetch(cx, call, access, data);
        }
        if self.store.look_up(data, now) {
            self.hits += 1;
            return Next::reply(call, cx.answer(Outcome::Ok));
        }
        self.misses += 1;
        if self.settings.coalesce
            && let Some(index) = self.by_data.get(data)
        {
            self.coalesced += 1;
            cx.set_ticket(call, index + 1);
            let miss = &mut self.under_way[index];
            miss.followers.push(call);
            cx.share(miss.call, call);
            cx.spent(call, Spent::Service);
            return Next::WAIT;
        }
        self.fetch(cx, call, access, data)
    }

    /// A call goes on to what is behind.
    fn fetch(&mut self, cx: &mut Cx<'_>, call: CallId, access: Access, data: Data) -> Next {
        let (node, link) = self.link;
        let child = cx.call(call, To { node, link, ordinal: 0, profile: None, path: 0, is_retry: false });
        let index = self.under_way.insert(Fetch { access, data, call, child, followers: Vec::new() });
        if self.settings.coalesce && access == Access::Read {
            self.by_data.insert(data, index);
            // Further callers may join it at any time.
            forget_deadline(cx, child);
        }
        cx.set_ticket(call, index + 1);
        Next::call(child)
    }

    fn end_fetch(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<Fetch> {
        let fetch = self.under_way.remove(index)?;
        if self.by_data.get(fetch.data) == Some(index) {
            self.by_data.remove(fetch.data);
        }
        if self.settings.coalesce {
            cx.end_sharing(fetch.call);
        }
        Some(fetch)
    }

    /// A write has been answered, or nobody waits any more for that.
    fn written(&mut self, key: u64, outcome: Outcome) {
        if !may_have_happened(outcome) {
            return;
        }
        for (op, _) in self.accesses.iter().enumerate().filter(|(_, access)| **access == Access::Read) {
            self.store.forget(Data { op: op as u16, key });
        }
    }

    /// When an entry that is written now expires.
    fn expires(&self, cx: &mut Cx<'_>, call: CallId) -> Time {
        let Some(ttl) = &self.settings.ttl else { return Time::MAX };
        let mut span = ttl.time.0;
        if ttl.jitter.0 > 0.0 {
            let shortened = span as f64 * ttl.jitter.0 * cx.draw(call, PURPOSE_JITTER).unit();
            span -= (shortened as Span).min(span);
        }
        cx.now().saturating_add(span)
    }
}

/// Whether something may have been done where this was answered.
fn may_have_happened(outcome: Outcome) -> bool {
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

impl Component for Cache {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        // What it fetches it keeps, whether or not those above its caller still wait.
        for (op, _) in self.accesses.iter().enumerate().filter(|(_, access)| **access == Access::Read) {
            cx.keep_answers(op as u16);
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        cx.set_ticket(call, 0);
        let latency = sample(&self.settings.latency.0, cx, call, PURPOSE_LATENCY);
        if latency == 0 {
            return self.look_up(cx, call);
        }
        cx.work(latency, Timer::of(LOOK_UP, call));
        Next::WAIT
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let Some(fetch) = self.end_fetch(cx, cx.ticket(call) - 1) else { return Next::reply(call, answer) };
        match fetch.access {
            Access::Read => {
                let somebody_waits = !cx.is_abandoned(call) || fetch.followers.iter().any(|f| !cx.is_abandoned(*f));
                if answer.outcome() == Outcome::Ok && somebody_waits {
                    let expires = self.expires(cx, call);
                    self.store.insert(fetch.data, expires);
                }
            }
            Access::Write => self.written(fetch.data.key, answer.outcome()),
            Access::Pass => {}
        }
        let answer = passed_on_from_behind(answer);
        for follower in fetch.followers {
            cx.spent(follower, Spent::Sharing);
            cx.post(Next::reply(follower, answer));
        }
        Next::reply(call, answer)
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::WAIT;
        }
        self.look_up(cx, call)
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let cancelled = Next::reply(call, cx.answer(Outcome::Cancelled));
        let ticket = cx.ticket(call);
        if ticket == 0 {
            return cancelled;
        }
        let fetch = &mut self.under_way[ticket - 1];
        if fetch.call != call {
            fetch.followers.retain(|f| *f != call);
            let leader = fetch.call;
            cx.stop_sharing(leader, call);
            return cancelled;
        }
        if !fetch.followers.is_empty() {
            // Others wait for its answer: the call goes on.
            return Next::WAIT;
        }
        let (child, access, key) = (fetch.child, fetch.access, fetch.data.key);
        self.end_fetch(cx, ticket - 1);
        if access == Access::Write {
            self.written(key, Outcome::Cancelled);
        }
        cx.abandon(child);
        cx.cancel_call(child);
        cancelled
    }

    fn rebuild(&mut self, _now: Time) {
        self.store.clear();
        self.under_way.clear();
        self.by_data.clear();
    }

    fn begin_measuring(&mut self, _now: Time) {
        self.hits = 0;
        self.misses = 0;
        self.writes = 0;
        self.coalesced = 0;
        self.store.begin_measuring();
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        figures.ratio(&HIT_RATIO, self.hits, self.hits + self.misses);
        figures.count(&HITS, self.hits);
        figures.count(&MISSES, self.misses);
        if self.accesses.contains(&Access::Write) {
            figures.count(&WRITES, self.writes);
        }
        figures.level(&ENTRIES, self.store.len() as u64);
        figures.count(&EVICTIONS, self.store.evictions());
        if self.settings.coalesce {
            figures.count(&COALESCED, self.coalesced);
        }
    }

    fn adopt(&mut self, _cx: &mut Cx<'_>, change: u32) -> bool {
        if change == FORGET {
            self.store.clear();
            return true;
        }
        let Some((_, settings)) = self.changes.iter().find(|(number, _)| *number == change) else { return false };
        self.settings = settings.clone();
        self.store.set_capacity(self.settings.capacity.0 as usize);
        true
    }
}
