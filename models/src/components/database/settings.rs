//! What can be said of a database.

use settings::{Cores, Duration, DurationDist, Map, Name, Setting, Spanned};

use super::super::kind::Checks;
use crate::admission::AdmissionSettings;
use crate::policies::not_yet::NotYet;
use crate::replicating::{
    ConsistencySettings, FailoverSettings, ModeSettings, PartitionsSettings, ReadFromSettings, ReplicationSettings,
    Terms,
};

/// Cost of an operation.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "io")]
pub struct OperationSettings {
    /// I/O time.
    #[setting(default = "0s", live)]
    pub io: DurationDist,
    /// CPU time on the database's cores.
    pub cpu: Option<DurationDist>,
    /// Additional I/O time for each item of a batch, the first included.
    #[setting(live)]
    pub per_item: Option<DurationDist>,
    /// A lock held meanwhile.
    pub lock: Option<NotYet>,
}

/// How queries hinder each other (universal scalability law).
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ContentionSettings {
    /// Serial fraction of the work (contention).
    #[setting(default = 0.03, range = "0..=1")]
    pub alpha: f64,
    /// Coherency cost per pair.
    #[setting(default = 0.000172, range = "0..=1")]
    pub beta: f64,
}

impl ContentionSettings {
    /// How many times as long everything takes with `n` at work.
    pub(super) fn factor(&self, n: f64) -> f64 {
        1.0 + self.alpha * (n - 1.0) + self.beta * n * (n - 1.0)
    }
}

/// A database or any other store with connections.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Queries served concurrently; further queries wait. PostgreSQL's `max_connections` is 100.
    #[setting(default = 100, range = "1..=10000000", live)]
    pub connections: u32,
    /// Cores shared by its queries.
    pub cores: Option<Cores>,
    /// How concurrent queries slow each other down. Without it they do not.
    pub contention: Option<ContentionSettings>,
    /// Service time of each operation; `default` covers the rest.
    pub operations: Map<OperationSettings>,
    /// Admission control.
    #[setting(default = "{}", live)]
    pub admission: AdmissionSettings,
    /// Maximum time of a query once it has its connection; a query that takes longer is stopped and answered `error`. Without
    /// it there is no maximum, as in PostgreSQL.
    #[setting(live)]
    pub statement_timeout: Option<Duration>,
    /// Region.
    pub region: Option<settings::Spanned<settings::Name>>,
    /// Operations that write. Needed with `replication`; all others read.
    pub write_ops: Option<Vec<Spanned<Name>>>,
    /// Copies of the data on nodes of their own; `connections` and `cores` are each node's.
    pub replication: Option<ReplicationSettings>,
    /// Whom reads ask.
    #[setting(default = "leader")]
    pub read_from: ReadFromSettings,
    /// What reads promise.
    #[setting(default = "eventual")]
    pub consistency: ConsistencySettings,
    /// Parts of the data, each on nodes of its own, by the keys of requests.
    pub partitions: Option<PartitionsSettings>,
    /// A follower takes the place of a leader that has died. Without it there is no leader until that is back.
    pub failover: Option<FailoverSettings>,
}

impl Settings {
    /// What is said of its nodes together, where there are several.
    pub(super) fn terms(&self) -> Option<Terms> {
        if self.replication.is_none() && self.partitions.is_none() {
            return None;
        }
        Some(Terms {
            replication: self.replication.clone(),
            writes: self.write_ops.iter().flatten().map(|op| op.as_str().to_string()).collect(),
            reads: self.read_from,
            consistency: self.consistency,
            failover: self.failover,
            partitions: self.partitions.unwrap_or(PartitionsSettings { count: 1, salt: 1 }),
        })
    }

    /// What is wrong with what is said of several nodes.
    pub(super) fn check_nodes(&self, checks: &mut Checks<'_>) {
        match &self.replication {
            Some(replication) => self.check_copies(replication, checks),
            None => self.check_single(checks),
        }
        if self.partitions.is_some_and(|partitions| partitions.count == 1) {
            let message = "one partition is no partition: `partitions` has no effect";
            checks.error("no_effect", checks.span(), "partitions", message, Some("remove it"));
        }
    }

    /// There is one copy of the data.
    fn check_single(&self, checks: &mut Checks<'_>) {
        let written = [
            ("write_ops", self.write_ops.is_some()),
            ("read_from", self.read_from != ReadFromSettings::Leader),
            ("consistency", self.consistency != ConsistencySettings::Eventual),
            ("failover", self.failover.is_some()),
        ];
        for (key, _) in written.into_iter().filter(|(_, is_written)| *is_written) {
            let message = format!("`{key}` has no effect: there is only one copy of the data");
            let help = "write `replication: {replicas: 2, lag: 100ms}`, or remove it";
            checks.error("no_effect", checks.span(), key, &message, Some(help));
        }
    }

    fn check_copies(&self, replication: &ReplicationSettings, checks: &mut Checks<'_>) {
        let mut error = |code, key: &str, message: &str, help: &str| {
            checks.error(code, checks.span(), key, message, Some(help));
        };
        if self.write_ops.as_ref().is_none_or(Vec::is_empty) {
            let message = "`replication` needs to know which operations write";
            error("missing", "write_ops", message, "name them: `write_ops: [order]`");
        }
        match (&replication.lag, &replication.apply) {
            (None, None) => {
                let message = "how far do the followers lag behind?";
                let help = "write `lag: 100ms`, or `apply: 1ms` for a lag that grows with the writes";
                error("missing", "replication", message, help);
            }
            (Some(_), Some(_)) => {
                let message = "`lag` and `apply` are mutually exclusive: with `apply` the lag follows from the writes";
                error("contradiction", "replication.apply", message, "remove one of the two");
            }
            _ => {}
        }
        let copies = replication.replicas + 1;
        if let ModeSettings::Quorum(quorum) = replication.mode {
            for (key, count) in [("write", Some(quorum.write)), ("read", quorum.read)] {
                if count.is_some_and(|count| count > copies) {
                    let message = format!("there are only {copies} nodes, the leader included");
                    let at = format!("replication.mode.quorum.{key}");
                    error("out_of_range", &at, &message, "lower it, or add `replicas`");
                }
            }
            if quorum.read.is_some() != (self.read_from == ReadFromSettings::Quorum) {
                let message = "`read` of the quorum and `read_from: quorum` need each other";
                error("contradiction", "read_from", message, "write both, or neither");
            }
        } else if self.read_from == ReadFromSettings::Quorum {
            let message = "`read_from: quorum` needs a quorum";
            error("contradiction", "read_from", message, "write `mode: {quorum: {write: 2, read: 2}}`");
        }
        self.check_promises(replication, copies, checks);
    }

    fn check_promises(&self, replication: &ReplicationSettings, copies: u32, checks: &mut Checks<'_>) {
        let mut error = |message: &str, help: &str| {
            checks.error("contradiction", checks.span(), "consistency", message, Some(help));
        };
        if self.consistency.is_about_clients() && self.read_from != ReadFromSettings::Replica {
            let message = "what is promised to each client is about reads from followers";
            error(message, "write `read_from: replica`, or remove `consistency`");
        }
        if self.consistency != ConsistencySettings::Strong {
            return;
        }
        if self.read_from == ReadFromSettings::Replica {
            error("a follower cannot know the newest write: `strong` does not go with it", "write `read_from: leader`");
        }
        match replication.mode {
            ModeSettings::Async | ModeSettings::SemiSync => {
                let message = "`strong` needs a mode in which a failover loses nothing that was acknowledged";
                error(message, "write `mode: sync`, or `mode: {quorum: {write: 2}}`");
            }
            ModeSettings::Sync => {}
            ModeSettings::Quorum(quorum) => {
                if quorum.read.is_some_and(|read| read + quorum.write <= copies) {
                    let message = format!("`strong` needs quorums that meet: `read` + `write` above {copies}");
                    error(&message, "raise one of the two");
                }
            }
        }
    }
}
