//! Memory: what a replica may use, what its host has, and what collects its garbage.

pub mod collector;
pub mod gc;

use settings::{Setting, Size};
use sim_core::Commit;

use crate::policies::or_none::OrNone;

/// What counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum CommitSettings {
    /// Memory that has been touched. What is only reserved, such as the rest of a stack, takes none.
    Touched,
    /// All memory that is reserved, as where the system does not overcommit. What does not fit is refused instead of killed: a
    /// thread that cannot be created fails its call with `unavailable`, and a process that cannot reserve what it needs to start
    /// dies.
    Reserved,
}

impl CommitSettings {
    /// The same for the engine.
    pub fn commit(self) -> Commit {
        match self {
            CommitSettings::Touched => Commit::Touched,
            CommitSettings::Reserved => Commit::Reserved,
        }
    }
}

/// Memory of a replica.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "limit")]
pub struct MemorySettings {
    /// Memory that the replica may use. Above it the process is killed (*OOM kill*), and started again with `restart`.
    #[setting(default = "none")]
    pub limit: OrNone<Size>,
    /// Memory that the host must have free for the replica to be placed there. Default: `limit`.
    pub request: Option<Size>,
    /// Memory of the process before it serves anybody.
    #[setting(default = "0B")]
    pub base: Size,
    /// Memory of each call from its arrival to its end, time in the queue included. The `size` of the request is added.
    #[setting(default = "0B")]
    pub per_call: Size,
    /// Memory of each connection that callers keep open: those of `connections` workloads, and those of pools.
    #[setting(default = "0B")]
    pub per_connection: Size,
    /// What counts against `limit`.
    #[setting(default = "touched")]
    pub commit: CommitSettings,
}

impl MemorySettings {
    /// What it is where nothing is written.
    pub const NONE: MemorySettings = MemorySettings {
        limit: OrNone(None),
        request: None,
        base: Size(0),
        per_call: Size(0),
        per_connection: Size(0),
        commit: CommitSettings::Touched,
    };

    /// What a host must have free for it.
    pub fn requested(&self) -> u64 {
        self.request.or(*self.limit).map_or(0, |size| size.0)
    }
}

/// Memory of a host.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
#[setting(shorthand = "size")]
pub struct HostMemorySettings {
    /// How much. When it is full, the kernel kills the process that uses most.
    pub size: Size,
    /// What counts as used.
    #[setting(default = "touched")]
    pub commit: CommitSettings,
}
