//! Single requests of a run for inspection: a list of them, and each as a waterfall.
//!
//! The engine records the events of a request ([`sim_core::trace`]); this module translates them to names and seconds. It
//! does so on demand, since a user looks at one request in hundreds.

use std::sync::Arc;

pub use sim_core::breakdown::{Part, Spent as SpentOn};
pub use sim_core::trace::{TracedCall, TracedRequest};
pub use sim_core::{Answer, GroupId, Outcome};

use sim_core::Time;
use sim_core::time::SECOND;

use crate::breakdown::spent_on;
use crate::result::Spent;

/// The name of a group of nodes, and its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupName {
    /// A component's name, or a link's path, `CALLER.LINK`.
    pub name: String,
    /// True for a link.
    pub is_link: bool,
}

/// The traced requests of a run at one instant.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    zero: Time,
    now: Time,
    groups: Arc<Vec<GroupName>>,
    requests: Vec<Arc<TracedRequest>>,
}

/// One request as a line of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    /// Its index among the traced requests.
    pub index: usize,
    /// The workload that sent it.
    pub workload: String,
    /// The instant at which it was due to be sent, s.
    pub at_s: f64,
    /// Its duration, or its age while it is under way, s.
    pub took_s: f64,
    /// Its outcome for the caller; `None` while it is under way.
    pub outcome: Option<Outcome>,
    /// Number of attempts its client made.
    pub attempts: usize,
}

/// A call of a request. Times are seconds since the request was due to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct WaterfallRow {
    /// Depth of the call below the request.
    pub depth: usize,
    /// The callee: a component or a link, `CALLER.LINK`; for the request itself, the workload.
    pub name: String,
    /// Whether it is an attempt after the first.
    pub is_retry: bool,
    /// Start, s …
    pub from_s: f64,
    /// … and end, s; the current instant if the call is still under way.
    pub until_s: f64,
    /// True while the call is under way.
    pub goes_on: bool,
    /// Start of the time in which no caller waits for the call any more, s.
    pub wasted_from_s: Option<f64>,
    /// Outcome of the call.
    pub outcome: Option<Outcome>,
    /// How the callee spent its own time: category, place, start, end, s. In the remaining time it waited for the calls below.
    pub stretches: Vec<(Spent, String, f64, f64)>,
}

/// A request, call by call.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// The request as a line of the list.
    pub line: RequestLine,
    /// The request itself, then its calls, each below its parent.
    pub rows: Vec<WaterfallRow>,
    /// True if calls are missing because there were too many to record.
    pub is_cut: bool,
}

impl Waterfall {
    /// The parts of the client's wait by category and place, s, largest first. Their sum is the latency, unless calls of the
    /// request ran in parallel.
    pub fn parts(&self) -> Vec<(Spent, String, f64)> {
        let mut parts: Vec<(Spent, String, f64)> = Vec::new();
        let mut add = |what: Spent, place: &str, spent_s: f64| match parts
            .iter_mut()
            .find(|(of, at, _)| *of == what && at == place)
        {
            Some((_, _, sum)) => *sum += spent_s,
            None => parts.push((what, place.to_string(), spent_s)),
        };
        let mut wasted_depth = None;
        for row in &self.rows {
            // Below an abandoned call, no caller waits longer than for the call itself.
            if wasted_depth.is_some_and(|depth| row.depth > depth) {
                continue;
            }
            wasted_depth = row.wasted_from_s.map(|_| row.depth);
            match row.wasted_from_s {
                Some(at) => add(Spent::GivenUp, &row.name, at - row.from_s),
                None => row.stretches.iter().for_each(|(what, place, from, until)| add(*what, place, until - from)),
            }
        }
        parts.sort_by(|one, other| other.2.total_cmp(&one.2));
        parts
    }
}

impl Requests {
    /// Creates the list of requests traced until `now`, with the names of groups and the end of the warm-up, ns.
    pub fn new(zero: Time, now: Time, groups: Arc<Vec<GroupName>>, requests: Vec<Arc<TracedRequest>>) -> Requests {
        Requests { zero, now, groups, requests }
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn name(&self, group: GroupId) -> &str {
        self.groups.get(group.0 as usize).map_or("", |group| &group.name)
    }

    fn seconds(span: Time) -> f64 {
        span as f64 / SECOND as f64
    }

    /// The requests that were due at `from_s` or later but not after the current instant, slowest first.
    pub fn slowest_first(&self, from_s: f64) -> Vec<RequestLine> {
        let mut lines: Vec<RequestLine> =
            (0..self.requests.len()).filter_map(|index| self.line(index)).filter(|line| line.at_s >= from_s).collect();
        lines.sort_by(|one, other| other.took_s.total_cmp(&one.took_s).then(one.index.cmp(&other.index)));
        lines
    }

    fn line(&self, index: usize) -> Option<RequestLine> {
        let request = self.requests.get(index)?;
        let first = request.calls.first()?;
        let source = self.name(request.source);
        // Attempts are the calls made by the client's link; a link without policies makes one and does not show up itself.
        let attempts = request.calls.iter().filter(|call| call.parent == Some(0)).count();
        let is_link = self.groups.get(first.place.0 as usize).is_some_and(|group| group.is_link);
        Some(RequestLine {
            index,
            workload: source.strip_suffix(".call").unwrap_or(source).to_string(),
            at_s: (first.begun as f64 - self.zero as f64) / SECOND as f64,
            took_s: Self::seconds(first.ended.unwrap_or(self.now).saturating_sub(first.begun)),
            outcome: first.answer.map(|answer| answer.outcome()),
            attempts: if is_link { attempts } else { 1 },
        })
    }

    /// One request, call by call; `None` if the index does not exist.
    pub fn waterfall(&self, index: usize) -> Option<Waterfall> {
        let line = self.line(index)?;
        let request = self.requests.get(index)?;
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); request.calls.len()];
        for (row, call) in request.calls.iter().enumerate() {
            if let Some(parent) = call.parent {
                below[parent as usize].push(row);
            }
        }
        let mut rows = Vec::new();
        let mut open: Vec<(usize, usize, Option<Time>)> = vec![(0, 0, None)];
        while let Some((at, depth, wasted_from)) = open.pop() {
            let call = &request.calls[at];
            let wasted_from = [wasted_from, call.given_up].into_iter().flatten().min();
            // A link that only passed on its single call has nothing to show.
            let is_link = self.groups.get(call.place.0 as usize).is_some_and(|group| group.is_link);
            let is_bare = at > 0 && is_link && below[at].len() == 1 && call.stretches.is_empty();
            if !is_bare {
                rows.push(self.row(request, at, depth, wasted_from));
            }
            let deeper = depth + usize::from(!is_bare);
            open.extend(below[at].iter().rev().map(|&row| (row, deeper, wasted_from)));
        }
        if let Some(first) = rows.first_mut() {
            first.name = line.workload.clone();
        }
        Some(Waterfall { line, rows, is_cut: request.is_cut })
    }

    fn row(&self, request: &TracedRequest, at: usize, depth: usize, wasted_from: Option<Time>) -> WaterfallRow {
        let call = &request.calls[at];
        let begun = request.calls[0].begun;
        let since = |time: Time| Self::seconds(time.saturating_sub(begun));
        let stretch = |part: Part, from: Time, until: Time| {
            (spent_on(part.what), self.name(part.place).to_string(), since(from), since(until))
        };
        let is_inherited = call.parent.is_some_and(|parent| request.calls[parent as usize].is_retry);
        WaterfallRow {
            depth,
            name: self.name(call.place).to_string(),
            is_retry: call.is_retry && !is_inherited,
            from_s: since(call.begun),
            until_s: since(call.ended.unwrap_or(self.now)),
            goes_on: call.ended.is_none(),
            wasted_from_s: wasted_from.map(since),
            outcome: call.answer.map(|answer| answer.outcome()),
            stretches: call.stretches.iter().map(|own| stretch(own.part, own.from, own.until)).collect(),
        }
    }
}
