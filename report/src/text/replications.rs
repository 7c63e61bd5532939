//! Confidence intervals of the figures of a run with several replications.

use lab::metrics;
use lab::result::RunResult;

use super::aligned;
use crate::figures;

/// The main figures with their intervals; empty for a single run.
#[must_use]
pub fn replications(result: &RunResult) -> String {
    let Some(replications) = &result.replications else { return String::new() };
    let rows: Vec<Vec<String>> = metrics::main_metrics(result)
        .into_iter()
        .filter_map(|name| {
            let interval = replications.intervals.get(&name)?;
            let unit = metrics::unit(result, &name).ok()?;
            Some(vec![name, figures::interval(Some(interval), unit)])
        })
        .collect();
    let confidence = replications.intervals.values().next().map_or(0.95, |interval| interval.confidence);
    let heading =
        ["metric".to_owned(), format!("mean ± half-width of the {} interval", figures::confidence(confidence))];
    let told = result.workloads.values().any(|workload| workload.breakdown.p50_s.is_some());
    let but = if told { ", except for where the time goes, which is the mean" } else { "" };
    format!("{} runs (the report above is that of the first{but})\n{}", replications.n, aligned(&heading, &rows))
}
