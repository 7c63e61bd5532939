//! Autoscaling: how many replicas a component is to have, by what is measured of it.

pub mod hpa;

use settings::{Duration, Setting};

use crate::policies::not_yet::NotYet;
use hpa::HpaSettings;

/// How many replicas there are to be.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct AutoscaleSettings {
    /// Fewest replicas.
    #[setting(default = 1, range = "1..=100000")]
    pub min: u32,
    /// Most replicas.
    #[setting(range = "1..=100000")]
    pub max: u32,
    /// Kubernetes' Horizontal Pod Autoscaler.
    pub hpa: Option<HpaSettings>,
    /// At certain times, whatever the load.
    pub schedule: Option<Vec<ScheduledSettings>>,
    /// AWS' target tracking.
    pub target_tracking: Option<NotYet>,
    /// AWS' step scaling.
    pub step: Option<NotYet>,
    /// KEDA: by what waits in a queue, down to none.
    pub keda: Option<NotYet>,
}

/// A number of replicas from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct ScheduledSettings {
    /// The instant.
    pub at: Duration,
    /// How many.
    #[setting(range = "1..=100000")]
    pub replicas: u32,
}

impl AutoscaleSettings {
    /// What is wrong with it: code, key, message and a way out.
    pub fn flaws(&self, replicas: u32) -> Vec<(&'static str, &'static str, String, &'static str)> {
        let mut flaws = Vec::new();
        if self.min > self.max {
            let message = format!("`min` {} is larger than `max` {}", self.min, self.max);
            flaws.push(("contradiction", "min", message, "write a smaller `min`"));
        }
        if !(self.min..=self.max).contains(&replicas) && self.min <= self.max {
            let message = format!("`replicas` {replicas} is not between `min` {} and `max` {}", self.min, self.max);
            flaws.push(("contradiction", "max", message, "`replicas` is the initial number"));
        }
        match (&self.hpa, &self.schedule) {
            (None, None) => {
                let message = "nothing says when to scale".to_string();
                flaws.push(("missing_key", "max", message, "add `hpa: {metrics: [{cpu: 70%}]}` or a `schedule`"));
            }
            (Some(_), Some(_)) => {
                let message = "`hpa` and `schedule` both say how many replicas there are to be".to_string();
                flaws.push(("contradiction", "schedule", message, "remove one of them"));
            }
            (Some(hpa), None) if hpa.metrics.is_empty() => {
                let message = "`metrics` is empty".to_string();
                flaws.push(("missing_key", "hpa.metrics", message, "add `{cpu: 70%}`"));
            }
            (Some(hpa), None) if hpa.metrics.iter().any(|metric| metric.metric().is_none()) => {
                let message = "a metric is either `cpu`, or `per_replica` with its `target`".to_string();
                flaws.push((
                    "contradiction",
                    "hpa.metrics",
                    message,
                    "write `{cpu: 70%}` or `{per_replica: arrivals, target: 100/s}`",
                ));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        flaws
    }

    /// Whether it goes by how busy processors are.
    pub fn goes_by_cpu(&self) -> bool {
        self.hpa.as_ref().is_some_and(|hpa| hpa.metrics.iter().any(|metric| metric.cpu.is_some()))
    }
}
