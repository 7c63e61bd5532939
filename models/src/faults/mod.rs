//! Faults: what goes wrong, and when; events: what operators do. One file each, and one row in the table below, which says
//! whether it is a fault, an event or both.
//!
//! The director is a node beside the workloads: its timers strike and lift faults, and what a fault does, it does to the
//! conditions that the engine's verbs consult. No component knows of any.

use settings::{Duration, Name, Setting, SignedDuration};
use sim_core::{Cx, Happens, NodeId, Span};

use crate::policies::not_yet::NotYet;
use fault::{Act, Aftermath, Fault, KeptBehind, Scene, Staffing, Staffs, Toll, Whom};

pub mod cpu_steal;
pub mod deploy;
pub mod discard;
pub mod errors;
pub mod fault;
pub mod flush;
pub mod host_down;
pub mod kill;
pub mod leader_failover;
pub mod network;
pub mod partition;
pub mod pause;
pub mod redrive;
pub mod replica_lag;
pub mod restart;
pub mod scale;
pub mod set;
pub mod slow;
pub mod surge;
pub mod timed;
pub mod warm;
pub mod zone_down;

macro_rules! in_time {
    (
        faults: $($(#[$fault_doc:meta])* $fault:ident => $fault_module:ident,)*
        ; faults and events: $($(#[$both_doc:meta])* $both:ident => $both_module:ident,)*
        ; events: $($(#[$event_doc:meta])* $event:ident => $event_module:ident,)*
        ; faults not yet: $($(#[$missing_fault_doc:meta])* $missing_fault:ident,)*
        ; events not yet: $($(#[$missing_event_doc:meta])* $missing_event:ident,)*
    ) => {
        /// Faults.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum FaultKind {
            $($(#[$fault_doc])* $fault($fault_module::Settings),)*
            $($(#[$both_doc])* $both($both_module::Settings),)*
            $($(#[$missing_fault_doc])* $missing_fault(NotYet),)*
        }

        /// Operator actions.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum EventKind {
            $($(#[$both_doc])* $both($both_module::Settings),)*
            $($(#[$event_doc])* $event($event_module::Settings),)*
            $($(#[$missing_event_doc])* $missing_event(NotYet),)*
        }

        /// What a fault or an event does.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug)]
        pub enum What<'a> {
            $($fault(&'a $fault_module::Settings),)*
            $($both(&'a $both_module::Settings),)*
            $($event(&'a $event_module::Settings),)*
        }

        /// A fault or an event that knows what it strikes.
        #[allow(missing_docs)]
        #[derive(Clone, Debug)]
        pub enum Acting {
            $($fault(<$fault_module::Settings as Fault>::Acting),)*
            $($both(<$both_module::Settings as Fault>::Acting),)*
            $($event(<$event_module::Settings as Fault>::Acting),)*
        }

        macro_rules! each_what {
            ($found:expr, $one:ident => $result:expr) => {
                match $found {
                    $(What::$fault($one) => $result,)*
                    $(What::$both($one) => $result,)*
                    $(What::$event($one) => $result,)*
                }
            };
        }

        macro_rules! each_acting {
            ($found:expr, $one:ident => $result:expr) => {
                match $found {
                    $(Acting::$fault($one) => $result,)*
                    $(Acting::$both($one) => $result,)*
                    $(Acting::$event($one) => $result,)*
                }
            };
        }

        impl FaultKind {
            /// What is offered for letting each strike by hand, in the order of the table ([`Fault::EXAMPLE`]).
            pub fn examples() -> impl Iterator<Item = &'static str> {
                let faults = [$(<$fault_module::Settings as Fault>::EXAMPLE),*];
                let both = [$(<$both_module::Settings as Fault>::EXAMPLE),*];
                faults.into_iter().chain(both).flatten()
            }
            /// What it does.
            pub fn what(&self) -> What<'_> {
                match self {
                    $(FaultKind::$fault(settings) => What::$fault(settings),)*
                    $(FaultKind::$both(settings) => What::$both(settings),)*
                    $(FaultKind::$missing_fault(never) => match *never {},)*
                }
            }
        }

        impl EventKind {
            /// What it does.
            pub fn what(&self) -> What<'_> {
                match self {
                    $(EventKind::$both(settings) => What::$both(settings),)*
                    $(EventKind::$event(settings) => What::$event(settings),)*
                    $(EventKind::$missing_event(never) => match *never {},)*
                }
            }
        }

        impl What<'_> {
            /// Finds what it strikes.
            pub fn resolve(self, scene: &mut Scene<'_>) -> Option<Acting> {
                match self {
                    $(What::$fault(settings) => settings.resolve(scene).map(Acting::$fault),)*
                    $(What::$both(settings) => settings.resolve(scene).map(Acting::$both),)*
                    $(What::$event(settings) => settings.resolve(scene).map(Acting::$event),)*
                }
            }
        }
    };
}

in_time! {
    faults:
    /// A component slows down.
    Slow => slow,
    /// A share of the calls to a component fails.
    Errors => errors,
    /// Replicas are killed.
    Kill => kill,
    /// Replicas are restarted.
    Restart => restart,
    /// A host fails with everything on it.
    HostDown => host_down,
    /// A whole region fails.
    ZoneDown => zone_down,
    /// A network partition between two parties.
    Partition => partition,
    /// A link becomes slow or lossy.
    Network => network,
    /// A component stops working for a while.
    Pause => pause,
    /// Another tenant takes a share of the cores.
    CpuSteal => cpu_steal,
    /// The load rises.
    Surge => surge,
    /// Followers of a database fall behind.
    ReplicaLag => replica_lag,
    /// The leader of a database dies.
    LeaderFailover => leader_failover,
    ; faults and events:
    /// A cache loses everything, or a share.
    Flush => flush,
    /// Changes settings during the run: each path with its new value, as in `{components.db.connections: 10}`. Reference pages
    /// mark the settings that may change.
    Set => set,
    ; events:
    /// Moves messages from one queue to another.
    Redrive => redrive,
    /// Purges a queue.
    Discard => discard,
    /// A cache is filled.
    Warm => warm,
    /// The number of replicas changes.
    Scale => scale,
    /// All replicas are replaced by new ones, some at a time.
    Deploy => deploy,
    ; faults not yet:
    /// Partitions change hands.
    Rebalance,
    ; events not yet:
}

impl<'a> What<'a> {
    /// What it does, in words.
    pub fn words(self) -> String {
        each_what!(self, one => one.words())
    }

    /// What it strikes.
    pub fn targets(self) -> Vec<String> {
        each_what!(self, one => one.targets())
    }

    /// Who dies of it, of the replicas of those that it strikes.
    pub fn kills(self) -> Toll {
        each_what!(self, one => one.kills())
    }

    /// Whether calls that come to what it strikes wait until it ends.
    pub fn keeps_calls_waiting(self) -> bool {
        each_what!(self, one => one.keeps_calls_waiting())
    }

    /// What it keeps from reaching copies of data in time.
    pub fn keeps_behind(self) -> Option<KeptBehind<'a>> {
        each_what!(self, one => one.keeps_behind())
    }

    /// Whether nobody answers for what it strikes ([`Fault::silences`]).
    pub fn silences(self) -> bool {
        each_what!(self, one => one.silences())
    }

    /// Whether it is over as soon as it has struck.
    pub fn is_momentary(self) -> bool {
        each_what!(self, one => one.is_momentary())
    }

    /// Whether it changes the system for good where it has no end ([`Fault::is_a_change`]).
    pub fn is_a_change(self) -> bool {
        each_what!(self, one => one.is_a_change())
    }

    /// What must be laid out for the replicas that come for it ([`Fault::staffs`]).
    pub fn staffs(self) -> Option<Staffs<'a>> {
        each_what!(self, one => one.staffs())
    }

    /// Whether what it strikes comes back by itself ([`Fault::comes_back`]).
    pub fn comes_back(self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        each_what!(self, one => one.comes_back(is_replaced))
    }
}

impl Acting {
    /// It begins; `number` tells it from others.
    pub fn strike(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
        each_acting!(self, one => one.strike(cx, number, struck));
    }

    /// It ends.
    pub fn lift(&self, cx: &mut Cx<'_>, number: u32, struck: &[NodeId]) {
        each_acting!(self, one => one.lift(cx, number, struck));
    }

    /// It goes on ([`Act::go_on`]).
    pub fn go_on(&self, cx: &mut Cx<'_>) -> Option<Span> {
        each_acting!(self, one => one.go_on(cx))
    }

    /// Which replicas it strikes, where these show when it does.
    pub fn whom(&self) -> Option<&Whom> {
        each_acting!(self, one => one.whom())
    }

    /// What becomes of those, where it has no end of its own.
    pub fn aftermath(&self) -> Aftermath<'_> {
        each_acting!(self, one => one.aftermath())
    }

    /// What it changes about who is there ([`Act::staffing`]).
    pub fn staffing(&self) -> Option<&Staffing> {
        each_acting!(self, one => one.staffing())
    }

    /// Other settings are in force than when it was planned ([`Act::revise`]).
    pub fn revise(&mut self, ends: bool, change: u32, nodes: &[NodeId]) {
        each_acting!(self, one => one.revise(ends, change, nodes));
    }
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct FaultSettings {
    /// Name, for objectives and charts.
    pub name: Option<Name>,
    /// Time of the fault.
    pub at: SignedDuration,
    /// Duration. Without it, it lasts to the end of the run.
    pub r#for: Option<Duration>,
    /// Interval between repetitions, with `times`.
    pub every: Option<Duration>,
    /// Number of repetitions, with `every`.
    #[setting(range = "2..=1000")]
    pub times: Option<u32>,
    /// A remark, shown wherever the fault is listed.
    pub note: Option<String>,
    /// What it does.
    #[setting(flatten)]
    pub what: FaultKind,
}

/// An operator action and its time.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct EventSettings {
    /// Name, for objectives and charts.
    pub name: Option<Name>,
    /// Time of the event.
    pub at: SignedDuration,
    /// Time after which it is undone. Permanent without it.
    pub r#for: Option<Duration>,
    /// Interval between repetitions, with `times`.
    pub every: Option<Duration>,
    /// Number of repetitions, with `every`.
    #[setting(range = "2..=1000")]
    pub times: Option<u32>,
    /// A remark, shown wherever the event is listed.
    pub note: Option<String>,
    /// What is done.
    #[setting(flatten)]
    pub what: EventKind,
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
