//! Sampled requests, slowest first, and the selected one as a waterfall: a row per call, showing how its time was spent.

use lab::requests::{RequestLine, Requests, Waterfall, WaterfallRow};
use lab::result::Spent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, Zoom};
use crate::brush::Brush;
use crate::figures;
use crate::screens::scrolled;
use crate::theme::Role;

/// The look of a category of time: a word, a fill character, and a colour.
fn look(what: Spent) -> (&'static str, char, Role) {
    match what {
        Spent::Service => ("served", '█', Role::Good),
        Spent::Queue => ("queueing", '▒', Role::Strained),
        Spent::PoolWait => ("pool wait", '▓', Role::Busy),
        Spent::LimitWait => ("limit wait", '▒', Role::Busy),
        Spent::LockWait => ("lock wait", '▓', Role::Busy),
        Spent::Throttled => ("throttled", '▓', Role::Strained),
        Spent::Sharing => ("sharing", '▓', Role::Median),
        Spent::Connect => ("connecting", '▚', Role::Median),
        Spent::Network => ("network", '═', Role::Median),
        Spent::BackOff => ("back-off", '·', Role::Text),
        Spent::GivenUp => ("given up", '╳', Role::Critical),
    }
}

/// The instant from which requests are listed, s.
fn from_s(app: &App) -> f64 {
    match app.zoom {
        Zoom::Whole => f64::NEG_INFINITY,
        Zoom::Recent => app.snapshot().at_s - 60.0,
    }
}

/// The list of requests, slowest first. It includes the selected one even if it has not been sent yet at this instant,
/// because it was selected at a later one.
pub(crate) struct Listed<'a> {
    requests: Option<&'a Requests>,
    pub(crate) lines: Vec<RequestLine>,
    /// The selected request, if it is not among the requests of this instant.
    ahead: Option<&'a Waterfall>,
}

impl<'a> Listed<'a> {
    /// The list, and the index of the selected request in it.
    pub(crate) fn of(app: &'a App) -> (Listed<'a>, usize) {
        let requests = app.view.focused().requests.as_ref();
        let lines = requests.map(|requests| requests.slowest_first(from_s(app))).unwrap_or_default();
        let mut listed = Listed { requests, lines, ahead: None };
        let Some(selected) = &app.request else { return (listed, 0) };
        let is_it = |line: &RequestLine| line.at_s == selected.line.at_s && line.workload == selected.line.workload;
        if let Some(place) = listed.lines.iter().position(is_it) {
            return (listed, place);
        }
        listed.ahead = Some(selected);
        listed.lines.insert(0, selected.line.clone());
        (listed, 0)
    }

    /// One request, call by call.
    pub(crate) fn waterfall(&self, place: usize) -> Option<Waterfall> {
        match self.ahead {
            Some(selected) if place == 0 => Some(selected.clone()),
            _ => self.requests?.waterfall(self.lines.get(place)?.index),
        }
    }
}

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let (listed, cursor) = Listed::of(app);
    let lines = &listed.lines;
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let of = match app.zoom {
        Zoom::Whole => "whole run; z: last minute",
        Zoom::Recent => "last minute; z: whole run",
    };
    let count = lines.len() - usize::from(listed.ahead.is_some());
    brush.text(1, 0, &format!("{count} sampled requests, slowest first ({of})"), Role::Faint);
    if lines.is_empty() {
        return;
    }
    let rows = lines.len().min((height / 3).max(3) as usize);
    let first = scrolled(cursor, rows, lines.len());
    let slowest = lines.iter().map(|line| line.took_s).fold(0.0, f64::max);
    for (row, (place, line)) in lines.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = 1 + row as i32;
        let (words, role) = ending(line.outcome);
        brush.text_before(9, y, &figures::seconds(line.took_s), Role::Strong);
        brush.text(11, y, &figures::shorten(words, 12), role);
        brush.text(24, y, &figures::shorten(&line.workload, 16), Role::Text);
        let sent = if line.at_s >= app.snapshot().at_s { "due" } else { "sent" };
        brush.text(41, y, &format!("{sent} {}", figures::clock(line.at_s)), Role::Faint);
        if line.attempts > 1 {
            brush.text(54, y, &format!("{} attempts", line.attempts), Role::Retry);
        }
        let level = if slowest > 0.0 { line.took_s / slowest } else { 0.0 };
        brush.text(66, y, &figures::bar(level, (width - 67).max(0) as usize), role);
        if place == cursor {
            brush.restyle(0, y, width, Role::Cursor);
        }
    }
    let top = 1 + rows as i32;
    for column in 0..width {
        brush.put(column, top, '─', Role::Border);
    }
    if let Some(waterfall) = listed.waterfall(cursor) {
        draw_waterfall(&mut brush, (top + 1, width, height - top - 1), &waterfall);
    }
}

fn ending(outcome: Option<lab::requests::Outcome>) -> (&'static str, Role) {
    match outcome {
        None => ("under way", Role::Paused),
        Some(outcome) if outcome.is_good() => (outcome.name(), Role::Good),
        Some(outcome) => (outcome.name(), Role::Critical),
    }
}

fn draw_waterfall(brush: &mut Brush, (top, width, height): (i32, i32, i32), waterfall: &Waterfall) {
    let line = &waterfall.line;
    // How its time was spent, the largest part first.
    let mut x = brush.text(1, top, &format!("{} of {}:", figures::seconds(line.took_s), line.workload), Role::Strong);
    for (what, place, spent_s) in waterfall.parts() {
        let (word, _, role) = look(what);
        let words = match what {
            Spent::Network => format!("{word} {}", figures::seconds(spent_s)),
            _ => format!("{word} at {place} {}", figures::seconds(spent_s)),
        };
        if x + 2 + words.chars().count() as i32 > width - 1 {
            break;
        }
        x = brush.text(x + 2, top, &words, role);
    }
    let names = (width / 4).clamp(18, 36);
    let columns = (width - names - 20).max(4);
    let rows = (height - 2).max(0) as usize;
    // Wasted work may last a hundred times as long as the request: cut it off.
    let last = waterfall.rows.iter().map(|row| row.until_s).fold(line.took_s, f64::max);
    let whole = if last > line.took_s { last.min(line.took_s * 1.25) } else { line.took_s };
    let scale = Scale { begin: names, columns, whole };
    let shown = if waterfall.rows.len() > rows { rows.saturating_sub(1) } else { rows };
    for (row, call) in waterfall.rows.iter().take(shown).enumerate() {
        draw_row(brush, top + 1 + row as i32, width, &scale, call);
    }
    let hidden = waterfall.rows.len().saturating_sub(shown);
    if hidden > 0 && rows > 0 {
        let more = if waterfall.is_cut { " and those that were not written down" } else { "" };
        brush.text(1, top + 1 + shown as i32, &format!("… {hidden} more calls{more}"), Role::Faint);
    }
    legend(brush, top + height - 1, width);
}

/// Converts seconds to columns.
struct Scale {
    begin: i32,
    columns: i32,
    whole: f64,
}

impl Scale {
    fn column(&self, at_s: f64) -> i32 {
        let share = if self.whole > 0.0 { (at_s / self.whole).min(1.0) } else { 0.0 };
        self.begin + (share * f64::from(self.columns)).round() as i32
    }
}

fn draw_row(brush: &mut Brush, y: i32, width: i32, scale: &Scale, row: &WaterfallRow) {
    let indent = 1 + row.depth.min(8) as i32 * 2;
    let room = (scale.begin - indent - 1).max(1) as usize;
    let name = if row.is_retry { format!("↻ {}", row.name) } else { row.name.clone() };
    brush.text(indent, y, &figures::shorten(&name, room), if row.is_retry { Role::Retry } else { Role::Text });
    let end = scale.begin + scale.columns;
    let (from, until) = (scale.column(row.from_s), scale.column(row.until_s).max(scale.column(row.from_s) + 1));
    let until = until.min(end);
    // For a call under way it is not yet known how the latest time is spent.
    let known_s = row.stretches.last().map_or(row.from_s, |last| last.3);
    for column in from..until {
        let is_known = !row.goes_on || column < scale.column(known_s);
        brush.put(column, y, if is_known { '─' } else { '┄' }, Role::Border);
    }
    for (what, _, from_s, until_s) in &row.stretches {
        let (_, glyph, role) = look(*what);
        let from = scale.column(*from_s);
        // A part shorter than a cell still takes one, unless a later part overwrites it.
        for column in from..scale.column(*until_s).max(from + 1).min(until) {
            brush.put(column, y, glyph, role);
        }
    }
    if let Some(wasted_from_s) = row.wasted_from_s {
        let at = scale.column(wasted_from_s.max(row.from_s));
        brush.restyle(at, y, (until - at).max(0), Role::Faint);
        if wasted_from_s > row.from_s && wasted_from_s < scale.whole {
            brush.put(at, y, '╳', Role::Critical);
        }
    }
    if row.until_s > scale.whole * 1.000_001 {
        brush.put(end, y, '»', Role::Faint);
    }
    let longest = row.stretches.iter().max_by(|one, other| (one.3 - one.2).total_cmp(&(other.3 - other.2)));
    let own_s: f64 = row.stretches.iter().map(|(_, _, from, until)| until - from).sum();
    let took_s = row.until_s - row.from_s;
    let (word, role) = match (longest, row.goes_on) {
        (_, true) => ("goes on", Role::Paused),
        (Some(longest), _) if own_s >= took_s / 2.0 => (look(longest.0).0, look(longest.0).2),
        _ => ("below", Role::Faint),
    };
    brush.text_before(width - 11, y, &figures::seconds(took_s), Role::Strong);
    brush.text(width - 10, y, &figures::shorten(word, 10), role);
}

fn legend(brush: &mut Brush, y: i32, width: i32) {
    let mut x = 1;
    let entries = [
        ("█", Role::Good, "served"),
        ("▒", Role::Strained, "queueing"),
        ("▓", Role::Busy, "pool or lock"),
        ("·", Role::Text, "back-off"),
        ("─", Role::Border, "waits for a call"),
        ("┄", Role::Border, "goes on"),
        ("╳", Role::Critical, "given up: from here for nobody"),
    ];
    for (mark, role, words) in entries {
        if x + 4 + words.chars().count() as i32 > width {
            break;
        }
        x = brush.text(x, y, mark, role) + 1;
        x = brush.text(x, y, words, Role::Faint) + 2;
    }
}
