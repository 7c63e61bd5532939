//! Common random numbers: the same request needs the same work in two variants, whatever happened to it before.
//!
//! Requests are sent one at a time, each in a window of its own, so that the series shows every single latency.

use crate::harness::load_variant;
use crate::harness::run_loaded;

/// The latency of each request in the order of sending, ns.
fn latencies(yaml: &str, variant: &str) -> Vec<i64> {
    let loaded = load_variant(yaml, Some(variant));
    let result = run_loaded(&loaded, 7);
    let column = &result.series.columns["workloads.w.latency.p50_s"];
    column.iter().flatten().map(|seconds| (seconds * 1e9).round() as i64).collect()
}

const RETRIES: &str = "
version: 1
run: {duration: 3000s, window: 10s}
workloads: {w: {arrivals: {constant: 0.1/s}, call: s}}
components:
  s: {kind: service, runtime: unlimited, handlers: {default: [{call: x}, {call: d}]}, calls: {d: d, x: {to: x, retry: {max_attempts: 100}}}}
  x: {kind: external, latency: {exp: 10ms}, errors: 60%}
  d: {kind: database, operations: {default: {exp: 50ms}}}
variants:
  at_once: {}
  later: {components.s.calls.x.retry: {max_attempts: 100, backoff: {fixed: 100ms}}}
  without_delay: {components.x.latency: 0s}
  without_errors: {components.x.latency: 0s, components.x.errors: 0%}
";

#[test]
fn every_attempt_of_a_request_needs_the_same_and_fails_alike_however_late_it_is() {
    let (at_once, later) = (latencies(RETRIES, "at_once"), latencies(RETRIES, "later"));
    assert!(at_once.len() >= 290, "{}", at_once.len());
    let retries: Vec<i64> = at_once.iter().zip(&later).map(|(a, b)| b - a).collect();
    for apart in &retries {
        // The two differ by whole back-offs only.
        assert_eq!(apart % 100_000_000, 0, "{apart} ns");
    }
    let beyond_the_first = retries.iter().filter(|apart| **apart > 100_000_000).count();
    assert!(beyond_the_first > 50, "{beyond_the_first} requests were tried more than twice");
}

#[test]
fn what_comes_after_retries_needs_the_same_as_without_any() {
    assert_eq!(latencies(RETRIES, "without_delay"), latencies(RETRIES, "without_errors"));
}
