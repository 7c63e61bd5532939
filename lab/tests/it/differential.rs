//! A differential test of attempts, timeouts, pools, cancellation, deadlines, sharing and queue disciplines: hundreds of small
//! cases, each also computed by a naive model written from the language reference alone. Both are compared request by
//! request, to the nanosecond.

mod model;
mod server;

use std::fmt::Write;

use lab::Session;
use sim_core::random::Stream;

use crate::harness::load;
use crate::kinds::run;
use model::*;

const MS: Time = 1_000_000;

/// Makes random choices; times are drawn to the nanosecond, so that events do not coincide by chance.
struct Choices(Stream);

impl Choices {
    fn time(&mut self, from_ms: u64, to_ms: u64) -> Time {
        from_ms * MS + self.0.below((to_ms - from_ms) * MS)
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    fn up_to(&mut self, n: u64) -> u64 {
        1 + self.0.below(n)
    }

    fn policies(&mut self, timeout_ms: u64) -> Policies {
        Policies {
            timeout: (!self.once_in(3)).then(|| self.time(20, timeout_ms)),
            total: self.once_in(3).then(|| self.time(40, 2 * timeout_ms)),
            retry: self.once_in(2).then(|| (1 + self.up_to(2) as u32, self.time(1, 60))),
            propagates_deadline: self.once_in(2),
            propagates_cancel: self.once_in(2),
        }
    }

    fn pool(&mut self) -> PoolPlan {
        PoolPlan {
            size: self.up_to(3) as usize,
            acquire: self.time(5, 300),
            connect: self.time(1, 80),
            lifo: self.once_in(3),
            max_waiters: self.once_in(3).then(|| self.0.below(3) as usize),
            in_background: self.once_in(2),
        }
    }

    fn discipline(&mut self) -> Discipline {
        match self.0.below(6) {
            0 => Discipline::Lifo,
            1 => Discipline::AdaptiveLifo,
            2 => Discipline::Priority,
            3 => Discipline::Codel { target: self.time(1, 20), interval: self.time(10, 100) },
            _ => Discipline::Fifo,
        }
    }

    fn server(&mut self) -> Server {
        match self.0.below(6) {
            0 => Server::Blocks,
            1 => Server::BlocksThenWaits(self.time(1, 60)),
            2 => Server::Database { statement_timeout: None },
            3 => Server::Database { statement_timeout: Some(self.time(30, 200)) },
            _ => Server::Waits,
        }
    }

    fn case(&mut self, sharing: Sharing) -> Case {
        let requests = 4 + self.0.below(14);
        let within_ms = [200, 600, 2_000][self.0.below(3) as usize];
        let request = |c: &mut Choices| Request {
            at: c.time(0, within_ms),
            op: c.0.below(3) as usize,
            key: c.up_to(2),
            priority: c.0.below(3) as u8,
            policies: c.policies(400),
        };
        let discipline = self.discipline();
        let is_in_order = matches!(discipline, Discipline::Fifo | Discipline::Lifo | Discipline::AdaptiveLifo);
        Case {
            requests: (0..requests).map(|_| request(self)).collect(),
            takes: (0..3).map(|_| self.time(5, 200)).collect(),
            link: self.policies(250),
            pool: self.once_in(2).then(|| self.pool()),
            sharing,
            server: self.server(),
            workers: self.up_to(3) as usize,
            discipline,
            max_queue: self.once_in(3).then(|| self.0.below(4) as usize),
            max_age: (is_in_order && self.once_in(3)).then(|| self.time(10, 200)),
        }
    }
}

fn ns(time: Time) -> String {
    format!("{time}ns")
}

fn policies(policies: &Policies) -> String {
    let mut text = String::new();
    let mut add = |setting: String| write!(text, ", {setting}").expect("text");
    if let Some(timeout) = policies.timeout {
        add(format!("timeout: {}", ns(timeout)));
    }
    if let Some(total) = policies.total {
        add(format!("total_timeout: {}", ns(total)));
    }
    if let Some((attempts, wait)) = policies.retry {
        add(format!("retry: {{max_attempts: {attempts}, backoff: {{fixed: {}}}}}", ns(wait)));
    }
    match (policies.propagates_deadline, policies.propagates_cancel) {
        (false, false) => {}
        (true, false) => add("propagate: [deadline]".into()),
        (false, true) => add("propagate: [cancel]".into()),
        (true, true) => add("propagate: [deadline, cancel]".into()),
    }
    text
}

fn link(case: &Case) -> String {
    let mut text = policies(&case.link);
    if let Some(pool) = &case.pool {
        let order = if pool.lifo { "lifo" } else { "fifo" };
        let open = if pool.in_background { "in_background" } else { "on_demand" };
        let max = pool.max_waiters.map_or(String::new(), |max| format!(", max_waiters: {max}"));
        let (size, acquire, connect) = (pool.size, ns(pool.acquire), ns(pool.connect));
        write!(
            text,
            ", pool: {{size: {size}, acquire_timeout: {acquire}, connect: {connect}, order: {order}, open: {open}{max}}}"
        )
        .expect("text");
    }
    match case.sharing {
        Sharing::No => {}
        Sharing::Coalesced { in_context_of_leader } => {
            let context = if in_context_of_leader { "leader" } else { "each" };
            write!(text, ", coalesce: {{by: key, context: {context}}}").expect("text");
        }
        Sharing::Batched { max, wait } => {
            write!(text, ", batch: {{max: {max}, wait: {}}}", ns(wait)).expect("text");
        }
    }
    text
}

fn admission(case: &Case) -> String {
    let discipline = match case.discipline {
        Discipline::Fifo => "fifo".to_string(),
        Discipline::Lifo => "lifo".to_string(),
        Discipline::AdaptiveLifo => "adaptive_lifo".to_string(),
        Discipline::Priority => "priority".to_string(),
        Discipline::Codel { target, interval } => {
            format!("{{codel: {{target: {}, interval: {}}}}}", ns(target), ns(interval))
        }
    };
    let max = case.max_queue.map_or(String::new(), |max| format!(", max: {max}"));
    let age = case.max_age.map_or(String::new(), |age| format!(", max_age: {}", ns(age)));
    format!("admission: {{queue: {{discipline: {discipline}{max}{age}}}}}")
}

fn server(case: &Case) -> String {
    let each = |of: &dyn Fn(Time) -> String| {
        let entries = case.takes.iter().enumerate().map(|(op, takes)| format!("o{op}: {}", of(*takes)));
        entries.collect::<Vec<_>>().join(", ")
    };
    let service = |handlers: String| {
        format!("kind: service, runtime: {{thread_pool: {{threads: {}}}}}, handlers: {{{handlers}}}", case.workers)
    };
    match case.server {
        Server::Waits => service(each(&|takes| format!("[{{wait: {}}}]", ns(takes)))),
        Server::Blocks => service(each(&|takes| format!("[{{block: {}}}]", ns(takes)))),
        Server::BlocksThenWaits(first) => {
            service(each(&|takes| format!("[{{block: {}}}, {{wait: {}}}]", ns(first), ns(takes))))
        }
        Server::Database { statement_timeout } => {
            let timeout = statement_timeout.map_or(String::new(), |t| format!(", statement_timeout: {}", ns(t)));
            format!("kind: database, connections: {}{timeout}, operations: {{{}}}", case.workers, each(&ns))
        }
    }
}

fn yaml(case: &Case) -> String {
    let mut workloads = String::new();
    for (nth, request) in case.requests.iter().enumerate() {
        writeln!(
            workloads,
            "  r{nth}: {{arrivals: {{once: {{count: 1, at: {}}}}}, requests: [{{op: o{}, key: {{constant: {}}}, priority: {}}}], call: {{to: front{}}}}}",
            ns(request.at),
            request.op,
            request.key,
            request.priority,
            policies(&request.policies)
        )
        .expect("text");
    }
    format!(
        "version: 1
run: {{until: idle}}
workloads:
{workloads}components:
  front: {{kind: service, runtime: unlimited, calls: {{db: {{to: db{}}}}}, handlers: {{default: [call: db]}}}}
  db: {{{}, {}}}
",
        link(case),
        server(case),
        admission(case)
    )
}

/// Checks that both agree: the outcome and end of each request, its number of attempts, the server's answers, its busy time,
/// and the wasted part of it.
fn agree(case: &Case) -> Result<(), String> {
    let yaml = yaml(case);
    let (expected, model) = Model::run(case);
    let result = run(&yaml);
    let differs = |what: String| Err(format!("{what}\n{yaml}\nthe model:\n{}\n{}", model.log.join("\n"), told(&yaml)));
    for (nth, expected) in expected.iter().enumerate() {
        let w = &result.workloads[format!("r{nth}").as_str()];
        let outcome = w.outcomes.keys().next().cloned();
        let latency = if expected.outcome == Outcome::Ok { &w.latency } else { &w.latency_failed };
        let took = latency.max_s.map(|took_s| (took_s * 1e9).round() as Time);
        let (found, wanted) = ((outcome.as_deref(), took), (Some(expected.outcome.name()), Some(expected.took)));
        if found != wanted {
            return differs(format!("request {nth}: {found:?} instead of {wanted:?}"));
        }
    }
    let attempts = result.links["front"]["db"].attempts;
    if attempts != model.attempts {
        return differs(format!("{attempts} attempts instead of {}", model.attempts));
    }
    let db = &result.components["db"];
    let mut answers: Vec<(&str, u64)> = db.outcomes.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    answers.sort_unstable();
    let expected: Vec<(&str, u64)> = model.answers.iter().map(|(name, count)| (*name, *count)).collect();
    if answers != expected {
        return differs(format!("answers {answers:?} instead of {expected:?}"));
    }
    let wasted = db.wasted_work.unwrap_or(0.0) * model.busy as f64;
    if (wasted - model.wasted as f64).abs() > 2.0 {
        return differs(format!("wasted {wasted} ns instead of {}", model.wasted));
    }
    Ok(())
}

/// The program's trace of each request, to find where the two diverge.
fn told(yaml: &str) -> String {
    let mut session = Session::new(load(yaml), 1, None);
    session.trace_requests();
    session.run_to_end().expect("it runs");
    let Some(requests) = session.requests() else { return String::new() };
    let all = (0..requests.len()).filter_map(|index| requests.waterfall(index));
    all.map(|waterfall| format!("{waterfall:#?}")).collect::<Vec<_>>().join("\n")
}

/// Number of cases of each kind; `DIFFERENTIAL_CASES` overrides it.
fn cases() -> u64 {
    std::env::var("DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

fn agree_on(name: &str, sharing: impl Fn(&mut Choices) -> Sharing) {
    let mut differ = Vec::new();
    let mut first = String::new();
    for seed in 0..cases() {
        let mut choices = Choices(Stream::named(seed, name));
        let sharing = sharing(&mut choices);
        if let Err(why) = agree(&choices.case(sharing)) {
            if differ.is_empty() {
                first = why;
            }
            differ.push(seed);
        }
    }
    assert!(differ.is_empty(), "{name}: cases {differ:?} differ, the first so: {first}");
}

#[test]
fn attempts_agree_with_a_naive_model() {
    agree_on("attempts", |_| Sharing::No);
}

#[test]
fn coalesced_calls_agree_with_a_naive_model() {
    agree_on("coalesced", |c| Sharing::Coalesced { in_context_of_leader: c.once_in(4) });
}

#[test]
fn batches_agree_with_a_naive_model() {
    agree_on("batches", |c| Sharing::Batched { max: c.up_to(4) as usize, wait: c.time(1, 100) });
}
