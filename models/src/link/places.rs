//! Places of the connection pool: given back, and handed on to those who wait.

use sim_core::Cx;

use super::Link;

impl Link {
    /// Gives a place back to the pool and lets the next in line have it.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>, index: u32, connection_is_good: bool) {
        let now = cx.now();
        let record = self.records.get_mut(index).expect("an open call has its record");
        if !std::mem::replace(&mut record.has_place, false) {
            return;
        }
        let (since, opened) = (record.since, record.opened);
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
            let record = self.record(next.call);
            record.has_place = true;
            record.waited = next.waited;
            let (timer, call) = (record.timer.take(), record.call);
            if let Some(timer) = timer {
                cx.cancel(timer);
            }
            if cx.since(call) >= self.measured_from {
                self.pool_wait.record(next.waited);
            }
            let then = self.connect(cx, next.call);
            cx.post(then);
        }
        self.hands_on = false;
    }
}
