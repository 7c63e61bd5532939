//! The page of one run.

use lab::result::{FaultWindow, LinkResult, RunResult};

use super::{Block, Figure, Origin, Page, Section, Table, TableCell, TableColumn, origin, page};
use crate::charts::{ChartError, run_charts};
use crate::findings::findings;
use crate::happenings;
use crate::outcome;
use crate::over_time;
use crate::units;

/// A run with the texts that only the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct RunPage<'a> {
    /// The run.
    pub result: &'a RunResult,
    /// Scenario and command.
    pub origin: &'a Origin,
}

/// The page as a document.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn run_page(run: &RunPage<'_>) -> Result<String, ChartError> {
    let result = run.result;
    let mut sections: Vec<Section> = super::story::section(result).into_iter().collect();
    let heading = if sections.is_empty() { String::new() } else { "The whole run".to_owned() };
    sections.push(Section { heading, blocks: vec![Block::Figures(headline(result))] });
    sections.push(Section { heading: "Findings".to_owned(), blocks: vec![Block::Findings(findings(result))] });
    if !result.warnings.is_empty() {
        let list = Block::List(result.warnings.clone());
        sections.push(Section { heading: "Warnings".to_owned(), blocks: vec![list] });
    }
    let charts: Vec<Block> = run_charts(result).into_iter().map(|named| Block::Chart(Box::new(named.chart))).collect();
    if !charts.is_empty() {
        sections.push(Section { heading: "Charts".to_owned(), blocks: charts });
    }
    let tables = [
        workloads(result),
        components(result),
        links(result),
        hosts(result),
        in_time("Fault", "Faults", &result.faults),
        in_time("Event", "Events (operator actions)", &result.events),
        happenings_by_place(result),
        happenings_in_order(result),
    ];
    let tables: Vec<Block> =
        tables.into_iter().filter(|table| !table.rows.is_empty()).map(telling_columns).map(Block::Table).collect();
    sections.push(Section { heading: "Tables".to_owned(), blocks: tables });
    sections.push(reproduction(run));
    page(&Page {
        title: result.scenario.name.clone(),
        subtitle: subtitle(result),
        lead: result.scenario.description.clone(),
        sections,
        footer: format!("{} {} · format {}", result.tool.name, result.tool.version, result.format),
    })
}

fn subtitle(result: &RunResult) -> String {
    let (scenario, run) = (&result.scenario, &result.run);
    let mut parts = vec![scenario.source.clone()];
    parts.extend(scenario.variant.as_ref().map(|variant| format!("variant {variant}")));
    parts.push(format!("seed {}", scenario.seed));
    parts.push(if run.finished {
        format!("{} simulated", units::instant(run.duration_s))
    } else {
        format!("cut short at {}", units::instant(run.duration_s))
    });
    if run.warmup_s > 0.0 {
        parts.push(format!("after a warm-up of {}", units::instant(run.warmup_s)));
    }
    parts.join(" · ")
}

fn figure(label: &str, value: String, note: String) -> Figure {
    Figure { label: label.to_owned(), value, note }
}

fn headline(result: &RunResult) -> Vec<Figure> {
    let offered: f64 = result.workloads.values().map(|workload| workload.offered).sum();
    let share = if offered > 0.0 {
        format!("{} of what was offered", units::share(result.goodput / offered))
    } else {
        String::new()
    };
    let mut figures = vec![
        figure("Offered", units::rate(offered), String::new()),
        figure("Goodput", units::rate(result.goodput), share),
    ];
    // With several workloads, show the latencies of the busiest; the table has the others.
    let busiest = result.workloads.iter().max_by_key(|(_, workload)| workload.sent);
    if let Some((name, workload)) = busiest {
        let note = if result.workloads.len() > 1 { name.clone() } else { "of answered requests".to_owned() };
        let success = outcome::success_share(&workload.outcomes);
        figures.push(figure(
            "Answered",
            units::or_unknown(success, units::share),
            outcome::failures_in_words(&workload.outcomes, 1),
        ));
        for (label, value) in [
            ("Median latency", workload.latency.p50_s),
            ("p99 latency", workload.latency.p99_s),
            ("p99.9 latency", workload.latency.p999_s),
        ] {
            figures.push(figure(label, units::or_unknown(value, units::time), note.clone()));
        }
    }
    figures
}

fn share_cell(value: Option<f64>) -> TableCell {
    TableCell::known(value, units::share)
}

fn time_cell(value: Option<f64>) -> TableCell {
    TableCell::known(value, units::time)
}

fn quantity_cell(value: f64) -> TableCell {
    TableCell::figure(value, units::quantity)
}

fn per_second(count: u64, result: &RunResult) -> TableCell {
    let duration_s = result.run.duration_s;
    TableCell::known((duration_s > 0.0).then(|| count as f64 / duration_s), units::rate)
}

/// Drops the columns in which no row has a value.
fn telling_columns(table: Table) -> Table {
    let silent = |cell: &TableCell| cell.text.is_empty() || cell.text == units::UNKNOWN || cell.text == "0";
    let told: Vec<bool> = (0..table.columns.len())
        .map(|column| column == 0 || table.rows.iter().any(|row| row.get(column).is_some_and(|cell| !silent(cell))))
        .collect();
    let keep = |position: usize| told.get(position).copied().unwrap_or(false);
    Table {
        caption: table.caption,
        columns: table.columns.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, column)| column).collect(),
        rows: table
            .rows
            .into_iter()
            .map(|row| row.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, cell)| cell).collect())
            .collect(),
    }
}

fn workloads(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::words("Workload", ""),
        TableColumn::figures("Offered", "requests sent per second"),
        TableColumn::figures("Goodput", "requests per second that ended ok or accepted within the deadline"),
        TableColumn::figures("Answered", "share of completed requests that ended ok, accepted or degraded"),
        TableColumn::figures("p50", "median latency of answered requests, from the intended send time"),
        TableColumn::figures("p90", ""),
        TableColumn::figures("p99", ""),
        TableColumn::figures("p99.9", ""),
        TableColumn::figures("Largest", ""),
        TableColumn::figures("Attempts", "attempts per request"),
        TableColumn::figures("In flight at the end", ""),
        TableColumn::figures("Done p50", "median time until all that a request had set off was done"),
        TableColumn::figures("Done p99", ""),
        TableColumn::figures("Failed afterwards", "requests answered well of which a part failed for good"),
        TableColumn::figures("Pending", "requests answered well of which a part was under way at the end"),
        TableColumn::figures("Result p99", "99th percentile of the time until clients who polled had the result"),
        TableColumn::words("Failures", "share of completed requests"),
    ];
    let rows = result.workloads.iter().map(|(name, workload)| {
        let latency = &workload.latency;
        let done = workload.completion.as_ref();
        vec![
            TableCell::words(name),
            TableCell::figure(workload.offered, units::rate),
            TableCell::figure(workload.goodput, units::rate),
            share_cell(outcome::success_share(&workload.outcomes)),
            time_cell(latency.p50_s),
            time_cell(latency.p90_s),
            time_cell(latency.p99_s),
            time_cell(latency.p999_s),
            time_cell(latency.max_s),
            TableCell::known(workload.attempts_per_request, units::factor),
            quantity_cell(workload.in_flight_end as f64),
            time_cell(done.and_then(|done| done.latency.p50_s)),
            time_cell(done.and_then(|done| done.latency.p99_s)),
            TableCell::known(done.map(|done| done.failed as f64), units::quantity),
            TableCell::known(done.map(|done| done.pending as f64), units::quantity),
            time_cell(workload.result.as_ref().and_then(|result| result.latency.p99_s)),
            TableCell::words(outcome::failures_in_words(&workload.outcomes, 4)),
        ]
    });
    Table { caption: "Workloads (as seen by callers)".to_owned(), columns, rows: rows.collect() }
}

fn components(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::words("Component", ""),
        TableColumn::words("Kind", ""),
        TableColumn::figures("Arrivals", "calls per second"),
        TableColumn::figures("Busy", "share of workers, cores or connections in use"),
        TableColumn::figures("Queue (mean)", "calls waiting, time average"),
        TableColumn::figures("Queue (max)", "calls waiting, maximum after the warm-up"),
        TableColumn::figures("Queue (end)", "calls waiting at the end"),
        TableColumn::figures("Wait p99", "99th percentile of the time in the queue"),
        TableColumn::figures("Amplification", "arrivals relative to those not caused by retries or hedges"),
        TableColumn::figures("Wasted", "share of busy time on calls whose callers had given up"),
        TableColumn::words("Failures", "share of answers"),
        TableColumn::words("Own figures", ""),
    ];
    let rows = result.components.iter().map(|(name, component)| {
        let queue = component.queue.as_ref();
        let replicas = if component.replicas > 1 { format!(" ×{}", component.replicas) } else { String::new() };
        vec![
            TableCell::words(name),
            TableCell::words(format!("{}{replicas}", component.kind)),
            per_second(component.arrivals, result),
            share_cell(component.utilization.or(component.cpu)),
            TableCell::known(queue.map(|queue| queue.depth), units::quantity),
            TableCell::known(queue.map(|queue| queue.depth_max as f64), units::quantity),
            TableCell::known(queue.map(|queue| queue.depth_end as f64), units::quantity),
            time_cell(queue.and_then(|queue| queue.wait.p99_s)),
            TableCell::known(component.amplification, units::factor),
            share_cell(component.wasted_work),
            TableCell::words(outcome::failures_in_words(&component.outcomes, 4)),
            TableCell::words(crate::text::figures_in_words(&component.own)),
        ]
    });
    Table { caption: "Components".to_owned(), columns, rows: rows.collect() }
}

fn links(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::words("Link", ""),
        TableColumn::words("To", ""),
        TableColumn::figures("Calls", "logical calls per second"),
        TableColumn::figures("Attempts", "attempts per second, retries and hedges included"),
        TableColumn::figures("Amplification", "attempts over calls"),
        TableColumn::figures("Retries", ""),
        TableColumn::figures("Refused", "retries rejected by the budget"),
        TableColumn::figures("Hedges", ""),
        TableColumn::figures("Pool in use", "connections in use (time average) of the pool size"),
        TableColumn::figures("Pool wait p99", "99th percentile of the wait for a connection"),
        TableColumn::words("Failures", "share of attempts, as seen by the caller"),
        TableColumn::words("Own figures", ""),
    ];
    let row = |from: &str, link: &str, figures: &LinkResult| {
        let pool = |name: &str| figures.own.value(&format!("pool.{name}"));
        vec![
            TableCell::words(format!("{from}.{link}")),
            TableCell::words(figures.to.join(", ")),
            per_second(figures.calls, result),
            per_second(figures.attempts, result),
            TableCell::known(figures.amplification, units::factor),
            quantity_cell(figures.retries as f64),
            quantity_cell(figures.retries_refused as f64),
            quantity_cell(figures.hedges as f64),
            pool("active").zip(pool("size")).map_or_else(
                || TableCell::words(units::UNKNOWN),
                |(active, size)| {
                    let size = units::quantity(size);
                    TableCell::figure(active, |active| format!("{} of {size}", units::quantity(active)))
                },
            ),
            time_cell(pool("wait.p99")),
            TableCell::words(outcome::failures_in_words(&figures.outcomes, 4)),
            TableCell::words(crate::text::figures_in_words(&figures.own)),
        ]
    };
    let rows = result
        .links
        .iter()
        .flat_map(|(from, links)| links.iter().map(move |(link, figures)| row(from, link, figures)))
        .collect();
    Table { caption: "Links (as seen by their callers)".to_owned(), columns, rows }
}

fn hosts(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::words("Hosts", ""),
        TableColumn::figures("Count", ""),
        TableColumn::figures("Busy", "share of the cores in use, time average"),
        TableColumn::figures("Runnable", "tasks that run on or wait for a core, time average"),
        TableColumn::figures("Switches", "context switches per second"),
        TableColumn::figures("Switching", "cores that context switches keep busy, time average"),
        TableColumn::figures("Credits", "CPU credits at the end"),
        TableColumn::figures("Memory", "in use, time average"),
        TableColumn::figures("Size", "memory of the hosts"),
    ];
    let seconds = result.run.duration_s;
    let rows = result.hosts.iter().map(|(name, hosts)| {
        let own = |figure: &str| hosts.own.value(figure);
        vec![
            TableCell::words(name),
            quantity_cell(f64::from(hosts.count)),
            share_cell(hosts.cpu),
            TableCell::known(own("runnable"), units::quantity),
            TableCell::known(own("switches").filter(|_| seconds > 0.0).map(|count| count / seconds), units::rate),
            TableCell::known(own("switch_cpu"), units::quantity),
            time_cell(own("credits")),
            TableCell::known(own("memory"), units::size),
            TableCell::known(own("memory_size"), units::size),
        ]
    });
    Table { caption: "Hosts".to_owned(), columns, rows: rows.collect() }
}

fn in_time(one: &str, caption: &str, windows: &[FaultWindow]) -> Table {
    let columns = vec![
        TableColumn::words(one, ""),
        TableColumn::figures("From", ""),
        TableColumn::figures("Until", ""),
        TableColumn::words("What", ""),
        TableColumn::words("Strikes", ""),
        TableColumn::words("Note", ""),
    ];
    let rows = windows.iter().map(|fault| {
        vec![
            TableCell::words(over_time::fault_name(fault)),
            TableCell::figure(fault.at_s, units::instant),
            fault
                .until_s
                .map_or_else(|| TableCell::words("the end"), |until_s| TableCell::figure(until_s, units::instant)),
            TableCell::words(&fault.what),
            TableCell::words(fault.targets.join(", ")),
            TableCell::words(fault.note.as_deref().unwrap_or_default()),
        ]
    });
    Table { caption: caption.to_owned(), columns, rows: rows.collect() }
}

fn happenings_by_place(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::words("Place", "component, or link as CALLER.LINK"),
        TableColumn::words("Happening", ""),
        TableColumn::figures("Count", "including the warm-up"),
        TableColumn::figures("First", ""),
        TableColumn::figures("Last", ""),
        TableColumn::words("Meaning", ""),
    ];
    let rows = result.happenings.iter().map(|of| {
        let last = of.last.last().or(of.first.last());
        vec![
            TableCell::words(&of.place),
            TableCell::words(of.name.replace('_', " ")),
            TableCell::figure(of.count as f64, |_| units::grouped(of.count)),
            TableCell::known(of.first.first().map(|at| at.at_s), units::instant),
            TableCell::known(last.map(|at| at.at_s), units::instant),
            TableCell::words(lab::happenings::meaning(&of.name)),
        ]
    });
    Table { caption: "Happenings by place".to_owned(), columns, rows: rows.collect() }
}

/// Maximum number of rows of single happenings; the JSON has all of them.
const HAPPENINGS_MAX: usize = 200;

/// The first happenings in chronological order.
fn happenings_in_order(result: &RunResult) -> Table {
    let columns = vec![
        TableColumn::figures("At", ""),
        TableColumn::words("Place", "component, or link as CALLER.LINK"),
        TableColumn::words("Happening", ""),
    ];
    let moments = happenings::all(result);
    let rows = moments.iter().take(HAPPENINGS_MAX).map(|moment| {
        vec![
            TableCell::figure(moment.at_s, units::instant),
            TableCell::words(moment.place),
            TableCell::words(moment.words()),
        ]
    });
    let caption = match moments.len() > HAPPENINGS_MAX {
        true => format!("Happenings: the first {HAPPENINGS_MAX}"),
        false => "Happenings".to_owned(),
    };
    Table { caption, columns, rows: rows.collect() }
}

fn reproduction(run: &RunPage<'_>) -> Section {
    let scenario = &run.result.scenario;
    let facts = format!(
        "Scenario digest {}, seed {}, {} {}.",
        scenario.hash, scenario.seed, run.result.tool.name, run.result.tool.version
    );
    origin::section(run.origin, &facts, &scenario.overrides)
}
