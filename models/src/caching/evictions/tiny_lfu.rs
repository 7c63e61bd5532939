//! W-TinyLFU, as Caffeine does it (Einziger, Friedman and Manes, *TinyLFU: A Highly Efficient Cache Admission Policy*, 2017; Einziger,
//! Eytan, Friedman and Manes, *Adaptive Software Cache Management*, 2018).
//!
//! What is new enters a window, a hundredth of the room, that evicts the least recently used. What leaves it is a candidate
//! for the main part: it takes the place of the entry that would go there if a sketch says that it was asked for more often,
//! else it goes. The main part has those on probation, and those that were used there, which are protected: at most four
//! fifths of it. After each ten requests for each place the window grows or shrinks, on in the same direction while that makes
//! more hits, in smaller and smaller steps.

use super::super::entries::{Entries, In, List};
use super::super::table::Data;
use super::Eviction;
use super::sketch::Sketch;

const WINDOW: In = In::First;
const PROBATION: In = In::Second;
const PROTECTED: In = In::Third;

/// First step of the window, as a share of the room.
const STEP: f64 = 0.0625;
/// By how much a step is smaller than the one before it.
const DECAY: f64 = 0.98;
/// A change of the hit ratio that makes the climb begin anew.
const RESTART: f64 = 0.05;
/// Requests between steps, for each place.
const SAMPLE: u64 = 10;

/// By an estimate of how often each was asked for.
#[derive(Clone, Debug)]
pub(crate) struct TinyLfu {
    window: List,
    probation: List,
    is_protected: List,
    capacity: usize,
    window_room: usize,
    protected_room: usize,
    sketch: Sketch,
    climb: Climb,
}

/// How the window finds its size.
#[derive(Clone, Debug)]
struct Climb {
    hits: u64,
    misses: u64,
    ratio_before: f64,
    step: f64,
}

impl TinyLfu {
    pub(crate) fn new(capacity: usize) -> TinyLfu {
        let window_room = (capacity / 100).max(1);
        TinyLfu {
            window: List::default(),
            probation: List::default(),
            is_protected: List::default(),
            capacity,
            window_room,
            protected_room: capacity.saturating_sub(window_room) * 4 / 5,
            sketch: Sketch::new(capacity),
            climb: Climb { hits: 0, misses: 0, ratio_before: 0.0, step: -STEP * capacity as f64 },
        }
    }

    /// What does not fit into the window any more stands for a place in the main part.
    fn settle(&mut self, entries: &mut Entries) {
        while self.window.len() > self.window_room {
            let Some(candidate) = self.window.oldest() else { return };
            let victim = self.probation.oldest().or(self.is_protected.oldest());
            self.enter(entries, candidate, PROBATION);
            if entries.len() > entries.capacity {
                let count = |index: u32| self.sketch.count(entries.at(index).data());
                let gone = victim.filter(|victim| count(candidate) > count(*victim)).unwrap_or(candidate);
                self.taken(entries, gone);
                entries.evict(gone);
            }
        }
    }

    fn list(&mut self, which: In) -> &mut List {
        match which {
            In::First => &mut self.window,
            In::Second => &mut self.probation,
            In::Third => &mut self.is_protected,
        }
    }

    /// Moves an entry to another list, as its newest.
    fn enter(&mut self, entries: &mut Entries, index: u32, which: In) {
        self.taken(entries, index);
        entries.at_mut(index).list = which;
        self.list(which).push(entries, index);
    }

    fn demote(&mut self, entries: &mut Entries) {
        while self.is_protected.len() > self.protected_room {
            let Some(oldest) = self.is_protected.oldest() else { return };
            self.enter(entries, oldest, PROBATION);
        }
    }

    fn climb(&mut self, entries: &mut Entries) {
        let requests = self.climb.hits + self.climb.misses;
        if requests < SAMPLE * entries.capacity as u64 {
            return;
        }
        let ratio = self.climb.hits as f64 / requests as f64;
        let change = ratio - self.climb.ratio_before;
        let amount = if change >= 0.0 { self.climb.step } else { -self.climb.step };
        let anew = STEP * entries.capacity as f64;
        let step = if change.abs() >= RESTART { anew.copysign(amount) } else { DECAY * amount };
        self.climb = Climb { hits: 0, misses: 0, ratio_before: ratio, step };
        if amount >= 0.0 { self.widen(entries, amount as usize) } else { self.narrow(entries, -amount as usize) }
    }

    fn widen(&mut self, entries: &mut Entries, by: usize) {
        let by = by.min(self.protected_room);
        (self.window_room, self.protected_room) = (self.window_room + by, self.protected_room - by);
        self.demote(entries);
        for _ in 0..by {
            let Some(moved) = self.probation.oldest().or(self.is_protected.oldest()) else { return };
            self.enter(entries, moved, WINDOW);
        }
        self.settle(entries);
    }

    fn narrow(&mut self, entries: &mut Entries, by: usize) {
        let by = by.min(self.window_room - 1);
        (self.window_room, self.protected_room) = (self.window_room - by, self.protected_room + by);
        for _ in 0..by {
            let Some(moved) = self.window.oldest() else { return };
            self.enter(entries, moved, PROBATION);
        }
    }
}

impl Eviction for TinyLfu {
    fn missed(&mut self, data: Data) {
        self.sketch.add(data);
        self.climb.misses += 1;
    }

    /// Who goes is found when it is known who leaves the window.
    fn make_room(&mut self, _entries: &mut Entries, _coming: Data) {}

    fn added(&mut self, entries: &mut Entries, index: u32) {
        entries.at_mut(index).list = WINDOW;
        self.window.push(entries, index);
        self.settle(entries);
        // The window has room to spare where others have gone: what is there then is not bounded by it.
        if entries.len() > entries.capacity {
            self.evict(entries);
        }
        self.climb(entries);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        self.sketch.add(entries.at(index).data());
        self.climb.hits += 1;
        match entries.at(index).list {
            In::First => self.window.renew(entries, index),
            In::Second => {
                self.enter(entries, index, PROTECTED);
                self.demote(entries);
            }
            In::Third => self.is_protected.renew(entries, index),
        }
        self.climb(entries);
    }

    fn put_again(&mut self, _entries: &mut Entries, _index: u32) {}

    fn evict(&mut self, entries: &mut Entries) {
        let gone = self.probation.oldest().or(self.is_protected.oldest()).or(self.window.oldest());
        if let Some(gone) = gone {
            self.taken(entries, gone);
            entries.evict(gone);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        let which = entries.at(index).list;
        self.list(which).take(entries, index);
    }

    fn resized(&mut self, entries: &mut Entries) {
        let fresh = TinyLfu::new(entries.capacity);
        let before = std::mem::replace(self, fresh);
        (self.window, self.probation, self.is_protected) = (before.window, before.probation, before.is_protected);
        while entries.len() > entries.capacity {
            self.evict(entries);
        }
        self.demote(entries);
        self.settle(entries);
    }

    fn clear(&mut self) {
        *self = TinyLfu::new(self.capacity);
    }
}
