//! The event log: faults, the user's changes, happenings reported by the simulation, and events derived from the series:
//! saturation, growing queues, retry storms, goodput that collapses and recovers.
//!
//! All events derive from the snapshot of one future, so that rewinding removes events and playing on restores them.

use lab::happenings::{Moment, SHOWN, moments};
use lab::history::History;
use lab::result::{FaultWindow, Happened, Snapshot};

use crate::figures;
use crate::player::Future;

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A fault begins or ends.
    Fault,
    /// The user or an operator of the scenario changed something.
    Change,
    /// A happening that a component or a link recorded.
    Told,
    /// Something got worse.
    Worse,
    /// Something got better.
    Better,
}

impl Sort {
    /// A mark that identifies the kind without colour.
    pub fn mark(self) -> char {
        match self {
            Sort::Fault => '↯',
            Sort::Change => '✎',
            Sort::Told => '◆',
            Sort::Worse => '▲',
            Sort::Better => '▽',
        }
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Time, s.
    pub at_s: f64,
    /// Its kind.
    pub sort: Sort,
    /// The component or workload concerned.
    pub target: String,
    /// Its description.
    pub what: String,
}

/// All events of a future, oldest first.
pub fn of(future: &Future) -> Vec<Event> {
    let snapshot = &*future.snapshot;
    let mut events = Vec::new();
    timed(&snapshot.faults, Sort::Fault, &mut events);
    timed(&snapshot.operator_events, Sort::Change, &mut events);
    told(snapshot, &mut events);
    for change in &future.changes {
        let at_s = change.at_ns as f64 / 1e9;
        events.push(Event { at_s, sort: Sort::Change, target: String::new(), what: change.doing.to_string() });
    }
    for happening in &future.happenings {
        let sort = if happening.bad { Sort::Worse } else { Sort::Better };
        events.push(Event {
            at_s: happening.at_s,
            sort,
            target: happening.target.clone(),
            what: happening.what.clone(),
        });
    }
    for node in &snapshot.topology.nodes {
        match node.is_workload {
            true => goodput(&snapshot.series, &node.name, &mut events),
            false => component(&snapshot.series, &node.name, &mut events),
        }
    }
    events.retain(|event| event.at_s <= snapshot.at_s + 1e-9);
    events.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    events
}

/// Starts and ends of faults, or of actions of operators.
fn timed(windows: &[FaultWindow], sort: Sort, events: &mut Vec<Event>) {
    for fault in windows {
        let target = fault.targets.join(" ");
        let words = match &fault.name {
            Some(name) => format!("{name}: {}", fault.what),
            None => fault.what.clone(),
        };
        let what = match &fault.note {
            Some(note) => format!("{words} ({note})"),
            None => words.clone(),
        };
        events.push(Event { at_s: fault.at_s, sort, target: target.clone(), what });
        if let Some(until) = fault.until_s {
            events.push(Event { at_s: until, sort: Sort::Better, target, what: format!("over: {words}") });
        }
    }
}

/// Happenings. If the snapshot leaves some out, their number appears between the oldest and the newest.
fn told(snapshot: &Snapshot, events: &mut Vec<Event>) {
    let left_out = snapshot.happened_left_out;
    let first = if left_out > 0 { snapshot.happened.len().min(SHOWN / 2) } else { snapshot.happened.len() };
    let (first, last) = snapshot.happened.split_at(first);
    let lines = |part: &[Happened]| -> Vec<Event> {
        let happened = part.iter().map(|one| (one.name, one.place.as_str(), &one.at));
        let line = |moment: &Moment<'_>| Event {
            at_s: moment.at_s,
            sort: Sort::Told,
            target: moment.place.to_string(),
            what: moment.words(),
        };
        moments(happened).iter().map(line).collect()
    };
    events.extend(lines(first));
    if let Some(before) = first.last().filter(|_| left_out > 0) {
        let what = format!("{} more happenings are left out here", figures::number(left_out as f64));
        events.push(Event { at_s: before.at.at_s, sort: Sort::Told, target: String::new(), what });
    }
    events.extend(lines(last));
}

/// Calls `found` with the end of each window and its value, if it has one.
fn walk(series: &History, column: &str, mut found: impl FnMut(f64, f64)) {
    let Some(values) = series.column(column) else { return };
    for (begin, value) in series.begins().zip(values) {
        if let Some(value) = value {
            found(begin + series.window_s, value);
        }
    }
}

fn component(series: &History, name: &str, events: &mut Vec<Event>) {
    let mut push = |at_s: f64, sort: Sort, what: String| {
        events.push(Event { at_s, sort, target: name.to_string(), what });
    };
    // Use different thresholds for start and end; otherwise a fluctuating value would fill the log.
    let mut saturated = false;
    walk(series, &format!("components.{name}.utilization"), |at_s, value| {
        if !saturated && value >= 0.99 {
            push(at_s, Sort::Worse, "saturated".into());
        } else if saturated && value < 0.8 {
            push(at_s, Sort::Better, format!("no longer saturated: {}", figures::share(value)));
        }
        saturated = value >= if saturated { 0.8 } else { 0.99 };
    });
    let mut storm = false;
    walk(series, &format!("components.{name}.amplification"), |at_s, value| {
        if !storm && value >= 1.5 {
            push(at_s, Sort::Worse, format!("retries multiply its load {}", figures::factor(value)));
        } else if storm && value < 1.1 {
            push(at_s, Sort::Better, "retries have calmed down".into());
        }
        storm = value >= if storm { 1.1 } else { 1.5 };
    });
    let mut level = 1;
    walk(series, &format!("components.{name}.queue.depth"), |at_s, value| {
        while value >= 10f64.powi(level + 1) {
            level += 1;
            push(at_s, Sort::Worse, format!("{} wait in its queue", figures::number(10f64.powi(level))));
        }
        if level > 1 && value < 1.0 {
            level = 1;
            push(at_s, Sort::Better, "its queue is empty again".into());
        }
    });
}

fn goodput(series: &History, name: &str, events: &mut Vec<Event>) {
    let Some(sent) = series.column(&format!("workloads.{name}.sent")) else { return };
    let mut sent = series.begins().zip(sent).peekable();
    let mut collapsed = false;
    walk(series, &format!("workloads.{name}.goodput"), |at_s, good| {
        while sent.next_if(|(begin, _)| begin + series.window_s < at_s - 1e-9).is_some() {}
        let Some(offered) = sent.peek().and_then(|(_, offered)| *offered).filter(|offered| *offered > 0.0) else {
            return;
        };
        let share = good / offered;
        let mut push = |sort: Sort, what: String| events.push(Event { at_s, sort, target: name.to_string(), what });
        if !collapsed && share < 0.5 {
            push(Sort::Worse, format!("goodput collapses to {} of the load", figures::share(share)));
        } else if collapsed && share >= 0.9 {
            push(Sort::Better, format!("goodput is back: {} of the load", figures::share(share.min(1.0))));
        }
        collapsed = share < if collapsed { 0.9 } else { 0.5 };
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lab::result::{FaultWindow, HappenedAt, Series, Topology, TopologyNode};

    use super::*;

    fn future(columns: &[(&str, &[f64])], at_s: f64) -> Future {
        let windows = columns.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let series = Series {
            window_s: 1.0,
            at_s: (0..windows).map(|window| window as f64).collect(),
            columns: columns
                .iter()
                .map(|(name, values)| (name.to_string(), values.iter().copied().map(Some).collect()))
                .collect(),
        };
        let node = |name: &str, is_workload| TopologyNode {
            name: name.into(),
            kind: String::new(),
            is_workload,
            ..TopologyNode::default()
        };
        let topology = Topology { nodes: vec![node("users", true), node("db", false)], edges: Vec::new() };
        let snapshot = Snapshot { at_s, series: series.into(), topology: Arc::new(topology), ..Snapshot::default() };
        Future { snapshot: Arc::new(snapshot), ..Future::default() }
    }

    fn lines(future: &Future) -> Vec<String> {
        of(future).iter().map(|event| format!("{} {} {}", event.at_s, event.target, event.what)).collect()
    }

    #[test]
    fn wavering_around_a_threshold_is_told_once() {
        let values = [0.5, 1.0, 0.98, 1.0, 0.9, 1.0, 0.7, 0.5];
        let told = lines(&future(&[("components.db.utilization", &values)], 100.0));
        assert_eq!(told, ["2 db saturated", "7 db no longer saturated: 70 %"]);
    }

    #[test]
    fn a_growing_queue_is_told_by_powers_of_ten() {
        let values = [5.0, 40.0, 2000.0, 1500.0, 0.0, 150.0];
        let told = lines(&future(&[("components.db.queue.depth", &values)], 100.0));
        assert_eq!(
            told,
            [
                "3 db 100 wait in its queue",
                "3 db 1k wait in its queue",
                "5 db its queue is empty again",
                "6 db 100 wait in its queue"
            ]
        );
    }

    #[test]
    fn goodput_that_collapses_and_recovers_is_told() {
        let columns: [(&str, &[f64]); 2] = [
            ("workloads.users.sent", &[100.0, 100.0, 100.0, 100.0]),
            ("workloads.users.goodput", &[99.0, 12.0, 70.0, 95.0]),
        ];
        let told = lines(&future(&columns, 100.0));
        assert_eq!(
            told,
            ["2 users goodput collapses to 12 % of the load", "4 users goodput is back: 95 % of the load"]
        );
    }

    fn happened(at_s: f64, name: &'static str, place: &str, replica: Option<u32>, about: Option<&str>) -> Happened {
        let at = HappenedAt { at_s, replica, about: about.map(str::to_string) };
        Happened { name, place: place.to_string(), at }
    }

    #[test]
    fn what_components_tell_stands_among_the_rest_in_the_order_of_time() {
        let mut future = future(&[("components.db.utilization", &[0.5, 1.0, 1.0, 1.0])], 100.0);
        let snapshot = Arc::make_mut(&mut future.snapshot);
        snapshot.happened = vec![
            happened(0.5, "replica_killed", "db", Some(0), None),
            happened(0.5, "replica_killed", "db", Some(2), None),
            happened(7.25, "target_unhealthy", "names", None, Some("db")),
        ];
        assert_eq!(
            lines(&future),
            ["0.5 db replica killed (replicas 0 and 2)", "2 db saturated", "7.25 names target unhealthy: db"]
        );
        assert_eq!(of(&future)[0].sort, Sort::Told);
    }

    #[test]
    fn what_is_not_kept_is_counted_between_the_first_and_the_last() {
        let mut future = future(&[], 1e6);
        let snapshot = Arc::make_mut(&mut future.snapshot);
        snapshot.happened = (0..SHOWN).map(|n| happened(n as f64, "replica_failed", "db", None, None)).collect();
        snapshot.happened_left_out = 1234;
        let told = lines(&future);
        assert_eq!(told.len(), SHOWN + 1);
        let middle = SHOWN / 2;
        assert_eq!(told[middle - 1], format!("{} db replica failed", middle - 1));
        assert_eq!(told[middle], format!("{}  1.23k more happenings are left out here", middle - 1));
        assert_eq!(told[middle + 1], format!("{middle} db replica failed"));
    }

    #[test]
    fn what_lies_ahead_is_not_told() {
        let mut future = future(&[], 15.0);
        let fault = FaultWindow {
            at_s: 10.0,
            until_s: Some(20.0),
            what: "slow db ×5".into(),
            targets: vec!["db".into()],
            ..FaultWindow::default()
        };
        Arc::make_mut(&mut future.snapshot).faults.push(fault);
        assert_eq!(lines(&future), ["10 db slow db ×5"]);
    }

    #[test]
    fn what_operators_do_is_a_change_with_its_remark() {
        let mut future = future(&[], 30.0);
        let event = FaultWindow {
            name: Some("less".into()),
            at_s: 10.0,
            until_s: Some(20.0),
            what: "set a = 1".into(),
            note: Some("on call".into()),
            ..FaultWindow::default()
        };
        Arc::make_mut(&mut future.snapshot).operator_events.push(event);
        assert_eq!(lines(&future), ["10  less: set a = 1 (on call)", "20  over: less: set a = 1"]);
        assert_eq!(of(&future)[0].sort, Sort::Change);
    }
}
