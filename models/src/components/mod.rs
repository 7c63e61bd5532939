//! The kinds of components: one file each, and one row in the table below.
//!
//! From the table come the settings as a choice by `kind`, the type of a network's nodes with its static dispatch
//! ([`crate::network::Node`]), the reference pages, and the tests that walk all rows. What a kind must offer is
//! [`kind::Kind`]; a kind imports that and never this table, so that it cannot know of another.

use settings::book::Body;
use settings::{Book, Money, Name, Setting, Shape, Spanned};
use sim_core::dist::Dist;
use sim_core::figures::Set;
use sim_core::{Happens, Span};

use crate::autoscale::AutoscaleSettings;
use crate::balancing::AlgorithmSettings;
use crate::balancing::lookout::Means;
use crate::caching::hit_ratio::{Hits, KeyGroup};
use crate::consuming::{ConsumeSettings, Manner};
use crate::demand::{Demand, Limits, Surroundings};
use crate::hosts::HostsSettings;
use crate::listen::Closing;
use crate::probes::ProbesSettings;
use crate::replicating::Terms;
use crate::restart::RestartSettings;
use crate::shutdown::ShutdownSettings;
use kind::{Access, Answers, Ask, Checks, Kind, Links};

#[macro_use]
mod table;

pub mod kind;
pub mod site;

pub mod cache;
pub mod database;
pub mod dns;
pub mod external;
pub mod load_balancer;
pub mod queue;
pub mod service;

/// The table: hands its rows to the macro that is named.
macro_rules! components {
    ($make:ident) => {
        $make! {
            /// An application service with replicas.
            Service => service,
            /// A database or any other store with connections.
            Database => database,
            /// A load balancer.
            LoadBalancer => load_balancer,
            /// A third-party service, given by its latency.
            External => external,
            /// A cache in front of another component.
            Cache => cache,
            /// DNS: directs callers to targets.
            Dns => dns,
            /// A message queue between producers and consumers.
            Queue => queue,
            ; not yet:
        }
    };
}
pub(crate) use components;

/// A component that answers whatever it is asked, which takes the place of one that cannot be read.
pub const ANSWERS_ANYTHING: &str = "{kind: external, latency: 1ms}";

/// Its kind.
pub const KIND_THAT_ANSWERS_ANYTHING: &str = "external";

/// One row of the table.
pub struct Row {
    /// The word of the language.
    pub name: &'static str,
    /// A component of this kind in YAML.
    pub example: &'static str,
    /// The figures that its components report.
    pub figures: &'static [Set],
    /// The happenings that its components record.
    pub happens: &'static [&'static Happens],
    describe: fn(&mut Book) -> Shape,
}

impl Row {
    const fn of<K: Kind>() -> Row {
        Row {
            name: K::NAME,
            example: K::EXAMPLE,
            figures: K::FIGURES,
            happens: K::HAPPENS,
            describe: K::Settings::describe,
        }
    }

    /// Whether components of this kind have a setting that is called so.
    pub fn has_setting(&self, key: &str) -> bool {
        let mut book = Book::new();
        let Shape::Named(name) = (self.describe)(&mut book) else { return false };
        match book.definition(&name).map(|definition| &definition.body) {
            Some(Body::Fields(shape)) => shape.fields.iter().any(|field| field.key == key),
            Some(Body::Choice(_) | Body::Pending) | None => false,
        }
    }
}

components!(settings_by_kind);
