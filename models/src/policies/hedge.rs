//! Hedging: another copy of an attempt that takes long.
//!
//! When an attempt has not been answered `delay` after it began, another copy of it is sent, and so on up to `max`
//! copies more. The first good answer ends the call, and the other copies are given up. An attempt has failed when all
//! its copies that were sent have; only then is it a matter for `retry`. Each copy asks the link's later policies for
//! itself and has a `timeout` of its own. (Dean and Barroso, *The Tail at Scale*, CACM 56(2), 2013.) The delay may be a percentile of
//! the times that attempts have taken lately: see [`Tracker`]. Tied copies know of each other, and only the first to be begun is
//! worked on.

use settings::book::{Json, ScalarShape};
use settings::values::Scalar;
use settings::{Book, Duration, Node, Reader, Setting, Shape, Value};
use sim_core::histogram::Histogram;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::{Span, Time};

use super::policy::{Described, Policy};

/// When another copy is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// After so long.
    After(Duration),
    /// After the time that this share of the attempts have needed lately.
    Percentile(f64),
}

const PERCENTILE: ScalarShape = ScalarShape {
    name: "percentile",
    article: "a percentile",
    examples: &["p95", "p99.9"],
    pattern: Some(r"^p[0-9]{1,2}(\.[0-9]{1,6})?$"),
    json: &[Json::Pattern],
};

/// The share that a percentile stands for: `p95` is 0.95.
fn percentile(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('p')?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole, 2) || !is_number(part, 6) {
        return None;
    }
    let parts: u64 = format!("{whole}{part:0<6}").parse().ok()?;
    // One division of whole numbers: 99.9 % is the nearest there is to 0.999.
    (parts > 0).then_some(parts as f64 / 1e8)
}

impl HedgeDelay {
    /// As it is written.
    pub fn words(&self) -> String {
        match self {
            HedgeDelay::After(delay) => delay.format(),
            HedgeDelay::Percentile(share) => format!("p{}", (share * 1e8).round() / 1e6),
        }
    }
}

impl Setting for HedgeDelay {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        if let Value::Scalar { text, .. } = &node.value
            && let Some(share) = percentile(text)
        {
            return Some(HedgeDelay::Percentile(share));
        }
        Duration::read(node, cx).map(HedgeDelay::After)
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::AnyOf(vec![Duration::describe(book), Shape::Scalar(&PERCENTILE)])
    }

    fn write(&self) -> Node {
        Node::scalar(self.words())
    }
}

/// Another copy of an attempt that takes long.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "delay")]
pub struct HedgeSettings {
    /// Time without an answer before the next copy is sent, counted from the start of the attempt or of the previous
    /// copy: a duration, or a percentile of the times that attempts have needed in the last thirty seconds. A high percentile
    /// is usual: at `p95`, one request in twenty is sent twice.
    #[setting(live)]
    pub delay: HedgeDelay,
    /// Additional copies of an attempt.
    #[setting(default = 1, range = "1..=100", live)]
    pub max: u32,
    /// Tied requests: as soon as a callee begins with one copy, the others are not begun any more. Word of it takes half a round
    /// trip. Only towards services and databases, where copies wait for their turn.
    #[setting(default = false)]
    pub tied: bool,
}

impl HedgeSettings {
    /// The share of the attempts that need no longer than the delay, where that is what is written.
    pub fn percentile(&self) -> Option<f64> {
        match self.delay {
            HedgeDelay::After(_) => None,
            HedgeDelay::Percentile(share) => Some(share),
        }
    }
}

/// Sends another copy of an attempt that takes long.
#[derive(Clone, Copy, Debug)]
pub struct Hedge;

impl Policy for Hedge {
    type Settings = HedgeSettings;

    fn brief(hedge: &HedgeSettings) -> Option<String> {
        let copies = if hedge.max == 1 { String::new() } else { format!(" ×{}", hedge.max) };
        Some(format!("hedge {}{copies}", hedge.delay.words()))
    }

    fn holds_up(hedge: &HedgeSettings) -> Span {
        // The last copy begins so late, and has the whole timeout.
        match hedge.delay {
            HedgeDelay::After(delay) => delay.0.saturating_mul(Span::from(hedge.max)),
            // What is found out only by running.
            HedgeDelay::Percentile(_) => 0,
        }
    }

    fn described(hedge: &HedgeSettings) -> Option<Described> {
        let copies = if hedge.max == 1 { "a second copy".into() } else { format!("up to {} copies more", hedge.max) };
        let has_state = hedge.percentile().is_some();
        let tied = if hedge.tied { ", tied" } else { "" };
        Some(Described { words: format!("{copies} after {}{tied}", hedge.delay.words()), has_state })
    }
}

/// How many buckets the times of attempts are kept in, and for how long each fills.
const BUCKETS: usize = 3;
const BUCKET: Span = 10 * SECOND;
/// How often the delay is read off them, and the least that it can be.
const REFRESH: Span = 3 * SECOND;
const LEAST: Span = MILLISECOND;

/// Follows how long attempts take.
///
/// Times are kept in three buckets of ten seconds, of which one counts as soon as it is full, and the delay is read off them
/// every three seconds; it is at least 1 ms. What counts is how long it took until a good answer or a timeout, or until another
/// copy was faster; failures are mostly fast. (Finagle, `BackupRequestFilter.scala` at 1faf2c91 and
/// `WindowedPercentileHistogram.scala` at 29c4f51e.) No copy is sent before the first bucket is full, where Finagle begins with
/// copies after 1 ms.
#[derive(Clone, Debug)]
pub struct Tracker {
    filling: Histogram,
    full: [Histogram; BUCKETS],
    /// Which of the full ones is replaced next.
    oldest: usize,
    /// When the one that fills is full, and when the delay is read again.
    full_at: Time,
    read_at: Time,
    delay: Option<Span>,
}

impl Tracker {
    /// One that knows nothing yet.
    pub fn new(now: Time) -> Tracker {
        let next = |every: Span| (now / every + 1).saturating_mul(every);
        Tracker {
            filling: Histogram::new(),
            full: std::array::from_fn(|_| Histogram::new()),
            oldest: 0,
            full_at: next(BUCKET),
            read_at: next(REFRESH),
            delay: None,
        }
    }

    /// Does what was due by now. Where both fall on one instant, the bucket is full before the delay is read.
    fn advance(&mut self, now: Time, share: f64) {
        loop {
            let next = self.full_at.min(self.read_at);
            if next > now {
                return;
            }
            if self.full_at == next {
                self.full[self.oldest] = std::mem::take(&mut self.filling);
                self.oldest = (self.oldest + 1) % BUCKETS;
                self.full_at += BUCKET;
                continue;
            }
            let mut all = Histogram::new();
            self.full.iter().for_each(|bucket| all.merge(bucket));
            self.delay = all.quantile(share).map(|delay| delay.max(LEAST));
            self.read_at += REFRESH;
        }
    }

    /// An attempt has taken so long.
    pub fn took(&mut self, now: Time, share: f64, took: Span) {
        self.advance(now, share);
        self.filling.record(took);
    }

    /// After how long the next copy of an attempt is sent that begins now; `None` while that is not known.
    pub fn delay(&mut self, now: Time, share: f64) -> Option<Span> {
        self.advance(now, share);
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::notation::read;

    #[test]
    fn a_delay_is_a_duration_or_a_percentile() {
        let delay = |text: &str| read::<HedgeSettings>(text).map(|hedge| hedge.delay);
        assert_eq!(delay("50ms").ok(), Some(HedgeDelay::After(Duration(50 * MILLISECOND))));
        for (text, share) in [("p95", 0.95), ("p99.9", 0.999), ("p5", 0.05), ("p0.5", 0.005)] {
            let found = delay(text).expect(text);
            assert_eq!((found, found.words().as_str()), (HedgeDelay::Percentile(share), text));
            assert_eq!(read::<HedgeDelay>(&found.write().to_string()).ok(), Some(found), "{text}");
        }
        for text in ["p", "p0", "p100", "95", "p9.", "p.5", "p-1", "p1e1", "P95"] {
            assert!(delay(text).is_err(), "{text}");
        }
        let brief = |text: &str| Hedge::brief(&read(text).expect(text));
        assert_eq!(brief("{delay: p95, max: 2}").as_deref(), Some("hedge p95 ×2"));
    }

    /// `WindowedPercentileHistogram.flushCurrentBucket` and the refreshing in `BackupRequestFilter`, step by step.
    #[test]
    fn the_delay_follows_the_times_of_the_last_full_buckets() {
        let mut tracker = Tracker::new(0);
        let record = |tracker: &mut Tracker, from_s: u64, ms: u64| {
            (0..100).for_each(|nth| tracker.took(from_s * SECOND + nth, 0.95, (ms + nth) * MILLISECOND));
        };
        // Near enough: within the width of a histogram's bucket.
        let delay_ms = |tracker: &mut Tracker, at_s: u64| {
            tracker.delay(at_s * SECOND, 0.95).map(|delay| (delay as f64 / MILLISECOND as f64).round() as u64)
        };
        record(&mut tracker, 1, 100);
        // The bucket is full at 10 s, and read at 12 s: the 95th of 100 to 199 ms.
        assert_eq!(delay_ms(&mut tracker, 9), None);
        assert_eq!(delay_ms(&mut tracker, 11), None);
        let found = delay_ms(&mut tracker, 12).expect("it is known");
        assert!((193..=195).contains(&found), "{found}");
        // Shorter times in the next bucket count from its end on.
        record(&mut tracker, 13, 0);
        assert_eq!(delay_ms(&mut tracker, 20), Some(found));
        // Of 200 values the 190th: the 90th of the longer ones.
        let both = delay_ms(&mut tracker, 21).expect("it is known");
        assert!((188..=190).contains(&both), "{both}");
        // After three more buckets nothing is left of the first one, and after four nothing at all.
        let second = delay_ms(&mut tracker, 42).expect("it is known");
        assert!((93..=95).contains(&second), "{second}");
        assert_eq!(delay_ms(&mut tracker, 51), None);
        // Never less than a millisecond.
        (0..10).for_each(|_| tracker.took(55 * SECOND, 0.95, 1_000));
        assert_eq!(delay_ms(&mut tracker, 60), Some(1));
    }
}
