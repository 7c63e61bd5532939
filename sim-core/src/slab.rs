//! Numbered places for things that come and go: a slab hands out the index of a free place and takes it back.
//!
//! A freed place is the next to be used (last in, first out), so the places in use stay few and warm in the cache,
//! and nothing is allocated once the slab has reached its working size. [`Slab`] names a place by its bare index, for
//! holders who know that it is theirs; [`KeyedSlab`] adds a generation, so that a key kept too long finds nothing.

use std::num::NonZeroU32;

use crate::prefetch::prefetch;
use crate::table::push;

#[derive(Clone, Debug)]
enum Place<T> {
    Held(T),
    /// The place that was freed before this one, or `NONE`.
    Free(u32),
}

/// No place: there are never so many.
const NONE: u32 = u32::MAX;

/// Places named by index, reused last in, first out.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    /// The place freed last, or `NONE`.
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

    /// The number of things held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The index that the next [`insert`](Self::insert) will return.
    pub fn next_index(&self) -> u32 {
        if self.free == NONE { self.places.len() as u32 } else { self.free }
    }

    /// Puts `value` into the place freed last, or into a new one, and returns the index of the place.
    ///
    /// # Panics
    /// When 2³² - 1 things are held at once, which no memory allows for things of any size.
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        // The cold way does not take the value along, which would have to be put together on the stack for it.
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

    /// A free place more, where there is none.
    #[cold]
    #[inline(never)]
    fn add(&mut self) {
        assert!(self.places.len() < NONE as usize, "a slab holds fewer than 2^32 - 1 things");
        self.free = self.places.len() as u32;
        push(&mut self.places, Place::Free(NONE));
    }

    /// Takes the thing at `index` out and frees the place; `None` if nothing is there.
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

    /// What is held at `index`.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        match self.places.get(index as usize) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// What is held at `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.places.get_mut(index as usize) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// Asks for the value at `index` before it is needed ([`crate::prefetch`]).
    #[inline(always)]
    pub fn prefetch(&self, index: u32) {
        prefetch(&self.places, index as usize);
    }

    /// Everything held, with its index, in the order of the indices.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| match place {
            Place::Held(value) => Some((index as u32, value)),
            Place::Free(_) => None,
        })
    }

    /// Everything held, with its index, in the order of the indices, to be changed.
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
    /// What is held at `index`; panics if nothing is, which is a mistake of the holder.
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

/// The name of a thing in a [`KeyedSlab`]: its place, and how often that place had been used before.
///
/// Eight bytes, also inside an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    index: u32,
    generation: NonZeroU32,
}

impl Key {
    /// The place. Unique among the things held at one instant.
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

/// Places named by index and generation: a key to something that is gone finds nothing, even if the place is in use
/// again. (A generation returns after 2³² uses of one place.)
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

    /// The number of things held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `value` into the place freed last, or into a new one, and returns its key.
    ///
    /// # Panics
    /// When 2³² - 1 things are held at once, which no memory allows for things of any size.
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

    /// A free place more, where there is none.
    #[cold]
    #[inline(never)]
    fn add(&mut self) {
        assert!(self.places.len() < NONE as usize, "a slab holds fewer than 2^32 - 1 things");
        self.free = self.places.len() as u32;
        push(&mut self.places, Dated { generation: NonZeroU32::MIN, place: Place::Free(NONE) });
    }

    /// Takes the thing named by `key` out and frees its place; `None` if it is gone.
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

    /// The thing named by `key`, unless it is gone.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.places.get(key.index as usize) {
            Some(Dated { generation, place: Place::Held(value) }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The thing named by `key`, to be changed, unless it is gone.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.places.get_mut(key.index as usize) {
            Some(Dated { generation, place: Place::Held(value) }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The key of what is held at the place `index` now.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        match self.places.get(index as usize) {
            Some(Dated { generation, place: Place::Held(_) }) => Some(Key { index, generation: *generation }),
            _ => None,
        }
    }

    /// Everything held, with its key, in the order of the places.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &T)> {
        self.places.iter().enumerate().filter_map(|(index, dated)| match &dated.place {
            Place::Held(value) => Some((Key { index: index as u32, generation: dated.generation }, value)),
            Place::Free(_) => None,
        })
    }

    /// Everything held, with its key, in the order of the places, to be changed.
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
