//! Locks within a replica: who holds each, who waits for it.

use sim_core::{Class, Cx, Spent, Timer};

use super::replica::{Doing, STEP, Service};

impl Service {
    pub(super) fn take_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16, by_priority: bool) -> bool {
        let call = self.strand(index).call;
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
        if let Some((_, next)) = entry.waiting.pop_front() {
            entry.holder = Some(next);
            // It goes on by an event of its own: run from here it could end branches that are just being given up.
            let call = self.strand(next).call;
            cx.spent(call, Spent::LockWait);
            let timer = cx.after(0, Class::First, Timer::of(STEP, call));
            self.strand(next).doing = Doing::Passes { timer, until: cx.now(), blocks: false };
        }
    }

    pub(super) fn drop_locks(&mut self, cx: &mut Cx<'_>, index: u32) {
        for lock in 0..self.locks.len() {
            self.give_lock(cx, index, lock as u16);
        }
    }
}
