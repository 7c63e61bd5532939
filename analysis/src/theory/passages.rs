//! Systems as Markov chains: who is there, who joins, and how long somebody who is looked at takes to get through.
//!
//! What somebody finds on arrival is known from elsewhere or is itself the stationary distribution of a chain; from there on
//! the time in the system is the lifetime of a second chain, which knows as much of the others as still matters to him.
//!
//! Sources: Coffman, Muntz and Trotter 1970 (processor sharing as such a chain), Kelly 1979 (what is there whatever the
//! work), Neuts 1981 (queues in a Markovian environment), Jackson 1957 and Sevcik and Mitrani 1981 (what is found at arrival
//! in open and in closed networks), Flatto and Hahn 1984 (fork and join of two), Flatto and McKean 1977 (the shorter of
//! two queues).

use super::chains::{Chain, Lifetime};
use super::formulas::{birth_death, erlang_above};

/// Time in a station of `cores` that are shared by all, under Poisson arrivals, where a job is one of several kinds, each
/// of which needs an exponential time: probability and mean of each kind, one or two of them. `most` are there at once.
pub fn time_in_shared(cores: f64, arrivals: f64, kinds: [(f64, f64); 2], most: usize) -> Lifetime {
    // Beside the one that is looked at there are i of the first kind and j of the second.
    let width = most + 1;
    let state = |own: usize, i: usize, j: usize| (own * width + i) * width + j;
    let mut chain = Chain::new(2 * width * width);
    let mut start = vec![0.0; 2 * width * width];
    let load: f64 = kinds.iter().map(|(p, mean)| arrivals * p * mean).sum();
    // Who arrives sees as many as in M/M/c, and each is of a kind in proportion to its work (Kelly 1979, insensitivity).
    let number = birth_death(most, |_| load, |n| (n as f64).min(cores));
    let share = arrivals * kinds[0].0 * kinds[0].1 / load;
    for own in 0..2 {
        for i in 0..width {
            for j in 0..width - i {
                let from = state(own, i, j);
                let others = i + j;
                let speed = (cores / (others + 1) as f64).min(1.0);
                if others < most {
                    chain.add(from, state(own, i + 1, j), arrivals * kinds[0].0);
                    chain.add(from, state(own, i, j + 1), arrivals * kinds[1].0);
                }
                if i > 0 {
                    chain.add(from, state(own, i - 1, j), i as f64 * speed / kinds[0].1);
                }
                if j > 0 {
                    chain.add(from, state(own, i, j - 1), j as f64 * speed / kinds[1].1);
                }
                chain.end(from, speed / kinds[own].1);
                let choose =
                    libm::lgamma(others as f64 + 1.0) - libm::lgamma(i as f64 + 1.0) - libm::lgamma(j as f64 + 1.0);
                let of_these = libm::exp(choose) * libm::pow(share, i as f64) * libm::pow(1.0 - share, j as f64);
                start[from] = kinds[own].0 * number[others] * of_these;
            }
        }
    }
    chain.lifetime(start)
}

/// Times in two groups on one core, under Poisson arrivals of these rates to each, where everybody needs an exponential time
/// of this mean. While both have work, each has its `weight`'s share of the core, and all of it otherwise; within a group
/// all share alike. `most` of each are there at once.
pub fn time_shared_by_weight(arrivals: [f64; 2], mean: f64, weights: [f64; 2], most: usize) -> [Lifetime; 2] {
    let width = most + 1;
    let state = |n: [usize; 2]| n[0] * width + n[1];
    let all = (0..width).flat_map(|i| (0..width).map(move |j| [i, j]));
    // The part of the core that a group has where so many of each are there.
    let part = |group: usize, n: [usize; 2]| match (n[group], n[1 - group]) {
        (0, _) => 0.0,
        (_, 0) => 1.0,
        _ => weights[group] / (weights[0] + weights[1]),
    };
    let after = |mut n: [usize; 2], group: usize, comes: bool| {
        n[group] = if comes { n[group] + 1 } else { n[group] - 1 };
        n
    };
    let mut numbers = Chain::new(width * width);
    for n in all.clone() {
        for group in 0..2 {
            if n[group] < most {
                numbers.add(state(n), state(after(n, group, true)), arrivals[group]);
            }
            if n[group] > 0 {
                numbers.add(state(n), state(after(n, group, false)), part(group, n) / mean);
            }
        }
    }
    // Whoever arrives sees these numbers, and is one more.
    let seen = numbers.stationary();
    [0, 1].map(|own| {
        let mut chain = Chain::new(width * width);
        for others in all.clone() {
            let with = after(others, own, true);
            let of_own = part(own, with) / mean / with[own] as f64;
            chain.end(state(others), of_own);
            for group in 0..2 {
                if others[group] < most {
                    chain.add(state(others), state(after(others, group, true)), arrivals[group]);
                }
                if others[group] > 0 {
                    let rate = if group == own { of_own * others[own] as f64 } else { part(group, with) / mean };
                    chain.add(state(others), state(after(others, group, false)), rate);
                }
            }
        }
        chain.lifetime(seen.clone())
    })
}

/// One of the two states of an environment in which a single server works.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Rate of arrivals while it lasts.
    pub arrivals: f64,
    /// Rate of service while it lasts.
    pub service: f64,
    /// Rate at which it ends.
    pub ends: f64,
}

type Matrix = [[f64; 2]; 2];

fn times(a: Matrix, b: Matrix) -> Matrix {
    let cell = |i: usize, j: usize| a[i][0] * b[0][j] + a[i][1] * b[1][j];
    [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
}

fn plus(a: Matrix, b: Matrix) -> Matrix {
    [[a[0][0] + b[0][0], a[0][1] + b[0][1]], [a[1][0] + b[1][0], a[1][1] + b[1][1]]]
}

fn inverse(a: Matrix) -> Matrix {
    let d = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    [[a[1][1] / d, -a[0][1] / d], [-a[1][0] / d, a[0][0] / d]]
}

/// Stationary distribution of a single-server queue whose rates change with an environment of two states, by number and
/// state, as far as it matters: it is matrix-geometric with the least solution R of A₀ + R·A₁ + R²·A₂ = 0 (Neuts).
pub fn states_in_environment(phases: [Phase; 2]) -> Vec<[f64; 2]> {
    let [p, q] = phases;
    let up = [[p.arrivals, 0.0], [0.0, q.arrivals]];
    let down = [[p.service, 0.0], [0.0, q.service]];
    let empty = [[-p.ends - p.arrivals, p.ends], [q.ends, -q.ends - q.arrivals]];
    let stay = [[empty[0][0] - p.service, p.ends], [q.ends, empty[1][1] - q.service]];
    let minus = inverse([[-stay[0][0], -stay[0][1]], [-stay[1][0], -stay[1][1]]]);
    let mut r = [[0.0; 2]; 2];
    for _ in 0..200_000 {
        r = times(plus(up, times(times(r, r), down)), minus);
    }
    // π₀(B₀ + R·A₂) = 0 and π₀(I − R)⁻¹1 = 1.
    let b = plus(empty, times(r, down));
    let all = inverse([[1.0 - r[0][0], -r[0][1]], [-r[1][0], 1.0 - r[1][1]]]);
    let ratio = -b[0][0] / b[1][0];
    let sum = |row: [f64; 2]| row[0] + row[1];
    let first = 1.0 / (sum(all[0]) + ratio * sum(all[1]));
    let mut states = vec![[first, ratio * first]];
    loop {
        let [a, b] = states[states.len() - 1];
        if a + b < 1e-14 {
            return states;
        }
        states.push([a * r[0][0] + b * r[1][0], a * r[0][1] + b * r[1][1]]);
    }
}

/// Mean number in such a queue.
pub fn number_in_environment(phases: [Phase; 2]) -> f64 {
    states_in_environment(phases).iter().enumerate().map(|(n, [a, b])| n as f64 * (a + b)).sum()
}

/// Time in such a queue, first come, first served: whoever arrives sees a state in proportion to the arrivals in it, and leaves
/// after one service more than there are before him.
pub fn time_in_environment(phases: [Phase; 2]) -> Lifetime {
    let states = states_in_environment(phases);
    let mut chain = Chain::new(2 * states.len());
    let mut start = vec![0.0; 2 * states.len()];
    let seen = |p: &[f64; 2]| p[0] * phases[0].arrivals + p[1] * phases[1].arrivals;
    let all: f64 = states.iter().map(seen).sum();
    for (before, p) in states.iter().enumerate() {
        for (at, phase) in phases.iter().enumerate() {
            let from = 2 * before + at;
            start[from] = p[at] * phase.arrivals / all;
            chain.add(from, 2 * before + 1 - at, phase.ends);
            match before {
                0 => chain.end(from, phase.service),
                _ => chain.add(from, from - 2, phase.service),
            }
        }
    }
    chain.lifetime(start)
}

/// Stationary distribution of two single servers of the same rate, by the numbers (m, n) at each, which `joins` says an
/// arrival leads to; cut off at `most` in each.
fn two_servers(
    arrivals: f64,
    service: f64,
    most: usize,
    joins: impl Fn(usize, usize) -> (usize, usize),
) -> Vec<(usize, usize, f64)> {
    let size = most + 1;
    let mut chain = Chain::new(size * size);
    for m in 0..size {
        for n in 0..size {
            let from = m * size + n;
            let (to_m, to_n) = joins(m, n);
            if to_m < size && to_n < size {
                chain.add(from, to_m * size + to_n, arrivals);
            }
            if m > 0 {
                chain.add(from, from - size, 1.0 / service);
            }
            if n > 0 {
                chain.add(from, from - 1, 1.0 / service);
            }
        }
    }
    chain.stationary().into_iter().enumerate().map(|(state, p)| (state / size, state % size, p)).collect()
}

/// Two M/M/1 queues to the shorter of which arrivals come, to the first where they are equal.
pub fn shorter_of_two(arrivals: f64, service: f64, most: usize) -> Vec<(usize, usize, f64)> {
    two_servers(arrivals, service, most, |m, n| if m <= n { (m + 1, n) } else { (m, n + 1) })
}

/// Mean number at both of two servers together.
pub fn number_at_both(states: &[(usize, usize, f64)]) -> f64 {
    states.iter().map(|(m, n, p)| (m + n) as f64 * p).sum()
}

/// Probability that the time in the shorter of two exceeds `t`: one service more than there are at it.
pub fn time_in_shorter_of_two_above(states: &[(usize, usize, f64)], t: f64, service: f64) -> f64 {
    let tails: Vec<f64> = tails(states, t, service);
    states.iter().map(|(m, n, p)| p * tails[*m.min(n)]).sum()
}

/// Two servers at each of which every arrival leaves a job.
pub fn fork_and_join(arrivals: f64, service: f64, most: usize) -> Vec<(usize, usize, f64)> {
    two_servers(arrivals, service, most, |m, n| (m + 1, n + 1))
}

/// Probability that the later of the two jobs takes more than `t`: from what an arrival finds on, the servers know
/// nothing of each other.
pub fn time_in_fork_and_join_above(states: &[(usize, usize, f64)], t: f64, service: f64) -> f64 {
    let tails = tails(states, t, service);
    states.iter().map(|(m, n, p)| p * (1.0 - (1.0 - tails[*m]) * (1.0 - tails[*n]))).sum()
}

/// Probability that n + 1 services take more than `t`, by n.
fn tails(states: &[(usize, usize, f64)], t: f64, service: f64) -> Vec<f64> {
    let most = states.iter().map(|(m, _, _)| *m).max().unwrap_or(0);
    (0..=most).map(|n| erlang_above(t, n as u32 + 1, 1.0 / service)).collect()
}

/// Two stations of one server each, through which everybody goes, first come, first served, some of them several times through
/// the first: all of whom one has found so many at each.
#[derive(Clone, Copy, Debug)]
pub struct TwoStations {
    /// Rates of service.
    pub rates: [f64; 2],
    /// Probability to go through the first station once more.
    pub again: f64,
    /// Rate of arrivals, who matter if somebody goes back to where they wait.
    pub arrivals: f64,
    /// How many there are at most at each of them.
    pub most: [usize; 2],
}

/// Time through both, when one finds (m, n) there with the probability `found(m, n)`.
pub fn time_through_two(stations: TwoStations, found: impl Fn(usize, usize) -> f64) -> Lifetime {
    let TwoStations { rates, again, arrivals, most } = stations;
    // At the first station there are some before one and some behind; these matter only if there is a way back.
    let behind_most = if again > 0.0 { most[0] } else { 0 };
    let second = most[1] + 1;
    let first = |before: usize, behind: usize, n: usize| second + (before * (behind_most + 1) + behind) * second + n;
    let states = second + (most[0] + 1) * (behind_most + 1) * second;
    let mut chain = Chain::new(states);
    let mut start = vec![0.0; states];
    for n in 0..second {
        // At the second station, with n before one.
        match n {
            0 => chain.end(0, rates[1]),
            _ => chain.add(n, n - 1, rates[1]),
        }
        for before in 0..=most[0] {
            start[first(before, 0, n)] = found(before, n);
            for behind in 0..=behind_most {
                let here = first(before, behind, n);
                if n > 0 {
                    chain.add(here, first(before, behind, n - 1), rates[1]);
                }
                if behind < behind_most {
                    chain.add(here, first(before, behind + 1, n), arrivals);
                }
                if before == 0 {
                    chain.add(here, n, rates[0] * (1.0 - again));
                    chain.add(here, first(behind, 0, n), rates[0] * again);
                    continue;
                }
                if n < most[1] {
                    chain.add(here, first(before - 1, behind, n + 1), rates[0] * (1.0 - again));
                }
                if behind < behind_most {
                    chain.add(here, first(before - 1, behind + 1, n), rates[0] * again);
                }
            }
        }
    }
    chain.lifetime(start)
}

/// Time of a user of a closed network through two such stations with these mean services, after an exponential time to think: on
/// arrival he finds what one user less would leave behind, in product form (Sevcik and Mitrani).
pub fn time_in_closed_network(users: usize, think: f64, services: [f64; 2]) -> Lifetime {
    let others = users - 1;
    let weight = |m: usize, n: usize| {
        let thinking = others.checked_sub(m + n)? as f64;
        let [at_first, at_second] = [(m, services[0]), (n, services[1])].map(|(n, s)| n as f64 * libm::log(s));
        Some(libm::exp(thinking * libm::log(think) - libm::lgamma(thinking + 1.0) + at_first + at_second))
    };
    let all: f64 = (0..=others).flat_map(|m| (0..=others).filter_map(move |n| weight(m, n))).sum();
    let stations = TwoStations { rates: services.map(|s| 1.0 / s), again: 0.0, arrivals: 0.0, most: [others, others] };
    time_through_two(stations, |m, n| weight(m, n).unwrap_or(0.0) / all)
}

/// Time in a single exponential server that works on full batches: until one's own is full, and through the batches before
/// it. At most `most` of them are there.
pub fn time_in_full_batches(arrivals: f64, size: usize, service: f64, most: usize) -> Lifetime {
    // Batches at the server, and items of the next one.
    let state = |batches: usize, items: usize| batches * size + items;
    let mut numbers = Chain::new((most + 1) * size);
    let mut own = Chain::new((most + 1) * size);
    for batches in 0..=most {
        for items in 0..size {
            let here = state(batches, items);
            let full = items + 1 == size;
            numbers.add(here, if full { state(batches + 1, 0) } else { here + 1 }, arrivals);
            // For somebody who waits until so many more have come.
            let missing = items;
            if missing > 0 {
                own.add(here, here - 1, arrivals);
            }
            if batches > 0 {
                numbers.add(here, here - size, 1.0 / service);
                own.add(here, here - size, 1.0 / service);
            } else if missing == 0 {
                own.end(here, 1.0 / service);
            }
        }
    }
    let mut start = vec![0.0; (most + 1) * size];
    for (found, p) in numbers.stationary().into_iter().enumerate() {
        let (batches, items) = (found / size, found % size);
        start[state(batches, size - 1 - items)] = p;
    }
    own.lifetime(start)
}
