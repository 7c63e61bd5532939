//! The Horizontal Pod Autoscaler of Kubernetes: `pkg/controller/podautoscaler/horizontal.go` and `replica_calculator.go` (read at 00067268, and the
//! parts on behaviour in the version in which changes in both directions count).
//!
//! Every `sync` it compares what it knows of the replicas with its targets. The largest of the numbers that its metrics ask for is held to those of the
//! last while (`stabilization`), bounded by its policies, and by `min` and `max`.

use std::cmp::Ordering;
use std::collections::VecDeque;

use settings::{Book, Duration, Fraction, Node, Percentage, Rate, Reader, Setting, Shape};
use sim_core::{Span, Time};

/// What is measured of each replica, on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum PerReplica {
    /// Calls that arrive at it, a second.
    Arrivals,
    /// Calls that it ends, a second.
    Completed,
    /// Calls under way at it.
    InFlight,
}

/// A number, or a rate: `20`, `100/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Target(pub f64);

impl Setting for Target {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match node.as_text().is_some_and(|text| text.contains('/')) {
            true => Rate::read(node, cx).map(|rate| Target(rate.0)),
            false => f64::read(node, cx).map(Target),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::AnyOf(vec![Rate::describe(book), f64::describe(book)])
    }

    fn write(&self) -> Node {
        self.0.write()
    }
}

/// What is compared with a target: `cpu`, or `per_replica` with its `target`.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct MetricSettings {
    /// Share of the requested CPU (`cpu.request`) that the replicas are to use on average.
    #[setting(range = ">0%")]
    pub cpu: Option<Fraction>,
    /// Measured of the replicas, on average.
    pub per_replica: Option<PerReplica>,
    /// What `per_replica` is to be: for each replica.
    #[setting(range = ">0")]
    pub target: Option<Target>,
}

/// What one metric goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// The share of the requested CPU.
    Cpu(f64),
    /// Something of each replica, and its target.
    PerReplica(PerReplica, f64),
}

impl MetricSettings {
    /// It, where exactly one is written, and whole.
    pub fn metric(&self) -> Option<Metric> {
        match (self.cpu, self.per_replica, self.target) {
            (Some(share), None, None) => Some(Metric::Cpu(share.0)),
            (None, Some(what), Some(target)) => Some(Metric::PerReplica(what, target.0)),
            _ => None,
        }
    }
}

/// Which of several policies decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Select {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// How much may change in a while.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct PolicySettings {
    /// At most this share of the replicas, …
    #[setting(range = ">0%")]
    pub percent: Option<Percentage>,
    /// … or this many, …
    #[setting(range = "1..=100000")]
    pub replicas: Option<u32>,
    /// … in this time.
    #[setting(default = "15s", range = ">0s")]
    pub every: Duration,
}

/// How it scales in one direction.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct DirectionSettings {
    /// Time over which it looks back at what it would have done, and does the least of it. Kubernetes' default: 0 s up, 300 s down.
    pub stabilization: Option<Duration>,
    /// Bounds of the change. Kubernetes' defaults where `behavior` is written: up 100 % or 4 in 15 s, down 100 % in 15 s.
    pub policies: Option<Vec<PolicySettings>>,
    /// Which of the policies decides.
    #[setting(default = "max")]
    pub select: Select,
}

/// Both directions.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BehaviorSettings {
    /// Upwards.
    pub scale_up: Option<DirectionSettings>,
    /// Downwards.
    pub scale_down: Option<DirectionSettings>,
}

/// The autoscaler's settings; the defaults are Kubernetes'.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct HpaSettings {
    /// What it goes by; of several, the one that asks for most.
    pub metrics: Vec<MetricSettings>,
    /// Interval between its looks (`--horizontal-pod-autoscaler-sync-period`).
    #[setting(default = "15s", range = ">0s")]
    pub sync: Duration,
    /// Deviation from the target within which it does nothing (`--horizontal-pod-autoscaler-tolerance`).
    #[setting(default = "10%")]
    pub tolerance: Fraction,
    /// Age of what it sees: metrics are scraped and averaged before they arrive.
    #[setting(default = "15s")]
    pub metric_delay: Duration,
    /// How fast it scales. Without it, as in Kubernetes: at each look up to twice as many, or four; down after 300 s.
    pub behavior: Option<BehaviorSettings>,
}

/// One direction, with its defaults filled in.
#[derive(Clone, Debug)]
struct Direction {
    stabilization: Span,
    policies: Vec<PolicySettings>,
    select: Select,
}

impl Direction {
    fn of(settings: Option<&DirectionSettings>, stabilization: Span, policies: Vec<PolicySettings>) -> Direction {
        let Some(settings) = settings else { return Direction { stabilization, policies, select: Select::Max } };
        Direction {
            stabilization: settings.stabilization.map_or(stabilization, |span| span.0),
            policies: settings.policies.clone().unwrap_or(policies),
            select: settings.select,
        }
    }

    /// How many replicas the policies allow. `changed` is by how many they changed in the last while, in each direction: ours and the other.
    fn limit(&self, current: u32, up: bool, changed: impl Fn(Span) -> (u32, u32)) -> u32 {
        let of_policy = |policy: &PolicySettings| {
            let (ours, other) = changed(policy.every.0);
            let begin = if up {
                f64::from(current) - f64::from(ours) + f64::from(other)
            } else {
                f64::from(current) + f64::from(ours) - f64::from(other)
            };
            let by_count =
                policy.replicas.map(|count| if up { begin + f64::from(count) } else { begin - f64::from(count) });
            let by_share = policy.percent.map(|share| match up {
                true => libm::ceil(begin * (1.0 + share.0) - 1e-9),
                false => libm::floor(begin * (1.0 - share.0) + 1e-9),
            });
            by_count.or(by_share).unwrap_or(f64::from(current)).max(0.0) as u32
        };
        let all = self.policies.iter().map(of_policy);
        let limit = match (self.select, up) {
            (Select::Disabled, _) => None,
            (Select::Max, true) | (Select::Min, false) => all.max(),
            (Select::Max, false) | (Select::Min, true) => all.min(),
        };
        let limit = limit.unwrap_or(current);
        if up { limit.max(current) } else { limit.min(current) }
    }
}

/// What is known of the replicas, against one target. Values are in thousandths, as Kubernetes' are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// What was found, added up over the replicas that were measured.
    pub sum: u64,
    /// The target of one replica.
    pub target: u64,
    /// The target is a share of what replicas ask for: averages are whole percents.
    pub is_share: bool,
    /// Replicas that are ready and were measured.
    pub measured: u32,
    /// Replicas that are not ready, or not for long enough: they count as using nothing where more are asked for.
    pub unready: u32,
    /// Replicas that are ready and of which nothing is known: they count against any change.
    pub missing: u32,
}

impl Measured {
    /// The average of so many replicas that use so much together, over the target.
    fn ratio(&self, sum: u64, replicas: u32) -> f64 {
        match self.is_share {
            true => (sum * 100 / (u64::from(replicas) * 1_000)) as f64 / (self.target as f64 / 10.0),
            false => (sum / u64::from(replicas)) as f64 / self.target as f64,
        }
    }

    /// How many replicas are asked for, where `current` are wanted: `GetResourceReplicas` and `calcPlainMetricReplicas`. `None` where nothing is known.
    fn replicas(&self, current: u32, tolerance: f64) -> Option<u32> {
        if self.measured == 0 || self.target == 0 {
            return None;
        }
        let is_small = |ratio: f64| (1.0 - ratio).abs() <= tolerance;
        let wanted = |ratio: f64, of: u32| libm::ceil(ratio * f64::from(of)).min(1e6) as u32;
        let ratio = self.ratio(self.sum, self.measured);
        let unready = if ratio > 1.0 { self.unready } else { 0 };
        if unready == 0 && self.missing == 0 {
            return Some(if is_small(ratio) { current } else { wanted(ratio, self.measured) });
        }
        // Where fewer are asked for, those of which nothing is known use what they may; where more, nothing.
        let each = if self.is_share { 1_000 } else { self.target };
        let (missing, use_each) = match ratio.total_cmp(&1.0) {
            Ordering::Less => (self.missing, each),
            Ordering::Equal => (0, 0),
            Ordering::Greater => (self.missing, 0),
        };
        let all = self.measured + missing + unready;
        let again = self.ratio(self.sum + use_each * u64::from(missing), all);
        let next = wanted(again, all);
        let turns = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
        let contradicts = (again < 1.0 && next > current) || (again > 1.0 && next < current);
        Some(if is_small(again) || turns || contradicts { current } else { next })
    }
}

/// The autoscaler of one component.
#[derive(Clone, Debug)]
pub struct Hpa {
    tolerance: f64,
    bounds: (u32, u32),
    /// `None` where nothing is written: then each look allows twice as many, or four.
    up: Option<Direction>,
    down: Direction,
    /// What it would have done, and when.
    wished: VecDeque<(Time, u32)>,
    /// By how much it has scaled, and when.
    scaled: VecDeque<(Time, i64)>,
    keeps: Span,
}

impl Hpa {
    /// With so many replicas now: its first wish, which holds as any other (`recordInitialRecommendation`).
    pub fn new(settings: &HpaSettings, (min, max): (u32, u32), now: Time, current: u32) -> Hpa {
        let every = Duration(15_000_000_000);
        let all = PolicySettings { percent: Some(Percentage(1.0)), replicas: None, every };
        let four = PolicySettings { percent: None, replicas: Some(4), every };
        let behavior = settings.behavior.as_ref();
        let up = behavior.map(|behavior| Direction::of(behavior.scale_up.as_ref(), 0, vec![all, four]));
        let down = Direction::of(behavior.and_then(|b| b.scale_down.as_ref()), 300_000_000_000, vec![all]);
        let policies = up.iter().flat_map(|up| &up.policies).chain(&down.policies);
        let longest = policies.map(|policy| policy.every.0).max().unwrap_or(0);
        let keeps = longest.max(up.as_ref().map_or(0, |up| up.stabilization)).max(down.stabilization);
        let (wished, scaled) = (VecDeque::from([(now, current)]), VecDeque::new());
        Hpa { tolerance: settings.tolerance.0, bounds: (min, max), up, down, wished, scaled, keeps }
    }

    /// It looks: how many replicas there are to be from now on, where `current` are wanted so far. Where one metric is not known, the others do not
    /// take replicas away.
    pub fn look(&mut self, now: Time, current: u32, measured: &[Measured]) -> u32 {
        let asked: Vec<Option<u32>> = measured.iter().map(|one| one.replicas(current, self.tolerance)).collect();
        let Some(desired) = asked.iter().flatten().max().copied() else { return current };
        if desired < current && asked.contains(&None) {
            return current;
        }
        let held = self.stabilize(now, current, desired);
        let next = self.bound(now, current, held);
        if next != current {
            self.scaled.push_back((now, i64::from(next) - i64::from(current)));
        }
        while self.scaled.front().is_some_and(|(at, _)| now - at > self.keeps) {
            self.scaled.pop_front();
        }
        next
    }

    /// `stabilizeRecommendationWithBehaviors`; without `behavior` it does the same as `stabilizeRecommendation`.
    fn stabilize(&mut self, now: Time, current: u32, desired: u32) -> u32 {
        let (mut up, mut down) = (desired, desired);
        let upwards = self.up.as_ref().map_or(0, |up| up.stabilization);
        for (at, wish) in &self.wished {
            if now - at < upwards {
                up = up.min(*wish);
            }
            if now - at < self.down.stabilization {
                down = down.max(*wish);
            }
        }
        self.wished.push_back((now, desired));
        while self.wished.front().is_some_and(|(at, _)| now - at > self.keeps) {
            self.wished.pop_front();
        }
        current.max(up).min(down)
    }

    /// By how many replicas it has scaled up, and down, within the last while.
    fn changed(&self, now: Time, within: Span) -> (u32, u32) {
        let recent = self.scaled.iter().filter(|(at, _)| now - at < within);
        recent.fold((0, 0), |(up, down), (_, by)| match *by > 0 {
            true => (up + *by as u32, down),
            false => (up, down + by.unsigned_abs() as u32),
        })
    }

    /// `convertDesiredReplicasWithBehaviorRate`, and `convertDesiredReplicasWithRules` without `behavior`.
    fn bound(&self, now: Time, current: u32, desired: u32) -> u32 {
        let (min, max) = self.bounds;
        let changed = |within: Span| self.changed(now, within);
        let bounded = match desired.cmp(&current) {
            Ordering::Greater => {
                desired.min(self.up.as_ref().map_or((2 * current).max(4), |up| up.limit(current, true, changed)))
            }
            Ordering::Less => {
                desired.max(self.down.limit(current, false, |within| (changed(within).1, changed(within).0)))
            }
            Ordering::Equal => desired,
        };
        bounded.clamp(min, max)
    }
}

#[cfg(test)]
mod tests;
