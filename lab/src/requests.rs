//! Single requests of a run, as something to look at: which there are, and one as a waterfall.
//!
//! The engine writes down what happened ([`sim_core::trace`]); here it gets names and seconds. That is done when it is
//! asked for, since of hundreds of requests one is looked at.

use std::sync::Arc;

pub use sim_core::breakdown::{Part, Spent as SpentOn};
pub use sim_core::trace::{TracedCall, TracedRequest};
pub use sim_core::{Answer, GroupId, Outcome};

use sim_core::Time;
use sim_core::time::SECOND;

use crate::breakdown::spent_on;
use crate::result::Spent;

/// What a group of nodes is called, and what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupName {
    /// A component's name; of a link its path, `CALLER.LINK`.
    pub name: String,
    /// True for a link.
    pub is_link: bool,
}

/// The traced requests of a run, as they stood at an instant.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    zero: Time,
    now: Time,
    groups: Arc<Vec<GroupName>>,
    requests: Vec<Arc<TracedRequest>>,
}

/// One of them, in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    /// Which of them.
    pub index: usize,
    /// The workload that sent it.
    pub workload: String,
    /// When it should have been sent, s.
    pub at_s: f64,
    /// How long it took, or has taken so far, s.
    pub took_s: f64,
    /// How it ended for its caller; `None` while it is under way.
    pub outcome: Option<Outcome>,
    /// How many attempts its client made.
    pub attempts: usize,
}

/// A call of a request. Times are seconds since the request should have been sent.
#[derive(Clone, Debug, PartialEq)]
pub struct WaterfallRow {
    /// How deep it lies below the request.
    pub depth: usize,
    /// Who serves it: a component, or a link, `CALLER.LINK`; of the request itself the workload.
    pub name: String,
    /// True for an attempt that is not the first.
    pub is_retry: bool,
    /// From when, s …
    pub from_s: f64,
    /// … until when, s; until now where it goes on.
    pub until_s: f64,
    /// True while it goes on.
    pub goes_on: bool,
    /// Since when nobody waits for it any more, s.
    pub wasted_from_s: Option<f64>,
    /// How it was answered.
    pub outcome: Option<Outcome>,
    /// What its own time was spent on: what, where, from when until when, s. The rest it waited for the calls below.
    pub stretches: Vec<(Spent, String, f64, f64)>,
}

/// A request, call by call.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// It in a line.
    pub line: RequestLine,
    /// The request itself, and the calls made for it, each below the one it was made for.
    pub rows: Vec<WaterfallRow>,
    /// True where calls are missing because there were too many.
    pub is_cut: bool,
}

impl Waterfall {
    /// What its client's wait was spent on and where, s, the most first: together its latency, unless calls of it went on side
    /// by side.
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
            // Below a call that was given up, nothing was waited for any longer than itself.
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
    /// Requests that were traced until `now`, with the names of groups and the end of the warm-up, ns.
    pub fn new(zero: Time, now: Time, groups: Arc<Vec<GroupName>>, requests: Vec<Arc<TracedRequest>>) -> Requests {
        Requests { zero, now, groups, requests }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn name(&self, group: GroupId) -> &str {
        self.groups.get(group.0 as usize).map_or("", |group| &group.name)
    }

    fn seconds(span: Time) -> f64 {
        span as f64 / SECOND as f64
    }

    /// Those that were sent at an instant or later, s, and no later than now; the slowest first.
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
        // Attempts are what the link of the client calls; a link without policies makes one and is passed by.
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

    /// One of them, call by call; `None` where there is none of that index.
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
            // A link that only handed its one call on has nothing to tell.
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
