//! A bounded number of places and the line of those who wait for one.
//!
//! What a worker pool, a set of connections or a lock has in common: calls take a place or wait, a freed place goes to
//! the next in line, and both the places held and the line measure themselves. Places held for a caller who has given
//! up are told apart as wasted. Knows no engine: the caller says what time it is.

use crate::figures::{Figure, Figures, Set};
use crate::gauge::Gauge;
use crate::line::{Line, Popped};
use crate::time::Time;

/// What came of asking for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is a place; it is held from now on.
    Granted,
    /// It waits in the line.
    Queued,
    /// The line is full.
    Full,
}

/// Places and a line, with their gauges.
#[derive(Clone, Debug)]
#[repr(C)] // What each call needs lies together, at the beginning.
pub struct Slots {
    held: Gauge,
    waiting: Gauge,
    capacity: Option<u32>,
    /// Whether more places are held than there are, since their number was lowered.
    has_excess: bool,
    /// Whether the places do not count.
    is_retired: bool,
    /// Those who wait.
    pub line: Line,
    /// Places there are, those held in excess included.
    places: Gauge,
    wasted: u128,
    measured_from: Time,
}

impl Slots {
    /// So many places (`None`: no limit) and that line.
    pub fn new(capacity: Option<u32>, line: Line) -> Slots {
        Slots {
            capacity,
            places: Gauge::new(0, capacity.map_or(0, u64::from)),
            has_excess: false,
            is_retired: false,
            held: Gauge::new(0, 0),
            waiting: Gauge::new(0, 0),
            wasted: 0,
            measured_from: 0,
            line,
        }
    }

    /// Places there are; `None` where there is no limit.
    pub fn capacity(&self) -> Option<u32> {
        self.capacity
    }

    /// Changes the number of places; those held beyond it are given back in their own time.
    pub fn set_capacity(&mut self, now: Time, capacity: Option<u32>) {
        self.capacity = capacity;
        self.settle_places(now);
    }

    /// From now on the places do not count as places that there are.
    pub fn retire(&mut self, now: Time) {
        self.is_retired = true;
        self.settle_places(now);
    }

    /// Places that count; `None` where there is no limit.
    pub fn counted(&self) -> Option<u32> {
        if self.is_retired { Some(0) } else { self.capacity }
    }

    /// They count again.
    pub fn attend(&mut self, now: Time) {
        self.is_retired = false;
        self.settle_places(now);
    }

    fn settle_places(&mut self, now: Time) {
        let capacity = self.capacity.filter(|_| !self.is_retired).map_or(0, u64::from);
        let held = self.held.value();
        self.places.set(now, capacity.max(held));
        self.has_excess = held > capacity;
    }

    /// Places held now.
    pub fn held(&self) -> u64 {
        self.held.value()
    }

    /// How many wait now.
    pub fn waiting(&self) -> u64 {
        self.line.len() as u64
    }

    /// True where a place is free.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.capacity.is_none_or(|c| self.held.value() < c as u64)
    }

    /// Takes a place if there is one, else waits if the line has room.
    #[inline]
    pub fn ask(&mut self, now: Time, call: u32, priority: u8) -> Admission {
        self.ask_until(now, call, priority, None)
    }

    /// The same for a call that may wait only until an instant; it is dropped when its turn comes after that.
    #[inline(always)]
    pub fn ask_until(&mut self, now: Time, call: u32, priority: u8, until: Option<Time>) -> Admission {
        if self.has_room() && self.line.is_empty() {
            self.held.up(now);
            Admission::Granted
        } else if self.line.push_until(now, call, priority, until).is_ok() {
            self.waiting.up(now);
            Admission::Queued
        } else {
            Admission::Full
        }
    }

    /// Joins the line whether or not there is a place; false if it is full.
    pub fn wait(&mut self, now: Time, call: u32, priority: u8, until: Option<Time>) -> bool {
        let joined = self.line.push_until(now, call, priority, until).is_ok();
        self.waiting.set(now, self.line.len() as u64);
        joined
    }

    /// Joins the line again, before those who came later, whatever its bound: the work on the call was interrupted.
    pub fn put_back(&mut self, now: Time, call: u32, priority: u8) {
        self.line.put_back(now, call, priority);
        self.waiting.set(now, self.line.len() as u64);
    }

    /// Takes a place without asking (a thread that is made for the call).
    #[inline]
    pub fn take(&mut self, now: Time) {
        self.held.up(now);
    }

    /// Gives a place back. `since` and `abandoned` say from when it was held and when its caller gave up.
    #[inline]
    pub fn give_back(&mut self, now: Time, since: Time, abandoned: Option<Time>) {
        self.held.down(now);
        if self.has_excess {
            self.settle_places(now);
        }
        if let Some(abandoned) = abandoned {
            let from = since.max(abandoned).max(self.measured_from);
            self.wasted += (now - from.min(now)) as u128;
        }
    }

    /// The next in line takes a place, if there are both; who is dropped on the way goes to `dropped`.
    #[inline(always)]
    pub fn next(&mut self, now: Time, dropped: &mut Vec<u32>) -> Option<Popped> {
        if self.line.is_empty() || !self.has_room() {
            return None;
        }
        self.next_of_line(now, dropped)
    }

    /// The same where both are known to be there.
    #[inline(always)]
    pub fn next_of_line(&mut self, now: Time, dropped: &mut Vec<u32>) -> Option<Popped> {
        debug_assert!(!self.line.is_empty() && self.has_room());
        let before = self.line.len();
        let popped = self.line.pop(now, dropped);
        if self.line.len() + 1 == before {
            self.waiting.down(now);
        } else {
            self.waiting.set(now, self.line.len() as u64);
        }
        if popped.is_some() {
            self.held.up(now);
        }
        popped
    }

    /// Takes a call out of the line; false if it was not in it.
    pub fn leave(&mut self, now: Time, call: u32) -> bool {
        self.line.note_age(now);
        let was_in = self.line.remove(call);
        self.waiting.set(now, self.line.len() as u64);
        was_in
    }

    /// Everybody is gone: no place is held, nobody waits. Measures live on.
    pub fn clear(&mut self, now: Time) {
        self.held.set(now, 0);
        self.waiting.set(now, 0);
        self.line.note_age(now);
        self.line.clear();
        self.settle_places(now);
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self, now: Time) {
        self.held.reset(now);
        self.places.reset(now);
        self.waiting.reset(now);
        self.line.forget_ages();
        self.wasted = 0;
        self.measured_from = now;
    }

    /// Reports the places of a component and those who wait for one.
    pub fn figures(&self, now: Time, figures: &mut Figures) {
        self.figures_of_places(now, figures);
        if self.capacity.is_some() {
            figures.gauge(&QUEUE_DEPTH, &self.waiting, now);
            figures.level(&QUEUE_DEPTH_MAX, self.waiting.max());
            figures.level(&QUEUE_DEPTH_END, self.waiting());
            let age = self.line.oldest_since().map(|since| now - since);
            figures.peak(&QUEUE_OLDEST_AGE, age, self.line.oldest_age_ever(now));
        }
    }

    /// Reports the places alone: of a component at which nobody waits.
    pub fn figures_of_places(&self, now: Time, figures: &mut Figures) {
        let held = self.held.integral(now);
        figures.level(&HELD, self.held());
        if let Some(capacity) = self.capacity {
            figures.level(&CAPACITY, u64::from(self.counted().unwrap_or(capacity)));
            figures.ratio(&UTILIZATION, held, self.places.integral(now));
        }
        if let Some(bound) = self.line.max() {
            figures.level(&QUEUE_BOUND, u64::from(bound));
        }
        figures.ratio(&WASTED_WORK, self.wasted, held);
    }

    /// The number of places held, over time.
    pub fn held_over_time(&self) -> &Gauge {
        &self.held
    }

    /// The number of those who wait, over time.
    pub fn waiting_over_time(&self) -> &Gauge {
        &self.waiting
    }
}

/// Places held.
pub const HELD: Figure = Figure::level("held", "Workers, connections or requests in use now.").for_screens();
/// Places there are.
pub const CAPACITY: Figure =
    Figure::level("capacity", "Workers, connections or requests that can be in use.").for_screens();
/// How many may wait.
pub const QUEUE_BOUND: Figure = Figure::level("queue.bound", "Calls or messages that may wait.").for_screens();
/// Places held, of those there are.
pub const UTILIZATION: Figure =
    Figure::share("utilization", "Share of the workers or connections in use, time average; unknown if unlimited.")
        .kept();
/// Places held in vain, of those held.
pub const WASTED_WORK: Figure =
    Figure::share("wasted_work", "Share of the busy time spent on calls whose caller had already given up.").kept();
/// How many wait.
pub const QUEUE_DEPTH: Figure =
    Figure::gauge("queue.depth", "Calls waiting, or messages in a queue; time average.").kept();
/// The most that waited.
pub const QUEUE_DEPTH_MAX: Figure = Figure::level(
    "queue.depth_max",
    "Largest number of waiting calls or messages after the warm-up; with several replicas, the sum of their maxima.",
);
/// How many wait at the end.
pub const QUEUE_DEPTH_END: Figure =
    Figure::level("queue.depth_end", "Calls waiting at the end, or messages in a queue.");
/// For how long the first of them has waited.
pub const QUEUE_OLDEST_AGE: Figure = Figure::peak(
    "queue.oldest_age",
    "Greatest age of the oldest waiting call or message; as a time series, its age at the end of each window.",
)
.in_seconds();

/// What [`Slots::figures`] reports.
pub const FIGURES: Set = &[
    &HELD,
    &CAPACITY,
    &UTILIZATION,
    &QUEUE_BOUND,
    &WASTED_WORK,
    &QUEUE_DEPTH,
    &QUEUE_DEPTH_MAX,
    &QUEUE_DEPTH_END,
    &QUEUE_OLDEST_AGE,
];

/// What [`Slots::figures_of_places`] reports.
pub const FIGURES_OF_PLACES: Set = &[&HELD, &CAPACITY, &UTILIZATION, &QUEUE_BOUND, &WASTED_WORK];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Value;
    use crate::line::Discipline;
    use crate::random::Stream;
    use std::collections::VecDeque;

    /// The obvious way: who holds a place since when, who waits, and every nanosecond counted on its own.
    #[derive(Default)]
    struct Twin {
        held: Vec<(u32, Time)>,
        waiting: VecDeque<u32>,
        held_sum: u128,
        waiting_sum: u128,
        wasted: u128,
        peak: u64,
    }

    #[test]
    fn they_agree_with_counting_every_nanosecond() {
        for seed in 0..20 {
            let mut stream = Stream::named(seed, "slots");
            let (capacity, max) = (1 + stream.below(4) as u32, stream.below(6) as u32);
            let mut slots = Slots::new(Some(capacity), Line::new(Discipline::Fifo, Some(max)));
            let (mut twin, mut capacity, mut now) = (Twin::default(), capacity as usize, 0);
            for call in 0..3_000_u32 {
                let span = stream.below(4);
                now += span;
                twin.held_sum += span as u128 * twin.held.len() as u128;
                twin.waiting_sum += span as u128 * twin.waiting.len() as u128;
                match stream.below(12) {
                    0..=4 => {
                        let expected = if twin.held.len() < capacity && twin.waiting.is_empty() {
                            twin.held.push((call, now));
                            Admission::Granted
                        } else if twin.waiting.len() < max as usize {
                            twin.waiting.push_back(call);
                            Admission::Queued
                        } else {
                            Admission::Full
                        };
                        assert_eq!(slots.ask(now, call, 0), expected);
                    }
                    5..=8 if !twin.held.is_empty() => {
                        let (_, since) = twin.held.swap_remove(stream.below(twin.held.len() as u64) as usize);
                        let abandoned = (stream.below(2) == 0).then(|| stream.below(now + 1));
                        twin.wasted += abandoned.map_or(0, |at| now - at.max(since)) as u128;
                        slots.give_back(now, since, abandoned);
                    }
                    9 if !twin.waiting.is_empty() => {
                        let at = stream.below(twin.waiting.len() as u64) as usize;
                        let leaves = twin.waiting.remove(at).expect("it waits");
                        assert!(slots.leave(now, leaves) && !slots.leave(now, leaves));
                    }
                    10 => {
                        capacity = 1 + stream.below(5) as usize;
                        slots.set_capacity(now, Some(capacity as u32));
                    }
                    _ => {}
                }
                twin.peak = twin.peak.max(twin.waiting.len() as u64);
                while twin.held.len() < capacity && !twin.waiting.is_empty() {
                    let next = twin.waiting.pop_front().expect("somebody waits");
                    assert_eq!(slots.next(now, &mut Vec::new()).map(|popped| popped.call), Some(next));
                    twin.held.push((next, now));
                }
                assert!(slots.next(now, &mut Vec::new()).is_none());
                let mut figures = Figures::default();
                slots.figures(now, &mut figures);
                assert_eq!(
                    (figures.now(&HELD), figures.now(&QUEUE_DEPTH)),
                    (Some(twin.held.len() as u64), Some(slots.waiting()))
                );
                assert_eq!(slots.waiting(), twin.waiting.len() as u64);
                let depth = Value::Gauge { now: twin.waiting.len() as u64, integral: twin.waiting_sum };
                assert_eq!(figures.get(&QUEUE_DEPTH), Some(&depth));
                assert_eq!(figures.now(&QUEUE_DEPTH_MAX), Some(twin.peak));
                let wasted = Value::Ratio { part: twin.wasted, whole: twin.held_sum };
                assert_eq!(figures.get(&WASTED_WORK), Some(&wasted));
                let Some(Value::Ratio { part, whole }) = figures.get(&UTILIZATION) else { panic!("{figures:?}") };
                assert!(*part == twin.held_sum && part <= whole);
            }
        }
    }
}
