//! Who is let in to a random service: its queue, and what stands before it.

use std::fmt::Write;

use super::Choices;

/// The queue of a service or a database, in a map of its own.
pub(super) fn queue(c: &mut Choices<'_>, preempts: bool) -> String {
    let discipline = c.of(&[
        "fifo",
        "lifo",
        "adaptive_lifo",
        "priority",
        "{codel: {target: 5ms, interval: 50ms}}",
        if preempts { "{priority: {preempt: true}}" } else { "priority" },
    ]);
    let max = c.of(&["", "max: 10, ", "max: 0, ", "max: 2, "]);
    let age = c.of(&["", ", max_age: 50ms", ", max_age: {exp: 30ms}", ", min_remaining: 5ms"]);
    format!("{{queue: {{{max}discipline: {discipline}{age}}}}}")
}

/// Who is let in to a service with a runtime, and a link `l0`.
pub(super) fn admission(c: &mut Choices<'_>, text: &mut String, runtime: &str) {
    let concurrency = c.of(&[
        "",
        "",
        "{fixed: 2}",
        "{aimd: {initial: 3, min: 1}}",
        "{gradient2: {initial: 4, min: 1}}",
        "{envoy_gradient: {requests: 3, min: 1, min_rtt: 1s}}",
        "{vegas: {initial: 2}, window: {min: 100ms, max: 200ms, samples: 2}}",
    ]);
    let mut parts = Vec::new();
    let queue = queue(c, runtime.starts_with("{thread_p"));
    if runtime != "unlimited" || !concurrency.is_empty() {
        parts.push(queue.trim_start_matches('{').strip_suffix('}').unwrap_or_default().to_string());
    }
    if !concurrency.is_empty() {
        parts.push(format!("concurrency: {concurrency}"));
    }
    let rate = c.of(&[
        "",
        "",
        "{token_bucket: {rate: 50/s, burst: 5}}",
        "{fixed_window: {limit: 5, window: 100ms}, by: op}",
        "{sliding_log: {limit: 3, window: 100ms}, by: key}",
        "{token_bucket: {rate: 50/s, burst: 5}, scope: component}",
        "{sliding_counter: {limit: 9, window: 300ms}, by: op, scope: component, sync: 0s}",
    ]);
    if !rate.is_empty() {
        parts.push(format!("rate_limit: {rate}"));
    }
    let holds_workers = runtime.starts_with("{thread") || runtime.starts_with("{processes");
    let by_room = holds_workers && !runtime.contains("{start: 1ms}") || !concurrency.is_empty();
    let shed = c.of(&[
        "",
        "",
        "{dagor: {queueing: 1ms, window: 500ms, requests: 50}}",
        "{latency: {link: l0, over: 10ms}}",
        if by_room && queue.contains("max: ") { "{priority: {low: 30%, normal: 50%}}" } else { "" },
    ]);
    if !shed.is_empty() {
        parts.push(format!("shed: {shed}"));
    }
    if !parts.is_empty() {
        let _ = writeln!(text, "    admission: {{{}}}", parts.join(", "));
    }
}
