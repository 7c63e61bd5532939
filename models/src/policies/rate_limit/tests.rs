//! The rate limit as a gate: its settings, one limiter for each key, and those who wait.

use super::*;
use settings::notation::read;
use sim_core::figures::Value;
use sim_core::random::Stream;
use sim_core::time::{MILLISECOND as MS, SECOND};

fn settings(text: &str) -> RateLimitSettings {
    read(text).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

fn gate(text: &str) -> RateLimit {
    RateLimit::new(&settings(text), 0)
}

fn ask(gate: &mut RateLimit, now: Time, id: u32, op: u16, key: u64) -> Verdict {
    ask_for(gate, now, (id, op, key, 0))
}

fn ask_for(gate: &mut RateLimit, now: Time, (id, op, key, client): (u32, u16, u64, u64)) -> Verdict {
    let mut chance = || panic!("a rate limit draws nothing");
    gate.ask(now, &mut Asking { id, op, key, client, priority: 2, is_retry: false, chance: &mut chance })
}

const PASS: Verdict = Verdict::Pass(Permit(0));

fn refused(retry_after: Span) -> Verdict {
    Verdict::Refuse(Refusal { outcome: Outcome::RateLimited, retry_after })
}

#[test]
fn all_limits_are_read_and_written() {
    let texts = [
        "{token_bucket: {rate: 100/s, burst: 20}}",
        "{leaky_bucket: {rate: 30/min, queue: 5}, by: op}",
        "{fixed_window: {limit: 100, window: 1m}, by: key}",
        "{sliding_log: {limit: 5, window: 1s}}",
        "{sliding_counter: {limit: 50, window: 10s}, by: op}",
        "{token_bucket: {rate: 10/s, burst: 5}, by: client}",
    ];
    for text in texts {
        let settings = settings(text);
        assert_eq!(read::<RateLimitSettings>(&settings.write().to_string()).expect("it is read again"), settings);
    }
    assert_eq!(settings("{token_bucket: {rate: 5/s}}"), settings("{token_bucket: {rate: 5/s, burst: 1}}"));
    assert_eq!(settings("{leaky_bucket: {rate: 5/s}}"), settings("{leaky_bucket: {rate: 5/s, queue: 0}}"));
    let rates = texts.map(|text| settings(text).rate_per_s());
    assert_eq!(rates, [Some(100.0), None, None, Some(5.0), None, None]);
    assert_eq!(settings("{fixed_window: {limit: 100, window: 500ms}}").rate_per_s(), Some(200.0));
    assert_eq!(settings("{leaky_bucket: {rate: 7/s, queue: 0}}").rate_per_s(), Some(7.0));
}

#[test]
fn what_is_not_supported_says_what_is() {
    let said = |text: &str| -> Vec<String> {
        let problems = read::<RateLimitSettings>(text).expect_err(text).into_sorted();
        problems.iter().map(|p| format!("{}|{}|{}", p.code, p.path, p.message)).collect()
    };
    assert_eq!(said("{sliding_log: {limit: 0, window: 1s}}").len(), 1);
    assert_eq!(said("{fixed_window: {limit: 5, window: 0s}}").len(), 1);
    assert_eq!(said("{leaky_bucket: {queue: 5}}").len(), 1);
    let flaws = |text: &str| -> Vec<String> {
        RateLimitSettings::flaws_of_delays(&settings(text).limit).into_iter().map(|flaw| flaw.key).collect()
    };
    assert_eq!(flaws("{sliding_log: {limit: 5, window: 1s}, by: key}"), [""; 0]);
    assert_eq!(flaws("{leaky_bucket: {rate: 5/s, queue: 5}, by: op}"), ["leaky_bucket"]);
}

#[test]
fn each_key_or_operation_has_a_limiter_of_its_own() {
    let mut all = gate("{token_bucket: {rate: 10/s, burst: 2}}");
    assert_eq!([ask(&mut all, 0, 0, 1, 7), ask(&mut all, 0, 1, 2, 8)], [PASS, PASS]);
    assert_eq!(ask(&mut all, 0, 2, 3, 9), refused(100 * MS));
    let mut by_op = gate("{fixed_window: {limit: 1, window: 1s}, by: op}");
    assert_eq!([ask(&mut by_op, 0, 0, 1, 7), ask(&mut by_op, 0, 1, 2, 7)], [PASS, PASS]);
    assert_eq!(ask(&mut by_op, 400 * MS, 2, 1, 8), refused(600 * MS));
    let mut by_key = gate("{sliding_log: {limit: 1, window: 1s}, by: key}");
    assert_eq!([ask(&mut by_key, 0, 0, 1, 7), ask(&mut by_key, 0, 1, 1, 8)], [PASS, PASS]);
    assert_eq!(ask(&mut by_key, 999 * MS, 2, 2, 8), refused(MS));
    let mut figures = Figures::default();
    by_key.figures(0, &mut figures);
    assert_eq!(figures.get(&REFUSED), Some(&Value::Count(1)));
    assert_eq!(figures.get(&LIMITERS), Some(&Value::Level(2)));
    by_key.begin_measuring(0);
    let mut figures = Figures::default();
    by_key.figures(0, &mut figures);
    assert_eq!(figures.get(&REFUSED), Some(&Value::Count(0)));
}

#[test]
fn forgetting_changes_no_answer_and_keeps_few() {
    let texts = [
        "{token_bucket: {rate: 2/s, burst: 3}, by: key}",
        "{fixed_window: {limit: 2, window: 1s}, by: key}",
        "{sliding_log: {limit: 2, window: 1s}, by: key}",
        "{sliding_counter: {limit: 2, window: 500ms}, by: key}",
    ];
    for text in texts {
        let mut stream = Stream::named(4, text);
        let mut gate = gate(text);
        // The obvious way: a limiter for every key that there ever was.
        let mut limiters: BTreeMap<u64, Limiter> = BTreeMap::new();
        let Sort::Refuses(bound) = gate.settings.limit.sort() else { panic!("{text} refuses") };
        let (mut now, mut most, mut no) = (0, 0, 0);
        for call in 0..60_000 {
            now += stream.below(2 * MS);
            // Fresh keys all the time, in order and not, and some that come again and again.
            let key = match stream.below(3) {
                0 => stream.next_u64(),
                1 => 1 << 32 | u64::from(call),
                _ => stream.below(300),
            };
            let expected = limiters.entry(key).or_insert_with(|| Limiter::new(bound)).take(now);
            no += u32::from(expected.is_err());
            let expected = expected.map_or_else(refused, |()| PASS);
            assert_eq!(ask(&mut gate, now, call, 0, key), expected, "{text}, call {call}");
            most = most.max(gate.meters.len());
        }
        let in_use = limiters.values().filter(|limiter| !limiter.is_fresh(now)).count();
        assert!(limiters.len() > 40_000 && no > 300, "{text}: {} keys, {no} refused", limiters.len());
        assert!(most < 3 * in_use + 4, "{text}: {most} kept, {in_use} in use");
    }
}

#[test]
fn those_who_wait_pass_one_after_the_other() {
    let mut gate = gate("{leaky_bucket: {rate: 10/s, queue: 2}}");
    let asked = [0, 1, 2, 3].map(|id| ask(&mut gate, 0, id, 0, u64::from(id)));
    assert_eq!(asked, [PASS, Verdict::Wait, Verdict::Wait, refused(100 * MS)]);
    assert_eq!((gate.due(), gate.next(99 * MS)), (Some(100 * MS), None));
    assert_eq!(gate.next(100 * MS), Some((1, Ok(Permit(0)))));
    assert_eq!((gate.due(), gate.next(100 * MS)), (Some(200 * MS), None));
    gate.leave(150 * MS, 2);
    assert_eq!(gate.due(), None);
    assert_eq!(ask(&mut gate, 150 * MS, 4, 0, 0), Verdict::Wait);
    assert_eq!(gate.next(200 * MS), Some((4, Ok(Permit(0)))));
    let mut figures = Figures::default();
    gate.figures(0, &mut figures);
    assert_eq!(figures.get(&REFUSED), Some(&Value::Count(1)));
    assert_eq!(figures.get(&DELAYED), Some(&Value::Count(2)));
    assert_eq!(figures.get(&WAIT), Some(&Value::Ratio { part: 150 * u128::from(MS), whole: 2 }));
}

#[test]
fn other_settings_move_the_queue_or_let_it_go() {
    let mut slower = gate("{leaky_bucket: {rate: 10/s, queue: 4}, by: key}");
    for (id, key) in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2)] {
        ask(&mut slower, 0, id, 0, key);
    }
    assert_eq!(slower.due(), Some(100 * MS));
    slower.adopt(50 * MS, &settings("{leaky_bucket: {rate: 1/s, queue: 1}, by: key}"));
    assert_eq!((slower.due(), slower.next(549 * MS)), (Some(550 * MS), None));
    assert_eq!([slower.next(550 * MS), slower.next(550 * MS)], [Some((1, Ok(Permit(0)))), Some((3, Ok(Permit(0))))]);
    // Two may not wait any more, but who waits already stays.
    assert_eq!(slower.due(), Some(1_550 * MS));
    let mut gone = slower.clone();
    slower.adopt(600 * MS, &settings("{token_bucket: {rate: 1/s}, by: key}"));
    assert_eq!((slower.due(), slower.next(600 * MS), slower.next(600 * MS)), (Some(0), Some((4, Ok(Permit(0)))), None));
    assert_eq!(ask(&mut slower, 600 * MS, 9, 0, 2), PASS);
    gone.adopt(600 * MS, &settings("{leaky_bucket: {rate: 1/s, queue: 1}}"));
    gone.leave(600 * MS, 4);
    assert_eq!((gone.due(), gone.next(600 * MS)), (None, None));
    // After a crash nobody waits, and nothing has passed.
    let mut crashed = gate("{leaky_bucket: {rate: 10/s, queue: 4}}");
    assert_eq!([0, 1, 2].map(|id| ask(&mut crashed, 0, id, 0, 0)), [PASS, Verdict::Wait, Verdict::Wait]);
    crashed.rebuild(10 * MS);
    assert_eq!((crashed.due(), crashed.next(SECOND)), (None, None));
    assert_eq!(ask(&mut crashed, 10 * MS, 1, 0, 0), PASS);
}

#[test]
fn queues_of_many_keys_agree_with_lists() {
    let mut stream = Stream::named(6, "queues");
    let (interval, queue, keys) = (50, 3, 8);
    let mut gate = gate("{leaky_bucket: {rate: 20M/s, queue: 3}, by: key}");
    // For each key: when the next may pass, and who waits.
    let mut twin: Vec<(Time, Vec<u32>)> = vec![(0, Vec::new()); keys];
    let (mut now, mut passed, mut no) = (0, 0, 0);
    for id in 0..30_000 {
        let then = now + stream.below(15);
        loop {
            // Of those that are due, the earliest; at one instant, the lowest key.
            let waits = |(next_at, line): &(Time, Vec<u32>)| (!line.is_empty()).then_some(*next_at);
            let due = twin.iter().enumerate().filter_map(|(key, state)| Some((waits(state)?, key))).min();
            assert_eq!(gate.due(), due.map(|(at, _)| at));
            let Some((at, key)) = due.filter(|(at, _)| *at <= then) else { break };
            let first = twin[key].1.remove(0);
            twin[key].0 = at + interval;
            assert_eq!(gate.next(at), Some((first, Ok(Permit(0)))));
            passed += 1;
        }
        now = then;
        assert_eq!(gate.next(now), None);
        let key = stream.below(keys as u64);
        let (next_at, line) = &mut twin[key as usize];
        if stream.below(5) == 0 && !line.is_empty() {
            gate.leave(now, line.remove(stream.below(line.len() as u64) as usize));
        }
        let expected = if line.is_empty() && *next_at <= now {
            *next_at = now + interval;
            PASS
        } else if line.len() < queue {
            line.push(id);
            Verdict::Wait
        } else {
            no += 1;
            refused(*next_at - now)
        };
        assert_eq!(ask(&mut gate, now, id, 0, key), expected, "call {id}");
    }
    assert!(passed > 2_000 && no > 500, "{passed} waited, {no} refused");
    let waiting: usize = twin.iter().map(|(_, line)| line.len()).sum();
    assert_eq!(gate.waiting.len(), waiting);
}
