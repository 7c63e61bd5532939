//! The integration tests of the engine, in one binary.
//!
//! The statistical ones run over fixed seeds. Each single check would raise a false alarm for one seed in ten million;
//! there are fewer than a thousand of them, so a set of fresh seeds would fail by chance less than once in ten thousand.

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
