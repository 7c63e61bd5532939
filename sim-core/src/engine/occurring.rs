//! Events not addressed to a node: calls and answers in transit, machines, chores.

use super::{Aside, Component, Cx, Engine, Event, Kind, Next, Word, pack_event, records};
use crate::calls::*;
use crate::conditions::Stashed;
use crate::time::Time;

impl<C: Component> Engine<C> {
    /// Handles an event that is not addressed to a node; `None` if nothing follows.
    #[inline(never)]
    pub(super) fn happen_on_the_way(&mut self, event: Event) -> Option<Next> {
        Some(match event.kind {
            Kind::Clock | Kind::Work => unreachable!("seen to by the caller"),
            Kind::Deliver => {
                let call = CallId::from_bits(event.data.get());
                let is_talk = self.core.calls.get(call)?.flags & BACKGROUND != 0;
                self.core.note_talk(is_talk);
                self.reach(call, event.epoch, event.what)
            }
            Kind::Lost => {
                let telling = self.core.lost.remove(&event.data.get())?;
                self.core.asides.push_back(Aside::Tell(telling));
                Next::WAIT
            }
            Kind::Again => {
                let call = CallId::from_bits(event.data.get());
                let is_talk = self.core.calls.get(call)?.flags & BACKGROUND != 0;
                self.core.note_talk(is_talk);
                self.sent_again(call, event.epoch, event.what)
            }
            Kind::Reply => {
                let call = CallId::from_bits(event.data.get());
                let is_talk = self.core.calls.get(call)?.flags & BACKGROUND != 0;
                self.core.note_talk(is_talk);
                self.answered_at_last(call)
            }
            Kind::Cancel => {
                let call = CallId::from_bits(event.data.get());
                self.core.note_talk(event.what == records::IS_TALK);
                let frame = self.core.calls.get(call)?;
                if frame.flags & REPLYING != 0 || frame.via != DIRECT {
                    return None;
                }
                if frame.flags & DELIVERED == 0 {
                    // The cancellation overtook the call, which will find itself closed on arrival.
                    self.core.free(call.index);
                    return None;
                }
                let state = &mut self.core.nodes[event.node as usize];
                if state.condition.is_paused() {
                    state.condition.stash(Stashed::Event(pack_event(event)));
                    return None;
                }
                let node = NodeId(event.node);
                self.nodes[event.node as usize].on_cancel(&mut Cx { core: &mut self.core, node }, call)
            }
            Kind::Cpu => {
                self.cpu_due(event.data.get() as u32);
                return None;
            }
            Kind::Chore => {
                self.chore_due();
                return None;
            }
            Kind::Begin => {
                let call = CallId::from_bits(event.data.get());
                // The callee may have died at this instant.
                let frame = self.core.calls.get(call).filter(|frame| frame.flags & REPLYING == 0)?;
                let (arrived, is_counted) = (frame.since, frame.flags & BACKGROUND == 0);
                let node = NodeId(event.node);
                let condition = &mut self.core.nodes[event.node as usize].condition;
                if condition.is_paused() {
                    condition.stash(Stashed::Call(call));
                    if is_counted {
                        self.core.standstills.entry(node).or_default().wait(self.core.now, arrived);
                    }
                    return None;
                }
                if is_counted {
                    return Some(self.taken_up(node, call, arrived));
                }
                self.nodes[event.node as usize].on_call(&mut Cx { core: &mut self.core, node }, call)
            }
        })
    }

    /// Delivers a call that had to wait for its node to resume.
    #[inline(never)]
    fn taken_up(&mut self, node: NodeId, call: CallId, arrived: Time) -> Next {
        let (group, stood) = (usize::from(self.core.nodes[node.0 as usize].group.0), self.core.now - arrived);
        let measure = &mut self.core.groups[group];
        measure.stood = stood;
        let timed = measure.wait.count();
        let next = self.nodes[node.0 as usize].on_call(&mut Cx { core: &mut self.core, node }, call);
        let measure = &mut self.core.groups[group];
        measure.stood = 0;
        // A node without a queue of its own does not record the wait itself.
        let has_queue = self.core.standstills.get(&node).is_some_and(|standstill| standstill.has_queue);
        if !has_queue && measure.wait.count() == timed {
            measure.waited(arrived, stood);
        }
        next
    }

    fn cpu_due(&mut self, cpu: u32) {
        self.core.cpus.armed(cpu, None);
        self.core.cpus.complete(self.core.now, cpu);
        self.core.arm_cpu(cpu);
        // One at a time: the effects of one job may cancel another that completes at this instant.
        while let Some((node, epoch, timer)) = self.core.cpus.next_due() {
            let state = &mut self.core.nodes[node.0 as usize];
            if state.epoch != epoch {
                continue;
            }
            // Another job of this instant may have paused the node.
            if state.condition.is_paused() {
                let (what, data) = (timer.what, Word::of(timer.data));
                let event = Event { kind: Kind::Work, what, epoch, node: node.0, data };
                state.condition.stash(Stashed::Event(pack_event(event)));
                continue;
            }
            let next = self.nodes[node.0 as usize].on_timer(&mut Cx { core: &mut self.core, node }, timer);
            self.core.last_node = node.0;
            self.go(next);
            if self.core.watch.patience == 0 {
                return;
            }
        }
    }
}
