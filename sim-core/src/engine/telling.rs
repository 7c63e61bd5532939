//! Reporting of happenings, at the node of the current entry or at another.

use super::{Component, Core, Cx, Engine};
use crate::calls::GroupId;
use crate::calls::NodeId;
use crate::happening::{About, Happening, Happenings, Happens};
use crate::time::{Span, Time};

impl Core {
    #[cold]
    #[inline(never)]
    fn tell(&mut self, node: NodeId, what: &'static Happens, about: Option<About>) {
        let place = self.nodes[node.0 as usize].group;
        self.happenings.add(place, what, Happening { at: self.now, node, about });
    }
}

impl Cx<'_> {
    /// Reports a happening at this node, now.
    pub fn happened(&mut self, what: &'static Happens) {
        self.core.tell(self.node, what, None);
    }

    /// Reports a happening at this node, now, that also concerns another node or group.
    pub fn happened_about(&mut self, what: &'static Happens, about: About) {
        self.core.tell(self.node, what, Some(about));
    }

    /// Reports a happening at another node, now.
    pub fn happened_to(&mut self, node: NodeId, what: &'static Happens) {
        self.core.tell(node, what, None);
    }

    /// The group of a node.
    pub fn group_of(&self, node: NodeId) -> GroupId {
        self.core.nodes[node.0 as usize].group
    }

    /// Whether starting `node` would bring it up: it is down for exactly one reason.
    pub fn would_come_up(&self, node: NodeId) -> bool {
        self.core.nodes[node.0 as usize].condition.is_down_once()
    }

    /// The number of reasons for which `node` is paused.
    pub fn pauses(&self, node: NodeId) -> u32 {
        self.core.nodes[node.0 as usize].condition.pauses()
    }
}

impl<C: Component> Engine<C> {
    /// All happenings since the start of the run, including the warm-up.
    pub fn happenings(&self) -> &Happenings {
        &self.core.happenings
    }

    /// The group of a node.
    pub fn group_of(&self, node: NodeId) -> GroupId {
        self.core.nodes[node.0 as usize].group
    }

    /// Counts happenings by windows of this width from now on; the second window begins at `second`.
    pub fn count_happenings_by(&mut self, window: Span, second: Time) {
        self.core.happenings.count_by(window, second);
    }
}
