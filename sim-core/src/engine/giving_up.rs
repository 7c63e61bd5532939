//! Giving up: callers that stop waiting, and since when the work on a call has been wasted.
//!
//! A call that is abandoned keeps running, and its work from then on is wasted unless another caller or node needs it:
//!
//! - A caller higher up may have given up earlier; then the work has been wasted since then.
//! - Work shared by several calls, identical ones or those of a batch ([`Cx::share`]), is needed as long as one of them
//!   is.
//! - A call that a node began by itself can turn out to be redundant ([`Cx::done`]) because another call did the same
//!   work first.
//! - A result that a node keeps for later callers ([`Cx::keep_answers`]) is needed by the node itself, unless the
//!   node's direct caller has given up.

use std::collections::{BTreeMap, BTreeSet};

use super::{Core, Cx};
use crate::calls::*;
use crate::deliveries::Deliveries;
use crate::random::Key;
use crate::records::RecordId;
use crate::table::reach;
use crate::time::Time;

/// Interests in a call's result beyond that of its caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    /// Shared work, and the entries free for reuse: nothing is allocated once the peak has been reached.
    shared: Vec<Shared>,
    free: Vec<u32>,
    /// Index into `shared` of the work shared with a call, plus one, by call index.
    places: Vec<u32>,
    /// Nodes that keep the answers to calls they make on behalf of calls of an operation.
    keepers: BTreeSet<(NodeId, u16)>,
    /// Since when calls that nodes began by themselves have been redundant.
    vain: BTreeMap<u64, Time>,
    /// Calls that work on a record.
    deliveries: Deliveries,
}

/// The calls that share the work done for `leader`.
#[derive(Clone, Debug)]
struct Shared {
    leader: CallId,
    others: Vec<CallId>,
    /// Latest instant until which a call that has left needed the work.
    left: Time,
}

impl Wants {
    fn place(&self, leader: CallId) -> Option<usize> {
        let place = (*self.places.get(leader.index as usize)?).checked_sub(1)? as usize;
        (self.shared[place].leader == leader).then_some(place)
    }

    /// The sharing entry of a call, created if it has none.
    fn of(&mut self, leader: CallId) -> &mut Shared {
        let place = self.place(leader).unwrap_or_else(|| {
            let place = self.free.pop().map_or(self.shared.len(), |place| place as usize);
            match self.shared.get_mut(place) {
                Some(shared) => (shared.leader, shared.left) = (leader, 0),
                None => self.shared.push(Shared { leader, others: Vec::new(), left: 0 }),
            }
            reach(&mut self.places, leader.index as usize, 0);
            self.places[leader.index as usize] = place as u32 + 1;
            place
        });
        &mut self.shared[place]
    }

    fn end(&mut self, leader: CallId) {
        if let Some(place) = self.place(leader) {
            self.shared[place].others.clear();
            self.places[leader.index as usize] = 0;
            self.free.push(place as u32);
        }
    }

    /// Transfers the work shared with `leader` to `heir`, which shares nothing yet.
    fn inherit(&mut self, leader: CallId, heir: CallId) {
        let Some(place) = self.place(leader) else { return };
        self.shared[place].leader = heir;
        self.places[leader.index as usize] = 0;
        reach(&mut self.places, heir.index as usize, 0);
        self.places[heir.index as usize] = place as u32 + 1;
    }

    fn is_none_shared(&self) -> bool {
        self.shared.len() == self.free.len()
    }
}

/// An abandoned call.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenUp {
    /// Since when its work has been wasted.
    since: Time,
    /// The node that was waiting for it, or `NONE` if unknown.
    by: u32,
    /// The key of the call on behalf of which that node waited.
    key: u64,
}

impl Core {
    /// The node that waits for `child` on behalf of another call gives up on it.
    pub(super) fn give_up(&mut self, child: CallId) {
        let frame = self.calls.get(child);
        let parent = frame.and_then(|frame| self.calls.parent(frame)).map(|parent| (parent.node, parent.key));
        self.abandon(child);
        // The serving node may still ask on whose behalf the call was made.
        if let Some((by, key)) = parent
            && let Some(frame) = self.calls.get(child).filter(|frame| frame.flags & ABANDONED != 0)
        {
            let slot = &mut self.given_up[frame.parent as usize];
            (slot.by, slot.key) = (by, key);
        }
    }

    pub(super) fn abandon(&mut self, child: CallId) {
        if !self.lost.is_empty() && self.lost.remove(&child.to_bits()).is_some() {
            return;
        }
        if !self.calls.is_open(child) {
            return;
        }
        if self.calls.at(child.index).flags & SAMPLED != 0 {
            self.given_up(child.index);
        }
        let since = if self.is_all_wanted() { None } else { self.abandoned_since(child) };
        let slot = self.given_up_free.pop().unwrap_or_else(|| {
            self.given_up.push(GivenUp { since: 0, by: NONE, key: 0 });
            (self.given_up.len() - 1) as u32
        });
        self.given_up[slot as usize] = GivenUp { since: since.unwrap_or(self.now), by: NONE, key: 0 };
        let frame = self.calls.at_mut(child.index);
        debug_assert!(frame.flags & (ABANDONED | ROOT) == 0, "a call is abandoned once, by its caller");
        frame.flags |= ABANDONED;
        frame.parent = slot;
    }

    /// Whether no open call has been given up or become redundant.
    #[inline(always)]
    pub(super) fn is_all_wanted(&self) -> bool {
        self.given_up.len() == self.given_up_free.len() && self.wants.vain.is_empty()
    }

    /// Since when the work on `call` has been wasted.
    pub(super) fn abandoned_since(&self, call: CallId) -> Option<Time> {
        let frame = self.calls.at(call.index);
        match frame.flags & (ABANDONED | ROOT) {
            0 if frame.parent == NONE => None,
            0 => self.unwanted_since(frame.parent),
            ABANDONED => Some(self.given_up[frame.parent as usize].since),
            _ => self.in_vain_since(call),
        }
    }

    /// Since when a call that a node began by itself has been redundant.
    fn in_vain_since(&self, call: CallId) -> Option<Time> {
        if self.wants.vain.is_empty() { None } else { self.wants.vain.get(&call.to_bits()).copied() }
    }

    /// Registers `delivery`, a call that a node began by itself, as work on a record.
    pub(super) fn begin_delivery(&mut self, record: RecordId, delivery: CallId) {
        self.wants.deliveries.begin(record, delivery.to_bits());
    }

    /// Ends such a delivery.
    pub(super) fn end_delivery(&mut self, record: RecordId, delivery: CallId) {
        self.wants.deliveries.end(record, delivery.to_bits());
        if !self.wants.vain.is_empty() {
            self.wants.vain.remove(&delivery.to_bits());
        }
    }

    /// Marks all deliveries of a record but one as redundant from now on.
    pub(super) fn all_but(&mut self, record: RecordId, delivery: CallId) {
        let Wants { deliveries, vain, .. } = &mut self.wants;
        for other in deliveries.of(record).filter(|other| *other != delivery.to_bits()) {
            vain.entry(other).or_insert(self.now);
        }
    }

    /// Marks a call that a node began by itself as redundant from now on.
    pub(super) fn is_in_vain(&mut self, call: CallId) {
        self.wants.vain.insert(call.to_bits(), self.now);
    }

    /// Drops the deliveries whose consumers have crashed.
    pub(super) fn forget_deliveries(&mut self) {
        let Core { calls, wants, .. } = self;
        let is_there = |bits: u64| calls.get(CallId::from_bits(bits)).is_some_and(|frame| frame.flags & ROOT != 0);
        wants.deliveries.retain(is_there);
        wants.vain.retain(|call, _| is_there(*call));
    }

    /// Since when the work done for a call has been wasted.
    fn unwanted_since(&self, mut index: u32) -> Option<Time> {
        loop {
            let frame = self.calls.at(index);
            let keeps = !self.wants.keepers.is_empty() && self.keeps(frame);
            if !self.wants.is_none_shared()
                && let Some(place) = self.wants.place(self.calls.id(index))
            {
                return self.unwanted_by_all_since(index, &self.wants.shared[place], keeps);
            }
            if frame.flags & ABANDONED != 0 {
                return Some(self.given_up[frame.parent as usize].since);
            }
            if frame.flags & ROOT != 0 {
                return self.in_vain_since(self.calls.id(index)).filter(|_| !keeps);
            }
            if keeps || frame.parent == NONE {
                return None;
            }
            index = frame.parent;
        }
    }

    fn keeps(&self, frame: &Frame) -> bool {
        self.wants.keepers.contains(&(NodeId(frame.node), self.profiles[frame.profile as usize].op))
    }

    #[inline(never)]
    fn unwanted_by_all_since(&self, leader: u32, shared: &Shared, keeps: bool) -> Option<Time> {
        let by = |call: CallId, own: bool| {
            let frame = self.calls.at(call.index);
            if frame.flags & ABANDONED != 0 {
                return Some(self.given_up[frame.parent as usize].since);
            }
            match (keeps, own) {
                (true, _) => None,
                (false, true) => self.abandoned_since(call),
                (false, false) => self.unwanted_since(call.index),
            }
        };
        let mut last = shared.left.max(by(self.calls.id(leader), true)?);
        for other in shared.others.iter().filter(|other| self.calls.is_open(**other)) {
            last = last.max(by(*other, false)?);
        }
        Some(last)
    }

    /// Ends sharing for calls at crashed nodes.
    pub(super) fn forget_shared(&mut self, is_gone: &impl Fn(u32) -> bool) {
        let leaders = self.wants.shared.iter().map(|shared| shared.leader);
        let ends = |call: &CallId| self.calls.get(*call).is_none_or(|frame| is_gone(frame.node));
        let gone: Vec<CallId> = leaders.filter(ends).collect();
        gone.into_iter().for_each(|call| self.wants.end(call));
    }
}

impl Cx<'_> {
    /// The node that gave up waiting for `call`, and the draw key of the call on behalf of which it had waited.
    pub fn gave_up(&self, call: CallId) -> Option<(NodeId, Key)> {
        let frame = self.core.calls.at(call.index);
        let given_up = (frame.flags & ABANDONED != 0).then(|| self.core.given_up[frame.parent as usize])?;
        (given_up.by != NONE).then_some((NodeId(given_up.by), Key::from_bits(given_up.key)))
    }

    /// From now on `other` also waits for the work done for `leader`.
    pub fn share(&mut self, leader: CallId, other: CallId) {
        self.core.wants.of(leader).others.push(other);
    }

    /// `other` no longer waits for the work done for `leader`.
    pub fn stop_sharing(&mut self, leader: CallId, other: CallId) {
        let until = self.core.unwanted_since(other.index).unwrap_or(self.core.now);
        let shared = self.core.wants.of(leader);
        shared.others.retain(|call| *call != other);
        shared.left = shared.left.max(until);
    }

    /// Ends all sharing of the work done for `leader`.
    pub fn end_sharing(&mut self, leader: CallId) {
        self.core.wants.end(leader);
    }

    /// Transfers the work done for `leader` to `heir`, which shared it, together with the other sharing calls. Open
    /// calls made for the leader follow with [`Cx::hand_over`].
    pub fn hand_on(&mut self, leader: CallId, heir: CallId) {
        let until = self.core.abandoned_since(leader).unwrap_or(self.core.now);
        let wants = &mut self.core.wants;
        let of_leader = wants.of(leader);
        of_leader.others.retain(|call| *call != heir);
        of_leader.left = of_leader.left.max(until);
        if wants.place(heir).is_none() {
            return wants.inherit(leader, heir);
        }
        let (mut others, left) = (std::mem::take(&mut wants.of(leader).others), wants.of(leader).left);
        wants.end(leader);
        let of_heir = wants.of(heir);
        of_heir.others.append(&mut others);
        of_heir.left = of_heir.left.max(left);
    }

    /// Continues `child`, which was made for another call of this node, as if it had been made for `heir`. For the
    /// original call, the wait was in vain.
    pub fn hand_over(&mut self, child: CallId, heir: CallId) {
        let core = &mut *self.core;
        if let Some(telling) = core.lost.get_mut(&child.to_bits()) {
            telling.parent = heir;
            return;
        }
        if !core.calls.is_open(child) {
            return;
        }
        if core.calls.at(child.index).flags & SAMPLED != 0 {
            core.given_up(child.index);
        }
        let frame = core.calls.at_mut(child.index);
        debug_assert!(frame.flags & (ABANDONED | ROOT) == 0, "what was given up is nobody's");
        frame.parent = heir.index;
    }

    /// Answers to calls that this node makes on behalf of calls of an operation are useful to the node itself, whether
    /// or not callers above its direct caller still wait.
    pub fn keep_answers(&mut self, op: u16) {
        self.core.wants.keepers.insert((self.node, op));
    }
}
