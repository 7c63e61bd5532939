//! Whole outputs from fixed results: what is read, parsed or looked at.

mod charts;
mod exports;
mod sample;
mod sweeps;
mod text;
