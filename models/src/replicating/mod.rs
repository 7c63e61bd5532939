//! Copies of data on several nodes: who is asked, what is where, and what becomes of a leader that dies.
//!
//! A store of several nodes has an entrance: what the drivers in its callers know of it. It takes no time, holds nothing and never dies.
//! Calls come to it and go on, each in a call of its own, to a node that serves them: writes to the leader, reads to whom
//! `read_from` and `consistency` allow. Nodes that die are not asked any more from that instant on, an idealisation.
//!
//! ```text
//!   caller ─▶ entrance ─▶ leader ── carried out ──▶ (enough copies have it?) ─▶ acknowledged
//!                │           └── lag, or apply ──▶ followers
//!                └──────▶ follower ── read ──▶ compared with the newest acknowledged write of its key
//! ```
//!
//! The entrance also keeps the books (`ledger.rs`): a copy has a write when its lag is over, or when the follower has applied it, which
//! is work of that node. A read shows what its node has when it has been carried out. What clients have seen is in
//! `sessions.rs`.
//!
//! While a leader is dead nothing leaves it. A new one takes over what any node that is up has; the rest is lost.

mod electing;
mod following;
mod ledger;
mod measures;
mod sessions;
mod settings;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sim_core::calendar::AlarmId;
use sim_core::figures::Set;
use sim_core::random::Key;
use sim_core::slab::Slab;
use sim_core::{Answer, CallId, Component, Cx, Figures, Happens, News, Next, NodeId, Outcome, Span, Time, Timer, To};

use crate::change_numbers::about_leader;
use following::Due;
use ledger::{Ledger, Number};
use measures::Measures;
use sessions::{Seen, Sessions};

pub use settings::{
    ConsistencySettings, FailoverSettings, ModeSettings, PartitionsSettings, QuorumSettings, ReadFromSettings,
    ReadYourWritesSettings, ReplicationSettings, Role, Terms,
};

/// The figures of all that has an entrance.
pub const FIGURES: Set = measures::FIGURES;

/// What it records.
pub const HAPPENS: &[&Happens] = measures::HAPPENS;

/// Under this ticket a node is called that is to apply a write, by the entrance itself.
pub const APPLY: u32 = u32::MAX;

/// Tells the draws of what the entrance calls from those of links.
const ENTRANCE: u32 = 0x656e_7472;

/// How far back it is followed what a write came after.
const CAUSES_MAX: usize = 8;

const PURPOSE_NODE: u32 = 0x6e6f;
const PURPOSE_SALT: u32 = 0x7361;
const PURPOSE_LAG: u32 = 0x6c61;

// Timers.
const ARRIVES: u8 = 0;
const NOTICED: u8 = 1;
const ELECTED: u8 = 2;

/// What an entrance is made from.
#[derive(Clone, Debug)]
pub struct EntrancePlan {
    /// What the settings say.
    pub terms: Terms,
    /// Whether each operation writes, by its number.
    pub writes: Vec<bool>,
    /// The first node; the others follow, those of one partition after those of another.
    pub first: NodeId,
    /// Whether calls say which client they come from.
    pub has_clients: bool,
}

/// One part of the data, on nodes of its own.
#[derive(Clone, Debug)]
struct Part {
    ledger: Ledger,
    /// Which copy leads, as far as callers know.
    leader: Option<u32>,
    /// Nothing leaves the leader, which is dead.
    is_frozen: bool,
    /// What has been planned for a leader's death counts only under this number.
    term: u32,
    /// The copy that becomes the leader when it has applied what there is.
    successor: Option<u32>,
    /// There are too few nodes to elect one.
    awaits_nodes: bool,
    is_up: Vec<bool>,
    /// What has been planned for each copy counts only under this number.
    epochs: Vec<u32>,
    /// What each follower applies.
    applying: Vec<Option<CallId>>,
    /// By how much each copy is kept behind by faults.
    held_behind: Vec<Span>,
}

/// What a call wants.
#[derive(Clone, Copy, Debug)]
enum Wants {
    /// To write, under this number once it has been carried out.
    Write(Number),
    /// To read; so many answers are missing.
    Read { missing: u32, version: Number, seen: Seen, asked: u64 },
}

/// A call that has come, and those made for it.
#[derive(Clone, Debug)]
struct Asked {
    call: CallId,
    part: u32,
    key: u64,
    client: u64,
    since: Time,
    wants: Wants,
    children: Vec<(CallId, u32)>,
}

/// The entrance of a store of several nodes.
#[derive(Clone, Debug)]
pub struct Entrance {
    plan: Arc<EntrancePlan>,
    parts: Vec<Part>,
    asked: Slab<Asked>,
    /// Writes that are being carried out, by the key of the call that does; only where nodes wait for copies.
    under_way: BTreeMap<u64, Vec<u32>>,
    /// Nodes that wait for copies of a write.
    waiting: BTreeMap<(u32, Number), CallId>,
    /// What arrives when.
    due: BTreeMap<(Time, u64), Due>,
    due_ever: u64,
    alarm: Option<AlarmId>,
    sessions: Sessions,
    /// The same by part of the data instead of by key.
    tokens: Sessions,
    /// Clients that wrote lately, oldest first, and when each did last.
    writers: (VecDeque<(Time, u64)>, BTreeMap<u64, Time>),
    /// Nodes that died through faults, with the fault's number.
    struck: Vec<(u32, NodeId)>,
    /// What faults keep behind, by their numbers: which copy, or all, and by how much.
    lags: BTreeMap<u32, (Option<u32>, Span)>,
    measures: Measures,
}

impl Entrance {
    /// From its plan.
    pub fn new(plan: EntrancePlan) -> Entrance {
        let copies = plan.terms.copies();
        let part = Part {
            ledger: Ledger::new(copies),
            leader: Some(0),
            is_frozen: false,
            term: 0,
            successor: None,
            awaits_nodes: false,
            is_up: vec![true; copies as usize],
            epochs: vec![0; copies as usize],
            applying: vec![None; copies as usize],
            held_behind: vec![0; copies as usize],
        };
        Entrance {
            parts: vec![part; plan.terms.partitions.count as usize],
            plan: Arc::new(plan),
            asked: Slab::new(),
            under_way: BTreeMap::new(),
            waiting: BTreeMap::new(),
            due: BTreeMap::new(),
            due_ever: 0,
            alarm: None,
            sessions: Sessions::default(),
            tokens: Sessions::default(),
            writers: (VecDeque::new(), BTreeMap::new()),
            struck: Vec::new(),
            lags: BTreeMap::new(),
            measures: Measures::default(),
        }
    }

    /// Gets ready for a fault that keeps copies behind.
    pub fn prepare_lag(&mut self, fault: u32, replica: Option<u32>, lag: Span) {
        self.lags.insert(fault, (replica, lag));
    }

    fn node(&self, part: u32, copy: u32) -> NodeId {
        NodeId(self.plan.first.0 + part * self.plan.terms.copies() + copy)
    }

    /// Which copy of which part a node has.
    fn copy_at(&self, node: NodeId) -> Option<(u32, u32)> {
        let nth = node.0.checked_sub(self.plan.first.0)?;
        let copies = self.plan.terms.copies();
        (nth < copies * self.parts.len() as u32).then_some((nth / copies, nth % copies))
    }

    /// In which part of the data a call's key is, and what it is called there.
    fn place(&self, cx: &mut Cx<'_>, call: CallId) -> (u32, u64) {
        let (key, PartitionsSettings { count, salt }) = (cx.data_key(call), self.plan.terms.partitions);
        if count == 1 {
            return (0, key);
        }
        let nth = if salt > 1 { cx.draw(call, PURPOSE_SALT).below(u64::from(salt)) } else { 0 };
        let spread = Key::root(0, key, nth).bits();
        (part_of(spread, count), if salt > 1 { spread } else { key })
    }

    /// The part of the data that a key under which something is kept is in.
    fn part_of_kept(&self, key: u64) -> u32 {
        let PartitionsSettings { count, salt } = self.plan.terms.partitions;
        match (count, salt) {
            (1, _) => 0,
            (_, 1) => part_of(Key::root(0, key, 0).bits(), count),
            _ => part_of(key, count),
        }
    }

    /// A call for one of the nodes.
    fn ask(&mut self, cx: &mut Cx<'_>, index: u32, copy: u32, ordinal: u32) -> CallId {
        let (call, part) = (self.asked[index].call, self.asked[index].part);
        let node = self.node(part, copy);
        let to = To { node, link: ENTRANCE, ordinal, profile: None, path: 0, is_retry: false };
        let child = cx.call(call, to);
        self.asked[index].children.push((child, copy));
        child
    }

    fn write(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let (part, key) = self.place(cx, call);
        let leads = &self.parts[part as usize];
        let has_enough = leads.is_up.iter().filter(|up| **up).count() as u32 >= self.plan.terms.copies_for_write();
        let leader = leads.leader.filter(|_| has_enough || self.plan.terms.copies_for_write() == 1);
        let Some(leader) = leader.filter(|_| self.proves(part)) else {
            return Next::reply(call, cx.answer(Outcome::Unavailable));
        };
        let (client, since) = (cx.client(call), cx.now());
        let wants = Wants::Write(0);
        let index = self.asked.insert(Asked { call, part, key, client, since, wants, children: Vec::new() });
        cx.set_ticket(call, index + 1);
        let child = self.ask(cx, index, leader, 0);
        if self.plan.terms.copies_for_write() > 1 {
            self.under_way.entry(cx.key(child).bits()).or_default().push(index);
        }
        Next::call(child)
    }

    /// Whether the leader can be sure to be the only one, where that is asked for: a majority of the nodes is up.
    fn proves(&self, part: u32) -> bool {
        let up = self.parts[part as usize].is_up.iter().filter(|up| **up).count() as u32;
        self.plan.terms.consistency != ConsistencySettings::Strong || 2 * up > self.plan.terms.copies()
    }

    fn read(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let (part, key) = self.place(cx, call);
        let (client, since) = (cx.client(call), cx.now());
        let seen = if client == 0 { Seen::default() } else { self.sessions.seen(client, key) };
        let missing = self.plan.terms.copies_for_read();
        let wants = Wants::Read { missing, version: 0, seen, asked: 0 };
        let index = self.asked.insert(Asked { call, part, key, client, since, wants, children: Vec::new() });
        cx.set_ticket(call, index + 1);
        for nth in 0..missing {
            let Some(copy) = self.choose(cx, index) else {
                return self.fail(cx, index, Outcome::Unavailable);
            };
            let child = self.ask_reader(cx, index, copy, nth);
            if nth + 1 == missing {
                return Next::call(child);
            }
            cx.post(Next::call(child));
        }
        unreachable!("a read asks at least one node")
    }

    fn ask_reader(&mut self, cx: &mut Cx<'_>, index: u32, copy: u32, ordinal: u32) -> CallId {
        let part = self.asked[index].part;
        self.measures.asked += 1;
        self.measures.asked_leader += u64::from(self.parts[part as usize].leader == Some(copy));
        if let Wants::Read { asked, .. } = &mut self.asked[index].wants {
            *asked |= 1 << copy;
        }
        self.ask(cx, index, copy, ordinal)
    }

    /// Whom a read asks next.
    fn choose(&self, cx: &mut Cx<'_>, index: u32) -> Option<u32> {
        let Asked { call, part, client, wants, .. } = &self.asked[index];
        let Wants::Read { asked, .. } = *wants else { return None };
        let of = &self.parts[*part as usize];
        let leader = of.leader.filter(|leader| asked & 1 << leader == 0);
        let copies = 0..self.plan.terms.copies();
        let is_there = |copy: &u32| of.is_up[*copy as usize] && asked & 1 << copy == 0;
        let candidates: Vec<u32> = match self.plan.terms.reads {
            ReadFromSettings::Leader => return leader.filter(|_| self.proves(*part)),
            ReadFromSettings::Replica if self.is_pinned(*client, cx.now()) => return leader,
            ReadFromSettings::Replica => {
                let token = self.token(*client, *part);
                let is_as_far = |copy: &u32| token == 0 || of.ledger.has_all_up_to(*copy, token);
                copies.filter(|copy| Some(*copy) != of.leader).filter(is_there).filter(is_as_far).collect()
            }
            ReadFromSettings::Quorum => copies.filter(is_there).collect(),
            ReadFromSettings::Nearest(never) => match never {},
        };
        match candidates.len() {
            0 => leader,
            1 => Some(candidates[0]),
            several => Some(candidates[cx.draw(*call, PURPOSE_NODE).below(several as u64) as usize]),
        }
    }

    /// Whether a client has written so lately that the leader answers it.
    fn is_pinned(&self, client: u64, now: Time) -> bool {
        let ConsistencySettings::ReadYourWrites(ReadYourWritesSettings::Window(window)) = self.plan.terms.consistency
        else {
            return false;
        };
        self.writers.1.get(&client).is_some_and(|wrote| now - wrote < window.0)
    }

    /// Up to which write a node must have all to answer a client.
    fn token(&self, client: u64, part: u32) -> Number {
        if client == 0 {
            return 0;
        }
        let seen = || self.tokens.seen(client, u64::from(part));
        match self.plan.terms.consistency {
            ConsistencySettings::Eventual | ConsistencySettings::Strong => 0,
            ConsistencySettings::ReadYourWrites(ReadYourWritesSettings::Window(_)) => 0,
            ConsistencySettings::ReadYourWrites(ReadYourWritesSettings::Token) => seen().written,
            ConsistencySettings::Monotonic => seen().read,
            ConsistencySettings::Causal => seen().written.max(seen().read).max(seen().caused),
        }
    }

    /// A node has answered a read.
    fn has_read(&mut self, cx: &mut Cx<'_>, index: u32, copy: u32, answer: Answer) -> Next {
        let Asked { part, key, .. } = self.asked[index];
        let Wants::Read { missing, version, seen, asked } = self.asked[index].wants else {
            unreachable!("it wanted to read");
        };
        let of = &self.parts[part as usize];
        if answer.outcome() != Outcome::Ok {
            return self.read_elsewhere(cx, index, answer);
        }
        let is_strong = self.plan.terms.consistency == ConsistencySettings::Strong;
        if is_strong && self.plan.terms.reads == ReadFromSettings::Leader && of.leader != Some(copy) {
            return self.fail(cx, index, Outcome::Unavailable);
        }
        let version = version.max(of.ledger.version(key, copy));
        self.asked[index].wants = Wants::Read { missing: missing - 1, version, seen, asked };
        if missing > 1 {
            return Next::WAIT;
        }
        self.judge(cx, index, version, seen);
        let Some(ended) = self.asked.remove(index) else { unreachable!("it has just been there") };
        Next::reply(ended.call, answer)
    }

    /// A node has failed to answer a quorum's read, which asks another one; other reads fail with it.
    fn read_elsewhere(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        let Wants::Read { asked, .. } = self.asked[index].wants else { unreachable!("it wanted to read") };
        if self.plan.terms.reads == ReadFromSettings::Quorum
            && let Some(copy) = self.choose(cx, index)
        {
            let child = self.ask_reader(cx, index, copy, asked.count_ones());
            return Next::call(child);
        }
        let Some(ended) = self.end(cx, index) else { unreachable!("it has just been there") };
        Next::reply(ended.call, answer)
    }

    /// Compares what a read shows with what had been acknowledged, and with what its client has seen.
    fn judge(&mut self, cx: &Cx<'_>, index: u32, version: Number, seen: Seen) {
        let Asked { call, part, key, client, since, .. } = self.asked[index];
        if cx.abandoned_since(call).is_some() {
            return;
        }
        let now = cx.now();
        self.measures.reads += 1;
        if let Some(replaced) = self.parts[part as usize].ledger.outdated(key, version, since) {
            self.measures.stale_age.record(now - replaced);
        }
        if client == 0 {
            return;
        }
        self.measures.breaks(seen.broken_by(version));
        let causes = self.causes(key, version);
        self.sessions.read(client, key, version, &causes);
        self.tokens.read(client, u64::from(part), version, &[]);
        for (before, number) in causes {
            self.tokens.caused(client, u64::from(self.part_of_kept(before)), number);
        }
        self.forget();
    }

    /// What a write came after, as far as it is known.
    fn causes(&self, key: u64, number: Number) -> Vec<(u64, Number)> {
        let before = |(key, number): &(u64, Number)| {
            let ledger = &self.parts[self.part_of_kept(*key) as usize].ledger;
            ledger.get(*number).and_then(|write| write.after)
        };
        std::iter::successors(Some((key, number)), before).skip(1).take(CAUSES_MAX).collect()
    }

    /// A node has carried out a write, and waits until enough copies have it.
    fn commit(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let key = cx.callers_key(call).bits();
        let mut indices = self.under_way.get(&key).into_iter().flatten().copied();
        let is_new = |index: &u32| matches!(self.asked.get(*index), Some(Asked { wants: Wants::Write(0), .. }));
        let Some(index) = indices.find(is_new) else {
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        };
        let Some((part, _)) = self.write_down(cx, index) else {
            return Next::reply(call, cx.answer(Outcome::Unavailable));
        };
        let Wants::Write(number) = self.asked[index].wants else { unreachable!("it has just been written") };
        if self.parts[part as usize].ledger.copies_of(number) >= self.plan.terms.copies_for_write() {
            return Next::reply(call, cx.answer(Outcome::Ok));
        }
        self.waiting.insert((part, number), call);
        Next::WAIT
    }

    /// Enters a write that the leader has carried out into the books; `None` if that is not the leader any more.
    fn write_down(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<(u32, Number)> {
        let Asked { part, key, client, .. } = self.asked[index];
        let (child, copy) = *self.asked[index].children.first()?;
        let of = &mut self.parts[part as usize];
        if of.leader != Some(copy) {
            return None;
        }
        let after = if client == 0 { None } else { self.sessions.last(client) };
        let draws = Key::from_bits(cx.key(child).bits());
        let number = of.ledger.write((cx.now(), key), copy, draws, after);
        self.asked[index].wants = Wants::Write(number);
        self.send_out(cx, part, number);
        Some((part, number))
    }

    /// The leader has answered a write.
    fn has_written(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        let waits = self.plan.terms.copies_for_write() > 1;
        let mut answer = answer;
        if answer.outcome() == Outcome::Ok && !waits && self.write_down(cx, index).is_none() {
            answer = cx.answer(Outcome::Unavailable);
        }
        let Some(ended) = self.end(cx, index) else { unreachable!("it has just been there") };
        let Asked { call, part, key, client, wants, .. } = ended;
        if let (Outcome::Ok, Wants::Write(number)) = (answer.outcome(), wants)
            && cx.abandoned_since(call).is_none()
        {
            self.measures.writes += 1;
            self.parts[part as usize].ledger.acknowledge(number, cx.now());
            if client != 0 {
                self.sessions.wrote(client, key, number);
                self.tokens.wrote(client, u64::from(part), number);
                self.note_writer(client, cx.now());
            }
            self.forget();
        }
        Next::reply(call, answer)
    }

    fn note_writer(&mut self, client: u64, now: Time) {
        let ConsistencySettings::ReadYourWrites(ReadYourWritesSettings::Window(window)) = self.plan.terms.consistency
        else {
            return;
        };
        let (order, last) = &mut self.writers;
        while let Some((wrote, client)) = order.front().copied().filter(|(wrote, _)| now - wrote >= window.0) {
            order.pop_front();
            if last.get(&client) == Some(&wrote) {
                last.remove(&client);
            }
        }
        order.push_back((now, client));
        last.insert(client, now);
    }

    /// What all nodes have cannot be missed by anybody.
    fn forget(&mut self) {
        if !self.plan.has_clients {
            return;
        }
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.forget(|key, number| number <= self.parts[self.part_of_kept(key) as usize].ledger.everywhere_up_to());
        self.sessions = sessions;
        self.tokens.forget(|part, number| number <= self.parts[part as usize].ledger.everywhere_up_to());
    }

    /// A call is over, whatever still goes on for it.
    fn end(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<Asked> {
        let ended = self.asked.remove(index)?;
        if let (Wants::Write(_), Some((child, _))) = (ended.wants, ended.children.first())
            && self.plan.terms.copies_for_write() > 1
        {
            let key = Key::child(cx.key(ended.call), ENTRANCE, 0).bits();
            if let Some(indices) = self.under_way.get_mut(&key) {
                indices.retain(|other| *other != index);
                if indices.is_empty() {
                    self.under_way.remove(&key);
                }
            }
            let _ = child;
        }
        ended.children.iter().for_each(|(child, _)| cx.abandon(*child));
        Some(ended)
    }

    fn fail(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) -> Next {
        let Some(ended) = self.end(cx, index) else { return Next::WAIT };
        Next::reply(ended.call, cx.answer(outcome))
    }
}

/// Into which of so many parts what is spread evenly falls.
fn part_of(spread: u64, count: u32) -> u32 {
    ((u128::from(spread) * u128::from(count)) >> 64) as u32
}

impl Component for Entrance {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        self.alarm = Some(cx.alarm(Timer { what: ARRIVES, data: 0 }));
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.caller(call).is_some_and(|caller| self.copy_at(caller).is_some()) {
            return self.commit(cx, call);
        }
        match self.plan.writes[cx.profile(call).op as usize] {
            true => self.write(cx, call),
            false => self.read(cx, call),
        }
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next {
        if call == child {
            return self.has_applied(cx, call, answer);
        }
        let index = cx.ticket(call) - 1;
        let Some(nth) = self.asked[index].children.iter().position(|(known, _)| *known == child) else {
            return Next::WAIT;
        };
        match self.asked[index].wants {
            Wants::Write(_) => self.has_written(cx, index, answer),
            Wants::Read { .. } => {
                let (_, copy) = self.asked[index].children.swap_remove(nth);
                self.has_read(cx, index, copy, answer)
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let (part, term) = (timer.data as u32, (timer.data >> 32) as u32);
        match timer.what {
            ARRIVES => self.arrive(cx),
            NOTICED => self.notice(cx, part, term),
            _ => self.elect_after(cx, part, term),
        }
        Next::WAIT
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let ticket = cx.ticket(call);
        if ticket == 0 {
            self.waiting.retain(|_, waits| *waits != call);
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        }
        let children: Vec<CallId> = self.asked[ticket - 1].children.iter().map(|(child, _)| *child).collect();
        self.end(cx, ticket - 1);
        children.into_iter().for_each(|child| cx.cancel_call(child));
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        let Some((part, copy)) = self.copy_at(about) else { return };
        match news {
            News::Down => self.goes_down(cx, part, copy),
            News::Up => self.comes_up(cx, part, copy),
            News::Joined | News::Left | News::Changed => {}
        }
    }

    fn rebuild(&mut self, _now: Time) {
        unreachable!("what callers know does not crash")
    }

    fn begin_measuring(&mut self, _now: Time) {
        self.measures = Measures::default();
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        match about_leader(change) {
            Some((fault, true, partition)) => self.kill_leaders(cx, fault, partition),
            Some((fault, false, _)) => self.return_struck(cx, fault),
            None => {
                let begun = self.lags.get(&(change.saturating_sub(1) / 2)).copied();
                let Some((replica, lag)) = begun else { return false };
                self.keep_behind(cx, replica, lag, change % 2 == 1);
            }
        }
        true
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        if self.plan.terms.replication.is_some() {
            let copies = 0..self.plan.terms.copies();
            let behind = self.parts.iter().flat_map(|part| copies.clone().map(|copy| part.ledger.behind(copy)));
            self.measures.figures(behind.sum(), self.plan.has_clients, figures);
        }
    }
}
