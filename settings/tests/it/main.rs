//! Settings as seen by their users: how derived types are read, rejected, described and written.

mod derive;
mod overrides;
mod pages;
mod schema;
mod types;
