//! The report of a run for a terminal: one screen, from the headline to the details.
//!
//! ```text
//! title, what was run                 scenario, variant, seed, length
//! headline                            offered, goodput, success, percentiles, one row per workload
//! after the answer                    when all work triggered by requests was done, if any continues
//! findings                            the worst first
//! over time                           sparklines, faults on the same axis
//! happenings                          events that the faults do not already state, if any
//! components, links                   tables; only columns with content
//! warnings                            limits of the figures' reliability
//! ```
//!
//! Nothing in it depends on the machine or the time. It has the same content without colour; without Unicode it is written
//! in ASCII of the same width.

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

/// How a text is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns that may be used; at least 60 are.
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
