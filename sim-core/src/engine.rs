//! The engine: a network of nodes that call each other, and the event loop.
//!
//! A node is a [`Component`] supplied by the model. The engine passes it calls, replies and timers; each entry
//! *returns* what happens next ([`Next`]), and the engine proceeds with that immediately, so that a call runs inline
//! from node to node until something must wait. Only additional effects of an entry go to a ring, which is drained
//! before the next event.
//!
//! Faults act inside the verbs ([`crate::conditions`]): a component only sees rejected, late or lost calls. The verbs
//! are in `engine/verbs.rs`, the transport of calls and answers in `engine/delivery.rs`, giving up and wasted work in
//! `engine/giving_up.rs`, crashes and pauses in `engine/interventions.rs`, chores and the end of finite work in
//! `engine/housekeeping.rs`, the laws that every run must satisfy in `engine/laws.rs`, records that outlive calls and
//! the calls that deliver them in `engine/records.rs`. Two optimisations save calls a frame: `engine/passages.rs` and
//! `engine/lending.rs`.

mod accounts;
mod ahead;
mod boards;
mod carrying;
mod delivery;
mod giving_up;
mod housekeeping;
mod interventions;
mod laws;
mod lending;
mod limits;
mod measuring;
mod observing;
mod occurring;
mod passages;
mod peers;
mod records;
mod telling;
mod undertaking;
mod verbs;

use std::collections::{BTreeMap, VecDeque};

use crate::baggage::Carried;
use crate::breakdown::Accounts;
use crate::calendar::{Calendar, Class};
use crate::calls::*;
use crate::conditions::{Condition, Death, Path, Stashed, Ways};
use crate::connections::Connections;
use crate::cpu::{ContainerNow, CpuId, Cpus, MachineNow, Machines};
use crate::figures::Figures;
use crate::happening::Happenings;
use crate::measure::Measure;
use crate::memory::Memories;
use crate::news::{Hearing, News};
use crate::outcome::{Answer, Outcome};
use crate::parcels::Parcels;
use crate::records::Records;
use crate::sockets::Sockets;
use crate::ties::Ties;
use crate::time::Time;
use crate::timer::Timer;
use crate::trace::Traces;
use crate::undertakings::{Settled, Undertakings};

pub use ahead::{Ahead, Coming, Sight};
use interventions::{Standstill, pack_event};
pub use laws::Breach;
pub use limits::{ACTIVATIONS_AT_ONE_INSTANT, CALLS_INSIDE_EACH_OTHER, Endless, Stuck};
pub use measuring::Open;
pub use peers::Reach;
pub use records::{Begin, Message};
pub use verbs::{Cx, Look, To};

/// What happens after an entry: nothing ([`Next::WAIT`]), a call ([`Next::call`]) or an answer ([`Next::reply`]).
///
/// Two words, so that it fits in registers: a request produces about ten of these.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Next {
    /// 0 for nothing.
    call: u64,
    /// 0 for a call.
    answer: u64,
}

impl Next {
    /// Nothing: the node waits for an event.
    pub const WAIT: Next = Next { call: 0, answer: 0 };

    /// Sends this newly made call to its callee.
    #[inline(always)]
    pub fn call(call: CallId) -> Next {
        Next { call: call.to_bits(), answer: 0 }
    }

    /// Ends this call with this answer.
    #[inline(always)]
    pub fn reply(call: CallId, answer: Answer) -> Next {
        Next { call: call.to_bits(), answer: answer.to_bits() }
    }

    /// Whether it says how this call ends.
    pub fn answers(self, call: CallId) -> bool {
        self.call == call.to_bits() && self.answer != 0
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let call = CallId::from_bits(self.call);
        match (self.call, self.answer) {
            (0, _) => formatter.write_str("Wait"),
            (_, 0) => write!(formatter, "Call({call:?})"),
            (_, answer) => write!(formatter, "Reply({call:?}, {:?})", Answer::from_bits(answer)),
        }
    }
}

/// The behaviour of a node. One replica of a service is one node; so is a link of one replica, and a workload.
pub trait Component: Clone {
    /// The run begins, or the node restarts after a crash.
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        let _ = cx;
        Next::WAIT
    }

    /// A call has arrived.
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next;

    /// `child`, which this node called on behalf of `call`, has ended. For a request that this node began itself,
    /// or has lent ([`Cx::lend`]), `call` and `child` are the same.
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next;

    /// A call that this node passed on ([`Cx::pass_on`]) was answered at this instant; this counts as the node's own
    /// answer.
    fn on_passed(&mut self, ticket: u32, since: Time, outcome: Outcome) {
        let _ = (ticket, since, outcome);
        unreachable!("who passes calls on must say what that means")
    }

    /// A request that this link lent to an attempt ([`Cx::lend`]) must be separated from it ([`Cx::part`]), because the
    /// attempt is about to be given up.
    fn on_parting(&mut self, cx: &mut Cx<'_>, attempt: CallId) {
        let _ = (cx, attempt);
        unreachable!("who lends requests must let them part")
    }

    /// A timer went off, or work is complete.
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next;

    /// The caller of `call` has cancelled it.
    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let _ = (cx, call);
        Next::WAIT
    }

    /// Prefetches the data that an upcoming event will need ([`crate::prefetch`]), one link of the chain per round:
    /// each round uses what the previous one fetched. Called only in large systems; affects speed only.
    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        let _ = (ahead, coming);
        Sight::Done
    }

    /// News about a node of a group that this node listens to ([`Engine::listen`]).
    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        let _ = (cx, about, news);
        unreachable!("who listens must hear")
    }

    /// A path that this node watches ([`Engine::watch_path`]) has changed.
    fn on_path_changed(&mut self, cx: &mut Cx<'_>, path: u16) {
        let _ = (cx, path);
        unreachable!("who watches a path must look")
    }

    /// A connection that this node pinned ([`Cx::pin`]) is closed; `number` identifies the pinned target.
    fn on_hang_up(&mut self, number: u32) {
        let _ = number;
        unreachable!("who pins connections must know what their end means")
    }

    /// An undertaking of this node's request is settled ([`Cx::begin_undertaking`]): all work it set off is done.
    fn on_settled(&mut self, now: Time, name: u64, settled: Settled) {
        let _ = (now, name, settled);
        unreachable!("who follows what its requests set off must be told")
    }

    /// A node asks this one, which is the supervisor ([`Engine::set_supervisor`]), for something that it cannot do to itself.
    fn on_asked(&mut self, cx: &mut Cx<'_>, of: NodeId, what: u8, data: u64) {
        let _ = (cx, of, what, data);
        unreachable!("the supervisor must know what it is asked for")
    }

    /// The node has crashed: resets it to the state given by the settings in force.
    fn rebuild(&mut self, now: Time);

    /// The node leaves its group until it starts again: its capacity does not count.
    fn retire(&mut self, now: Time) {
        let _ = now;
    }

    /// The warm-up is over: resets the gauges.
    fn begin_measuring(&mut self, now: Time);

    /// Adds the figures that this node reports.
    fn figures(&self, now: Time, figures: &mut Figures);

    /// Applies a prepared change of settings; false if it does not concern this node.
    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let _ = (cx, change);
        false
    }
}

/// The operation and size of a call; rows of a table that is fixed for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Index of the operation's name.
    pub op: u16,
    /// Payload size in bytes.
    pub size_bytes: u64,
}

/// An action on a node from outside, carried out after the entry that requested it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The node loses all its work and is down until started.
    Crash(NodeId, Death),
    /// Removes one reason for which the node is down; removing the last one restarts it.
    Start(NodeId, Death),
    /// A down node leaves its group until it is started.
    Retire(NodeId),
    /// Pauses its work.
    Pause(NodeId),
    /// Resumes its work.
    Resume(NodeId),
    /// Applies a prepared change of settings.
    Adopt(NodeId, u32),
}

/// The link number used in the keys of branches.
const BRANCH: u32 = 0x6272_616e;

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[repr(u8)]
enum Kind {
    // Events addressed to a node come first.
    Clock,
    Work,
    Deliver,
    Reply,
    Cpu,
    Cancel,
    /// A call that arrived during a pause is delivered to its callee.
    Begin,
    /// A chore is due.
    Chore,
    /// Retransmits a call or answer that was not acknowledged.
    Again,
    /// The caller of a call that a dead host had passed on gives up the connection.
    Lost,
}

/// An event, 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: Kind,
    what: u8,
    epoch: u16,
    node: u32,
    data: Word,
}

/// 64 bits with an alignment of four bytes, so that a timer's slot takes 20 bytes instead of 24.
#[derive(Clone, Copy, Debug)]
struct Word([u32; 2]);

impl Word {
    #[inline(always)]
    fn of(bits: u64) -> Word {
        Word([bits as u32, (bits >> 32) as u32])
    }

    #[inline(always)]
    fn get(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }
}

/// The state that every event of a node needs: 24 bytes.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) group: GroupId,
    pub(crate) epoch: u16,
    pub(crate) owner: NodeId,
    pub(crate) salt: u32,
    /// Row of the passage table, or [`passages::CLOSED`], or [`passages::DEAF`].
    pub(crate) passage: u32,
    pub(crate) condition: Condition,
}

/// A follow-up action after an entry, other than calls and answers.
#[derive(Clone, Copy, Debug)]
enum Aside {
    /// An action on a node.
    Order(Order),
    /// Notifies a node that a connection it pinned is closed.
    HangUp { at: NodeId, number: u32 },
    /// Notifies the listeners of a node's group.
    News { about: NodeId, news: News },
    /// Notifies the watchers of a path.
    PathChanged { path: u16 },
    /// Tells a caller how a call ended.
    Tell(Telling),
    /// Tells the node that began a request that its undertaking is settled.
    Settled { node: NodeId, name: u64, settled: Settled },
    /// A node asks the supervisor for something.
    Asked { of: NodeId, what: u8, data: u64 },
}

/// A notice to a caller that `child` ended, while the call itself continues without a caller.
#[derive(Clone, Copy, Debug)]
struct Telling {
    node: NodeId,
    parent: CallId,
    child: CallId,
    answer: Answer,
}

/// The engine without its nodes: the state that the verbs work on.
#[derive(Clone, Debug)]
pub struct Core {
    now: Time,
    seed: u64,
    stretch: limits::Stretch,
    watch: limits::Watch,
    /// The node of the event being processed.
    last_node: u32,
    calendar: Calendar<Event>,
    chores: housekeeping::Chores,
    calls: Calls,
    /// When each abandoned call was given up, indexed by the `parent` field of its frame.
    given_up: Vec<giving_up::GivenUp>,
    given_up_free: Vec<u32>,
    wants: giving_up::Wants,
    /// Time accounts of the open calls of sampled requests, by call index.
    accounts: Accounts,
    /// What the nodes of a group tell one another, by group.
    boards: BTreeMap<u16, boards::Board>,
    /// Traces of individual requests, if tracing is on.
    traces: Option<Box<Traces>>,
    ring: VecDeque<Next>,
    asides: VecDeque<Aside>,
    pub(crate) nodes: Vec<NodeState>,
    /// The number of nodes that are down.
    down: u32,
    /// The containers that each node's work runs on.
    pub(crate) cpus_of: Vec<Vec<CpuId>>,
    groups: Vec<Measure>,
    group_names: Vec<String>,
    profiles: Vec<Profile>,
    ways: Ways,
    passages: Vec<passages::Passage>,
    passage_of: BTreeMap<NodeId, u32>,
    cpus: Cpus,
    /// Effect of pauses on the timers of nodes, for nodes that were ever paused.
    standstills: BTreeMap<NodeId, Standstill>,
    happenings: Happenings,
    /// The listeners of each group, in registration order.
    listeners: BTreeMap<GroupId, Vec<(NodeId, Hearing)>>,
    /// The watchers of each path, in registration order.
    watchers: BTreeMap<u16, Vec<NodeId>>,
    /// Calls that continue without a caller because the host that passed them on is dead, and whose callers do not know
    /// it yet.
    lost: BTreeMap<u64, Telling>,
    /// Connections that nodes on the path track.
    connections: Connections,
    ties: Ties,
    /// The last crash of each node that ever crashed: when, and of what kind.
    crashed: BTreeMap<NodeId, (Time, Death)>,
    /// Records that nodes store.
    records: Records,
    /// Records that travel with calls and their answers.
    parcels: Parcels,
    /// Undertakings of requests in progress.
    undertakings: Undertakings,
    /// Calls that are parts of undertakings in their own right, with the undertaking's name.
    held: BTreeMap<u64, u64>,
    /// What nodes have of the memory of machines.
    memories: Memories,
    /// Their ports, and connections that wait to be accepted.
    sockets: Sockets,
    /// Who is asked to do what nodes cannot do themselves.
    supervisor: Option<NodeId>,
}

impl Core {
    /// Whether a node accepts calls. Usually no node is down, and its state need not be loaded.
    #[inline(always)]
    fn is_up(&self, node: NodeId) -> bool {
        self.down == 0 || self.nodes[node.0 as usize].condition.is_up()
    }

    /// Queues news about a node for the listeners of its group.
    fn spread(&mut self, about: NodeId, news: News) {
        let group = self.nodes[about.0 as usize].group;
        if self.listeners.contains_key(&group) {
            self.asides.push_back(Aside::News { about, news });
        }
    }

    fn arm_cpu(&mut self, machine: u32) {
        let (timer, due) = self.cpus.due(self.now, machine);
        if let Some(timer) = timer {
            self.calendar.cancel(timer);
        }
        let armed = due.map(|at| {
            let event = Event { kind: Kind::Cpu, what: 0, epoch: 0, node: 0, data: Word::of(machine as u64) };
            self.calendar.set(at.max(self.now), Class::First, event)
        });
        self.cpus.armed(machine, armed);
    }

    #[inline]
    fn free(&mut self, index: u32) {
        let (flags, parent) = self.calls.remove(index);
        if flags & (ABANDONED | SAMPLED) != 0 {
            self.forget(index, flags, parent);
        }
    }

    /// Frees the data stored outside the frame for an abandoned or sampled call.
    #[inline(never)]
    fn forget(&mut self, index: u32, flags: u8, parent: u32) {
        if flags & ABANDONED != 0 {
            self.given_up_free.push(parent);
        }
        if flags & SAMPLED != 0 {
            self.drop_account(index);
        }
    }
}

/// The nodes and the engine that drives them. Plain data: a clone is a checkpoint.
#[derive(Clone, Debug)]
pub struct Engine<C> {
    core: Core,
    nodes: Vec<C>,
    reserved: bool,
}

impl<C: Component> Engine<C> {
    /// An empty network.
    pub fn new(seed: u64) -> Engine<C> {
        Engine {
            core: Core {
                now: 0,
                seed,
                stretch: limits::Stretch::new(),
                watch: limits::Watch::new(),
                last_node: 0,
                calendar: Calendar::new(),
                chores: housekeeping::Chores::new(),
                boards: BTreeMap::new(),
                calls: Calls::default(),
                given_up: Vec::new(),
                given_up_free: Vec::new(),
                wants: giving_up::Wants::default(),
                accounts: Accounts::default(),
                traces: None,
                ring: VecDeque::new(),
                asides: VecDeque::new(),
                nodes: Vec::new(),
                down: 0,
                cpus_of: Vec::new(),
                groups: Vec::new(),
                group_names: Vec::new(),
                profiles: vec![Profile { op: 0, size_bytes: 0 }],
                ways: Ways::new(),
                passages: Vec::new(),
                passage_of: BTreeMap::new(),
                cpus: Cpus::default(),
                standstills: BTreeMap::new(),
                happenings: Happenings::default(),
                listeners: BTreeMap::new(),
                watchers: BTreeMap::new(),
                lost: BTreeMap::new(),
                connections: Connections::default(),
                ties: Ties::default(),
                crashed: BTreeMap::new(),
                records: Records::new(),
                parcels: Parcels::default(),
                undertakings: Undertakings::default(),
                held: BTreeMap::new(),
                memories: Memories::default(),
                sockets: Sockets::default(),
                supervisor: None,
            },
            nodes: Vec::new(),
            reserved: false,
        }
    }

    /// Traces individual requests from now on. Does not affect the run.
    pub fn trace_requests(&mut self) {
        self.core.traces = Some(Box::default());
    }

    /// Traces of individual requests, if tracing is on.
    pub fn traces(&self) -> Option<&Traces> {
        self.core.traces.as_deref()
    }

    /// Adds a group of nodes that are measured together. Its name seeds the draws of its nodes.
    pub fn add_group(&mut self, name: &str) -> GroupId {
        self.core.groups.push(Measure::new());
        self.core.group_names.push(name.to_string());
        GroupId((self.core.groups.len() - 1) as u16)
    }

    /// Adds a node. `owner` is the node with which it crashes and from which it gets its calls (itself for a replica,
    /// the replica or workload for one of its links).
    pub fn add_node(&mut self, component: C, group: GroupId, owner: Option<NodeId>) -> NodeId {
        let id = self.add_state(group, owner);
        self.nodes.push(component);
        id
    }

    /// Reserves the next node, whose component follows with [`Engine::fill_node`], so that data needed to build the
    /// component can refer to the node.
    pub fn reserve_node(&mut self, group: GroupId) -> NodeId {
        assert!(!self.reserved, "one node is reserved at a time");
        self.reserved = true;
        self.add_state(group, None)
    }

    /// Supplies the component of the reserved node.
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
            passage: passages::CLOSED,
            condition: Condition::default(),
        });
        self.core.cpus_of.push(Vec::new());
        id
    }

    /// Adds a row to the profile table, or finds it.
    pub fn add_profile(&mut self, profile: Profile) -> u16 {
        if let Some(found) = self.core.profiles.iter().position(|p| *p == profile) {
            return found as u16;
        }
        self.core.profiles.push(profile);
        (self.core.profiles.len() - 1) as u16
    }

    /// Adds a row to the path table.
    pub fn add_path(&mut self, path: Path) -> u16 {
        self.core.ways.add(path)
    }

    /// The machines, for adding machines and placing nodes on them.
    pub fn machines(&mut self) -> Machines<'_> {
        Machines {
            cpus: &mut self.core.cpus,
            of_nodes: &mut self.core.cpus_of,
            memories: &mut self.core.memories,
            sockets: &mut self.core.sockets,
        }
    }

    /// The accounts of memory, to equip machines and to open accounts.
    pub fn memories_mut(&mut self) -> &mut Memories {
        &mut self.core.memories
    }

    /// The accounts of memory.
    pub fn memories(&self) -> &Memories {
        &self.core.memories
    }

    /// Ports and accept queues, to limit them.
    pub fn sockets_mut(&mut self) -> &mut Sockets {
        &mut self.core.sockets
    }

    /// The node that others ask for what they cannot do to themselves ([`Cx::ask_supervisor`]).
    pub fn set_supervisor(&mut self, node: NodeId) {
        self.core.supervisor = Some(node);
    }

    /// Keeps a node down at the start, until it is started ([`Order::Start`] of a process).
    pub fn hold_back(&mut self, node: NodeId) {
        if self.core.nodes[node.0 as usize].condition.take_down(Death::Process) {
            self.core.down += 1;
            self.nodes[node.0 as usize].retire(self.core.now);
        }
    }

    /// Declares the columns that calls carry; must be called before the first call.
    pub fn carry(&mut self, carried: Carried) {
        self.core.calls.carry(carried);
        self.core.records.carry(carried);
    }

    /// Starts every node in order, except those held back.
    pub fn start(&mut self) {
        for index in 0..self.nodes.len() {
            let node = NodeId(index as u32);
            if !self.core.is_up(self.core.nodes[index].owner) {
                continue;
            }
            let next = self.nodes[index].on_start(&mut Cx { core: &mut self.core, node });
            self.go(next);
        }
    }

    /// The current instant; everything before it has happened.
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// Events processed so far.
    pub fn events(&self) -> u64 {
        self.core.stretch.events()
    }

    /// The number of open calls.
    pub fn open_calls(&self) -> usize {
        self.core.calls.open
    }

    /// Runs until `until`; events at exactly that instant have not happened yet.
    pub fn run_until(&mut self, until: Time) -> Result<(), Stuck> {
        self.run_some(until, u64::MAX).map(|_| ())
    }

    /// The same for at most `events` events, but at least one. Returns whether `until` was reached. Stopping early,
    /// possibly in the middle of an instant, does not affect the run.
    pub fn run_some(&mut self, until: Time, events: u64) -> Result<bool, Stuck> {
        let is_there = self.run_before(until, events)?;
        if is_there {
            self.core.now = self.core.now.max(until);
        }
        Ok(is_there)
    }

    /// Processes events before `limit`, at most `events` of them. Returns whether all events before `limit` have
    /// happened.
    fn run_before(&mut self, limit: Time, events: u64) -> Result<bool, Stuck> {
        self.core.stretch.begin(events);
        while let Some((at, event)) = self.core.calendar.pop_before(limit) {
            if at != self.core.now {
                debug_assert!(at > self.core.now, "time goes forward");
                self.core.now = at;
                self.core.watch.next_instant();
                if self.core.calls.frames() > self.core.watch.frames {
                    self.look_at_depth()?;
                }
            }
            if self.core.calendar.has_opened() && self.core.calls.frames() >= ahead::CALLS_FROM {
                self.look_ahead(event);
            }
            self.happen(event);
            if self.core.stretch.is_over() {
                return if self.core.watch.patience == 0 { Err(self.stuck()) } else { Ok(false) };
            }
        }
        Ok(true)
    }

    #[inline(always)]
    fn happen(&mut self, event: Event) {
        let next = if event.kind <= Kind::Work {
            let state = &mut self.core.nodes[event.node as usize];
            if state.epoch != event.epoch {
                return;
            }
            if state.condition.is_paused() {
                state.condition.stash(Stashed::Event(pack_event(event)));
                return;
            }
            let timer = Timer { what: event.what, data: event.data.get() };
            let node = NodeId(event.node);
            self.nodes[event.node as usize].on_timer(&mut Cx { core: &mut self.core, node }, timer)
        } else {
            let Some(next) = self.happen_on_the_way(event) else { return };
            next
        };
        self.core.last_node = event.node;
        self.follow(next);
    }

    /// Processes the result of an entry until everything waits.
    fn go(&mut self, next: Next) {
        self.follow(next);
    }

    /// [`Engine::go`], inlined into its caller.
    #[inline(always)]
    fn follow(&mut self, mut next: Next) {
        loop {
            let call = CallId::from_bits(next.call);
            next = if next.call == 0 {
                if !self.core.asides.is_empty() {
                    self.obey();
                }
                match self.core.ring.pop_front() {
                    Some(next) => next,
                    None => return,
                }
            } else if next.answer == 0 {
                self.deliver(call)
            } else {
                self.answer(call, Answer::from_bits(next.answer))
            };
            if self.core.watch.is_due() && self.core.is_endless(call) {
                return;
            }
        }
    }

    /// A node's component.
    pub fn node(&self, node: NodeId) -> &C {
        &self.nodes[node.0 as usize]
    }

    /// A node's component, mutably, for completing it before the start.
    pub fn node_mut(&mut self, node: NodeId) -> &mut C {
        &mut self.nodes[node.0 as usize]
    }

    /// Whether the node accepts calls.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.is_up(node)
    }

    /// The number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Core-nanoseconds that a container has used since the end of the warm-up.
    pub fn cpu_busy(&self, cpu: CpuId) -> u128 {
        self.core.cpus.busy(self.core.now, cpu)
    }

    /// Core-nanoseconds used on a machine since the end of the warm-up, and its number of cores.
    pub fn machine_busy(&self, machine: u32) -> (u128, f64) {
        (self.core.cpus.machine_busy(self.core.now, machine), self.core.cpus.cores(machine))
    }

    /// The current state of a machine.
    pub fn machine_now(&self, machine: u32) -> MachineNow {
        self.core.cpus.machine_now(self.core.now, machine)
    }

    /// The current state of a container.
    pub fn container_now(&self, cpu: CpuId) -> ContainerNow {
        self.core.cpus.container_now(self.core.now, cpu)
    }

    /// Reports the figures of a machine other than its busy time.
    pub fn figures_of_machine(&self, machine: u32, into: &mut Figures) {
        self.core.cpus.figures_of(self.core.now, machine, into);
        self.core.memories.figures_of(self.core.now, machine, into);
        self.core.sockets.figures_of_machine(self.core.now, machine, into);
    }

    /// The number of machines.
    pub fn machine_count(&self) -> usize {
        self.core.cpus.len()
    }

    /// The containers that the work of `node` runs on.
    pub fn cpus_of(&self, node: NodeId) -> &[CpuId] {
        &self.core.cpus_of[node.0 as usize]
    }

    /// Runs `entry` on a node between two stretches of the run, as if it were an entry of that node.
    pub fn act(&mut self, node: NodeId, entry: impl FnOnce(&mut C, &mut Cx<'_>) -> Next) {
        self.core.chores.pending.start_anew();
        let next = entry(&mut self.nodes[node.0 as usize], &mut Cx { core: &mut self.core, node });
        self.go(next);
    }

    /// Bytes of the tables that grow with the work in progress.
    pub fn bytes_in_flight(&self) -> usize {
        self.core.calls.bytes()
            + self.core.calendar.bytes()
            + self.core.chores.pending.bytes()
            + self.core.records.bytes()
            + self.core.parcels.bytes()
            + self.core.undertakings.bytes()
    }
}
