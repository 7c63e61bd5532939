//! By how much a timer of a loop comes late, as users measure it: a callback that sets itself again for 100 ms later each time
//! that it has run, and takes no time.
//!
//! No event is made for it. When the loop takes something up, or becomes idle, what has become of the callback meanwhile is
//! known.

use sim_core::histogram::Histogram;
use sim_core::{Span, Time};

/// From the end of one callback to the next.
const EVERY: Span = 100_000_000;

/// How late the callback has come.
#[derive(Clone, Debug)]
pub(super) struct Lag {
    /// When it is to run next.
    due: Time,
    lags: Histogram,
}

impl Lag {
    pub(super) fn new() -> Lag {
        Lag { due: EVERY, lags: Histogram::new() }
    }

    /// The loop has had nothing to do until now.
    #[inline]
    pub(super) fn idle_until(&mut self, now: Time) {
        if now >= self.due {
            let times = (now - self.due) / EVERY + 1;
            self.lags.record_many(0, times);
            self.due += times * EVERY;
        }
    }

    /// The loop has its next turn: the callback's, if it is ready since before or at `since`.
    #[inline]
    pub(super) fn turn(&mut self, now: Time, since: Time) {
        if self.due <= since {
            self.lags.record(now - self.due);
            self.due = now + EVERY;
        }
    }

    pub(super) fn begin_measuring(&mut self) {
        self.lags = Histogram::new();
    }

    /// All of them until now, where the loop has been idle or not since it was last looked at.
    pub(super) fn until(&self, now: Time, is_idle: bool) -> Histogram {
        let mut so_far = self.clone();
        if is_idle {
            so_far.idle_until(now);
        }
        so_far.lags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Span = 1_000_000;

    /// Blocked from 130 to 630 ms: the callback of 200 ms runs at 630, the next at 730.
    #[test]
    fn a_block_of_half_a_second_is_read_as_the_rest_of_it() {
        let mut lag = Lag::new();
        lag.idle_until(130 * MS);
        lag.turn(630 * MS, 630 * MS);
        let lags = lag.until(735 * MS, true);
        assert_eq!((lags.count(), lags.max()), (3, Some(430 * MS)));
    }

    #[test]
    fn it_waits_for_what_was_ready_before_it() {
        let mut lag = Lag::new();
        // At 150 ms the loop takes up what has been ready since 90, at 180 what has been since 120.
        lag.turn(150 * MS, 90 * MS);
        lag.turn(180 * MS, 120 * MS);
        assert_eq!(lag.until(180 * MS, false).max(), Some(80 * MS));
    }
}
