#![allow(clippy::type_complexity)] // Rows are read as they stand in the tests that they are taken from.

use super::*;

const S: Time = 1_000_000_000;

fn settings(behavior: &str) -> HpaSettings {
    let text = format!("{{metrics: [{{per_replica: in_flight, target: 1}}]{behavior}}}");
    settings::notation::read(&text).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

/// Between 1 and 1,000 replicas, with nothing wished before.
fn hpa(behavior: &str) -> Hpa {
    let mut hpa = Hpa::new(&settings(behavior), (1, 1_000), 0, 1);
    hpa.wished.clear();
    hpa
}

fn plain(sum: u64, target: u64, measured: u32) -> Measured {
    Measured { sum, target, is_share: false, measured, unready: 0, missing: 0 }
}

/// `replica_calculator_test.go` (the tests named in each row): replicas wanted now, thousandths of a core that the replicas use that are measured, those that are
/// not ready, those of which nothing is known, the target in percent of a core each, and how many are wanted then.
#[test]
fn shares_of_the_cpu_are_those_of_the_calculators_own_tests() {
    let rows: [(&str, u32, &[u64], u32, u32, u64, u32); 17] = [
        ("ScaleUp", 3, &[300, 500, 700], 0, 0, 30, 5),
        ("ScaleUpUnreadyLessScale", 3, &[500, 700], 1, 0, 30, 4),
        ("ScaleUpHotCpuLessScale", 3, &[500, 700], 1, 0, 30, 4),
        ("ScaleUpUnreadyNoScale", 3, &[400], 2, 0, 30, 3),
        ("ScaleUpIgnoresFailedPods", 2, &[500, 700], 0, 0, 30, 4),
        ("ScaleDown", 5, &[100, 300, 500, 250, 250], 0, 0, 50, 3),
        ("ScaleDownExcludeUnreadyPods", 5, &[100, 300, 500], 2, 0, 50, 2),
        ("ScaleDownExcludeUnscheduledPods", 5, &[100], 4, 0, 50, 1),
        ("Tolerance", 3, &[1_010, 1_030, 1_020], 0, 0, 100, 3),
        ("SuperfluousMetrics", 4, &[4_000, 9_500, 3_000, 7_000], 0, 0, 100, 24),
        ("MissingMetrics", 4, &[400, 95], 0, 2, 100, 3),
        ("MissingMetricsNoChangeEq", 2, &[1_000], 0, 1, 100, 2),
        ("MissingMetricsNoChangeGt", 2, &[1_900], 0, 1, 100, 2),
        ("MissingMetricsNoChangeLt", 2, &[600], 0, 1, 100, 2),
        ("MissingMetricsUnreadyChange", 3, &[450], 1, 1, 50, 3),
        ("MissingMetricsHotCpuNoChange", 3, &[450], 1, 1, 50, 3),
        ("MissingMetricsUnreadyScaleUp", 3, &[2_000], 1, 1, 50, 4),
    ];
    for (name, current, used, unready, missing, percent, wanted) in rows {
        let measured = used.len() as u32;
        let of = Measured { sum: used.iter().sum(), target: percent * 10, is_share: true, measured, unready, missing };
        assert_eq!(of.replicas(current, 0.1), Some(wanted), "{name}");
    }
}

/// The same file: replicas wanted now, what each was measured to do, those of which nothing is known, the target, and how many are wanted then.
#[test]
fn other_metrics_are_those_of_the_calculators_own_tests() {
    let rows: [(&str, u32, &[u64], u32, u64, u32); 6] = [
        ("ScaleUpCM", 3, &[20_000, 10_000, 30_000], 0, 15_000, 4),
        ("ScaleUpCMUnreadyHotCpuNoLessScale", 3, &[50_000, 10_000, 30_000], 0, 15_000, 6),
        ("ScaleUpCMUnreadyHotCpuScaleWouldScaleDown", 3, &[50_000, 15_000, 30_000], 0, 15_000, 7),
        ("ScaleDownCM", 5, &[12_000; 5], 0, 20_000, 3),
        ("ToleranceCM", 3, &[20_000, 21_000, 21_000], 0, 20_000, 3),
        ("PlainMetricReplicaCalcMissingMetricsNoChangeEq", 5, &[20_000, 19_000, 21_000], 2, 20_000, 5),
    ];
    for (name, current, values, missing, target, wanted) in rows {
        let of = Measured { missing, ..plain(values.iter().sum(), target, values.len() as u32) };
        assert_eq!(of.replicas(current, 0.1), Some(wanted), "{name}");
    }
}

/// Four pods at five times their target, as the documentation's defaults go: twice as many at each look.
#[test]
fn four_pods_at_five_times_their_target_double_and_double_again() {
    for behavior in ["", ", behavior: {}"] {
        let mut hpa = Hpa::new(&settings(behavior), (1, 100), 0, 4);
        let mut look = |at: Time, current: u32| hpa.look(at * S, current, &[plain(20_000, 1_000, current)]);
        assert_eq!([look(0, 4), look(15, 8), look(30, 16), look(45, 20)], [8, 16, 20, 20]);
    }
}

/// `TestScalingWithRules` of `horizontal_test.go`. Events are spread over the last 120 s as there: by how much it scaled, the oldest first.
#[test]
fn bounds_of_a_change_are_those_of_the_controllers_own_tests() {
    let up = |policies: &str| format!(", behavior: {{scale_up: {{policies: [{policies}]}}}}");
    let down = |policies: &str| format!(", behavior: {{scale_down: {{policies: [{policies}]}}}}");
    let rows: [(String, &[i64], &[i64], (u32, u32), u32, u32, u32); 33] = [
        (String::new(), &[], &[], (3, 8), 5, 7, 7),
        (String::new(), &[], &[], (2, 8), 3, 1, 2),
        (String::new(), &[], &[], (1, 10), 20, 1_000, 10),
        (String::new(), &[], &[], (100, 150), 100, 1_000, 150),
        (up("{percent: 1%, every: 60s}"), &[], &[], (1, 2_000), 3, 1_000, 4),
        (down("{replicas: 20, every: 60s}"), &[], &[], (3, 2_000), 1_000, 3, 980),
        (String::new(), &[], &[], (1, 1_000), 10, 50, 20),
        (up("{replicas: 100, every: 60s}, {percent: 100%, every: 60s}"), &[], &[], (1, 1_000), 10, 500, 110),
        (up("{replicas: 2, every: 60s}, {percent: 100%, every: 60s}"), &[], &[], (1, 1_000), 10, 500, 20),
        (up("{replicas: 100, every: 60s}"), &[], &[], (1, 1_000), 10, 50, 50),
        (up("{replicas: 10000, every: 60s}"), &[], &[], (1, 1_000), 10, 50, 50),
        (up("{replicas: 30, every: 60s}"), &[], &[], (1, 1_000), 10, 50, 40),
        (up("{percent: 200%, every: 60s}"), &[], &[], (1, 1_000), 10, 50, 30),
        (down("{replicas: 20, every: 60s}, {percent: 1%, every: 60s}"), &[], &[], (1, 1_000), 100, 2, 80),
        (down("{replicas: 2, every: 60s}, {percent: 1%, every: 60s}"), &[], &[], (1, 1_000), 100, 2, 98),
        (down("{replicas: 100, every: 60s}"), &[], &[], (1, 1_000), 10, 0, 1),
        (down("{percent: 100%, every: 60s}"), &[], &[], (5, 1_000), 10, 2, 5),
        (down("{replicas: 5, every: 60s}"), &[], &[], (1, 1_000), 10, 2, 5),
        (down("{percent: 50%, every: 60s}"), &[], &[], (1, 1_000), 10, 5, 5),
        (up("{replicas: 300, every: 60s}"), &[1, 5, 9], &[], (1, 200), 100, 500, 200),
        (up("{percent: 10000%, every: 60s}"), &[1, 5, 9], &[], (1, 200), 100, 500, 200),
        (up("{replicas: 5, every: 120s}"), &[1, 5, 9], &[], (1, 1_000), 100, 500, 100),
        (up("{replicas: 150, every: 120s}"), &[1, 5, 9], &[], (1, 1_000), 100, 500, 235),
        (up("{percent: 200%, every: 120s}"), &[1, 5, 9], &[], (1, 1_000), 100, 500, 255),
        (up("{percent: 300%, every: 300s}"), &[4], &[2], (1, 1_000), 6, 24, 16),
        (String::new(), &[], &[1, 5, 9], (1, 1_000), 10, 5, 5),
        (down("{replicas: 115, every: 120s}"), &[], &[1, 5, 9], (1, 1_000), 100, 0, 1),
        (down("{percent: 100%, every: 120s}"), &[], &[1, 5, 9], (5, 1_000), 100, 2, 5),
        (down("{replicas: 5, every: 120s}"), &[], &[1, 5, 9], (1, 1_000), 100, 2, 100),
        (down("{percent: 50%, every: 120s}"), &[], &[2, 4, 6], (1, 1_000), 100, 0, 56),
        (down("{percent: 50%, every: 180s}"), &[2], &[4], (1, 1_000), 10, 1, 6),
        (down("{percent: 10%, every: 120s}"), &[], &[10, 10, 10], (1, 1_000), 100, 0, 100),
        (
            up("{replicas: 1000, every: 30s}, {percent: 100%, every: 60s}"),
            &[8, 12, 9, 11],
            &[],
            (1, 1_000),
            100,
            200,
            200,
        ),
    ];
    let now = 1_000 * S;
    // Each in the middle of its part of the last two minutes.
    let spread = |changes: &[i64], sign: i64| -> Vec<(Time, i64)> {
        let part = 120 * S / changes.len().max(1) as u64;
        let at = |nth: usize| now - 120 * S + part * nth as u64 + part / 2;
        changes.iter().enumerate().map(|(nth, change)| (at(nth), sign * change)).collect()
    };
    for (behavior, ups, downs, bounds, current, desired, wanted) in rows {
        let mut hpa = Hpa::new(&settings(&behavior), bounds, 0, current);
        let mut scaled = [spread(ups, 1), spread(downs, -1)].concat();
        scaled.sort_unstable();
        hpa.scaled = scaled.into();
        assert_eq!(hpa.bound(now, current, desired), wanted, "{behavior} from {current} to {desired}");
    }
}

/// `TestNormalizeDesiredReplicasWithBehavior` of `horizontal_test.go`: wishes (minutes ago, and how many), replicas now, desired, held to, and both times in
/// seconds, upwards first.
#[test]
fn what_is_held_back_is_as_in_the_controllers_own_tests() {
    let rows: [(&[(u64, u32)], u32, u32, u32, u32, u32); 10] = [
        (&[], 100, 5, 5, 0, 0),
        (&[(2, 4), (1, 5)], 100, 3, 5, 0, 180),
        (&[(2, 4), (1, 5)], 1, 7, 4, 300, 0),
        (&[(2, 1), (1, 2)], 100, 3, 3, 300, 0),
        (&[(2, 4), (1, 5)], 1, 3, 3, 0, 300),
        (&[(10, 10), (9, 9)], 100, 3, 3, 0, 0),
        (&[(10, 10), (9, 9), (2, 5), (1, 4)], 100, 3, 5, 0, 180),
        (&[(100, 10), (3, 9), (2, 5), (1, 6)], 1, 100, 5, 300, 0),
        (&[(100, 2), (3, 3)], 2, 1, 2, 300, 300),
        (&[(100, 2), (3, 1)], 2, 3, 2, 300, 300),
    ];
    let now = 10_000 * S;
    for (wished, current, desired, held, up, down) in rows {
        let mut hpa =
            hpa(&format!(", behavior: {{scale_up: {{stabilization: {up}s}}, scale_down: {{stabilization: {down}s}}}}"));
        hpa.wished = wished.iter().map(|(minutes, wish)| (now - minutes * 60 * S, *wish)).collect();
        assert_eq!(hpa.stabilize(now, current, desired), held, "{wished:?}: {current} and {desired}");
    }
}

/// The number of replicas at the start is a wish as any other: for five minutes there are no fewer.
#[test]
fn it_goes_down_by_the_largest_wish_of_five_minutes() {
    let mut hpa = Hpa::new(&settings(""), (1, 100), 0, 20);
    let mut look = |at: Time, current: u32, sum: u64| hpa.look(at * S, current, &[plain(sum, 1_000, current)]);
    assert_eq!(look(30, 20, 2_000), 20);
    assert_eq!(look(60, 20, 10_000), 20);
    assert_eq!(look(285, 20, 3_000), 20);
    assert_eq!(look(300, 20, 2_000), 10);
    assert_eq!(look(345, 10, 2_000), 10);
    assert_eq!(look(360, 10, 2_000), 3);
}

#[test]
fn policies_bound_the_change_in_their_time() {
    let mut slow = hpa(", behavior: {scale_up: {policies: [{replicas: 2, every: 60s}]}}");
    let course: Vec<u32> = (0..7)
        .scan(4, |current, nth| {
            *current = slow.look(nth * 15 * S, *current, &[plain(50_000, 1_000, *current)]);
            Some(*current)
        })
        .collect();
    assert_eq!(course, [6, 6, 6, 6, 8, 8, 8]);
    let mut least = hpa(", behavior: {scale_up: {select: min}}");
    assert_eq!(least.look(0, 10, &[plain(50_000, 1_000, 10)]), 14);
    let mut never = hpa(", behavior: {scale_down: {stabilization: 0s, select: disabled}}");
    assert_eq!(never.look(0, 10, &[plain(0, 1_000, 10)]), 10);
}

/// `TestNoScaleDownOneMetricEmpty` and `TestScaleUpOneMetricEmpty`: with one metric unknown, the other may only add replicas.
#[test]
fn an_unknown_metric_takes_no_replicas_away() {
    let unknown = plain(0, 1_000, 0);
    let mut hpa = hpa(", behavior: {scale_down: {stabilization: 0s}}");
    assert_eq!(hpa.look(0, 5, &[plain(1_000, 1_000, 5), unknown]), 5);
    assert_eq!(hpa.look(15 * S, 5, &[plain(8_000, 1_000, 5), unknown]), 8);
    assert_eq!(hpa.look(30 * S, 8, &[unknown]), 8);
}
