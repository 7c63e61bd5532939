//! Verbs for what calls carry: one to read and one to set each column.

use super::Cx;
use crate::baggage::each_column;
use crate::calls::CallId;
use crate::time::Time;

macro_rules! verbs {
    ($($(#[$meta:meta])* $name:ident: $kind:ty = $empty:expr, $set:ident;)*) => {
        impl Cx<'_> {
            $(
                $(#[$meta])*
                #[inline]
                pub fn $name(&self, call: CallId) -> $kind {
                    self.core.calls.columns.$name(call.index)
                }

                /// Sets it for `call` and the calls that are made for it from now on; without effect where the model has
                /// no such column.
                #[inline]
                pub fn $set(&mut self, call: CallId, value: $kind) {
                    self.core.calls.columns.$set(call.index, value);
                }
            )*
        }
    };
}

each_column!(verbs);

impl Cx<'_> {
    /// Whether calls carry deadlines at all: without, there is none to set or to forget.
    #[inline(always)]
    pub fn carries_deadlines(&self) -> bool {
        self.core.calls.columns.carries_deadlines()
    }

    /// Whether requests differ in how much work they ask for.
    #[inline(always)]
    pub fn carries_demand(&self) -> bool {
        self.core.calls.columns.carries_demand()
    }

    /// Whether the deadline that `call` carries has passed. An answer at that very instant is in time, as one at the
    /// instant of a timeout is.
    #[inline]
    pub fn is_expired(&self, call: CallId) -> bool {
        self.core.calls.columns.deadline(call.index) < self.core.now
    }
}
