//! Verbs for baggage: a getter and a setter for each column.

use super::Cx;
use crate::baggage::each_column;
use crate::calls::CallId;
use crate::time::{Span, Time};

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

    /// Ties copies of an attempt together, of which only the first to be begun is wanted; word of that takes so long between them.
    pub fn open_tie(&mut self, takes: Span) -> u64 {
        self.core.ties.open(takes)
    }

    /// Nobody waits for any of the copies any more.
    pub fn close_tie(&mut self, tie: u64) {
        self.core.ties.close(tie);
    }

    /// The copy that was begun has failed: another one is wanted.
    pub fn free_tie(&mut self, tie: u64) {
        self.core.ties.free(tie);
    }

    /// Whether `call`, which is about to be begun, is still wanted: no other copy of the same attempt has been begun, as far as is
    /// known here. To be asked once for each call.
    #[inline(always)]
    pub fn is_first_of_tied(&mut self, call: CallId) -> bool {
        !self.core.calls.columns.carries_ties() || self.begins_tied(call)
    }

    #[inline(never)]
    fn begins_tied(&mut self, call: CallId) -> bool {
        let tie = self.core.calls.columns.tie(call.index);
        self.core.ties.begins(self.core.now, tie)
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
