//! Unit exponential and standard normal variates by the ziggurat method (Marsaglia and Tsang, 2000) with 256 layers.
//!
//! The area under a decreasing density is divided into 256 layers of equal area, the lowest of which includes the tail.
//! A layer and a position in it are drawn from one word. In all but one or two cases per hundred, the position lies in
//! the part of the layer that is entirely under the curve, and is the result. The tables are computed with `libm`, so
//! they and every sample are the same on every machine.

use crate::random::Source;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};
use std::sync::LazyLock;

/// The number of layers, including the one with the tail.
const LAYERS: usize = 256;

/// Start of the exponential's tail for which 256 layers have equal areas (Marsaglia and Tsang, 2000).
const EXPONENTIAL_TAIL: f64 = 7.697_117_470_131_05;
/// Start of the normal's tail for which 256 layers have equal areas (Doornik, *An improved ziggurat method to generate
/// normal random samples*, 2005).
const NORMAL_TAIL: f64 = 3.654_152_885_361_009;

static EXPONENTIAL: LazyLock<Ziggurat> = LazyLock::new(|| {
    let area = (EXPONENTIAL_TAIL + 1.0) * libm::exp(-EXPONENTIAL_TAIL);
    Ziggurat::new(EXPONENTIAL_TAIL, area, |x| libm::exp(-x), |y| -libm::log(y))
});

static NORMAL: LazyLock<Ziggurat> = LazyLock::new(|| {
    let tail_area = FRAC_PI_2.sqrt() * libm::erfc(NORMAL_TAIL * FRAC_1_SQRT_2);
    let area = NORMAL_TAIL * normal_density(NORMAL_TAIL) + tail_area;
    Ziggurat::new(NORMAL_TAIL, area, normal_density, |y| (-2.0 * libm::log(y)).sqrt())
});

/// The tables of the unit exponential; keeping the reference saves a check per sample.
pub(crate) fn exponential() -> &'static Ziggurat {
    &EXPONENTIAL
}

/// A variate of the unit exponential (mean 1).
#[inline]
pub fn unit_exponential<S: Source + ?Sized>(source: &mut S) -> f64 {
    EXPONENTIAL.exponential(source)
}

/// A variate of the standard normal (mean 0, standard deviation 1).
#[inline]
pub fn standard_normal<S: Source + ?Sized>(source: &mut S) -> f64 {
    NORMAL.normal(source)
}

/// The density of the standard normal without its constant factor, which cancels in the method.
fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x)
}

/// The tables: the ends of the layers, and the density there.
#[derive(Debug)]
pub(crate) struct Ziggurat {
    /// Right ends of the layers, from the lowest (a nominal one, as wide as its area requires) to 0 at the top.
    ends: [f64; LAYERS + 1],
    /// The density at each end.
    heights: [f64; LAYERS + 1],
}

impl Ziggurat {
    fn new(tail: f64, area: f64, density: fn(f64) -> f64, inverse: fn(f64) -> f64) -> Self {
        let mut ends = [0.0; LAYERS + 1];
        ends[0] = area / density(tail);
        ends[1] = tail;
        for layer in 2..LAYERS {
            ends[layer] = inverse(area / ends[layer - 1] + density(ends[layer - 1]));
        }
        Self { ends, heights: ends.map(density) }
    }

    #[inline(always)]
    pub(crate) fn exponential<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        let (layer, place) = self.place(source.next_u64());
        if place < self.ends[layer + 1] { place } else { self.exponential_rest(source, layer, place) }
    }

    /// Layer and position from one word; the low eight bits and the high 53 do not overlap.
    #[inline(always)]
    fn place(&self, word: u64) -> (usize, f64) {
        let layer = (word & (LAYERS as u64 - 1)) as usize;
        (layer, (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64) * self.ends[layer])
    }

    #[cold]
    #[inline(never)]
    fn exponential_rest<S: Source + ?Sized>(&self, source: &mut S, mut layer: usize, mut place: f64) -> f64 {
        let mut passed = 0.0;
        loop {
            if place < self.ends[layer + 1] {
                return passed + place;
            }
            if layer == 0 {
                // The exponential is memoryless: its tail is the whole distribution, shifted.
                passed += EXPONENTIAL_TAIL;
            } else if self.height_in(source, layer) < libm::exp(-place) {
                return passed + place;
            }
            (layer, place) = self.place(source.next_u64());
        }
    }

    #[inline(always)]
    fn normal<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        loop {
            let word = source.next_u64();
            let (layer, place) = self.place(word);
            // Bit 8 is used for neither the layer nor the position.
            let sign = if word & (1 << 8) == 0 { 1.0 } else { -1.0 };
            if place < self.ends[layer + 1] {
                return sign * place;
            }
            if let Some(place) = self.normal_rest(source, layer, place) {
                return sign * place;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn normal_rest<S: Source + ?Sized>(&self, source: &mut S, layer: usize, place: f64) -> Option<f64> {
        if layer > 0 {
            return (self.height_in(source, layer) < normal_density(place)).then_some(place);
        }
        // Marsaglia's tail: an exponential beyond the cut, accepted with the ratio of the two densities.
        loop {
            let beyond = unit_exponential(source) / NORMAL_TAIL;
            if 2.0 * unit_exponential(source) > beyond * beyond {
                return Some(NORMAL_TAIL + beyond);
            }
        }
    }

    /// A random height between the lower and the upper edge of the layer.
    fn height_in<S: Source + ?Sized>(&self, source: &mut S, layer: usize) -> f64 {
        self.heights[layer] + (self.heights[layer + 1] - self.heights[layer]) * source.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use rand::TryRng;
    use std::convert::Infallible;

    fn top_layer_closes(table: &Ziggurat) {
        let area = table.ends[0] * table.heights[1];
        let top = table.ends[LAYERS - 1] * (1.0 - table.heights[LAYERS - 1]);
        assert!((top / area - 1.0).abs() < 1e-9, "the top layer has {top} instead of {area}");
        assert!(table.ends.is_sorted_by(|wide, narrow| wide > narrow));
    }

    /// A source whose next word is `forced` and whose further words are random.
    struct Forced {
        forced: Option<u64>,
        others: Stream,
    }

    impl TryRng for Forced {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok((self.try_next_u64()? >> 32) as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.forced.take().unwrap_or_else(|| self.others.next_u64()))
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            self.others.try_fill_bytes(bytes)
        }
    }

    /// In the middle of the section where a layer is partly under the curve, a position is accepted with the
    /// probability given by the curve's height. 5.33 standard errors mean a false alarm in ten million runs.
    fn edges_are_cut_along_the_curve(
        name: &str,
        table: &Ziggurat,
        density: fn(f64) -> f64,
        sample: fn(&mut Forced) -> f64,
    ) {
        let mut source = Forced { forced: None, others: Stream::named(1, name) };
        for layer in [1, 2, 50, 128, 200, 254, 255] {
            let share = 0.5 * (1.0 + table.ends[layer + 1] / table.ends[layer]);
            let word = ((share * (1u64 << 53) as f64) as u64) << 11 | layer as u64;
            let (_, place) = table.place(word);
            let trials = 20_000;
            let mut kept = 0;
            for _ in 0..trials {
                source.forced = Some(word);
                kept += u32::from(sample(&mut source) == place);
            }
            let height = table.heights[layer + 1] - table.heights[layer];
            let expected = (density(place) - table.heights[layer]) / height;
            let error = (expected * (1.0 - expected) / f64::from(trials)).sqrt();
            let found = f64::from(kept) / f64::from(trials);
            assert!((found - expected).abs() < 5.33 * error, "{name}, layer {layer}: {found} instead of {expected}");
        }
    }

    #[test]
    fn edges_of_both_densities_are_cut_along_the_curve() {
        edges_are_cut_along_the_curve("exponential", &EXPONENTIAL, |x| libm::exp(-x), unit_exponential);
        edges_are_cut_along_the_curve("normal", &NORMAL, normal_density, standard_normal);
    }

    #[test]
    fn tail_of_the_normal_has_its_weights() {
        let mut source = Forced { forced: None, others: Stream::named(1, "tail") };
        let trials = 50_000;
        let mut beyond = [(3.75, 0), (4.0, 0), (4.5, 0), (5.0, 0)];
        for _ in 0..trials {
            // The right end of the lowest layer, which only the tail can produce.
            source.forced = Some(!0 << 11);
            let place = standard_normal(&mut source);
            assert!(place > NORMAL_TAIL);
            beyond.iter_mut().for_each(|(limit, count)| *count += u32::from(place > *limit));
        }
        for (limit, count) in beyond {
            let expected = crate::normal::cumulative(-limit) / crate::normal::cumulative(-NORMAL_TAIL);
            let error = (expected * (1.0 - expected) / f64::from(trials)).sqrt();
            let found = f64::from(count) / f64::from(trials);
            assert!((found - expected).abs() < 5.33 * error, "beyond {limit}: {found} instead of {expected}");
        }
    }

    #[test]
    fn layers_have_equal_areas_up_to_the_top() {
        top_layer_closes(&EXPONENTIAL);
        top_layer_closes(&NORMAL);
    }
}
