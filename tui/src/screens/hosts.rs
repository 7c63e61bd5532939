//! The hosts: utilisation of their cores, runnable tasks, the cost of context switches, and the components on them.

use lab::result::{HostNow, OnHost, Snapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;
use crate::brush::Brush;
use crate::figures;
use crate::screens::scrolled;
use crate::theme::{Role, Theme};

/// A line of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line<'s> {
    /// A host.
    Host(&'s HostNow),
    /// The replicas of a component on the host above.
    Component(&'s OnHost),
}

/// The lines, each host followed by its components.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<Line<'_>> {
    let of = |host| std::iter::once(Line::Host(host)).chain(host.components.iter().map(Line::Component));
    snapshot.hosts.iter().flat_map(of).collect()
}

/// The columns after the name.
const COLUMNS: [(&str, i32); 6] =
    [("cores", 18), ("in use", 25), ("runnable", 42), ("switching", 52), ("credits", 68), ("memory", 76)];

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let snapshot = app.snapshot();
    let lines = lines(snapshot);
    brush.text(2, 0, "host", Role::Faint);
    for (heading, x) in COLUMNS {
        brush.text(x, 0, heading, Role::Faint);
    }
    let rows = usize::from(area.height).saturating_sub(1);
    let cursor = app.cursors.host.min(lines.len().saturating_sub(1));
    let first = scrolled(cursor, rows, lines.len());
    for (row, (index, line)) in lines.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = row as i32 + 1;
        match line {
            Line::Host(one) => host(&mut brush, y, one),
            Line::Component(on) => component(&mut brush, y, i32::from(area.width), app, on),
        }
        if index == cursor {
            brush.restyle(0, y, i32::from(area.width), Role::Cursor);
        }
    }
}

fn host(brush: &mut Brush, y: i32, host: &HostNow) {
    let [cores, used, runnable, switching, credits, memory] = COLUMNS.map(|(_, x)| x);
    brush.text(2, y, &figures::shorten(&host.name, 15), Role::Strong);
    let words = match host.cores_left < host.cores {
        true => format!("{}/{}", figures::number(host.cores_left), figures::number(host.cores)),
        false => figures::number(host.cores),
    };
    brush.text(cores, y, &words, if host.cores_left < host.cores { Role::Fault } else { Role::Text });
    let after = brush.text(used, y, &figures::bar(host.cpu, 10), Theme::load(Some(host.cpu)));
    brush.text(after + 1, y, &figures::share(host.cpu), Theme::load(Some(host.cpu)));
    let waits = host.runnable as f64 > host.cores;
    brush.text(runnable, y, &figures::count(host.runnable), if waits { Role::Strained } else { Role::Text });
    if let Some((switches, spent)) = host.switches.zip(host.switch_cpu) {
        let share = if host.cores > 0.0 { spent / host.cores } else { 0.0 };
        let words = format!("{}, {}", figures::rate(switches), figures::share(share));
        brush.text(switching, y, &words, if share >= 0.1 { Role::Strained } else { Role::Text });
    }
    if let Some(left_s) = host.credits_s {
        brush.text(credits, y, &figures::seconds(left_s), if left_s < 1.0 { Role::Strained } else { Role::Text });
    }
    if let Some(used) = host.memory {
        let share = host.memory_size.map(|size| used as f64 / (size.max(1)) as f64);
        let words = match host.memory_size {
            Some(size) => format!("{} of {}", figures::bytes(used), figures::bytes(size)),
            None => figures::bytes(used),
        };
        brush.text(memory, y, &words, Theme::load(share));
    }
}

fn component(brush: &mut Brush, y: i32, width: i32, app: &App, on: &OnHost) {
    let name = app.topology().nodes.get(on.node).map_or("", |node| node.name.as_str());
    let words = if on.replicas == 1 { name.to_string() } else { format!("{name} ×{}", on.replicas) };
    brush.text(4, y, &figures::shorten(&words, 13), Role::Text);
    let [_, used, runnable, switching, _, memory] = COLUMNS.map(|(_, x)| x);
    let cores = match on.limit {
        Some(limit) => format!("{} of {} cores", figures::number(on.cores), figures::number(limit)),
        None => format!("{} cores", figures::number(on.cores)),
    };
    brush.text(used, y, &cores, Role::Text);
    brush.text(runnable, y, &figures::count(on.runnable), Role::Text);
    if let Some(throttled) = on.throttled.filter(|throttled| *throttled > 0.0) {
        let words = format!("throttled {} of periods", figures::share(throttled));
        brush.text(switching, y, &figures::shorten(&words, (width - switching - 1).max(4) as usize), Role::Strained);
    }
    if let Some(used) = on.memory {
        brush.text(memory, y, &figures::bytes(used), Role::Text);
    }
}
