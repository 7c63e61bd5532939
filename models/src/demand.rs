//! What can be known of a component without running it: what limits it, and what one call takes of that.
//!
//! These are the quantities of operational analysis (Denning and Buzen 1978): from the time for which a call holds a
//! unit follow, by Little's law, the most calls a second that so many units serve, and the share of them that a given
//! load holds. Every kind says it of itself in [`crate::components::kind::Kind::limits`] and
//! [`crate::components::kind::Kind::demand`]; what a component does not know of itself it finds in [`Surroundings`].

use std::collections::BTreeMap;

use sim_core::Outcome;
use sim_core::dist::{Dist, Given};

use crate::law::Law;

/// Calls that find no unit free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing is waited for.
    #[default]
    Never,
    /// So many can wait; who comes beyond is turned away.
    UpTo(u32),
    /// Any number, but who has waited for too long is dropped.
    Shed,
    /// Any number can wait.
    Unbounded,
}

/// What limits one replica.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// What a call holds while it is served, in the plural (`threads`), and how many there are.
    pub workers: Option<(&'static str, u32)>,
    /// Whether a call gives its worker back while it waits for something.
    pub frees_while_waiting: bool,
    /// Whether each worker is a thread with a stack of its own.
    pub is_threads: bool,
    /// Threads beside the workers for what blocks or is offloaded.
    pub blocking_threads: Option<u32>,
    /// Whether one task at a time runs code.
    pub has_interpreter: bool,
    /// Whether code runs to its end, and everything else on its worker waits meanwhile.
    pub runs_code_to_its_end: bool,
    /// Whether a task that holds a lock keeps its worker while it waits.
    pub pinned_by_locks: bool,
    /// Whether the workers are what connections of pools end at.
    pub is_connections: bool,
    /// Cores of its own, or the share of its host's that it asks for.
    pub cores: Option<f64>,
    /// The most cores that it may use of its host's, on average over 100 ms.
    pub quota: Option<f64>,
    /// Who waits for a worker.
    pub waiting: Waiting,
    /// Calls a second that each replica lets in.
    pub rate_per_s: Option<f64>,
    /// Whether that is rather what all replicas let in together.
    pub shares_rate: bool,
    /// Calls that a replica has memory for at the same time, those that wait included.
    pub memory_for: Option<f64>,
}

/// A call that is made for each call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallsMade {
    /// The link.
    pub link: String,
    /// What is asked for; `None` for the same.
    pub op: Option<String>,
    /// The data key; `None` for the same.
    pub key: Option<u64>,
    /// How often, on average, while nothing fails.
    pub mean: f64,
    /// How often at most.
    pub most: f64,
    /// Calls over the link at the same time at most, whatever they ask for.
    pub at_once: f64,
    /// Whether whoever made the call that brings this one about waits for it: false of what is only sent, and of what is
    /// done after the answer.
    pub awaited: bool,
    /// Whether it is only sent: not even the component itself waits for it.
    pub sent: bool,
}

/// How a call is answered, and after how long, s: a law for each outcome, whose weights add up to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    parts: Vec<(Outcome, Law)>,
}

impl Outcomes {
    /// Nothing yet.
    pub fn none() -> Outcomes {
        Outcomes::default()
    }

    /// Always this outcome.
    pub fn always(outcome: Outcome, after_s: Law) -> Outcomes {
        Outcomes { parts: vec![(outcome, after_s)] }
    }

    /// As wished, after so long.
    pub fn ok(after_s: Law) -> Outcomes {
        Outcomes::always(Outcome::Ok, after_s)
    }

    /// Also this, with the weight that it has.
    pub fn add(&mut self, outcome: Outcome, after_s: &Law) {
        if after_s.weight() <= 0.0 {
            return;
        }
        match self.parts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, law)) => *law = law.or(after_s),
            None => self.parts.push((outcome, after_s.clone())),
        }
    }

    /// Also all of these.
    pub fn add_all(&mut self, other: &Outcomes) {
        other.parts.iter().for_each(|(outcome, law)| self.add(*outcome, law));
    }

    /// The outcomes with how long each takes.
    pub fn parts(&self) -> impl Iterator<Item = (Outcome, &Law)> {
        self.parts.iter().map(|(outcome, law)| (*outcome, law))
    }

    fn of(&self, which: impl Fn(Outcome) -> bool) -> Law {
        self.parts.iter().filter(|(outcome, _)| which(*outcome)).fold(Law::never(), |all, (_, law)| all.or(law))
    }

    /// Those that end well.
    pub fn good(&self) -> Law {
        self.of(Outcome::is_good)
    }

    /// Those that do not.
    pub fn failed(&self) -> Law {
        self.of(|outcome| !outcome.is_good())
    }

    /// All of them.
    pub fn all(&self) -> Law {
        self.of(|_| true)
    }

    /// The mean of all, s.
    pub fn mean_s(&self) -> f64 {
        self.parts.iter().map(|(_, law)| law.sum()).sum()
    }

    /// Each in another form.
    #[must_use]
    pub fn map(&self, form: impl Fn(&Law) -> Law) -> Outcomes {
        Outcomes { parts: self.parts.iter().map(|(outcome, law)| (*outcome, form(law))).collect() }
    }

    /// What is there after so long; the rest has timed out by then.
    #[must_use]
    pub fn bounded(&self, limit_s: f64) -> Outcomes {
        let mut bounded = Outcomes::none();
        for (outcome, law) in self.parts() {
            let (in_time, late) = law.split(limit_s);
            bounded.add(outcome, &in_time);
            bounded.add(Outcome::Timeout, &Law::always(limit_s).weighted(late));
        }
        bounded
    }
}

/// What one call takes, on average, while nothing fails but what is declared to, and nothing is waited for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// For how long a worker is held, s.
    pub held: Law,
    /// Work on cores, s.
    pub cpu_s: f64,
    /// How long that work holds a core at a stretch without letting others in, on average of the pieces, s.
    pub piece_s: f64,
    /// The same as squares, and as a sum over the pieces of a call, s².
    pub pieces_s2: f64,
    /// How often it goes on after it has waited for something, and where it begins.
    pub turns: f64,
    /// From arrival to answer, s.
    pub answer: Outcomes,
    /// For how long each lock is held, s.
    pub locks: Vec<(String, f64)>,
    /// Probability that what the call runs on is never given back.
    pub leaks: f64,
    /// Time for which it blocks what runs it without using a core, s.
    pub blocks_s: f64,
    /// Time for which it blocks threads beside the workers, or computes on them, s.
    pub offloaded_s: f64,
    /// Work on cores that is done on such threads, s.
    pub beside_cpu_s: f64,
    /// Time for which it waits and holds a lock, s.
    pub waits_under_locks_s: f64,
    /// How likely something that is done side by side is ended by the rest of it before its own end, so that it does less than
    /// is said here.
    pub cut_short: f64,
    /// Links over which calls may be abandoned before their answers, because other work done side by side decides first, with the
    /// probability that it does.
    pub abandons: Vec<(String, f64)>,
    /// Pieces of work on cores at the same time, at most.
    pub cpu_at_once: f64,
    /// What it calls.
    pub calls: Vec<CallsMade>,
}

impl Demand {
    /// For how long a worker is held, on average, s.
    pub fn held_s(&self) -> f64 {
        self.held.sum()
    }
}

/// What a component does not know of itself.
pub struct Surroundings<'a> {
    /// How a call over a link is answered, with all its attempts; the second is what is asked for.
    pub call: &'a mut dyn FnMut(&str, Option<&str>) -> Outcomes,
    /// By how much the cores are shared: work takes so many times as long. At least 1.
    pub stretch: f64,
    /// The same of what holds a worker that is free while it waits: what waits for a worker does not hold one.
    pub held_stretch: f64,
    /// Calls at work in the replica at the same time, this one included.
    pub at_work: f64,
    /// Items that the call carries, more than 1 where calls are batched.
    pub items: f64,
    /// Share of the calls for whose data the component has no answer of its own.
    pub miss_ratio: f64,
    /// Share of the calls that make calls for that reason; less than the misses where some of them share a call.
    pub fetch_ratio: f64,
}

/// Seconds of a distribution of durations, on average.
pub fn mean_s(dist: &Dist) -> f64 {
    dist.mean() / 1e9
}

/// The most that a count comes to; of one without a bound, what it exceeds once in a thousand times.
pub fn most(dist: &Dist) -> f64 {
    match dist.given() {
        Given::Constant { value } => value,
        Given::Uniform { high, .. } => high,
        Given::Empirical { values, .. } => values.iter().copied().fold(0.0, f64::max),
        Given::Exp { .. }
        | Given::Normal { .. }
        | Given::LognormalMoments { .. }
        | Given::LognormalPercentiles { .. }
        | Given::Erlang { .. }
        | Given::Gamma { .. }
        | Given::Weibull { .. }
        | Given::Pareto { .. }
        | Given::Hyperexp { .. }
        | Given::Mixture { .. }
        | Given::Shift { .. }
        | Given::Geometric { .. }
        | Given::Poisson { .. } => {
            dist.quantile(0.999).unwrap_or_else(|| dist.mean() + 4.0 * dist.variance().map_or(0.0, f64::sqrt))
        }
    }
    .ceil()
}

/// Counts of calls by link, operation and key, in this order.
pub(crate) type Counts<'a> = BTreeMap<(&'a str, Option<&'a str>, Option<u64>), f64>;

/// Adds `other`, `times` times.
pub(crate) fn add<'a>(counts: &mut Counts<'a>, other: &Counts<'a>, times: f64) {
    for (call, count) in other {
        *counts.entry(*call).or_insert(0.0) += count * times;
    }
}

/// Keeps of each call the larger count.
pub(crate) fn larger<'a>(counts: &mut Counts<'a>, other: &Counts<'a>) {
    for (call, count) in other {
        let most = counts.entry(*call).or_insert(0.0);
        *most = most.max(*count);
    }
}
