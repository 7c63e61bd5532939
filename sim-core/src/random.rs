//! Random numbers fully determined by one seed: hashes, keyed draws and named streams.
//!
//! There are two kinds of random numbers, with one generator each. Events *of a request* (how long its steps take,
//! whether it fails) use keyed draws: a hash of the request's [`Key`], the purpose and the ordinal of the draw, so that
//! the result is the same in every variant of a scenario, whatever else was drawn before (common random numbers).
//! Events *in sequence* (the gaps of a workload) come from a [`Stream`], which is identified by name, so that a new
//! component does not change the draws of others.
//!
//! Keys and draws are chains of the SplitMix64 finaliser (Steele, Lea and Flood, *Fast splittable pseudorandom number
//! generators*, 2014, with the constants of Stafford's variant 13); streams are xoshiro256++ (Blackman and Vigna, 2019).
//! Both are fixed algorithms on integers, so the values are the same on every machine; tests pin them.

use rand::rand_core::utils::fill_bytes_via_next_word;
use rand::{Rng, SeedableRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::convert::Infallible;

/// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
// One constant for each use of the hash, so that a name, a root, a child and a draw with the same numbers differ. Odd,
// and with about as many transitions between neighbouring bits as a random word.
const NAMING: u64 = 0xD6E8_FEB8_6659_FD93;
const ROOTING: u64 = 0xA076_1D64_78BD_642F;
const BEARING: u64 = 0xD1B5_4A32_D192_ED03;
const DRAWING: u64 = 0xE703_7ED1_A0B4_28DB;
const REPLICATING: u64 = 0x8EBC_6AF0_9C88_C6E3;

/// 2^-53: the distance between adjacent values of [`Source::unit`].
const UNIT_STEP: f64 = 1.0 / (1u64 << 53) as f64;

/// Scrambles a word so that each bit of the result depends on every bit of the argument; a bijection with `mix(0) == 0`.
#[inline(always)]
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The hash of a name under a seed. It processes eight bytes per step and starts with the length, so that names that
/// differ only in trailing zeros also get different hashes.
pub fn hash(seed: u64, name: &str) -> u64 {
    let bytes = name.as_bytes();
    let start = mix(seed ^ NAMING).wrapping_add((bytes.len() as u64).wrapping_mul(GOLDEN));
    bytes.chunks(8).fold(mix(start), |state, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix((state ^ u64::from_le_bytes(word)).wrapping_add(GOLDEN))
    })
}

/// The seed of a replication: the first (number 0) uses the base seed itself, so that a single run is row 0 of every
/// table; the others use a hash of the base seed and their number.
pub const fn replication_seed(base: u64, number: u32) -> u64 {
    match number {
        0 => base,
        _ => mix(mix(base ^ REPLICATING).wrapping_add((number as u64).wrapping_mul(GOLDEN))),
    }
}

/// The identity of a frame of a request: the root of the tree gets a key from seed, workload and request number, and
/// each child gets one from its parent's key, the link and its ordinal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// The key of a request: `workload` is the [`hash`] of the workload's name, `request` the number of the request in
    /// it (in closed and session workloads, the user's number and the ordinal of the user's request in one word).
    #[inline]
    pub const fn root(seed: u64, workload: u64, request: u64) -> Self {
        Population::of(seed, workload).key(request)
    }

    /// The key of the `ordinal`-th call that this frame makes over `link` (a retry is the next ordinal).
    #[inline]
    pub const fn child(self, link: u32, ordinal: u32) -> Self {
        self.born(Birth::of(link, ordinal))
    }

    /// [`Key::child`] for a precomputed link and ordinal.
    #[inline(always)]
    pub const fn born(self, birth: Birth) -> Self {
        Self(mix(self.0.wrapping_add(birth.0)))
    }

    /// The generator of this frame's `nth` draw for `purpose`.
    #[inline]
    pub const fn draw(self, purpose: u32, nth: u32) -> Draw {
        Draw::new(self.0, purpose, nth)
    }

    /// The key as a plain word.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The reverse of [`Key::bits`].
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The step from a parent's key to a child's: a link and an ordinal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth(u64);

impl Birth {
    /// The step for the `ordinal`-th call over `link`.
    #[inline(always)]
    pub const fn of(link: u32, ordinal: u32) -> Self {
        Self(pair(link, ordinal).wrapping_mul(BEARING))
    }
}

/// The common part of the keys of all requests of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population(u64);

impl Population {
    /// The requests of the workload whose name has the [`hash`] `workload`.
    pub const fn of(seed: u64, workload: u64) -> Self {
        Self(mix(mix(seed ^ ROOTING).wrapping_add(workload)))
    }

    /// The key of a request: [`Key::root`].
    #[inline(always)]
    pub const fn key(self, request: u64) -> Key {
        Key(mix(self.0.wrapping_add(request.wrapping_add(1).wrapping_mul(GOLDEN))))
    }
}

/// Two numbers as one word that is not zero for (0, 0), so that a first child or draw differs from the parent's key.
#[inline(always)]
const fn pair(high: u32, low: u32) -> u64 {
    (((high as u64) << 32) | low as u64).wrapping_add(1)
}

/// A source of random words, with the derived values that samplers need. Every generator of `rand` is one.
pub trait Source: Rng {
    /// A fraction in [0, 1), one of 2^53 equally likely values.
    #[inline(always)]
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * UNIT_STEP
    }

    /// A fraction in (0, 1): the midpoints of a grid half as fine as that of [`Source::unit`], so that its logarithm is
    /// finite.
    #[inline(always)]
    fn unit_open(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (2.0 * UNIT_STEP)
    }

    /// An integer in 0..`bound`, or 0 if the bound is 0; the high half of a product, with a bias below `bound` / 2^64.
    #[inline(always)]
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Whether an event with this probability occurs: always from 1 up, never from 0 down.
    #[inline(always)]
    fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

impl<R: Rng + ?Sized> Source for R {}

/// The generator of one keyed draw: SplitMix64 from a hashed state. Creating it costs one [`mix`], each word another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// The generator of the `nth` draw for `purpose` of the frame with this key (see [`Key::draw`]).
    #[inline]
    pub const fn new(key: u64, purpose: u32, nth: u32) -> Self {
        Self { state: mix(key.wrapping_add(pair(purpose, nth).wrapping_mul(DRAWING))) }
    }

    /// The next word.
    #[inline(always)]
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A fraction in [0, 1), as [`Source::unit`].
    #[inline(always)]
    pub fn unit(&mut self) -> f64 {
        Source::unit(self)
    }

    /// A fraction in (0, 1), as [`Source::unit_open`].
    #[inline(always)]
    pub fn unit_open(&mut self) -> f64 {
        Source::unit_open(self)
    }

    /// An integer in 0..`bound`, as [`Source::below`].
    #[inline(always)]
    pub fn below(&mut self, bound: u64) -> u64 {
        Source::below(self, bound)
    }
}

impl TryRng for Draw {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next_u64() >> 32) as u32)
    }

    #[inline(always)]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill_bytes_via_next_word(bytes, || self.try_next_u64())
    }
}

/// A sequential stream of random words, named `component/purpose`: draws from one stream never affect another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

impl Stream {
    /// The stream with this name under this seed (the replication's, see [`replication_seed`]).
    pub fn named(seed: u64, name: &str) -> Self {
        let mut words = Draw { state: hash(seed, name) };
        let mut state = [0; 32];
        for word in state.chunks_exact_mut(8) {
            word.copy_from_slice(&words.next_u64().to_le_bytes());
        }
        Self { generator: Xoshiro256PlusPlus::from_seed(state) }
    }

    /// The next word.
    #[inline(always)]
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A fraction in [0, 1), as [`Source::unit`].
    #[inline(always)]
    pub fn unit(&mut self) -> f64 {
        Source::unit(self)
    }

    /// A fraction in (0, 1), as [`Source::unit_open`].
    #[inline(always)]
    pub fn unit_open(&mut self) -> f64 {
        Source::unit_open(self)
    }

    /// An integer in 0..`bound`, as [`Source::below`].
    #[inline(always)]
    pub fn below(&mut self, bound: u64) -> u64 {
        Source::below(self, bound)
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.generator.try_next_u32()
    }

    #[inline(always)]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.generator.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.generator.try_fill_bytes(bytes)
    }
}
