//! Cores shared by parts: what a group and a host have in common.

use std::collections::BTreeMap;

use crate::heap::Heap;
use crate::slab::{Key, KeyedSlab};
use crate::time::{Span, Time};

/// The name of a job, for taking it back. A job that is complete or gone is not found by it.
pub type JobId = Key;

/// A core, in the unit in which cores are counted here.
pub(super) const CORE: u64 = 1_000_000;
/// Cores of a machine are bounded so that the arithmetic below cannot overflow.
pub(crate) const CORES_MAX: f64 = 65_536.0;
/// Undisturbed speed, in the unit in which speeds are counted here.
pub(crate) const SPEED: u64 = 1_000_000_000;
/// No fault makes a machine faster than this.
pub(super) const SPEED_MAX: f64 = 100.0;
/// A clock that shows one nanosecond more has advanced by this.
pub(super) const TICK_SHIFT: u32 = 56;
pub(super) const TICK: u64 = 1 << TICK_SHIFT;
/// Cores in use are integrated in this fraction of a millionth of a core.
pub(super) const USE_SHIFT: u32 = 24;

/// What the jobs of a part count for against those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// So much for each job.
    Each(u32),
    /// So much together, however many they are.
    Together(u32),
}

/// Where a job ends on its part's clock; then by the order of coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finish {
    clock: u128,
    pub(super) order: u64,
    pub(super) id: Key,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    part: u32,
    /// The caller's number.
    pub(super) key: u32,
    finish: u128,
}

/// What decides how fast the jobs of a part run, beside what the others want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) weight: Weight,
    /// Most cores that they may use together, in millionths.
    pub(super) limit: Option<u64>,
    /// Speed against that of an undisturbed core.
    pub(super) speed: u64,
    /// How many they are.
    pub(super) len: usize,
}

impl Kind {
    /// Most cores that the jobs could use, in millionths.
    #[inline]
    pub(super) fn demand(&self) -> u64 {
        let wanted = self.len as u64 * CORE;
        self.limit.map_or(wanted, |limit| wanted.min(limit))
    }

    #[inline]
    pub(super) fn weight_total(&self) -> u64 {
        match self.weight {
            Weight::Each(weight) => u64::from(weight) * self.len as u64,
            Weight::Together(weight) => u64::from(weight),
        }
    }
}

/// Jobs that run equally fast.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) ends: Heap<Finish>,
    /// The class that it is in, where classes have several members.
    class: Option<u32>,
    /// Counts its changes of class, so that what an earlier class still has of it is known to be old.
    stamp: u32,
    /// Its clock when it joined the class, and what the class' clock showed then.
    clock: (u128, u128),
    /// The integral of what it used when it joined the class, and that of the class then.
    used: (u128, u128),
    /// When it last left a class.
    pub(super) left: Time,
}

/// Where the first job of a member ends on its class' clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct First {
    clock: u128,
    part: u32,
    stamp: u32,
}

/// Parts of one kind: the jobs of all of them run equally fast.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) members: u64,
    pub(super) firsts: Heap<First>,
    /// The instant to which `clock` and `used` are right.
    pub(super) at: Time,
    /// Work that each job would have been given that has been there all the while, in 2⁻⁵⁶ ns.
    clock: u128,
    /// Advance of the clock in a nanosecond.
    rate: u64,
    /// Cores of each job, as a fraction, and the speed of the cores, from which `rate` follows.
    share: (u128, u128, u128),
    /// Cores in use by each member, in 2⁻²⁴ millionths.
    pub(super) using: u128,
    /// The integral of `using` over time in ns.
    used: u128,
    /// Whether its members get all they want.
    content: bool,
    /// When the first job will be complete.
    next: Option<Time>,
}

impl Class {
    pub(super) fn new(kind: Kind, now: Time) -> Self {
        Class {
            kind,
            members: 0,
            firsts: Heap::new(),
            at: now,
            clock: 0,
            rate: 0,
            share: (0, 0, 0),
            using: 0,
            used: 0,
            content: true,
            next: None,
        }
    }

    #[inline]
    pub(super) fn clock_at(&self, now: Time) -> u128 {
        self.clock + u128::from(now.saturating_sub(self.at)) * u128::from(self.rate)
    }

    #[inline]
    pub(super) fn used_at(&self, now: Time) -> u128 {
        self.used + u128::from(now.saturating_sub(self.at)) * self.using
    }

    #[inline]
    pub(super) fn advance(&mut self, now: Time) {
        if now > self.at {
            self.clock = self.clock_at(now);
            self.used = self.used_at(now);
            self.at = now;
        }
    }

    /// Notes that each job now has `numerator / denominator` cores, which run at this speed. False if that is nothing
    /// new.
    #[inline]
    pub(super) fn set_share(&mut self, now: Time, numerator: u128, denominator: u128, speed: u64) -> bool {
        let speed = if self.kind.speed == SPEED { u128::from(speed) } else { scaled(speed, self.kind.speed) };
        let share = (numerator, denominator, speed);
        if share == self.share {
            return false;
        }
        self.advance(now);
        self.share = share;
        let of_a_core = if numerator == denominator {
            u128::from(TICK)
        } else {
            // A division of numbers of this size is dear, so the remainder comes from a multiplication.
            let quotient = (numerator << TICK_SHIFT) / denominator;
            quotient + u128::from(quotient * denominator != numerator << TICK_SHIFT)
        };
        self.using = (of_a_core * self.kind.len as u128 * u128::from(CORE)) >> (TICK_SHIFT - USE_SHIFT);
        let rate = if speed == u128::from(SPEED) { of_a_core } else { (of_a_core * speed).div_ceil(u128::from(SPEED)) };
        self.rate = rate as u64;
        true
    }

    /// When its clock shows this.
    #[inline]
    pub(super) fn shows(&self, clock: u128) -> Option<Time> {
        let left = clock.saturating_sub(self.clock);
        let lasts = if left == 0 {
            0
        } else if self.rate == TICK {
            left.div_ceil(u128::from(TICK))
        } else if self.rate > 0 {
            (left + u128::from(self.rate - 1)) / u128::from(self.rate)
        } else {
            return None;
        };
        u64::try_from(lasts).ok().and_then(|lasts| self.at.checked_add(lasts))
    }
}

/// The product of two speeds, rounded up.
pub(super) fn scaled(speed: u64, by: u64) -> u128 {
    (u128::from(speed) * u128::from(by)).div_ceil(u128::from(SPEED)).min(u128::from(billionths(SPEED_MAX)))
}

/// With more parts than this those of one kind share a class.
pub(super) const CROWD: usize = 16;

/// The class of each kind, and classes without a member.
type Crowd = (BTreeMap<Kind, u32>, Vec<u32>);

/// Cores shared by parts: what a group and a host have in common.
///
/// A change of one part changes the shares of others, which are the same for all parts of a kind: as many jobs, of the same weight,
/// limit and speed. Where there are many parts, those of a kind are a class with one clock, and a change costs
/// O(classes + log parts). Where there are few, each part is the one member of the class of its number.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    /// In millionths of a core.
    pub(super) capacity: u64,
    pub(super) speed: u64,
    pub(super) parts: Vec<Part>,
    pub(super) classes: Vec<Class>,
    /// Where there are many parts.
    pub(super) crowd: Option<Box<Crowd>>,
    pub(super) jobs: KeyedSlab<Job>,
    pub(super) order: u64,
    /// Empty between calls: room for the completions of an instant.
    due: Vec<(u64, u32)>,
    /// The sum of what the parts could use.
    demand: u64,
    /// What is left for those who do not get all they want, and their weight together; a share is the quotient.
    left: u64,
    left_weight: u64,
    pub(super) at: Time,
    /// The integral of cores in use over time, in millionths of a core and nanoseconds.
    used: u128,
}

impl Shares {
    pub(super) fn new(cores: f64) -> Self {
        Shares {
            capacity: millionths(cores),
            speed: SPEED,
            parts: Vec::new(),
            classes: Vec::new(),
            crowd: None,
            jobs: KeyedSlab::new(),
            order: 0,
            due: Vec::new(),
            demand: 0,
            left: 0,
            left_weight: 0,
            at: 0,
            used: 0,
        }
    }

    #[inline]
    pub(super) fn using(&self) -> u64 {
        self.demand.min(self.capacity)
    }

    #[inline]
    pub(super) fn used(&self, now: Time) -> u128 {
        self.used + u128::from(now.saturating_sub(self.at)) * u128::from(self.using())
    }

    #[inline]
    pub(super) fn advance(&mut self, now: Time) {
        self.used = self.used(now);
        self.at = self.at.max(now);
    }

    /// Adds a part without jobs.
    pub(super) fn add_part(&mut self, now: Time, weight: Weight, limit: Option<u64>, may_crowd: bool) -> usize {
        let kind = Kind { weight, limit, speed: SPEED, len: 0 };
        let at = self.parts.len();
        self.parts.push(Part {
            kind,
            ends: Heap::new(),
            class: None,
            stamp: 0,
            clock: (0, 0),
            used: (0, 0),
            left: now,
        });
        if self.crowd.is_none() {
            self.classes.push(Class::new(kind, now));
            self.parts[at].class = Some(at as u32);
        }
        if may_crowd && self.crowd.is_none() && self.parts.len() > CROWD {
            self.become_a_crowd(now);
        }
        at
    }

    /// Parts of one kind share a class from now on.
    pub(super) fn become_a_crowd(&mut self, now: Time) {
        for at in 0..self.parts.len() {
            self.classes[at].advance(now);
            let (clock, used) = (self.classes[at].clock, self.classes[at].used);
            let part = &mut self.parts[at];
            (part.clock, part.used, part.class, part.left) = ((clock, 0), (used, 0), None, now);
        }
        self.classes.clear();
        self.crowd = Some(Box::default());
        for at in 0..self.parts.len() {
            if self.parts[at].kind.len > 0 {
                self.join(now, at);
            }
        }
        self.divide(now);
    }

    #[inline]
    pub(super) fn class_of(&self, part: usize) -> Option<&Class> {
        self.parts[part].class.map(|class| &self.classes[class as usize])
    }

    /// What a part's clock shows.
    #[inline]
    pub(super) fn clock_of(&self, part: usize, now: Time) -> u128 {
        let (own, then) = self.parts[part].clock;
        self.class_of(part).map_or(0, |class| own + (class.clock_at(now) - then))
    }

    /// The integral of what a part has used.
    pub(super) fn used_by(&self, part: usize, now: Time) -> u128 {
        let (own, then) = self.parts[part].used;
        own + self.class_of(part).map_or(0, |class| class.used_at(now) - then)
    }

    pub(super) fn add(&mut self, now: Time, part: usize, key: u32, work: Span) -> JobId {
        self.advance(now);
        let finish = self.clock_of(part, now) + (u128::from(work) << TICK_SHIFT);
        let id = self.jobs.insert(Job { part: part as u32, key, finish });
        let each = &mut self.parts[part];
        each.ends.push(Finish { clock: finish, order: self.order, id });
        let len = each.kind.len + 1;
        self.order += 1;
        self.resize(now, part, len);
        id
    }

    pub(super) fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        let left = self.left_of(now, id)?;
        let job = self.jobs.remove(id)?;
        self.advance(now);
        let part = job.part as usize;
        let each = &mut self.parts[part];
        if each.ends.len() > 2 * each.kind.len + 32 {
            let jobs = &self.jobs;
            each.ends.retain(|end| jobs.get(end.id).is_some());
        }
        let len = each.kind.len - 1;
        self.resize(now, part, len);
        Some(left)
    }

    pub(super) fn left_of(&self, now: Time, id: JobId) -> Option<Span> {
        let job = self.jobs.get(id)?;
        let clock = self.clock_of(job.part as usize, now);
        Some(job.finish.saturating_sub(clock).div_ceil(u128::from(TICK)) as Span)
    }

    pub(super) fn next_completion(&self) -> Option<Time> {
        self.classes.iter().filter_map(|class| class.next).min()
    }

    pub(super) fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        let mut due = std::mem::take(&mut self.due);
        for at in 0.. {
            // What completes in one part may bring parts to other classes, but at this instant to no later completion.
            let Some(class) = self.classes.get(at) else { break };
            if class.next.is_none_or(|next| next > now) {
                continue;
            }
            while self.classes[at].next.is_some_and(|next| next <= now) {
                let part = match (&self.crowd, self.classes[at].firsts.peek()) {
                    (None, _) => at,
                    (Some(_), Some(first)) => first.part as usize,
                    (Some(_), None) => break,
                };
                let clock = self.clock_of(part, now);
                let mut len = self.parts[part].kind.len;
                while let Some(end) = self.parts[part].ends.peek().filter(|end| end.clock <= clock) {
                    self.parts[part].ends.pop();
                    if let Some(job) = self.jobs.remove(end.id) {
                        due.push((end.order, job.key));
                        len -= 1;
                    }
                }
                self.advance(now);
                self.resize(now, part, len);
            }
        }
        due.sort_unstable();
        done.extend(due.drain(..).map(|(_, key)| key));
        self.due = due;
    }

    pub(super) fn clear(&mut self, now: Time, part: usize, gone: &mut Vec<u32>) {
        self.advance(now);
        let each = &mut self.parts[part];
        let mut ends: Vec<Finish> = each.ends.as_slice().to_vec();
        ends.sort_unstable_by_key(|end| end.order);
        gone.extend(ends.into_iter().filter_map(|end| self.jobs.remove(end.id)).map(|job| job.key));
        self.resize(now, part, 0);
    }

    /// A part leaves its class, with its clock and what it has used.
    pub(super) fn leave(&mut self, now: Time, part: usize) {
        let (clock, used) = (self.clock_of(part, now), self.used_by(part, now));
        let each = &mut self.parts[part];
        (each.clock, each.used, each.left) = ((clock, 0), (used, 0), now);
        each.stamp = each.stamp.wrapping_add(1);
        let Some(number) = each.class.take() else { return };
        let class = &mut self.classes[number as usize];
        class.advance(now);
        class.members -= 1;
        if class.members > 0 {
            self.foresee(number as usize);
            return;
        }
        let kind = class.kind;
        *class = Class::new(kind, now);
        if let Some(crowd) = &mut self.crowd {
            crowd.0.remove(&kind);
            crowd.1.push(number);
        }
    }

    /// A part joins the class of its kind.
    pub(super) fn join(&mut self, now: Time, part: usize) {
        let Some(crowd) = &mut self.crowd else { return };
        let kind = self.parts[part].kind;
        let number = match crowd.0.get(&kind) {
            Some(number) => *number,
            None => {
                let number = crowd.1.pop().unwrap_or(self.classes.len() as u32);
                if number as usize == self.classes.len() {
                    self.classes.push(Class::new(kind, now));
                }
                self.classes[number as usize] = Class::new(kind, now);
                crowd.0.insert(kind, number);
                number
            }
        };
        let class = &mut self.classes[number as usize];
        class.advance(now);
        class.members += 1;
        let (own, used) = (self.parts[part].clock.0, self.parts[part].used.0);
        let each = &mut self.parts[part];
        (each.clock, each.used) = ((own, class.clock), (used, class.used));
        each.class = Some(number);
        self.enter_first(part, number as usize);
    }

    /// A class learns where the first job of a member ends.
    pub(super) fn enter_first(&mut self, part: usize, number: usize) {
        let (own, then) = self.parts[part].clock;
        let each = &mut self.parts[part];
        while each.ends.peek().is_some_and(|end| self.jobs.get(end.id).is_none()) {
            each.ends.pop();
        }
        let Some(end) = each.ends.peek() else { return };
        let class = &mut self.classes[number];
        let clock = end.clock.saturating_sub(own) + then;
        class.firsts.push(First { clock, part: part as u32, stamp: each.stamp });
        if class.firsts.len() as u64 > 2 * class.members + 32 {
            let parts = &self.parts;
            class.firsts.retain(|first| parts[first.part as usize].stamp == first.stamp);
        }
    }

    /// Finds out when the first job of a class will be complete.
    #[inline]
    pub(super) fn foresee(&mut self, number: usize) {
        if self.crowd.is_some() {
            let class = &mut self.classes[number];
            while class.firsts.peek().is_some_and(|first| self.parts[first.part as usize].stamp != first.stamp) {
                class.firsts.pop();
            }
            class.next = class.firsts.peek().and_then(|first| class.shows(first.clock));
            return;
        }
        let ends = &mut self.parts[number].ends;
        while ends.peek().is_some_and(|end| self.jobs.get(end.id).is_none()) {
            ends.pop();
        }
        let class = &mut self.classes[number];
        class.next = ends.peek().and_then(|end| class.shows(end.clock));
    }

    /// Changes what decides how fast the jobs of a part run.
    pub(super) fn change(&mut self, now: Time, part: usize, change: impl FnOnce(&mut Kind)) {
        self.advance(now);
        if self.crowd.is_none() {
            let class = &mut self.classes[part];
            class.advance(now);
            change(&mut self.parts[part].kind);
            class.kind = self.parts[part].kind;
        } else if self.parts[part].kind.len == 0 {
            change(&mut self.parts[part].kind);
        } else {
            self.leave(now, part);
            change(&mut self.parts[part].kind);
            self.join(now, part);
        }
        self.divide(now);
        // Its class may run as fast as before, with another member.
        if let Some(class) = self.parts[part].class {
            self.foresee(class as usize);
        }
    }

    /// Notes that a part has so many jobs.
    pub(super) fn set_len(&mut self, now: Time, part: usize, len: usize, content: bool) {
        if self.crowd.is_none() {
            let class = &mut self.classes[part];
            class.advance(now);
            (class.kind.len, class.members) = (len, u64::from(len > 0));
            self.parts[part].kind.len = len;
            if len == 0 {
                // An empty part starts afresh, so that its numbers stay small.
                (class.clock, class.rate, class.using, class.content) = (0, 0, 0, true);
                class.share = (0, 0, 0);
                self.parts[part].ends.clear();
            }
            return;
        }
        self.leave(now, part);
        let each = &mut self.parts[part];
        each.kind.len = len;
        if len == 0 {
            each.clock = (0, 0);
            each.ends.clear();
            return;
        }
        self.join(now, part);
        let class = self.parts[part].class.map_or(0, |class| class as usize);
        if self.classes[class].members == 1 {
            self.classes[class].content = content;
        }
    }

    /// Notes that a part has so many jobs and adapts all shares that change with it.
    pub(super) fn resize(&mut self, now: Time, part: usize, len: usize) {
        let kind = self.parts[part].kind;
        let was_content = self.class_of(part).is_none_or(|class| class.content);
        let (demand, weight) = (kind.demand(), kind.weight_total());
        let kind = Kind { len, ..kind };
        let (demand_now, weight_now) = (kind.demand(), kind.weight_total());
        let was_contended = self.demand > self.capacity;
        self.demand = self.demand - demand + demand_now;
        let is_contended = self.demand > self.capacity;
        self.set_len(now, part, len, !is_contended);
        // The shares of the others stay as they are if there is enough for all, and also if this part got less than
        // it wanted, still does, and counts for as much as before. (An empty part has all it wants.)
        let alone = if was_contended && is_contended {
            let fair = u128::from(weight_now) * u128::from(self.left);
            let wants_more = u128::from(demand_now) * u128::from(self.left_weight) > fair;
            !was_content && wants_more && weight == weight_now
        } else {
            !was_contended && !is_contended
        };
        let class = self.parts[part].class.map(|class| class as usize);
        if !alone {
            self.divide(now);
        } else if let Some(class) = class.filter(|_| len > 0) {
            self.give(now, class);
        }
        // What comes first in this part is another job, even if they all run as fast as before.
        if let Some(class) = class {
            self.foresee(class);
        }
    }

    /// Finds all shares anew: whoever wants no more than a fair share of what is left gets it, until nobody does.
    pub(super) fn divide(&mut self, now: Time) {
        self.advance(now);
        self.demand = self.classes.iter().map(|class| class.members * class.kind.demand()).sum();
        let scarce = self.demand > self.capacity;
        self.left = self.capacity;
        self.left_weight = 0;
        for class in &mut self.classes {
            class.content = !scarce || class.members == 0;
            if !class.content {
                self.left_weight += class.members * class.kind.weight_total();
            }
        }
        let mut again = scarce;
        while again {
            again = false;
            for class in self.classes.iter_mut().filter(|class| !class.content) {
                let (demand, weight) = (class.kind.demand(), class.kind.weight_total());
                let fair = u128::from(weight) * u128::from(self.left);
                if u128::from(demand) * u128::from(self.left_weight) <= fair {
                    class.content = true;
                    self.left -= class.members * demand;
                    self.left_weight -= class.members * weight;
                    again = true;
                }
            }
        }
        for class in 0..self.classes.len() {
            if self.classes[class].members > 0 && self.give(now, class) {
                self.foresee(class);
            }
        }
    }

    /// Gives the jobs of a class the share that has been found for it. False if they had it already.
    #[inline]
    pub(super) fn give(&mut self, now: Time, class: usize) -> bool {
        let class = &mut self.classes[class];
        let len = class.kind.len as u128;
        if class.content {
            return class.set_share(now, u128::from(class.kind.demand()), len * u128::from(CORE), self.speed);
        }
        let (weight, among) = match class.kind.weight {
            Weight::Each(weight) => (weight, 1),
            Weight::Together(weight) => (weight, len),
        };
        let whole = u128::from(self.left_weight) * among * u128::from(CORE);
        class.set_share(now, u128::from(weight) * u128::from(self.left), whole, self.speed)
    }
}

/// Cores in millionths; what is no number of cores is none.
pub(super) fn millionths(cores: f64) -> u64 {
    (cores.clamp(0.0, CORES_MAX) * CORE as f64).round() as u64
}

/// A factor in billionths; what is no factor stands still.
pub(crate) fn billionths(factor: f64) -> u64 {
    (factor.clamp(0.0, SPEED_MAX) * SPEED as f64).round() as u64
}
