//! Connections: each leads to one replica and stays there, and a dead replica shows only when the connection is used.

use lab::result::RunResult;

use crate::kinds::{refused, run};

/// A hundred calls per second from a workload to three replicas that take a millisecond, 20 ms away.
fn three(policies: &str, faults: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: {{to: app, network: {{rtt: 20ms}}{policies}}}}}}}
components:
  app:
    kind: service
    replicas: 3
    runtime: {{thread_pool: {{threads: 10}}}}
    handlers: {{default: [{{wait: 1ms}}]}}
{faults}"
    ))
}

fn outcomes(result: &RunResult) -> Vec<(&str, u64)> {
    let all = &result.links["w"]["call"].outcomes;
    all.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count)).collect()
}

fn busy(result: &RunResult) -> usize {
    result.components["app"].each.iter().filter(|one| one.utilization > Some(0.0)).count()
}

#[test]
fn one_connection_leads_to_one_replica() {
    // A gRPC channel: all calls go to the same replica, however many there are.
    assert_eq!(busy(&three(", pool: grpc", "")), 1);
    // With a connection to each replica, the replicas share the calls, here evenly.
    let result = three(", pool: {size: 1, streams: 100, per: target, choose: round_robin}", "");
    let each: Vec<f64> = result.components["app"].each.iter().filter_map(|one| one.utilization).collect();
    assert!(each.len() == 3 && each.iter().all(|share| (share / each[0] - 1.0).abs() < 0.01), "{each:?}");
    assert_eq!(busy(&three(", pool: {size: 1, streams: 100, per: target}", "")), 3);
}

#[test]
fn calls_that_share_a_connection_need_not_wait_for_each_other() {
    // Each call takes 21 ms, so one connection carries 47 calls per second, or all of them if up to three calls share it.
    let alone = three(", pool: {size: 1}", "");
    assert!((alone.workloads["w"].goodput - 1.0 / 0.021).abs() < 1.0, "{}", alone.workloads["w"].goodput);
    let shared = three(", pool: {size: 1, streams: 3}", "");
    assert!(shared.workloads["w"].goodput > 99.0);
    assert_eq!(shared.links["w"]["call"].own.value("pool.wait.max"), Some(0.0));
}

#[test]
fn a_connection_whose_process_has_died_is_found_closed() {
    // Three connections are open from the start, to any replicas. All replicas die at 5 s, while one or two calls are in
    // progress or in transit, and return at 5.1 s. A call in between opens a connection, which is refused after a round
    // trip; afterwards new connections are opened, and none of the closed ones is used.
    let result = three(", pool: {size: 3}", "faults: [{at: 5s, for: 100ms, kill: {component: app}}]\n");
    let all: std::collections::BTreeMap<&str, u64> = outcomes(&result).into_iter().collect();
    // A call is in transit or served for 11 ms, and the reset takes 10 ms to arrive, during which one more call can be sent.
    assert!((1..=3).contains(&all["reset"]), "{all:?}");
    assert!((8..=10).contains(&all["unavailable"]), "{all:?}");
    let opened = result.links["w"]["call"].own.value("pool_opened").expect("it is there");
    assert!((1.0..=3.0).contains(&opened), "{opened}");
}

#[test]
fn a_connection_whose_host_has_died_looks_as_good_as_any() {
    let faults = |last: &str| {
        format!(
            "hosts: {{box: {{count: 1, cores: 4}}}}\nfaults: [{{at: 5s{last}, host_down: {{hosts: box, host: 0}}}}]\n"
        )
    };
    let on_hosts = |policies: &str, last: &str| {
        run(&format!(
            "version: 1
run: {{duration: 300s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: app, network: {{rtt: 20ms}}{policies}}}}}}}
components:
  app:
    kind: service
    hosts: box
    runtime: {{thread_pool: {{threads: 10}}}}
    handlers: {{default: [{{wait: 1ms}}]}}
{}",
            faults(last)
        ))
    };
    // The first call after the death is sent over the single connection and times out; this closes the connection, and later
    // callers try to open another one in vain: they get `pool_timeout` after 30 s, Hikari's default.
    let result = on_hosts(", timeout: 1s, pool: {size: 1}", "");
    let all: std::collections::BTreeMap<&str, u64> = outcomes(&result).into_iter().collect();
    assert_eq!((all["ok"], all["timeout"]), (49, 1), "{all:?}");
    assert!(all["pool_timeout"] > 2_000 && all.len() == 3, "{all:?}");
    // Without that bound, opening fails after 127 s, one attempt at a time.
    let result = on_hosts(", timeout: 1s, pool: {size: 1, acquire_timeout: 10h}", "");
    let all: std::collections::BTreeMap<&str, u64> = outcomes(&result).into_iter().collect();
    assert_eq!((all["ok"], all["timeout"], all["unavailable"]), (49, 1, 2), "{all:?}");
    // A host that has restarted does not know the connection: calls sent over it are reset, and another one is opened.
    let result = on_hosts(", pool: {size: 5}", ", for: 50ms");
    let all: std::collections::BTreeMap<&str, u64> = outcomes(&result).into_iter().collect();
    // Five connections, and one call that was in transit or open.
    assert!((5..=6).contains(&all["reset"]), "{all:?}");
    assert!(all["ok"] >= 2_990, "{all:?}");
}

#[test]
fn a_caller_that_opens_a_connection_for_each_call_waits_no_longer_than_its_timeout() {
    let without = ", timeout: 500ms, network: {rtt: 20ms, keep_alive: false}";
    let result = run(&format!(
        "version: 1
run: {{duration: 10s}}
hosts: {{box: {{count: 1, cores: 4}}}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: app{without}}}}}}}
components:
  app: {{kind: service, hosts: box, runtime: {{thread_pool: {{threads: 10}}}}, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{{at: 5s, host_down: {{hosts: box, host: 0}}}}]
"
    ));
    let all: std::collections::BTreeMap<&str, u64> = outcomes(&result).into_iter().collect();
    assert!((49..=50).contains(&all["ok"]) && all["timeout"] >= 44 && all.len() == 2, "{all:?}");
    let failed = &result.workloads["w"].latency_failed;
    assert!((failed.max_s.expect("some failed") - 0.5).abs() < 0.002, "{failed:?}");
}

/// Sends two hundred calls per second from a pool, through a balancer, to three replicas that take 10 ms. Returns the
/// utilisation of each replica relative to the mean, and the outcomes of the calls.
fn through(balancer: &str, pool: &str, faults: &str) -> (Vec<f64>, std::collections::BTreeMap<String, u64>) {
    let takes = if pool.contains("max_waiters") { "60ms" } else { "10ms" };
    let result = run(&format!(
        "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 200/s}}, call: {{to: lb, pool: {{{pool}}}, network: {{rtt: 2ms}}}}}}}}
components:
  lb: {{kind: load_balancer, to: app, {balancer}}}
  app:
    kind: service
    replicas: 3
    runtime: {{thread_pool: {{threads: 10}}}}
    handlers: {{default: [{{wait: {takes}}}]}}
{faults}"
    ));
    let each: Vec<f64> = result.components["app"].each.iter().filter_map(|one| one.utilization).collect();
    let mean = each.iter().sum::<f64>() / 3.0;
    let outcomes = &result.links["w"]["call"].outcomes;
    let outcomes =
        outcomes.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.clone(), *count)).collect();
    (each.iter().map(|share| share / mean).collect(), outcomes)
}

#[test]
fn behind_a_balancer_of_connections_calls_follow_theirs() {
    let near = |found: &[f64], expected: [f64; 3]| {
        let mut found = found.to_vec();
        found.sort_by(f64::total_cmp);
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.05), "{found:?}");
    };
    // One connection shared by all calls: balancing by request spreads them, balancing by connection does not.
    let grpc = "size: 1, streams: 100";
    near(&through("per: request", grpc, "").0, [1.0; 3]);
    near(&through("per: connection", grpc, "").0, [0.0, 0.0, 3.0]);
    // Six connections, all in use, for calls that take six times as long: two to each replica, since connections are counted.
    let six = "size: 6, max_waiters: 0";
    near(&through("per: connection, algorithm: least_connections", six, "").0, [1.0; 3]);
}

#[test]
fn a_connection_through_a_balancer_ends_with_the_replica_that_it_leads_to() {
    // One of three replicas dies for two seconds. The calls in progress there are reset, and so are calls sent before the news
    // arrived; then a new connection leads to another replica that is alive.
    let faults = "faults: [{at: 5s, for: 2s, kill: {component: app, replica: 0}}]\n";
    let (_, outcomes) = through("per: connection, health_check: instant", "size: 1, streams: 100", faults);
    assert!((1..=4).contains(&outcomes["reset"]), "{outcomes:?}");
    assert!(outcomes.len() == 2 && outcomes["ok"] >= 1_990, "{outcomes:?}");
}

#[test]
fn what_has_no_effect_on_connections_is_refused() {
    let of = |pool: &str| {
        refused(&format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: {{to: lb, pool: {{{pool}}}}}}}}}
components:
  lb: {{kind: load_balancer, to: {{to: db, pool: {{{pool}}}}}}}
  db: {{kind: database, operations: {{default: 1ms}}}}
"
        ))
    };
    assert!(of("size: 2, choose: random")[0].contains("`choose`"));
    assert!(of("size: 2, jitter: 5%")[0].contains("`jitter`"));
    assert!(of("size: 2, per: component")[0].contains("`per`"));
}

/// A caller of HikariCP takes the first connection that becomes free: one that is returned, or the one being opened.
#[test]
fn a_waiter_takes_whichever_connection_comes_free_first() {
    // Of two connections, the first is closed at 500 ms, when its caller gives up, and the second is returned at 650 ms; a third
    // caller arrives at 510 ms and needs 1 ms.
    let third_caller_ms = |connect: &str, open: &str| {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads:
  first: {{arrivals: {{once: {{count: 1}}}}, requests: [{{op: long}}], call: api}}
  second: {{arrivals: {{once: {{count: 1, at: 200ms}}}}, requests: [{{op: second}}], call: api}}
  third: {{arrivals: {{once: {{count: 1, at: 510ms}}}}, requests: [{{op: short}}], call: api}}
components:
  api:
    kind: service
    runtime: unlimited
    calls: {{db: {{to: db, timeout: 500ms, pool: {{size: 2, connect: {connect}, open: {open}}}}}}}
    handlers: {{default: [call: db]}}
  db: {{kind: database, operations: {{long: 10s, second: 450ms, short: 1ms}}}}
"
        ));
        (result.workloads["third"].latency.max_s.expect("it is answered") * 1e6).round() / 1e3
    };
    assert_eq!((third_caller_ms("1s", "in_background"), third_caller_ms("1s", "on_demand")), (141.0, 1001.0));
    assert_eq!((third_caller_ms("100ms", "in_background"), third_caller_ms("100ms", "on_demand")), (91.0, 101.0));
}

#[test]
fn a_pool_that_opens_connections_by_itself_replaces_what_is_lost() {
    let of = |pool: &str, faults: &str, rate: &str| {
        run(&format!(
            "version: 1
run: {{duration: 60s}}
workloads:
  w: {{arrivals: {{constant: {rate}}}, call: {{to: app, timeout: 500ms, pool: {{{pool}}}, network: {{rtt: 2ms}}}}}}
components:
  app: {{kind: service, runtime: {{thread_pool: {{threads: 10}}}}, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{faults}]
"
        ))
    };
    let opened = |result: &RunResult| result.links["w"]["call"].own.value("pool_opened");
    let waited = |result: &RunResult| result.links["w"]["call"].own.value("pool.wait.max");
    // After a crash of 10 s all five are reopened, one after the other, although one caller per second needs only one.
    let crash = "{at: 20s, for: 10s, kill: {component: app}}";
    let result = of("size: 5, open: in_background", crash, "1/s");
    assert_eq!(opened(&result), Some(5.0));
    // One call is sent before the news arrives; calls that arrive meanwhile wait.
    assert_eq!((result.workloads["w"].outcomes["ok"], result.workloads["w"].outcomes["reset"]), (58, 1));
    // On demand, only one is reopened.
    assert_eq!(opened(&of("size: 5", crash, "1/s")), Some(1.0));
    // In the background, expiring connections are replaced before they are needed, so no caller waits; on demand, a caller has
    // to open them.
    let result = of("size: 5, max_lifetime: 9500ms, open: in_background", "", "1/s");
    assert_eq!((opened(&result), waited(&result)), (Some(30.0), Some(0.0)));
    assert_eq!(result.workloads["w"].latency.max_s, Some(0.003));
    let result = of("size: 5, max_lifetime: 9500ms", "", "1/s");
    assert_eq!(result.workloads["w"].latency.max_s, Some(0.005));
}

/// A run until idle does not continue just because connections are being opened, and ends even if the peer never returns.
#[test]
fn no_run_goes_on_for_connections_alone() {
    for (pool, faults, ended, at_s) in [
        ("hikari", "", "ok", 0.1),
        ("{hikari: {max_lifetime: 1s}}", "", "ok", 0.1),
        ("{size: 2, connect: 1h, open: in_background}", "{at: 50ms, for: 1s, kill: {component: db}}", "reset", 0.1),
        ("{size: 2, open: in_background}", "{at: 50ms, kill: {component: db}}", "reset", 0.1),
    ] {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 1}}}}, call: {{to: db, pool: {pool}}}}}}}
components: {{db: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 100ms}}]}}}}}}
faults: [{faults}]
"
        ));
        assert_eq!(
            (result.run.duration_s, result.workloads["w"].outcomes.get(ended)),
            (at_s, Some(&1)),
            "{pool}{faults}"
        );
    }
}
