//! Queueing theory as a table: systems whose figures have closed forms, each with its scenario.
//!
//! The tests and the `validate` command run the same rows. A figure is judged over independent replications: its mean
//! must be within a Student-t interval of the formula, so wide that one figure is missed by chance once in 10⁶ times;
//! for quantiles the 0.2 % of the histogram come on top. All times are in seconds, all rates per second.
//!
//! Sources: Kleinrock, *Queueing Systems* I (M/M/c, M/M/c/K, M/G/1, G/M/1, batches); Cobham 1954 (priorities); Jackson
//! 1957; Reiser and Lavenberg 1980 (mean value analysis); Nelson and Tantawi 1988 (fork and join of two); Kelly 1979
//! (insensitivity of processor sharing and of loss systems); Palm 1957 (impatience).

use std::sync::Arc;

use crate::load::{Loaded, Options, Text, load};
use crate::session::Session;

/// Replications of each row.
pub const REPLICATIONS: u64 = 16;

/// Student's t with 15 degrees of freedom, exceeded on either side once in 10⁶ times.
const T: f64 = 7.9033;

/// A figure that theory knows.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Path of the metric, or two whose quotient is meant.
    pub metric: &'static str,
    /// What it comes to.
    pub value: f64,
}

/// A system that theory knows.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called in the books.
    pub name: &'static str,
    /// The scenario, without its duration.
    pub yaml: String,
    /// How long each replication runs in the short form, s.
    pub duration_s: u64,
    /// What must come out.
    pub expected: Vec<Expected>,
}

/// A figure of a row, as simulated.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The row.
    pub name: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// What theory says.
    pub theory: f64,
    /// Mean of the replications.
    pub simulated: f64,
    /// Half the width of the interval within which it must lie.
    pub half_width: f64,
}

impl Verdict {
    /// Whether they agree.
    pub fn agrees(&self) -> bool {
        (self.simulated - self.theory).abs() <= self.half_width
    }
}

fn expect(metric: &'static str, value: f64) -> Expected {
    Expected { metric, value }
}

const LATENCY: &str = "workloads.w.latency.mean_s";
const P99: &str = "workloads.w.latency.p99_s";
const WAIT: &str = "components.s.queue.wait.mean_s";
const DEPTH: &str = "components.s.queue.depth";
const UTILIZATION: &str = "components.s.utilization";
const TURNED_AWAY: &str = "workloads.w.outcomes.overload / workloads.w.sent";

/// Mean service time of the single stations, s.
const S: f64 = 0.01;

fn case(name: &'static str, duration_s: u64, body: &str, expected: Vec<Expected>) -> Case {
    Case { name, yaml: format!("version: 1\n{body}"), duration_s, expected }
}

/// One station `s` with threads, to which `arrivals` come.
fn station(arrivals: &str, threads: u32, admission: &str, step: &str) -> String {
    format!(
        "workloads: {{w: {{arrivals: {arrivals}, call: s}}}}\ncomponents:\n  s:\n    kind: service\n    \
         runtime: {{thread_pool: {{threads: {threads}}}}}\n{admission}    handlers: {{default: [{{{step}}}]}}\n"
    )
}

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

/// All rows.
pub fn cases() -> Vec<Case> {
    let mut cases = single_stations();
    cases.extend(shared_and_ordered());
    cases.extend(networks());
    cases.extend(merging());
    cases
}

fn single_stations() -> Vec<Case> {
    let poisson = |rate: f64| format!("{{poisson: {rate}/s}}");
    let exp = "block: {exp: 10ms}";
    let mut cases = Vec::new();
    let (rate, rho) = (70.0, 0.7);
    cases.push(case(
        "M/M/1",
        300,
        &station(&poisson(rate), 1, "", exp),
        vec![
            expect(LATENCY, S / (1.0 - rho)),
            expect("workloads.w.latency.p50_s", libm::log(2.0) * S / (1.0 - rho)),
            expect(P99, libm::log(100.0) * S / (1.0 - rho)),
            expect("components.s.in_flight", rho / (1.0 - rho)),
            expect(UTILIZATION, rho),
        ],
    ));
    let (c, a) = (4, 3.2);
    let waits = erlang_c(c, a);
    let drain = 4.0 / S - 320.0;
    cases.push(case(
        "M/M/4",
        300,
        &station(&poisson(320.0), c, "", exp),
        vec![
            expect(WAIT, waits / drain),
            expect(DEPTH, 320.0 * waits / drain),
            expect("components.s.queue.wait.p99_s", libm::log(waits / 0.01) / drain),
        ],
    ));
    let (threads, places) = (2usize, 5usize);
    let p = birth_death(threads + places, |_| 230.0, |n| n.min(threads) as f64 / S);
    let lost = p[threads + places];
    let inside: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
    let bound = "    admission: {queue: {max: 5}}\n";
    cases.push(case(
        "M/M/2/7",
        150,
        &station(&poisson(230.0), 2, bound, exp),
        vec![expect(TURNED_AWAY, lost), expect(LATENCY, inside / (230.0 * (1.0 - lost)))],
    ));
    let wait = |second_moment: f64| rate * second_moment / (2.0 * (1.0 - rho));
    cases.push(case("M/D/1", 300, &station(&poisson(rate), 1, "", "block: 10ms"), vec![expect(WAIT, wait(S * S))]));
    cases.push(case(
        "M/H2/1 (Pollaczek and Khinchine)",
        600,
        &station(&poisson(rate), 1, "", "block: {hyperexp: {mean: 10ms, cv: 2}}"),
        vec![expect(WAIT, wait(5.0 * S * S))],
    ));
    // G/M/1: σ solves σ = A*(μ(1 − σ)); here gaps are Erlang-2 of mean 1/70.
    let mut sigma = 0.5;
    for _ in 0..200 {
        let x = 140.0 / (140.0 + (1.0 - sigma) / S);
        sigma = x * x;
    }
    let gaps = "{renewal: {interarrival: {erlang: {k: 2, mean: 14285714ns}}}}";
    cases.push(case("E2/M/1", 300, &station(gaps, 1, "", exp), vec![expect(LATENCY, S / (1.0 - sigma))]));
    // Batches of geometric size with mean m: L = ρ·m/(1 − ρ).
    let batches = "{poisson: 20/s, batch: {geometric: 3}}";
    cases.push(case(
        "M^X/M/1",
        400,
        &station(batches, 1, "", exp),
        vec![expect(LATENCY, 0.6 * 3.0 / 0.4 / 60.0), expect("workloads.w.offered", 60.0)],
    ));
    for (name, step) in [("M/D/5/5", "block: 10ms"), ("M/H2/5/5", "block: {hyperexp: {mean: 10ms, cv: 3}}")] {
        let yaml = station(&poisson(400.0), 5, "    admission: {queue: {max: 0}}\n", step);
        cases.push(case(name, 150, &yaml, vec![expect(TURNED_AWAY, erlang_b(5, 4.0))]));
    }
    // Impatience: who waits longer than Exp(θ) is dropped when its turn comes, so it costs no service (Palm).
    let theta = 20.0;
    let p = birth_death(400, |_| 120.0, |n| 1.0 / S + (n as f64 - 1.0) * theta);
    let queue: f64 = p.iter().enumerate().skip(1).map(|(n, p)| (n as f64 - 1.0) * p).sum();
    let patience = "    admission: {queue: {max_age: {exp: 50ms}}}\n";
    cases.push(case(
        "M/M/1+M",
        200,
        &station(&poisson(120.0), 1, patience, exp),
        vec![expect(TURNED_AWAY, theta * queue / 120.0), expect(UTILIZATION, 1.0 - p[0])],
    ));
    cases
}

fn shared_and_ordered() -> Vec<Case> {
    let mut cases = Vec::new();
    let shared = |work: &str| {
        format!(
            "workloads: {{w: {{arrivals: {{poisson: 70/s}}, call: s}}}}\ncomponents:\n  s: {{kind: service, cpu: 1, \
             runtime: unlimited, handlers: {{default: [{{cpu: {work}}}]}}}}\n"
        )
    };
    let names = ["M/M/1 processor sharing", "M/D/1 processor sharing", "M/H2/1 processor sharing"];
    for (name, work) in names.into_iter().zip(["{exp: 10ms}", "10ms", "{hyperexp: {mean: 10ms, cv: 2}}"]) {
        let in_flight = expect("components.s.in_flight", 0.7 / 0.3);
        let expected = vec![expect(LATENCY, S / 0.3), in_flight, expect("components.s.cpu", 0.7)];
        cases.push(case(name, 400, &shared(work), expected));
    }
    let lifo = "    admission: {queue: {discipline: lifo}}\n";
    let yaml = station("{poisson: 70/s}", 1, lifo, "block: {exp: 10ms}");
    cases.push(case("M/M/1 last come, first served", 400, &yaml, vec![expect(LATENCY, S / 0.3)]));
    let classes = |preempt: bool| {
        format!(
            "workloads:\n  high: {{arrivals: {{poisson: 30/s}}, requests: [{{priority: high}}], call: s}}\n  \
             low: {{arrivals: {{poisson: 40/s}}, requests: [{{priority: low}}], call: s}}\ncomponents:\n  s:\n    \
             kind: service\n    runtime: {{thread_pool: {{threads: 1}}}}\n    \
             admission: {{queue: {{discipline: {{priority: {{preempt: {preempt}}}}}}}}}\n    \
             handlers: {{default: [{{block: {{exp: 10ms}}}}]}}\n"
        )
    };
    let (high, low) = ("workloads.high.latency.mean_s", "workloads.low.latency.mean_s");
    // The work left of whom one finds in service: Σ λᵢE[S²]/2 = ρS.
    let left = 0.7 * S;
    cases.push(case(
        "M/M/1 with priorities",
        400,
        &classes(false),
        vec![expect(high, S + left / 0.7), expect(low, S + left / (0.7 * 0.3))],
    ));
    cases.push(case(
        "M/M/1 with preemption",
        400,
        &classes(true),
        vec![expect(high, S / 0.7), expect(low, (S * 0.3 + left) / (0.7 * 0.3))],
    ));
    cases
}

fn networks() -> Vec<Case> {
    let mut cases = Vec::new();
    let front = |arrivals: &str, steps: &str| {
        format!(
            "workloads: {{w: {{arrivals: {arrivals}, call: s}}}}\ncomponents:\n  s: {{kind: service, runtime: \
             unlimited, handlers: {{default: {steps}}}, calls: {{a: a, b: b}}}}\n  a: {{kind: database, \
             connections: 1, operations: {{default: {{exp: 10ms}}}}}}\n  b: {{kind: database, connections: 1, \
             operations: {{default: {{exp: 6ms}}}}}}\n"
        )
    };
    let (x, r) = mean_value_analysis(20, 0.1, &[0.01, 0.006]);
    let closed = front("{closed: {users: 20, think: {exp: 100ms}}}", "[{call: a}, {call: b}]");
    cases.push(case("closed network (MVA)", 200, &closed, vec![expect("workloads.w.offered", x), expect(LATENCY, r)]));
    let tandem = front("{poisson: 70/s}", "[{call: a}, {call: b}]");
    let sum = 1.0 / (100.0 - 70.0) + 1.0 / (1.0 / 0.006 - 70.0);
    cases.push(case("Jackson network of two", 300, &tandem, vec![expect(LATENCY, sum)]));
    let feedback = front("{poisson: 35/s}", "[{repeat: {times: {geometric: 2}, steps: [{call: a}]}}, {call: b}]");
    let sum = 2.0 / (100.0 - 70.0) + 1.0 / (1.0 / 0.006 - 35.0);
    cases.push(case("Jackson network with feedback", 500, &feedback, vec![expect(LATENCY, sum)]));
    let fork = front("{poisson: 60/s}", "[{parallel: {branches: [[{call: a}], [{call: b}]]}}]")
        .replace("{exp: 6ms}", "{exp: 10ms}");
    let rho = 0.6;
    cases.push(case("fork and join of two", 400, &fork, vec![expect(LATENCY, (12.0 - rho) / 8.0 * S / (1.0 - rho))]));
    for (name, need, value) in [
        ("all of three", "all", S * (1.0 + 0.5 + 1.0 / 3.0)),
        ("two of three", "2", S * (0.5 + 1.0 / 3.0)),
        ("one of three", "any", S / 3.0),
    ] {
        let branch = "[{wait: {exp: 10ms}}]";
        let yaml = format!(
            "workloads: {{w: {{arrivals: {{poisson: 200/s}}, call: s}}}}\ncomponents: {{s: {{kind: service, runtime: \
             unlimited, handlers: {{default: [{{parallel: {{branches: [{branch}, {branch}, {branch}], need: \
             {need}}}}}]}}}}}}\n"
        );
        cases.push(case(name, 60, &yaml, vec![expect(LATENCY, value)]));
    }
    cases
}

fn merging() -> Vec<Case> {
    let mut cases = Vec::new();
    let to_database = |arrivals: &str, policy: &str, operation: &str| {
        format!(
            "workloads: {{w: {{arrivals: {arrivals}, call: {{to: s, {policy}}}}}}}\ncomponents: {{s: {{kind: database, \
             operations: {{default: {operation}}}}}}}\n"
        )
    };
    let (rate, d) = (300.0, 0.01);
    let yaml = to_database("{poisson: 300/s}", "coalesce: {by: key}", "10ms");
    cases.push(case(
        "coalescing",
        100,
        &yaml,
        vec![
            expect("components.s.arrivals / workloads.w.sent", 1.0 / (1.0 + rate * d)),
            expect(LATENCY, d * (1.0 + rate * d / 2.0) / (1.0 + rate * d)),
        ],
    ));
    // Five servers, each of which sends one query at a time: n·λ/(1 + λd), here for 500 · 0.1 s among five.
    let yaml = "workloads: {w: {arrivals: {poisson: 500/s}, call: app}}\ncomponents:\n  app: {kind: service, replicas: 5, \
                runtime: unlimited, handlers: {default: [{call: s}]}, calls: {s: {to: s, coalesce: {by: key}}}}\n  \
                s: {kind: database, operations: {default: 100ms}}\n";
    let share = expect("components.s.arrivals / workloads.w.sent", 1.0 / (1.0 + 100.0 * 0.1));
    cases.push(case("coalescing in five servers", 100, yaml, vec![share]));
    for (name, rate) in [
        ("batches at 50/s", 50),
        ("batches at 100/s", 100),
        ("batches at 200/s", 200),
        ("batches at 500/s", 500),
        ("batches at 900/s", 900),
        ("batches at 1000/s", 1000),
        ("batches at 2000/s", 2000),
        ("batches at 10000/s", 10_000),
    ] {
        let yaml = to_database(&format!("{{poisson: {rate}/s}}"), "batch: {max: 10, wait: 10ms}", "0s");
        cases.push(case(
            name,
            if rate > 1000 { 10 } else { 60 },
            &yaml,
            vec![
                expect("links.w.call.batch_size", batch_size(10, f64::from(rate), 0.01)),
                expect(LATENCY, batch_delay(10, f64::from(rate), 0.01)),
            ],
        ));
    }
    let steps = "shape: {steps: [{at: 0s, x: 1}, {at: 20s, x: 3}, {at: 30s, x: 0.5}]}";
    let yaml = to_database("{poisson: 100/s}", "timeout: 1s", "1ms").replace(", call:", &format!(", {steps}, call:"));
    cases.push(case("Poisson of changing rate", 60, &yaml, vec![expect("workloads.w.sent", 2000.0 + 3000.0 + 1500.0)]));
    let states = "{mmpp: {states: [{rate: 300/s, stays: {exp: 200ms}}, {rate: 50/s, stays: {exp: 300ms}}]}}";
    let yaml = to_database(states, "timeout: 1s", "1ms");
    cases.push(case("MMPP of two states", 100, &yaml, vec![expect("workloads.w.offered", 150.0)]));
    cases
}

/// The figure at a path of a result that was written as JSON.
fn figure(result: &serde_json::Value, metric: &str) -> Option<f64> {
    if let Some((part, whole)) = metric.split_once(" / ") {
        return Some(figure(result, part)? / figure(result, whole)?);
    }
    metric.split('.').try_fold(result, |at, key| at.get(key))?.as_f64()
}

impl Case {
    /// The scenario, `length` times as long as in the short form.
    fn load(&self, length: u64) -> Result<Arc<Loaded>, String> {
        // A shape belongs to the clock of the run, so that there is no warm-up and nothing to lengthen.
        let is_transient = self.yaml.contains("shape:");
        let (warmup, length) = if is_transient { (0, 1) } else { (20, length) };
        let run = format!("run: {{duration: {}s, warmup: {warmup}s, window: 10s}}\n", self.duration_s * length);
        let bytes = format!("{}{run}", self.yaml).into_bytes();
        let text = Text { name: self.name.to_string(), bytes, folder: None };
        load(&text, &Options::default()).map(Arc::new).map_err(|refused| {
            let problems: Vec<&str> = refused.problems.iter().map(|p| p.message.as_str()).collect();
            format!("{}: {}", self.name, problems.join("; "))
        })
    }

    /// Runs the replications and judges each figure.
    pub fn judge(&self, length: u64) -> Result<Vec<Verdict>, String> {
        let loaded = self.load(length)?;
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); self.expected.len()];
        for seed in 0..REPLICATIONS {
            let mut session = Session::new(loaded.clone(), seed, None);
            session.run_to_end().map_err(|failure| format!("{}: {failure}", self.name))?;
            let mut result = session.result();
            result.series = Default::default();
            let result = serde_json::to_value(&result).map_err(|e| e.to_string())?;
            for (expected, samples) in self.expected.iter().zip(&mut samples) {
                let found = figure(&result, expected.metric);
                samples.push(found.ok_or_else(|| format!("{}: there is no {}", self.name, expected.metric))?);
            }
        }
        let judged = self.expected.iter().zip(&samples).map(|(expected, samples)| {
            let n = samples.len() as f64;
            let mean = samples.iter().sum::<f64>() / n;
            let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
            let rounding = if expected.metric.contains(".p") { 0.002 * expected.value } else { 0.0 };
            Verdict {
                name: self.name,
                metric: expected.metric,
                theory: expected.value,
                simulated: mean,
                half_width: T * (variance / n).sqrt() + rounding + 1e-9,
            }
        });
        Ok(judged.collect())
    }
}
