//! The screens, one file each, and the frame around them:
//!
//! ```text
//! brownout  Checkout under a slow database          ▶ ×10        1:12.3 / 5:00      header
//!  1 Topology  2 Charts  3 Component  5 Events  6 Knobs  7 Faults                   tabs
//!  offered 1.2k/s   good 310/s 26 %    p50 80 ms   p99 3.0 s   ▇▇▇▇▅▂▁▁▁▂▅▇▇        headline, one per future
//!                                                                                   body
//!  ├━━━━━━━━▒▒▒▒▒▒━━━━━━●┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┤          timeline
//!  space pause  . step  + faster  - slower  ← rewind  b branch  ? help              footer
//! ```
//!
//! Everything is drawn from `&App`, without any state between frames.

pub(crate) mod charts;
pub(crate) mod component;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod hosts;
pub(crate) mod knobs;
pub(crate) mod menu;
pub(crate) mod overlay;
pub(crate) mod refused;
pub(crate) mod requests;
pub(crate) mod timeline;
pub(crate) mod topology;

use lab::result::Snapshot;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};

use crate::app::App;
use crate::brush::Brush;
use crate::diagram::BoxFigures;
use crate::figures;
use crate::keys::{self, Place, Screen};
use crate::player::{Future, Pace};
use crate::theme::{Role, Theme};

/// The smallest readable screen.
const SMALLEST: (u16, u16) = (50, 14);

/// The parts of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) header: Rect,
    pub(crate) tabs: Rect,
    pub(crate) headlines: Rect,
    pub(crate) body: Rect,
    pub(crate) caption: Rect,
    pub(crate) timeline: Rect,
    pub(crate) footer: Rect,
}

impl Areas {
    /// The parts of a screen of the given size.
    pub(crate) fn new(size: Rect, app: &App) -> Areas {
        let caption = app.caption().map_or(0, |text| lines_of(&text, caption_width(size)).len() as u16);
        let headlines = app.view.futures.len() as u16;
        let layout = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(headlines),
            Constraint::Fill(1),
            Constraint::Length(caption),
            Constraint::Length(2),
            Constraint::Length(1),
        ]);
        let [header, tabs, headlines, body, caption, timeline, footer] = size.layout(&layout);
        Areas { header, tabs, headlines, body, caption, timeline, footer }
    }
}

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, app: &App) {
    let size = frame.area();
    let buffer = frame.buffer_mut();
    if size.width < SMALLEST.0 || size.height < SMALLEST.1 {
        let words = format!("needs {}×{} cells", SMALLEST.0, SMALLEST.1);
        Brush::new(buffer, size, app.theme).text(0, 0, &words, Role::Problem);
        return;
    }
    let areas = Areas::new(size, app);
    header(buffer, areas.header, app);
    tabs(buffer, areas.tabs, app);
    for (row, future) in app.view.futures.iter().enumerate() {
        let line = Rect { y: areas.headlines.y + row as u16, height: 1, ..areas.headlines };
        headline(buffer, line.intersection(areas.headlines), app, future);
    }
    match app.screen {
        Screen::Topology => topology::draw(buffer, areas.body, app),
        Screen::Charts => charts::draw(buffer, areas.body, app),
        Screen::Component => component::draw(buffer, areas.body, app),
        Screen::Requests => requests::draw(buffer, areas.body, app),
        Screen::Events => events::draw(buffer, areas.body, app),
        Screen::Knobs => knobs::draw(buffer, areas.body, app),
        Screen::Faults => faults::draw(buffer, areas.body, app),
        Screen::Hosts => hosts::draw(buffer, areas.body, app),
    }
    caption(buffer, areas.caption, app);
    timeline::draw(buffer, areas.timeline, app);
    footer(buffer, areas.footer, app);
    overlay::draw(buffer, areas.body, app);
}

fn header(buffer: &mut Buffer, area: Rect, app: &App) {
    let view = &app.view;
    let snapshot = app.snapshot();
    let mut brush = Brush::new(buffer, area, app.theme);
    let width = i32::from(area.width);
    let now = figures::clock_of_steps(snapshot.at_s, view.window_ns);
    let instant = format!("{now} / {}", figures::clock_short(snapshot.until_s));
    let right = brush.text_before(width - 1, 0, &instant, Role::Strong);
    let (state, role) = if view.seeking_ns.is_some() {
        (
            format!("» {}", view.seeking_ns.map_or(String::new(), |at| figures::clock_short(at as f64 / 1e9))),
            Role::Playing,
        )
    } else if snapshot.finished || view.now_ns >= view.end_ns {
        ("■ end".to_string(), Role::Paused)
    } else if view.playing {
        (format!("▶ {}", pace(app)), Role::Playing)
    } else {
        (format!("‖ {}", pace(app)), Role::Paused)
    };
    let right = brush.text_before(right - 3, 0, &state, role);
    let after = brush.text(1, 0, "brownout", Role::Brand);
    let room = (right - after - 4).max(0) as usize;
    brush.text(after + 2, 0, &figures::shorten(&snapshot.scenario, room), Role::Strong);
}

/// The pace in words, and the pace reached if the machine cannot keep up.
fn pace(app: &App) -> String {
    let wanted = match app.view.pace {
        Pace::FlatOut => "flat out".to_string(),
        Pace::Times(times) => format!("×{}", figures::number(times)),
    };
    match (app.view.actual.filter(|actual| *actual > 0.0), app.view.pace) {
        (Some(actual), Pace::FlatOut) => format!("{wanted} ×{}", figures::number(actual)),
        (Some(actual), Pace::Times(times)) if actual < times * 0.8 => {
            format!("{wanted} (×{})", figures::number(actual))
        }
        _ => wanted,
    }
}

/// The tabs, with their texts and first columns.
fn tab_columns(app: &App, area: Rect) -> Vec<(Screen, String, u16)> {
    let screens = app.screens();
    let letters: usize = screens.iter().map(|screen| screen.title().chars().count() + 4).sum();
    let room = usize::from(area.width).saturating_sub(1);
    let (gap, whole) = (u16::from(letters + screens.len() <= room), letters <= room);
    let mut x = area.x + 1;
    let mut columns = Vec::new();
    for screen in screens {
        let digit = Screen::ALL.iter().position(|&other| other == screen).unwrap_or(0) + 1;
        let title = if whole || screen == app.screen { screen.title() } else { &screen.title()[..4] };
        let text = format!(" {digit} {title} ");
        let width = text.chars().count() as u16;
        columns.push((screen, text, x));
        x += width + gap;
    }
    columns
}

fn tabs(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    for (screen, text, x) in tab_columns(app, area) {
        let x = i32::from(x - area.x);
        if screen == app.screen {
            brush.text(x, 0, &text, Role::Tab);
        } else {
            brush.text(x, 0, &text, Role::Faint);
            brush.restyle(x + 1, 0, 1, Role::Key);
        }
    }
    if app.view.futures.len() > 1 {
        let end =
            tab_columns(app, area).last().map_or(0, |(_, text, x)| i32::from(x - area.x) + text.chars().count() as i32);
        let words = format!(" changes act on {} ", app.view.focus.letter());
        if end + words.chars().count() as i32 <= i32::from(area.width) {
            brush.text_before(i32::from(area.width), 0, &words, Role::Branch);
        }
    }
}

/// The tab at a cell.
pub(crate) fn tab_at(app: &App, area: Rect, at: Position) -> Option<Screen> {
    if !area.contains(at) {
        return None;
    }
    tab_columns(app, area)
        .into_iter()
        .find(|(_, text, x)| (*x..*x + text.chars().count() as u16).contains(&at.x))
        .map(|(screen, ..)| screen)
}

/// The figures of all callers together in one future.
pub(crate) fn callers(snapshot: &Snapshot) -> BoxFigures {
    let workloads: Vec<usize> =
        (0..snapshot.topology.nodes.len()).filter(|&index| snapshot.topology.nodes[index].is_workload).collect();
    BoxFigures::of(snapshot, &workloads)
}

fn headline(buffer: &mut Buffer, area: Rect, app: &App, future: &Future) {
    let all = callers(&future.snapshot);
    let share = if all.arrivals > 0.0 { (all.good / all.arrivals).min(1.0) } else { 1.0 };
    let role = if all.arrivals > 0.0 { Theme::errors(1.0 - share) } else { Role::Idle };
    let mut brush = Brush::new(buffer, area, app.theme);
    let mut x = 1;
    if app.view.futures.len() > 1 {
        let role = side_role(future);
        x = brush.text(x, 0, &format!("{} ", future.side.letter()), role) + 1;
    }
    let mut pair = |brush: &mut Brush, label: &str, value: &str, width: usize, role: Role| {
        x = brush.text(x, 0, label, Role::Faint) + 1;
        x = brush.text(x, 0, &format!("{value:<width$}"), role) + 1;
        x
    };
    pair(&mut brush, "offered", &figures::rate(all.arrivals), 8, Role::Text);
    let shown = if all.arrivals > 0.0 { figures::share(share) } else { "–".into() };
    pair(&mut brush, "good", &format!("{} {shown}", figures::rate(all.good)), 15, role);
    pair(&mut brush, "p99", &figures::seconds_or_dash(all.latency_p99_s), 7, Role::Text);
    let mut end = pair(&mut brush, "in flight", &figures::count(all.in_flight), 6, Role::Text);
    if i32::from(area.width) - end > 30 {
        end = pair(&mut brush, "p50", &figures::seconds_or_dash(all.latency_p50_s), 7, Role::Text);
    }
    let room = i32::from(area.width) - end - 1;
    if room >= 8 {
        let points = charts::summed(&future.snapshot, "goodput");
        let most = charts::summed(&future.snapshot, "sent").iter().filter_map(|point| point.1).fold(0.0, f64::max);
        for (column, value) in points.iter().rev().take(room as usize).enumerate() {
            let level = value.1.map_or(0.0, |value| if most > 0.0 { value / most } else { 0.0 });
            brush.put(i32::from(area.width) - 2 - column as i32, 0, figures::block(level), Role::Good);
        }
    }
}

/// The role of a future's letter.
pub(crate) fn side_role(future: &Future) -> Role {
    match future.side {
        crate::deck::Side::Original => Role::Original,
        crate::deck::Side::Branch => Role::Branch,
    }
}

fn caption_width(size: Rect) -> usize {
    usize::from(size.width).saturating_sub(20).max(20)
}

/// Breaks a text into lines of at most `width` letters.
pub(crate) fn lines_of(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let length = lines.last().map_or(0, |line| line.chars().count());
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn caption(buffer: &mut Buffer, area: Rect, app: &App) {
    let Some(text) = app.caption().filter(|_| area.height > 0) else { return };
    let mut brush = Brush::new(buffer, area, app.theme);
    let width = i32::from(area.width);
    for (row, line) in lines_of(&text, caption_width(app_size(area))).into_iter().enumerate() {
        let row = row as i32;
        brush.text(0, row, &" ".repeat(area.width as usize), Role::Caption);
        brush.text(2, row, &line, Role::Caption);
    }
    let hint = if app.view.playing { "esc ends the tour" } else { "space continues" };
    brush.text_before(width - 2, i32::from(area.height) - 1, hint, Role::Caption);
}

fn app_size(area: Rect) -> Rect {
    Rect { x: 0, y: 0, ..area }
}

fn footer(buffer: &mut Buffer, area: Rect, app: &App) {
    if let Some((text, bad, _)) = app.notice.as_ref().filter(|_| app.open == crate::app::Open::Nothing) {
        let role = if *bad { Role::Problem } else { Role::Strong };
        let mark = if *bad { "✗ " } else { "• " };
        let words = figures::shorten(&format!("{mark}{text}"), area.width.saturating_sub(2) as usize);
        Brush::new(buffer, area, app.theme).text(1, 0, &words, role);
        return;
    }
    footer_line(buffer, area, app.theme, app.place(), app.view.playing);
}

/// Draws the keys of a place in one line.
pub(crate) fn footer_line(buffer: &mut Buffer, area: Rect, theme: Theme, place: Place, playing: bool) {
    let mut brush = Brush::new(buffer, area, theme);
    let width = i32::from(area.width);
    let rows = keys::footer(place);
    // Help and quit always stay.
    let fixed = |label: &str| label == "?" || label == "q";
    let length = |(label, short): &(&str, &str)| (label.chars().count() + short.chars().count() + 3) as i32;
    let reserved: i32 = rows.iter().filter(|row| fixed(row.0)).map(length).sum();
    let mut x = 1;
    for row in &rows {
        let needed = length(row) + if fixed(row.0) { 0 } else { reserved };
        if x + needed > width + 1 {
            continue;
        }
        x = brush.text(x, 0, row.0, Role::Key) + 1;
        let short = if row.0 == "space" && !playing { "play" } else { row.1 };
        x = brush.text(x, 0, short, Role::Faint) + 2;
    }
}

/// Draws a frame with rounded corners and a title.
pub(crate) fn frame(brush: &mut Brush, (x, y, width, height): (i32, i32, i32, i32), title: &str, role: Role) {
    if width < 2 || height < 2 {
        return;
    }
    for column in x + 1..x + width - 1 {
        brush.put(column, y, '─', role);
        brush.put(column, y + height - 1, '─', role);
    }
    for row in y + 1..y + height - 1 {
        brush.put(x, row, '│', role);
        brush.put(x + width - 1, row, '│', role);
    }
    for (column, row, corner) in
        [(x, y, '╭'), (x + width - 1, y, '╮'), (x, y + height - 1, '╰'), (x + width - 1, y + height - 1, '╯')]
    {
        brush.put(column, row, corner, role);
    }
    if !title.is_empty() {
        let title = figures::shorten(title, (width - 6).max(0) as usize);
        brush.text(x + 2, y, &format!(" {title} "), Role::Strong);
    }
}

/// The first row to show so that the cursor is visible.
pub(crate) fn scrolled(cursor: usize, rows: usize, count: usize) -> usize {
    cursor.saturating_sub(rows / 2).min(count.saturating_sub(rows))
}
