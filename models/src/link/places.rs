//! Connections: a place in the pool is asked for, given back, and handed on to those who wait; what is not open is opened.

use settings::DurationDist;
use sim_core::slots::Admission;
use sim_core::{CallId, Class, Cx, Next, Outcome, Span, Spent, Time, Timer};

use super::{ACQUIRE, CONNECTED, Link, Phase, note};
use crate::policies::pool::Connection;

const PURPOSE_CONNECT: u32 = 0x636f;

impl Link {
    /// Takes a place in the pool, or waits for one.
    pub(super) fn ask_pool(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        let call = self.call_of(cx, index);
        let Some(pool) = &mut self.pool else {
            return self.connect(cx, index);
        };
        let acquire = self.plan.settings.pool.as_ref().expect("a pool has settings").acquire_timeout.0;
        match pool.slots.ask(now, index, cx.priority(call)) {
            Admission::Granted => {
                self.record(index).has_place = true;
                self.waited_for_pool(cx, call, 0);
                self.connect(cx, index)
            }
            Admission::Queued => {
                let timer = cx.after_constant(acquire, Class::GivingUp, Timer::of(ACQUIRE, call));
                let record = self.record(index);
                record.phase = Phase::WaitsForPool;
                record.since = now;
                record.timer = Some(timer);
                Next::WAIT
            }
            Admission::Full => {
                let answer = cx.answer(Outcome::PoolTimeout);
                self.failed(cx, index, answer, false)
            }
        }
    }

    fn waited_for_pool(&mut self, cx: &Cx<'_>, call: CallId, span: Span) {
        if cx.since(call) >= self.attempts.measured_from() {
            self.pool_wait.record(span);
        }
    }

    /// Opens a connection where that takes time, then sends.
    fn connect(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        let keep_alive = self.plan.settings.network.as_ref().is_none_or(|n| n.keep_alive);
        let call = self.call_of(cx, index);
        let needs = match &mut self.pool {
            Some(pool) => match pool.connection(now) {
                Connection::Ready(opened) => {
                    self.set_opened(index, opened);
                    false
                }
                Connection::Open => true,
            },
            None => !keep_alive,
        };
        if !needs {
            return self.send(cx, index);
        }
        let rtt = self.plan.targets.iter().map(|t| t.rtt).max().unwrap_or(0);
        let takes = match self.plan.settings.pool.as_ref().and_then(|p| p.connect.as_ref()) {
            Some(DurationDist(dist)) => dist.sample_span(&mut cx.draw(call, PURPOSE_CONNECT)),
            None => rtt,
        };
        self.set_opened(index, now + takes);
        if takes == 0 {
            return self.send(cx, index);
        }
        let timer = cx.after(takes, Class::First, Timer::of(CONNECTED, call));
        let record = self.record(index);
        record.phase = Phase::Connects;
        record.timer = Some(timer);
        Next::WAIT
    }

    /// Remembers when the connection of a record was opened.
    fn set_opened(&mut self, index: u32, at: Time) {
        note(&mut self.opened, index, at);
    }

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
            cx.spent(call, Spent::PoolWait);
            self.waited_for_pool(cx, call, next.waited);
            let then = self.connect(cx, next.call);
            cx.post(then);
        }
        self.hands_on = false;
    }
}
