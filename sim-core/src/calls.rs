//! Calls: the frames of which requests are made.
//!
//! A request is a tree of calls. Each call is one small frame that holds its caller, its serving node and its start.
//! Frames live in one slab with generational keys, so that a late timer or reply is recognised. Other data of a request
//! (data key, propagated deadline) lives in separate columns, which exist only if a model uses them (`baggage.rs`).

use crate::baggage::{Baggage, Carried, Columns, NO_CONNECTION, NO_TIE};
use crate::calendar::TimerId;
use crate::outcome::Answer;
use crate::prefetch::prefetch;
use crate::table::{push, reach};
use crate::time::Time;

/// Names a node of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Names a group: all replicas of one component, all instances of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u16);

/// Names a call while it is open; afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl CallId {
    /// The key as one number, for use in a waiting line or a timer. Never 0.
    #[inline(always)]
    pub fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The reverse of [`CallId::to_bits`].
    #[inline(always)]
    pub fn from_bits(bits: u64) -> CallId {
        CallId { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// No parent: no caller waits for the answer.
pub(crate) const NONE: u32 = u32::MAX;

pub(crate) const ROOT: u8 = 1;
pub(crate) const ABANDONED: u8 = 2;
pub(crate) const RETRY: u8 = 4;
pub(crate) const BACKGROUND: u8 = 8;
pub(crate) const DELIVERED: u8 = 16;
pub(crate) const REPLYING: u8 = 32;
/// The call combines a request and its first attempt: see `engine/lending.rs`.
pub(crate) const LENT: u8 = 64;
/// The request belongs to the sample whose time is broken down.
pub(crate) const SAMPLED: u8 = 128;

/// The call was not passed on by another node.
pub(crate) const DIRECT: u32 = u32::MAX;

/// One call: 64 bytes, one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Frame {
    /// When the call arrived; for a root, its intended send time.
    pub(crate) since: Time,
    /// Key of the call's random draws.
    pub(crate) key: u64,
    /// While the call is lent, the key of the request's own draws; otherwise a second value that the serving node
    /// stores besides its ticket.
    pub(crate) memo: u64,
    /// While the call is lent, the timer of the attempt.
    pub(crate) timer: Option<TimerId>,
    /// Index of the calling frame; the source node for a root, or the link it was lent to; an entry of `given_up` for
    /// an abandoned call.
    pub(crate) parent: u32,
    /// Odd while the call is open.
    pub(crate) generation: u32,
    /// The serving node.
    pub(crate) node: u32,
    /// A value that the serving node stores about the call.
    pub(crate) ticket: u32,
    /// The node that passed the call on unchanged to the serving node, or `DIRECT`.
    pub(crate) via: u32,
    /// A value that the forwarding node (`via`) stores about the call.
    pub(crate) via_ticket: u32,
    /// Row in the profile table (op, size).
    pub(crate) profile: u16,
    /// Row in the table of network paths between caller and callee.
    pub(crate) path: u16,
    /// Number of random draws made so far.
    pub(crate) draws: u16,
    pub(crate) flags: u8,
    /// 0 is the most important.
    pub(crate) priority: u8,
}

impl Frame {
    /// A free frame that belongs to no call and links to no other free frame.
    const BLANK: Frame = Frame {
        since: 0,
        key: 0,
        memo: 0,
        timer: None,
        parent: NONE,
        generation: 0,
        node: 0,
        ticket: 0,
        via: DIRECT,
        via_ticket: 0,
        profile: 0,
        path: 0,
        draws: 0,
        flags: 0,
        priority: 0,
    };

    /// Detaches the call from its caller, which is gone.
    pub(crate) fn orphan(&mut self) {
        self.flags &= !ROOT;
        self.parent = NONE;
    }

    /// Stores an answer that is waiting at this frame or in transit.
    pub(crate) fn keep(&mut self, answer: Answer) {
        self.key = answer.to_bits();
        self.flags |= REPLYING;
    }

    /// The same for an answer that has already passed the forwarding node.
    pub(crate) fn keep_from_caller(&mut self, answer: Answer) {
        self.keep(answer);
        self.via = DIRECT;
    }
}

/// All open calls.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    frames: Vec<Frame>,
    /// The baggage of the calls, by frame index.
    pub(crate) columns: Columns,
    /// Values that nodes store about the requests they began, by frame index. Empty if unused.
    notes: Vec<u64>,
    /// The most recently freed frame; each free frame names the previous one in `parent`.
    free: u32,
    carries_baggage: bool,
    pub(crate) open: usize,
}

impl Default for Calls {
    fn default() -> Self {
        Calls {
            frames: Vec::new(),
            columns: Columns::default(),
            notes: Vec::new(),
            free: NONE,
            carries_baggage: false,
            open: 0,
        }
    }
}

impl Calls {
    /// Declares the columns that calls carry; must be called before the first call.
    pub(crate) fn carry(&mut self, carried: Carried) {
        assert!(self.frames.is_empty(), "what calls carry is decided before the first call");
        self.carries_baggage = carried.any();
        self.columns = Columns::new(carried);
    }

    /// Inserts a frame with its baggage.
    #[inline]
    pub(crate) fn insert_with(&mut self, frame: Frame, baggage: Baggage) -> CallId {
        let call = self.insert(frame);
        if self.carries_baggage {
            self.columns.pack(call.index, baggage);
        }
        call
    }

    /// Inserts a frame with a copy of another call's baggage, except for its connection.
    #[inline(always)]
    pub(crate) fn insert_like(&mut self, frame: Frame, like: u32) -> CallId {
        let call = self.insert(frame);
        if self.carries_baggage {
            self.columns.copy(like, call.index);
            self.columns.set_connection(call.index, NO_CONNECTION);
            self.columns.set_tie(call.index, NO_TIE);
        }
        call
    }

    /// Inserts a frame; its baggage is still that of the previous call in the place.
    #[inline]
    fn insert(&mut self, frame: Frame) -> CallId {
        self.open += 1;
        // The frame is written in place, field by field. A cold path that took the frame as an argument would force it
        // to be assembled on the stack first, and reading it back right after the partial writes would stall.
        let (index, generation) = loop {
            let index = self.free;
            if let Some(place) = self.frames.get_mut(index as usize) {
                let generation = place.generation.wrapping_add(1);
                self.free = place.parent;
                *place = Frame { generation, ..frame };
                break (index, generation);
            }
            self.add();
        };
        CallId { index, generation }
    }

    /// Adds a free frame when none is left.
    #[cold]
    #[inline(never)]
    fn add(&mut self) {
        self.free = self.frames.len() as u32;
        push(&mut self.frames, Frame::BLANK);
        self.columns.add();
    }

    /// Frees a frame. Returns its flags and its `parent` field.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) -> (u8, u32) {
        let frame = &mut self.frames[index as usize];
        debug_assert!(frame.generation & 1 == 1, "a call ends once");
        let kept = (frame.flags, frame.parent);
        frame.generation = frame.generation.wrapping_add(1);
        frame.parent = self.free;
        self.free = index;
        self.open -= 1;
        kept
    }

    /// The frame at this index, if one exists, whether or not its call is open.
    #[inline(always)]
    pub(crate) fn frame(&self, index: u32) -> Option<&Frame> {
        self.frames.get(index as usize)
    }

    /// The frame of a call, if it is open.
    #[inline]
    pub(crate) fn get(&self, call: CallId) -> Option<&Frame> {
        self.frames.get(call.index as usize).filter(|f| f.generation == call.generation)
    }

    #[inline]
    pub(crate) fn is_open(&self, call: CallId) -> bool {
        self.frames[call.index as usize].generation == call.generation
    }

    #[inline]
    pub(crate) fn at(&self, index: u32) -> &Frame {
        &self.frames[index as usize]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut Frame {
        &mut self.frames[index as usize]
    }

    #[inline]
    pub(crate) fn id(&self, index: u32) -> CallId {
        CallId { index, generation: self.frames[index as usize].generation }
    }

    /// Prefetches a frame.
    #[inline(always)]
    pub(crate) fn prefetch(&self, index: u32) {
        prefetch(&self.frames, index as usize);
    }

    /// Reserves capacity for this many requests, including the notes of nodes.
    pub(crate) fn expect(&mut self, requests: usize) {
        self.frames.reserve_exact(requests);
        self.notes.reserve_exact(requests);
    }

    /// Stores a note about a request for the node that began it.
    #[inline(always)]
    pub(crate) fn set_note(&mut self, index: u32, note: u64) {
        reach(&mut self.notes, index as usize, 0);
        self.notes[index as usize] = note;
    }

    /// The note stored last for a request; 0 if there is none.
    #[inline(always)]
    pub(crate) fn note(&self, index: u32) -> u64 {
        self.notes.get(index as usize).copied().unwrap_or(0)
    }

    /// Moves the note of a request to its new index.
    pub(crate) fn move_note(&mut self, from: u32, to: u32) {
        let note = self.note(from);
        if note != 0 {
            self.set_note(to, note);
        }
    }

    /// Prefetches the note of a request.
    #[inline(always)]
    pub(crate) fn prefetch_note(&self, index: u32) {
        prefetch(&self.notes, index as usize);
    }

    /// The frame of the parent call, if a caller waits for the answer.
    #[inline]
    pub(crate) fn parent(&self, frame: &Frame) -> Option<&Frame> {
        let has_parent = frame.flags & (ROOT | ABANDONED) == 0 && frame.parent != NONE;
        has_parent.then(|| self.at(frame.parent))
    }

    /// The number of frames, including those of calls that have ended.
    #[inline(always)]
    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// The depth of the deepest chain of waiting calls, and the index of its innermost call.
    pub(crate) fn deepest(&self) -> (u32, u32) {
        let mut depths = vec![0; self.frames.len()];
        let mut way = Vec::new();
        let mut deepest = (0, 0);
        for (index, _) in self.iter() {
            let mut at = Some(index);
            while let Some(unknown) = at.filter(|at| depths[*at as usize] == 0) {
                way.push(unknown);
                let frame = self.at(unknown);
                let has_parent = frame.flags & (ROOT | ABANDONED) == 0 && frame.parent != NONE;
                at = has_parent.then_some(frame.parent);
            }
            let mut depth = at.map_or(0, |known| depths[known as usize]);
            while let Some(inner) = way.pop() {
                depth += 1;
                depths[inner as usize] = depth;
            }
            deepest = deepest.max((depth, index));
        }
        deepest
    }

    /// Open calls in slab order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Frame)> {
        self.frames.iter().enumerate().filter(|(_, f)| f.generation & 1 == 1).map(|(i, f)| (i as u32, f))
    }

    /// Bytes taken by frames and their associated data.
    pub(crate) fn bytes(&self) -> usize {
        self.frames.capacity() * size_of::<Frame>() + self.columns.bytes() + self.notes.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_a_line_of_the_cache() {
        assert_eq!((size_of::<Frame>(), align_of::<Frame>()), (64, 64));
    }

    proptest! {
        /// The twin climbs from every call to its root. Calls may stand before or after their parents in the slab.
        #[test]
        fn the_deepest_call_is_found(
            turned in any::<bool>(),
            choices in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..200),
        ) {
            let mut calls = Calls::default();
            let ids: Vec<CallId> = choices.iter().map(|_| calls.insert(Frame::BLANK)).collect();
            let at = |nth: usize| ids[if turned { ids.len() - 1 - nth } else { nth }].index;
            for (nth, (parent, sort)) in choices.iter().enumerate() {
                let parent = parent.index(nth + 1);
                let call = calls.at_mut(at(nth));
                match sort {
                    // The `parent` field of a root or an abandoned call does not name a call.
                    0 => (call.flags, call.parent) = (ROOT, 0),
                    1 => (call.flags, call.parent) = (ABANDONED, 0),
                    _ if parent == nth => {}
                    _ => call.parent = at(parent),
                }
            }
            let depth = |index: u32| {
                let (mut depth, mut at) = (1, index);
                loop {
                    let frame = calls.at(at);
                    if frame.flags & (ROOT | ABANDONED) != 0 || frame.parent == NONE {
                        return depth;
                    }
                    (depth, at) = (depth + 1, frame.parent);
                }
            };
            let slow = ids.iter().map(|id| (depth(id.index), id.index)).max();
            prop_assert_eq!(Some(calls.deepest()), slow);
        }
    }

    #[test]
    fn a_key_outlives_its_call_harmlessly() {
        let mut calls = Calls::default();
        let first = calls.insert(Frame::BLANK);
        calls.remove(first.index);
        let second = calls.insert(Frame::BLANK);
        assert_eq!(first.index, second.index);
        assert!(!calls.is_open(first));
        assert!(calls.is_open(second));
        assert_eq!(CallId::from_bits(second.to_bits()), second);
        assert_eq!(calls.open, 1);
    }
}
