//! The director: the node beside the workloads that strikes and lifts faults, as chores: no run of finite work goes on for them.

use sim_core::dist::Dist;
use sim_core::random::Stream;
use sim_core::{Answer, CallId, Component, Cx, Figures, Happens, Next, NodeId, Time, Timer};

use crate::faults::Acting;
use crate::faults::kill::{bring_up, take_down};

/// A fault on the director's list.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it strikes.
    pub at: Time,
    /// When it ends.
    pub until: Option<Time>,
    /// What it does.
    pub acting: Acting,
}

/// A component that breaks and is repaired for ever.
#[derive(Clone, Debug)]
pub struct Breaking {
    /// Its replicas.
    pub nodes: Vec<NodeId>,
    /// How long one works.
    pub mtbf: Dist,
    /// How long repairing takes.
    pub mttr: Dist,
    /// The draws of each replica.
    pub streams: Vec<Stream>,
}

static REPLICA_FAILED: Happens = Happens { name: "replica_failed", doc: "The replica failed at random (`mtbf`)." };
static REPLICA_REPAIRED: Happens =
    Happens { name: "replica_repaired", doc: "The replica is repaired after a random failure (`mttr`)." };

/// Recorded of replicas that fail at random.
pub static HAPPENS: &[&Happens] = &[&REPLICA_FAILED, &REPLICA_REPAIRED];

const STRIKE: u8 = 0;
const LIFT: u8 = 1;
const BREAK: u8 = 2;
const REPAIR: u8 = 3;

/// The node that makes faults happen.
#[derive(Clone, Debug)]
pub struct Director {
    planned: Vec<Planned>,
    /// When what each has struck comes back by itself; `None` before it strikes, and where it does not.
    comes_back: Vec<Option<Time>>,
    breaking: Vec<Breaking>,
    draws: Stream,
}

impl Director {
    /// With its list; the number of a fault is its place there.
    pub fn new(planned: Vec<Planned>, breaking: Vec<Breaking>, seed: u64) -> Director {
        let comes_back = vec![None; planned.len()];
        Director { planned, comes_back, breaking, draws: Stream::named(seed, "faults/recovery") }
    }

    /// Puts a fault on the list while the run goes on.
    pub fn inject(&mut self, cx: &mut Cx<'_>, fault: Planned) {
        let number = self.planned.len() as u64;
        cx.chore_after(fault.at.saturating_sub(cx.now()), Timer { what: STRIKE, data: number });
        if let Some(until) = fault.until {
            cx.chore_after(until.saturating_sub(cx.now()), Timer { what: LIFT, data: number });
        }
        self.planned.push(fault);
        self.comes_back.push(None);
    }

    /// When what fault `number` strikes comes back by itself: what was drawn when it struck, and the mean of that before.
    /// `None` where it does not, or has an end of its own.
    pub fn comes_back_at(&self, number: usize) -> Option<Time> {
        let fault = self.planned.get(number).filter(|fault| fault.until.is_none())?;
        self.comes_back[number].or_else(|| Some(fault.at + fault.acting.recovers_after_mean()?))
    }

    /// Other settings are in force: what `set` fault number `fault` leaves when it strikes, or ends, is now the change that
    /// was prepared under `change`, and concerns these nodes.
    pub fn revise_set(&mut self, fault: u32, ends: bool, change: u32, nodes: &[NodeId]) {
        if let Some(planned) = self.planned.get_mut(fault as usize) {
            planned.acting.revise(ends, change, nodes);
        }
    }

    /// How many faults are on the list.
    pub fn count(&self) -> usize {
        self.planned.len()
    }

    fn arm_breaking(&mut self, cx: &mut Cx<'_>, which: usize, replica: usize, what: u8) {
        let breaking = &mut self.breaking[which];
        let dist = if what == BREAK { &breaking.mtbf } else { &breaking.mttr };
        let wait = dist.sample_span(&mut breaking.streams[replica]);
        cx.chore_after(wait, Timer { what, data: (which as u64) << 32 | replica as u64 });
    }
}

impl Component for Director {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        for (number, fault) in self.planned.iter().enumerate() {
            cx.chore_after(fault.at - cx.now(), Timer { what: STRIKE, data: number as u64 });
            if let Some(until) = fault.until {
                cx.chore_after(until - cx.now(), Timer { what: LIFT, data: number as u64 });
            }
        }
        for which in 0..self.breaking.len() {
            for replica in 0..self.breaking[which].nodes.len() {
                self.arm_breaking(cx, which, replica, BREAK);
            }
        }
        Next::WAIT
    }

    fn on_call(&mut self, _cx: &mut Cx<'_>, _call: CallId) -> Next {
        unreachable!("nobody calls the director")
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: Answer) -> Next {
        unreachable!("the director calls nobody")
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let (high, low) = ((timer.data >> 32) as usize, timer.data as u32 as usize);
        match timer.what {
            STRIKE => {
                let fault = self.planned[low].clone();
                fault.acting.strike(cx, low as u32);
                if fault.until.is_none()
                    && let Some(wait) = fault.acting.recovers_after(&mut self.draws)
                {
                    cx.chore_after(wait, Timer { what: LIFT, data: low as u64 });
                    self.comes_back[low] = Some(cx.now() + wait);
                }
            }
            LIFT => self.planned[low].acting.clone().lift(cx, low as u32),
            BREAK => {
                take_down(cx, self.breaking[high].nodes[low], &REPLICA_FAILED);
                self.arm_breaking(cx, high, low, REPAIR);
            }
            REPAIR => {
                bring_up(cx, self.breaking[high].nodes[low], &REPLICA_REPAIRED);
                self.arm_breaking(cx, high, low, BREAK);
            }
            what => unreachable!("no timer is set for {what}"),
        }
        Next::WAIT
    }

    fn rebuild(&mut self, _now: Time) {}

    fn begin_measuring(&mut self, _now: Time) {}

    fn figures(&self, _now: Time, _figures: &mut Figures) {}
}
