//! The story of a run: when goodput fell and how deep, what kept it down, and what ended it.
//!
//! It tells the findings about recovery in chronological order, for readers who have not seen the run. There is none if no
//! fault brought goodput down.

use std::collections::BTreeSet;

use lab::result::{Happenings, RunResult};

use super::{Block, Figure, Section};
use crate::charts::{Axis, Chart, Kind, Size, TimelineBar, TimelineLane, TimelineRole, Unit, bounds};
use crate::findings::outages::{Outage, outages};
use crate::happenings;
use crate::over_time;
use crate::units;

/// Maximum number of outages with sentences of their own; the others are on the timeline.
const TOLD_MAX: usize = 3;

/// The section of a page; `None` if there is nothing to tell.
pub(crate) fn section(result: &RunResult) -> Option<Section> {
    let outages = outages(result);
    if outages.is_empty() {
        return None;
    }
    let mut worst: Vec<&Outage> = outages.iter().collect();
    worst.sort_by(|one, other| other.lost.total_cmp(&one.lost));
    worst.truncate(TOLD_MAX);
    worst.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    let mut blocks = vec![Block::Figures(figures(&outages))];
    blocks.extend(worst.into_iter().map(|outage| Block::Paragraph(sentences(result, outage))));
    if outages.len() > TOLD_MAX {
        blocks.push(Block::Paragraph(format!("The timeline shows all {} outages.", outages.len())));
    }
    blocks.push(Block::Chart(Box::new(timeline(result, &outages))));
    Some(Section { heading: "What happened".to_owned(), blocks })
}

fn figures(outages: &[Outage]) -> Vec<Figure> {
    let figure =
        |label: &str, value: String, note: &str| Figure { label: label.to_owned(), value, note: note.to_owned() };
    let low_s: f64 = outages.iter().map(|outage| outage.low_s).sum();
    let lost: f64 = outages.iter().map(|outage| outage.lost).sum();
    let lowest = outages.iter().map(|outage| outage.lowest).fold(1.0, f64::min);
    let open = outages.iter().filter(|outage| outage.back_s.is_none()).count();
    let longest_s = outages.iter().filter_map(|outage| Some(outage.back_s? - outage.ended_s?)).fold(0.0, f64::max);
    let recovery = match (outages.len(), open) {
        (_, 0) => figure("Recovery", units::instant(longest_s), "after the fault ended, at most"),
        (1, _) => figure("Recovery", "none".to_owned(), "until the end of the run"),
        (all, open) => figure("Recovery", format!("{} of {all}", all - open), "outages ended"),
    };
    vec![
        figure("Below 95 %", units::instant(low_s), "of the goodput before"),
        figure("Lowest goodput", units::share(lowest), "of the level before"),
        figure("Requests lost", units::grouped(lost.max(0.0).round() as u64), "compared with before"),
        recovery,
    ]
}

fn sentences(result: &RunResult, outage: &Outage) -> String {
    let at = units::instant(outage.at_s);
    let mut said = match outage.ended_s {
        Some(ended_s) if ended_s > outage.at_s => {
            format!("{} acted from {at} to {}.", outage.name, units::instant(ended_s))
        }
        Some(_) => format!("{} struck at {at}.", outage.name),
        None => format!("{} acted from {at} to the end of the run.", outage.name),
    };
    said.push_str(&format!(" Goodput fell to {} of its level before", units::share(outage.lowest)));
    if outage.low_s > 0.0 {
        said.push_str(&format!(" and was below 95 % for {}", units::instant(outage.low_s)));
    }
    said.push('.');
    match (outage.back_s, outage.ended_s) {
        (Some(back_s), Some(ended_s)) if back_s <= ended_s => said.push_str(" It was back as soon as the fault ended."),
        (Some(back_s), Some(ended_s)) => {
            let after = units::instant(back_s - ended_s);
            let remedy =
                remedy(result, outage, back_s).map_or_else(String::new, |words| format!(" and{}", &words[1..]));
            said.push_str(&format!(
                " It was back at {}, {after} after the fault ended{remedy}.",
                units::instant(back_s)
            ));
        }
        (None, Some(_)) => {
            said.push_str(&format!(" It had not recovered by {}.", units::instant(outage.until_s)));
            said.push_str(&outage.because);
        }
        (Some(back_s), None) => {
            let remedy = remedy(result, outage, back_s).unwrap_or_default();
            said.push_str(&format!(
                " It was back at {}{remedy}, although the fault still acted.",
                units::instant(back_s)
            ));
        }
        (None, None) => {}
    }
    if outage.lost >= 0.5 {
        said.push_str(&format!(" {} requests were lost.", units::grouped(outage.lost.round() as u64)));
    }
    said
}

/// The operators' last action before goodput recovered.
fn remedy(result: &RunResult, outage: &Outage, back_s: f64) -> Option<String> {
    let before = result.events.iter().filter(|event| event.at_s > outage.at_s && event.at_s <= back_s);
    let last = before.max_by(|one, other| one.at_s.total_cmp(&other.at_s))?;
    let after = units::instant(back_s - last.at_s);
    Some(format!(", {after} after {} (event)", over_time::fault_name(last)))
}

fn timeline(result: &RunResult, outages: &[Outage]) -> Chart {
    let end_s = over_time::end_s(result);
    let bar = |name: &str, from_s: f64, until_s: f64| TimelineBar { name: name.to_owned(), from_s, until_s };
    let faults = result.faults.iter().map(|fault| {
        bar(over_time::fault_name(fault), fault.at_s, fault.until_s.unwrap_or(end_s).clamp(fault.at_s, end_s))
    });
    let sustained = outages.iter().filter_map(|outage| {
        let (from_s, until_s) = (outage.ended_s?, outage.back_s.unwrap_or(outage.until_s));
        let name = if outage.back_s.is_some() { "recovering" } else { "down" };
        (until_s > from_s).then(|| bar(name, from_s, until_s))
    });
    let events = result.events.iter().map(|event| {
        bar(over_time::fault_name(event), event.at_s, event.until_s.unwrap_or(event.at_s).clamp(event.at_s, end_s))
    });
    let lane =
        |name: &str, role: TimelineRole, bars: Vec<TimelineBar>| TimelineLane { name: name.to_owned(), role, bars };
    let mut lanes = vec![
        lane("trigger", TimelineRole::Trigger, faults.collect()),
        lane("sustained", TimelineRole::Sustained, sustained.collect()),
        lane("breaker", TimelineRole::Policy, open_breakers(result, end_s)),
        lane("remedy", TimelineRole::Remedy, events.collect()),
    ];
    lanes.retain(|lane| !lane.bars.is_empty());
    let goodput = over_time::workload_total(result, "goodput");
    let windows = over_time::shown(goodput.len(), |window| goodput[window]);
    let at_s = &result.series.at_s;
    Chart {
        title: "Timeline".to_owned(),
        subtitle: "goodput, what brought it down, what kept it down, and what was done about it".to_owned(),
        x: Axis::linear("simulated time", Unit::Instant),
        y: Axis::linear("goodput", Unit::PerSecond),
        bounds: bounds(result, &["goodput".to_owned()]),
        kind: Kind::Timeline {
            goodput: windows.iter().map(|window| (at_s[*window], goodput[*window])).collect(),
            window_s: result.series.window_s,
            lanes,
            happenings: happenings::marks(result),
        },
        size: Size::default(),
    }
}

/// When breakers were not closed, by link; those of several replicas count together. A link of which not every change is known has none.
fn open_breakers(result: &RunResult, end_s: f64) -> Vec<TimelineBar> {
    let mut bars = Vec::new();
    let opened = result.happenings.iter().filter(|of| of.name == "breaker_opened");
    for opened in opened {
        let closed = result.happenings.iter().find(|of| of.name == "breaker_closed" && of.place == opened.place);
        if [Some(opened), closed].into_iter().flatten().any(|of| happenings::left_out(of) > 0) {
            continue;
        }
        let changes = |of: Option<&'_ Happenings>, opens: bool| -> Vec<(f64, Option<u32>, bool)> {
            let all = of.into_iter().flat_map(|of| of.first.iter().chain(&of.last));
            all.map(|at| (at.at_s, at.replica, opens)).collect()
        };
        let mut changes = [changes(Some(opened), true), changes(closed, false)].concat();
        changes.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut open, mut since) = (BTreeSet::new(), 0.0);
        let mut bar = |from_s: f64, until_s: f64| {
            bars.push(TimelineBar { name: opened.place.clone(), from_s: from_s.max(0.0), until_s: until_s.max(0.0) });
        };
        for (at_s, replica, opens) in changes {
            let was_open = !open.is_empty();
            match opens {
                true => open.insert(replica),
                false => open.remove(&replica),
            };
            match (was_open, open.is_empty()) {
                (false, false) => since = at_s,
                (true, true) => bar(since, at_s),
                (false, true) | (true, false) => {}
            }
        }
        if !open.is_empty() {
            bar(since, end_s);
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use lab::result::HappenedAt;

    use super::*;
    use crate::sample;

    #[test]
    fn an_outage_is_told_from_its_trigger_to_what_keeps_it_going() {
        let storm = sample::storm();
        let section = section(&storm).expect("a story");
        let Block::Paragraph(text) = &section.blocks[1] else { panic!("sentences: {:?}", section.blocks) };
        assert!(text.contains("acted from 1m to 1m20s. Goodput fell to"), "{text}");
        assert!(text.contains("It had not recovered by 5m. It stays down because"), "{text}");
        let Some(Block::Chart(chart)) = section.blocks.last() else { panic!("a timeline") };
        let Kind::Timeline { lanes, .. } = &chart.kind else { panic!("a timeline") };
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(names, ["trigger", "sustained"]);
        assert_eq!((lanes[1].bars[0].from_s, lanes[1].bars[0].until_s), (80.0, 300.0));
    }

    #[test]
    fn a_breaker_is_open_from_its_opening_to_its_closing() {
        let happened = |name: &str, at: &[(f64, u32)]| Happenings {
            name: name.to_owned(),
            place: "shop.pay".to_owned(),
            count: at.len() as u64,
            first: at
                .iter()
                .map(|(at_s, replica)| HappenedAt { at_s: *at_s, replica: Some(*replica), about: None })
                .collect(),
            ..Happenings::default()
        };
        let mut storm = sample::storm();
        // It fails its trial at 20 s, so it opens again without having closed; the other replica's is open from 25 s to 40 s.
        storm.happenings = vec![
            happened("breaker_opened", &[(10.0, 0), (20.0, 0), (25.0, 1), (50.0, 0)]),
            happened("breaker_closed", &[(30.0, 0), (40.0, 1)]),
        ];
        let spans: Vec<(f64, f64)> = open_breakers(&storm, 60.0).iter().map(|bar| (bar.from_s, bar.until_s)).collect();
        assert_eq!(spans, [(10.0, 40.0), (50.0, 60.0)]);
        storm.happenings[0].count = 1_000;
        assert_eq!(open_breakers(&storm, 60.0), []);
    }

    #[test]
    fn without_an_outage_there_is_no_story() {
        let mut calm = sample::calm();
        calm.faults.clear();
        assert!(section(&calm).is_none());
    }
}
