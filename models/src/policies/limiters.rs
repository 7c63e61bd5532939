//! The limiters behind `rate_limit`: each says whether a call may pass now, and if not, when to come again.
//!
//! All are exact. A limiter counts only the calls that it lets through, and the time it names is the first instant at
//! which a call would pass if nobody else came in between.

use std::collections::VecDeque;

use sim_core::line::{Discipline, Line, Popped};
use sim_core::{Span, Time};

/// Instants are kept in these parts of a nanosecond, so that rates that do not divide a second add up.
const PARTS: u128 = 65_536;

/// The time between two calls at a rate, in parts; `None` where nothing passes.
fn interval(rate_per_second: f64) -> Option<u128> {
    (rate_per_second > 0.0).then(|| (1e9 * PARTS as f64 / rate_per_second).round().max(1.0) as u128)
}

fn parts(now: Time) -> u128 {
    u128::from(now) * PARTS
}

/// The instant in whole nanoseconds, not earlier.
fn instant(parts: u128) -> Time {
    Time::try_from(parts.div_ceil(PARTS)).unwrap_or(Time::MAX)
}

/// A token bucket; full at the start.
///
/// It is kept as the one instant at which it will be full again (the generic cell rate algorithm, ITU-T I.371): a
/// bucket that holds `burst` tokens, gains `rate` tokens a second and pays one for each call.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// How long one token takes, in parts.
    token: u128,
    /// How long all but one take, in parts.
    slack: u128,
    /// When it is full again, in parts.
    full_at: u128,
}

impl TokenBucket {
    /// A full bucket; `None` for what never lets anything through.
    pub fn new(rate_per_second: f64, burst: u32) -> Option<TokenBucket> {
        let token = interval(rate_per_second)?;
        Some(TokenBucket { token, slack: token * (u128::from(burst.max(1)) - 1), full_at: 0 })
    }

    /// Takes a token, or says after how long there will be one.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        let now = parts(now);
        let due = self.full_at.saturating_sub(self.slack);
        if due > now {
            return Err(instant(due - now));
        }
        self.full_at = self.full_at.max(now) + self.token;
        Ok(())
    }

    /// A call has passed elsewhere, tokens or not.
    fn charge(&mut self, at: Time) {
        self.full_at = self.full_at.max(parts(at)) + self.token;
    }

    /// Another rate and burst. Tokens that are missing stay missing, as far as the new bucket is large enough for that.
    fn adopt(&mut self, now: Time, rate_per_second: f64, burst: u32) -> bool {
        let Some(new) = TokenBucket::new(rate_per_second, burst) else { return false };
        let missing = self.full_at.saturating_sub(parts(now)) as f64 / self.token as f64;
        let missing = (missing * new.token as f64).round() as u128;
        *self = TokenBucket { full_at: parts(now) + missing.min(new.slack + new.token), ..new };
        true
    }
}

/// A number of calls in each window; windows begin at whole multiples of their length.
///
/// As in Kong's `rate-limiting` plugin (`handler.lua` at 0045b672): a call passes while fewer than `limit` have passed in
/// its window. Across the edge of two windows twice the limit can pass.
#[derive(Clone, Debug)]
pub struct FixedWindow {
    limit: u64,
    window: Span,
    /// The number of the window that the last call passed in, and the calls that passed in it.
    current: u64,
    passed: u64,
}

impl FixedWindow {
    /// A window in which nothing has passed.
    pub fn new(limit: u32, window: Span) -> FixedWindow {
        FixedWindow { limit: u64::from(limit), window: window.max(1), current: 0, passed: 0 }
    }

    /// Counts a call, or says when the next window begins.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        let current = now / self.window;
        if current != self.current {
            (self.current, self.passed) = (current, 0);
        }
        if self.passed >= self.limit {
            return Err(self.window - now % self.window);
        }
        self.passed += 1;
        Ok(())
    }

    /// A call has passed elsewhere. Of an earlier window it no longer counts.
    fn charge(&mut self, at: Time) {
        let window = at / self.window;
        if window > self.current {
            (self.current, self.passed) = (window, 0);
        }
        self.passed += u64::from(window == self.current);
    }
}

/// A number of calls in any window that ends now.
///
/// It remembers when each call passed. Redis limiters do so in a sorted set (`ZREMRANGEBYSCORE` of all up to now minus
/// the window, `ZCARD`, `ZADD`): a call that passed exactly one window ago no longer counts.
#[derive(Clone, Debug)]
pub struct SlidingLog {
    limit: usize,
    window: Span,
    /// When the calls of the last window passed, the oldest first.
    passed: VecDeque<Time>,
}

impl SlidingLog {
    /// An empty log.
    pub fn new(limit: u32, window: Span) -> SlidingLog {
        SlidingLog { limit: limit.max(1) as usize, window, passed: VecDeque::new() }
    }

    /// Notes a call, or says when enough of those before it no longer count.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        while self.passed.front().is_some_and(|at| at.saturating_add(self.window) <= now) {
            self.passed.pop_front();
        }
        if self.passed.len() >= self.limit {
            // After a lower limit took effect, more than one must leave.
            let leaves = self.passed[self.passed.len() - self.limit];
            return Err(leaves.saturating_add(self.window) - now);
        }
        self.passed.push_back(now);
        Ok(())
    }

    /// A call has passed elsewhere, perhaps before some that are known already.
    fn charge(&mut self, at: Time) {
        let place = self.passed.partition_point(|other| *other <= at);
        self.passed.insert(place, at);
    }
}

/// A number of calls in any window that ends now, estimated from the counts of two fixed ones.
///
/// The estimate is Cloudflare's (*How we built rate limiting capable of scaling to millions of domains*, 2017): the
/// calls of this window, and those of the one before it in proportion to how much of it a window that ends now would
/// cover. A call passes if the estimate, the call included, is at most the limit.
#[derive(Clone, Debug)]
pub struct SlidingCounter {
    limit: u64,
    window: Span,
    /// The number of the current window, and the calls that passed in it and in the one before it.
    current: u64,
    passed: u64,
    before: u64,
}

impl SlidingCounter {
    /// Two windows in which nothing has passed.
    pub fn new(limit: u32, window: Span) -> SlidingCounter {
        SlidingCounter { limit: u64::from(limit.max(1)), window: window.max(1), current: 0, passed: 0, before: 0 }
    }

    /// How far into a window a call must come to pass if that many passed in it and in the one before; `None` if it
    /// cannot pass in this window.
    fn passes_after(&self, passed: u64, before: u64) -> Option<Span> {
        let room = u128::from(self.limit.checked_sub(passed + 1)?) * u128::from(self.window);
        // The least elapsed time with before × (window − elapsed) ≤ room × window, in whole nanoseconds.
        let covered =
            if before == 0 { self.window } else { (room / u128::from(before)).min(self.window.into()) as Span };
        Some(self.window - covered)
    }

    /// A window begins.
    fn roll(&mut self, current: u64) {
        match current - self.current {
            0 => {}
            1 => (self.before, self.passed) = (self.passed, 0),
            _ => (self.before, self.passed) = (0, 0),
        }
        self.current = current;
    }

    /// A call has passed elsewhere. Of a window before the last one it no longer counts.
    fn charge(&mut self, at: Time) {
        let window = at / self.window;
        self.roll(window.max(self.current));
        match self.current - window {
            0 => self.passed += 1,
            1 => self.before += 1,
            _ => {}
        }
    }

    /// Counts a call, or says when the estimate will have fallen far enough.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        self.roll(now / self.window);
        let elapsed = now % self.window;
        let left = self.window - elapsed;
        match self.passes_after(self.passed, self.before) {
            Some(after) if after <= elapsed => {
                self.passed += 1;
                Ok(())
            }
            Some(after) if after < self.window => Err(after - elapsed),
            // In the next window this one is the one before. A limit of 1 needs that one to be over, too.
            _ => Err(left + self.passes_after(0, self.passed).unwrap_or(self.window)),
        }
    }
}

/// What a leaky bucket says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It passes at once.
    Passes,
    /// It waits for its turn.
    Waits,
    /// The queue is full. There is room again after this long; 0 if nobody knows.
    Full(Span),
}

/// A queue that calls leave at a constant rate.
///
/// As nginx's `limit_req` without `nodelay` (`ngx_http_limit_req_module.c` at 3f6f7824): a call passes at once if the
/// interval since the last one that passed is over; otherwise it waits, at most `queue` of them at a time. The `excess`
/// that nginx keeps is the number of those who wait. Who gives up leaves the queue, and those behind move up; in nginx
/// its place stays taken.
#[derive(Clone, Debug)]
pub struct LeakyBucket {
    /// How long it takes from one call to the next, in parts; `None` where nothing passes.
    interval: Option<u128>,
    /// When the next one may pass, in parts.
    next_at: u128,
    line: Line,
}

impl LeakyBucket {
    /// An empty bucket.
    pub fn new(rate_per_second: f64, queue: u32) -> LeakyBucket {
        let line = Line::new(Discipline::Fifo, Some(queue));
        LeakyBucket { interval: interval(rate_per_second), next_at: 0, line }
    }

    /// A call arrives.
    pub fn offer(&mut self, now: Time, call: u32) -> Offer {
        let due = self.next_at <= parts(now);
        if let Some(interval) = self.interval.filter(|_| due && self.line.is_empty()) {
            self.next_at = parts(now) + interval;
            return Offer::Passes;
        }
        match self.line.push(now, call, 0) {
            Ok(()) => Offer::Waits,
            // Where the next one leaves at this instant, there is room in the next one.
            Err(_) if self.interval.is_some() => Offer::Full(instant(self.next_at.saturating_sub(parts(now))).max(1)),
            Err(_) => Offer::Full(0),
        }
    }

    /// When the first of those who wait may pass.
    pub fn due(&self) -> Option<Time> {
        (self.interval.is_some() && !self.line.is_empty()).then(|| instant(self.next_at))
    }

    /// The first of those who wait, if it may pass.
    pub fn pop(&mut self, now: Time) -> Option<Popped> {
        let interval = self.interval.filter(|_| self.next_at <= parts(now))?;
        let popped = self.line.pop(now, &mut Vec::new())?;
        // Being due between two nanoseconds is not being late: the rate is kept.
        let late = parts(now) - self.next_at >= PARTS;
        self.next_at = if late { parts(now) } else { self.next_at } + interval;
        Some(popped)
    }

    /// One who waits gives up.
    pub fn leave(&mut self, call: u32) -> bool {
        self.line.remove(call)
    }

    /// All who wait leave, in the order in which they came.
    pub fn clear(&mut self) -> Vec<u32> {
        self.line.clear()
    }

    /// Another rate and queue. Who waits stays; of the interval that runs, the same share is left.
    pub fn adopt(&mut self, now: Time, rate_per_second: f64, queue: u32) {
        let new = interval(rate_per_second);
        if let (Some(old), Some(new)) = (self.interval, new) {
            let left = self.next_at.saturating_sub(parts(now)) as f64 / old as f64;
            self.next_at = parts(now) + (left * new as f64).round() as u128;
        }
        self.interval = new;
        self.line.set_max(Some(queue));
    }

    /// Whether it is again as it was at the start, so that it can be forgotten.
    pub fn is_fresh(&self, now: Time) -> bool {
        self.line.is_empty() && self.next_at <= parts(now)
    }
}

/// A limiter that answers at once.
#[derive(Clone, Debug)]
pub enum Limiter {
    /// Lets nothing through: its rate is 0.
    Shut,
    /// A token bucket.
    TokenBucket(TokenBucket),
    /// A fixed window.
    FixedWindow(FixedWindow),
    /// A sliding log.
    SlidingLog(SlidingLog),
    /// A sliding counter.
    SlidingCounter(SlidingCounter),
}

/// What makes a [`Limiter`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Tokens a second, and how many are kept.
    Tokens(f64, u32),
    /// Calls in each window.
    Fixed(u32, Span),
    /// Calls in any window.
    Log(u32, Span),
    /// Calls in any window, estimated.
    Counter(u32, Span),
}

impl Limiter {
    /// A limiter that nobody has used yet.
    pub fn new(bound: Bound) -> Limiter {
        match bound {
            Bound::Tokens(rate, burst) => TokenBucket::new(rate, burst).map_or(Limiter::Shut, Limiter::TokenBucket),
            Bound::Fixed(limit, window) => Limiter::FixedWindow(FixedWindow::new(limit, window)),
            Bound::Log(limit, window) => Limiter::SlidingLog(SlidingLog::new(limit, window)),
            Bound::Counter(limit, window) => Limiter::SlidingCounter(SlidingCounter::new(limit, window)),
        }
    }

    /// Counts a call that another limiter let pass at an instant.
    pub fn charge(&mut self, at: Time) {
        match self {
            Limiter::Shut => {}
            Limiter::TokenBucket(bucket) => bucket.charge(at),
            Limiter::FixedWindow(window) => window.charge(at),
            Limiter::SlidingLog(log) => log.charge(at),
            Limiter::SlidingCounter(counter) => counter.charge(at),
        }
    }

    /// Lets a call pass, or says after how long to come again; 0 where nothing ever passes.
    #[inline]
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        match self {
            Limiter::Shut => Err(0),
            Limiter::TokenBucket(bucket) => bucket.take(now),
            Limiter::FixedWindow(window) => window.take(now),
            Limiter::SlidingLog(log) => log.take(now),
            Limiter::SlidingCounter(counter) => counter.take(now),
        }
    }

    /// Another bound. What has passed still counts where the windows are as long as before; a limiter of another sort,
    /// and one with other windows, starts anew.
    pub fn adopt(&mut self, now: Time, bound: Bound) {
        let kept = match (&mut *self, bound) {
            (Limiter::TokenBucket(bucket), Bound::Tokens(rate, burst)) => bucket.adopt(now, rate, burst),
            (Limiter::FixedWindow(window), Bound::Fixed(limit, length)) => {
                window.limit = u64::from(limit);
                window.window == length
            }
            (Limiter::SlidingLog(log), Bound::Log(limit, length)) => {
                log.limit = limit.max(1) as usize;
                log.window == length
            }
            (Limiter::SlidingCounter(counter), Bound::Counter(limit, length)) => {
                counter.limit = u64::from(limit.max(1));
                counter.window == length
            }
            (
                Limiter::Shut
                | Limiter::TokenBucket(_)
                | Limiter::FixedWindow(_)
                | Limiter::SlidingLog(_)
                | Limiter::SlidingCounter(_),
                Bound::Tokens(..) | Bound::Fixed(..) | Bound::Log(..) | Bound::Counter(..),
            ) => false,
        };
        if !kept {
            *self = Limiter::new(bound);
        }
    }

    /// Whether it is again as it was at the start, so that it can be forgotten.
    pub fn is_fresh(&self, now: Time) -> bool {
        match self {
            Limiter::Shut => true,
            Limiter::TokenBucket(bucket) => bucket.full_at <= parts(now),
            Limiter::FixedWindow(window) => window.current != now / window.window,
            Limiter::SlidingLog(log) => log.passed.back().is_none_or(|last| last.saturating_add(log.window) <= now),
            Limiter::SlidingCounter(counter) => now / counter.window - counter.current > 1,
        }
    }
}

#[cfg(test)]
mod tests;
