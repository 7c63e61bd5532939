//! Verbs for baggage: a getter and a setter for each column.

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

                /// Sets it for `call` and for calls made on its behalf from now on; no effect if the model does not use
                /// this column.
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
    /// Whether the model uses deadlines at all; if not, there are none to set or clear.
    #[inline(always)]
    pub fn carries_deadlines(&self) -> bool {
        self.core.calls.columns.carries_deadlines()
    }

    /// Whether requests differ in demand.
    #[inline(always)]
    pub fn carries_demand(&self) -> bool {
        self.core.calls.columns.carries_demand()
    }

    /// Whether the deadline that `call` carries has passed. An answer exactly at the deadline is in time, as it is
    /// exactly at a timeout.
    #[inline]
    pub fn is_expired(&self, call: CallId) -> bool {
        self.core.calls.columns.deadline(call.index) < self.core.now
    }
}
