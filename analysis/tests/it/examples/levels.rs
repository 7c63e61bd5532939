//! Levels of concurrency: threads, processes, containers, hosts, users (S0).

use rayon::prelude::*;

use super::{exact, latency, shipped, shipped_with, windows};

#[test]
fn threads_pay_for_slow_calls() {
    let takes = |variant| latency(&shipped("threads-for-slow-calls", variant), "caller").max_s;
    exact(takes("threads"), 5.08);
    exact(takes("staggered"), 5.06);
    exact(takes("one-after-the-other"), 13.0);
}

#[test]
fn threads_do_not_pay_for_short_calls_unless_in_batches() {
    let takes = |variant| latency(&shipped("threads-for-short-calls", variant), "caller").max_s;
    exact(takes("a-thread-each"), 20.01);
    exact(takes("five-threads"), 2.1);
    exact(takes("one-after-the-other"), 10.0);
}

#[test]
fn twenty_to_twenty_five_threads_are_best() {
    // k threads take ⌈1000/k⌉ · 10 ms + k · 20 ms.
    let takes = |threads: u32| {
        let change = format!("components.app.handlers.default.0.split.per_task={}", 1000_u32.div_ceil(threads));
        let result = shipped_with("threads-for-short-calls", None, &[&change], None);
        latency(&result, "caller").max_s.expect("it ends")
    };
    let mut best = Vec::new();
    for threads in 1..=100_u32 {
        let items = 1000_u32.div_ceil(threads);
        // So many items to a thread may leave the last threads without any.
        let begun = 1000_u32.div_ceil(items);
        exact(takes(threads), f64::from(items) * 0.01 + f64::from(begun) * 0.02);
        if (takes(threads) - 0.9).abs() < 1e-6 {
            best.push(threads);
        }
        assert!(takes(threads) > 0.9 - 1e-6, "{threads} threads");
    }
    assert_eq!(best, [20, 21, 22, 23, 24, 25]);
    exact(takes(10), 1.2);
    exact(takes(50), 1.2);
}

#[test]
fn a_thread_a_call_pays_from_the_length_of_call_on_at_which_it_must() {
    // s + 20 s against 1000 s: they cross at s = 20/999 s = 20.020 ms.
    for length_us in [1_000, 10_000, 20_000, 20_020, 20_021, 20_100, 100_000, 5_000_000] {
        let length = f64::from(length_us) / 1e6;
        let takes = |variant: &str, path: &str| {
            let change = format!("components.app.handlers.default.0.{path}.0.wait={length_us}us");
            latency(&shipped_with("threads-for-short-calls", Some(variant), &[&change], None), "caller").max_s
        };
        let threads = takes("a-thread-each", "split.each");
        let alone = takes("one-after-the-other", "repeat.steps");
        exact(threads, length + 20.0);
        exact(alone, length * 1000.0);
        assert_eq!(threads < alone, length_us > 20_020, "{length_us} µs");
    }
}

#[test]
fn a_crash_takes_what_its_process_was_doing_and_nothing_else() {
    let two = &shipped("one-crash-takes-the-process", "two-processes").workloads["callers"];
    // Two of four requests under way are in the process that crashes.
    assert_eq!((two.outcomes["reset"], two.completed - two.outcomes["ok"]), (2, 2));
    let result = shipped("one-crash-takes-the-process", "one-process");
    let one = &result.workloads["callers"];
    // Four under way; and 40/s for the two seconds until it is back.
    assert_eq!((one.outcomes["reset"], one.outcomes["unavailable"]), (4, 80));
    assert_eq!(one.completed - one.outcomes["ok"], 84);
    // The first request to be served after the crash comes with the end of the start-up, not before and not later.
    assert!(windows(&result, "workloads.callers.goodput", 2.05, 4.05).iter().all(|rate| *rate == 0.0));
    let again = windows(&result, "workloads.callers.goodput", 4.15, 5.95);
    assert!(again.iter().all(|rate| (rate - 40.0).abs() < 1e-9), "{again:?}");
}

#[test]
fn containers_stop_a_crash_of_the_application_but_not_of_the_host() {
    let result = shipped_with("containers-on-one-host", None, &[], None);
    let served = |from, to| windows(&result, "workloads.users.goodput", from, to);
    // Whole windows, so that nothing begun before a change ends in them.
    for (from, to, rate) in [(1.0, 5.0, 400.0), (6.0, 10.0, 300.0), (11.0, 13.0, 400.0), (14.0, 16.0, 0.0)] {
        assert!(served(from, to).iter().all(|found| *found == rate), "from {from} s: {:?}", served(from, to));
    }
    assert!(served(17.0, 20.0).iter().all(|found| *found == 400.0), "{:?}", served(17.0, 20.0));
}

#[test]
fn a_million_users_are_not_a_million_requests_a_second() {
    for (variant, think) in [("ten-seconds", 10.0), ("five-seconds", 5.0), ("three-seconds", 3.0)] {
        // Of about 200,000 requests or more; the standard deviation of their number is at most the square root.
        let deviations: Vec<f64> = (1..=4_u64)
            .into_par_iter()
            .map(|seed| {
                let users = &shipped_with("millions-of-users", Some(variant), &[], Some(seed)).workloads["users"];
                exact(users.latency.max_s, 0.01);
                let expected = 2.0 * 1e6 / (think + 0.01);
                (users.sent as f64 - expected) / expected.sqrt()
            })
            .collect();
        // Five standard deviations are exceeded once in two million times.
        assert!(deviations.iter().all(|d| d.abs() < 5.0), "{variant}: {deviations:.1?}");
    }
}
