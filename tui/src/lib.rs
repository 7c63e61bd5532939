//! Watching a run in the terminal: the simulation runs in the background and can be paused, stepped, paced, rewound and
//! branched; the screen draws the views that it publishes.
//!
//! ```text
//! Source ──► Simulation ── Deck ── Player (thread) ── View ──► App ──► draw      keys, mouse ──► App ──► Effect ──► Player
//! ```
//!
//! - [`source`], [`menu`]: the scenarios that can be watched (a trait), and choosing one;
//! - [`simulation`]: the requirements on a simulation (a trait);
//! - [`deck`], [`checkpoints`], [`player`]: time, in both directions and in two futures;
//! - [`app`], [`keys`], [`mod@line`]: the state of the screen, and the effects of keys on it;
//! - [`theme`], [`figures`]: colours and number formats;
//! - [`diagram`], [`layout`], [`order`], [`wires`]: the drawing of the topology;
//! - [`events`], [`screenshot`]: data derived from a view;
//! - [`stage`]: what fills the screen – a run, the list, the problems of a file – and the main loop, which is thin;
//! - `terminal`: raw mode and signals.
//!
//! Drawing reads `&App` and nothing else, and no screen, pace or key can change a result, except by a change that the user
//! makes.

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
