//! From scenario text to results.
//!
//! A scenario is loaded ([`load()`]: text → document → settings, checked as a whole), run in a [`session`], and becomes
//! plain data ([`result`]). Replications, sweeps and their statistics are made of many sessions. Only this crate knows
//! YAML.

mod breakdown;
pub mod builtin;
pub mod compare;
pub mod diagnostics;
pub mod document;
mod expand;
pub mod explain;
pub mod figures;
pub mod file;
pub mod find;
pub mod history;
pub mod knobs;
pub mod language;
pub mod load;
pub mod menu;
pub mod metrics;
pub mod objectives;
mod outcome;
mod places;
pub mod quantity;
pub mod replicate;
pub mod requests;
pub mod result;
pub mod session;
pub mod statistics;
pub mod sweep;
pub mod table;
pub mod theory;
mod trust;
mod unused;

pub use load::{Loaded, Options, Refused, Text, load};
pub use session::{Failure, Latencies, Session};
pub use sim_core::histogram::Bucket as LatencyBucket;
