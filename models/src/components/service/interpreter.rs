//! The lock of an interpreter: who may run code, who waits for that, and when somebody asks for it.
//!
//! As CPython's `take_gil` and `drop_gil` (Python/ceval_gil.c): a thread that finds the lock taken waits for one interval; if
//! the lock has not changed hands in that time it asks for it, and waits for the next interval. The thread that has it gives
//! it back when it is asked to, and whenever it waits for something. Waiters sleep on a condition, in the order in which they
//! began their current interval; the first of them is woken, not the one that asked.

use std::collections::BTreeMap;

use sim_core::calendar::TimerId;
use sim_core::gauge::Gauge;
use sim_core::{Span, Time};

/// The place of one who waits.
pub(super) type Place = (Span, u64);

/// An interpreter.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    interval: Span,
    holder: Option<u32>,
    /// When the lock changed hands, or when the first of those who wait came, whichever was later.
    since: Time,
    /// How many had begun to wait by then.
    before: u64,
    /// Who waits and since when, by where in an interval they began to.
    waiting: BTreeMap<Place, (u32, Time)>,
    places: u64,
    /// Somebody has asked for the lock while who has it could not give it back.
    pub(super) is_asked_for: bool,
    /// Goes off when somebody asks for the lock.
    pub(super) timer: Option<TimerId>,
    /// How many wait, over time.
    depth: Gauge,
}

impl Interpreter {
    pub(super) fn new(interval: Span) -> Interpreter {
        Interpreter {
            interval: interval.max(1),
            holder: None,
            since: 0,
            before: 0,
            waiting: BTreeMap::new(),
            places: 0,
            is_asked_for: false,
            timer: None,
            depth: Gauge::new(0, 0),
        }
    }

    pub(super) fn holder(&self) -> Option<u32> {
        self.holder
    }

    pub(super) fn over_time(&self) -> &Gauge {
        &self.depth
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.depth.reset(now);
    }

    /// Takes the lock if nobody has it.
    pub(super) fn take(&mut self, now: Time, who: u32) -> bool {
        if self.holder.is_some() {
            return false;
        }
        self.holder = Some(who);
        self.changed(now);
        true
    }

    /// Waits for it.
    pub(super) fn wait(&mut self, now: Time, who: u32) -> Place {
        if self.waiting.is_empty() {
            self.changed(now);
        }
        self.places += 1;
        let place = (now % self.interval, self.places);
        self.waiting.insert(place, (who, now));
        self.depth.up(now);
        place
    }

    /// No longer waits for it.
    pub(super) fn leave(&mut self, now: Time, place: Place) {
        if self.waiting.remove(&place).is_some() {
            self.depth.down(now);
        }
    }

    /// The lock is given back, and goes to the first of those who wait.
    pub(super) fn give(&mut self, now: Time) -> Option<u32> {
        self.holder = None;
        let place = self.first_after((now % self.interval, u64::MAX))?;
        self.holder = self.waiting.remove(&place).map(|(who, _)| who);
        self.changed(now);
        self.depth.down(now);
        self.holder
    }

    fn changed(&mut self, now: Time) {
        (self.since, self.before) = (now, self.places);
        self.is_asked_for = false;
    }

    /// When somebody asks for the lock.
    pub(super) fn asks_at(&self) -> Option<Time> {
        self.holder?;
        let phase = self.since % self.interval;
        let place = (phase, self.before + 1);
        let in_turn = self.waiting.range(place..).chain(self.waiting.range(..place));
        // Who came an interval later or more asks after all others.
        let (first, _) = in_turn.into_iter().find(|((_, number), (_, from))| {
            *number <= self.before || from.saturating_sub(self.since) < self.interval
        })?;
        // Who has waited for longer and began another interval just then did so before the lock changed hands.
        let began_before = first.0 == phase && first.1 <= self.before;
        let after = if began_before { self.interval } else { (first.0 + self.interval - phase) % self.interval };
        Some(self.since.saturating_add(self.interval).saturating_add(after))
    }

    /// Who ends an interval first from this place on.
    fn first_after(&self, place: Place) -> Option<Place> {
        self.waiting.range(place..).chain(self.waiting.range(..place)).next().map(|(place, _)| *place)
    }

    /// Everything is forgotten.
    pub(super) fn clear(&mut self, now: Time) {
        self.holder = None;
        self.waiting.clear();
        self.is_asked_for = false;
        self.timer = None;
        self.depth.set(now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_asks_after_an_interval_without_a_change_of_hands() {
        let mut lock = Interpreter::new(5);
        assert!(lock.take(0, 1));
        assert_eq!(lock.asks_at(), None);
        lock.wait(3, 2);
        assert_eq!(lock.asks_at(), Some(8));
        // Another comes later, and asks later.
        lock.wait(4, 3);
        assert_eq!(lock.asks_at(), Some(8));
        // Who asks is woken last.
        assert_eq!(lock.give(8), Some(3));
        // The next interval of 2 began at 8 before the lock changed hands, and the one after that ends at 18.
        assert_eq!(lock.asks_at(), Some(18));
        lock.wait(8, 1);
        assert_eq!(lock.asks_at(), Some(13));
        assert_eq!(lock.give(10), Some(2));
        // 1 began at 8: from 8 to 13 there was a change, from 13 to 18 none.
        assert_eq!(lock.asks_at(), Some(18));
        assert_eq!(lock.give(12), Some(1));
        assert_eq!(lock.give(13), None);
        assert!(lock.take(14, 4));
    }

    /// The same with a timer for each who waits, as the source has it.
    #[derive(Default)]
    struct Twin {
        holder: Option<u32>,
        switches: u64,
        /// Who, when the present interval ends, changes of hands at its beginning; in the order of their beginnings.
        waiting: Vec<(u32, Time, u64)>,
    }

    impl Twin {
        fn hold(&mut self, who: u32) {
            self.holder = Some(who);
            self.switches += 1;
        }

        /// What happens at an instant, before anything else: intervals end, and perhaps the lock is asked for.
        fn tick(&mut self, now: Time, interval: Span) -> bool {
            let mut asks = false;
            while let Some(at) = self.waiting.iter().position(|(_, ends, _)| *ends == now) {
                let (who, _, switches) = self.waiting.remove(at);
                asks |= switches == self.switches;
                self.waiting.push((who, now + interval, self.switches));
            }
            asks && self.holder.is_some()
        }
    }

    /// Threads that compute and wait at random, against the twin: who has the lock is the same at every instant.
    #[test]
    fn a_lock_is_what_a_timer_for_each_makes_of_it() {
        const INTERVAL: Span = 7;
        let mut random = 12345_u64;
        let mut draw = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..200 {
            let (mut lock, mut twin) = (Interpreter::new(INTERVAL), Twin::default());
            // When each thread wants the lock; how long the holder still computes.
            let mut wants: Vec<Option<Time>> = (0..5).map(|_| Some(1 + draw(20))).collect();
            let mut ends: Vec<Time> = vec![0; 5];
            let mut left: Vec<Span> = (0..5).map(|_| 1 + draw(25)).collect();
            for now in 1..400 {
                let asked = lock.asks_at() == Some(now);
                assert_eq!(asked, twin.tick(now, INTERVAL), "at {now}");
                let holder = lock.holder();
                let is_done = holder.is_some_and(|who| ends[who as usize] == now);
                if let Some(who) = holder.filter(|_| asked || is_done) {
                    let next = lock.give(now);
                    // The twin gives it to the thread whose current interval ends first.
                    let first = twin.waiting.iter().min_by_key(|(_, ends, _)| *ends).map(|(who, ..)| *who);
                    assert_eq!(next, first, "at {now}");
                    twin.holder = None;
                    if let Some(next) = next {
                        twin.waiting.retain(|(who, ..)| *who != next);
                        twin.hold(next);
                        ends[next as usize] = now + left[next as usize];
                    }
                    if is_done {
                        left[who as usize] = 1 + draw(25);
                        wants[who as usize] = Some(now + 1 + draw(15));
                    } else {
                        left[who as usize] = ends[who as usize] - now;
                        // It waits for the other to have taken it.
                        match lock.holder() {
                            None => {
                                assert!(lock.take(now, who));
                                twin.hold(who);
                                ends[who as usize] = now + left[who as usize];
                            }
                            Some(_) => {
                                lock.wait(now, who);
                                twin.waiting.push((who, now + INTERVAL, twin.switches));
                            }
                        }
                    }
                }
                for who in 0..5_u32 {
                    if wants[who as usize] != Some(now) {
                        continue;
                    }
                    wants[who as usize] = None;
                    if lock.take(now, who) {
                        twin.hold(who);
                        ends[who as usize] = now + left[who as usize];
                    } else {
                        lock.wait(now, who);
                        twin.waiting.push((who, now + INTERVAL, twin.switches));
                    }
                }
                assert_eq!(lock.holder(), twin.holder, "at {now}");
            }
        }
    }
}
