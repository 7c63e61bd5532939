//! A scenario as settings: what the file says, typed, before anything is built.

use std::sync::Arc;

use settings::book::{Body, FieldShape, FieldsShape};
use settings::{
    Book, Cores, Duration, DurationDist, Fraction, Map, Name, Node, Reader, Setting, Shape, Spanned, Value,
};
use sim_core::{Carried, Span};

use crate::components::ComponentSettings;
use crate::directory::WORKLOAD_LINK;
use crate::faults::timed::{Timed, timed};
use crate::faults::{EventSettings, FaultSettings};
use crate::link::{LinkSettings, Propagated};
use crate::policies::not_yet::NotYet;
use crate::workloads::{RequestSettings, WorkloadSettings};

/// When a run of finite work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum UntilSettings {
    /// When nothing is left to happen that anybody waits for: faults that are still to come, failures at random and health
    /// checks do not keep a run going.
    Idle,
}

/// The warm-up: a time, or found by a pilot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(bare = "For")]
pub enum WarmupSettings {
    /// A pilot replication chooses it.
    Auto,
    /// So long.
    For(Duration),
}

/// A figure that must be known well enough.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PrecisionSettings {
    /// Which one.
    pub metric: Spanned<String>,
    /// Half the width of its interval, relative to it.
    #[setting(default = "5%")]
    pub relative: Fraction,
    /// How sure the interval is.
    #[setting(default = "95%")]
    pub confidence: Fraction,
    /// Replications at most.
    #[setting(default = 100, range = "2..=1000000")]
    pub max: u32,
}

/// How long to look, and how often.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RunSettings {
    /// Simulated time after the warm-up.
    pub duration: Option<Duration>,
    /// For finite work: ends when nothing is left to happen. Faults that are still to come, `random` and health checks do not
    /// keep it going, unless calls that are open wait for them. Calls that can never end and messages that
    /// nobody takes are then listed, and the exit code is 3.
    pub until: Option<UntilSettings>,
    /// Simulated time before anything counts.
    #[setting(default = "0s")]
    pub warmup: WarmupSettings,
    /// Width of a window of the time series.
    #[setting(default = "1s")]
    pub window: Duration,
    /// Independent runs; without it one for `run`, ten for `compare`, `sweep` and `find`.
    #[setting(range = "1..=1000000")]
    pub replications: Option<u32>,
    /// Goes on until a figure is known well enough. A sweep makes a fixed number of runs instead.
    pub precision: Option<PrecisionSettings>,
}

/// A region and how far it is from others.
#[derive(Clone, Debug, Default, PartialEq, Setting)]
pub struct RegionSettings {
    /// Round-trip times to other regions; the same both ways.
    #[setting(default = "{}")]
    pub rtt: Map<Duration>,
}

/// A group of equal machines.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct HostSettings {
    /// How many.
    #[setting(default = 1, range = "1..=100000")]
    pub count: u32,
    /// Cores of each.
    pub cores: Cores,
    /// Where they are.
    pub region: Option<Spanned<Name>>,
    /// What each costs.
    pub cost: Option<NotYet>,
    /// Memory of each.
    pub memory: Option<NotYet>,
    /// Open files of each.
    pub file_descriptors: Option<NotYet>,
    /// Outgoing connections of each.
    pub ephemeral_ports: Option<NotYet>,
    /// How its cores switch between tasks.
    pub scheduler: Option<NotYet>,
    /// Its disks.
    pub io: Option<NotYet>,
}

/// A component breaks and is repaired for ever.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RandomFailures {
    /// How long a replica works until it breaks.
    pub mtbf: DurationDist,
    /// How long repairing it takes.
    pub mttr: DurationDist,
}

/// A component: what its kind says, and what every kind can have.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentEntry {
    /// The kind's settings.
    pub settings: Arc<ComponentSettings>,
    /// It breaks and is repaired for ever.
    pub random: Option<RandomFailures>,
}

impl Setting for ComponentEntry {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return ComponentSettings::read(node, cx)
                .map(|settings| ComponentEntry { settings: Arc::new(settings), random: None });
        };
        let random = node.entry("random").map(|entry| cx.read_entry::<RandomFailures>(entry));
        let rest = entries.iter().filter(|e| e.key != "random").cloned().collect();
        let settings = ComponentSettings::read(&Node::new(Value::Map(rest), node.span), cx);
        Some(ComponentEntry {
            settings: Arc::new(settings?),
            random: match random {
                Some(random) => Some(random?),
                None => None,
            },
        })
    }

    fn describe(book: &mut Book) -> Shape {
        let doc = "A component: what its kind says, and what every kind can have.";
        book.define("models::scenario::ComponentEntry", doc, |book| {
            let field = |key, doc, shape, required, flattened| FieldShape {
                key,
                doc,
                shape,
                required,
                default: None,
                range: None,
                live: false,
                example: None,
                flattened,
            };
            let random = RandomFailures::describe(book);
            let kinds = ComponentSettings::describe(book);
            let fields = vec![
                field("random", "It breaks and is repaired for ever.", random, false, false),
                field("settings", "Its kind, and what that kind can be told.", kinds, true, true),
            ];
            Body::Fields(FieldsShape { fields, shorthand: None })
        })
    }

    fn write(&self) -> Node {
        let mut node = self.settings.write();
        if let (Some(random), Value::Map(entries)) = (&self.random, &mut node.value) {
            entries.push(settings::Entry::new("random", random.write()));
        }
        node
    }
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ObjectiveSettings {
    /// Its name.
    pub name: Option<Name>,
    /// The figure.
    pub metric: Spanned<String>,
    /// It must be at most this, in the metric's own unit: `300ms`, `1200/s`, `5%`, `10k`.
    pub below: Option<Spanned<String>>,
    /// It must be at least this.
    pub above: Option<Spanned<String>>,
    /// Only between these instants: rates and averages are taken over the windows within, a percentile must keep the
    /// bound in every one of them.
    pub during: Option<(settings::SignedDuration, settings::SignedDuration)>,
    /// It must come back after a fault or an event.
    pub recovers: Option<RecoversSettings>,
}

/// From when on the time to recover counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum AfterSettings {
    /// From its start.
    Start,
    /// From its end.
    End,
}

/// How a figure must come back after a fault or an event.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RecoversSettings {
    /// The name of the fault or event. Where several have it, or one is repeated, each of them counts.
    pub from: Spanned<Name>,
    /// Time to recover.
    pub within: Duration,
    /// Whether that time counts from its start or its end.
    #[setting(default = "end")]
    pub after: AfterSettings,
    /// Share of the mean before the fault that must be reached again; of an event, before the fault that it follows.
    #[setting(default = "95%")]
    pub to: Fraction,
    /// How long it must hold.
    #[setting(default = "10s")]
    pub hold: Duration,
}

/// A whole scenario, after templates, named policies, variants and overrides have been worked in.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Scenario {
    /// Version of the language; always 1.
    #[setting(range = "1..=1")]
    pub version: u32,
    /// What it is called.
    pub name: Option<String>,
    /// What it shows.
    pub description: Option<String>,
    /// Where all chance begins.
    #[setting(default = 1)]
    pub seed: u64,
    /// How long to look.
    pub run: RunSettings,
    /// Regions and how far they are from each other.
    #[setting(default = "{}")]
    pub regions: Map<RegionSettings>,
    /// Groups of machines.
    #[setting(default = "{}")]
    pub hosts: Map<HostSettings>,
    /// Who sends requests.
    pub workloads: Map<WorkloadSettings>,
    /// What handles them.
    #[setting(default = "{}")]
    pub components: Map<ComponentEntry>,
    /// What goes wrong.
    #[setting(default = "[]")]
    pub faults: Vec<Spanned<FaultSettings>>,
    /// What operators do.
    #[setting(default = "[]")]
    pub events: Vec<Spanned<EventSettings>>,
    /// What must hold.
    #[setting(default = "[]")]
    pub objectives: Vec<ObjectiveSettings>,
    /// What to vary.
    pub sweep: Option<SweepSettings>,
}

/// How points are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum DesignSettings {
    /// Every combination.
    Grid,
    /// The n-th values of all together.
    Zip,
    /// Each alone, the others as written.
    #[setting(rename = "one_at_a_time")]
    OneAtATime,
    /// So many points, each value of each axis about equally often.
    LatinHypercube {
        /// How many.
        points: u32,
    },
}

/// A chart of a sweep.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ChartSettings {
    /// The path along the horizontal axis.
    pub x: Spanned<String>,
    /// The metric that is drawn.
    pub value: Spanned<String>,
    /// The path that tells lines apart, or the vertical axis of a heat map.
    pub group: Option<Spanned<String>>,
    /// How it is drawn.
    #[setting(default = "line")]
    pub kind: ChartKind,
}

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum ChartKind {
    /// Lines with their intervals.
    Line,
    /// A grid of colours.
    Heatmap,
    /// Bars.
    Bars,
}

/// A range of values.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RangeSettings {
    /// The first value.
    pub from: Node,
    /// The last.
    pub to: Node,
    /// How many; a Latin hypercube takes as many as it has points where this is not written.
    #[setting(range = "2..=100000")]
    pub steps: Option<u32>,
    /// At equal ratios instead of equal distances.
    #[setting(default = false)]
    pub log: bool,
}

/// What to vary.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct SweepSettings {
    /// Path to values: a list, or `{from, to, steps}`; in a Latin hypercube `{from, to}` is enough.
    pub vary: Map<Node, String>,
    /// How points are chosen.
    #[setting(default = "grid")]
    pub design: DesignSettings,
    /// Independent runs of each point; without it those of `run`, else ten.
    #[setting(range = "1..=1000000")]
    pub replications: Option<u32>,
    /// Which figures are kept; `objectives.NAME` is the share of runs in which an objective holds.
    #[setting(default = "[]")]
    pub measure: Vec<Spanned<String>>,
    /// Which charts are drawn; sensible ones if not written.
    pub charts: Option<Vec<ChartSettings>>,
    /// Every point under random numbers of its own, instead of common ones.
    #[setting(default = false)]
    pub independent: bool,
}

impl Scenario {
    /// Digests of the recorded requests that workloads replay, in order: what a scenario as it is written leaves out.
    pub fn recorded(&self) -> Vec<u64> {
        self.workloads.iter().filter_map(|w| w.value.arrivals.process.trace()).map(|trace| trace.digest()).collect()
    }

    /// The links: caller, whether that is a workload, the link's name, its settings.
    pub fn each_link<'a>(&'a self, mut visit: impl FnMut(&'a str, bool, &'a str, &'a LinkSettings)) {
        for entry in &self.workloads {
            visit(entry.name.as_str(), true, WORKLOAD_LINK, &entry.value.call);
        }
        for entry in &self.components {
            for (link, settings) in entry.value.settings.links() {
                visit(entry.name.as_str(), false, link, settings);
            }
        }
    }

    /// Whether some requests say which data they are about.
    pub fn has_keys(&self) -> bool {
        let of_workloads = self.workloads.iter().any(|w| {
            w.value.requests.iter().any(|r| r.key.is_some())
                || w.value.arrivals.process.trace().is_some_and(|trace| trace.columns.key_column.is_some())
        });
        of_workloads || self.components.iter().any(|c| c.value.settings.gives_keys())
    }

    /// Whether some client sends more than one request.
    pub fn has_clients(&self) -> bool {
        self.workloads.iter().any(|w| {
            let process = &w.value.arrivals.process;
            w.value.clients.is_some() || process.think().is_some() || process.session_length().is_some()
        })
    }

    /// What travels along calls beside what is asked for and how important it is: only what something in the scenario
    /// gives them.
    pub fn carried(&self) -> Carried {
        let demand = self.workloads.iter().any(|w| w.value.requests.iter().any(RequestSettings::has_demand));
        let mut carried = Carried { data_key: self.has_keys(), demand, ..Carried::default() };
        self.each_link(|_, _, _, link| {
            carried.items |= link.batch.is_some();
            carried.client |= link.goes_by_client();
            carried.deadline |= link.propagate.contains(&Propagated::Deadline);
        });
        carried.connection = self.components.iter().any(|c| c.value.settings.follows_connections());
        carried
    }

    /// Every time of every fault and event; the place in the list is the number by which the director knows it.
    pub fn timed(&self) -> Vec<Timed<'_>> {
        timed(&self.faults, &self.events)
    }

    /// The warm-up in nanoseconds; 0 where it is yet to be found.
    pub fn warmup(&self) -> Span {
        match self.run.warmup {
            WarmupSettings::For(span) => span.0,
            WarmupSettings::Auto => 0,
        }
    }
}
