//! Happenings that a run reports: the parties, the instants, and the counts per window.

use std::sync::Arc;

use lab::result::{Happenings, RunResult};
use lab::{Loaded, Session};

use crate::harness::{bytes, load, run_loaded};

fn run(yaml: &str) -> RunResult {
    let loaded = load(yaml);
    run_loaded(&loaded, loaded.scenario.seed)
}

/// Instant, replica and other party of all happenings kept for a kind and a place.
fn all<'a>(result: &'a RunResult, place: &str, name: &str) -> Vec<(f64, Option<u32>, Option<&'a str>)> {
    let found = result.happenings.iter().find(|of| of.place == place && of.name == name);
    let kept = found.into_iter().flat_map(|of| of.first.iter().chain(&of.last));
    kept.map(|at| (at.at_s, at.replica, at.about.as_deref())).collect()
}

/// Places, kinds and counts of all happenings, in order.
fn kinds(result: &RunResult) -> Vec<(&str, &str, u64)> {
    result.happenings.iter().map(|of| (of.place.as_str(), of.name.as_str(), of.count)).collect()
}

/// Checks the invariants of all happenings of one kind.
fn adds_up(result: &RunResult, of: &Happenings) {
    let kept: Vec<f64> = of.first.iter().chain(&of.last).map(|at| at.at_s).collect();
    assert!(kept.is_sorted(), "{of:?}");
    assert_eq!(kept.len() as u64, of.count.min(128), "{}", of.name);
    assert_eq!(of.windows.iter().map(|window| window.count).sum::<u64>(), of.count);
    for window in &of.windows {
        assert!(result.series.at_s.contains(&window.at_s), "{window:?} is no window of the series");
        let in_it = kept.iter().filter(|at_s| (window.at_s..window.at_s + result.series.window_s).contains(*at_s));
        assert!(in_it.count() as u64 <= window.count);
        if of.count <= 128 {
            let in_it = kept.iter().filter(|at_s| (window.at_s..window.at_s + result.series.window_s).contains(*at_s));
            assert_eq!(in_it.count() as u64, window.count);
        }
    }
}

/// A pool of three replicas and a pair on hosts, with the given faults.
fn pools(faults: &str) -> String {
    format!(
        "version: 1
run: {{duration: 60s, warmup: 5s, window: 2s}}
regions: {{here: {{}}}}
hosts: {{box: {{count: 2, cores: 1, region: here}}}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: app}}}}
components:
  app:
    kind: service
    replicas: 3
    replace_after: 4s
    start_up: 1s
    runtime: {{thread_pool: {{threads: 4}}}}
    handlers: {{default: [{{wait: 1ms}}, {{call: store}}]}}
    calls: {{store: store}}
  store:
    kind: service
    replicas: 2
    hosts: box
    runtime: {{thread_pool: {{threads: 4}}}}
    handlers: {{default: [{{wait: 1ms}}]}}
faults: [{faults}]
"
    )
}

#[test]
fn what_a_fault_does_is_told_of_each_replica_that_it_does_it_to() {
    let result = run(&pools(
        "{at: -2s, restart: {component: store, replica: 1}},
         {at: 10s, kill: {component: app, replicas: 2}},
         {at: 20s, for: 3s, kill: {component: app, replica: 2}},
         {at: 30s, for: 5s, host_down: {hosts: box, host: 1}},
         {at: 40s, for: 5s, zone_down: here},
         {at: 50s, for: 5s, pause: {component: app, replica: 4}}",
    ));
    let both = |at_s| vec![(at_s, Some(0), None), (at_s, Some(1), None)];
    assert_eq!(all(&result, "app", "replica_killed"), [both(10.0), vec![(20.0, Some(2), None)]].concat());
    // After four seconds and a start-up of one, they are replaced by replicas with new numbers.
    let others = vec![(15.0, Some(3), None), (15.0, Some(4), None)];
    assert_eq!(all(&result, "app", "replica_replaced"), others);
    assert_eq!(all(&result, "app", "replica_started"), [(23.0, Some(2), None)]);
    assert_eq!(all(&result, "app", "replica_paused"), [(50.0, Some(4), None)]);
    assert_eq!(all(&result, "app", "replica_resumed"), [(55.0, Some(4), None)]);
    assert_eq!(all(&result, "store", "replica_restarting"), [(-2.0, Some(1), None)]);
    assert_eq!(all(&result, "store", "replica_started"), [(-2.0, Some(1), None)]);
    assert_eq!(all(&result, "store", "host_down"), [(30.0, Some(1), None)]);
    assert_eq!(all(&result, "store", "host_up"), [(35.0, Some(1), None)]);
    assert_eq!(all(&result, "store", "zone_down"), both(40.0));
    assert_eq!(all(&result, "store", "zone_up"), both(45.0));
    // There are no others: links and workloads report none.
    assert_eq!(
        kinds(&result),
        [
            ("app", "replica_killed", 3),
            ("app", "replica_paused", 1),
            ("app", "replica_replaced", 2),
            ("app", "replica_resumed", 1),
            ("app", "replica_started", 1),
            ("store", "host_down", 1),
            ("store", "host_up", 1),
            ("store", "replica_restarting", 1),
            ("store", "replica_started", 1),
            ("store", "zone_down", 2),
            ("store", "zone_up", 2),
        ]
    );
    result.happenings.iter().for_each(|of| adds_up(&result, of));
    let warmup = &result.happenings[7].windows;
    // A happening exactly at a border belongs to the window that begins there.
    assert_eq!((warmup[0].at_s, warmup[0].count), (-2.0, 1));
}

#[test]
fn only_what_changes_is_told_where_faults_overlap() {
    let result = run(&pools(
        "{at: 10s, for: 10s, kill: {component: store, replica: 1}},
         {at: 12s, for: 20s, host_down: {hosts: box, host: 1}},
         {at: 15s, for: 10s, pause: {component: app, replica: 0}},
         {at: 20s, for: 10s, pause: {component: app, replica: 0}}",
    ));
    assert_eq!(
        kinds(&result),
        [
            ("app", "replica_paused", 1),
            ("app", "replica_resumed", 1),
            ("store", "host_up", 1),
            ("store", "replica_killed", 1)
        ]
    );
    assert_eq!(all(&result, "app", "replica_resumed"), [(30.0, Some(0), None)]);
    assert_eq!(all(&result, "store", "host_up"), [(32.0, Some(1), None)]);
}

const FAILING_OVER: &str = "version: 1
run: {duration: 200s, warmup: 7s, window: 5s}
workloads: {w: {arrivals: {constant: 20/s}, call: dns}}
components:
  dns: {kind: dns, to: [us, eu], policy: failover, ttl: 5s, health_check: {interval: 10s, failures: 3, successes: 2}}
  us: {kind: external, latency: 1ms}
  eu: {kind: external, latency: 1ms}
faults:
  - {at: 30s, for: 70s, kill: {component: us}}
  - {at: 80s, for: 60s, kill: {component: eu}}
";

#[test]
fn a_dns_tells_when_it_believes_its_targets_and_where_it_sends_callers() {
    let result = run(FAILING_OVER);
    let unhealthy = all(&result, "dns", "target_unhealthy");
    let healthy = all(&result, "dns", "target_healthy");
    assert_eq!(unhealthy.iter().map(|(_, _, about)| *about).collect::<Vec<_>>(), [Some("us"), Some("eu")]);
    assert_eq!(healthy.iter().map(|(_, _, about)| *about).collect::<Vec<_>>(), [Some("us"), Some("eu")]);
    let within = |at_s: f64, from_s: f64, until_s: f64| assert!(at_s > from_s && at_s <= until_s, "{at_s}");
    // The third check after the death marks it unhealthy, the second after the return marks it healthy; checks are 10 s apart.
    within(unhealthy[0].0, 50.0, 60.0);
    within(unhealthy[1].0, 100.0, 110.0);
    within(healthy[0].0, 110.0, 120.0);
    within(healthy[1].0, 150.0, 160.0);
    for (down, up) in unhealthy.iter().zip(&healthy) {
        let looks = (up.0 - down.0) / 10.0;
        assert!((looks - looks.round()).abs() < 1e-9, "{looks}");
    }
    // For a while both are unhealthy, and then the first is used again.
    assert_eq!(all(&result, "dns", "no_target_healthy"), [(unhealthy[1].0, None, None)]);
    let over = [(unhealthy[0].0, None, Some("eu")), (unhealthy[1].0, None, Some("us"))];
    assert_eq!(all(&result, "dns", "failed_over"), over);
    result.happenings.iter().for_each(|of| adds_up(&result, of));
    let json = serde_json::to_value(&result).expect("it can be written");
    let first = &json["happenings"][0];
    assert_eq!((first["name"].as_str(), first["place"].as_str()), (Some("failed_over"), Some("dns")));
    assert_eq!(first["first"][0]["about"], "eu");
    let read: RunResult = serde_json::from_value(json.clone()).expect("it can be read");
    assert_eq!(read.happenings, result.happenings);
}

#[test]
fn many_are_counted_and_the_first_and_the_last_are_kept() {
    let yaml = "version: 1
run: {duration: 2000s, window: 10s}
workloads: {w: {arrivals: {constant: 1/s}, call: app}}
components:
  app:
    kind: service
    replicas: 2
    runtime: {thread_pool: {threads: 4}}
    handlers: {default: [{wait: 1ms}]}
    random: {mtbf: {exp: 8s}, mttr: {exp: 2s}}
";
    let result = run(yaml);
    assert_eq!(result.happenings.len(), 2);
    for of in &result.happenings {
        // 2 replicas × 2,000 s ÷ 10 s each: 400 ± 20; a deviation of six occurs in one run in a billion.
        assert!((280..=520).contains(&of.count), "{} ×{}", of.name, of.count);
        assert_eq!((of.first.len(), of.last.len()), (64, 64));
        adds_up(&result, of);
    }
    let at = |name: &str, replica: u32| -> Vec<f64> {
        all(&result, "app", name)
            .iter()
            .take(64)
            .filter(|(_, of, _)| *of == Some(replica))
            .map(|(at_s, ..)| *at_s)
            .collect()
    };
    for replica in [0, 1] {
        let (failed, repaired) = (at("replica_failed", replica), at("replica_repaired", replica));
        assert!(failed.len() > 20);
        assert!(
            failed.iter().zip(&repaired).all(|(failed, repaired)| failed < repaired),
            "each is repaired after it failed"
        );
        assert!(repaired.iter().zip(&failed[1..]).all(|(repaired, failed)| repaired < failed));
    }
}

#[test]
fn a_run_without_happenings_says_nothing_of_them() {
    let result = run(&pools(""));
    assert!(result.happenings.is_empty() && !bytes(&result).contains("happenings"));
}

fn begun(loaded: &Arc<Loaded>) -> Session {
    let mut session = Session::new(loaded.clone(), 1, None);
    session.run_until(20_000_000_000).expect("time passes");
    session
}

#[test]
fn a_copy_that_goes_another_way_tells_another_story() {
    let loaded =
        load(&pools("{at: 10s, for: 5s, kill: {component: app, replica: 0}}, {at: 30s, kill: {component: store}}"));
    let mut session = begun(&loaded);
    let mut other = session.clone();
    other.inject("{for: 5s, kill: {component: app, replica: 1}}").expect("it strikes");
    other.run_to_end().expect("it ends");
    let shown = |session: &Session| -> Vec<(f64, String, String)> {
        let snapshot = session.snapshot();
        assert_eq!(snapshot.happened_left_out, 0);
        snapshot.happened.iter().map(|one| (one.at.at_s, one.place.clone(), one.name.to_string())).collect()
    };
    let line = |at_s: f64, place: &str, name: &str| (at_s, place.to_string(), name.to_string());
    let until_now = [line(10.0, "app", "replica_killed"), line(15.0, "app", "replica_started")];
    assert_eq!(shown(&session), until_now);
    let by_hand = [line(20.0, "app", "replica_killed"), line(25.0, "app", "replica_started")];
    let later = [line(30.0, "store", "replica_killed"), line(30.0, "store", "replica_killed")];
    assert_eq!(shown(&other), [until_now.to_vec(), by_hand.to_vec(), later.to_vec()].concat());
    session.run_to_end().expect("it ends");
    assert_eq!(shown(&session), [until_now.to_vec(), later.to_vec()].concat());
    let mut undisturbed = begun(&loaded);
    undisturbed.run_to_end().expect("it ends");
    assert_eq!(bytes(&undisturbed.result()), bytes(&session.result()));
}

#[test]
fn a_screen_sees_the_first_and_the_last_of_very_many() {
    let kinds = 20;
    let components: String = (0..kinds)
        .map(|n| {
            format!(
                "  c{n}: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}, \
                 random: {{mtbf: {{exp: 2s}}, mttr: {{exp: 1s}}}}}}\n"
            )
        })
        .collect();
    let yaml = format!(
        "version: 1\nrun: {{duration: 600s}}\nworkloads: {{w: {{arrivals: {{constant: 1/s}}, call: c0}}}}\ncomponents:\n{components}"
    );
    let loaded = load(&yaml);
    let mut session = Session::new(loaded, 1, None);
    session.run_to_end().expect("it ends");
    let (snapshot, result) = (session.snapshot(), session.result());
    let mut all: Vec<f64> =
        result.happenings.iter().flat_map(|of| of.first.iter().chain(&of.last)).map(|at| at.at_s).collect();
    all.sort_by(f64::total_cmp);
    let shown: Vec<f64> = snapshot.happened.iter().map(|one| one.at.at_s).collect();
    assert_eq!(shown[..256], all[..256]);
    assert_eq!(shown[256..], all[all.len() - 256..]);
    let count: u64 = result.happenings.iter().map(|of| of.count).sum();
    assert_eq!(snapshot.happened_left_out, count - 512);
    assert!(all.len() > 3 * 512 && count > all.len() as u64);
}
