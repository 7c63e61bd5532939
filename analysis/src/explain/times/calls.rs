//! Calls over links: attempts, what ends them, and what is made of them again.

use std::rc::Rc;

use models::demand::Outcomes;
use models::law::{Branch, Law, side_by_side};
use models::policies::fallback::FallbackSettings;
use models::policies::hedge::HedgeDelay;
use models::policies::outcomes::OutcomeSet;
use models::policies::retry::RetrySettings;
use sim_core::Outcome;
use sim_core::conditions::{RETRANSMISSIONS, retransmission};

use super::{Times, wait};

/// What a call over a link takes.
#[derive(Clone, Debug)]
pub(in super::super) struct Over {
    /// The whole call: batching, attempts, back-offs, the wait for a connection.
    pub(in super::super) call: Outcomes,
    /// One attempt from when it has its connection, as long as its caller waits for it.
    pub(in super::super) attempt: Outcomes,
    /// How long one attempt holds a place of its pool: also while a connection is opened, in place of one that was closed
    /// because an attempt over it had timed out.
    pub(in super::super) held: Law,
    /// One attempt if its caller waited for ever.
    pub(in super::super) endless: Outcomes,
    /// One attempt from when the gates let it pass, on average, s.
    pub(in super::super) in_gates_s: f64,
    /// Attempts that a call makes, on average, hedges included.
    pub(in super::super) attempts: f64,
}

impl Times<'_> {
    /// From the call to the answer over a link, with all attempts, on average, s.
    pub(in super::super) fn over_link(&self, link: usize, op: &str) -> f64 {
        self.over(link, op).call.mean_s()
    }

    /// A call over a link.
    pub(in super::super) fn over(&self, link: usize, op: &str) -> Rc<Over> {
        let key = (link, op.to_string());
        if let Some(known) = self.overs.borrow().get(&key) {
            return known.clone();
        }
        let over = Rc::new(self.find_over(link, op));
        self.overs.borrow_mut().insert(key, over.clone());
        over
    }

    fn find_over(&self, link: usize, op: &str) -> Over {
        let settings = self.graph.links[link].settings;
        let endless = self.endless(link, op);
        let bounded = |outcomes: &Outcomes, limit: Option<settings::Duration>| match limit {
            Some(limit) => outcomes.bounded(limit.0 as f64 / 1e9),
            None => outcomes.clone(),
        };
        let attempt = bounded(&endless, settings.timeout);
        let opening = self.opening(link, &attempt);
        let held = opening.then(&attempt.all());
        let pool_wait = self.pool_wait(link, &held);
        let passed = attempt.map(|law| pool_wait.then(&opening).then(law));
        let in_gates_s = passed.mean_s();
        let first = self.through(link, passed);
        let (tried, copies) = match &settings.hedge {
            Some(hedge) => {
                let delay_s = match hedge.delay {
                    HedgeDelay::After(delay) => delay.0 as f64 / 1e9,
                    HedgeDelay::Percentile(share) => first.all().quantile(share),
                };
                hedged(&first, delay_s, hedge.max)
            }
            None => (first, 1.0),
        };
        let (call, attempts) = match &settings.retry {
            Some(retry) => {
                let total_s = settings.total_timeout.map(|total| total.0 as f64 / 1e9);
                retried(&tried, retry, self.repeats_most(link), total_s)
            }
            None => (tried, 1.0),
        };
        let call = self.spoiled(link, call);
        let batch_s = self.batch_wait_s(link);
        let call = bounded(&call.map(|law| Law::always(batch_s).then(law)), settings.total_timeout);
        let call = match &settings.fallback {
            Some(fallback) => {
                let other = fallback.call.as_ref().and_then(|name| self.beside(link, name.as_str()));
                fallen_back(&call, fallback, other.map(|other| self.over(other, op)).as_deref())
            }
            None => call,
        };
        Over { call, attempt, held, endless, in_gates_s, attempts: attempts * copies }
    }

    /// Another link of the same caller.
    fn beside(&self, link: usize, name: &str) -> Option<usize> {
        let caller = self.graph.links[link].caller;
        self.graph.links.iter().position(|other| other.caller == caller && other.name == name)
    }

    /// Attempts that come to the gates of a link, of which these pass.
    fn through(&self, link: usize, passed: Outcomes) -> Outcomes {
        let Some(through) = self.flows.and_then(|flows| flows.through.get(&link)) else { return passed };
        let mut all = passed.map(|law| law.weighted(through.share));
        through.refused.iter().for_each(|(outcome, share)| all.add(*outcome, &Law::always(0.0).weighted(*share)));
        all
    }

    /// How long attempts over a link are under way once its gates have let them pass, on average over all that is asked
    /// for, s.
    pub(in super::super) fn in_gates_s(&self, link: usize, flows: &super::Flows) -> f64 {
        let all = flows.tried(link);
        if all <= 0.0 {
            return self.over(link, "default").in_gates_s;
        }
        flows.over(link).map(|(op, asked)| asked.tried / all * self.over(link, op).in_gates_s).sum()
    }

    /// An attempt whose caller waits for ever.
    fn endless(&self, link: usize, op: &str) -> Outcomes {
        let at = &self.graph.links[link];
        let network = at.settings.network.as_ref();
        let trips = if network.is_some_and(|network| !network.keep_alive) { 2.0 } else { 1.0 };
        let loss = network.map_or(0.0, |network| network.loss.0);
        let (one_way, lost) = delay_of_losses(loss);
        let delay = one_way.then(&one_way);
        let mut all = Outcomes::none();
        for way in at.ways.iter().filter(|way| !way.directs && way.share > 0.0) {
            let answer = self.answer(way.component, op);
            let there = Law::always(way.rtt_s * trips).then(&delay).weighted(way.share);
            all.add_all(&answer.map(|law| there.then(law)));
        }
        // The connection of a packet that is lost each time is reset in the end.
        all.add(Outcome::Reset, &lost);
        all
    }

    /// How long a call waits for others to go with it, s.
    fn batch_wait_s(&self, link: usize) -> f64 {
        let at = &self.graph.links[link];
        at.settings.batch.as_ref().map_or(0.0, |batch| {
            let wait_s = batch.wait.0 as f64 / 1e9;
            let rate = self.waited().map_or(0.0, |(_, flows)| flows.links[link] / f64::from(at.copies));
            let most = self.graph.batch_most(batch);
            if rate > 0.0 { crate::theory::formulas::batch_delay(most, rate, wait_s) } else { wait_s }
        })
    }

    /// What the bad items of batches leave of good answers.
    fn spoiled(&self, link: usize, call: Outcomes) -> Outcomes {
        let at = &self.graph.links[link];
        let Some(batch) = at.settings.batch.as_ref().filter(|batch| batch.bad_items.0 > 0.0) else { return call };
        let rate = self.waited().map_or(0.0, |(_, flows)| flows.links[link] / f64::from(at.copies));
        let most = self.graph.batch_most(batch);
        let size =
            if rate > 0.0 { crate::theory::formulas::batch_size(most, rate, batch.wait.0 as f64 / 1e9) } else { 1.0 };
        let share = batch.spoiled(size);
        let mut all = Outcomes::none();
        for (outcome, law) in call.parts() {
            if outcome.is_good() {
                all.add(outcome, &law.weighted(1.0 - share));
                all.add(Outcome::ClientError, &law.weighted(share));
            } else {
                all.add(outcome, law);
            }
        }
        all
    }

    /// How long a connection is opened, where the one that an attempt takes was closed by a timeout.
    fn opening(&self, link: usize, attempt: &Outcomes) -> Law {
        let at = &self.graph.links[link];
        let Some(pool) = &at.settings.pool else { return Law::always(0.0) };
        let timed_out = attempt.parts().filter(|(outcome, _)| *outcome == Outcome::Timeout);
        let closed: f64 = timed_out.map(|(_, law)| law.weight()).sum();
        let opens = pool.connect.as_ref().map_or_else(
            || {
                at.ways
                    .iter()
                    .filter(|way| !way.directs)
                    .fold(Law::never(), |law, way| law.or(&Law::always(way.rtt_s).weighted(way.share)))
            },
            |connect| Law::of_durations(&connect.0),
        );
        Law::always(0.0).weighted(1.0 - closed).or(&opens.weighted(closed))
    }

    fn pool_wait(&self, link: usize, held: &Law) -> Law {
        let at = &self.graph.links[link];
        let (Some(pool), Some((bare, flows))) = (&at.settings.pool, self.waited()) else { return Law::always(0.0) };
        let pools = f64::from(at.copies) * f64::from(self.graph.pools_of(at));
        let attempts = flows.attempts(link);
        // What the other operations hold counts too.
        let held = bare.attempts_over(link, flows).unwrap_or_else(|| held.clone());
        let burst = bare.bursts(flows).links[link].max(1.0);
        wait(pool.size.saturating_mul(pool.streams), attempts / pools, &held, burst)
    }

    /// How long attempts over a link hold a connection, over all that is asked for; `None` where nothing is.
    pub(in super::super) fn attempts_over(&self, link: usize, flows: &super::Flows) -> Option<Law> {
        let all = flows.attempts(link);
        if all <= 0.0 {
            return None;
        }
        let of = |op: &str, attempts: f64| self.over(link, op).held.weighted(attempts / all);
        Some(flows.over(link).fold(Law::never(), |law, (op, asked)| law.or(&of(op, asked.attempts))))
    }

    /// How often a call may be repeated in the long run, where a budget bounds that, by the share of attempts that fail.
    fn repeats_most(&self, link: usize) -> Option<impl Fn(f64) -> f64> {
        let at = &self.graph.links[link];
        let budget = at.settings.retry.as_ref()?.budget.as_ref()?;
        let rate = self.flows.map_or(0.0, |flows| flows.links[link] / f64::from(at.copies));
        (rate > 0.0).then_some(move |failing: f64| budget.repeats_per_call(rate, failing))
    }
}

/// How calls end whose failures a fallback answers, or a call over another link.
fn fallen_back(call: &Outcomes, fallback: &FallbackSettings, other: Option<&Over>) -> Outcomes {
    let (when, takes) = (fallback.outcomes(), Law::of_durations(&fallback.takes.0));
    let mut all = Outcomes::none();
    for (outcome, law) in call.parts() {
        if !when.contains(outcome) {
            all.add(outcome, law);
            continue;
        }
        let after = law.then(&takes);
        let Some(other) = other else {
            all.add(Outcome::Degraded, &after);
            continue;
        };
        for (outcome, law) in other.call.parts() {
            let outcome = if outcome.is_good() { Outcome::Degraded } else { outcome };
            all.add(outcome, &after.then(law));
        }
    }
    all
}

/// By how much lost packets delay what is sent one way, and how likely it never comes, with when that is known.
fn delay_of_losses(loss: f64) -> (Law, Law) {
    if loss <= 0.0 {
        return (Law::always(0.0), Law::never());
    }
    let (mut delay, mut waited_s, mut lost) = (Law::never(), 0.0, 1.0);
    for nth in 0..=RETRANSMISSIONS {
        delay = delay.or(&Law::always(waited_s).weighted(lost * (1.0 - loss)));
        lost *= loss;
        waited_s += retransmission(nth) as f64 / 1e9;
    }
    // One of the two ways, whichever.
    let either = 1.0 - (1.0 - lost) * (1.0 - lost);
    (delay, Law::always(waited_s).weighted(either))
}

/// An attempt with copies of it that are sent while there is no answer: the first good answer counts. How many are sent, on
/// average, too.
fn hedged(attempt: &Outcomes, delay_s: f64, copies: u32) -> (Outcomes, f64) {
    let branch = |nth: u32| Branch {
        done: attempt.good(),
        failed: attempt.failed(),
        starts: f64::from(nth) * delay_s,
        count: 1,
    };
    let mut sent = 1.0;
    let mut branches = vec![branch(0)];
    for nth in 1..=copies {
        let (good, failed) = side_by_side(&branches, 1);
        sent += good.beyond(f64::from(nth) * delay_s) + failed.beyond(f64::from(nth) * delay_s);
        branches.push(branch(nth));
    }
    let (good, failed) = side_by_side(&branches, 1);
    let mut outcomes = Outcomes::none();
    let all = |good: bool| -> f64 {
        attempt.parts().filter(|(outcome, _)| outcome.is_good() == good).map(|(_, law)| law.weight()).sum()
    };
    for (outcome, law) in attempt.parts() {
        let ends = if outcome.is_good() { &good } else { &failed };
        outcomes.add(outcome, &ends.weighted(law.weight() / all(outcome.is_good())));
    }
    (outcomes, sent)
}

/// A call with its retries, and how many attempts it makes on average. What could begin only after `total_s` is not begun.
fn retried(
    attempt: &Outcomes,
    retry: &RetrySettings,
    repeats_most: Option<impl Fn(f64) -> f64>,
    total_s: Option<f64>,
) -> (Outcomes, f64) {
    let set = OutcomeSet::of(&retry.when);
    let is_retried = |outcome: Outcome| {
        set.contains(outcome) && !outcome.is_good() && !matches!(outcome, Outcome::ClientError | Outcome::RateLimited)
    };
    let retried: f64 = attempt.parts().filter(|(outcome, _)| is_retried(*outcome)).map(|(_, law)| law.weight()).sum();
    let most = repeats_most.map(|most| most(retried / attempt.all().weight().max(f64::MIN_POSITIVE)));
    let allowed = share_allowed(retried, retry.max_attempts, most);
    let (mut all, mut starts, mut attempts) = (Outcomes::none(), Law::always(0.0), 0.0);
    for nth in 1..=retry.max_attempts {
        attempts += starts.weight();
        let mut again = Law::never();
        for (outcome, law) in attempt.parts() {
            let ends = starts.then(law);
            if nth == retry.max_attempts || !is_retried(outcome) {
                all.add(outcome, &ends);
                continue;
            }
            let next = ends.then(&retry.backoff.law(nth));
            let (in_time, _) = total_s.map_or_else(|| (next.clone(), 0.0), |total_s| next.split(total_s));
            let share = allowed * if ends.weight() > 0.0 { in_time.weight() / ends.weight() } else { 0.0 };
            all.add(outcome, &ends.weighted(1.0 - share));
            again = again.or(&in_time.weighted(allowed));
        }
        if again.weight() < 1e-9 {
            break;
        }
        starts = again;
    }
    (all, attempts)
}

/// The share of the wanted retries that a budget allows: as many as make `most` a call, on average.
fn share_allowed(retried: f64, attempts_max: u32, most: Option<f64>) -> f64 {
    let Some(most) = most else { return 1.0 };
    let repeats = |share: f64| (1..attempts_max).map(|n| libm::pow(retried * share, f64::from(n))).sum::<f64>();
    if repeats(1.0) <= most {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if repeats(middle) <= most { low = middle } else { high = middle }
    }
    low
}
