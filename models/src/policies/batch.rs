//! Batching: many calls become one.
//!
//! The first item starts the timer; the batch goes when it is full or when the timer is up, whichever is first. An item
//! that arrives exactly at the deadline joins.

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::figures::Set;
use sim_core::{Figure, Figures};

use super::policy::{Described, Policy};

/// Combines calls into batches.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BatchSettings {
    /// Items at which a batch is sent immediately.
    #[setting(range = "1..=100000", live)]
    pub max: u32,
    /// Longest time that the first item waits for others.
    #[setting(live)]
    pub wait: Duration,
}

const BATCH_SIZE: Figure = Figure::mean("batch_size", "Calls in a batch, on average.");
const BATCHES: Figure = Figure::count("batches", "Batches sent.");

/// Reports how many calls went in how many batches.
pub fn figures(calls: u64, batches: u64, figures: &mut Figures) {
    figures.ratio(&BATCH_SIZE, calls, batches);
    figures.count(&BATCHES, batches);
}

/// Gathers calls and sends them as one.
#[derive(Clone, Copy, Debug)]
pub struct Batch;

impl Policy for Batch {
    const FIGURES: Set = &[&BATCH_SIZE, &BATCHES];
    type Settings = BatchSettings;

    fn brief(batch: &BatchSettings) -> Option<String> {
        Some(format!("batch {}/{}", batch.max, batch.wait.format()))
    }

    fn described(batch: &BatchSettings) -> Option<Described> {
        Some(Described { words: format!("of {} or after {}", batch.max, batch.wait.format()), has_state: true })
    }
}
