//! Measurements of requests, operations, hosts and queues, compared with figures known without running.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lab::find::{Search, Verdict, find, objective};
use lab::metrics::{self, Unit};
use lab::replicate::Control;
use lab::result::RunResult;
use lab::{Options, Text, load};
use language::quantity::Quantity;
use settings::Path;

use crate::kinds::{refused, run};

fn value(result: &RunResult, path: &str) -> f64 {
    metrics::value(result, path).unwrap_or_else(|why| panic!("{why}")).unwrap_or_else(|| panic!("{path} is not known"))
}

/// A fifth of the offered load can be served, and nearly every served call has been given up by then.
const OUTAGE: &str = "\
version: 1
run: {duration: 60s}
workloads:
  u: {arrivals: {poisson: 1000/s}, call: {to: api, timeout: 1s}}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 4}}, handlers: {default: [wait: {exp: 20ms}]}}
objectives:
  - {name: slo, metric: workloads.u.latency.p99, below: 1s}
  - {name: most, metric: workloads.u.success, above: 99%}
";

#[test]
fn a_percentile_does_not_pass_while_nearly_everything_fails() {
    let result = run(OUTAGE);
    let slo = &result.objectives[0];
    assert_eq!((slo.metric.as_str(), slo.value, slo.holds), ("workloads.u.latency_all.p99", None, false));
    assert!(slo.reason.as_ref().is_some_and(|reason| reason.ends_with("requests that have ended failed")), "{slo:?}");
    assert!(value(&result, "workloads.u.latency.p99") < 1.0, "of the answered ones it is good");
    let verdict = result.verdict.as_ref().expect("there are objectives");
    assert!(!verdict.holds && verdict.reasons.len() == 2, "{verdict:?}");
    let users = &result.workloads["u"];
    let failed = users.completed - users.outcomes["ok"];
    assert_eq!(users.latency_all.times.count, users.completed);
    assert_eq!(users.error_rate, Some(failed as f64 / users.completed as f64));
    let json = serde_json::to_value(&result).expect("plain data");
    assert!(json["workloads"]["u"]["latency_all"]["p99_s"].is_null() && json["verdict"]["holds"] == false);
    assert!(json["workloads"]["u"]["latency_all"]["reason"].is_string());
}

/// Four threads of 20 ms serve 200 calls per second; 99 % of the calls take less than a second only below that rate.
#[test]
fn a_search_does_not_call_an_outage_good() {
    let text = Text { name: "outage.yaml".into(), bytes: OUTAGE.into(), folder: None };
    let loaded = Arc::new(load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems)));
    let (from, to) = Quantity::parse_both("100/s", "1000/s").expect("quantities");
    let search = Search {
        path: Path::parse("workloads.u.arrivals.poisson").expect("a path"),
        from,
        to,
        objective: objective("workloads.u.latency.p99 < 1s", &loaded).expect("an objective"),
        replications: 2,
        replications_max: 4,
        confidence: 0.95,
        resolution: 0.1,
    };
    let stop = AtomicBool::new(false);
    let found = find(&loaded, &search, &Control { jobs: 2, stop: &stop, progress: &|_, _| {} }).expect("it runs");
    let holds = Quantity::parse(found.holds_at.as_deref().expect("there is one")).expect("a rate").value;
    assert!((100.0..205.0).contains(&holds) && found.largest, "{found:?}");
    let last = found.evidence.last().expect("both ends were tried");
    assert_eq!((last.verdict, last.infinite), (Verdict::Fails, 2));
    // The nearest failing value is one with the verdict that it fails, not an undecided one.
    let fails = found.fails_at.as_deref().expect("there is one");
    let tried = found.evidence.iter().find(|tried| tried.value == fails).expect("it was tried");
    assert_eq!(tried.verdict, Verdict::Fails);
}

/// A `client_error` is an answer, a rejection is not: of each operation one in ten fails, each in a different way.
#[test]
fn refusals_of_the_caller_are_answers() {
    let yaml = "\
version: 1
run: {duration: 20s}
workloads:
  u: {arrivals: {constant: 500/s}, call: api}
components:
  api: {kind: service, runtime: unlimited, handlers: {default: [wait: 10ms, fail: {probability: 10%, outcome: client_error}]}}
objectives: [{metric: workloads.u.latency.p99, below: 11ms}]
";
    let refusals = run(yaml);
    assert!(refusals.objectives[0].holds, "{:?}", refusals.objectives);
    assert!(value(&refusals, "workloads.u.error_rate") > 0.05);
    let errors = run(&yaml.replace("client_error", "error"));
    assert!(!errors.objectives[0].holds && errors.objectives[0].reason.is_some());
}

/// No call is answered from 5 s on, and no caller gives up: requests under way at the end miss every bound below their age,
/// both in the whole run and window by window.
#[test]
fn what_is_never_answered_does_not_pass_either() {
    let yaml = "\
version: 1
run: {duration: 20s}
workloads:
  u: {arrivals: {constant: 100/s}, call: api}
components:
  api: {kind: service, runtime: unlimited, handlers: {default: [wait: 10ms]}}
faults: [{at: 5s, pause: api}]
objectives:
  - {metric: workloads.u.latency.p90, below: 1s}
  - {metric: workloads.u.latency.p90, below: 1s, during: [0s, 5s]}
  - {metric: workloads.u.latency.p90, below: 1s, during: [8s, 12s]}
  - {metric: workloads.u.latency.p90, below: 20s}
";
    let result = run(yaml);
    let holds: Vec<bool> = result.objectives.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [false, true, false, true], "{:#?}", result.objectives);
    // 499 were answered and 1,501 not, the oldest sent 15 s ago: the share of answers reaches 90 % once all but 55 are left out.
    let p90 = value(&result, "workloads.u.latency_all.p90");
    assert!((p90 - 14.46).abs() < 0.02, "{p90}");
}

const SHOP: &str = "\
version: 1
run: {duration: 50s}
workloads:
  shoppers:
    arrivals: {constant: 100/s}
    requests: [{op: browse, weight: 80}, {op: order, weight: 20}]
    deadline: 60ms
    call: {to: api, timeout: 1s}
components:
  api:
    kind: service
    runtime: unlimited
    handlers:
      browse: [wait: 10ms, {call: {link: db, op: read}}]
      order: [wait: 100ms, fail: {probability: 50%, outcome: error}]
    calls: {db: {to: db}}
  db: {kind: database, operations: {default: 5ms}}
";

#[test]
fn operations_make_up_the_whole_and_are_told_apart() {
    let result = run(SHOP);
    let of = |op: &str, what: &str| value(&result, &format!("workloads.shoppers.ops.{op}.{what}"));
    let whole = |what: &str| value(&result, &format!("workloads.shoppers.{what}"));
    for what in ["sent", "completed", "offered", "goodput", "in_flight_end", "outcomes.ok", "outcomes.error"] {
        assert!((of("browse", what) + of("order", what) - whole(what)).abs() < 1e-9, "{what}");
    }
    assert_eq!((of("browse", "success"), of("browse", "within_deadline")), (1.0, 1.0));
    // Orders are answered after the deadline, and every second one fails: four standard errors of 1,000 are 6.4 %.
    assert_eq!(of("order", "within_deadline"), 0.0);
    assert!((of("order", "error_rate") - 0.5).abs() < 0.064, "{}", of("order", "error_rate"));
    assert!((of("browse", "latency.p99") - 0.015).abs() < 1e-9 && (of("order", "latency.p50") - 0.1).abs() < 1e-9);
    let order = metrics::find(&result, "workloads.shoppers.ops.order.latency_all.p99").expect("it is there");
    assert!(order.value.is_none() && order.infinite.is_some());
    let api = |op: &str, what: &str| value(&result, &format!("components.api.ops.{op}.{what}"));
    assert_eq!(api("browse", "arrivals") + api("order", "arrivals"), value(&result, "components.api.arrivals"));
    assert_eq!(api("order", "outcomes.error"), whole("outcomes.error"));
    assert!((api("browse", "latency.p50") - 0.015).abs() < 1e-9);
    // The database is called for a single operation.
    assert!(result.components["db"].ops.is_empty());
    assert_eq!(
        metrics::find(&result, "components.api.ops.ordr.arrivals").expect_err("no such operation").nearest.as_deref(),
        Some("components.api.ops.order.arrivals")
    );
}

/// The warm-up ends while calls are open: the operations still add up to the whole, which the engine checks, too.
#[test]
fn operations_make_up_the_whole_after_a_warm_up() {
    let result = run(&SHOP.replace("duration: 50s", "duration: 20s, warmup: 7s").replace("constant", "poisson"));
    let shoppers = &result.workloads["shoppers"];
    assert_eq!(shoppers.ops.values().map(|op| op.sent).sum::<u64>(), shoppers.sent);
    assert_eq!(shoppers.ops.values().map(|op| op.completed).sum::<u64>(), shoppers.completed);
    let goodput: f64 = shoppers.ops.values().map(|op| op.goodput).sum();
    assert!((goodput - shoppers.goodput).abs() < 1e-9);
}

#[test]
fn operations_can_be_judged_over_time() {
    let during = "during: [10s, 40s]";
    let yaml = format!(
        "{SHOP}faults: [{{at: 45s, for: 1s, pause: api}}]\nobjectives:\n\
         \x20 - {{metric: workloads.shoppers.ops.browse.latency.p99, below: 16ms, {during}}}\n\
         \x20 - {{metric: workloads.shoppers.ops.order.success, above: 30%, {during}}}\n\
         \x20 - {{metric: components.api.ops.order.arrivals, above: 10, {during}}}\n\
         \x20 - {{metric: workloads.shoppers.ops.browse.latency.p99, below: 16ms}}\n"
    );
    let result = run(&yaml);
    let holds: Vec<bool> = result.objectives.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [true, true, true, false], "{:#?}", result.objectives);
    let column = &result.series.columns["components.api.ops.order.arrivals"];
    let sum: f64 = column.iter().flatten().sum();
    assert_eq!(sum, value(&result, "components.api.ops.order.arrivals"));
}

/// 100 calls per second of 1 ms each; for 20 s, none is taken from the queue.
const STALL: &str = "\
version: 1
run: {duration: 60s}
workloads:
  u: {arrivals: {constant: 100/s}, call: api}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 20}}, handlers: {default: [wait: 1ms]}}
faults:
  - {name: stall, at: 20s, for: 20s, pause: {component: api}}
objectives:
  - {metric: components.api.queue.oldest_age, below: 10s}
  - {metric: components.api.queue.oldest_age, below: 10s, during: [45s, 60s]}
";

#[test]
fn what_comes_to_a_component_that_stands_still_waits_in_its_queue() {
    let result = run(STALL);
    let queue = result.components["api"].queue.expect("it has threads");
    assert_eq!((queue.depth_max, queue.depth_end), (2_000, 0));
    assert_eq!((queue.oldest_age_s, queue.wait.max_s), (Some(20.0), Some(20.0)));
    // Little's law: the mean queue length is the sum of all waits, divided by the time.
    let waited = queue.wait.mean_s.expect("many waited") * queue.wait.count as f64;
    assert!((queue.depth * 60.0 - waited).abs() < 1e-6 * waited, "{} and {waited}", queue.depth * 60.0);
    // An arithmetic series while the service is paused: 100 more each second.
    let depth = &result.series.columns["components.api.queue.depth"];
    let mean = |second: usize| depth[second].expect("it is measured");
    assert!((mean(30) - 1_050.0).abs() < 1.0 && (mean(39) - 1_950.0).abs() < 1.0, "{depth:?}");
    let holds: Vec<bool> = result.objectives.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [false, true]);
    assert_eq!(result.objectives[0].value, Some(20.0));
}

/// The same for components that have no queue otherwise: a cache, a balancer, a service without limits.
#[test]
fn it_does_so_where_there_is_no_queue_otherwise() {
    for kind in [
        "{kind: service, runtime: unlimited, handlers: {default: [wait: 1ms]}}",
        "{kind: external, latency: 1ms}",
        "{kind: load_balancer, to: [db]}",
        "{kind: cache, capacity: 10, to: db}",
    ] {
        let api = "{kind: service, runtime: {thread_pool: {threads: 20}}, handlers: {default: [wait: 1ms]}}";
        let db = "\n  db: {kind: database, operations: {default: 1ms}}";
        let db = if kind.contains("db") { db } else { "" };
        let result = run(&STALL.replace(api, &format!("{kind}{db}")));
        let queue = result.components["api"].queue.unwrap_or_else(|| panic!("{kind}"));
        assert_eq!((queue.depth_max, queue.oldest_age_s), (2_000, Some(20.0)), "{kind}");
        let waited = queue.wait.mean_s.expect("many waited") * queue.wait.count as f64;
        assert!((queue.depth * 60.0 - waited).abs() < 1e-6 * waited, "{kind}: {} and {waited}", queue.depth * 60.0);
    }
}

/// Random loads on a queue of any discipline: no served call waited longer than the greatest age of the oldest waiter; in a
/// FIFO queue that all calls leave, the longest wait equals that age.
#[test]
fn the_greatest_age_is_the_longest_wait() {
    for discipline in ["fifo", "lifo", "{adaptive_lifo: {}}", "{priority: {}}"] {
        for seed in 1..=5 {
            let result = run(&format!(
                "version: 1\nseed: {seed}\nrun: {{until: idle}}\nworkloads:\n  u: {{arrivals: {{once: {{count: 300}}}}, call: api}}\n  \
                 v: {{arrivals: {{once: {{count: 200, at: 1s}}}}, call: api}}\ncomponents:\n  api: {{kind: service, runtime: {{thread_pool: \
                 {{threads: 3}}}}, admission: {{queue: {{discipline: {discipline}}}}}, handlers: {{default: [wait: {{exp: 20ms}}]}}}}\n"
            ));
            let queue = result.components["api"].queue.expect("it has threads");
            assert_eq!(queue.oldest_age_s, queue.wait.max_s, "{discipline}, seed {seed}");
        }
    }
}

/// Four users with calls of exactly 100 ms each, and two servers: 20 calls per second end, whenever they were sent.
#[test]
fn a_closed_loop_at_its_capacity_shows_its_capacity() {
    let result = run(
        "version: 1\nrun: {duration: 10s, warmup: 1050ms}\nworkloads:\n  u: {arrivals: {closed: {users: 4, think: 0s}}, call: api}\n\
         components:\n  api: {kind: service, runtime: {thread_pool: {threads: 2}}, handlers: {default: [wait: 100ms]}}\n",
    );
    assert_eq!((result.goodput, result.workloads["u"].goodput), (20.0, 20.0));
    assert!(result.workloads["u"].completed < 200);
}

const HOSTS: &str = "\
version: 1
run: {duration: 20s}
hosts: {web: {count: 2, cores: 2}}
workloads:
  u: {arrivals: {constant: 100/s}, call: api}
components:
  api: {kind: service, replicas: 2, hosts: {on: web}, runtime: unlimited, handlers: {default: [cpu: 10ms]}}
";

#[test]
fn hosts_and_replicas_have_metrics_of_their_own() {
    let result = run(HOSTS);
    // 100/s × 10 ms keep one of four cores busy; calls under way at the end are cut off.
    assert!((value(&result, "hosts.web.cpu") - 0.25).abs() < 0.001);
    assert_eq!(value(&result, "hosts.web.count"), 2.0);
    let (first, second) = (value(&result, "hosts.web[0].cpu"), value(&result, "hosts.web.1.cpu"));
    assert!(((first + second) / 2.0 - 0.25).abs() < 0.001, "{first}, {second}");
    assert_eq!(metrics::unit(&result, "hosts.web.cpu"), Ok(Unit::Fraction));
    let own = run(&HOSTS.replace("hosts: {on: web}", "cpu: 2").replace("hosts: {web: {count: 2, cores: 2}}\n", ""));
    assert!((value(&own, "components.api.1.cpu") - 0.25).abs() < 0.05);
    assert_eq!(value(&own, "components.api.1.cpu"), value(&own, "components.api[1].cpu"));
    assert!(own.hosts.is_empty());
    assert_eq!(
        metrics::find(&result, "hosts.web[2].cpu").expect_err("two").nearest.as_deref(),
        Some("hosts.web[1].cpu")
    );
    assert!(
        refused(&format!("{HOSTS}objectives: [{{metric: hosts.web.memory, below: 1GiB}}]\n"))[0]
            .contains("no metric is called `hosts.web.memory`"),
        "these hosts have no memory to speak of"
    );
}

#[test]
fn hosts_and_replicas_can_be_judged_over_time() {
    let during = "during: [5s, 15s]";
    let own = HOSTS.replace("hosts: {on: web}", "cpu: 2").replace("hosts: {web: {count: 2, cores: 2}}\n", "");
    for (yaml, column, whole) in [
        (HOSTS, "hosts.web.cpu", "hosts.web.cpu"),
        (HOSTS, "hosts.web[0].cpu", "hosts.web.0.cpu"),
        (&own, "components.api[1].cpu", "components.api.1.cpu"),
        (&own, "components.api.cpu", "components.api.cpu"),
    ] {
        let result = run(&format!("{yaml}objectives: [{{metric: {whole}, below: 40%, {during}}}]\n"));
        assert!(result.objectives[0].holds, "{:#?}", result.objectives);
        let windows = &result.series.columns[column];
        let mean = windows.iter().flatten().sum::<f64>() / windows.len() as f64;
        assert!((mean - value(&result, whole)).abs() < 1e-9, "{column}");
    }
}

#[test]
fn what_only_a_variant_breaks_names_the_variant() {
    let yaml = format!(
        "{SHOP}objectives: [{{metric: components.db.arrivals, above: 1}}]\nvariants:\n  whole: {{}}\n  \
         without: {{components.db: null, components.api.handlers.browse: [wait: 10ms], components.api.calls: null}}\n"
    );
    let text = Text { name: "variants.yaml".into(), bytes: yaml.into(), folder: None };
    let refused = lab::check::check(&text, &Options::default()).expect_err("a variant has no database");
    let messages: Vec<&str> = refused.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages, ["under the variant `without`: no metric is called `components.db.arrivals`"]);
}
