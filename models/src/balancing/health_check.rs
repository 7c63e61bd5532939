//! How a chooser finds out which of its targets are well. Without it, it knows nothing: it calls the dead as it does the others.

use settings::book::{Json, ScalarShape};
use settings::values::Scalar;
use settings::{Book, Duration, Node, Reader, Setting, Shape, Value};

use super::probing::{Schedule, Timetable};
use crate::policies::flaw::Flaw;
use crate::policies::not_yet::NotYet;
use crate::policies::presets::{OrPreset, Preset, Presets};

/// How a balancer or a link finds out.
pub type HealthCheckSettings = OrInstant<OrPreset<ProbeSettings>>;

/// Probes of every target at intervals, by each chooser for itself. A probe asks the process whether it is there. It is not a call, is
/// not counted as an arrival and takes no worker.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ProbeSettings {
    /// Interval between probes of a target. Each chooser probes each target at instants of its own.
    #[setting(range = ">0s")]
    pub interval: Duration,
    /// Time after which a probe without an answer has failed. A refused connection fails at once.
    #[setting(range = ">0s")]
    pub timeout: Duration,
    /// Consecutive failed probes before a target is marked unhealthy.
    #[setting(range = "1..=1000")]
    pub failures: u32,
    /// Consecutive successful probes before a target is marked healthy again.
    #[setting(range = "1..=1000")]
    pub successes: u32,
    /// What `interval` counts from: the start of the previous probe, or its result.
    #[setting(default = "fixed")]
    pub schedule: Schedule,
    /// Operation that a probe calls.
    pub op: Option<NotYet>,
}

impl Presets for ProbeSettings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "haproxy",
            doc: "HAProxy (`inter`, `fall`, `rise`): every 2 s, three failures, two successes. Without `timeout check`, a probe has as long as `inter`.",
            settings: "{interval: 2s, timeout: 2s, failures: 3, successes: 2, schedule: fixed}",
        },
        Preset {
            word: "alb",
            doc: "AWS Application Load Balancer: every 30 s, timeout 5 s, two failures, five successes.",
            settings: "{interval: 30s, timeout: 5s, failures: 2, successes: 5, schedule: fixed}",
        },
        Preset {
            word: "nginx_plus",
            doc: "NGINX Plus (`health_check`): 5 s after the previous probe, one failure, one success. Probes have the timeouts of `proxy_pass`, 60 s.",
            settings: "{interval: 5s, timeout: 60s, failures: 1, successes: 1, schedule: after_completion}",
        },
        Preset {
            word: "envoy",
            doc: "Envoy's schedule. `interval`, `timeout`, `failures` (`unhealthy_threshold`) and `successes` (`healthy_threshold`) have no defaults there and must be written.",
            settings: "{schedule: after_completion}",
        },
    ];
}

impl ProbeSettings {
    /// How a checker goes about it.
    pub fn timetable(&self) -> Timetable {
        Timetable {
            interval: self.interval.0,
            timeout: self.timeout.0,
            failures: self.failures,
            successes: self.successes,
            schedule: self.schedule,
        }
    }

    /// What is wrong with the settings as a whole.
    pub fn flaws(&self) -> Vec<Flaw> {
        let is_late = self.schedule == Schedule::Fixed && self.timeout > self.interval;
        let flaw = || Flaw {
            code: "contradiction",
            key: "timeout".to_string(),
            message: format!(
                "`timeout` {} is longer than `interval` {}: the next probe would be sent before this one has ended",
                self.timeout.format(),
                self.interval.format()
            ),
            help: "write a shorter `timeout`, or `schedule: after_completion`".to_string(),
        };
        is_late.then(flaw).into_iter().collect()
    }
}

impl HealthCheckSettings {
    /// What is wrong with the settings as a whole.
    pub fn flaws(&self) -> Vec<Flaw> {
        self.found_out().map_or_else(Vec::new, |probes| probes.flaws())
    }
}

/// Settings, or `instant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrInstant<T> {
    /// It is known at once.
    Instant,
    /// It is found out in this way.
    FoundOut(T),
}

const WORD: &str = "instant";

const INSTANT: ScalarShape = ScalarShape {
    name: "known at once",
    article: "`instant`",
    examples: &[WORD],
    pattern: Some("^instant$"),
    json: &[Json::Pattern],
};

impl<T> OrInstant<T> {
    /// Whether it is known at once.
    pub fn is_instant(&self) -> bool {
        self.found_out().is_none()
    }

    /// The settings, where it is not known at once.
    pub fn found_out(&self) -> Option<&T> {
        match self {
            OrInstant::Instant => None,
            OrInstant::FoundOut(settings) => Some(settings),
        }
    }
}

impl<T: Setting> Setting for OrInstant<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text == WORD => Some(OrInstant::Instant),
            _ => T::read(node, cx).map(OrInstant::FoundOut),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        match T::describe(book) {
            Shape::NotYet => Shape::Scalar(&INSTANT),
            Shape::AnyOf(mut shapes) => {
                shapes.push(Shape::Scalar(&INSTANT));
                Shape::AnyOf(shapes)
            }
            settings => Shape::AnyOf(vec![settings, Shape::Scalar(&INSTANT)]),
        }
    }

    fn write(&self) -> Node {
        self.found_out().map_or_else(|| Node::scalar(WORD), T::write)
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}
