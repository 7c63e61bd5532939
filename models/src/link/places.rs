//! Connections: a place in the pool is asked for, given back, and handed on to those who wait; what is not open is opened.

use settings::DurationDist;
use sim_core::slots::Admission;
use sim_core::{CallId, Class, Cx, Next, Outcome, Span, Spent};

use super::tries::At;
use super::{ACQUIRE, CONNECTED, Link};
use crate::policies::pool::Connection;

const PURPOSE_CONNECT: u32 = 0x636f;

impl Link {
    /// Takes a place in the pool, or waits for one.
    pub(super) fn ask_pool(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let call = self.call_of_try(cx, of);
        let Some(pool) = &mut self.pool else {
            return self.connect(cx, of);
        };
        let acquire = self.plan.settings.pool.as_ref().expect("a pool has settings").acquire_timeout.0;
        match pool.slots.ask(now, of, cx.priority(call)) {
            Admission::Granted => {
                self.a_try(of).has_place = true;
                self.waited_for_pool(cx, call, 0);
                self.connect(cx, of)
            }
            Admission::Queued => {
                let timer = self.timer_of(ACQUIRE, of);
                let timer = cx.after_constant(acquire, Class::GivingUp, timer);
                let a_try = self.a_try(of);
                (a_try.at, a_try.since, a_try.timer) = (At::Pool, now, Some(timer));
                Next::WAIT
            }
            Admission::Full => {
                let answer = cx.answer(Outcome::PoolTimeout);
                self.refuse(cx, of, answer)
            }
        }
    }

    /// No connection became free in time.
    pub(super) fn waited_in_vain(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        self.spent_by(cx, of, Spent::PoolWait);
        let answer = cx.answer(Outcome::PoolTimeout);
        self.refuse(cx, of, answer)
    }

    fn waited_for_pool(&mut self, cx: &Cx<'_>, call: CallId, span: Span) {
        if cx.since(call) >= self.attempts.measured_from() {
            self.pool_wait.record(span);
        }
    }

    /// Opens a connection where that takes time, then sends.
    fn connect(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let keep_alive = self.plan.settings.network.as_ref().is_none_or(|n| n.keep_alive);
        let needs = match &mut self.pool {
            Some(pool) => match pool.connection(now) {
                Connection::Ready(opened) => {
                    self.a_try(of).opened = opened;
                    false
                }
                Connection::Open => true,
            },
            None => !keep_alive,
        };
        if !needs {
            return self.send_try(cx, of);
        }
        let rtt = self.plan.targets.iter().map(|t| t.rtt).max().unwrap_or(0);
        let plan = self.plan.clone();
        let takes = match plan.settings.pool.as_ref().and_then(|p| p.connect.as_ref()) {
            Some(DurationDist(dist)) => dist.sample_span(&mut self.source(cx, of).draw(cx, PURPOSE_CONNECT)),
            None => rtt,
        };
        self.a_try(of).opened = now + takes;
        if takes == 0 {
            return self.send_try(cx, of);
        }
        let timer = self.timer_of(CONNECTED, of);
        let timer = cx.after(takes, Class::First, timer);
        let a_try = self.a_try(of);
        (a_try.at, a_try.since, a_try.timer) = (At::Connection, now, Some(timer));
        Next::WAIT
    }

    /// The connection of a try is open.
    pub(super) fn connected(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        self.spent_by(cx, of, Spent::Connect);
        self.send_try(cx, of)
    }

    /// What has become free goes to those who wait for it: permits of gates and connections of the pool.
    pub(super) fn hand_on(&mut self, cx: &mut Cx<'_>) {
        // A try that fails at once gives back what it got while it is let on: the loop sees that, and does not grow the
        // stack with the line.
        if std::mem::replace(&mut self.hands_on, true) {
            return;
        }
        while self.hand_on_connection(cx) || self.let_next_pass(cx) {}
        self.settle_gates(cx);
        self.hands_on = false;
    }

    /// Gives the next in line a free connection. False where there is no line or none is free.
    fn hand_on_connection(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let next = self.pool.as_mut().and_then(|pool| pool.slots.next(now, &mut Vec::new()));
        let Some(next) = next else { return false };
        let of = next.call;
        let call = self.call_of_try(cx, of);
        let a_try = self.a_try(of);
        (a_try.has_place, a_try.at) = (true, At::Begun);
        if let Some(timer) = a_try.timer.take() {
            cx.cancel(timer);
        }
        self.spent_by(cx, of, Spent::PoolWait);
        self.waited_for_pool(cx, call, next.waited);
        let then = self.connect(cx, of);
        cx.post(then);
        true
    }
}
