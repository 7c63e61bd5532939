//! How evenly calls spread over the replicas of a component, observed at the end of each window.

use sim_core::{Figures, slots};

use super::Session;
use crate::result::Spread;

/// Limit above which replicas are not observed one by one.
const REPLICAS_MAX: usize = 64;

/// Observations of one component.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    looks: u64,
    waiting: u64,
    /// Sum of the shares of idle replicas over the observations in which a call waited.
    idle: f64,
}

impl Looks {
    /// The summary for a result; `None` if there were no observations.
    pub(crate) fn in_result(&self) -> Option<Spread> {
        let idle = (self.waiting > 0).then(|| self.idle / self.waiting as f64);
        (self.looks > 0).then_some(Spread { looks: self.looks, waiting: self.waiting, idle })
    }
}

impl Session {
    /// Observes the replicas of every component that has several.
    pub(super) fn look_at_replicas(&mut self) {
        if !self.measuring {
            return;
        }
        let mut figures = Figures::without_times();
        for index in 0..self.spreads.len() {
            if self.network.directory.components[index].replicas < 2 {
                continue;
            }
            let present = self.fleet(index).present();
            if !(2..=REPLICAS_MAX).contains(&present.len()) {
                continue;
            }
            let (mut waits, mut idle) = (false, 0_usize);
            for (_, node) in &present {
                figures.clear();
                self.report_of([*node], &mut figures);
                let waiting = figures.now(&slots::QUEUE_DEPTH).unwrap_or(0);
                let held = figures.now(&slots::HELD).unwrap_or(0);
                let is_free = figures.now(&slots::CAPACITY).is_some_and(|capacity| held < capacity);
                waits |= waiting > 0;
                idle += usize::from(is_free && waiting == 0 && self.engine().is_up(*node));
            }
            let looks = &mut self.spreads[index];
            looks.looks += 1;
            if waits {
                looks.waiting += 1;
                looks.idle += idle as f64 / present.len() as f64;
            }
        }
    }
}
