//! Timers that are set again each time they go off, such as the next arrival of a workload.
//!
//! An alarm keeps its event and its place permanently. Setting it writes one key, and the least key of all alarms
//! competes with the rest of the calendar.

use crate::tournament::{NO_KEY, Tournament};

/// The alarms of a calendar, by number, with the calendar's keys.
#[derive(Clone, Debug)]
pub(crate) struct Alarms<E> {
    events: Vec<E>,
    keys: Tournament,
    /// Whether the first alarm has gone off but still holds its key, because it is usually set again at once.
    gone_off: bool,
}

impl<E: Copy> Alarms<E> {
    pub(crate) fn new() -> Self {
        Alarms { events: Vec::new(), keys: Tournament::new(), gone_off: false }
    }

    /// Adds an alarm that is not set, and returns its number.
    pub(crate) fn add(&mut self, event: E) -> u32 {
        self.events.push(event);
        self.keys.make_room(self.events.len());
        (self.events.len() - 1) as u32
    }

    /// Sets an alarm, whether or not it is already set.
    #[inline(always)]
    pub(crate) fn set(&mut self, number: u32, key: u128) {
        if self.gone_off && self.keys.first() != number as usize {
            self.settle();
        }
        self.gone_off = false;
        self.keys.set(number as usize, key);
    }

    /// Clears an alarm. Returns whether it was set.
    pub(crate) fn clear(&mut self, number: u32) -> bool {
        self.settle();
        let was_set = self.keys.key(number as usize) != NO_KEY;
        self.keys.set(number as usize, NO_KEY);
        was_set
    }

    /// The least key of all set alarms.
    #[inline(always)]
    pub(crate) fn least(&mut self) -> u128 {
        if self.gone_off {
            self.settle();
        }
        self.keys.least()
    }

    /// Fires the alarm with the least key, as just returned by [`least`](Self::least), and returns its event.
    #[inline(always)]
    pub(crate) fn go_off(&mut self) -> E {
        self.gone_off = true;
        self.events[self.keys.first()]
    }

    #[inline(never)]
    fn settle(&mut self) {
        if std::mem::take(&mut self.gone_off) {
            self.keys.set(self.keys.first(), NO_KEY);
        }
    }

    /// The number of set alarms.
    pub(crate) fn len(&self) -> usize {
        let set = (0..self.events.len()).filter(|number| self.keys.key(*number) != NO_KEY).count();
        set - usize::from(self.gone_off)
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.events.capacity() * size_of::<E>() + self.keys.bytes()
    }
}
