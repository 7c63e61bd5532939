//! Laws that hold at the end of every run, in exact integers.

use super::{Component, Engine};
use crate::figures::{Figures, Value};
use crate::slots::UTILIZATION;

/// A violated law: a bug in the engine or in a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The name of the law.
    pub law: &'static str,
    /// The group concerned.
    pub group: String,
    /// Value of the left side.
    pub left: u128,
    /// Value of the right side.
    pub right: u128,
}

impl<C: Component> Engine<C> {
    /// By group: the open calls, those that arrived at or after the start of measuring, and their residence time so
    /// far.
    fn open_by_group(&self) -> Vec<(u64, u64, u128)> {
        let mut open = vec![(0u64, 0u64, 0u128); self.core.groups.len()];
        self.each_open(|group, frame| {
            let group = group.0 as usize;
            let from = self.core.groups[group].measured_from();
            open[group].0 += 1;
            open[group].1 += (frame.since >= from) as u64;
            open[group].2 += (self.core.now - frame.since.max(from)) as u128;
        });
        open
    }

    /// Checks conservation of calls and Little's law for every group, in exact integers.
    pub fn check_laws(&self) -> Result<(), Breach> {
        for (index, (all, measured, residence)) in self.open_by_group().into_iter().enumerate() {
            let group = &self.core.groups[index];
            let breach = |law, left: u128, right: u128| {
                Err(Breach { law, group: self.core.group_names[index].clone(), left, right })
            };
            if group.all.arrivals != group.all.completed() + all {
                return breach("calls are conserved", group.all.arrivals.into(), (group.all.completed() + all).into());
            }
            let counts = group.measured();
            if counts.arrivals != counts.completed() + measured {
                let right = counts.completed() + measured;
                return breach("measured calls are conserved", counts.arrivals.into(), right.into());
            }
            if group
                .by_op()
                .is_some_and(|ops| ops.iter().map(|op| op.measured().completed()).sum::<u64>() != counts.completed())
            {
                let right = group.by_op().iter().copied().flatten().map(|op| op.measured().completed()).sum::<u64>();
                return breach("operations make up all calls", counts.completed().into(), right.into());
            }
            let integral = group.in_flight.integral(self.core.now);
            if integral != group.residence + residence {
                return breach("Little's law", integral, group.residence + residence);
            }
            if let Some(breakdown) = &group.breakdown {
                if let Some((latency, parts)) = breakdown.sums().find(|(latency, parts)| latency != parts) {
                    return breach("the parts of a request are its latency", latency.into(), parts.into());
                }
                let latencies: u128 = breakdown.sums().map(|(latency, _)| u128::from(latency)).sum();
                if breakdown.is_complete() && group.keeps_latency && latencies != group.latency.histogram().sum() {
                    return breach(
                        "a sample of all requests has their latencies",
                        latencies,
                        group.latency.histogram().sum(),
                    );
                }
            }
        }
        for (node, stored, accounted) in self.core.records.accounts() {
            if stored != accounted {
                let group = self.core.nodes[node.0 as usize].group.0 as usize;
                let group = self.core.group_names[group].clone();
                return Err(Breach {
                    law: "records are conserved",
                    group,
                    left: stored.into(),
                    right: accounted.into(),
                });
            }
        }
        if !self.core.memories.is_balanced() {
            return Err(Breach {
                law: "machines hold what their nodes use",
                group: "memory".into(),
                left: 0,
                right: 1,
            });
        }
        self.check_undertakings()?;
        let mut figures = Figures::without_times();
        for (index, node) in self.nodes.iter().enumerate() {
            figures.clear();
            node.figures(self.core.now, &mut figures);
            if let Some(Value::Ratio { part: busy, whole: available }) = figures.get(&UTILIZATION)
                && busy > available
            {
                let group = self.core.nodes[index].group.0 as usize;
                let group = self.core.group_names[group].clone();
                return Err(Breach { law: "busy ≤ available", group, left: *busy, right: *available });
            }
        }
        Ok(())
    }

    /// Checks that every undertaking in progress has a call or record that it waits for.
    fn check_undertakings(&self) -> Result<(), Breach> {
        let core = &self.core;
        if !core.calls.columns.carries_undertakings() {
            return Ok(());
        }
        let of_calls = core.calls.iter().map(|(index, _)| core.calls.columns.undertaking(index));
        let (open, found) = core.undertakings.accounts(of_calls.chain(core.records.undertakings()));
        if open != found {
            let (law, group) = ("undertakings have parts", "the whole".to_string());
            return Err(Breach { law, group, left: open.into(), right: found.into() });
        }
        Ok(())
    }
}
