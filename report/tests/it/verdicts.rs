//! Findings about small systems with known answers.

use report::findings::{Finding, Severity, findings};

use crate::predicates::{check, run};

fn told(yaml: &str, overrides: &[&str]) -> Vec<Finding> {
    let overrides: Vec<String> = overrides.iter().map(|one| (*one).to_owned()).collect();
    let result = run(yaml, &overrides);
    assert_eq!(check(&result), [""; 0]);
    findings(&result)
}

fn texts(found: &[Finding]) -> Vec<&str> {
    found.iter().map(|finding| finding.text.as_str()).collect()
}

fn is_told(found: &[Finding], severity: Severity, beginning: &str) {
    let is = |finding: &Finding| finding.severity == severity && finding.text.starts_with(beginning);
    assert!(found.iter().any(is), "{severity:?} {beginning:?} is not in {:#?}", texts(found));
    assert!(!texts(found).concat().contains("Nothing stands out"));
}

const PAUSE: &str = "
version: 1
run: {duration: 60s}
workloads:
  u: {arrivals: {constant: 100/s}, call: api}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 20}}, handlers: {default: [wait: 1ms]}}
faults:
  - {name: stall, at: 20s, for: 20s, pause: {component: api}}
";

#[test]
fn twenty_seconds_without_goodput_are_told() {
    let found = told(PAUSE, &[]);
    is_told(&found, Severity::Critical, "u had no goodput from 20s to 40s, while 2,000 requests were sent.");
    is_told(&found, Severity::Warning, "The p99 of u rose to 19.8 s");
    // The requests were late, not lost.
    let recovered = "Recovered from stall as soon as it ended; goodput fell to 0 % of its level before, and was below 95 % for 20s.";
    is_told(&found, Severity::Good, recovered);
    assert!(
        texts(&found).iter().any(|text| text.starts_with("The queue of api held up to 2,000")),
        "{:#?}",
        texts(&found)
    );
}

const SLOW_NETWORK: &str = "
version: 1
run: {duration: 60s}
workloads:
  u: {arrivals: {constant: 100/s}, call: api}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 20}}, handlers: {default: [wait: 10ms]}}
faults:
  - {name: slow, at: 20s, for: 20s, network: {link: u.call, add: 2s}}
";

#[test]
fn twenty_seconds_of_delay_are_told_and_with_a_deadline_the_goodput() {
    let found = told(SLOW_NETWORK, &[]);
    is_told(&found, Severity::Warning, "The p99 of u rose to 4.01 s (the median is usually 10.0 ms)");
    let found = told(SLOW_NETWORK, &["workloads.u.deadline=1s"]);
    let late = "33 % of u's requests were answered after the deadline: goodput is 67 % of what was sent.";
    is_told(&found, Severity::Critical, late);
    is_told(&found, Severity::Critical, "u had no goodput from 21s to 40s");
}

#[test]
fn a_constant_queue_of_a_closed_loop_is_no_warning() {
    let yaml = "
version: 1
run: {duration: 60s, warmup: 10s}
workloads:
  u: {arrivals: {closed: {users: 400, think: 0s}}, call: api}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 100}}, handlers: {default: [wait: {exp: 100ms}]}}
";
    let found = told(yaml, &[]);
    assert!(found.iter().all(|finding| finding.severity >= Severity::Note), "{:#?}", texts(&found));
    is_told(&found, Severity::Good, "The run was stable: 400 calls");
}

#[test]
fn a_queue_at_its_bound_is_full_and_does_not_grow() {
    let yaml = "
version: 1
run: {duration: 60s, warmup: 10s}
workloads:
  u: {arrivals: {poisson: 200/s}, call: api}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 10}}, admission: {queue: {max: 200}}, handlers: {default: [wait: 100ms]}}
";
    let found = told(yaml, &[]);
    let full = "The queue of api is full: at least 90 % of its 200 places were occupied in 60 of 60 windows.";
    is_told(&found, Severity::Warning, full);
    assert!(!texts(&found).concat().contains("grew"), "{:#?}", texts(&found));
}

const BASELINE: &str = "
version: 1
run: {duration: 5m, window: 1s}
workloads: {users: {arrivals: {poisson: 100/s}, call: {to: api, timeout: 1s}}}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 20}}, admission: {queue: {max: 50}}, handlers: {default: [{wait: {exp: 20ms}}]}}
faults:
  - {name: config, at: 10s, set: {components.api.runtime.thread_pool.threads: 21}}
  - {name: outage, at: 60s, for: 20s, errors: {component: api}}
";

#[test]
fn objective_and_finding_agree_on_recovery() {
    let objective = "\
objectives:
  - {name: heals, metric: goodput, recovers: {from: outage, within: 60s, to: 80%, hold: 5s}}
";
    for (overrides, names) in [
        (&[][..], "outage"),
        (&["faults.0.at=55s", "faults.0.for=5s"], "config and outage"),
        (&["faults.0.at=70s"], "outage"),
    ] {
        let found = told(BASELINE, overrides);
        is_told(&found, Severity::Good, &format!("Recovered from {names} "));
        let overrides: Vec<String> = overrides.iter().map(|one| (*one).to_owned()).collect();
        let result = run(&format!("{BASELINE}{objective}"), &overrides);
        let found = findings(&result);
        assert!(result.objectives[0].holds, "{names}: {:?}", result.objectives[0]);
        is_told(&found, Severity::Good, &format!("Recovered from {names} "));
    }
}

#[test]
fn a_queue_of_thousands_with_waits_of_minutes_is_told() {
    let yaml = "
version: 1
seed: 4
run: {duration: 20m}
workloads:
  uploads:
    arrivals: {poisson: 40/s}
    shape: {spike: {at: 5m, for: 2m, x: 4}}
    call: {to: api, timeout: 3s}
components:
  api:
    kind: service
    replicas: 2
    cpu: 2
    runtime: {thread_pool: {threads: 20}}
    handlers: {default: [cpu: 2ms, {send: jobs}, reply: accepted]}
    calls: {jobs: {to: worker, timeout: 15m}}
  worker: {kind: service, replicas: 10, cpu: 1, runtime: {thread_pool: {threads: 4}}, handlers: {default: [{cpu: {exp: 150ms}}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "The queues of the 10 replicas of worker held up to 1");
}

/// A thread pool that waits for another one, which waits for a database that a fault has slowed down.
#[test]
fn whom_a_saturated_service_waits_for_is_told_down_to_the_last() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 100/s}, call: {to: web, timeout: 2s}}}
components:
  web: {kind: service, runtime: {thread_pool: {threads: 20}}, handlers: {default: [{wait: 1ms}, {call: pay}]}, calls: {pay: {to: payments}}}
  payments: {kind: service, runtime: {thread_pool: {threads: 10}}, handlers: {default: [{wait: 1ms}, {call: db}]}, calls: {db: {to: db}}}
  db: {kind: database, connections: 100, operations: {default: 10ms}}
faults:
  - {name: slow-db, at: 20s, for: 20s, slow: {component: db, factor: 50}}
";
    let found = told(yaml, &[]);
    let waits = found.iter().find(|finding| finding.rule == "waits").expect("it is told");
    let text = &waits.text;
    assert!(text.contains("of the 20 threads of web waited for payments, "), "{text}");
    assert!(
        text.contains("of the 10 threads of payments for db, which was affected by slow-db from 20s to 40s"),
        "{text}"
    );
}

#[test]
fn threads_that_leak_are_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 50/s}, call: {to: api, timeout: 1s}}}
components:
  api: {kind: service, runtime: {thread_pool: {threads: 10}}, handlers: {default: [{wait: 10ms}, {leak: {probability: 1%}}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Critical, "api leaks threads: 10 tasks that never end each hold one of its 10 threads.");
    is_told(&found, Severity::Critical, "api has answered nothing since ");
}

#[test]
fn a_service_that_waits_for_itself_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 200/s}, requests: [{op: outer}], call: {to: api, timeout: 1s}}}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 4}}
    handlers: {outer: [{wait: 20ms}, {call: {link: self, op: inner}}], inner: [{wait: 20ms}]}
    calls: {self: {to: api}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Critical, "api has answered nothing since ");
    assert!(texts(&found).concat().contains("4 of them wait for api itself (a deadlock)"), "{:#?}", texts(&found));
}

#[test]
fn a_deadlock_by_lock_order_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads:
  one: {arrivals: {poisson: 20/s}, requests: [{op: one}], call: {to: api, timeout: 1s}}
  two: {arrivals: {poisson: 20/s}, requests: [{op: two}], call: {to: api, timeout: 1s}}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 8}}
    handlers:
      one: [{lock: {name: a, steps: [{wait: 5ms}, {lock: {name: b, steps: [{wait: 5ms}]}}]}}]
      two: [{lock: {name: b, steps: [{wait: 5ms}, {lock: {name: a, steps: [{wait: 5ms}]}}]}}]
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Critical, "api has answered nothing since ");
    assert!(texts(&found).concat().contains("(a deadlock by lock order)"), "{:#?}", texts(&found));
}

#[test]
fn half_a_second_on_a_loop_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads:
  light: {arrivals: {constant: 50/s}, requests: [{op: light}], call: api}
  heavy: {arrivals: {constant: 1/s}, requests: [{op: heavy}], call: api}
components:
  api: {kind: service, cpu: 1, runtime: {event_loop: {loops: 1}}, handlers: {light: [{cpu: 1ms}], heavy: [{cpu: 500ms}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "A handler of api blocked one of its loops for 500 ms");
}

/// Eight requests of 10 ms at once, five times per second, use up a quota of one core for 100 ms within 12.5 ms.
#[test]
fn a_service_that_is_throttled_while_its_quota_would_do_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
hosts: {box: {cores: 8}}
workloads: {users: {arrivals: {constant: 2/s, batch: 16}, call: api}}
components:
  api: {kind: service, hosts: box, cpu: {limit: 1}, runtime: {thread_pool: {threads: 8}}, handlers: {default: [{cpu: 10ms}]}}
";
    let found = told(yaml, &[]);
    let text = "api was throttled in 50 % of its CPU periods although it used only 32 % of its quota";
    is_told(&found, Severity::Warning, text);
    // With a quota of eight cores, nothing is throttled.
    let found = told(yaml, &["components.api.cpu.limit=8"]);
    assert!(!texts(&found).concat().contains("throttled"), "{:#?}", texts(&found));
}

/// Calls that stay and hold 100 MB each: the eleventh is too much.
#[test]
fn a_process_that_runs_out_of_memory_is_told() {
    let yaml = "
version: 1
run: {duration: 15s}
workloads: {users: {arrivals: {constant: 1/s}, call: api}}
components: {api: {kind: service, memory: {limit: 1GB, per_call: 100MB}, runtime: unlimited, handlers: {default: [{wait: 1h}]}}}
";
    is_told(&told(yaml, &[]), Severity::Critical, "api ran out of memory once: the process died");
    let found = told(yaml, &["components.api.memory.limit=2GB"]);
    assert!(!texts(&found).concat().contains("memory"), "{:#?}", texts(&found));
}

/// 100 MB a second fill a young generation of 10 MB ten times a second, and each time the process stands still for 20 ms.
#[test]
fn a_process_that_collects_garbage_for_long_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 100/s}, call: api}}
components:
  api:
    kind: service
    gc: {heap: 1GB, young: 10MB, pause: 20ms, concurrent_cpu: 0}
    runtime: {thread_pool: {threads: 50}}
    handlers: {default: [{allocate: 1MB}]}
";
    let text = "api stood still for garbage collection during 20 % of the time.";
    is_told(&told(yaml, &[]), Severity::Warning, text);
    let found = told(yaml, &["components.api.gc.pause=100us"]);
    assert!(!texts(&found).concat().contains("garbage"), "{:#?}", texts(&found));
}

/// Ten ports for half a second are twenty connections a second.
#[test]
fn ports_accept_queues_and_threads_that_ran_out_are_told() {
    let yaml = "
version: 1
run: {duration: 20s}
hosts: {box: {cores: 2, ephemeral_ports: 10, time_wait: 500ms}}
workloads: {users: {arrivals: {constant: 100/s}, call: api}}
components:
  api:
    kind: service
    hosts: box
    runtime: unlimited
    handlers: {default: [{call: db}]}
    calls: {db: {to: db, network: {keep_alive: false}}}
  db: {kind: service, listen: {backlog: 1}, threads_max: 1, runtime: {thread_per_request: {max: 2}}, handlers: {default: [{wait: 200ms}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "Hosts box had no port for");
    is_told(&found, Severity::Warning, "db refused");
    let found = told(yaml, &["components.db.threads_max=5", "hosts.box.ephemeral_ports=1000"]);
    is_told(&found, Severity::Warning, "The accept queue of db was full");
}

/// A dead replica of three gets a third of the calls for as long as two probes of one every second take.
#[test]
fn what_balancers_did_not_know_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 90/s}, call: {to: lb, timeout: 1s}}}
components:
  lb: {kind: load_balancer, to: api, health_check: {interval: 1s, timeout: 500ms, failures: 2, successes: 1}}
  api: {kind: service, replicas: 3, runtime: {thread_pool: {threads: 20}}, handlers: {default: [{wait: 10ms}]}}
faults: [{at: 20s, kill: {component: api, replica: 1}}]
";
    let found = told(yaml, &[]);
    assert!(
        texts(&found).concat().contains("of its calls to replicas that no longer answered: its health checks took 1.")
    );
    let found = told(yaml, &["components.lb.health_check={alb: {}}", "run.duration=30s"]);
    assert!(texts(&found).concat().contains("no longer answered: its health checks did not find out."));
    let half = "components.lb.health_check.failures=1";
    let found = told(yaml, &[half, "components.lb.panic_threshold=90%"]);
    is_told(&found, Severity::Warning, "lb panicked: ");
    let eject = "components.lb.outlier_ejection={max_ejected: 40%}";
    let found = told(yaml, &["components.lb.health_check=null", eject]);
    is_told(&found, Severity::Note, "lb ejected replicas for their answers ");
    let found = told(yaml, &["components.lb.max_connections=1", "components.api.handlers.default.0.wait=30ms"]);
    assert!(texts(&found).concat().contains("calls: an instance had one connection, and may have no more."));
}

/// Ten goroutines per second wait for an answer that never comes.
#[test]
fn tasks_that_pile_up_are_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 10/s}, call: {to: api, timeout: 1s}}}
components:
  api: {kind: service, cpu: 1, runtime: goroutines, handlers: {default: [{call: partner}]}, calls: {partner: {to: partner}}}
  partner: {kind: external, latency: 10h}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "The number of tasks of api grew from ");
    let found =
        told(yaml, &["workloads.users.call.propagate=[cancel]", "components.api.calls.partner.propagate=[cancel]"]);
    assert!(!texts(&found).concat().contains("The number of tasks"), "{:#?}", texts(&found));
}

/// Each call blocks its carrier for 20 ms: at 120/s, 2.4 of four are held.
#[test]
fn carriers_that_are_pinned_are_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {constant: 120/s}, call: api}}
components:
  api: {kind: service, cpu: 4, runtime: virtual_threads, handlers: {default: [{block: 20ms}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "Tasks of api held 60 % of its carriers while they waited");
}

#[test]
fn calls_that_wait_at_one_replica_while_most_are_idle_are_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {poisson: 300/s}, call: lb}}
components:
  lb: {kind: load_balancer, algorithm: random, to: api}
  api: {kind: service, replicas: 20, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: {exp: 20ms}}]}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "Calls are poorly balanced over the replicas of api: at the end of ");
    let even = told(&yaml.replace("random", "least_connections"), &[]);
    assert!(!texts(&even).concat().contains("badly spread"), "{:#?}", texts(&even));
}

#[test]
fn a_replica_that_does_most_of_the_work_is_told() {
    let yaml = "
version: 1
run: {duration: 60s}
workloads: {users: {arrivals: {poisson: 80/s}, call: lb}}
components:
  lb: {kind: load_balancer, algorithm: round_robin, to: big}
  big: {kind: service, replicas: 4, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: {exp: 20ms}}]}}
faults:
  - {at: 0s, slow: {component: big, factor: 2, replica: 2}}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "Load is uneven over the replicas of big: replica 2 is 76 % busy");
}

#[test]
fn a_stampede_is_told() {
    let yaml = "
version: 1
run: {duration: 60s, warmup: 20s}
workloads: {readers: {arrivals: {poisson: 500/s}, requests: [{key: {uniform: {keys: 20}}}], call: cache}}
components:
  cache: {kind: cache, to: db, capacity: 100}
  db: {kind: database, connections: 5, operations: {default: 100ms}}
faults:
  - {name: cold, at: 30s, flush: cache}
";
    let found = told(yaml, &[]);
    is_told(&found, Severity::Warning, "cache passed a burst of misses on to db");
    let remedy = found.iter().find_map(|finding| finding.remedy.as_ref()).expect("there is one");
    assert_eq!(remedy.path, "components.cache.coalesce");
}
