//! The page of a sweep.

use lab::sweep::Swept;
use language::quantity::Quantity;

use super::{charts, findings, last_words};
use crate::charts::ChartError;
use crate::html::{Block, Origin, Page, Section, Table, TableCell, TableColumn, origin, page};

/// The report as a single self-contained page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn html(swept: &Swept, origin: &Origin) -> Result<String, ChartError> {
    let charts: Vec<Block> = charts(swept).into_iter().map(|named| Block::Chart(Box::new(named.chart))).collect();
    let facts = format!("Sweep digest {}, seed {}, brownout {}.", swept.plan, swept.seed, env!("CARGO_PKG_VERSION"));
    let sections = vec![
        Section { heading: "Findings".to_owned(), blocks: vec![Block::Findings(findings(swept))] },
        Section { heading: "Charts".to_owned(), blocks: charts },
        Section { heading: "Points".to_owned(), blocks: vec![Block::Table(points(swept))] },
        origin::section(origin, &facts, &[]),
    ];
    page(&Page {
        title: format!("{}: sweep", swept.name),
        subtitle: format!(
            "{} · seed {} · {} points × {} runs under common random numbers",
            swept.source,
            swept.seed,
            swept.points.len(),
            swept.replications
        ),
        lead: swept.description.clone(),
        sections,
        footer: format!("brownout {}", env!("CARGO_PKG_VERSION")),
    })
}

fn points(swept: &Swept) -> Table {
    let mut columns: Vec<TableColumn> = swept
        .axes
        .iter()
        .map(|axis| TableColumn { title: last_words(axis), hint: axis.clone(), numeric: true })
        .collect();
    columns.extend(swept.metrics.iter().map(|metric| TableColumn::figures(last_words(metric), metric.clone())));
    let rows = swept.points.iter().map(|point| {
        let value = |text: &String| TableCell { text: text.clone(), value: Quantity::parse(text).map(|q| q.value) };
        let cell = |metric: usize| TableCell {
            text: super::cell(swept, point, metric),
            value: point.interval(metric).map(|interval| interval.mean),
        };
        point.values.iter().map(value).chain((0..swept.metrics.len()).map(cell)).collect()
    });
    let caption = match swept.replications {
        1 => "One run per point",
        _ => "Mean ± half-width of the 95 % interval, by point",
    };
    Table { caption: caption.to_owned(), columns, rows: rows.collect() }
}
