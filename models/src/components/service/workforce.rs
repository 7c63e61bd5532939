//! Workers that are replaced: after so many calls, or when one call takes too long.

use std::collections::VecDeque;

use sim_core::figures::Set;
use sim_core::{Figure, Figures};

use crate::runtimes::Recycle;

/// Workers that were replaced.
const REPLACED: Figure = Figure::count(
    "workers_replaced",
    "Workers replaced after `max_requests` or `timeout`. Only with `processes` that have one of these.",
);

/// What they report.
pub(super) const FIGURES: Set = &[&REPLACED];

/// One worker.
#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    /// Calls that it has served.
    served: u32,
    /// How many it serves; drawn when it takes its first.
    serves: u32,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Workforce {
    pub(super) terms: Recycle,
    workers: Vec<Worker>,
    /// Those that serve nobody, in turns.
    idle: VecDeque<u32>,
    replaced: u64,
}

impl Workforce {
    pub(super) fn new(terms: Recycle) -> Workforce {
        Workforce { terms, workers: Vec::new(), idle: VecDeque::new(), replaced: 0 }
    }

    /// A worker takes a call; `draw` is a number from 0 to 1.
    pub(super) fn take(&mut self, draw: impl FnOnce() -> f64) -> u32 {
        let worker = self.idle.pop_front().unwrap_or_else(|| {
            self.workers.push(Worker::default());
            (self.workers.len() - 1) as u32
        });
        if let (Worker { served: 0, serves }, Some(after)) = (&mut self.workers[worker as usize], self.terms.after) {
            let more = if self.terms.jitter > 0 { (draw() * (f64::from(self.terms.jitter) + 1.0)) as u32 } else { 0 };
            *serves = after.saturating_add(more.min(self.terms.jitter));
        }
        worker
    }

    /// A worker has served a call, or was killed; whether it is replaced.
    pub(super) fn give_back(&mut self, worker: u32, is_killed: bool) -> bool {
        self.idle.push_back(worker);
        let at = &mut self.workers[worker as usize];
        at.served += 1;
        let is_replaced = is_killed || (self.terms.after.is_some() && at.served >= at.serves);
        if is_replaced {
            *at = Worker::default();
            self.replaced += 1;
        }
        is_replaced
    }

    /// All are made anew.
    pub(super) fn clear(&mut self) {
        self.workers.clear();
        self.idle.clear();
    }

    pub(super) fn begin_measuring(&mut self) {
        self.replaced = 0;
    }

    pub(super) fn figures(&self, figures: &mut Figures) {
        figures.count(&REPLACED, self.replaced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_turns_and_each_is_replaced_after_its_own_number() {
        let terms = Recycle { fork: 0, after: Some(2), jitter: 1, timeout: None };
        let mut workers = Workforce::new(terms);
        let (a, b) = (workers.take(|| 0.0), workers.take(|| 0.99));
        assert_ne!(a, b);
        assert!(!workers.give_back(a, false) && !workers.give_back(b, false));
        assert_eq!((workers.take(|| 0.0), workers.take(|| 0.0)), (a, b));
        // The first serves two, the second three.
        assert!(workers.give_back(a, false) && !workers.give_back(b, false));
        assert_eq!((workers.take(|| 0.0), workers.take(|| 0.0)), (a, b));
        assert!(!workers.give_back(a, false) && workers.give_back(b, false));
        assert_eq!(workers.replaced, 2);
        let again = workers.take(|| 0.0);
        assert!(workers.give_back(again, true), "who is killed is replaced");
    }
}
