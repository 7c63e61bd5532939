//! Caching: what a cache remembers and what it forgets first.
//!
//! A [`Store`] is pure and knows no engine. Looking up, inserting and evicting take constant time whatever the number
//! of entries (perfect LFU: the logarithm of the number of different counts): entries are found through a hash table and hang
//! in the lists of an eviction policy, each of which is a file of its own.

mod capacity;
mod entries;
mod evictions;
pub mod hit_ratio;
mod index;
mod table;

use settings::Setting;
use sim_core::Time;
use sim_core::random::Stream;

pub use capacity::CapacitySettings;
use entries::Entries;
use evictions::{Anything, Clock, Eviction, Fifo, Lfu, Lru, PerfectLfu, Placed, S3Fifo, Sieve, TinyLfu};
pub use table::{Data, Table};

/// Eviction policy: which entry is evicted when the cache is full.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub enum EvictionSettings {
    /// Least recently used.
    Lru,
    /// Least frequently used since it came in; the least recently used among equals.
    Lfu,
    /// Least frequently asked for at all, by counts of all requests for all keys, whether or not they are kept.
    PerfectLfu,
    /// First in, first out.
    Fifo,
    /// Any entry, at random.
    Random,
    /// First in, first out, but what was used meanwhile gets another round.
    Clock,
    /// SIEVE: first in, first out, with a hand that spares what was used.
    Sieve,
    /// S3-FIFO: three queues; an entry must be used more than once to leave the small one for the main one.
    S3Fifo,
    /// W-TinyLFU, as in Caffeine: by an estimate of how often each was asked for of late.
    TinyLfu,
    /// Nothing is evicted: the keys with the smallest numbers, the most popular of `zipf` and `hot`, are kept, and no others.
    Static,
}

/// The policy, with what it remembers.
#[derive(Clone, Debug)]
enum Policy {
    Lru(Lru),
    Lfu(Lfu),
    PerfectLfu(PerfectLfu),
    Fifo(Fifo),
    Random(Box<Anything>),
    Clock(Clock),
    Sieve(Sieve),
    S3Fifo(Box<S3Fifo>),
    TinyLfu(Box<TinyLfu>),
    Static(Placed),
}

/// Hands the policy, whichever it is, to an expression.
macro_rules! each_policy {
    ($policy:expr, $it:ident => $do:expr) => {
        match $policy {
            Policy::Lru($it) => $do,
            Policy::Lfu($it) => $do,
            Policy::PerfectLfu($it) => $do,
            Policy::Fifo($it) => $do,
            Policy::Random($it) => $do,
            Policy::Clock($it) => $do,
            Policy::Sieve($it) => $do,
            Policy::S3Fifo($it) => $do,
            Policy::TinyLfu($it) => $do,
            Policy::Static($it) => $do,
        }
    };
}

/// What a cache remembers.
#[derive(Clone, Debug)]
pub struct Store {
    entries: Entries,
    policy: Policy,
}

impl Store {
    /// An empty one with room for so many entries of so many operations that read. What is random comes from `stream`.
    pub fn new(eviction: EvictionSettings, capacity: usize, readers: usize, stream: Stream) -> Store {
        let policy = match eviction {
            EvictionSettings::Lru => Policy::Lru(Lru::default()),
            EvictionSettings::Lfu => Policy::Lfu(Lfu::default()),
            EvictionSettings::PerfectLfu => Policy::PerfectLfu(PerfectLfu::default()),
            EvictionSettings::Fifo => Policy::Fifo(Fifo::default()),
            EvictionSettings::Random => Policy::Random(Box::new(Anything::new(stream))),
            EvictionSettings::Clock => Policy::Clock(Clock::default()),
            EvictionSettings::Sieve => Policy::Sieve(Sieve::default()),
            EvictionSettings::S3Fifo => Policy::S3Fifo(Box::new(S3Fifo::new(capacity))),
            EvictionSettings::TinyLfu => Policy::TinyLfu(Box::new(TinyLfu::new(capacity))),
            EvictionSettings::Static => Policy::Static(Placed::new(readers, capacity)),
        };
        Store { entries: Entries::new(capacity), policy }
    }

    /// How many entries there are, those that have expired unnoticed included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there is room for.
    pub fn capacity(&self) -> usize {
        self.entries.capacity
    }

    /// Entries that had to make room for others.
    pub fn evictions(&self) -> u64 {
        self.entries.evictions
    }

    /// Counts evictions from here.
    pub fn begin_measuring(&mut self) {
        self.entries.evictions = 0;
    }

    /// Where it is, whether or not it has expired.
    #[inline]
    pub fn find(&self, data: Data) -> Option<u32> {
        self.entries.find(data)
    }

    /// What the entry there is.
    pub fn data(&self, index: u32) -> Data {
        self.entries.at(index).data()
    }

    /// When the entry there expires.
    #[inline]
    pub fn expires(&self, index: u32) -> Time {
        self.entries.at(index).expires
    }

    /// Lets the entry there expire at another instant.
    pub fn renew(&mut self, index: u32, expires: Time) {
        self.entries.at_mut(index).expires = expires;
    }

    /// The entry there was used.
    #[inline]
    pub fn used(&mut self, index: u32) {
        each_policy!(&mut self.policy, policy => policy.used(&mut self.entries, index));
    }

    /// Something was asked for that is not there.
    #[inline]
    pub fn missed(&mut self, data: Data) {
        each_policy!(&mut self.policy, policy => policy.missed(data));
    }

    /// Whether it is there and has not expired; that is a use of it. What has expired is forgotten now.
    pub fn look_up(&mut self, data: Data, now: Time) -> bool {
        match self.find(data) {
            Some(index) if self.expires(index) > now => {
                self.used(index);
                return true;
            }
            Some(index) => self.remove(index),
            None => {}
        }
        self.missed(data);
        false
    }

    /// Puts it in, or anew if it is there, and says where; makes room for it if need be. `None` where the policy does not
    /// want it.
    pub fn insert(&mut self, data: Data, expires: Time) -> Option<u32> {
        let Store { entries, policy } = self;
        if let Some(index) = entries.find(data) {
            entries.at_mut(index).expires = expires;
            each_policy!(policy, policy => policy.put_again(entries, index));
            return Some(index);
        }
        if entries.capacity == 0 || !each_policy!(policy, policy => policy.admits(data, entries.is_full())) {
            return None;
        }
        each_policy!(policy, policy => policy.make_room(entries, data));
        let index = entries.add(data, expires);
        each_policy!(policy, policy => policy.added(entries, index));
        Some(index)
    }

    /// Forgets one entry, if it is there.
    pub fn forget(&mut self, data: Data) {
        if let Some(index) = self.find(data) {
            self.remove(index);
        }
    }

    /// Forgets the entry there.
    pub fn remove(&mut self, index: u32) {
        each_policy!(&mut self.policy, policy => policy.taken(&mut self.entries, index));
        self.entries.remove(index);
    }

    /// Forgets those of which `goes` says so.
    pub fn forget_some(&mut self, mut goes: impl FnMut(Data) -> bool) {
        let going: Vec<u32> = self.entries.places().filter(|at| goes(self.entries.at(*at).data())).collect();
        going.into_iter().for_each(|index| self.remove(index));
    }

    /// Forgets everything, and whatever the policy has found out.
    pub fn clear(&mut self) {
        self.entries.clear();
        each_policy!(&mut self.policy, policy => policy.clear());
    }

    /// Has room for so many from now on.
    pub fn set_capacity(&mut self, capacity: usize) {
        if capacity != self.entries.capacity {
            self.entries.capacity = capacity;
            each_policy!(&mut self.policy, policy => policy.resized(&mut self.entries));
        }
    }
}

#[cfg(test)]
mod tests;
