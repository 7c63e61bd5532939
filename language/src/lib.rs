//! From scenario text to a checked network.
//!
//! A text becomes a [`document`]; variants, overrides, clusters and policies are worked into it; the settings are read from
//! that and checked as a whole ([`load()`]). What a whole file must also satisfy and only a run can tell, such as that an
//! objective names a metric that exists, is checked by the lab above. Only this crate knows YAML.

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
