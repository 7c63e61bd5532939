//! What can be known of a component without running it: what limits it, and what one call takes of that.
//!
//! These are the quantities of operational analysis (Denning and Buzen 1978): from the time for which a call holds a
//! unit follow, by Little's law, the most calls a second that so many units serve, and the share of them that a given
//! load holds. Every kind says it of itself in [`crate::components::kind::Kind::limits`] and
//! [`crate::components::kind::Kind::demand`]; what a component does not know of itself it finds in [`Surroundings`].

use std::collections::BTreeMap;

use sim_core::dist::{Dist, Given};

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
    /// Threads beside the workers for what blocks.
    pub blocking_threads: Option<u32>,
    /// Whether the workers are what connections of pools end at.
    pub is_connections: bool,
    /// Cores of its own, or the share of its host's that it asks for.
    pub cores: Option<f64>,
    /// Who waits for a worker.
    pub waiting: Waiting,
    /// Calls a second that are let in, over all replicas.
    pub rate_per_s: Option<f64>,
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
    /// Whether whoever made the call that brings this one about waits for it: false of what is only sent, and of what is
    /// done after the answer.
    pub awaited: bool,
    /// Whether it is only sent: not even the component itself waits for it.
    pub sent: bool,
}

/// What one call takes, on average, while nothing fails and nothing is waited for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// For how long a worker is held, s.
    pub held_s: f64,
    /// Work on cores, s.
    pub cpu_s: f64,
    /// How long that work holds a core at a stretch without letting others in, on average of the pieces, s.
    pub piece_s: f64,
    /// From arrival to answer, s.
    pub latency_s: f64,
    /// For how long each lock is held, s.
    pub locks: Vec<(String, f64)>,
    /// Probability that what the call runs on is never given back.
    pub leaks: f64,
    /// Time for which it blocks what runs it without using a core, s.
    pub blocks_s: f64,
    /// Time for which it blocks threads beside the workers, s.
    pub offloaded_s: f64,
    /// What it calls.
    pub calls: Vec<CallsMade>,
}

/// What a component does not know of itself.
pub struct Surroundings<'a> {
    /// How long a call over a link takes until it is answered, s; the second is what is asked for.
    pub call_s: &'a mut dyn FnMut(&str, Option<&str>) -> f64,
    /// By how much the cores are shared: work takes so many times as long. At least 1.
    pub stretch: f64,
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
