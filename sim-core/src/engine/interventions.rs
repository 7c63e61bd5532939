//! Actions on nodes from outside: crashes, restarts, pauses.

use std::collections::{BTreeMap, VecDeque};

use super::passages::DEAF;
use super::{Aside, Component, Core, Cx, Engine, Event, Kind, Next, Order, Telling, Word};
use crate::calendar::{Class, TimerId};
use crate::calls::*;
use crate::conditions::{Death, Stashed, given_up_after};
use crate::figures::Figures;
use crate::gauge::Gauge;
use crate::news::{Hearing, News};
use crate::outcome::{Answer, Outcome};
use crate::records::Ended;
use crate::slots;
use crate::time::{Span, Time};

impl<C: Component> Engine<C> {
    /// Carries out the actions on nodes that entries have requested.
    pub(super) fn obey(&mut self) {
        let mut later = VecDeque::new();
        while let Some(aside) = self.core.asides.pop_front() {
            match aside {
                Aside::Order(Order::Crash(node, death)) => self.crash(node, death),
                Aside::Order(Order::Start(node, death)) => self.start_again(node, death),
                Aside::Order(Order::Retire(node)) => {
                    for index in (0..self.nodes.len()).filter(|index| self.core.nodes[*index].owner == node) {
                        self.nodes[index].retire(self.core.now);
                    }
                }
                Aside::Order(Order::Pause(node)) => self.pause(node),
                Aside::Order(Order::Resume(node)) => self.resume(node),
                Aside::Order(Order::Adopt(node, change)) => {
                    // A paused node adopts settings only when it resumes.
                    let condition = &mut self.core.nodes[node.0 as usize].condition;
                    if condition.is_paused() {
                        condition.stash(Stashed::Change(change));
                        continue;
                    }
                    self.nodes[node.0 as usize].adopt(&mut Cx { core: &mut self.core, node }, change);
                }
                Aside::HangUp { at, number } => self.nodes[at.0 as usize].on_hang_up(number),
                Aside::News { about, news } => self.hear(about, news),
                Aside::PathChanged { path } => self.look_at_path(path),
                // Answers that a node has already given are passed on before the supervisor can end it.
                Aside::Asked { .. } if !self.core.ring.is_empty() => later.push_back(aside),
                Aside::Asked { of, what, data } => {
                    let Some(node) = self.core.supervisor else { continue };
                    self.nodes[node.0 as usize].on_asked(&mut Cx { core: &mut self.core, node }, of, what, data);
                }
                Aside::Settled { node, name, settled } => {
                    self.nodes[node.0 as usize].on_settled(self.core.now, name, settled);
                }
                Aside::Tell(Telling { node, parent, child, answer }) => {
                    let hears = self.core.nodes[node.0 as usize].passage != DEAF;
                    if hears && (parent == child || self.core.calls.is_open(parent)) {
                        let cx = &mut Cx { core: &mut self.core, node };
                        let next = self.nodes[node.0 as usize].on_reply(cx, parent, child, answer);
                        self.core.ring.push_back(next);
                    }
                }
            }
        }
        self.core.asides.append(&mut later);
    }

    /// Ends calls that crashed nodes had passed on, with `reset` for their callers or silently; their callees keep
    /// working without a caller.
    fn lose_what_was_passed_on(&mut self, is_gone: &impl Fn(u32) -> bool, death: Death) {
        let is_passed_on = |f: &Frame| f.via != DIRECT && is_gone(f.via);
        let passed_on: Vec<u32> = self.core.calls.iter().filter(|(_, f)| is_passed_on(f)).map(|(i, _)| i).collect();
        for index in passed_on {
            self.keep_apart(index);
            let core = &mut self.core;
            let (frame, child) = (*core.calls.at(index), core.calls.id(index));
            let group = core.nodes[frame.via as usize].group;
            let answer = Answer::new(Outcome::Reset, group.0);
            core.ended(group, &frame, answer);
            core.calls.at_mut(index).via = DIRECT;
            let caller = if frame.flags & ROOT != 0 {
                core.calls.at_mut(index).orphan();
                core.drop_account(index);
                Some((NodeId(frame.parent), child))
            } else if frame.flags & ABANDONED == 0 && frame.parent != NONE {
                Some((NodeId(core.calls.at(frame.parent).node), core.calls.id(frame.parent)))
            } else {
                None
            };
            if let Some((node, parent)) = caller {
                core.abandon(child);
                core.let_hear(death, Telling { node, parent, child, answer });
            }
            if frame.flags & REPLYING != 0 {
                // Its answer had already come back this far.
                core.free(index);
            }
        }
    }

    /// Notifies the listeners of a node's group.
    fn hear(&mut self, about: NodeId, news: News) {
        let group = self.core.nodes[about.0 as usize].group;
        let heard = self.core.listeners.get(&group).map_or(0, Vec::len);
        for nth in 0..heard {
            let (node, hearing) = self.core.listeners[&group][nth];
            if hearing.hears(news) {
                self.nodes[node.0 as usize].on_news(&mut Cx { core: &mut self.core, node }, about, news);
            }
        }
    }

    /// Subscribes a node to news about the nodes of a group ([`Component::on_news`]).
    pub fn listen(&mut self, listener: NodeId, to: GroupId, hearing: Hearing) {
        self.core.listeners.entry(to).or_default().push((listener, hearing));
    }

    /// From now on a node is told when faults change a row of the path table ([`Component::on_path_changed`]).
    pub fn watch_path(&mut self, watcher: NodeId, path: u16) {
        self.core.watchers.entry(path).or_default().push(watcher);
    }

    /// Notifies the watchers of a path that it has changed.
    fn look_at_path(&mut self, path: u16) {
        let watching = self.core.watchers.get(&path).map_or(0, Vec::len);
        for nth in 0..watching {
            let node = self.core.watchers[&path][nth];
            self.nodes[node.0 as usize].on_path_changed(&mut Cx { core: &mut self.core, node }, path);
        }
    }

    /// Ends the node and the nodes it owns: open calls there are answered with `reset`, or not at all if the host is
    /// gone; calls made from there are given up; timers are cancelled; and the state is rebuilt from the settings in
    /// force.
    fn crash(&mut self, node: NodeId, death: Death) {
        let core = &mut self.core;
        let dies = core.nodes[node.0 as usize].condition.take_down(death);
        // Of one that is down already, the host may die too.
        core.spread(node, News::Changed);
        if !dies {
            return;
        }
        core.down += 1;
        core.crashed.insert(node, (core.now, death));
        core.spread(node, News::Down);
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
            .filter(|(_, f)| f.flags & (ROOT | ABANDONED) == 0 && f.parent != NONE)
            .filter(|(_, f)| !is_gone(f.node) || f.flags & DELIVERED == 0 || f.flags & REPLYING != 0)
            .filter(|(_, f)| is_gone(core.calls.at(f.parent).node))
            .map(|(i, _)| core.calls.id(i))
            .collect();
        for call in made {
            core.give_up(call);
        }
        core.lose_what_was_begun(&is_gone);
        self.lose_what_was_passed_on(&is_gone, death);
        let core = &mut self.core;
        for connection in core.connections.opened_by(|node| is_gone(node.0)) {
            core.close_connection(connection);
        }
        for record in core.records.of_volatile(node) {
            core.end_record(record, Ended::Lost);
        }
        core.chores.pending.forget(|chore| is_gone(chore.node.0));
        core.set_bell();
        for index in gone.iter().copied() {
            core.nodes[index].epoch = core.nodes[index].epoch.wrapping_add(1);
            if let Some(standstill) = core.standstills.get_mut(&NodeId(index as u32)) {
                standstill.let_go(core.now);
            }
            for stashed in core.nodes[index].condition.forget_stash() {
                let event = match stashed {
                    // An answer that was held back is lost.
                    Stashed::Event(event) => unpack_event(event),
                    Stashed::Change(change) => {
                        core.asides.push_back(Aside::Order(Order::Adopt(NodeId(index as u32), change)));
                        continue;
                    }
                    _ => continue,
                };
                let call = CallId::from_bits(event.data.get());
                if matches!(event.kind, Kind::Reply) && core.calls.is_open(call) {
                    core.free(call.index);
                }
            }
            self.nodes[index].rebuild(core.now);
        }
        self.core.memories.free(self.core.now, node);
        let machine = self.core.cpus_of[node.0 as usize].first().map(|cpu| cpu.machine);
        self.core.sockets.free(self.core.now, machine, node);
        for cpu in self.core.cpus_of[node.0 as usize].clone() {
            self.core.cpus.clear(self.core.now, cpu);
            self.core.arm_cpu(cpu.machine);
        }
        for index in open {
            let frame = *self.core.calls.at(index);
            let call = self.core.calls.id(index);
            let inner = match frame.flags & (ROOT | ABANDONED) {
                0 => frame.parent != NONE && is_gone(self.core.calls.at(frame.parent).node),
                ROOT => frame.flags & LENT == 0 && is_gone(frame.parent),
                _ => false,
            };
            let answer = Answer::new(Outcome::Reset, self.core.nodes[frame.node as usize].group.0);
            if inner || frame.flags & (BACKGROUND | ROOT) == BACKGROUND {
                // A call between two crashed nodes has no caller to notify.
                if frame.flags & BACKGROUND == 0 {
                    let group = self.core.nodes[frame.node as usize].group;
                    self.core.ended(group, &frame, answer);
                } else if frame.parent == NONE {
                    // Steps after the answer, which will not continue.
                    self.core.part_of_call_ends(index, true);
                }
                self.core.free(index);
            } else if death == Death::Host
                && frame.flags & BACKGROUND == 0
                && (frame.flags & ABANDONED == 0 || frame.via != DIRECT)
            {
                self.answer_unheard(call, answer);
            } else {
                self.core.ring.push_back(Next::reply(call, answer));
            }
        }
        self.core.lose_parts();
        self.core.forget_deliveries();
        self.core.forget_shared(&is_gone);
    }

    fn start_again(&mut self, node: NodeId, death: Death) {
        let comes_up = self.core.nodes[node.0 as usize].condition.bring_up(death);
        self.core.spread(node, News::Changed);
        if !comes_up {
            return;
        }
        self.core.down -= 1;
        self.core.spread(node, News::Up);
        for index in 0..self.nodes.len() {
            if self.core.nodes[index].owner == node {
                let node = NodeId(index as u32);
                let mut cx = Cx { core: &mut self.core, node };
                let next = self.nodes[index].on_start(&mut cx);
                cx.post(next);
            }
        }
    }

    fn pause(&mut self, node: NodeId) {
        let core = &mut self.core;
        if !core.nodes[node.0 as usize].condition.pause() {
            return;
        }
        core.spread(node, News::Changed);
        // Its timers are removed and stored: the remaining work, and the due times of its clocks.
        let mut figures = Figures::without_times();
        self.nodes[node.0 as usize].figures(core.now, &mut figures);
        let inside = figures.now(&slots::QUEUE_DEPTH);
        let standstill = core.standstills.entry(node).or_default();
        standstill.since = core.now;
        standstill.inside = inside.unwrap_or(0);
        standstill.has_queue = inside.is_some();
        let names: BTreeMap<TimerId, TimerId> = standstill.moved.iter().map(|(first, now)| (*now, *first)).collect();
        standstill.moved.clear();
        let epoch = core.nodes[node.0 as usize].epoch;
        let is_its = |e: &Event| matches!(e.kind, Kind::Work | Kind::Clock) && e.node == node.0 && e.epoch == epoch;
        for timer in core.calendar.live(is_its) {
            core.calendar.cancel(timer.id);
            let id = names.get(&timer.id).copied().unwrap_or(timer.id);
            let event = pack_event(timer.event);
            let stashed = match timer.event.kind {
                Kind::Work => Stashed::Work { id, left: timer.at - core.now, event },
                _ => Stashed::Clock { id, at: timer.at, class: timer.class, event },
            };
            core.nodes[node.0 as usize].condition.stash(stashed);
        }
        self.freeze(node, true);
    }

    /// Freezes or unfreezes the containers that a node's work runs on.
    fn freeze(&mut self, node: NodeId, frozen: bool) {
        for cpu in self.core.cpus_of[node.0 as usize].clone() {
            self.core.cpus.freeze(self.core.now, cpu, frozen);
            self.core.arm_cpu(cpu.machine);
        }
    }

    /// Ends a pause. Events held back during the pause happen at this instant: first the chores, then the timers that
    /// went off, so that an answer that came after its timeout is recognised as late, then the rest in order of
    /// arrival.
    fn resume(&mut self, node: NodeId) {
        let Some(mut stashed) = self.core.nodes[node.0 as usize].condition.resume() else { return };
        self.core.spread(node, News::Changed);
        let now = self.core.now;
        self.freeze(node, false);
        let standstill = self.core.standstills.entry(node).or_default();
        standstill.total += now - standstill.since;
        standstill.let_go(now);
        let went_off = |s: &Stashed| match s {
            Stashed::Clock { at, .. } if *at < now => Some(*at),
            _ => None,
        };
        stashed.sort_by_key(|s| went_off(s).unwrap_or(Time::MAX));
        for stashed in stashed {
            let (id, at, class, event) = match stashed {
                Stashed::Work { id, left, event } => (Some(id), now + left, Class::First, unpack_event(event)),
                Stashed::Clock { id, at, event, .. } if at < now => (Some(id), now, Class::First, unpack_event(event)),
                Stashed::Clock { id, at, class, event } => (Some(id), at, class, unpack_event(event)),
                Stashed::Event(event) => (None, now, Class::First, unpack_event(event)),
                Stashed::Call(call) => {
                    let event =
                        Event { kind: Kind::Begin, what: 0, epoch: 0, node: node.0, data: Word::of(call.to_bits()) };
                    (None, now, Class::First, event)
                }
                Stashed::Chore { id, chore } => {
                    self.core.chores.pending.put_back(id, chore);
                    self.core.set_bell();
                    continue;
                }
                Stashed::Change(change) => {
                    self.core.asides.push_back(Aside::Order(Order::Adopt(node, change)));
                    continue;
                }
            };
            let new = self.core.calendar.set(at, class, event);
            if let Some(id) = id {
                self.core.standstills.entry(node).or_default().moved.insert(id, new);
            }
        }
    }
}

impl Core {
    /// Tells a caller how a call ended that continues without it: immediately, or, if the host that passed it on is
    /// dead, when the caller gives up the connection.
    fn let_hear(&mut self, death: Death, telling: Telling) {
        match death {
            Death::Process => self.asides.push_back(Aside::Tell(telling)),
            Death::Host => {
                let lost = telling.child.to_bits();
                self.lost.insert(lost, telling);
                let event = Event { kind: Kind::Lost, what: 0, epoch: 0, node: 0, data: Word::of(lost) };
                self.calendar.set(self.now + given_up_after(), Class::First, event);
            }
        }
    }
}

/// Pauses of a node, and the timers they affected: a moved timer continues under a new id.
#[derive(Clone, Debug, Default)]
pub(super) struct Standstill {
    /// Start of the latest pause.
    since: Time,
    /// Total duration of the earlier pauses.
    pub(super) total: Span,
    /// Calls that arrived during the pause and are waiting.
    waiting: Gauge,
    /// Arrival of the oldest of them.
    oldest: Option<Time>,
    /// Maximum age of the oldest such call, over calls no longer waiting.
    oldest_age_ever: Span,
    /// Whether the node has a queue of its own.
    pub(super) has_queue: bool,
    /// Number of calls waiting in that queue when the pause began.
    inside: u64,
    /// Maximum number waiting at once, including those in the node's own queue.
    most: u64,
    /// Current ids of the timers that were pending when it last resumed, by their original ids.
    pub(super) moved: BTreeMap<TimerId, TimerId>,
}

impl Standstill {
    /// A call that arrived at `arrived` starts to wait.
    pub(super) fn wait(&mut self, now: Time, arrived: Time) {
        self.waiting.up(now);
        self.oldest.get_or_insert(arrived);
        self.most = self.most.max(self.waiting.value() + self.inside);
    }

    /// The waiting calls leave.
    fn let_go(&mut self, now: Time) {
        self.waiting.set(now, 0);
        if let Some(since) = self.oldest.take() {
            self.oldest_age_ever = self.oldest_age_ever.max(now - since);
        }
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.waiting.reset(now);
        self.oldest_age_ever = 0;
        self.most = if self.waiting.value() > 0 { self.waiting.value() + self.inside } else { 0 };
    }

    /// Adds the calls waiting here to the node's queue figures.
    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        figures.gauge(&slots::QUEUE_DEPTH, &self.waiting, now);
        figures.raise(&slots::QUEUE_DEPTH_MAX, self.most);
        figures.level(&slots::QUEUE_DEPTH_END, self.waiting.value());
        let age = self.oldest.map(|since| now - since);
        figures.peak(&slots::QUEUE_OLDEST_AGE, age, self.oldest_age_ever.max(age.unwrap_or(0)));
    }
}

pub(super) fn pack_event(event: Event) -> u128 {
    (event.data.get() as u128) << 64
        | (event.node as u128) << 32
        | (event.epoch as u128) << 16
        | (event.what as u128) << 8
        | event.kind as u128
}

pub(super) fn unpack_event(bits: u128) -> Event {
    const KINDS: [Kind; 10] = [
        Kind::Clock,
        Kind::Work,
        Kind::Deliver,
        Kind::Reply,
        Kind::Cpu,
        Kind::Cancel,
        Kind::Begin,
        Kind::Chore,
        Kind::Again,
        Kind::Lost,
    ];
    Event {
        kind: KINDS[(bits & 0xff) as usize],
        what: (bits >> 8) as u8,
        epoch: (bits >> 16) as u16,
        node: (bits >> 32) as u32,
        data: Word::of((bits >> 64) as u64),
    }
}
