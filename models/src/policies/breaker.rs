//! A circuit breaker: a callee that keeps failing is not called for a while, and is tried with a few calls after that.
//!
//! ```text
//!            failures or slow calls reach the threshold
//!   closed ─────────────────────────────────────────────▶ open ◀──────────┐
//!      ▲                                                   │ `open` later │ too many trial calls
//!      │             enough trial calls succeed            ▼              │ failed or were slow
//!      └─────────────────────────────────────────────── half-open ────────┘
//! ```
//!
//! The windows and the state machine are those of resilience4j (`CircuitBreakerStateMachine`, `CircuitBreakerMetrics`,
//! `FixedSizeSlidingWindowMetrics`, `SlidingTimeWindowMetrics` at af9e7c97). A call is weighed when it ends, and the
//! thresholds are compared when there are at least `minimum` calls in the window. An open breaker becomes half-open
//! when the first call after `open` arrives. It then lets `half_open` calls through, refuses all others, and decides
//! as soon as min(`minimum`, `half_open`) of them have ended. `consecutive` is the breaker of sony/gobreaker
//! (`v2/gobreaker.go` at fed8e9eb): the first failed trial call opens it again, `half_open` successes close it.
//! `decide: each_bucket` is Hystrix (`HystrixCircuitBreaker`, `HealthCountsStream` at 7c03bafe).
//!
//! Three differences from these systems. A call that was let through in one state never counts in a later one, as in
//! gobreaker; in resilience4j and Hystrix a late answer does. A call that arrives exactly when `open` is over passes, so
//! that the time to come again that callers are told is exact; the systems ask for strictly later, on coarse clocks. The
//! buckets of a time window begin at whole multiples of their width, as in resilience4j; Hystrix counts from the first
//! command.

use std::collections::VecDeque;

use settings::values::Scalar;
use settings::{Duration, Fraction, Setting};
use sim_core::figures::Set;
use sim_core::time::SECOND;
use sim_core::{Figure, Figures, Happens, Outcome, Span, Time};

use crate::policies::flaw::Flaw;
use crate::policies::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use crate::policies::or_none::OrNone;
use crate::policies::outcomes::{OutcomeName, OutcomeSet};
use crate::policies::policy::{Beside, Described, Policy};
use crate::policies::presets::{OrPreset, Preset, Presets};
use crate::policies::windows::{CountWindow, TimeWindow};

/// When a breaker with a time window compares it with the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Decide {
    /// At the end of each call, as resilience4j does.
    EachCall,
    /// At the end of each bucket, as Hystrix does (`metrics.healthSnapshot.intervalInMilliseconds`).
    EachBucket,
}

/// Which calls a breaker judges by.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum TripSettings {
    /// Consecutive failures that open the breaker, at least 1. Any success starts the count anew.
    Consecutive(u32),
    /// The last calls.
    CountWindow {
        /// Calls in the window. The default is resilience4j's (`slidingWindowSize`).
        #[setting(default = 100, range = "1..=1000000", live)]
        size: u32,
        /// Minimum number of calls in the window before the breaker can open. The default is resilience4j's
        /// (`minimumNumberOfCalls`).
        #[setting(default = 100, range = "1..=1000000", live)]
        minimum: u32,
    },
    /// The calls that ended within a time span.
    TimeWindow {
        /// Length of the window. The default is resilience4j's (`slidingWindowSize`, in seconds).
        #[setting(default = "100s", range = ">0s", live)]
        span: Duration,
        /// Minimum number of calls in the window before the breaker can open. The default is resilience4j's
        /// (`minimumNumberOfCalls`).
        #[setting(default = 100, range = "1..=1000000", live)]
        minimum: u32,
        /// Bucket length of the sliding window. resilience4j's are 1 s, Hystrix's 500 ms.
        #[setting(default = "1s", range = ">0s", live)]
        bucket: Duration,
        /// When the window is evaluated.
        #[setting(default = "each_call", live)]
        decide: Decide,
    },
}

/// Which calls are slow, and how many of them are too many.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct SlowSettings {
    /// A call that takes longer than this is slow, whether it succeeds or fails. Waiting for a connection counts. The
    /// default is resilience4j's (`slowCallDurationThreshold`).
    #[setting(default = "60s", range = ">0s", live)]
    pub over: Duration,
    /// Share of slow calls in the window at which the breaker opens. The default is resilience4j's
    /// (`slowCallRateThreshold`).
    #[setting(default = "100%", range = ">0..=1", live)]
    pub rate: Fraction,
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BreakerSettings {
    /// Window of calls that the breaker evaluates.
    #[setting(flatten)]
    pub trip: TripSettings,
    /// Failure rate in the window at which the breaker opens. Not allowed with `consecutive`. The default is
    /// resilience4j's (`failureRateThreshold`).
    #[setting(default = "50%", range = ">0..=1", live)]
    pub failure_rate: Fraction,
    /// Threshold for slow calls, which open the breaker too; `none` ignores duration. Not allowed with `consecutive`.
    /// The default is resilience4j's.
    #[setting(default = "{over: 60s, rate: 100%}", live)]
    pub slow: OrNone<SlowSettings>,
    /// Time that the breaker stays open and rejects all calls. The default is resilience4j's
    /// (`waitDurationInOpenState`).
    #[setting(default = "60s", range = ">0s", live)]
    pub open: Duration,
    /// Trial calls allowed while half-open; others are rejected with `breaker_open`. The default is resilience4j's
    /// (`permittedNumberOfCallsInHalfOpenState`).
    #[setting(default = 10, range = "1..=1000000", live)]
    pub half_open: u32,
    /// Outcomes that count as failures. All others count as successes, except cancelled calls and those that this link
    /// rejects itself: unless listed, they count as neither.
    #[setting(default = "[error, timeout, reset, unavailable]", live)]
    pub counts: Vec<OutcomeName>,
}

impl Presets for BreakerSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "resilience4j",
            doc: "resilience4j (`CircuitBreakerConfig.java`): half of the last 100 calls failed, or all of them took over 60 s.",
            settings: "{count_window: {size: 100, minimum: 100}, failure_rate: 50%, slow: {over: 60s, rate: 100%}, open: 60s, half_open: 10}",
        },
        Preset {
            word: "hystrix",
            doc: "Hystrix (`HystrixCommandProperties.java`): half of at least 20 calls in 10 s failed, looked at every 500 ms; one trial call after 5 s. Rejections by thread pools and semaphores count. Its command timeout of 1 s is the link's `timeout`.",
            settings: "{time_window: {span: 10s, minimum: 20, bucket: 500ms, decide: each_bucket}, failure_rate: 50%, slow: none, open: 5s, half_open: 1, counts: [error, timeout, reset, unavailable, overload, pool_timeout]}",
        },
    ];
}

/// What `failure_rate` and `slow` are where they are not written.
const FAILURE_RATE: Fraction = Fraction(0.5);
const SLOW_CALLS: SlowSettings = SlowSettings { over: Duration(60 * SECOND), rate: Fraction(1.0) };

/// The most buckets of a time window; each replica and link has its own.
const BUCKETS_MAX: u64 = 10_000;

impl BreakerSettings {
    /// The calls that must have ended before it can open; `None` where it counts consecutive failures.
    fn minimum(&self) -> Option<u32> {
        match &self.trip {
            TripSettings::Consecutive(_) => None,
            TripSettings::CountWindow { minimum, .. } | TripSettings::TimeWindow { minimum, .. } => Some(*minimum),
        }
    }

    /// What is wrong with the settings.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |code: &'static str, key: &str, message: String, help: &str| {
            flaws.push(Flaw { code, key: key.to_string(), message, help: help.to_string() });
        };
        match &self.trip {
            TripSettings::Consecutive(failures) => {
                if *failures == 0 {
                    flaw(
                        "out_of_range",
                        "consecutive",
                        "`consecutive` must be at least 1".into(),
                        "write `consecutive: 5`",
                    );
                }
                let message = |key: &str| format!("`{key}` has no effect with `consecutive`");
                let help = "remove it, or use `count_window` or `time_window` instead of `consecutive`";
                if self.failure_rate != FAILURE_RATE {
                    flaw("no_effect", "failure_rate", message("failure_rate"), help);
                }
                if self.slow.is_some_and(|slow| slow != SLOW_CALLS) {
                    flaw("no_effect", "slow", message("slow"), help);
                }
            }
            TripSettings::CountWindow { size, minimum } => {
                if minimum > size {
                    let message =
                        format!("the breaker can never open: `minimum` is {minimum}, the window holds {size} calls");
                    flaw("never_reached", "count_window.minimum", message, "lower `minimum`, or raise `size`");
                }
            }
            TripSettings::TimeWindow { span, bucket, .. } => {
                let (span_text, bucket_text) = (span.format(), bucket.format());
                if !span.0.is_multiple_of(bucket.0) {
                    let message = format!("`span` {span_text} is not a multiple of `bucket` {bucket_text}");
                    flaw("not_a_multiple", "time_window.span", message, "choose a `span` that whole buckets fill");
                } else if span.0 / bucket.0 > BUCKETS_MAX {
                    let message = format!("`span` {span_text} has more than {BUCKETS_MAX} buckets of {bucket_text}");
                    flaw("too_many_buckets", "time_window.bucket", message, "use wider buckets");
                }
            }
        }
        if self.counts.is_empty() && (self.slow.is_none() || self.minimum().is_none()) {
            let message = "the breaker can never open: no outcome counts as a failure";
            flaw("never_reached", "counts", message.into(), "list the outcomes that count as failures");
        }
        for name in self.counts.iter().filter(|name| never_counts(**name)) {
            let message = format!("`{}` cannot count as a failure", name.outcome().name());
            flaw(
                "impossible_outcome",
                "counts",
                message,
                "remove it: it is a success, or does not depend on the callee",
            );
        }
        flaws
    }

    /// Why the breaker can hardly ever open if no more than `calls_per_s` calls reach it in a second.
    pub fn starves(&self, calls_per_s: f64) -> Option<Flaw> {
        let TripSettings::TimeWindow { span, minimum, .. } = &self.trip else { return None };
        let most = calls_per_s * span.0 as f64 / 1e9;
        (most < f64::from(*minimum)).then(|| Flaw {
            code: "never_reached",
            key: "time_window.minimum".to_string(),
            message: format!(
                "the breaker hardly ever opens: `minimum` is {minimum}, but about {most:.0} calls end within `span` {}",
                span.format()
            ),
            help: "lower `minimum`, or raise `span`".to_string(),
        })
    }
}

/// Outcomes that no breaker may take for a failure: successes, and calls that nobody wanted any more.
fn never_counts(name: OutcomeName) -> bool {
    match name {
        OutcomeName::Ok | OutcomeName::Accepted | OutcomeName::Cancelled => true,
        OutcomeName::Degraded
        | OutcomeName::RateLimited
        | OutcomeName::Overload
        | OutcomeName::Unavailable
        | OutcomeName::Error
        | OutcomeName::ClientError
        | OutcomeName::Timeout
        | OutcomeName::Reset
        | OutcomeName::BreakerOpen
        | OutcomeName::PoolTimeout => false,
    }
}

const STATE: Figure = Figure::states(
    "breaker.state",
    &["closed", "open", "half_open"],
    "Share of the time that breakers spent in each state.",
)
.kept();
const TRIPS: Figure = Figure::count("breaker.trips", "Number of times breakers opened.");
const REFUSED: Figure = Figure::count("breaker.refused", "Attempts rejected by an open or half-open breaker.");

impl Policy for Breaker {
    const FIGURES: Set = &[&STATE, &TRIPS, &REFUSED];
    type Settings = OrPreset<BreakerSettings>;
    const HAPPENS: &'static [&'static Happens] = &[&BREAKER_OPENED, &BREAKER_HALF_OPEN, &BREAKER_CLOSED];

    fn flaws_at(breaker: &Self::Settings, per_s: f64) -> Vec<Flaw> {
        breaker.starves(per_s).into_iter().collect()
    }

    fn brief(_: &Self::Settings) -> Option<String> {
        Some("breaker".into())
    }

    fn described(breaker: &Self::Settings) -> Option<Described> {
        let failures = || breaker.failure_rate.format();
        let slow = match *breaker.slow {
            Some(slow) => format!(" failed, or {} took over {}", slow.rate.format(), slow.over.format()),
            None => " failed".into(),
        };
        let trips = match &breaker.trip {
            TripSettings::Consecutive(most) => format!("after {most} failures in a row"),
            TripSettings::CountWindow { size, minimum } => {
                format!("when {} of the last {size} calls{slow}, at least {minimum}", failures())
            }
            TripSettings::TimeWindow { span, minimum, .. } => {
                format!("when {} of the calls of {}{slow}, at least {minimum}", failures(), span.format())
            }
        };
        let plural = if breaker.half_open == 1 { "" } else { "s" };
        let open = breaker.open.format();
        let words = format!("opens {trips}; for {open}, then {} trial call{plural}", breaker.half_open);
        Some(Described { words, has_state: true })
    }

    fn flaws(breaker: &Self::Settings, _: &Beside<'_>) -> Vec<Flaw> {
        breaker.flaws()
    }
}

/// A breaker has opened.
pub static BREAKER_OPENED: Happens =
    Happens { name: "breaker_opened", doc: "A circuit breaker has opened: too many calls failed or were slow." };
/// A breaker lets trial calls through.
pub static BREAKER_HALF_OPEN: Happens =
    Happens { name: "breaker_half_open", doc: "A circuit breaker has become half-open: it lets trial calls through." };
/// A breaker has closed.
pub static BREAKER_CLOSED: Happens =
    Happens { name: "breaker_closed", doc: "A circuit breaker has closed: its trial calls went well." };

/// The indices of the counts in a window.
const CALLS: usize = 0;
const FAILURES: usize = 1;
const SLOW: usize = 2;

/// The calls that a closed breaker judges by.
#[derive(Clone, Debug)]
enum Window {
    /// How many calls have failed since the last success.
    Run(u32),
    /// The last calls.
    Count(CountWindow<3>),
    /// The calls of the last while.
    Time(TimeWindow<3>),
}

impl Window {
    fn new(settings: &TripSettings, now: Time) -> Window {
        match settings {
            TripSettings::Consecutive(_) => Window::Run(0),
            TripSettings::CountWindow { size, .. } => Window::Count(CountWindow::new(*size)),
            TripSettings::TimeWindow { span, bucket, .. } => {
                Window::Time(TimeWindow::new(now, bucket.0, (span.0 / bucket.0) as usize))
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Window::Run(failures) => *failures = 0,
            Window::Count(window) => window.clear(),
            Window::Time(window) => window.clear(),
        }
    }

    /// Other settings. What the old window knows and the new one can hold stays.
    fn adopt(&mut self, settings: &TripSettings, now: Time) {
        match (&mut *self, settings) {
            (Window::Run(_), TripSettings::Consecutive(_)) => {}
            (Window::Count(window), TripSettings::CountWindow { size, .. }) => window.resize(*size),
            (Window::Time(window), TripSettings::TimeWindow { span, bucket, .. }) => {
                window.resize(now, bucket.0, (span.0 / bucket.0) as usize);
            }
            (
                Window::Run(_) | Window::Count(_) | Window::Time(_),
                TripSettings::Consecutive(_) | TripSettings::CountWindow { .. } | TripSettings::TimeWindow { .. },
            ) => *self = Window::new(settings, now),
        }
    }
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything.
    Closed,
    /// Nothing, since then.
    Open(Time),
    /// Trial calls: how many are out or have been weighed, and the counts of those that have been weighed.
    HalfOpen { let_through: u32, counts: [u64; 3] },
}

/// What is measured of a breaker.
#[derive(Clone, Copy, Debug, Default)]
struct Measures {
    /// Since when it is measured.
    from: Time,
    /// Until when the times are added up.
    until: Time,
    open: Span,
    half_open: Span,
    trips: u64,
    refused: u64,
}

/// The breaker of one calling replica and link.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    failures: OutcomeSet,
    window: Window,
    state: State,
    /// Counts the changes of state. Permits carry it, so that a call never counts in a later state.
    generation: u32,
    told: VecDeque<&'static Happens>,
    measures: Measures,
}

/// How many happenings are kept until the link takes them; a call causes at most three.
const TOLD_MAX: usize = 8;

impl Breaker {
    fn tell(&mut self, happens: &'static Happens) {
        if self.told.len() == TOLD_MAX {
            self.told.pop_front();
        }
        self.told.push_back(happens);
    }

    /// Adds up the time in each state, before the state changes or the times are read.
    fn account(measures: &mut Measures, state: State, now: Time) {
        let spent = now.saturating_sub(measures.until);
        match state {
            State::Closed => {}
            State::Open(_) => measures.open += spent,
            State::HalfOpen { .. } => measures.half_open += spent,
        }
        measures.until = measures.until.max(now);
    }

    /// Changes its state as of `now`.
    fn enter(&mut self, now: Time, state: State) {
        Self::account(&mut self.measures, self.state, now);
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
        self.window.clear();
        match state {
            State::Closed => self.tell(&BREAKER_CLOSED),
            State::Open(_) => {
                self.measures.trips += 1;
                self.tell(&BREAKER_OPENED);
            }
            State::HalfOpen { .. } => self.tell(&BREAKER_HALF_OPEN),
        }
    }

    /// Whether the counts say that the callee is to be left alone; `None` below the minimum.
    fn judge(&self, counts: [u64; 3], minimum: u32) -> Option<bool> {
        let calls = counts[CALLS];
        if calls == 0 || calls < u64::from(minimum) {
            return None;
        }
        // A quotient is exact where a share times a number is not: 3 of 30 are 10 %.
        let share = |of: usize| counts[of] as f64 / calls as f64;
        let slow = self.settings.slow.is_some_and(|slow| share(SLOW) >= slow.rate.0);
        Some(slow || share(FAILURES) >= self.settings.failure_rate.0)
    }

    /// Judges the buckets that have ended by now, where that is when it decides.
    fn advance(&mut self, now: Time) {
        let TripSettings::TimeWindow { minimum, decide: Decide::EachBucket, .. } = self.settings.trip else { return };
        loop {
            let Window::Time(window) = &mut self.window else { return };
            let ends = window.bucket_ends();
            if self.state != State::Closed || ends > now || window.total()[CALLS] == 0 {
                return window.advance(now);
            }
            let counts = window.total();
            if self.judge(counts, minimum) == Some(true) {
                self.enter(ends, State::Open(ends));
            } else if let Window::Time(window) = &mut self.window {
                window.next_bucket();
            }
        }
    }

    /// A call let through by a closed breaker has ended.
    fn weigh(&mut self, now: Time, failed: bool, slow: bool) {
        let call = [true, failed, slow];
        let opens = match (&mut self.window, &self.settings.trip) {
            (Window::Run(failures), TripSettings::Consecutive(most)) => {
                *failures = if failed { *failures + 1 } else { 0 };
                *failures >= *most
            }
            (Window::Count(window), TripSettings::CountWindow { minimum, .. }) => {
                window.add(call);
                let (counts, minimum) = (window.total(), *minimum);
                self.judge(counts, minimum) == Some(true)
            }
            (Window::Time(window), TripSettings::TimeWindow { minimum, decide, .. }) => {
                window.add(now, call.map(u64::from));
                let (counts, minimum) = (window.total(), *minimum);
                *decide == Decide::EachCall && self.judge(counts, minimum) == Some(true)
            }
            (
                Window::Run(_) | Window::Count(_) | Window::Time(_),
                TripSettings::Consecutive(_) | TripSettings::CountWindow { .. } | TripSettings::TimeWindow { .. },
            ) => unreachable!("a window is that of the settings"),
        };
        if opens {
            self.enter(now, State::Open(now));
        }
    }

    /// Closes or opens a half-open breaker when its trial calls have said enough.
    fn decide(&mut self, now: Time) {
        let State::HalfOpen { counts, .. } = self.state else { return };
        let half_open = self.settings.half_open;
        let opens = match self.settings.minimum() {
            Some(minimum) => self.judge(counts, minimum.min(half_open)),
            None if counts[FAILURES] > 0 => Some(true),
            None => (counts[CALLS] >= u64::from(half_open)).then_some(false),
        };
        match opens {
            Some(true) => self.enter(now, State::Open(now)),
            Some(false) => self.enter(now, State::Closed),
            None => {}
        }
    }

    fn refuse(&mut self, retry_after: Span) -> Verdict {
        self.measures.refused += 1;
        Verdict::Refuse(Refusal { outcome: Outcome::BreakerOpen, retry_after })
    }
}

impl Gate for Breaker {
    type Settings = BreakerSettings;

    fn new(settings: &BreakerSettings, now: Time) -> Breaker {
        Breaker {
            failures: OutcomeSet::of(&settings.counts),
            window: Window::new(&settings.trip, now),
            settings: settings.clone(),
            state: State::Closed,
            generation: 0,
            told: VecDeque::new(),
            measures: Measures { from: now, until: now, ..Measures::default() },
        }
    }

    fn ask(&mut self, now: Time, _who: &mut Asking<'_>) -> Verdict {
        self.advance(now);
        if let State::Open(since) = self.state {
            let left = since.saturating_add(self.settings.open.0).saturating_sub(now);
            if left > 0 {
                return self.refuse(left);
            }
            self.enter(now, State::HalfOpen { let_through: 0, counts: [0; 3] });
        }
        if let State::HalfOpen { let_through, .. } = &mut self.state {
            if *let_through >= self.settings.half_open {
                return self.refuse(0);
            }
            *let_through += 1;
        }
        Verdict::Pass(Permit(self.generation))
    }

    fn ended(&mut self, now: Time, permit: Permit, passed: Time, end: End) {
        self.advance(now);
        if permit.0 != self.generation {
            return;
        }
        let weighed = match end {
            End::Answered(outcome) | End::GivenUp(outcome) => Some(outcome),
            End::Refused(outcome) => Some(outcome).filter(|outcome| self.failures.contains(*outcome)),
            End::Dropped => None,
        };
        let failed = weighed.is_some_and(|outcome| self.failures.contains(outcome));
        let slow = self.settings.slow.is_some_and(|slow| now - passed > slow.over.0);
        match (&mut self.state, weighed) {
            (State::Closed, Some(_)) => self.weigh(now, failed, slow),
            (State::HalfOpen { counts, .. }, Some(_)) => {
                *counts = [counts[CALLS] + 1, counts[FAILURES] + u64::from(failed), counts[SLOW] + u64::from(slow)];
                self.decide(now);
            }
            (State::HalfOpen { let_through, .. }, None) => *let_through -= 1,
            (State::Closed, None) => {}
            (State::Open(_), _) => unreachable!("an open breaker gives no permits"),
        }
    }

    /// The end of the current bucket, where the breaker might open then.
    fn due(&self) -> Option<Time> {
        let TripSettings::TimeWindow { minimum, decide: Decide::EachBucket, .. } = self.settings.trip else {
            return None;
        };
        let Window::Time(window) = &self.window else { return None };
        let [calls, failures, slow] = window.total();
        let might_open = self.state == State::Closed && calls >= u64::from(minimum) && failures + slow > 0;
        might_open.then(|| window.bucket_ends())
    }

    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        self.advance(now);
        None
    }

    /// The state stays. An open breaker stays open until the new `open` after its opening; a half-open one decides by
    /// the new numbers, at once where they are reached. Thresholds hold from the next call that ends. A count window
    /// keeps its newest calls, a time window its newest buckets unless their width changes; a window of another sort
    /// starts empty.
    fn adopt(&mut self, now: Time, settings: &BreakerSettings) {
        self.advance(now);
        self.failures = OutcomeSet::of(&settings.counts);
        self.settings = settings.clone();
        self.window.adopt(&settings.trip, now);
        self.decide(now);
    }

    fn rebuild(&mut self, now: Time) {
        Self::account(&mut self.measures, self.state, now);
        self.window = Window::new(&self.settings.trip, now);
        self.state = State::Closed;
        self.generation = self.generation.wrapping_add(1);
    }

    fn begin_measuring(&mut self, now: Time) {
        self.advance(now);
        self.measures = Measures { from: now, until: now, ..Measures::default() };
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        let mut measures = self.measures;
        Self::account(&mut measures, self.state, now);
        let all = now.saturating_sub(measures.from);
        let closed = all - (measures.open + measures.half_open).min(all);
        let state = match self.state {
            State::Closed => 0,
            State::Open(_) => 1,
            State::HalfOpen { .. } => 2,
        };
        figures.states(&STATE, state, &[closed, measures.open, measures.half_open].map(u128::from));
        figures.count(&TRIPS, measures.trips);
        figures.count(&REFUSED, measures.refused);
    }

    fn told(&mut self) -> Option<&'static Happens> {
        self.told.pop_front()
    }
}

#[cfg(test)]
mod tests;
