//! What is done to nodes from outside of them: crashes, restarts, pauses.

use super::{Component, Cx, Engine, Event, Kind, Next, Order, Trace};
use crate::calendar::Class;
use crate::calls::*;
use crate::outcome::{Answer, Outcome};
use crate::time::Span;

impl<C: Component, T: Trace> Engine<C, T> {
    /// Carries out what entries have asked to be done to nodes.
    pub(super) fn obey(&mut self) {
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
            .filter(|(_, f)| f.flags & (ROOT | ABANDONED) == 0 && f.parent != NONE)
            .filter(|(_, f)| !is_gone(f.node) || f.flags & DELIVERED == 0 || f.flags & REPLYING != 0)
            .filter(|(_, f)| is_gone(core.calls.at(f.parent).node))
            .map(|(i, _)| core.calls.id(i))
            .collect();
        for call in made {
            core.abandon(call);
        }
        for index in gone.iter().copied() {
            core.nodes[index].epoch = core.nodes[index].epoch.wrapping_add(1);
            for stashed in core.nodes[index].condition.forget_stash() {
                // An answer that was not seen yet never will be.
                let Stashed::Event(event) = stashed else { continue };
                let event = unpack_event(event);
                let call = CallId::from_bits(event.data);
                if matches!(event.kind, Kind::Reply) && core.calls.is_open(call) {
                    core.free(call.index);
                }
            }
            self.nodes[index].rebuild(core.now);
        }
        for cpu in self.core.nodes[node.0 as usize].cpus.clone() {
            self.core.cpus.clear(self.core.now, cpu);
            self.core.arm_cpu(cpu.machine);
        }
        for index in open {
            let frame = *self.core.calls.at(index);
            let call = self.core.calls.id(index);
            let inner = frame.flags & (ROOT | ABANDONED) == 0
                && frame.parent != NONE
                && is_gone(self.core.calls.at(frame.parent).node);
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
        self.freeze(node, true);
    }

    /// What a node's work runs on stands still, or goes on.
    fn freeze(&mut self, node: NodeId, frozen: bool) {
        for cpu in self.core.nodes[node.0 as usize].cpus.clone() {
            self.core.cpus.freeze(self.core.now, cpu, frozen);
            self.core.arm_cpu(cpu.machine);
        }
    }

    /// Work goes on, and what came meanwhile is seen, all as events of this instant: first the timers that went off,
    /// so that an answer that came after its timeout finds that nobody waits for it, then the rest in the order in
    /// which it came.
    fn resume(&mut self, node: NodeId) {
        let Some(mut stashed) = self.core.nodes[node.0 as usize].condition.resume() else { return };
        let now = self.core.now;
        self.freeze(node, false);
        stashed.sort_by_key(|s| !matches!(s, Stashed::Timer(_)));
        for stashed in stashed {
            let (after, event) = match stashed {
                Stashed::Work(left, event) => (left, unpack_event(event)),
                Stashed::Timer(event) | Stashed::Event(event) => (0, unpack_event(event)),
                Stashed::Call(call) => {
                    (0, Event { kind: Kind::Begin, what: 0, epoch: 0, node: node.0, data: call.to_bits() })
                }
            };
            self.core.calendar.set(now + after, Class::First, event);
        }
    }
}

/// What came for a node whose work stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stashed {
    /// A call.
    Call(CallId),
    /// Work, with what is left of it.
    Work(Span, u128),
    /// A timer that has gone off.
    Timer(u128),
    /// An answer or a cancellation.
    Event(u128),
}

pub(super) fn pack_event(event: Event) -> u128 {
    (event.data as u128) << 64
        | (event.node as u128) << 32
        | (event.epoch as u128) << 16
        | (event.what as u128) << 8
        | event.kind as u128
}

pub(super) fn unpack_event(bits: u128) -> Event {
    const KINDS: [Kind; 7] =
        [Kind::Clock, Kind::Work, Kind::Deliver, Kind::Reply, Kind::Cpu, Kind::Cancel, Kind::Begin];
    Event {
        kind: KINDS[(bits & 0xff) as usize],
        what: (bits >> 8) as u8,
        epoch: (bits >> 16) as u16,
        node: (bits >> 32) as u32,
        data: (bits >> 64) as u64,
    }
}
