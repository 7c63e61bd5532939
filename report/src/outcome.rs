//! Outcomes of calls by their names in the language: which count as success, and their shares in words.

use lab::result::Table;

use crate::units;

/// True for outcomes that answer the caller: `ok`, `accepted` and `degraded`.
#[must_use]
pub fn is_success(outcome: &str) -> bool {
    matches!(outcome, "ok" | "accepted" | "degraded")
}

/// Share of the ended calls that were answered; `None` if none has ended.
#[must_use]
pub fn success_share(outcomes: &Table<u64>) -> Option<f64> {
    let total: u64 = outcomes.values().sum();
    let good: u64 = outcomes.iter().filter(|(name, _)| is_success(name)).map(|(_, count)| count).sum();
    (total > 0).then(|| good as f64 / total as f64)
}

/// Outcomes that occurred, with their shares: successes first, then by size, then by name.
#[must_use]
pub fn ranked(outcomes: &Table<u64>) -> Vec<(&str, f64)> {
    let total: u64 = outcomes.values().sum();
    let mut present: Vec<(&str, u64)> =
        outcomes.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count)).collect();
    present.sort_by(|left, right| {
        is_success(right.0).cmp(&is_success(left.0)).then(right.1.cmp(&left.1)).then_with(|| left.0.cmp(right.0))
    });
    present.into_iter().map(|(name, count)| (name, count as f64 / total as f64)).collect()
}

/// The failures in words, largest first: `80 % timeout, 15 % overload`; at most `limit`, the rest merged.
#[must_use]
pub fn failures_in_words(outcomes: &Table<u64>, limit: usize) -> String {
    let failures: Vec<(&str, f64)> = ranked(outcomes).into_iter().filter(|(name, _)| !is_success(name)).collect();
    let mut parts: Vec<String> =
        failures.iter().take(limit).map(|(name, share)| format!("{} {name}", units::share(*share))).collect();
    if failures.len() > limit {
        let rest: f64 = failures[limit..].iter().map(|(_, share)| share).sum();
        parts.push(format!("{} other", units::share(rest)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(pairs: &[(&str, u64)]) -> Table<u64> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn degraded_counts_as_answered() {
        assert_eq!(success_share(&outcomes(&[("ok", 6), ("degraded", 2), ("timeout", 2)])), Some(0.8));
        assert_eq!(success_share(&outcomes(&[("ok", 0)])), None);
    }

    #[test]
    fn failures_come_by_size_and_the_rest_is_summed() {
        let table = outcomes(&[("ok", 10), ("error", 5), ("timeout", 80), ("overload", 5)]);
        assert_eq!(failures_in_words(&table, 2), "80 % timeout, 5.0 % error, 5.0 % other");
        assert_eq!(failures_in_words(&outcomes(&[("ok", 3)]), 2), "");
    }
}
