//! Tests of the terminal UI from outside: playing, layout, screens, keys.

mod fake;
mod keys;
mod layout;
mod playing;
mod screens;
mod stages;
