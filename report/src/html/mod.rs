//! Reports as one HTML file: everything is inside, nothing is fetched, and it prints.
//!
//! A [`Page`] is plain data made of sections and blocks; [`page`] writes it. A run's page is [`run_page`]; comparisons and
//! sweeps build their own from the same blocks.
//!
//! The page's policy is `default-src 'none'`: the style and the script are allowed by their digests, there is no other
//! active content, and all texts are escaped, so that a scenario from a stranger can be reported without care. Without
//! the script everything can be read; with it, tables can be sorted, and charts answer to pointing and are enlarged by
//! dragging. The values of a chart stand in its own `metadata`.

pub(crate) mod origin;
mod run;
mod story;
mod write;

pub use origin::{Origin, Source};
pub use run::{RunPage, run_page};

use crate::charts::{Chart, ChartError};
use crate::findings::Finding;

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The heading, and the title of the window.
    pub title: String,
    /// A line under it: of what, which seed, how long.
    pub subtitle: String,
    /// A sentence or two on what the reader sees.
    pub lead: Option<String>,
    /// The parts, in order.
    pub sections: Vec<Section>,
    /// The line at the foot: which program made it.
    pub footer: String,
}

/// A part of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its heading; empty for none.
    pub heading: String,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Paragraph(String),
    /// Main figures, large.
    Figures(Vec<Figure>),
    /// Findings, marked by severity.
    Findings(Vec<Finding>),
    /// A list of warnings or remarks.
    List(Vec<String>),
    /// A table that can be sorted.
    Table(Table),
    /// A chart.
    Chart(Box<Chart>),
    /// A text kept as it is, with a heading.
    Text {
        /// What it is.
        caption: String,
        /// The text.
        text: String,
    },
    /// A text that is shown on demand, and in print.
    Details {
        /// What it is.
        summary: String,
        /// The text.
        text: String,
    },
}

/// A main figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// The figure with its unit.
    pub value: String,
    /// What to hold it against; may be empty.
    pub note: String,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Description.
    pub caption: String,
    /// Its columns; the first names the rows.
    pub columns: Vec<TableColumn>,
    /// Its rows, one cell a column.
    pub rows: Vec<Vec<TableCell>>,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableColumn {
    /// Its heading.
    pub title: String,
    /// What it means; shown when pointed at, may be empty.
    pub hint: String,
    /// Whether it holds figures, which lean right.
    pub numeric: bool,
}

impl TableColumn {
    /// A column of words.
    #[must_use]
    pub fn words(title: impl Into<String>, hint: impl Into<String>) -> Self {
        TableColumn { title: title.into(), hint: hint.into(), numeric: false }
    }

    /// A column of figures.
    #[must_use]
    pub fn figures(title: impl Into<String>, hint: impl Into<String>) -> Self {
        TableColumn { title: title.into(), hint: hint.into(), numeric: true }
    }
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableCell {
    /// The text.
    pub text: String,
    /// What it is sorted by; cells without it are sorted by their text, or last among figures.
    pub value: Option<f64>,
}

impl TableCell {
    /// A cell of words.
    #[must_use]
    pub fn words(text: impl Into<String>) -> Self {
        TableCell { text: text.into(), value: None }
    }

    /// A figure as it is read and as it is sorted.
    #[must_use]
    pub fn figure(value: f64, text: impl FnOnce(f64) -> String) -> Self {
        TableCell { text: text(value), value: Some(value) }
    }

    /// The same where it may be unknown.
    #[must_use]
    pub fn known(value: Option<f64>, text: impl FnOnce(f64) -> String) -> Self {
        value.map_or_else(|| TableCell::words(crate::units::UNKNOWN), |value| TableCell::figure(value, text))
    }
}

/// The page as a document.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(page: &Page) -> Result<String, ChartError> {
    write::document(page)
}
