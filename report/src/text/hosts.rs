//! The hosts: utilisation of their cores, runnable tasks, and the cost of context switches.

use lab::result::{HostsResult, RunResult};

use super::paint::{Ink, Page, Span};
use super::table::{Column, Table};
use crate::units;

/// Share of the cores in use, or spent on switching, above which it is highlighted.
const BUSY: f64 = 0.9;

pub(super) fn hosts(page: &mut Page, result: &RunResult) {
    if result.hosts.is_empty() {
        return;
    }
    page.line(&[Span::new("Hosts", Ink::Strong)]);
    let mut table = Table::new(vec![
        Column::left(""),
        Column::right("hosts"),
        Column::right("busy"),
        Column::right("runnable"),
        Column::right("switches").spare(2),
        Column::right("switching"),
        Column::right("credits").spare(1),
        Column::right("memory"),
    ]);
    for (name, hosts) in &result.hosts {
        table.row(row(name, hosts, result.run.duration_s));
    }
    table.write(page, 0);
    page.gap();
}

fn row(name: &str, hosts: &HostsResult, duration_s: f64) -> Vec<Span> {
    let own = |figure: &str, text: &dyn Fn(f64) -> String| {
        hosts.own.value(figure).map_or_else(Span::default, |value| Span::plain(text(value)))
    };
    vec![
        Span::new(name, Ink::Strong),
        Span::plain(units::grouped(u64::from(hosts.count))),
        hosts.cpu.map_or_else(Span::default, |cpu| {
            Span::new(units::share(cpu), if cpu >= BUSY { Ink::Warning } else { Ink::Plain })
        }),
        own("runnable", &units::quantity),
        own("switches", &|count| units::or_unknown((duration_s > 0.0).then(|| count / duration_s), units::rate)),
        own("switch_cpu", &|cores| format!("{} cores", units::quantity(cores))),
        own("credits", &units::time),
        hosts.own.value("memory").map_or_else(Span::default, |used| memory(used, hosts.own.value("memory_size"))),
    ]
}

/// Memory in use, of what there is.
fn memory(used: f64, size: Option<f64>) -> Span {
    match size {
        Some(size) => {
            let ink = if used >= BUSY * size { Ink::Warning } else { Ink::Plain };
            Span::new(format!("{} of {}", units::size(used), units::size(size)), ink)
        }
        None => Span::plain(units::size(used)),
    }
}
