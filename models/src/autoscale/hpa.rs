//! The Horizontal Pod Autoscaler of Kubernetes (`pkg/controller/podautoscaler/horizontal.go` and `replica_calculator.go` at v1.30).
//!
//! Every `sync` it compares what it knows of the replicas with its targets. The largest of the numbers that its metrics ask for is held to those of the
//! last while (`stabilization`), bounded by its policies, and by `min` and `max`.

use std::collections::VecDeque;

use settings::{Duration, Fraction, Rate, Setting};
use sim_core::{Span, Time};

/// What is compared with a target.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub enum MetricSettings {
    /// Share of the requested CPU (`cpu.request`) that the replicas use on average.
    Cpu(Fraction),
    /// Calls that arrive at a replica a second, on average.
    Arrivals(Rate),
    /// Calls under way at a replica, on average.
    InFlight(f64),
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
    pub percent: Option<Fraction>,
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
    /// Bounds of the change. Kubernetes' defaults: up 100 % or 4 in 15 s, down 100 % in 15 s.
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
    /// How fast it scales.
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

/// What is measured of the replicas, against one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// What was found, added up over the replicas that were ready.
    pub sum: f64,
    /// The target of one replica.
    pub target: f64,
}

/// The autoscaler of one component.
#[derive(Clone, Debug)]
pub struct Hpa {
    tolerance: f64,
    bounds: (u32, u32),
    up: Direction,
    down: Direction,
    /// What it would have done, and when.
    wished: VecDeque<(Time, u32)>,
    /// By how much it has scaled, and when.
    scaled: VecDeque<(Time, i64)>,
    keeps: Span,
}

impl Hpa {
    /// With nothing done yet.
    pub fn new(settings: &HpaSettings, min: u32, max: u32) -> Hpa {
        let every = Duration(15_000_000_000);
        let all = PolicySettings { percent: Some(Fraction(1.0)), replicas: None, every };
        let four = PolicySettings { percent: None, replicas: Some(4), every };
        let behavior = settings.behavior.as_ref();
        let up = Direction::of(behavior.and_then(|b| b.scale_up.as_ref()), 0, vec![all, four]);
        let down = Direction::of(behavior.and_then(|b| b.scale_down.as_ref()), 300_000_000_000, vec![all]);
        let longest = up.policies.iter().chain(&down.policies).map(|policy| policy.every.0).max().unwrap_or(0);
        let keeps = longest.max(up.stabilization).max(down.stabilization);
        let (wished, scaled) = (VecDeque::new(), VecDeque::new());
        Hpa { tolerance: settings.tolerance.0, bounds: (min, max), up, down, wished, scaled, keeps }
    }

    /// How many replicas one metric asks for, where `current` are wanted and `ready` of them were measured.
    fn asked(&self, current: u32, ready: u32, Measured { sum, target }: Measured) -> u32 {
        if ready == 0 || target <= 0.0 {
            return current;
        }
        let ratio = sum / f64::from(ready) / target;
        if (ratio - 1.0).abs() <= self.tolerance + 1e-9 {
            return current;
        }
        let wanted = libm::ceil(ratio * f64::from(ready) - 1e-9);
        // Those that are not ready count as using nothing: they may take back a rise, but not turn it round.
        if ratio > 1.0 && current > ready {
            let ratio = sum / f64::from(current) / target;
            if ratio <= 1.0 + self.tolerance + 1e-9 {
                return current;
            }
            return libm::ceil(ratio * f64::from(current) - 1e-9).min(1e6) as u32;
        }
        if ratio < 1.0 && f64::from(current) < wanted {
            return current;
        }
        wanted.min(1e6) as u32
    }

    /// It looks: how many replicas there are to be from now on, where `current` are wanted so far and `ready` of them are ready. Nothing is known
    /// where `measured` is empty.
    pub fn look(&mut self, now: Time, current: u32, ready: u32, measured: &[Measured]) -> u32 {
        let Some(desired) = measured.iter().map(|one| self.asked(current, ready, *one)).max() else { return current };
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

    fn stabilize(&mut self, now: Time, current: u32, desired: u32) -> u32 {
        let (mut up, mut down) = (desired, desired);
        for (at, wish) in &self.wished {
            if now - at < self.up.stabilization {
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

    fn bound(&self, now: Time, current: u32, desired: u32) -> u32 {
        let (min, max) = self.bounds;
        let changed = |within: Span| self.changed(now, within);
        let bounded = match desired.cmp(&current) {
            std::cmp::Ordering::Greater => desired.min(self.up.limit(current, true, changed)),
            std::cmp::Ordering::Less => {
                desired.max(self.down.limit(current, false, |within| (changed(within).1, changed(within).0)))
            }
            std::cmp::Ordering::Equal => desired,
        };
        bounded.clamp(min, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Time = 1_000_000_000;

    fn hpa(text: &str) -> Hpa {
        let settings: HpaSettings = settings::notation::read(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        Hpa::new(&settings, 1, 100)
    }

    /// All of `ready` replicas together find `sum`, where each should find 1.
    fn look(hpa: &mut Hpa, at: Time, current: u32, ready: u32, sum: f64) -> u32 {
        hpa.look(at * S, current, ready, &[Measured { sum, target: 1.0 }])
    }

    /// The example of the contract: four pods at five times their target.
    #[test]
    fn four_pods_at_five_times_their_target_double_and_double_again() {
        let mut hpa = hpa("{metrics: [{arrivals: 1/s}]}");
        assert_eq!(look(&mut hpa, 0, 4, 4, 20.0), 8);
        assert_eq!(look(&mut hpa, 15, 8, 8, 20.0), 16);
        assert_eq!(look(&mut hpa, 30, 16, 16, 20.0), 20);
        assert_eq!(look(&mut hpa, 45, 20, 20, 20.0), 20);
    }

    /// `TestScaleUp…` and `TestTolerance` of `horizontal_test.go`: current, what all of them use against a target of 1 each, wanted.
    #[test]
    fn replicas_follow_the_ratio_beyond_the_tolerance() {
        for (current, sum, wanted) in
            [(3, 5.0, 5), (3, 3.2, 3), (3, 3.3, 3), (3, 3.31, 4), (3, 2.7, 3), (10, 8.9, 9), (5, 0.0, 1), (1, 30.0, 5)]
        {
            let mut hpa = hpa("{metrics: [{in_flight: 1}], behavior: {scale_down: {stabilization: 0s}}}");
            assert_eq!(look(&mut hpa, 0, current, current, sum), wanted, "{current} with {sum}");
        }
    }

    #[test]
    fn it_goes_down_by_the_largest_wish_of_five_minutes() {
        let mut hpa = hpa("{metrics: [{in_flight: 1}]}");
        assert_eq!(look(&mut hpa, 0, 10, 10, 10.0), 10);
        assert_eq!(look(&mut hpa, 15, 10, 10, 2.0), 10);
        assert_eq!(look(&mut hpa, 285, 10, 10, 3.0), 10);
        // The wish for ten was five minutes ago; since then the largest was three.
        assert_eq!(look(&mut hpa, 300, 10, 10, 2.0), 3);
    }

    #[test]
    fn policies_bound_the_change_in_their_time() {
        let mut slow =
            hpa("{metrics: [{in_flight: 1}], behavior: {scale_up: {policies: [{replicas: 2, every: 60s}]}}}");
        let course: Vec<u32> = (0..7)
            .scan(4, |current, nth| {
                *current = look(&mut slow, nth * 15, *current, *current, 50.0);
                Some(*current)
            })
            .collect();
        assert_eq!(course, [6, 6, 6, 6, 8, 8, 8]);
        let mut least = hpa("{metrics: [{in_flight: 1}], behavior: {scale_up: {select: min}}}");
        assert_eq!(look(&mut least, 0, 10, 10, 50.0), 14);
        let mut never =
            hpa("{metrics: [{in_flight: 1}], behavior: {scale_down: {stabilization: 0s, select: disabled}}}");
        assert_eq!(look(&mut never, 0, 10, 10, 0.0), 10);
    }

    #[test]
    fn those_that_are_not_ready_count_as_using_nothing() {
        let mut hpa = hpa("{metrics: [{in_flight: 1}]}");
        // Four of eight are ready and use twice their target: eight are enough.
        assert_eq!(look(&mut hpa, 0, 8, 4, 8.0), 8);
        assert_eq!(look(&mut hpa, 15, 8, 4, 12.0), 12);
    }
}
