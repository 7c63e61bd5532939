//! What a cache has measured, and under which names it says so.

use std::sync::Arc;

use sim_core::figures::{Dimension, OfOp, Set};
use sim_core::histogram::Histogram;
use sim_core::table::reach;
use sim_core::{Figure, Figures, Happens, Time};

use super::facts::Fact;
use crate::caching::Data;

const HIT_RATIO: Figure = Figure::share("hit_ratio", "Share of the reads answered from memory.");
const HIT_RATIO_HOT: Figure =
    Figure::share("hit_ratio_hot", "Share of the reads of the `hot_keys` answered from memory; only with `hot_keys`.");
const HIT_RATIO_COLD: Figure =
    Figure::share("hit_ratio_cold", "Share of the reads of all other keys answered from memory; only with `hot_keys`.");
const HIT_RATIO_OF: Figure = Figure::share(
    "hit_ratio_of",
    "Share of the reads of one operation answered from memory; only where several operations read.",
)
.by(Dimension::Op);
const HITS: Figure = Figure::count("hits", "Reads answered from memory.");
const MISSES: Figure =
    Figure::count("misses", "Reads that were not: of an entry that was missing, had expired or was read anew early.");
const WRITES: Figure = Figure::count("writes", "Writes that came; only with operations that write.");
const ENTRIES: Figure = Figure::level("entries", "Entries held at the end, expired ones included.");
pub(super) const BYTES: Figure =
    Figure::level("bytes", "Bytes of the entries held at the end; only with `entry_size`.").in_bytes();
const EVICTIONS: Figure = Figure::count("evictions", "Entries evicted to make room.");
const COALESCED: Figure = Figure::count(
    "coalesced",
    "Misses that shared the call of another miss in flight; only with `coalesce` or `lease`.",
);
const AGE: Figure =
    Figure::mean("age", "Mean age of what reads were answered from memory, since it was read or written behind.")
        .in_seconds();
const STALE_READS: Figure = Figure::count(
    "stale_reads",
    "Reads answered from memory with a value that a write through this cache had replaced; only with operations that write. What comes \
     back later from `to` counts as read later.",
);
const STALE_SHARE: Figure = Figure::share("stale_share", "Share of the reads that were stale.");
const STALE_AGE: Figure =
    Figure::times("stale_age", "How long ago the value had been replaced when a read was answered with it.");
const EXPIRED_HITS: Figure = Figure::count(
    "expired_hits",
    "Hits of entries that had expired and were being read anew; only with `stale_while_revalidate`.",
);
const EXPIRED_ON_ERROR: Figure = Figure::count(
    "expired_on_error",
    "Misses answered with an expired entry because what is behind failed; only with `stale_if_error`.",
);
const REFRESHES: Figure = Figure::count(
    "refreshes",
    "Calls that read an entry anew for reads that were answered without them; only with `stale_while_revalidate`.",
);
const EARLY: Figure = Figure::count("early", "Entries read anew before they expired; only with `early_expiry`.");
const NEGATIVE_HITS: Figure =
    Figure::count("negative_hits", "Hits of entries that say that there is nothing; only with `negative_ttl`.");
const VOIDED: Figure =
    Figure::count("voided", "Values not written back since a write had voided their token; only with `lease`.");
const DIRTY: Figure = Figure::level("dirty", "Writes not yet passed on at the end; only with `mode: behind`.");
const FLUSHED: Figure = Figure::count("flushed", "Calls by which writes were passed on; only with `mode: behind`.");
const MERGED: Figure = Figure::count(
    "merged",
    "Writes that were never passed on since a later one of the same key came first; only with `mode: behind`.",
);
const LOST_WRITES: Figure = Figure::count(
    "lost_writes",
    "Writes that were answered and not known to be passed on when the cache crashed or was flushed; only with `mode: behind`.",
);

const TIMEOUTS: Figure = Figure::count(
    "timeouts",
    "Look-ups that took longer than `timeout`; those of reads count as misses; only with `timeout`.",
);

pub(super) const FIGURES: &[Set] = &[
    &[&HIT_RATIO, &HITS, &MISSES, &WRITES, &ENTRIES, &BYTES, &EVICTIONS, &COALESCED, &AGE],
    &[&HIT_RATIO_HOT, &HIT_RATIO_COLD, &HIT_RATIO_OF],
    &[&STALE_READS, &STALE_SHARE, &STALE_AGE],
    &[&EXPIRED_HITS, &EXPIRED_ON_ERROR, &REFRESHES, &EARLY, &NEGATIVE_HITS, &VOIDED, &TIMEOUTS],
    &[&DIRTY, &FLUSHED, &MERGED, &LOST_WRITES],
];

pub(super) static LOST: Happens =
    Happens { name: "cache_lost_writes", doc: "A cache crashed with writes that it had answered and not passed on." };

pub(super) const HAPPENS: &[&Happens] = &[&LOST];

/// Which figures there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) keeps: bool,
    pub(super) writes: bool,
    pub(super) shares: bool,
    pub(super) refreshes: bool,
    pub(super) serves_on_error: bool,
    pub(super) early: bool,
    pub(super) negative: bool,
    pub(super) lease: bool,
    pub(super) behind: bool,
    pub(super) timeout: bool,
    /// Keys below this are measured apart; 0 where none are.
    pub(super) hot_keys: u64,
    /// Whether several operations read.
    pub(super) tells_ops_apart: bool,
}

/// What was counted since the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) writes: u64,
    pub(super) coalesced: u64,
    pub(super) expired_hits: u64,
    pub(super) expired_on_error: u64,
    pub(super) refreshes: u64,
    pub(super) early: u64,
    pub(super) negative_hits: u64,
    pub(super) voided: u64,
    pub(super) flushed: u64,
    pub(super) merged: u64,
    pub(super) lost_writes: u64,
    pub(super) timeouts: u64,
    /// Hits and misses of the hot keys.
    hot: (u64, u64),
    /// Those of each operation, by its number.
    of_ops: Vec<(u64, u64)>,
    aged: (u64, u128),
    stale_age: Histogram,
}

impl Measures {
    /// A read of a key is answered from memory.
    #[inline]
    pub(super) fn hit(&mut self, asked: &Asked, data: Data) {
        self.hits += 1;
        if data.key < asked.hot_keys {
            self.hot.0 += 1;
        }
        if asked.tells_ops_apart {
            self.of_op(data.op).0 += 1;
        }
    }

    /// A read of a key is not.
    #[inline]
    pub(super) fn miss(&mut self, asked: &Asked, data: Data) {
        self.misses += 1;
        if data.key < asked.hot_keys {
            self.hot.1 += 1;
        }
        if asked.tells_ops_apart {
            self.of_op(data.op).1 += 1;
        }
    }

    /// Hits and misses of an operation.
    fn of_op(&mut self, op: u16) -> &mut (u64, u64) {
        reach(&mut self.of_ops, usize::from(op), (0, 0));
        &mut self.of_ops[usize::from(op)]
    }

    /// Says which share of the reads of each operation was answered from memory.
    pub(super) fn figures_of_ops(&self, readers: &[(u16, Arc<str>)], figures: &mut Figures) {
        let of = |(op, name): &(u16, Arc<str>)| {
            let (hits, misses) = self.of_ops.get(usize::from(*op)).copied().unwrap_or_default();
            OfOp { op: name.clone(), part: hits.into(), whole: (hits + misses).into() }
        };
        figures.ratios(&HIT_RATIO_OF, readers.iter().map(of).collect());
    }

    /// A read is answered with a value of which this is known.
    pub(super) fn answered_with(&mut self, fact: Fact, now: Time) {
        self.aged.0 += 1;
        self.aged.1 += u128::from(now.saturating_sub(fact.since));
        if fact.stale <= now {
            self.stale_age.record(now - fact.stale);
        }
    }

    /// Says it all; `held` are the entries, the evictions and the writes not passed on.
    pub(super) fn figures(&self, asked: Asked, held: (u64, u64, u64), figures: &mut Figures) {
        let reads = self.hits + self.misses;
        figures.ratio(&HIT_RATIO, self.hits, reads);
        if asked.hot_keys > 0 {
            let (hits, misses) = self.hot;
            figures.ratio(&HIT_RATIO_HOT, hits, hits + misses);
            figures.ratio(&HIT_RATIO_COLD, self.hits - hits, reads - hits - misses);
        }
        figures.count(&HITS, self.hits);
        figures.count(&MISSES, self.misses);
        if asked.writes {
            figures.count(&WRITES, self.writes);
        }
        if asked.keeps {
            figures.level(&ENTRIES, held.0);
            figures.count(&EVICTIONS, held.1);
            figures.ratio(&AGE, self.aged.1, self.aged.0);
        }
        if asked.shares {
            figures.count(&COALESCED, self.coalesced);
        }
        if asked.keeps && asked.writes {
            figures.count(&STALE_READS, self.stale_age.count());
            figures.ratio(&STALE_SHARE, self.stale_age.count(), reads);
            figures.times(&STALE_AGE, &self.stale_age);
        }
        let counts = [
            (asked.refreshes, &EXPIRED_HITS, self.expired_hits),
            (asked.serves_on_error, &EXPIRED_ON_ERROR, self.expired_on_error),
            (asked.refreshes, &REFRESHES, self.refreshes),
            (asked.early, &EARLY, self.early),
            (asked.negative, &NEGATIVE_HITS, self.negative_hits),
            (asked.lease, &VOIDED, self.voided),
            (asked.timeout, &TIMEOUTS, self.timeouts),
            (asked.behind, &FLUSHED, self.flushed),
            (asked.behind, &MERGED, self.merged),
            (asked.behind, &LOST_WRITES, self.lost_writes),
        ];
        for (_, figure, count) in counts.into_iter().filter(|(is_asked, ..)| *is_asked) {
            figures.count(figure, count);
        }
        if asked.behind {
            figures.level(&DIRTY, held.2);
        }
    }
}
