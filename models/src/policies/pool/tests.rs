//! The pool on traces, step by step.

use super::*;
use sim_core::slots::Admission;

const S: Span = 1_000_000_000;

fn peer(number: u32) -> (Peer, u32) {
    (
        Peer { node: NodeId(number), path: 0, number, epoch: 0, closes_after: Span::MAX, life: Span::MAX, rtt: 0 },
        NO_CONNECTION,
    )
}

/// A pool with its one part, and the connections that are open from the start.
fn pool(text: &str) -> Pool {
    let mut pool = Pool::new(&settings::notation::read(text).expect("a pool"));
    let part = pool.part(None, 0);
    (0..pool.kept()).for_each(|number| pool.keep_open(0, part, peer(number), 1.0));
    pool
}

fn take(pool: &mut Pool, now: Time) -> Option<u32> {
    pool.take(now, 0, |_, _| false)
}

#[test]
fn connections_are_open_at_the_start_and_are_reused() {
    let mut pool = pool("{size: 2}");
    assert_eq!(pool.slots(0).ask(0, 1, 0), Admission::Granted);
    assert!(take(&mut pool, 0).is_some());
    assert_eq!(pool.slots(0).ask(0, 2, 0), Admission::Granted);
    assert_eq!(pool.slots(0).ask(0, 3, 0), Admission::Queued);
    assert_eq!(pool.idle(0, 0), 1);
}

#[test]
fn a_connection_that_was_closed_must_be_opened_again() {
    let mut pool = pool("{size: 1}");
    let first = take(&mut pool, 0).expect("it is open");
    // Its caller gives up.
    pool.give_back(S, first, false);
    assert_eq!(take(&mut pool, S), None);
    let second = pool.open(S, 0, peer(7), S, 1.0);
    pool.give_back(2 * S, second, true);
    assert_eq!(take(&mut pool, 2 * S), Some(second));
    assert_eq!((pool.peer(second), pool.opened), (peer(7).0, 1));
}

#[test]
fn what_the_other_side_has_closed_is_passed_over() {
    let mut pool = pool("{size: 3}");
    let found = pool.take(0, 0, |peer, _| peer.number != 0).expect("one is open");
    assert_eq!(pool.peer(found).number, 0);
    assert_eq!(pool.idle(0, 0), 0);
}

#[test]
fn old_and_idle_connections_are_closed() {
    let mut old = pool("{size: 3, max_lifetime: 10s}");
    let one = take(&mut old, 9 * S).expect("it is open");
    old.give_back(10 * S, one, true);
    assert_eq!(old.idle(10 * S, 0), 0);
    let mut idle = pool("{size: 3, min_idle: 1, idle_timeout: 10s}");
    assert_eq!(idle.idle(0, 0), 1);
    let opened: Vec<u32> = (0..2).map(|number| idle.open(S, 0, peer(number), S, 1.0)).collect();
    opened.into_iter().for_each(|id| idle.give_back(S, id, true));
    assert_eq!(idle.idle(10 * S, 0), 2);
    assert_eq!(idle.idle(11 * S, 0), 1);
    assert_eq!(pool("{size: 3, idle_timeout: 10s}").idle(0, 0), 0);
}

#[test]
fn lives_are_shorter_by_up_to_the_jitter() {
    let mut pool = Pool::new(&settings::notation::read("{size: 9, max_lifetime: 100s, jitter: 10%}").expect("a pool"));
    let part = pool.part(None, 0);
    [0.0, 0.5, 1.0].into_iter().for_each(|share| pool.keep_open(0, part, peer(0), share));
    let left = [89 * S, 90 * S, 94 * S, 95 * S, 99 * S, 100 * S].map(|now| pool.idle(now, part));
    assert_eq!(left, [3, 2, 2, 1, 1, 0]);
}

#[test]
fn calls_share_a_connection() {
    let mut pool = pool("{size: 2, streams: 3, min_idle: 0}");
    assert_eq!(pool.slots(0).capacity(), Some(6));
    let first = pool.open(0, 0, peer(1), S, 1.0);
    // Those who come while it is being opened wait for it rather than open another.
    assert_eq!([take(&mut pool, 0), take(&mut pool, 0), take(&mut pool, 0)], [Some(first), Some(first), None]);
    assert_eq!(pool.opened_at(first), S);
    let second = pool.open(0, 0, peer(2), S, 1.0);
    pool.give_back(2 * S, first, true);
    assert_eq!(take(&mut pool, 2 * S), Some(first));
    // It breaks: nobody else gets it, and it is gone with the last of its calls.
    pool.give_back(3 * S, first, false);
    assert_eq!(take(&mut pool, 3 * S), Some(second));
    pool.give_back(3 * S, first, false);
    pool.give_back(3 * S, first, true);
    assert_eq!(pool.idle(3 * S, 0), 1);
    assert_eq!(pool.connections.len(), 1);
}

#[test]
fn each_replica_has_connections_of_its_own() {
    let mut pool = Pool::new(&settings::notation::read("{size: 1, per: target}").expect("a pool"));
    let (one, other) = (pool.part(Some(3), 0), pool.part(Some(5), 0));
    assert_eq!((one, other, pool.part(Some(3), 9)), (0, 1, 0));
    assert_eq!(pool.slots(one).ask(0, 1, 0), Admission::Granted);
    assert_eq!(pool.slots(other).ask(0, 2, 0), Admission::Granted);
    assert_eq!(pool.slots(other).ask(0, 3, 0), Admission::Queued);
}

#[test]
fn it_agrees_with_a_list_that_is_searched() {
    use sim_core::random::Stream;
    let all = [
        "{size: 5}",
        "{size: 5, max_lifetime: 10s}",
        "{size: 5, min_idle: 2, idle_timeout: 3s}",
        "{size: 6, min_idle: 1, idle_timeout: 2s, max_lifetime: 7s}",
        "{size: 6, idle_timeout: 2s}",
    ];
    for text in all {
        let settings: PoolSettings = settings::notation::read(text).expect("a pool");
        let mut pool = pool(text);
        let mut stream = Stream::named(5, text);
        // The obvious way: what is idle with its instants, what is in use with its own.
        let kept = settings.min_idle() as usize;
        let mut idle: Vec<(Time, Time)> = vec![(0, 0); kept];
        let (mut in_use, mut now, mut opened): (Vec<(u32, Time)>, Time, u64) = (Vec::new(), 0, 0);
        for step in 0..5_000 {
            now += stream.below(S);
            idle.retain(|(_, opened)| settings.max_lifetime.is_none_or(|most| now - opened < most.0));
            while let (Some(most), Some((since, _))) = (settings.idle_timeout, idle.first())
                && idle.len() > kept
                && now - since >= most.0
            {
                idle.remove(0);
            }
            assert_eq!(pool.idle(now, 0), idle.len(), "{text}, step {step}");
            if in_use.len() < settings.size as usize && stream.below(2) == 0 {
                let expected = idle.pop().map(|(_, opened)| opened);
                let found = take(&mut pool, now);
                assert_eq!(found.map(|id| pool.opened_at(id)), expected, "{text}, step {step}");
                opened += u64::from(found.is_none());
                let id = found.unwrap_or_else(|| pool.open(now, 0, peer(0), now, 1.0));
                in_use.push((id, expected.unwrap_or(now)));
            } else if !in_use.is_empty() {
                let (id, opened) = in_use.swap_remove(stream.below(in_use.len() as u64) as usize);
                // One in four is closed by a caller who gave up.
                let is_good = stream.below(4) > 0;
                pool.give_back(now, id, is_good);
                if is_good && settings.max_lifetime.is_none_or(|most| now - opened < most.0) {
                    idle.push((now, opened));
                }
            }
        }
        assert_eq!(pool.opened, opened, "{text}");
    }
}

/// A call that is sent when the other side has closed the connection, and word of that has not come, is reset: within a round trip before
/// that word is there.
#[test]
fn what_the_other_side_closes_while_a_call_is_on_its_way_is_reset() {
    let mut pool = pool("{size: 1, min_idle: 0, idle_timeout: 60s}");
    let (peer, line) = peer(3);
    let peer = Peer { closes_after: 5 * S, rtt: S / 10, epoch: 7, ..peer };
    let used = |pool: &mut Pool, at: Time| {
        let id = take(pool, at)?;
        let epoch = pool.peer(id).epoch;
        pool.give_back(at, id, true);
        Some(epoch)
    };
    let id = pool.open(0, 0, (peer, line), 0, 1.0);
    pool.give_back(0, id, true);
    // Idle for less than 5 s less a round trip, each time.
    assert_eq!([used(&mut pool, 4 * S), used(&mut pool, 8 * S)], [Some(7), Some(7)]);
    // The other side closes it while the call is under way.
    assert_eq!(used(&mut pool, 13 * S - S / 20), Some(6));
    let id = pool.open(20 * S, 0, (peer, line), 20 * S, 1.0);
    pool.give_back(20 * S, id, true);
    // Word of that has come.
    let fresh = |pool: &mut Pool, at: Time| take(pool, at).map(|id| pool.peer(id).epoch);
    assert_eq!(fresh(&mut pool, 26 * S), None);
}

#[test]
fn what_the_other_side_closes_at_an_age_lives_no_longer() {
    let mut pool = pool("{size: 1, min_idle: 0, max_lifetime: 1h}");
    let (peer, line) = peer(3);
    let id = pool.open(0, 0, (Peer { life: 10 * S, ..peer }, line), 0, 1.0);
    pool.give_back(9 * S, id, true);
    // A call that is under way is not disturbed.
    assert_eq!(take(&mut pool, 9 * S), Some(id));
    pool.give_back(11 * S, id, true);
    assert_eq!(take(&mut pool, 11 * S), None);
}
