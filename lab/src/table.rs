//! Tables by name, the building blocks of results.

use indexmap::IndexMap;

/// An ordered table by name; the order is that of the scenario file.
pub type Table<T> = IndexMap<String, T>;
