//! Limiters on traces that were worked out by hand, against slow twins, and against what theory says of them.

use super::*;
use sim_core::dist::Dist;
use sim_core::random::Stream;
use sim_core::time::{MILLISECOND as MS, SECOND};

/// Plays calls at these milliseconds; of a refused one, after how many nanoseconds to come again.
fn play(limiter: &mut Limiter, calls: &[(u64, Result<(), Span>)]) {
    for (index, (at, expected)) in calls.iter().enumerate() {
        assert_eq!(limiter.take(at * MS), *expected, "call {index} at {at} ms");
    }
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    let mut bucket = TokenBucket::new(10.0, 3).expect("a rate");
    assert_eq!([bucket.take(0), bucket.take(0), bucket.take(0)], [Ok(()); 3]);
    assert_eq!(bucket.take(0), Err(SECOND / 10));
    assert_eq!(bucket.take(SECOND / 10 - 1), Err(1));
    assert_eq!(bucket.take(SECOND / 10), Ok(()));
    assert_eq!(bucket.take(SECOND / 10), Err(SECOND / 10));
    // After a long rest it is full, and no fuller.
    let passed = (0..10).filter(|_| bucket.take(60 * SECOND).is_ok()).count();
    assert_eq!(passed, 3);
    assert!(matches!(Limiter::new(Bound::Tokens(0.0, 5)), Limiter::Shut));
}

#[test]
fn a_token_bucket_agrees_with_counting_tokens() {
    let mut stream = Stream::named(3, "bucket");
    let mut bucket = TokenBucket::new(8.0, 5).expect("a rate");
    // The obvious way: tokens in eighths of a nanosecond's worth, exactly.
    let (mut tokens, full, mut last) = (5 * SECOND, 5 * SECOND, 0);
    let mut now = 0;
    for _ in 0..5_000 {
        now += stream.below(SECOND / 5);
        tokens = (tokens + (now - last) * 8).min(full);
        last = now;
        let expected = if tokens >= SECOND { Ok(()) } else { Err((SECOND - tokens).div_ceil(8)) };
        if expected.is_ok() {
            tokens -= SECOND;
        }
        assert_eq!(bucket.take(now), expected);
    }
}

#[test]
fn a_rate_that_does_not_divide_a_second_is_kept() {
    let mut bucket = TokenBucket::new(3.0, 1).expect("a rate");
    let mut now = 0;
    for _ in 0..300 {
        assert_eq!(bucket.take(now), Ok(()));
        now += bucket.take(now).expect_err("one at a time");
    }
    // Each of the 300 waits is rounded up by less than a nanosecond.
    assert!((100 * SECOND..100 * SECOND + 300).contains(&now), "{now}");
    let mut leaky = LeakyBucket::new(3.0, 400);
    assert_eq!(leaky.offer(0, 0), Offer::Passes);
    assert!((1..=300).all(|call| leaky.offer(0, call) == Offer::Waits));
    for call in 1..=300 {
        let due = leaky.due().expect("calls wait");
        assert_eq!(due, (u64::from(call) * SECOND).div_ceil(3));
        assert!(leaky.pop(due - 1).is_none());
        assert_eq!(leaky.pop(due), Some(Popped { call, waited: due }));
    }
}

/// Kong @ 0045b672 `kong/plugins/rate-limiting/handler.lua`: the usage of the current period is read, a call is refused
/// when nothing remains, and counted only otherwise. Periods begin on the clock.
#[test]
fn a_fixed_window_as_in_kong() {
    let mut window = Limiter::new(Bound::Fixed(3, SECOND));
    let (ok, no) = (Ok(()), |ms: u64| Err(ms * MS));
    let calls = [
        (900, ok),
        (900, ok),
        (950, ok),
        (950, no(50)),
        (999, no(1)),
        // The edge: three more, six within 100 ms.
        (1_000, ok),
        (1_000, ok),
        (1_000, ok),
        (1_000, no(1_000)),
        (5_500, ok),
    ];
    play(&mut window, &calls);
}

/// The usual Redis script: `ZREMRANGEBYSCORE key 0 now-window`, refuse if `ZCARD` has reached the limit, else `ZADD`.
#[test]
fn a_sliding_log_as_in_redis() {
    let mut log = Limiter::new(Bound::Log(2, SECOND));
    let (ok, no) = (Ok(()), |ms: u64| Err(ms * MS));
    let calls = [(0, ok), (300, ok), (500, no(500)), (999, no(1)), (1_000, ok), (1_000, no(300)), (1_300, ok)];
    play(&mut log, &calls);
    // A lower limit waits until only one is left.
    log.adopt(1_400 * MS, Bound::Log(1, SECOND));
    play(&mut log, &[(1_400, no(900)), (2_299, no(1)), (2_300, ok)]);
}

/// Cloudflare, *How we built rate limiting capable of scaling to millions of domains*: 42 calls in the minute before, 18
/// in this one, 15 s old, are 42 × 45/60 + 18 = 49.5.
#[test]
fn a_sliding_counter_as_at_cloudflare() {
    let mut counter = Limiter::new(Bound::Counter(50, 60 * SECOND));
    assert!((0..42).all(|call| counter.take(call * SECOND).is_ok()));
    let now = 75 * SECOND;
    assert!((0..18).all(|_| counter.take(now).is_ok()));
    // One more would make 50.5. 42 × (60 − t)/60 + 19 ≤ 50 from t = 60 − 60 × 31/42 = 15.714 285 714… s on.
    assert_eq!(counter.take(now), Err(714_285_715));
    assert_eq!(counter.take(now + 714_285_714), Err(1));
    assert_eq!(counter.take(now + 714_285_715), Ok(()));
    // A full window: in the next one, half of it must be out of sight. With a limit of 1, all of it.
    let (ok, no) = (Ok(()), |ms: u64| Err(ms * MS));
    let mut two = Limiter::new(Bound::Counter(2, 10 * SECOND));
    play(&mut two, &[(0, ok), (0, ok), (1_000, no(14_000)), (14_999, no(1)), (15_000, ok), (15_000, no(5_000))]);
    let mut one = Limiter::new(Bound::Counter(1, 10 * SECOND));
    play(&mut one, &[(4_000, ok), (4_000, no(16_000)), (19_999, no(1)), (20_000, ok)]);
}

/// nginx @ 3f6f7824 `ngx_http_limit_req_module.c`, `ngx_http_limit_req_lookup` with rate=10r/s burst=2: the excess is 0,
/// 1, 2 and, for the fourth, 3 > 2: busy. `ngx_http_limit_req_account`: delays of excess/rate, 100 and 200 ms.
#[test]
fn a_leaky_bucket_as_in_nginx() {
    let mut bucket = LeakyBucket::new(10.0, 2);
    assert_eq!([0, 1, 2].map(|call| bucket.offer(0, call)), [Offer::Passes, Offer::Waits, Offer::Waits]);
    assert_eq!(bucket.offer(0, 3), Offer::Full(100 * MS));
    assert_eq!(bucket.due(), Some(100 * MS));
    assert_eq!(bucket.pop(100 * MS), Some(Popped { call: 1, waited: 100 * MS }));
    assert_eq!(bucket.pop(100 * MS), None);
    // 50 ms later the excess is 1.5 and one more makes 2.5 > 2. It falls to 1 at 200 ms.
    assert_eq!(bucket.offer(100 * MS, 4), Offer::Waits);
    assert_eq!(bucket.offer(150 * MS, 5), Offer::Full(50 * MS));
    // Who leaves makes room, and those behind move up.
    assert!(bucket.leave(2));
    assert_eq!(bucket.offer(150 * MS, 6), Offer::Waits);
    assert_eq!(bucket.pop(200 * MS), Some(Popped { call: 4, waited: 100 * MS }));
    assert_eq!(bucket.pop(300 * MS), Some(Popped { call: 6, waited: 150 * MS }));
    assert_eq!(bucket.due(), None);
    // Empty, but the interval is not over; then it is.
    assert_eq!(bucket.offer(399 * MS, 7), Offer::Waits);
    assert!(bucket.leave(7));
    assert_eq!(bucket.offer(400 * MS, 8), Offer::Passes);
    let mut spacer = LeakyBucket::new(10.0, 0);
    assert_eq!([spacer.offer(0, 0), spacer.offer(0, 1)], [Offer::Passes, Offer::Full(100 * MS)]);
    let mut shut = LeakyBucket::new(0.0, 1);
    assert_eq!([shut.offer(0, 0), shut.offer(0, 1)], [Offer::Waits, Offer::Full(0)]);
    assert_eq!(shut.due(), None);
}

/// The obvious limiter: it remembers when each call passed.
struct Twin {
    bound: Bound,
    passed: Vec<Time>,
}

impl Twin {
    fn may_pass(&self, now: Time) -> bool {
        let count = |of: &dyn Fn(Time) -> bool| self.passed.iter().filter(|at| of(**at)).count() as u64;
        match self.bound {
            Bound::Tokens(..) => unreachable!("it has a twin of its own"),
            Bound::Fixed(limit, window) => count(&|at| at / window == now / window) < limit.into(),
            Bound::Log(limit, window) => count(&|at| at + window > now) < limit.into(),
            Bound::Counter(limit, window) => {
                let before = count(&|at| at / window + 1 == now / window);
                let passed = count(&|at| at / window == now / window);
                before * (window - now % window) + (passed + 1) * window <= u64::from(limit) * window
            }
        }
    }

    /// Tries one instant after the other.
    fn take(&mut self, now: Time) -> Result<(), Span> {
        let wait = (0..).find(|wait| self.may_pass(now + wait)).expect("it passes at last");
        if wait > 0 {
            return Err(wait);
        }
        self.passed.push(now);
        Ok(())
    }
}

#[test]
fn windows_agree_with_a_list_of_calls() {
    let sorts: [fn(u32, Span) -> Bound; 3] = [Bound::Fixed, Bound::Log, Bound::Counter];
    for (index, sort) in sorts.into_iter().enumerate() {
        let mut stream = Stream::named(index as u64, "windows");
        let mut refused = 0;
        for _ in 0..40 {
            let (mut limit, window) = (1 + stream.below(12) as u32, 1 + stream.below(60));
            let mut limiter = Limiter::new(sort(limit, window));
            let mut twin = Twin { bound: sort(limit, window), passed: Vec::new() };
            let mut now = stream.below(1_000);
            for step in 0..400 {
                now += if stream.below(20) == 0 { stream.below(3 * window) } else { stream.below(window / 4 + 2) };
                if stream.below(60) == 0 {
                    limit = 1 + stream.below(12) as u32;
                    twin.bound = sort(limit, window);
                    limiter.adopt(now, twin.bound);
                }
                // Only what has passed in the last windows matters.
                twin.passed.retain(|at| at + 3 * window > now);
                let expected = twin.take(now);
                assert_eq!(limiter.take(now), expected, "{:?}, step {step}", twin.bound);
                if let Err(wait) = expected {
                    refused += 1;
                    let (mut early, mut later) = (limiter.clone(), limiter.clone());
                    assert!(early.take(now + wait - 1).is_err() && later.take(now + wait).is_ok());
                }
            }
        }
        assert!(refused > 2_000, "sort {index}: {refused}");
    }
}

#[test]
fn a_leaky_bucket_agrees_with_a_list_of_those_who_wait() {
    for (queue, name) in [(0, "none"), (1, "one"), (7, "some")] {
        let mut stream = Stream::named(5, name);
        let interval = 40;
        let mut bucket = LeakyBucket::new(1e9 / interval as f64, queue);
        let (mut waiting, mut next_at): (Vec<(u32, Time)>, Time) = (Vec::new(), 0);
        let mut now = 0;
        for call in 0..20_000 {
            let then = now + stream.below(70);
            // All that becomes due until then passes on time.
            while let Some((first, since)) = waiting.first().copied().filter(|_| next_at <= then) {
                assert_eq!(bucket.due(), Some(next_at));
                assert_eq!(bucket.pop(next_at), Some(Popped { call: first, waited: next_at - since }));
                waiting.remove(0);
                next_at += interval;
            }
            now = then;
            assert_eq!(bucket.pop(now), None);
            if stream.below(4) == 0 && !waiting.is_empty() {
                let (leaver, _) = waiting.remove(stream.below(waiting.len() as u64) as usize);
                assert!(bucket.leave(leaver));
            }
            let expected = if waiting.is_empty() && next_at <= now {
                next_at = now + interval;
                Offer::Passes
            } else if waiting.len() < queue as usize {
                waiting.push((call, now));
                Offer::Waits
            } else {
                Offer::Full(next_at - now)
            };
            assert_eq!(bucket.offer(now, call), expected, "queue {queue}, call {call}");
        }
    }
}

#[test]
fn other_bounds_keep_what_has_passed() {
    // Three of four tokens are missing; at twice the rate they are back in half the time.
    let mut bucket = Limiter::new(Bound::Tokens(10.0, 4));
    assert!((0..3).all(|_| bucket.take(0).is_ok()));
    bucket.adopt(0, Bound::Tokens(20.0, 4));
    play(&mut bucket, &[(0, Ok(())), (0, Err(50 * MS)), (50, Ok(()))]);
    // A larger bucket: what is missing stays missing. A smaller one is empty at most.
    bucket.adopt(50 * MS, Bound::Tokens(20.0, 6));
    play(&mut bucket, &[(50, Ok(())), (50, Ok(())), (50, Err(50 * MS))]);
    bucket.adopt(50 * MS, Bound::Tokens(20.0, 1));
    play(&mut bucket, &[(50, Err(50 * MS)), (100, Ok(()))]);
    // Nothing passes at a rate of 0; whatever comes after that starts full.
    bucket.adopt(100 * MS, Bound::Tokens(0.0, 2));
    play(&mut bucket, &[(100, Err(0)), (90_000, Err(0))]);
    bucket.adopt(100 * MS, Bound::Tokens(1.0, 2));
    play(&mut bucket, &[(100, Ok(())), (100, Ok(())), (100, Err(SECOND))]);
    let mut window = Limiter::new(Bound::Fixed(2, SECOND));
    play(&mut window, &[(0, Ok(())), (0, Ok(())), (0, Err(SECOND))]);
    window.adopt(0, Bound::Fixed(3, SECOND));
    play(&mut window, &[(0, Ok(())), (0, Err(SECOND))]);
    window.adopt(0, Bound::Fixed(1, 2 * SECOND));
    play(&mut window, &[(0, Ok(())), (0, Err(2 * SECOND))]);
    // Half of an interval is left, and then half of the new one.
    let mut leaky = LeakyBucket::new(10.0, 2);
    assert_eq!([leaky.offer(0, 0), leaky.offer(0, 1)], [Offer::Passes, Offer::Waits]);
    leaky.adopt(50 * MS, 1.0, 2);
    assert_eq!(leaky.due(), Some(550 * MS));
}

#[test]
fn what_is_fresh_is_as_new() {
    let bounds = [Bound::Tokens(3.0, 4), Bound::Fixed(3, SECOND), Bound::Log(3, SECOND), Bound::Counter(3, SECOND)];
    for bound in bounds {
        let mut stream = Stream::named(8, "fresh");
        let (mut limiter, mut now, mut fresh) = (Limiter::new(bound), 0, 0);
        for _ in 0..3_000 {
            now += if stream.below(10) == 0 { stream.below(4 * SECOND) } else { stream.below(SECOND / 2) };
            if limiter.is_fresh(now) {
                fresh += 1;
                let (mut old, mut new) = (limiter.clone(), Limiter::new(bound));
                let mut then = now;
                for _ in 0..12 {
                    assert_eq!(old.take(then), new.take(then), "{bound:?}");
                    then += stream.below(SECOND / 2);
                }
            }
            // What this says was held to above.
            let _ = limiter.take(now);
        }
        assert!((50..2_000).contains(&fresh), "{bound:?}: {fresh}");
    }
}

/// The share of Poisson calls that a limiter refuses, and its standard error over this many runs.
fn refused(runs: u64, calls: u64, rate_per_s: f64, bound: Bound) -> (f64, f64) {
    let gap = Dist::exp(1e9 / rate_per_s).expect("a mean");
    let shares: Vec<f64> = (0..runs)
        .map(|run| {
            let mut stream = Stream::named(run, "poisson");
            let (mut limiter, mut now, mut refused) = (Limiter::new(bound), 0, 0_u64);
            // The first tenth is not counted: the limiter starts unused.
            for call in 0..calls + calls / 10 {
                now += gap.sample_span(&mut stream);
                refused += u64::from(limiter.take(now).is_err() && call >= calls / 10);
            }
            refused as f64 / calls as f64
        })
        .collect();
    let n = runs as f64;
    let mean = shares.iter().sum::<f64>() / n;
    let variance = shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Loss of M/D/1 with room for `places`: 1 − 1/(π₀ + ρ), π being the numbers left behind by departures.
fn loss_of_m_d_1(load: f64, places: usize) -> f64 {
    // How many arrive during a service, and what is left behind after it, until that no longer changes.
    let mut arrivals = vec![libm::exp(-load)];
    for j in 1..places {
        arrivals.push(arrivals[j - 1] * load / j as f64);
    }
    let mut left = vec![1.0 / places as f64; places];
    for _ in 0..20_000 {
        let mut next = vec![0.0; places];
        for (i, share) in left.iter().enumerate() {
            let from = i.saturating_sub(1);
            let mut rest = 1.0;
            for j in from..places - 1 {
                next[j] += share * arrivals[j - from];
                rest -= arrivals[j - from];
            }
            next[places - 1] += share * rest;
        }
        left = next;
    }
    1.0 - 1.0 / (left[0] + load)
}

/// Loss of M/G/n/n at `offered` erlangs.
fn erlang_b(offered: f64, servers: u32) -> f64 {
    (1..=servers).fold(1.0, |loss, n| offered * loss / (f64::from(n) + offered * loss))
}

/// A missing token is a customer in M/D/1, a call that is remembered one in M/D/n/n. Five standard errors of 300 runs
/// fail once in two million times by chance, for each of the six.
#[test]
fn poisson_calls_are_refused_as_often_as_theory_says() {
    let rate = 100.0;
    let systems = [
        (80.0, Bound::Tokens(rate, 1), loss_of_m_d_1(0.8, 1)),
        (90.0, Bound::Tokens(rate, 5), loss_of_m_d_1(0.9, 5)),
        (130.0, Bound::Tokens(rate, 20), loss_of_m_d_1(1.3, 20)),
        (80.0, Bound::Log(1, SECOND / 100), erlang_b(0.8, 1)),
        (90.0, Bound::Log(10, SECOND / 10), erlang_b(9.0, 10)),
        (130.0, Bound::Log(50, SECOND / 2), erlang_b(65.0, 50)),
    ];
    // M/D/1/1 is M/M/1/1, and at twice the load half is lost in the long run.
    assert!((loss_of_m_d_1(0.8, 1) - 0.8 / 1.8).abs() < 1e-12);
    assert!((loss_of_m_d_1(2.0, 40) - 0.5).abs() < 1e-9);
    assert!((erlang_b(9.0, 10) - 0.167_96).abs() < 1e-5);
    for (arrivals, bound, theory) in systems {
        let (share, error) = refused(300, 3_000, arrivals, bound);
        assert!((share - theory).abs() < 5.0 * error, "{bound:?} at {arrivals}/s: {share} ± {error}, not {theory}");
        assert!(error < 0.01 * theory, "{bound:?} at {arrivals}/s: ± {error} says too little");
    }
}

/// Three that count what the others let pass at once say what one that sees everything says, call for call.
#[test]
fn several_that_tell_one_another_are_one() {
    let mut stream = Stream::named(11, "shared limiters");
    let bounds = [
        Bound::Tokens(90.0, 5),
        Bound::Fixed(9, SECOND / 10),
        Bound::Log(9, SECOND / 10),
        Bound::Counter(9, SECOND / 10),
    ];
    for bound in bounds {
        let mut one = Limiter::new(bound);
        let mut three = [0; 3].map(|_| Limiter::new(bound));
        let (mut now, mut passed) = (0, 0);
        for _ in 0..20_000 {
            now += stream.below(SECOND / 60);
            let asked = stream.below(3) as usize;
            let verdict = three[asked].take(now);
            assert_eq!(verdict, one.take(now), "{bound:?} at {now}");
            if verdict.is_ok() {
                passed += 1;
                three.iter_mut().enumerate().filter(|(nth, _)| *nth != asked).for_each(|(_, other)| other.charge(now));
            }
        }
        assert!((5_000..19_000).contains(&passed), "{bound:?}: {passed}");
    }
}
