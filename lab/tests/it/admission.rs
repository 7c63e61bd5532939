//! Who is let in to a service: rate limits, limits of concurrency, shedding, and work that would not be done in time.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};
use crate::kinds::{refused, run};
use crate::queue_scenarios::of;

/// So many requests at once to a service.
fn at_once(count: u32, service: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: {count}}}}}, call: x}}}}
components: {{x: {{kind: service, {service}}}}}
"
    ))
}

fn outcomes(result: &RunResult, name: &str) -> u64 {
    result.workloads["w"].outcomes.get(name).copied().unwrap_or(0)
}

/// The latest answer, ms.
fn latest_ms(result: &RunResult) -> f64 {
    (of(result, "workloads.w.latency.max") * 1e6).round() / 1e3
}

const HANDLER: &str = "handlers: {default: [{wait: 10ms}]}";

#[test]
fn the_queue_stands_before_the_limit_of_concurrency_on_every_runtime() {
    for runtime in [
        "unlimited",
        "{thread_pool: {threads: 50}}",
        "{event_loop: {loops: 1}}",
        "{async: {workers: 3}}",
        "{goroutines: {procs: 2}}",
        "{thread_per_request: {max: 50}}",
    ] {
        let service = |admission: &str| format!("cpu: 2, runtime: {runtime}, admission: {{{admission}}}, {HANDLER}");
        // Four at a time: at 10, 20 and 30 ms.
        let all = at_once(10, &service("concurrency: {fixed: 4}"));
        assert_eq!((outcomes(&all, "ok"), latest_ms(&all)), (10, 30.0), "{runtime}");
        assert_eq!(of(&all, "components.x.limit"), 4.0, "{runtime}");
        // Four, and three who wait.
        let some = at_once(10, &service("concurrency: {fixed: 4}, queue: {max: 3}"));
        assert_eq!((outcomes(&some, "ok"), outcomes(&some, "overload"), latest_ms(&some)), (7, 3, 20.0), "{runtime}");
        let busy = at_once(10, &service("concurrency: {fixed: 4}, queue: {max: 0}"));
        assert_eq!((outcomes(&busy, "ok"), outcomes(&busy, "overload")), (4, 6), "{runtime}");
        // The last one first: behind the first four it is the tenth, and so on.
        let lifo = at_once(10, &service("concurrency: {fixed: 4}, queue: {discipline: lifo, max_age: 15ms}"));
        assert_eq!((outcomes(&lifo, "ok"), outcomes(&lifo, "overload")), (8, 2), "{runtime}");
    }
}

#[test]
fn a_rate_limit_refuses_and_says_when_to_come_again() {
    let service =
        format!("runtime: unlimited, admission: {{rate_limit: {{token_bucket: {{rate: 10/s, burst: 3}}}}}}, {HANDLER}");
    let result = at_once(10, &service);
    assert_eq!((outcomes(&result, "ok"), outcomes(&result, "rate_limited")), (3, 7));
    assert_eq!(of(&result, "components.x.rate_limit.refused"), 7.0);
    // Whoever is refused comes again when there is a token, 100 ms later, and one of them gets it.
    let yaml = |replicas: u32| {
        format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 2}}}}, call: {{to: x, retry: {{max_attempts: 2, when: [rate_limited]}}}}}}}}
components:
  x: {{kind: service, replicas: {replicas}, runtime: unlimited, admission: {{rate_limit: {{token_bucket: {{rate: 10/s}}}}}}, {HANDLER}}}
"
        )
    };
    let again = run(&yaml(1));
    assert_eq!((outcomes(&again, "ok"), latest_ms(&again)), (2, 110.0));
    // A limit for each operation.
    let by_op = run(&format!(
        "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{once: {{count: 50}}}}, requests: [{{op: a}}, {{op: b}}], call: x}}
components:
  x: {{kind: service, runtime: unlimited, admission: {{rate_limit: {{token_bucket: {{rate: 1/s, burst: 2}}, by: op}}}}, {HANDLER}}}
"
    ));
    assert_eq!((outcomes(&by_op, "ok"), of(&by_op, "components.x.rate_limit.limiters")), (4, 2.0));
}

/// Four replicas get 400/s together and may let in 100/s, with bursts of 10. One counter that all see lets in what one replica would; seen late, each lets
/// in its own bursts meanwhile, and they make up for it.
#[test]
fn replicas_share_a_rate_limit_as_well_as_they_know_of_one_another() {
    let with = |replicas: u32, more: &str, faults: &str| {
        run(&format!(
            "version: 1
run: {{duration: 60s}}
workloads: {{w: {{arrivals: {{poisson: 400/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: x, health_check: instant}}
  x: {{kind: service, replicas: {replicas}, runtime: unlimited, start_up: 1s, admission: {{rate_limit: {{token_bucket: {{rate: 100/s, burst: 10}}{more}}}}}, {HANDLER}}}
{faults}
"
        ))
    };
    let let_in = |result: &RunResult| outcomes(result, "ok");
    let one = with(1, "", "");
    let shared = with(4, ", scope: component, sync: 0s", "");
    assert_eq!(let_in(&shared), let_in(&one));
    assert!((5_990..=6_011).contains(&let_in(&one)), "{}", let_in(&one));
    // Each by itself lets in all that comes.
    assert!(let_in(&with(4, "", "")) > 23_000);
    // Four bursts at first, and what the others let in within a second is not known; then all are over the limit until that is made up for.
    let late = with(4, ", scope: component, sync: 1s", "");
    assert!((6_011..=6_010 + 4 * 110).contains(&let_in(&late)), "{}", let_in(&late));
    // A process that is started again reads what still counts.
    let restarted = with(
        4,
        ", scope: component, sync: 0s",
        "faults: [{at: 20s, restart: {component: x}}, {at: 40s, restart: {component: x, replica: 1}}]",
    );
    assert!(let_in(&restarted) <= let_in(&one), "{}", let_in(&restarted));
}

#[test]
fn what_admission_cannot_mean_is_refused() {
    let with = |runtime: &str, admission: &str| {
        refused(&format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{arrivals: {{poisson: 1/s}}, call: x}}}}
components: {{x: {{kind: service, runtime: {runtime}, admission: {{{admission}}}, {HANDLER}}}}}
"
        ))
        .join("; ")
    };
    for (runtime, admission, words) in [
        ("unlimited", "queue: {max: 1}", "nothing ever waits"),
        ("unlimited", "rate_limit: {leaky_bucket: {rate: 1/s}}", "can only be rejected"),
        ("unlimited", "rate_limit: {token_bucket: {rate: 1/s}, sync: 1s}", "`sync` has no effect"),
        ("unlimited", "concurrency: {fixed: 1, wait: 1s}", "calls wait in `admission.queue`"),
        ("unlimited", "concurrency: {envoy_thresholds: {}}", "those of a caller"),
        ("single", "concurrency: {fixed: 1}", "each instance serves one call"),
        ("{thread_pool: {threads: 2}}", "shed: {priority: {}}", "the room has no end"),
        ("{event_loop: {loops: 1}}", "queue: {max: 2}, shed: {priority: {}}", "the room has no end"),
        ("unlimited", "shed: {latency: {link: db, over: 1s}}", "is called `db`"),
    ] {
        let found = with(runtime, admission);
        assert!(found.contains(words), "{admission}: {found}");
    }
    let database = refused(
        "version: 1
run: {duration: 1s}
workloads: {w: {arrivals: {poisson: 1/s}, call: x}}
components: {x: {kind: database, admission: {shed: {priority: {}}}, operations: {default: 1ms}}}
",
    );
    assert!(database.join("").contains("a database cannot have `admission.shed` yet"), "{database:?}");
}

/// 100 ms of work behind a queue, with 250 ms from the beginning: the third is begun at 200 ms with 50 ms left.
#[test]
fn work_that_would_not_be_done_in_time_is_not_begun() {
    let served = |queue: &str| {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 5}}}}, call: {{to: x, timeout: 250ms, propagate: [deadline]}}}}}}
components: {{x: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, admission: {{queue: {{{queue}}}}}, handlers: {{default: [{{block: 100ms}}]}}}}}}
"
        ));
        assert_eq!(outcomes(&result, "ok"), 2);
        of(&result, "components.x.wasted_work")
    };
    // Two of three were worked on for somebody.
    assert!((served("") - 1.0 / 6.0).abs() < 0.01, "{}", served(""));
    assert_eq!(served("min_remaining: 100ms"), 0.0);
}

/// Priorities at 60 % and 80 % of the capacity: the important are served, and of the others what is left, 40/80.
#[test]
fn the_less_important_make_room() {
    let yaml = |admission: &str| {
        format!(
            "version: 1
run: {{duration: 60s, warmup: 5s}}
workloads:
  high: {{arrivals: {{poisson: 600/s}}, requests: [{{priority: high}}], call: x}}
  low: {{arrivals: {{poisson: 800/s}}, requests: [{{priority: low}}], call: x}}
components:
  x:
    kind: service
    runtime: {{thread_pool: {{threads: 10}}}}
    admission: {admission}
    handlers: {{default: [{{wait: {{exp: 10ms}}}}]}}
"
        )
    };
    // Levels that go up and down leave a little unused.
    for (admission, off) in [
        ("{queue: {max: 40, discipline: priority}, shed: {priority: {low: 50%}}}", 0.05),
        ("{queue: {max: 200}, shed: {dagor: {window: 100ms}}}", 0.15),
    ] {
        let loaded = load(&yaml(admission));
        for seed in 0..4 {
            let result = run_loaded(&loaded, seed);
            let success = |workload: &str| of(&result, &format!("workloads.{workload}.success"));
            assert!(success("high") > 0.99, "{admission}: {}", success("high"));
            assert!((success("low") - 0.5).abs() < off, "{admission}: {}", success("low"));
        }
    }
}

/// A database of half the capacity that is asked for: without shedding its queue grows; with it calls take about as long as they
/// may, and most of what the database can do is done.
#[test]
fn shedding_by_the_latency_of_a_dependency_keeps_it_near_its_budget() {
    let yaml = |admission: &str| {
        format!(
            "version: 1
run: {{duration: 60s, warmup: 30s}}
workloads:
  w: {{arrivals: {{poisson: 1600/s}}, call: x}}
components:
  x: {{kind: service, runtime: unlimited, admission: {admission}, handlers: {{default: [{{call: db}}]}}, calls: {{db: db}}}}
  db: {{kind: database, connections: 8, operations: {{default: {{exp: 10ms}}}}}}
"
        )
    };
    let loaded = load(&yaml("{shed: {latency: {link: db, over: 50ms}}}"));
    for seed in 0..4 {
        let result = run_loaded(&loaded, seed);
        let (mean, p99) = (of(&result, "workloads.w.latency.mean"), of(&result, "workloads.w.latency.p99"));
        assert!((0.02..0.1).contains(&mean) && p99 < 0.4, "{mean} {p99}");
        let goodput = of(&result, "workloads.w.goodput");
        assert!(goodput > 0.8 * 800.0, "{goodput}");
        assert!(of(&result, "components.x.shed.refused_share") > 0.4);
    }
    let without = run(&yaml("{}"));
    assert!(of(&without, "workloads.w.latency.mean") > 5.0);
}

/// A limit that learns how many calls its service can serve in time, while what the service calls slows down.
#[test]
fn a_limit_of_the_callee_adapts() {
    let yaml = "version: 1
run: {duration: 60s, warmup: 20s}
workloads: {w: {arrivals: {poisson: 1200/s}, deadline: 300ms, call: x}}
components:
  x:
    kind: service
    runtime: unlimited
    admission: {concurrency: {gradient2: {min: 4}, window: {}}, queue: {max: 0}}
    handlers: {default: [{call: db}]}
    calls: {db: db}
  db: {kind: database, connections: 8, operations: {default: {exp: 10ms}}}
";
    let loaded = load(yaml);
    for seed in 0..3 {
        let result = run_loaded(&loaded, seed);
        let goodput = of(&result, "workloads.w.goodput");
        assert!(goodput > 0.85 * 800.0, "{goodput}");
        assert!(of(&result, "workloads.w.latency.p99") < 0.3);
    }
}
