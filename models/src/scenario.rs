//! A scenario as settings: what the file says, typed, before anything is built.

use std::sync::Arc;

use settings::book::{Body, FieldShape, FieldsShape};
use settings::{
    Book, Cores, Duration, DurationDist, Fraction, Map, Money, Name, Node, Reader, Setting, Shape, Spanned, Value,
};
use sim_core::time::SECOND;
use sim_core::{Carried, Span};

use crate::components::ComponentSettings;
use crate::directory::WORKLOAD_LINK;
use crate::faults::timed::{Timed, timed};
use crate::faults::{EventSettings, FaultSettings};
use crate::link::{LinkSettings, Propagated};
use crate::memory::HostMemorySettings;
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
    /// Chosen from a pilot run.
    Auto,
    /// So long.
    For(Duration),
}

/// A figure that must be known well enough.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PrecisionSettings {
    /// Which one.
    pub metric: Spanned<String>,
    /// Relative half-width of its confidence interval.
    #[setting(default = "5%")]
    pub relative: Fraction,
    /// Confidence level of the interval.
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
    /// Simulated time before measurement begins.
    #[setting(default = "0s")]
    pub warmup: WarmupSettings,
    /// Window length of the time series. Defaults to the smallest of 1 s, 2 s, 5 s, 10 s, 20 s, 50 s, … that gives at most
    /// 2,000 windows.
    pub window: Option<Duration>,
    /// Number of independent runs. Defaults to one for `run` and ten for `compare`, `sweep` and `find`.
    #[setting(range = "1..=1000000")]
    pub replications: Option<u32>,
    /// Adds replications until a figure is known precisely enough. A sweep uses a fixed number instead.
    pub precision: Option<PrecisionSettings>,
}

/// Windows that the time series of a run has at most, unless the scenario sets their length.
const WINDOWS: u64 = 2_000;

/// The smallest of 1, 2, 5, 10, 20, 50, … s that divides a run of this length into at most [`WINDOWS`] windows, ns.
fn default_window(length: Span) -> Span {
    let mut decade = SECOND;
    loop {
        for step in [1, 2, 5] {
            let window = step * decade;
            if length.div_ceil(window) <= WINDOWS {
                return window;
            }
        }
        decade *= 10;
    }
}

/// A region and its round-trip times to others.
#[derive(Clone, Debug, Default, PartialEq, Setting)]
pub struct RegionSettings {
    /// Round-trip times to other regions, in both directions.
    #[setting(default = "{}")]
    pub rtt: Map<Duration>,
}

/// Round-robin scheduling of a host's cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct SchedulerSettings {
    /// Time a task keeps a core while others wait. Default: about Linux' (EEVDF's base slice is 2.8 ms with 8 cores or more).
    #[setting(default = "3ms")]
    pub slice: Duration,
    /// Cost of a context switch, typically 1 to 10 µs.
    #[setting(default = "2us")]
    pub switch: Duration,
}

/// CPU credits: core time that is earned, saved and spent.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct CreditSettings {
    /// Baseline cores of each host. Using fewer earns credits; once the credits are spent, no more cores are used.
    pub rate: Cores,
    /// Maximum credits, in core time.
    pub max: Duration,
    /// Credits at the start. Default: `max`.
    pub start: Option<Duration>,
}

/// A group of equal machines.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct HostSettings {
    /// How many.
    #[setting(default = 1, range = "1..=100000")]
    pub count: u32,
    /// Cores of each host.
    pub cores: Cores,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Price of each, an hour.
    pub cost: Option<Money>,
    /// Memory of each.
    pub memory: Option<HostMemorySettings>,
    /// Open files of each host.
    pub file_descriptors: Option<NotYet>,
    /// Ports for connections that replicas open for a call (`keep_alive: false`), for each callee. Linux has 28,232. Without it they
    /// are not limited.
    #[setting(range = "1..=64512")]
    pub ephemeral_ports: Option<u32>,
    /// Time for which the port of a closed connection is kept (TIME_WAIT). Default: Linux' 60 s.
    pub time_wait: Option<Duration>,
    /// Time slices and context switches. Without it cores are shared fluidly and switching is free.
    pub scheduler: Option<SchedulerSettings>,
    /// CPU credits, as on burstable instances.
    pub credits: Option<CreditSettings>,
    /// Its disks.
    pub io: Option<NotYet>,
}

/// A component breaks and is repaired for ever.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RandomFailures {
    /// Time to failure of a replica.
    pub mtbf: DurationDist,
    /// Time to repair.
    pub mttr: DurationDist,
}

/// A component: the settings of its kind, and those of every kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentEntry {
    /// The kind's settings.
    pub settings: Arc<ComponentSettings>,
    /// Fails and is repaired at random, repeatedly.
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
        let doc = "A component: the settings of its kind, and those of every kind.";
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
                field("random", "Fails and is repaired at random, repeatedly.", random, false, false),
                field("settings", "Its kind and the settings of that kind.", kinds, true, true),
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

/// Objectives.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ObjectiveSettings {
    /// Name.
    pub name: Option<Name>,
    /// The figure.
    pub metric: Spanned<String>,
    /// Upper bound, in the unit of the metric: `300ms`, `1200/s`, `5%`, `10k`.
    pub below: Option<Spanned<String>>,
    /// Lower bound.
    pub above: Option<Spanned<String>>,
    /// Restricts it to a time span: rates and averages are taken over the windows within it; a percentile must hold in
    /// each of them.
    pub during: Option<(settings::SignedDuration, settings::SignedDuration)>,
    /// The metric must recover after a fault or event.
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
    /// Name of the fault or event. If several share it or it repeats, each of them counts.
    pub from: Spanned<Name>,
    /// Recovery time.
    pub within: Duration,
    /// Whether the time counts from its start or its end.
    #[setting(default = "end")]
    pub after: AfterSettings,
    /// Share of the mean before the fault that must be reached again; for an event, before the fault that it follows.
    #[setting(default = "95%")]
    pub to: Fraction,
    /// Time for which it must hold.
    #[setting(default = "10s")]
    pub hold: Duration,
}

/// A whole scenario, after templates, named policies, variants and overrides have been worked in.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Scenario {
    /// Version of the language; always 1.
    #[setting(range = "1..=1")]
    pub version: u32,
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Random seed.
    #[setting(default = 1)]
    pub seed: u64,
    /// Length of the run and how it is measured.
    pub run: RunSettings,
    /// Regions and the round-trip times between them.
    #[setting(default = "{}")]
    pub regions: Map<RegionSettings>,
    /// Host groups.
    #[setting(default = "{}")]
    pub hosts: Map<HostSettings>,
    /// Workloads.
    pub workloads: Map<WorkloadSettings>,
    /// The components.
    #[setting(default = "{}")]
    pub components: Map<ComponentEntry>,
    /// Faults.
    #[setting(default = "[]")]
    pub faults: Vec<Spanned<FaultSettings>>,
    /// Operator actions.
    #[setting(default = "[]")]
    pub events: Vec<Spanned<EventSettings>>,
    /// Objectives.
    #[setting(default = "[]")]
    pub objectives: Vec<ObjectiveSettings>,
    /// Parameters to vary.
    pub sweep: Option<SweepSettings>,
}

/// How points are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum DesignSettings {
    /// Every combination of values.
    Grid,
    /// The n-th values of all axes together.
    Zip,
    /// One at a time, the others as in the scenario.
    #[setting(rename = "one_at_a_time")]
    OneAtATime,
    /// A Latin hypercube: this many points that cover each axis evenly.
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
    /// Metric to draw.
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

/// Parameters to vary.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct SweepSettings {
    /// Path to values: a list, or `{from, to, steps}`; in a Latin hypercube `{from, to}` is enough.
    pub vary: Map<Node, String>,
    /// How points are chosen.
    #[setting(default = "grid")]
    pub design: DesignSettings,
    /// Replications of each point. Defaults to those of `run`, or ten.
    #[setting(range = "1..=1000000")]
    pub replications: Option<u32>,
    /// Metrics to record; `objectives.NAME` is the share of runs in which an objective holds.
    #[setting(default = "[]")]
    pub measure: Vec<Spanned<String>>,
    /// Charts to draw. Chosen automatically by default.
    pub charts: Option<Vec<ChartSettings>>,
    /// Independent random numbers for each point, instead of common ones.
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

    /// How many different keys requests choose from, at most.
    pub fn keys_most(&self) -> u64 {
        let requests = self.workloads.iter().flat_map(|w| &w.value.requests);
        requests.filter_map(|r| r.key.as_ref()).map(|chooser| chooser.0.count()).max().unwrap_or(0)
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
            carried.more_bytes |= link.batch.is_some();
            carried.client |= link.goes_by_client();
            carried.tie |= link.hedge.as_ref().is_some_and(|hedge| hedge.tied);
            carried.deadline |= link.propagate.contains(&Propagated::Deadline);
        });
        carried.client |= self.components.iter().any(|c| c.value.settings.goes_by_client());
        carried.undertaking = self.components.iter().any(|c| c.value.settings.goes_on_after_answers());
        carried.connection = self.components.iter().any(|c| c.value.settings.follows_connections());
        carried
    }

    /// Every time of every fault and event; the place in the list is the number by which the director knows it.
    pub fn timed(&self) -> Vec<Timed<'_>> {
        timed(&self.faults, &self.events)
    }

    /// Columns that the time series has at least, by which what it takes is estimated.
    pub fn columns(&self) -> u64 {
        let links = self.components.iter().map(|entry| entry.value.settings.links().len() as u64).sum::<u64>();
        let (workloads, components) = (self.workloads.len() as u64, self.components.len() as u64);
        5 * workloads + 8 * components + 7 * (workloads + links)
    }

    /// Window length of the time series, ns.
    pub fn window(&self) -> Span {
        let length = self.run.duration.map_or(0, |duration| duration.0).saturating_add(self.warmup());
        self.run.window.map_or_else(|| default_window(length), |window| window.0)
    }

    /// The warm-up in nanoseconds; 0 where it is yet to be found.
    pub fn warmup(&self) -> Span {
        match self.run.warmup {
            WarmupSettings::For(span) => span.0,
            WarmupSettings::Auto => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_have_at_most_two_thousand_windows_of_round_length() {
        let window_s = |length_s: u64| default_window(length_s * SECOND) / SECOND;
        assert_eq!([0, 1, 1_999, 2_000, 2_001, 4_001].map(window_s), [1, 1, 1, 1, 2, 5]);
        assert_eq!([10_001, 86_400, 2_000_000, 2_000_001].map(window_s), [10, 50, 1_000, 2_000]);
        assert!(default_window(sim_core::TIME_MAX) >= sim_core::TIME_MAX / WINDOWS, "the longest run ends too");
    }
}
