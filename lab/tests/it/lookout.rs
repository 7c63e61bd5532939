//! How choosers find out who is well: health checks, ejection, panic and discovery, in scenarios whose result can be worked out.

use lab::metrics;
use lab::result::RunResult;

use crate::kinds::{refused, run};
use crate::queue_scenarios::of;

/// 300 calls a second through a balancer with these settings to three replicas, for a minute.
fn three(seed: u64, balancer: &str, app: &str, faults: &str) -> RunResult {
    run(&format!(
        "version: 1
seed: {seed}
run: {{duration: 60s}}
hosts: {{box: {{count: 3, cores: 1}}}}
workloads: {{w: {{arrivals: {{constant: 300/s}}, call: {{to: lb, timeout: 200ms}}}}}}
components:
  lb: {{kind: load_balancer, {balancer}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 3, hosts: box, handlers: {{default: [{{wait: 1ms}}]}}{app}}}
faults: [{faults}]
"
    ))
}

const PROBES: &str = "to: app, health_check: {interval: 5s, timeout: 1s, failures: 3, successes: 2";

/// What is sent to the dead replica until it is found out: a hundred calls a second.
#[test]
fn a_dead_replica_costs_its_share_until_it_is_found_out() {
    let died = "{at: 10s, kill: {component: app, replica: 1}}";
    let silent = "{at: 10s, host_down: {hosts: box, host: 1}}";
    // Least and most in seconds: 5 · 2 to 5 · 3, and what probes take that nobody answers: one timeout, or one each.
    for (schedule, fault, least, most) in [
        ("fixed", died, 10.0, 15.0),
        ("fixed", silent, 11.0, 16.0),
        ("after_completion", died, 10.0, 15.0),
        ("after_completion", silent, 13.0, 18.0),
    ] {
        let mut detections = Vec::new();
        for seed in 1..=12 {
            let result = three(seed, &format!("{PROBES}, schedule: {schedule}}}"), "", fault);
            let w = &result.workloads["w"];
            let detection = of(&result, "components.lb.health_check.detection.mean");
            assert!((least..=most).contains(&detection), "{schedule} {fault}: {detection}");
            let lost = (w.sent - w.outcomes["ok"]) as f64;
            assert!((lost - 100.0 * detection).abs() <= 2.0, "{schedule} {fault}: {lost} in {detection} s");
            let undetected = of(&result, "components.lb.health_check.undetected");
            assert!((undetected - lost / w.sent as f64).abs() < 2e-4, "{undetected}");
            assert_eq!(of(&result, "components.lb.health_check.unhealthy"), 1.0);
            detections.push(detection);
        }
        // Even over 5 s: the mean of 12 has a standard error of 0.42 s, and four of them fail once in 16,000.
        let mean = detections.iter().sum::<f64>() / detections.len() as f64;
        assert!((mean - (least + most) / 2.0).abs() < 1.7, "{schedule} {fault}: {mean}");
    }
}

#[test]
fn every_instance_finds_out_for_itself_and_in_its_own_time() {
    let balancer = format!("{PROBES}}}, instances: 40");
    let result = three(1, &balancer, "", "{at: 10s, for: 20s, kill: {component: app, replica: 1}}");
    // Forty times that lie evenly over 5 s: their mean has a standard error of 0.23 s, and the latest misses the end by more than 1 s
    // once in 7,000 runs.
    let detection = |part: &str| of(&result, &format!("components.lb.health_check.detection.{part}"));
    assert!((detection("mean") - 12.5).abs() < 1.15 && detection("count") == 40.0, "{}", detection("mean"));
    assert!((14.0..=15.0).contains(&detection("max")), "{}", detection("max"));
    // Two successes: between one and two intervals.
    let recovery = of(&result, "components.lb.health_check.recovery.mean");
    assert!((recovery - 7.5).abs() < 1.2, "{recovery}");
    assert_eq!(of(&result, "components.lb.health_check.unhealthy"), 0.0);
}

#[test]
fn who_stands_still_or_is_cut_off_is_found_out_and_comes_back() {
    let probes = "to: app, health_check: {interval: 1s, timeout: 500ms, failures: 2, successes: 1}";
    for fault in
        ["{at: 10s, for: 10s, pause: {component: app, replica: 1}}", "{at: 10s, for: 10s, partition: [lb, app]}"]
    {
        let result = three(3, probes, "", fault);
        let detection = of(&result, "components.lb.health_check.detection.mean");
        assert!((1.5..=2.5).contains(&detection), "{fault}: {detection}");
        let recovery = of(&result, "components.lb.health_check.recovery.mean");
        assert!((0.0..=1.0).contains(&recovery), "{fault}: {recovery}");
    }
}

#[test]
fn a_pause_shorter_than_the_probes_need_goes_unnoticed() {
    let probes = "to: app, health_check: {interval: 1s, timeout: 500ms, failures: 3, successes: 1}";
    let result = three(3, probes, "", "{at: 10s, for: 1900ms, pause: {component: app, replica: 1}}");
    assert_eq!(metrics::value(&result, "components.lb.health_check.detection.mean").ok(), Some(None));
}

/// Ten balancers that probe five hundred replicas every second for an hour send 18 million probes. What happens is a call a second, and, when a
/// replica dies, one look of each balancer.
#[test]
fn probes_cost_nothing_while_nothing_changes() {
    let with = |check: &str, faults: &str| {
        run(&format!(
            "version: 1
run: {{duration: 1h}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: {{to: lb, timeout: 1s}}}}}}
components:
  lb: {{kind: load_balancer, to: app, instances: 10{check}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 500, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{faults}]
"
        ))
        .run
        .events
    };
    let check = ", health_check: {interval: 1s, timeout: 1s, failures: 3, successes: 2}";
    let fault = "{at: 30m, kill: {component: app, replica: 7}}";
    assert_eq!(with(check, ""), with("", ""));
    let looks = with(check, fault).abs_diff(with("", fault));
    // One look each; and the few calls that went to the dead replica took no time.
    assert!(looks <= 20, "{looks}");
}

#[test]
fn a_link_checks_for_itself() {
    let result = run("version: 1
run: {duration: 60s}
workloads:
  w: {arrivals: {constant: 300/s}, call: {to: app, health_check: {interval: 2s, timeout: 1s, failures: 3, successes: 2}}}
components:
  app: {kind: service, runtime: {thread_pool: {threads: 100}}, replicas: 3, handlers: {default: [{wait: 1ms}]}}
faults: [{at: 10s, kill: {component: app, replica: 1}}]
");
    let detection = of(&result, "links.w.call.health_check.detection.mean");
    assert!((4.0..=6.0).contains(&detection), "{detection}");
    // At random: a third of 300 a second, give or take five standard deviations.
    let (lost, expected) = (result.workloads["w"].outcomes["unavailable"] as f64, 100.0 * detection);
    assert!((lost - expected).abs() < 5.0 * (expected * 2.0 / 3.0).sqrt(), "{lost} against {expected}");
}

#[test]
fn lost_probes_raise_false_alarms() {
    // A packet that is lost is sent again 200, 600 and 1,400 ms after the first time. A probe has failed after 1 s: where a packet is
    // lost three times in a row, or twice each way, which happens to 40.6 % of them. Two in a row come after 8.5 probes on average, and
    // the next success 1.7 later: 17.6 alarms of three times 60 probes, with a deviation of about 3.
    let probes = "to: {to: app, network: {rtt: 2ms, loss: 60%}}, health_check: {interval: 1s, timeout: 1s, failures: 2, successes: 1}";
    let result = three(1, probes, "", "");
    let alarms = of(&result, "components.lb.health_check.false_alarms");
    assert!((5.0..35.0).contains(&alarms), "{alarms}");
    assert_eq!(metrics::value(&result, "components.lb.health_check.detection.mean").ok(), Some(None));
}

/// Ten replicas behind a balancer with these settings, ten minutes at 100 calls a second.
fn ten(balancer: &str, faults: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 600s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: app, {balancer}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 10, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{faults}]
"
    ))
}

#[test]
fn five_errors_in_a_row_are_the_price_of_each_ejection() {
    let fault = "{at: 50s, errors: {component: app, replica: 4}}";
    let result = ten("outlier_ejection: envoy", fault);
    let ejections = of(&result, "components.lb.outlier_ejection.ejections");
    // 30, 60, … 150 s, each up to the next sweep, and half a second for five more errors: the sixth begins between 540 and 551 s.
    assert_eq!(ejections, 6.0);
    assert_eq!(result.workloads["w"].outcomes["error"], 30);
    assert_eq!(of(&result, "components.lb.outlier_ejection.ejected"), 1.0);
    // Without it, a tenth of all fail.
    let blind = ten("algorithm: round_robin", fault);
    assert_eq!(blind.workloads["w"].outcomes["error"], 5_500);
}

#[test]
fn of_ten_equally_bad_ones_a_tenth_is_ejected_and_the_rest_stay() {
    let result =
        ten("outlier_ejection: {envoy: {consecutive_errors: 3}}", "{at: 50s, errors: {component: app, replicas: 5}}");
    assert_eq!(of(&result, "components.lb.outlier_ejection.ejected"), 1.0);
    assert!(of(&result, "components.lb.outlier_ejection.refused") > 100.0);
    let all = ten("outlier_ejection: {max_ejected: 100%}", "{at: 50s, errors: {component: app, replicas: 5}}");
    assert!(all.workloads["w"].outcomes["error"] < 300, "{:?}", all.workloads["w"].outcomes);
}

#[test]
fn a_balancers_own_timeout_counts_and_what_is_slow_behind_it_does_not() {
    let slow = "{at: 50s, slow: {component: app, replica: 4, add: 300ms}}";
    let own = run(&format!(
        "version: 1
run: {{duration: 200s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: {{to: app, timeout: 200ms}}, outlier_ejection: envoy}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 10, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{slow}]
"
    ));
    assert!(of(&own, "links.lb.to.outlier_ejection.ejections") >= 2.0);
    let callers = run(&format!(
        "version: 1
run: {{duration: 200s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: {{to: lb, timeout: 200ms}}}}}}
components:
  lb: {{kind: load_balancer, to: app, outlier_ejection: envoy}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 10, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{slow}]
"
    ));
    assert_eq!(of(&callers, "components.lb.outlier_ejection.ejections"), 0.0);
}

#[test]
fn who_panics_calls_the_dead_too() {
    let probes = "to: app, health_check: {interval: 1s, timeout: 500ms, failures: 1, successes: 1}";
    let dead = "{at: 10s, kill: {component: app, replicas: 2}}";
    let calm = three(1, probes, "", dead);
    let panicking = three(1, &format!("{probes}, panic_threshold: 50%"), "", dead);
    // One of three is below half: two thirds of the calls go on failing for 49 s.
    assert!(calm.workloads["w"].outcomes["unavailable"] < 300);
    let lost = panicking.workloads["w"].outcomes["unavailable"] as f64;
    assert!((lost - 200.0 * 50.0).abs() < 200.0, "{lost}");
    let share = of(&panicking, "components.lb.panic.share");
    assert!((share - 49.0 / 60.0).abs() < 0.03, "{share}");
}

#[test]
fn a_late_registry_lets_calls_go_to_who_has_left() {
    // The replica dies and its successor is there a second later; the registry has word of both then.
    let app = ", replace_after: 1s";
    let dead = "{at: 10s, kill: {component: app, replica: 1}}";
    for (discovery, delay) in [("instant", 0.0), ("{delay: 2s}", 2.0)] {
        let result = three(1, &format!("to: app, discovery: {discovery}"), app, dead);
        let lost = result.workloads["w"].outcomes["unavailable"] as f64;
        assert!((lost - 100.0 * (1.0 + delay)).abs() <= 2.0, "{discovery}: {lost}");
    }
}

#[test]
fn a_balancer_that_was_dead_has_forgotten_what_it_knew() {
    let probes = "to: app, health_check: {interval: 1s, timeout: 500ms, failures: 2, successes: 2}";
    let faults = "{at: 10s, kill: {component: app, replica: 1}}, {at: 30s, for: 1s, kill: {component: lb}}";
    let result = three(5, probes, "", faults);
    let w = &result.workloads["w"];
    // 1 to 2 s once and again, and the balancer's own second.
    let lost = w.outcomes["unavailable"] as f64 - 300.0;
    assert!((200.0..=402.0).contains(&lost), "{lost}");
    assert_eq!(of(&result, "components.lb.health_check.unhealthy"), 1.0);
}

#[test]
fn with_a_subset_an_instance_calls_so_many_and_no_others() {
    let names: Vec<String> = (0..10).map(|nth| format!("x{nth}")).collect();
    let targets: String = names.iter().map(|name| format!("  {name}: {{kind: external, latency: 1ms}}\n")).collect();
    let with = |instances: u32| {
        let result = run(&format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{arrivals: {{constant: 500/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: [{}], subset: 2, instances: {instances}}}
{targets}",
            names.join(", ")
        ));
        names.iter().map(|name| result.components[name.as_str()].arrivals).collect::<Vec<u64>>()
    };
    let one = with(1);
    assert_eq!(one.iter().filter(|arrivals| arrivals.abs_diff(5_000) <= 1).count(), 2, "{one:?}");
    // Five instances call two each and so all ten: each instance gets a fifth of 10,000 calls at random, give or take 200.
    let five = with(5);
    assert!(five.iter().all(|arrivals| arrivals.abs_diff(1_000) < 110), "{five:?}");
}

#[test]
fn beyond_its_connections_a_balancer_refuses() {
    // Ten a second that each stay for half a second: five at once, of which four find room.
    let with = |more: &str| {
        run(&format!(
            "version: 1
run: {{duration: 100s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: {{to: app{more}}}, max_connections: 4}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, handlers: {{default: [{{wait: 450ms}}]}}}}
"
        ))
    };
    for more in ["", ", timeout: 2s"] {
        let result = with(more);
        let refused = of(&result, "components.lb.refused");
        // Four come within 400 ms, the fifth is refused, and by the time of the sixth the first has left: one in five.
        assert!((refused - 200.0).abs() <= 2.0, "{more}: {refused}");
        assert_eq!(result.workloads["w"].outcomes["unavailable"] as f64, refused);
        assert_eq!(of(&result, "components.lb.connections_max"), 4.0);
    }
    // At most five are under way in all.
    let three = run("version: 1
run: {duration: 100s}
workloads: {w: {arrivals: {constant: 10/s}, call: lb}}
components:
  lb: {kind: load_balancer, to: app, max_connections: 5, instances: 3}
  app: {kind: service, runtime: {thread_pool: {threads: 100}}, handlers: {default: [{wait: 450ms}]}}
");
    assert_eq!(of(&three, "components.lb.refused"), 0.0);
}

#[test]
fn who_has_just_come_up_gets_its_share_bit_by_bit() {
    let arrivals = |slow_start: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 60s}}
workloads: {{w: {{arrivals: {{constant: 300/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: [a, b, c], health_check: instant{slow_start}}}
  a: {{kind: external, latency: 1ms}}
  b: {{kind: external, latency: 1ms}}
  c: {{kind: external, latency: 1ms}}
faults: [{{at: 10s, for: 10s, kill: {{component: c}}}}]
"
        ));
        result.components["c"].arrivals as f64
    };
    // A third of 300 a second for 50 s, and while it starts f ÷ (2 + f) of them, where f grows from a tenth to 1 over 20 s: of the first
    // tenth 1/21, then ∫ f/(2 + f) df = 0.9 − 2·ln(3 ÷ 2.1) = 0.1866 over the rest.
    let calm = arrivals("");
    assert!((calm - 5_000.0).abs() < 5.0, "{calm}");
    let spared = arrivals(", slow_start: 20s");
    let expected = 100.0 * 10.0 + 300.0 * 20.0 * (0.1 / 21.0 + 0.1866) + 100.0 * 20.0;
    // At random by turns: about 1,100 calls in 6,000 turns, which is known to 30; five of those.
    assert!((spared - expected).abs() < 150.0, "{spared} against {expected}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let of = |balancer: &str| {
        refused(&format!(
            "version: 1\nrun: {{duration: 1s}}\nworkloads: {{w: {{arrivals: {{constant: 1/s}}, call: lb}}}}\ncomponents:\n  lb: {{kind: load_balancer, to: [a, b], {balancer}}}\n  a: {{kind: database, operations: {{default: 1ms}}}}\n  b: {{kind: database, operations: {{default: 1ms}}}}\n"
        ))
    };
    let says = |balancer: &str, words: &str| {
        let messages = of(balancer);
        assert!(messages.iter().any(|m| m.contains(words)), "{balancer}: {messages:?}");
    };
    says("health_check: envoy", "interval");
    says("health_check: {haproxy: {timeout: 5s}}", "longer than `interval`");
    says("health_check: {interval: 0s, timeout: 1s, failures: 1, successes: 1}", "interval");
    says("health_check: {haproxy: {op: ping}}", "not supported yet");
    says("panic_threshold: 50%", "has no effect");
    says("algorithm: maglev, slow_start: 10s", "no effect");
    says("max_targets: 1", "has 2 targets");
    says("algorithm: {maglev: {by: client}}", "to one target");
    says("outlier_ejection: {max_ejected: 0%}", "nobody is ever ejected");
}

/// Ten clients stay where they were sent first. When one of the three targets dies at half-time, those of it move, and stay when it is back.
#[test]
fn clients_stay_with_their_target_until_it_is_gone() {
    let with = |balancer: &str, faults: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 60s}}
workloads: {{w: {{arrivals: {{closed: {{users: 90, think: 100ms}}}}, call: {{to: lb, timeout: 1s}}}}}}
components:
  lb: {{kind: load_balancer, to: [a, b, c], sticky: client, {balancer}}}
  a: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}}}
  b: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}}}
  c: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{faults}]
"
        ));
        let each = ["a", "b", "c"].map(|name| result.components[name].arrivals);
        (each, of(&result, "components.lb.sticky.moved"), result.workloads["w"].outcomes["ok"])
    };
    // In turn, 30 clients come to each; a client sends 594 requests a minute.
    for algorithm in ["round_robin", "least_connections", "weighted_round_robin"] {
        let (each, moved, _) = with(&format!("algorithm: {algorithm}"), "");
        assert_eq!((each.iter().all(|arrivals| arrivals.abs_diff(30 * 594) <= 30), moved), (true, 0.0), "{each:?}");
    }
    let died = "{at: 30s, for: 10s, kill: {component: b}}";
    let (each, moved, _) = with("algorithm: round_robin, health_check: instant", died);
    assert_eq!(moved, 30.0);
    // Half of what it would have had; the others take over half of that each.
    for (found, expected) in each.iter().zip([22_275, 8_910, 22_275]) {
        assert!(found.abs_diff(expected) < 60, "{each:?}");
    }
}

#[test]
fn what_sticks_already_need_not_be_told_to() {
    let says = |balancer: &str, word: &str| {
        let problems = refused(&format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: lb}}}}
components:
  lb: {{kind: load_balancer, to: app, {balancer}}}
  app: {{kind: external, latency: 1ms}}
"
        ));
        assert!(problems.iter().any(|problem| problem.contains(word)), "{problems:?}");
    };
    says("algorithm: {ring_hash: {by: key}}, sticky: client", "no effect");
    says("sticky: client, instances: 3", "several `instances`");
}
