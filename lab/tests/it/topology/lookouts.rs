//! How random callers find out about their targets.

use super::Choices;

/// How a link, or a balancer, finds out who is dead.
pub(super) fn health_check(c: &mut Choices<'_>) -> &'static str {
    c.of(&[
        "",
        "",
        ", health_check: instant",
        ", health_check: instant",
        ", health_check: {interval: 200ms, timeout: 100ms, failures: 2, successes: 1}",
        ", health_check: {envoy: {interval: 300ms, timeout: 500ms, failures: 1, successes: 3}}",
    ])
}

/// What else a balancer has to find out by.
pub(super) fn lookout(c: &mut Choices<'_>, algorithm: &str, check: &str, instances: u32) -> String {
    let ejection =
        c.of(&["", "", ", outlier_ejection: {consecutive_errors: 2, interval: 500ms, base: 1s, max_ejected: 60%}"]);
    let can_panic = !(check.is_empty() && ejection.is_empty());
    let panic = if can_panic { c.of(&["", ", panic_threshold: 50%"]) } else { "" };
    // Where keys, latencies or distances decide, nobody can be spared.
    let can_spare = !["peak_ewma", "locality", "hash", "maglev"].iter().any(|word| algorithm.contains(word));
    let spares = if can_spare { ", slow_start: {window: 2s, minimum: 20%}" } else { "" };
    let hashes = ["hash", "maglev"].iter().any(|word| algorithm.contains(word));
    let sticks = if hashes || instances > 1 { "" } else { ", sticky: key" };
    let more = c.of(&["", "", ", max_connections: 3", spares, ", subset: 1", sticks]);
    let discovery = c.of(&["", "", ", discovery: {delay: {exp: 200ms}}", ", discovery: kubernetes"]);
    format!("{check}{ejection}{panic}{discovery}{more}")
}
