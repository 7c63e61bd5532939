//! From scenario text to a checked network.
//!
//! A text becomes a [`document`]; variants, overrides, clusters and policies are resolved in it; the settings are read
//! from the result and checked as a whole ([`load()`]). Requirements that only a run can check, such as an objective
//! naming an existing metric, are checked in the lab crate. Only this crate knows YAML.

mod access_log;
pub mod axes;
pub mod builtin;
pub mod by_hand;
pub mod changes;
pub mod diagnostics;
pub mod document;
pub mod expand;
pub mod knobs;
pub mod load;
pub mod menu;
pub mod places;
pub mod quantity;
pub mod reading;
pub mod reference;
mod repair;
pub mod table;
pub mod tour;
mod unused;

pub use load::{Loaded, Options, Refused, Text, load};
