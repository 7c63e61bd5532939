//! Batching: many calls become one.
//!
//! The first item starts the timer; the batch goes when it is full or when the timer is up, whichever is first. An item
//! that arrives exactly at the deadline joins. It is full with so many items or so many bytes; an item that would make it too
//! large sends it off and begins the next one. The batch is one call with the payload of all its items.
//!
//! An item may be bad: one that the callee can never accept. It ends as `client_error`, alone or with all members of its batch.

use settings::values::Scalar;
use settings::{Duration, Fraction, Setting, Size};
use sim_core::figures::Set;
use sim_core::{Figure, Figures};

use super::flaw::Flaw;
use super::policy::{Beside, Described, Policy};
use super::presets::{OrPreset, Preset, Presets};

/// Who fails with a bad item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum OnBadItem {
    /// It alone: the answer says of each item what has become of it.
    Alone,
    /// All members of its batch: the callee accepts all or nothing.
    All,
}

/// Combines calls into batches.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BatchSettings {
    /// Items at which a batch is sent immediately.
    #[setting(range = "1..=100000", live)]
    pub max: u32,
    /// Longest time that the first item waits for others.
    #[setting(live)]
    pub wait: Duration,
    /// Most bytes of a batch, by the `size` of its items: one that would exceed it goes into the next batch, and an item that is
    /// larger by itself goes alone.
    #[setting(range = "1B..=1GiB", live)]
    pub max_bytes: Option<Size>,
    /// Share of the items that the callee cannot accept, each at random. They end as `client_error` when the batch is answered, and
    /// are never tried again; breaker, retry and the attempts of the link see what the callee has answered to the whole.
    #[setting(default = "0%", live)]
    pub bad_items: Fraction,
    /// Who fails with a bad item; `alone` if not written.
    #[setting(live)]
    pub on_bad_item: Option<OnBadItem>,
}

impl Presets for BatchSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "dynamodb_write",
            doc: "DynamoDB *BatchWriteItem* (API reference): up to 25 puts and deletes of 16 MB together; the answer names the items that were not processed.",
            settings: "{max: 25, max_bytes: 16MB}",
        },
        Preset {
            word: "dynamodb_read",
            doc: "DynamoDB *BatchGetItem* (API reference): up to 100 items. Its 16 MB bound the answer, which has no size here.",
            settings: "{max: 100}",
        },
        Preset {
            word: "sqs",
            doc: "Amazon SQS *SendMessageBatch* (API reference up to 2024): up to 10 messages of 256 KiB together, each with a result of its own.",
            settings: "{max: 10, max_bytes: 256KiB}",
        },
        Preset {
            word: "sns",
            doc: "Amazon SNS *PublishBatch* (API reference): up to 10 messages of 256 KiB together, each with a result of its own.",
            settings: "{max: 10, max_bytes: 256KiB}",
        },
    ];
}

impl BatchSettings {
    /// Whether a batch of so many bytes takes no more.
    pub fn is_full_of(&self, bytes: u64) -> bool {
        self.max_bytes.is_some_and(|most| bytes >= most.0)
    }

    /// Whether a batch cannot have so many bytes.
    pub fn is_too_large(&self, bytes: u64) -> bool {
        self.max_bytes.is_some_and(|most| bytes > most.0)
    }

    /// Most items of a batch, where each has so many bytes.
    pub fn most_of(&self, bytes: f64) -> u32 {
        match self.max_bytes {
            Some(most) if bytes > 0.0 => self.max.min((most.0 as f64 / bytes).max(1.0) as u32),
            _ => self.max,
        }
    }

    /// Whether a bad item spoils the whole batch.
    pub fn fails_together(&self) -> bool {
        self.on_bad_item == Some(OnBadItem::All)
    }

    /// Share of the items that fail because of a bad one, in batches of a mean size.
    pub fn spoiled(&self, size: f64) -> f64 {
        let together = if self.fails_together() { size } else { 1.0 };
        1.0 - libm::pow(1.0 - self.bad_items.0, together)
    }
}

const BATCH_SIZE: Figure = Figure::mean("batch_size", "Calls in a batch, on average.");
const BATCHES: Figure = Figure::count("batches", "Batches sent.");
const BATCH_BYTES: Figure = Figure::mean("batch_bytes", "Payload of a batch, on average.").in_bytes();
const BAD_ITEMS: Figure = Figure::count("bad_items", "Items of answered batches that the callee could not accept.");

/// What a link counts of its batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batches {
    /// Calls that joined one.
    pub items: u64,
    /// Batches begun.
    pub begun: u64,
    /// Batches sent, and their bytes.
    pub sent: (u64, u64),
    /// Items that were bad.
    pub bad: u64,
}

impl Batches {
    /// Reports how many calls went in how many batches.
    pub fn figures(&self, batch: &BatchSettings, figures: &mut Figures) {
        figures.ratio(&BATCH_SIZE, self.items, self.begun);
        figures.count(&BATCHES, self.begun);
        if batch.max_bytes.is_some() {
            figures.ratio(&BATCH_BYTES, self.sent.1, self.sent.0);
        }
        if batch.bad_items.0 > 0.0 {
            figures.count(&BAD_ITEMS, self.bad);
        }
    }
}

/// Gathers calls and sends them as one.
#[derive(Clone, Copy, Debug)]
pub struct Batch;

impl Policy for Batch {
    const FIGURES: Set = &[&BATCH_SIZE, &BATCHES, &BATCH_BYTES, &BAD_ITEMS];
    type Settings = OrPreset<BatchSettings>;

    fn brief(batch: &Self::Settings) -> Option<String> {
        Some(format!("batch {}/{}", batch.max, batch.wait.format()))
    }

    fn described(batch: &Self::Settings) -> Option<Described> {
        let bytes = batch.max_bytes.map_or(String::new(), |bytes| format!(" or {}", bytes.format()));
        let bad = match (batch.bad_items.0 > 0.0, batch.fails_together()) {
            (false, _) => String::new(),
            (true, false) => format!(", {} of the items are bad", batch.bad_items.format()),
            (true, true) => format!(", {} of the items are bad and spoil theirs", batch.bad_items.format()),
        };
        let words = format!("of {}{bytes} or after {}{bad}", batch.max, batch.wait.format());
        Some(Described { words, has_state: true })
    }

    fn flaws(batch: &Self::Settings, _: &Beside<'_>) -> Vec<Flaw> {
        if batch.on_bad_item.is_none() || batch.bad_items.0 > 0.0 {
            return Vec::new();
        }
        vec![Flaw {
            code: "no_effect",
            key: "on_bad_item".into(),
            message: "`on_bad_item` has no effect: no item is bad".into(),
            help: "write `bad_items: 1%`, or remove it".into(),
        }]
    }
}
