//! Replicas that come and go on purpose: deployments, scaling, autoscaling, in scenarios whose result can be worked out.

use std::collections::BTreeMap;

use lab::result::RunResult;

use crate::kinds::{refused, run};

/// Constant calls, 1,000 a second, through a balancer that learns three seconds late who comes and goes, to ten pods.
fn deploy(rolling: &str, app: &str, discovery: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 10m}}
workloads: {{w: {{arrivals: {{constant: 1000/s}}, call: {{to: lb, timeout: 1s}}}}}}
components:
  lb: {{kind: load_balancer, to: app{discovery}}}
  app:
    kind: service
    replicas: 10
    runtime: {{thread_pool: {{threads: 100}}}}
    handlers: {{default: [{{wait: 1ms}}]}}
{app}
events: [{{at: 60s, deploy: {{component: app, rolling: {{{rolling}}}}}}}]
"
    ))
}

const LATE: &str = ", discovery: {delay: 3s}";

/// How many happenings of a kind there were.
fn happened(result: &RunResult, name: &str) -> u64 {
    result.happenings.iter().filter(|of| of.name == name).map(|of| of.count).sum()
}

fn refused_calls(result: &RunResult) -> u64 {
    let w = &result.workloads["w"];
    w.outcomes.iter().filter(|(outcome, _)| *outcome != "ok").map(|(_, count)| *count).sum()
}

/// The number of each replica's instant, in order.
fn instants(result: &RunResult, name: &str) -> Vec<f64> {
    let of = result.happenings.iter().filter(|of| of.name == name);
    let mut instants: Vec<f64> = of.flat_map(|of| of.first.iter().chain(&of.last).map(|at| at.at_s)).collect();
    instants.sort_by(f64::total_cmp);
    instants
}

/// How many pods are there, and how many are ready, after each change.
fn course(result: &RunResult, start_up_s: f64) -> Vec<(i64, i64)> {
    let added = instants(result, "replica_added");
    let stopping = instants(result, "replica_stopping");
    let mut changes: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut note = |at_s: f64, all: i64, up: i64| {
        let change = changes.entry((at_s * 1e6).round() as i64).or_default();
        *change = (change.0 + all, change.1 + up);
    };
    for at_s in added {
        note(at_s - start_up_s, 1, 0);
        note(at_s, 0, 1);
    }
    stopping.into_iter().for_each(|at_s| note(at_s, -1, -1));
    let sum = |(total, ready): &mut (i64, i64), (all, up): &(i64, i64)| {
        (*total, *ready) = (*total + all, *ready + up);
        Some((*total, *ready))
    };
    changes.values().scan((10, 10), sum).collect()
}

/// Kubernetes' default of a quarter each way: never fewer than 8 of 10 are ready, and never more than 13 are there.
#[test]
fn of_ten_pods_never_fewer_than_eight_are_ready_or_more_than_thirteen_there() {
    let result = deploy("", "    start_up: 5s", "");
    assert_eq!((happened(&result, "replica_added"), happened(&result, "replica_stopping")), (10, 10));
    assert_eq!((happened(&result, "replica_gone"), happened(&result, "deploy_finished")), (10, 1));
    let course = course(&result, 5.0);
    let (most, least) = (course.iter().map(|at| at.0).max(), course.iter().map(|at| at.1).min());
    assert_eq!((most, least), (Some(13), Some(8)), "{course:?}");
    // Choosers know at once, and every call is shorter than the grace period.
    assert_eq!(refused_calls(&result), 0);
}

/// Each of ten pods is called for three more seconds after it has stopped accepting: at 1,000/s over ten pods 300 calls each.
#[test]
fn a_late_endpoint_costs_what_it_was_sent_meanwhile() {
    let one_more = deploy("max_surge: 1, max_unavailable: 0", "    start_up: 5s", LATE);
    assert!(refused_calls(&one_more).abs_diff(3_000) <= 30, "{}", refused_calls(&one_more));
    // One fewer: after the first there are nine, which get 333 in three seconds.
    let one_fewer = deploy("max_surge: 0, max_unavailable: 1", "    start_up: 5s", LATE);
    assert!(refused_calls(&one_fewer).abs_diff(3_300) <= 40, "{}", refused_calls(&one_fewer));
    // The hook lasts longer than the news.
    for rolling in ["max_surge: 1, max_unavailable: 0", "max_surge: 0, max_unavailable: 1"] {
        let hook = deploy(rolling, "    start_up: 5s\n    shutdown: {pre_stop: 5s}", LATE);
        assert_eq!((refused_calls(&hook), happened(&hook, "deploy_finished")), (0, 1), "{rolling}");
    }
}

#[test]
fn a_process_without_a_handler_resets_what_it_is_doing() {
    let result = run("version: 1
run: {duration: 60s}
workloads: {w: {arrivals: {constant: 10/s}, call: {to: lb, timeout: 5s}}}
components:
  lb: {kind: load_balancer, to: app}
  app: {kind: service, replicas: 2, runtime: {thread_pool: {threads: 100}}, shutdown: {on_term: exit}, handlers: {default: [{wait: 1s}]}}
events: [{at: 30s, scale: {component: app, replicas: 1}}]
");
    // Half of ten calls a second that last a second.
    let w = &result.workloads["w"];
    assert!((4..=6).contains(&w.outcomes["reset"]), "{:?}", w.outcomes);
    assert_eq!(happened(&result, "replica_gone"), 1);
}

#[test]
fn a_scale_down_finishes_what_it_has_and_is_undone_at_its_end() {
    let result = run("version: 1
run: {duration: 90s}
workloads: {w: {arrivals: {constant: 10/s}, call: {to: lb, timeout: 5s}}}
components:
  lb: {kind: load_balancer, to: app}
  app: {kind: service, replicas: 3, runtime: {thread_pool: {threads: 100}}, start_up: 2s, handlers: {default: [{wait: 1s}]}}
events: [{at: 30s, for: 20s, scale: {component: app, replicas: 1}}]
");
    assert_eq!(refused_calls(&result), 0);
    assert_eq!((happened(&result, "replica_gone"), happened(&result, "replica_added")), (2, 2));
    let gone = instants(&result, "replica_gone");
    // Their last calls take a second; they look ten times a second whether all is done.
    assert!(gone.iter().all(|at| (30.6..31.2).contains(at)), "{gone:?}");
    assert_eq!(instants(&result, "replica_added"), [52.0, 52.0]);
}

/// Four pods at five times the rate that they are to have: 8, 16 and 20, a look after the other.
#[test]
fn an_autoscaler_doubles_until_it_is_enough() {
    let result = run("version: 1
run: {duration: 5m}
workloads: {w: {arrivals: {constant: 1000/s}, call: {to: lb, timeout: 1s}}}
components:
  lb: {kind: load_balancer, to: app}
  app:
    kind: service
    replicas: 4
    runtime: {thread_pool: {threads: 100}}
    autoscale: {max: 40, hpa: {metrics: [{per_replica: arrivals, target: 50/s}], metric_delay: 0s}}
    handlers: {default: [{wait: 1ms}]}
");
    let added = instants(&result, "replica_added");
    let count = |at: f64| added.iter().filter(|one| **one == at).count();
    assert_eq!((count(15.0), count(30.0), count(45.0), added.len()), (4, 8, 4, 16), "{added:?}");
    assert_eq!(refused_calls(&result), 0);
}

#[test]
fn an_autoscaler_follows_the_processors_up_and_five_minutes_later_down() {
    let result = run("version: 1
run: {duration: 20m}
workloads: {w: {arrivals: {constant: 100/s}, shape: {spike: {at: 2m, for: 5m, x: 1.6}}, call: {to: lb, timeout: 1s}}}
components:
  lb: {kind: load_balancer, to: app}
  app:
    kind: service
    replicas: 2
    cpu: 1
    runtime: {thread_pool: {threads: 100}}
    autoscale: {min: 2, max: 20, hpa: {metrics: [{cpu: 50%}]}}
    handlers: {default: [{cpu: 10ms}]}
");
    // 100/s × 10 ms is one core: two pods at 50 %. At 160/s they are at 80 %: 2 × 80 ÷ 50 makes four.
    assert_eq!(happened(&result, "replica_added"), 2);
    assert_eq!(happened(&result, "replica_gone"), 2);
    let gone = instants(&result, "replica_gone");
    // The load is gone at 7 m; the last wish for four is at most 45 s later, and counts for 300 s.
    assert!(gone.iter().all(|at| (700.0..800.0).contains(at)), "{gone:?}");
    assert_eq!(refused_calls(&result), 0);
}

/// What there is at the start counts as wanted then: for 300 s there are no fewer, however little there is to do.
#[test]
fn an_autoscaler_keeps_what_there_is_for_five_minutes() {
    let result = run("version: 1
run: {duration: 15m}
workloads: {w: {arrivals: {constant: 20/s}, call: {to: lb, timeout: 1s}}}
components:
  lb: {kind: load_balancer, to: app}
  app:
    kind: service
    replicas: 20
    cpu: 1
    runtime: {thread_pool: {threads: 100}}
    autoscale: {min: 2, max: 20, hpa: {metrics: [{cpu: 50%}]}}
    handlers: {default: [{cpu: 10ms}]}
");
    let gone = instants(&result, "replica_stopping");
    assert_eq!((gone.len(), happened(&result, "scaled")), (18, 1), "{gone:?}");
    assert!(gone.iter().all(|at| *at == 300.0), "{gone:?}");
}

/// A quarter of three pods is none, and no pod may be there besides: one may be missing, or nothing would ever happen.
#[test]
fn an_update_goes_on_where_shares_round_to_nothing() {
    for (app, event) in [("replicas: 3", ""), ("replicas: 4", "{at: 11s, scale: {component: app, replicas: 3}}, ")] {
        let result = run(&format!(
            "version: 1
run: {{duration: 3m}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: lb, timeout: 1s}}}}}}
components:
  lb: {{kind: load_balancer, to: app}}
  app: {{kind: service, {app}, runtime: unlimited, start_up: 10s, handlers: {{default: [{{wait: 1ms}}]}}}}
events: [{event}{{at: 10s, deploy: {{component: app, rolling: {{max_surge: 0, max_unavailable: 25%}}}}}}]
"
        ));
        assert_eq!((happened(&result, "deploy_finished"), happened(&result, "replica_added")), (1, 3), "{app}");
        assert_eq!(refused_calls(&result), 0);
    }
}

/// Slots of replicas that are slow to go are taken: what cannot start then does so when there is room, and only if it is still wanted.
#[test]
fn a_start_that_waits_is_withdrawn_when_it_is_not_wanted() {
    let of = |events: &str| {
        run(&format!(
            "version: 1
run: {{duration: 5m}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: lb, timeout: 60s}}}}}}
components:
  lb: {{kind: load_balancer, to: app}}
  app: {{kind: service, replicas: 3, runtime: unlimited, start_up: 5s, handlers: {{default: [{{wait: 20s}}]}}}}
events: [{events}]
"
        ))
    };
    let scale = |at: u32, replicas: u32| format!("{{at: {at}s, scale: {{component: app, replicas: {replicas}}}}}");
    // Two go for 20 s, and there is no room beside them for two more; these come when the others are gone, and take their time.
    let waits = of(&[scale(60, 1), scale(61, 3)].join(", "));
    let (gone, added) = (instants(&waits, "replica_gone"), instants(&waits, "replica_added"));
    assert_eq!((gone.len(), added.len()), (2, 2), "{gone:?} {added:?}");
    assert!(gone.iter().zip(&added).all(|(gone, added)| *added >= 65.0 && (*added - gone - 5.0).abs() < 25.0));
    assert_eq!((happened(&waits, "replica_replaced"), waits.components["app"].replicas), (0, 3));
    let withdrawn = of(&[scale(60, 1), scale(61, 3), scale(62, 1)].join(", "));
    assert_eq!(withdrawn.components["app"].replicas, 1);
}

#[test]
fn what_cannot_be_is_said() {
    let says = |app: &str, event: &str, word: &str| {
        let problems = refused(&format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: app}}}}
components:
  app: {{kind: service, replicas: 2, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}{app}}}
  db: {{kind: external, latency: 1ms}}
events: [{event}]
"
        ));
        assert!(problems.iter().any(|problem| problem.contains(word)), "{problems:?}");
    };
    says("", "{at: 1s, scale: {component: db, replicas: 2}}", "cannot come and go");
    says("", "{at: 1s, deploy: {component: app, rolling: {max_surge: 0, max_unavailable: 0}}}", "neither");
    says(", autoscale: {max: 5}", "", "nothing says when to scale");
    says(", autoscale: {max: 5, hpa: {metrics: [{per_replica: arrivals}]}}", "", "with its `target`");
    says(", cpu: 1, autoscale: {max: 5, hpa: {metrics: [{cpu: 50%, target: 5}]}}", "", "either `cpu`");
    says(", autoscale: {max: 1, hpa: {metrics: [{per_replica: arrivals, target: 5/s}]}}", "", "not between");
    says(", autoscale: {max: 5, hpa: {metrics: [{cpu: 50%}]}}", "", "what replicas ask for");
    says("", "{at: 1s, deploy: {component: app, canary: {}}}", "not supported yet");
}

/// The crowd comes at 2 m and is gone at 5 m. An autoscaler doubles at most every 15 s, and a replica takes 30 s: too late for most of the crowd; with
/// room for the peak from the start nobody fails, and a short queue fails far fewer.
#[test]
fn a_flash_crowd_is_there_before_the_replicas() {
    let lost = |variant: &str| -> f64 {
        let runs = crate::queue_scenarios::runs("autoscale-flash-crowd", variant);
        let share = |result: &RunResult| {
            let users = &result.workloads["users"];
            1.0 - users.outcomes["ok"] as f64 / users.completed as f64
        };
        runs.iter().map(share).fold(0.0, f64::max)
    };
    let (autoscaled, peak, short) = (lost("autoscaled"), lost("peak-from-the-start"), lost("short-queue"));
    assert!(peak == 0.0 && autoscaled > 0.3 && short < autoscaled / 2.0, "{autoscaled} {peak} {short}");
}

fn reversals(result: &RunResult) -> f64 {
    result.components["app"].own["autoscale.reversals"]
}

fn lost(result: &RunResult) -> f64 {
    let users = &result.workloads["users"];
    1.0 - users.outcomes["ok"] as f64 / users.completed as f64
}

/// The load needs five replicas on average at half of their cores, and nine at the peak.
#[test]
fn a_fleet_that_follows_the_load_costs_less_than_one_for_the_peak() {
    let cost = |result: &RunResult| result.components["app"].own["cost"];
    let autoscaled = crate::queue_scenarios::runs("host-hours-saved", "autoscaled");
    let fixed = crate::queue_scenarios::runs("host-hours-saved", "for-the-peak");
    for (one, other) in autoscaled.iter().zip(&fixed) {
        assert!((cost(other) - 0.9).abs() < 1e-9 && (0.5..0.72).contains(&cost(one)), "{} {}", cost(one), cost(other));
        assert!(lost(one) == 0.0 && lost(other) == 0.0);
        // What was spent in four hours is the price of all calls.
        let calls = one.workloads["users"].outcomes["ok"] as f64;
        let by_calls = one.components["app"].own["cost_per_million"] * calls / 1e6;
        assert!((by_calls / (cost(one) * 4.0) - 1.0).abs() < 1e-3, "{by_calls}");
    }
}

#[test]
fn an_autoscaler_without_patience_flaps() {
    let patient = crate::queue_scenarios::runs("hpa-flapping", "patient");
    assert!(patient.iter().all(|result| reversals(result) == 0.0 && lost(result) < 1e-3));
    let hasty = crate::queue_scenarios::runs("hpa-flapping", "hasty");
    // Fifteen waves fit into the hour.
    assert!(hasty.iter().all(|result| reversals(result) >= 15.0 && lost(result) > 0.3));
}

#[test]
fn an_autoscaler_has_to_be_ahead_by_what_replicas_take_to_start() {
    let of = |variant: &str| {
        let runs = crate::queue_scenarios::runs("scale-too-late", variant);
        runs.iter().map(lost).fold((1.0, 0.0), |(least, most): (f64, f64), one| (least.min(one), most.max(one)))
    };
    let (tight, roomy, quick) = (of("tight"), of("roomy"), of("quick"));
    assert!(roomy.1 < 0.01 && quick.0 > roomy.1 && quick.1 < tight.0 / 2.0, "{tight:?} {roomy:?} {quick:?}");
}

/// A process that stands still for 12 s while it is asked every second: three failures in a row are known after 3 to 4 s (and its timeout), and it is
/// started again; a probe that calls an operation waits for a worker.
#[test]
fn a_process_that_does_not_answer_is_started_again() {
    let of = |probes: &str, fault: &str| {
        run(&format!(
            "version: 1
run: {{duration: 3m}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: lb, timeout: 1s}}}}}}
components:
  lb: {{kind: load_balancer, to: app}}
  app:
    kind: service
    replicas: 2
    start_up: 5s
    runtime: {{thread_pool: {{threads: 1}}}}
    probes: {{{probes}}}
    handlers: {{default: [{{wait: 1ms}}], health: [{{wait: 1ms}}], stuck: [{{wait: 60s}}]}}
faults: [{fault}]
"
        ))
    };
    let pause = "{at: 60s, for: 12s, pause: {component: app, replica: 0}}";
    for op in ["", "op: health, "] {
        let alive = format!("liveness: {{{op}period: 1s, timeout: 500ms}}");
        let result = of(&alive, pause);
        assert_eq!((happened(&result, "liveness_failed"), happened(&result, "process_restarted")), (1, 1), "{op}");
        let known = instants(&result, "liveness_failed")[0];
        assert!((62.5..=63.5).contains(&known), "{known}");
    }
    let quiet = of("liveness: {period: 1s, timeout: 500ms}", "{at: 60s, for: 2s, pause: {component: app, replica: 0}}");
    assert_eq!(happened(&quiet, "liveness_failed"), 0);
    // It is not called while it is not ready, and is called again afterwards.
    let ready = of("readiness: {op: health, period: 1s, timeout: 500ms}", pause);
    assert_eq!((happened(&ready, "replica_not_ready"), happened(&ready, "replica_ready_again")), (1, 1));
    let late = 1.0 - ready.workloads["w"].outcomes["ok"] as f64 / ready.workloads["w"].completed as f64;
    // Five calls a second for 2.5 to 3.5 s, of 1,800.
    assert!((0.006..0.011).contains(&late), "{late}");
}

/// New replicas are called once their first probe has succeeded.
#[test]
fn a_new_replica_is_ready_once_a_probe_says_so() {
    let result = run("version: 1
run: {duration: 2m}
workloads: {w: {arrivals: {constant: 10/s}, call: {to: lb, timeout: 1s}}}
components:
  lb: {kind: load_balancer, to: app}
  app:
    kind: service
    replicas: 1
    start_up: 5s
    runtime: {thread_pool: {threads: 1}}
    probes: {startup: {period: 2s, initial_delay: 1s}, readiness: {op: health, period: 3s, successes: 2}}
    handlers: {default: [{wait: 1ms}], health: [{wait: 1ms}]}
events: [{at: 60s, scale: {component: app, replicas: 2}}]
");
    assert_eq!(instants(&result, "replica_added"), [65.0]);
    let app = &result.components["app"].own;
    // Up at 65 s; the startup probe succeeds at 66 s; readiness at 68 s and 71 s: ready from then on, for 49 s of 120.
    assert!((app["replicas_ready"] - (1.0 + 49.0 / 120.0)).abs() < 0.001, "{}", app["replicas_ready"]);
    assert_eq!(refused_calls(&result), 0);
}

/// The crowd is gone after a minute. With a probe that is turned away as requests are, nobody is there for a while, and in some runs replicas are killed
/// for many minutes; other probes kill nobody.
#[test]
fn a_busy_replica_is_killed_by_its_own_probe() {
    let runs = |variant: &str| crate::queue_scenarios::runs("liveness-loop", variant);
    // Share of the windows of the last eleven minutes in which less was answered than was sent.
    let short = |result: &RunResult| {
        let good = &result.series.columns["workloads.users.goodput"];
        let after: Vec<f64> = good.iter().flatten().skip(48).copied().collect();
        after.iter().filter(|rate| **rate < 200.0).count() as f64 / after.len() as f64
    };
    let busy: Vec<(u64, f64)> = runs("answered-like-a-request")
        .iter()
        .map(|result| (happened(result, "liveness_failed"), short(result)))
        .collect();
    assert!(busy.iter().all(|(killed, _)| *killed >= 3), "{busy:?}");
    // For a minute at least there is nobody to call.
    let nobody = |result: &RunResult| result.workloads["users"].outcomes["unavailable"];
    assert!(runs("answered-like-a-request").iter().all(|result| nobody(result) > 60 * 260));
    assert!(busy.iter().any(|(killed, short)| *killed >= 6 && *short > 0.25), "{busy:?}");
    for variant in ["asks-the-process", "patient"] {
        for result in runs(variant) {
            assert!(
                happened(&result, "liveness_failed") == 0 && short(&result) == 0.0,
                "{variant}: {}",
                short(&result)
            );
        }
    }
}
