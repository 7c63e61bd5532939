//! What can be said of copies of data: how they follow, whom reads ask, and what they promise.

use settings::{Duration, DurationDist, Setting};

use crate::policies::not_yet::NotYet;

/// How many nodes must have a write, and how many are asked by a read; the leader counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct QuorumSettings {
    /// A write is acknowledged when so many nodes have it.
    #[setting(range = "1..=64")]
    pub write: u32,
    /// A read asks so many nodes and takes the newest of their versions; only with `read_from: quorum`.
    #[setting(range = "1..=64")]
    pub read: Option<u32>,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ModeSettings {
    /// When the leader has it.
    Async,
    /// When one follower has it, too.
    SemiSync,
    /// When all followers have it.
    Sync,
    /// When so many nodes have it.
    Quorum(QuorumSettings),
}

/// Copies of the data on nodes of their own, which follow the leader.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ReplicationSettings {
    /// Followers. With the leader there is one copy more.
    #[setting(range = "1..=63")]
    pub replicas: u32,
    /// When a write is acknowledged. Until then it holds its connection. As in PostgreSQL, no more than the leader is waited for
    /// unless that is asked for.
    #[setting(default = "async")]
    pub mode: ModeSettings,
    /// How long after the leader a follower has a write, drawn for each write and follower. Either this or `apply`.
    pub lag: Option<DurationDist>,
    /// How long a follower works on a write before it has it: one write after the other, so that it falls behind when more are
    /// written than it can apply. What it has yet to apply it does not lose with the leader. Either this or `lag`.
    pub apply: Option<DurationDist>,
    /// Regions of the nodes.
    pub regions: Option<NotYet>,
}

/// Whom reads ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ReadFromSettings {
    /// The leader.
    Leader,
    /// Any follower; the leader if all are down.
    Replica,
    /// The nearest node.
    Nearest(NotYet),
    /// As many nodes as the quorum says.
    Quorum,
}

/// How a client reads what it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ReadYourWritesSettings {
    /// The leader answers it for so long after each of its writes.
    Window(Duration),
    /// It remembers how far its writes went, and is answered by a node that is as far.
    Token,
}

/// What reads promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ConsistencySettings {
    /// Nothing.
    Eventual,
    /// Every read shows the newest write that had been acknowledged before it began, or fails.
    Strong,
    /// A client is answered by nodes that have all that it has seen or written.
    Causal,
    /// A client is answered by nodes that have all that it has seen.
    Monotonic,
    /// A client is answered by nodes that have what it has written.
    ReadYourWrites(ReadYourWritesSettings),
}

impl ConsistencySettings {
    /// Whether it promises something to each client.
    pub fn is_about_clients(self) -> bool {
        match self {
            ConsistencySettings::Eventual | ConsistencySettings::Strong => false,
            ConsistencySettings::Causal | ConsistencySettings::Monotonic | ConsistencySettings::ReadYourWrites(_) => {
                true
            }
        }
    }
}

/// A follower takes the place of a leader that has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct FailoverSettings {
    /// From the death of the leader until it is noticed.
    #[setting(default = "10s")]
    pub detect: Duration,
    /// From then until another one is elected and serves.
    #[setting(default = "5s")]
    pub elect: Duration,
    /// For how long a leader counts on being the leader without hearing from a majority: until this has passed since its death no other one
    /// serves. `detect` if not written.
    pub lease: Option<Duration>,
}

impl FailoverSettings {
    /// From the death of a leader until there is another.
    pub fn takes(&self) -> u64 {
        let lease = self.lease.map_or(self.detect.0, |lease| lease.0);
        self.detect.0.saturating_add(self.elect.0).max(lease)
    }
}

/// Parts of the data, each on nodes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(shorthand = "count")]
pub struct PartitionsSettings {
    /// How many.
    #[setting(range = "1..=4096")]
    pub count: u32,
    /// Over how many keys of its own each key is spread at random, so that a hot one is not in one partition only. 1: it is not.
    #[setting(default = 1, range = "1..=4096")]
    pub salt: u32,
}

/// Nodes that are asked alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Role {
    /// What they are.
    pub name: &'static str,
    /// How many.
    pub nodes: u32,
    /// How many calls a write makes to all of them.
    pub writes: f64,
    /// How many calls a read makes to all of them, as far as that is known.
    pub reads: f64,
    /// More may come than that.
    pub may_be_more: bool,
    /// Less may come than that.
    pub may_be_less: bool,
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// How the copies follow, where there are several.
    pub replication: Option<ReplicationSettings>,
    /// The operations that write.
    pub writes: Vec<String>,
    /// Whom reads ask.
    pub reads: ReadFromSettings,
    /// What they promise.
    pub consistency: ConsistencySettings,
    /// Who takes the place of a dead leader, where anybody does.
    pub failover: Option<FailoverSettings>,
    /// Into what the data is divided.
    pub partitions: PartitionsSettings,
}

impl Terms {
    /// Copies of each part of the data.
    pub fn copies(&self) -> u32 {
        1 + self.replication.as_ref().map_or(0, |replication| replication.replicas)
    }

    /// How many copies must have a write before it is acknowledged.
    pub fn copies_for_write(&self) -> u32 {
        match self.replication.as_ref().map(|replication| replication.mode) {
            None | Some(ModeSettings::Async) => 1,
            Some(ModeSettings::SemiSync) => 2,
            Some(ModeSettings::Sync) => self.copies(),
            Some(ModeSettings::Quorum(quorum)) => quorum.write,
        }
    }

    /// How many copies a read asks.
    pub fn copies_for_read(&self) -> u32 {
        match (self.reads, self.replication.as_ref().map(|replication| replication.mode)) {
            (ReadFromSettings::Quorum, Some(ModeSettings::Quorum(quorum))) => quorum.read.unwrap_or(1),
            _ => 1,
        }
    }

    /// Who is asked for what while all are up; `None` where that depends on the keys.
    pub fn roles(&self) -> Option<Vec<Role>> {
        if self.partitions.count > 1 {
            return None;
        }
        let (followers, copies) = (self.copies() - 1, f64::from(self.copies()));
        let (at_leader, at_followers) = match self.reads {
            ReadFromSettings::Leader => (1.0, 0.0),
            ReadFromSettings::Replica => (0.0, 1.0),
            ReadFromSettings::Quorum => {
                let asked = f64::from(self.copies_for_read());
                (asked / copies, asked * f64::from(followers) / copies)
            }
            ReadFromSettings::Nearest(never) => match never {},
        };
        // Clients that a follower is not far enough for are answered by the leader.
        let moves = self.consistency.is_about_clients();
        let leader = Role {
            name: "the leader",
            nodes: 1,
            writes: 1.0,
            reads: at_leader,
            may_be_more: moves,
            may_be_less: false,
        };
        let follows = Role {
            name: "followers",
            nodes: followers,
            writes: 0.0,
            reads: at_followers,
            may_be_more: false,
            may_be_less: moves,
        };
        Some(vec![leader, follows])
    }

    /// Whether an operation writes.
    pub fn writes(&self, op: &str) -> bool {
        self.writes.iter().any(|write| write == op)
    }

    /// How many nodes must be there for one of them to become the leader: with a quorum, so many that one of them has each acknowledged
    /// write.
    pub fn copies_for_election(&self) -> u32 {
        match self.replication.as_ref().map(|replication| replication.mode) {
            Some(ModeSettings::Quorum(quorum)) => self.copies() + 1 - quorum.write,
            _ => 1,
        }
    }
}
