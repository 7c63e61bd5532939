//! What a scenario says of a service.

use settings::{Cores, Duration, DurationDist, Map, Name, Setting, Spanned};

use crate::admission::AdmissionSettings;
use crate::hosts::HostsSettings;
use crate::link::LinkSettings;
use crate::policies::not_yet::NotYet;
use crate::runtimes::RuntimeSettings;
use crate::steps::Step;

/// Cores of a replica's own, or its share of its host's.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "request")]
pub struct CpuSettings {
    /// Cores. On `hosts`, the replica's weight when the host's cores are short.
    pub request: Cores,
    /// The most cores that it may use.
    pub limit: Option<NotYet>,
}

/// Application code, in replicas.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// How many replicas run.
    #[setting(default = 1, range = "1..=100000")]
    pub replicas: u32,
    /// The hosts that they run on; without it each replica has its `cpu` for itself.
    pub hosts: Option<HostsSettings>,
    /// Where they are.
    pub region: Option<Spanned<Name>>,
    /// Cores of each replica.
    pub cpu: Option<CpuSettings>,
    /// What handlers run on.
    #[setting(live)]
    pub runtime: RuntimeSettings,
    /// Who is let in.
    #[setting(default = "{}", live)]
    pub admission: AdmissionSettings,
    /// What is done for each operation; `default` for those without a handler of their own.
    pub handlers: Map<Vec<Step>>,
    /// The links to others.
    #[setting(default = "{}")]
    pub calls: Map<LinkSettings>,
    /// How long a replica takes to come up after a restart.
    #[setting(default = "0s")]
    pub start_up: DurationDist,
    /// After how long a replica that was killed is replaced; without it never.
    pub replace_after: Option<Duration>,
    /// Memory of each replica.
    pub memory: Option<NotYet>,
    /// Graceful shutdown.
    pub shutdown: Option<NotYet>,
    /// Garbage collection.
    pub gc: Option<NotYet>,
    /// Scaling by load.
    pub autoscale: Option<NotYet>,
}
