//! From text to a checked network, and the messages for invalid texts.

mod diagnostics;
mod expect;
mod reference;
