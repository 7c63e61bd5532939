//! No runtime at all: every call is served at once, and only cores and what it calls hold it up.

use super::{Facts, Holds};

/// What a service knows of it.
pub(super) fn facts() -> Facts {
    Facts::of("tasks", None, Holds::Nothing)
}
