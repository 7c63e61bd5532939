//! The line against an obvious list, and CoDel against the trace of folly's own test.

use super::*;
use proptest::prelude::*;

/// All calls in one list in the order of joining; every query scans the whole list.
#[derive(Clone, Debug, Default)]
struct Slow {
    waiting: Vec<SlowPlace>,
    occupied_since: Time,
}

#[derive(Clone, Copy, Debug)]
struct SlowPlace {
    call: u32,
    priority: u8,
    since: Time,
    until: Option<Time>,
}

impl Slow {
    fn push(&mut self, now: Time, call: u32, priority: u8, until: Option<Time>) {
        if self.waiting.is_empty() {
            self.occupied_since = now;
        }
        self.waiting.push(SlowPlace { call, priority, since: now, until });
    }

    fn next(&self, now: Time, discipline: Discipline) -> Option<usize> {
        let last = self.waiting.len().checked_sub(1)?;
        let takes_last = match discipline {
            Discipline::Fifo | Discipline::Codel { .. } => false,
            Discipline::Lifo => true,
            Discipline::AdaptiveLifo { persists } => now - self.occupied_since > persists,
            Discipline::Priority => {
                let lowest = self.waiting.iter().map(|place| place.priority).min()?;
                return self.waiting.iter().position(|place| place.priority == lowest);
            }
        };
        let head_is_late = self.waiting[0].until.is_some_and(|until| until < now);
        Some(if takes_last && !head_is_late { last } else { 0 })
    }

    fn pop(&mut self, now: Time, discipline: Discipline, codel: &mut Codel, dropped: &mut Vec<u32>) -> Option<Popped> {
        while let Some(at) = self.next(now, discipline) {
            let place = self.waiting.remove(at);
            let waited = now - place.since;
            let late = place.until.is_some_and(|until| until < now);
            if late || (matches!(discipline, Discipline::Codel { .. }) && codel.turns_away(now, waited)) {
                dropped.push(place.call);
                continue;
            }
            return Some(Popped { call: place.call, waited });
        }
        None
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join { many: usize, priority: u8, patience: Option<Span> },
    PutBack(u8),
    Pop(usize),
    LeaveAt(prop::sample::Index),
    LeaveMost,
    LeaveUnknown,
    Pass(Span),
    Change(Discipline),
}

fn discipline() -> impl Strategy<Value = Discipline> {
    prop::sample::select(vec![
        Discipline::Fifo,
        Discipline::Lifo,
        Discipline::AdaptiveLifo { persists: 40 },
        Discipline::Priority,
        Discipline::Codel { target: 5, interval: 30 },
    ])
}

fn step() -> impl Strategy<Value = Step> {
    let patience = prop::option::weighted(0.2, 0u64..60);
    prop_oneof![
        8 => (1usize..40, 0u8..4, patience).prop_map(|(many, priority, patience)| Step::Join { many, priority, patience }),
        1 => (0u8..4).prop_map(Step::PutBack),
        8 => (1usize..30).prop_map(Step::Pop),
        5 => any::<prop::sample::Index>().prop_map(Step::LeaveAt),
        1 => Just(Step::LeaveMost),
        1 => Just(Step::LeaveUnknown),
        6 => (0u64..40).prop_map(Step::Pass),
        1 => discipline().prop_map(Step::Change),
    ]
}

proptest! {
    #[test]
    fn calls_leave_as_from_an_obvious_list(
        first in discipline(),
        max in prop::option::of(0u32..400),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut discipline = first;
        let mut line = Line::new(discipline, max);
        let mut slow = Slow::default();
        let mut codel = codel_of(discipline);
        let (mut now, mut call) = (0, 0);
        for step in steps {
            match step {
                Step::Join { many, priority, patience } => {
                    for _ in 0..many {
                        call += 1;
                        let until = patience.map(|patience| now + patience);
                        let full = max.is_some_and(|max| slow.waiting.len() >= max as usize);
                        prop_assert_eq!(line.push_until(now, call, priority, until), if full { Err(Full) } else { Ok(()) });
                        if !full {
                            slow.push(now, call, priority, until);
                        }
                        now += u64::from(call % 7 == 0);
                    }
                }
                Step::PutBack(priority) if discipline == Discipline::Priority => {
                    call += 1;
                    line.put_back(now, call, priority);
                    slow.push(now, call, priority, None);
                    let place = slow.waiting.pop();
                    slow.waiting.splice(0..0, place);
                }
                Step::Pop(times) => {
                    for _ in 0..times {
                        let (mut dropped, mut expected) = (Vec::new(), Vec::new());
                        let popped = line.pop(now, &mut dropped);
                        prop_assert_eq!(popped, slow.pop(now, discipline, &mut codel, &mut expected));
                        prop_assert_eq!(dropped, expected);
                    }
                }
                Step::LeaveAt(index) if !slow.waiting.is_empty() => {
                    let place = slow.waiting.remove(index.index(slow.waiting.len()));
                    prop_assert!(line.remove(place.call));
                    prop_assert!(!line.remove(place.call));
                }
                Step::LeaveMost => {
                    let stays = |place: &SlowPlace| place.call.is_multiple_of(5);
                    for place in slow.waiting.iter().filter(|place| !stays(place)) {
                        prop_assert!(line.remove(place.call));
                    }
                    slow.waiting.retain(stays);
                }
                Step::LeaveUnknown => prop_assert!(!line.remove(call + 1)),
                Step::Pass(span) => now += span,
                Step::Change(to) if to != discipline => {
                    // Calls that were put back lose their place in front of their equals, because there are no
                    // priorities any more.
                    slow.waiting.sort_by_key(|place| if discipline == Discipline::Priority {
                        (place.since, place.priority)
                    } else {
                        (place.since, 0)
                    });
                    line.set_discipline(to);
                    discipline = to;
                    codel = codel_of(to);
                    let order: Vec<u32> = line.calls().collect();
                    slow.waiting.sort_by_key(|place| order.iter().position(|&call| call == place.call));
                }
                Step::PutBack(_) | Step::LeaveAt(_) | Step::Change(_) => {}
            }
            prop_assert_eq!(line.len(), slow.waiting.len());
            prop_assert_eq!(line.oldest_since(), slow.waiting.iter().map(|place| place.since).min());
            if discipline == Discipline::Priority {
                prop_assert_eq!(line.first_priority(), slow.waiting.iter().map(|place| place.priority).min());
            }
        }
        let mut calls = line.clear();
        calls.sort_unstable();
        let mut expected: Vec<u32> = slow.waiting.iter().map(|place| place.call).collect();
        expected.sort_unstable();
        prop_assert_eq!(calls, expected);
        prop_assert!(line.is_empty() && line.oldest_since().is_none());
    }
}

#[test]
fn codel_follows_the_trace_of_follys_own_test() {
    let mut codel = Codel::new(5 * MILLISECOND, 100 * MILLISECOND);
    // (instant, wait, rejected), in milliseconds since creation. The first five are folly's.
    let trace = [
        (110, 100, false), // the very first request closes no interval
        (200, 50, false),  // closes the first one, whose minimum wait was 100 ms
        (200, 50, true),
        (310, 2, false),  // closes the second one
        (400, 20, true),  // its minimum wait was 50 ms, and 20 ms is more than twice the target
        (411, 20, false), // closes the third one
        (420, 20, false), // its minimum wait was 2 ms
        (511, 1, false),  // the last instant of the fourth one
        (512, 20, false), // closes it
        (513, 20, false), // its minimum wait was 1 ms
    ];
    for (at, waited, turned_away) in trace {
        assert_eq!(codel.turns_away(at * MILLISECOND, waited * MILLISECOND), turned_away, "at {at} ms");
    }
}

/// A call that need not wait closes an interval and lowers its minimum wait; the other disciplines ignore it.
#[test]
fn codel_takes_note_of_those_who_are_served_at_once() {
    for (somebody_passes, turned_away) in [(false, 1), (true, 0)] {
        let mut line = Line::new(Discipline::CODEL, None);
        let mut dropped = Vec::new();
        // Waits of 50 ms in the first interval, and in the second one call that waits more than twice the target.
        for (number, at) in [(0, 0), (1, 110), (2, 230), (3, 240)] {
            let at = at * MILLISECOND;
            if somebody_passes && number == 2 {
                line.pass_by(at - 10 * MILLISECOND);
            }
            assert_eq!(line.push(at, number, 0), Ok(()));
            line.pop(at + 50 * MILLISECOND, &mut dropped);
        }
        assert_eq!(dropped.len(), turned_away, "{somebody_passes}");
    }
    let mut line = Line::new(Discipline::Lifo, None);
    line.pass_by(5);
    assert!(line.is_empty() && !line.codel.is_overloaded());
}

#[test]
fn codel_spares_a_burst_and_sheds_a_standing_queue() {
    // One server, 10 ms per request. Five every 200 ms are bursts that drain; ten every 50 ms are twice the capacity.
    for (burst, every, sheds) in [(5u32, 200, false), (10, 50, true)] {
        let mut line = Line::new(Discipline::CODEL, None);
        let mut dropped = Vec::new();
        let mut waits = Vec::new();
        for step in 0..1000u64 {
            let now = step * 10 * MILLISECOND;
            if (step * 10) % every == 0 {
                for number in 0..burst {
                    assert_eq!(line.push(now, step as u32 * 100 + number, 2), Ok(()));
                }
            }
            if now == 1000 * MILLISECOND {
                // The first interval begins with the second request, which had to wait.
                dropped.clear();
            }
            waits.extend(line.pop(now, &mut dropped).map(|popped| popped.waited));
        }
        assert_eq!(!dropped.is_empty(), sheds);
        // Without shedding, the wait would have grown to five seconds.
        let tail = &waits[waits.len() / 2..];
        assert!(tail.iter().all(|&waited| waited <= 210 * MILLISECOND));
    }
}

#[test]
fn adaptive_lifo_turns_to_the_newest_when_the_queue_persists() {
    let mut line = Line::new(Discipline::ADAPTIVE_LIFO, None);
    let next = |line: &mut Line, at: u64| line.pop(at * MILLISECOND, &mut Vec::new()).map(|popped| popped.call);
    for call in 0..6 {
        assert_eq!(line.push(u64::from(call) * MILLISECOND, call, 2), Ok(()));
    }
    assert_eq!(next(&mut line, 50), Some(0));
    assert_eq!(next(&mut line, 100), Some(1));
    assert_eq!(next(&mut line, 101), Some(5));
    assert_eq!(next(&mut line, 102), Some(4));
    assert_eq!((next(&mut line, 103), next(&mut line, 103), next(&mut line, 103)), (Some(3), Some(2), None));
    // The line was empty, so it is first come, first served again.
    assert_eq!(line.push(104 * MILLISECOND, 6, 2), Ok(()));
    assert_eq!(line.push(105 * MILLISECOND, 7, 2), Ok(()));
    assert_eq!(next(&mut line, 110), Some(6));
}

#[test]
fn preempted_work_goes_before_its_equals_and_after_its_betters() {
    let mut line = Line::new(Discipline::Priority, Some(3));
    assert_eq!(line.push(1, 10, 2), Ok(()));
    assert_eq!(line.push(2, 11, 2), Ok(()));
    assert_eq!(line.push(3, 12, 0), Ok(()));
    assert_eq!(line.push(4, 13, 0), Err(Full));
    line.put_back(5, 9, 2);
    assert_eq!(line.first_priority(), Some(0));
    let order: Vec<u32> = std::iter::from_fn(|| line.pop(9, &mut Vec::new())).map(|popped| popped.call).collect();
    assert_eq!(order, [12, 9, 10, 11]);
}

#[test]
fn who_has_waited_exactly_as_long_as_allowed_is_served() {
    let mut line = Line::new(Discipline::Fifo, None);
    for call in 0..3 {
        assert_eq!(line.push_until(0, call, 2, Some(10)), Ok(()));
    }
    let mut dropped = Vec::new();
    assert_eq!(line.pop(10, &mut dropped), Some(Popped { call: 0, waited: 10 }));
    assert_eq!((line.pop(11, &mut dropped), dropped), (None, vec![1, 2]));
    assert!(line.is_empty());
}

#[test]
fn nobody_may_wait_where_no_place_is_given() {
    let mut line = Line::new(Discipline::Fifo, Some(0));
    assert_eq!(line.push(0, 1, 0), Err(Full));
    assert_eq!(line.pop(0, &mut Vec::new()), None);
}

#[test]
fn leaving_from_deep_in_a_long_line_costs_no_search() {
    let mut line = Line::new(Discipline::Fifo, None);
    let calls = 200_000;
    for call in 0..calls {
        assert_eq!(line.push(u64::from(call), call, 2), Ok(()));
    }
    // Quadratic work would take minutes here.
    for call in (0..calls).rev().filter(|call| call % 10 != 0) {
        assert!(line.remove(call));
    }
    assert_eq!(line.len(), 20_000);
    assert!(line.calls().eq((0..calls).step_by(10)));
}

#[test]
fn a_place_is_sixteen_bytes() {
    assert_eq!(size_of::<Place>(), 16);
}
