//! The verbs: how an entry of a component acts on its surroundings.

use super::{Aside, BRANCH, Core, Event, Kind, NodeState, Order, Word};
use super::{Next, Profile};
use crate::baggage::Baggage;
use crate::breakdown::Spent;
use crate::calendar::{AlarmId, Class, TimerId};
use crate::calls::*;
use crate::conditions::{Condition, Path};
use crate::cpu::{CpuId, CpuJob};
use crate::measure::Measure;
use crate::memory::{MemoryId, MemoryUse};
use crate::news::News;
use crate::outcome::{Answer, Outcome};
use crate::random::{Draw, Key};
use crate::time::{Span, Time};
use crate::timer::Timer;

/// Limit on capacity reserved in advance, in requests; about 100 MB.
const EXPECTED_MAX: usize = 1 << 20;

/// The verbs available to a component.
pub struct Cx<'a> {
    pub(super) core: &'a mut Core,
    pub(super) node: NodeId,
}

/// Parameters of a call: its target, and how it differs from its parent.
#[derive(Clone, Copy, Debug)]
pub struct To {
    /// The serving node.
    pub node: NodeId,
    /// The link, by the hash of its name. Together with `ordinal`, separates the draws of this child from those of its
    /// siblings.
    pub link: u32,
    /// The ordinal of the call among its parent's calls over that link.
    pub ordinal: u32,
    /// Row of the profile table; `None` to inherit.
    pub profile: Option<u16>,
    /// Row of the path table; 0 for no network.
    pub path: u16,
    /// Whether a retry or hedge caused the call.
    pub is_retry: bool,
}

/// The main fields of an open call, read in one go: [`Cx::look`].
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The call.
    pub call: CallId,
    /// When it arrived here: [`Cx::since`].
    pub since: Time,
    /// The value this node stores about it: [`Cx::ticket`].
    pub ticket: u32,
    /// Row of its profile, for [`Cx::op_of`].
    pub profile: u16,
    /// Its priority: [`Cx::priority`].
    pub priority: u8,
    /// Whether its time is broken down: [`Cx::spent`].
    pub is_sampled: bool,
}

impl<'a> Cx<'a> {
    /// The current instant.
    #[inline]
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// The node of the current entry.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The group of this node, as a place of failure.
    pub fn place(&self) -> u16 {
        self.core.nodes[self.node.0 as usize].group.0
    }

    /// An answer from this node.
    pub fn answer(&self, outcome: Outcome) -> Answer {
        Answer::new(outcome, self.place())
    }

    /// Makes a call on behalf of `parent`; return or post [`Next::call`] to send it.
    #[inline(always)]
    pub fn call(&mut self, parent: CallId, to: To) -> CallId {
        debug_assert!(self.core.calls.is_open(parent));
        let p = self.core.calls.at(parent.index);
        let flags = (p.flags & (RETRY | SAMPLED)) | if to.is_retry { RETRY } else { 0 };
        let frame = Frame {
            since: self.core.now,
            key: Key::from_bits(p.key).child(to.link, to.ordinal).bits(),
            memo: 0,
            timer: None,
            parent: parent.index,
            generation: 0,
            node: to.node.0,
            ticket: 0,
            via: DIRECT,
            via_ticket: 0,
            profile: to.profile.unwrap_or(p.profile),
            path: to.path,
            draws: 0,
            flags,
            priority: p.priority,
        };
        let call = self.core.calls.insert_like(frame, parent.index);
        if flags & SAMPLED != 0 {
            self.core.open_account(call.index);
        }
        call
    }

    /// Passes `call`, which has just arrived, on to another node unchanged. Equivalent to [`Cx::call`] and passing its
    /// answer on, but without a second frame. The answer goes to [`Component::on_passed`](super::Component::on_passed),
    /// with this ticket. `None` if the result would differ: a path is not trivial, or the two calls must be kept apart.
    /// Cancellations do not travel across this node.
    #[inline(always)]
    pub fn pass_on(&mut self, call: CallId, to: To, ticket: u32) -> Option<Next> {
        self.core.pass_on(self.node, call, &to, ticket).then_some(Next::call(call))
    }

    /// Makes a call whose answer is ignored.
    pub fn call_and_forget(&mut self, parent: CallId, to: To) -> CallId {
        let call = self.call(parent, to);
        self.core.another_part_of(call.index);
        let frame = self.core.calls.at_mut(call.index);
        frame.parent = NONE;
        if frame.flags & SAMPLED != 0 {
            self.core.drop_account(call.index);
        }
        call
    }

    /// Reserves capacity for this many requests in progress or still to come, because tables that grow in use are
    /// copied again and again.
    pub fn expect(&mut self, requests: usize) {
        self.core.calls.expect(requests.min(EXPECTED_MAX));
        self.core.calendar.expect(requests.min(EXPECTED_MAX));
    }

    /// Begins a request: a call without a parent, whose answer comes to this node's own `on_reply`. `key` is the key of
    /// its draws, `since` its intended send time.
    #[inline(always)]
    pub fn request(
        &mut self,
        to: NodeId,
        key: u64,
        since: Time,
        profile: u16,
        priority: u8,
        baggage: Baggage,
    ) -> CallId {
        let mut frame = Frame {
            since,
            key,
            memo: 0,
            timer: None,
            parent: self.node.0,
            generation: 0,
            node: to.0,
            ticket: 0,
            via: DIRECT,
            via_ticket: 0,
            profile,
            path: 0,
            draws: 0,
            flags: ROOT,
            priority,
        };
        let (group, passes) = self.core.pass_from_the_start(to, &mut frame);
        let is_sampled = key & self.core.groups[group.0 as usize].sample_mask == 0;
        let deadline = if passes { Time::MAX } else { baggage.deadline };
        let call = self.core.calls.insert_with(frame, Baggage { deadline, ..baggage });
        if is_sampled {
            self.core.sample(call, self.node, group, key);
        }
        call
    }

    /// Continues working for `call` after its answer: returns a copy of it that has no caller. The component posts the
    /// answer for the original.
    pub fn detach(&mut self, call: CallId) -> CallId {
        let mut frame = *self.core.calls.at(call.index);
        frame.parent = NONE;
        (frame.memo, frame.timer) = (0, None);
        frame.via = DIRECT;
        frame.flags = (frame.flags & RETRY) | BACKGROUND | DELIVERED;
        self.core.another_part_of(call.index);
        self.core.calls.insert_like(frame, call.index)
    }

    /// Begins a part of the work for `call` that runs in parallel, with draws of its own. The branch is served by this
    /// node, is not measured, and ends with [`Cx::end_branch`].
    pub fn branch(&mut self, call: CallId, ordinal: u32) -> CallId {
        let mut frame = *self.core.calls.at(call.index);
        frame.key = Key::from_bits(frame.key).child(BRANCH, ordinal).bits();
        frame.parent = call.index;
        (frame.memo, frame.timer) = (0, None);
        frame.path = 0;
        frame.draws = 0;
        frame.via = DIRECT;
        frame.flags = (frame.flags & (RETRY | SAMPLED)) | BACKGROUND | DELIVERED;
        let branch = self.core.calls.insert_like(frame, call.index);
        if frame.flags & SAMPLED != 0 {
            self.core.open_account(branch.index);
        }
        branch
    }

    /// Ends a branch that was not given up: if its caller continues now, it waited for this branch.
    pub fn join_branch(&mut self, branch: CallId) {
        if self.core.calls.at(branch.index).flags & SAMPLED != 0 {
            self.core.join(branch.index);
        }
        self.end_branch(branch);
    }

    /// Ends a branch or a detached call. Calls it still waited for must have been abandoned.
    pub fn end_branch(&mut self, call: CallId) {
        debug_assert!(self.core.calls.at(call.index).flags & BACKGROUND != 0);
        if self.core.calls.at(call.index).parent == NONE {
            self.core.part_of_call_ends(call.index, false);
        }
        self.core.free(call.index);
    }

    /// The row of a profile, added if it is new.
    pub fn intern_profile(&mut self, profile: Profile) -> u16 {
        if let Some(found) = self.core.profiles.iter().position(|p| *p == profile) {
            return found as u16;
        }
        self.core.profiles.push(profile);
        (self.core.profiles.len() - 1) as u16
    }

    /// Posts a second effect of this entry, which happens after the returned one, before the next event.
    #[inline(always)]
    pub fn post(&mut self, next: Next) {
        if next != Next::WAIT {
            self.defer(next);
        }
    }

    #[inline(never)]
    fn defer(&mut self, next: Next) {
        self.core.ring.push_back(next);
    }

    /// Stops waiting for `child`, which keeps running; its answer will be dropped and its work counts as wasted. No
    /// effect if `child` has ended.
    pub fn abandon(&mut self, child: CallId) {
        self.core.give_up(child);
    }

    /// Tells the callee of `child` that its answer is no longer needed. `child` must have been abandoned first.
    pub fn cancel_call(&mut self, child: CallId) {
        if !self.core.calls.is_open(child) {
            return;
        }
        let frame = self.core.calls.at(child.index);
        // Cancellations do not travel across a node that has passed the call on.
        if frame.via != DIRECT || self.core.ways.path(frame.path).is_cut() {
            return;
        }
        let delay = self.core.ways.path(frame.path).there();
        let event = Event { kind: Kind::Cancel, what: 0, epoch: 0, node: frame.node, data: Word::of(child.to_bits()) };
        self.core.calendar.set(self.core.now + delay, Class::First, event);
    }

    /// Sets a clock timer: it goes off after `delay`, independently of the node's speed.
    #[inline(always)]
    pub fn after(&mut self, delay: Span, class: Class, timer: Timer) -> TimerId {
        let event = self.event(Kind::Clock, timer);
        let at = self.core.now.saturating_add(delay);
        self.core.calendar.set(at, class, event)
    }

    /// The same for a constant delay from the settings: many such timers are cheap.
    #[inline(always)]
    pub fn after_constant(&mut self, delay: Span, class: Class, timer: Timer) -> TimerId {
        let event = self.event(Kind::Clock, timer);
        self.core.calendar.set_after(self.core.now, delay, class, event)
    }

    /// Creates a clock timer that is set again each time it has gone off: [`Cx::set_alarm`]. It belongs to the node
    /// until the node crashes.
    pub fn alarm(&mut self, timer: Timer) -> AlarmId {
        let event = self.event(Kind::Clock, timer);
        self.core.calendar.alarm(event)
    }

    /// Sets an alarm to go off at `at`, replacing its previous setting.
    #[inline(always)]
    pub fn set_alarm(&mut self, alarm: AlarmId, at: Time, class: Class) {
        debug_assert!(at >= self.core.now, "time goes forward");
        self.core.calendar.set_alarm(alarm, at, class);
    }

    /// Clears an alarm; false if it was not set.
    pub fn clear_alarm(&mut self, alarm: AlarmId) -> bool {
        self.core.calendar.clear_alarm(alarm)
    }

    /// Cancels a timer; false if it has gone off.
    #[inline]
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        self.core.calendar.cancel(timer) || self.cancel_moved(timer)
    }

    /// The same for a timer that got a new id when the node was paused.
    #[cold]
    fn cancel_moved(&mut self, timer: TimerId) -> bool {
        let moved = self.core.standstills.get_mut(&self.node).and_then(|s| s.moved.remove(&timer));
        moved.is_some_and(|timer| self.core.calendar.cancel(timer))
    }

    /// Cancels work begun with [`Cx::work`], identified by the place of its timer and the timer's content, which must
    /// be unique within the node.
    pub fn cancel_work(&mut self, place: u32, timer: Timer) -> bool {
        let node = self.node.0;
        let is_it = |event: &Event| {
            event.kind == Kind::Work && event.node == node && event.what == timer.what && event.data.get() == timer.data
        };
        let calendar = &mut self.core.calendar;
        if calendar.cancel_at(place, is_it) {
            return true;
        }
        // The timer has moved because the node was paused.
        let found = calendar.live(is_it);
        found.first().is_some_and(|live| calendar.cancel(live.id))
    }

    /// The node's own clock, which stops while the node is paused.
    pub fn own_clock(&self) -> Time {
        self.core.now - self.core.standstills.get(&self.node).map_or(0, |s| s.total)
    }

    /// Begins work that takes the node `span`; longer if a fault slows the node down.
    #[inline(always)]
    pub fn work(&mut self, span: Span, timer: Timer) -> TimerId {
        let NodeState { condition, epoch, .. } = &self.core.nodes[self.node.0 as usize];
        let at = self.core.now.saturating_add(condition.stretched(span));
        let event =
            Event { kind: Kind::Work, what: timer.what, epoch: *epoch, node: self.node.0, data: Word::of(timer.data) };
        self.core.calendar.set(at, Class::First, event)
    }

    /// The duration of work that begins now, after the slowdown by faults.
    #[inline]
    pub fn stretched(&self, span: Span) -> Span {
        self.core.nodes[self.node.0 as usize].condition.stretched(span)
    }

    /// Resumes interrupted work: the remaining `span` is not stretched again.
    #[inline(always)]
    pub fn work_on(&mut self, span: Span, timer: Timer) -> TimerId {
        let event = self.event(Kind::Work, timer);
        self.core.calendar.set(self.core.now.saturating_add(span), Class::First, event)
    }

    /// Uses a core of `cpu` for `work`, shared with the other jobs there. `work` must not be 0.
    pub fn cpu(&mut self, cpu: CpuId, work: Span, timer: Timer) -> CpuJob {
        let epoch = self.core.nodes[self.node.0 as usize].epoch;
        let job = self.core.cpus.add(self.core.now, cpu, work, (self.node, epoch, timer));
        self.core.arm_cpu(cpu.machine);
        job
    }

    /// Removes a job. Returns its remaining work, or `None` if it is complete.
    pub fn cpu_take_back(&mut self, cpu: CpuId, job: CpuJob) -> Option<Span> {
        let left = self.core.cpus.remove(self.core.now, cpu, job);
        self.core.arm_cpu(cpu.machine);
        left
    }

    /// How long `cpu` has been throttled since the end of the warm-up because its quota was spent.
    pub fn cpu_stood(&self, cpu: CpuId) -> Span {
        self.core.cpus.stood(self.core.now, cpu)
    }

    /// This node uses so much memory from now on. Where its machine has less than all there use, the node that uses most.
    pub fn use_memory(&mut self, account: MemoryId, used: MemoryUse) -> Option<NodeId> {
        self.core.memories.set(self.core.now, account, used)
    }

    /// A node's process is killed for using too much memory; that counts.
    pub fn note_kill(&mut self, node: NodeId) {
        self.core.memories.note_kill(node);
    }

    /// How much more memory this node's machine lets it reserve.
    pub fn memory_room(&self, account: MemoryId) -> u64 {
        self.core.memories.room(account)
    }

    /// Asks the supervisor, after this entry, for something that this node cannot do to itself.
    pub fn ask_supervisor(&mut self, what: u8, data: u64) {
        self.core.asides.push_back(Aside::Asked { of: self.node, what, data });
    }

    /// The same on behalf of another node.
    pub fn ask_supervisor_about(&mut self, of: NodeId, what: u8, data: u64) {
        self.core.asides.push_back(Aside::Asked { of, what, data });
    }

    /// Removes all jobs from `cpu` without completing them.
    pub fn cpu_clear(&mut self, cpu: CpuId) {
        self.core.cpus.clear(self.core.now, cpu);
        self.core.arm_cpu(cpu.machine);
    }

    #[inline(always)]
    fn event(&self, kind: Kind, timer: Timer) -> Event {
        let epoch = self.core.nodes[self.node.0 as usize].epoch;
        Event { kind, what: timer.what, epoch, node: self.node.0, data: Word::of(timer.data) }
    }

    /// Random numbers about `call` for one purpose: the same for the same request, whatever else happens.
    #[inline(always)]
    pub fn draw(&mut self, call: CallId, purpose: u32) -> Draw {
        let salt = self.core.nodes[self.node.0 as usize].salt;
        let frame = self.core.calls.at_mut(call.index);
        let nth = frame.draws;
        frame.draws = frame.draws.wrapping_add(1);
        Key::from_bits(frame.key).draw(salt ^ purpose, nth as u32)
    }

    /// Attributes the time of `call` since the last attribution, or since it was made, to `what`. Time not attributed
    /// before a further call or the answer counts as service. Costs one bit test unless the request is sampled.
    #[inline]
    pub fn spent(&mut self, call: CallId, what: Spent) {
        if self.core.calls.get(call).is_some_and(|frame| frame.flags & SAMPLED != 0) {
            self.core.spend(call.index, what, GroupId(self.place()));
        }
    }

    /// Attributes the last `span` of the time of `call` to `what`, and earlier unattributed time to service.
    pub fn spent_last(&mut self, call: CallId, what: Spent, span: Span) {
        if span > 0 && self.core.calls.get(call).is_some_and(|frame| frame.flags & SAMPLED != 0) {
            self.core.spend_last(call.index, what, GroupId(self.place()), span);
        }
    }

    /// Marks `child`, just made, as another copy of a call in progress for the same caller. If it is answered first,
    /// the time until now counts as waiting in vain for the other copy.
    pub fn stand_in(&mut self, child: CallId) {
        if self.core.calls.at(child.index).flags & SAMPLED != 0 {
            self.core.stand_in(child.index);
        }
    }

    /// The scenario's seed.
    pub fn seed(&self) -> u64 {
        self.core.seed
    }

    /// Whether `call` has not ended.
    #[inline]
    pub fn is_open(&self, call: CallId) -> bool {
        self.core.calls.is_open(call)
    }

    /// When `call` arrived here; for a request, its intended send time.
    #[inline]
    pub fn since(&self, call: CallId) -> Time {
        self.core.calls.at(call.index).since
    }

    /// The main fields of an open call, by an index obtained from [`CallId::index`].
    #[inline(always)]
    pub fn look(&self, index: u32) -> Look {
        let frame = self.core.calls.at(index);
        Look {
            call: CallId { index, generation: frame.generation },
            since: frame.since,
            ticket: frame.ticket,
            profile: frame.profile,
            priority: frame.priority,
            is_sampled: frame.flags & SAMPLED != 0,
        }
    }

    /// The operation of a row of the profile table.
    #[inline(always)]
    pub fn op_of(&self, profile: u16) -> u16 {
        self.core.profiles[profile as usize].op
    }

    /// The value this node stores about `call`, if the call has not ended.
    #[inline(always)]
    pub fn ticket_if_open(&self, call: CallId) -> Option<u32> {
        self.core.calls.get(call).map(|frame| frame.ticket)
    }

    /// The value this node stores about `call`.
    #[inline]
    pub fn ticket(&self, call: CallId) -> u32 {
        self.core.calls.at(call.index).ticket
    }

    /// Stores a value about `call`.
    #[inline]
    pub fn set_ticket(&mut self, call: CallId, ticket: u32) {
        self.core.calls.at_mut(call.index).ticket = ticket;
    }

    /// A second value that this node stores about `call`; 0 unless it was set.
    #[inline]
    pub fn memo(&self, call: CallId) -> u64 {
        self.core.calls.at(call.index).memo
    }

    /// Stores a second value about `call`, which some caller above must have given up ([`Cx::abandoned_since`]).
    pub fn set_memo(&mut self, call: CallId, memo: u64) {
        let frame = self.core.calls.at_mut(call.index);
        debug_assert!(frame.flags & LENT == 0, "who began the request still waits for it");
        frame.memo = memo;
    }

    /// The note this node stores about a request that it began; 0 if there is none.
    #[inline(always)]
    pub fn note(&self, request: CallId) -> u64 {
        self.core.calls.note(request.index)
    }

    /// Stores a note about a request that this node has just begun.
    #[inline(always)]
    pub fn set_note(&mut self, request: CallId, note: u64) {
        self.core.calls.set_note(request.index, note);
    }

    /// The open call at an index obtained from [`CallId::index`].
    #[inline]
    pub fn open_call(&self, index: u32) -> CallId {
        self.core.calls.id(index)
    }

    /// Row of the profile of `call`.
    pub fn profile_row(&self, call: CallId) -> u16 {
        self.core.calls.at(call.index).profile
    }

    /// The profile of `call`.
    #[inline]
    pub fn profile(&self, call: CallId) -> Profile {
        self.core.profiles[self.core.calls.at(call.index).profile as usize]
    }

    /// Payload of `call` with all its items, bytes.
    #[inline]
    pub fn size_bytes(&self, call: CallId) -> u64 {
        self.profile(call).size_bytes.saturating_add(self.more_bytes(call))
    }

    /// The priority of `call`; 0 is the most important.
    pub fn priority(&self, call: CallId) -> u8 {
        self.core.calls.at(call.index).priority
    }

    /// Whether `call` was caused by a retry or hedge, at any layer above.
    pub fn is_retry(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & RETRY != 0
    }

    /// Marks `call` as caused, or not caused, by a retry.
    pub fn set_retry(&mut self, call: CallId, retry: bool) {
        let frame = self.core.calls.at_mut(call.index);
        frame.flags = if retry { frame.flags | RETRY } else { frame.flags & !RETRY };
    }

    /// Whether `call` continues in the background after its answer.
    pub fn is_background(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & BACKGROUND != 0
    }

    /// The node that made `call`; `None` for a request, and if no caller waits for the answer.
    pub fn caller(&self, call: CallId) -> Option<NodeId> {
        let frame = self.core.calls.at(call.index);
        if frame.via != DIRECT {
            return Some(NodeId(frame.via));
        }
        if frame.flags & LENT != 0 {
            return Some(NodeId(frame.parent));
        }
        self.core.calls.parent(frame).map(|parent| NodeId(parent.node))
    }

    /// The draw key of the call on behalf of which `call` was made; its own key for a request, and if no caller waits
    /// for the answer.
    pub fn callers_key(&self, call: CallId) -> Key {
        let frame = self.core.calls.at(call.index);
        let lent = (frame.flags & LENT != 0).then_some(frame.memo);
        let callers = lent.or_else(|| self.core.calls.parent(frame).map(|parent| parent.key));
        Key::from_bits(callers.unwrap_or(frame.key))
    }

    /// The node that serves `call`.
    pub fn server(&self, call: CallId) -> NodeId {
        NodeId(self.core.calls.at(call.index).node)
    }

    /// The key of the draws about `call`.
    pub fn key(&self, call: CallId) -> Key {
        Key::from_bits(self.core.calls.at(call.index).key)
    }

    /// Whether the direct caller of `call` has stopped waiting; callers above it may or may not still wait.
    pub fn is_abandoned(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & ABANDONED != 0
    }

    /// Since when the work for `call` has been wasted, because a caller above has given up and no other caller or node
    /// needs it; `None` if it is needed.
    #[inline]
    pub fn abandoned_since(&self, call: CallId) -> Option<Time> {
        if self.core.is_all_wanted() {
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

    /// Notifies the listeners of a node's group, after this entry.
    pub fn announce(&mut self, about: NodeId, news: News) {
        self.core.spread(about, news);
    }

    /// Whether `node` accepts calls.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.is_up(node)
    }

    /// The network path at a row of the path table.
    pub fn path(&self, row: u16) -> &Path {
        self.core.ways.path(row)
    }

    /// Changes a row of the path table (network faults).
    pub fn change_path(&mut self, row: u16, change: impl FnOnce(&mut Path)) {
        self.core.ways.change(row, change);
        if self.core.watchers.contains_key(&row) {
            self.core.asides.push_back(Aside::PathChanged { path: row });
        }
    }

    /// The condition of a node, for faults to change.
    pub fn condition_mut(&mut self, node: NodeId) -> &mut Condition {
        &mut self.core.nodes[node.0 as usize].condition
    }

    /// Changes the speed of a container (faults); jobs in progress continue at the new speed immediately.
    pub fn set_cpu_speed(&mut self, cpu: CpuId, factor: f64) {
        self.core.cpus.set_speed(self.core.now, cpu, factor);
        self.core.arm_cpu(cpu.machine);
    }

    /// Restricts a machine to a share of its cores through fault number `fault`; `None` ends it. Shares of several
    /// faults multiply.
    pub fn leave_cores(&mut self, machine: u32, fault: u32, share: Option<f64>) {
        self.core.cpus.leave(self.core.now, machine, fault, share);
        self.core.arm_cpu(machine);
    }

    /// Slows a node down by a factor (faults): jobs on its cores immediately, other work from its next start.
    pub fn slow_down(&mut self, node: NodeId, factor: f64) {
        let condition = &mut self.core.nodes[node.0 as usize].condition;
        condition.multiply_slowdown(factor);
        let slowdown = condition.slowdown();
        for cpu in self.core.cpus_of[node.0 as usize].clone() {
            self.set_cpu_speed(cpu, 1.0 / slowdown);
        }
    }

    /// Requests an action on a node, carried out after this entry.
    pub fn order(&mut self, order: Order) {
        self.core.asides.push_back(Aside::Order(order));
    }
}

impl CallId {
    /// An index to store in a waiting line while the call is open; [`Cx::open_call`] converts it back.
    pub fn index(self) -> u32 {
        self.index
    }
}
