//! The topology as drawn: boxes (one per component, or one for a whole folded cluster), lines between them, and the
//! figures of both, taken from a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab::result::{FaultWindow, Snapshot, Topology};

use crate::figures;
use crate::layout::{self, Placement, Plan, Spacing};

/// Clusters that the user wants folded (true) or open (false); the others depend on the available space.
pub type Folding = BTreeMap<String, bool>;

/// Level of detail of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// One line without a frame.
    Pill,
    /// A frame around one line.
    Compact,
    /// A frame around two short lines.
    Narrow,
    /// A frame around three lines.
    Normal,
    /// A frame around five lines, with a curve.
    Full,
    /// A frame around nine lines, with a curve three lines high.
    Large,
}

impl Detail {
    /// Minimum width and height of a box, cells.
    fn size(self, name: usize) -> (i32, i32) {
        let name = name as i32;
        match self {
            Detail::Pill => ((name + 7).clamp(14, 22), 1),
            Detail::Compact => ((name + 4).clamp(16, 22), 3),
            Detail::Narrow => ((name + 4).clamp(11, 18), 4),
            Detail::Normal => ((name + 6).clamp(18, 26), 5),
            Detail::Full => ((name + 6).clamp(18, 32), 7),
            Detail::Large => ((name + 10).clamp(28, 40), 11),
        }
    }
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The component's name, or the cluster's.
    pub name: String,
    /// Its kind; for a cluster, its contents.
    pub kind: String,
    /// Indices of its nodes.
    pub members: Vec<usize>,
    /// True for a folded cluster.
    pub folded: bool,
    /// True if it contains workloads only.
    pub is_workload: bool,
}

/// A line: all links from one box to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The calling box.
    pub from: usize,
    /// The called box.
    pub to: usize,
    /// The edges of the topology that it represents.
    pub edges: Vec<usize>,
}

/// A laid-out topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagram {
    /// Boxes.
    pub groups: Vec<Group>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Level of detail of the boxes.
    pub detail: Detail,
    /// Positions of boxes and lines.
    pub placement: Placement,
}

/// A cache of drawings by size.
#[derive(Clone, Debug, Default)]
pub struct Drawings {
    folding: Folding,
    nodes: usize,
    kept: Vec<((u16, u16), Arc<Diagram>)>,
}

impl Drawings {
    /// Lays out the drawings missing for these sizes, and drops those of other sizes.
    pub fn prepare(&mut self, topology: &Topology, folding: &Folding, sizes: &[(u16, u16)]) {
        if self.folding != *folding || self.nodes != topology.nodes.len() {
            self.kept.clear();
            self.folding = folding.clone();
            self.nodes = topology.nodes.len();
        }
        self.kept.retain(|(size, _)| sizes.contains(size));
        for &size in sizes {
            if self.get(folding, size).is_none() {
                self.kept.push((size, Arc::new(Diagram::new(topology, folding, size.0, size.1))));
            }
        }
    }

    /// The drawing for a size, if it has been prepared.
    pub fn get(&self, folding: &Folding, size: (u16, u16)) -> Option<Arc<Diagram>> {
        let kept = self.kept.iter().find(|(other, _)| *other == size).filter(|_| self.folding == *folding);
        kept.map(|(_, diagram)| Arc::clone(diagram))
    }
}

/// The cluster that a name belongs to.
pub fn cluster_of(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(cluster, _)| cluster)
}

impl Diagram {
    /// The most detailed drawing that fits into these columns and rows. If even the least detailed one does not fit, the drawing
    /// is larger and must be scrolled.
    pub fn new(topology: &Topology, folding: &Folding, width: u16, height: u16) -> Diagram {
        let (width, height) = (i32::from(width).max(1), i32::from(height).max(1));
        let clustered = topology.nodes.iter().any(|node| cluster_of(&node.name).is_some());
        let open = gather(topology, |cluster| folding.get(cluster).copied().unwrap_or(false));
        let folded = gather(topology, |cluster| folding.get(cluster).copied().unwrap_or(true));
        let framed = [Detail::Large, Detail::Full, Detail::Normal, Detail::Narrow, Detail::Compact];
        let mut choices: Vec<(&Gathered, Detail)> = framed.map(|detail| (&open, detail)).to_vec();
        if clustered {
            choices.extend(framed.map(|detail| (&folded, detail)));
        }
        let last = if clustered { &folded } else { &open };
        choices.push((&open, Detail::Pill));
        choices.push((last, Detail::Pill));
        let mut smallest = None;
        for ((groups, lines), detail) in choices {
            for rows in [3, 2, 1, 0] {
                let placement = lay_out(groups, lines, detail, rows, width, height);
                let fits = placement.width <= width && placement.height <= height;
                let diagram = Diagram { groups: groups.clone(), lines: lines.clone(), detail, placement };
                if fits {
                    return diagram;
                }
                smallest = Some(diagram);
            }
        }
        smallest.unwrap_or(Diagram {
            groups: Vec::new(),
            lines: Vec::new(),
            detail: Detail::Pill,
            placement: Placement::default(),
        })
    }

    /// The box that contains a node.
    pub fn group_of(&self, node: usize) -> Option<usize> {
        self.groups.iter().position(|group| group.members.contains(&node))
    }

    /// The box at a cell of the drawing.
    pub fn group_at(&self, x: i32, y: i32) -> Option<usize> {
        self.placement.boxes.iter().position(|place| place.contains(x, y))
    }

    /// The scroll position that makes a box visible in a window of that size: centred for a drawing that fits, else around the
    /// box. Negative if there is space to the left or above.
    pub fn origin(&self, selected: Option<usize>, width: i32, height: i32) -> (i32, i32) {
        let place = selected.and_then(|index| self.placement.boxes.get(index)).copied().unwrap_or_default();
        let along = |whole: i32, room: i32, from: i32, size: i32| match whole <= room {
            true => -(room - whole) / 2,
            false => (from + size / 2 - room / 2).clamp(0, whole - room),
        };
        (
            along(self.placement.width, width, place.x, place.width),
            along(self.placement.height, height, place.y, place.height),
        )
    }
}

/// Boxes and the lines between them.
type Gathered = (Vec<Group>, Vec<Line>);

/// Boxes and lines, with those clusters folded for which `fold` returns true.
fn gather(topology: &Topology, fold: impl Fn(&str) -> bool) -> Gathered {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = Vec::with_capacity(topology.nodes.len());
    for (index, node) in topology.nodes.iter().enumerate() {
        let cluster = cluster_of(&node.name).filter(|cluster| fold(cluster));
        let known = cluster.and_then(|cluster| groups.iter().position(|group| group.folded && group.name == cluster));
        if let Some(known) = known {
            groups[known].members.push(index);
            groups[known].is_workload &= node.is_workload;
            group_of.push(known);
            continue;
        }
        group_of.push(groups.len());
        groups.push(Group {
            name: cluster.unwrap_or(&node.name).to_string(),
            kind: node.kind.clone(),
            members: vec![index],
            folded: cluster.is_some(),
            is_workload: node.is_workload,
        });
    }
    for group in groups.iter_mut().filter(|group| group.folded) {
        group.kind = format!("{} inside", group.members.len());
    }
    let mut lines: Vec<Line> = Vec::new();
    for (index, edge) in topology.edges.iter().enumerate() {
        let (Some(&from), Some(&to)) = (group_of.get(edge.from), group_of.get(edge.to)) else { continue };
        if from == to && groups[from].folded {
            continue;
        }
        match lines.iter_mut().find(|line| (line.from, line.to) == (from, to)) {
            Some(line) => line.edges.push(index),
            None => lines.push(Line { from, to, edges: vec![index] }),
        }
    }
    (groups, lines)
}

/// Lays out with as much space as there is: first for labels on the lines, then in boxes, then between lines.
fn lay_out(groups: &[Group], lines: &[Line], detail: Detail, rows: i32, width: i32, height: i32) -> Placement {
    let plan = |wider: i32| Plan {
        sizes: groups
            .iter()
            .map(|group| detail.size(group.name.chars().count()))
            .map(|(columns, rows)| (columns + wider, rows))
            .collect(),
        edges: lines.iter().map(|line| (line.from, line.to)).collect(),
    };
    let rows = if detail == Detail::Pill { rows - 1 } else { rows }.max(0);
    let tight = Spacing { rows, tail: 2, pitch: 1, height_max: height };
    let mut best = layout::place(&plan(0), tight);
    for (wider, tail, pitch) in
        [(0, 5, 1), (2, 5, 1), (4, 6, 1), (6, 6, 2), (6, 8, 2), (8, 9, 2), (10, 11, 2), (12, 13, 2), (12, 18, 2)]
    {
        let airy = layout::place(&plan(wider), Spacing { tail, pitch, ..tight });
        if airy.width > width || airy.height > height {
            break;
        }
        best = airy;
    }
    best
}

/// The figures of a box.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoxFigures {
    /// Calls (or requests) per second.
    pub arrivals: f64,
    /// Good answers per second.
    pub good: f64,
    /// Other answers per second.
    pub failed: f64,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls that wait.
    pub queue: u64,
    /// Bound of the queue; `None` if it has none.
    pub queue_max: Option<u64>,
    /// Number of waiting messages that are dead letters.
    pub dead_letters: u64,
    /// Share of its limit in use; for a cluster, the largest.
    pub utilization: Option<f64>,
    /// Amplification; for a cluster, the largest.
    pub amplification: Option<f64>,
    /// Share of work for callers who have given up; for a cluster, the largest.
    pub wasted_work: Option<f64>,
    /// Median latency, s.
    pub latency_p50_s: Option<f64>,
    /// 99th percentile of the latency, s.
    pub latency_p99_s: Option<f64>,
    /// Number of replicas that are up, and of all.
    pub replicas: (u32, u32),
    /// The parts of a box that are shown separately, if there are several: the replicas of a component, or the components of
    /// a cluster. For each, whether it is up, and the share of its limit in use.
    pub each: Vec<(bool, Option<f64>)>,
    /// Number of workers or connections held, and of all.
    pub slots: Option<(u64, u64)>,
    /// Active faults.
    pub faults: Vec<String>,
}

impl BoxFigures {
    /// The combined figures of some nodes.
    pub fn of(snapshot: &Snapshot, members: &[usize]) -> BoxFigures {
        let mut all = BoxFigures::default();
        let larger = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.max(other)),
            _ => one.or(other),
        };
        let mut bounded = true;
        let takes_dead_letters =
            |index: usize| snapshot.topology.nodes.get(index).is_some_and(|node| node.takes_dead_letters);
        for (index, node) in members.iter().filter_map(|&index| Some((index, snapshot.nodes.get(index)?))) {
            all.arrivals += node.arrivals;
            all.good += node.good;
            all.failed += node.failed;
            all.in_flight += node.in_flight;
            all.queue += node.queue;
            all.dead_letters += if takes_dead_letters(index) { node.queue } else { 0 };
            bounded &= node.queue_max.is_some();
            all.queue_max = Some(all.queue_max.unwrap_or(0) + node.queue_max.unwrap_or(0));
            all.utilization = larger(all.utilization, node.utilization);
            all.amplification = larger(all.amplification, node.amplification);
            all.wasted_work = larger(all.wasted_work, node.wasted_work);
            all.latency_p50_s = larger(all.latency_p50_s, node.latency_p50_s);
            all.latency_p99_s = larger(all.latency_p99_s, node.latency_p99_s);
            all.replicas = (all.replicas.0 + node.replicas_up, all.replicas.1 + node.replicas);
            if members.len() > 1 {
                all.each.push((node.replicas_up > 0 || node.replicas == 0, node.utilization));
            } else {
                all.each.extend(node.each.iter().map(|replica| (replica.is_up, replica.held)));
            }
            all.slots = match (all.slots, node.slots) {
                (Some(one), Some(other)) => Some((one.0 + other.0, one.1 + other.1)),
                (one, other) => one.or(other),
            };
            all.faults
                .extend(node.faults.iter().filter(|fault| !all.faults.contains(fault)).cloned().collect::<Vec<_>>());
        }
        all.queue_max = all.queue_max.filter(|_| bounded);
        all
    }

    /// Good answers as a share of requests sent; `None` while none are sent.
    pub fn good_share(&self) -> Option<f64> {
        (self.arrivals > 0.0).then(|| (self.good / self.arrivals).min(1.0))
    }

    /// Share of the answers that failed.
    pub fn error_share(&self) -> f64 {
        let answers = self.good + self.failed;
        if answers > 0.0 { self.failed / answers } else { 0.0 }
    }

    /// How full the queue is; on a logarithmic scale if it has no bound.
    pub fn queue_level(&self) -> f64 {
        match self.queue_max {
            Some(max) if max > 0 => self.queue as f64 / max as f64,
            Some(_) => 0.0,
            None if self.queue == 0 => 0.0,
            None => figures::unbounded_level(self.queue),
        }
    }
}

/// The figures of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineFigures {
    /// Attempts per second.
    pub attempts: f64,
    /// Number of those that are retries.
    pub retries: f64,
    /// Attempts per second that failed.
    pub failed: f64,
    /// Attempts per logical call; the largest of its links.
    pub amplification: Option<f64>,
    /// True while a fault acts on one of its links.
    pub faulty: bool,
}

impl LineFigures {
    /// The combined figures of some edges of the topology. The traffic of a link with several targets is divided in proportion
    /// to their arrivals.
    pub fn of(snapshot: &Snapshot, edges: &[usize]) -> LineFigures {
        let topology = &snapshot.topology;
        let mut all = LineFigures::default();
        for edge in edges.iter().filter_map(|&index| topology.edges.get(index)) {
            let Some(link) = snapshot.links.get(edge.index) else { continue };
            let arrivals = |node: usize| snapshot.nodes.get(node).map_or(0.0, |node| node.arrivals);
            let siblings = topology.edges.iter().filter(|other| other.index == edge.index);
            let (count, sum) = siblings.fold((0.0, 0.0), |(count, sum), other| (count + 1.0, sum + arrivals(other.to)));
            let part = match (count > 1.0, sum > 0.0) {
                (false, _) => 1.0,
                (true, true) => arrivals(edge.to) / sum,
                (true, false) => 1.0 / count,
            };
            all.attempts += link.attempts * part;
            all.retries += link.retries * part;
            all.failed += link.failed * part;
            all.amplification = match (all.amplification, link.amplification) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            };
            let caller = topology.nodes.get(edge.from).map_or("", |node| &node.name);
            let path = format!("{caller}.{}", edge.link);
            all.faulty |=
                snapshot.faults.iter().any(|fault| acts(fault, snapshot.at_s) && fault.targets.contains(&path));
        }
        all
    }

    /// Share of the attempts that failed.
    pub fn error_share(&self) -> f64 {
        if self.attempts > 0.0 { (self.failed / self.attempts).min(1.0) } else { 0.0 }
    }

    /// Share of the attempts that are retries.
    pub fn retry_share(&self) -> f64 {
        if self.attempts > 0.0 { (self.retries / self.attempts).min(1.0) } else { 0.0 }
    }
}

/// True while a fault acts.
pub fn acts(fault: &FaultWindow, at_s: f64) -> bool {
    fault.at_s <= at_s && fault.until_s.is_none_or(|until| at_s < until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::result::{NodeNow, Topology, TopologyNode};
    use std::sync::Arc;

    #[test]
    fn messages_in_a_dead_letter_queue_are_told_apart() {
        let node = |takes_dead_letters| TopologyNode { takes_dead_letters, ..TopologyNode::default() };
        let topology = Topology { nodes: vec![node(false), node(true)], edges: Vec::new() };
        let waiting = |queue| NodeNow { queue, ..NodeNow::default() };
        let nodes = vec![waiting(40), waiting(2)];
        let snapshot = Snapshot { topology: Arc::new(topology), nodes, ..Snapshot::default() };
        for (members, expected) in [(&[0][..], (40, 0)), (&[1], (2, 2)), (&[0, 1], (42, 2))] {
            let figures = BoxFigures::of(&snapshot, members);
            assert_eq!((figures.queue, figures.dead_letters), expected);
        }
    }
}
