//! The figures listed on a reference page, from their declarations.

use models::figures::{declared, of_components, of_hosts, of_links, of_workloads};
use settings::reference::{FigureRow, Measured};
use sim_core::Figure;
use sim_core::figures::{Dimension, Merge, Unit};

/// The figures of a topic: those that its kind or policy declares, and on the page of a section, those of every
/// workload, component or link.
pub(super) fn measured(group: &str, name: &str) -> Measured {
    let own = declared().filter(|declared| declared.group == group && declared.owner == name);
    let own = own.flat_map(|declared| declared.figures);
    let (of_all, intro) = match (group, name) {
        ("components", _) => (None, "Metrics of `components.NAME`, beside those of all components.".to_string()),
        ("link settings", _) => (None, "Metrics of `links.FROM.LINK`, where the setting is written.".to_string()),
        ("sections", "workloads") => (
            Some(of_workloads::FIGURES),
            "Metrics of `workloads.NAME`. Where its requests ask for several operations, those of requests also of each: \
             `workloads.NAME.ops.OP`. An objective, and `find`, that name a percentile of `latency` mean `latency_all`."
                .to_string(),
        ),
        ("sections", "hosts") => (
            Some(of_hosts::FIGURES),
            "Metrics of `hosts.NAME`. `hosts.NAME[N].cpu` is that of host N alone, from 0.".to_string(),
        ),
        ("sections", "components") => (
            Some(of_components::FIGURES),
            "Metrics of `components.NAME`; some kinds have more. `components.NAME[N]` is replica N alone, from 0, of which \
             calls and latencies are not counted apart. Where it can be asked for several operations, `arrivals`, \
             `completed`, `latency` and `outcomes` are also those of each: `components.NAME.ops.OP`."
                .to_string(),
        ),
        ("sections", "link") => (
            Some(of_links::FIGURES),
            "Metrics of `links.FROM.LINK`, where FROM is the calling component or workload; policies have more. The link \
             of a workload is `call`."
                .to_string(),
        ),
        _ => return Measured::default(),
    };
    let figures = of_all.into_iter().flatten().chain(own).filter(|figure| !figure.is_for_screens);
    Measured { intro, rows: figures.map(|figure| row(figure)).collect() }
}

fn row(figure: &Figure) -> FigureRow {
    let kept = if figure.is_kept { " Every run keeps it over time." } else { "" };
    FigureRow { metric: metric(figure), unit: unit(figure).to_string(), doc: format!("{}{kept}", figure.doc) }
}

/// The name of a figure, including the pattern of its parts.
fn metric(figure: &Figure) -> String {
    let name = figure.name;
    match (figure.by, figure.merge) {
        (Some(Dimension::Outcome), _) => format!("{name}.OUTCOME"),
        (Some(Dimension::Op), _) => format!("{name}.OP"),
        (None, Merge::Times) => format!("{name}.*"),
        (None, Merge::States(states)) => format!("{name}.({})", states.join(", ")),
        (None, Merge::Count | Merge::Net | Merge::Level | Merge::Gauge | Merge::Ratio | Merge::Max | Merge::Peak) => {
            name.to_string()
        }
    }
}

fn unit(figure: &Figure) -> &'static str {
    match (figure.merge, figure.unit) {
        (Merge::States(_), _) => "shares of time",
        (Merge::Times, _) => "times",
        (_, Unit::Seconds) => "time",
        (_, Unit::PerSecond) => "per second",
        (_, Unit::Fraction) => "share",
        (_, Unit::Count) => "count",
        (_, Unit::Bytes) => "bytes",
        (_, Unit::Number) => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Style, topics};

    #[test]
    fn every_declared_figure_is_on_the_page_of_its_owner() {
        let topics = topics();
        let mut told = 0;
        for declared in declared() {
            let is_owner =
                |topic: &&crate::reference::Topic| topic.group == declared.group && topic.name == declared.owner;
            let topic = topics.iter().find(is_owner).unwrap_or_else(|| panic!("{declared:?} has no page"));
            let (markdown, text) = (topic.page(Style::Markdown), topic.page(Style::Text));
            for figure in declared.figures.iter().filter(|figure| !figure.is_for_screens) {
                assert!(markdown.contains(&format!("| `{}` | {}", metric(figure), unit(figure))), "{markdown}");
                assert!(text.contains(&format!("  {}: {}", metric(figure), unit(figure))), "{text}");
                told += 1;
            }
        }
        assert!(told > 20, "{told}");
    }
}
