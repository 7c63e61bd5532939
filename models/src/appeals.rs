//! What nodes ask the director for, since they cannot do it to themselves or to others: by number, for
//! [`sim_core::Cx::ask_supervisor`].

use sim_core::Happens;

/// The process dies, and comes up again as the settings of its component say. With [`OF_MEMORY`] it is killed by the kernel.
pub const DIES: u8 = 0;

/// Killed for the memory that it uses, which is not recorded yet.
pub const OF_MEMORY: u64 = 1;

/// Its work stands still for so many nanoseconds.
pub const STANDS_STILL: u8 = 1;

/// The process dies through a fault, and does not come up before [`RETURNS`].
pub const FAILS: u8 = 2;

/// What a process died of by [`FAILS`] is over.
pub const RETURNS: u8 = 3;

/// Recorded of a process that is killed for its memory.
pub static OOM_KILLED: Happens = Happens {
    name: "oom_killed",
    doc: "The process was killed for using more memory than its limit or its host allows.",
};
