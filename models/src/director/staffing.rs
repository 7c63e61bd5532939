//! Who is there, on purpose: replicas that are started and shut down for `scale`, `deploy` and autoscaling.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sim_core::{Cx, Happens, News, NodeId, Outcome, Span, Time, Timer};

use super::{Director, Life};
use crate::autoscale::hpa::{Hpa, HpaSettings, Measured, MetricSettings};
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
const CLOSING: u32 = u32::MAX;
/// How often a process that ends looks whether it has finished everything.
const LOOKS: Span = 100_000_000;

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
    arrivals: u64,
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
}

impl Staff {
    /// What is wanted at the start.
    pub(super) fn new(lives: &[Life], wanted: Vec<u32>) -> Staff {
        let hpa = |(component, life): (usize, &Life)| {
            let autoscale = life.autoscale.as_ref()?;
            let settings = autoscale.hpa.clone()?;
            let hpa = Hpa::new(&settings, autoscale.min, autoscale.max);
            Some((component, Scaler { settings, hpa, samples: VecDeque::new() }))
        };
        let scalers = lives.iter().enumerate().filter_map(hpa).collect();
        Staff { wanted, scalers, rolling: BTreeMap::new(), fresh: BTreeSet::new() }
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
        for (component, scaler) in &self.staff.scalers {
            let (sync, delay) = (scaler.settings.sync.0, scaler.settings.metric_delay.0);
            let data = about(*component);
            // Samples are as old as they should be when they are looked at.
            cx.chore_after((sync - delay % sync) % sync, Timer { what: SAMPLE, data });
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
        let members = self.fleets[component].members();
        (members..replicas).for_each(|_| self.begin(cx, component));
        let mut surplus = self.staying(component);
        // Those that are not ready go first, and then the newest.
        surplus.sort_by_key(|(number, _, is_ready)| (*is_ready, std::cmp::Reverse(*number)));
        for (_, node, _) in surplus.into_iter().take(members.saturating_sub(replicas) as usize) {
            self.shut_down(cx, node);
        }
    }

    /// The replicas that are not being shut down: number, node, and whether it is ready and alive.
    fn staying(&self, component: usize) -> Vec<(u32, NodeId, bool)> {
        let fleet = &self.fleets[component];
        let of = |(number, node): (u32, NodeId)| match fleet.membership(node)? {
            Membership::Starting => Some((number, node, false)),
            Membership::Ready => {
                Some((number, node, !self.dead.contains(&node) && !self.replacing.contains_key(&node)))
            }
            Membership::Draining | Membership::Gone => None,
        };
        fleet.present().into_iter().filter_map(of).collect()
    }

    /// Another replica starts.
    fn begin(&mut self, cx: &mut Cx<'_>, component: usize) {
        let takes = self.lives[component].start_up.clone().map_or(0, |dist| dist.sample_span(&mut self.draws));
        let Some((_, of)) = self.fleets[component].used().first().copied() else { return };
        if let Some(node) = self.start(cx, of, None, takes) {
            self.staff.fresh.insert(node);
        }
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
            let wanted = self.staff.wanted[component];
            let bounds = Bounds {
                replicas: wanted,
                surge: surge.rounded_up(wanted),
                unavailable: unavailable.rounded_down(wanted),
            };
            let (mut there, mut going) = (There::default(), Vec::new());
            let staying = self.staying(component);
            let before = staying.len();
            for (number, node, is_ready) in staying {
                match (old.contains(&number), is_ready) {
                    (true, true) => (there.old_available, _) = (there.old_available + 1, going.push((false, node))),
                    (true, false) => (there.old_unavailable, _) = (there.old_unavailable + 1, going.push((true, node))),
                    (false, true) if available.contains(&number) => there.new_available += 1,
                    (false, _) => there.new_unavailable += 1,
                }
            }
            let Some(Step { start, stop_unavailable, stop_available }) = bounds.step(there) else {
                self.staff.rolling.remove(&component);
                if let Some((_, node)) = self.fleets[component].present().last() {
                    cx.happened_to(*node, &DEPLOY_FINISHED);
                }
                // Where fewer are wanted by now, the newest go.
                let surplus = self.staying(component).into_iter().rev();
                let surplus: Vec<NodeId> = surplus.map(|(_, node, _)| node).collect();
                let count = surplus.len().saturating_sub(wanted as usize);
                surplus.into_iter().take(count).for_each(|node| self.shut_down(cx, node));
                return;
            };
            (0..start).for_each(|_| self.begin(cx, component));
            let of = |dead: bool, count: u32| {
                let all = going.iter().filter(move |(is_dead, _)| *is_dead == dead).map(|(_, node)| *node);
                all.take(count as usize).collect::<Vec<NodeId>>()
            };
            let stopping = [of(true, stop_unavailable), of(false, stop_available)].concat();
            stopping.into_iter().for_each(|node| self.shut_down(cx, node));
            // A start can wait for room; then nothing has changed, and the update goes on when a replica is ready.
            if self.staying(component).len() == before {
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
            return self.leave(cx, node);
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
                self.ends_when_idle(cx, number, node);
            }
        }
    }

    /// A process that was told to end does so once it has nothing left to do.
    fn ends_when_idle(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        if !self.is_stopping(number, node) {
            return;
        }
        match cx.has_open_calls(node) {
            true => drop(cx.chore_after(LOOKS, Timer { what: IDLE, data: of_replica(number, node) })),
            false => self.gone(cx, node),
        }
    }

    /// Its time is over: it is killed, if it is still there.
    pub(super) fn grace_is_over(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        if self.is_stopping(number, node) {
            self.gone(cx, node);
        }
    }

    fn gone(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        cx.happened_to(node, &REPLICA_GONE);
        cx.condition_mut(node).remove_errors(CLOSING);
        self.leave(cx, node);
    }

    fn sample(&mut self, cx: &mut Cx<'_>, component: usize) {
        let group = self.lives[component].group;
        let ready = self.staying(component).into_iter().filter(|(.., is_ready)| *is_ready);
        let used = ready.map(|(number, node, _)| (number, cx.cpu_used(node))).collect();
        let sample = Sample { at: cx.now(), arrivals: cx.arrived_at(group), under_way: cx.under_way_at(group), used };
        let Some(scaler) = self.staff.scalers.get_mut(&component) else { return };
        scaler.samples.push_back(sample);
        cx.chore_after(scaler.settings.sync.0, Timer { what: SAMPLE, data: about(component) });
    }

    fn look(&mut self, cx: &mut Cx<'_>, component: usize) {
        let (now, current) = (cx.now(), self.staff.wanted[component]);
        let cores = self.lives[component].cores.unwrap_or(1.0);
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
        let span = (sample.at - before.at) as f64;
        let ready = sample.used.len() as u32;
        let measured = settings.metrics.iter().map(|metric| match metric {
            MetricSettings::Arrivals(target) => {
                let rate = (sample.arrivals - before.arrivals) as f64 / (span / 1e9);
                Measured { sum: rate, target: target.0 }
            }
            MetricSettings::InFlight(target) => Measured { sum: sample.under_way as f64, target: *target },
            MetricSettings::Cpu(target) => {
                let both = sample.used.iter().filter_map(|(number, used)| Some(*used - *before.used.get(number)?));
                let shares: Vec<f64> = both.map(|used| used as f64 / span / cores).collect();
                // Those of which only one sample is known are taken to be as the others.
                let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
                Measured { sum: mean * f64::from(ready), target: target.0 }
            }
        });
        let measured: Vec<Measured> = measured.collect();
        let next = hpa.look(now, current, ready, &measured);
        self.want(cx, component, next);
    }
}
