//! The director: the node beside the workloads that strikes and lifts faults, and starts and stops replicas, as chores: no run of
//! finite work goes on for them.

mod presence;
mod probing;
mod staffing;

use std::collections::{BTreeMap, BTreeSet};

use sim_core::dist::Dist;
use sim_core::random::Stream;
use sim_core::{
    Answer, CallId, Component, Cx, Death, Figures, GroupId, Happens, News, Next, NodeId, Order, Span, Time, Timer,
};

use crate::appeals::{DIES, FAILS, OF_MEMORY, OOM_KILLED, RETURNS, STANDS_STILL};
use crate::autoscale::AutoscaleSettings;
use crate::faults::Acting;
use crate::faults::fault::{Aftermath, Staffing, Whom};
use crate::faults::kill::{REPLICA_KILLED, REPLICA_REPLACED, REPLICA_STARTED, bring_up, take_down};
use crate::fleet::{Fleet, Membership};
use crate::restart::{RestartSettings, Restarts};
use crate::shutdown::ShutdownSettings;
pub use presence::FIGURES as FIGURES_OF_PRESENCE;
use probing::{ENDS, ENDS_AT_LAST, PROBE, PROBE_LATE, PROBE_STANDS, Probing};
pub use probing::{HAPPENS_OF_PROBES, Probes};
pub use staffing::HAPPENS_OF_STAFF;
use staffing::{AVAILABLE, IDLE, LOOK, REPLICA_ADDED, SAMPLE, SCHEDULED, Staff, TERM};

/// A fault on the director's list.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Time of the fault.
    pub at: Time,
    /// When it ends.
    pub until: Option<Time>,
    /// What it does.
    pub acting: Acting,
}

/// A component that breaks and is repaired for ever.
#[derive(Clone, Debug)]
pub struct Breaking {
    /// Its replicas.
    pub nodes: Vec<NodeId>,
    /// How long one works.
    pub mtbf: Dist,
    /// How long repairing takes.
    pub mttr: Dist,
    /// The draws of each replica.
    pub streams: Vec<Stream>,
}

static REPLICA_FAILED: Happens = Happens { name: "replica_failed", doc: "The replica failed at random (`mtbf`)." };
static REPLICA_REPAIRED: Happens =
    Happens { name: "replica_repaired", doc: "The replica is repaired after a random failure (`mttr`)." };

static START_WAITS: Happens =
    Happens { name: "start_waits", doc: "A replica should have started, but there was no room for it." };

static PROCESS_RESTARTED: Happens =
    Happens { name: "process_restarted", doc: "A process that had died was started again (`restart`)." };

/// Recorded of replicas that fail at random, or are to start.
pub static HAPPENS: &[&Happens] = &[&REPLICA_FAILED, &REPLICA_REPAIRED, &START_WAITS, &PROCESS_RESTARTED];

const STRIKE: u8 = 0;
const LIFT: u8 = 1;
const BREAK: u8 = 2;
const REPAIR: u8 = 3;
// Of a fault and a node.
const COME_BACK: u8 = 4;
const REPLACE: u8 = 5;
// Of a fault.
const GO_ON: u8 = 8;
// Of a node.
const READY: u8 = 6;
const LEAVE: u8 = 7;
const RESTART: u8 = 9;
const RESUME: u8 = 10;

/// What the director has found out about a fault since it struck.
#[derive(Clone, Debug, Default)]
struct Struck {
    /// The replicas that it struck.
    nodes: Vec<NodeId>,
    /// When what it struck comes back by itself, where it does.
    comes_back: Option<Time>,
    /// How many replicas were wanted before, where it changes that.
    wanted: Option<u32>,
}

/// What becomes of a replica of a component whose process has died.
#[derive(Clone, Debug)]
pub struct Life {
    /// How it is started again.
    pub restart: Option<RestartSettings>,
    /// After how long another one takes its place, where it is not.
    pub replace_after: Option<Span>,
    /// How long coming up takes.
    pub start_up: Option<Dist>,
    /// How a replica is shut down; `None` where replicas cannot come and go.
    pub shutdown: Option<ShutdownSettings>,
    /// What decides how many there are to be.
    pub autoscale: Option<AutoscaleSettings>,
    /// Cores that a replica asks for.
    pub cores: Option<f64>,
    /// How a replica is probed.
    pub probes: Option<Probes>,
    /// The group that measures its component.
    pub group: GroupId,
    /// Whether replicas come and go on purpose.
    pub is_staffed: bool,
}

/// The node that makes faults happen, and that starts and stops replicas.
#[derive(Clone, Debug)]
pub struct Director {
    planned: Vec<Planned>,
    struck: Vec<Struck>,
    breaking: Vec<Breaking>,
    /// The replicas of each component.
    fleets: Vec<Fleet>,
    /// What becomes of those whose process dies, by component.
    lives: Vec<Life>,
    /// A node of each component of which replicas wait for a host, and how many.
    pending: Vec<(NodeId, u32)>,
    /// How often processes have been started again.
    restarts: BTreeMap<NodeId, Restarts>,
    /// Replicas whose process has died by itself, until it is started again.
    dead: BTreeSet<NodeId>,
    /// Replicas that are dead and will be replaced, with how long the new one will take to come up.
    replacing: BTreeMap<NodeId, Span>,
    /// Who is wanted.
    staff: Staff,
    /// What probes know.
    probing: Probing,
    /// The end of the warm-up.
    zero: Time,
    draws: Stream,
}

impl Director {
    /// With its list; the number of a fault is its place there. The fleets are those of the components, in order.
    pub fn new(planned: Vec<Planned>, breaking: Vec<Breaking>, fleets: Vec<Fleet>, seed: u64) -> Director {
        Director {
            struck: vec![Struck::default(); planned.len()],
            planned,
            breaking,
            fleets,
            lives: Vec::new(),
            pending: Vec::new(),
            restarts: BTreeMap::new(),
            dead: BTreeSet::new(),
            replacing: BTreeMap::new(),
            staff: Staff::default(),
            probing: Probing::new(seed),
            zero: 0,
            draws: Stream::named(seed, "faults/recovery"),
        }
    }

    /// With what becomes of replicas whose process dies, by component.
    pub fn with_lives(self, lives: Vec<Life>, zero: Time) -> Director {
        let wanted = self.fleets.iter().map(Fleet::members).collect();
        Director { staff: Staff::new(&lives, wanted), lives, zero, ..self }
    }

    /// With replicas that wait for a host: a node of their component, and how many.
    pub fn with_pending(self, pending: Vec<(NodeId, u32)>) -> Director {
        Director { pending, ..self }
    }

    fn life_of(&self, node: NodeId) -> Option<&Life> {
        let component = self.fleets.iter().position(|fleet| fleet.membership(node).is_some())?;
        self.lives.get(component)
    }

    /// A process has died by itself, and is down.
    fn dies(&mut self, cx: &mut Cx<'_>, node: NodeId, of_memory: bool) {
        // Word of its death may come twice before it is dead.
        if !self.dead.insert(node) {
            return;
        }
        if of_memory {
            cx.happened_to(node, &OOM_KILLED);
            cx.note_kill(node);
        }
        self.is_probed_no_longer(node);
        cx.order(Order::Crash(node, Death::Process));
        self.comes_back(cx, node);
    }

    /// A process that is dead is started again, or replaced, after a while.
    fn comes_back(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(Life { restart, replace_after, start_up, .. }) = self.life_of(node).cloned() else { return };
        self.is_dead(cx, node);
        let takes = start_up.map_or(0, |dist| dist.sample_span(&mut self.draws));
        // Whoever probes a process also starts it again.
        let restart = restart.or_else(|| {
            let is_probed = self.life_of(node).is_some_and(|life| life.probes.is_some());
            (is_probed && replace_after.is_none()).then_some(RestartSettings::DEFAULT)
        });
        if let Some(restart) = restart {
            let wait = self.restarts.entry(node).or_default().died(cx.now(), &restart);
            cx.chore_after(wait.saturating_add(takes), Timer { what: RESTART, data: u64::from(node.0) });
        } else if let Some(after) = replace_after {
            self.replacing.insert(node, takes);
            cx.chore_after(after, Timer { what: REPLACE, data: u64::from(node.0) });
        }
    }

    /// A process that has died is started again.
    fn restart(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        // Who has been replaced meanwhile is not.
        if !self.dead.remove(&node) {
            return;
        }
        self.restarts.entry(node).or_default().is_up(cx.now());
        bring_up(cx, node, Death::Process, &PROCESS_RESTARTED);
        self.process_is_up(cx, node);
    }

    /// Adds what is counted of the replicas of a component.
    pub fn figures_of(&self, component: usize, now: Time, figures: &mut Figures) {
        self.staff.figures_of(component, now, figures);
    }

    /// The replicas of a component.
    pub fn fleet(&self, component: usize) -> &Fleet {
        &self.fleets[component]
    }

    /// Puts a fault on the list while the run goes on.
    pub fn inject(&mut self, cx: &mut Cx<'_>, fault: Planned) {
        let number = self.planned.len() as u64;
        cx.chore_after(fault.at.saturating_sub(cx.now()), Timer { what: STRIKE, data: number });
        if let Some(until) = fault.until {
            cx.chore_after(until.saturating_sub(cx.now()), Timer { what: LIFT, data: number });
        }
        self.planned.push(fault);
        self.struck.push(Struck::default());
    }

    /// When what fault number `number` strikes comes back by itself: what was drawn when it struck, and the mean of that before.
    /// `None` where it does not, or has an end of its own.
    pub fn comes_back_at(&self, number: usize) -> Option<Time> {
        let fault = self.planned.get(number).filter(|fault| fault.until.is_none())?;
        let mean = |start_up: Option<&Dist>| start_up.map_or(0, |dist| dist.mean() as Span);
        self.struck[number].comes_back.or_else(|| match fault.acting.aftermath() {
            Aftermath::Stays | Aftermath::Restarts => None,
            Aftermath::ComesBack(start_up) => Some(fault.at + mean(start_up)),
            Aftermath::Replaced(after, start_up) => Some(fault.at + after + mean(start_up)),
        })
    }

    /// Other settings are in force: what `set` fault number `fault` leaves when it strikes, or ends, is now the change that
    /// was prepared under `change`, and concerns these nodes.
    pub fn revise_set(&mut self, fault: u32, ends: bool, change: u32, nodes: &[NodeId]) {
        if let Some(planned) = self.planned.get_mut(fault as usize) {
            planned.acting.revise(ends, change, nodes);
        }
    }

    /// How many faults are on the list.
    pub fn count(&self) -> usize {
        self.planned.len()
    }

    /// A fault strikes those whom it finds.
    fn strike(&mut self, cx: &mut Cx<'_>, number: u32) {
        let Planned { until, acting, .. } = self.planned[number as usize].clone();
        let aftermath = if until.is_some() { Aftermath::Stays } else { acting.aftermath() };
        let mut nodes = acting.whom().map_or_else(Vec::new, |whom| self.find(whom));
        if let Aftermath::Replaced(..) = aftermath {
            // Who is dead for good is not killed again.
            nodes.retain(|node| !self.replacing.contains_key(node));
        }
        if let Aftermath::Restarts = aftermath {
            nodes.retain(|node| !self.dead.contains(node));
        }
        acting.strike(cx, number, &nodes);
        let wanted = acting.staffing().and_then(|staffing| self.staff(cx, *staffing));
        if let Aftermath::Restarts = aftermath {
            for node in &nodes {
                self.dead.insert(*node);
                self.comes_back(cx, *node);
            }
        }
        self.go_on(cx, number);
        let (after, start_up, what) = match aftermath {
            Aftermath::Stays | Aftermath::Restarts => (0, None, None),
            Aftermath::ComesBack(start_up) => (0, start_up, Some(COME_BACK)),
            Aftermath::Replaced(after, start_up) => (after, start_up, Some(REPLACE)),
        };
        let mut comes_back = None;
        for (node, what) in nodes.iter().filter_map(|node| Some((*node, what?))) {
            let takes = start_up.map_or(0, |dist| dist.sample_span(&mut self.draws));
            comes_back = comes_back.max(Some(cx.now() + after + takes));
            if what == REPLACE {
                self.replacing.insert(node, takes);
            }
            let wait = if what == REPLACE { after } else { takes };
            cx.chore_after(wait, Timer { what, data: u64::from(number) << 32 | u64::from(node.0) });
        }
        self.struck[number as usize] = Struck { nodes, comes_back, wanted };
    }

    /// A fault ends.
    fn lift(&mut self, cx: &mut Cx<'_>, number: usize) {
        self.planned[number].acting.lift(cx, number as u32, &self.struck[number].nodes);
        if let (Some(Staffing::Scale { component, .. }), Some(wanted)) =
            (self.planned[number].acting.staffing().copied(), self.struck[number].wanted)
        {
            self.want(cx, component, wanted);
        }
    }

    /// What is done bit by bit goes on, until it is over or ends.
    fn go_on(&mut self, cx: &mut Cx<'_>, number: u32) {
        let Planned { until, acting, .. } = &self.planned[number as usize];
        if until.is_some_and(|until| until <= cx.now()) {
            return;
        }
        if let Some(after) = acting.go_on(cx) {
            cx.chore_after(after, Timer { what: GO_ON, data: u64::from(number) });
        }
    }

    /// The replicas that a fault means: of those that are there, the oldest so many, or the one of that number.
    fn find(&self, whom: &Whom) -> Vec<NodeId> {
        let present = self.fleets[whom.component].present();
        let is_meant = |number: u32| whom.replica.is_none_or(|one| one == number);
        let meant = present.into_iter().filter(|(number, _)| is_meant(*number)).map(|(_, node)| node);
        meant.take(whom.replicas.map_or(usize::MAX, |some| some as usize)).collect()
    }

    fn fleet_with(&mut self, node: NodeId) -> Option<&mut Fleet> {
        self.fleets.iter_mut().find(|fleet| fleet.membership(node).is_some())
    }

    /// A replica leaves for good; what is still open there is lost. False where there was none.
    fn leave(&mut self, cx: &mut Cx<'_>, node: NodeId) -> bool {
        let now = cx.now();
        if !self.fleet_with(node).is_some_and(|fleet| fleet.leave(now, node)) {
            return false;
        }
        cx.announce(node, News::Left);
        let was_dead = self.dead.remove(&node);
        self.restarts.remove(&node);
        if self.replacing.remove(&node).is_none() && !was_dead {
            cx.order(Order::Crash(node, Death::Process));
        }
        cx.order(Order::Retire(node));
        true
    }

    /// A replica starts in the fleet in which `of` is, if possible beside `beside`, and is ready after a while. `None` where no slot is free.
    fn start(&mut self, cx: &mut Cx<'_>, of: NodeId, beside: Option<NodeId>, takes: Span) -> Option<NodeId> {
        let now = cx.now();
        let fleet = self.fleet_with(of)?;
        let node = fleet.start(now, beside, |node| cx.would_come_up(node))?;
        let number = fleet.tenant(node)?;
        cx.chore_after(takes, Timer { what: READY, data: u64::from(number) << 32 | u64::from(node.0) });
        Some(node)
    }

    /// A replica that has come up is ready.
    fn ready(&mut self, cx: &mut Cx<'_>, number: u32, node: NodeId) {
        let is_starting = self.fleet_with(node).is_some_and(|fleet| {
            fleet.tenant(node) == Some(number) && fleet.membership(node) == Some(Membership::Starting)
        });
        if !is_starting {
            return;
        }
        let what = if self.is_fresh(node) { &REPLICA_ADDED } else { &REPLICA_REPLACED };
        bring_up(cx, node, Death::Process, what);
        match self.process_is_up(cx, node) {
            true => self.hide(node),
            false => self.is_ready_at_last(cx, node),
        }
    }

    /// A replica that has come up may be called.
    fn is_ready_at_last(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        if self.fleet_with(node).is_some_and(|fleet| fleet.become_ready(node)) {
            cx.announce(node, News::Joined);
            self.is_ready(cx, node);
        }
    }

    fn arm_breaking(&mut self, cx: &mut Cx<'_>, which: usize, replica: usize, what: u8) {
        let breaking = &mut self.breaking[which];
        let dist = if what == BREAK { &breaking.mtbf } else { &breaking.mttr };
        let wait = dist.sample_span(&mut breaking.streams[replica]);
        cx.chore_after(wait, Timer { what, data: (which as u64) << 32 | replica as u64 });
    }
}

impl Component for Director {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        for (number, fault) in self.planned.iter().enumerate() {
            cx.chore_after(fault.at - cx.now(), Timer { what: STRIKE, data: number as u64 });
            if let Some(until) = fault.until {
                cx.chore_after(until - cx.now(), Timer { what: LIFT, data: number as u64 });
            }
        }
        for (node, count) in self.pending.clone() {
            (0..count).for_each(|_| cx.happened_to(node, &START_WAITS));
        }
        self.begin_staffing(cx);
        self.begin_probing(cx);
        for which in 0..self.breaking.len() {
            for replica in 0..self.breaking[which].nodes.len() {
                self.arm_breaking(cx, which, replica, BREAK);
            }
        }
        Next::WAIT
    }

    fn on_call(&mut self, _cx: &mut Cx<'_>, _call: CallId) -> Next {
        unreachable!("nobody calls the director")
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        self.probe_is_answered(cx, call, answer);
        self.count_replicas(cx.now());
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let (high, low) = ((timer.data >> 32) as usize, timer.data as u32 as usize);
        match timer.what {
            STRIKE => self.strike(cx, low as u32),
            LIFT => self.lift(cx, low),
            COME_BACK => self.planned[high].acting.lift(cx, high as u32, &[NodeId(low as u32)]),
            REPLACE => {
                let dead = NodeId(low as u32);
                let takes = self.replacing.get(&dead).copied().unwrap_or(0);
                // Its own slot is free now, if no other. Whoever has left meanwhile, on purpose, is not replaced.
                if self.leave(cx, dead) {
                    self.start(cx, dead, Some(dead), takes);
                }
            }
            GO_ON => self.go_on(cx, low as u32),
            READY => self.ready(cx, high as u32, NodeId(low as u32)),
            LEAVE => self.grace_is_over(cx, high as u32, NodeId(low as u32)),
            PROBE | PROBE_LATE | PROBE_STANDS | ENDS | ENDS_AT_LAST => self.probing_is_due(cx, timer),
            TERM | IDLE | AVAILABLE | SAMPLE | LOOK | SCHEDULED => self.staffing_is_due(cx, timer),
            RESTART => self.restart(cx, NodeId(low as u32)),
            RESUME => cx.order(Order::Resume(NodeId(low as u32))),
            BREAK => {
                take_down(cx, self.breaking[high].nodes[low], Death::Process, &REPLICA_FAILED);
                self.arm_breaking(cx, high, low, REPAIR);
            }
            REPAIR => {
                bring_up(cx, self.breaking[high].nodes[low], Death::Process, &REPLICA_REPAIRED);
                self.arm_breaking(cx, high, low, BREAK);
            }
            what => unreachable!("no timer is set for {what}"),
        }
        self.count_replicas(cx.now());
        Next::WAIT
    }

    fn on_asked(&mut self, cx: &mut Cx<'_>, of: NodeId, what: u8, data: u64) {
        match what {
            DIES => self.dies(cx, of, data == OF_MEMORY),
            FAILS => take_down(cx, of, Death::Process, &REPLICA_KILLED),
            RETURNS => bring_up(cx, of, Death::Process, &REPLICA_STARTED),
            STANDS_STILL if data > 0 => {
                cx.order(Order::Pause(of));
                cx.chore_after(data, Timer { what: RESUME, data: u64::from(of.0) });
            }
            what => debug_assert_eq!(what, STANDS_STILL, "nobody asks for {what}"),
        }
        self.count_replicas(cx.now());
    }

    fn rebuild(&mut self, _now: Time) {}

    fn begin_measuring(&mut self, now: Time) {
        self.staff.begin_measuring(now);
    }

    fn figures(&self, _now: Time, _figures: &mut Figures) {}
}
