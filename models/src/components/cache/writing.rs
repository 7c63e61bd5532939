//! Writes: what they do to entries, and those that are passed on later.

use sim_core::{CallId, Class, Cx, Next, Outcome, Time, Timer};

use super::facts::Fact;
use super::measures::LOST;
use super::settings::OnWriteSettings;
use super::state::{Cache, FLUSH, Heard, UnderWay, Work, may_have_happened};
use super::unsent::Dirty;
use crate::caching::Data;

impl Cache {
    pub(super) fn write(&mut self, cx: &mut Cx<'_>, call: CallId, data: Data) -> Next {
        self.measures.writes += 1;
        if self.settings.flush().is_none() {
            return self.go_on(cx, call, Work::Write, data);
        }
        let (now, good) = (cx.now(), self.good_for(cx, call));
        self.put_all(data.key, written_at(now), now.saturating_add(good));
        let twin = cx.detach(call);
        self.keep_unsent(cx, Dirty { twin, data, writes: 1, tried: 0 });
        Next::reply(call, cx.answer(Outcome::Ok))
    }

    /// What was written waits for the next flush.
    fn keep_unsent(&mut self, cx: &mut Cx<'_>, dirty: Dirty) {
        cx.set_ticket(dirty.twin, 0);
        if let Some(before) = self.unsent.dirty.insert(dirty.data.key, dirty) {
            // Only the newest of a key is passed on.
            self.measures.merged += before.writes;
            cx.end_branch(before.twin);
        }
        let is_again = dirty.tried > 0;
        let is_set = &mut self.unsent.is_set[usize::from(is_again)];
        let Some(every) = self.settings.flush().filter(|_| !*is_set) else { return };
        *is_set = true;
        // By the clock, whenever the first of them came.
        let delay = every.0 - cx.now() % every.0;
        let timer = Timer { what: FLUSH, data: u64::from(is_again) };
        if is_again {
            // No run of finite work goes on only because this never succeeds.
            cx.chore_after(delay, timer);
        } else {
            cx.after(delay, Class::First, timer);
        }
    }

    /// Passes on what was written.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>, is_again: bool) -> Next {
        self.unsent.is_set[usize::from(is_again)] = false;
        for (_, Dirty { twin, data, writes, tried }) in std::mem::take(&mut self.unsent.dirty) {
            self.unsent.on_their_way += writes;
            self.measures.flushed += 1;
            let child = self.call_behind(cx, twin, Work::Flush { writes, tried }, data, tried);
            cx.post(Next::call(child));
        }
        Next::WAIT
    }

    /// Writes that were passed on have been answered.
    pub(super) fn have_sent(
        &mut self,
        cx: &mut Cx<'_>,
        sent: &UnderWay,
        (writes, tried): (u64, u32),
        outcome: Outcome,
    ) -> Next {
        self.unsent.on_their_way = self.unsent.on_their_way.saturating_sub(writes);
        let (data, twin) = (sent.data, sent.call);
        if outcome.is_good() {
            cx.end_branch(twin);
        } else if self.unsent.holds(data.key) {
            // A newer one has come.
            self.measures.merged += writes;
            cx.end_branch(twin);
        } else {
            self.keep_unsent(cx, Dirty { twin, data, writes, tried: tried.saturating_add(1) });
        }
        Next::WAIT
    }

    /// What was not passed on is forgotten like everything else.
    pub(super) fn drop_unsent(&mut self, cx: &mut Cx<'_>) {
        let dirty = std::mem::take(&mut self.unsent.dirty);
        let lost: u64 = dirty.values().map(|dirty| dirty.writes).sum();
        dirty.values().for_each(|dirty| cx.end_branch(dirty.twin));
        self.measures.lost_writes += lost;
        if lost > 0 {
            cx.happened(&LOST);
        }
    }

    /// A write has been answered, or nobody waits any more for that.
    pub(super) fn have_written(&mut self, cx: &mut Cx<'_>, call: CallId, key: u64, outcome: Outcome) {
        if !may_have_happened(outcome) || !self.asked.keeps {
            return;
        }
        let now = cx.now();
        if outcome.is_good() {
            self.outdate(key, now);
        }
        match self.settings.effect() {
            OnWriteSettings::Keep => {}
            OnWriteSettings::Update if outcome.is_good() => {
                let good = self.good_for(cx, call);
                self.tell(cx, call, Heard::Written { key, fact: written_at(now), good });
            }
            OnWriteSettings::Update | OnWriteSettings::Invalidate => self.tell(cx, call, Heard::Forget { key }),
        }
    }

    /// Whatever is known of a key has been replaced.
    fn outdate(&mut self, key: u64, now: Time) {
        for op in &self.readers {
            if let Some(index) = self.store.find(Data { op: *op, key }) {
                self.facts.outdate(index, now);
            }
        }
        for (_, heard) in self.to_hear.iter_mut() {
            match heard {
                Heard::Value { data: Data { key: of, .. }, fact, .. } | Heard::Written { key: of, fact, .. }
                    if *of == key =>
                {
                    fact.stale = fact.stale.min(now);
                }
                Heard::Value { .. } | Heard::Written { .. } | Heard::Forget { .. } => {}
            }
        }
    }
}

/// What is known of a value that is written now.
fn written_at(now: Time) -> Fact {
    Fact { since: now, took: 0, stale: Time::MAX, negative: false }
}
