//! Locks within a replica: who holds each, who waits for it, and how important the holder is meanwhile.

use sim_core::{Cx, Spent};

use super::replica::{Doing, Service, UNLENT, Waiter};

impl Service {
    /// Takes a lock; false if it must be waited for.
    pub(super) fn take_lock(
        &mut self,
        cx: &mut Cx<'_>,
        index: u32,
        lock: u16,
        by_priority: bool,
        inherits: bool,
    ) -> bool {
        let strand = self.strand(index);
        strand.locks += 1;
        let call = strand.call;
        let entry = &mut self.locks[lock as usize];
        let Some(holder) = entry.holder else {
            entry.holder = Some(index);
            return true;
        };
        let priority = if by_priority { cx.priority(call) } else { 0 };
        let at = entry.waiting.iter().position(|w| w.priority > priority).unwrap_or(entry.waiting.len());
        // Only where the more important interrupt the less does it matter how important a holder is.
        let lends = inherits && self.preempts;
        self.locks[lock as usize].waiting.insert(at, Waiter { priority, strand: index, lends });
        self.strand(index).doing = Doing::WaitsForLock(lock);
        cx.spent(call, Spent::Service);
        if lends {
            let importance = self.importance(cx, index);
            self.lend(cx, holder, importance);
        }
        false
    }

    /// Gives a lock back; the next of those who wait for it has it then.
    pub(super) fn give_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16) {
        let entry = &mut self.locks[lock as usize];
        if entry.holder != Some(index) {
            return;
        }
        entry.holder = None;
        let next = entry.waiting.pop_front();
        self.strand(index).locks -= 1;
        if let Some(Waiter { strand: next, .. }) = next {
            self.locks[lock as usize].holder = Some(next);
            let call = self.strand(next).call;
            cx.spent(call, Spent::LockWait);
            self.grant(cx, next, false);
            self.return_what_was_lent(cx, lock);
        }
        if self.strand(index).lent != UNLENT {
            self.value_anew(cx, index);
            self.make_way_for_more_important(cx);
        }
    }

    pub(super) fn drop_locks(&mut self, cx: &mut Cx<'_>, index: u32) {
        for lock in 0..self.locks.len() {
            self.give_lock(cx, index, lock as u16);
        }
    }

    /// How important a strand is: as its call, or as who waits for its locks.
    pub(super) fn importance(&mut self, cx: &Cx<'_>, index: u32) -> u8 {
        let strand = self.strand(index);
        cx.priority(strand.call).min(strand.lent)
    }

    /// The strand of the task that a branch belongs to: it is whole tasks that are interrupted.
    fn root(&mut self, mut index: u32) -> u32 {
        while let Some(parent) = self.strand(index).parent {
            index = parent;
        }
        index
    }

    /// Raises a lock holder to an importance, and the holders of the locks that it waits for in turn.
    fn lend(&mut self, cx: &mut Cx<'_>, holder: u32, importance: u8) {
        let mut holder = holder;
        loop {
            let task = self.root(holder);
            if self.importance(cx, task) > importance {
                self.strand(task).lent = importance;
                if let Doing::Interrupted { .. } = self.strand(task).doing {
                    self.line_up_anew(cx, task);
                }
            }
            let Doing::WaitsForLock(next) = self.strand(holder).doing else { break };
            match self.locks[next as usize].holder {
                Some(next) if next != holder => holder = next,
                Some(_) | None => break,
            }
        }
        self.make_way_for_more_important(cx);
    }

    /// Of those who waited for a lock and lent their importance, one does so no longer.
    pub(super) fn return_what_was_lent(&mut self, cx: &mut Cx<'_>, lock: u16) {
        if let Some(holder) = self.locks[lock as usize].holder.filter(|_| self.preempts) {
            self.value_anew(cx, holder);
        }
    }

    /// A holder is as important as those who still wait for its locks.
    fn value_anew(&mut self, cx: &mut Cx<'_>, holder: u32) {
        let task = self.root(holder);
        let mut lent = UNLENT;
        for lock in 0..self.locks.len() {
            let Some(of) = self.locks[lock].holder else { continue };
            if self.root(of) != task {
                continue;
            }
            for at in 0..self.locks[lock].waiting.len() {
                let Waiter { strand, lends, .. } = self.locks[lock].waiting[at];
                if lends {
                    lent = lent.min(self.importance(cx, strand));
                }
            }
        }
        if std::mem::replace(&mut self.strand(task).lent, lent) == lent {
            return;
        }
        if let Doing::Interrupted { .. } = self.strand(task).doing {
            self.line_up_anew(cx, task);
        }
    }

    /// An interrupted task waits for a worker where its importance has it now.
    fn line_up_anew(&mut self, cx: &mut Cx<'_>, task: u32) {
        let (call, importance) = (self.strand(task).call, self.importance(cx, task));
        self.door.leave_line(cx.now(), call);
        self.door.put_back(cx, call, importance);
    }

    /// Who waits for a worker takes that of somebody less important.
    fn make_way_for_more_important(&mut self, cx: &mut Cx<'_>) {
        while !self.door.has_room()
            && let Some(first) = self.door.line().first_priority()
            && self.interrupt(cx, first)
        {
            self.dispatch(cx);
        }
    }
}
