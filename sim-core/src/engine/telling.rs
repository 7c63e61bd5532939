//! Telling what happens: to the node whose entry this is, or to another.

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
    /// Something has happened here, now.
    pub fn happened(&mut self, what: &'static Happens) {
        self.core.tell(self.node, what, None);
    }

    /// Something has happened here, now, and concerns somebody else too.
    pub fn happened_about(&mut self, what: &'static Happens, about: About) {
        self.core.tell(self.node, what, Some(about));
    }

    /// Something has happened to another node, now.
    pub fn happened_to(&mut self, node: NodeId, what: &'static Happens) {
        self.core.tell(node, what, None);
    }

    /// The group of a node.
    pub fn group_of(&self, node: NodeId) -> GroupId {
        self.core.nodes[node.0 as usize].group
    }

    /// True where starting `node` brings it up: it is down, and for one reason only.
    pub fn would_come_up(&self, node: NodeId) -> bool {
        self.core.nodes[node.0 as usize].condition.is_down_once()
    }

    /// For how many reasons the work of `node` stands still.
    pub fn pauses(&self, node: NodeId) -> u32 {
        self.core.nodes[node.0 as usize].condition.pauses()
    }
}

impl<C: Component> Engine<C> {
    /// Everything that has happened since the run began, the warm-up included.
    pub fn happenings(&self) -> &Happenings {
        &self.core.happenings
    }

    /// The group of a node.
    pub fn group_of(&self, node: NodeId) -> GroupId {
        self.core.nodes[node.0 as usize].group
    }

    /// From now on counts what happens by windows of this width, the second of which begins at `second`.
    pub fn count_happenings_by(&mut self, window: Span, second: Time) {
        self.core.happenings.count_by(window, second);
    }
}
