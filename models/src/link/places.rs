//! Places of the connection pool: given back, and handed on to those who wait.

use sim_core::{Cx, What};

use super::Link;

impl Link {
    /// Gives a place back to the pool and lets the next in line have it.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>, index: u32, connection_is_good: bool) {
        let now = cx.now();
        let record = self.records.get_mut(index).expect("an open call has its record");
        if !std::mem::replace(&mut record.has_place, false) {
            return;
        }
        let since = record.since;
        let opened = self.opened.get(index as usize).copied().unwrap_or(0);
        let Some(pool) = &mut self.pool else { return };
        pool.slots.give_back(now, since, None);
        if connection_is_good {
            pool.returned(now, opened);
        }
        self.hand_on(cx);
    }

    /// Free connections go to those who wait for one.
    pub(super) fn hand_on(&mut self, cx: &mut Cx<'_>) {
        // An attempt that fails at once gives its connection back while it is begun: the loop sees that, and does not
        // grow the stack with the line.
        if std::mem::replace(&mut self.hands_on, true) {
            return;
        }
        let now = cx.now();
        let mut dropped = Vec::new();
        while let Some(next) = self.pool.as_mut().and_then(|p| p.slots.next(now, &mut dropped)) {
            let call = self.call_of(cx, next.call);
            let record = self.record(next.call);
            record.has_place = true;
            if let Some(timer) = record.timer.take() {
                cx.cancel(timer);
            }
            cx.spent(call, What::PoolWait);
            self.waited_for_pool(cx, call, next.waited);
            let then = self.connect(cx, next.call);
            cx.post(then);
        }
        self.hands_on = false;
    }
}
