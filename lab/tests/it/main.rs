//! Whole scenarios: from text to result.

mod kinds;
