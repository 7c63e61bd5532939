//! A pool that opens its connections by itself, beside the callers: those that are lost are replaced, and a caller who finds none
//! free takes whichever comes free first. One is opened after the other, as HikariCP's `connection adder` thread does.
//!
//! All of this is housekeeping: no run of finite work goes on for it alone.

use settings::DurationDist;
use sim_core::random::Key;
use sim_core::time::SECOND;
use sim_core::{Cx, Next, Reach, Span, Timer};

use super::Link;
use super::chooser::{Chosen, Source, chosen_as, round_trip};
use super::places::{PURPOSE_CONNECT, SYN_RETRIES, peer_of};
use crate::policies::pool::{Adding, Pool};

// Timers of the parts of a pool.
/// What was under way for a connection has come.
pub(super) const ADDED: u8 = 9;
/// Connections may have come to their end.
pub(super) const LOOK: u8 = 10;

impl Link {
    fn own_pool(&mut self) -> &mut Pool {
        self.pool.as_mut().expect("only a pool opens connections")
    }

    /// Opens what is missing. Whether a connection is open at once.
    pub(super) fn fill(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let mut is_open_at_once = false;
        for part in 0..self.own_pool().parts() {
            if self.own_pool().wants_another(now, part) {
                is_open_at_once |= self.open_another(cx, part, 0);
            }
            if let Some(at) = self.own_pool().next_look(part) {
                cx.chore_after(at.saturating_sub(now), Timer { what: LOOK, data: u64::from(part) });
            }
        }
        while let Some(line) = self.own_pool().next_closed() {
            cx.close_connection(line);
        }
        is_open_at_once
    }

    /// Begins to open a connection, of which nothing was heard `asked` times before. Whether it is open at once.
    fn open_another(&mut self, cx: &mut Cx<'_>, part: u32, asked: u8) -> bool {
        let adder = self.own_pool().adder(part);
        adder.begun = adder.begun.wrapping_add(1);
        let begun = adder.begun;
        let key = Key::from_bits(self.plan.key).child(part.wrapping_add(1), begun);
        let mut source = Source::Copy { key, made: 0, about: (key.bits(), key.bits()) };
        let chosen = match self.own_pool().number_of(part) {
            Some(number) => Some(chosen_as(&self.plan, number)),
            None => self.choose(cx, &mut source),
        };
        let Some(Chosen { node, path, number }) = chosen else {
            self.adding_failed(cx, part);
            return false;
        };
        let rtt = round_trip(&self.plan, number);
        let (doing, takes) = match cx.reach(node, path) {
            Reach::Open => {
                let plan = self.plan.clone();
                let takes = match plan.settings.pool.as_ref().and_then(|pool| pool.connect.as_ref()) {
                    Some(DurationDist(dist)) => dist.sample_span(&mut source.draw(cx, PURPOSE_CONNECT)),
                    None => rtt,
                };
                let share = self.share_of_life(cx, &mut source);
                (Adding::Opens { peer: peer_of(&self.plan, cx, Chosen { node, path, number }, share), share }, takes)
            }
            Reach::Refused => (Adding::Refused, rtt),
            Reach::Silent => (Adding::Silent(asked), SECOND << asked),
        };
        self.own_pool().adder(part).doing = doing;
        if takes == 0 {
            return self.come_to_an_end(cx, part);
        }
        self.wait_to_add(cx, part, takes);
        false
    }

    fn wait_to_add(&self, cx: &mut Cx<'_>, part: u32, span: Span) {
        cx.chore_after(span, Timer { what: ADDED, data: u64::from(part) });
    }

    /// What was under way for a connection has come.
    pub(super) fn added(&mut self, cx: &mut Cx<'_>, part: u32) -> Next {
        self.come_to_an_end(cx, part);
        self.hand_on(cx);
        Next::WAIT
    }

    /// Whether a connection is open now.
    fn come_to_an_end(&mut self, cx: &mut Cx<'_>, part: u32) -> bool {
        match std::mem::take(&mut self.own_pool().adder(part).doing) {
            Adding::Opens { peer, share } if cx.epoch(peer.node) == peer.epoch => {
                let line = cx.open_connection();
                let now = cx.now();
                let pool = self.own_pool();
                pool.adder(part).failures = 0;
                pool.add(now, part, (peer, line), share);
                return true;
            }
            Adding::Silent(asked) if asked < SYN_RETRIES => return self.open_another(cx, part, asked + 1),
            // Its peer has died meanwhile, nobody listens there, or nothing has answered for long.
            Adding::Opens { .. } | Adding::Silent(_) | Adding::Refused => self.adding_failed(cx, part),
            // It is time to try again, if another one is still wanted.
            Adding::Waits | Adding::Nothing => {}
        }
        false
    }

    fn adding_failed(&mut self, cx: &mut Cx<'_>, part: u32) {
        let pool = self.own_pool();
        let adder = pool.adder(part);
        adder.doing = Adding::Waits;
        let failures = adder.failures;
        adder.failures = failures.saturating_add(1);
        let wait = pool.waits_to_add(failures);
        self.wait_to_add(cx, part, wait);
    }

    /// Connections that have come to their end are closed, and others opened.
    pub(super) fn look_at_connections(&mut self, cx: &mut Cx<'_>, part: u32) -> Next {
        self.own_pool().adder(part).looks_at = None;
        self.hand_on(cx);
        Next::WAIT
    }
}
