//! A histogram that is filled by the batch, and optionally the quantiles of one window after the other.
//!
//! Recording one value in a histogram touches memory that the rest of the simulation then has to fetch again. So values
//! are first noted in a short list; when it is full they go into the histogram in one sweep. What is read out is the
//! same as if each had been recorded at once. Where windows are kept, the quantiles of a window of few values are found
//! in the list itself, and the buckets need not be cleared for the next window.

use std::borrow::Cow;

use crate::histogram::{Histogram, middle_of, nearest_rank};

/// Values in the list: few, so that it stays near.
const BATCH: usize = 256;
/// The same where windows are kept: enough for the whole of a short one.
const BATCH_OF_WINDOWS: usize = 1024;

/// Values on their way into a histogram.
#[derive(Clone, Default)]
pub struct Recorder {
    total: Histogram,
    /// Values that are in no histogram yet: the first `pending` of these. Without memory until the first value.
    batch: Box<[u64]>,
    pending: usize,
    window: Option<Box<Window>>,
}

/// What there is to know of the window that is open, beyond the batch.
#[derive(Clone, Default)]
struct Window {
    /// Values that the batch had no room for; they become part of the total when the window is closed.
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

    /// Records a value that counts for the window that is open but not for the total.
    #[cold]
    pub fn record_beside(&mut self, value: u64) {
        if let Some(window) = &mut self.window {
            window.beside.record(value);
        }
    }

    /// From now on there are windows: [`Recorder::close_window`].
    pub fn keep_windows(&mut self) {
        self.window = Some(Box::default());
    }

    /// Closes the window: the quantiles ([`Histogram::quantile`]), for fractions that rise, of what was recorded since the one before was closed.
    /// The next one begins.
    ///
    /// # Panics
    /// Where windows are not kept.
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

    /// The total begins anew; what was recorded so far is part of the window that is open and of nothing else.
    pub fn restart(&mut self) {
        self.total.clear();
        if let Some(window) = &mut self.window {
            window.beside.merge(&window.swept);
            window.beside.record_all(&self.batch[..self.pending]);
            window.swept.clear();
        }
        self.pending = 0;
    }

    /// How many values have been recorded since the start, or since [`Recorder::restart`].
    pub fn count(&self) -> u64 {
        let swept = self.window.as_ref().map_or(0, |window| window.swept.count());
        self.total.count() + swept + self.pending as u64
    }

    /// Everything recorded since the start, or since [`Recorder::restart`].
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

/// What a histogram of the values would give. Changes their order.
fn quantiles<const N: usize>(values: &mut [u64], fractions: [f64; N]) -> [Option<u64>; N] {
    let (Some(&min), Some(&max)) = (values.iter().min(), values.iter().max()) else { return [None; N] };
    let count = values.len();
    // Below this, everything is less than what comes at or above it.
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
