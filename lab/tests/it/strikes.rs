//! Every kind under every fault: alone, two at once, in the warm-up, on something that is down already. Each run ends with
//! its laws checked, and once the faults are over the system does what it does without any.

use lab::result::RunResult;
use models::components::KINDS;
use models::faults::FaultKind;
use models::runtimes::RuntimeSettings;
use rayon::prelude::*;
use settings::Setting;
use settings::book::{Body, Content, Shape};

use crate::kinds::{refused, run};

/// A kind's example as component `x`, beside a service on hosts and before a database in a region of its own.
fn around(example: &str, faults: &str) -> String {
    // What waits in a queue needs somebody who takes it.
    let consumer = match example.contains("kind: queue") {
        true => {
            "  sink:
    kind: service
    replicas: 2
    runtime: {thread_pool: {threads: 2}}
    handlers: {default: [{wait: 2ms}]}
    replace_after: 300ms
    consumes: [{from: x, network: {rtt: 2ms}}]
"
        }
        false => "",
    };
    let example: String = example.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "version: 1
run: {{duration: 8s, warmup: 1s, window: 1s}}
regions: {{here: {{rtt: {{there: 2ms}}}}, there: {{}}}}
hosts: {{box: {{count: 2, cores: 1}}}}
workloads:
  w:
    arrivals: {{poisson: 200/s}}
    requests: [{{key: {{zipf: {{keys: 200, s: 0.9}}}}}}]
    call: {{to: x, timeout: 100ms, retry: {{max_attempts: 2, backoff: {{fixed: 5ms}}}}, propagate: [cancel, deadline]}}
  v: {{region: here, arrivals: {{poisson: 100/s}}, call: {{to: side, timeout: 50ms}}}}
components:
  x:
{example}  side:
    kind: service
    replicas: 2
    hosts: box
    region: here
    runtime: {{thread_pool: {{threads: 4}}}}
    handlers: {{default: [{{cpu: {{exp: 2ms}}}}, {{call: far}}, {{call: {{link: store, op: read}}}}, {{call: store}}]}}
    calls: {{far: {{to: far, pool: {{size: 5}}}}, store: {{to: store, timeout: 50ms}}}}
  far: {{kind: external, latency: 5ms, region: there}}
  store:
    kind: database
    connections: 10
    write_ops: [default]
    replication: {{replicas: 2, lag: {{exp: 2ms}}, mode: semi_sync}}
    failover: {{detect: 200ms, elect: 100ms}}
    read_from: replica
    operations: {{default: {{exp: 1ms}}}}
  db: {{kind: database, connections: 5, admission: {{queue: {{max: 50}}}}, operations: {{default: {{exp: 5ms}}}}}}
{consumer}faults: [{faults}]
"
    )
}

/// Requests that ended well.
fn good(result: &RunResult) -> u64 {
    let outcomes = &result.workloads["w"].outcomes;
    ["ok", "accepted"].iter().filter_map(|outcome| outcomes.get(*outcome)).sum()
}

/// A setting of each kind that can change during a run.
fn change(kind: &str) -> &'static str {
    match kind {
        "service" => "components.x.runtime.thread_pool.threads: 2",
        "database" => "components.x.connections: 1",
        "cache" => "components.x.capacity: 10",
        "external" => "components.x.concurrency: 1",
        "queue" => "components.x.capacity: 3",
        _ => "components.db.connections: 1",
    }
}

/// A fault of each kind, without its time; `true` where it lasts.
fn faults(kind: &str) -> Vec<(&'static str, bool, String)> {
    let fault = |word, lasts, settings: &str| (word, lasts, format!("{word}: {settings}"));
    let mut faults = vec![
        fault("slow", true, "{component: x, factor: 20}"),
        fault("slow", true, "{component: x, add: 50ms}"),
        fault("errors", true, "{component: x, fraction: 50%}"),
        fault("kill", true, "{component: x}"),
        fault("kill", true, "{component: db}"),
        fault("restart", false, "{component: x}"),
        fault("host_down", true, "{hosts: box, host: 1}"),
        fault("zone_down", true, "there"),
        fault("partition", true, "[w, x]"),
        fault("network", true, "{link: w.call, add: 20ms, loss: 20%}"),
        fault("network", true, "{link: w.call, loss: 100%}"),
        fault("pause", true, "x"),
        fault("cpu_steal", true, "{from: box, share: 90%}"),
        fault("leader_failover", true, "store"),
        fault("replica_lag", true, "{component: store, lag: 20ms}"),
        fault("kill", true, "{component: store, replicas: 2}"),
        fault("surge", true, "{workload: w, x: 5}"),
        fault("set", true, &format!("{{{}}}", change(kind))),
    ];
    if kind == "cache" {
        faults.push(fault("flush", false, "x"));
    }
    faults
}

fn at(from: &str, lasts: &str, fault: &(&str, bool, String)) -> String {
    let (_, can_last, what) = fault;
    if *can_last { format!("{{at: {from}, for: {lasts}, {what}}}") } else { format!("{{at: {from}, {what}}}") }
}

/// Requests a second that ended well in the last two seconds.
fn in_the_end(result: &RunResult, workload: &str) -> f64 {
    let column = &result.series.columns[&format!("workloads.{workload}.goodput")];
    column.iter().rev().take(2).flatten().sum::<f64>() / 2.0
}

/// Runs under faults that are over by 4 s, and compares the end with a run without any.
fn check(example: &str, calm: &RunResult, faults: &str) -> Result<(), String> {
    let yaml = around(example, faults);
    let result = std::panic::catch_unwind(|| run(&yaml)).map_err(|_| format!("it fails under {faults}"))?;
    for workload in ["w", "v"] {
        let (found, expected) = (in_the_end(&result, workload), in_the_end(calm, workload));
        // The requests are the same; what differs is what a random number is used for, in a few of some hundred.
        if found < 0.85 * expected - 5.0 {
            return Err(format!("{workload} does not recover: {found}/s instead of {expected}/s after {faults}"));
        }
    }
    Ok(())
}

fn all(check: impl Fn(&'static str, &'static str, &RunResult) -> Vec<Result<(), String>> + Sync) {
    let found: Vec<String> = KINDS
        .par_iter()
        .flat_map_iter(|row| {
            let calm = run(&around(row.example, ""));
            assert!(good(&calm) > 300, "{}: {:?}", row.name, calm.workloads["w"].outcomes);
            let results = check(row.name, row.example, &calm);
            results.into_iter().filter_map(Result::err).map(|why| format!("{}: {why}", row.name)).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_list_has_every_fault_of_the_language() {
    let mut book = settings::Book::new();
    let Shape::Named(name) = FaultKind::describe(&mut book) else { panic!("faults are a definition") };
    let Some(Body::Choice(choice)) = book.definition(&name).map(|d| &d.body) else { panic!("faults are a choice") };
    let there = choice.variants.iter().filter(|v| v.content != Content::Value(Shape::NotYet));
    let listed = faults("cache");
    for variant in there {
        assert!(listed.iter().any(|(word, ..)| *word == variant.word), "`{}` is not tried", variant.word);
    }
}

#[test]
fn every_kind_survives_every_fault_whenever_it_strikes() {
    all(|kind, example, calm| {
        let mut results = Vec::new();
        for fault in faults(kind) {
            let times = [("1s", "1s"), ("-500ms", "200ms"), ("-500ms", "1s"), ("0s", "1s"), ("-1s", "1s")];
            results.extend(times.iter().map(|(from, lasts)| check(example, calm, &at(from, lasts, &fault))));
            // On what is down, from before it until after it, and the other way round.
            let down = "{at: 1s, for: 1s, kill: {component: x}}";
            for (from, lasts) in [("1200ms", "300ms"), ("500ms", "2s"), ("1500ms", "1s"), ("1s", "1s")] {
                results.push(check(example, calm, &format!("{down}, {}", at(from, lasts, &fault))));
            }
        }
        results
    });
}

/// Every runtime that there is, so that each is tried.
const RUNTIMES: [&str; 15] = [
    "{thread_per_request: {max: 50, start: 1ms, close: 1ms}}",
    "{thread_pool: {threads: 50}}",
    "{event_loop: {loops: 2}}",
    "unlimited",
    "{async: {workers: 2, blocking_threads: 3}}",
    "{event_loop: node}",
    "{event_loop: {poller: {select: {watched: 100}}, switch: callback}}",
    "{thread_pool: {threads: 50, switch: thread}}",
    "{goroutines: {slice: 1ms, switch: goroutine}}",
    "virtual_threads",
    "{virtual_threads: {carriers: 2, pinned_by_locks: true}}",
    "{gil_threads: {threads: 50, switch_interval: 500us, switch: thread}}",
    "{gil_threads: {threads: 50, free_threaded: true}}",
    "{processes: {workers: 50, fork: 5ms, max_requests: 20, jitter: 10, timeout: 60ms}}",
    "{single: {keep: 1s, burst: 50, account: 100}}",
];

/// Memory in every way that it can be limited and collected.
const MEMORIES: [&str; 5] = [
    "memory: {limit: 60MB, base: 5MB, per_call: 1MB}\nrestart: {base: 100ms, max: 500ms}",
    "memory: {limit: 500MB, per_call: 1MB, commit: reserved}",
    "memory: {per_call: 10KB}\ngc: {heap: 10MB, young: 1MB, pause: {exp: 1ms}, copy: 50MB/s}",
    "gc: {go: {copy: 20MB/s}}",
    "listen: {backlog: 5}\nthreads_max: 50\nrestart: {}",
];

#[test]
fn every_memory_survives_every_fault() {
    let found: Vec<String> = MEMORIES
        .par_iter()
        .flat_map_iter(|memory| {
            let example = format!(
                "kind: service\nreplicas: 3\ncpu: 2\n{memory}\nruntime: {{thread_pool: {{threads: 50}}}}\nhandlers: {{default: [{{cpu: \
                 {{exp: 2ms}}}}, {}{{call: db}}]}}\ncalls: {{db: {{to: db, timeout: 300ms, pool: {{size: 10}}}}}}",
                if memory.contains("listen") { "" } else { "{allocate: 100KB}, " }
            );
            let calm = run(&around(&example, ""));
            let mut results = Vec::new();
            for fault in faults("no kind") {
                results.push(check(&example, &calm, &at("1s", "1s", &fault)));
                let down = "{at: 1s, for: 1s, kill: {component: x}}";
                results.push(check(&example, &calm, &format!("{down}, {}", at("500ms", "2s", &fault))));
            }
            results.into_iter().filter_map(Result::err).map(|why| format!("{memory}: {why}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_runtime_survives_every_fault() {
    let mut book = settings::Book::new();
    let Shape::Named(name) = RuntimeSettings::describe(&mut book) else { panic!("runtimes are a definition") };
    let Some(Body::Choice(choice)) = book.definition(&name).map(|d| &d.body) else { panic!("runtimes are a choice") };
    for there in choice.variants.iter().filter(|v| v.content != Content::Value(Shape::NotYet)) {
        assert!(RUNTIMES.iter().any(|runtime| runtime.contains(there.word)), "`{}` is not tried", there.word);
    }
    let found: Vec<String> = RUNTIMES
        .par_iter()
        .flat_map_iter(|runtime| {
            let queue = match *runtime {
                "unlimited" => "",
                runtime if runtime.contains("single") => "start_up: {exp: 20ms}\n",
                _ => "admission: {queue: {max: 200}}\n",
            };
            let replicas = if runtime.contains("single") { 1 } else { 3 };
            let example = format!(
                "kind: service\nreplicas: {replicas}\ncpu: 2\nruntime: {runtime}\n{queue}handlers: {{default: [{{cpu: {{exp: 2ms}}}}, \
                 {{block: {{exp: 2ms}}}}, {{call: db}}]}}\ncalls: {{db: {{to: db, timeout: 300ms, pool: {{size: 10}}}}}}"
            );
            let calm = run(&around(&example, ""));
            let mut results = Vec::new();
            for fault in faults("no kind") {
                for (from, lasts) in [("1s", "1s"), ("-500ms", "1s")] {
                    results.push(check(&example, &calm, &at(from, lasts, &fault)));
                }
                let down = "{at: 1s, for: 1s, kill: {component: x}}";
                results.push(check(&example, &calm, &format!("{down}, {}", at("500ms", "2s", &fault))));
            }
            results.into_iter().filter_map(Result::err).map(|why| format!("{runtime}: {why}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Faults that strike the consumer, or what lies between it and its queue: once they are over, what was left behind is worked
/// off, each message is done, and those that nobody is working on are none. So it is with queues of every style.
#[test]
fn consumers_survive_every_fault() {
    let plain = KINDS.iter().find(|row| row.name == "queue").expect("there are queues").example;
    let styles = ["sqs, visibility_timeout: 500ms", "sqs_fifo, visibility_timeout: 500ms, rate: none", "rabbitmq"];
    let others = styles.map(|style| format!("kind: queue\nstyle: {}\npublish: 1ms\n", style.replace(", ", "\n")));
    let found: Vec<String> =
        std::iter::once(plain).chain(others.iter().map(String::as_str)).flat_map(breaks_consumers).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What goes wrong with consumers of such a queue under some fault.
fn breaks_consumers(example: &str) -> Vec<String> {
    let strikes = |fault: &str| {
        let fault = fault.replace("component: x", "component: sink").replace("pause: x", "pause: sink");
        let fault = fault.replace("[w, x]", "[sink, x]").replace("w.call", "sink.consumes.x");
        fault.replace("components.x.capacity: 3", "components.sink.runtime.thread_pool.threads: 1")
    };
    let run = |faults: &str| run(&around(example, faults).replace("duration: 8s", "duration: 20s"));
    let check = |faults: &str| {
        let result = std::panic::catch_unwind(|| run(faults)).map_err(|_| format!("it fails under {faults}"))?;
        let of =
            |name: &str| lab::metrics::value(&result, &format!("components.x.{name}")).ok().flatten().unwrap_or(-1.0);
        // All that came after the warm-up are done but for those of the last instants; a few of the warm-up's are done later.
        let (published, done, left) = (of("published"), of("acknowledged"), of("queue.depth_end"));
        if published < 3000.0 || done < published - 30.0 || done > published + 300.0 || left > 20.0 {
            return Err(format!("{published} came, {done} are done and {left} left after {faults} with\n{example}"));
        }
        Ok(())
    };
    faults("queue")
        .par_iter()
        .flat_map_iter(|fault| {
            let fault = (fault.0, fault.1, strikes(&fault.2));
            let times = [("1s", "1s"), ("-500ms", "200ms"), ("-500ms", "1s"), ("-1s", "1s")];
            let alone = times.iter().map(|(from, lasts)| at(from, lasts, &fault)).collect::<Vec<_>>();
            let down = "{at: 1s, for: 1s, kill: {component: sink}}";
            let both = [("1200ms", "300ms"), ("500ms", "2s"), ("1500ms", "1s")];
            let both = both.iter().map(|(from, lasts)| format!("{down}, {}", at(from, lasts, &fault)));
            let queue = "{at: 1s, for: 1s, kill: {component: x}}";
            let queues = [("500ms", "2s"), ("1500ms", "1s")];
            let queues = queues.iter().map(|(from, lasts)| format!("{queue}, {}", at(from, lasts, &fault)));
            let all: Vec<String> = alone.into_iter().chain(both).chain(queues).collect();
            all.into_iter().map(|faults| check(&faults)).collect::<Vec<_>>()
        })
        .filter_map(Result::err)
        .collect()
}

#[test]
fn every_kind_survives_any_two_faults_at_once() {
    all(|kind, example, calm| {
        let faults = faults(kind);
        let mut results = Vec::new();
        for (nth, one) in faults.iter().enumerate() {
            for other in &faults[nth..] {
                // The later one outlasts the earlier one, which it finds in force.
                let both = format!("{}, {}", at("1s", "1s", one), at("1500ms", "1s", other));
                results.push(check(example, calm, &both));
            }
        }
        results
    });
}

#[test]
fn all_faults_together_give_the_same_bytes_twice() {
    all(|kind, example, _| {
        let faults = faults(kind);
        let together: Vec<String> =
            faults.iter().enumerate().map(|(n, fault)| at(&format!("{}ms", 500 + 150 * n), "1s", fault)).collect();
        let yaml = around(example, &together.join(", "));
        let same = format!("{:?}", run(&yaml)) == format!("{:?}", run(&yaml));
        vec![if same { Ok(()) } else { Err("two runs differ".into()) }]
    });
}

#[test]
fn what_remembers_nothing_cannot_be_flushed() {
    for row in KINDS.iter().filter(|row| row.name != "cache") {
        let messages = refused(&around(row.example, "{at: 1s, flush: x}"));
        assert!(messages.iter().any(|m| m.contains("nothing to flush")), "{}: {messages:?}", row.name);
    }
}

/// The workers that are held in each second, of a service with four of them that is asked for more.
fn held(faults: &str) -> Vec<f64> {
    let result = run(&format!(
        "version: 1
run: {{duration: 8s, window: 1s}}
workloads: {{w: {{arrivals: {{closed: {{users: 50, think: 0s}}}}, call: app}}}}
components: {{app: {{kind: service, runtime: {{thread_pool: {{threads: 4}}}}, handlers: {{default: [{{wait: 10ms}}]}}}}}}
faults: [{faults}]
"
    ));
    let completed = &result.series.columns["components.app.completed"];
    completed.iter().flatten().map(|rate| (rate / 100.0).round()).collect()
}

#[test]
fn overlapping_changes_of_settings_compose() {
    let set = |at: u32, lasts: u32, path: &str, value: u32| {
        format!("{{at: {at}s, for: {lasts}s, set: {{components.app.{path}: {value}}}}}")
    };
    let threads = |at, lasts, value| set(at, lasts, "runtime.thread_pool.threads", value);
    // The last one to strike wins while it acts; when one ends, the others are still in force.
    let nested = [threads(1, 5, 2), threads(2, 2, 8)].join(", ");
    assert_eq!(held(&nested), [4.0, 2.0, 8.0, 8.0, 2.0, 2.0, 4.0, 4.0]);
    let crossed = [threads(1, 3, 2), threads(2, 4, 8)].join(", ");
    assert_eq!(held(&crossed), [4.0, 2.0, 8.0, 8.0, 8.0, 8.0, 4.0, 4.0]);
    // Another setting of the same component: the end of one leaves the other alone.
    let other = [threads(1, 6, 2), set(2, 2, "admission.queue.max", 100)].join(", ");
    assert_eq!(held(&other), [4.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0]);
}

/// Requests sent in each second.
fn sent(arrivals: &str, faults: &str, seed: u64) -> Vec<f64> {
    let yaml = format!(
        "version: 1
seed: {seed}
run: {{duration: 40s, window: 10s}}
workloads: {{w: {{{arrivals}, call: x}}}}
components: {{x: {{kind: external, latency: 1ms}}}}
faults: [{faults}]
"
    );
    run(&yaml).series.columns["workloads.w.sent"].iter().flatten().copied().collect()
}

#[test]
fn a_surge_multiplies_the_rate_that_there_is_and_no_other() {
    // Nobody comes in the second ten seconds, surge or not: what is awaited then is not drawn nearer.
    let shaped = "arrivals: {constant: 50/s}, shape: {steps: [{at: 10s, x: 0}, {at: 20s, x: 1}]}";
    let found = sent(shaped, "{at: 15s, for: 15s, surge: {workload: w, x: 3}}", 1);
    for (found, expected) in found.iter().zip([50.0, 0.0, 150.0, 50.0]) {
        assert!((found - expected).abs() <= 0.21, "{found} instead of {expected}");
    }
    // In the empty state nobody comes: it lasts from 10 s to 20 s.
    let states = "arrivals: {mmpp: {states: [{rate: 50/s, stays: 10s}, {rate: 0/s, stays: 10s}]}}";
    for seed in 1..20 {
        let found = sent(states, "{at: 15s, for: 10s, surge: {workload: w, x: 4}}", seed);
        // 500 and, half of the time fourfold, 1250 in ten seconds: six standard deviations.
        assert_eq!((found[1], found[3]), (0.0, 0.0), "seed {seed}: {found:?}");
        assert!((found[0] - 50.0).abs() < 13.5 && (found[2] - 125.0).abs() < 21.3, "seed {seed}: {found:?}");
    }
}

#[test]
fn stolen_cores_come_back_to_the_last_millionth() {
    let steal = |at: f64, lasts: f64, share: &str| {
        format!("{{at: {}ms, for: {}ms, cpu_steal: {{from: app, share: {share}}}}}", at * 1e3, lasts * 1e3)
    };
    // 100/s on a core; a tenth of that in the third and the fifth second, and next to nothing in the fourth.
    let yaml = |faults: &str| {
        format!(
            "version: 1
run: {{duration: 8s, window: 1s}}
workloads: {{w: {{arrivals: {{closed: {{users: 1, think: 0s}}}}, call: app}}}}
components: {{app: {{kind: service, cpu: 1, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{cpu: 10ms}}]}}}}}}
faults: [{faults}]
"
        )
    };
    let faults = [steal(2.0, 3.0, "90%"), steal(3.0, 1.0, "99.9%"), steal(3.0, 1.0, "99.9%"), steal(3.0, 1.0, "99.9%")];
    let result = run(&yaml(&faults.join(", ")));
    let found: Vec<f64> = result.series.columns["components.app.completed"].iter().flatten().copied().collect();
    // What ends with a second counts in the next.
    assert_eq!(found, [99.0, 100.0, 10.0, 1.0, 9.0, 100.0, 100.0, 100.0]);
}

#[test]
fn work_for_callers_who_gave_up_is_counted_from_when_it_was_begun() {
    // 1 s of a call an hour is not wasted because it waited in a pause before.
    let result = run("version: 1
run: {duration: 10s}
workloads: {w: {arrivals: {once: {count: 1, at: 1s}}, call: {to: x, timeout: 2s}}}
components: {x: {kind: external, latency: 3s}}
faults: [{at: 500ms, for: 1500ms, pause: x}]
");
    // It came at 1 s, began at 2 s, its caller left at 3 s, it ended at 5 s.
    let wasted = result.components["x"].wasted_work.expect("it has worked");
    assert!((wasted - 2.0 / 3.0).abs() < 1e-9, "{wasted}");
}

/// A kind's example that breaks at random, in the scenario of all these tests.
fn breaking(example: &str, faults: &str) -> String {
    let example = format!("{}\nrandom: {{mtbf: {{exp: 1s}}, mttr: {{exp: 300ms}}}}", example.trim_end());
    around(&example, faults).replace("db: {kind", "db: {random: {mtbf: {exp: 2s}, mttr: {exp: 500ms}}, kind")
}

#[test]
fn every_kind_breaks_at_random_under_every_fault() {
    all(|kind, example, _| {
        let mut results = Vec::new();
        let mut faults: Vec<String> =
            faults(kind).iter().flat_map(|f| [at("1s", "1s", f), at("-500ms", "2s", f)]).collect();
        faults.push(String::new());
        for fault in faults {
            let yaml = breaking(example, &fault);
            let result = match std::panic::catch_unwind(|| run(&yaml)) {
                Ok(result) => result,
                Err(_) => {
                    results.push(Err(format!("it fails under {fault}")));
                    continue;
                }
            };
            let (ok, sent) = (good(&result), result.workloads["w"].sent);
            if ok == 0 || ok >= sent {
                results.push(Err(format!("{ok} of {sent} end well under {fault}, not some of them")));
            }
            if format!("{result:?}") != format!("{:?}", run(&yaml)) {
                results.push(Err(format!("two runs differ under {fault}")));
            }
        }
        results
    });
}

/// Where what stands and what is repaired take turns, exponential both, the share of time up is mtbf/(mtbf + mttr), and its
/// mean over T has the variance 2λμ/((λ + μ)³ T). Five standard errors: one in a million such tests fails by chance.
#[test]
fn what_breaks_at_random_is_up_for_its_share_of_the_time() {
    let (mtbf, mttr, lasts, seeds) = (8.0, 2.0, 10_000.0, 8);
    let yaml = "version: 1
run: {duration: 10000s, window: 100s}
workloads: {w: {arrivals: {constant: 10/s}, call: x}}
components: {x: {kind: external, latency: 0s, random: {mtbf: {exp: 8s}, mttr: {exp: 2s}}}}
";
    let loaded = crate::harness::load(yaml);
    let (mut ok, mut sent) = (0.0, 0.0);
    for seed in 1..=seeds {
        let result = crate::harness::run_loaded(&loaded, seed);
        ok += result.workloads["w"].outcomes["ok"] as f64;
        sent += result.workloads["w"].sent as f64;
        // What breaks refuses what comes then.
        assert_eq!(result.workloads["w"].outcomes.len(), 2, "{:?}", result.workloads["w"].outcomes);
    }
    let (breaks, repairs): (f64, f64) = (1.0 / mtbf, 1.0 / mttr);
    let variance = 2.0 * breaks * repairs / ((breaks + repairs).powi(3) * lasts * f64::from(seeds as u32));
    let expected = mtbf / (mtbf + mttr);
    assert!((ok / sent - expected).abs() < 5.0 * variance.sqrt(), "{} instead of {expected}", ok / sent);
}

/// A run until nothing is left to happen ends with the timeout, not with the step that it took back: the pause has moved the
/// end of that step in the calendar.
#[test]
fn a_step_is_taken_back_after_its_service_has_stood_still() {
    let text = "version: 1
run: {until: idle}
workloads:
  w: {arrivals: {once: {count: 1, at: 100ms}}, call: {to: s, timeout: 3s, propagate: [cancel]}}
components:
  s: {kind: service, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10s}]}}
faults:
  - {at: 1s, for: 1s, pause: {component: s}}
";
    assert_eq!(run(text).run.duration_s, 3.1);
}
