//! Cores shared by parts: the common part of a group and a host.

use std::collections::BTreeMap;

use crate::heap::Heap;
use crate::slab::{Key, KeyedSlab};
use crate::time::{Span, Time};

/// The id of a job, for removing it. A job that is complete or gone is not found.
pub type JobId = Key;

/// One core, in the unit used for cores here.
pub(super) const CORE: u64 = 1_000_000;
/// Maximum number of cores of a machine, so that the arithmetic below cannot overflow.
pub(crate) const CORES_MAX: f64 = 65_536.0;
/// Full speed, in the unit used for speeds here.
pub(crate) const SPEED: u64 = 1_000_000_000;
/// The maximum speed factor through faults.
pub(super) const SPEED_MAX: f64 = 100.0;
/// Clock units per nanosecond, as a power of two.
pub(super) const TICK_SHIFT: u32 = 56;
pub(super) const TICK: u64 = 1 << TICK_SHIFT;
/// Cores in use are integrated in units of a millionth of a core divided by two to this power.
pub(super) const USE_SHIFT: u32 = 24;

/// The weight of a part's jobs against those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// This weight per job.
    Each(u32),
    /// This total weight, regardless of the number of jobs.
    Together(u32),
}

/// The end of a job on its part's clock; ties are broken by the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finish {
    clock: u128,
    pub(super) order: u64,
    pub(super) id: Key,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    part: u32,
    /// The caller's key.
    pub(super) key: u32,
    finish: u128,
}

/// The parameters that determine how fast the jobs of a part run, apart from the demand of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) weight: Weight,
    /// Maximum number of cores that the jobs may use together, in millionths.
    pub(super) limit: Option<u64>,
    /// Speed relative to an undisturbed core.
    pub(super) speed: u64,
    /// The number of jobs.
    pub(super) len: usize,
}

impl Kind {
    /// Maximum number of cores that the jobs could use, in millionths.
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

/// Jobs that run at the same rate.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) ends: Heap<Finish>,
    /// The part's class. In a crowd, classes have several members.
    class: Option<u32>,
    /// Incremented on each change of class, so that entries in an earlier class are recognised as stale.
    stamp: u32,
    /// The part's clock when it joined the class, and the class's clock at that time.
    clock: (u128, u128),
    /// The part's integral of use when it joined the class, and the class's at that time.
    used: (u128, u128),
    /// When it last left a class.
    pub(super) left: Time,
}

/// The end of a member's first job on the clock of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct First {
    clock: u128,
    part: u32,
    stamp: u32,
}

/// Parts of one kind: all their jobs run at the same rate.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) members: u64,
    pub(super) firsts: Heap<First>,
    /// The instant for which `clock` and `used` are valid.
    pub(super) at: Time,
    /// The work received by a job that has been present all the time, in 2⁻⁵⁶ ns.
    clock: u128,
    /// Advance of the clock per nanosecond.
    rate: u64,
    /// Cores per job, as a fraction, and the speed of the cores, which together determine `rate`.
    share: (u128, u128, u128),
    /// Cores in use by each member, in 2⁻²⁴ millionths.
    pub(super) using: u128,
    /// The integral of `using` over time in ns.
    used: u128,
    /// Whether its members get all they want.
    content: bool,
    /// When its first job completes.
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

    /// Sets the cores per job to `numerator / denominator`, at this speed of the cores. False if nothing changes.
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
            // Division of such large numbers is expensive, so the remainder comes from a multiplication.
            let quotient = (numerator << TICK_SHIFT) / denominator;
            quotient + u128::from(quotient * denominator != numerator << TICK_SHIFT)
        };
        self.using = (of_a_core * self.kind.len as u128 * u128::from(CORE)) >> (TICK_SHIFT - USE_SHIFT);
        let rate = if speed == u128::from(SPEED) { of_a_core } else { (of_a_core * speed).div_ceil(u128::from(SPEED)) };
        self.rate = rate as u64;
        true
    }

    /// When its clock reaches this reading.
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

/// With more parts than this, parts of one kind share a class.
pub(super) const CROWD: usize = 16;

/// The class of each kind, and the classes without members.
type Crowd = (BTreeMap<Kind, u32>, Vec<u32>);

/// Cores shared by parts: the common part of a group and a host.
///
/// A change of one part changes the shares of others, equally for all parts of one kind: same number of jobs, weight,
/// limit and speed. If there are many parts (a crowd), those of one kind form a class with one clock, and a change
/// costs O(classes + log parts). If there are few, each part is the only member of the class with its number.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    /// Total cores, in millionths of a core.
    pub(super) capacity: u64,
    pub(super) speed: u64,
    pub(super) parts: Vec<Part>,
    pub(super) classes: Vec<Class>,
    /// The class index, present if there are many parts.
    pub(super) crowd: Option<Box<Crowd>>,
    pub(super) jobs: KeyedSlab<Job>,
    pub(super) order: u64,
    /// Buffer for the completions of an instant; empty between calls.
    due: Vec<(u64, u32)>,
    /// Sum of the cores that the parts could use.
    demand: u64,
    /// The capacity left for the parts that do not get all they want, and their total weight; a share is the quotient.
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

    /// Switches to shared classes: parts of one kind share a class from now on.
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

    /// The reading of a part's clock.
    #[inline]
    pub(super) fn clock_of(&self, part: usize, now: Time) -> u128 {
        let (own, then) = self.parts[part].clock;
        self.class_of(part).map_or(0, |class| own + (class.clock_at(now) - then))
    }

    /// The integral of a part's use.
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
            // A completion in one part may move parts to other classes, but at this instant it cannot delay a
            // completion.
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

    /// Removes a part from its class, keeping its clock and its use.
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

    /// Adds a part to the class of its kind.
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

    /// Tells a class where the first job of a member ends.
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

    /// Computes when the first job of a class completes.
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

    /// Changes the parameters that determine how fast the jobs of a part run.
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
        // Its class may run at the same rate as before, but with another member.
        if let Some(class) = self.parts[part].class {
            self.foresee(class as usize);
        }
    }

    /// Sets the number of jobs of a part.
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

    /// Sets the number of jobs of a part and updates all affected shares.
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
        // The shares of the others stay the same if there is enough for all, and also if this part got less than it
        // wanted, still does, and has the same weight as before. (An empty part has all it wants.)
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
        // The first job of this part is another one, even if all run at the same rate as before.
        if let Some(class) = class {
            self.foresee(class);
        }
    }

    /// Recomputes all shares: parts that want no more than a fair share of the rest get it, until none remains.
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

    /// Sets the computed share for the jobs of a class. False if nothing changes.
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

/// Cores in millionths; a negative number or NaN counts as 0.
pub(super) fn millionths(cores: f64) -> u64 {
    (cores.clamp(0.0, CORES_MAX) * CORE as f64).round() as u64
}

/// A factor in billionths; a negative number or NaN counts as 0.
pub(crate) fn billionths(factor: f64) -> u64 {
    (factor.clamp(0.0, SPEED_MAX) * SPEED as f64).round() as u64
}
