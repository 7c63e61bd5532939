//! Reports as a single HTML file that embeds everything, loads nothing, and prints well.
//!
//! A [`Page`] is plain data made of sections and blocks; [`page`] writes it. A run's page is [`run_page`]; comparisons and
//! sweeps build their own from the same blocks.
//!
//! The page's content security policy is `default-src 'none'`: the style and the script are allowed by their digests, there
//! is no other active content, and all texts are escaped, so that reports on untrusted scenarios are safe. Everything is
//! readable without the script; with it, tables can be sorted, and charts show values on hover and zoom by dragging. The
//! values of a chart are in its own `metadata`.

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
    /// The heading, which is also the title of the window.
    pub title: String,
    /// A line below it: scenario, seed and length.
    pub subtitle: String,
    /// One or two sentences of introduction.
    pub lead: Option<String>,
    /// The sections, in order.
    pub sections: Vec<Section>,
    /// The line at the foot: the program and its version.
    pub footer: String,
}

/// A part of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its heading; empty for none.
    pub heading: String,
    /// Its blocks.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Paragraph(String),
    /// Key figures in large type.
    Figures(Vec<Figure>),
    /// Findings, marked by severity.
    Findings(Vec<Finding>),
    /// A list of warnings or remarks.
    List(Vec<String>),
    /// A table that can be sorted.
    Table(Table),
    /// A chart.
    Chart(Box<Chart>),
    /// Preformatted text with a heading.
    Text {
        /// The heading.
        caption: String,
        /// The text.
        text: String,
    },
    /// Text that expands on demand, and in print.
    Details {
        /// The heading.
        summary: String,
        /// The text.
        text: String,
    },
}

/// A key figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// Its label.
    pub label: String,
    /// The figure with its unit.
    pub value: String,
    /// A comparison or remark; may be empty.
    pub note: String,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The caption.
    pub caption: String,
    /// Its columns; the first contains the names of the rows.
    pub columns: Vec<TableColumn>,
    /// Its rows, one cell per column.
    pub rows: Vec<Vec<TableCell>>,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableColumn {
    /// Its heading.
    pub title: String,
    /// Its meaning, shown on hover; may be empty.
    pub hint: String,
    /// Whether it contains numbers, which are right-aligned.
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
    /// The sort key; cells without one sort by their text, or last among numbers.
    pub value: Option<f64>,
}

impl TableCell {
    /// A cell of words.
    #[must_use]
    pub fn words(text: impl Into<String>) -> Self {
        TableCell { text: text.into(), value: None }
    }

    /// A number with its text and sort key.
    #[must_use]
    pub fn figure(value: f64, text: impl FnOnce(f64) -> String) -> Self {
        TableCell { text: text(value), value: Some(value) }
    }

    /// A number that may be unknown.
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
