//! Settings as their users meet them: derived types, what they read, refuse, describe and write.

mod derive;
mod overrides;
mod pages;
mod schema;
mod types;
