//! How a component that hands out messages does so, as far as those who consume from it need to know.

use sim_core::Span;

/// How messages get from a queue to its consumers, and what becomes of those that nobody acknowledges.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// The word of the language for the queue's style.
    pub style: &'static str,
    /// Whether consumers keep a connection to it, at whose end their messages come back at once.
    pub connects: bool,
    /// Whether it sends messages on its own, instead of answering those who ask.
    pub pushes: bool,
    /// For how long a message that was handed out stays invisible.
    pub visibility: Option<Span>,
    /// Messages that come with one receive, at most.
    pub batch_max: u32,
    /// How many unacknowledged messages a consumer holds at most, where that is bounded and the consumer does not say.
    pub prefetch: Option<u32>,
    /// How often it hands a message out, at most.
    pub receives_max: Option<u32>,
    /// Whether its `capacity` can be bounded.
    pub can_be_bounded: bool,
    /// Whether those who publish to it wait while it is full.
    pub blocks: bool,
    /// Whether messages that failed for good go to another queue.
    pub has_dead_letter: bool,
    /// Whether messages about the same data are handed out in order.
    pub is_ordered: bool,
}
