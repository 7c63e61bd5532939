//! Sharing against a model in exact fractions that visits every job in every step.

use super::*;
use proptest::prelude::*;

/// An exact fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fraction {
    over: i128,
    under: i128,
}

impl Fraction {
    fn new(over: i128, under: i128) -> Self {
        let (mut a, mut b) = (over.abs(), under.abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let sign = if under < 0 { -1 } else { 1 };
        Fraction { over: sign * over / a.max(1), under: sign * under / a.max(1) }
    }

    fn whole(over: i128) -> Self {
        Fraction { over, under: 1 }
    }

    fn minus(self, other: Self) -> Self {
        Self::new(self.over * other.under - other.over * self.under, self.under * other.under)
    }

    fn times(self, other: Self) -> Self {
        let (a, b) = (Self::new(self.over, other.under), Self::new(other.over, self.under));
        Self::new(a.over * b.over, a.under * b.under)
    }

    fn divided_by(self, other: Self) -> Self {
        self.times(Self::new(other.under, other.over))
    }

    fn is_less_than(self, other: Self) -> bool {
        self.minus(other).over < 0
    }

    fn rounded_up(self) -> i128 {
        self.over.div_euclid(self.under) + i128::from(self.over.rem_euclid(self.under) != 0)
    }
}

#[derive(Clone, Debug)]
struct SlowJob {
    key: u32,
    part: usize,
    left: Fraction,
}

#[derive(Clone, Debug)]
struct SlowPart {
    each: bool,
    weight: i128,
    limit: Option<Fraction>,
}

/// Cores, parts and jobs, with no state other than the remaining work of each job.
#[derive(Clone, Debug)]
struct Slow {
    cores: Fraction,
    speed: Fraction,
    parts: Vec<SlowPart>,
    jobs: Vec<SlowJob>,
    at: Time,
    busy: Fraction,
}

impl Slow {
    /// Cores of each part: water-filling until the cores are used up, part after part as each is satisfied.
    fn cores_of_parts(&self) -> Vec<Fraction> {
        let len = |part: usize| self.jobs.iter().filter(|job| job.part == part).count() as i128;
        let mut given = vec![Fraction::whole(0); self.parts.len()];
        let mut open: Vec<(usize, Fraction, Fraction)> = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            let jobs = Fraction::whole(len(number));
            let wanted = part.limit.filter(|limit| limit.is_less_than(jobs)).unwrap_or(jobs);
            let weight = Fraction::whole(if part.each { part.weight * len(number) } else { part.weight });
            if len(number) > 0 {
                open.push((number, wanted, weight));
            }
        }
        // The part that wants least for its weight is satisfied first.
        open.sort_by(|a, b| {
            let difference = a.1.divided_by(a.2).minus(b.1.divided_by(b.2));
            difference.over.cmp(&0)
        });
        let mut left = self.cores;
        while !open.is_empty() {
            let weights = open.iter().fold(Fraction::whole(0), |sum, part| sum.minus(Fraction::whole(-part.2.over)));
            let (number, wanted, weight) = open.remove(0);
            let fair = left.times(weight).divided_by(weights);
            given[number] = if wanted.is_less_than(fair) { wanted } else { fair };
            left = left.minus(given[number]);
        }
        given
    }

    fn rates(&self) -> Vec<Fraction> {
        let given = self.cores_of_parts();
        let rate = |job: &SlowJob| {
            let among = self.jobs.iter().filter(|other| other.part == job.part).count() as i128;
            given[job.part].divided_by(Fraction::whole(among)).times(self.speed)
        };
        self.jobs.iter().map(rate).collect()
    }

    fn next_completion(&self) -> Option<Time> {
        let rates = self.rates();
        let ends = self.jobs.iter().zip(rates).filter_map(|(job, rate)| {
            if job.left.over <= 0 {
                return Some(self.at);
            }
            (rate.over > 0).then(|| self.at + job.left.divided_by(rate).rounded_up() as u64)
        });
        ends.min()
    }

    fn advance(&mut self, now: Time) {
        let passed = Fraction::whole(i128::from(now - self.at));
        let rates = self.rates();
        for cores in self.cores_of_parts() {
            self.busy = self.busy.minus(Fraction::whole(0).minus(cores.times(passed)));
        }
        for (job, rate) in self.jobs.iter_mut().zip(rates) {
            job.left = job.left.minus(rate.times(passed));
        }
        self.at = now;
    }

    fn complete_due(&mut self, now: Time) -> Vec<u32> {
        self.advance(now);
        let done = self.jobs.iter().filter(|job| job.left.over <= 0).map(|job| job.key).collect();
        self.jobs.retain(|job| job.left.over > 0);
        done
    }

    fn remove(&mut self, now: Time, key: u32) -> Option<Span> {
        self.advance(now);
        let at = self.jobs.iter().position(|job| job.key == key)?;
        Some(self.jobs.remove(at).left.rounded_up().max(0) as Span)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add { part: usize, work: Span },
    Remove(prop::sample::Index),
    Clear(usize),
    Cores(u64),
    Speed(u64),
    Limit(usize, Option<u64>),
    Pass(Span),
    ToCompletion,
}

const PARTS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..PARTS, 0u64..2000).prop_map(|(part, work)| Step::Add { part, work }),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => (0..PARTS).prop_map(Step::Clear),
        1 => (0u64..12).prop_map(Step::Cores),
        1 => (0u64..5).prop_map(Step::Speed),
        1 => (0..PARTS, prop::option::of(0u64..5)).prop_map(|(part, limit)| Step::Limit(part, limit)),
        3 => (0u64..300).prop_map(Step::Pass),
        5 => Just(Step::ToCompletion),
    ]
}

/// The fast structure under test.
enum Fast {
    Group(Group, Vec<u32>),
    Host(Host, Vec<Container>),
}

macro_rules! either {
    ($fast:expr, $shared:ident => $then:expr) => {
        match $fast {
            Fast::Group($shared, _) => $then,
            Fast::Host($shared, _) => $then,
        }
    };
}

const JOBS_MAX: usize = 7;

fn compare(each: bool, weights: [u32; PARTS], cores: u64, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let half = |halves: u64| Fraction::new(i128::from(halves), 2);
    let mut slow = Slow {
        cores: half(cores),
        speed: Fraction::whole(1),
        parts: weights.iter().map(|&weight| SlowPart { each, weight: i128::from(weight), limit: None }).collect(),
        jobs: Vec::new(),
        at: 0,
        busy: Fraction::whole(0),
    };
    let cores = cores as f64 / 2.0;
    let mut fast = if each {
        Fast::Group(Group::new(cores), weights.to_vec())
    } else {
        let mut host = Host::new(cores);
        let containers = weights.iter().map(|&weight| host.add_container(0, weight, None)).collect();
        Fast::Host(host, containers)
    };
    let mut names: Vec<(u32, JobId)> = Vec::new();
    let mut now = 0;
    let mut count = 0;
    for step in steps {
        match step {
            Step::Add { part, work } if slow.jobs.len() < JOBS_MAX => {
                count += 1;
                slow.advance(now);
                slow.jobs.push(SlowJob { key: count, part, left: Fraction::whole(i128::from(work)) });
                let id = match &mut fast {
                    Fast::Group(group, weights) => group.add(now, count, work, weights[part]),
                    Fast::Host(host, containers) => host.add(now, containers[part], count, work),
                };
                names.push((count, id));
            }
            Step::Remove(index) if !names.is_empty() => {
                let (key, id) = names[index.index(names.len())];
                let left = either!(&fast, shared => shared.left(now, id));
                prop_assert_eq!(either!(&mut fast, shared => shared.remove(now, id)), left);
                prop_assert_eq!(slow.remove(now, key), left);
            }
            Step::Clear(part) => {
                if let Fast::Host(host, containers) = &mut fast {
                    let mut gone = Vec::new();
                    host.clear(now, containers[part], &mut gone);
                    slow.advance(now);
                    let expected: Vec<u32> =
                        slow.jobs.iter().filter(|job| job.part == part).map(|job| job.key).collect();
                    slow.jobs.retain(|job| job.part != part);
                    prop_assert_eq!(gone, expected);
                }
            }
            Step::Cores(halves) => {
                slow.advance(now);
                slow.cores = half(halves);
                either!(&mut fast, shared => shared.set_capacity(now, halves as f64 / 2.0));
            }
            Step::Speed(quarters) => {
                slow.advance(now);
                slow.speed = Fraction::new(i128::from(quarters), 4);
                either!(&mut fast, shared => shared.set_speed(now, quarters as f64 / 4.0));
            }
            Step::Limit(part, halves) => {
                if let Fast::Host(host, containers) = &mut fast {
                    slow.advance(now);
                    slow.parts[part].limit = halves.map(half);
                    host.set_limit(now, containers[part], halves.map(|halves| halves as f64 / 2.0));
                }
            }
            Step::Pass(span) => {
                // Never past a completion: users of the structure stop at each one.
                now = slow.next_completion().map_or(now + span, |next| next.min(now + span));
            }
            Step::ToCompletion => {
                let next = slow.next_completion();
                prop_assert_eq!(either!(&fast, shared => shared.next_completion()), next);
                now = next.unwrap_or(now);
                let mut done = Vec::new();
                either!(&mut fast, shared => shared.complete_due(now, &mut done));
                let expected = slow.complete_due(now);
                prop_assert!(next.is_none() || !expected.is_empty());
                prop_assert_eq!(done, expected);
            }
            Step::Add { .. } | Step::Remove(_) => {}
        }
        prop_assert_eq!(either!(&fast, shared => shared.len()), slow.jobs.len());
        prop_assert_eq!(either!(&fast, shared => shared.next_completion()), slow.next_completion());
        let mut advanced = slow.clone();
        advanced.advance(now);
        let busy = advanced.busy.over.div_euclid(advanced.busy.under) as u128;
        prop_assert_eq!(either!(&fast, shared => shared.busy(now)), busy);
        if let Fast::Host(host, containers) = &fast {
            let parts: u128 = containers.iter().map(|&container| host.container_busy(now, container)).sum();
            prop_assert!(parts <= busy && busy <= parts + PARTS as u128 + 1);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_group_does_as_the_exact_model(
        cores in 0u64..10,
        weights in prop::sample::select(vec![[1, 2, 4], [1, 3, 100], [5, 6, 7]]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        compare(true, weights, cores, steps)?;
    }

    #[test]
    fn a_host_does_as_the_exact_model(
        cores in 0u64..10,
        weights in prop::sample::select(vec![[1, 1, 1], [1, 2, 4], [1, 3, 100]]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        compare(false, weights, cores, steps)?;
    }
}

fn completions(group: &mut Group) -> Vec<(Time, u32)> {
    let mut all = Vec::new();
    while let Some(next) = group.next_completion() {
        let mut done = Vec::new();
        group.complete_due(next, &mut done);
        all.extend(done.into_iter().map(|key| (next, key)));
    }
    all
}

#[test]
fn jobs_end_where_the_sum_of_shared_work_says() {
    // Work 100, 200, 300 on one core: 3 × 100, then 2 × 100 more, then 100 more.
    let mut group = Group::new(1.0);
    for (key, work) in [(0, 100), (1, 200), (2, 300)] {
        group.add(0, key, work, 1);
    }
    assert_eq!(completions(&mut group), [(300, 0), (500, 1), (600, 2)]);
    assert_eq!(group.busy(600), 600);
}

#[test]
fn a_job_uses_at_most_one_core_and_a_heavy_one_leaves_the_rest_to_others() {
    // On 2 cores, the job of weight 8 would get 8/5 cores; it gets one, and the others half a core each.
    let mut group = Group::new(2.0);
    group.add(0, 0, 100, 8);
    group.add(0, 1, 100, 1);
    group.add(0, 2, 100, 1);
    assert_eq!(completions(&mut group), [(100, 0), (150, 1), (150, 2)]);
}

#[test]
fn equal_jobs_end_together_exactly_where_thirds_come_out_even() {
    for jobs in 1..200u32 {
        let mut group = Group::new(1.0);
        for key in 0..jobs {
            group.add(5, key, 10_000_000, 1);
        }
        let end = 5 + 10_000_000 * u64::from(jobs);
        assert_eq!(completions(&mut group), (0..jobs).map(|key| (end, key)).collect::<Vec<_>>());
    }
}

#[test]
fn a_slow_core_takes_longer_and_is_busy_all_the_while() {
    let mut group = Group::new(1.0);
    group.add(0, 0, 100, 1);
    group.set_speed(50, 0.1);
    assert_eq!(group.next_completion(), Some(550));
    group.set_speed(150, 0.0);
    assert_eq!(group.next_completion(), None);
    group.set_speed(250, 1.0);
    assert_eq!(completions(&mut group), [(290, 0)]);
    assert_eq!(group.busy(1000), 290);
}

#[test]
fn containers_get_cores_by_weight_within_their_limits() {
    // 4 cores; demands of 8, 8 and 1 with weights 1, 2 and 1. The third gets the core it wants; 3 are left for 1 : 2.
    let mut host = Host::new(4.0);
    let containers = [1, 2, 1].map(|weight| host.add_container(0, weight, None));
    for key in 0..8 {
        host.add(0, containers[0], key, 1000);
        host.add(0, containers[1], 8 + key, 1000);
    }
    host.add(0, containers[2], 16, 1000);
    assert_eq!(containers.map(|container| host.container_using(container)), [CORE, 2 * CORE, CORE]);
    // With a limit of half a core for the second, the first gets the rest.
    host.set_limit(0, containers[1], Some(0.5));
    assert_eq!(containers.map(|container| host.container_using(container)), [2_500_000, 500_000, CORE]);
    assert_eq!(host.container_reaches(containers[1], 100), Some(200));
    assert_eq!(host.container_busy(200, containers[1]), 100);
    assert_eq!(host.busy(200), 800);
}

#[test]
fn what_thirds_of_cores_add_up_to_is_exact() {
    let mut host = Host::new(4.0);
    let containers = [(1, None), (2, None), (1, Some(0.7))].map(|(weight, limit)| host.add_container(0, weight, limit));
    for (number, &container) in containers.iter().enumerate() {
        for key in 0..7 {
            host.add(0, container, 7 * number as u32 + key, 1_000_000);
        }
    }
    assert_eq!(containers.map(|container| host.container_using(container)), [1_100_000, 2_200_000, 700_000]);
    assert_eq!(containers.map(|container| host.container_reaches(container, 77)), [70, 35, 110].map(Some));
    assert_eq!(containers.map(|container| host.container_busy(10_000, container)), [11_000, 22_000, 7_000]);
}

#[test]
fn a_slow_container_is_slow_on_top_of_a_slow_host() {
    let mut host = Host::new(1.0);
    let slow = host.add_container(0, 1, None);
    host.add(0, slow, 0, 1000);
    host.set_container_speed(100, slow, 0.5);
    assert_eq!(host.next_completion(), Some(1900));
    host.set_speed(200, 0.1);
    assert_eq!(host.next_completion(), Some(17_200));
    host.set_container_speed(200, slow, 1.0);
    assert_eq!(host.next_completion(), Some(8700));
    // Half the cores at a tenth of the speed.
    host.set_capacity(700, 0.5);
    assert_eq!(host.next_completion(), Some(16_700));
}

#[test]
fn what_is_taken_back_has_its_work_left_and_is_not_found_again() {
    let mut group = Group::new(1.0);
    let first = group.add(0, 0, 100, 1);
    group.add(0, 1, 100, 1);
    assert_eq!(group.remove(100, first), Some(50));
    assert_eq!(group.remove(100, first), None);
    assert_eq!(completions(&mut group), [(150, 1)]);
}

#[test]
fn completions_of_one_instant_are_in_the_order_of_beginning() {
    let mut host = Host::new(1.0);
    let containers = [1, 1].map(|weight| host.add_container(0, weight, None));
    for (key, container) in [(7, 1), (3, 0), (5, 1), (4, 0)] {
        host.add(0, containers[container], key, 10);
    }
    let mut done = Vec::new();
    host.complete_due(40, &mut done);
    assert_eq!(done, [7, 3, 5, 4]);
}

#[test]
fn no_number_is_too_large_or_too_strange() {
    for cores in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let mut group = Group::new(cores);
        group.set_speed(0, f64::INFINITY);
        for key in 0..100 {
            group.add(u64::from(key), key, u64::MAX, u32::MAX - key);
        }
        group.next_completion();
        group.busy(1 << 58);
        group.add(1 << 58, 100, 1, 1);
        let mut gone = Vec::new();
        group.clear((1 << 58) + 1, &mut gone);
        assert!(gone.len() <= 101 && group.is_empty());
    }
}

/// A host with many containers, in which those of one kind share a class, against the same host in which each has its
/// own: every completion, every integral and every predicted instant is the same.
fn crowd_against_single(steps: Vec<(u8, u8, u16, u8)>) -> Result<(), TestCaseError> {
    let (mut many, mut single) = (Host::new(3.0), Host::new(3.0));
    let mut containers = Vec::new();
    for number in 0..40u32 {
        let (weight, limit) = (1 + number % 3, (number % 5 == 4).then_some(0.4));
        let container = many.add_container(0, weight, limit);
        single.shares.add_part(0, Weight::Together(weight), limit.map(millionths), false);
        containers.push(container);
    }
    assert!(many.shares.crowd.is_some() && single.shares.crowd.is_none());
    let (mut now, mut jobs, mut key): (Time, Vec<(JobId, JobId)>, u32) = (0, Vec::new(), 0);
    for (what, which, work, more) in steps {
        let container = containers[usize::from(which) % containers.len()];
        match what % 8 {
            0..=2 => {
                key += 1;
                let work = 1 + u64::from(work);
                jobs.push((many.add(now, container, key, work), single.add(now, container, key, work)));
            }
            3 if !jobs.is_empty() => {
                let (one, other) = jobs.swap_remove(usize::from(which) % jobs.len());
                prop_assert_eq!(many.remove(now, one), single.remove(now, other));
            }
            4 => {
                let limit = [None, Some(0.0), Some(0.7), Some(1.5)][usize::from(more) % 4];
                many.set_limit(now, container, limit);
                single.set_limit(now, container, limit);
            }
            5 => {
                let speed = [1.0, 0.5, 0.0, 3.0][usize::from(more) % 4];
                many.set_container_speed(now, container, speed);
                single.set_container_speed(now, container, speed);
            }
            6 => {
                many.set_capacity(now, f64::from(more % 9) / 2.0);
                single.set_capacity(now, f64::from(more % 9) / 2.0);
            }
            _ => {
                now = many.next_completion().unwrap_or(now).min(now + u64::from(work));
                let (mut one, mut other) = (Vec::new(), Vec::new());
                many.complete_due(now, &mut one);
                single.complete_due(now, &mut other);
                prop_assert_eq!(one, other);
            }
        }
        prop_assert_eq!(many.next_completion(), single.next_completion());
        prop_assert_eq!((many.busy(now), many.using(), many.len()), (single.busy(now), single.using(), single.len()));
        for container in &containers {
            prop_assert_eq!(many.container_busy(now, *container), single.container_busy(now, *container));
            prop_assert_eq!(many.container_using(*container), single.container_using(*container));
            prop_assert_eq!(many.container_len(*container), single.container_len(*container));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_crowd_of_containers_does_as_each_by_itself(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u16>(), any::<u8>()), 1..120),
    ) {
        crowd_against_single(steps)?;
    }
}

/// A change on a host with 10,000 containers visits as many classes as on one with 100.
#[test]
fn a_change_among_ten_thousand_containers_looks_at_few_classes() {
    let mut host = Host::new(64.0);
    let containers: Vec<Container> = (0..10_000).map(|n| host.add_container(0, 1 + n % 4, None)).collect();
    for (key, container) in containers.iter().enumerate() {
        host.add(0, *container, key as u32, 1_000_000 + key as u64);
    }
    // One job in each, with four weights; then two jobs in some.
    assert_eq!(host.shares.classes.iter().filter(|class| class.members > 0).count(), 4);
    for (key, container) in containers.iter().enumerate().step_by(100) {
        host.add(10, *container, 10_000 + key as u32, 1_000_000);
    }
    assert!(host.shares.classes.len() <= 9, "{}", host.shares.classes.len());
    let mut done = Vec::new();
    while let Some(next) = host.next_completion() {
        host.complete_due(next, &mut done);
    }
    assert_eq!(done.len(), 10_100);
    // 64 cores, all in use until fewer jobs than that remain: the total work.
    let work: u64 = (0..10_000).map(|key| 1_000_000 + key).sum::<u64>() + 100 * 1_000_000;
    assert!(host.busy(u64::MAX >> 1).abs_diff(u128::from(work)) <= 10_100);
    assert!(host.shares.classes.iter().all(|class| class.members == 0 && class.firsts.is_empty()));
}
