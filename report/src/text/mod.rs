//! The report of a run for a terminal: one screen, from the headline to the details.
//!
//! ```text
//! title, what was run                 which scenario, variant, seed, how long
//! headline                            offered, goodput, success, percentiles, one row a workload
//! after the answer                    when all that requests had set off was done, where something goes on
//! findings                            the worst first
//! over time                           sparklines, faults on the same axis
//! happenings                          events that the faults do not already state, if any
//! components, links                   tables; only columns that say something
//! warnings                            what must be known before trusting a figure
//! ```
//!
//! Nothing in it depends on the machine or the moment. Without colour it says the same; without Unicode it is written in
//! ASCII of the same width.

mod afterwards;
mod aligned;
mod happenings;
mod hosts;
mod paint;
mod replications;
mod run;
mod sparkline;
mod table;

pub(crate) use aligned::aligned;
pub use replications::replications;
pub(crate) use run::figures_in_words;
pub use run::{run_line, run_report};

/// How a text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns that may be used, at least 60 are.
    pub width: usize,
    /// Whether to write ANSI colours.
    pub color: bool,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
}

impl Default for Options {
    /// Defaults for a file or a pipe: 100 columns, no colour.
    fn default() -> Self {
        Options { width: 100, color: false, unicode: true }
    }
}
