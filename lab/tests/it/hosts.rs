//! Hosts whose cores tasks have in turns, and hosts that save up core time: schedules derived by hand.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};

/// Services on one host, each asked at 0 for some work; `services` says how many requests each, and of how much.
fn run(host: &str, services: &[(&str, u32, &str)]) -> RunResult {
    let mut workloads = String::new();
    let mut components = String::new();
    for (n, (cpu, count, work)) in services.iter().enumerate() {
        workloads += &format!("  w{n}: {{arrivals: {{once: {{count: {count}}}}}, call: s{n}}}\n");
        components += &format!(
            "  s{n}: {{kind: service, hosts: box, cpu: {cpu}, runtime: {{thread_pool: {{threads: 10000}}}}, \
             handlers: {{default: [{{cpu: {work}}}]}}}}\n"
        );
    }
    let yaml = format!(
        "version: 1\nrun: {{until: idle}}\nhosts: {{box: {host}}}\nworkloads:\n{workloads}components:\n{components}"
    );
    run_loaded(&load(&yaml), 1)
}

fn value(result: &RunResult, metric: &str) -> f64 {
    lab::metrics::value(result, metric).ok().flatten().unwrap_or_else(|| panic!("{metric} is not known"))
}

fn takes_ms(result: &RunResult, workload: usize) -> (f64, f64) {
    let latency = result.workloads[&format!("w{workload}")].latency;
    let ms = |s: Option<f64>| (s.unwrap_or(0.0) * 1e6).round() / 1e3;
    (ms(latency.mean_s), ms(latency.max_s))
}

/// ```text
///  one core, slices of 3 ms   A 7, B 7   A 0–3   B 3–6   A 6–9   B 9–12   A 12–13   B 13–14
///  the same, switch 1 ms      A 0–3   B 4–7   A 8–11   B 12–15   A 16–17   B 18–19
///  no scheduler               both at half the speed until 14
/// ```
#[test]
fn tasks_have_a_core_in_turns() {
    let at = |host: &str| takes_ms(&run(host, &[("1", 2, "7ms")]), 0);
    assert_eq!(at("{cores: 1, scheduler: {slice: 3ms, switch: 0s}}"), (13.5, 14.0));
    assert_eq!(at("{cores: 1, scheduler: {slice: 3ms, switch: 1ms}}"), (18.0, 19.0));
    assert_eq!(at("{cores: 1}"), (14.0, 14.0));
    let result = run("{cores: 1, scheduler: {slice: 3ms, switch: 1ms}}", &[("1", 2, "7ms")]);
    assert_eq!(value(&result, "hosts.box.switches"), 5.0);
    assert!((value(&result, "hosts.box.switch_cpu") - 5.0 / 19.0).abs() < 1e-6);
    // Two tasks until 17 ms and one until 19.
    assert!((value(&result, "hosts.box.runnable") - 36.0 / 19.0).abs() < 1e-6);
    assert!((value(&result, "hosts.box.cpu") - 1.0).abs() < 1e-6);
}

/// Two services of 30 ms on a core in slices of 1 ms: with weights of 1 and 3 the heavy one is done after 40 ms, three quarters
/// of which it had; the light one at 60.
#[test]
fn turns_go_by_weight() {
    let result = run("{cores: 1, scheduler: {slice: 1ms, switch: 0s}}", &[("1", 1, "30ms"), ("3", 1, "30ms")]);
    let (light, heavy) = (takes_ms(&result, 0).1, takes_ms(&result, 1).1);
    assert_eq!(light, 60.0);
    assert!((heavy - 40.0).abs() <= 2.0, "{heavy}");
}

/// 10,000 threads that would each change every millisecond at 10 µs ask for 100 cores of switching; on four cores they get 990
/// changes a second and core, which is 0.99 % of them.
#[test]
fn ten_thousand_threads_demand_more_switching_than_there_are_cores() {
    let yaml = "version: 1
run: {duration: 3s, warmup: 1s}
hosts: {box: {cores: 4, scheduler: {slice: 1ms, switch: 10us}}}
workloads: {w: {arrivals: {once: {count: 10k, at: -1s}}, call: app}}
components: {app: {kind: service, hosts: box, runtime: {thread_per_request: {}}, handlers: {default: [{cpu: 1h}]}}}
";
    let result = run_loaded(&load(yaml), 1);
    let demanded: f64 = 10_000.0 / 1e-3 * 10e-6;
    assert!((demanded - 100.0).abs() < 1e-9);
    let switches = value(&result, "hosts.box.switches") / 3.0 / 4.0;
    assert!((switches - 1.0 / 1.01e-3).abs() < 1.0, "{switches}");
    assert!((value(&result, "hosts.box.switch_cpu") / 4.0 - 0.0099).abs() < 1e-4);
    assert_eq!(value(&result, "hosts.box.runnable"), 10_000.0);
}

/// A fifth of a core is earned, and 4 s are saved up: one core works for 5 s, and the rest of 10 s of work takes 25 s at a fifth.
#[test]
fn a_burstable_host_is_slow_once_its_credits_are_spent() {
    let host = "{cores: 1, credits: {rate: 0.2, max: 10s, start: 4s}}";
    let result = run(host, &[("1", 1, "10s")]);
    assert!((takes_ms(&result, 0).1 - 30_000.0).abs() < 0.01, "{:?}", takes_ms(&result, 0));
    assert!(value(&result, "hosts.box.credits") < 1e-3);
    let idle = run(&host.replace("start: 4s", "start: 10s"), &[("1", 1, "1s")]);
    assert!((value(&idle, "hosts.box.credits") - 9.2).abs() < 1e-3);
}

/// Slices that are short against the work share a core as if all ran at the same time: the mean latency of M/M/1 with processor
/// sharing is 1/(μ − λ), whatever the work's distribution. The standard error over the seeds tells how far it may be from that; five
/// of them are exceeded once in a million times.
#[test]
fn short_slices_are_processor_sharing() {
    let theory = 1.0 / (100.0 - 70.0);
    for (work, slice) in [("{exp: 10ms}", "500us"), ("{hyperexp: {mean: 10ms, cv: 2}}", "500us")] {
        let yaml = format!(
            "version: 1
run: {{duration: 400s, warmup: 20s, window: 20s}}
hosts: {{box: {{cores: 1, scheduler: {{slice: {slice}, switch: 0s}}}}}}
workloads: {{w: {{arrivals: {{poisson: 70/s}}, call: app}}}}
components: {{app: {{kind: service, hosts: box, runtime: {{thread_per_request: {{}}}}, handlers: {{default: [{{cpu: {work}}}]}}}}}}
"
        );
        let loaded = load(&yaml);
        let means: Vec<f64> =
            (1..=12).map(|seed| run_loaded(&loaded, seed).workloads["w"].latency.mean_s.unwrap_or(0.0)).collect();
        let mean = means.iter().sum::<f64>() / 12.0;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 11.0;
        // Student's t with 11 degrees of freedom exceeds 8.1 once in a million times; half a slice is the grain.
        let bound = 8.1 * (variance / 12.0).sqrt() + 0.0005;
        assert!((mean - theory).abs() < bound, "{work}: {mean} instead of {theory} ± {bound}");
    }
}

/// Four endless tasks under a quota of one core on a host of four: a quarter of its cores is in use, and every period is throttled.
#[test]
fn a_snapshot_shows_hosts_and_what_runs_there() {
    let yaml = "version: 1
run: {duration: 10s, warmup: 1s, window: 1s}
hosts: {box: {cores: 4, count: 2}, turns: {cores: 1, scheduler: {slice: 4ms, switch: 1ms}}, spare: {cores: 2, credits: {rate: 1, max: 5s}}}
workloads:
  w: {arrivals: {once: {count: 4, at: -1s}}, call: app}
  v: {arrivals: {once: {count: 5, at: -1s}}, call: turner}
components:
  app: {kind: service, hosts: box, cpu: {limit: 1}, runtime: {thread_pool: {threads: 4}}, handlers: {default: [{cpu: 1h}]}}
  turner: {kind: service, hosts: turns, runtime: {thread_pool: {threads: 5}}, handlers: {default: [{cpu: 1h}]}}
";
    let mut session = lab::Session::new(load(yaml), 1, None);
    let names = |hosts: &[lab::result::HostNow]| hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&session.snapshot().hosts), ["box[0]", "box[1]", "turns", "spare"]);
    for at in [500_000_000, 2_500_000_000, 9_000_000_000] {
        session.run_until(at).expect("it runs");
        let snapshot = session.snapshot();
        let [first, second, turns, spare] = &snapshot.hosts[..] else { panic!("{:?}", snapshot.hosts) };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found}: {first:?} {turns:?}");
        near(first.cpu, 0.25);
        assert_eq!((first.runnable, first.cores, second.cpu, second.runnable), (4, 4.0, 0.0, 0));
        let [app] = &first.components[..] else { panic!("{first:?}") };
        assert_eq!((app.node, app.replicas, app.runnable, app.limit, app.throttled), (2, 1, 4, Some(1.0), Some(1.0)));
        near(app.cores, 1.0);
        // A change takes 1 of 5 ms.
        near(turns.cpu, 1.0);
        assert!((turns.switches.expect("a scheduler") - 200.0).abs() <= 1.0, "{turns:?}");
        near(turns.switch_cpu.expect("a scheduler"), 0.2);
        assert_eq!((turns.components[0].node, turns.components[0].throttled), (3, None));
        assert_eq!((spare.credits_s, spare.switches), (Some(5.0), None));
        assert!(second.components.is_empty() && spare.components.is_empty());
    }
}
