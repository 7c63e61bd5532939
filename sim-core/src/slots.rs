//! A bounded number of places and the line of calls waiting for one.
//!
//! The common part of a worker pool, a set of connections and a lock: calls take a place or wait, a freed place goes to
//! the next in line, and both the places held and the line measure themselves. Places held for callers that have given
//! up are counted as wasted. Independent of the engine: every method takes the current time.

use crate::figures::{Figure, Figures, Set};
use crate::gauge::Gauge;
use crate::line::{Line, Popped};
use crate::time::Time;

/// The result of asking for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A place was free; the call now holds it.
    Granted,
    /// The call waits in the line.
    Queued,
    /// The line is full.
    Full,
}

/// Places and a line, with their gauges.
#[derive(Clone, Debug)]
#[repr(C)] // Fields that every call needs come first and share a cache line.
pub struct Slots {
    held: Gauge,
    waiting: Gauge,
    capacity: Option<u32>,
    /// Whether more places are held than exist, because their number was lowered.
    has_excess: bool,
    /// Whether the places are excluded from the count.
    is_retired: bool,
    /// The waiting calls.
    pub line: Line,
    /// Number of places, including those held in excess.
    places: Gauge,
    wasted: u128,
    measured_from: Time,
}

impl Slots {
    /// Slots with this many places (`None`: no limit) and this line.
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

    /// The number of places; `None` if unlimited.
    pub fn capacity(&self) -> Option<u32> {
        self.capacity
    }

    /// Changes the number of places; those held in excess are returned as their calls finish.
    pub fn set_capacity(&mut self, now: Time, capacity: Option<u32>) {
        self.capacity = capacity;
        self.settle_places(now);
    }

    /// Excludes the places from the count from now on.
    pub fn retire(&mut self, now: Time) {
        self.is_retired = true;
        self.settle_places(now);
    }

    /// Counted places; `None` if unlimited.
    pub fn counted(&self) -> Option<u32> {
        if self.is_retired { Some(0) } else { self.capacity }
    }

    /// Includes the places in the count again.
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

    /// Calls waiting now.
    pub fn waiting(&self) -> u64 {
        self.line.len() as u64
    }

    /// Whether a place is free.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.capacity.is_none_or(|c| self.held.value() < c as u64)
    }

    /// Takes a place if one is free; otherwise waits if the line has space.
    #[inline]
    pub fn ask(&mut self, now: Time, call: u32, priority: u8) -> Admission {
        self.ask_until(now, call, priority, None)
    }

    /// The same for a call that may wait only until an instant; if its turn comes later, it is dropped.
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

    /// Joins the line whether or not a place is free; false if the line is full.
    pub fn wait(&mut self, now: Time, call: u32, priority: u8, until: Option<Time>) -> bool {
        let joined = self.line.push_until(now, call, priority, until).is_ok();
        self.waiting.set(now, self.line.len() as u64);
        joined
    }

    /// Rejoins the line ahead of later arrivals, regardless of its bound, because the work on the call was interrupted.
    pub fn put_back(&mut self, now: Time, call: u32, priority: u8) {
        self.line.put_back(now, call, priority);
        self.waiting.set(now, self.line.len() as u64);
    }

    /// Takes a place unconditionally (a thread created for the call).
    #[inline]
    pub fn take(&mut self, now: Time) {
        self.held.up(now);
    }

    /// Returns a place. `since` is when it was taken, `abandoned` when its caller gave up.
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

    /// Gives a free place to the next in line, if there are both; calls dropped on the way go to `dropped`.
    #[inline(always)]
    pub fn next(&mut self, now: Time, dropped: &mut Vec<u32>) -> Option<Popped> {
        if self.line.is_empty() || !self.has_room() {
            return None;
        }
        self.next_of_line(now, dropped)
    }

    /// The same if both are known to exist.
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

    /// Removes a call from the line; false if it was not in it.
    pub fn leave(&mut self, now: Time, call: u32) -> bool {
        self.line.note_age(now);
        let was_in = self.line.remove(call);
        self.waiting.set(now, self.line.len() as u64);
        was_in
    }

    /// Empties the places and the line. Measures are kept.
    pub fn clear(&mut self, now: Time) {
        self.held.set(now, 0);
        self.waiting.set(now, 0);
        self.line.note_age(now);
        self.line.clear();
        self.settle_places(now);
    }

    /// Resets the measures at the end of the warm-up.
    pub fn begin_measuring(&mut self, now: Time) {
        self.held.reset(now);
        self.places.reset(now);
        self.waiting.reset(now);
        self.line.forget_ages();
        self.wasted = 0;
        self.measured_from = now;
    }

    /// Reports the places of a component and its waiting calls.
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

    /// Reports only the places, for a component without a line.
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

    /// The number of waiting calls, over time.
    pub fn waiting_over_time(&self) -> &Gauge {
        &self.waiting
    }
}

/// Places held.
pub const HELD: Figure = Figure::level("held", "Workers, connections or requests in use now.").for_screens();
/// The number of places.
pub const CAPACITY: Figure =
    Figure::level("capacity", "Workers, connections or requests that can be in use.").for_screens();
/// Maximum number of waiting calls.
pub const QUEUE_BOUND: Figure = Figure::level("queue.bound", "Calls or messages that may wait.").for_screens();
/// Places held as a share of all places.
pub const UTILIZATION: Figure =
    Figure::share("utilization", "Share of the workers or connections in use, time average; unknown if unlimited.")
        .kept();
/// Places held in vain as a share of places held.
pub const WASTED_WORK: Figure =
    Figure::share("wasted_work", "Share of the busy time spent on calls whose caller had already given up.").kept();
/// Number of waiting calls.
pub const QUEUE_DEPTH: Figure =
    Figure::gauge("queue.depth", "Calls waiting, or messages in a queue; time average.").kept();
/// Maximum number of waiting calls.
pub const QUEUE_DEPTH_MAX: Figure = Figure::level(
    "queue.depth_max",
    "Largest number of waiting calls or messages after the warm-up; with several replicas, the sum of their maxima.",
);
/// Number of waiting calls at the end.
pub const QUEUE_DEPTH_END: Figure =
    Figure::level("queue.depth_end", "Calls waiting at the end, or messages in a queue.");
/// How long the oldest call has waited.
pub const QUEUE_OLDEST_AGE: Figure = Figure::peak(
    "queue.oldest_age",
    "Greatest age of the oldest waiting call or message; as a time series, its age at the end of each window.",
)
.in_seconds();

/// The figures that [`Slots::figures`] reports.
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

/// The figures that [`Slots::figures_of_places`] reports.
pub const FIGURES_OF_PLACES: Set = &[&HELD, &CAPACITY, &UTILIZATION, &QUEUE_BOUND, &WASTED_WORK];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Value;
    use crate::line::Discipline;
    use crate::random::Stream;
    use std::collections::VecDeque;

    /// The obvious way: holders with start times, waiting calls, and every nanosecond counted individually.
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
