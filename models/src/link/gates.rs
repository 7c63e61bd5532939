//! The gates of a link, with their timers.

use sim_core::calendar::{Class, TimerId};
use sim_core::{Cx, Figures, Time, Timer};

use crate::policies::gate::{End, Permit, Refusal};
use crate::policies::link_settings::{AnyGate, LinkSettings};

/// The timer of a gate.
pub(super) const GATE: u8 = 8;

/// The gates of a link, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    pub(super) all: Vec<AnyGate>,
    /// By gate: for when its timer is set.
    due: Vec<Option<(Time, TimerId)>>,
}

impl Gates {
    /// Those of a link with these settings, whose draws that are about no call come from a key.
    pub(super) fn of(settings: &LinkSettings, now: Time, key: u64) -> Gates {
        let mut all = settings.gates(now);
        all.iter_mut().for_each(|gate| gate.seed(now, key));
        Gates { due: vec![None; all.len()], all }
    }

    /// The replica has crashed, and with it all timers are gone.
    pub(super) fn rebuild(&mut self, now: Time) {
        self.all.iter_mut().for_each(|gate| gate.rebuild(now));
        self.due.fill(None);
    }

    /// A try that waits at a gate gives up.
    pub(super) fn leave(&mut self, now: Time, of: u32, gate: u8) {
        self.all[usize::from(gate)].leave(now, of);
    }

    /// A try has ended: its permits, in the order of the gates, come back from the inside out.
    pub(super) fn ended(&mut self, now: Time, permits: &[(Time, Permit)], end: End) {
        for (gate, (passed, permit)) in self.all.iter_mut().zip(permits).rev() {
            gate.ended(now, *permit, *passed, end);
        }
    }

    /// The next try that a gate lets pass or refuses, and by which gate.
    pub(super) fn next(&mut self, now: Time) -> Option<(usize, u32, Result<Permit, Refusal>)> {
        let mut gates = self.all.iter_mut().enumerate();
        gates.find_map(|(number, gate)| gate.next(now).map(|(of, verdict)| (number, of, verdict)))
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.all.iter_mut().for_each(|gate| gate.begin_measuring(now));
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        self.all.iter().for_each(|gate| gate.figures(now, figures));
    }

    /// Sets the timers of the gates for when they are due, and tells what has happened in them.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        let Gates { all, due } = self;
        for (number, (gate, set)) in all.iter_mut().zip(due).enumerate() {
            while let Some(what) = gate.told() {
                cx.happened(what);
            }
            let at = gate.due().map(|at| at.max(cx.now()));
            if at == set.map(|(at, _)| at) {
                continue;
            }
            if let Some((_, timer)) = set.take() {
                cx.cancel(timer);
            }
            if let Some(at) = at {
                // After the answers of that instant, which may free what is waited for.
                let timer = Timer { what: GATE, data: number as u64 };
                *set = Some((at, cx.after(at - cx.now(), Class::GivingUp, timer)));
            }
        }
    }

    /// The timer of a gate has gone off.
    pub(super) fn came_due(&mut self, now: Time, number: usize) {
        self.due[number] = None;
        self.all[number].came_due(now);
    }
}
