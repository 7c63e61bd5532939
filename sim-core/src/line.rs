//! The waiting line for a place: the order of service, rejection and leaving.
//!
//! A pure data structure over call numbers: the caller supplies the time and acts on the results. Calls are stored in a
//! ring of 16 bytes each, so that first come, first served costs a push and a pop. A leaving call is first searched
//! near the head, where the oldest calls are and therefore the first to give up, and then through an index, which is
//! built on first use. A call that leaves from deep inside is marked and skipped later.
//!
//! | discipline | next call |
//! | --- | --- |
//! | first in, first out | longest wait |
//! | last in, first out | latest arrival |
//! | adaptive LIFO | latest arrival while a queue persists, otherwise longest wait |
//! | priority | lowest number; among equals, longest wait |
//! | CoDel | longest wait, except calls rejected while the wait stays above the target |

use crate::prefetch::prefetch_one;
use crate::time::{MILLISECOND, Span, Time};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// How far from the head a leaving call is searched before an index is built.
const SEARCHED: usize = 64;
/// Number of marked places below which compaction is not worthwhile.
const DEAD_TOLERATED: usize = 32;

/// The order in which waiting calls are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Discipline {
    /// The longest wait first.
    #[default]
    Fifo,
    /// The latest arrival first.
    Lifo,
    /// The latest arrival first if the line has not been empty for longer than `persists`, otherwise the longest wait
    /// first: when not all calls can be served in time, those that still can be are. Fail at Scale (ACM Queue, 2015)
    /// uses 100 ms.
    AdaptiveLifo {
        /// How long the queue must have existed, in nanoseconds.
        persists: Span,
    },
    /// The lowest priority number first; among equals the longest wait.
    Priority,
    /// The longest wait first, under controlled delay.
    Codel {
        /// The acceptable wait, in nanoseconds; folly uses 5 ms.
        target: Span,
        /// How long the wait must stay above the target, in nanoseconds; folly uses 100 ms.
        interval: Span,
    },
}

impl Discipline {
    /// Adaptive LIFO as in Fail at Scale: a queue persists after 100 ms.
    pub const ADAPTIVE_LIFO: Discipline = Discipline::AdaptiveLifo { persists: 100 * MILLISECOND };
    /// CoDel as in folly: 5 ms and 100 ms.
    pub const CODEL: Discipline = Discipline::Codel { target: 5 * MILLISECOND, interval: 100 * MILLISECOND };
}

/// Controlled delay for requests, in the variant of folly's `Codel`.
///
/// Tracks the minimum wait of each interval, over all requests, including those served immediately. If even the minimum
/// was above the target, the queue is a standing one and not a burst, and during the next interval requests that waited
/// more than twice the target are rejected. The first request after the end of an interval closes it, opens the next
/// one, and is never rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codel {
    target: Span,
    interval: Span,
    interval_end: Time,
    /// The minimum wait of this interval; `None` before the first request.
    wait_min: Option<Span>,
    overloaded: bool,
}

impl Codel {
    /// For an acceptable wait of `target` and intervals of `interval` nanoseconds.
    pub fn new(target: Span, interval: Span) -> Self {
        Codel { target, interval, interval_end: 0, wait_min: None, overloaded: false }
    }

    /// Whether to reject a request that is taken from the queue at `now`, after a wait of `waited`.
    #[inline]
    pub fn turns_away(&mut self, now: Time, waited: Span) -> bool {
        let Some(wait_min) = self.wait_min else {
            self.wait_min = Some(waited);
            return false;
        };
        if now > self.interval_end {
            self.overloaded = wait_min > self.target;
            self.interval_end = now.saturating_add(self.interval);
            self.wait_min = Some(waited);
            return false;
        }
        self.wait_min = Some(wait_min.min(waited));
        self.overloaded && waited > self.target.saturating_mul(2)
    }

    /// Whether the previous interval was overloaded.
    pub fn is_overloaded(&self) -> bool {
        self.overloaded
    }
}

/// The error for a line that has reached its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the line is full")
    }
}

impl std::error::Error for Full {}

/// The next call and its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Popped {
    /// The call.
    pub call: u32,
    /// Nanoseconds since it joined the line.
    pub waited: Span,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    since: Time,
    call: u32,
    priority: u8,
    /// False once the call has left from the middle of the line.
    waits: bool,
}

/// Places in the order of joining. The first and the last always belong to waiting calls.
#[derive(Clone, Debug, Default)]
#[repr(C)]
struct Ring {
    places: VecDeque<Place>,
    /// Present only when the places alone are not sufficient, which is rare.
    more: Option<Box<More>>,
    /// The previous `more`, kept for reuse.
    spare: Option<Box<More>>,
}

/// State of a ring beyond its places.
#[derive(Clone, Debug, Default)]
struct More {
    /// Number of places whose call has left.
    dead: usize,
    /// The instant until which each call may wait; present only if a call with a bounded wait has joined.
    until: Option<VecDeque<Option<Time>>>,
    /// The number of the first place; the others follow consecutively.
    first: u64,
    /// Place numbers by call; present only while calls leave from deep in a long line.
    index: Option<BTreeMap<u32, u64>>,
}

impl Ring {
    #[inline]
    fn push_back(&mut self, place: Place, until: Option<Time>) {
        if until.is_some() || self.more.is_some() {
            self.note_pushed(place.call, until);
        }
        self.places.push_back(place);
    }

    /// Returns the extra state, creating it if necessary.
    fn more(&mut self) -> &mut More {
        let len = self.places.len();
        let spare = &mut self.spare;
        self.more.get_or_insert_with(|| {
            let mut more = spare.take().unwrap_or_default();
            (more.dead, more.first, more.index) = (0, 0, None);
            if let Some(each) = &mut more.until {
                each.clear();
                each.resize(len, None);
            }
            more
        })
    }

    #[cold]
    fn note_pushed(&mut self, call: u32, until: Option<Time>) {
        let len = self.places.len();
        let more = self.more();
        if let Some(index) = &mut more.index {
            index.insert(call, more.first.wrapping_add(len as u64));
        }
        if until.is_some() && more.until.is_none() {
            more.until = Some(vec![None; len].into());
        }
        if let Some(each) = &mut more.until {
            each.push_back(until);
        }
    }

    fn push_front(&mut self, place: Place) {
        if let Some(more) = &mut self.more {
            more.first = more.first.wrapping_sub(1);
            if let Some(index) = &mut more.index {
                index.insert(place.call, more.first);
            }
            if let Some(each) = &mut more.until {
                each.push_front(None);
            }
        }
        self.places.push_front(place);
    }

    /// Takes the first place, with whether its time was over before `now`.
    #[inline]
    fn pop_front(&mut self, now: Time) -> Option<(Place, bool)> {
        let place = self.places.pop_front()?;
        let late = self.more.is_some() && self.note_popped(place.call, now, true);
        Some((place, late))
    }

    /// Takes the last place, with whether its time was over before `now`.
    #[inline]
    fn pop_back(&mut self, now: Time) -> Option<(Place, bool)> {
        let place = self.places.pop_back()?;
        let late = self.more.is_some() && self.note_popped(place.call, now, false);
        Some((place, late))
    }

    #[cold]
    fn note_popped(&mut self, call: u32, now: Time, from_front: bool) -> bool {
        let Some(more) = &mut self.more else { return false };
        let until = more.until.as_mut();
        let until = if from_front {
            more.first = more.first.wrapping_add(1);
            until.and_then(|each| each.pop_front())
        } else {
            until.and_then(|each| each.pop_back())
        };
        self.tidy(call);
        until.flatten().is_some_and(|until| until < now)
    }

    /// Whether the first call's time is over.
    #[inline]
    fn first_is_late(&self, now: Time) -> bool {
        let until = self.more.as_ref().and_then(|more| more.until.as_ref()?.front().copied().flatten());
        until.is_some_and(|until| until < now)
    }

    /// Restores the invariants of the ends and of the index after `call` has left.
    fn tidy(&mut self, call: u32) {
        let Some(more) = &mut self.more else { return };
        if let Some(index) = &mut more.index {
            index.remove(&call);
        }
        while self.places.front().is_some_and(|place| !place.waits) {
            self.places.pop_front();
            more.until.as_mut().and_then(|each| each.pop_front());
            more.first = more.first.wrapping_add(1);
            more.dead -= 1;
        }
        while self.places.back().is_some_and(|place| !place.waits) {
            self.places.pop_back();
            more.until.as_mut().and_then(|each| each.pop_back());
            more.dead -= 1;
        }
        let waiting = self.places.len() - more.dead;
        if self.places.len() <= SEARCHED || more.dead > waiting + DEAD_TOLERATED {
            self.compact();
        }
    }

    /// Removes the places whose call has left, and extra state that is no longer needed.
    fn compact(&mut self) {
        let Some(more) = &mut self.more else { return };
        if more.dead > 0 {
            if let Some(each) = &mut more.until {
                let mut waits = self.places.iter().map(|place| place.waits);
                each.retain(|_| waits.next().unwrap_or(true));
            }
            self.places.retain(|place| place.waits);
            more.dead = 0;
        }
        if self.places.len() <= SEARCHED {
            more.index = None;
            if more.until.as_ref().is_none_or(VecDeque::is_empty) {
                self.spare = self.more.take();
            }
        } else if more.index.is_some() {
            self.make_index();
        }
    }

    fn make_index(&mut self) {
        self.more();
        let Some(more) = &mut self.more else { return };
        let numbered = self.places.iter().zip(0u64..).filter(|(place, _)| place.waits);
        more.index = Some(numbered.map(|(place, offset)| (place.call, more.first.wrapping_add(offset))).collect());
    }

    fn remove(&mut self, call: u32) -> bool {
        let Some(at) = self.find(call) else { return false };
        match &mut self.more {
            // Near the head, closing the gap is cheaper than marking it.
            None => drop(self.places.remove(at)),
            Some(more) => {
                self.places[at].waits = false;
                more.dead += 1;
                self.tidy(call);
            }
        }
        true
    }

    /// The position of a call. Builds the index if the call is not near the head.
    fn find(&mut self, call: u32) -> Option<usize> {
        let near = self.places.iter().take(SEARCHED).position(|place| place.call == call && place.waits);
        if near.is_some() || self.places.len() <= SEARCHED {
            return near;
        }
        if self.more.as_ref().is_none_or(|more| more.index.is_none()) {
            self.make_index();
        }
        let more = self.more.as_ref()?;
        let number = *more.index.as_ref()?.get(&call)?;
        Some(number.wrapping_sub(more.first) as usize)
    }

    /// Since when the longest-waiting call has waited. Calls put back are in front, the latest first, so the instants
    /// first fall and then rise.
    fn oldest_since(&self) -> Option<Time> {
        let mut instants = self.places.iter().filter(|place| place.waits).map(|place| place.since);
        let mut oldest = instants.next()?;
        for since in instants {
            if since > oldest {
                break;
            }
            oldest = since;
        }
        Some(oldest)
    }

    fn calls(&self) -> impl Iterator<Item = u32> {
        self.places.iter().filter(|place| place.waits).map(|place| place.call)
    }

    /// Takes all waiting calls, each with the instant until which it may wait.
    fn take_all(&mut self) -> Vec<(Place, Option<Time>)> {
        let Ring { places, more, .. } = std::mem::take(self);
        let until = more.and_then(|more| more.until).unwrap_or_else(|| vec![None; places.len()].into());
        places.into_iter().zip(until).filter(|(place, _)| place.waits).collect()
    }
}

#[derive(Clone, Debug)]
struct Level {
    priority: u8,
    ring: Ring,
}

/// The waiting calls, under one discipline and an optional bound.
///
/// A call is in a line at most once.
#[derive(Clone, Debug)]
#[repr(C)] // Fields that every call needs come first and share a cache line: a large system has thousands of lines.
pub struct Line {
    len: usize,
    max: Option<u32>,
    discipline: Discipline,
    /// All waiting calls, except under the priority discipline.
    ring: Ring,
    /// When a call last joined the line while it was empty.
    occupied_since: Time,
    codel: Codel,
    /// The longest wait of any call that has left, since [`Line::forget_ages`].
    longest: Span,
    /// Under the priority discipline: a ring for each priority seen, lowest number first.
    levels: Vec<Level>,
}

impl Default for Line {
    fn default() -> Self {
        Line::new(Discipline::Fifo, None)
    }
}

impl Line {
    /// An empty line with this discipline for at most `max` calls (`None`: no bound; 0: no waiting).
    pub fn new(discipline: Discipline, max: Option<u32>) -> Self {
        Line {
            discipline,
            max,
            len: 0,
            occupied_since: 0,
            codel: codel_of(discipline),
            longest: 0,
            ring: Ring::default(),
            levels: Vec::new(),
        }
    }

    /// The number of waiting calls.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no call is waiting.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether waiting calls may be rejected when their turn comes.
    #[inline]
    pub fn may_turn_away(&self) -> bool {
        self.discipline != Discipline::Fifo || self.ring.more.is_some()
    }

    /// Prefetches the place of the longest-waiting call ([`crate::prefetch`]).
    #[inline]
    pub fn prefetch_first(&self) {
        if let Some(place) = self.ring.places.front() {
            prefetch_one(place);
        }
    }

    /// The longest-waiting call, if it is known without a search.
    #[inline]
    pub fn first(&self) -> Option<u32> {
        self.ring.places.front().map(|place| place.call)
    }

    /// Maximum number of waiting calls; `None` if unbounded.
    pub fn max(&self) -> Option<u32> {
        self.max
    }

    /// Changes the maximum number of waiting calls. Calls beyond it stay.
    pub fn set_max(&mut self, max: Option<u32>) {
        self.max = max;
    }

    /// The discipline.
    pub fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// Changes the discipline; all waiting calls stay and keep their waiting time. A controlled delay starts afresh.
    pub fn set_discipline(&mut self, discipline: Discipline) {
        if discipline == self.discipline {
            return;
        }
        let mut all = self.ring.take_all();
        all.extend(self.levels.iter_mut().flat_map(|level| level.ring.take_all()));
        all.sort_by_key(|(place, _)| place.since);
        self.discipline = discipline;
        self.codel = codel_of(discipline);
        self.levels.clear();
        for (place, until) in all {
            self.ring_for(place.priority).push_back(place, until);
        }
    }

    /// Adds `call` to the line.
    #[inline]
    pub fn push(&mut self, now: Time, call: u32, priority: u8) -> Result<(), Full> {
        self.push_until(now, call, priority, None)
    }

    /// Adds `call` to the line, to be rejected instead of served if its turn comes after `until`.
    #[inline(always)]
    pub fn push_until(&mut self, now: Time, call: u32, priority: u8, until: Option<Time>) -> Result<(), Full> {
        if self.max.is_some_and(|max| self.len >= max as usize) {
            return Err(Full);
        }
        if self.len == 0 {
            self.occupied_since = now;
        }
        self.len += 1;
        self.ring_for(priority).push_back(Place { since: now, call, priority, waits: true }, until);
        Ok(())
    }

    /// Records a call that is served immediately without joining the line, because a controlled delay uses the minimum
    /// wait of all calls.
    #[inline]
    pub fn pass_by(&mut self, now: Time) {
        if let Discipline::Codel { .. } = self.discipline {
            self.codel.turns_away(now, 0);
        }
    }

    /// Puts `call`, which had begun and was preempted, in front of its equals. Ignores the bound; it only affects the
    /// order, and so is meaningful only under [`Discipline::Priority`].
    pub fn put_back(&mut self, now: Time, call: u32, priority: u8) {
        if self.len == 0 {
            self.occupied_since = now;
        }
        self.len += 1;
        self.ring_for(priority).push_front(Place { since: now, call, priority, waits: true });
    }

    /// Takes the next call to be served. Calls rejected on the way go to `dropped`, in the order in which they are
    /// encountered: those whose time is over, and those shed by a controlled delay.
    #[inline(always)]
    pub fn pop(&mut self, now: Time, dropped: &mut Vec<u32>) -> Option<Popped> {
        if self.discipline == Discipline::Fifo && self.ring.more.is_none() {
            // First come, first served, without extra state: the common case.
            let place = self.ring.places.pop_front()?;
            self.len -= 1;
            let waited = now.saturating_sub(place.since);
            self.longest = self.longest.max(waited);
            return Some(Popped { call: place.call, waited });
        }
        self.pop_by_discipline(now, dropped)
    }

    #[inline(never)]
    fn pop_by_discipline(&mut self, now: Time, dropped: &mut Vec<u32>) -> Option<Popped> {
        loop {
            let (place, late) = match self.discipline {
                Discipline::Fifo | Discipline::Codel { .. } => self.ring.pop_front(now),
                Discipline::Lifo => self.pop_last(now),
                Discipline::AdaptiveLifo { persists } if now.saturating_sub(self.occupied_since) > persists => {
                    self.pop_last(now)
                }
                Discipline::AdaptiveLifo { .. } => self.ring.pop_front(now),
                Discipline::Priority => {
                    let level = self.levels.iter_mut().find(|level| !level.ring.places.is_empty());
                    level.and_then(|level| level.ring.pop_front(now))
                }
            }?;
            self.len -= 1;
            let waited = now.saturating_sub(place.since);
            self.longest = self.longest.max(waited);
            let sheds = matches!(self.discipline, Discipline::Codel { .. });
            if late || (sheds && self.codel.turns_away(now, waited)) {
                dropped.push(place.call);
                continue;
            }
            return Some(Popped { call: place.call, waited });
        }
    }

    /// Removes `call` without serving it; false if it was not in the line.
    pub fn remove(&mut self, call: u32) -> bool {
        let mut levels = self.levels.iter_mut();
        let found = self.ring.remove(call) || levels.any(|level| level.ring.remove(call));
        self.len -= usize::from(found);
        found
    }

    /// Removes all calls and returns them, by priority if applicable, then in the order of joining.
    pub fn clear(&mut self) -> Vec<u32> {
        let all = self.calls().collect();
        self.len = 0;
        self.ring = Ring::default();
        self.levels.clear();
        all
    }

    /// The waiting calls, by priority if applicable, then in the order of joining.
    pub fn calls(&self) -> impl Iterator<Item = u32> {
        self.ring.calls().chain(self.levels.iter().flat_map(|level| level.ring.calls()))
    }

    /// Since when the longest-waiting call has waited.
    pub fn oldest_since(&self) -> Option<Time> {
        let levels = self.levels.iter().map(|level| &level.ring);
        std::iter::once(&self.ring).chain(levels).filter_map(Ring::oldest_since).min()
    }

    /// The maximum age of the oldest waiting call since [`Line::forget_ages`], including current ages: the longest wait
    /// of any call, served or not.
    pub fn oldest_age_ever(&self, now: Time) -> Span {
        self.longest.max(self.oldest_since().map_or(0, |since| now.saturating_sub(since)))
    }

    /// Records the current maximum age before a call leaves that may be the oldest.
    pub fn note_age(&mut self, now: Time) {
        self.longest = self.oldest_age_ever(now);
    }

    /// Resets the maximum age.
    pub fn forget_ages(&mut self) {
        self.longest = 0;
    }

    /// The lowest priority number among the waiting calls, under [`Discipline::Priority`]: a call in service with a
    /// higher number may be preempted.
    pub fn first_priority(&self) -> Option<u8> {
        self.levels.iter().find(|level| !level.ring.places.is_empty()).map(|level| level.priority)
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let rings = std::iter::once(&self.ring).chain(self.levels.iter().map(|level| &level.ring));
        rings.map(|ring| ring.places.capacity() * size_of::<Place>()).sum()
    }

    /// Takes the latest arrival. Calls at the head whose time is over are dropped first, because they might never be
    /// last.
    fn pop_last(&mut self, now: Time) -> Option<(Place, bool)> {
        if self.ring.first_is_late(now) { self.ring.pop_front(now) } else { self.ring.pop_back(now) }
    }

    #[inline(always)]
    fn ring_for(&mut self, priority: u8) -> &mut Ring {
        if self.discipline != Discipline::Priority { &mut self.ring } else { self.ring_of(priority) }
    }

    #[inline(never)]
    fn ring_of(&mut self, priority: u8) -> &mut Ring {
        let at = match self.levels.binary_search_by_key(&priority, |level| level.priority) {
            Ok(at) => at,
            Err(at) => {
                self.levels.insert(at, Level { priority, ring: Ring::default() });
                at
            }
        };
        &mut self.levels[at].ring
    }
}

fn codel_of(discipline: Discipline) -> Codel {
    match discipline {
        Discipline::Codel { target, interval } => Codel::new(target, interval),
        _ => Codel::new(0, 0),
    }
}

#[cfg(test)]
mod tests;
