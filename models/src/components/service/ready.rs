//! Tasks that have begun, can go on, and wait for their turn on a loop, worker or carrier; and which of them is next.
//!
//! ```text
//! fifo           who has been ready for longest, calls that have not begun included
//! timers_first   1. whom the code that just ran has made ready (microtasks)
//!                2. what is left of the batch: replies, and calls that have not begun, in the order in which they came
//!                3. whose wait is over
//!                4. a new batch: everything that has come by now
//! ```
//!
//! Where timers have a granularity, the third is itself a batch: those that were due when it began, as in Node. The others wait, and if
//! nothing has come, the loop sleeps until the next of them for a whole number of ticks, since that is what it asks the poller
//! for; so even one that has become due meanwhile waits for a tick, unless something comes before.

use std::collections::VecDeque;

use sim_core::gauge::Gauge;
use sim_core::{Span, Time};

use crate::runtimes::Order;

/// What has made a task ready to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Nothing: its own code was at work.
    Itself,
    /// A wait is over.
    Timer,
    /// Something has come from outside of the loop: a reply, the end of what blocked a thread.
    Message,
    /// Another task of the same loop: a lock was given back, a branch has ended.
    Task,
}

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// A strand, which has been ready since then.
    Strand(u32, Time),
    /// The first of the calls that have not begun.
    Call,
}

/// A strand, since when it has been ready, and whether the poller has found that.
type Entry = (u32, Time, bool);

/// Strands that are ready.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    order: Order,
    /// With `fifo` all of them, else those whose wait is over.
    first: VecDeque<Entry>,
    tasks: VecDeque<Entry>,
    messages: VecDeque<Entry>,
    /// What is left of the batch.
    batch: u64,
    /// The granularity of timers; 0 for none.
    tick: Span,
    /// The timers whose turn it is: those that were due by then.
    timers_until: Option<Time>,
    /// When the loop last ran out of things to do.
    asleep_since: Time,
    /// Whether it matters how much the poller has found.
    polls: bool,
    /// How many they are, over time.
    depth: Gauge,
}

impl Ready {
    pub(super) fn new(order: Order, tick: Span, polls: bool) -> Ready {
        Ready {
            order,
            polls,
            first: VecDeque::new(),
            tasks: VecDeque::new(),
            messages: VecDeque::new(),
            batch: 0,
            tick: if order == Order::TimersFirst { tick } else { 0 },
            timers_until: None,
            asleep_since: 0,
            depth: Gauge::new(0, 0),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.depth.value() == 0
    }

    pub(super) fn over_time(&self) -> &Gauge {
        &self.depth
    }

    pub(super) fn push(&mut self, now: Time, index: u32, woken: Woken) {
        self.depth.up(now);
        let entry = (index, now, woken == Woken::Message);
        match (self.order, woken) {
            (Order::Fifo, _) | (Order::TimersFirst, Woken::Timer | Woken::Itself) => self.first.push_back(entry),
            (Order::TimersFirst, Woken::Task) => self.tasks.push_back(entry),
            (Order::TimersFirst, Woken::Message) => self.messages.push_back(entry),
        }
    }

    /// What comes now is not part of a batch that has begun.
    pub(super) fn end_batch(&mut self) {
        self.batch = 0;
        self.timers_until = None;
    }

    /// Whether a loop sleeps for whole ticks.
    #[inline]
    pub(super) fn has_ticks(&self) -> bool {
        self.tick > 0
    }

    /// The loop has nothing to do from now on, unless there is something ready.
    #[inline]
    pub(super) fn falls_asleep(&mut self, now: Time) {
        self.asleep_since = now;
    }

    /// When a loop that has slept since it last had something to do wakes up for a timer, if it is for nothing else before.
    pub(super) fn wakes_at(&self) -> Option<Time> {
        let (_, due, _) = self.first.front()?;
        let whole = |at: Time| at - at % self.tick.max(1);
        let ticks = whole(*due).saturating_sub(whole(self.asleep_since));
        Some(self.asleep_since.saturating_add(ticks.max(self.tick)))
    }

    /// A strand no longer waits for its turn.
    pub(super) fn remove(&mut self, now: Time, index: u32) {
        for queue in [&mut self.first, &mut self.tasks, &mut self.messages] {
            let before = queue.len();
            queue.retain(|(i, ..)| *i != index);
            self.depth.set(now, self.depth.value() - (before - queue.len()) as u64);
        }
    }

    /// Nobody waits any more.
    pub(super) fn clear(&mut self, now: Time) {
        [&mut self.first, &mut self.tasks, &mut self.messages].into_iter().for_each(VecDeque::clear);
        self.end_batch();
        self.asleep_since = now;
        self.depth.set(now, 0);
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.depth.reset(now);
    }

    /// The next to run: a ready strand, or one of `calls` that have not begun, the first of which has waited since `oldest`.
    /// With it, how many events the poller found, where this made it poll.
    pub(super) fn next(&mut self, now: Time, calls: u64, oldest: Option<Time>) -> Option<(Pick, Option<u64>)> {
        match self.order {
            Order::Fifo => self.next_in_order(now, calls, oldest),
            Order::TimersFirst => self.next_in_phases(now, calls, oldest),
        }
    }

    fn next_in_order(&mut self, now: Time, calls: u64, oldest: Option<Time>) -> Option<(Pick, Option<u64>)> {
        let pick = match (self.first.front(), oldest) {
            (None, None) => return None,
            (Some((_, since, _)), Some(oldest)) if *since > oldest => Pick::Call,
            (None, Some(_)) => Pick::Call,
            (Some((index, since, _)), _) => Pick::Strand(*index, *since),
        };
        let mut found = None;
        if self.batch == 0 && self.polls {
            let messages = self.first.iter().take(BATCH_MAX as usize).filter(|(.., message)| *message).count() as u64;
            self.batch = (self.first.len() as u64 + calls).min(BATCH_MAX);
            found = Some(messages + calls);
        }
        self.batch = self.batch.saturating_sub(1);
        if let Pick::Strand(..) = pick {
            self.first.pop_front();
            self.depth.down(now);
        }
        Some((pick, found))
    }

    fn next_in_phases(&mut self, now: Time, calls: u64, oldest: Option<Time>) -> Option<(Pick, Option<u64>)> {
        let strand = |(index, since, _): Entry| Pick::Strand(index, since);
        if let Some(entry) = self.tasks.pop_front() {
            self.depth.down(now);
            return Some((strand(entry), None));
        }
        let mut found = None;
        let has_come = self.messages.len() as u64 + calls;
        if self.batch == 0 || has_come == 0 {
            self.batch = 0;
            let until = match self.tick {
                0 => now,
                tick => *self.timers_until.get_or_insert(now - now % tick),
            };
            if self.first.front().is_some_and(|(_, since, _)| *since <= until)
                && let Some(entry) = self.first.pop_front()
            {
                self.depth.down(now);
                return Some((strand(entry), None));
            }
            self.timers_until = None;
            if has_come == 0 {
                return None;
            }
            self.batch = has_come.min(BATCH_MAX);
            found = Some(self.batch);
        }
        self.batch -= 1;
        let is_call = match (self.messages.front(), oldest) {
            (Some((_, since, _)), Some(oldest)) => *since > oldest,
            (first, _) => first.is_none(),
        };
        if is_call {
            return Some((Pick::Call, found));
        }
        let entry = self.messages.pop_front()?;
        self.depth.down(now);
        Some((strand(entry), found))
    }
}

/// More than this libuv does not take at a time (48 times 1,024 events).
const BATCH_MAX: u64 = 49_152;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ready: &mut Ready, calls: &[Time]) -> Vec<(Pick, Option<u64>)> {
        let (mut calls, mut found) = (calls.to_vec(), Vec::new());
        while let Some(next) = ready.next(9, calls.len() as u64, calls.first().copied()) {
            if next.0 == Pick::Call {
                calls.remove(0);
            }
            found.push(next);
        }
        found
    }

    #[test]
    fn who_has_been_ready_for_longest_is_first() {
        let mut ready = Ready::new(Order::Fifo, 0, false);
        ready.push(1, 10, Woken::Message);
        ready.push(3, 11, Woken::Timer);
        ready.push(4, 12, Woken::Task);
        let found: Vec<Pick> = all(&mut ready, &[2, 5]).into_iter().map(|(pick, _)| pick).collect();
        let strand = Pick::Strand;
        assert_eq!(found, [strand(10, 1), Pick::Call, strand(11, 3), strand(12, 4), Pick::Call]);
        assert!(ready.is_empty());
    }

    /// Two timers, a task, two messages and a call: the task, the timers, and the other three as a batch.
    #[test]
    fn timers_go_before_what_has_come_and_tasks_before_both() {
        let mut ready = Ready::new(Order::TimersFirst, 0, true);
        ready.push(1, 10, Woken::Message);
        ready.push(2, 11, Woken::Timer);
        ready.push(3, 12, Woken::Message);
        ready.push(4, 13, Woken::Timer);
        ready.push(5, 14, Woken::Task);
        let found: Vec<(Pick, Option<u64>)> = all(&mut ready, &[2]);
        let strand = Pick::Strand;
        let expected = [
            (strand(14, 5), None),
            (strand(11, 2), None),
            (strand(13, 4), None),
            (strand(10, 1), Some(3)),
            (Pick::Call, None),
            (strand(12, 3), None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_timer_waits_for_the_batch_that_has_begun_and_no_longer() {
        let mut ready = Ready::new(Order::TimersFirst, 0, true);
        ready.push(1, 10, Woken::Message);
        ready.push(1, 11, Woken::Message);
        assert_eq!(ready.next(2, 0, None), Some((Pick::Strand(10, 1), Some(2))));
        ready.push(2, 12, Woken::Timer);
        ready.push(2, 13, Woken::Message);
        assert_eq!(ready.next(3, 0, None), Some((Pick::Strand(11, 1), None)));
        assert_eq!(ready.next(3, 0, None), Some((Pick::Strand(12, 2), None)));
        assert_eq!(ready.next(3, 0, None), Some((Pick::Strand(13, 2), Some(1))));
        assert_eq!(ready.next(3, 0, None), None);
    }

    #[test]
    fn who_leaves_is_not_found() {
        for order in [Order::Fifo, Order::TimersFirst] {
            let mut ready = Ready::new(order, 0, true);
            for (index, woken) in [(1, Woken::Timer), (2, Woken::Message), (3, Woken::Task)] {
                ready.push(1, index, woken);
                ready.remove(1, index);
            }
            assert!(ready.is_empty());
            assert_eq!(ready.next(2, 0, None), None);
        }
    }

    /// Ticks of 10. Asleep since 3, a timer of 20 wakes the loop at 23, and one of 10 at 13.
    #[test]
    fn a_loop_sleeps_for_whole_ticks() {
        let mut ready = Ready::new(Order::TimersFirst, 10, false);
        assert_eq!(ready.wakes_at(), None);
        ready.falls_asleep(3);
        ready.push(20, 1, Woken::Timer);
        assert_eq!(ready.wakes_at(), Some(23));
        ready.falls_asleep(20);
        assert_eq!(ready.wakes_at(), Some(30), "at least one");
        ready.clear(20);
        ready.falls_asleep(3);
        ready.push(10, 1, Woken::Timer);
        assert_eq!(ready.wakes_at(), Some(13));
    }

    /// Of timers of 10, 20 and 20 the first two are due at 20; one of 30 becomes due while they run, and waits for what has come.
    #[test]
    fn timers_that_become_due_while_others_run_wait_for_the_poller() {
        let mut ready = Ready::new(Order::TimersFirst, 10, false);
        let strand = |index, since| Some((Pick::Strand(index, since), None));
        ready.push(10, 1, Woken::Timer);
        ready.push(20, 2, Woken::Timer);
        assert_eq!(ready.next(21, 0, None), strand(1, 10));
        ready.push(30, 3, Woken::Timer);
        assert_eq!(ready.next(35, 0, None), strand(2, 20));
        ready.push(36, 4, Woken::Message);
        assert_eq!(ready.next(38, 0, None).map(|(pick, _)| pick), Some(Pick::Strand(4, 36)));
        assert_eq!(ready.next(39, 0, None), strand(3, 30));
        // Nothing is due at the beginning of a turn: the loop sleeps.
        ready.push(39, 5, Woken::Itself);
        assert_eq!(ready.next(39, 0, None), None);
        ready.falls_asleep(39);
        assert_eq!(ready.wakes_at(), Some(49));
        assert_eq!(ready.next(49, 0, None), strand(5, 39));
    }
}
