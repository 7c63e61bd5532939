//! Closed forms of queueing theory.
//!
//! Sources: Kleinrock, *Queueing Systems* I (M/M/c, M/M/c/K, M/G/1, G/M/1, batches); Erlang 1909 (M/D/1); Reiser and
//! Lavenberg 1980 (mean value analysis); Takács 1962 (busy periods); Baccelli and Hebuterne 1981 (patience).

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

/// Probability that an item of such a batch is delayed by more than `t`: the k-th comes while the batch is open if k − 1 more
/// arrivals take at most `wait`; it is still there t later if neither the time is up nor the batch full.
pub fn batch_delay_above(t: f64, max: u32, rate: f64, wait: f64) -> f64 {
    if t >= wait {
        return 0.0;
    }
    let still_open = |k: u32| (1.0 - erlang_above(wait - t, k - 1, rate)) * erlang_above(t, max - k, rate);
    (1..=max).map(still_open).sum::<f64>() / batch_size(max, rate, wait)
}

/// Probability that the sum of `n` exponential times of this rate exceeds `t` (Erlang's distribution).
pub fn erlang_above(t: f64, n: u32, rate: f64) -> f64 {
    let x = rate * t.max(0.0);
    // In logarithms, since both factors leave the range of a number long before their product does.
    let term = |i: u32| libm::exp(f64::from(i) * libm::log(x) - x - libm::lgamma(f64::from(i) + 1.0));
    if n == 0 || x == 0.0 { f64::from(u8::from(n > 0)) } else { (0..n).map(term).sum() }
}

/// Time in M/M/1 of those who are served where everybody has an exponential patience of mean `patience`, and is dropped when
/// his turn comes if he has waited longer: the share of those who are served, and their distribution.
///
/// The wait that an arrival is offered has the density λ·p₀·exp(λ∫₀ˣ P(patience > u)du − μx) beside p₀ at nought (Baccelli and
/// Hebuterne).
pub fn time_with_patience(arrivals: f64, service: f64, patience: f64) -> (f64, impl Fn(f64) -> f64) {
    let mu = 1.0 / service;
    let steps = 20_000;
    let most = 20.0 * patience;
    let h = most / f64::from(steps);
    let grid = move |i: u32| (f64::from(i) + 0.5) * h;
    let offered = |x: f64| {
        let lasts = patience * (1.0 - libm::exp(-x / patience));
        arrivals * libm::exp(arrivals * lasts - mu * x)
    };
    let all: f64 = 1.0 + (0..steps).map(|i| offered(grid(i)) * h).sum::<f64>();
    // Those who wait for x and are still there, without the factor p₀ of all.
    let served: Vec<f64> = (0..steps).map(|i| offered(grid(i)) * libm::exp(-grid(i) / patience) * h).collect();
    let of_these: f64 = 1.0 + served.iter().sum::<f64>();
    let above = move |t: f64| {
        let later = |x: f64| libm::exp(-mu * (t - x).max(0.0));
        let waited: f64 = served.iter().zip(0..).map(|(weight, i)| weight * later(grid(i))).sum();
        (later(0.0) + waited) / of_these
    };
    (of_these / all, above)
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
