//! Key choosers: the key (user, object, partition) that a request is about.
//!
//! Keys are numbers from 0. Caches, shards and coalescing depend on skew, so there are a Zipf law and a hot set in
//! addition to the uniform choice. Any list of weights is sampled in constant time through an alias table (Walker 1977,
//! built as in Vose 1991): one random word picks a column and flips its coin, whatever the number of keys.

use crate::parameter::DistError;
use crate::random::Source;
use rand::Rng;
use rand_distr::Distribution;
use std::sync::Arc;

/// Maximum number of keys of a Zipf law: its table takes eight bytes per key (512 MiB), shared by all clones.
pub const ZIPF_KEYS_MAX: u64 = 1 << 26;

/// Chooses an index in proportion to its weight, with one random word and one look-up.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasTable {
    columns: Arc<[Column]>,
}

/// One of n equal columns: part of it belongs to its own index, the rest to one other index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    /// The column's own share, in units of 2^-32.
    own: u32,
    /// The index that owns the rest.
    other: u32,
}

impl AliasTable {
    /// A table of these weights: at least one and fewer than 2^32, each finite and not negative, not all zero. Errors
    /// name the parameter `weights`.
    pub fn new(weights: &[f64]) -> Result<Self, DistError> {
        if weights.is_empty() {
            return Err(DistError::new("weights", "must not be empty"));
        }
        if weights.len() > u32::MAX as usize {
            return Err(DistError::new("weights", "must be fewer than 2^32"));
        }
        if let Some(index) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(DistError::new("weights", "must be at least 0").at(index));
        }
        let greatest = weights.iter().copied().fold(0.0, f64::max);
        if greatest == 0.0 {
            return Err(DistError::new("weights", "must not all be 0"));
        }
        // Dividing by the greatest weight first prevents overflow of the sum.
        let total: f64 = weights.iter().map(|weight| weight / greatest).sum();
        let scale = weights.len() as f64 / total;
        Ok(Self::from_heights(weights.iter().map(|weight| weight / greatest * scale).collect()))
    }

    /// `heights` have the mean 1. Columns that are too low are filled up from those that are too high.
    fn from_heights(mut heights: Vec<f64>) -> Self {
        let mut columns: Vec<Column> =
            (0..heights.len() as u32).map(|index| Column { own: u32::MAX, other: index }).collect();
        let (mut low, mut high): (Vec<u32>, Vec<u32>) =
            (0..heights.len() as u32).partition(|&index| heights[index as usize] < 1.0);
        while let (Some(&filled), Some(&giver)) = (low.last(), high.last()) {
            low.pop();
            let own = heights[filled as usize];
            columns[filled as usize] = Column { own: (own * 4_294_967_296.0) as u32, other: giver };
            let left = heights[giver as usize] + own - 1.0;
            heights[giver as usize] = left;
            if left < 1.0 {
                high.pop();
                low.push(giver);
            }
        }
        // The remaining columns are full up to rounding, and their `other` is their own index.
        Self { columns: columns.into() }
    }

    /// The number of weights.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Always false: a table has at least one weight.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Draws an index in proportion to its weight.
    #[inline(always)]
    pub fn sample<S: Source + ?Sized>(&self, source: &mut S) -> usize {
        // The integer part of (word / 2^64) * n is the column; the fraction is the coin.
        let product = u128::from(source.next_u64()) * self.columns.len() as u128;
        let index = (product >> 64) as usize;
        let coin = (product as u64 >> 32) as u32;
        let column = self.columns[index];
        if coin < column.own { index } else { column.other as usize }
    }
}

/// The same as [`AliasTable::sample`].
impl Distribution<usize> for AliasTable {
    fn sample<R: Rng + ?Sized>(&self, source: &mut R) -> usize {
        AliasTable::sample(self, source)
    }
}

/// Chooses the key of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Uniform { keys: u64 },
    Zipf { exponent: f64, table: AliasTable },
    Hot { keys: u64, hot_keys: u64, hot_share: f64 },
    Sequential { keys: u64 },
    Constant { key: u64 },
}

/// The parameters of [`Keys`] as given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GivenKeys {
    /// All keys equally often.
    Uniform {
        /// Number of keys, at least 1.
        keys: u64,
    },
    /// Key `k` with probability proportional to (k + 1)^-s: key 0 is the hottest.
    Zipf {
        /// Number of keys, from 1 to [`ZIPF_KEYS_MAX`].
        keys: u64,
        /// The exponent, at least 0 (uniform); 0.99 in the YCSB benchmark.
        s: f64,
    },
    /// A share of the requests goes to the first few keys, the rest to the others; uniform within both.
    Hot {
        /// Number of keys, at least 1.
        keys: u64,
        /// Number of hot keys: from 1 to `keys`.
        hot_keys: u64,
        /// The share of requests for hot keys, 0–1.
        hot_share: f64,
    },
    /// 0, 1, 2, …, then again from 0.
    Sequential {
        /// Number of keys, at least 1.
        keys: u64,
    },
    /// Always the same key.
    Constant {
        /// The key.
        key: u64,
    },
}

impl GivenKeys {
    /// Checks the parameters without building the table.
    pub fn check(&self) -> Result<(), DistError> {
        match *self {
            GivenKeys::Uniform { keys } | GivenKeys::Sequential { keys } => at_least_one("keys", keys).map(|_| ()),
            GivenKeys::Constant { .. } => Ok(()),
            GivenKeys::Zipf { keys, s } => {
                at_least_one("keys", keys)?;
                if keys > ZIPF_KEYS_MAX {
                    return Err(DistError::new("keys", "must be at most 67_108_864 in a Zipf law"));
                }
                if !(s.is_finite() && s >= 0.0) {
                    return Err(DistError::new("s", "must be at least 0"));
                }
                Ok(())
            }
            GivenKeys::Hot { keys, hot_keys, hot_share } => {
                at_least_one("keys", keys)?;
                at_least_one("hot_keys", hot_keys)?;
                if hot_keys > keys {
                    return Err(DistError::new("hot_keys", "must be at most `keys`"));
                }
                if !(0.0..=1.0).contains(&hot_share) {
                    return Err(DistError::new("hot_share", "must be between 0 and 1"));
                }
                if hot_keys == keys && hot_share < 1.0 {
                    return Err(DistError::new(
                        "hot_keys",
                        "must be fewer than `keys`, or nothing is left for the other requests",
                    ));
                }
                Ok(())
            }
        }
    }

    /// Builds the key chooser.
    pub fn build(&self) -> Result<Keys, DistError> {
        match *self {
            GivenKeys::Uniform { keys } => Keys::uniform(keys),
            GivenKeys::Zipf { keys, s } => Keys::zipf(keys, s),
            GivenKeys::Hot { keys, hot_keys, hot_share } => Keys::hot(keys, hot_keys, hot_share),
            GivenKeys::Sequential { keys } => Keys::sequential(keys),
            GivenKeys::Constant { key } => Ok(Keys::constant(key)),
        }
    }

    /// How many different keys there are: from 0 to one less, except that a constant key is any number.
    pub fn count(&self) -> u64 {
        match self {
            GivenKeys::Uniform { keys }
            | GivenKeys::Sequential { keys }
            | GivenKeys::Zipf { keys, .. }
            | GivenKeys::Hot { keys, .. } => *keys,
            GivenKeys::Constant { .. } => 1,
        }
    }

    /// Peak memory while building the table, bytes; 0 for invalid parameters.
    pub fn bytes(&self) -> u64 {
        match self {
            // The table, the weights twice, and the lists of low and high columns.
            GivenKeys::Zipf { keys, .. } if *keys <= ZIPF_KEYS_MAX => keys * (8 + 8 + 8 + 4 + 8),
            GivenKeys::Zipf { .. }
            | GivenKeys::Uniform { .. }
            | GivenKeys::Hot { .. }
            | GivenKeys::Sequential { .. }
            | GivenKeys::Constant { .. } => 0,
        }
    }
}

impl Keys {
    /// All of `keys` keys equally often.
    pub fn uniform(keys: u64) -> Result<Self, DistError> {
        Ok(Self(Form::Uniform { keys: at_least_one("keys", keys)? }))
    }

    /// Key `k` of `keys` with probability proportional to (k + 1)^-`s`, for `s` ≥ 0.
    pub fn zipf(keys: u64, s: f64) -> Result<Self, DistError> {
        GivenKeys::Zipf { keys, s }.check()?;
        // Three times as fast as a power, and accurate to a few units in the fifteenth digit.
        let weights: Vec<f64> = (1..=keys).map(|rank| libm::exp(-s * libm::log(rank as f64))).collect();
        Ok(Self(Form::Zipf { exponent: s, table: AliasTable::new(&weights)? }))
    }

    /// The first `hot_keys` of `keys` keys share `hot_share` (0–1) of the requests equally, the others the rest.
    pub fn hot(keys: u64, hot_keys: u64, hot_share: f64) -> Result<Self, DistError> {
        GivenKeys::Hot { keys, hot_keys, hot_share }.check()?;
        Ok(Self(Form::Hot { keys, hot_keys, hot_share }))
    }

    /// 0, 1, 2, … `keys` − 1, then again from 0.
    pub fn sequential(keys: u64) -> Result<Self, DistError> {
        Ok(Self(Form::Sequential { keys: at_least_one("keys", keys)? }))
    }

    /// Always this key.
    pub const fn constant(key: u64) -> Self {
        Self(Form::Constant { key })
    }

    /// The next key. `cursor` counts the keys drawn from a sequential chooser, from 0; only such a chooser reads and
    /// advances it, and only the others draw from the source.
    #[inline]
    pub fn sample<S: Source + ?Sized>(&self, cursor: &mut u64, source: &mut S) -> u64 {
        match &self.0 {
            Form::Uniform { keys } => source.below(*keys),
            Form::Zipf { table, .. } => table.sample(source) as u64,
            Form::Hot { keys, hot_keys, hot_share } => {
                if source.happens(*hot_share) {
                    source.below(*hot_keys)
                } else {
                    hot_keys + source.below(keys - hot_keys)
                }
            }
            Form::Sequential { keys } => {
                let key = *cursor % keys;
                *cursor = cursor.wrapping_add(1);
                key
            }
            Form::Constant { key } => *key,
        }
    }

    /// The parameters as given.
    pub fn given(&self) -> GivenKeys {
        match &self.0 {
            Form::Uniform { keys } => GivenKeys::Uniform { keys: *keys },
            Form::Zipf { exponent, table } => GivenKeys::Zipf { keys: table.len() as u64, s: *exponent },
            Form::Hot { keys, hot_keys, hot_share } => {
                GivenKeys::Hot { keys: *keys, hot_keys: *hot_keys, hot_share: *hot_share }
            }
            Form::Sequential { keys } => GivenKeys::Sequential { keys: *keys },
            Form::Constant { key } => GivenKeys::Constant { key: *key },
        }
    }
}

fn at_least_one(parameter: &'static str, number: u64) -> Result<u64, DistError> {
    if number == 0 { Err(DistError::new(parameter, "must be at least 1")) } else { Ok(number) }
}
