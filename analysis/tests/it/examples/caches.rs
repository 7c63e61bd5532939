//! Caches: hits, herds, staleness and writes (S1-5, S1-6, S2-17 to S2-22).

use rayon::prelude::*;

use lab::result::RunResult;

use super::{exact, latency, shipped, shipped_with, windows};

fn own(result: &RunResult, component: &str, figure: &str) -> f64 {
    result.components[component].own.value(figure).unwrap_or_else(|| panic!("{component} has no {figure}"))
}

/// Results of a variant for the seeds from 1 to `count`.
fn seeds(name: &str, variant: &str, count: u64) -> Vec<RunResult> {
    (1..=count).into_par_iter().map(|seed| shipped_with(name, Some(variant), &[], Some(seed))).collect()
}

/// 200,000 reads each: a standard error of 0.001, and four seeds. The expected values are those of Che's approximation and of the sum of the
/// most popular (S2-21).
#[test]
fn a_cache_of_five_percent_hits_four_of_five_reads_only_if_it_knows_which() {
    let ratios = |variant: &str| -> Vec<f64> {
        seeds("cache-sizing", variant, 4).iter().map(|result| own(result, "cache", "hit_ratio")).collect()
    };
    for (variant, expected) in [("static", 0.800), ("lru", 0.727), ("fifo", 0.691), ("lru-11-percent", 0.800)] {
        let found = ratios(variant);
        assert!(found.iter().all(|ratio| (ratio - expected).abs() < 0.006), "{variant}: {found:?}, not {expected}");
    }
    for variant in ["clock", "sieve", "s3-fifo", "w-tiny-lfu"] {
        let found = ratios(variant);
        assert!(found.iter().all(|ratio| (0.73..0.80).contains(ratio)), "{variant}: {found:?}");
    }
}

/// 900/s reads, of which the database gets 90; ten times as many while the cache is empty (S2-22). In the first second after the restart a
/// key is there if it has been read before: 900 keys of a thousand are asked for 0.9 times, so most reads miss.
#[test]
fn a_cold_restart_lets_the_whole_load_through() {
    let calls = |result: &RunResult, from: f64, to: f64| {
        let each = windows(result, "components.db.arrivals", from, to);
        each.iter().sum::<f64>() / each.len() as f64
    };
    for result in seeds("cache-cold-restart", "cold", 8) {
        let before = calls(&result, 30.0, 60.0);
        assert!((before - 90.0).abs() < 12.0, "{before}");
        let after = windows(&result, "components.db.arrivals", 60.0, 61.0)[0];
        // 0.9 of a second is up; nothing comes back before it can: at 200/s the database falls behind.
        assert!(after > 6.0 * before, "{after} after {before}");
        assert!(latency(&result, "readers").p999_s > Some(0.5));
    }
    for result in seeds("cache-cold-restart", "warmed", 8) {
        let after = windows(&result, "components.db.arrivals", 61.0, 70.0);
        assert!(after.iter().all(|calls| *calls < 200.0), "{after:?}");
    }
    for result in seeds("cache-cold-restart", "a-fifth", 8) {
        let after = calls(&result, 60.0, 62.0);
        assert!((90.0..320.0).contains(&after), "{after}");
    }
}

/// A late fill leaves a stale value until the next write or expiry; a lease leaves none but for the milliseconds until the delete is heard
/// of (S2-19).
#[test]
fn a_late_fill_after_a_delete_stays_unless_a_lease_was_voided() {
    let share = |variant: &str| -> Vec<(f64, f64)> {
        let of = |result: &RunResult| (own(result, "cache", "stale_share"), own(result, "cache", "stale_age.max"));
        seeds("cache-write-race", variant, 8).iter().map(of).collect()
    };
    // Writes are heard of after at most 9 ms.
    for (variant, longest) in [("lease", 0.009), ("expiry", 0.509)] {
        let found = share(variant);
        assert!(found.iter().all(|(_, age)| *age <= longest + 1e-6), "{variant}: {found:?}");
    }
    let lease = share("lease");
    for (variant, least) in [("delete", 1.1), ("update", 1.1)] {
        let found = share(variant);
        // How late the latest is depends on when its key is written next: beyond the 0.5 s of the expiry in most runs.
        assert!(found.iter().filter(|(_, age)| *age > 0.51).count() >= 4, "{variant}: {found:?}");
        // The milliseconds until a delete is heard of are most of it everywhere; what stays longer comes on top.
        let sum = |all: &[(f64, f64)]| all.iter().map(|(share, _)| share).sum::<f64>();
        assert!(sum(&found) > least * sum(&lease), "{variant}: {found:?} and {lease:?}");
    }
}

#[test]
fn writing_through_takes_as_long_as_both_together() {
    let each = |variant| latency(&shipped("write-through-latency", variant), "writers");
    for (variant, expected) in [("direct", 0.005), ("through-1ms", 0.006), ("through-5ms", 0.010), ("behind", 0.001)] {
        exact(each(variant).mean_s, expected);
        exact(each(variant).max_s, expected);
    }
}

/// w·F/2 if the crash comes half-way between flushes, and at most w·F (S2-18).
#[test]
fn a_write_behind_cache_loses_what_it_has_not_flushed() {
    let lost = |variant| own(&shipped("write-behind-loss", variant), "cache", "lost_writes");
    for (variant, expected) in [("every-10s", 550.0), ("every-1s", 50.0), ("just-before-the-flush", 999.0)] {
        let found = lost(variant);
        assert!((found - expected).abs() <= 1.0 && found <= 1000.0, "{variant}: {found}, not {expected}");
    }
    let through = shipped("write-behind-loss", "through");
    assert!(through.components["cache"].own.get("lost_writes").is_none());
    // Over a crash at any time: w·F/2.
    let mean = (0..20)
        .into_par_iter()
        .map(|nth| {
            let change = format!("faults=[{{at: {}ms, for: 1s, kill: {{component: cache}}}}]", 30_250 + 500 * nth);
            own(&shipped_with("write-behind-loss", Some("every-10s"), &[&change], None), "cache", "lost_writes")
        })
        .sum::<f64>()
        / 20.0;
    assert!((mean - 500.0).abs() <= 2.0, "{mean}");
}

/// n·λ/(1 + λd) from n edges, and λ'/(1 + λ'd) < 1/d from one shield (S1-6).
#[test]
fn an_origin_gets_a_call_at_a_time_from_each_edge() {
    for seed in [1, 2, 3] {
        let rate = |variant| {
            let result = shipped_with("edge-and-origin", Some(variant), &[], Some(seed));
            result.components["origin"].arrivals as f64 / 5.0
        };
        let edges = rate("edges");
        assert!((edges / 4_545.45 - 1.0).abs() < 0.02, "{edges}");
        let shielded = rate("shielded");
        assert!((shielded - 1.0 / (0.01 + 1.0 / 50_000.0)).abs() < 3.0 && shielded < 100.5, "{shielded}");
        let alone = rate("each-alone");
        assert!((alone / 50_000.0 - 1.0).abs() < 0.02, "{alone}");
    }
}

/// 1,000/s of one key … a herd at each expiry, or one call (S2-20).
#[test]
fn a_stampede_is_prevented_in_four_ways() {
    let runs = |variant: &str| seeds("cache-stampede", variant, 4);
    let most = |results: &[RunResult], of: &dyn Fn(&RunResult) -> f64| results.iter().map(of).fold(0.0, f64::max);
    let calls = |result: &RunResult| result.components["db"].arrivals as f64;
    let p999 = |result: &RunResult| latency(result, "readers").p999_s.expect("measured");
    let naive = runs("naive");
    let least = naive.iter().map(calls).fold(f64::INFINITY, f64::min);
    for variant in ["coalesced", "early-expiry", "stale-while-revalidate"] {
        let found = most(&runs(variant), &calls);
        assert!(found < least / 2.0, "{variant}: {found} of {least}");
    }
    // Twenty keys, 60 s, 10 s each and a little more: about 119 calls, and nobody waits.
    let served = runs("stale-while-revalidate");
    assert!(served.iter().all(|result| (100.0..=140.0).contains(&calls(result))));
    assert!(most(&served, &|result| latency(result, "readers").max_s.expect("measured")) < 0.001);
    assert!(most(&runs("early-expiry"), &p999) <= most(&naive, &p999));
}

#[test]
fn a_viral_object_is_served_from_memory() {
    let good =
        |variant: &str| -> Vec<f64> { seeds("viral-object", variant, 4).iter().map(|result| result.goodput).collect() };
    let none = good("no-cache");
    assert!(none.iter().all(|goodput| *goodput < 6_000.0), "{none:?}");
    for variant in ["coalesced", "refreshed-behind"] {
        let found = good(variant);
        assert!(found.iter().all(|goodput| *goodput > 19_500.0), "{variant}: {found:?}");
    }
}
