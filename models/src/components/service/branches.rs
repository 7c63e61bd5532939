//! Branches of a handler side by side: starting them, what starting them costs, and waiting for enough of them.

use sim_core::{Answer, Cx, Next, Outcome};

use super::ready::Woken;
use super::replica::{Doing, Pass, Service, Strand};
use crate::steps::program::{Cost, Instruction, LOOPS, Place};

impl Service {
    /// Begins to start branches; what starting them costs passes in the parent.
    pub(super) fn fork(&mut self, cx: &mut Cx<'_>, index: u32, place: Place, tasks: u64, cost: &Cost) -> Next {
        let strand = self.strand(index);
        strand.started = 0;
        strand.to_start = tasks;
        strand.place = place;
        if tasks == 0 {
            return self.joined(cx, index);
        }
        if cost.each == 0 {
            return self.start_branches(cx, index, tasks);
        }
        let span = if cost.staggered { cost.each } else { cost.each.saturating_mul(tasks) };
        self.strand(index).doing = Doing::Joins;
        if cost.on_cpu { self.compute(cx, index, span) } else { self.pass(cx, index, span, Pass::Cost) }
    }

    /// The cost of one start, or of all, has passed: the strand stands at its fork with branches to start.
    pub(super) fn cost_passed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        if self.strand(index).cancelled {
            let answer = cx.answer(Outcome::Cancelled);
            return self.end_task(cx, index, answer);
        }
        let plan = self.plan.clone();
        let place = self.strand(index).place;
        let cost = match &plan.program.code[place as usize] {
            Instruction::Fork { cost, .. } | Instruction::Split { cost, .. } => *cost,
            _ => unreachable!("only forks have branches to start"),
        };
        if !cost.staggered {
            let tasks = self.strand(index).to_start;
            return self.start_branches(cx, index, tasks);
        }
        let strand = self.strand(index);
        let (call, started) = (strand.call, strand.started + 1);
        let then = self.start_branches(cx, index, 1);
        // The branch that was started may have ended the fork or the whole task; the strand may even be at a fork again.
        let is_here = |s: &Strand| s.call == call && s.place == place && s.started == started;
        if then != Next::WAIT || !self.strands.get(index).is_some_and(is_here) {
            return then;
        }
        let strand = self.strand(index);
        if (strand.started as u64) < strand.to_start {
            return if cost.on_cpu {
                self.compute(cx, index, cost.each)
            } else {
                self.pass(cx, index, cost.each, Pass::Cost)
            };
        }
        Next::WAIT
    }

    /// Starts so many of the branches; if those are the last, the strand waits for them.
    pub(super) fn start_branches(&mut self, cx: &mut Cx<'_>, index: u32, tasks: u64) -> Next {
        let plan = self.plan.clone();
        let place = self.strand(index).place;
        let call = self.strand(index).call;
        let total = self.strand(index).to_start;
        let first = self.strand(index).started;
        if first == 0 {
            let needed = match &plan.program.code[place as usize] {
                Instruction::Fork { need, .. } => (*need as u64).clamp(1, total),
                _ => total,
            };
            let strand = self.strand(index);
            strand.needed = needed as u32;
            strand.branches = 0;
        }
        // All are known before the first one runs: one that ends at once must not end the fork.
        let mut begun = std::mem::take(&mut self.begun);
        for nth in first..first + tasks as u32 {
            let frame = cx.branch(call, nth);
            let (begin, items) = match &plan.program.code[place as usize] {
                Instruction::Fork { branches, .. } => (branches[nth as usize], 0),
                Instruction::Split { body, per_task, .. } => {
                    let items = self.strand(index).loops[LOOPS - 1];
                    (*body, (items - nth as u64 * per_task).min(*per_task))
                }
                _ => unreachable!("only forks have branches to start"),
            };
            let branch = self.new_strand(cx, frame, begin, Some(index));
            self.strand(branch).loops[0] = items;
            begun.push((branch, frame));
        }
        let strand = self.strand(index);
        strand.started += tasks as u32;
        strand.branches += tasks as u32;
        let all_started = strand.started as u64 == strand.to_start;
        if all_started {
            strand.doing = Doing::Joins;
            self.let_go(cx, index);
        }
        for (branch, frame) in begun.drain(..) {
            // An earlier one may have ended the fork, and its place may be another's by now.
            if self.strands.get(branch).is_none_or(|s| s.call != frame) {
                continue;
            }
            let then = self.resume(cx, branch, Woken::Task);
            cx.post(then);
        }
        self.begun = begun;
        Next::WAIT
    }

    /// A branch is over, well or with a failure.
    pub(super) fn end_branch(&mut self, cx: &mut Cx<'_>, index: u32, failure: Option<Answer>) -> Next {
        self.drop_locks(cx, index);
        self.leave_turn(cx, index);
        if self.frees_while_waiting {
            self.release(cx, index);
        }
        let branch = self.remove_strand(cx.now(), index, false);
        cx.join_branch(branch.call);
        let parent = branch.parent.expect("a branch has a parent");
        let strand = self.strand(parent);
        strand.branches -= 1;
        if failure.is_none() {
            strand.needed -= 1;
        }
        let to_come = strand.to_start - strand.started as u64;
        let still_possible = strand.needed as u64 <= strand.branches as u64 + to_come;
        let then = if strand.needed == 0 && strand.started > 0 {
            self.give_up_branches(cx, parent);
            self.joined_later(cx, parent)
        } else if !still_possible {
            self.fail(cx, parent, failure.expect("only a failure makes it impossible"))
        } else {
            Next::WAIT
        };
        if self.frees_while_waiting {
            self.dispatch(cx);
        }
        then
    }

    /// Enough branches have succeeded: the strand goes on behind its fork.
    pub(super) fn joined_later(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        // While starts are still being paid for, they are stopped.
        self.stop(cx, index);
        let place = self.after_fork(index);
        self.strand(index).place = place;
        self.resume(cx, index, Woken::Task)
    }

    pub(super) fn joined(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let place = self.after_fork(index);
        self.strand(index).place = place;
        self.run(cx, index)
    }

    pub(super) fn after_fork(&mut self, index: u32) -> Place {
        let strand = self.strand(index);
        (strand.started, strand.to_start) = (0, 0);
        let place = strand.place;
        match &self.plan.program.code[place as usize] {
            Instruction::Fork { after, .. } | Instruction::Split { after, .. } => *after,
            _ => unreachable!("only forks are joined"),
        }
    }

    /// The branches of a strand that are still going are given up, and theirs: each stops at once, whatever it is doing, and
    /// tells whom it has called.
    pub(super) fn give_up_branches(&mut self, cx: &mut Cx<'_>, index: u32) {
        if self.strand(index).branches == 0 {
            return;
        }
        let branches: Vec<u32> = self.strands.iter().filter(|(_, s)| s.parent == Some(index)).map(|(i, _)| i).collect();
        for branch in branches {
            self.give_up_branches(cx, branch);
            self.stop(cx, branch);
            self.drop_locks(cx, branch);
            self.leave_turn(cx, branch);
            if self.frees_while_waiting {
                self.release(cx, branch);
            }
            let gone = self.remove_strand(cx.now(), branch, false);
            cx.end_branch(gone.call);
        }
        self.strand(index).branches = 0;
    }
}
