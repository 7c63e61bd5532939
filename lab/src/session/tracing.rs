//! Recording the events of single requests during a run.

use std::sync::Arc;

use sim_core::GroupId;

use super::Session;
use crate::requests::{GroupName, Requests};

impl Session {
    /// Starts to record the events of single requests. Changes nothing else in the run.
    pub fn trace_requests(&mut self) {
        self.network.engine.trace_requests();
        let engine = &self.network.engine;
        let is_link = |group: GroupId| self.links.iter().any(|link| link.group == group);
        let name = |number: usize| GroupId(number as u16);
        let groups = (0..engine.group_count())
            .map(name)
            .map(|group| GroupName { name: engine.group_name(group).to_string(), is_link: is_link(group) });
        self.group_names = Arc::new(groups.collect());
    }

    /// The requests traced so far; `None` if tracing is off.
    pub fn requests(&self) -> Option<Requests> {
        let engine = &self.network.engine;
        let traced = engine.traces()?.requests().cloned().collect();
        Some(Requests::new(self.zero, engine.now(), self.group_names.clone(), traced))
    }
}
