//! Who is there, on purpose: replicas that are started and shut down for `scale`, `deploy` and autoscaling.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sim_core::{CallId, Cx, Figures, Happens, News, NodeId, Outcome, Span, Time, Timer};

use super::presence::Presence;
use super::{Director, Life, START_WAITS};
use crate::autoscale::hpa::{Hpa, HpaSettings, Measured, Metric, PerReplica};
use crate::faults::fault::Staffing;
use crate::fleet::Membership;
use crate::rollout::{Bounds, Step, There};
use crate::share_or_count::ShareOrCount;
use crate::shutdown::OnTerm;

pub(super) static REPLICA_ADDED: Happens =
    Happens { name: "replica_added", doc: "A new replica is ready: of a `scale`, a `deploy` or an autoscaler." };
static REPLICA_STOPPING: Happens =
    Happens { name: "replica_stopping", doc: "The replica is shut down: choosers are told, and its process will be." };
static REPLICA_GONE: Happens = Happens { name: "replica_gone", doc: "The replica has been shut down." };
static DEPLOY_FINISHED: Happens = Happens { name: "deploy_finished", doc: "All replicas are new ones, and available." };
static SCALED: Happens = Happens { name: "scaled", doc: "Another number of replicas is wanted from now on." };

/// Recorded of replicas that come and go on purpose.
pub static HAPPENS_OF_STAFF: &[&Happens] =
    &[&REPLICA_ADDED, &REPLICA_STOPPING, &REPLICA_GONE, &DEPLOY_FINISHED, &SCALED];

// Of a replica: its number and its node.
pub(super) const TERM: u8 = 20;
pub(super) const IDLE: u8 = 21;
pub(super) const AVAILABLE: u8 = 22;
// Of a component.
pub(super) const SAMPLE: u8 = 23;
pub(super) const LOOK: u8 = 24;
// Of a component and a place in its schedule.
pub(super) const SCHEDULED: u8 = 25;

/// Tells the refusal of calls by a process that ends from what faults do.
pub(super) const CLOSING: u32 = u32::MAX;
/// How often a process that ends looks whether it has finished everything.
pub(super) const LOOKS: Span = 100_000_000;

/// A rolling update under way.
#[derive(Clone, Debug)]
struct Rolling {
    surge: ShareOrCount,
    unavailable: ShareOrCount,
    min_ready: Span,
    /// Numbers of the replicas that are to go.
    old: BTreeSet<u32>,
    /// Numbers of new ones that are available.
    available: BTreeSet<u32>,
}

/// What was seen of a component at an instant.
#[derive(Clone, Debug)]
struct Sample {
    at: Time,
    arrived: u64,
    ended: u64,
    under_way: u64,
    /// Core-nanoseconds that each replica has used that is ready, by number.
    used: BTreeMap<u32, u128>,
}

/// The autoscaler of a component.
#[derive(Clone, Debug)]
struct Scaler {
    settings: HpaSettings,
    hpa: Hpa,
    samples: VecDeque<Sample>,
}

/// Who is wanted, by component.
#[derive(Clone, Debug, Default)]
pub(super) struct Staff {
    wanted: Vec<u32>,
    rolling: BTreeMap<usize, Rolling>,
    scalers: BTreeMap<usize, Scaler>,
    /// Nodes of replicas that were started on purpose and are not ready yet.
    fresh: BTreeSet<NodeId>,
    /// Components that want more replicas than there is room for.
    short: BTreeSet<usize>,
    /// Nodes of processes that were told to end, with the calls that they still have.
    ending: BTreeMap<NodeId, Vec<CallId>>,
    /// How many there are, by component; only of those that come and go on purpose.
    present: BTreeMap<usize, Presence>,
}

impl Staff {
    /// What is wanted at the start.
    pub(super) fn new(lives: &[Life], wanted: Vec<u32>) -> Staff {
        let hpa = |(component, life): (usize, &Life)| {
            let autoscale = life.autoscale.as_ref()?;
            let settings = autoscale.hpa.clone()?;
            let hpa = Hpa::new(&settings, (autoscale.min, autoscale.max), 0, wanted[component]);
            Some((component, Scaler { settings, hpa, samples: VecDeque::new() }))
        };
        let scalers = lives.iter().enumerate().filter_map(hpa).collect();
        let staffed = lives.iter().enumerate().filter(|(_, life)| life.is_staffed);
        let presence =
            |(component, life): (usize, &Life)| (component, Presence::new(wanted[component], life.autoscale.is_some()));
        let present = staffed.map(presence).collect();
        Staff { wanted, scalers, present, ..Staff::default() }
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.present.values_mut().for_each(|presence| presence.begin_measuring(now));
    }

    /// Adds what is counted of a component.
    pub(super) fn figures_of(&self, component: usize, now: Time, figures: &mut Figures) {
        if let Some(presence) = self.present.get(&component) {
            presence.figures(now, figures);
        }
    }
}

fn about(component: usize) -> u64 {
    component as u64
}

fn of_replica(number: u32, node: NodeId) -> u64 {
    u64::from(number) << 32 | u64::from(node.0)
}

impl Director {
    /// Autoscalers begin.
    pub(super) fn begin_staffing(&mut self, cx: &mut Cx<'_>) {
        let syncs = self
            .staff
            .scalers
            .iter()
            .map(|(component, scaler)| (*component, scaler.settings.sync.0, scaler.settings.metric_delay.0));
        for (component, sync, delay) in syncs.collect::<Vec<_>>() {
            let data = about(component);
            // Samples are as old as they should be when they are looked at. One of the same instant is taken first.
            match delay % sync {
                0 => self.sample(cx, component),
                part => drop(cx.chore_after(sync - part, Timer { what: SAMPLE, data })),
            }
            cx.chore_after(sync, Timer { what: LOOK, data });
        }
        for (component, life) in self.lives.iter().enumerate() {
            let schedule = life.autoscale.as_ref().and_then(|autoscale| autoscale.schedule.as_ref());
            for (nth, planned) in schedule.into_iter().flatten().enumerate() {
                let wait = (self.zero + planned.at.0).saturating_sub(cx.now());
                cx.chore_after(wait, Timer { what: SCHEDULED, data: (component as u64) << 32 | nth as u64 });
            }
        }
    }

    /// One of its timers has gone off.
    pub(super) fn staffing_is_due(&mut self, cx: &mut Cx<'_>, timer: Timer) {
        let (high, low) = ((timer.data >> 32) as u32, timer.data as u32);
        match timer.what {
            TERM => self.term(cx, high, NodeId(low)),
            IDLE => self.ends_when_idle(cx, high, NodeId(low)),
            AVAILABLE => self.available(cx, high, NodeId(low)),
            SAMPLE => self.sample(cx, low as usize),
            LOOK => self.look(cx, low as usize),
            SCHEDULED => {
                let (component, nth) = (high as usize, low as usize);
                let autoscale = self.lives[component].autoscale.as_ref();
                let schedule =
                    autoscale.and_then(|autoscale| Some((autoscale.min, autoscale.max, autoscale.schedule.as_ref()?)));
                if let Some((min, max, planned)) = schedule {
                    let replicas = planned[nth].replicas.clamp(min, max);
                    self.want(cx, component, replicas);
                }
            }
            what => unreachable!("no timer is set for {what}"),
        }
    }

    /// A fault or an event changes who is there. How many were wanted before, where that changes.
    pub(super) fn staff(&mut self, cx: &mut Cx<'_>, staffing: Staffing) -> Option<u32> {
        match staffing {
            Staffing::Scale { component, replicas } => {
                let before = self.staff.wanted[component];
                self.want(cx, component, replicas);
                Some(before)
            }
            Staffing::Roll { component, surge, unavailable, min_ready } => {
                let present = self.fleets[component].present().into_iter();
                let stays = |node: NodeId| self.fleets[component].membership(node) != Some(Membership::Draining);
                let old = present.filter(|(_, node)| stays(*node)).map(|(number, _)| number).collect();
                let rolling = Rolling { surge, unavailable, min_ready, old, available: BTreeSet::new() };
                self.staff.rolling.insert(component, rolling);
                self.step(cx, component);
                None
            }
        }
    }

    /// Counts those that are there.
    pub(super) fn count_replicas(&mut self, now: Time) {
        let components: Vec<usize> = self.staff.present.keys().copied().collect();
        for component in components {
            let staying = self.staying(component);
            let ready = staying.iter().filter(|(.., is_ready)| *is_ready).count() as u32;
            let fleet = &self.fleets[component];
            let all = fleet.present().len() as u32;
            let starting = fleet.members() - fleet.ready();
            let wanted = self.staff.wanted[component];
            if let Some(presence) = self.staff.present.get_mut(&component) {
                presence.note(now, wanted, (ready, starting, all - fleet.members()));
            }
        }
    }

    /// From now on so many replicas are wanted.
    pub fn want(&mut self, cx: &mut Cx<'_>, component: usize, replicas: u32) {
        if std::mem::replace(&mut self.staff.wanted[component], replicas) == replicas {
            return;
        }
        if let Some((_, node)) = self.fleets[component].used().first() {
            cx.happened_to(*node, &SCALED);
        }
        if self.staff.rolling.contains_key(&component) {
            return self.step(cx, component);
        }
        self.fill(cx, component);
        let mut surplus = self.staying(component);
        let too_many = surplus.len().saturating_sub(replicas as usize);
        // Those that are not ready go first, and then the newest.
        surplus.sort_by_key(|(number, _, is_ready)| (*is_ready, std::cmp::Reverse(*number)));
        surplus.into_iter().take(too_many).for_each(|(_, node, _)| self.shut_down(cx, node));
    }

    /// As many start as are wanted and there is room for.
    fn fill(&mut self, cx: &mut Cx<'_>, component: usize) {
        let missing = self.staff.wanted[component].saturating_sub(self.fleets[component].members());
        (0..missing).all(|_| self.begin(cx, component));
    }

    /// A slot of a component has become free.
    fn has_room(&mut self, cx: &mut Cx<'_>, component: usize) {
        match self.staff.rolling.contains_key(&component) {
            true => self.step(cx, component),
            false if self.staff.short.contains(&component) => self.fill(cx, component),
            false => {}
        }
    }

    /// The replicas that are not being shut down: number, node, and whether it is ready and alive.
    fn staying(&self, component: usize) -> Vec<(u32, NodeId, bool)> {
        let fleet = &self.fleets[component];
        let of = |(number, node): (u32, NodeId)| match fleet.membership(node)? {
            Membership::Starting => Some((number, node, false)),
            Membership::Ready => {
                let is_alive = !self.dead.contains(&node) && !self.replacing.contains_key(&node);
                Some((number, node, is_alive && self.probing.is_ready(node)))
            }
            Membership::Draining | Membership::Gone => None,
        };
        fleet.present().into_iter().filter_map(of).collect()
    }

    /// Another replica starts. False where there is no room for it: then it does so later, if it is still wanted.
    fn begin(&mut self, cx: &mut Cx<'_>, component: usize) -> bool {
        let Some((_, of)) = self.fleets[component].used().first().copied() else { return false };
        let takes = self.lives[component].start_up.clone().map_or(0, |dist| dist.sample_span(&mut self.draws));
        let Some(node) = self.start(cx, of, None, takes) else {
            if self.staff.short.insert(component) {
                cx.happened_to(of, &START_WAITS);
            }
            return false;
        };
        self.staff.short.remove(&component);
        self.staff.fresh.insert(node);
        true
    }

    /// Whether a replica that has come up was started on purpose.
    pub(super) fn is_fresh(&mut self, node: NodeId) -> bool {
        self.staff.fresh.remove(&node)
    }

    /// A replica is ready.
    pub(super) fn is_ready(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(component) = self.fleets.iter().position(|fleet| fleet.membership(node).is_some()) else { return };
        let Some(rolling) = self.staff.rolling.get(&component) else { return };
        let (Some(number), min_ready) = (self.fleets[component].tenant(node), rolling.min_ready) else { return };
        match min_ready {
            0 => self.available(cx, number, node),
            span => drop(cx.chore_after(span, Timer { what: AVAILABLE, data: of_replica(number, node) })),
        }
    }

    fn available(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        let Some(component) = self.fleets.iter().position(|fleet| fleet.tenant(node) == Some(number)) else { return };
        let Some(rolling) = self.staff.rolling.get_mut(&component) else { return };
        rolling.available.insert(number);
        self.step(cx, component);
    }

    /// A rolling update goes on as far as it may.
    fn step(&mut self, cx: &mut Cx<'_>, component: usize) {
        loop {
            let Some(Rolling { surge, unavailable, old, available, .. }) = self.staff.rolling.get(&component) else {
                return;
            };
            let bounds = Bounds::of(self.staff.wanted[component], *surge, *unavailable);
            let mut there = There::default();
            // Those that may go: whether it is an old one, whether it is available, its number and its node.
            let mut going = Vec::new();
            for (number, node, is_ready) in self.staying(component) {
                let is_old = old.contains(&number);
                let is_available = is_ready && (is_old || available.contains(&number));
                let count = match (is_old, is_available) {
                    (true, true) => &mut there.old_available,
                    (true, false) => &mut there.old_unavailable,
                    (false, true) => &mut there.new_available,
                    (false, false) => &mut there.new_unavailable,
                };
                *count += 1;
                going.push((is_old, is_available, number, node));
            }
            let Some(Step { start, stop_new, stop_unavailable, stop_available }) = bounds.step(there) else {
                self.staff.rolling.remove(&component);
                if let Some((_, node)) = self.fleets[component].present().last() {
                    cx.happened_to(*node, &DEPLOY_FINISHED);
                }
                return;
            };
            let of = |is_old: bool, is_available: Option<bool>, count: u32| {
                let mut those: Vec<_> =
                    going.iter().filter(|of| of.0 == is_old && is_available.is_none_or(|so| of.1 == so)).collect();
                if !is_old {
                    // Of new ones those that are not available, and then the newest.
                    those.sort_by_key(|of| (of.1, std::cmp::Reverse(of.2)));
                }
                those.into_iter().take(count as usize).map(|of| of.3).collect::<Vec<NodeId>>()
            };
            let stopping = [
                of(false, None, stop_new),
                of(true, Some(false), stop_unavailable),
                of(true, Some(true), stop_available),
            ];
            let started = (0..start).take_while(|_| self.begin(cx, component)).count();
            let stopping = stopping.concat();
            stopping.iter().for_each(|node| self.shut_down(cx, *node));
            // Where a start waits for room, it goes on when there is some.
            if started == 0 && stopping.is_empty() {
                return;
            }
        }
    }

    /// A replica is to go: choosers are told, and so is its process, after its hook.
    pub fn shut_down(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(shutdown) = self.life_of(node).and_then(|life| life.shutdown) else { return };
        let Some(fleet) = self.fleet_with(node) else { return };
        let Some(number) = fleet.tenant(node) else { return };
        if !fleet.drain(node) {
            // It has not come up yet.
            self.staff.fresh.remove(&node);
            self.leave(cx, node);
            return;
        }
        cx.happened_to(node, &REPLICA_STOPPING);
        cx.announce(node, News::Left);
        let data = of_replica(number, node);
        cx.chore_after(shutdown.told_after(), Timer { what: TERM, data });
        cx.chore_after(shutdown.grace.0, Timer { what: super::LEAVE, data });
    }

    /// Whether the replica that had a slot is still there, and shuts down.
    fn is_stopping(&mut self, number: u32, node: NodeId) -> bool {
        let fleet = self.fleet_with(node);
        fleet.is_some_and(|fleet| {
            fleet.tenant(node) == Some(number) && fleet.membership(node) == Some(Membership::Draining)
        })
    }

    /// A process is told to end.
    fn term(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        let Some(shutdown) = self.life_of(node).and_then(|life| life.shutdown) else { return };
        if !self.is_stopping(number, node) {
            return;
        }
        match shutdown.on_term {
            OnTerm::Exit => self.gone(cx, node),
            OnTerm::KeepAccepting => {}
            OnTerm::StopAccepting => {
                cx.condition_mut(node).add_errors(CLOSING, 1.0, Outcome::Unavailable);
                self.staff.ending.insert(node, cx.open_calls(node));
                self.ends_when_idle(cx, number, node);
            }
        }
    }

    /// A process that was told to end does so once it has nothing left to do.
    fn ends_when_idle(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        if !self.is_stopping(number, node) {
            return;
        }
        let open = self.staff.ending.entry(node).or_default();
        open.retain(|call| cx.is_open(*call));
        match open.is_empty() {
            true => self.gone(cx, node),
            false => drop(cx.chore_after(LOOKS, Timer { what: IDLE, data: of_replica(number, node) })),
        }
    }

    /// Its time is over: it is killed, if it is still there.
    pub(super) fn grace_is_over(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        if self.is_stopping(number, node) {
            self.gone(cx, node);
        }
    }

    fn gone(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        self.is_probed_no_longer(node);
        cx.happened_to(node, &REPLICA_GONE);
        cx.condition_mut(node).remove_errors(CLOSING);
        self.staff.ending.remove(&node);
        self.leave(cx, node);
        if let Some(component) = self.fleets.iter().position(|fleet| fleet.membership(node).is_some()) {
            self.has_room(cx, component);
        }
    }

    fn sample(&mut self, cx: &mut Cx<'_>, component: usize) {
        let group = self.lives[component].group;
        let ready = self.staying(component).into_iter().filter(|(.., is_ready)| *is_ready);
        let used = ready.map(|(number, node, _)| (number, cx.cpu_used(node))).collect();
        let (arrived, ended, under_way) = (cx.arrived_at(group), cx.ended_at(group), cx.under_way_at(group));
        let sample = Sample { at: cx.now(), arrived, ended, under_way, used };
        let Some(scaler) = self.staff.scalers.get_mut(&component) else { return };
        scaler.samples.push_back(sample);
        cx.chore_after(scaler.settings.sync.0, Timer { what: SAMPLE, data: about(component) });
    }

    fn look(&mut self, cx: &mut Cx<'_>, component: usize) {
        let (now, current) = (cx.now(), self.staff.wanted[component]);
        let cores = self.lives[component].cores.unwrap_or(1.0);
        let staying = self.staying(component);
        let Some(Scaler { settings, hpa, samples }) = self.staff.scalers.get_mut(&component) else { return };
        cx.chore_after(settings.sync.0, Timer { what: LOOK, data: about(component) });
        let newest = now.saturating_sub(settings.metric_delay.0);
        while samples.get(2).is_some_and(|sample| sample.at <= newest) {
            samples.pop_front();
        }
        let (Some(before), Some(sample)) = (samples.front(), samples.get(1).filter(|sample| sample.at <= newest))
        else {
            return;
        };
        let metrics = settings.metrics.iter().filter_map(|metric| metric.metric());
        let measured: Vec<Measured> =
            metrics.map(|metric| measured(metric, &staying, (before, sample), cores)).collect();
        let next = hpa.look(now, current, &measured);
        if let Some(presence) = self.staff.present.get_mut(&component).filter(|_| next != current) {
            presence.scales(next > current);
        }
        self.want(cx, component, next);
    }
}

/// What a metric knows of the replicas that are there, by two samples one after the other.
fn measured(
    metric: Metric,
    staying: &[(u32, NodeId, bool)],
    (before, sample): (&Sample, &Sample),
    cores: f64,
) -> Measured {
    let span = (sample.at - before.at) as f64;
    let ready = || staying.iter().filter(|(.., is_ready)| *is_ready).map(|(number, ..)| *number);
    let (there, starting) = (ready().count() as u32, staying.iter().filter(|(.., is_ready)| !is_ready).count() as u32);
    let thousandths = |value: f64| (value * 1e3).max(0.0) as u64;
    match metric {
        Metric::Cpu(share) => {
            // Who was not ready all the time is as good as not ready.
            let used = ready().filter_map(|number| sample.used.get(&number)?.checked_sub(*before.used.get(&number)?));
            let used: Vec<u64> = used.map(|used| thousandths(used as f64 / span / cores)).collect();
            let measured = used.len() as u32;
            let (sum, unready) = (used.iter().sum(), starting + there - measured);
            Measured { sum, target: thousandths(share), is_share: true, measured, unready, missing: 0 }
        }
        Metric::PerReplica(what, target) => {
            let counted = ready().filter(|number| sample.used.contains_key(number)).count() as u32;
            let all = match what {
                PerReplica::Arrivals => (sample.arrived - before.arrived) as f64 / (span / 1e9),
                PerReplica::Completed => (sample.ended - before.ended) as f64 / (span / 1e9),
                PerReplica::InFlight => sample.under_way as f64,
            };
            // What was counted of all that were ready then is taken to be spread evenly.
            let sum = thousandths(all * f64::from(counted) / sample.used.len().max(1) as f64);
            Measured {
                sum,
                target: thousandths(target),
                is_share: false,
                measured: counted,
                unready: starting,
                missing: there - counted,
            }
        }
    }
}
