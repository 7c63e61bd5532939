//! Faults: what goes wrong, and when. One file a fault, and one row in the table below.
//!
//! The director is a node beside the workloads: its timers strike and lift faults, and what a fault does, it does to the
//! conditions that the engine's verbs consult. No component knows of any.

use settings::{Duration, Name, Setting, SignedDuration};
use sim_core::{Cx, Happens, NodeId};

use crate::policies::not_yet::NotYet;
use fault::{Act, Aftermath, Fault, Scene, Toll, Whom};

pub mod cpu_steal;
pub mod errors;
pub mod fault;
pub mod flush;
pub mod host_down;
pub mod kill;
pub mod network;
pub mod partition;
pub mod pause;
pub mod restart;
pub mod set;
pub mod slow;
pub mod surge;
pub mod zone_down;

macro_rules! faults {
    (
        $($(#[$doc:meta])* $kind:ident => $module:ident,)*
        ; not yet: $($(#[$missing_doc:meta])* $missing:ident,)*
    ) => {
        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum FaultKind {
            $($(#[$doc])* $kind($module::Settings),)*
            $($(#[$missing_doc])* $missing(NotYet),)*
        }

        macro_rules! each_fault {
            ($found:expr, $fault:ident => $result:expr) => {
                match $found {
                    $(FaultKind::$kind($fault) => $result,)*
                    $(FaultKind::$missing(never) => match *never {},)*
                }
            };
        }

        /// A fault that knows what it strikes.
        #[allow(missing_docs)]
        #[derive(Clone, Debug)]
        pub enum Acting {
            $($kind(<$module::Settings as Fault>::Acting),)*
        }

        impl FaultKind {
            /// What is offered for letting each strike by hand, in the order of the table ([`Fault::EXAMPLE`]).
            pub fn examples() -> impl Iterator<Item = &'static str> {
                [$(<$module::Settings as Fault>::EXAMPLE),*].into_iter().flatten()
            }
            /// Finds what it strikes.
            pub fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
                match self {
                    $(FaultKind::$kind(fault) => fault.resolve(scene).map(Acting::$kind),)*
                    $(FaultKind::$missing(never) => match *never {},)*
                }
            }
            /// What it does, in words.
            pub fn words(&self) -> String {
                each_fault!(self, fault => fault.words())
            }
            /// What it strikes.
            pub fn targets(&self) -> Vec<String> {
                each_fault!(self, fault => fault.targets())
            }
            /// Who dies of it, of the replicas of those that it strikes.
            pub fn kills(&self) -> Toll {
                each_fault!(self, fault => fault.kills())
            }
            /// Whether calls that come to what it strikes wait until it ends.
            pub fn keeps_calls_waiting(&self) -> bool {
                each_fault!(self, fault => fault.keeps_calls_waiting())
            }

            /// Whether nobody answers for what it strikes ([`Fault::silences`]).
            pub fn silences(&self) -> bool {
                each_fault!(self, fault => fault.silences())
            }
            /// Whether it is over as soon as it has struck.
            pub fn is_momentary(&self) -> bool {
                each_fault!(self, fault => fault.is_momentary())
            }
            /// Whether what it strikes comes back by itself ([`Fault::comes_back`]).
            pub fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
                each_fault!(self, fault => fault.comes_back(is_replaced))
            }
        }

        impl Acting {
            /// It begins; `number` tells it from others.
            pub fn strike(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
                match self { $(Acting::$kind(fault) => fault.strike(cx, number, struck),)* }
            }
            /// It ends.
            pub fn lift(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
                match self { $(Acting::$kind(fault) => fault.lift(cx, number, struck),)* }
            }
            /// Which replicas it strikes, where these show when it does.
            pub fn whom(&self) -> Option<&Whom> {
                match self { $(Acting::$kind(fault) => fault.whom(),)* }
            }
            /// What becomes of those, where it has no end of its own.
            pub fn aftermath(&self) -> Aftermath<'_> {
                match self { $(Acting::$kind(fault) => fault.aftermath(),)* }
            }
            /// Other settings are in force than when it was planned ([`Act::revise`]).
            pub fn revise(&mut self, ends: bool, change: u32, nodes: &[NodeId]) {
                match self { $(Acting::$kind(fault) => fault.revise(ends, change, nodes),)* }
            }
        }
    };
}

faults! {
    /// A component works more slowly.
    Slow => slow,
    /// A share of the calls to a component fails.
    Errors => errors,
    /// Replicas die.
    Kill => kill,
    /// Replicas die and come up again.
    Restart => restart,
    /// A host dies, and all that runs on it.
    HostDown => host_down,
    /// All that is in a region dies.
    ZoneDown => zone_down,
    /// Nothing gets through between two.
    Partition => partition,
    /// A link becomes slow or lossy.
    Network => network,
    /// A component's work stands still.
    Pause => pause,
    /// Somebody else uses a share of the cores.
    CpuSteal => cpu_steal,
    /// More requests are sent.
    Surge => surge,
    /// Settings change.
    Set => set,
    /// A cache loses everything.
    Flush => flush,
    ; not yet:
    /// A replica of a database falls behind.
    ReplicaLag,
    /// Partitions change hands.
    Rebalance,
    /// The leader of a database dies.
    LeaderFailover,
}

/// What goes wrong, and when.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct FaultSettings {
    /// What it is called, for objectives and charts.
    pub name: Option<Name>,
    /// When it strikes.
    pub at: SignedDuration,
    /// How long it lasts; without it for ever.
    pub r#for: Option<Duration>,
    /// What it does.
    #[setting(flatten)]
    pub what: FaultKind,
}

/// Recorded of the replicas that faults of the scenario hit.
pub static HAPPENS: &[&Happens] = &[
    &kill::REPLICA_KILLED,
    &kill::REPLICA_STARTED,
    &kill::REPLICA_REPLACED,
    &restart::REPLICA_RESTARTING,
    &host_down::HOST_DOWN,
    &host_down::HOST_UP,
    &zone_down::ZONE_DOWN,
    &zone_down::ZONE_UP,
    &pause::REPLICA_PAUSED,
    &pause::REPLICA_RESUMED,
];
