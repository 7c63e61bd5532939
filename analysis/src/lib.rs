//! What can be known of a system without running it, and what theory knows of systems that can be solved.
//!
//! [`explain`] computes from the settings alone: rates, waiting, limits, and what is wrong with a design. [`theory`] holds the
//! closed forms that it uses, and runs of systems that can be solved against them.

pub mod explain;
pub mod theory;
