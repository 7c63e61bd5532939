//! Handmade results for the tests and the gallery: a retry storm that does not end, and a quiet run. The figures are
//! plausible, not simulated; they are fixed, so that every output made from them is reproducible.

use lab::figures::{Own, Reading};
use lab::metrics::Unit;
use lab::result::{
    Breakdown, ComponentResult, FaultWindow, Latency, LinkResult, QueueResult, RunInfo, RunResult, ScenarioInfo,
    Series, Table, Tool, WorkloadResult,
};

/// A latency whose percentiles are multiples of its median.
pub(crate) fn latency(p50_s: f64, count: u64) -> Latency {
    Latency {
        mean_s: Some(p50_s * 1.2),
        p50_s: Some(p50_s),
        p90_s: Some(p50_s * 2.1),
        p95_s: Some(p50_s * 2.7),
        p99_s: Some(p50_s * 4.3),
        p999_s: Some(p50_s * 6.2),
        max_s: Some(p50_s * 9.0),
        count,
    }
}

/// A pool with waiting callers.
fn pool() -> Own {
    let mut own = Own::default();
    own.set("pool.size", Reading::count(80));
    own.insert("pool.active", Unit::Count, Some(71.3));
    own.set("pool.wait", Reading::Times(latency(0.21, 694_400)));
    own.insert("pool.waiting", Unit::Count, Some(410.2));
    own
}

/// A table of counts.
pub(crate) fn outcomes(pairs: &[(&str, u64)]) -> Table<u64> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A repeatable wobble of ±`spread` around 1.
fn wobble(step: usize, salt: u64, spread: f64) -> f64 {
    let mixed = (step as u64 + 1).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(salt).rotate_left(23);
    let unit = (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1_u64 << 24) as f64;
    1.0 + spread * (2.0 * unit - 1.0)
}

fn info(name: &str, source: &str) -> (Tool, ScenarioInfo) {
    (
        Tool { name: "brownout".to_owned(), version: "0.1.0".to_owned() },
        ScenarioInfo {
            name: name.to_owned(),
            description: Some("What retries do to a database that is slow for twenty seconds.".to_owned()),
            source: source.to_owned(),
            hash: "3f2a9c1e77d0b4a1".to_owned(),
            seed: 7,
            variant: None,
            overrides: Vec::new(),
        },
    )
}

/// A column: its path, and a function of the instant and the number of the window.
type Made<'a> = (&'a str, &'a dyn Fn(f64, usize) -> Option<f64>);

fn series(from_s: i64, until_s: i64, columns: &[Made<'_>]) -> Series {
    let at_s: Vec<f64> = (from_s..until_s).map(|second| second as f64).collect();
    let columns = columns
        .iter()
        .map(|(name, value)| {
            ((*name).to_owned(), at_s.iter().enumerate().map(|(step, at_s)| value(*at_s, step)).collect())
        })
        .collect();
    Series { window_s: 1.0, at_s, columns }
}

/// One workload through `api` to `db`; the database is slow from 60 s to 80 s, and the storm outlasts it.
pub(crate) fn storm() -> RunResult {
    let (tool, scenario) = info("Checkout under a slow database", "retry-storm.yaml");
    let backlog = |at_s: f64| if at_s < 60.0 { 2.0 } else { (at_s - 60.0) * 596.0 };
    let series = series(
        -30,
        300,
        &[
            ("workloads.shoppers.sent", &|_, step| Some(1200.0 * wobble(step, 1, 0.03))),
            ("workloads.shoppers.goodput", &|at_s, step| {
                let level = if at_s < 60.0 { 1198.0 } else { 36.0 };
                Some(level * wobble(step, 1, 0.03))
            }),
            ("workloads.shoppers.failed", &|at_s, step| {
                let level = if at_s < 60.0 { 2.0 } else { 1160.0 };
                Some(level * wobble(step, 2, 0.03))
            }),
            ("workloads.shoppers.latency.p50_s", &|at_s, step| {
                Some(if at_s < 60.0 { 0.0082 } else { 2.61 } * wobble(step, 3, 0.05))
            }),
            ("workloads.shoppers.latency.p99_s", &|at_s, step| {
                (!(70.0..74.0).contains(&at_s)).then(|| if at_s < 60.0 { 0.041 } else { 2.95 } * wobble(step, 4, 0.04))
            }),
            ("components.api.queue.depth", &|at_s, step| Some((backlog(at_s) * wobble(step, 5, 0.01)).round())),
            ("components.api.utilization", &|at_s, step| {
                Some((if at_s < 60.0 { 0.41 } else { 1.0 } * wobble(step, 6, 0.04)).min(1.0))
            }),
            ("components.api.amplification", &|at_s, step| {
                Some(if at_s < 60.0 { 1.0 } else { 2.86 * wobble(step, 7, 0.02) })
            }),
            ("components.api.wasted_work", &|at_s, step| {
                Some(if at_s < 60.0 { 0.0 } else { 0.94 * wobble(step, 8, 0.02) })
            }),
            ("components.db.queue.depth", &|at_s, step| {
                Some(if (60.0..80.0).contains(&at_s) { 60.0 } else { 12.0 } * wobble(step, 9, 0.3))
            }),
            ("components.db.utilization", &|at_s, step| {
                Some((if at_s < 60.0 { 0.62 } else { 0.97 } * wobble(step, 10, 0.03)).min(1.0))
            }),
            ("links.shoppers.call.attempts", &|at_s, step| {
                Some(if at_s < 60.0 { 1200.0 } else { 3432.0 } * wobble(step, 11, 0.03))
            }),
            ("links.shoppers.call.retries", &|at_s, step| {
                Some(if at_s < 60.0 { 2.0 } else { 2232.0 } * wobble(step, 11, 0.03))
            }),
            ("links.api.db.attempts", &|at_s, step| {
                Some(if at_s < 60.0 { 1203.0 } else { 2830.0 } * wobble(step, 12, 0.03))
            }),
            ("links.api.db.retries", &|at_s, step| {
                Some(if at_s < 60.0 { 3.0 } else { 910.0 } * wobble(step, 12, 0.03))
            }),
        ],
    );
    let mut result = RunResult {
        format: 1,
        tool,
        scenario,
        run: RunInfo {
            duration_s: 300.0,
            warmup_s: 30.0,
            events: 4_812_345,
            wall_s: 0.61,
            events_per_s: 7_889_090.0,
            finished: true,
        },
        goodput: 268.4,
        series,
        ..RunResult::default()
    };
    result.workloads.insert(
        "shoppers".to_owned(),
        WorkloadResult {
            waits_for_answers: false,
            sent: 360_214,
            completed: 356_802,
            offered: 1200.7,
            goodput: 268.4,
            latency: latency(0.0123, 81_003),
            latency_failed: latency(0.92, 275_799),
            outcomes: outcomes(&[("ok", 81_003), ("timeout", 248_790), ("unavailable", 27_009)]),
            late: 0,
            causes: Vec::new(),
            breakdown: Breakdown::default(),
            own: Own::default(),
            attempts_per_request: Some(2.49),
            in_flight: 3120.4,
            in_flight_end: 3412,
            ..WorkloadResult::default()
        },
    );
    result.components.insert(
        "api".to_owned(),
        ComponentResult {
            kind: "service".to_owned(),
            replicas: 4,
            arrivals: 896_000,
            completed: 752_800,
            utilization: Some(0.887),
            cpu: Some(0.31),
            in_flight: 58_310.0,
            in_flight_end: 143_240,
            queue: Some(QueueResult {
                depth: 57_900.0,
                depth_max: 143_040,
                depth_end: 143_040,
                wait: latency(11.2, 752_800),
                oldest_age_s: Some(61.7),
                bound: None,
            }),
            latency: latency(12.1, 670_000),
            outcomes: outcomes(&[("ok", 670_000), ("unavailable", 82_800)]),
            retry_share: Some(0.598),
            amplification: Some(2.49),
            wasted_work: Some(0.87),
            ..ComponentResult::default()
        },
    );
    let mut database = ComponentResult {
        kind: "database".to_owned(),
        replicas: 1,
        arrivals: 694_400,
        completed: 694_320,
        utilization: Some(0.9),
        cpu: Some(0.72),
        in_flight: 84.1,
        in_flight_end: 80,
        queue: Some(QueueResult {
            depth: 15.8,
            depth_max: 77,
            depth_end: 13,
            wait: latency(0.0041, 694_000),
            oldest_age_s: Some(0.02),
            bound: None,
        }),
        latency: latency(0.031, 694_320),
        outcomes: outcomes(&[("ok", 694_320)]),
        retry_share: Some(0.3),
        amplification: Some(1.43),
        wasted_work: Some(0.22),
        ..ComponentResult::default()
    };
    database.own.insert("checkpoints", Unit::Number, Some(0.0));
    result.components.insert("db".to_owned(), database);
    result.links.entry("shoppers".to_owned()).or_default().insert(
        "call".to_owned(),
        LinkResult {
            to: vec!["api".to_owned()],
            calls: 360_214,
            attempts: 896_000,
            outcomes: outcomes(&[("ok", 81_003), ("timeout", 788_000), ("unavailable", 27_009)]),
            retries: 535_786,
            amplification: Some(2.487),
            ..LinkResult::default()
        },
    );
    result.links.entry("api".to_owned()).or_default().insert(
        "db".to_owned(),
        LinkResult {
            to: vec!["db".to_owned()],
            calls: 540_000,
            attempts: 694_400,
            outcomes: outcomes(&[("ok", 611_000), ("timeout", 83_320)]),
            retries: 154_400,
            retries_refused: 12_004,
            amplification: Some(1.286),
            own: pool(),
            ..LinkResult::default()
        },
    );
    result.faults.push(FaultWindow {
        name: Some("slow-db".to_owned()),
        at_s: 60.0,
        until_s: Some(80.0),
        what: "slow db ×5".to_owned(),
        targets: vec!["db".to_owned()],
        ..FaultWindow::default()
    });
    result.warnings.push("components.api.admission.queue has no max: its queue can grow without bound".to_owned());
    result
}

/// Two workloads through a cache; a fault that ends quickly and leaves no trace.
pub(crate) fn calm() -> RunResult {
    let (tool, scenario) = info("A cache that helps", "@cache-aside");
    let dip = |at_s: f64| if (60.0..84.0).contains(&at_s) { 0.7 } else { 1.0 };
    let series = series(
        0,
        180,
        &[
            ("workloads.readers.sent", &|_, step| Some(2000.0 * wobble(step, 1, 0.02))),
            ("workloads.readers.goodput", &|at_s, step| Some(2000.0 * wobble(step, 1, 0.02) * dip(at_s))),
            ("workloads.readers.failed", &|at_s, _| Some(2000.0 * (1.0 - dip(at_s)))),
            ("workloads.readers.latency.p50_s", &|_, step| Some(0.0011 * wobble(step, 2, 0.05))),
            ("workloads.readers.latency.p99_s", &|at_s, step| Some(0.012 / dip(at_s) * wobble(step, 2, 0.08))),
            ("workloads.writers.sent", &|_, step| Some(40.0 * wobble(step, 3, 0.1))),
            ("workloads.writers.goodput", &|_, step| Some(40.0 * wobble(step, 3, 0.1))),
            ("workloads.writers.failed", &|_, _| Some(0.0)),
            ("workloads.writers.latency.p50_s", &|_, step| Some(0.0051 * wobble(step, 4, 0.05))),
            ("workloads.writers.latency.p99_s", &|_, step| Some(0.021 * wobble(step, 4, 0.08))),
            ("components.store.queue.depth", &|_, step| Some(0.1 * wobble(step, 5, 0.5))),
            ("components.store.utilization", &|_, step| Some(0.31 * wobble(step, 6, 0.05))),
        ],
    );
    let mut result = RunResult {
        format: 1,
        tool,
        scenario,
        run: RunInfo { duration_s: 180.0, finished: true, ..RunInfo::default() },
        goodput: 1960.0,
        series,
        ..RunResult::default()
    };
    for (name, sent, ok, p50_s) in [("readers", 360_000_u64, 345_600_u64, 0.0011), ("writers", 7_200, 7_200, 0.0051)] {
        result.workloads.insert(
            name.to_owned(),
            WorkloadResult {
                waits_for_answers: false,
                sent,
                completed: sent,
                offered: sent as f64 / 180.0,
                goodput: ok as f64 / 180.0,
                latency: latency(p50_s, ok),
                latency_failed: Latency::default(),
                outcomes: outcomes(&[("ok", ok), ("timeout", sent - ok)]),
                late: 0,
                causes: Vec::new(),
                breakdown: Breakdown::default(),
                own: Own::default(),
                attempts_per_request: Some(1.0),
                in_flight: 3.0,
                in_flight_end: 2,
                ..WorkloadResult::default()
            },
        );
    }
    let mut cache = ComponentResult {
        kind: "cache".to_owned(),
        replicas: 1,
        arrivals: 367_200,
        completed: 367_200,
        in_flight: 0.4,
        latency: latency(0.0003, 367_200),
        outcomes: outcomes(&[("ok", 367_200)]),
        ..ComponentResult::default()
    };
    cache.own.insert("hit_ratio", Unit::Fraction, Some(0.913));
    result.components.insert("cache".to_owned(), cache);
    result.components.insert(
        "store".to_owned(),
        ComponentResult {
            kind: "database".to_owned(),
            replicas: 3,
            arrivals: 38_500,
            completed: 38_500,
            utilization: Some(0.31),
            in_flight: 1.2,
            queue: Some(QueueResult {
                depth: 0.1,
                depth_max: 9,
                depth_end: 0,
                wait: latency(0.0001, 38_500),
                oldest_age_s: None,
                bound: None,
            }),
            latency: latency(0.0052, 38_500),
            outcomes: outcomes(&[("ok", 38_500)]),
            retry_share: Some(0.0),
            amplification: Some(1.0),
            wasted_work: Some(0.0),
            ..ComponentResult::default()
        },
    );
    result.faults.push(FaultWindow {
        name: None,
        at_s: 60.0,
        until_s: Some(80.0),
        what: "kill store ×1".to_owned(),
        targets: vec!["store".to_owned()],
        ..FaultWindow::default()
    });
    result
}

/// A large result that must still fit: sixty components with long names in cells, many workloads, many faults.
pub(crate) fn crowded() -> RunResult {
    let mut result = storm();
    let (api, shoppers) = (result.components["api"].clone(), result.workloads["shoppers"].clone());
    let link = result.links["api"]["db"].clone();
    for number in 0..60 {
        let name = format!("region-{number}/recommendation-service-frontend");
        let mut component = api.clone();
        component.own.insert("consumer_lag", Unit::Number, Some(12_345.0));
        component.own.insert("hit_ratio", Unit::Fraction, Some(0.97));
        result.components.insert(name.clone(), component);
        result.links.entry(name).or_default().insert("recommendations-database".to_owned(), link.clone());
    }
    for number in 0..12 {
        result.workloads.insert(format!("shoppers-of-region-{number}"), shoppers.clone());
        result.faults.push(FaultWindow {
            name: None,
            at_s: 20.0 * f64::from(number),
            until_s: (number != 7).then(|| 20.0 * f64::from(number) + 35.0),
            what: format!("partition between region-{number}/api and region-{number}/database"),
            targets: vec!["db".to_owned()],
            ..FaultWindow::default()
        });
    }
    result.scenario.name =
        "A scenario whose name is much longer than any screen is wide, to see what becomes of it".to_owned();
    result.scenario.variant = Some("with-budget-and-adaptive-throttling".to_owned());
    result.scenario.overrides = vec![
        "components.api.calls.db.retry.budget={ratio: {ratio: 10%, min: 0/s}}, and more of the same kind".to_owned(),
    ];
    result
}
