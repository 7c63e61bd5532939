//! Settings: how the parts of a scenario are read, described and written.
//!
//! A scenario arrives as a [tree] of nodes with spans. Settings are Rust types that derive [`Setting`]: one declaration
//! of each field yields the reader, which collects all [problems](mod@problem), the shape, from which the JSON [schema]
//! and the [mod@reference] pages are generated, and the writer, which prints a scenario with every default filled in.
//!
//! ```
//! use settings::{Duration, Setting};
//!
//! /// Connections that are kept open.
//! #[derive(Clone, Debug, PartialEq, Setting)]
//! struct PoolSettings {
//!     /// Connections that may be open at once.
//!     #[setting(range = "1..=100000", live)]
//!     size: u32,
//!     /// How long a caller waits for a connection.
//!     #[setting(default = "30s")]
//!     acquire_timeout: Duration,
//! }
//!
//! let pool: PoolSettings = settings::notation::read("{size: 20}").expect("a pool");
//! assert_eq!(pool.acquire_timeout, Duration(30_000_000_000));
//! let problems = settings::notation::read::<PoolSettings>("{sizes: 20, acquire_timeout: 5}").unwrap_err();
//! assert_eq!(problems.len(), 2);
//! ```

// The derive refers to this crate by name, even within the crate.
extern crate self as settings;

pub mod bind;
pub mod book;
mod containers;
mod distribution;
pub mod notation;
pub mod overrides;
pub mod place;
pub mod problem;
pub mod reader;
pub mod reference;
pub mod schema;
pub mod shown;
pub mod tree;
pub mod values;

pub use book::{Book, Shape};
pub use containers::{Map, MapEntry, MapKey, NullOr, OneOrMany, Spanned};
pub use distribution::{CountDist, DurationDist, FactorDist, KeyChooser};
pub use place::{Path, SourceId, Span};
pub use problem::{Problem, Problems, Severity};
pub use reader::{Files, LogFormat, Reader, Setting};
pub use tree::{Entry, Node, Value};
pub use values::{
    Bandwidth, Cores, Count, Duration, Fraction, Money, Name, Percentage, Priority, Rate, Scalar, SignedDuration, Size,
    ValueError,
};
