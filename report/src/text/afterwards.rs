//! Work that continued after requests were answered.

use lab::result::{Afterwards, RunResult};

use super::paint::{Ink, Page, Span};
use super::table::{Column, Table};
use crate::units;

/// Writes a row for each workload whose requests trigger work beyond the answer: when all work was done, and when polling
/// clients received the result.
pub(super) fn afterwards(page: &mut Page, result: &RunResult) {
    let mut table = Table::new(vec![
        Column::left("after the answer"),
        Column::grouped("completed", "p50"),
        Column::grouped("completed", "p99"),
        Column::grouped("completed", "failed"),
        Column::grouped("completed", "pending"),
        Column::grouped("result known", "p50"),
        Column::grouped("result known", "p99"),
    ]);
    for (name, workload) in &result.workloads {
        let Some(completion) = &workload.completion else { continue };
        let mut cells = vec![Span::new(name, Ink::Strong)];
        cells.extend(times(completion));
        cells.push(count(completion.failed, Ink::Bad));
        cells.push(count(completion.pending, Ink::Plain));
        cells.extend(workload.result.as_ref().map_or_else(|| vec![Span::default(), Span::default()], times));
        table.row(cells);
    }
    if !table.is_empty() {
        table.write(page, 0);
        page.gap();
    }
}

fn times(over: &Afterwards) -> Vec<Span> {
    let time = |value| units::or_unknown(value, units::time);
    vec![Span::plain(time(over.latency.p50_s)), Span::new(time(over.latency.p99_s), Ink::Strong)]
}

fn count(of: u64, ink: Ink) -> Span {
    match of {
        0 => Span::default(),
        _ => Span::new(units::quantity(of as f64), ink),
    }
}
