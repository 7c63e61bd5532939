//! Watching a run in the terminal: the simulation goes on in the background and can be paused, stepped, paced, rewound and
//! branched; the screen draws what it publishes.
//!
//! ```text
//! Source ──► Simulation ── Deck ── Player (thread) ── View ──► App ──► draw      keys, mouse ──► App ──► Effect ──► Player
//! ```
//!
//! - [`source`], [`menu`]: what can be watched, a trait, and choosing it;
//! - [`simulation`]: what is asked of a simulation, a trait;
//! - [`deck`], [`checkpoints`], [`player`]: time, in both directions and in two futures;
//! - [`app`], [`keys`], [`mod@line`]: what the screen knows, and what keys do to it;
//! - [`theme`], [`figures`]: how things look;
//! - [`diagram`], [`layout`], [`order`], [`wires`]: the drawing of the topology;
//! - [`events`], [`screenshot`]: what is derived from a view;
//! - [`stage`]: what fills the screen – a run, the list, what is wrong with a file – and the loop, which is thin;
//! - `terminal`: raw mode and signals.
//!
//! Drawing reads `&App` and nothing else, and no screen, pace or key can change a result other than by a change that the
//! user asks for.

pub mod app;
mod brush;
pub mod checkpoints;
pub mod deck;
pub mod diagram;
pub mod events;
pub mod figures;
pub mod keys;
pub mod layout;
pub mod line;
pub mod menu;
pub mod order;
pub mod player;
mod plot;
mod saving;
mod screens;
pub mod screenshot;
pub mod simulation;
pub mod source;
pub mod stage;
mod terminal;
pub mod theme;
pub mod wires;

pub use app::{App, Caption};
pub use player::Pace;
pub use saving::drawn;
pub use screens::draw;
pub use simulation::{Happening, Knob, Simulation};
pub use source::{Choice, Opened, Source, Stamp};
pub use stage::{Ending, Options, watch};
pub use terminal::columns;
