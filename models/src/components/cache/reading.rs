//! Reads: from memory where that may be, else from what is behind.

use sim_core::{Answer, CallId, Cx, Next, Outcome, Spent, Time};

use super::facts::Fact;
use super::state::{Cache, Heard, PURPOSE_EARLY, PURPOSE_HIT, UnderWay, Work};
use crate::caching::Data;
use crate::policies::outcomes::passed_on_from_behind;

/// What is there for a read.
enum Found {
    /// An entry that is good.
    Good(u32),
    /// One that is good, but is to be read anew now.
    Early(u32),
    /// One that has expired, but may be served while it is read anew.
    Expired(u32),
    /// None that may be served.
    Nothing,
}

impl Cache {
    pub(super) fn read(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data) -> Next {
        if let Some(ratio) = self.settings.hit_ratio {
            if cx.draw(call, PURPOSE_HIT).unit() < ratio.0 {
                self.measures.hit(&self.asked, data);
                return Next::reply(call, cx.answer(Outcome::Ok));
            }
            self.measures.miss(&self.asked, data);
            return self.go_on(cx, call, Work::Read, data);
        }
        match self.find(cx, call, data) {
            Found::Good(index) => self.hit(cx, call, data, index),
            Found::Early(index) if self.settings.refreshes() => {
                self.measures.early += 1;
                self.refresh(cx, call, data);
                self.hit(cx, call, data, index)
            }
            Found::Early(_) => {
                self.measures.early += 1;
                self.miss(cx, call, data)
            }
            Found::Expired(index) => {
                self.measures.expired_hits += 1;
                self.refresh(cx, call, data);
                self.hit(cx, call, data, index)
            }
            Found::Nothing if self.unsent.holds(data.key) => {
                // Evicted before it was passed on.
                self.measures.hit(&self.asked, data);
                Next::reply(call, cx.answer(Outcome::Ok))
            }
            Found::Nothing => {
                self.store.missed(data);
                self.miss(cx, call, data)
            }
        }
    }

    fn find(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data) -> Found {
        let now = cx.now();
        let Some(index) = self.store.find(data) else { return Found::Nothing };
        let expires = self.store.expires(index);
        if now < expires {
            let is_early = expires != Time::MAX && self.is_early(cx, call, data, index, expires);
            return if is_early { Found::Early(index) } else { Found::Good(index) };
        }
        let fact = self.facts.at(index);
        let within = |span: Option<settings::Duration>| {
            span.is_some_and(|span| now < expires.saturating_add(span.0)) && !fact.negative
        };
        if within(self.settings.stale_while_revalidate) {
            return Found::Expired(index);
        }
        if !within(self.settings.stale_if_error) {
            self.store.remove(index);
        }
        Found::Nothing
    }

    /// Whether a read at this instant is the one that reads an entry anew before it expires.
    fn is_early(&self, cx: &mut Cx<'_>, call: CallId, data: Data, index: u32, expires: Time) -> bool {
        let Some(early) = &self.settings.early_expiry else { return false };
        // Whoever would join another's call, or would not make one, does not wait for it.
        if self.by_data.get(data).or(self.refreshing.get(data)).is_some() {
            return false;
        }
        let took = self.facts.at(index).took as f64;
        let ahead = -took * early.beta * libm::log(cx.draw(call, PURPOSE_EARLY).unit_open());
        cx.now() as f64 + ahead >= expires as f64
    }

    fn hit(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data, index: u32) -> Next {
        let now = cx.now();
        self.measures.hit(&self.asked, data);
        let fact = self.facts.at(index);
        self.measures.answered_with(fact, now);
        self.store.used(index);
        if fact.negative {
            self.measures.negative_hits += 1;
            return Next::reply(call, cx.answer(Outcome::ClientError));
        }
        if self.settings.ttl.as_ref().is_some_and(|ttl| ttl.sliding) {
            let good = self.good_for(cx, call);
            self.store.renew(index, now.saturating_add(good));
        }
        Next::reply(call, cx.answer(Outcome::Ok))
    }

    fn miss(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data) -> Next {
        self.measures.miss(&self.asked, data);
        let Some(index) = self.by_data.get(data) else { return self.go_on(cx, call, Work::Read, data) };
        let miss = &mut self.under_way[index];
        let waited = cx.now() - miss.since;
        if self.settings.lease.as_ref().is_some_and(|lease| waited >= lease.every.0) {
            // Whoever has the token has had it for too long: its value will not be kept.
            miss.voided = true;
            return self.go_on(cx, call, Work::Read, data);
        }
        self.measures.coalesced += 1;
        cx.set_ticket(call, index + 1);
        miss.followers.push(call);
        cx.share(miss.call, call);
        cx.spent(call, Spent::Service);
        Next::WAIT
    }

    /// Reads an entry anew for a call that is about to be answered without it, unless somebody does already.
    fn refresh(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data) {
        if self.refreshing.get(data).is_some() {
            return;
        }
        self.measures.refreshes += 1;
        let twin = cx.detach(call);
        let child = self.call_behind(cx, twin, Work::Refresh, data, 0);
        cx.post(Next::call(child));
    }

    /// A miss has been answered.
    pub(super) fn have_read(&mut self, cx: &mut Cx<'_>, read: UnderWay, answer: Answer) -> Next {
        let somebody_waits = self.settings.reads_itself()
            || !cx.is_abandoned(read.call)
            || read.followers.iter().any(|f| !cx.is_abandoned(*f));
        if somebody_waits {
            self.write_back(cx, &read, answer.outcome());
        }
        let mut answer = passed_on_from_behind(answer);
        if self.may_serve_expired(cx.now(), read.data, answer.outcome()) {
            self.measures.expired_on_error += 1 + read.followers.len() as u64;
            answer = cx.answer(Outcome::Ok);
        }
        for follower in read.followers {
            cx.spent(follower, Spent::Sharing);
            cx.post(Next::reply(follower, answer));
        }
        Next::reply(read.call, answer)
    }

    /// A read for nobody has been answered.
    pub(super) fn have_refreshed(&mut self, cx: &mut Cx<'_>, read: UnderWay, answer: Answer) -> Next {
        self.write_back(cx, &read, answer.outcome());
        cx.end_branch(read.call);
        Next::WAIT
    }

    /// What was read is kept, if it is a value.
    fn write_back(&mut self, cx: &mut Cx<'_>, read: &UnderWay, outcome: Outcome) {
        let now = cx.now();
        let negative = match (outcome, self.settings.negative_ttl) {
            (Outcome::Ok, _) => None,
            (Outcome::ClientError, Some(ttl)) => Some(ttl.0),
            _ => return,
        };
        if !self.asked.keeps {
            return;
        }
        let good = match negative {
            Some(ttl) => ttl,
            None => self.good_for(cx, read.call),
        };
        let fact = Fact { since: now, took: now - read.since, stale: Time::MAX, negative: negative.is_some() };
        let heard = Heard::Value { data: read.data, fact, good, voided: read.voided };
        self.tell(cx, read.call, heard);
    }

    /// Whether an expired entry answers instead of a failure.
    fn may_serve_expired(&mut self, now: Time, data: Data, outcome: Outcome) -> bool {
        let Some(window) = self.settings.stale_if_error else { return false };
        let failed = match outcome {
            Outcome::Error | Outcome::Unavailable | Outcome::Overload | Outcome::Reset | Outcome::Timeout => true,
            Outcome::BreakerOpen | Outcome::PoolTimeout => true,
            Outcome::Ok
            | Outcome::Accepted
            | Outcome::Degraded
            | Outcome::RateLimited
            | Outcome::ClientError
            | Outcome::Cancelled => false,
        };
        let Some(index) = self.store.find(data).filter(|_| failed) else { return false };
        let fact = self.facts.at(index);
        let serves = now < self.store.expires(index).saturating_add(window.0) && !fact.negative;
        if serves {
            self.measures.answered_with(fact, now);
        }
        serves
    }
}
