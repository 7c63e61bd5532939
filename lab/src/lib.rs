//! From scenario text to results. (being written)
pub mod diagnostics;
pub mod document;
pub mod result;
