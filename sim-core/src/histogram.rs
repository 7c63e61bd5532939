//! A log-linear histogram of integers, designed for latencies in nanoseconds.
//!
//! Values below 512 have a bucket each. Above that, every octave (from one power of two to the next) is divided into
//! 256 equal buckets. So a bucket's width is at most 1/256 of its values, and a quantile, reported as the middle of a
//! bucket, is off by at most 0.2 %. Count, sum, minimum and maximum are exact. A band of buckets of equal width is
//! allocated when its first value is recorded, and recording takes a few integer instructions. Histograms of the same
//! values are equal regardless of the order of recording and merging.

/// Buckets per octave, as a power of two.
const BUCKET_BITS: u32 = 8;
/// Buckets per octave.
const BUCKETS: usize = 1 << BUCKET_BITS;
/// Bands of buckets of equal width: the lowest for values below 512, and one for each octave above. Buckets of band n
/// are 2ⁿ wide.
const BANDS: usize = (u64::BITS - BUCKET_BITS) as usize;
/// In `starts`: this band is not allocated. The value lies beyond the last possible bucket, so that recording checks
/// for both with one comparison.
const VACANT: u16 = 1 << 15;
const _: () = assert!((BANDS + 1) * BUCKETS < VACANT as usize);

/// Counts of values by size, with exact count, sum, minimum and maximum.
#[derive(Clone)]
pub struct Histogram {
    /// Where in `counts` bucket number 0 of each band would be, modulo 2¹⁶, or `VACANT`. (All bands but the lowest
    /// begin with number 256.)
    starts: [u16; BANDS],
    /// The buckets of the allocated bands, lowest band first.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    // These two start at the neutral elements of min and max, so that recording needs no branch for the first value.
    min: u64,
    max: u64,
}

/// A nonempty bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The least value that belongs to it.
    pub low: u64,
    /// The greatest value that belongs to it.
    pub high: u64,
    /// The number of values in it.
    pub count: u64,
}

impl Histogram {
    /// An empty histogram without allocated buckets.
    pub const fn new() -> Self {
        Self { starts: [VACANT; BANDS], counts: Vec::new(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }

    /// Counts one value.
    #[inline(always)]
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts each of these values.
    pub fn record_all(&mut self, values: &[u64]) {
        let (mut sum, mut min, mut max) = (self.sum, self.min, self.max);
        for &value in values {
            self.count_in_bucket(value, 1);
            sum += u128::from(value);
            min = min.min(value);
            max = max.max(value);
        }
        self.count += values.len() as u64;
        (self.sum, self.min, self.max) = (sum, min, max);
    }

    /// Counts a value `times` times.
    #[inline(always)]
    pub fn record_many(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.count_in_bucket(value, times);
        self.count += times;
        self.sum += u128::from(value) * u128::from(times);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[inline(always)]
    fn count_in_bucket(&mut self, value: u64, times: u64) {
        let (band, bucket) = position(value);
        match self.counts.get_mut(usize::from(self.starts[band].wrapping_add(bucket))) {
            Some(count) => *count += times,
            None => self.count_in_new_band(band, bucket, times),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_in_new_band(&mut self, band: usize, bucket: u16, times: u64) {
        self.open(band);
        self.counts[usize::from(self.starts[band].wrapping_add(bucket))] += times;
    }

    /// Allocates a band if necessary, and returns where its buckets begin.
    fn open(&mut self, band: usize) -> usize {
        let first = first_bucket(band);
        if self.starts[band] == VACANT {
            let opened = (0..band).filter(|&before| self.starts[before] != VACANT);
            let start: usize = opened.map(buckets_in).sum();
            self.counts.splice(start..start, (0..buckets_in(band)).map(|_| 0));
            self.starts[band] = (start as u16).wrapping_sub(first);
            for later in self.starts[band + 1..].iter_mut().filter(|start| **start != VACANT) {
                *later = later.wrapping_add(buckets_in(band) as u16);
            }
        }
        usize::from(self.starts[band].wrapping_add(first))
    }

    /// The number of values.
    #[inline]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are no values.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact sum of the values.
    #[inline]
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact mean; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The exact least value; `None` without values.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The exact greatest value; `None` without values.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The nearest-rank quantile: the middle of the bucket that holds the value of rank ⌈`fraction` · count⌉, clamped
    /// to the exact minimum and maximum. `fraction` is usually in 0–1; from 1 up the result is the maximum, from 0 down
    /// the minimum. `None` without values.
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = nearest_rank(fraction, self.count);
        if rank == 1 {
            return Some(self.min);
        }
        if rank == self.count {
            return Some(self.max);
        }
        let mut below = 0;
        for (band, counts) in self.occupied() {
            // Whole bands first: summing them is faster than visiting each bucket.
            let here: u64 = counts.iter().sum();
            if below + here < rank {
                below += here;
                continue;
            }
            for bucket in buckets_of(band, counts) {
                below += bucket.count;
                if below >= rank {
                    return Some((bucket.low + (bucket.high - bucket.low) / 2).clamp(self.min, self.max));
                }
            }
        }
        Some(self.max)
    }

    /// The number of values that are at most `value`. All values in the bucket of `value` count as equal to it, except
    /// that below the minimum the result is 0 and from the maximum up it is the total count.
    pub fn count_at_or_below(&self, value: u64) -> u64 {
        if self.count == 0 || value < self.min {
            return 0;
        }
        if value >= self.max {
            return self.count;
        }
        self.iter().take_while(|bucket| bucket.low <= value).map(|bucket| bucket.count).sum()
    }

    /// Adds the values of another histogram, as if each had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        for (band, from) in other.occupied() {
            let start = self.open(band);
            for (into, count) in self.counts[start..].iter_mut().zip(from) {
                *into += count;
            }
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The values added since this histogram was `earlier`; minimum and maximum are those of their buckets.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut added = Self::new();
        let mut before = earlier.iter().peekable();
        for bucket in self.iter() {
            let same = before.next_if(|other| other.low == bucket.low).map_or(0, |other| other.count);
            let count = bucket.count - same;
            if count > 0 {
                added.count_in_bucket(bucket.low, count);
                added.min = added.min.min(bucket.low.max(self.min));
                added.max = added.max.max(bucket.high.min(self.max));
            }
            added.count += count;
        }
        added.sum = self.sum - earlier.sum;
        added
    }

    /// Removes all values but keeps the memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum, self.min, self.max) = (0, 0, u64::MAX, 0);
    }

    /// The nonempty buckets, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.occupied().flat_map(|(band, counts)| buckets_of(band, counts))
    }

    /// The allocated bands, lowest first, with their buckets.
    fn occupied(&self) -> impl Iterator<Item = (usize, &[u64])> + '_ {
        let opened = (0..BANDS).filter(|&band| self.starts[band] != VACANT);
        opened.scan(self.counts.as_slice(), |rest, band| {
            let (own, after) = rest.split_at(buckets_in(band));
            *rest = after;
            Some((band, own))
        })
    }
}

/// The number of the first bucket of a band.
fn first_bucket(band: usize) -> u16 {
    if band == 0 { 0 } else { BUCKETS as u16 }
}

/// The number of buckets in a band.
fn buckets_in(band: usize) -> usize {
    2 * BUCKETS - usize::from(first_bucket(band))
}

/// The nonempty buckets of a band.
fn buckets_of(band: usize, counts: &[u64]) -> impl Iterator<Item = Bucket> + '_ {
    let numbered = (u64::from(first_bucket(band))..).zip(counts).filter(|(_, count)| **count > 0);
    numbered.map(move |(bucket, &count)| {
        let low = bucket << band;
        Bucket { low, high: low + ((1 << band) - 1), count }
    })
}

/// The band of a value and the number of its bucket: the highest nine bits of the value.
#[inline(always)]
fn position(value: u64) -> (usize, u16) {
    let band = (value | BUCKETS as u64).ilog2() - BUCKET_BITS;
    (band as usize, (value >> band) as u16)
}

/// The middle of the bucket of a value: the quantile reported for it, unless it is the exact minimum or maximum.
pub fn middle_of(value: u64) -> u64 {
    let width = 1u64 << position(value).0;
    let low = value & !(width - 1);
    low + (width - 1) / 2
}

/// The rank, from 1 to `count`, of the nearest-rank quantile: ⌈`fraction` · `count`⌉. A product that exceeds an integer
/// only by rounding error counts as that integer (7 % of 100 is rank 7).
pub fn nearest_rank(fraction: f64, count: u64) -> u64 {
    let product = fraction * count as f64;
    let rank = (product * (1.0 - 2.0 * f64::EPSILON)).ceil() as u64;
    rank.clamp(1, count.max(1))
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Histogram {
    /// Equal if they hold the same counts; memory kept by `clear` makes no difference.
    fn eq(&self, other: &Self) -> bool {
        let exact = |histogram: &Self| (histogram.count, histogram.sum, histogram.min, histogram.max);
        exact(self) == exact(other) && self.iter().eq(other.iter())
    }
}

impl Eq for Histogram {}

impl std::fmt::Debug for Histogram {
    /// Shows the figures and the nonempty buckets instead of thousands of zeros.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Histogram");
        shown.field("count", &self.count).field("sum", &self.sum);
        shown.field("min", &self.min()).field("max", &self.max());
        shown.field("buckets", &self.iter().collect::<Vec<_>>()).finish()
    }
}
