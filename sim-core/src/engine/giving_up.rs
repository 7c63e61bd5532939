//! Giving up: a caller stops waiting for a call, and since when nobody has wanted what is done for one.
//!
//! A call that is abandoned runs on, and what is done for it from then on is done in vain: as long as nobody else wants it.
//!
//! - Somebody above the caller may have given up before; then it has been in vain since then.
//! - What several calls share, identical ones or those of a batch ([`Cx::share`]), is wanted as long as one of them is.
//! - A call that a node has begun itself can turn out to be in vain ([`Cx::done`]): others have done the same before.
//! - What a node keeps for those who ask later ([`Cx::keep_answers`]) is wanted by the node itself, as long as whoever asked
//!   it has not given up.

use std::collections::{BTreeMap, BTreeSet};

use super::{Core, Cx};
use crate::calls::*;
use crate::deliveries::Deliveries;
use crate::random::Key;
use crate::records::RecordId;
use crate::table::reach;
use crate::time::Time;

/// Who wants what beside the callers of calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    /// What is shared, and which of it is free to be used again: nothing is allocated once there has been as much at a time as
    /// there will be.
    shared: Vec<Shared>,
    free: Vec<u32>,
    /// The place above of what is shared with a call, plus one, by index of the call.
    places: Vec<u32>,
    /// Who keeps the answers to the calls that it makes for calls of an operation.
    keepers: BTreeSet<(NodeId, u16)>,
    /// Since when calls that nodes have begun themselves are in vain.
    vain: BTreeMap<u64, Time>,
    /// Calls that are work on a record.
    deliveries: Deliveries,
}

/// Who shares what is done for a call.
#[derive(Clone, Debug)]
struct Shared {
    leader: CallId,
    others: Vec<CallId>,
    /// Until when those who have left wanted it.
    left: Time,
}

impl Wants {
    fn place(&self, leader: CallId) -> Option<usize> {
        let place = (*self.places.get(leader.index as usize)?).checked_sub(1)? as usize;
        (self.shared[place].leader == leader).then_some(place)
    }

    /// What is shared with a call, from now on if nothing was yet.
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

    /// What was shared with `leader` is shared with `heir`, with whom nothing was.
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

/// A call that was given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenUp {
    /// Since when nobody has wanted it.
    since: Time,
    /// The node that had waited for it, or `NONE` where that is not known …
    by: u32,
    /// … and the key of the call on behalf of which it did.
    key: u64,
}

impl Core {
    /// The node that waits for `child`, on behalf of another call, gives it up.
    pub(super) fn give_up(&mut self, child: CallId) {
        let frame = self.calls.get(child);
        let parent = frame.and_then(|frame| self.calls.parent(frame)).map(|parent| (parent.node, parent.key));
        self.abandon(child);
        // Who serves it may still want to know on whose behalf it was made.
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

    /// Whether no call that is under way has been given up.
    #[inline(always)]
    pub(super) fn is_all_wanted(&self) -> bool {
        self.given_up.len() == self.given_up_free.len() && self.wants.vain.is_empty()
    }

    /// Since when nobody has wanted `call`.
    pub(super) fn abandoned_since(&self, call: CallId) -> Option<Time> {
        let frame = self.calls.at(call.index);
        match frame.flags & (ABANDONED | ROOT) {
            0 if frame.parent == NONE => None,
            0 => self.unwanted_since(frame.parent),
            ABANDONED => Some(self.given_up[frame.parent as usize].since),
            _ => self.in_vain_since(call),
        }
    }

    /// Since when a call that a node has begun itself has been in vain.
    fn in_vain_since(&self, call: CallId) -> Option<Time> {
        if self.wants.vain.is_empty() { None } else { self.wants.vain.get(&call.to_bits()).copied() }
    }

    /// `delivery`, a call that a node has begun itself, is work on a record.
    pub(super) fn begin_delivery(&mut self, record: RecordId, delivery: CallId) {
        self.wants.deliveries.begin(record, delivery.to_bits());
    }

    /// It has ended.
    pub(super) fn end_delivery(&mut self, record: RecordId, delivery: CallId) {
        self.wants.deliveries.end(record, delivery.to_bits());
        if !self.wants.vain.is_empty() {
            self.wants.vain.remove(&delivery.to_bits());
        }
    }

    /// From now on the work on a record is in vain, but for one delivery.
    pub(super) fn all_but(&mut self, record: RecordId, delivery: CallId) {
        let Wants { deliveries, vain, .. } = &mut self.wants;
        for other in deliveries.of(record).filter(|other| *other != delivery.to_bits()) {
            vain.entry(other).or_insert(self.now);
        }
    }

    /// A call that a node has begun itself is in vain from now on.
    pub(super) fn is_in_vain(&mut self, call: CallId) {
        self.wants.vain.insert(call.to_bits(), self.now);
    }

    /// Deliveries whose consumers have crashed are nobody's any more.
    pub(super) fn forget_deliveries(&mut self) {
        let Core { calls, wants, .. } = self;
        let is_there = |bits: u64| calls.get(CallId::from_bits(bits)).is_some_and(|frame| frame.flags & ROOT != 0);
        wants.deliveries.retain(is_there);
        wants.vain.retain(|call, _| is_there(*call));
    }

    /// Since when nobody has wanted what is done for a call.
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

    /// Calls at nodes that have crashed share nothing any more.
    pub(super) fn forget_shared(&mut self, is_gone: &impl Fn(u32) -> bool) {
        let leaders = self.wants.shared.iter().map(|shared| shared.leader);
        let ends = |call: &CallId| self.calls.get(*call).is_none_or(|frame| is_gone(frame.node));
        let gone: Vec<CallId> = leaders.filter(ends).collect();
        gone.into_iter().for_each(|call| self.wants.end(call));
    }
}

impl Cx<'_> {
    /// The node that gave up waiting for `call`, and the key of the draws about the call on behalf of which it had waited.
    pub fn gave_up(&self, call: CallId) -> Option<(NodeId, Key)> {
        let frame = self.core.calls.at(call.index);
        let given_up = (frame.flags & ABANDONED != 0).then(|| self.core.given_up[frame.parent as usize])?;
        (given_up.by != NONE).then_some((NodeId(given_up.by), Key::from_bits(given_up.key)))
    }

    /// From now on `other` waits for what is done for `leader`, too.
    pub fn share(&mut self, leader: CallId, other: CallId) {
        self.core.wants.of(leader).others.push(other);
    }

    /// `other` no longer waits for what is done for `leader`.
    pub fn stop_sharing(&mut self, leader: CallId, other: CallId) {
        let until = self.core.unwanted_since(other.index).unwrap_or(self.core.now);
        let shared = self.core.wants.of(leader);
        shared.others.retain(|call| *call != other);
        shared.left = shared.left.max(until);
    }

    /// Nobody shares any more what is done for `leader`.
    pub fn end_sharing(&mut self, leader: CallId) {
        self.core.wants.end(leader);
    }

    /// What is done for `leader` is done for `heir` from now on, which has shared it, and for those who share it, too.
    /// What is under way for it follows with [`Cx::hand_over`].
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

    /// `child`, which was made for another call of this node, goes on as if it had been made for `heir`. Whom it was made for
    /// has waited for it in vain.
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

    /// What this node is answered when it calls for calls of an operation is of use to it, whether or not they are still waited
    /// for above whoever has called it.
    pub fn keep_answers(&mut self, op: u16) {
        self.core.wants.keepers.insert((self.node, op));
    }
}
