//! A histogram filled in batches, with optional quantiles per window.
//!
//! Recording a value directly in a histogram evicts cache lines that the rest of the simulation then has to fetch
//! again. So values are first collected in a short list, which is added to the histogram in one sweep when it is full.
//! The results are the same as if each value had been recorded immediately. If windows are kept, the quantiles of a
//! window with few values are computed in the list itself, and the buckets need not be cleared for the next window.

use std::borrow::Cow;

use crate::histogram::{Histogram, middle_of, nearest_rank};

/// Length of the list: short enough to stay in the cache.
const BATCH: usize = 256;
/// Length of the list if windows are kept: enough for a whole short window.
const BATCH_OF_WINDOWS: usize = 1024;

/// A recorder of values for a histogram.
#[derive(Clone, Default)]
pub struct Recorder {
    total: Histogram,
    /// Values not yet in any histogram: the first `pending` entries. Allocated with the first value.
    batch: Box<[u64]>,
    pending: usize,
    window: Option<Box<Window>>,
}

/// The values of the open window other than those in the batch.
#[derive(Clone, Default)]
struct Window {
    /// Values that did not fit into the batch; they are merged into the total when the window is closed.
    swept: Histogram,
    /// Values of the window that are not part of the total.
    beside: Histogram,
}

impl Recorder {
    /// Records a value.
    #[inline(always)]
    pub fn record(&mut self, value: u64) {
        match self.batch.get_mut(self.pending) {
            Some(place) => {
                *place = value;
                self.pending += 1;
            }
            None => self.make_room(value),
        }
    }

    #[inline(never)]
    fn make_room(&mut self, value: u64) {
        if self.batch.is_empty() {
            let len = if self.window.is_some() { BATCH_OF_WINDOWS } else { BATCH };
            self.batch = vec![0; len].into();
        }
        let values = &self.batch[..self.pending];
        match &mut self.window {
            Some(window) => window.swept.record_all(values),
            None => self.total.record_all(values),
        }
        self.batch[0] = value;
        self.pending = 1;
    }

    /// Records a value that counts for the open window but not for the total.
    #[cold]
    pub fn record_beside(&mut self, value: u64) {
        if let Some(window) = &mut self.window {
            window.beside.record(value);
        }
    }

    /// Keeps windows from now on: [`Recorder::close_window`].
    pub fn keep_windows(&mut self) {
        self.window = Some(Box::default());
    }

    /// Closes the window and begins the next one. Returns the quantiles ([`Histogram::quantile`]), for ascending
    /// fractions, of the values recorded since the previous window was closed.
    ///
    /// # Panics
    /// If windows are not kept.
    pub fn close_window<const N: usize>(&mut self, fractions: [f64; N]) -> [Option<u64>; N] {
        let window = self.window.as_mut().expect("windows are closed only where they are kept");
        let values = &mut self.batch[..self.pending];
        self.pending = 0;
        if window.swept.is_empty() && window.beside.is_empty() {
            self.total.record_all(values);
            return quantiles(values, fractions);
        }
        let all = &mut window.swept;
        all.record_all(values);
        self.total.merge(all);
        if !window.beside.is_empty() {
            all.merge(&window.beside);
            window.beside.clear();
        }
        let quantiles = fractions.map(|fraction| all.quantile(fraction));
        all.clear();
        quantiles
    }

    /// Restarts the total; values recorded so far remain part of the open window only.
    pub fn restart(&mut self) {
        self.total.clear();
        if let Some(window) = &mut self.window {
            window.beside.merge(&window.swept);
            window.beside.record_all(&self.batch[..self.pending]);
            window.swept.clear();
        }
        self.pending = 0;
    }

    /// The number of values recorded since the start, or since [`Recorder::restart`].
    pub fn count(&self) -> u64 {
        let swept = self.window.as_ref().map_or(0, |window| window.swept.count());
        self.total.count() + swept + self.pending as u64
    }

    /// All values recorded since the start, or since [`Recorder::restart`].
    pub fn histogram(&self) -> Cow<'_, Histogram> {
        let swept = self.window.as_ref().map(|window| &window.swept).filter(|swept| !swept.is_empty());
        if self.pending == 0 && swept.is_none() {
            return Cow::Borrowed(&self.total);
        }
        let mut all = self.total.clone();
        if let Some(swept) = swept {
            all.merge(swept);
        }
        all.record_all(&self.batch[..self.pending]);
        Cow::Owned(all)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.histogram().fmt(formatter)
    }
}

/// The quantiles that a histogram of the values would give. Reorders the values.
fn quantiles<const N: usize>(values: &mut [u64], fractions: [f64; N]) -> [Option<u64>; N] {
    let (Some(&min), Some(&max)) = (values.iter().min(), values.iter().max()) else { return [None; N] };
    let count = values.len();
    // All values before this index are at most those from it on.
    let mut sorted = 0;
    fractions.map(|fraction| {
        let at = nearest_rank(fraction, count as u64) as usize - 1;
        if at == 0 {
            return Some(min);
        }
        if at == count - 1 {
            return Some(max);
        }
        debug_assert!(at >= sorted, "fractions rise");
        let (_, value, _) = values[sorted..].select_nth_unstable(at - sorted);
        sorted = at;
        Some(middle_of(*value).clamp(min, max))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Record(Vec<u64>),
        Beside(u64),
        Close,
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        let value = || (0u32..50, 0u64..1000).prop_map(|(magnitude, x)| x << magnitude);
        prop_oneof![
            6 => prop::collection::vec(value(), 1..40).prop_map(Step::Record),
            1 => prop::collection::vec(value(), 900..2300).prop_map(Step::Record),
            1 => value().prop_map(Step::Beside),
            3 => Just(Step::Close),
            1 => Just(Step::Restart),
        ]
    }

    proptest! {
        /// The twin records every value in two histograms at once.
        #[test]
        fn batches_change_nothing(keeps in any::<bool>(), steps in prop::collection::vec(step(), 1..30)) {
            let mut recorder = Recorder::default();
            if keeps {
                recorder.keep_windows();
            }
            let (mut total, mut window) = (Histogram::new(), Histogram::new());
            for step in steps {
                match step {
                    Step::Record(values) => for value in values {
                        recorder.record(value);
                        total.record(value);
                        window.record(value);
                    },
                    Step::Beside(value) => {
                        recorder.record_beside(value);
                        window.record(value);
                    }
                    Step::Close if keeps => {
                        let fractions = [0.0, 0.01, 0.5, 0.99, 1.0];
                        prop_assert_eq!(recorder.close_window(fractions), fractions.map(|f| window.quantile(f)));
                        window.clear();
                    }
                    Step::Close => {}
                    Step::Restart => {
                        recorder.restart();
                        total.clear();
                    }
                }
                prop_assert_eq!(&*recorder.histogram(), &total);
                prop_assert_eq!(recorder.count(), total.count());
            }
        }
    }
}
