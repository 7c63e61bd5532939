//! Rate limits: calls beyond a rate are refused and told when to come again, or wait for their turn.
//!
//! The limiters themselves are in [`crate::policies::limiters`]. With `by` each operation, key or client has one of its own,
//! which is forgotten as soon as it is again as it was at the start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use settings::bind::NOT_YET;
use settings::values::Scalar;
use settings::{Duration, Rate, Setting};
use sim_core::figures::Set;
use sim_core::{Figure, Figures, Outcome, Span, Time};

use crate::policies::flaw::Flaw;
use crate::policies::gate::{Asking, Gate, Permit, Refusal, Verdict};
use crate::policies::limiters::{Bound, LeakyBucket, Limiter, Offer};
use crate::policies::policy::{Described, Passes, Policy};

/// How calls beyond the rate are detected, and what happens to them.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum LimiterSettings {
    /// Each call takes a token and is rejected if there is none. Tokens arrive at a constant rate and accumulate up to
    /// the burst size.
    TokenBucket {
        /// Tokens per second.
        #[setting(live)]
        rate: Rate,
        /// Burst size: calls that can pass at once after a quiet period.
        #[setting(default = 1, range = "1..=1000000000", live)]
        burst: u32,
    },
    /// Calls pass at a constant rate: a call that comes too early waits for its turn, as in nginx's `limit_req`. Waiting
    /// is inside `total_timeout` and outside `timeout`.
    LeakyBucket {
        /// Calls per second.
        #[setting(live)]
        rate: Rate,
        /// Calls that may wait; further calls are rejected. The default is that of nginx's `burst`: none waits.
        #[setting(default = 0, range = "0..=1000000000", live)]
        queue: u32,
    },
    /// A number of calls in each window; windows begin at whole multiples of their length. Across the edge of two windows
    /// twice that number can pass.
    FixedWindow {
        /// Calls allowed per window.
        #[setting(range = "1..=1000000000", live)]
        limit: u32,
        /// Length of a window.
        #[setting(range = ">0s", live)]
        window: Duration,
    },
    /// A number of calls in any window that ends now, exactly: the time of every call is remembered.
    SlidingLog {
        /// Calls allowed in any window.
        #[setting(range = "1..=1000000", live)]
        limit: u32,
        /// Length of a window.
        #[setting(range = ">0s", live)]
        window: Duration,
    },
    /// A number of calls in any window that ends now, estimated as Cloudflare does: the calls of the current fixed
    /// window, and a share of the one before it.
    SlidingCounter {
        /// Calls allowed in any window, as estimated.
        #[setting(range = "1..=1000000000", live)]
        limit: u32,
        /// Length of a window.
        #[setting(range = ">0s", live)]
        window: Duration,
    },
}

impl LimiterSettings {
    /// Calls a second that are let through in the long run.
    fn rate_per_s(&self) -> f64 {
        match self {
            LimiterSettings::TokenBucket { rate, .. } | LimiterSettings::LeakyBucket { rate, .. } => rate.0,
            LimiterSettings::FixedWindow { limit, window }
            | LimiterSettings::SlidingLog { limit, window }
            | LimiterSettings::SlidingCounter { limit, window } => f64::from(*limit) * 1e9 / window.0 as f64,
        }
    }

    /// In words.
    fn words(&self) -> String {
        match self {
            LimiterSettings::TokenBucket { rate, burst } => format!("{}, bursts of {burst}", rate.format()),
            LimiterSettings::LeakyBucket { rate, queue } => format!("{}, {queue} may wait", rate.format()),
            LimiterSettings::FixedWindow { limit, window }
            | LimiterSettings::SlidingLog { limit, window }
            | LimiterSettings::SlidingCounter { limit, window } => format!("{limit} in {}", window.format()),
        }
    }

    /// How long the last of a full queue waits.
    fn longest_wait(&self) -> Span {
        match self {
            LimiterSettings::LeakyBucket { rate, queue } if rate.0 > 0.0 => (f64::from(*queue) / rate.0 * 1e9) as Span,
            LimiterSettings::LeakyBucket { .. }
            | LimiterSettings::TokenBucket { .. }
            | LimiterSettings::FixedWindow { .. }
            | LimiterSettings::SlidingLog { .. }
            | LimiterSettings::SlidingCounter { .. } => 0,
        }
    }

    /// How long a call that has passed counts.
    pub fn horizon(&self) -> Span {
        match self {
            LimiterSettings::TokenBucket { rate, burst } if rate.0 > 0.0 => (f64::from(*burst) / rate.0 * 1e9) as Span,
            LimiterSettings::TokenBucket { .. } | LimiterSettings::LeakyBucket { .. } => 0,
            LimiterSettings::FixedWindow { window, .. } | LimiterSettings::SlidingLog { window, .. } => window.0,
            LimiterSettings::SlidingCounter { window, .. } => 2 * window.0,
        }
    }

    /// What the limiter is made of.
    fn sort(&self) -> Sort {
        match self {
            LimiterSettings::TokenBucket { rate, burst } => Sort::Refuses(Bound::Tokens(rate.0, *burst)),
            LimiterSettings::LeakyBucket { rate, queue } => Sort::Delays(rate.0, *queue),
            LimiterSettings::FixedWindow { limit, window } => Sort::Refuses(Bound::Fixed(*limit, window.0)),
            LimiterSettings::SlidingLog { limit, window } => Sort::Refuses(Bound::Log(*limit, window.0)),
            LimiterSettings::SlidingCounter { limit, window } => Sort::Refuses(Bound::Counter(*limit, window.0)),
        }
    }
}

/// What a limiter is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sort {
    /// It refuses.
    Refuses(Bound),
    /// It makes calls wait: the rate a second, and how many may wait.
    Delays(f64, u32),
}

/// Which calls share a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum LimitBy {
    /// Those of the same operation.
    Op,
    /// Those with the same data key.
    Key,
    /// Those of the same client: of requests from the same one of a workload's `clients`, or from the same user.
    Client,
}

/// A bound on the rate of calls.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RateLimitSettings {
    /// The algorithm.
    #[setting(flatten)]
    pub limit: LimiterSettings,
    /// One limiter per operation, key or client. Without it all calls share one limiter.
    pub by: Option<LimitBy>,
}

impl RateLimitSettings {
    /// Whether each client has a limiter of its own.
    pub fn goes_by_client(&self) -> bool {
        self.by == Some(LimitBy::Client)
    }

    /// Calls a second that are let through in the long run; unknown where each operation, key or client has its own limiter.
    pub fn rate_per_s(&self) -> Option<f64> {
        self.by.is_none().then(|| self.limit.rate_per_s())
    }

    /// What is wrong with a limit that delays where calls can only be refused.
    pub fn flaws_of_delays(limit: &LimiterSettings) -> Vec<Flaw> {
        let Sort::Delays(..) = limit.sort() else { return Vec::new() };
        vec![Flaw {
            code: NOT_YET,
            key: "leaky_bucket".to_string(),
            message: "`leaky_bucket` delays calls, but here calls can only be rejected".to_string(),
            help: "use `token_bucket`, or put the `leaky_bucket` on the links that call it".to_string(),
        }]
    }
}

const REFUSED: Figure = Figure::count("rate_limit.refused", "Attempts rejected by the rate limit.");
const DELAYED: Figure =
    Figure::count("rate_limit.delayed", "Attempts that were delayed and then passed; only with `leaky_bucket`.");
const WAIT: Figure =
    Figure::mean("rate_limit.wait", "Mean wait of the attempts that waited; only with `leaky_bucket`.").in_seconds();
const LIMITERS: Figure =
    Figure::level("rate_limit.limiters", "Operations, keys or clients that limiters track; only with `by`.");

/// The figures of a rate limit that only refuses.
pub const FIGURES_OF_CALLEES: Set = &[&REFUSED, &LIMITERS];

impl Policy for RateLimit {
    const FIGURES: Set = &[&REFUSED, &DELAYED, &WAIT, &LIMITERS];
    type Settings = RateLimitSettings;

    fn brief(settings: &RateLimitSettings) -> Option<String> {
        Some(format!("rate_limit {}", Rate(settings.limit.rate_per_s()).format()))
    }

    fn holds_up(settings: &RateLimitSettings) -> Span {
        settings.limit.longest_wait()
    }

    fn passes(settings: &RateLimitSettings) -> Option<Passes> {
        let Some(per_s) = settings.rate_per_s() else { return Some(Passes::Some) };
        let (at_once, waits) = match settings.limit {
            LimiterSettings::TokenBucket { burst, .. } => (f64::from(burst), false),
            LimiterSettings::LeakyBucket { queue, .. } => (f64::from(queue) + 1.0, queue > 0),
            LimiterSettings::FixedWindow { limit, .. }
            | LimiterSettings::SlidingLog { limit, .. }
            | LimiterSettings::SlidingCounter { limit, .. } => (f64::from(limit), false),
        };
        Some(Passes::Rate { per_s, at_once, waits, otherwise: Outcome::RateLimited })
    }

    fn described(settings: &RateLimitSettings) -> Option<Described> {
        let by = match settings.by {
            None => "",
            Some(LimitBy::Op) => ", for each operation",
            Some(LimitBy::Key) => ", for each key",
            Some(LimitBy::Client) => ", for each client",
        };
        Some(Described { words: format!("{}{by}", settings.limit.words()), has_state: true })
    }
}

/// A limiter of either sort.
#[derive(Clone, Debug)]
enum Meter {
    Refuses(Limiter),
    Delays(LeakyBucket),
}

impl Meter {
    fn new(sort: Sort) -> Meter {
        match sort {
            Sort::Refuses(bound) => Meter::Refuses(Limiter::new(bound)),
            Sort::Delays(rate, queue) => Meter::Delays(LeakyBucket::new(rate, queue)),
        }
    }

    fn is_fresh(&self, now: Time) -> bool {
        match self {
            Meter::Refuses(limiter) => limiter.is_fresh(now),
            Meter::Delays(bucket) => bucket.is_fresh(now),
        }
    }

    fn due(&self) -> Option<Time> {
        match self {
            Meter::Refuses(_) => None,
            Meter::Delays(bucket) => bucket.due(),
        }
    }
}

/// What is measured of a rate limit.
#[derive(Clone, Copy, Debug, Default)]
struct Measures {
    refused: u64,
    /// Calls that have passed after waiting, and how long they waited together.
    delayed: u64,
    waited: u128,
}

/// The rate limit of one calling replica and link.
#[derive(Clone, Debug)]
pub struct RateLimit {
    settings: RateLimitSettings,
    /// A limiter for each operation, key or client that has been seen of late; under 0 the only one.
    meters: BTreeMap<u64, Meter>,
    /// The last one of which it was seen whether it can be forgotten.
    looked_at: u64,
    /// When the first in the queue of each meter may pass.
    due: BTreeSet<(Time, u64)>,
    /// At which meter each call waits.
    waiting: BTreeMap<u32, u64>,
    /// Calls that waited for a limiter that is no longer there.
    released: VecDeque<u32>,
    measures: Measures,
}

/// How many limiters each call looks at to see whether they can be forgotten. It adds at most one, so that two keep
/// their number below twice that of the limiters in use, and a few.
const LOOKED_AT: usize = 2;

impl RateLimit {
    fn group(&self, who: &Asking<'_>) -> u64 {
        match self.settings.by {
            None => 0,
            Some(LimitBy::Op) => u64::from(who.op),
            Some(LimitBy::Key) => who.key,
            Some(LimitBy::Client) => who.client,
        }
    }

    /// Which limiter a call is counted by.
    pub fn counted_by(&self, who: &Asking<'_>) -> u64 {
        self.group(who)
    }

    /// A call has passed elsewhere at an instant that is counted by this limiter.
    pub fn charge(&mut self, at: Time, group: u64) {
        let sort = self.settings.limit.sort();
        if let Meter::Refuses(limiter) = self.meters.entry(group).or_insert_with(|| Meter::new(sort)) {
            limiter.charge(at);
        }
    }

    /// Forgets limiters that are as they were at the start, a few a call.
    fn forget(&mut self, now: Time) {
        for _ in 0..LOOKED_AT.min(self.meters.len()) {
            let after = self.meters.range((Excluded(self.looked_at), Unbounded)).next();
            let Some((key, meter)) = after.or_else(|| self.meters.first_key_value()) else { return };
            self.looked_at = *key;
            if meter.is_fresh(now) {
                self.meters.remove(&self.looked_at);
            }
        }
    }

    /// Keeps in order when the queue of a meter moves on.
    fn reschedule(&mut self, group: u64, before: Option<Time>) {
        let after = self.meters.get(&group).and_then(Meter::due);
        if before != after {
            before.map(|at| self.due.remove(&(at, group)));
            after.map(|at| self.due.insert((at, group)));
        }
    }

    /// Starts anew; all who wait are free to pass.
    fn start_anew(&mut self) {
        for meter in self.meters.values_mut() {
            if let Meter::Delays(bucket) = meter {
                self.released.extend(bucket.clear());
            }
        }
        self.meters.clear();
        self.due.clear();
        self.waiting.clear();
    }

    fn refuse(&mut self, retry_after: Span) -> Verdict {
        self.measures.refused += 1;
        Verdict::Refuse(Refusal { outcome: Outcome::RateLimited, retry_after })
    }
}

impl Gate for RateLimit {
    type Settings = RateLimitSettings;

    fn new(settings: &RateLimitSettings, _now: Time) -> RateLimit {
        RateLimit {
            settings: settings.clone(),
            meters: BTreeMap::new(),
            looked_at: 0,
            due: BTreeSet::new(),
            waiting: BTreeMap::new(),
            released: VecDeque::new(),
            measures: Measures::default(),
        }
    }

    fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict {
        let group = self.group(who);
        if self.settings.by.is_some() {
            self.forget(now);
        }
        let sort = self.settings.limit.sort();
        let meter = self.meters.entry(group).or_insert_with(|| Meter::new(sort));
        let before = meter.due();
        let offer = match meter {
            Meter::Refuses(limiter) => limiter.take(now).map_or_else(Offer::Full, |()| Offer::Passes),
            Meter::Delays(bucket) => bucket.offer(now, who.id),
        };
        match offer {
            Offer::Passes => Verdict::Pass(Permit::default()),
            Offer::Waits => {
                self.waiting.insert(who.id, group);
                self.reschedule(group, before);
                Verdict::Wait
            }
            Offer::Full(retry_after) => self.refuse(retry_after),
        }
    }

    fn leave(&mut self, _now: Time, id: u32) {
        let Some(group) = self.waiting.remove(&id) else {
            self.released.retain(|released| *released != id);
            return;
        };
        let Some(meter) = self.meters.get_mut(&group) else { return };
        let before = meter.due();
        if let Meter::Delays(bucket) = meter {
            bucket.leave(id);
        }
        self.reschedule(group, before);
    }

    fn due(&self) -> Option<Time> {
        if self.released.is_empty() { self.due.first().map(|(at, _)| *at) } else { Some(0) }
    }

    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        if let Some(id) = self.released.pop_front() {
            return Some((id, Ok(Permit::default())));
        }
        let (at, group) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        let Some(Meter::Delays(bucket)) = self.meters.get_mut(&group) else { unreachable!("only these have a queue") };
        let popped = bucket.pop(now).expect("the first is due");
        self.waiting.remove(&popped.call);
        self.measures.delayed += 1;
        self.measures.waited += u128::from(popped.waited);
        self.reschedule(group, Some(at));
        Some((popped.call, Ok(Permit::default())))
    }

    /// What has passed still counts, missing tokens stay missing, and who waits goes on waiting, at the new rate. Another
    /// algorithm, other windows or another `by` start anew; those who wait then pass at once.
    fn adopt(&mut self, now: Time, settings: &RateLimitSettings) {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        let sort = self.settings.limit.sort();
        if before.by != settings.by || std::mem::discriminant(&before.limit.sort()) != std::mem::discriminant(&sort) {
            return self.start_anew();
        }
        for meter in self.meters.values_mut() {
            match (meter, sort) {
                (Meter::Refuses(limiter), Sort::Refuses(bound)) => limiter.adopt(now, bound),
                (Meter::Delays(bucket), Sort::Delays(rate, queue)) => bucket.adopt(now, rate, queue),
                (Meter::Refuses(_) | Meter::Delays(_), Sort::Refuses(_) | Sort::Delays(..)) => {
                    unreachable!("the meters are of the sort of the settings")
                }
            }
        }
        self.due = self.meters.iter().filter_map(|(group, meter)| Some((meter.due()?, *group))).collect();
    }

    fn rebuild(&mut self, _now: Time) {
        self.start_anew();
        self.released.clear();
    }

    fn begin_measuring(&mut self, _now: Time) {
        self.measures = Measures::default();
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        let Measures { refused, delayed, waited } = self.measures;
        figures.count(&REFUSED, refused);
        if let Sort::Delays(..) = self.settings.limit.sort() {
            figures.count(&DELAYED, delayed);
            figures.ratio(&WAIT, waited, delayed);
        }
        if self.settings.by.is_some() {
            figures.level(&LIMITERS, self.meters.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests;
