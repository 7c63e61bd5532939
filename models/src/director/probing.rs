//! Probes of processes, and what follows from them: replicas that are not called, and processes that are started again.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::random::Stream;
use sim_core::{Answer, Baggage, CallId, Cx, Death, Happens, News, Next, NodeId, Order, Outcome, Profile, Timer};

use super::Director;
use super::staffing::{CLOSING, LOOKS};
use crate::fleet::Membership;
use crate::probes::{Found, Probe, Sort};
use crate::shutdown::{OnTerm, ShutdownSettings};

static NOT_READY: Happens = Happens {
    name: "replica_not_ready",
    doc: "The readiness probe failed: choosers are told not to call the replica.",
};
static READY_AGAIN: Happens =
    Happens { name: "replica_ready_again", doc: "The readiness probe succeeded again: choosers are told." };
static NOT_ALIVE: Happens = Happens {
    name: "liveness_failed",
    doc: "The liveness probe failed: the process is told to end, and started again.",
};
static NOT_STARTED: Happens =
    Happens { name: "startup_failed", doc: "The startup probe failed: the process is told to end, and started again." };

/// Recorded of replicas that are probed.
pub static HAPPENS_OF_PROBES: &[&Happens] = &[&NOT_READY, &READY_AGAIN, &NOT_ALIVE, &NOT_STARTED];

// Of a node, a sort of probe and how often its process had been started.
pub(super) const PROBE: u8 = 26;
// Of a call.
pub(super) const PROBE_LATE: u8 = 27;
// Of a node, a sort of probe and how often its process had been started: whether it still stands still.
pub(super) const PROBE_STANDS: u8 = 28;
// Of a node.
pub(super) const ENDS: u8 = 29;
pub(super) const ENDS_AT_LAST: u8 = 30;

/// Probes of one component, by sort.
pub type Probes = [Option<Probe>; 3];

/// What is known of a replica.
#[derive(Clone, Copy, Debug)]
struct Known {
    component: usize,
    /// How often its process has been started: what was asked of an earlier one no longer counts.
    start: u16,
    found: [Found; 3],
    /// Whether choosers have been told that it is not ready.
    is_out: bool,
}

/// All that is probed.
#[derive(Clone, Debug)]
pub(super) struct Probing {
    known: BTreeMap<NodeId, Known>,
    /// Calls that are not answered yet.
    open: BTreeMap<u64, (NodeId, Sort, u16)>,
    /// Processes that were told to end because of a probe, with the calls that they still have.
    ending: BTreeMap<NodeId, Vec<CallId>>,
    /// Nodes of processes that have come up and are not ready yet, as they have not been probed.
    hidden: BTreeSet<NodeId>,
    phases: Stream,
}

impl Probing {
    pub(super) fn new(seed: u64) -> Probing {
        Probing {
            known: BTreeMap::new(),
            open: BTreeMap::new(),
            ending: BTreeMap::new(),
            hidden: BTreeSet::new(),
            phases: Stream::named(seed, "probes"),
        }
    }

    /// Whether a replica may be called, as far as probes know.
    pub(super) fn is_ready(&self, node: NodeId) -> bool {
        !self.ending.contains_key(&node) && self.known.get(&node).is_none_or(|known| !known.is_out)
    }
}

fn data(node: NodeId, sort: Sort, start: u16) -> u64 {
    u64::from(node.0) << 32 | u64::from(start) << 8 | sort as u64
}

fn of_data(data: u64) -> (NodeId, Sort, u16) {
    (NodeId((data >> 32) as u32), Sort::ALL[(data & 3) as usize], (data >> 8) as u16)
}

impl Director {
    fn probes_of(&self, component: usize) -> Option<&Probes> {
        self.lives.get(component)?.probes.as_ref()
    }

    /// Probes begin of all that are there at the start: each at an instant of its own.
    pub(super) fn begin_probing(&mut self, cx: &mut Cx<'_>) {
        for component in 0..self.lives.len() {
            if self.probes_of(component).is_none() {
                continue;
            }
            for (_, node) in self.fleets[component].present() {
                self.is_probed(cx, component, node, true);
            }
        }
    }

    /// A process has come up: it is probed from now on. True where it is not to be called before a probe says so.
    pub(super) fn process_is_up(&mut self, cx: &mut Cx<'_>, node: NodeId) -> bool {
        let Some(component) = self.fleets.iter().position(|fleet| fleet.membership(node).is_some()) else {
            return false;
        };
        let Some(probes) = self.probes_of(component) else { return false };
        let waits = probes[Sort::Readiness as usize].is_some();
        self.is_probed(cx, component, node, false);
        waits
    }

    fn is_probed(&mut self, cx: &mut Cx<'_>, component: usize, node: NodeId, from_the_start: bool) {
        let Some(probes) = self.probes_of(component).copied() else { return };
        let probing = &mut self.probing;
        let before = probing.known.get(&node);
        let start = before.map_or(0, |known| known.start.wrapping_add(1));
        let is_out = !from_the_start && probes[Sort::Readiness as usize].is_some();
        // As the kubelet takes it: what has just been started is alive and not ready, and whether it has come up is not known.
        let value = |sort: Sort| match sort {
            _ if from_the_start || probes[sort as usize].is_none() => Some(true),
            Sort::Startup => None,
            Sort::Readiness => Some(false),
            Sort::Liveness => Some(true),
        };
        probing
            .known
            .insert(node, Known { component, start, found: Sort::ALL.map(|sort| Found::new(value(sort))), is_out });
        for (sort, probe) in Sort::ALL.into_iter().filter_map(|sort| Some((sort, probes[sort as usize]?))) {
            // The kubelet's probes of what has been there for long are spread over their period.
            let phase = if from_the_start { probing.phases.below(probe.period) } else { probe.initial_delay };
            let is_over = from_the_start && sort == Sort::Startup;
            if !is_over {
                cx.chore_after(phase, Timer { what: PROBE, data: data(node, sort, start) });
            }
        }
    }

    /// A replica is gone, or its process is: nothing more is asked of it.
    pub(super) fn is_probed_no_longer(&mut self, node: NodeId) {
        if let Some(known) = self.probing.known.get_mut(&node) {
            known.start = known.start.wrapping_add(1);
        }
        self.probing.ending.remove(&node);
        self.probing.hidden.remove(&node);
    }

    /// One of the timers of probes has gone off.
    pub(super) fn probing_is_due(&mut self, cx: &mut Cx<'_>, timer: Timer) {
        match timer.what {
            PROBE => self.probe(cx, timer.data),
            PROBE_LATE => {
                if let Some((node, sort, start)) = self.probing.open.remove(&timer.data) {
                    self.probed(cx, (node, sort, start), false);
                }
            }
            PROBE_STANDS => {
                let (node, ..) = of_data(timer.data);
                self.probed(cx, of_data(timer.data), cx.is_up(node) && cx.pauses(node) == 0);
            }
            ENDS => self.ends(cx, NodeId(timer.data as u32)),
            ENDS_AT_LAST => {
                let (node, _, start) = of_data(timer.data);
                if self.probing.known.get(&node).is_some_and(|known| known.start == start) {
                    self.process_ends(cx, node);
                }
            }
            what => unreachable!("no timer is set for {what}"),
        }
    }

    fn probe(&mut self, cx: &mut Cx<'_>, about: u64) {
        let (node, sort, start) = of_data(about);
        let Some(known) = self.probing.known.get(&node).filter(|known| known.start == start).copied() else { return };
        let Some(probe) = self.probes_of(known.component).and_then(|probes| probes[sort as usize]) else { return };
        if sort == Sort::Startup && known.found[sort as usize].is_well() {
            return;
        }
        cx.chore_after(probe.period, Timer { what: PROBE, data: about });
        let is_starting = sort != Sort::Startup && !known.found[Sort::Startup as usize].is_well();
        if is_starting || self.probing.ending.contains_key(&node) {
            return;
        }
        let Some(op) = probe.op else {
            // Whoever stands still answers once that is over.
            if cx.is_up(node) && cx.pauses(node) > 0 {
                cx.chore_after(probe.timeout, Timer { what: PROBE_STANDS, data: about });
                return;
            }
            return self.probed(cx, (node, sort, start), cx.is_up(node));
        };
        let profile = cx.intern_profile(Profile { op, size_bytes: 0 });
        let key = self.probing.phases.next_u64();
        let call = cx.request(node, key, cx.now(), profile, 0, Baggage::EMPTY);
        self.probing.open.insert(call.to_bits(), (node, sort, start));
        cx.chore_after(probe.timeout, Timer { what: PROBE_LATE, data: call.to_bits() });
        cx.post(Next::call(call));
    }

    /// A call of a probe is answered.
    pub(super) fn probe_is_answered(&mut self, cx: &mut Cx<'_>, call: CallId, answer: Answer) {
        let Some(about) = self.probing.open.remove(&call.to_bits()) else { return };
        let is_well = matches!(answer.outcome(), Outcome::Ok | Outcome::Accepted | Outcome::Degraded);
        self.probed(cx, about, is_well);
    }

    /// A probe has succeeded or failed.
    fn probed(&mut self, cx: &mut Cx<'_>, (node, sort, start): (NodeId, Sort, u16), succeeded: bool) {
        let Some(known) = self.probing.known.get(&node).filter(|known| known.start == start).copied() else { return };
        let Some(probe) = self.probes_of(known.component).and_then(|probes| probes[sort as usize]) else { return };
        let mut found = known.found[sort as usize];
        let now_known = found.note(&probe, succeeded);
        if let Some(known) = self.probing.known.get_mut(&node) {
            known.found[sort as usize] = found;
        }
        match (sort, now_known) {
            (Sort::Liveness, Some(false)) => self.end_process(cx, node, &NOT_ALIVE),
            (Sort::Startup, Some(false)) => self.end_process(cx, node, &NOT_STARTED),
            (Sort::Readiness, Some(is_ready)) => self.is_called(cx, node, is_ready),
            (Sort::Liveness | Sort::Startup, Some(true)) | (_, None) => {}
        }
    }

    /// A process has died: where a probe says who is ready, choosers are told that it is not.
    pub(super) fn is_dead(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(known) = self.probing.known.get(&node).copied().filter(|known| !known.is_out) else { return };
        if self.probes_of(known.component).is_some_and(|probes| probes[Sort::Readiness as usize].is_some()) {
            self.is_called(cx, node, false);
        }
    }

    /// Choosers are told whether to call a replica.
    fn is_called(&mut self, cx: &mut Cx<'_>, node: NodeId, is_ready: bool) {
        let Some(known) = self.probing.known.get_mut(&node).filter(|known| known.is_out == is_ready) else { return };
        known.is_out = !is_ready;
        if self.probing.hidden.remove(&node) {
            return self.is_ready_at_last(cx, node);
        }
        cx.happened_to(node, if is_ready { &READY_AGAIN } else { &NOT_READY });
        cx.announce(node, if is_ready { News::Joined } else { News::Left });
    }

    /// A replica that has come up waits for its first probe to succeed.
    pub(super) fn hide(&mut self, node: NodeId) {
        self.probing.hidden.insert(node);
    }

    /// A process is told to end because of a probe, and will be started again.
    fn end_process(&mut self, cx: &mut Cx<'_>, node: NodeId, why: &'static Happens) {
        let Some(shutdown) = self.life_of(node).map(|life| life.shutdown.unwrap_or(ShutdownSettings::DEFAULT)) else {
            return;
        };
        let is_shut_down =
            self.fleet_with(node).is_none_or(|fleet| fleet.membership(node) == Some(Membership::Draining));
        if !cx.is_up(node) || is_shut_down {
            return;
        }
        cx.happened_to(node, why);
        let start = self.probing.known.get(&node).map_or(0, |known| known.start);
        match shutdown.on_term {
            OnTerm::Exit => return self.process_ends(cx, node),
            OnTerm::KeepAccepting => {
                self.probing.ending.insert(node, Vec::new());
            }
            OnTerm::StopAccepting => {
                cx.condition_mut(node).add_errors(CLOSING, 1.0, Outcome::Unavailable);
                self.probing.ending.insert(node, cx.open_calls(node));
                cx.chore_after(0, Timer { what: ENDS, data: u64::from(node.0) });
            }
        }
        cx.chore_after(shutdown.grace.0, Timer { what: ENDS_AT_LAST, data: data(node, Sort::Liveness, start) });
    }

    /// A process that was told to end does so once it has nothing left to do.
    fn ends(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(open) = self.probing.ending.get_mut(&node) else { return };
        open.retain(|call| cx.is_open(*call));
        match open.is_empty() {
            true => self.process_ends(cx, node),
            false => drop(cx.chore_after(LOOKS, Timer { what: ENDS, data: u64::from(node.0) })),
        }
    }

    /// It has ended, or is killed, and is started again.
    fn process_ends(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        cx.condition_mut(node).remove_errors(CLOSING);
        self.is_probed_no_longer(node);
        if self.dead.insert(node) {
            cx.order(Order::Crash(node, Death::Process));
            self.comes_back(cx, node);
        }
    }
}
