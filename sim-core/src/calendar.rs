//! The calendar: upcoming events in one total order of (time, class, order of setting).
//!
//! A pending entry is one 16-byte number whose order is the order of events, so comparing events means comparing
//! numbers. The event itself is in a slot beside it. Timers with a constant delay wait in lanes
//! ([`Calendar::set_after`]), timers that are set repeatedly have places of their own ([`Calendar::alarm`]), and all
//! others are kept sorted while they are few and in a wheel when they are many. The choice affects speed only; the
//! order of events is the same.
//!
//! Cancelling frees the slot immediately and leaves the entry behind. A later timer in the same slot has a different
//! stamp, so the old entry is recognised as dead when it is reached. Dead entries never outnumber live ones by much.
//!
//! ```
//! use sim_core::calendar::{Calendar, Class};
//! let mut calendar = Calendar::new();
//! calendar.set(20, Class::First, "doors close");
//! let whistle = calendar.set(10, Class::First, "whistle");
//! calendar.set_after(0, 20, Class::GivingUp, "gave up waiting");
//! assert!(calendar.cancel(whistle));
//! assert_eq!(calendar.pop_before(100), Some((20, "doors close")));
//! assert_eq!(calendar.pop_before(100), Some((20, "gave up waiting")));
//! assert_eq!(calendar.pop_before(100), None);
//! ```

use crate::alarms::Alarms;
use crate::lanes::Lanes;
use crate::order::{CLASS_SHIFT, SLOT_BITS, time_of};
use crate::prefetch::prefetch;
use crate::table::push;
use crate::time::{Span, Time};
use crate::tournament::NO_KEY;
use crate::wheel::Pending;
use std::num::NonZeroU64;

pub use crate::order::{Class, TIME_MAX};

const SLOTS_MAX: usize = (1 << SLOT_BITS) - 1;

// The layout of a timer's id: 28 bits of slot plus one, 7 of lane, 29 of stamp.
const LANE_BITS: u32 = 7;
const NAME_STAMP_BITS: u32 = 29;
const NAME_STAMP_MASK: u32 = (1 << NAME_STAMP_BITS) - 1;
/// The lane number of a timer that is in no lane.
const NO_LANE: usize = (1 << LANE_BITS) - 1;

/// Marks the stamp of a free slot; the other bits are then the slot freed before.
const FREE: u32 = 1 << 31;
const STAMP_MASK: u32 = FREE - 1;
const LAST_FREE: u32 = STAMP_MASK;

/// Number 0 is reserved for the alarm that goes off ahead of all other events of its instant.
const FIRST_SEQUENCE: u64 = 1 << SLOT_BITS;

/// Number of dead entries below which compaction is not worthwhile.
const DEAD_TOLERATED: usize = 64;

/// The id of a timer, for cancelling it. Eight bytes, even inside an `Option`.
///
/// The id of a timer that has gone off or was cancelled names nothing. (An id could be mistaken for another timer after
/// exactly 2²⁹ further timers, or a multiple of that.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(NonZeroU64);

impl TimerId {
    #[inline]
    fn new(slot: u32, lane: usize, stamp: u32) -> Self {
        let name = ((u64::from(slot) + 1) << (LANE_BITS + NAME_STAMP_BITS))
            | ((lane as u64) << NAME_STAMP_BITS)
            | u64::from(stamp & NAME_STAMP_MASK);
        TimerId(NonZeroU64::new(name).expect("the slot plus one is not zero"))
    }

    #[inline]
    fn slot(self) -> u32 {
        (self.0.get() >> (LANE_BITS + NAME_STAMP_BITS)) as u32 - 1
    }

    #[inline]
    fn lane(self) -> usize {
        (self.0.get() >> NAME_STAMP_BITS) as usize & NO_LANE
    }

    #[inline]
    fn stamp(self) -> u32 {
        self.0.get() as u32 & NAME_STAMP_MASK
    }

    /// Its slot in the calendar, in 28 bits, for holders that can identify the event and have no space for the full id
    /// ([`Calendar::cancel_at`]).
    #[inline]
    pub fn place(self) -> u32 {
        self.slot()
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot<E> {
    /// The low bits of the sequence number of the timer here, or the mark of a free slot.
    stamp: u32,
    event: E,
}

/// The payloads, with the free slots chained through their stamps.
#[derive(Clone, Debug)]
struct Slots<E> {
    slots: Vec<Slot<E>>,
    free: u32,
    /// A narrow type on purpose: otherwise the compiler updates this and the number below in one operation and then
    /// stalls on reading back data just written in pieces.
    len: u32,
    /// The sequence number of the next timer, shifted above the slot bits.
    sequence: u64,
}

impl<E: Copy> Slots<E> {
    #[inline]
    fn insert(&mut self, stamp: u32, event: E) -> u32 {
        self.len += 1;
        let slot = self.free;
        if let Some(place) = self.slots.get_mut(slot as usize) {
            self.free = place.stamp & STAMP_MASK;
            *place = Slot { stamp, event };
            return slot;
        }
        assert!(self.slots.len() < SLOTS_MAX, "more than {SLOTS_MAX} timers are pending");
        push(&mut self.slots, Slot { stamp, event });
        self.slots.len() as u32 - 1
    }

    /// Enters an event; returns its key, slot and stamp.
    #[inline(always)]
    fn enter(&mut self, at: Time, class: Class, event: E) -> (u128, u32, u32) {
        let key = self.next_key(at, class);
        let stamp = stamp_of(key);
        let slot = self.insert(stamp, event);
        (key | u128::from(slot), slot, stamp)
    }

    /// The key of the next timer to be set, without a slot.
    #[inline(always)]
    fn next_key(&mut self, at: Time, class: Class) -> u128 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1 << SLOT_BITS);
        u128::from(at.min(TIME_MAX) << 1 | class as u64) << CLASS_SHIFT | u128::from(sequence)
    }

    #[inline]
    fn release(&mut self, slot: u32) {
        self.slots[slot as usize].stamp = FREE | self.free;
        self.free = slot;
        self.len -= 1;
    }

    /// Prefetches the slot of an entry.
    #[inline(always)]
    fn prefetch(&self, key: u128) {
        prefetch(&self.slots, slot_of(key) as usize);
    }

    #[inline]
    fn is_alive(&self, key: u128) -> bool {
        self.slots[slot_of(key) as usize].stamp == stamp_of(key)
    }

    /// Takes the event of an entry and frees its slot; `None` if the entry is dead.
    #[inline]
    fn take(&mut self, key: u128) -> Option<E> {
        let slot = slot_of(key);
        let place = &self.slots[slot as usize];
        if place.stamp != stamp_of(key) {
            return None;
        }
        let event = place.event;
        self.release(slot);
        Some(event)
    }
}

#[inline]
fn slot_of(key: u128) -> u32 {
    key as u32 & SLOTS_MAX as u32
}

#[inline]
fn stamp_of(key: u128) -> u32 {
    (key >> SLOT_BITS) as u32 & STAMP_MASK
}

/// The id of an alarm: [`Calendar::alarm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmId(u32);

/// An upcoming event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live<E> {
    /// The timer's id.
    pub id: TimerId,
    /// When it goes off.
    pub at: Time,
    /// Its class.
    pub class: Class,
    /// The event itself.
    pub event: E,
}

/// Upcoming events, each with an instant and a class. The next can be taken, and any can be cancelled.
///
/// Events of one instant leave by class, and within a class in the order in which they were set. (That order holds over
/// 2³⁶ timers, about 7·10¹⁰.)
#[derive(Clone, Debug)]
pub struct Calendar<E> {
    lanes: Lanes,
    pending: Pending,
    /// The number of cancelled entries in `pending`.
    pending_dead: usize,
    slots: Slots<E>,
    alarms: Alarms<E>,
}

impl<E: Copy> Default for Calendar<E> {
    fn default() -> Self {
        Calendar {
            lanes: Lanes::new(),
            pending: Pending::new(),
            pending_dead: 0,
            slots: Slots { slots: Vec::new(), free: LAST_FREE, len: 0, sequence: FIRST_SEQUENCE },
            alarms: Alarms::new(),
        }
    }
}

impl<E: Copy> Calendar<E> {
    /// An empty calendar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reserves capacity for this many timers.
    pub fn expect(&mut self, timers: usize) {
        self.slots.slots.reserve_exact(timers);
    }

    /// The number of upcoming events.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len as usize + self.alarms.len()
    }

    /// Whether there are no upcoming events.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Schedules `event` at the instant `at`.
    #[inline(always)]
    pub fn set(&mut self, at: Time, class: Class, event: E) -> TimerId {
        let (key, slot, stamp) = self.slots.enter(at, class, event);
        self.pending.push(key);
        TimerId::new(slot, NO_LANE, stamp)
    }

    /// Schedules `event` at `delay` after `now`: the same as [`set`](Self::set), but much cheaper if the same delay is
    /// used repeatedly, as with timeouts. Not for random delays: there are only 64 lanes.
    #[inline(always)]
    pub fn set_after(&mut self, now: Time, delay: Span, class: Class, event: E) -> TimerId {
        let at = now.saturating_add(delay);
        let lane = self.lanes.lane_for(delay, class, at);
        let (key, slot, stamp) = self.slots.enter(at, class, event);
        let Some((number, lane)) = lane else {
            self.pending.push(key);
            return TimerId::new(slot, NO_LANE, stamp);
        };
        if lane.push(at, key) {
            self.lanes.set_head(number, key);
        }
        TimerId::new(slot, number, stamp)
    }

    /// Creates an alarm: a timer that is set again each time it has gone off, which is cheaper than a new timer each
    /// time. It starts unset. There should not be many, because each setting compares several of them.
    pub fn alarm(&mut self, event: E) -> AlarmId {
        AlarmId(self.alarms.add(event))
    }

    /// Schedules the event of an alarm at the instant `at`, replacing its previous setting.
    #[inline(always)]
    pub fn set_alarm(&mut self, alarm: AlarmId, at: Time, class: Class) {
        let key = self.slots.next_key(at, class);
        self.alarms.set(alarm.0, key);
    }

    /// The same, but ahead of all other events of that instant, regardless of when they were set. Only one such alarm
    /// may exist.
    pub fn set_alarm_ahead(&mut self, alarm: AlarmId, at: Time) {
        let key = u128::from(at.min(TIME_MAX) << 1 | Class::First as u64) << CLASS_SHIFT;
        self.alarms.set(alarm.0, key);
    }

    /// Clears an alarm; false if its event has happened or was not set.
    pub fn clear_alarm(&mut self, alarm: AlarmId) -> bool {
        self.alarms.clear(alarm.0)
    }

    /// Cancels an event; false if it has happened or was already cancelled.
    #[inline(always)]
    pub fn cancel(&mut self, id: TimerId) -> bool {
        let slot = id.slot();
        match self.slots.slots.get(slot as usize) {
            Some(place) if place.stamp & (FREE | NAME_STAMP_MASK) == id.stamp() => {}
            _ => return false,
        }
        self.slots.release(slot);
        if id.lane() == NO_LANE {
            self.pending_dead += 1;
            if 2 * self.pending_dead > self.pending.len() + DEAD_TOLERATED {
                self.compact();
            }
        } else {
            let slots = &self.slots;
            self.lanes.cancelled(id.lane(), |key| slots.is_alive(key), |key| slots.prefetch(key));
        }
        true
    }

    /// Cancels the event that was set with [`set`](Self::set) and has this place; false if the place is empty or holds
    /// another event.
    pub fn cancel_at(&mut self, place: u32, is_it: impl Fn(&E) -> bool) -> bool {
        let slot = self.slots.slots.get(place as usize);
        let found = slot.filter(|slot| slot.stamp & FREE == 0 && is_it(&slot.event));
        found.map(|slot| TimerId::new(place, NO_LANE, slot.stamp)).is_some_and(|timer| self.cancel(timer))
    }

    /// Whether the event is still pending.
    pub fn is_set(&self, id: TimerId) -> bool {
        let place = self.slots.slots.get(id.slot() as usize);
        place.is_some_and(|place| place.stamp & (FREE | NAME_STAMP_MASK) == id.stamp())
    }

    /// The instant of the next event.
    pub fn peek_time(&mut self) -> Option<Time> {
        loop {
            let (lane, other, alarm) = (self.lanes.least(), self.pending.least(), self.alarms.least());
            let key = lane.min(other);
            if alarm <= key {
                return (alarm != NO_KEY).then(|| time_of(alarm));
            }
            if self.slots.is_alive(key) {
                return Some(time_of(key));
            }
            self.drop_dead(lane < other);
        }
    }

    /// Takes the next event if it is before `limit`.
    #[inline(always)]
    pub fn pop_before(&mut self, limit: Time) -> Option<(Time, E)> {
        // Compares time and class alone; no key has all of these bits set.
        let bound = if limit > TIME_MAX { u64::MAX } else { limit << 1 };
        let is_late = |key: u128| (key >> CLASS_SHIFT) as u64 >= bound;
        loop {
            let (lane, other, alarm) = (self.lanes.least(), self.pending.least(), self.alarms.least());
            let next = lane.min(alarm);
            if other < next {
                if is_late(other) {
                    return None;
                }
                self.pending.drop_least();
                if let Some(event) = self.slots.take(other) {
                    return Some((time_of(other), event));
                }
                self.pending_dead -= 1;
            } else if is_late(next) {
                return None;
            } else if alarm < lane {
                return Some((time_of(alarm), self.alarms.go_off()));
            } else if let Some(event) = self.slots.take(lane) {
                self.lanes.drop_least();
                return Some((time_of(lane), event));
            } else {
                self.drop_dead(true);
            }
        }
    }

    /// The upcoming events that satisfy `wanted`, except those of alarms, in order. Scans and sorts all events, so it
    /// is meant for rare interventions.
    pub fn live(&self, wanted: impl Fn(&E) -> bool) -> Vec<Live<E>> {
        let others = self.pending.keys().map(|key| (NO_LANE, key));
        let mut found: Vec<(u128, usize)> = Vec::new();
        for (lane, key) in self.lanes.keys().chain(others) {
            if self.slots.is_alive(key) && wanted(&self.slots.slots[slot_of(key) as usize].event) {
                found.push((key, lane));
            }
        }
        found.sort_unstable();
        let named = found.into_iter().map(|(key, lane)| {
            let id = TimerId::new(slot_of(key), lane, stamp_of(key));
            let class = if key >> CLASS_SHIFT & 1 == 0 { Class::First } else { Class::GivingUp };
            Live { id, at: time_of(key), class, event: self.slots.slots[slot_of(key) as usize].event }
        });
        named.collect()
    }

    /// Whether a bucket of the wheel has been opened since the last query: its events have just been made ready.
    #[inline(always)]
    pub(crate) fn has_opened(&mut self) -> bool {
        std::mem::take(&mut self.pending.has_opened)
    }

    /// Prefetches the first of the ready events.
    pub(crate) fn prefetch_ready(&self, most: usize) {
        self.pending.ready().take(most).for_each(|key| self.slots.prefetch(key));
    }

    /// The first of the ready events.
    pub(crate) fn ready(&self, most: usize) -> impl Iterator<Item = E> {
        let alive = self.pending.ready().take(most).filter(|&key| self.slots.is_alive(key));
        alive.map(|key| self.slots.slots[slot_of(key) as usize].event)
    }

    /// Prefetches a timer.
    #[inline(always)]
    pub(crate) fn prefetch(&self, id: TimerId) {
        prefetch(&self.slots.slots, id.slot() as usize);
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.lanes.bytes()
            + self.pending.bytes()
            + self.alarms.bytes()
            + self.slots.slots.capacity() * size_of::<Slot<E>>()
    }

    #[inline]
    fn drop_dead(&mut self, in_lane: bool) {
        if in_lane {
            let slots = &self.slots;
            self.lanes.drop_dead(|key| slots.is_alive(key), |key| slots.prefetch(key));
        } else {
            self.pending.drop_least();
            self.pending_dead -= 1;
        }
    }

    #[cold]
    #[inline(never)]
    fn compact(&mut self) {
        let slots = &self.slots;
        self.pending.retain(|key| slots.is_alive(key));
        self.pending_dead = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The obvious calendar: a sorted map from (time, class, order of setting) to the event.
    type Twin = BTreeMap<(Time, Class, u64), u32>;

    #[derive(Clone, Debug)]
    enum Step {
        Set(Span, Class),
        SetAfter(Span, Class),
        SetMany(Vec<Span>),
        SetManyAfter { least: Span, spread: usize, count: usize, class: Class },
        SetAlarm(usize, Span, Class),
        SetAlarmAhead(Span),
        ClearAlarm(usize),
        Cancel(prop::sample::Index),
        CancelAgain(prop::sample::Index),
        CancelMost,
        Peek,
        PopBefore(Span, usize),
        Clone,
    }

    const ALARMS: usize = 5;
    /// The alarm that goes off ahead of all other events of its instant.
    const AHEAD: usize = ALARMS;
    /// The event of the first alarm; the event of a timer is its number.
    const ALARM: u32 = 1 << 31;

    fn class() -> impl Strategy<Value = Class> {
        prop_oneof![Just(Class::First), Just(Class::GivingUp)]
    }

    fn step() -> impl Strategy<Value = Step> {
        let delay = prop_oneof![0u64..8, (0u32..45, 0u64..64).prop_map(|(magnitude, x)| x << magnitude)];
        prop_oneof![
            8 => (delay.clone(), class()).prop_map(|(delay, class)| Step::Set(delay, class)),
            8 => (0u64..100, class()).prop_map(|(choice, class)| Step::SetAfter(choice * choice % 97, class)),
            1 => prop::collection::vec(delay.clone(), 1..80).prop_map(Step::SetMany),
            2 => (0u64..50, prop_oneof![Just(1usize), Just(3), Just(90)], 1usize..500, class())
                .prop_map(|(least, spread, count, class)| Step::SetManyAfter { least, spread, count, class }),
            8 => (0..ALARMS, delay.clone(), class()).prop_map(|(which, delay, class)| Step::SetAlarm(which, delay, class)),
            3 => delay.clone().prop_map(Step::SetAlarmAhead),
            2 => (0..=AHEAD).prop_map(Step::ClearAlarm),
            6 => any::<prop::sample::Index>().prop_map(Step::Cancel),
            2 => any::<prop::sample::Index>().prop_map(Step::CancelAgain),
            1 => Just(Step::CancelMost),
            2 => Just(Step::Peek),
            8 => (delay, 1usize..12).prop_map(|(ahead, times)| Step::PopBefore(ahead, times)),
            1 => Just(Step::Clone),
        ]
    }

    proptest! {
        /// Lanes have no twin of their own: bursts of one delay fill a lane until it is compacted, bursts of many
        /// delays open more lanes than allowed, and each lane's order shows in the overall order.
        #[test]
        fn events_leave_as_from_a_sorted_map(wheel_from in 8usize..200, steps in prop::collection::vec(step(), 1..150)) {
            let mut calendar: Calendar<u32> = Calendar::new();
            calendar.pending = Pending::with_wheel_from(wheel_from);
            let mut twin = Twin::new();
            let alarms: Vec<AlarmId> = (0..=AHEAD).map(|which| calendar.alarm(ALARM + which as u32)).collect();
            let mut alarms_set: [Option<(Time, Class, u64)>; AHEAD + 1] = [None; AHEAD + 1];
            let mut names: Vec<(TimerId, (Time, Class, u64))> = Vec::new();
            let mut gone: Vec<TimerId> = Vec::new();
            let (mut now, mut count) = (0, 0);
            let note = |twin: &mut Twin, count: &mut u32, at, class| {
                *count += 1;
                let order = (at, class, u64::from(*count));
                twin.insert(order, *count);
                order
            };
            for step in steps {
                match step {
                    Step::Set(delay, class) => {
                        let order = note(&mut twin, &mut count, now + delay, class);
                        names.push((calendar.set(now + delay, class, count), order));
                    }
                    Step::SetAfter(delay, class) => {
                        let order = note(&mut twin, &mut count, now + delay, class);
                        names.push((calendar.set_after(now, delay, class, count), order));
                    }
                    Step::SetMany(delays) => {
                        for delay in delays {
                            let order = note(&mut twin, &mut count, now + delay, Class::First);
                            names.push((calendar.set(now + delay, Class::First, count), order));
                        }
                    }
                    Step::SetManyAfter { least, spread, count: many, class } => {
                        for nth in 0..many {
                            let delay = least + (nth % spread) as Span;
                            let order = note(&mut twin, &mut count, now + delay, class);
                            names.push((calendar.set_after(now, delay, class, count), order));
                        }
                    }
                    Step::SetAlarm(which, delay, class) => {
                        alarms_set[which].take().map(|before| twin.remove(&before));
                        count += 1;
                        let order = (now + delay, class, u64::from(count));
                        twin.insert(order, ALARM + which as u32);
                        calendar.set_alarm(alarms[which], now + delay, class);
                        alarms_set[which] = Some(order);
                    }
                    Step::SetAlarmAhead(delay) => {
                        alarms_set[AHEAD].take().map(|before| twin.remove(&before));
                        let order = (now + delay, Class::First, 0);
                        twin.insert(order, ALARM + AHEAD as u32);
                        calendar.set_alarm_ahead(alarms[AHEAD], now + delay);
                        alarms_set[AHEAD] = Some(order);
                    }
                    Step::ClearAlarm(which) => {
                        let before = alarms_set[which].take();
                        before.map(|before| twin.remove(&before));
                        prop_assert_eq!(calendar.clear_alarm(alarms[which]), before.is_some());
                    }
                    Step::Cancel(index) if !names.is_empty() => {
                        let (id, order) = names.swap_remove(index.index(names.len()));
                        prop_assert!(calendar.is_set(id));
                        prop_assert!(calendar.cancel(id));
                        prop_assert!(id.lane() == NO_LANE || calendar.lanes.is_compact(id.lane()));
                        prop_assert!(twin.remove(&order).is_some());
                        gone.push(id);
                    }
                    Step::CancelAgain(index) if !gone.is_empty() => {
                        prop_assert!(!calendar.cancel(gone[index.index(gone.len())]));
                    }
                    Step::CancelMost => {
                        for (id, order) in names.drain(names.len() / 4..) {
                            prop_assert!(calendar.cancel(id));
                            prop_assert!(id.lane() == NO_LANE || calendar.lanes.is_compact(id.lane()));
                            twin.remove(&order);
                            gone.push(id);
                        }
                    }
                    Step::Peek => {
                        prop_assert_eq!(calendar.peek_time(), twin.first_key_value().map(|(order, _)| order.0));
                    }
                    Step::PopBefore(ahead, times) => {
                        let limit = now + ahead;
                        for _ in 0..times {
                            let expected = twin.first_entry().filter(|entry| entry.key().0 < limit);
                            let expected = expected.map(|entry| entry.remove_entry());
                            let got = calendar.pop_before(limit);
                            prop_assert_eq!(got, expected.map(|(order, event)| (order.0, event)));
                            let Some((order, event)) = expected else { break };
                            now = order.0;
                            if event >= ALARM {
                                alarms_set[(event - ALARM) as usize] = None;
                            }
                            let place = names.iter().position(|name| name.1 == order);
                            gone.extend(place.map(|place| names.swap_remove(place).0));
                        }
                    }
                    Step::Clone => calendar = calendar.clone(),
                    Step::Cancel(_) | Step::CancelAgain(_) => {}
                }
                prop_assert_eq!(calendar.len(), twin.len());
                let dead = calendar.pending.keys().filter(|&key| !calendar.slots.is_alive(key)).count();
                prop_assert_eq!(dead, calendar.pending_dead);
            }
            for (which, set) in alarms_set.iter().enumerate().filter_map(|(which, set)| Some((which, (*set)?))) {
                prop_assert!(twin.remove(&set).is_some() && calendar.clear_alarm(alarms[which]));
            }
            let live = calendar.live(|_| true);
            let events: Vec<(Time, Class, u32)> = live.iter().map(|e| (e.at, e.class, e.event)).collect();
            prop_assert_eq!(events, twin.iter().map(|(order, &event)| (order.0, order.1, event)).collect::<Vec<_>>());
            for event in live {
                prop_assert!(calendar.cancel(event.id));
            }
            prop_assert!(calendar.is_empty() && calendar.peek_time().is_none());
        }
    }

    #[test]
    fn givings_up_come_after_everything_else_of_their_instant() {
        let mut calendar = Calendar::new();
        calendar.set_after(0, 50, Class::GivingUp, "timeout");
        calendar.set(50, Class::First, "reply");
        calendar.set(50, Class::GivingUp, "hedge");
        calendar.set_after(10, 40, Class::First, "packet");
        calendar.set(51, Class::First, "next");
        let mut order = Vec::new();
        while let Some((_, event)) = calendar.pop_before(51) {
            order.push(event);
        }
        assert_eq!(order, ["reply", "packet", "timeout", "hedge"]);
        assert_eq!(calendar.len(), 1, "what falls exactly at the limit does not happen before it");
    }

    #[test]
    fn a_place_and_what_stands_there_are_a_name() {
        let mut calendar = Calendar::new();
        let [first, second] = ["first", "second"].map(|event| calendar.set(10, Class::First, event));
        assert!(!calendar.cancel_at(first.place(), |event| *event == "second"), "another stands there");
        assert!(calendar.cancel_at(first.place(), |event| *event == "first") && !calendar.is_set(first));
        assert!(!calendar.cancel_at(first.place(), |_| true), "nobody stands there");
        calendar.set(20, Class::First, "third");
        assert!(!calendar.cancel_at(first.place(), |event| *event == "first"), "the place is another's now");
        assert!(!calendar.cancel_at(99, |_| true));
        assert_eq!(calendar.pop_before(100), Some((10, "second")));
        assert!(!calendar.cancel(second));
        assert_eq!(calendar.pop_before(100), Some((20, "third")));
    }

    #[test]
    fn an_instant_beyond_the_last_one_is_the_last_one() {
        let mut calendar = Calendar::new();
        calendar.set(Time::MAX, Class::First, 'a');
        calendar.set_after(5, Span::MAX, Class::First, 'b');
        calendar.set(TIME_MAX, Class::First, 'c');
        calendar.set(TIME_MAX + 6, Class::First, 'd');
        assert_eq!(calendar.pop_before(TIME_MAX), None);
        let all = std::iter::from_fn(|| calendar.pop_before(Time::MAX)).collect::<Vec<_>>();
        assert_eq!(all, [(TIME_MAX, 'a'), (TIME_MAX, 'b'), (TIME_MAX, 'c'), (TIME_MAX, 'd')]);
        // Enough of them that a wheel must cope with such a gap.
        for number in 0..4000u64 {
            calendar.set(if number < 3 { number } else { Time::MAX }, Class::First, 'e');
        }
        let times = std::iter::from_fn(|| calendar.pop_before(Time::MAX)).map(|(at, _)| at);
        assert!(times.eq((0..4000).map(|number| if number < 3 { number } else { TIME_MAX })));
    }

    #[test]
    fn timeouts_that_never_fire_keep_memory_to_those_in_flight() {
        let mut calendar = Calendar::new();
        let mut in_flight = std::collections::VecDeque::new();
        for now in 0..200_000 {
            in_flight.push_back(calendar.set_after(now, 1_000_000, Class::GivingUp, now as u32));
            if in_flight.len() > 100 {
                assert!(in_flight.pop_front().is_some_and(|id| calendar.cancel(id)));
            }
        }
        assert_eq!(calendar.len(), 100);
        assert!(calendar.lanes.entries() < 300 && calendar.bytes() < 64 * 1024);
    }

    /// As many dead entries as are never compacted, followed by as many live ones as make the lane a long one.
    #[test]
    fn a_lane_that_was_full_of_the_dead_is_compact_when_it_grows() {
        let mut calendar = Calendar::new();
        let mut set = |count: usize| Vec::from_iter((0..count).map(|_| calendar.set_after(0, 9, Class::First, 'a')));
        let [dead, live] = [set(255), set(195)];
        for id in dead.into_iter().chain(live) {
            assert!(calendar.cancel(id) && calendar.lanes.is_compact(id.lane()));
        }
    }

    #[test]
    fn delays_beyond_the_lanes_keep_the_order_and_later_settings_get_lanes_again() {
        let mut calendar = Calendar::new();
        for delay in 0..200u64 {
            calendar.set_after(0, 1000 - delay, Class::First, delay);
        }
        assert_eq!(calendar.lanes.entries(), crate::lanes::LANES_MAX);
        let order: Vec<u64> = std::iter::from_fn(|| calendar.pop_before(2000)).map(|(_, delay)| delay).collect();
        assert_eq!(order, (0..200).rev().collect::<Vec<_>>());
        for now in 2000..6000 {
            calendar.set_after(now, 77, Class::First, now);
        }
        assert!(calendar.lanes.entries() > 2000, "an empty lane is taken over");
        for now in 2000..6000 {
            assert_eq!(calendar.pop_before(10_000), Some((now + 77, now)));
        }
    }

    #[test]
    fn lanes_change_hands_again_and_again() {
        let mut calendar = Calendar::new();
        for round in 0..200 {
            // Enough rejected delays that an empty lane is looked for.
            for now in 0..1100 {
                let now = 2000 * round + now;
                calendar.set_after(now, 1_000_000 + round, Class::First, now);
            }
            assert!(calendar.lanes.entries() > 0);
            while calendar.pop_before(Time::MAX).is_some() {}
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_not_disturb_the_order() {
        let mut calendar = Calendar::new();
        for now in [100, 50, 120, 70] {
            calendar.set_after(now, 10, Class::First, now);
        }
        let order: Vec<u64> = std::iter::from_fn(|| calendar.pop_before(1000)).map(|(at, _)| at).collect();
        assert_eq!(order, [60, 80, 110, 130]);
    }

    #[test]
    fn an_optional_timer_is_eight_bytes() {
        assert_eq!(size_of::<Option<TimerId>>(), 8);
    }
}
