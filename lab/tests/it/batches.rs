//! Batches on links: what fills them, what they weigh, and who fails with a bad item; all counted by hand.

use lab::result::RunResult;

use crate::kinds::{refused, run};

/// Calls at one instant, of one size, in batches to something that takes 10 ms.
fn at_once(count: u32, size: &str, batch: &str, seed: u64) -> RunResult {
    run(&format!(
        "version: 1
seed: {seed}
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: {count}}}}}, requests: [{{size: {size}}}], call: {{to: db, batch: {batch}}}}}}}
components: {{db: {{kind: database, connections: 100000, operations: {{default: 10ms}}}}}}
"
    ))
}

fn own(result: &RunResult, figure: &str) -> f64 {
    result.links["w"]["call"].own.value(figure).unwrap_or_else(|| panic!("{figure} is reported"))
}

fn longest_ms(result: &RunResult) -> f64 {
    (result.workloads["w"].latency.max_s.unwrap_or(0.0) * 1e6).round() / 1e3
}

fn count(result: &RunResult, outcome: &str) -> u64 {
    result.workloads["w"].outcomes.get(outcome).copied().unwrap_or(0)
}

/// Items of b bytes, M of them at most and B bytes at most: ⌊B/b⌋ to a batch, but at least one and at most M.
#[test]
fn a_batch_takes_what_both_limits_allow() {
    for bytes in [50u64, 100, 299, 300, 350, 999, 1000, 1001, 5000] {
        for count in [1u64, 7, 10, 23] {
            let each = (bytes / 100).clamp(1, 10);
            let result = at_once(count as u32, "100B", &format!("{{max: 10, wait: 40ms, max_bytes: {bytes}B}}"), 1);
            let calls = count.div_ceil(each);
            assert_eq!(result.components["db"].arrivals, calls, "{count} calls in {bytes} B");
            assert_eq!(own(&result, "batches"), calls as f64);
            let mean = count as f64 * 100.0 / calls as f64;
            assert!((own(&result, "batch_bytes") - mean).abs() < 1e-9, "{count} calls in {bytes} B");
            // The last one waits unless it is full: of items, or of bytes.
            let is_full = count % each == 0 && (each == 10 || each * 100 >= bytes);
            assert_eq!(longest_ms(&result), if is_full { 10.0 } else { 50.0 }, "{count} calls in {bytes} B");
        }
    }
}

/// 300 B and 400 B wait; 400 B more do not fit in 1,000 B: they send the first two off and wait with 600 B more, which is full.
#[test]
fn an_item_that_does_not_fit_sends_the_batch_off() {
    let at = |ms: u32, size: u32| {
        format!("  w{ms}: {{arrivals: {{once: {{count: 1, at: {ms}ms}}}}, requests: [{{size: {size}B}}], call: api}}\n")
    };
    let workloads: String = [(1, 300), (2, 400), (3, 400), (4, 600), (5, 2000)].map(|(ms, size)| at(ms, size)).concat();
    let result = run(&format!(
        "version: 1
run: {{until: idle}}
workloads:
{workloads}components:
  api:
    kind: service
    runtime: unlimited
    calls: {{db: {{to: db, batch: {{max: 100, wait: 1s, max_bytes: 1000B}}}}}}
    handlers: {{default: [call: db]}}
  db: {{kind: database, operations: {{default: 10ms}}}}
"
    ));
    let latency = |ms: u32| (result.workloads[&format!("w{ms}")].latency.max_s.unwrap_or(0.0) * 1e6).round() / 1e3;
    // Sent at 3 ms, at 4 ms, and at once.
    assert_eq!([1, 2, 3, 4, 5].map(latency), [12.0, 11.0, 11.0, 10.0, 10.0]);
    assert_eq!(result.components["db"].arrivals, 3);
    let bytes = result.links["api"]["db"].own.value("batch_bytes").expect("reported");
    assert!((bytes - 3700.0 / 3.0).abs() < 1e-9);
}

/// Who gives up takes the bytes along, as leader of the batch and as a member of it.
#[test]
fn who_leaves_a_batch_takes_the_bytes_along() {
    for (first, second) in [("timeout: 5ms", "timeout: 1s"), ("timeout: 1s", "timeout: 4ms")] {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads:
  first: {{arrivals: {{once: {{count: 1, at: 1ms}}}}, requests: [{{size: 300B}}], call: {{to: api, {first}, propagate: [cancel]}}}}
  second: {{arrivals: {{once: {{count: 1, at: 2ms}}}}, requests: [{{size: 300B}}], call: {{to: api, {second}, propagate: [cancel]}}}}
  third: {{arrivals: {{once: {{count: 1, at: 9ms}}}}, requests: [{{size: 250B}}], call: api}}
components:
  api:
    kind: service
    runtime: unlimited
    calls: {{db: {{to: db, propagate: [cancel], batch: {{max: 100, wait: 20ms, max_bytes: 620B}}}}}}
    handlers: {{default: [call: db]}}
  db: {{kind: database, operations: {{default: 10ms}}}}
"
        ));
        // 550 B fit where 850 B would not have: one call, when the first one's wait is over.
        assert_eq!(result.components["db"].arrivals, 1, "{first}");
        assert_eq!(result.links["api"]["db"].own.value("batch_bytes"), Some(550.0), "{first}");
        let third_ms = result.workloads["third"].latency.max_s.unwrap_or(0.0) * 1e3;
        assert!((third_ms - 22.0).abs() < 1e-6, "{first}: {third_ms}");
    }
}

/// A batch is as large on the wire as its items: 5 × 100 B at 1,000 B/s take half a second.
#[test]
fn a_batch_carries_the_payload_of_all_its_items() {
    let sent = |policies: &str| {
        run(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 5}}}}, requests: [{{size: 100B}}], call: {{to: app, network: {{rtt: 0s, bandwidth: 1KB/s}}, {policies}}}}}}}
components:
  app: {{kind: service, runtime: unlimited, calls: {{db: {{to: db, network: {{rtt: 0s, bandwidth: 1KB/s}}}}}}, handlers: {{default: [call: db]}}}}
  db: {{kind: database, operations: {{default: 10ms}}}}
"
        ))
    };
    // What calls on for the batch calls on with all of it.
    assert_eq!(longest_ms(&sent("batch: {max: 5, wait: 1s}")), 1010.0);
    assert_eq!(longest_ms(&sent("timeout: 10s")), 210.0);
    // A retry is as large again.
    let tried = sent("batch: {max: 5, wait: 1s}, timeout: 1005ms, retry: {max_attempts: 2, when: [timeout]}");
    assert_eq!((tried.components["app"].arrivals, count(&tried, "timeout")), (2, 5));
}

/// A call of b bytes is ⌈b/1460⌉ segments, and each has headers: 25 items of 400 B in one call are 10,000 B in 7 segments of 78 B of
/// headers more, alone each is 478 B.
#[test]
fn segments_have_headers() {
    let sent = |count: u32, size: &str, policies: &str| {
        longest_ms(&run(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: {count}}}}}, requests: [{{size: {size}}}], call: {{to: db, network: {{rtt: 2ms, bandwidth: 1MB/s, headers: 78B}}{policies}}}}}}}
components: {{db: {{kind: database, operations: {{default: 10ms}}}}}}
"
        )))
    };
    assert_eq!(sent(25, "400B", ", batch: {max: 25, wait: 1s}"), 12.0 + (10_000.0 + 7.0 * 78.0) / 1e3);
    assert_eq!(sent(25, "400B", ""), 12.478);
    for (size, segments) in [("0B", 1.0), ("1B", 1.0), ("1460B", 1.0), ("1461B", 2.0), ("2920B", 2.0), ("2921B", 3.0)] {
        let bytes: f64 = size.trim_end_matches('B').parse().expect("a number");
        assert_eq!(sent(1, size, ""), 12.0 + (bytes + segments * 78.0) / 1e3, "{size}");
    }
    let idle = "version: 1
run: {duration: 1s}
workloads: {w: {arrivals: {once: {count: 1}}, call: {to: db, network: {headers: 78B}}}}
components: {db: {kind: database, operations: {default: 10ms}}}
";
    let messages = refused(idle);
    assert!(messages.iter().any(|message| message.contains("without `bandwidth` bytes take no time")), "{messages:?}");
}

/// One bad item in a hundred: alone they are one in a hundred of all; together they spoil 1 − 0.99^25 of the batches of 25.
#[test]
fn a_bad_item_fails_alone_or_with_its_batch() {
    const ITEMS: u32 = 50_000;
    for seed in 1..=8 {
        let alone = at_once(ITEMS, "1B", "{max: 25, wait: 1ms, bad_items: 1%}", seed);
        let failed = count(&alone, "client_error");
        assert_eq!((own(&alone, "bad_items"), count(&alone, "ok")), (failed as f64, u64::from(ITEMS) - failed));
        // 4.5 standard deviations.
        let deviation = (f64::from(ITEMS) * 0.01 * 0.99).sqrt();
        assert!((failed as f64 - 500.0).abs() < 4.5 * deviation, "seed {seed}: {failed}");

        let all = at_once(ITEMS, "1B", "{max: 25, wait: 1ms, bad_items: 1%, on_bad_item: all}", seed);
        // The same items are bad.
        assert_eq!(own(&all, "bad_items"), own(&alone, "bad_items"), "seed {seed}");
        let (batches, spoiled) = (2000.0, count(&all, "client_error") / 25);
        assert_eq!(count(&all, "client_error") % 25, 0, "whole batches fail");
        let share: f64 = 1.0 - 0.99f64.powi(25);
        let deviation = (batches * share * (1.0 - share)).sqrt();
        assert!((spoiled as f64 - batches * share).abs() < 4.5 * deviation, "seed {seed}: {spoiled}");
        // The callee has answered each batch.
        assert_eq!(all.links["w"]["call"].outcomes["ok"], 2000);
    }
}

/// A bad item is not tried again, and what the callee itself refuses is.
#[test]
fn bad_items_are_of_no_interest_where_the_batch_has_failed() {
    let batch = "batch: {max: 4, wait: 1ms, bad_items: 100%}";
    let to = |batch: &str, handler: &str| {
        run(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 8}}}}, call: {{to: app, {batch}, retry: {{max_attempts: 3, when: [error]}}}}}}}}
components: {{app: {{kind: service, runtime: unlimited, handlers: {{default: [{{{handler}}}]}}}}}}
"
        ))
    };
    let refused = to(batch, "wait: 1ms");
    assert_eq!((count(&refused, "client_error"), refused.components["app"].arrivals), (8, 2));
    let failed = to(batch, "fail: {probability: 100%}");
    assert_eq!((count(&failed, "error"), failed.components["app"].arrivals), (8, 6));
    assert_eq!(own(&failed, "bad_items"), 0.0);
}

/// Calls that share an item share what becomes of it, and a fallback answers for each of those that fail.
#[test]
fn who_shares_a_bad_item_fails_with_it() {
    let result = run("version: 1
run: {until: idle}
workloads:
  w:
    arrivals: {once: {count: 400}}
    requests: [{key: {uniform: {keys: 20}}}]
    call: {to: db, coalesce: {by: key}, batch: {max: 20, wait: 1ms, bad_items: 50%}}
components: {db: {kind: database, operations: {default: 10ms}}}
");
    let (items, bad) = (own(&result, "batch_size") * own(&result, "batches"), own(&result, "bad_items"));
    assert_eq!(items, 400.0 - own(&result, "coalesced"));
    assert!(bad > 0.0 && bad < items, "{bad} of {items}");
    assert!(count(&result, "client_error") > bad as u64, "they fail with those who share them");
    assert_eq!(count(&result, "client_error") + count(&result, "ok"), 400);
}

/// What systems accept in one call.
#[test]
fn presets_are_the_limits_of_systems() {
    for (preset, size, count, calls) in [
        ("dynamodb_write", "1B", 51, 3),
        // 40 items of 400 KB are 16 MB, so that 25 are the limit.
        ("dynamodb_write", "400KB", 50, 2),
        ("dynamodb_write", "1MB", 33, 3),
        ("dynamodb_read", "1B", 201, 3),
        ("sqs", "1B", 21, 3),
        ("sqs", "100KiB", 21, 11),
        ("sqs", "64KiB", 21, 6),
        ("sns", "1B", 30, 3),
        ("sns", "256KiB", 3, 3),
    ] {
        let result = at_once(count, size, &format!("{{{preset}: {{wait: 1ms}}}}"), 1);
        assert_eq!(result.components["db"].arrivals, calls, "{preset} {size} {count}");
    }
    // What is written behind a preset replaces its settings.
    assert_eq!(at_once(21, "1B", "{sqs: {wait: 1ms, max: 7}}", 1).components["db"].arrivals, 3);
}

/// What has no effect is refused by name.
#[test]
fn who_fails_with_a_bad_item_needs_one() {
    let yaml = |batch: &str| {
        format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{arrivals: {{once: {{count: 1}}}}, call: {{to: db, batch: {batch}}}}}}}
components: {{db: {{kind: database, operations: {{default: 10ms}}}}}}
"
        )
    };
    let says = |batch: &str, words: &str| {
        let messages = refused(&yaml(batch));
        assert!(messages.iter().any(|message| message.contains(words)), "{messages:?}");
    };
    says("{max: 2, wait: 1ms, on_bad_item: all}", "`on_bad_item` has no effect: no item is bad");
    // A system does not say how long its clients wait.
    says("sqs", "wait");
    says("{max: 2, wait: 1ms, bad_items: 101%}", "100%");
}
