//! Closed forms of queueing theory, and numerical solutions where there is none.
//!
//! Sources: Kleinrock, *Queueing Systems* I (M/M/c, M/M/c/K, M/G/1, G/M/1, batches); Erlang 1909 (M/D/1); Reiser and
//! Lavenberg 1980 (mean value analysis); Takács 1962 (busy periods); Neuts 1981 (queues in a Markovian environment).

/// Probability that an arrival waits in M/M/c with `a` = λ/μ (Erlang C).
pub fn erlang_c(c: u32, a: f64) -> f64 {
    let b = erlang_b(c, a);
    let rho = a / f64::from(c);
    b / (1.0 - rho + rho * b)
}

/// Probability that an arrival is lost in M/G/c/c with `a` = λ/μ (Erlang B).
pub fn erlang_b(c: u32, a: f64) -> f64 {
    (1..=c).fold(1.0, |b, n| a * b / (f64::from(n) + a * b))
}

/// Stationary distribution of a birth-death process from its birth and death rates, cut off at `most`.
pub fn birth_death(most: usize, birth: impl Fn(usize) -> f64, death: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut p = vec![1.0];
    for n in 1..=most {
        p.push(p[n - 1] * birth(n - 1) / death(n));
    }
    let sum: f64 = p.iter().sum();
    p.into_iter().map(|x| x / sum).collect()
}

/// Throughput and response time of a closed network of single exponential stations with these demands, by exact mean
/// value analysis.
pub fn mean_value_analysis(users: u32, think: f64, demands: &[f64]) -> (f64, f64) {
    let mut queues = vec![0.0; demands.len()];
    let (mut throughput, mut response) = (0.0, 0.0);
    for n in 1..=users {
        let residences: Vec<f64> = demands.iter().zip(&queues).map(|(d, q)| d * (1.0 + q)).collect();
        response = residences.iter().sum();
        throughput = f64::from(n) / (think + response);
        queues = residences.iter().map(|r| throughput * r).collect();
    }
    (throughput, response)
}

/// Mean size of a batch of at most `max` that waits `wait` from its first item on, under Poisson arrivals of `rate`:
/// 1 + Σ P(Erlang(j, rate) ≤ wait), j < max.
pub fn batch_size(max: u32, rate: f64, wait: f64) -> f64 {
    let x = rate * wait;
    let (mut term, mut below) = (libm::exp(-x), 0.0);
    let mut size = 1.0;
    for j in 1..max {
        below += term;
        term *= x / f64::from(j);
        size += 1.0 - below;
    }
    size
}

/// Mean delay of an item of such a batch: the batch is open for E[∫] and each waits from its arrival to the end.
pub fn batch_delay(max: u32, rate: f64, wait: f64) -> f64 {
    // Σ over items of the time until the flush = ∫₀^wait E[items so far; still open] dt.
    let steps = 20_000;
    let h = wait / f64::from(steps);
    let mut total = 0.0;
    for i in 0..=steps {
        let x = rate * h * f64::from(i);
        let (mut term, mut items) = (libm::exp(-x), 0.0);
        for j in 0..max - 1 {
            items += term * f64::from(j + 1);
            term *= x / f64::from(j + 1);
        }
        let weight = if i == 0 || i == steps { 0.5 } else { 1.0 };
        total += weight * items * h;
    }
    total / batch_size(max, rate, wait)
}

/// The value that is exceeded with probability `tail`, where `above(t)` is the probability to exceed t ≥ 0.
pub fn quantile(tail: f64, above: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e-3);
    while above(high) > tail {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if above(middle) > tail { low = middle } else { high = middle }
    }
    high
}

/// Probability that the time in M/M/c, first come first served, exceeds `t`: the wait is exponential of rate cμ − λ with
/// the probability of Erlang C, then comes the service.
pub fn time_in_mmc_above(t: f64, c: u32, arrivals: f64, service: f64) -> f64 {
    let (mu, waits) = (1.0 / service, erlang_c(c, arrivals * service));
    let drain = f64::from(c) * mu - arrivals;
    let both = (drain * libm::exp(-mu * t) - mu * libm::exp(-drain * t)) / (drain - mu);
    (1.0 - waits) * libm::exp(-mu * t) + waits * both
}

/// Probability that the wait in M/D/1 exceeds `t` (Erlang 1909).
pub fn wait_in_md1_above(t: f64, arrivals: f64, service: f64) -> f64 {
    let mut sum = 0.0;
    let mut k = 0.0;
    while k * service <= t {
        let x = arrivals * (k * service - t);
        let term = (1..=k as u32).fold(1.0, |term, i| term * x / f64::from(i));
        sum += term * libm::exp(-x);
        k += 1.0;
    }
    1.0 - (1.0 - arrivals * service) * sum
}

/// Probability that a busy period of M/M/1 exceeds `t`: of all arrivals and departures up to then, a ballot says in how
/// many orders the last of 2n − 1 is the first to leave nobody behind (Takács).
pub fn busy_period_above(t: f64, arrivals: f64, service: f64) -> f64 {
    let events = (arrivals + 1.0 / service) * t;
    let up = arrivals / (arrivals + 1.0 / service);
    // P(more than 2n − 2 events by t), from the whole Poisson distribution.
    let most = (events + 12.0 * libm::sqrt(events) + 40.0) as usize;
    let mut poisson = vec![libm::exp(-events)];
    for n in 1..=most {
        poisson.push(poisson[n - 1] * events / n as f64);
    }
    let mut at_least = vec![0.0; most + 2];
    for n in (0..=most).rev() {
        at_least[n] = at_least[n + 1] + poisson[n];
    }
    let mut ended = 0.0;
    let mut exactly = 1.0 - up;
    let mut n = 1usize;
    while 2 * n - 1 <= most {
        ended += exactly * at_least[2 * n - 1];
        // Catalan numbers: C(n) = C(n − 1) · 2(2n − 1)/(n + 1).
        exactly *= 2.0 * (2.0 * n as f64 - 1.0) / (n as f64 + 1.0) * up * (1.0 - up);
        n += 1;
    }
    1.0 - ended
}

/// σ of G/M/1: the root below 1 of σ = A*(μ(1 − σ)), where A* is the Laplace transform of the gaps.
pub fn waits_in_gm1(service: f64, transform: impl Fn(f64) -> f64) -> f64 {
    (0..1000).fold(0.5, |sigma, _| transform((1.0 - sigma) / service))
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

/// Mean number in a single-server queue whose rates change with an environment of two states: the stationary
/// distribution is matrix-geometric with the least solution R of A₀ + R·A₁ + R²·A₂ = 0 (Neuts).
pub fn number_in_environment(phases: [Phase; 2]) -> f64 {
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
    let number = times(times(r, all), all);
    first * (sum(number[0]) + ratio * sum(number[1]))
}

/// Mean number in two M/M/1 queues to the shorter of which arrivals come, to the first where they are equal: the
/// stationary equations solved by Gauss and Seidel's method, cut off at `most` in each.
pub fn number_in_shorter_of_two(arrivals: f64, service: f64, most: usize) -> f64 {
    let mu = 1.0 / service;
    let size = most + 1;
    let mut p = vec![1.0 / (size * size) as f64; size * size];
    let at = |m: usize, n: usize| m * size + n;
    // Where an arrival that finds (m, n) goes, unless it is lost beyond the cut.
    let joins_first = |m: usize, n: usize| m <= n;
    for _ in 0..6000 {
        for m in 0..size {
            for n in 0..size {
                let mut out = if m < most || n < most { arrivals } else { 0.0 };
                let mut inward = 0.0;
                if m > 0 {
                    out += mu;
                    if joins_first(m - 1, n) {
                        inward += arrivals * p[at(m - 1, n)];
                    }
                }
                if n > 0 {
                    out += mu;
                    if !joins_first(m, n - 1) {
                        inward += arrivals * p[at(m, n - 1)];
                    }
                }
                if m < most {
                    inward += mu * p[at(m + 1, n)];
                }
                if n < most {
                    inward += mu * p[at(m, n + 1)];
                }
                p[at(m, n)] = inward / out;
            }
        }
    }
    let all: f64 = p.iter().sum();
    let number: f64 = (0..size * size).map(|i| (i / size + i % size) as f64 * p[i]).sum();
    number / all
}

/// Mean number in M/M/∞ from 0 to `to` when it was empty at 0 and the rate of arrivals is `rate(t)`: the solution of
/// m′ = λ(t) − m/S (Eick, Massey and Whitt 1993).
pub fn number_under_changing_rate(rate: impl Fn(f64) -> f64, service: f64, to: f64) -> f64 {
    let steps = 1_000_000;
    let h = to / f64::from(steps);
    let (mut number, mut integral) = (0.0, 0.0);
    for i in 0..steps {
        let t = h * f64::from(i);
        // The rate is taken as constant during a step, for which the solution is exact.
        let target = rate(t + h / 2.0) * service;
        let next = target + (number - target) * libm::exp(-h / service);
        integral += (number + next) / 2.0 * h;
        number = next;
    }
    integral / to
}
