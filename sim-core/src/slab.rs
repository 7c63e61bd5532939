//! Numbered places for values that come and go: a slab hands out the index of a free place and takes it back.
//!
//! The place freed last is reused first (last in, first out), so the places in use stay few and warm in the cache, and
//! nothing is allocated once the slab has reached its working size. [`Slab`] names a place by its bare index, for
//! holders that own the place. [`KeyedSlab`] adds a generation, so that a stale key finds nothing.

use std::num::NonZeroU32;

use crate::prefetch::prefetch;
use crate::table::push;

#[derive(Clone, Debug)]
enum Place<T> {
    Held(T),
    /// The place that was freed before this one, or `NONE`.
    Free(u32),
}

/// No place; the number of places never reaches this value.
const NONE: u32 = u32::MAX;

/// Places named by index, reused last in, first out.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    /// The most recently freed place, or `NONE`.
    free: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { places: Vec::new(), free: NONE, len: 0 }
    }
}

impl<T> Slab<T> {
    /// An empty slab.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of values held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the slab is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The index that the next [`insert`](Self::insert) will return.
    pub fn next_index(&self) -> u32 {
        if self.free == NONE { self.places.len() as u32 } else { self.free }
    }

    /// Puts `value` into the place freed last, or into a new one, and returns the index.
    ///
    /// # Panics
    /// If 2³² - 1 values are held at once, which only values of size zero would allow.
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        // The cold path does not take `value` as an argument, which would force the value to be assembled on the stack.
        loop {
            let index = self.free;
            if let Some(place) = self.places.get_mut(index as usize) {
                if let Place::Free(before) = *place {
                    self.free = before;
                }
                *place = Place::Held(value);
                return index;
            }
            self.add();
        }
    }

    /// Adds a free place when none is left.
    #[cold]
    #[inline(never)]
    fn add(&mut self) {
        assert!(self.places.len() < NONE as usize, "a slab holds fewer than 2^32 - 1 things");
        self.free = self.places.len() as u32;
        push(&mut self.places, Place::Free(NONE));
    }

    /// Removes the value at `index` and frees the place; `None` if the place is free.
    #[inline]
    pub fn remove(&mut self, index: u32) -> Option<T> {
        let place = self.places.get_mut(index as usize)?;
        if matches!(place, Place::Free(_)) {
            return None;
        }
        let Place::Held(value) = std::mem::replace(place, Place::Free(self.free)) else { return None };
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// The value at `index`, if the place is in use.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        match self.places.get(index as usize) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// The value at `index`, mutably, if the place is in use.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.places.get_mut(index as usize) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// Prefetches the value at `index` ([`crate::prefetch`]).
    #[inline(always)]
    pub fn prefetch(&self, index: u32) {
        prefetch(&self.places, index as usize);
    }

    /// All values with their indices, in index order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| match place {
            Place::Held(value) => Some((index as u32, value)),
            Place::Free(_) => None,
        })
    }

    /// All values with their indices, in index order, mutably.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (u32, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, place)| match place {
            Place::Held(value) => Some((index as u32, value)),
            Place::Free(_) => None,
        })
    }

    /// Empties the slab; the next index is 0 again.
    pub fn clear(&mut self) {
        self.places.clear();
        self.free = NONE;
        self.len = 0;
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;
    /// The value at `index`. Panics if the place is free, which is a bug in the holder.
    #[inline]
    fn index(&self, index: u32) -> &T {
        self.get(index).expect("the index names a place in use")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.get_mut(index).expect("the index names a place in use")
    }
}

/// The name of a value in a [`KeyedSlab`]: its place, and how often that place has been used.
///
/// Eight bytes, even inside an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    index: u32,
    generation: NonZeroU32,
}

impl Key {
    /// The place, unique among the values held at one instant.
    #[inline]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How often the place has been used, from 1.
    #[inline]
    pub fn generation(self) -> u32 {
        self.generation.get()
    }
}

#[derive(Clone, Debug)]
struct Dated<T> {
    generation: NonZeroU32,
    place: Place<T>,
}

/// Places named by index and generation: a key to a removed value finds nothing, even if the place has been reused. (A
/// generation repeats after 2³² uses of one place.)
#[derive(Clone, Debug)]
pub struct KeyedSlab<T> {
    places: Vec<Dated<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for KeyedSlab<T> {
    fn default() -> Self {
        KeyedSlab { places: Vec::new(), free: NONE, len: 0 }
    }
}

impl<T> KeyedSlab<T> {
    /// An empty slab.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of values held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the slab is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `value` into the place freed last, or into a new one, and returns its key.
    ///
    /// # Panics
    /// If 2³² - 1 values are held at once, which only values of size zero would allow.
    #[inline]
    pub fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        loop {
            let index = self.free;
            if let Some(dated) = self.places.get_mut(index as usize) {
                if let Place::Free(before) = dated.place {
                    self.free = before;
                }
                dated.place = Place::Held(value);
                return Key { index, generation: dated.generation };
            }
            self.add();
        }
    }

    /// Adds a free place when none is left.
    #[cold]
    #[inline(never)]
    fn add(&mut self) {
        assert!(self.places.len() < NONE as usize, "a slab holds fewer than 2^32 - 1 things");
        self.free = self.places.len() as u32;
        push(&mut self.places, Dated { generation: NonZeroU32::MIN, place: Place::Free(NONE) });
    }

    /// Removes the value named by `key` and frees its place; `None` if the value is gone.
    #[inline]
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let dated = self.places.get_mut(key.index as usize)?;
        if dated.generation != key.generation || matches!(dated.place, Place::Free(_)) {
            return None;
        }
        dated.generation = dated.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let Place::Held(value) = std::mem::replace(&mut dated.place, Place::Free(self.free)) else { return None };
        self.free = key.index;
        self.len -= 1;
        Some(value)
    }

    /// The value named by `key`, unless it is gone.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.places.get(key.index as usize) {
            Some(Dated { generation, place: Place::Held(value) }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The value named by `key`, mutably, unless it is gone.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.places.get_mut(key.index as usize) {
            Some(Dated { generation, place: Place::Held(value) }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The key of the value currently held at the place `index`.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        match self.places.get(index as usize) {
            Some(Dated { generation, place: Place::Held(_) }) => Some(Key { index, generation: *generation }),
            _ => None,
        }
    }

    /// All values with their keys, in place order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &T)> {
        self.places.iter().enumerate().filter_map(|(index, dated)| match &dated.place {
            Place::Held(value) => Some((Key { index: index as u32, generation: dated.generation }, value)),
            Place::Free(_) => None,
        })
    }

    /// All values with their keys, in place order, mutably.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (Key, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, dated)| match &mut dated.place {
            Place::Held(value) => Some((Key { index: index as u32, generation: dated.generation }, value)),
            Place::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_freed_last_is_used_first() {
        let mut slab = Slab::new();
        let indices: Vec<u32> = (0..4).map(|value| slab.insert(value)).collect();
        assert_eq!(indices, [0, 1, 2, 3]);
        assert_eq!(slab.remove(1), Some(1));
        assert_eq!(slab.remove(1), None, "a place is freed once");
        assert_eq!(slab.remove(3), Some(3));
        assert_eq!(slab.next_index(), 3);
        assert_eq!(slab.insert(10), 3);
        assert_eq!(slab.insert(11), 1);
        assert_eq!(slab.insert(12), 4);
        assert_eq!(slab.len(), 5);
        assert_eq!(
            slab.iter().map(|(index, &value)| (index, value)).collect::<Vec<_>>(),
            [(0, 0), (1, 11), (2, 2), (3, 10), (4, 12)]
        );
    }

    #[test]
    fn an_old_key_finds_nothing_in_a_place_used_again() {
        let mut slab = KeyedSlab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(first.index(), second.index());
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.key_at(0), Some(second));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn an_optional_key_is_eight_bytes() {
        assert_eq!(size_of::<Option<Key>>(), 8);
    }

    #[test]
    fn slabs_agree_with_an_ordered_map() {
        use crate::random::Stream;
        use std::collections::BTreeMap;
        let mut stream = Stream::named(2, "slab");
        let (mut slab, mut keyed) = (Slab::new(), KeyedSlab::new());
        let (mut twin, mut keys): (BTreeMap<u32, u64>, BTreeMap<u32, Key>) = (BTreeMap::new(), BTreeMap::new());
        let mut gone: Vec<Key> = Vec::new();
        for value in 0..20_000_u64 {
            if stream.below(100) < 52 {
                let index = slab.insert(value);
                let key = keyed.insert(value);
                assert_eq!(key.index(), index);
                assert!(twin.insert(index, value).is_none(), "a place is given to one");
                keys.insert(index, key);
            } else if let Some((&index, &held)) = twin.range(stream.below(64) as u32..).next() {
                twin.remove(&index);
                let key = keys.remove(&index).expect("it was there");
                assert_eq!((slab.remove(index), keyed.remove(key)), (Some(held), Some(held)));
                gone.push(key);
            }
            assert_eq!((slab.len(), keyed.len()), (twin.len(), twin.len()));
            if value % 500 == 0 {
                assert!(slab.iter().map(|(index, value)| (index, *value)).eq(twin.iter().map(|(i, v)| (*i, *v))));
                assert!(keys.iter().all(|(index, key)| keyed.get(*key) == twin.get(index)));
                assert!(gone.iter().all(|key| keyed.get(*key).is_none()));
            }
        }
    }
}
