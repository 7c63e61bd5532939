//! Memory: exact sums, limits, what happens above them, and what is alive when.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};

const GB: f64 = 1e9;
const MB: f64 = 1e6;

fn value(result: &RunResult, metric: &str) -> f64 {
    lab::metrics::value(result, metric).ok().flatten().unwrap_or_else(|| panic!("{metric} is not known"))
}

fn of_app(result: &RunResult, figure: &str) -> f64 {
    value(result, &format!("components.app.{figure}"))
}

/// 10,000 calls that stay for the whole run; `service` is everything of the service but its handlers.
fn ten_thousand(service: &str) -> RunResult {
    let yaml = format!(
        "version: 1
run: {{duration: 1s, warmup: 1s}}
workloads: {{w: {{arrivals: {{once: {{count: 10k, at: -1s}}}}, call: app}}}}
components: {{app: {{kind: service, cpu: 4, memory: {{}}, {service}, handlers: {{default: [{{wait: 1h}}]}}}}}}
"
    );
    run_loaded(&load(&yaml), 1)
}

/// The sums of two source texts, to the byte: stacks of 1 and 8 MB are 10 and 80 GB of address space, of which only the pages
/// are in memory that were touched; tasks of 2 KB are 20 MB, goroutines of 4 KB a million for 4 GB, callbacks of 1 KB 10 MB.
#[test]
fn ten_thousand_connections_take_what_their_runtime_takes() {
    for (stack, reserved) in [("1MB", 10.0 * GB), ("8MB", 80.0 * GB), ("1MiB", 10_000.0 * 1_048_576.0)] {
        for runtime in ["thread_per_request: {stack: ", "thread_pool: {threads: 10k, stack: "] {
            let result = ten_thousand(&format!("runtime: {{{runtime}{stack}}}}}"));
            assert_eq!(of_app(&result, "memory_reserved"), reserved);
            assert_eq!(of_app(&result, "memory"), 1.0 * GB, "100 KB of each were touched");
            assert_eq!(of_app(&result, "memory_of.tasks"), 1.0 * GB);
        }
    }
    for (runtime, bytes) in [
        ("async", 20.0 * MB),
        ("{goroutines: {stack: 4KB}}", 40.0 * MB),
        ("goroutines", 10_000.0 * 2_048.0),
        ("{event_loop: {}}", 10.0 * MB),
        ("virtual_threads", 10.0 * MB),
        ("{processes: {workers: 4}}", 400.0 * MB),
    ] {
        let result = ten_thousand(&format!("runtime: {runtime}"));
        assert_eq!([of_app(&result, "memory"), of_app(&result, "memory_reserved")], [bytes, bytes], "{runtime}");
        assert_eq!(of_app(&result, "memory_max"), bytes);
    }
}

/// The process, the queue and what calls are sent with: 3 that are served and 7 that wait, 1 KB each and 2 KB of their own.
#[test]
fn calls_are_in_memory_from_their_arrival_to_their_end() {
    let yaml = "version: 1
run: {until: idle}
workloads: {w: {arrivals: {once: {count: 10}}, requests: [{op: default, size: 1KB}], call: app}}
components:
  app:
    kind: service
    memory: {base: 5KB, per_call: 2KB}
    runtime: {thread_pool: {threads: 3, stack_touched: 1KB}}
    handlers: {default: [{wait: 1s}]}
";
    let result = run_loaded(&load(yaml), 1);
    assert_eq!(of_app(&result, "memory_max"), 5e3 + 3.0 * 1e3 + 10.0 * 3e3);
    // 10, 7, 4 and 1 of them for a second each; the run ends with a step of its own.
    assert!((of_app(&result, "memory_of.calls") - 22.0 * 3e3 / 4.0).abs() < 0.1);
}

/// 64 GB that are not overcommitted have room for 8,000 stacks of 8 MB; with overcommitment they do not even notice.
#[test]
fn without_overcommitment_threads_are_refused() {
    let run = |commit: &str, runtime: &str| {
        let yaml = format!(
            "version: 1
run: {{duration: 5s}}
hosts: {{box: {{cores: 8, memory: {{size: 64GB, commit: {commit}}}}}}}
workloads: {{w: {{arrivals: {{once: {{count: 10k}}}}, call: app}}}}
components:
  app: {{kind: service, hosts: box, runtime: {{{runtime}, stack: 8MB}}}}, handlers: {{default: [{{wait: 1h}}]}}}}
"
        );
        run_loaded(&load(&yaml), 1)
    };
    let refused = run("reserved", "thread_per_request: {max: 20k");
    assert_eq!(value(&refused, "workloads.w.outcomes.unavailable"), 2_000.0);
    assert_eq!(value(&refused, "hosts.box.memory_reserved"), 64.0 * GB);
    let served = run("touched", "thread_per_request: {max: 20k");
    assert_eq!(value(&served, "workloads.w.in_flight_end"), 10_000.0);
    assert_eq!(
        [value(&served, "hosts.box.memory_reserved"), value(&served, "hosts.box.memory")],
        [80.0 * GB, 1.0 * GB]
    );
    // All stacks of a pool are reserved when it starts.
    let dead = run("reserved", "thread_pool: {threads: 10k");
    assert_eq!(value(&dead, "workloads.w.outcomes.unavailable"), 10_000.0);
    assert_eq!(told(&dead, "no_memory"), [0.0]);
}

fn told(result: &RunResult, name: &str) -> Vec<f64> {
    let found = result.happenings.iter().filter(|one| one.name == name);
    found.flat_map(|one| one.first.iter().map(|first| first.at_s)).collect()
}

/// One call a second stays, with 100 MB: the eleventh is too much for 1 GB. The process is killed at 11 s with the ten others and
/// starts at once, then after 10, 20, 40 s, as Kubernetes has it.
#[test]
fn a_process_beyond_its_limit_is_killed_and_restarted_with_back_off() {
    let yaml = "version: 1
run: {duration: 130s, window: 10s}
workloads: {w: {arrivals: {constant: 1/s}, call: app}}
components:
  app:
    kind: service
    memory: {limit: 1GB, per_call: 100MB}
    runtime: unlimited
    restart: {}
    handlers: {default: [{wait: 1h}]}
";
    let result = run_loaded(&load(yaml), 1);
    // Calls come at 1, 2, … s, and while it is down they are refused.
    assert_eq!(told(&result, "oom_killed"), [11.0, 22.0, 42.0, 72.0, 122.0]);
    assert_eq!(told(&result, "process_restarted"), [11.0, 32.0, 62.0, 112.0]);
    assert_eq!(of_app(&result, "oom_kills"), 5.0);
    assert_eq!(of_app(&result, "memory_max"), 1.1 * GB);
    assert_eq!(value(&result, "workloads.w.outcomes.reset"), 55.0);
    let dead = run_loaded(&load(&yaml.replace("    restart: {}\n", "")), 1);
    assert_eq!(told(&dead, "oom_killed").len(), 1, "nobody starts it again");
}

/// The kernel kills whoever uses most on a full host, not whoever asked last.
#[test]
fn a_full_host_kills_the_largest() {
    let yaml = "version: 1
run: {duration: 10s}
hosts: {box: {cores: 4, memory: 1GB}}
workloads: {w: {arrivals: {once: {count: 2}}, call: small}}
components:
  large: {kind: service, hosts: box, memory: {base: 800MB}, runtime: unlimited, handlers: {default: [{wait: 1s}]}}
  small: {kind: service, hosts: box, memory: {base: 100MB, per_call: 60MB}, runtime: unlimited, handlers: {default: [{wait: 1s}]}}
";
    let result = run_loaded(&load(yaml), 1);
    assert_eq!(value(&result, "workloads.w.outcomes.ok"), 2.0);
    assert_eq!(
        [value(&result, "components.large.oom_kills"), value(&result, "components.small.oom_kills")],
        [1.0, 0.0]
    );
    assert!(value(&result, "hosts.box.memory") < 0.2 * GB);
}

/// Three hosts of 10 GB have room for two replicas of 4 GB each; the other two wait.
#[test]
fn what_does_not_fit_waits() {
    let yaml = "version: 1
run: {duration: 1s}
hosts: {box: {count: 3, cores: 4, memory: 10GB}}
workloads: {w: {arrivals: {constant: 10/s}, call: app}}
components:
  app:
    kind: service
    replicas: 8
    hosts: {on: box, placement: pack}
    memory: {limit: 4GB}
    runtime: unlimited
    handlers: {default: [{wait: 1ms}]}
";
    let result = run_loaded(&load(yaml), 1);
    assert_eq!(value(&result, "components.app.replicas"), 6.0);
    assert_eq!(told(&result, "start_waits").len(), 2);
}

/// Tasks that never end keep their stacks: two a second at 2 KB each.
#[test]
fn leaked_goroutines_grow_by_their_stacks() {
    let yaml = "version: 1
run: {duration: 100s, window: 10s}
workloads: {w: {arrivals: {constant: 2/s}, call: app}}
components:
  app: {kind: service, cpu: 1, memory: {}, runtime: {goroutines: {stack: 2KB}}, handlers: {default: [{leak: {}}]}}
";
    let result = run_loaded(&load(yaml), 1);
    assert_eq!(of_app(&result, "memory_max"), 199.0 * 2e3);
}

/// One call at a time that allocates 1 MB for 1 ms, a young generation of 10 MB and 1 GB/s: after each 10 calls what the tenth has is
/// copied in 1 ms, and the process stands still for that and the fixed 1 ms. So 10 calls take 12 ms.
#[test]
fn allocation_makes_collections_and_survivors_make_pauses() {
    let run = |allocates: &str| {
        let yaml = format!(
            "version: 1
run: {{duration: 12s}}
workloads: {{w: {{arrivals: {{closed: {{users: 1, think: 0s}}}}, call: app}}}}
components:
  app:
    kind: service
    gc: {{heap: 2GB, young: 10MB, pause: 1ms, concurrent_cpu: 0}}
    runtime: {{thread_pool: {{threads: 1}}}}
    handlers: {{default: [{{allocate: {allocates}}}, {{wait: 1ms}}]}}
"
        );
        run_loaded(&load(&yaml), 1)
    };
    let result = run("1MB");
    assert_eq!(value(&result, "workloads.w.completed"), 9_999.0);
    assert_eq!(of_app(&result, "gc.young"), 1_000.0);
    assert!((of_app(&result, "gc.share") - 1.0 / 6.0).abs() < 1e-3);
    assert!((of_app(&result, "pauses.max") - 2e-3).abs() < 1e-9);
    // Half the allocations, half the collections.
    let half = run("500KB");
    assert!((of_app(&half, "gc.young") - 12_000.0 / 21.5).abs() < 1.0, "{}", of_app(&half, "gc.young"));
}

/// The memory columns of two published tables: 25, 22 and 80 MB for 10,000 clients on asyncio, Go and Node, 10 GB of address space for
/// threads of 1 MB; and 400 and 200 MB for four worker processes of 100 MB and four isolates of 50 MB.
#[test]
fn published_tables_are_base_plus_units() {
    let clients = |memory: &str, runtime: &str, more: &str| {
        let yaml = format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{clients: {{arrivals: {{connections: {{count: 10k, think: 100h}}}}, call: app}}}}
components: {{app: {{kind: service, cpu: 4, memory: {{{memory}}}, runtime: {runtime}{more}, handlers: {{default: [{{wait: 10ms}}]}}}}}}
"
        );
        run_loaded(&load(&yaml), 1)
    };
    let (five, two, seventy) =
        ("base: 5MB, per_connection: 2KB", "base: 2MB, per_connection: 2KB", "base: 70MB, per_connection: 1KB");
    assert_eq!(of_app(&clients(five, "{event_loop: {}}", ""), "memory"), 25.0 * MB);
    assert_eq!(of_app(&clients(two, "goroutines", ""), "memory"), 22.0 * MB);
    assert_eq!(of_app(&clients(seventy, "{event_loop: node}", ""), "memory"), 80.0 * MB);
    let threads = clients("", "{thread_per_request: {stack: 1MB}}", ", listen: {threads: 1}");
    assert_eq!(of_app(&threads, "memory_reserved"), 10.0 * GB);
    let processes = |each: &str| {
        of_app(&clients("", &format!("{{processes: {{workers: 4, worker_memory: {each}}}}}"), ""), "memory")
    };
    assert_eq!([processes("100MB"), processes("50MB")], [400.0 * MB, 200.0 * MB]);
}
