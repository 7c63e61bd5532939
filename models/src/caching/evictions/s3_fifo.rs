//! S3-FIFO (Yang, Zhang, Qiu, Yue and Vinayak, *FIFO Queues are All You Need for Cache Eviction*, SOSP 2023, algorithm 1): three
//! queues. What is new enters the small one, a tenth of the room; what was used more than once there moves on to the main one,
//! the rest leaves only its name behind, and enters the main one if it comes back. The main one gives what was used another
//! round for each use, of which three are remembered. There are as many names as entries in the main queue.

use std::collections::VecDeque;

use super::super::entries::{Entries, In, List};
use super::super::table::{Data, Table};
use super::Eviction;

const SMALL: In = In::First;
const MAIN: In = In::Second;

/// Uses that are remembered of an entry.
const USES_MAX: u8 = 3;
/// An entry moves on to the main queue if it was used more often than this.
const FEW: u8 = 1;

/// Three queues.
#[derive(Clone, Debug)]
pub(crate) struct S3Fifo {
    small: List,
    main: List,
    small_room: usize,
    main_room: usize,
    names: Names,
}

impl S3Fifo {
    pub(crate) fn new(capacity: usize) -> S3Fifo {
        let mut new = S3Fifo {
            small: List::default(),
            main: List::default(),
            small_room: 0,
            main_room: 0,
            names: Names::default(),
        };
        new.divide(capacity);
        new
    }

    fn divide(&mut self, capacity: usize) {
        self.small_room = (capacity / 10).max(1);
        self.main_room = capacity.saturating_sub(self.small_room);
    }

    fn evict_small(&mut self, entries: &mut Entries) {
        while let Some(oldest) = self.small.oldest() {
            self.small.take(entries, oldest);
            if entries.at(oldest).mark > FEW {
                let entry = entries.at_mut(oldest);
                (entry.mark, entry.list) = (0, MAIN);
                self.main.push(entries, oldest);
                if self.main.len() > self.main_room {
                    self.evict_main(entries);
                }
            } else {
                self.names.add(entries.at(oldest).data(), self.main_room);
                entries.evict(oldest);
                return;
            }
        }
    }

    fn evict_main(&mut self, entries: &mut Entries) {
        while let Some(oldest) = self.main.oldest() {
            let entry = entries.at_mut(oldest);
            if entry.mark == 0 {
                self.main.take(entries, oldest);
                entries.evict(oldest);
                return;
            }
            entry.mark -= 1;
            self.main.renew(entries, oldest);
        }
    }
}

impl Eviction for S3Fifo {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        let is_back = self.names.remove(entries.at(index).data());
        entries.at_mut(index).list = if is_back { MAIN } else { SMALL };
        if is_back { self.main.push(entries, index) } else { self.small.push(entries, index) }
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        let entry = entries.at_mut(index);
        entry.mark = (entry.mark + 1).min(USES_MAX);
    }

    fn evict(&mut self, entries: &mut Entries) {
        if self.small.len() >= self.small_room {
            self.evict_small(entries);
        } else {
            self.evict_main(entries);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        match entries.at(index).list {
            In::First => self.small.take(entries, index),
            In::Second | In::Third => self.main.take(entries, index),
        }
    }

    fn resized(&mut self, entries: &mut Entries) {
        self.divide(entries.capacity);
        while entries.len() > entries.capacity {
            self.evict(entries);
        }
        self.names.shorten(self.main_room);
    }

    fn clear(&mut self) {
        (self.small, self.main) = (List::default(), List::default());
        self.names = Names::default();
    }
}

/// Names of what has gone, from the one that went first.
#[derive(Clone, Debug, Default)]
struct Names {
    /// With a number each; one that has come back is still here, under a number that counts no more.
    queue: VecDeque<(Data, u32)>,
    numbers: Table,
    next: u32,
    len: usize,
}

impl Names {
    fn add(&mut self, data: Data, most: usize) {
        if self.numbers.get(data).is_none() {
            self.len += 1;
        }
        self.numbers.insert(data, self.next);
        self.queue.push_back((data, self.next));
        self.next = self.next.wrapping_add(1);
        self.shorten(most);
    }

    fn remove(&mut self, data: Data) -> bool {
        let was_there = self.numbers.remove(data).is_some();
        self.len -= usize::from(was_there);
        was_there
    }

    fn shorten(&mut self, most: usize) {
        while self.len > most {
            let Some((data, number)) = self.queue.pop_front() else { return };
            if self.numbers.get(data) == Some(number) {
                self.remove(data);
            }
        }
        // Seldom enough that it costs a small constant each time that a name is added.
        if self.queue.len() > 2 * self.len + 16 {
            let numbers = &self.numbers;
            self.queue.retain(|(data, number)| numbers.get(*data) == Some(*number));
        }
    }
}
