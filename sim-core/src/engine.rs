//! The engine: a network of nodes that call each other, and the loop that goes from event to event.
//!
//! A node is a [`Component`] of the model's making. The engine hands it calls, replies and timers; the entry *returns*
//! what happens next ([`Next`]) and the engine goes on with that at once, so that a call runs inline from node to node
//! until something must wait. Only a second effect of one entry goes to a ring, which is emptied before the next event.
//!
//! Faults act here, in what the verbs do ([`crate::conditions`]): a component sees nothing but a refused, late or lost call.

use std::collections::VecDeque;

use crate::calendar::{Calendar, Class, TimerId};
use crate::calls::*;
use crate::conditions::{Condition, Path};
use crate::cpu::{CpuId, CpuJob, Cpus};
use crate::measure::{Figures, GroupId, Measure};
use crate::outcome::{Answer, Outcome};
use crate::random::{Draw, Key};
use crate::time::{Span, Time};

/// What an entry wants to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Nothing: something is being waited for.
    Wait,
    /// This call, just made, goes to its callee.
    Call(CallId),
    /// This call ends so.
    Reply(CallId, Answer),
}

/// A timer that went off, as it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What for; the component's own numbering.
    pub what: u8,
    /// Which call or record; the component's own meaning ([`CallId::to_bits`] for a call).
    pub data: u64,
}

impl Timer {
    /// A timer for a call.
    pub fn of(what: u8, call: CallId) -> Timer {
        Timer { what, data: call.to_bits() }
    }

    /// The call it is for.
    pub fn call(self) -> CallId {
        CallId::from_bits(self.data)
    }
}

/// What a node is made of. One replica of a service is one node; so is a link of one replica, and a workload.
pub trait Component: Clone {
    /// The run begins, or the node does after a crash.
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        let _ = cx;
        Next::Wait
    }

    /// A call has arrived.
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next;

    /// `child`, which this node called on behalf of `call`, has ended. For a request that this node began itself,
    /// `call` and `child` are the same.
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next;

    /// A timer went off, or work is done.
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next;

    /// The caller of `call` no longer wants it and has said so.
    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let _ = (cx, call);
        Next::Wait
    }

    /// The node has crashed: become what the settings in force make of it.
    fn rebuild(&mut self, now: Time);

    /// The warm-up is over: gauges start anew.
    fn begin_measuring(&mut self, now: Time);

    /// Adds what this node has to say of itself.
    fn figures(&self, now: Time, figures: &mut Figures);

    /// A prepared change of settings takes effect; false where this node knows nothing of it.
    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let _ = (cx, change);
        false
    }
}

/// What a call is about; rows of a table that is fixed for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Index of the operation's name.
    pub op: u16,
    /// Bytes that travel with the call.
    pub size_bytes: u64,
}

/// Something that must be done to a node from outside of it, after the entry that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The node loses everything that it was doing and is down until started.
    Crash(NodeId),
    /// A node that is down begins anew.
    Start(NodeId),
    /// Work stands still.
    Pause(NodeId),
    /// Work goes on.
    Resume(NodeId),
    /// A prepared change of settings.
    Adopt(NodeId, u32),
}

/// The "link" of branches, for their keys.
const BRANCH: u32 = 0x6272_616e;

#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Kind {
    Clock,
    Work,
    Deliver,
    Reply,
    Cpu,
    Cancel,
}

/// 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: Kind,
    what: u8,
    epoch: u16,
    node: u32,
    data: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) group: GroupId,
    pub(crate) epoch: u16,
    pub(crate) owner: NodeId,
    pub(crate) salt: u32,
    pub(crate) condition: Condition,
    /// What its work runs on.
    pub(crate) cpus: Vec<CpuId>,
}

/// The engine without its nodes: what the verbs work on.
#[derive(Clone, Debug)]
pub struct Core {
    now: Time,
    seed: u64,
    events: u64,
    at_this_instant: u32,
    calendar: Calendar<Event>,
    calls: Calls,
    /// When each abandoned call was given up; indexed by its frame's `parent`.
    given_up: Vec<Time>,
    given_up_free: Vec<u32>,
    ring: VecDeque<Next>,
    orders: VecDeque<Order>,
    pub(crate) nodes: Vec<NodeState>,
    groups: Vec<Measure>,
    group_names: Vec<String>,
    profiles: Vec<Profile>,
    paths: Vec<Path>,
    cpus: Cpus,
}

/// One instant may not take more activations than this: beyond it, calls go round in a circle without time passing.
pub const ACTIVATIONS_AT_ONE_INSTANT: u32 = 20_000_000;

/// A loop that takes no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The instant at which it turns.
    pub at: Time,
    /// The group in which it was last seen.
    pub group: String,
}

/// The verbs: what a component can do.
pub struct Cx<'a> {
    core: &'a mut Core,
    node: NodeId,
}

/// Makes a call: whom it is to, and what makes it differ from its parent.
#[derive(Clone, Copy, Debug)]
pub struct To {
    /// Who serves it.
    pub node: NodeId,
    /// The link, by the hash of its name: tells the draws of this child from those of its siblings …
    pub link: u32,
    /// … together with its ordinal among the parent's calls over that link.
    pub ordinal: u32,
    /// Row of the profile table; `None` to inherit.
    pub profile: Option<u16>,
    /// Row of the path table; 0 is no network.
    pub path: u16,
    /// True where a retry or hedge brings it about.
    pub is_retry: bool,
}

impl<'a> Cx<'a> {
    /// The instant.
    #[inline]
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// The node whose entry this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Its group, as a place of failure.
    pub fn place(&self) -> u16 {
        self.core.nodes[self.node.0 as usize].group.0
    }

    /// An answer of this node's own.
    pub fn answer(&self, outcome: Outcome) -> Answer {
        Answer::new(outcome, self.place())
    }

    /// Makes a call on behalf of `parent`; return or post [`Next::Call`] to send it.
    #[inline]
    pub fn call(&mut self, parent: CallId, to: To) -> CallId {
        let p = *self.core.calls.at(parent.index);
        debug_assert!(self.core.calls.is_open(parent));
        let frame = Frame {
            since: self.core.now,
            key: Key::from_bits(p.key).child(to.link, to.ordinal).bits(),
            parent: parent.index,
            generation: 0,
            node: to.node.0,
            ticket: 0,
            profile: to.profile.unwrap_or(p.profile),
            path: to.path,
            draws: 0,
            flags: (p.flags & RETRY) | if to.is_retry { RETRY } else { 0 },
            priority: p.priority,
        };
        let baggage = self.core.calls.baggage(parent.index);
        self.core.calls.insert(frame, baggage)
    }

    /// Makes a call whose answer nobody waits for.
    pub fn call_and_forget(&mut self, parent: CallId, to: To) -> CallId {
        let call = self.call(parent, to);
        self.core.calls.at_mut(call.index).parent = NONE;
        call
    }

    /// Begins a request: a call without a parent, whose answer comes to this node's own `on_reply`.
    /// `key` is the key of its draws, `since` the instant at which it should have been sent.
    #[inline]
    pub fn request(&mut self, to: NodeId, key: u64, since: Time, profile: u16, priority: u8, baggage: Baggage) -> CallId {
        let frame = Frame {
            since,
            key,
            parent: self.node.0,
            generation: 0,
            node: to.0,
            ticket: 0,
            profile,
            path: 0,
            draws: 0,
            flags: ROOT,
            priority,
        };
        self.core.calls.insert(frame, baggage)
    }

    /// Goes on working for `call` after it is answered: a twin of it that has no caller. The answer itself is posted by
    /// the component for the original.
    pub fn detach(&mut self, call: CallId) -> CallId {
        let mut frame = *self.core.calls.at(call.index);
        frame.parent = NONE;
        frame.flags |= BACKGROUND | DELIVERED;
        let baggage = self.core.calls.baggage(call.index);
        self.core.calls.insert(frame, baggage)
    }

    /// A part of the work for `call` that goes on side by side with the rest of it, with draws of its own. It is served
    /// by this node, is not measured, and ends with [`Cx::end_branch`].
    pub fn branch(&mut self, call: CallId, ordinal: u32) -> CallId {
        let mut frame = *self.core.calls.at(call.index);
        frame.key = Key::from_bits(frame.key).child(BRANCH, ordinal).bits();
        frame.parent = call.index;
        frame.path = 0;
        frame.draws = 0;
        frame.flags = (frame.flags & RETRY) | BACKGROUND | DELIVERED;
        let baggage = self.core.calls.baggage(call.index);
        self.core.calls.insert(frame, baggage)
    }

    /// A branch, or a call that was detached, is over. What it still waited for must have been abandoned.
    pub fn end_branch(&mut self, call: CallId) {
        debug_assert!(self.core.calls.at(call.index).flags & BACKGROUND != 0);
        self.core.free(call.index);
    }

    /// The row of a profile, which is added where it is new.
    pub fn intern_profile(&mut self, profile: Profile) -> u16 {
        if let Some(found) = self.core.profiles.iter().position(|p| *p == profile) {
            return found as u16;
        }
        self.core.profiles.push(profile);
        (self.core.profiles.len() - 1) as u16
    }

    /// A second effect of this entry; happens after what the entry returns, before the next event.
    pub fn post(&mut self, next: Next) {
        if next != Next::Wait {
            self.core.ring.push_back(next);
        }
    }

    /// The caller stops waiting for `child`, which runs on; its answer will be dropped and its work counts as wasted.
    /// Nothing happens if it has ended.
    pub fn abandon(&mut self, child: CallId) {
        self.core.abandon(child);
    }

    /// Tells the callee of `child` that its answer is no longer wanted. It must have been abandoned first.
    pub fn cancel_call(&mut self, child: CallId) {
        if !self.core.calls.is_open(child) {
            return;
        }
        let frame = self.core.calls.at(child.index);
        let delay = self.core.paths[frame.path as usize].there();
        let event = Event { kind: Kind::Cancel, what: 0, epoch: 0, node: frame.node, data: child.to_bits() };
        self.core.calendar.set(self.core.now + delay, Class::First, event);
    }

    /// Sets a timer of the clock: it goes off after so long whatever happens to the node's speed.
    #[inline]
    pub fn after(&mut self, delay: Span, class: Class, timer: Timer) -> TimerId {
        let event = self.event(Kind::Clock, timer);
        let at = self.core.now.saturating_add(delay);
        self.core.calendar.set(at, class, event)
    }

    /// The same for a delay that is a constant of the settings: many such timers cost little.
    #[inline]
    pub fn after_constant(&mut self, delay: Span, class: Class, timer: Timer) -> TimerId {
        let event = self.event(Kind::Clock, timer);
        self.core.calendar.set_after(self.core.now, delay, class, event)
    }

    /// Takes a timer back; false if it has gone off.
    #[inline]
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        self.core.calendar.cancel(timer)
    }

    /// Something that takes the node so long to do: slower where a fault makes the node slow.
    #[inline]
    pub fn work(&mut self, span: Span, timer: Timer) -> TimerId {
        let span = self.core.nodes[self.node.0 as usize].condition.stretched(span);
        let event = self.event(Kind::Work, timer);
        self.core.calendar.set(self.core.now.saturating_add(span), Class::First, event)
    }

    /// Uses a core of `cpu` for so much work, shared with whatever else runs there. The work must not be nothing.
    pub fn cpu(&mut self, cpu: CpuId, work: Span, timer: Timer) -> CpuJob {
        let epoch = self.core.nodes[self.node.0 as usize].epoch;
        let job = self.core.cpus.add(self.core.now, cpu, work, (self.node, epoch, timer));
        self.core.arm_cpu(cpu.machine);
        job
    }

    /// Takes work back; what was left of it, or `None` if it is complete.
    pub fn cpu_take_back(&mut self, cpu: CpuId, job: CpuJob) -> Option<Span> {
        let left = self.core.cpus.remove(self.core.now, cpu, job);
        self.core.arm_cpu(cpu.machine);
        left
    }

    /// Ends all work on `cpu` without completing it.
    pub fn cpu_clear(&mut self, cpu: CpuId) {
        self.core.cpus.clear(self.core.now, cpu);
        self.core.arm_cpu(cpu.machine);
    }

    #[inline]
    fn event(&self, kind: Kind, timer: Timer) -> Event {
        let epoch = self.core.nodes[self.node.0 as usize].epoch;
        Event { kind, what: timer.what, epoch, node: self.node.0, data: timer.data }
    }

    /// Random numbers about `call` for one purpose: the same for the same request whatever else happens.
    #[inline]
    pub fn draw(&mut self, call: CallId, purpose: u32) -> Draw {
        let salt = self.core.nodes[self.node.0 as usize].salt;
        let frame = self.core.calls.at_mut(call.index);
        let nth = frame.draws;
        frame.draws = frame.draws.wrapping_add(1);
        Key::from_bits(frame.key).draw(salt ^ purpose, nth as u32)
    }

    /// The scenario's seed.
    pub fn seed(&self) -> u64 {
        self.core.seed
    }

    /// True while `call` has not ended.
    #[inline]
    pub fn is_open(&self, call: CallId) -> bool {
        self.core.calls.is_open(call)
    }

    /// When `call` arrived here; for a request, when it should have been sent.
    #[inline]
    pub fn since(&self, call: CallId) -> Time {
        self.core.calls.at(call.index).since
    }

    /// What this node remembers of `call`.
    #[inline]
    pub fn ticket(&self, call: CallId) -> u32 {
        self.core.calls.at(call.index).ticket
    }

    /// Remembers something of `call`.
    #[inline]
    pub fn set_ticket(&mut self, call: CallId, ticket: u32) {
        self.core.calls.at_mut(call.index).ticket = ticket;
    }

    /// The open call at an index that was kept from [`CallId::index`].
    #[inline]
    pub fn open_call(&self, index: u32) -> CallId {
        self.core.calls.id(index)
    }

    /// The profile's row of `call`.
    pub fn profile_row(&self, call: CallId) -> u16 {
        self.core.calls.at(call.index).profile
    }

    /// What `call` is about.
    #[inline]
    pub fn profile(&self, call: CallId) -> Profile {
        self.core.profiles[self.core.calls.at(call.index).profile as usize]
    }

    /// How important it is; 0 is the most.
    pub fn priority(&self, call: CallId) -> u8 {
        self.core.calls.at(call.index).priority
    }

    /// Sets the importance for `call` and what it will call.
    pub fn set_priority(&mut self, call: CallId, priority: u8) {
        self.core.calls.at_mut(call.index).priority = priority;
    }

    /// Data key and deadline of `call`.
    #[inline]
    pub fn baggage(&self, call: CallId) -> Baggage {
        self.core.calls.baggage(call.index)
    }

    /// Sets them for `call` and what it will call.
    pub fn set_baggage(&mut self, call: CallId, baggage: Baggage) {
        self.core.calls.set_baggage(call.index, baggage);
    }

    /// True where `call` was brought about by a retry or hedge, at any layer above.
    pub fn is_retry(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & RETRY != 0
    }

    /// Marks `call` as not (or as) brought about by a retry.
    pub fn set_retry(&mut self, call: CallId, retry: bool) {
        let frame = self.core.calls.at_mut(call.index);
        frame.flags = if retry { frame.flags | RETRY } else { frame.flags & !RETRY };
    }

    /// True where `call` goes on in the background after its answer.
    pub fn is_background(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & BACKGROUND != 0
    }

    /// Since when somebody above `call` has no longer been waiting for it; `None` where all still are.
    #[inline]
    pub fn abandoned_since(&self, call: CallId) -> Option<Time> {
        if self.core.given_up.len() == self.core.given_up_free.len() {
            return None;
        }
        self.core.abandoned_since(call)
    }

    /// The measures of this node's group.
    #[inline]
    pub fn measure(&mut self) -> &mut Measure {
        let group = self.core.nodes[self.node.0 as usize].group;
        &mut self.core.groups[group.0 as usize]
    }

    /// True where `node` can be called: for a balancer's or a link's choice.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.nodes[node.0 as usize].condition.is_up()
    }

    /// What the network does to this call on its way.
    pub fn path(&self, row: u16) -> &Path {
        &self.core.paths[row as usize]
    }

    /// Changes a row of the path table (network faults).
    pub fn path_mut(&mut self, row: u16) -> &mut Path {
        &mut self.core.paths[row as usize]
    }

    /// Changes the condition of a node (faults).
    pub fn condition_mut(&mut self, node: NodeId) -> &mut Condition {
        &mut self.core.nodes[node.0 as usize].condition
    }

    /// Changes the speed of a container (faults); work under way goes on at the new speed at once.
    pub fn set_cpu_speed(&mut self, cpu: CpuId, factor: f64) {
        self.core.cpus.set_speed(self.core.now, cpu, factor);
        self.core.arm_cpu(cpu.machine);
    }

    /// Changes the cores of a machine (faults, scaling).
    pub fn set_machine_cores(&mut self, machine: u32, cores: f64) {
        self.core.cpus.set_cores(self.core.now, machine, cores);
        self.core.arm_cpu(machine);
    }

    /// How many cores a machine has.
    pub fn machine_cores(&self, machine: u32) -> f64 {
        self.core.cpus.cores(machine)
    }

    /// Makes a node slower by a factor (faults), what runs on its cores at once, other work from its next beginning on.
    pub fn slow_down(&mut self, node: NodeId, factor: f64) {
        let state = &mut self.core.nodes[node.0 as usize];
        state.condition.multiply_slowdown(factor);
        let slowdown = state.condition.slowdown();
        for cpu in state.cpus.clone() {
            self.set_cpu_speed(cpu, 1.0 / slowdown);
        }
    }

    /// Something to be done to a node after this entry.
    pub fn order(&mut self, order: Order) {
        self.core.orders.push_back(order);
    }
}

impl CallId {
    /// Index to keep in a waiting line while the call is open; [`Cx::open_call`] leads back.
    pub fn index(self) -> u32 {
        self.index
    }
}

impl Core {
    fn abandon(&mut self, child: CallId) {
        if !self.calls.is_open(child) {
            return;
        }
        let slot = self.given_up_free.pop().unwrap_or_else(|| {
            self.given_up.push(0);
            (self.given_up.len() - 1) as u32
        });
        self.given_up[slot as usize] = self.now;
        let frame = self.calls.at_mut(child.index);
        debug_assert!(frame.flags & (ABANDONED | ROOT) == 0, "a call is abandoned once, by its caller");
        frame.flags |= ABANDONED;
        frame.parent = slot;
    }

    fn abandoned_since(&self, call: CallId) -> Option<Time> {
        let mut earliest = None;
        let mut index = call.index;
        loop {
            let frame = self.calls.at(index);
            if frame.flags & ABANDONED != 0 {
                let at = self.given_up[frame.parent as usize];
                earliest = Some(earliest.map_or(at, |e: Time| e.min(at)));
                return earliest;
            }
            if frame.flags & ROOT != 0 || frame.parent == NONE {
                return earliest;
            }
            index = frame.parent;
        }
    }

    fn arm_cpu(&mut self, machine: u32) {
        let (timer, due) = self.cpus.due(machine);
        if let Some(timer) = timer {
            self.calendar.cancel(timer);
        }
        let armed = due.map(|at| {
            let event = Event { kind: Kind::Cpu, what: 0, epoch: 0, node: 0, data: machine as u64 };
            self.calendar.set(at.max(self.now), Class::First, event)
        });
        self.cpus.armed(machine, armed);
    }

    #[inline]
    fn free(&mut self, index: u32) {
        let frame = self.calls.at(index);
        if frame.flags & ABANDONED != 0 {
            self.given_up_free.push(frame.parent);
        }
        self.calls.remove(index);
    }
}

/// Watches the engine go; costs nothing when it is `()`.
pub trait Trace: Clone {
    /// A call has reached its callee.
    fn delivered(&mut self, core: &Core, call: CallId) {
        let _ = (core, call);
    }
    /// A call has been answered by its callee.
    fn answered(&mut self, core: &Core, call: CallId, answer: Answer) {
        let _ = (core, call, answer);
    }
}

impl Trace for () {}

/// Nodes and the engine that drives them. Plain data: a clone is a checkpoint.
#[derive(Clone, Debug)]
pub struct Engine<C, T = ()> {
    core: Core,
    nodes: Vec<C>,
    reserved: bool,
    trace: T,
}

impl<C: Component> Engine<C> {
    /// An empty network.
    pub fn new(seed: u64) -> Engine<C> {
        Engine::with_trace(seed, ())
    }
}

impl<C: Component, T: Trace> Engine<C, T> {
    /// An empty network that is watched.
    pub fn with_trace(seed: u64, trace: T) -> Engine<C, T> {
        Engine {
            core: Core {
                now: 0,
                seed,
                events: 0,
                at_this_instant: 0,
                calendar: Calendar::new(),
                calls: Calls::default(),
                given_up: Vec::new(),
                given_up_free: Vec::new(),
                ring: VecDeque::new(),
                orders: VecDeque::new(),
                nodes: Vec::new(),
                groups: Vec::new(),
                group_names: Vec::new(),
                profiles: vec![Profile { op: 0, size_bytes: 0 }],
                paths: vec![Path::default()],
                cpus: Cpus::default(),
            },
            nodes: Vec::new(),
            reserved: false,
            trace,
        }
    }

    /// A group of nodes that are measured together. Its name seeds the draws of its nodes.
    pub fn add_group(&mut self, name: &str) -> GroupId {
        self.core.groups.push(Measure::new());
        self.core.group_names.push(name.to_string());
        GroupId((self.core.groups.len() - 1) as u16)
    }

    /// A node; `owner` is the node with which it crashes (itself for a replica, the replica for one of its links).
    pub fn add_node(&mut self, component: C, group: GroupId, owner: Option<NodeId>) -> NodeId {
        let id = self.add_state(group, owner);
        self.nodes.push(component);
        id
    }

    /// The next node, whose component follows with [`Engine::fill_node`]: so that what is needed to make it can be noted
    /// of it before.
    pub fn reserve_node(&mut self, group: GroupId) -> NodeId {
        assert!(!self.reserved, "one node is reserved at a time");
        self.reserved = true;
        self.add_state(group, None)
    }

    /// The component of the node that was reserved.
    pub fn fill_node(&mut self, component: C) {
        assert!(self.reserved, "a node is reserved before it is filled");
        self.reserved = false;
        self.nodes.push(component);
    }

    fn add_state(&mut self, group: GroupId, owner: Option<NodeId>) -> NodeId {
        let id = NodeId(self.core.nodes.len() as u32);
        let salt = crate::random::hash(0, &self.core.group_names[group.0 as usize]) as u32;
        self.core.nodes.push(NodeState {
            group,
            epoch: 0,
            owner: owner.unwrap_or(id),
            salt,
            condition: Condition::default(),
            cpus: Vec::new(),
        });
        id
    }

    /// Says that the work of `node` runs on `cpu`: it ends there when the node crashes, and slows down with it.
    pub fn runs_on(&mut self, node: NodeId, cpu: CpuId) {
        self.core.nodes[node.0 as usize].cpus.push(cpu);
    }

    /// A row of the profile table.
    pub fn add_profile(&mut self, profile: Profile) -> u16 {
        if let Some(found) = self.core.profiles.iter().position(|p| *p == profile) {
            return found as u16;
        }
        self.core.profiles.push(profile);
        (self.core.profiles.len() - 1) as u16
    }

    /// A row of the path table.
    pub fn add_path(&mut self, path: Path) -> u16 {
        self.core.paths.push(path);
        (self.core.paths.len() - 1) as u16
    }

    /// A machine with so many cores.
    pub fn add_machine(&mut self, cores: f64) -> u32 {
        self.core.cpus.add_machine(cores)
    }

    /// A container on a machine, with its share under contention and the most cores that it may use.
    pub fn add_container(&mut self, machine: u32, weight: u32, limit: Option<f64>) -> CpuId {
        self.core.cpus.add_container(machine, weight, limit)
    }

    /// Requests will carry data keys or deadlines.
    pub fn carry_baggage(&mut self) {
        self.core.calls.carry_baggage();
    }

    /// Starts every node, in order.
    pub fn start(&mut self) {
        for index in 0..self.nodes.len() {
            let node = NodeId(index as u32);
            let next = self.nodes[index].on_start(&mut Cx { core: &mut self.core, node });
            self.go(next);
        }
    }

    /// The instant up to which everything has happened.
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.core.events
    }

    /// Calls that are open.
    pub fn open_calls(&self) -> usize {
        self.core.calls.open
    }

    /// When the next event is due.
    pub fn next_event(&mut self) -> Option<Time> {
        self.core.calendar.peek_time()
    }

    /// Goes on until `until`; what falls exactly on it has not happened yet.
    pub fn run_until(&mut self, until: Time) -> Result<(), Stuck> {
        while let Some((at, event)) = self.core.calendar.pop_before(until) {
            if at != self.core.now {
                debug_assert!(at > self.core.now, "time goes forward");
                self.core.now = at;
                self.core.at_this_instant = 0;
            }
            self.core.events += 1;
            self.happen(event)?;
        }
        self.core.now = self.core.now.max(until);
        Ok(())
    }

    /// Goes on until nothing is left to happen, but not beyond `limit`. True if nothing is left.
    pub fn run_until_idle(&mut self, limit: Time) -> Result<bool, Stuck> {
        while let Some((at, event)) = self.core.calendar.pop_before(limit) {
            if at != self.core.now {
                self.core.now = at;
                self.core.at_this_instant = 0;
            }
            self.core.events += 1;
            self.happen(event)?;
        }
        Ok(self.core.calendar.is_empty())
    }

    #[inline]
    fn happen(&mut self, event: Event) -> Result<(), Stuck> {
        let next = match event.kind {
            Kind::Clock | Kind::Work => {
                let state = &mut self.core.nodes[event.node as usize];
                if state.epoch != event.epoch {
                    return Ok(());
                }
                if state.condition.is_paused() {
                    state.condition.stash(Stashed::timer(event));
                    return Ok(());
                }
                let timer = Timer { what: event.what, data: event.data };
                let node = NodeId(event.node);
                self.nodes[event.node as usize].on_timer(&mut Cx { core: &mut self.core, node }, timer)
            }
            Kind::Deliver => {
                let call = CallId::from_bits(event.data);
                if !self.core.calls.is_open(call) {
                    return Ok(());
                }
                self.arrive(call)
            }
            Kind::Reply => {
                let call = CallId::from_bits(event.data);
                if !self.core.calls.is_open(call) {
                    return Ok(());
                }
                let answer = unpack(self.core.calls.at(call.index).key);
                self.arrive_back(call, answer)
            }
            Kind::Cancel => {
                let call = CallId::from_bits(event.data);
                if !self.core.calls.is_open(call) || self.core.calls.at(call.index).flags & REPLYING != 0 {
                    return Ok(());
                }
                let node = NodeId(event.node);
                self.nodes[event.node as usize].on_cancel(&mut Cx { core: &mut self.core, node }, call)
            }
            Kind::Cpu => return self.cpu_due(event.data as u32),
        };
        self.go(next);
        self.check_progress(event.node)
    }

    fn check_progress(&mut self, node: u32) -> Result<(), Stuck> {
        if self.core.at_this_instant > ACTIVATIONS_AT_ONE_INSTANT {
            let group = self.core.nodes[node as usize].group;
            return Err(Stuck { at: self.core.now, group: self.core.group_names[group.0 as usize].clone() });
        }
        Ok(())
    }

    fn cpu_due(&mut self, cpu: u32) -> Result<(), Stuck> {
        self.core.cpus.armed(cpu, None);
        let mut done = Vec::with_capacity(1);
        self.core.cpus.complete(self.core.now, cpu, &mut done);
        self.core.arm_cpu(cpu);
        for (node, epoch, timer) in done {
            if self.core.nodes[node.0 as usize].epoch != epoch {
                continue;
            }
            let next = self.nodes[node.0 as usize].on_timer(&mut Cx { core: &mut self.core, node }, timer);
            self.go(next);
            self.check_progress(node.0)?;
        }
        Ok(())
    }

    /// Follows what entries return until everything waits.
    #[inline]
    fn go(&mut self, mut next: Next) {
        loop {
            if !self.core.orders.is_empty() {
                self.obey();
            }
            next = match next {
                Next::Call(call) => self.deliver(call),
                Next::Reply(call, answer) => self.answer(call, answer),
                Next::Wait => match self.core.ring.pop_front() {
                    Some(next) => next,
                    None => return,
                },
            };
            self.core.at_this_instant += 1;
            if self.core.at_this_instant > ACTIVATIONS_AT_ONE_INSTANT {
                return;
            }
        }
    }

    /// Sends a call on its way.
    #[inline]
    fn deliver(&mut self, call: CallId) -> Next {
        if !self.core.calls.is_open(call) {
            return Next::Wait;
        }
        let frame = self.core.calls.at(call.index);
        if frame.path != 0 {
            let path = &self.core.paths[frame.path as usize];
            let size = self.core.profiles[frame.profile as usize].size_bytes;
            let Some(delay) = path.delay_there(size, frame.key) else {
                return self.lost(call);
            };
            if delay > 0 {
                let event = Event { kind: Kind::Deliver, what: 0, epoch: 0, node: frame.node, data: call.to_bits() };
                if path.is_constant() {
                    self.core.calendar.set_after(self.core.now, delay, Class::First, event);
                } else {
                    self.core.calendar.set(self.core.now + delay, Class::First, event);
                }
                return Next::Wait;
            }
        }
        self.arrive(call)
    }

    /// The network has swallowed a call: after the last retransmission the connection is given up.
    fn lost(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at(call.index);
        let path = &self.core.paths[frame.path as usize];
        if let Some(after) = path.reset_after() {
            let place = self.core.nodes[frame.node as usize].group.0;
            let answer = Answer::new(Outcome::Reset, place);
            self.core.calls.at_mut(call.index).key = pack(answer);
            self.core.calls.at_mut(call.index).flags |= REPLYING;
            let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: call.to_bits() };
            self.core.calendar.set(self.core.now + after, Class::First, event);
        }
        Next::Wait
    }

    /// A call reaches its callee.
    #[inline]
    fn arrive(&mut self, call: CallId) -> Next {
        let now = self.core.now;
        let frame = self.core.calls.at_mut(call.index);
        let node = NodeId(frame.node);
        if frame.flags & ROOT == 0 {
            frame.since = now;
        }
        frame.flags |= DELIVERED;
        let by_retry = frame.flags & RETRY != 0;
        let state = &mut self.core.nodes[node.0 as usize];
        self.core.groups[state.group.0 as usize].arrive(now, by_retry);
        if state.condition.is_special() {
            let key = self.core.calls.at(call.index).key;
            if let Some(outcome) = state.condition.refuses(key ^ state.salt as u64) {
                let place = state.group.0;
                return self.answer(call, Answer::new(outcome, place));
            }
            if state.condition.is_paused() {
                state.condition.stash(Stashed::Call(call));
                return Next::Wait;
            }
        }
        self.trace.delivered(&self.core, call);
        self.nodes[node.0 as usize].on_call(&mut Cx { core: &mut self.core, node }, call)
    }

    /// A callee answers a call.
    #[inline]
    fn answer(&mut self, call: CallId, answer: Answer) -> Next {
        if !self.core.calls.is_open(call) {
            return Next::Wait;
        }
        let frame = self.core.calls.at(call.index);
        debug_assert!(frame.flags & REPLYING == 0, "a call is answered once");
        if frame.flags & BACKGROUND == 0 {
            let group = self.core.nodes[frame.node as usize].group;
            self.core.groups[group.0 as usize].end(self.core.now, frame.since, answer);
        }
        self.trace.answered(&self.core, call, answer);
        let frame = self.core.calls.at(call.index);
        if frame.path != 0 && frame.parent != NONE && frame.flags & ABANDONED == 0 {
            let path = &self.core.paths[frame.path as usize];
            let Some(delay) = path.delay_back(frame.key) else {
                return self.lost(call);
            };
            if delay > 0 {
                let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: call.to_bits() };
                if path.is_constant() {
                    self.core.calendar.set_after(self.core.now, delay, Class::First, event);
                } else {
                    self.core.calendar.set(self.core.now + delay, Class::First, event);
                }
                let frame = self.core.calls.at_mut(call.index);
                frame.key = pack(answer);
                frame.flags |= REPLYING;
                return Next::Wait;
            }
        }
        self.arrive_back(call, answer)
    }

    /// An answer reaches the caller.
    #[inline]
    fn arrive_back(&mut self, call: CallId, answer: Answer) -> Next {
        let frame = *self.core.calls.at(call.index);
        let next = if frame.flags & ABANDONED != 0 {
            Next::Wait
        } else if frame.flags & ROOT != 0 {
            let node = NodeId(frame.parent);
            self.nodes[frame.parent as usize].on_reply(&mut Cx { core: &mut self.core, node }, call, call, answer)
        } else if frame.parent == NONE {
            Next::Wait
        } else {
            let parent = self.core.calls.id(frame.parent);
            let node = NodeId(self.core.calls.at(frame.parent).node);
            self.nodes[node.0 as usize].on_reply(&mut Cx { core: &mut self.core, node }, parent, call, answer)
        };
        self.core.free(call.index);
        next
    }

    fn obey(&mut self) {
        while let Some(order) = self.core.orders.pop_front() {
            match order {
                Order::Crash(node) => self.crash(node),
                Order::Start(node) => self.start_again(node),
                Order::Pause(node) => self.pause(node),
                Order::Resume(node) => self.resume(node),
                Order::Adopt(node, change) => {
                    self.nodes[node.0 as usize].adopt(&mut Cx { core: &mut self.core, node }, change);
                }
            }
        }
    }

    /// The node and what it owns end: open calls there are answered with `reset`, calls from there are given up, timers
    /// are void, and everything is rebuilt from the settings in force.
    fn crash(&mut self, node: NodeId) {
        let core = &mut self.core;
        if !core.nodes[node.0 as usize].condition.take_down() {
            return;
        }
        let gone: Vec<usize> = (0..core.nodes.len()).filter(|i| core.nodes[*i].owner == node).collect();
        let is_gone = |n: u32| gone.binary_search(&(n as usize)).is_ok();
        let open: Vec<u32> = core
            .calls
            .iter()
            .filter(|(_, f)| is_gone(f.node) && f.flags & DELIVERED != 0 && f.flags & REPLYING == 0)
            .map(|(i, _)| i)
            .collect();
        // Calls that the crashed nodes made to others lose their caller.
        let made: Vec<CallId> = core
            .calls
            .iter()
            .filter(|(_, f)| f.flags & (ROOT | ABANDONED) == 0 && f.parent != NONE && !is_gone(f.node))
            .filter(|(_, f)| is_gone(core.calls.at(f.parent).node))
            .map(|(i, _)| core.calls.id(i))
            .collect();
        for call in made {
            core.abandon(call);
        }
        for index in gone.iter().copied() {
            core.nodes[index].epoch = core.nodes[index].epoch.wrapping_add(1);
            core.nodes[index].condition.forget_stash();
            self.nodes[index].rebuild(core.now);
        }
        for cpu in self.core.nodes[node.0 as usize].cpus.clone() {
            self.core.cpus.clear(self.core.now, cpu);
            self.core.arm_cpu(cpu.machine);
        }
        for index in open {
            let frame = *self.core.calls.at(index);
            let call = self.core.calls.id(index);
            let inner = frame.flags & (ROOT | ABANDONED) == 0 && frame.parent != NONE && is_gone(self.core.calls.at(frame.parent).node);
            let answer = Answer::new(Outcome::Reset, self.core.nodes[frame.node as usize].group.0);
            if inner || frame.flags & BACKGROUND != 0 {
                // Between two crashed nodes nobody is told.
                if frame.flags & BACKGROUND == 0 {
                    let group = self.core.nodes[frame.node as usize].group;
                    self.core.groups[group.0 as usize].end(self.core.now, frame.since, answer);
                }
                self.core.free(index);
            } else {
                self.core.ring.push_back(Next::Reply(call, answer));
            }
        }
    }

    fn start_again(&mut self, node: NodeId) {
        if !self.core.nodes[node.0 as usize].condition.bring_up() {
            return;
        }
        for index in 0..self.nodes.len() {
            if self.core.nodes[index].owner == node {
                let node = NodeId(index as u32);
                let next = self.nodes[index].on_start(&mut Cx { core: &mut self.core, node });
                self.core.ring.push_back(next);
            }
        }
    }

    fn pause(&mut self, node: NodeId) {
        if !self.core.nodes[node.0 as usize].condition.pause(self.core.now) {
            return;
        }
        // Work under way stands still: it is taken out and kept with what was left of it.
        let now = self.core.now;
        let working = self.core.calendar.live(|e| matches!(e.kind, Kind::Work) && e.node == node.0);
        for (id, at, event) in working {
            self.core.calendar.cancel(id);
            self.core.nodes[node.0 as usize].condition.stash(Stashed::Work(at - now, pack_event(event)));
        }
    }

    fn resume(&mut self, node: NodeId) {
        let now = self.core.now;
        for stashed in self.core.nodes[node.0 as usize].condition.resume() {
            match stashed {
                Stashed::Call(call) => {
                    if self.core.calls.is_open(call) {
                        self.trace.delivered(&self.core, call);
                        let next = self.nodes[node.0 as usize].on_call(&mut Cx { core: &mut self.core, node }, call);
                        self.core.ring.push_back(next);
                    }
                }
                Stashed::Work(left, event) => {
                    self.core.calendar.set(now + left, Class::First, unpack_event(event));
                }
                Stashed::Timer(event) => {
                    self.core.calendar.set(now, Class::First, unpack_event(event));
                }
            }
        }
    }

    /// The end of the warm-up: totals start here.
    pub fn begin_measuring(&mut self) {
        let now = self.core.now;
        for group in &mut self.core.groups {
            group.begin_measuring(now);
        }
        self.core.cpus.begin_measuring(now);
        for node in &mut self.nodes {
            node.begin_measuring(now);
        }
    }

    /// The measures of a group.
    pub fn group(&self, group: GroupId) -> &Measure {
        &self.core.groups[group.0 as usize]
    }

    /// The measures of a group, to configure them or to close a window.
    pub fn group_mut(&mut self, group: GroupId) -> &mut Measure {
        &mut self.core.groups[group.0 as usize]
    }

    /// The name of a group.
    pub fn group_name(&self, group: GroupId) -> &str {
        &self.core.group_names[group.0 as usize]
    }

    /// A node's component.
    pub fn node(&self, node: NodeId) -> &C {
        &self.nodes[node.0 as usize]
    }

    /// A node's component, to complete it before the start.
    pub fn node_mut(&mut self, node: NodeId) -> &mut C {
        &mut self.nodes[node.0 as usize]
    }

    /// True where the node can be called.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.nodes[node.0 as usize].condition.is_up()
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Core-nanoseconds that a container has used since the end of the warm-up.
    pub fn cpu_busy(&self, cpu: CpuId) -> u128 {
        self.core.cpus.busy(self.core.now, cpu)
    }

    /// Core-nanoseconds that a machine has been used since the end of the warm-up, and its cores.
    pub fn machine_busy(&self, machine: u32) -> (u128, f64) {
        (self.core.cpus.machine_busy(self.core.now, machine), self.core.cpus.cores(machine))
    }

    /// How many machines there are.
    pub fn machine_count(&self) -> usize {
        self.core.cpus.len()
    }

    /// What the work of `node` runs on.
    pub fn cpus_of(&self, node: NodeId) -> &[CpuId] {
        &self.core.nodes[node.0 as usize].cpus
    }

    /// Lets something happen to the nodes between two stretches, as if an entry of `node` had asked for it.
    pub fn act(&mut self, node: NodeId, entry: impl FnOnce(&mut C, &mut Cx<'_>) -> Next) {
        let next = entry(&mut self.nodes[node.0 as usize], &mut Cx { core: &mut self.core, node });
        self.go(next);
    }

    /// Bytes of the tables that grow with what is under way.
    pub fn bytes_in_flight(&self) -> usize {
        self.core.calls.bytes() + self.core.calendar.bytes()
    }

    /// Open calls that arrived at or after `from` and are not yet answered, by group.
    fn open_by_group(&self) -> Vec<(u64, u64, u128)> {
        let mut open = vec![(0u64, 0u64, 0u128); self.core.groups.len()];
        for (_, frame) in self.core.calls.iter() {
            if frame.flags & DELIVERED == 0 || frame.flags & (REPLYING | BACKGROUND) != 0 {
                continue;
            }
            let group = self.core.nodes[frame.node as usize].group.0 as usize;
            let from = self.core.groups[group].measured_from();
            open[group].0 += 1;
            open[group].1 += (frame.since >= from) as u64;
            open[group].2 += (self.core.now - frame.since.max(from)) as u128;
        }
        open
    }

    /// Conservation of calls and Little's law, in exact integers, for every group.
    pub fn check_laws(&self) -> Result<(), Breach> {
        for (index, (all, measured, residence)) in self.open_by_group().into_iter().enumerate() {
            let group = &self.core.groups[index];
            let breach = |law, left: u128, right: u128| {
                Err(Breach { law, group: self.core.group_names[index].clone(), left, right })
            };
            if group.all.arrivals != group.all.completed() + all {
                return breach("calls are conserved", group.all.arrivals.into(), (group.all.completed() + all).into());
            }
            if group.measured.arrivals != group.measured.completed() + measured {
                let right = group.measured.completed() + measured;
                return breach("measured calls are conserved", group.measured.arrivals.into(), right.into());
            }
            let integral = group.in_flight.integral(self.core.now);
            if integral != group.residence + residence {
                return breach("Little's law", integral, group.residence + residence);
            }
        }
        let span = self.core.now;
        for (index, node) in self.nodes.iter().enumerate() {
            let mut figures = Figures::default();
            node.figures(span, &mut figures);
            if let Some(capacity) = figures.capacity {
                let group = self.core.nodes[index].group.0 as usize;
                let from = self.core.groups[group].measured_from();
                let available = capacity as u128 * (span - from) as u128;
                if figures.held_integral > available && figures.held <= capacity {
                    let group = self.core.group_names[group].clone();
                    return Err(Breach { law: "busy ≤ available", group, left: figures.held_integral, right: available });
                }
            }
        }
        Ok(())
    }
}

/// A law that does not hold: a bug of the engine or of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which law.
    pub law: &'static str,
    /// Where.
    pub group: String,
    /// What one side comes to.
    pub left: u128,
    /// What the other comes to.
    pub right: u128,
}

/// What came for a node whose work stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stashed {
    Call(CallId),
    Work(Span, u128),
    Timer(u128),
}

impl Stashed {
    fn timer(event: Event) -> Stashed {
        Stashed::Timer(pack_event(event))
    }
}

fn pack_event(event: Event) -> u128 {
    let clock = matches!(event.kind, Kind::Clock) as u128;
    (event.data as u128) << 64 | (event.node as u128) << 32 | (event.epoch as u128) << 16 | (event.what as u128) << 8 | clock
}

fn unpack_event(bits: u128) -> Event {
    Event {
        kind: if bits & 1 == 1 { Kind::Clock } else { Kind::Work },
        what: (bits >> 8) as u8,
        epoch: (bits >> 16) as u16,
        node: (bits >> 32) as u32,
        data: (bits >> 64) as u64,
    }
}

fn pack(answer: Answer) -> u64 {
    answer.outcome as u64 | (answer.cause as u64) << 8 | (answer.place as u64) << 16 | (answer.retry_after_us as u64) << 32
}

fn unpack(bits: u64) -> Answer {
    Answer {
        outcome: Outcome::ALL[(bits & 0xff) as usize],
        cause: Outcome::ALL[(bits >> 8 & 0xff) as usize],
        place: (bits >> 16) as u16,
        retry_after_us: (bits >> 32) as u32,
    }
}
