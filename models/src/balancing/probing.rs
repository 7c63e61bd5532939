//! Probes of one target, computed: when the next is sent, what has come of those so far, and when that will make the checker change
//! its mind if nothing else changes. So nothing has to happen while nothing changes.
//!
//! At a fixed rate a probe is sent every `interval`, whatever became of the one before (HAProxy, ALB). After completion it is sent
//! `interval` after the last one's result was in (Envoy), so that a silent target is probed less often. So many results in a row
//! that contradict what the checker believes change its mind.

use sim_core::random::Key;
use sim_core::{Span, Time};

/// When probes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, settings::Setting)]
pub enum Schedule {
    /// Every `interval`, whatever became of the one before.
    Fixed,
    /// So long after the result of the one before was in.
    AfterCompletion,
}

/// How a checker goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Timetable {
    /// Between two probes.
    pub interval: Span,
    /// How long a probe waits for an answer.
    pub timeout: Span,
    /// Failures in a row that make a target unhealthy.
    pub failures: u32,
    /// Successes in a row that make it healthy again.
    pub successes: u32,
    /// When probes are sent.
    pub schedule: Schedule,
}

impl Timetable {
    /// How long it takes until a target that has died is marked unhealthy, in nanoseconds: on average, since nobody knows when the next
    /// probe is due, and at most. A probe takes no time where the target's host refuses it, and the whole timeout where it is silent.
    pub fn detection(&self, is_silent: bool) -> (f64, f64) {
        let (interval, failures) = (self.interval as f64, f64::from(self.failures));
        let takes = if is_silent { self.timeout as f64 } else { 0.0 };
        let probes = match self.schedule {
            Schedule::Fixed => takes,
            Schedule::AfterCompletion => takes * failures,
        };
        (interval * (failures - 0.5) + probes, interval * failures + probes)
    }
}

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it succeeds.
    pub passes: bool,
    /// How long it takes until that is known.
    pub takes: Span,
}

/// What becomes of the probes that are sent under the same conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum Findings {
    /// The same of all.
    Same(Finding),
    /// The target stands still: nothing is answered, unless it goes on in time.
    Stands,
    /// Packets get lost: each probe is drawn for.
    Drawn {
        /// The way there and back.
        path: Box<sim_core::conditions::Path>,
        /// Whether a probe succeeds that gets through.
        passes: bool,
    },
}

impl Findings {
    /// Whether probes fail, or would but for chance.
    pub fn fail(&self) -> bool {
        match self {
            Findings::Same(finding) => !finding.passes,
            Findings::Stands => true,
            Findings::Drawn { passes, .. } => !passes,
        }
    }

    /// What becomes of probe number `nth`.
    fn of(&self, timeout: Span, key: Key, nth: u64) -> Finding {
        let late = Finding { passes: false, takes: timeout };
        match self {
            Findings::Same(finding) => *finding,
            Findings::Stands => late,
            Findings::Drawn { path, passes } => match path.round_trip(key.draw(0, nth as u32).next_u64()) {
                Some(takes) if takes <= timeout => Finding { passes: *passes, takes },
                Some(_) | None => late,
            },
        }
    }

    /// What becomes of all of them, where that is the same.
    fn same(&self, timeout: Span) -> Option<Finding> {
        match self {
            Findings::Same(finding) => Some(*finding),
            Findings::Stands => Some(Finding { passes: false, takes: timeout }),
            Findings::Drawn { .. } => None,
        }
    }
}

/// When to look at a target again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not unless something changes.
    Never,
    /// At this instant: the checker changes its mind then, or it is not known beyond.
    At(Time),
}

/// So many probes are looked ahead at where each is drawn for.
const AHEAD: u64 = 256;

/// The probes of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// When the probe was sent, or will be, whose result comes next.
    next: Time,
    /// Its number.
    nth: u64,
    /// What becomes of it, where that was settled before something changed.
    settled: Option<Finding>,
    is_healthy: bool,
    /// Results in a row that contradict that.
    against: u32,
}

impl Probing {
    /// Of a target that is thought to be healthy; its first probe is sent at an instant.
    pub fn new(first: Time) -> Probing {
        Probing { next: first, nth: 0, settled: None, is_healthy: true, against: 0 }
    }

    /// Whether the target is thought to be healthy.
    pub fn is_healthy(&self) -> bool {
        self.is_healthy
    }

    /// From the result of one probe to the result of the next, where both come to the same.
    fn period(table: &Timetable, takes: Span) -> Span {
        match table.schedule {
            Schedule::Fixed => table.interval,
            Schedule::AfterCompletion => table.interval + takes,
        }
    }

    /// The result of the next probe is in.
    fn conclude(&mut self, table: &Timetable, finding: Finding) {
        self.settled = None;
        self.next = self.next.saturating_add(Self::period(table, finding.takes));
        self.nth += 1;
        if finding.passes == self.is_healthy {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against >= self.needed(table) {
            self.is_healthy = !self.is_healthy;
            self.against = 0;
        }
    }

    /// Results in a row that change the checker's mind.
    fn needed(&self, table: &Timetable) -> u32 {
        if self.is_healthy { table.failures } else { table.successes }
    }

    fn next_finding(&self, table: &Timetable, findings: &Findings, key: Key) -> Finding {
        self.settled.unwrap_or_else(|| findings.of(table.timeout, key, self.nth))
    }

    /// All results are taken in that have come up to an instant.
    pub fn advance(&mut self, table: &Timetable, findings: &Findings, key: Key, now: Time) {
        loop {
            let finding = self.next_finding(table, findings, key);
            let due = self.next.saturating_add(finding.takes);
            if due > now {
                return;
            }
            // What changes nothing any more is passed over at once.
            if let (None, Some(same)) = (self.settled, findings.same(table.timeout))
                && same.passes == self.is_healthy
            {
                let period = Self::period(table, same.takes).max(1);
                let results = (now - due) / period + 1;
                self.next += results * period;
                self.nth += results;
                self.against = 0;
                return;
            }
            self.conclude(table, finding);
        }
    }

    /// Conditions change now, and probes that are sent from now on end otherwise. What was sent before ends as it would have, unless
    /// the target only stood still and answers now.
    pub fn change(&mut self, table: &Timetable, before: &Findings, after: &Findings, key: Key, now: Time) {
        self.advance(table, before, key, now);
        if self.next >= now {
            return;
        }
        let mut finding = self.next_finding(table, before, key);
        if *before == Findings::Stands && self.settled.is_none() {
            let goes_on = after.of(table.timeout, key, self.nth);
            let takes = (now - self.next).saturating_add(goes_on.takes);
            if goes_on.passes && takes <= table.timeout {
                finding = Finding { passes: true, takes };
            }
        }
        self.settled = Some(finding);
    }

    /// When to look again, if nothing changes.
    pub fn again(&self, table: &Timetable, findings: &Findings, key: Key) -> Again {
        let mut ahead = *self;
        for _ in 0..AHEAD {
            if let (None, Some(same)) = (ahead.settled, findings.same(table.timeout)) {
                if same.passes == ahead.is_healthy {
                    return Again::Never;
                }
                let more = u64::from(ahead.needed(table) - ahead.against - 1);
                let last = ahead.next.saturating_add(more.saturating_mul(Self::period(table, same.takes)));
                return Again::At(last.saturating_add(same.takes));
            }
            let finding = ahead.next_finding(table, findings, key);
            let due = ahead.next.saturating_add(finding.takes);
            ahead.conclude(table, finding);
            if ahead.is_healthy != self.is_healthy {
                return Again::At(due);
            }
        }
        Again::At(ahead.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::{Stream, hash};
    use sim_core::time::{MILLISECOND, SECOND};

    const PASSES: Findings = Findings::Same(Finding { passes: true, takes: MILLISECOND });
    const REFUSES: Findings = Findings::Same(Finding { passes: false, takes: MILLISECOND });

    fn table(schedule: Schedule) -> Timetable {
        Timetable { interval: 5 * SECOND, timeout: SECOND, failures: 3, successes: 2, schedule }
    }

    fn silent(table: &Timetable) -> Findings {
        Findings::Same(Finding { passes: false, takes: table.timeout })
    }

    /// From the change at an instant until the checker has changed its mind.
    fn detection(table: &Timetable, phase: Time, at: Time, after: &Findings) -> Span {
        let key = Key::root(1, 2, 3);
        let mut probing = Probing::new(phase);
        probing.change(table, &PASSES, after, key, at);
        let Again::At(due) = probing.again(table, after, key) else { panic!("it is never found out") };
        let mut before = probing;
        before.advance(table, after, key, due - 1);
        assert!(before.is_healthy());
        probing.advance(table, after, key, due);
        assert!(!probing.is_healthy());
        due - at
    }

    #[test]
    fn the_formulas_are_those_of_the_systems() {
        // Envoy with 5 s, 1 s and 3: 15.5 s on average and 18 s at most where nothing answers, 12.5 s and 15 s where it is refused.
        let seconds = |(mean, most): (f64, f64)| [mean / 1e9, most / 1e9];
        let envoy = table(Schedule::AfterCompletion);
        assert_eq!(seconds(envoy.detection(true)), [15.5, 18.0]);
        assert_eq!(seconds(envoy.detection(false)), [12.5, 15.0]);
        let fixed = table(Schedule::Fixed);
        assert_eq!(seconds(fixed.detection(true)), [13.5, 16.0]);
        assert_eq!(seconds(fixed.detection(false)), [12.5, 15.0]);
    }

    /// The formulas of the schedules, over 20,000 instants at random: the mean of what lies evenly over 5 s has a standard error
    /// of 10 ms, and five of them fail once in two million. The round trip of 1 ms is part of every figure.
    #[test]
    fn detection_takes_as_long_as_the_formulas_say() {
        let (fixed, after) = (table(Schedule::Fixed), table(Schedule::AfterCompletion));
        let rtt = 0.001;
        // Least, mean and most, in seconds: interval·(failures − 1), ·(failures − ½), ·failures, and what the probes take.
        let cases = [
            (&fixed, REFUSES, [10.0, 12.5, 15.0], rtt),
            (&fixed, silent(&fixed), [10.0, 12.5, 15.0], 1.0),
            (&after, REFUSES, [10.0, 12.5, 15.0], 3.0 * rtt),
            (&after, silent(&after), [10.0, 12.5, 15.0], 3.0),
        ];
        for (table, findings, expected, takes) in cases {
            let mut stream = Stream::named(1, "detection");
            let draws: Vec<f64> = (0..20_000)
                .map(|_| {
                    let (phase, at) = (stream.below(5 * SECOND), 100 * SECOND + stream.below(100 * SECOND));
                    detection(table, phase, at, &findings) as f64 / 1e9
                })
                .collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let most = draws.iter().copied().fold(0.0, f64::max);
            let least = draws.iter().copied().fold(f64::MAX, f64::min);
            assert!((mean - takes - expected[1]).abs() < 0.05 + rtt, "{table:?} {findings:?}: {mean}");
            assert!(least >= expected[0] + takes - rtt && least < expected[0] + takes + 0.02, "{table:?}: {least}");
            assert!(most <= expected[2] + takes + rtt && most > expected[2] + takes - 0.02, "{table:?}: {most}");
        }
    }

    /// The obvious way: every probe one by one, what it finds being settled when it is sent.
    struct OneByOne {
        table: Timetable,
        sent: Time,
        nth: u64,
        /// What becomes of the probe under way.
        finding: Option<Finding>,
        is_healthy: bool,
        against: u32,
    }

    impl OneByOne {
        fn go_on(&mut self, findings: &Findings, key: Key, to: Time, is_included: bool) {
            loop {
                if self.finding.is_none() {
                    if self.sent > to || self.sent == to && !is_included {
                        return;
                    }
                    self.finding = Some(findings.of(self.table.timeout, key, self.nth));
                }
                let Some(finding) = self.finding else { return };
                if self.sent + finding.takes > to {
                    return;
                }
                self.sent += match self.table.schedule {
                    Schedule::Fixed => self.table.interval,
                    Schedule::AfterCompletion => self.table.interval + finding.takes,
                };
                self.nth += 1;
                self.finding = None;
                self.against = if finding.passes == self.is_healthy { 0 } else { self.against + 1 };
                let needed = if self.is_healthy { self.table.failures } else { self.table.successes };
                if self.against == needed {
                    self.is_healthy = !self.is_healthy;
                    self.against = 0;
                }
            }
        }
    }

    #[test]
    fn it_agrees_with_sending_every_probe() {
        for (number, schedule) in [Schedule::Fixed, Schedule::AfterCompletion].into_iter().enumerate() {
            let table = table(schedule);
            let lossy = |loss: f64, passes| {
                let path =
                    sim_core::conditions::Path { there: MILLISECOND, back: MILLISECOND, loss, ..Default::default() };
                Findings::Drawn { path: Box::new(path), passes }
            };
            let all = [PASSES, REFUSES, silent(&table), lossy(0.3, true), lossy(0.6, true), lossy(0.3, false)];
            let mut stream = Stream::named(number as u64, "one by one");
            for run in 0..300 {
                let (phase, key) = (stream.below(5 * SECOND), Key::root(7, hash(0, "probes"), run));
                let mut probing = Probing::new(phase);
                let (sent, is_healthy) = (phase, true);
                let mut twin = OneByOne { table, sent, nth: 0, finding: None, is_healthy, against: 0 };
                let (mut now, mut findings) = (0, PASSES);
                for step in 0..20 {
                    // Looks of its own in between, at the instants that it has asked for.
                    let until = now + stream.below(30 * SECOND);
                    while let Again::At(at) = probing.again(&table, &findings, key)
                        && at < until
                    {
                        let was = probing.is_healthy();
                        probing.advance(&table, &findings, key, at);
                        twin.go_on(&findings, key, at, true);
                        assert_eq!(probing.is_healthy(), twin.is_healthy, "run {run}, step {step} at {at}");
                        let is_drawn = matches!(findings, Findings::Drawn { .. });
                        assert!(was != probing.is_healthy() || is_drawn, "run {run}: looked for nothing");
                    }
                    now = until;
                    twin.go_on(&findings, key, now, false);
                    let after = all[stream.below(all.len() as u64) as usize].clone();
                    probing.change(&table, &findings, &after, key, now);
                    assert_eq!(probing.is_healthy(), twin.is_healthy, "run {run}, step {step} at {now}");
                    findings = after;
                }
            }
        }
    }

    #[test]
    fn who_goes_on_in_time_answers_what_has_come_meanwhile() {
        let table = table(Schedule::Fixed);
        let key = Key::root(1, 1, 1);
        let mut probing = Probing { against: 2, ..Probing::new(10 * SECOND) };
        probing.change(&table, &PASSES, &Findings::Stands, key, 9 * SECOND);
        let mut late = probing;
        probing.change(&table, &Findings::Stands, &PASSES, key, 10 * SECOND + 500 * MILLISECOND);
        probing.advance(&table, &PASSES, key, 20 * SECOND);
        assert!(probing.is_healthy());
        late.change(&table, &Findings::Stands, &PASSES, key, 10 * SECOND + 999_500_000);
        late.advance(&table, &PASSES, key, 11 * SECOND);
        assert!(!late.is_healthy());
    }
}
