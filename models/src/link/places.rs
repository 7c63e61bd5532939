//! Connections: a place in the pool is asked for, given back, and handed on to those who wait; what is not open is opened.

use settings::DurationDist;
use sim_core::random::Key;
use sim_core::slots::Admission;
use sim_core::time::SECOND;
use sim_core::{CallId, Class, Cx, Next, Outcome, Reach, Span, Spent, Time};

use super::chooser::{Chosen, Source, chosen_as, closing, round_trip};
use super::tries::{At, Dial};
use super::{ACQUIRE, CONNECTED, Link, LinkPlan};
use crate::policies::gate::End;
use crate::policies::pool::Peer;

pub(super) const PURPOSE_CONNECT: u32 = 0x636f;
const PURPOSE_LIFE: u32 = 0x6c69;

/// Who opens a connection asks so many times more where nothing answers (Linux's `tcp_syn_retries`), after a second at first
/// and then after twice as long each time: it gives up after 127 s.
pub(super) const SYN_RETRIES: u8 = 6;

impl Link {
    /// Whether each replica has connections of its own.
    fn is_per_target(&self) -> bool {
        self.plan.settings.is_per_target(self.plan.balancing.is_some())
    }

    /// Opens what is kept open from the start.
    pub(super) fn open_from_the_start(&mut self, cx: &mut Cx<'_>) {
        self.open_those_kept(cx);
        if self.fills {
            self.hand_on(cx);
        }
    }

    fn open_those_kept(&mut self, cx: &mut Cx<'_>) {
        let Some(pool) = &mut self.pool else { return };
        let (kept, now) = (pool.kept(), cx.now());
        pool.attend(now);
        if !self.is_per_target() {
            self.pool_part(None, now);
            for nth in 0..kept {
                let mut source = self.source_at_start(nth);
                let chosen = self.choose(cx, &mut source);
                self.keep_open(cx, None, chosen, source);
            }
            return;
        }
        for chosen in self.chooser.all(&self.plan) {
            self.pool_part(Some(chosen.number), now);
            for nth in 0..kept {
                let source = self.source_at_start(chosen.number.wrapping_mul(kept).wrapping_add(nth));
                self.keep_open(cx, Some(chosen.number), Some(chosen), source);
            }
        }
    }

    fn source_at_start(&self, nth: u32) -> Source {
        let key = Key::from_bits(self.plan.key).child(0, nth);
        Source::Copy { key, made: 0, about: (key.bits(), key.bits()) }
    }

    fn keep_open(&mut self, cx: &mut Cx<'_>, part: Option<u32>, chosen: Option<Chosen>, mut source: Source) {
        let Some(chosen) = chosen.filter(|chosen| cx.reach(chosen.node, chosen.path) == Reach::Open) else { return };
        let share = self.share_of_life(cx, &mut source);
        let (now, peer) = (cx.now(), peer_of(&self.plan, cx, chosen, share));
        let part = self.pool_part(part, now);
        if let Some(pool) = &mut self.pool {
            pool.keep_open(now, part, (peer, cx.open_connection()), share);
        }
    }

    fn pool_part(&mut self, number: Option<u32>, now: Time) -> u32 {
        self.pool.as_mut().map_or(0, |pool| pool.part(number, now))
    }

    pub(super) fn share_of_life(&self, cx: &mut Cx<'_>, source: &mut Source) -> f64 {
        let ages = self.plan.targets.iter().any(|target| target.closing.draws_ages());
        let draws = ages || self.pool.as_ref().is_some_and(|pool| pool.draws_lives());
        if draws { source.draw(cx, PURPOSE_LIFE).unit() } else { 1.0 }
    }

    /// Takes a place in the pool, or waits for one.
    pub(super) fn ask_pool(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let call = self.call_of_try(cx, of);
        if self.pool.is_none() {
            // The connection is opened within what the caller waits.
            self.a_try(of).limit = self.timeout.map_or(Time::MAX, |timeout| now.saturating_add(timeout));
            return self.dial(cx, of);
        }
        let mut number = None;
        if self.is_per_target() {
            let mut source = self.source(cx, of);
            let Some(chosen) = self.choose(cx, &mut source) else {
                return self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable));
            };
            number = Some(chosen.number);
        }
        let part = self.pool_part(number, now);
        let acquire = self.plan.settings.pool.as_ref().expect("a pool has settings").acquire_timeout.0;
        let a_try = self.a_try(of);
        (a_try.target, a_try.part, a_try.limit) = (number, part, now.saturating_add(acquire));
        match self.ask_for_place(cx, of, part, cx.priority(call)) {
            Admission::Granted => {
                self.a_try(of).has_place = true;
                self.waited_for_pool(cx, call, 0);
                self.take_connection(cx, of)
            }
            Admission::Queued => {
                let timer = self.timer_of(ACQUIRE, of);
                let timer = cx.after_constant(acquire, Class::GivingUp, timer);
                let a_try = self.a_try(of);
                (a_try.at, a_try.since, a_try.timer) = (At::Pool, now, Some(timer));
                if self.fills {
                    self.hand_on(cx);
                }
                Next::WAIT
            }
            Admission::Full => {
                let answer = cx.answer(Outcome::PoolTimeout);
                self.refuse(cx, of, answer)
            }
        }
    }

    fn ask_for_place(&mut self, cx: &Cx<'_>, of: u32, part: u32, priority: u8) -> Admission {
        let now = cx.now();
        let pool = self.pool.as_mut().expect("asked only where there is one");
        if !self.fills || pool.has_free(now, part, has_closed(cx)) {
            return pool.slots(part).ask(now, of, priority);
        }
        match pool.slots(part).wait(now, of, priority, None) {
            true => Admission::Queued,
            false => Admission::Full,
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

    /// A try that has a place takes a connection that is open, or opens one.
    fn take_connection(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let (now, part) = (cx.now(), self.a_try(of).part);
        let pool = self.pool.as_mut().expect("it has a place");
        let taken = pool.take(now, part, has_closed(cx));
        while let Some(line) = pool.next_closed() {
            cx.close_connection(line);
        }
        let Some(connection) = taken else { return self.dial(cx, of) };
        let opened = pool.opened_at(connection);
        let epoch = pool.peer(connection).epoch;
        let a_try = self.a_try(of);
        a_try.connection = Some(connection);
        if opened <= now {
            a_try.limit = Time::MAX;
            return self.send_try(cx, of);
        }
        // Another call is opening it.
        (a_try.dial, a_try.epoch) = (Dial::Opens, epoch);
        self.wait_for_connection(cx, of, opened - now)
    }

    /// Opens a connection where that takes time, then sends.
    fn dial(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let chosen = match self.a_try(of).target {
            Some(number) => chosen_as(&self.plan, number),
            None => {
                let mut source = self.source(cx, of);
                let Some(chosen) = self.choose(cx, &mut source) else {
                    return self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable));
                };
                self.a_try(of).target = Some(chosen.number);
                chosen
            }
        };
        let rtt = round_trip(&self.plan, chosen.number);
        match cx.knock(chosen.node, chosen.path) {
            Reach::Open if self.pool.is_none() && !cx.open_socket(chosen.node) => {
                self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable))
            }
            Reach::Open => {
                self.a_try(of).has_socket = self.pool.is_none();
                let plan = self.plan.clone();
                let mut source = self.source(cx, of);
                let takes = match plan.settings.pool.as_ref().and_then(|p| p.connect.as_ref()) {
                    Some(DurationDist(dist)) => dist.sample_span(&mut source.draw(cx, PURPOSE_CONNECT)),
                    None => rtt,
                };
                let share = self.share_of_life(cx, &mut source);
                let (part, peer) = (self.a_try(of).part, peer_of(&self.plan, cx, chosen, share));
                let pool = self.pool.as_mut();
                let connection =
                    pool.map(|pool| pool.open(now, part, (peer, cx.open_connection()), now + takes, share));
                let a_try = self.a_try(of);
                (a_try.connection, a_try.epoch, a_try.dial) = (connection, peer.epoch, Dial::Opens);
                if takes == 0 {
                    return self.connected_and_sent(cx, of);
                }
                self.wait_for_connection(cx, of, takes)
            }
            Reach::Refused => {
                self.a_try(of).dial = Dial::Refused;
                self.wait_for_connection(cx, of, rtt)
            }
            Reach::Silent => {
                let asked = match self.a_try(of).dial {
                    Dial::Silent(asked) => asked + 1,
                    Dial::Opens | Dial::Refused | Dial::GivenUp => 0,
                };
                self.a_try(of).dial = Dial::Silent(asked);
                if asked > SYN_RETRIES {
                    return self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable));
                }
                self.wait_for_connection(cx, of, SECOND << asked)
            }
        }
    }

    /// Waits for a connection, but no longer than the caller does.
    fn wait_for_connection(&mut self, cx: &mut Cx<'_>, of: u32, span: Span) -> Next {
        let now = cx.now();
        let timer = self.timer_of(CONNECTED, of);
        let left = self.a_try(of).limit - now;
        if span > left {
            self.a_try(of).dial = Dial::GivenUp;
        }
        let timer = match span > left {
            true => cx.after(left, Class::GivingUp, timer),
            false => cx.after(span, Class::First, timer),
        };
        let a_try = self.a_try(of);
        (a_try.at, a_try.since, a_try.timer) = (At::Connection, now, Some(timer));
        Next::WAIT
    }

    /// What a try has waited for that opens a connection has come.
    pub(super) fn connected(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let dial = self.a_try(of).dial;
        let is_pooled = self.pool.is_some();
        match dial {
            Dial::GivenUp if is_pooled => return self.waited_in_vain(cx, of),
            Dial::Silent(_) => {
                self.a_try(of).at = At::Begun;
                return self.dial(cx, of);
            }
            Dial::Opens | Dial::Refused | Dial::GivenUp => {}
        }
        self.spent_by(cx, of, Spent::Connect);
        match dial {
            Dial::Opens => self.connected_and_sent(cx, of),
            Dial::GivenUp => self.fail_to_send(cx, of, Outcome::Timeout, End::GivenUp(Outcome::Timeout)),
            Dial::Refused | Dial::Silent(_) => {
                self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable))
            }
        }
    }

    /// The connection of a try is open, unless its peer has died meanwhile.
    fn connected_and_sent(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let a_try = self.a_try(of);
        let (epoch, number, connection) = (a_try.epoch, a_try.target, a_try.connection);
        let pooled = connection.and_then(|connection| self.pool.as_ref().map(|pool| pool.peer(connection).number));
        let number = pooled.or(number).expect("whoever is dialled is known");
        if cx.epoch(chosen_as(&self.plan, number).node) != epoch {
            return self.fail_to_send(cx, of, Outcome::Reset, End::Answered(Outcome::Reset));
        }
        if self.pool.is_some() {
            self.a_try(of).limit = Time::MAX;
        }
        self.send_try(cx, of)
    }

    /// What has become free goes to those who wait for it: permits of gates and connections of the pool.
    pub(super) fn hand_on(&mut self, cx: &mut Cx<'_>) {
        // A try that fails at once gives back what it got while it is let on: the loop sees that, and does not grow the
        // stack with the line.
        if std::mem::replace(&mut self.hands_on, true) {
            return;
        }
        while self.hand_on_connection(cx) || self.let_next_pass(cx) || (self.fills && self.fill(cx)) {}
        self.settle_gates(cx);
        self.hands_on = false;
    }

    /// Gives the next in line a free connection. False where there is no line or none is free.
    fn hand_on_connection(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let next = self.pool.as_mut().and_then(|pool| pool.next(now, has_closed(cx)));
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
        let then = self.take_connection(cx, of);
        cx.post(then);
        true
    }
}

/// Whether a connection is known to be closed by the other side, or by somebody on the way.
fn has_closed<'a>(cx: &'a Cx<'_>) -> impl Fn(Peer, u32) -> bool + 'a {
    |peer, line| cx.has_closed(peer.node, peer.epoch, peer.path) || cx.has_closed_behind(line, peer.path)
}

/// Whom a connection that is opened now leads to.
pub(super) fn peer_of(plan: &LinkPlan, cx: &Cx<'_>, Chosen { node, path, number }: Chosen, share: f64) -> Peer {
    let (closing, rtt) = (closing(plan, number), round_trip(plan, number));
    let (closes_after, life) = (closing.idle.unwrap_or(Span::MAX), closing.life(share));
    Peer { node, path, number, epoch: cx.epoch(node), closes_after, life, rtt }
}
