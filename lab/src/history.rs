//! The closed windows of a run: an append-only table.
//!
//! Windows lie in chunks behind shared pointers, and a full chunk never changes again. So a clone – a checkpoint, a snapshot
//! for the screen – costs one pointer per chunk, and the next append copies at most the one chunk being filled.

use std::sync::Arc;

use indexmap::IndexSet;

use crate::series::Series;

/// Windows per chunk.
const CHUNK: usize = 64;

/// Figures per window, like [`Series`], but stored row by row.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Width of a window, s.
    pub window_s: f64,
    names: Arc<IndexSet<String>>,
    /// All but the last hold [`CHUNK`] windows.
    chunks: Vec<Arc<Chunk>>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    at_s: Vec<f64>,
    /// One value per column, window after window.
    values: Vec<Option<f64>>,
}

impl History {
    /// An empty history with the given columns.
    pub fn new(window_s: f64, names: impl IntoIterator<Item = String>) -> History {
        History { window_s, names: Arc::new(names.into_iter().collect()), chunks: Vec::new() }
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.at_s.len())
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// True before the first window is closed.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends a window that began at `at_s`, with one value per column.
    ///
    /// # Panics
    /// If the number of values differs from the number of columns.
    pub fn push(&mut self, at_s: f64, row: impl IntoIterator<Item = Option<f64>>) {
        if self.len().is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        let last = Arc::make_mut(self.chunks.last_mut().expect("one was added where there was none"));
        last.at_s.push(at_s);
        last.values.extend(row);
        assert_eq!(last.values.len(), last.at_s.len() * self.names.len(), "a value a column");
    }

    /// Start of each window, s; negative during the warm-up.
    pub fn begins(&self) -> impl DoubleEndedIterator<Item = f64> {
        self.chunks.iter().flat_map(|chunk| chunk.at_s.iter().copied())
    }

    /// The values of a column, window by window; `None` where no column has this name.
    pub fn column<'a>(&'a self, name: &str) -> Option<impl DoubleEndedIterator<Item = Option<f64>> + use<'a>> {
        let place = self.names.get_index_of(name)?;
        let width = self.names.len();
        Some(self.chunks.iter().flat_map(move |chunk| chunk.values.chunks_exact(width).map(move |row| row[place])))
    }

    /// The value of a column in the last closed window.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.column(name)?.next_back().flatten()
    }

    /// Converts the windows into columns, as results have them. Proceeds chunk by chunk, so that no window is held twice.
    pub fn into_series(self) -> Series {
        let (width, windows) = (self.names.len(), self.len());
        let mut at_s = Vec::with_capacity(windows);
        let mut columns: Vec<Vec<Option<f64>>> = (0..width).map(|_| Vec::with_capacity(windows)).collect();
        for chunk in self.chunks {
            at_s.extend(&chunk.at_s);
            for row in chunk.values.chunks_exact(width.max(1)) {
                columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
            }
        }
        Series { window_s: self.window_s, at_s, columns: self.names.iter().cloned().zip(columns).collect() }
    }

    /// A copy as columns, as results have them.
    pub fn to_series(&self) -> Series {
        let column = |name: &String| (name.clone(), self.column(name).into_iter().flatten().collect());
        Series {
            window_s: self.window_s,
            at_s: self.begins().collect(),
            columns: self.names.iter().map(column).collect(),
        }
    }
}

impl From<Series> for History {
    /// The windows of a result; values missing at the end of a column are unknown.
    fn from(series: Series) -> History {
        let mut history = History::new(series.window_s, series.columns.keys().cloned());
        for (window, at_s) in series.at_s.iter().enumerate() {
            history.push(*at_s, series.columns.values().map(|column| column.get(window).copied().flatten()));
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An operation on one of several histories cloned from each other.
    #[derive(Clone, Debug)]
    enum Step {
        Clone(usize),
        Push(usize, Vec<Option<f64>>),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let row = proptest::collection::vec(proptest::option::of(-1e9..1e9), 3);
        prop_oneof![
            1 => any::<usize>().prop_map(Step::Clone),
            30 => (any::<usize>(), row).prop_map(|(which, row)| Step::Push(which, row)),
            1 => any::<usize>().prop_map(Step::Drop),
        ]
    }

    fn names() -> [String; 3] {
        ["a", "b", "c"].map(String::from)
    }

    proptest! {
        /// The reference is a table that is copied in full at every clone.
        #[test]
        fn clones_grow_apart_as_copies_do(steps in proptest::collection::vec(step(), 0..600)) {
            let mut histories = vec![History::new(0.5, names())];
            let mut twins: Vec<Series> = vec![histories[0].to_series()];
            for step in steps {
                match step {
                    Step::Clone(which) => {
                        let which = which % histories.len();
                        histories.push(histories[which].clone());
                        twins.push(twins[which].clone());
                    }
                    Step::Push(which, row) => {
                        let which = which % histories.len();
                        let at_s = twins[which].at_s.len() as f64 * 0.5 - 3.0;
                        twins[which].at_s.push(at_s);
                        for (column, value) in twins[which].columns.values_mut().zip(&row) {
                            column.push(*value);
                        }
                        histories[which].push(at_s, row);
                    }
                    Step::Drop(which) if histories.len() > 1 => {
                        let which = which % histories.len();
                        histories.remove(which);
                        twins.remove(which);
                    }
                    Step::Drop(_) => {}
                }
            }
            for (history, twin) in histories.iter().zip(&twins) {
                prop_assert_eq!(&history.to_series(), twin);
                prop_assert_eq!(&history.clone().into_series(), twin);
                prop_assert_eq!(history.len(), twin.at_s.len());
                prop_assert_eq!(history.last("b"), twin.columns["b"].last().copied().flatten());
                prop_assert!(history.column("d").is_none());
                prop_assert_eq!(&History::from(twin.clone()).to_series(), twin);
            }
        }
    }

    #[test]
    fn a_clone_shares_every_full_chunk_for_good() {
        let mut one = History::new(1.0, names());
        let grow = |history: &mut History, windows: usize| {
            (0..windows).for_each(|window| history.push(window as f64, [Some(1.0), None, Some(window as f64)]));
        };
        grow(&mut one, 10 * CHUNK + 1);
        let checkpoint = one.clone();
        grow(&mut one, 10 * CHUNK);
        let shared = one.chunks.iter().zip(&checkpoint.chunks).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert_eq!((shared, checkpoint.len(), one.len()), (10, 10 * CHUNK + 1, 20 * CHUNK + 1));
    }
}
