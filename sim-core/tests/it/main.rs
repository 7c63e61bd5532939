//! The integration tests of the engine, in one binary.
//!
//! The statistical tests run over fixed seeds. Each single check would raise a false alarm for one seed in ten million;
//! there are fewer than a thousand checks, so a fresh set of seeds would fail by chance less than once in ten thousand.

mod chores;
mod crashes;
mod dist;
mod happenings;
mod histogram;
mod keys;
mod passing_on;
mod random;
mod records;
mod statistics;
