//! The limits of a replica beside its queue, and their state: a rate limit, a concurrency limit, shedding.

use sim_core::calendar::TimerId;
use sim_core::{Figures, Span, Time};

use crate::admission::shed::Shed;
use crate::admission::{AdmissionSettings, InboundRateSettings};
use crate::policies::concurrency::Bulkhead;
use crate::policies::gate::{Gate, Permit};
use crate::policies::rate_limit::RateLimit;

/// The guard of one replica.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) rate: Option<RateLimit>,
    /// Where replicas share the rate limit: how late each sees what others let in, for how long that counts, and how far it has read.
    pub(super) shared: Option<Shared>,
    pub(super) limit: Option<Bulkhead>,
    pub(super) shed: Option<Shed>,
    /// The link whose calls shedding looks at.
    watched: Option<u16>,
    /// By strand: when its call began, and with which permit.
    pub(super) begun: Vec<(Time, Permit)>,
    /// By strand: when it made the call over the watched link for whose answer it waits.
    called: Vec<Option<Time>>,
    /// For when its timer is set.
    pub(super) due: Option<(Time, TimerId)>,
}

/// A rate limit that replicas share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    pub(super) sync: Span,
    pub(super) keeps: Span,
    pub(super) read: u64,
    /// When the process was started: what it let in before that it does not know.
    pub(super) since: Time,
}

impl Shared {
    fn new(settings: &InboundRateSettings) -> Option<Shared> {
        Some(Shared { sync: settings.shared()?, keeps: settings.keeps(), read: 0, since: 0 })
    }
}

impl Guard {
    /// The guard that settings ask for; `None` where they ask for none. Links are known by their names.
    pub(super) fn new(admission: &AdmissionSettings, links: &[&str], key: u64) -> Option<Box<Guard>> {
        let AdmissionSettings { queue: _, rate_limit, concurrency, shed, max_connections: _ } = admission;
        if rate_limit.is_none() && concurrency.is_none() && shed.is_none() {
            return None;
        }
        let rate = rate_limit.as_ref().map(|rate| RateLimit::new(&rate.of_replica(), 0));
        let shared = rate_limit.as_ref().and_then(Shared::new);
        let mut limit = concurrency.as_ref().map(|limit| Bulkhead::new(limit, 0));
        limit.iter_mut().for_each(|limit| limit.seed(0, key));
        let watched = shed.as_ref().and_then(|shed| shed.link());
        let watched = watched.and_then(|name| links.iter().position(|link| *link == name.as_str()));
        let shed = shed.as_ref().map(|shed| Shed::new(shed, 0));
        let (begun, called) = (Vec::new(), Vec::new());
        Some(Box::new(Guard {
            rate,
            shared,
            limit,
            shed,
            watched: watched.map(|at| at as u16),
            begun,
            called,
            due: None,
        }))
    }

    /// A strand makes a call over a link, and waits for its answer.
    pub(super) fn called(&mut self, now: Time, strand: u32, link: u16) {
        if self.watched.is_none() {
            return;
        }
        let at = strand as usize;
        if self.called.len() <= at {
            self.called.resize(at + 1, None);
        }
        self.called[at] = (self.watched == Some(link)).then_some(now);
    }

    /// The call of a strand is answered.
    pub(super) fn answered(&mut self, now: Time, strand: u32) {
        let called = self.called.get_mut(strand as usize).and_then(Option::take);
        if let (Some(since), Some(shed)) = (called, &mut self.shed) {
            shed.took(now - since);
        }
    }

    /// How many calls may be served at once.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limit.as_ref().map(Bulkhead::limit)
    }

    /// Whether another call may begin.
    pub(super) fn has_room(&self) -> bool {
        self.limit.as_ref().is_none_or(Bulkhead::has_room)
    }

    pub(super) fn adopt(&mut self, now: Time, admission: &AdmissionSettings) {
        if let (Some(rate), Some(settings)) = (&mut self.rate, &admission.rate_limit) {
            rate.adopt(now, &settings.of_replica());
            self.shared = Shared::new(settings).map(|new| match self.shared {
                Some(old) => Shared { read: old.read, since: old.since, ..new },
                None => new,
            });
        }
        if let (Some(limit), Some(settings)) = (&mut self.limit, &admission.concurrency) {
            limit.adopt(now, settings);
        }
        if let (Some(shed), Some(settings)) = (&mut self.shed, &admission.shed) {
            shed.adopt(now, settings);
        }
    }

    pub(super) fn rebuild(&mut self, now: Time) {
        self.begun.clear();
        self.called.clear();
        // The engine has cancelled the replica's timers.
        self.due = None;
        self.rate.iter_mut().for_each(|rate| rate.rebuild(now));
        // A new process reads what still counts.
        self.shared.iter_mut().for_each(|shared| (shared.read, shared.since) = (0, now));
        self.limit.iter_mut().for_each(|limit| limit.rebuild(now));
        self.shed.iter_mut().for_each(|shed| shed.rebuild(now));
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.rate.iter_mut().for_each(|rate| rate.begin_measuring(now));
        self.limit.iter_mut().for_each(|limit| limit.begin_measuring(now));
        self.shed.iter_mut().for_each(Shed::begin_measuring);
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        self.rate.iter().for_each(|rate| rate.figures(now, figures));
        self.limit.iter().for_each(|limit| limit.figures_at_callee(now, figures));
        self.shed.iter().for_each(|shed| shed.figures(figures));
    }
}
