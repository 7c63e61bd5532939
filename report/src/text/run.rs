//! The report of one run.

use lab::figures::Own;
use lab::result::{ComponentResult, LinkResult, RunResult, WorkloadResult};

use super::Options;
use super::afterwards::afterwards;
use super::happenings::happenings;
use super::hosts::hosts;
use super::paint::{Ink, Page, Span, width};
use super::sparkline::{Axis, Join, bars};
use super::table::{Column, Table};
use crate::breakdown::{self, Around};
use crate::figures;
use crate::findings::{self, Severity};
use crate::outcome;
use crate::over_time;
use crate::units;

/// The report of a run: one screen, at most `options.width` columns wide.
#[must_use]
pub fn run_report(result: &RunResult, options: Options) -> String {
    let mut page = Page::new(options);
    title(&mut page, result);
    headline(&mut page, result);
    afterwards(&mut page, result);
    findings_block(&mut page, result);
    timeline(&mut page, result);
    happenings(&mut page, result);
    breakdown(&mut page, result);
    components(&mut page, result);
    links(&mut page, result);
    hosts(&mut page, result);
    objectives(&mut page, result);
    warnings(&mut page, result);
    page.finish().trim_end().to_owned() + "\n"
}

/// A run in one line, for sweeps and lists: `goodput 268/s of 1.20 k/s (22 %) · p50 12.3 ms · p99 52.9 ms · …`.
#[must_use]
pub fn run_line(result: &RunResult, options: Options) -> String {
    let mut parts = Vec::new();
    let offered: f64 = result.workloads.values().map(|workload| workload.offered).sum();
    let share = if offered > 0.0 { format!(" ({})", units::share(result.goodput / offered)) } else { String::new() };
    parts.push(format!("goodput {} of {}{share}", units::rate(result.goodput), units::rate(offered)));
    if let Some((_, busiest)) = result.workloads.iter().max_by_key(|(_, workload)| workload.sent) {
        parts.push(format!("p50 {}", units::or_unknown(busiest.latency.p50_s, units::time)));
        parts.push(format!("p99 {}", units::or_unknown(busiest.latency.p99_s, units::time)));
    }
    if let Some((name, depth)) = longest_queue(result) {
        parts.push(format!("queue of {name} up to {}", units::quantity(depth as f64)));
    }
    let wasted = result.components.iter().filter_map(|(name, component)| Some((name, component.wasted_work?)));
    if let Some((name, share)) =
        wasted.max_by(|left, right| left.1.total_cmp(&right.1)).filter(|(_, share)| *share >= 0.01)
    {
        parts.push(format!("{} of {name} wasted", units::share(share)));
    }
    if !result.run.finished {
        parts.push("cut short".to_owned());
    }
    let mut page = Page::new(Options { color: false, ..options });
    page.line(&[Span::plain(parts.join(" · "))]);
    page.finish()
}

fn title(page: &mut Page, result: &RunResult) {
    let scenario = &result.scenario;
    let mut facts = vec![scenario.source.clone()];
    facts.extend(scenario.variant.as_ref().map(|variant| format!("variant {variant}")));
    facts.push(format!("seed {}", scenario.seed));
    let right = facts.join(" · ");
    let room = page.width();
    let taken = width(&scenario.name) + width(&right);
    if taken + 2 <= room {
        let space = " ".repeat(room - taken);
        page.line(&[Span::new(scenario.name.clone(), Ink::Strong), Span::plain(space), Span::new(right, Ink::Dim)]);
    } else {
        page.paragraph(Span::default(), &scenario.name, Ink::Strong);
        page.paragraph(Span::default(), &right, Ink::Dim);
    }

    let run = &result.run;
    let mut how = if run.finished {
        units::instant(run.duration_s)
    } else {
        format!("CUT SHORT at {}", units::instant(run.duration_s))
    };
    if run.warmup_s > 0.0 {
        how.push_str(&format!(" after a warm-up of {}", units::instant(run.warmup_s)));
    }
    how.push_str(&format!(" · scenario {}", scenario.hash));
    page.line(&[Span::new(how, if run.finished { Ink::Dim } else { Ink::Bad })]);
    for override_text in &scenario.overrides {
        page.paragraph(Span::new("with ", Ink::Dim), override_text, Ink::Dim);
    }
    page.gap();
}

fn section(page: &mut Page, name: &str) {
    page.line(&[Span::new(name, Ink::Strong)]);
}

fn headline(page: &mut Page, result: &RunResult) {
    let mut table = Table::new(vec![
        Column::left(""),
        Column::right("offered"),
        Column::grouped("goodput", "rate"),
        Column::grouped("goodput", "share"),
        Column::right("success").spare(3),
        Column::grouped("latency", "p50"),
        Column::grouped("latency", "p99"),
        Column::grouped("latency", "p99.9").spare(2),
        Column::left("failures").spare(1),
    ]);
    let all: Vec<(&str, &WorkloadResult)> =
        result.workloads.iter().map(|(name, workload)| (name.as_str(), workload)).collect();
    let shown = foremost(&all, |(_, workload)| workload.sent);
    for (name, workload) in &shown {
        table.row(headline_row(name, workload));
    }
    if result.workloads.len() > 1 {
        let offered: f64 = result.workloads.values().map(|workload| workload.offered).sum();
        let mut cells = vec![
            Span::new("all", Ink::Strong),
            Span::plain(units::rate(offered)),
            Span::new(units::rate(result.goodput), Ink::Strong),
            goodput_share(result.goodput, offered),
        ];
        cells.resize(9, Span::default());
        table.row(cells);
    }
    if !table.is_empty() {
        table.write(page, 0);
        rest(page, all.len(), shown.len(), "with fewer requests");
        page.gap();
    }
}

fn goodput_share(goodput: f64, offered: f64) -> Span {
    let share = (offered > 0.0).then(|| goodput / offered);
    Span::new(units::or_unknown(share, units::share), share.map_or(Ink::Dim, graded))
}

fn headline_row(name: &str, workload: &WorkloadResult) -> Vec<Span> {
    let success = outcome::success_share(&workload.outcomes);
    let latency = &workload.latency;
    vec![
        Span::new(name, Ink::Strong),
        Span::plain(units::rate(workload.offered)),
        Span::new(units::rate(workload.goodput), Ink::Strong),
        goodput_share(workload.goodput, workload.offered),
        Span::new(units::or_unknown(success, units::share), success.map_or(Ink::Dim, graded)),
        Span::plain(units::or_unknown(latency.p50_s, units::time)),
        Span::new(units::or_unknown(latency.p99_s, units::time), Ink::Strong),
        Span::plain(units::or_unknown(latency.p999_s, units::time)),
        Span::plain(outcome::failures_in_words(&workload.outcomes, 3)),
    ]
}

/// Ink of a share that should be 100 %.
fn graded(share: f64) -> Ink {
    if share >= 0.99 {
        Ink::Good
    } else if share >= 0.9 {
        Ink::Warning
    } else {
        Ink::Bad
    }
}

/// Ink of an amplification, which should be 1.
fn amplified(factor: f64) -> Ink {
    if factor >= 2.0 {
        Ink::Bad
    } else if factor >= 1.2 {
        Ink::Warning
    } else {
        Ink::Plain
    }
}

fn findings_block(page: &mut Page, result: &RunResult) {
    for finding in findings::findings(result) {
        let (mark, ink, text_ink) = match finding.severity {
            Severity::Critical => ("✗ ", Ink::Bad, Ink::Strong),
            Severity::Warning => ("! ", Ink::Warning, Ink::Plain),
            Severity::Note => ("– ", Ink::Dim, Ink::Plain),
            Severity::Good => ("✓ ", Ink::Good, Ink::Plain),
        };
        page.paragraph(Span::new(mark, ink), &finding.text, text_ink);
    }
    page.gap();
}

/// The component with the longest queue, if any queue was long enough to mention.
fn longest_queue(result: &RunResult) -> Option<(&str, u64)> {
    result
        .components
        .iter()
        .filter_map(|(name, component)| Some((name.as_str(), component.queue.as_ref()?.depth_max)))
        .filter(|(_, depth)| *depth >= 10)
        .max_by_key(|(_, depth)| *depth)
}

/// Width of the labels left of the sparklines, and of the scale right of them, in columns.
const LABEL: usize = 16;
const SCALE: usize = 13;
/// Maximum number of rows of faults, and of events; the rest is summarised.
const FAULT_ROWS: usize = 4;

/// A sparkline: its label, its windows, how windows are merged, and how its maximum is formatted.
type Curve = (String, Vec<Option<f64>>, Join, fn(f64) -> String);

fn timeline(page: &mut Page, result: &RunResult) {
    let Some(axis) = Axis::new(&result.series, page.width() - LABEL - SCALE) else { return };
    let mut rows: Vec<Curve> = vec![
        ("offered".to_owned(), over_time::workload_total(result, "sent"), Join::Mean, units::rate),
        ("goodput".to_owned(), over_time::workload_total(result, "goodput"), Join::Mean, units::rate),
        (
            if result.workloads.len() > 1 { "worst p99".to_owned() } else { "p99".to_owned() },
            over_time::workload_worst(result, "latency.p99_s"),
            Join::Max,
            units::time,
        ),
    ];
    if let Some((name, _)) = longest_queue(result)
        && let Some(column) = over_time::column(result, &format!("components.{name}.queue.depth"))
    {
        let label = format!("queue of {}", units::shortened(name, LABEL - 10));
        rows.push((label, column.to_vec(), Join::Max, units::quantity));
    }
    let retries = over_time::link_total(result, "retries");
    if axis.values(&retries, Join::Mean).iter().flatten().any(|rate| *rate >= 1.0) {
        rows.insert(3, ("retries".to_owned(), retries, Join::Mean, units::rate));
    }
    // Offered load and goodput are compared with each other, so they share one scale.
    let shared_top =
        rows[..2].iter().flat_map(|(_, windows, join, _)| axis.values(windows, *join)).flatten().fold(0.0, f64::max);
    for (position, (label, windows, join, unit)) in rows.iter().enumerate() {
        let values = axis.values(windows, *join);
        if values.iter().all(Option::is_none) {
            continue;
        }
        let own_top = values.iter().flatten().copied().fold(0.0, f64::max);
        let top = if position < 2 { shared_top } else { own_top };
        page.line(&[
            Span::new(format!("{label:<LABEL$}"), Ink::Dim),
            Span::plain(bars(&values, top)),
            Span::new(format!(" max {}", unit(own_top)), Ink::Dim),
        ]);
    }
    page.line(&[Span::plain(" ".repeat(LABEL)), Span::new(axis.labels(), Ink::Dim)]);
    for (what, windows, ink) in [("faults", &result.faults, Ink::Fault), ("events", &result.events, Ink::Event)] {
        for (row, marks) in axis.faults(windows, FAULT_ROWS).into_iter().enumerate() {
            let label = if row == 0 { what } else { "" };
            page.line(&[Span::new(format!("{label:<LABEL$}"), Ink::Dim), Span::new(marks, ink)]);
        }
    }
    page.gap();
}

/// How requests spend their time, around the median and the 99th percentile.
fn breakdown(page: &mut Page, result: &RunResult) {
    let all: Vec<(&str, &WorkloadResult)> = result
        .workloads
        .iter()
        .map(|(name, workload)| (name.as_str(), workload))
        .filter(|(_, workload)| workload.breakdown.p50_s.is_some_and(|latency| latency > 0.0))
        .collect();
    if all.is_empty() {
        return;
    }
    section(page, "Where the time goes");
    let shown = foremost(&all, |(_, workload)| workload.sent);
    let room = shown.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, workload) in &shown {
        let mut name = *name;
        for (around, percentile) in [(Around::Median, "p50"), (Around::Tail, "p99")] {
            let latency = around.latency_s(&workload.breakdown);
            let Some(words) = breakdown::in_words(&workload.breakdown, around) else { continue };
            let space = " ".repeat(room - width(name));
            let latency = units::or_unknown(latency, units::time);
            let head = format!("{name}{space}  {percentile} {latency:>7}  ");
            page.paragraph(Span::new(head, Ink::Strong), &words, Ink::Plain);
            name = "";
        }
    }
    rest(page, all.len(), shown.len(), "with fewer requests");
    page.gap();
}

/// Calls per second of simulated time; unknown for a run that ended before its warm-up did.
fn per_second(count: u64, result: &RunResult) -> String {
    let duration_s = result.run.duration_s;
    units::or_unknown((duration_s > 0.0).then(|| count as f64 / duration_s), units::rate)
}

fn components(page: &mut Page, result: &RunResult) {
    if result.components.is_empty() {
        return;
    }
    section(page, "Components");
    let mut table = Table::new(vec![
        Column::left(""),
        Column::left("kind").spare(4),
        Column::right("arrivals"),
        Column::right("busy"),
        Column::grouped("queue", "mean").spare(5),
        Column::grouped("queue", "max").spare(1),
        Column::grouped("queue", "end"),
        Column::grouped("queue", "wait p99").spare(3),
        Column::right("amplif."),
        Column::right("wasted"),
        Column::left("failures").spare(2),
    ]);
    let longest = longest_queue(result).map(|(name, _)| name);
    let all: Vec<(&str, &ComponentResult)> =
        result.components.iter().map(|(name, component)| (name.as_str(), component)).collect();
    let shown =
        foremost(&all, |(_, component)| (component.queue.map_or(0, |queue| queue.depth_max), component.arrivals));
    for (name, component) in &shown {
        table.row(component_row(name, component, longest == Some(*name), result));
    }
    table.write(page, 0);
    rest(page, all.len(), shown.len(), "with shorter queues");
    for (name, component) in &shown {
        let words = figures_in_words(&component.own);
        if !words.is_empty() {
            page.paragraph(Span::new(format!("  {name}: "), Ink::Dim), &words, Ink::Plain);
        }
    }
    page.gap();
}

/// Maximum number of rows, so that the report stays on one screen; the JSON and the page have them all.
const ROWS_MAX: usize = 20;

/// The rows with the largest keys, in their original order.
fn foremost<T: Copy, K: Ord>(all: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(key(&all[*index])), *index));
    order.truncate(ROWS_MAX);
    order.sort_unstable();
    order.into_iter().map(|index| all[index]).collect()
}

/// Writes how many rows are not shown.
fn rest(page: &mut Page, all: usize, shown: usize, which: &str) {
    if all > shown {
        page.line(&[Span::new(format!("and {} more {which}", all - shown), Ink::Dim)]);
    }
}

fn component_row(name: &str, component: &ComponentResult, longest: bool, result: &RunResult) -> Vec<Span> {
    let kind = if component.replicas > 1 {
        format!("{} ×{}", component.kind, component.replicas)
    } else {
        component.kind.clone()
    };
    let busy = component.utilization.or(component.cpu);
    let queue_ink = if longest { Ink::Bad } else { Ink::Plain };
    let queue = |text: &dyn Fn(&lab::result::QueueResult) -> String| {
        component.queue.as_ref().map_or_else(Span::default, |queue| Span::new(text(queue), queue_ink))
    };
    vec![
        Span::new(name, Ink::Strong),
        Span::new(kind, Ink::Dim),
        Span::plain(per_second(component.arrivals, result)),
        busy.map_or_else(Span::default, |busy| {
            Span::new(units::share(busy), if busy >= 0.9 { Ink::Warning } else { Ink::Plain })
        }),
        queue(&|queue| units::quantity(queue.depth)),
        queue(&|queue| units::quantity(queue.depth_max as f64)),
        queue(&|queue| units::quantity(queue.depth_end as f64)),
        queue(&|queue| units::or_unknown(queue.wait.p99_s, units::time)),
        component
            .amplification
            .filter(|factor| *factor > 1.0005)
            .map_or_else(Span::default, |factor| Span::new(units::factor(factor), amplified(factor))),
        component.wasted_work.filter(|share| *share > 0.0).map_or_else(Span::default, |share| {
            let ink = if share >= 0.5 {
                Ink::Bad
            } else if share >= 0.1 {
                Ink::Warning
            } else {
                Ink::Plain
            };
            Span::new(units::share(share), ink)
        }),
        Span::plain(outcome::failures_in_words(&component.outcomes, 3)),
    ]
}

/// Figures of links that have columns of their own.
const IN_COLUMNS: [&str; 4] = ["pool.size", "pool.active", "pool.wait", "pool.waiting"];

/// Declared figures in words: `hit_ratio 91 %, open_connections 42`. Leaves out figures that are zero, unknown or shown
/// elsewhere. Shows the 99th percentile of times.
pub(crate) fn figures_in_words(own: &Own) -> String {
    let mut words = Vec::new();
    for (name, reading) in own.iter().filter(|(name, _)| !IN_COLUMNS.contains(name)) {
        let shown = reading.parts().into_iter().filter(|(part, _, _)| matches!(*part, "" | "p99"));
        for (part, value, unit) in shown {
            if let Some(value) = value.filter(|value| *value != 0.0) {
                let part = if part.is_empty() { String::new() } else { format!(" {part}") };
                words.push(format!("{name}{part} {}", figures::figure(value, unit)));
            }
        }
    }
    words.join(", ")
}

fn links(page: &mut Page, result: &RunResult) {
    let mut table = Table::new(vec![
        Column::left(""),
        Column::right("calls").spare(3),
        Column::right("attempts"),
        Column::right("amplif."),
        Column::right("refused").spare(1),
        Column::right("hedges").spare(4),
        Column::grouped("pool", "in use"),
        Column::grouped("pool", "waiting").spare(5),
        Column::grouped("pool", "wait p99"),
        Column::left("failures").spare(2),
    ]);
    let all: Vec<(&str, &str, &LinkResult)> = result
        .links
        .iter()
        .flat_map(|(from, links)| links.iter().map(move |(link, figures)| (from.as_str(), link.as_str(), figures)))
        .collect();
    let shown = foremost(&all, |(_, _, figures)| (figures.retries, figures.attempts));
    for (from, link, figures) in &shown {
        table.row(link_row(link_name(from, link, figures), figures, result));
    }
    if table.is_empty() {
        return;
    }
    section(page, "Links");
    table.write(page, 0);
    rest(page, all.len(), shown.len(), "with fewer retries");
    for (from, link, figures) in &shown {
        let words = figures_in_words(&figures.own);
        if !words.is_empty() {
            let name = link_name(from, link, figures);
            page.paragraph(Span::new(format!("  {name}: "), Ink::Dim), &words, Ink::Plain);
        }
    }
    page.gap();
}

/// `api → db`; with the link's own name if it differs from its target's.
fn link_name(from: &str, link: &str, figures: &LinkResult) -> String {
    match figures.to.as_slice() {
        [to] if to == link || link == "call" || link == "to" => format!("{from} → {to}"),
        [to] => format!("{from}.{link} → {to}"),
        _ => format!("{from}.{link}"),
    }
}

fn link_row(name: String, figures: &LinkResult, result: &RunResult) -> Vec<Span> {
    let count_or_nothing = |count: u64, ink: Ink| {
        if count == 0 { Span::default() } else { Span::new(units::quantity(count as f64), ink) }
    };
    let pool = |name: &str| figures.own.value(&format!("pool.{name}"));
    let in_use = pool("active").zip(pool("size")).map_or_else(Span::default, |(active, size)| {
        let ink = if active >= 0.85 * size { Ink::Warning } else { Ink::Plain };
        Span::new(format!("{}/{}", units::quantity(active), units::quantity(size)), ink)
    });
    vec![
        Span::new(name, Ink::Strong),
        Span::plain(per_second(figures.calls, result)),
        Span::plain(per_second(figures.attempts, result)),
        figures
            .amplification
            .filter(|factor| *factor > 1.0005)
            .map_or_else(Span::default, |factor| Span::new(units::factor(factor), amplified(factor))),
        count_or_nothing(figures.retries_refused, Ink::Warning),
        count_or_nothing(figures.hedges, Ink::Plain),
        in_use,
        pool("waiting").map_or_else(Span::default, |waiting| Span::plain(units::quantity(waiting))),
        figures
            .own
            .get("pool.wait")
            .map_or_else(Span::default, |_| Span::plain(units::or_unknown(pool("wait.p99"), units::time))),
        Span::plain(outcome::failures_in_words(&figures.outcomes, 3)),
    ]
}

fn objectives(page: &mut Page, result: &RunResult) {
    if result.objectives.is_empty() {
        return;
    }
    section(page, "Objectives");
    for objective in &result.objectives {
        let (word, ink) = if objective.always_holds() { ("holds  ", Ink::Good) } else { ("missed ", Ink::Bad) };
        page.paragraph(Span::new(word, ink), &lab::objectives::in_words(objective), Ink::Plain);
    }
    page.gap();
}

fn warnings(page: &mut Page, result: &RunResult) {
    if result.warnings.is_empty() {
        return;
    }
    section(page, "Warnings");
    for warning in &result.warnings {
        page.paragraph(Span::new("! ", Ink::Warning), warning, Ink::Plain);
    }
    page.gap();
}
