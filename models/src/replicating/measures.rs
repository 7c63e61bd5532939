//! What is measured of data of which there are several copies, and under which names.

use sim_core::figures::Set;
use sim_core::histogram::Histogram;
use sim_core::{Figure, Figures, Happens};

use super::sessions::Broken;

const READS: Figure = Figure::count("reads", "Reads that were answered; only with `replication`.");
const LEADER_READS: Figure =
    Figure::share("leader_reads", "Share of the reads that the leader was asked for; only with `replication`.");
const STALE_READS: Figure = Figure::count(
    "stale_reads",
    "Reads answered with a value although a newer write of the same key had been acknowledged before they began; only with `replication`.",
);
const STALE_SHARE: Figure =
    Figure::share("stale_share", "Share of the reads that were stale; only with `replication`.");
const STALE_AGE: Figure = Figure::times(
    "stale_age",
    "How long ago the value had been replaced when a read was answered with it; only with `replication`.",
);
const WRITES: Figure = Figure::count("writes", "Writes that were acknowledged; only with `replication`.");
const LOST_WRITES: Figure = Figure::count(
    "lost_writes",
    "Writes that were acknowledged and that no copy had any more after a failover; only with `replication`.",
);
const READ_YOUR_WRITES: Figure = Figure::count(
    "violations.read_your_writes",
    "Reads that showed a client an older version than it had written itself; only with `replication` and clients.",
);
const MONOTONIC: Figure = Figure::count(
    "violations.monotonic",
    "Reads that showed a client an older version than it had read before; only with `replication` and clients.",
);
const CAUSAL: Figure = Figure::count(
    "violations.causal",
    "Reads that showed a client an older version than something that it had seen came after; only with `replication` and clients.",
);
const BEHIND: Figure =
    Figure::level("behind", "Writes that the followers do not have yet at the end, summed; only with `replication`.");
const LAG: Figure = Figure::times(
    "lag",
    "From when a write was carried out at the leader to when a follower had it; only with `replication`.",
);

pub(super) const FIGURES: Set = &[
    &READS,
    &LEADER_READS,
    &STALE_READS,
    &STALE_SHARE,
    &STALE_AGE,
    &WRITES,
    &LOST_WRITES,
    &READ_YOUR_WRITES,
    &MONOTONIC,
    &CAUSAL,
    &BEHIND,
    &LAG,
];

pub(super) static LEADER_LOST: Happens =
    Happens { name: "leader_lost", doc: "It was noticed that the leader is dead: there is none until one is elected." };
pub(super) static LEADER_ELECTED: Happens = Happens { name: "leader_elected", doc: "A node became the leader." };
pub(super) static WRITES_LOST: Happens =
    Happens { name: "writes_lost", doc: "Acknowledged writes were lost: no node that could be reached had them." };

pub(super) const HAPPENS: &[&Happens] = &[&LEADER_LOST, &LEADER_ELECTED, &WRITES_LOST];

/// What was counted since the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    pub(super) reads: u64,
    pub(super) asked: u64,
    pub(super) asked_leader: u64,
    pub(super) writes: u64,
    pub(super) lost_writes: u64,
    pub(super) stale_age: Histogram,
    pub(super) lag: Histogram,
    read_your_writes: u64,
    monotonic: u64,
    causal: u64,
}

impl Measures {
    pub(super) fn breaks(&mut self, broken: Broken) {
        self.read_your_writes += u64::from(broken.read_your_writes);
        self.monotonic += u64::from(broken.monotonic);
        self.causal += u64::from(broken.causal);
    }

    pub(super) fn figures(&self, behind: u64, has_clients: bool, figures: &mut Figures) {
        figures.count(&READS, self.reads);
        figures.ratio(&LEADER_READS, self.asked_leader, self.asked);
        figures.count(&STALE_READS, self.stale_age.count());
        figures.ratio(&STALE_SHARE, self.stale_age.count(), self.reads);
        figures.times(&STALE_AGE, &self.stale_age);
        figures.count(&WRITES, self.writes);
        figures.count(&LOST_WRITES, self.lost_writes);
        if has_clients {
            figures.count(&READ_YOUR_WRITES, self.read_your_writes);
            figures.count(&MONOTONIC, self.monotonic);
            figures.count(&CAUSAL, self.causal);
        }
        figures.level(&BEHIND, behind);
        figures.times(&LAG, &self.lag);
    }
}
