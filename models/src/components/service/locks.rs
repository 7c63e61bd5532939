//! Locks within a replica: who holds each, who waits for it.

use sim_core::{Cx, Spent};

use super::replica::{Doing, Service};

impl Service {
    pub(super) fn take_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16, by_priority: bool) -> bool {
        let strand = self.strand(index);
        strand.locks += 1;
        let call = strand.call;
        let entry = &mut self.locks[lock as usize];
        if entry.holder.is_none() {
            entry.holder = Some(index);
            return true;
        }
        let priority = if by_priority { cx.priority(call) } else { 0 };
        let at = entry.waiting.iter().position(|(p, _)| *p > priority).unwrap_or(entry.waiting.len());
        entry.waiting.insert(at, (priority, index));
        self.strand(index).doing = Doing::WaitsForLock(lock);
        cx.spent(call, Spent::Service);
        false
    }

    pub(super) fn give_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16) {
        let entry = &mut self.locks[lock as usize];
        if entry.holder != Some(index) {
            return;
        }
        entry.holder = None;
        self.strand(index).locks -= 1;
        let entry = &mut self.locks[lock as usize];
        if let Some((_, next)) = entry.waiting.pop_front() {
            entry.holder = Some(next);
            let call = self.strand(next).call;
            cx.spent(call, Spent::LockWait);
            self.grant(cx, next, false);
        }
    }

    pub(super) fn drop_locks(&mut self, cx: &mut Cx<'_>, index: u32) {
        for lock in 0..self.locks.len() {
            self.give_lock(cx, index, lock as u16);
        }
    }
}
