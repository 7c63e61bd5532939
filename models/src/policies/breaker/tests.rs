//! Breakers on traces that were worked out by hand from the sources, and against slow twins on random ones.

use super::*;
use settings::notation::read;
use sim_core::figures::Value;
use sim_core::random::Stream;

const MS: Span = 1_000_000;

fn settings(text: &str) -> BreakerSettings {
    read::<OrPreset<BreakerSettings>>(text).unwrap_or_else(|why| panic!("{text}: {why:?}")).0
}

fn ask(breaker: &mut Breaker, now: Time) -> Verdict {
    let mut chance = || panic!("a breaker draws nothing");
    breaker.ask(now, &mut Asking { id: 0, op: 0, key: 0, client: 0, priority: 2, is_retry: false, chance: &mut chance })
}

fn outcome(word: &str) -> Outcome {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == word).unwrap_or_else(|| panic!("no outcome `{word}`"))
}

fn state(breaker: &Breaker) -> &'static str {
    match breaker.state {
        State::Closed => "closed",
        State::Open(_) => "open",
        State::HalfOpen { .. } => "half_open",
    }
}

/// Plays a table, a line `when | what | then` for each step, and compares what happens with the last column.
///
/// What: `ask A` (a call that is called A), `A ends HOW`, `N calls end HOW` (each asks and ends at this instant),
/// `due`, `adopt SETTINGS`. How: an outcome, `refused:OUTCOME`, `given_up:OUTCOME` or `dropped`. Then, for an ask: the
/// answer and the state; for anything else: the state.
fn play(text: &str, table: &str) -> Breaker {
    let mut breaker = Breaker::new(&settings(text), 0);
    let mut open: Vec<(String, Permit, Time)> = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [when, what, then] = columns[..] else { panic!("not three columns: {line}") };
        let now = Duration::parse(when).expect(line).0;
        let end = |how: &str| match how.split_once(':') {
            None if how == "dropped" => End::Dropped,
            None => End::Answered(outcome(how)),
            Some(("refused", word)) => End::Refused(outcome(word)),
            Some(("given_up", word)) => End::GivenUp(outcome(word)),
            Some(_) => panic!("unknown end: {line}"),
        };
        let words: Vec<&str> = what.split_whitespace().collect();
        let found = match words[..] {
            ["ask", name] => match ask(&mut breaker, now) {
                Verdict::Pass(permit) => {
                    open.push((name.to_string(), permit, now));
                    format!("pass, {}", state(&breaker))
                }
                Verdict::Refuse(Refusal { outcome: Outcome::BreakerOpen, retry_after }) => {
                    format!("refused {}, {}", Duration(retry_after).format(), state(&breaker))
                }
                other => panic!("{line}: {other:?}"),
            },
            [count, "calls", "end", how] => {
                for _ in 0..count.parse().expect(line) {
                    let Verdict::Pass(permit) = ask(&mut breaker, now) else { panic!("refused: {line}") };
                    breaker.ended(now, permit, now, end(how));
                }
                state(&breaker).to_string()
            }
            [name, "ends", how] => {
                let index = open.iter().position(|(known, ..)| known == name).expect(line);
                let (_, permit, passed) = open.remove(index);
                breaker.ended(now, permit, passed, end(how));
                state(&breaker).to_string()
            }
            ["due"] => {
                assert_eq!(breaker.due(), Some(now), "{line}");
                assert_eq!(breaker.next(now), None);
                state(&breaker).to_string()
            }
            ["adopt", ..] => {
                breaker.adopt(now, &settings(what.trim_start_matches("adopt ")));
                state(&breaker).to_string()
            }
            _ => panic!("unknown step: {line}"),
        };
        assert_eq!(found, then, "{line}");
    }
    breaker
}

fn told(breaker: &mut Breaker) -> Vec<&'static str> {
    std::iter::from_fn(|| breaker.told()).map(|happens| happens.name).collect()
}

/// The time spent closed, open and half-open, ns.
fn spent(figures: &Figures) -> [u128; 3] {
    match figures.get(&STATE) {
        Some(Value::States(states)) => [states[0].spent, states[1].spent, states[2].spent],
        other => panic!("{other:?}"),
    }
}

/// resilience4j @ af9e7c97. `CircuitBreakerMetrics.checkIfThresholdsExceeded`: nothing below 100 calls; the 100th call
/// brings 50 of 100 failures, at the threshold. `OpenState.tryAcquirePermission`: refused for 60 s, then half-open.
/// `HalfOpenState`: ten permits and no more; `forHalfOpen` makes the minimum min(100, 10), so that the tenth result
/// decides.
#[test]
fn resilience4j_as_shipped() {
    let table = "
        1s    | 50 calls end ok    | closed
        2s    | 49 calls end error | closed
        3s    | ask a              | pass, closed
        3s    | ask late           | pass, closed
        4s    | a ends error       | open
        4s    | ask b              | refused 1m, open
        5s    | late ends ok       | open
        63s   | ask b              | refused 1s, open
        64s   | ask b              | pass, half_open
        64s   | 5 calls end ok     | half_open
        65s   | ask c              | pass, half_open
        65s   | ask d              | pass, half_open
        65s   | ask e              | pass, half_open
        65s   | ask f              | pass, half_open
        65s   | ask g              | refused 0s, half_open
        66s   | b ends error       | half_open
        66s   | c ends error       | half_open
        66s   | d ends error       | half_open
        66s   | e ends error       | half_open
        66s   | f ends ok          | closed
        66s   | 99 calls end error | closed
        66s   | 1 calls end ok     | open
        126s  | 9 calls end ok     | half_open
        126s  | ask h              | pass, half_open
        127s  | h ends error       | closed";
    let mut breaker = play("resilience4j", table);
    // Nobody asked in between: the names are those of both trips, and of the decisions.
    let names =
        ["opened", "half_open", "closed", "opened", "half_open", "closed"].map(|what| format!("breaker_{what}"));
    assert_eq!(told(&mut breaker), names);
    // 60 s open each time; half-open from 64 s to 66 s and from 126 s to 127 s.
    let mut figures = Figures::default();
    breaker.figures(200_000 * MS, &mut figures);
    assert_eq!(spent(&figures), [77, 120, 3].map(|seconds| seconds * 1_000_000_000));
    assert_eq!(figures.get(&TRIPS), Some(&Value::Count(2)));
    assert_eq!(figures.get(&REFUSED), Some(&Value::Count(3)));
}

/// The trial calls fail at the same threshold as the window: five of ten open the breaker again, and the wait is whole.
#[test]
fn half_the_trial_calls_failing_opens_it_again() {
    let table = "
        0s   | 100 calls end timeout | open
        60s  | 5 calls end error     | half_open
        61s  | 4 calls end ok        | half_open
        62s  | 1 calls end ok        | open
        121s | ask a                 | refused 1s, open
        122s | ask a                 | pass, half_open";
    play("resilience4j", table);
}

/// `FixedSizeSlidingWindowMetrics.record`: each call replaces the one that many calls before it.
#[test]
fn a_count_window_forgets_the_oldest_call() {
    let table = "
        0s | 2 calls end error | closed
        0s | 2 calls end ok    | closed
        0s | 1 calls end ok    | closed
        0s | 1 calls end ok    | closed
        0s | 1 calls end error | closed
        0s | 1 calls end error | closed
        0s | 1 calls end error | open";
    // After four ok: [error, error, ok, ok, ok, ok] leaves [ok, ok, ok, ok]; the third error is 3 of 4.
    play("{count_window: {size: 4, minimum: 4}, failure_rate: 75%}", table);
}

/// A minimum below the size: `CircuitBreakerMetrics` compares as soon as there are that many.
#[test]
fn below_the_minimum_nothing_is_decided() {
    play(
        "{count_window: {size: 100, minimum: 5}}",
        "
        0s | 4 calls end error | closed
        0s | 1 calls end error | open
        60s | 4 calls end ok | half_open
        60s | 1 calls end ok | closed",
    );
}

/// `CircuitBreakerMetrics.onSuccess` and `onError`: slow is strictly longer than the bound, whatever the result.
#[test]
fn slow_calls_open_it_too() {
    let table = "
        0s     | ask a        | pass, closed
        0s     | ask b        | pass, closed
        0s     | ask c        | pass, closed
        0s     | ask d        | pass, closed
        1s     | a ends ok    | closed
        1s     | b ends ok    | closed
        1001ms | c ends ok    | closed
        1001ms | d ends error | open
        6001ms | ask e        | pass, half_open
        6001ms | ask f        | pass, half_open
        6002ms | e ends ok    | half_open
        8s     | f ends ok    | open";
    play("{count_window: {size: 4, minimum: 4}, slow: {over: 1s, rate: 50%}, open: 5s, half_open: 2}", table);
    let never_slow = "
        0s  | ask a     | pass, closed
        90s | a ends ok | closed";
    play("{count_window: {size: 1, minimum: 1}, slow: none}", never_slow);
    let slow = "
        0s    | ask a     | pass, closed
        60s   | a ends ok | closed
        60s   | ask b     | pass, closed
        121s  | b ends ok | open";
    play("{count_window: {size: 1, minimum: 1}}", slow);
}

/// `SlidingTimeWindowMetrics.moveWindowToCurrentEpochSecond`: three seconds, the current one included.
#[test]
fn a_time_window_covers_the_current_second_and_those_before() {
    let text = "{time_window: {span: 3s, minimum: 4}, open: 5s, half_open: 1}";
    let table = "
        500ms  | 2 calls end error | closed
        1s     | 1 calls end error | closed
        2999ms | 1 calls end ok    | open
        7998ms | ask a             | refused 1ms, open
        7999ms | ask a             | pass, half_open
        8s     | a ends ok         | closed
        8s     | 2 calls end error | closed
        9s     | 1 calls end error | closed
        11s    | 1 calls end error | closed
        11s    | 1 calls end error | closed
        11s    | 1 calls end error | open";
    // At 11 s the errors of 8 s have left: [9 s: 1, 10 s: 0, 11 s: 1, 2, 3].
    play(text, table);
}

/// Hystrix @ 7c03bafe. `HealthCountsStream`: buckets of 500 ms, twenty in a window; `HystrixCircuitBreakerImpl.onNext`
/// looks at the end of each, at 20 calls or more, and opens at 50 %. `attemptExecution` lets one call through after 5 s;
/// `markNonSuccess` opens again, `markSuccess` closes with empty counts.
#[test]
fn hystrix_as_shipped() {
    let table = "
        100ms   | 19 calls end error  | closed
        450ms   | 1 calls end timeout | closed
        499ms   | ask late            | pass, closed
        499ms   | ask lost            | pass, closed
        500ms   | due                 | open
        500ms   | ask a               | refused 5s, open
        600ms   | late ends ok        | open
        5500ms  | ask b               | pass, half_open
        5500ms  | ask c               | refused 0s, half_open
        5600ms  | lost ends error     | half_open
        6s      | b ends error        | open
        10999ms | ask c               | refused 1ms, open
        11s     | ask c               | pass, half_open
        11s     | c ends ok           | closed
        11s     | 10 calls end ok     | closed
        11s     | 9 calls end error   | closed
        11100ms | 1 calls end refused:pool_timeout | closed
        11400ms | 1 calls end client_error | closed
        11500ms | due                 | closed
        11600ms | 1 calls end overload | closed
        12s     | due                 | open";
    // 10 ok, 1 client error: 10 of 21 at 11.5 s, 11 of 22 at 12 s.
    let mut breaker = play("hystrix", table);
    let names =
        ["opened", "half_open", "opened", "half_open", "closed", "opened"].map(|what| format!("breaker_{what}"));
    assert_eq!(told(&mut breaker), names);
}

/// Successes that leave the window raise the share of failures, and no call needs to come for that.
#[test]
fn a_window_that_is_looked_at_by_the_clock_opens_without_a_call() {
    let table = "
        400ms   | 30 calls end ok    | closed
        900ms   | 29 calls end error | closed
        1s      | due                | closed
        1500ms  | due                | closed";
    let mut breaker = play("hystrix", table);
    let mut now = 1_500 * MS;
    while state(&breaker) == "closed" {
        now = breaker.due().expect("failures are in the window");
        assert_eq!(breaker.next(now), None);
    }
    // The bucket of the successes ends at 500 ms and is among the last twenty until 10 s; at 10.5 s it is not.
    assert_eq!(now, 10_500 * MS);
    // A call that asks late finds the breaker open since then.
    let mut late = play("hystrix", table);
    assert_eq!(ask(&mut late, 12_000 * MS), refused(3_500 * MS));
}

fn refused(retry_after: Span) -> Verdict {
    Verdict::Refuse(Refusal { outcome: Outcome::BreakerOpen, retry_after })
}

/// sony/gobreaker @ fed8e9eb `v2/gobreaker.go`, `onSuccess` and `onFailure`: a success clears the run; half-open, the
/// first failure opens it again and `MaxRequests` successes close it. `afterRequest` ignores earlier generations.
#[test]
fn consecutive_failures_as_in_gobreaker() {
    let table = "
        0s  | 2 calls end error | closed
        0s  | 1 calls end ok    | closed
        0s  | ask old           | pass, closed
        0s  | 2 calls end reset | closed
        1s  | 1 calls end error | open
        10s | ask a             | refused 1s, open
        11s | ask a             | pass, half_open
        11s | ask b             | pass, half_open
        11s | ask c             | refused 0s, half_open
        12s | old ends error    | half_open
        12s | a ends ok         | half_open
        12s | b ends error      | open
        22s | 1 calls end ok    | half_open
        22s | 1 calls end ok    | closed
        22s | 2 calls end error | closed
        22s | 1 calls end error | open";
    play("{consecutive: 3, open: 10s, half_open: 2}", table);
}

#[test]
fn what_the_link_refuses_or_nobody_wants_counts_as_neither() {
    let text = "{consecutive: 2, open: 5s, half_open: 1}";
    let table = "
        0s  | 1 calls end error                | closed
        0s  | 9 calls end refused:pool_timeout | closed
        0s  | 9 calls end dropped              | closed
        0s  | 1 calls end given_up:timeout     | open
        5s  | ask a                            | pass, half_open
        5s  | ask b                            | refused 0s, half_open
        6s  | a ends dropped                   | half_open
        6s  | ask c                            | pass, half_open
        6s  | c ends refused:overload          | half_open
        6s  | 1 calls end client_error         | closed
        6s  | 1 calls end error                | closed
        6s  | 1 calls end overload             | closed
        6s  | 1 calls end error                | closed";
    play(text, table);
    // Listed, it counts.
    let table = "
        0s | 1 calls end refused:pool_timeout | closed
        0s | 1 calls end pool_timeout         | open";
    play("{consecutive: 2, counts: [pool_timeout]}", table);
}

#[test]
fn other_thresholds_hold_at_once_and_keep_what_is_known() {
    let table = "
        0s  | 6 calls end error | closed
        0s  | adopt {count_window: {size: 4, minimum: 4}} | closed
        0s  | 1 calls end ok    | open
        10s | adopt {count_window: {size: 4, minimum: 4}, open: 20s} | open
        19s | ask a             | refused 1s, open
        20s | 3 calls end error | half_open
        20s | adopt {count_window: {size: 4, minimum: 4}, half_open: 3} | open";
    play("{count_window: {size: 8, minimum: 8}}", table);
    // A window of another sort starts empty, and the state stays.
    let table = "
        0s | 3 calls end error       | closed
        0s | adopt {time_window: {span: 4s, minimum: 4}} | closed
        0s | 3 calls end error       | closed
        3s | adopt {time_window: {span: 6s, minimum: 4}} | closed
        5s | 1 calls end error       | open
        5s | adopt {consecutive: 1}  | open
        5s | ask a                   | refused 1m, open";
    play("{count_window: {size: 4, minimum: 4}}", table);
}

#[test]
fn a_crash_closes_it_and_voids_all_permits() {
    let mut breaker = play(
        "{consecutive: 1, open: 9s}",
        "
        0s | ask old           | pass, closed
        1s | 1 calls end error | open",
    );
    breaker.rebuild(3_000 * MS);
    assert_eq!(state(&breaker), "closed");
    // The permit of before the crash is worth nothing.
    breaker.ended(4_000 * MS, Permit(0), 0, End::Answered(Outcome::Error));
    assert_eq!(state(&breaker), "closed");
    let mut figures = Figures::default();
    breaker.figures(4_000 * MS, &mut figures);
    // Open from 1 s to 3 s.
    assert_eq!(spent(&figures), [2_000_000_000, 2_000_000_000, 0]);
    breaker.begin_measuring(5_000 * MS);
    let mut figures = Figures::default();
    breaker.figures(6_000 * MS, &mut figures);
    assert_eq!(spent(&figures), [1_000_000_000, 0, 0]);
    assert_eq!(figures.get(&TRIPS), Some(&Value::Count(0)));
}

#[test]
fn presets_are_settings_and_can_be_changed_in_part() {
    for preset in BreakerSettings::PRESETS {
        let plain: BreakerSettings = read(preset.settings).unwrap_or_else(|why| panic!("{}: {why:?}", preset.word));
        assert_eq!(settings(preset.word), plain);
        assert_eq!(plain.flaws(), []);
    }
    // resilience4j's numbers are the defaults, and the other way round.
    assert_eq!(settings("resilience4j"), settings("{count_window: {}}"));
    assert_eq!(
        (settings("{consecutive: 3}").failure_rate, settings("{consecutive: 3}").slow.0),
        (FAILURE_RATE, Some(SLOW_CALLS))
    );
    let changed = settings("{hystrix: {open: 20s, failure_rate: 25%}}");
    assert_eq!(
        changed,
        BreakerSettings { open: Duration(20 * SECOND), failure_rate: Fraction(0.25), ..settings("hystrix") }
    );
    assert_eq!(settings(&changed.write().to_string()), changed);
}

#[test]
fn settings_without_effect_are_named() {
    let flaws = |text: &str| -> Vec<String> {
        settings(text).flaws().into_iter().map(|flaw| format!("{}: {}", flaw.key, flaw.message)).collect()
    };
    assert_eq!(flaws("{consecutive: 5}"), [""; 0]);
    assert_eq!(flaws("{consecutive: 0}"), ["consecutive: `consecutive` must be at least 1"]);
    let both = [
        "failure_rate: `failure_rate` has no effect with `consecutive`",
        "slow: `slow` has no effect with `consecutive`",
    ];
    assert_eq!(flaws("{consecutive: 5, failure_rate: 40%, slow: {over: 1s}}"), both);
    let never = "count_window.minimum: the breaker can never open: `minimum` is 100, the window holds 50 calls";
    assert_eq!(flaws("{count_window: {size: 50}}"), [never]);
    let uneven = "time_window.span: `span` 1.5s is not a multiple of `bucket` 1s";
    assert_eq!(flaws("{time_window: {span: 1500ms}}"), [uneven]);
    let many = "time_window.bucket: `span` 1h has more than 10000 buckets of 1ms";
    assert_eq!(flaws("{time_window: {span: 1h, bucket: 1ms}}"), [many]);
    let nothing = "counts: the breaker can never open: no outcome counts as a failure";
    assert_eq!(flaws("{consecutive: 5, counts: []}"), [nothing]);
    assert_eq!(flaws("{count_window: {}, counts: []}"), [""; 0]);
    assert_eq!(flaws("{count_window: {}, slow: none, counts: []}"), [nothing]);
    assert_eq!(flaws("{consecutive: 5, counts: [error, ok]}"), ["counts: `ok` cannot count as a failure"]);
    let starves = |text: &str, rate: f64| settings(text).starves(rate).map(|flaw| flaw.message);
    assert_eq!(starves("hystrix", 2.0), None);
    let message = "the breaker hardly ever opens: `minimum` is 20, but about 19 calls end within `span` 10s";
    assert_eq!(starves("hystrix", 1.9).as_deref(), Some(message));
}

/// The obvious breaker: it remembers every call that ended in this state and counts them anew each time.
struct Twin {
    settings: BreakerSettings,
    state: &'static str,
    since: Time,
    /// When each call of this state ended, whether it failed, whether it was slow.
    ended: Vec<(Time, bool, bool)>,
    out: u32,
    generation: u64,
}

impl Twin {
    fn enter(&mut self, now: Time, state: &'static str) {
        (self.state, self.since) = (state, now);
        self.ended.clear();
        self.out = 0;
        self.generation += 1;
    }

    fn exceeds(&self, calls: &[(Time, bool, bool)], minimum: u32) -> Option<bool> {
        let count = |of: fn(&(Time, bool, bool)) -> bool| calls.iter().filter(|call| of(call)).count() as f64;
        let calls = count(|_| true);
        let slow = self.settings.slow.is_some_and(|slow| count(|call| call.2) / calls >= slow.rate.0);
        let failed = count(|call| call.1) / calls >= self.settings.failure_rate.0;
        (calls > 0.0 && calls >= f64::from(minimum)).then_some(failed || slow)
    }

    /// Looks at all edges of buckets that have passed.
    fn advance(&mut self, now: Time) {
        let TripSettings::TimeWindow { span, minimum, bucket, decide: Decide::EachBucket } = self.settings.trip else {
            return;
        };
        let mut edge = bucket.0;
        while edge <= now {
            if self.state == "closed" && edge > self.since {
                let within = |at: Time| at < edge && at + span.0 >= edge;
                let calls: Vec<_> = self.ended.iter().copied().filter(|call| within(call.0)).collect();
                if self.exceeds(&calls, minimum) == Some(true) {
                    self.enter(edge, "open");
                }
            }
            edge += bucket.0;
        }
    }

    fn ask(&mut self, now: Time) -> Result<u64, Span> {
        self.advance(now);
        if self.state == "open" {
            if now < self.since + self.settings.open.0 {
                return Err(self.since + self.settings.open.0 - now);
            }
            self.enter(now, "half_open");
        }
        if self.state == "half_open" && self.out + self.ended.len() as u32 >= self.settings.half_open {
            return Err(0);
        }
        self.out += 1;
        Ok(self.generation)
    }

    fn ended(&mut self, now: Time, generation: u64, passed: Time, end: End) {
        self.advance(now);
        if generation != self.generation {
            return;
        }
        self.out -= 1;
        let fails = |outcome: Outcome| self.settings.counts.iter().any(|name| name.outcome() == outcome);
        let failed = match end {
            End::Answered(outcome) | End::GivenUp(outcome) => fails(outcome),
            End::Refused(outcome) if fails(outcome) => true,
            End::Refused(_) | End::Dropped => return,
        };
        let slow = self.settings.slow.is_some_and(|slow| now - passed > slow.over.0);
        self.ended.push((now, failed, slow));
        let all = self.ended.clone();
        let opens = match (self.state, &self.settings.trip) {
            ("closed", TripSettings::Consecutive(most)) => {
                let run = all.iter().rev().take_while(|call| call.1).count();
                (run >= *most as usize).then_some(true)
            }
            ("closed", TripSettings::CountWindow { size, minimum }) => {
                self.exceeds(&all[all.len().saturating_sub(*size as usize)..], *minimum)
            }
            ("closed", TripSettings::TimeWindow { span, minimum, bucket, decide }) => {
                let from = (now / bucket.0 + 1) * bucket.0;
                let calls: Vec<_> = all.into_iter().filter(|call| call.0 + span.0 >= from).collect();
                self.exceeds(&calls, *minimum).filter(|_| *decide == Decide::EachCall)
            }
            (_, TripSettings::Consecutive(_)) if failed => Some(true),
            (_, TripSettings::Consecutive(_)) => (all.len() >= self.settings.half_open as usize).then_some(false),
            (_, TripSettings::CountWindow { minimum, .. } | TripSettings::TimeWindow { minimum, .. }) => {
                self.exceeds(&all, (*minimum).min(self.settings.half_open))
            }
        };
        match (self.state, opens) {
            (_, Some(true)) => self.enter(now, "open"),
            ("half_open", Some(false)) => self.enter(now, "closed"),
            _ => {}
        }
    }
}

#[test]
fn it_agrees_with_a_breaker_that_remembers_every_call() {
    let texts = [
        "{consecutive: 4, open: 300ms, half_open: 3}",
        "{count_window: {size: 12, minimum: 5}, failure_rate: 60%, slow: {over: 30ms, rate: 70%}, open: 200ms, half_open: 8}",
        "{count_window: {size: 7, minimum: 7}, slow: none, open: 500ms, half_open: 1, counts: [error, overload, pool_timeout]}",
        "{time_window: {span: 500ms, minimum: 10, bucket: 100ms}, slow: {over: 40ms, rate: 50%}, open: 250ms, half_open: 4}",
        "{time_window: {span: 400ms, minimum: 8, bucket: 50ms, decide: each_bucket}, slow: {over: 45ms, rate: 60%}, open: 300ms, half_open: 2}",
        "{hystrix: {open: 700ms}}",
    ];
    let ends = [
        End::Answered(Outcome::Ok),
        End::Answered(Outcome::Error),
        End::Answered(Outcome::Overload),
        End::Answered(Outcome::ClientError),
        End::GivenUp(Outcome::Timeout),
        End::Refused(Outcome::PoolTimeout),
        End::Dropped,
    ];
    for text in texts {
        let mut stream = Stream::named(11, text);
        let mut breaker = Breaker::new(&settings(text), 0);
        let mut twin =
            Twin { settings: settings(text), state: "closed", since: 0, ended: Vec::new(), out: 0, generation: 0 };
        let mut out: Vec<(Permit, u64, Time)> = Vec::new();
        let (mut now, mut seen) = (0, [0; 3]);
        for step in 0..20_000 {
            now += stream.below(20 * MS);
            // The callee is well and ill in turns, so that every change of state happens often.
            let ill = (now / (3_000 * MS)) % 2 == 1;
            if out.is_empty() || stream.below(2) == 0 {
                let expected = twin.ask(now);
                match ask(&mut breaker, now) {
                    Verdict::Pass(permit) => out.push((permit, expected.expect("it passes too"), now)),
                    verdict => {
                        assert_eq!(verdict, refused(expected.expect_err("it refuses too")), "{text}, step {step}")
                    }
                }
            } else {
                let (permit, generation, passed) = out.swap_remove(stream.below(out.len() as u64) as usize);
                let end = if ill || stream.below(4) == 0 { ends[stream.below(7) as usize] } else { ends[0] };
                breaker.ended(now, permit, passed, end);
                twin.ended(now, generation, passed, end);
            }
            assert_eq!(state(&breaker), twin.state, "{text}, step {step}");
            let index = ["closed", "open", "half_open"].iter().position(|name| *name == twin.state);
            seen[index.expect("a state")] += 1;
            told(&mut breaker);
        }
        assert!(seen.iter().all(|steps| *steps > 100), "{text}: {seen:?}");
    }
}
