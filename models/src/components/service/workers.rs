//! Who gets a worker: a thread or a turn on a loop is given back, given to whoever waits longest, or taken from the less
//! important.

use sim_core::{Cx, Look, Next, Spent};

use super::ready::Pick;
use super::replica::{Doing, Pass, Service};

impl Service {
    /// A strand that waits gives its worker back, if the runtime has it so.
    #[inline]
    pub(super) fn let_go(&mut self, cx: &mut Cx<'_>, index: u32) {
        if !self.goes_on_freely {
            self.end_turn(cx, index);
        }
    }

    #[inline(never)]
    fn end_turn(&mut self, cx: &mut Cx<'_>, index: u32) {
        self.leave_interpreter(cx, index);
        if !self.frees_while_waiting || !self.strand(index).holds_worker {
            return;
        }
        if self.plan.terms.facts.pinned_by_locks && self.strand(index).locks > 0 {
            return self.keeps_worker(cx, index);
        }
        self.release(cx, index);
        self.dispatch(cx);
    }

    pub(super) fn release(&mut self, cx: &mut Cx<'_>, index: u32) {
        let strand = self.strand(index);
        if !std::mem::replace(&mut strand.holds_worker, false) {
            return;
        }
        let (call, since) = (strand.call, strand.holding_since);
        let abandoned = cx.abandoned_since(call);
        self.door.give_back(cx.now(), since, abandoned);
        if self.frees_while_waiting {
            self.longest_turn = self.longest_turn.max(cx.now().saturating_sub(since));
            self.ready.falls_asleep(cx.now());
            if self.lag.is_some() && self.nobody_is_ready() {
                self.loop_is_idle(cx);
            }
        }
    }

    /// Free workers go to those that wait: strands that have begun and calls that have not, whoever waits longest.
    #[inline(always)]
    pub(super) fn dispatch(&mut self, cx: &mut Cx<'_>) {
        let none_is_ready = !self.frees_while_waiting || self.ready.is_empty();
        if none_is_ready && self.door.line().is_empty() {
            return;
        }
        if self.door.open() {
            self.give_out_workers(cx);
            self.door.shut();
        }
    }

    #[inline(never)]
    fn give_out_workers(&mut self, cx: &mut Cx<'_>) {
        // Strands that have begun wait only where they give their workers back.
        if self.frees_while_waiting {
            return self.give_out_turns(cx);
        }
        while self.door.has_room() && !self.door.line().is_empty() {
            let Some(next) = self.door.next(cx) else { continue };
            let then = self.take_up(cx, next);
            cx.post(then);
        }
    }

    #[inline(never)]
    fn give_out_turns(&mut self, cx: &mut Cx<'_>) {
        while self.door.has_room() && !self.is_asleep() {
            let Some(pick) = self.next_turn(cx) else { break };
            let then = match pick {
                Pick::Strand(index, _) => {
                    cx.spent(self.strand(index).call, Spent::Queue);
                    self.run(cx, index)
                }
                Pick::Call => {
                    let Some(next) = self.door.next(cx) else { continue };
                    self.take_up(cx, next)
                }
            };
            cx.post(then);
        }
        if self.door.has_room() && !self.is_asleep() {
            self.loop_is_idle(cx);
            if self.ready.has_ticks() {
                self.sleep(cx);
            }
        }
    }

    /// A worker has nothing to do any more.
    fn loop_is_idle(&mut self, cx: &Cx<'_>) {
        if let Some(lag) = &mut self.lag {
            lag.turn(cx.now(), cx.now());
        }
    }

    /// A call comes out of the queue with a worker.
    #[inline(always)]
    fn take_up(&mut self, cx: &mut Cx<'_>, next: Look) -> Next {
        let Look { call, ticket, profile, .. } = next;
        if ticket > 0 {
            return self.go_on(cx, ticket - 1);
        }
        self.begin(cx, call, profile)
    }

    /// A strand that was interrupted has a worker again.
    fn go_on(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        let strand = self.strand(index);
        strand.holds_worker = true;
        strand.holding_since = now;
        let Doing::Interrupted { left, computes } = strand.doing else { return self.run(cx, index) };
        self.interruptible.push(index);
        if left == 0 {
            return self.passed(cx, index);
        }
        if computes { self.compute(cx, index, left) } else { self.pass_for(cx, index, left, Pass::Cost) }
    }

    /// A more important call interrupts the least important one that is served, if there is one less important.
    pub(super) fn interrupt(&mut self, cx: &mut Cx<'_>, priority: u8) -> bool {
        let candidates = self.interruptible.iter().filter_map(|i| {
            let strand = self.strands.get(*i)?;
            let works = matches!(strand.doing, Doing::Computes(_) | Doing::Passes { .. });
            let theirs = cx.priority(strand.call).min(strand.lent);
            (works && theirs > priority).then_some((theirs, *i))
        });
        // The least important; among equals the one that began last.
        let Some((_, index)) = candidates.enumerate().max_by_key(|(n, (p, _))| (*p, *n)).map(|(_, c)| c) else {
            return false;
        };
        let (call, doing) = (self.strand(index).call, self.strand(index).doing);
        let (left, computes) = match (doing, self.cpu) {
            (Doing::Computes(job), Some(cpu)) => match cx.cpu_take_back(cpu, job) {
                Some(left) => (left, true),
                None => return false,
            },
            (Doing::Passes { timer, until, .. }, _) => {
                cx.cancel(timer);
                (until.saturating_sub(cx.own_clock()), false)
            }
            _ => return false,
        };
        self.strand(index).doing = Doing::Interrupted { left, computes };
        self.interruptible.retain(|i| *i != index);
        self.release(cx, index);
        cx.spent(call, Spent::Service);
        let importance = self.importance(cx, index);
        self.door.put_back(cx, call, importance);
        true
    }
}
