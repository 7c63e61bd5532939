//! From text to a checked network, and what is said of a text that is wrong.

mod diagnostics;
mod expect;
mod reference;
