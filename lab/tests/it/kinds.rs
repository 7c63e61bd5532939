//! The kinds of components: invariants for every row of the table, and the behaviour of each kind in a small scenario.

use std::sync::Arc;

use lab::result::RunResult;
use lab::{Loaded, Options, Refused, Session, Text};
use models::components::KINDS;
use sim_core::keys::Keys;
use sim_core::random::Stream;

fn load(yaml: &str, variant: Option<&str>) -> Result<Arc<Loaded>, Refused> {
    let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
    lab::load(&text, &Options { variant: variant.map(str::to_string), ..Options::default() }).map(Arc::new)
}

pub(crate) fn run_variant(yaml: &str, variant: Option<&str>) -> RunResult {
    let loaded = load(yaml, variant).unwrap_or_else(|refused| panic!("{:#?}\n{yaml}", refused.problems));
    let mut session = Session::new(loaded.clone(), loaded.scenario.seed, None);
    // At the end the session checks conservation of calls, Little's law, and busy ≤ available.
    if let Err(failure) = session.run_to_end() {
        panic!("{failure}\n{yaml}");
    }
    session.result()
}

pub(crate) fn run(yaml: &str) -> RunResult {
    run_variant(yaml, None)
}

/// The messages with which a scenario is rejected.
pub(crate) fn refused(yaml: &str) -> Vec<String> {
    match load(yaml, None) {
        Ok(_) => panic!("this must be refused:\n{yaml}"),
        Err(refused) => refused.problems.iter().map(|p| p.message.clone()).collect(),
    }
}

fn indented(yaml: &str) -> String {
    yaml.lines().map(|line| format!("    {line}\n")).collect()
}

/// A component called `x` in a scenario with a database and the given faults.
fn around(component: &str, run: &str, faults: &str) -> String {
    format!(
        "version: 1\nrun: {run}\nworkloads:\n  w:\n    arrivals: {{poisson: 200/s}}\n    requests: [{{key: {{zipf: {{keys: 200, s: 0.9}}}}}}]\n    call: {{to: x, timeout: 100ms, retry: {{max_attempts: 2, backoff: {{fixed: 5ms}}}}, propagate: [cancel, deadline]}}\ncomponents:\n  x:\n{}  db: {{kind: database, connections: 5, operations: {{default: {{exp: 5ms}}}}}}\nfaults: [{faults}]\n",
        indented(component)
    )
}

const SHORT: &str = "{duration: 4s, warmup: 1s}";

#[test]
fn every_example_runs_and_conserves_calls() {
    for row in KINDS {
        let calm = run(&around(row.example, SHORT, ""));
        assert!(calm.workloads["w"].completed > 500, "{}: {}", row.name, calm.workloads["w"].completed);
        assert_eq!(calm.components["x"].kind, row.name);
    }
}

#[test]
fn every_example_reads_the_same_after_being_written() {
    for row in KINDS {
        let yaml = around(row.example, SHORT, "");
        let once = load(&yaml, None).expect("the example is right");
        let again = load(&once.resolved(), None)
            .unwrap_or_else(|refused| panic!("{}: {:#?}\n{}", row.name, refused.problems, once.resolved()));
        assert_eq!(again.resolved(), once.resolved());
        assert_eq!(again.scenario.components, once.scenario.components, "{}", row.name);
        assert_eq!(format!("{:?}", run(&yaml).components), format!("{:?}", run(&once.resolved()).components));
    }
}

#[test]
fn every_kind_can_be_part_of_a_cluster_and_is_where_that_is_if_it_is_anywhere() {
    let mut anywhere = 0;
    for row in KINDS {
        let yaml = format!(
            "version: 1\nrun: {{duration: 1s}}\nregions: {{eu: {{}}}}\nworkloads: {{w: {{region: eu, arrivals: {{constant: 10/s}}, call: one/x}}}}\nclusters: {{one: {{from: cell, region: eu}}}}\ntemplates:\n  cell:\n   components:\n    x:\n  {}    db: {{kind: database, connections: 5, operations: {{default: 5ms}}}}\n",
            indented(row.example).replace('\n', "\n  ").trim_end_matches(' ')
        );
        let loaded =
            load(&yaml, None).unwrap_or_else(|refused| panic!("{}: {:#?}\n{yaml}", row.name, refused.problems));
        let entry = loaded.scenario.components.get("one/x").expect("it was stamped out");
        let region = entry.settings.region().map(|region| region.as_str());
        assert_eq!(region, row.has_setting("region").then_some("eu"), "{}", row.name);
        anywhere += u32::from(region.is_some());
    }
    assert!(anywhere > 0 && (anywhere as usize) < KINDS.len(), "{anywhere}");
}

mod load_balancer {
    use super::*;

    fn balanced(balancer: &str, rate: &str, faults: &str) -> RunResult {
        run(&format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: {rate}}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, {balancer}}}
  a: {{kind: database, operations: {{default: 3ms}}}}
  b: {{kind: database, operations: {{default: 3ms}}}}
  c: {{kind: database, operations: {{default: 3ms}}}}
faults: [{faults}]
"
        ))
    }

    fn arrivals(result: &RunResult) -> [u64; 3] {
        ["a", "b", "c"].map(|name| result.components[name].arrivals)
    }

    #[test]
    fn round_robin_gives_everybody_the_same() {
        let result = balanced("to: [a, b, c]", "300/s", "");
        let found = arrivals(&result);
        assert!(found.iter().max().expect("three") - found.iter().min().expect("three") <= 1, "{found:?}");
        let link = &result.links["lb"]["to"];
        assert_eq!((link.attempts, link.calls), (result.components["lb"].arrivals, link.attempts));
        assert_eq!(link.to, ["a", "b", "c"]);
    }

    #[test]
    fn weights_are_followed_to_the_call() {
        let targets = "to: [{to: a, weight: 5}, b, c], algorithm: weighted_round_robin";
        let found = arrivals(&balanced(targets, "700/s", ""));
        assert!(found[0].abs_diff(5_000) <= 5 && found[1].abs_diff(1_000) <= 1 && found[2].abs_diff(1_000) <= 1);
    }

    #[test]
    fn a_replica_that_is_down_is_passed_over() {
        for algorithm in ["round_robin", "random", "least_connections", "power_of_two"] {
            let blind = format!("to: [a, b, c], algorithm: {algorithm}");
            let balancer = format!("{blind}, health_check: instant");
            let result = balanced(&balancer, "500/s", "{at: 2s, for: 3s, kill: {component: b}}");
            let w = &result.workloads["w"];
            // Only the calls in progress at the replica are lost: at 500/s for 3 ms, hardly two.
            assert!(w.outcomes["ok"] >= w.sent - 4, "{algorithm}: {:?}", w.outcomes);
            // Without a health check, a third of the calls still go to the dead replica, or more if it looks idle.
            let result = balanced(&blind, "500/s", "{at: 2s, for: 3s, kill: {component: b}}");
            let failed = result.workloads["w"].outcomes["unavailable"];
            assert!(failed >= 400, "{algorithm}: {failed}");
        }
        let result = balanced("to: b", "500/s", "{at: 2s, for: 3s, kill: {component: b}}");
        let unavailable = result.links["lb"]["to"].outcomes["unavailable"];
        assert!(unavailable.abs_diff(1_500) <= 2, "{unavailable}");
    }

    #[test]
    fn giving_up_is_passed_on_where_the_link_says_so() {
        let with = |propagate: &str| {
            run(&format!(
                "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: {{to: lb, timeout: 20ms, propagate: [cancel]}}}}}}
components:
  lb: {{kind: load_balancer, to: {{to: app{propagate}}}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, handlers: {{default: [{{wait: 60ms}}]}}}}
"
            ))
        };
        let (deaf, told) = (with(""), with(", propagate: [cancel]"));
        assert!(deaf.components["app"].outcomes["ok"] > 900);
        assert!(told.components["app"].outcomes["cancelled"] > 900);
        assert!((told.components["app"].in_flight - 2.0).abs() < 0.1 && deaf.components["app"].in_flight > 5.9);
    }

    #[test]
    fn without_keep_alive_each_call_opens_a_connection() {
        let with = |network: &str| {
            run(&format!(
                "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: {{to: lb, timeout: 100ms, propagate: [cancel]}}}}}}
components:
  lb: {{kind: load_balancer, to: {{to: app, network: {{{network}}}, propagate: [cancel]}}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, handlers: {{default: [{{wait: 1ms}}]}}}}
"
            ))
        };
        let latency = |network: &str| with(network).workloads["w"].latency.max_s.expect("measured");
        assert!((latency("rtt: 10ms") - 0.011).abs() < 1e-9);
        assert!((latency("rtt: 10ms, keep_alive: false") - 0.021).abs() < 1e-9);
        // A caller that gives up while the connection is being opened never reaches the application.
        let slow = with("rtt: 150ms, keep_alive: false");
        assert_eq!((slow.components["app"].arrivals, slow.workloads["w"].outcomes["timeout"]), (0, 989));
        assert!(slow.components["lb"].outcomes["cancelled"] > 980);
    }

    /// If a packet needs n tries, it arrives after n - 1 retransmission timeouts: 200 ms, 600 ms, … later. The share of calls
    /// without any lost packet is 0.81; over 20,000 calls its standard deviation is 0.3 %, and a deviation of five occurs once in
    /// a million runs.
    #[test]
    fn lost_packets_are_sent_again_with_and_without_keep_alive() {
        for keep_alive in [true, false] {
            let result = run(&format!(
                "version: 1
run: {{duration: 20s}}
workloads:
  w: {{arrivals: {{constant: 1000/s}}, call: {{to: a, network: {{rtt: 2ms, loss: 10%, keep_alive: {keep_alive}}}}}}}
components: {{a: {{kind: external, latency: 1ms}}}}
"
            ));
            let w = &result.workloads["w"];
            let opening = if keep_alive { 0.0 } else { 0.002 };
            assert!((w.latency.p50_s.expect("measured") / (0.003 + opening) - 1.0).abs() < 0.004, "{:?}", w.latency);
            // Late by one retransmission, 0.2 s: a tenth of the calls each way, and a hundredth of those twice.
            assert!((w.latency.p90_s.expect("measured") - 0.203 - opening).abs() < 0.002, "{:?}", w.latency);
            assert!(w.outcomes.get("reset").is_none() && w.in_flight_end < 300, "{w:?}");
        }
    }

    #[test]
    fn fewest_calls_agrees_with_the_peer_benchmark() {
        // Ten servers of four workers behind one balancer, with timeouts and retries; the expected figures come from six
        // independent programs over 10⁷ requests. With 200,000 requests, the mean is known to about 0.5 %.
        let result = run("version: 1
run: {duration: 60s, warmup: 5s}
workloads:
  w:
    arrivals: {poisson: 3400/s}
    call: {to: lb, timeout: 50ms, retry: {max_attempts: 4, backoff: {exponential: {base: 20ms, max: 1s}}}}
components:
  lb: {kind: load_balancer, to: web, algorithm: least_connections}
  web:
    kind: service
    replicas: 10
    runtime: {thread_pool: {threads: 4}}
    admission: {queue: {max: 100}}
    handlers: {default: [{wait: {exp: 10ms}}]}
");
        let w = &result.workloads["w"];
        let (mean, p99) = (w.latency.mean_s.expect("measured") * 1e3, w.latency.p99_s.expect("measured") * 1e3);
        let link = &result.links["w"]["call"];
        let timed_out = link.outcomes["timeout"] as f64 / link.attempts as f64;
        assert!((mean - 10.75).abs() < 0.3 && (p99 - 47.1).abs() < 1.5, "{mean} {p99}");
        assert!((timed_out - 0.0074).abs() < 0.0008, "{timed_out}");
    }

    #[test]
    fn two_choices_agree_with_the_mean_field() {
        // Poisson arrivals at 90 % of a hundred exponential servers: Σ 0.9^(2^i − 2) = 2.61 service times for
        // infinitely many servers; a hundred servers are within 4 % of that, and 180,000 requests within 3 %.
        let result = run("version: 1
run: {duration: 20s, warmup: 2s}
workloads: {w: {arrivals: {poisson: 9000/s}, call: lb}}
components:
  lb: {kind: load_balancer, to: web, algorithm: power_of_two}
  web: {kind: service, replicas: 100, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: {exp: 10ms}}]}}
");
        let expected: f64 = (1..12).map(|i| libm::pow(0.9, libm::pow(2.0, i as f64) - 2.0)).sum();
        let found = result.workloads["w"].latency.mean_s.expect("measured") / 0.010;
        assert!((found / expected - 1.0).abs() < 0.07, "{found} against {expected}");
    }

    #[test]
    fn what_has_no_effect_or_is_not_there_yet_is_refused_by_name() {
        let of = |balancer: &str| {
            refused(&format!(
                "version: 1\nrun: {{duration: 1s}}\nworkloads: {{w: {{arrivals: {{constant: 1/s}}, call: lb}}}}\ncomponents:\n  lb: {{kind: load_balancer, {balancer}}}\n  a: {{kind: database, operations: {{default: 1ms}}}}\n"
            ))
        };
        let says = |balancer: &str, words: &str| {
            let messages = of(balancer);
            assert!(messages.iter().any(|m| m.contains(words)), "{messages:?}");
        };
        says("to: [{to: a, weight: 2}]", "ignores weights");
        says("to: a, algorithm: {maglev: {table_size: 65536}}", "not a prime number");
        says(
            "to: a, health_check: {interval: 1s, timeout: 1s, failures: 1, successes: 1, op: health}",
            "not supported yet",
        );
        says("to: b", "no component is called `b`");
    }
}

mod external {
    use super::*;

    fn called(external: &str, workload: &str) -> RunResult {
        run(&format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{{workload}}}}}
components: {{x: {{kind: external, {external}}}}}
"
        ))
    }

    #[test]
    fn its_rate_limit_passes_the_rate_and_one_burst() {
        let limit = "latency: 1ms, rate_limit: {token_bucket: {rate: 100/s, burst: 20}}";
        let result = called(limit, "arrivals: {poisson: 300/s}, call: x");
        let ok = result.components["x"].outcomes["ok"];
        assert!((2_000..=2_020).contains(&ok), "{ok}");
    }

    #[test]
    fn its_windows_pass_their_limit_in_each_second() {
        for (limit, passed) in [
            ("fixed_window: {limit: 100, window: 1s}", 2_000..=2_000),
            ("sliding_log: {limit: 100, window: 1s}", 2_000..=2_000),
            // The estimate assumes evenly spread calls in the second before, which they are not.
            ("sliding_counter: {limit: 100, window: 1s}", 1_800..=2_000),
        ] {
            let result =
                called(&format!("latency: 1ms, rate_limit: {{{limit}}}"), "arrivals: {constant: 300/s}, call: x");
            let outcomes = &result.components["x"].outcomes;
            assert!(passed.contains(&outcomes["ok"]), "{limit}: {outcomes:?}");
            assert_eq!(outcomes["ok"] + outcomes["rate_limited"], 6_000, "{limit}");
        }
    }

    #[test]
    fn its_rate_limit_can_change_during_a_run() {
        let result = run("version: 1
run: {duration: 20s}
workloads: {w: {arrivals: {constant: 300/s}, call: x}}
components: {x: {kind: external, latency: 1ms, rate_limit: {token_bucket: {rate: 100/s, burst: 20}}}}
faults: [{at: 10s, set: {components.x.rate_limit.token_bucket.rate: 50/s}}]
");
        let ok = result.components["x"].outcomes["ok"];
        assert!((1_515..=1_522).contains(&ok), "{ok}");
    }

    #[test]
    fn it_makes_nobody_wait() {
        let messages = refused(
            "version: 1
run: {duration: 1s}
workloads: {w: {arrivals: {constant: 1/s}, call: x}}
components: {x: {kind: external, latency: 1ms, rate_limit: {leaky_bucket: {rate: 5/s, queue: 5}, by: key}}}
",
        );
        assert!(messages.iter().any(|m| m.contains("`leaky_bucket` delays calls")), "{messages:?}");
    }

    #[test]
    fn a_caller_comes_again_when_it_was_told_to() {
        let limit = "latency: 5ms, rate_limit: {token_bucket: {rate: 10/s}}";
        let call = "call: {to: x, retry: {max_attempts: 2, when: [rate_limited]}}";
        let result = called(limit, &format!("arrivals: {{once: {{count: 2}}}}, {call}"));
        let w = &result.workloads["w"];
        assert_eq!(w.outcomes["ok"], 2);
        assert!((w.latency.max_s.expect("measured") - 0.105).abs() < 1e-6, "{:?}", w.latency);
        assert_eq!(result.links["w"]["call"].retries, 1);
    }

    #[test]
    fn it_serves_so_many_at_once_and_fails_so_often() {
        let crowd = called("latency: 1s, concurrency: 5", "arrivals: {once: {count: 12}}, call: x");
        let outcomes = &crowd.components["x"].outcomes;
        assert_eq!((outcomes["ok"], outcomes["overload"]), (5, 7));
        // 10,000 calls: a share of 20 % has a standard deviation of 0.4 %; a deviation of five occurs once in two million runs.
        let failing = called("latency: 1ms, errors: 20%", "arrivals: {constant: 500/s}, call: x");
        let outcomes = &failing.components["x"].outcomes;
        let share = outcomes["error"] as f64 / failing.components["x"].arrivals as f64;
        assert!((share - 0.2).abs() < 0.02, "{share}");
    }
}

mod cache {
    use super::*;

    fn cached(cache: &str, workloads: &str, operation: &str, rest: &str) -> RunResult {
        run(&format!(
            "version: 1
seed: 3
run: {{duration: 40s}}
workloads: {{{workloads}}}
components:
  cache: {{kind: cache, to: db, {cache}}}
  db: {{kind: database, operations: {{default: {operation}}}}}
{rest}"
        ))
    }

    #[test]
    fn hits_are_those_of_an_independent_count_on_the_same_keys() {
        let workload = "w: {arrivals: {poisson: 500/s}, requests: [{key: {zipf: {keys: 2000, s: 0.9}}}], call: cache}";
        let result = cached("capacity: 100", workload, "0s", "");
        // The same keys, and a naive cache: a list in order of use.
        let keys = Keys::zipf(2_000, 0.9).expect("a zipf");
        let (mut stream, mut cursor) = (Stream::named(3, "w/key"), 0);
        let (mut held, mut hits) = (Vec::new(), 0u64);
        for _ in 0..result.workloads["w"].sent {
            let key = keys.sample(&mut cursor, &mut stream);
            match held.iter().position(|k| *k == key) {
                Some(at) => {
                    held.remove(at);
                    hits += 1;
                }
                None if held.len() == 100 => drop(held.remove(0)),
                None => {}
            }
            held.push(key);
        }
        let own = &result.components["cache"].own;
        assert_eq!(own["hits"], hits as f64);
        assert_eq!(own["misses"] as u64, result.components["db"].arrivals);
        assert_eq!(own["entries"], 100.0);
        assert_eq!(own["evictions"], own["misses"] - 100.0);
    }

    #[test]
    fn one_key_with_a_ttl_follows_the_renewal_formula() {
        // λT ÷ (1 + λT) = 5/6 for 100/s and 50 ms; 4,000 requests: five standard deviations are about 0.02.
        let workload = "w: {arrivals: {poisson: 100/s}, requests: [{key: {constant: 1}}], call: cache}";
        let plain = cached("capacity: 10, ttl: 50ms", workload, "0s", "").components["cache"].own["hit_ratio"];
        assert!((plain - 5.0 / 6.0).abs() < 0.02, "{plain}");
        let jittered = "capacity: 10, ttl: {time: 50ms, jitter: 100%}";
        // Half as long on average: 2.5/3.5.
        let short = cached(jittered, workload, "0s", "").components["cache"].own["hit_ratio"];
        assert!((short - 2.5 / 3.5).abs() < 0.03, "{short}");
    }

    #[test]
    fn misses_of_one_key_share_a_call_only_where_coalesced() {
        let workload = "w: {arrivals: {once: {count: 100}}, requests: [{key: {constant: 1}}], call: cache}";
        let calls = |cache: &str| {
            let result = cached(cache, workload, "10ms", "");
            assert_eq!(result.workloads["w"].outcomes["ok"], 100);
            result.components["db"].arrivals
        };
        assert_eq!(calls("capacity: 10, coalesce: true"), 1);
        assert_eq!(calls("capacity: 10"), 100);
    }

    #[test]
    fn a_shared_failure_is_everybodys() {
        let workload = "w: {arrivals: {once: {count: 10}}, requests: [{key: {constant: 1}}], call: cache}";
        let fault = "faults: [{at: 0s, errors: {component: db}}]\n";
        let result = cached("capacity: 10, coalesce: true", workload, "10ms", fault);
        assert_eq!(result.workloads["w"].outcomes["error"], 10);
        assert_eq!(result.components["cache"].own["entries"], 0.0);
    }

    #[test]
    fn requests_without_keys_are_warned_of() {
        let yaml = |requests: &str| {
            format!(
                "version: 1\nrun: {{duration: 1s}}\nworkloads: {{w: {{arrivals: {{constant: 1/s}}, {requests}call: cache}}}}\ncomponents:\n  cache: {{kind: cache, to: db, capacity: 5}}\n  db: {{kind: database, operations: {{default: 1ms}}}}\n"
            )
        };
        let warnings = |requests: &str| load(&yaml(requests), None).expect("it can be run").warnings.clone();
        assert!(warnings("").iter().any(|p| p.code == "no_keys"));
        assert!(warnings("requests: [{key: {constant: 1}}], ").is_empty());
    }

    #[test]
    fn a_flush_makes_every_key_a_miss_again() {
        let workload = "w: {arrivals: {constant: 100/s}, requests: [{key: {sequential: {keys: 10}}}], call: cache}";
        let misses = |rest: &str| cached("capacity: 50", workload, "1ms", rest).components["cache"].own["misses"];
        assert_eq!(misses(""), 10.0);
        assert_eq!(misses("faults: [{at: 20s, flush: cache}]\n"), 20.0);
        assert_eq!(misses("faults: [{at: 20s, restart: {component: cache}}]\n"), 20.0);
    }

    #[test]
    fn only_what_remembers_can_be_flushed() {
        let messages = refused(
            "version: 1\nrun: {duration: 1s}\nworkloads: {w: {arrivals: {constant: 1/s}, call: db}}\ncomponents: {db: {kind: database, operations: {default: 1ms}}}\nfaults: [{at: 0s, flush: db}]\n",
        );
        assert!(messages[0].contains("nothing to flush"), "{messages:?}");
    }

    #[test]
    fn a_caller_who_gave_up_writes_nothing_back() {
        let two = |timeout: &str| {
            let one = |name: &str, at: &str| {
                format!(
                    "{name}: {{arrivals: {{once: {{count: 1, at: {at}}}}}, requests: [{{key: {{constant: 1}}}}], call: {{to: cache, timeout: {timeout}}}}}"
                )
            };
            let workloads = format!("{}, {}", one("first", "0s"), one("second", "1s"));
            cached("capacity: 10", &workloads, "10ms", "").components["cache"].own["misses"]
        };
        assert_eq!([two("20ms"), two("5ms")], [1.0, 2.0]);
    }

    #[test]
    fn ttl_and_capacity_can_change_during_a_run() {
        let workload = "w: {arrivals: {constant: 100/s}, requests: [{key: {sequential: {keys: 10}}}], call: cache}";
        let fault = "faults: [{at: 20s, set: {components.cache.capacity: 5}}]\n";
        let own = cached("capacity: 50", workload, "1ms", fault).components["cache"].own.clone();
        // Cycling through ten keys with room for five always requests the key that was just evicted.
        assert_eq!(own["entries"], 5.0);
        assert!(own["misses"] > 2_000.0, "{own:?}");
    }
}

mod scenarios {
    use super::*;

    #[test]
    fn a_stampede_is_what_one_call_for_each_key_prevents() {
        let yaml = language::builtin::text("cache-stampede").expect("it is built in");
        let (naive, coalesced) = (run_variant(yaml, Some("naive")), run_variant(yaml, Some("coalesced")));
        let calls = |result: &RunResult| result.components["db"].arrivals;
        let queue = |result: &RunResult| result.components["db"].queue.as_ref().expect("a queue").depth_max;
        let p999 = |result: &RunResult| result.workloads["readers"].latency.p999_s.expect("measured");
        assert!(calls(&naive) > 5 * calls(&coalesced), "{} {}", calls(&naive), calls(&coalesced));
        assert!(queue(&naive) > 100 && queue(&coalesced) <= 20, "{} {}", queue(&naive), queue(&coalesced));
        assert!(p999(&naive) > 3.0 * p999(&coalesced), "{} {}", p999(&naive), p999(&coalesced));
        // Jitter helps if many keys expire together, not if many callers want one key.
        let jitter = run_variant(yaml, Some("jitter"));
        assert!(queue(&jitter) < queue(&naive) && calls(&jitter) > 2 * calls(&coalesced));
    }
}

/// Two services that want all of a host's two cores share them 3 : 1, and a third that wants little gets all it wants.
#[test]
fn cores_that_are_short_are_shared_by_weight() {
    let service = |cpu: &str| {
        format!(
            "{{kind: service, hosts: h, cpu: {cpu}, runtime: {{thread_pool: {{threads: 8}}}}, handlers: {{default: [{{cpu: 1ms}}]}}}}"
        )
    };
    let result = run(&format!(
        "version: 1
run: {{duration: 20s, warmup: 1s}}
hosts: {{h: {{count: 1, cores: 2}}}}
workloads:
  a: {{arrivals: {{closed: {{users: 8, think: 0s}}}}, call: large}}
  b: {{arrivals: {{closed: {{users: 8, think: 0s}}}}, call: small}}
  c: {{arrivals: {{constant: 20/s}}, call: idle}}
components:
  large: {}
  small: {}
  idle: {}
",
        service("1.5"),
        service("0.5"),
        service("0.5")
    ));
    // 20 ms per second for the third, and 1.98 s per second for the others.
    let served = |name: &str| result.components[name].arrivals as f64 / 20.0;
    assert!((served("large") - 1485.0).abs() < 5.0 && (served("small") - 495.0).abs() < 5.0, "{:?}", result.components);
    assert_eq!(result.workloads["c"].outcomes["ok"], result.workloads["c"].completed);
}
