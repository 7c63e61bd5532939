//! Probes of a process by whoever runs it, as Kubernetes' kubelet makes them: is it up, may it be called, does it still do anything?

use settings::{Duration, Name, Setting, Spanned};
use sim_core::Span;

/// Probes of a replica at intervals. They begin when its process has come up (`start_up`), and cross no network.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ProbeSettings {
    /// Operation that a probe calls: a call like any other, that waits for a worker and takes it. Without it, a probe asks whether the process is
    /// there: it fails where that is dead, or stands still for longer than `timeout`.
    pub op: Option<Spanned<Name>>,
    /// Interval between probes. Kubernetes' default (`periodSeconds`).
    #[setting(default = "10s", range = ">0s")]
    pub period: Duration,
    /// Time after which a probe without an answer has failed. Kubernetes' default (`timeoutSeconds`).
    #[setting(default = "1s", range = ">0s")]
    pub timeout: Duration,
    /// Failures in a row that count. Kubernetes' default (`failureThreshold`).
    #[setting(default = 3, range = "1..=1000")]
    pub failures: u32,
    /// Successes in a row that count after a failure. Kubernetes' default (`successThreshold`).
    #[setting(default = 1, range = "1..=1000")]
    pub successes: u32,
    /// Time from when the process has come up until the first probe. Kubernetes' default (`initialDelaySeconds`).
    #[setting(default = "0s")]
    pub initial_delay: Duration,
}

/// The three sorts of probes.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ProbesSettings {
    /// Until it succeeds, there are no other probes; when it fails, the process is started again.
    pub startup: Option<ProbeSettings>,
    /// While it fails, choosers are told not to call the replica, each after its `discovery`. A new replica is ready once it succeeds.
    pub readiness: Option<ProbeSettings>,
    /// When it fails, the process is told to end, as `shutdown` says, and started again (`restart`, by default Kubernetes' back-off).
    pub liveness: Option<ProbeSettings>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Has it come up?
    Startup,
    /// May it be called?
    Readiness,
    /// Does it still do anything?
    Liveness,
}

impl Sort {
    /// All of them.
    pub const ALL: [Sort; 3] = [Sort::Startup, Sort::Readiness, Sort::Liveness];
}

impl ProbesSettings {
    /// One of them.
    pub fn of(&self, sort: Sort) -> Option<&ProbeSettings> {
        match sort {
            Sort::Startup => self.startup.as_ref(),
            Sort::Readiness => self.readiness.as_ref(),
            Sort::Liveness => self.liveness.as_ref(),
        }
    }

    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = (Sort, &ProbeSettings)> {
        Sort::ALL.into_iter().filter_map(|sort| Some((sort, self.of(sort)?)))
    }
}

/// A probe, as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The operation that it calls, by number.
    pub op: Option<u16>,
    /// Interval.
    pub period: Span,
    /// When it has failed.
    pub timeout: Span,
    /// When the first one is made.
    pub initial_delay: Span,
    /// Failures in a row that count.
    pub failures: u32,
    /// Successes in a row that count.
    pub successes: u32,
}

impl Probe {
    /// With the number of its operation.
    pub fn new(settings: &ProbeSettings, op: Option<u16>) -> Probe {
        Probe {
            op,
            period: settings.period.0,
            timeout: settings.timeout.0,
            initial_delay: settings.initial_delay.0,
            failures: settings.failures,
            successes: settings.successes,
        }
    }
}

/// What a sort of probe has found out about a process so far: as the kubelet counts (`pkg/kubelet/prober/worker.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    value: Option<bool>,
    last: Option<bool>,
    in_a_row: u32,
}

impl Found {
    /// It is taken to be well, or not, or neither, until probes say something else.
    pub fn new(value: Option<bool>) -> Found {
        Found { value, last: None, in_a_row: 0 }
    }

    /// Whether it is well.
    pub fn is_well(&self) -> bool {
        self.value == Some(true)
    }

    /// A probe has succeeded, or failed: what is known from now on, where that is something else.
    pub fn note(&mut self, probe: &Probe, succeeded: bool) -> Option<bool> {
        self.in_a_row = if self.last == Some(succeeded) { self.in_a_row + 1 } else { 1 };
        self.last = Some(succeeded);
        let enough = if succeeded { probe.successes } else { probe.failures };
        if self.in_a_row < enough || self.value == Some(succeeded) {
            return None;
        }
        self.value = Some(succeeded);
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_row_count() {
        let settings: ProbeSettings = settings::notation::read("{failures: 3, successes: 2}").expect("settings");
        let probe = Probe::new(&settings, None);
        let mut found = Found::new(Some(true));
        // Two failures and a success are nothing; three failures are; then two successes.
        let course = [false, false, true, false, false, false, true, false, true, true];
        let changes: Vec<Option<bool>> = course.into_iter().map(|succeeded| found.note(&probe, succeeded)).collect();
        let (bad, good) = (Some(false), Some(true));
        assert_eq!(changes, [None, None, None, None, None, bad, None, None, None, good]);
        assert!(found.is_well());
        // Of what has just been started nothing is known: it can fail before it was ever well.
        let mut starting = Found::new(None);
        assert_eq!([0; 3].map(|_| starting.note(&probe, false)), [None, None, bad]);
    }

    #[test]
    fn defaults_are_those_of_kubernetes() {
        let settings: ProbeSettings = settings::notation::read("{}").expect("settings");
        let probe = Probe::new(&settings, None);
        let second = 1_000_000_000;
        assert_eq!((probe.period, probe.timeout, probe.initial_delay), (10 * second, second, 0));
        assert_eq!((probe.failures, probe.successes), (3, 1));
    }
}
