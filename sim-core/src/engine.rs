//! The engine: a network of nodes that call each other, and the loop that goes from event to event.
//!
//! A node is a [`Component`] of the model's making. The engine hands it calls, replies and timers; the entry *returns*
//! what happens next ([`Next`]) and the engine goes on with that at once, so that a call runs inline from node to node
//! until something must wait. Only a second effect of one entry goes to a ring, which is emptied before the next event.
//!
//! Faults act here, in what the verbs do ([`crate::conditions`]): a component sees nothing but a refused, late or lost call.
//! The verbs stand in `engine/verbs.rs`, the way of calls and answers in `engine/delivery.rs`, giving up and who wants what in
//! `engine/giving_up.rs`, crashes and pauses in `engine/interventions.rs`, chores and the end of finite work in
//! `engine/housekeeping.rs`, what must hold at the end of every run in `engine/laws.rs`, records that outlive calls and calls
//! made of them in `engine/records.rs`. Two shortcuts save calls a frame: `engine/passages.rs` and `engine/lending.rs`.

mod accounts;
mod ahead;
mod carrying;
mod delivery;
mod giving_up;
mod housekeeping;
mod interventions;
mod laws;
mod lending;
mod limits;
mod measuring;
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

/// What an entry wants to happen next: nothing ([`Next::WAIT`]), a call ([`Next::call`]) or an answer ([`Next::reply`]).
///
/// Two words, so that it travels in registers: there are some ten of them to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Next {
    /// 0 for nothing.
    call: u64,
    /// 0 for a call.
    answer: u64,
}

impl Next {
    /// Nothing: something is being waited for.
    pub const WAIT: Next = Next { call: 0, answer: 0 };

    /// This call, just made, goes to its callee.
    #[inline(always)]
    pub fn call(call: CallId) -> Next {
        Next { call: call.to_bits(), answer: 0 }
    }

    /// This call ends so.
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

/// What a node is made of. One replica of a service is one node; so is a link of one replica, and a workload.
pub trait Component: Clone {
    /// The run begins, or the node does after a crash.
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        let _ = cx;
        Next::WAIT
    }

    /// A call has arrived.
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next;

    /// `child`, which this node called on behalf of `call`, has ended. For a request that this node began itself,
    /// or has lent ([`Cx::lend`]), `call` and `child` are the same.
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next;

    /// A call that this node has passed on ([`Cx::pass_on`]) was answered at this instant and so is its own.
    fn on_passed(&mut self, ticket: u32, since: Time, outcome: Outcome) {
        let _ = (ticket, since, outcome);
        unreachable!("who passes calls on must say what that means")
    }

    /// A request that this link has lent to an attempt ([`Cx::lend`]) must part from it ([`Cx::part`]): the attempt is about
    /// to be given up.
    fn on_parting(&mut self, cx: &mut Cx<'_>, attempt: CallId) {
        let _ = (cx, attempt);
        unreachable!("who lends requests must let them part")
    }

    /// A timer went off, or work is done.
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next;

    /// The caller of `call` no longer wants it and has said so.
    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let _ = (cx, call);
        Next::WAIT
    }

    /// Something is coming up: what it will need is asked for from memory now ([`crate::prefetch`]), link by link: in each round what
    /// the round before has brought within reach. Only asked in large systems; changes nothing but the speed.
    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        let _ = (ahead, coming);
        Sight::Done
    }

    /// Something is known of a node of a group that this one listens to ([`Engine::listen`]).
    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        let _ = (cx, about, news);
        unreachable!("who listens must hear")
    }

    /// A connection that this node has pinned ([`Cx::pin`]) is closed; it knows its target under this number.
    fn on_hang_up(&mut self, number: u32) {
        let _ = number;
        unreachable!("who pins connections must know what their end means")
    }

    /// All that a request of this node has set off is done ([`Cx::begin_undertaking`]).
    fn on_settled(&mut self, now: Time, name: u64, settled: Settled) {
        let _ = (now, name, settled);
        unreachable!("who follows what its requests set off must be told")
    }

    /// A node asks this one, which is the supervisor ([`Engine::set_supervisor`]), for something that it cannot do to itself.
    fn on_asked(&mut self, cx: &mut Cx<'_>, of: NodeId, what: u8, data: u64) {
        let _ = (cx, of, what, data);
        unreachable!("the supervisor must know what it is asked for")
    }

    /// The node has crashed: become what the settings in force make of it.
    fn rebuild(&mut self, now: Time);

    /// The node is no longer part of its group until it starts again: what it has to offer does not count.
    fn retire(&mut self, now: Time) {
        let _ = now;
    }

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
    Crash(NodeId, Death),
    /// One reason for which a node was down is gone; the last one lets it begin anew.
    Start(NodeId, Death),
    /// A node that is down is no longer part of its group, until it is started.
    Retire(NodeId),
    /// Work stands still.
    Pause(NodeId),
    /// Work goes on.
    Resume(NodeId),
    /// A prepared change of settings.
    Adopt(NodeId, u32),
}

/// The "link" of branches, for their keys.
const BRANCH: u32 = 0x6272_616e;

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[repr(u8)]
enum Kind {
    // First those that are a node's own.
    Clock,
    Work,
    Deliver,
    Reply,
    Cpu,
    Cancel,
    /// A call that has arrived is seen by its callee, whose work stood still until now.
    Begin,
    /// The time of a chore has come.
    Chore,
    /// What nobody has heard is sent again.
    Again,
    /// A call that a dead host had passed on is given up.
    Lost,
}

/// 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: Kind,
    what: u8,
    epoch: u16,
    node: u32,
    data: Word,
}

/// 64 bits that need not lie at a multiple of eight bytes, so that a timer's slot takes 20 bytes and not 24.
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

/// What every event of a node needs: 24 bytes.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) group: GroupId,
    pub(crate) epoch: u16,
    pub(crate) owner: NodeId,
    pub(crate) salt: u32,
    /// Row of the table of passages, or [`passages::CLOSED`], or [`passages::DEAF`].
    pub(crate) passage: u32,
    pub(crate) condition: Condition,
}

/// What happens after an entry, beside the calls and answers.
#[derive(Clone, Copy, Debug)]
enum Aside {
    /// Something is done to a node.
    Order(Order),
    /// A connection that a node has pinned is closed.
    HangUp { at: NodeId, number: u32 },
    /// Who listens hears of a node.
    News { about: NodeId, news: News },
    /// A caller hears how a call ended.
    Tell(Telling),
    /// Whoever began a request hears that all is done that it set off.
    Settled { node: NodeId, name: u64, settled: Settled },
    /// A node asks the supervisor for something.
    Asked { of: NodeId, what: u8, data: u64 },
}

/// What a caller is to hear: how `child` ended, while the call itself goes on for nobody.
#[derive(Clone, Copy, Debug)]
struct Telling {
    node: NodeId,
    parent: CallId,
    child: CallId,
    answer: Answer,
}

/// The engine without its nodes: what the verbs work on.
#[derive(Clone, Debug)]
pub struct Core {
    now: Time,
    seed: u64,
    stretch: limits::Stretch,
    watch: limits::Watch,
    /// The node of the event that is being followed.
    last_node: u32,
    calendar: Calendar<Event>,
    chores: housekeeping::Chores,
    calls: Calls,
    /// When each abandoned call was given up; indexed by its frame's `parent`.
    given_up: Vec<giving_up::GivenUp>,
    given_up_free: Vec<u32>,
    wants: giving_up::Wants,
    /// The time of the open calls of sampled requests, by index of the call.
    accounts: Accounts,
    /// What happened to single requests, where that is written down.
    traces: Option<Box<Traces>>,
    ring: VecDeque<Next>,
    asides: VecDeque<Aside>,
    pub(crate) nodes: Vec<NodeState>,
    /// How many of them are down.
    down: u32,
    /// What the work of each node runs on.
    pub(crate) cpus_of: Vec<Vec<CpuId>>,
    groups: Vec<Measure>,
    group_names: Vec<String>,
    profiles: Vec<Profile>,
    ways: Ways,
    passages: Vec<passages::Passage>,
    passage_of: BTreeMap<NodeId, u32>,
    cpus: Cpus,
    /// What standing still has done to the timers of nodes, for those that ever did.
    standstills: BTreeMap<NodeId, Standstill>,
    happenings: Happenings,
    /// Who listens to each group, in order.
    listeners: BTreeMap<GroupId, Vec<(NodeId, Hearing)>>,
    /// Calls that go on for nobody since a host that had passed them on is dead, and whose callers do not know it yet.
    lost: BTreeMap<u64, Telling>,
    /// Connections that somebody on the way follows.
    connections: Connections,
    /// When each node crashed last, of those that ever did, and what died.
    crashed: BTreeMap<NodeId, (Time, Death)>,
    /// What nodes keep for others.
    records: Records,
    /// Records that travel with calls and their answers.
    parcels: Parcels,
    /// All that requests have set off.
    undertakings: Undertakings,
    /// Calls that are parts of undertakings by themselves, and of which.
    held: BTreeMap<u64, u64>,
    /// What nodes have of the memory of machines.
    memories: Memories,
    /// Their ports, and connections that wait to be accepted.
    sockets: Sockets,
    /// Who is asked to do what nodes cannot do themselves.
    supervisor: Option<NodeId>,
}

impl Core {
    /// Whether a node can be called. Nearly always none is down, and nobody needs to look for its state.
    #[inline(always)]
    fn is_up(&self, node: NodeId) -> bool {
        self.down == 0 || self.nodes[node.0 as usize].condition.is_up()
    }

    /// There is news of a node, for those who listen to its group.
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

    /// What is kept of some calls beside their frames goes with them.
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

/// Nodes and the engine that drives them. Plain data: a clone is a checkpoint.
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
                lost: BTreeMap::new(),
                connections: Connections::default(),
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

    /// Writes down from now on what happens to single requests. Changes nothing else.
    pub fn trace_requests(&mut self) {
        self.core.traces = Some(Box::default());
    }

    /// What happened to single requests, where that is written down.
    pub fn traces(&self) -> Option<&Traces> {
        self.core.traces.as_deref()
    }

    /// A group of nodes that are measured together. Its name seeds the draws of its nodes.
    pub fn add_group(&mut self, name: &str) -> GroupId {
        self.core.groups.push(Measure::new());
        self.core.group_names.push(name.to_string());
        GroupId((self.core.groups.len() - 1) as u16)
    }

    /// A node; `owner` is the node with which it crashes and from which it gets its calls (itself for a replica, the replica or
    /// workload for one of its links).
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
            passage: passages::CLOSED,
            condition: Condition::default(),
        });
        self.core.cpus_of.push(Vec::new());
        id
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
        self.core.ways.add(path)
    }

    /// The machines, to add some and to place nodes on them.
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

    /// From now on a node hears what there is to know of the nodes of a group ([`Component::on_news`]).
    pub fn listen(&mut self, listener: NodeId, to: GroupId, hearing: Hearing) {
        self.core.listeners.entry(to).or_default().push((listener, hearing));
    }

    /// Leaves a node out of the beginning: it is down until started ([`Order::Start`], of a process).
    pub fn hold_back(&mut self, node: NodeId) {
        if self.core.nodes[node.0 as usize].condition.take_down(Death::Process) {
            self.core.down += 1;
            self.nodes[node.0 as usize].retire(self.core.now);
        }
    }

    /// What calls will carry besides their frames; to be said before the first call.
    pub fn carry(&mut self, carried: Carried) {
        self.core.calls.carry(carried);
        self.core.records.carry(carried);
    }

    /// Starts every node, in order, but those that are held back.
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

    /// The instant up to which everything has happened.
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.core.stretch.events()
    }

    /// Calls that are open.
    pub fn open_calls(&self) -> usize {
        self.core.calls.open
    }

    /// Goes on until `until`; what falls exactly on it has not happened yet.
    pub fn run_until(&mut self, until: Time) -> Result<(), Stuck> {
        self.run_some(until, u64::MAX).map(|_| ())
    }

    /// The same for so many events at most, one at least: whether it has got there. Where it stops in between, at an instant of which
    /// more may be to come, changes nothing.
    pub fn run_some(&mut self, until: Time, events: u64) -> Result<bool, Stuck> {
        let is_there = self.run_before(until, events)?;
        if is_there {
            self.core.now = self.core.now.max(until);
        }
        Ok(is_there)
    }

    /// Whether all that was to come before `limit` has happened, or only so many events of it.
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

    /// Follows what an entry has returned until everything waits.
    fn go(&mut self, next: Next) {
        self.follow(next);
    }

    /// [`Engine::go`], compiled into its caller.
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

    /// A node's component, to complete it before the start.
    pub fn node_mut(&mut self, node: NodeId) -> &mut C {
        &mut self.nodes[node.0 as usize]
    }

    /// True where the node can be called.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.is_up(node)
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

    /// A machine as it stands.
    pub fn machine_now(&self, machine: u32) -> MachineNow {
        self.core.cpus.machine_now(self.core.now, machine)
    }

    /// A container as it stands.
    pub fn container_now(&self, cpu: CpuId) -> ContainerNow {
        self.core.cpus.container_now(self.core.now, cpu)
    }

    /// Reports what a machine has done beside being busy.
    pub fn figures_of_machine(&self, machine: u32, into: &mut Figures) {
        self.core.cpus.figures_of(self.core.now, machine, into);
        self.core.memories.figures_of(self.core.now, machine, into);
        self.core.sockets.figures_of_machine(self.core.now, machine, into);
    }

    /// How many machines there are.
    pub fn machine_count(&self) -> usize {
        self.core.cpus.len()
    }

    /// What the work of `node` runs on.
    pub fn cpus_of(&self, node: NodeId) -> &[CpuId] {
        &self.core.cpus_of[node.0 as usize]
    }

    /// Lets something happen to the nodes between two stretches, as if an entry of `node` had asked for it.
    pub fn act(&mut self, node: NodeId, entry: impl FnOnce(&mut C, &mut Cx<'_>) -> Next) {
        self.core.chores.pending.start_anew();
        let next = entry(&mut self.nodes[node.0 as usize], &mut Cx { core: &mut self.core, node });
        self.go(next);
    }

    /// Bytes of the tables that grow with what is under way.
    pub fn bytes_in_flight(&self) -> usize {
        self.core.calls.bytes()
            + self.core.calendar.bytes()
            + self.core.chores.pending.bytes()
            + self.core.records.bytes()
            + self.core.parcels.bytes()
            + self.core.undertakings.bytes()
    }
}
