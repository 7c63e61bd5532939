//! Faults: what goes wrong, and when. One file a fault, and one row in the table below.
//!
//! The director is a node beside the workloads: its timers strike and lift faults, and what a fault does, it does to the
//! conditions that the engine's verbs consult. No component knows of any.

use settings::{Duration, Name, Path, Problem, Problems, Setting, SignedDuration, Spanned};
use sim_core::random::Stream;
use sim_core::{Answer, CallId, Class, Component, Cx, Figures, Happens, Next, NodeId, Span, Time, Timer};

use crate::network::Directory;
use crate::policies::not_yet::NotYet;

pub mod cpu_steal;
pub mod errors;
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

/// What a kind of fault must offer.
pub trait Fault: Setting {
    /// It, ready to act.
    type Acting: Act;

    /// What is offered for letting it strike by hand, without `at`: `@` stands for what it strikes, and `&` for the other one
    /// of two. `None` where it is not offered.
    const EXAMPLE: Option<&str>;

    /// Finds what it strikes; problems go to the scene.
    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Self::Acting>;

    /// What it does, in words.
    fn words(&self) -> String;

    /// What it strikes: names of components, workloads, hosts, links.
    fn targets(&self) -> Vec<String>;

    /// Whether it is over as soon as it has struck, so that `for` has no meaning.
    fn is_momentary(&self) -> bool {
        false
    }

    /// Whether what it strikes comes back by itself; `is_replaced` tells of a component whether its replicas are replaced.
    fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        let _ = is_replaced;
        false
    }
}

/// A fault that knows what it strikes.
pub trait Act: Clone {
    /// It begins; `number` tells it from others.
    fn strike(&self, cx: &mut Cx<'_>, number: u32);

    /// It ends.
    fn lift(&self, cx: &mut Cx<'_>, number: u32);

    /// What it strikes comes back by itself after so long (a replica that is replaced); `None` if it does not.
    fn recovers_after(&self, draws: &mut Stream) -> Option<Span> {
        let _ = draws;
        None
    }

    /// The mean of that, which is all that is known before it strikes.
    fn recovers_after_mean(&self) -> Option<Span> {
        None
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident => $module:ident,)*) => {
        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum FaultKind {
            $($(#[$doc])* $kind($module::Settings),)*
            /// A replica of a database falls behind.
            ReplicaLag(NotYet),
            /// Partitions change hands.
            Rebalance(NotYet),
            /// The leader of a database dies.
            LeaderFailover(NotYet),
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
                    _ => None,
                }
            }
            /// What it does, in words.
            pub fn words(&self) -> String {
                match self { $(FaultKind::$kind(fault) => fault.words(),)* _ => String::new() }
            }
            /// What it strikes.
            pub fn targets(&self) -> Vec<String> {
                match self { $(FaultKind::$kind(fault) => fault.targets(),)* _ => Vec::new() }
            }
            /// Whether it is over as soon as it has struck.
            pub fn is_momentary(&self) -> bool {
                match self { $(FaultKind::$kind(fault) => fault.is_momentary(),)* _ => false }
            }
            /// Whether what it strikes comes back by itself ([`Fault::comes_back`]).
            pub fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
                match self { $(FaultKind::$kind(fault) => fault.comes_back(is_replaced),)* _ => false }
            }
        }

        impl Acting {
            fn strike(&self, cx: &mut Cx<'_>, number: u32) {
                match self { $(Acting::$kind(fault) => fault.strike(cx, number),)* }
            }
            fn lift(&self, cx: &mut Cx<'_>, number: u32) {
                match self { $(Acting::$kind(fault) => fault.lift(cx, number),)* }
            }
            fn recovers_after(&self, draws: &mut Stream) -> Option<Span> {
                match self { $(Acting::$kind(fault) => fault.recovers_after(draws),)* }
            }
            fn recovers_after_mean(&self) -> Option<Span> {
                match self { $(Acting::$kind(fault) => fault.recovers_after_mean(),)* }
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

/// Where a fault looks for what it strikes.
pub struct Scene<'a> {
    /// Who is who.
    pub directory: &'a Directory,
    /// What is wrong with it.
    pub problems: &'a mut Problems,
    /// Where the fault stands.
    pub span: settings::Span,
    /// Its path.
    pub path: Path,
    /// Its number.
    pub number: u32,
    /// How long it lasts, if it ends.
    pub lasts: Option<Span>,
}

impl Scene<'_> {
    /// Something that cannot be simulated.
    pub fn error(&mut self, code: &'static str, span: settings::Span, message: &str) {
        let path = self.path.clone();
        self.problems.push(Problem::error(code, span, message).path(path));
    }

    /// The number of a component.
    pub fn component(&mut self, name: &Spanned<Name>) -> Option<usize> {
        let found = self.directory.component(name.as_str());
        if found.is_none() {
            let names = self.directory.components.iter().map(|c| c.name.as_str());
            let problem = Problem::unknown_name("component", name.as_str(), name.span, names);
            self.problems.push(problem.path(name.path.clone()));
        }
        found
    }

    /// The nodes of some replicas.
    pub fn nodes(&mut self, name: &Spanned<Name>, replicas: Option<u32>, replica: Option<u32>) -> Option<Vec<NodeId>> {
        let component = self.component(name)?;
        let all = self.directory.nodes_of(component);
        if let Some(one) = replica {
            let Some(node) = all.get(one as usize) else {
                let message = format!("`{}` has {} replicas, counted from 0", name.as_str(), all.len());
                self.error("no_such_replica", name.span, &message);
                return None;
            };
            return Some(vec![*node]);
        }
        if let Some(some) = replicas
            && some as usize > all.len()
        {
            let message = format!("`{}` has only {} replicas", name.as_str(), all.len());
            self.error("no_such_replica", name.span, &message);
            return None;
        }
        Some(all.into_iter().take(replicas.map_or(usize::MAX, |n| n as usize)).collect())
    }
}

/// A fault on the director's list.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it strikes.
    pub at: Time,
    /// When it ends.
    pub until: Option<Time>,
    /// What it does.
    pub acting: Acting,
}

/// A component that breaks and is repaired for ever.
#[derive(Clone, Debug)]
pub struct Breaking {
    /// Its replicas.
    pub nodes: Vec<NodeId>,
    /// How long one works.
    pub mtbf: sim_core::dist::Dist,
    /// How long repairing takes.
    pub mttr: sim_core::dist::Dist,
    /// The draws of each replica.
    pub streams: Vec<Stream>,
}

static REPLICA_FAILED: Happens = Happens { name: "replica_failed", doc: "The replica failed at random (`mtbf`)." };
static REPLICA_REPAIRED: Happens =
    Happens { name: "replica_repaired", doc: "The replica is repaired after a random failure (`mttr`)." };

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

/// Recorded of replicas that fail at random.
pub static HAPPENS_AT_RANDOM: &[&Happens] = &[&REPLICA_FAILED, &REPLICA_REPAIRED];

const STRIKE: u8 = 0;
const LIFT: u8 = 1;
const BREAK: u8 = 2;
const REPAIR: u8 = 3;

/// The node that makes faults happen.
#[derive(Clone, Debug)]
pub struct Director {
    planned: Vec<Planned>,
    /// When what each has struck comes back by itself; `None` before it strikes, and where it does not.
    comes_back: Vec<Option<Time>>,
    breaking: Vec<Breaking>,
    draws: Stream,
}

impl Director {
    /// With its list; the number of a fault is its place there.
    pub fn new(planned: Vec<Planned>, breaking: Vec<Breaking>, seed: u64) -> Director {
        let comes_back = vec![None; planned.len()];
        Director { planned, comes_back, breaking, draws: Stream::named(seed, "faults/recovery") }
    }

    /// Puts a fault on the list while the run goes on.
    pub fn inject(&mut self, cx: &mut Cx<'_>, fault: Planned) {
        let number = self.planned.len() as u64;
        cx.after(fault.at.saturating_sub(cx.now()), Class::First, Timer { what: STRIKE, data: number });
        if let Some(until) = fault.until {
            cx.after(until.saturating_sub(cx.now()), Class::First, Timer { what: LIFT, data: number });
        }
        self.planned.push(fault);
        self.comes_back.push(None);
    }

    /// When what fault `number` strikes comes back by itself: what was drawn when it struck, and the mean of that before.
    /// `None` where it does not, or has an end of its own.
    pub fn comes_back_at(&self, number: usize) -> Option<Time> {
        let fault = self.planned.get(number).filter(|fault| fault.until.is_none())?;
        self.comes_back[number].or_else(|| Some(fault.at + fault.acting.recovers_after_mean()?))
    }

    /// Other settings are in force: what `set` fault number `fault` leaves when it strikes, or ends, is now the change that
    /// was prepared under `change`, and concerns these nodes.
    pub fn revise_set(&mut self, fault: u32, ends: bool, change: u32, nodes: &[NodeId]) {
        if let Some(Planned { acting: Acting::Set(set), .. }) = self.planned.get_mut(fault as usize) {
            set.revise(ends, change, nodes);
        }
    }

    /// How many faults are on the list.
    pub fn count(&self) -> usize {
        self.planned.len()
    }

    fn arm_breaking(&mut self, cx: &mut Cx<'_>, which: usize, replica: usize, what: u8) {
        let breaking = &mut self.breaking[which];
        let dist = if what == BREAK { &breaking.mtbf } else { &breaking.mttr };
        let wait = dist.sample_span(&mut breaking.streams[replica]);
        cx.after(wait, Class::First, Timer { what, data: (which as u64) << 32 | replica as u64 });
    }
}

impl Component for Director {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        for (number, fault) in self.planned.iter().enumerate() {
            cx.after(fault.at - cx.now(), Class::First, Timer { what: STRIKE, data: number as u64 });
            if let Some(until) = fault.until {
                cx.after(until - cx.now(), Class::First, Timer { what: LIFT, data: number as u64 });
            }
        }
        for which in 0..self.breaking.len() {
            for replica in 0..self.breaking[which].nodes.len() {
                self.arm_breaking(cx, which, replica, BREAK);
            }
        }
        Next::WAIT
    }

    fn on_call(&mut self, _cx: &mut Cx<'_>, _call: CallId) -> Next {
        unreachable!("nobody calls the director")
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: Answer) -> Next {
        unreachable!("the director calls nobody")
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let (high, low) = ((timer.data >> 32) as usize, timer.data as u32 as usize);
        match timer.what {
            STRIKE => {
                let fault = self.planned[low].clone();
                fault.acting.strike(cx, low as u32);
                if fault.until.is_none()
                    && let Some(wait) = fault.acting.recovers_after(&mut self.draws)
                {
                    cx.after(wait, Class::First, Timer { what: LIFT, data: low as u64 });
                    self.comes_back[low] = Some(cx.now() + wait);
                }
            }
            LIFT => self.planned[low].acting.clone().lift(cx, low as u32),
            BREAK => {
                kill::take_down(cx, self.breaking[high].nodes[low], &REPLICA_FAILED);
                self.arm_breaking(cx, high, low, REPAIR);
            }
            REPAIR => {
                kill::bring_up(cx, self.breaking[high].nodes[low], &REPLICA_REPAIRED);
                self.arm_breaking(cx, high, low, BREAK);
            }
            what => unreachable!("no timer is set for {what}"),
        }
        Next::WAIT
    }

    fn rebuild(&mut self, _now: Time) {}

    fn begin_measuring(&mut self, _now: Time) {}

    fn figures(&self, _now: Time, _figures: &mut Figures) {}
}
