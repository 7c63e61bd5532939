//! DNS: policies, caching resolvers, and the duration of a failover.

use lab::result::RunResult;

use crate::kinds::{refused, run, run_variant};

/// Two targets behind a name, called from a region; `us` is 20 ms away and `eu` 90 ms.
fn named(dns: &str, workload: &str, rest: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 100s, window: 5s}}
regions: {{home: {{rtt: {{us: 20ms, eu: 90ms}}}}, us: {{}}, eu: {{}}}}
workloads: {{w: {{region: home, arrivals: {{{workload}}}, call: dns}}}}
components:
  dns: {{kind: dns, {dns}}}
  us: {{kind: external, latency: 1ms, region: us}}
  eu: {{kind: external, latency: 1ms, region: eu}}
{rest}"
    ))
}

/// The share of failed requests, window by window.
fn failed(result: &RunResult, workload: &str) -> Vec<(f64, f64)> {
    let column = |metric: &str| &result.series.columns[&format!("workloads.{workload}.{metric}")];
    let rows = column("failed").iter().zip(column("goodput"));
    let share = rows.map(|(failed, good)| {
        let (failed, good) = (failed.unwrap_or(0.0), good.unwrap_or(0.0));
        failed / (failed + good).max(1e-9)
    });
    result.series.at_s.iter().copied().zip(share).collect()
}

#[test]
fn the_nearest_target_is_reached_over_the_callers_own_network() {
    let result = named("to: [eu, us], policy: latency", "constant: 10/s", "");
    assert_eq!(result.components["eu"].arrivals, 0);
    let latency = &result.workloads["w"].latency;
    assert!((latency.max_s.expect("measured") - 0.021).abs() < 1e-9, "{latency:?}");
    assert_eq!(result.links["dns"]["to"].attempts, result.workloads["w"].sent);
}

#[test]
fn resolvers_are_spread_by_weight_and_remember() {
    // 3,000 resolvers: a share of 1/4 has a standard deviation of 0.8 %; a deviation of five occurs once in two million runs.
    let dns = "to: [{to: us, weight: 3}, eu], ttl: 1h, resolvers: 3000";
    let result = named(dns, "constant: 500/s", "");
    let share = result.components["eu"].arrivals as f64 / result.workloads["w"].sent as f64;
    assert!((share - 0.25).abs() < 0.04, "{share}");
    assert!(result.components["dns"].own["resolutions"] <= 3_100.0);
    let one = named("to: [us, eu], ttl: 1h, resolvers: 1", "constant: 10/s", "");
    assert!(one.components["us"].arrivals == 0 || one.components["eu"].arrivals <= 1_000);
    assert!(one.components["dns"].own["resolutions"] <= 2.0);
}

#[test]
fn giving_up_goes_on_over_the_callers_own_connection() {
    let with = |propagate: &str| {
        run(&format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 100/s}}, call: {{to: dns, timeout: 20ms{propagate}}}}}}}
components:
  dns: {{kind: dns, to: app}}
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
fn without_a_ttl_every_request_is_resolved_anew() {
    let result = named("to: [us, eu], ttl: 0s", "constant: 10/s", "");
    assert_eq!(result.components["dns"].own["resolutions"], result.workloads["w"].sent as f64);
}

#[test]
fn nobody_is_sent_elsewhere_without_a_health_check() {
    let fault = "faults: [{at: 50s, kill: {component: us}}]\n";
    let blind = named("to: [us, eu], policy: failover, ttl: 1s", "constant: 10/s", fault);
    assert_eq!(blind.components["eu"].arrivals, 0);
    assert!(blind.workloads["w"].outcomes["ok"].abs_diff(500) <= 1);
}

#[test]
fn detection_takes_between_two_and_three_intervals_and_comes_back_likewise() {
    let dns = "to: [us, eu], policy: failover, ttl: 0s, health_check: {interval: 5s, failures: 3, successes: 2}";
    for seed in 1..=10 {
        let fault = format!("seed: {seed}\nfaults: [{{at: 20s, for: 40s, kill: {{component: us}}}}]\n");
        let result = named(dns, "constant: 100/s", &fault);
        let lost = result.workloads["w"].sent - result.workloads["w"].outcomes["ok"];
        assert!((998..=1_502).contains(&lost), "seed {seed}: {lost}");
        // Requests go to the other target from then until two checks after the repair.
        let elsewhere = result.components["eu"].arrivals;
        let (least, most) = (4_000 - 1_502 + 498, 4_000 - 998 + 1_002);
        assert!((least..=most).contains(&elsewhere), "seed {seed}: {elsewhere}");
    }
}

#[test]
fn when_all_are_unhealthy_all_are_healthy() {
    let dns = "to: [us, eu], ttl: 0s, health_check: {interval: 1s, failures: 1}";
    let faults = "faults: [{at: 10s, for: 10s, kill: {component: us}}, {at: 10s, for: 10s, kill: {component: eu}}]\n";
    let result = named(dns, "constant: 100/s", faults);
    assert!(result.components["us"].arrivals > 4_000 && result.components["eu"].arrivals > 4_000);
}

#[test]
fn a_run_of_finite_work_ends_in_spite_of_health_checks() {
    let result = run("version: 1
run: {until: idle}
workloads:
  early: {arrivals: {once: {count: 3, at: 1s}}, call: dns}
  late: {arrivals: {once: {count: 3, at: 500s}}, call: dns}
components:
  dns: {kind: dns, to: [a, b], policy: failover, ttl: 0s, health_check: {interval: 10s}}
  a: {kind: external, latency: 1ms}
  b: {kind: external, latency: 1ms}
faults: [{at: 100s, kill: {component: a}}]
");
    assert!(result.run.finished);
    // Health changes are noticed even while there are no calls.
    assert_eq!(result.workloads["late"].outcomes["ok"], 3);
    assert_eq!((result.components["a"].arrivals, result.components["b"].arrivals), (3, 3));
}

#[test]
fn the_failed_share_falls_in_a_straight_line_over_the_ttl() {
    let yaml = language::builtin::text("dns-failover").expect("it is built in");
    for (variant, ttl) in [("minute", 60.0), ("ten-seconds", 10.0)] {
        let result = run_variant(yaml, Some(variant));
        let shares = failed(&result, "shoppers");
        let dead = |at: &f64| *at >= 60.0;
        // No request succeeds until the third check finds the cluster dead …
        let detected = shares.iter().find(|(at, share)| dead(at) && *share < 1.0).expect("it is detected").0;
        assert!((79.0..=90.0).contains(&detected), "{variant}: {detected}");
        assert!(shares.iter().all(|(at, share)| dead(at) || *share == 0.0));
        // … then one resolver after another asks again. The share of 2,000 resolvers deviates by less than 0.06 from a straight
        // line (more once in a million runs, by the inequality of Dvoretzky, Kiefer and Wolfowitz), the 500 requests of a
        // window by less than 0.11 from that share (five standard deviations), and the instant is known to a second.
        for (at, share) in shares.iter().filter(|(at, _)| *at > detected) {
            let expected = (1.0 - (at + 0.5 - detected) / ttl).max(0.0);
            let tolerance = 0.06 + 0.11 + 1.0 / ttl;
            assert!((share - expected).abs() < tolerance, "{variant} at {at}: {share} against {expected}");
        }
        let end = detected + ttl + 1.0;
        assert!(shares.iter().filter(|(at, _)| *at > end).all(|(_, share)| *share == 0.0), "{variant}");
    }
}

#[test]
fn retries_cannot_outrun_a_resolver() {
    let yaml = language::builtin::text("dns-failover").expect("it is built in");
    let good = |variant: &str| run_variant(yaml, Some(variant)).workloads["shoppers"].goodput;
    let (without, with) = (good("minute"), good("retries"));
    assert!((with / without - 1.0).abs() < 0.02, "{without} {with}");
}

#[test]
fn what_has_no_effect_is_refused_by_name() {
    let of = |dns: &str| {
        refused(&format!(
            "version: 1\nrun: {{duration: 1s}}\nworkloads: {{w: {{arrivals: {{constant: 1/s}}, call: dns}}}}\ncomponents:\n  dns: {{kind: dns, {dns}}}\n  a: {{kind: external, latency: 1ms}}\n"
        ))
    };
    let says = |dns: &str, words: &str| {
        let messages = of(dns);
        assert!(messages.iter().any(|m| m.contains(words)), "{messages:?}");
    };
    says("to: {to: a, timeout: 1s}", "DNS only returns whom to call");
    says("to: [{to: a, weight: 2}], policy: latency", "only with the policy `weighted`");
    says("to: a, policy: {geo: {regions: {default: b}}}", "`b`");
    says("to: a, health_check: {interval: 0s}", "above 0");
}

/// Route 53: 15 checkers, each with a time of its own between two and three intervals; the target is unhealthy once 13 of them say so (two
/// are 13 %, three are 20 %). The 13th of 15 that lie evenly over an interval comes after 13/16 of it on average, with a standard deviation of
/// √(13·3/17)/16 of it: 0.95 s of 10 s. The mean of 20 runs is within five of their errors, 1.06 s, but once in two million cases.
#[test]
fn many_checkers_agree_late_and_nearly_at_the_same_time() {
    let dns = "to: [us, eu], policy: failover, ttl: 0s, health_check: {route53: {interval: 10s}}";
    let mut lost = Vec::new();
    for seed in 1..=20 {
        let fault = format!("seed: {seed}\nfaults: [{{at: 20s, kill: {{component: us}}}}]\n");
        let result = named(dns, "constant: 100/s", &fault);
        lost.push((result.workloads["w"].sent - result.workloads["w"].outcomes["ok"]) as f64 / 100.0);
    }
    let mean = lost.iter().sum::<f64>() / lost.len() as f64;
    assert!((mean - (20.0 + 10.0 * 13.0 / 16.0)).abs() < 1.06, "{mean}: {lost:?}");
    assert!(lost.iter().all(|lost| (20.0..=30.1).contains(lost)), "{lost:?}");
}

#[test]
fn each_region_is_sent_where_it_is_written() {
    let fault = "faults: [{at: 50s, kill: {component: us}}]\n";
    let dns = "to: [us, eu], policy: {geo: {regions: {home: us, default: eu}}}, ttl: 0s, health_check: {interval: 1s, failures: 1}";
    let result = named(dns, "constant: 100/s", fault);
    let arrivals = |name: &str| result.components[name].arrivals;
    let (us, eu, sent) = (arrivals("us"), arrivals("eu"), result.workloads["w"].sent);
    // Up to ten are on their way to the far one at the end.
    assert!(us.abs_diff(5_050) < 100 && (us + eu).abs_diff(sent) <= 10, "{us} and {eu} of {sent}");
    // From elsewhere: the default, or nothing at all.
    let elsewhere =
        named("to: [us, eu], policy: {geo: {regions: {us: us, default: eu}}}, ttl: 0s", "constant: 10/s", "");
    assert_eq!(elsewhere.components["eu"].arrivals, elsewhere.workloads["w"].sent);
    // Without a table: whoever is in the region, and the first of all for others.
    let at_home = named("to: [eu, us], policy: geo, ttl: 0s", "constant: 10/s", "");
    assert_eq!(at_home.components["eu"].arrivals, at_home.workloads["w"].sent);
    let nothing = named("to: [us, eu], policy: {geo: {regions: {us: us, eu: eu}}}, ttl: 60s", "constant: 10/s", "");
    assert_eq!(nothing.workloads["w"].outcomes["unavailable"], nothing.workloads["w"].sent);
}

#[test]
fn several_addresses_are_those_of_healthy_replicas() {
    let with = |check: &str, fault: &str| {
        run(&format!(
            "version: 1
run: {{duration: 100s}}
workloads: {{w: {{arrivals: {{constant: 500/s}}, call: dns}}}}
components:
  dns: {{kind: dns, to: app, policy: multivalue, ttl: 1s, resolvers: 1000{check}}}
  app: {{kind: service, runtime: {{thread_pool: {{threads: 100}}}}, replicas: 5, handlers: {{default: [{{wait: 1ms}}]}}}}
faults: [{fault}]
"
        ))
    };
    // 1,000 resolvers choose anew every second: 100,000 choices, of which a fifth is known to 0.13 %.
    let calm = with("", "");
    assert_eq!(calm.workloads["w"].outcomes["ok"], calm.workloads["w"].sent);
    let dead = "{at: 20s, kill: {component: app, replica: 2}}";
    let blind = with("", dead);
    let share = blind.workloads["w"].outcomes["unavailable"] as f64 / 40_000.0;
    assert!((share - 0.2).abs() < 0.02, "{share}");
    // Found out after two to three seconds, and forgotten within another.
    let checked = with(", health_check: {interval: 1s, failures: 3}", dead);
    let lost = checked.workloads["w"].outcomes["unavailable"] as f64 / 100.0;
    assert!((2.0..4.2).contains(&lost), "{lost}");
    assert_eq!(checked.components["dns"].own["healthy_targets"], 4.0);
}

#[test]
fn who_ignores_the_ttl_stays_with_the_dead() {
    let with = |pin: &str| {
        let dns = format!(
            "to: [us, eu], policy: failover, ttl: 5s, resolvers: 1000, health_check: {{interval: 1s, failures: 1}}{pin}"
        );
        let result = named(&dns, "constant: 1000/s", "faults: [{at: 50s, kill: {component: us}}]\n");
        (result.workloads["w"].sent - result.workloads["w"].outcomes["ok"]) as f64 / 1000.0
    };
    // Up to a second until it is found out, and half of 5 s of each resolver's.
    let nobody = with("");
    assert!((2.0..4.0).contains(&nobody), "{nobody}");
    let everybody = with(", pin: {}");
    assert!((49.5..50.5).contains(&everybody), "{everybody}");
    // A tenth of 1,000 resolvers: a standard deviation of 0.95 %.
    let some = with(", pin: {share: 10%}") - nobody;
    assert!((some - 0.1 * (50.0 - nobody)).abs() < 0.05 * 50.0, "{some}");
    let longer = with(", pin: {time: 20s}");
    assert!((10.0..12.0).contains(&longer), "{longer}");
}
