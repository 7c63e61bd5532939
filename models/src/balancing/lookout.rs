//! Everything by which one chooser finds out about its targets, in one place: health checks, ejection, discovery, and whether it panics.
//!
//! Balancers and links choose in ways of their own. What both have is a desk ([`Desk`]): targets by number, and what is believed of them.

use std::collections::BTreeSet;

use sim_core::figures::Set;
use sim_core::random::Key;
use sim_core::{About, Cx, Figure, Figures, Happens, News, Outcome, Time, Timer};

use super::checker::{Checker, Reached};
use super::discovery::{DelaySettings, Discovery};
use super::ejection::{EjectionSettings, Ejector, Verdict};
use super::health_check::ProbeSettings;
use super::slow_start::SlowStartSettings;
use super::sticky::StickyBy;
use super::subset::{Instance, SubsetSettings, Subsetting};

/// By which means a chooser finds out what it is not told at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Means {
    /// Health checks.
    pub probes: Option<ProbeSettings>,
    /// Ejection.
    pub ejection: Option<EjectionSettings>,
    /// The share of targets that are well below which it calls all; 0 for never.
    pub panic_below: f64,
    /// How late it learns who is there.
    pub discovery: Option<DelaySettings>,
    /// How it spares those that have just come up.
    pub slow_start: Option<SlowStartSettings>,
    /// How many of them it calls.
    pub subset: Option<SubsetSettings>,
    /// Whose calls go where they went before.
    pub sticky: Option<StickyBy>,
}

impl Means {
    /// Whether it has none by which it finds out anything.
    pub fn is_nothing(&self) -> bool {
        let Means { probes, ejection, panic_below, discovery, slow_start, subset, sticky: _ } = self;
        let is_told_nothing = probes.is_none() && ejection.is_none() && discovery.is_none();
        is_told_nothing && *panic_below == 0.0 && slow_start.is_none() && subset.is_none()
    }

    /// Whom an instance takes to be there at the start, of those who are.
    pub fn known(&self, of: Instance, there: Vec<bool>) -> Vec<bool> {
        match self.subset {
            Some(settings) => Subsetting::new(settings, of, &there).used().to_vec(),
            None => there,
        }
    }
}

// What goes off at a chooser.
const PROBED: u8 = 32;
const SWEEP: u8 = 33;
const LEARNS: u8 = 34;

/// Whether a timer is a lookout's.
pub fn is_its(timer: Timer) -> bool {
    matches!(timer.what, PROBED | SWEEP | LEARNS)
}

const EJECTIONS: Figure = Figure::count("outlier_ejection.ejections", "Times that a target was ejected.");
const NOT_EJECTED: Figure = Figure::count(
    "outlier_ejection.refused",
    "Times that a target should have been ejected, and was not since `max_ejected` are ejected already.",
);
const EJECTED: Figure =
    Figure::level("outlier_ejection.ejected", "Targets ejected at the end, added up over all choosers.");
const PANIC: Figure = Figure::share(
    "panic.share",
    "Share of the calls that were sent while too few targets were healthy, and all were called.",
);

/// Reported where targets can be ejected.
pub const FIGURES_OF_EJECTION: Set = &[&EJECTIONS, &NOT_EJECTED, &EJECTED];
/// Reported where a chooser can panic.
pub const FIGURES_OF_PANIC: Set = &[&PANIC];

static TARGET_EJECTED: Happens =
    Happens { name: "replica_ejected", doc: "A balancer ejected a replica for its answers." };
static TARGET_RETURNED: Happens = Happens { name: "replica_returned", doc: "A replica's ejection has ended." };
static PANIC_BEGAN: Happens = Happens {
    name: "panic_began",
    doc: "Too few targets are thought to be healthy, so that a balancer calls all of them.",
};
static PANIC_ENDED: Happens = Happens { name: "panic_ended", doc: "Enough targets are thought to be healthy again." };

/// Recorded by choosers that eject, or can panic.
pub static HAPPENS: &[&Happens] = &[&TARGET_EJECTED, &TARGET_RETURNED, &PANIC_BEGAN, &PANIC_ENDED];

/// What a chooser knows its targets by.
pub trait Desk {
    /// How many targets there are, those that are not there included.
    fn targets(&self) -> usize;
    /// The target of a number.
    fn reached(&self, number: u32) -> Reached;
    /// Whether the chooser thinks that a target is there.
    fn is_member(&self, number: u32) -> bool;
    /// Whether all are called, since too few are well.
    fn panics(&self) -> bool;
    /// There is news of a target.
    fn learn(&mut self, number: u32, news: News);
    /// A target is ejected, or is back.
    fn eject(&mut self, number: u32, is_ejected: bool);
    /// A target has just come up.
    fn warm(&mut self, number: u32, now: Time);
}

/// Finds out about the targets of one chooser.
#[derive(Clone, Debug)]
pub struct Lookout {
    checker: Option<Checker>,
    ejector: Option<Ejector>,
    discovery: Option<Discovery>,
    subsetting: Option<Subsetting>,
    /// Those that it was told are dead, whether it calls them or not.
    down: BTreeSet<u32>,
    can_panic: bool,
    panics: bool,
    /// Key of the draws.
    key: u64,
    // Measures.
    ejections: u64,
    /// Ejections that were refused before the end of the warm-up.
    refused_before: u64,
    calls: u64,
    in_panic: u64,
}

impl Lookout {
    /// That of an instance, where these targets are there; `None` where it has no means.
    pub fn new(means: &Means, of: Instance, there: &[bool]) -> Option<Box<Lookout>> {
        if means.is_nothing() {
            return None;
        }
        let key = of.key;
        let subsetting = means.subset.map(|settings| Subsetting::new(settings, of, there));
        let used = subsetting.as_ref().map_or(there, Subsetting::used);
        let (targets, members) = (used.len(), used.iter().filter(|is_used| **is_used).count());
        Some(Box::new(Lookout {
            checker: means.probes.as_ref().map(|probes| Checker::new(probes, key, PROBED)),
            ejector: means.ejection.as_ref().map(|ejection| Ejector::new(ejection, targets, members)),
            discovery: means.discovery.as_ref().map(|delay| Discovery::new(delay, key, LEARNS)),
            subsetting,
            down: BTreeSet::new(),
            can_panic: means.panic_below > 0.0,
            panics: false,
            key,
            ejections: 0,
            refused_before: 0,
            calls: 0,
            in_panic: 0,
        }))
    }

    /// Its chooser's process begins.
    pub fn start(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk) {
        if let Some(discovery) = &mut self.discovery {
            for (number, news) in discovery.start() {
                self.learned(cx, desk, number, news);
            }
        }
        if let Some(checker) = &mut self.checker {
            let there = (0..desk.targets() as u32).filter(|number| desk.is_member(*number));
            checker.start(cx, there.map(|number| desk.reached(number)));
        }
        if let Some(ejector) = &self.ejector {
            // Nobody knows when the process began.
            let interval = ejector.interval();
            let phase = Key::root(self.key, 3, 0).draw(0, 0).below(interval);
            cx.chore_after(phase + 1, Timer { what: SWEEP, data: 0 });
        }
    }

    /// Its chooser's process has died, with all that was found out.
    pub fn stop(&mut self) {
        if let Some(checker) = &mut self.checker {
            checker.stop();
        }
        if let Some(ejector) = &mut self.ejector {
            ejector.forget();
        }
        if let Some(discovery) = &mut self.discovery {
            discovery.stop();
        }
        self.panics = false;
    }

    /// There is news of a target.
    pub fn hear(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, number: u32, news: News) {
        match news {
            News::Joined | News::Left => match &mut self.discovery {
                Some(discovery) => discovery.tell(cx, number, news),
                None => self.learned(cx, desk, number, news),
            },
            News::Down | News::Up => {
                desk.learn(number, news);
                if news == News::Down {
                    self.down.insert(number);
                } else {
                    self.down.remove(&number);
                }
                if news == News::Up {
                    desk.warm(number, cx.now());
                }
                self.look_for_panic(cx, desk);
            }
            News::Changed if desk.is_member(number) => self.changed(cx, desk, number),
            News::Changed => {}
        }
    }

    /// The way to some targets has changed.
    pub fn path_changed(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, path: u16) {
        for number in 0..desk.targets() as u32 {
            if desk.reached(number).path == path && desk.is_member(number) {
                self.changed(cx, desk, number);
            }
        }
    }

    fn changed(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, number: u32) {
        let reached = desk.reached(number);
        let found = self.checker.as_mut().and_then(|checker| checker.changed(cx, reached));
        self.found(cx, desk, reached, found);
    }

    /// A health check has made this chooser change its mind, if it has.
    fn found(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, reached: Reached, found: Option<News>) {
        let Some(news) = found else { return };
        Checker::tell(cx, reached, news);
        desk.learn(reached.number, news);
        if news == News::Up {
            desk.warm(reached.number, cx.now());
        }
        self.look_for_panic(cx, desk);
    }

    /// The chooser learns that a target is there, or no longer is, and may call others from now on.
    fn learned(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, number: u32, news: News) {
        // Who joins has only just come up.
        self.down.remove(&number);
        match &mut self.subsetting {
            None => self.take_note(cx, desk, number, news),
            Some(subsetting) => {
                for (number, news) in subsetting.learn(number, news == News::Joined) {
                    self.take_note(cx, desk, number, news);
                }
            }
        }
    }

    /// A target may be called from now on, or no longer.
    fn take_note(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, number: u32, news: News) {
        let (was_there, joins) = (desk.is_member(number), news == News::Joined);
        desk.learn(number, news);
        if joins && self.down.contains(&number) {
            desk.learn(number, News::Down);
        }
        if joins {
            desk.warm(number, cx.now());
        }
        if was_there != joins
            && let Some(ejector) = &mut self.ejector
        {
            ejector.member(number as usize, joins);
        }
        if let Some(checker) = &mut self.checker {
            match joins {
                true => checker.joined(cx, desk.reached(number)),
                false => checker.left(cx, number),
            }
        }
        self.look_for_panic(cx, desk);
    }

    /// One of its timers has gone off.
    pub fn due(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, timer: Timer) {
        let number = timer.data as u32;
        match timer.what {
            PROBED => {
                let found = self.checker.as_mut().and_then(|checker| checker.due(cx, number));
                let reached = desk.reached(number);
                self.found(cx, desk, reached, found);
            }
            LEARNS => {
                if let Some(news) = self.discovery.as_mut().and_then(|discovery| discovery.due(number)) {
                    self.learned(cx, desk, number, news);
                }
            }
            SWEEP => {
                let Some(ejector) = &mut self.ejector else { return };
                let (interval, verdicts) = (ejector.interval(), ejector.sweep(cx.now()));
                verdicts.into_iter().for_each(|verdict| self.carry_out(cx, desk, verdict));
                cx.chore_after(interval, timer);
            }
            what => unreachable!("{what} is no timer of a lookout"),
        }
    }

    fn carry_out(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, verdict: Verdict) {
        let (number, is_ejected, what) = match verdict {
            Verdict::Ejected(number, _) => (number as u32, true, &TARGET_EJECTED),
            Verdict::Returned(number) => (number as u32, false, &TARGET_RETURNED),
        };
        self.ejections += u64::from(is_ejected);
        cx.happened_about(what, About::Node(desk.reached(number).node));
        desk.eject(number, is_ejected);
        self.look_for_panic(cx, desk);
    }

    fn look_for_panic(&mut self, cx: &mut Cx<'_>, desk: &dyn Desk) {
        let panics = self.can_panic && desk.panics();
        if std::mem::replace(&mut self.panics, panics) != panics {
            cx.happened(if panics { &PANIC_BEGAN } else { &PANIC_ENDED });
        }
    }

    /// Whether it wants to know how attempts end.
    pub fn judges(&self) -> bool {
        self.ejector.is_some()
    }

    /// A call is sent to a target.
    #[inline]
    pub fn sent(&mut self, number: u32) {
        if let Some(checker) = &mut self.checker {
            checker.sent(number);
        }
        self.calls += 1;
        self.in_panic += u64::from(self.panics);
    }

    /// An attempt at a target has ended.
    #[inline]
    pub fn ended(&mut self, cx: &mut Cx<'_>, desk: &mut dyn Desk, number: u32, outcome: Outcome) {
        let Some(ejector) = &mut self.ejector else { return };
        if let Some(verdict) = ejector.ended(cx.now(), number as usize, outcome) {
            self.carry_out(cx, desk, verdict);
        }
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self) {
        if let Some(checker) = &mut self.checker {
            checker.begin_measuring();
        }
        self.refused_before = self.ejector.as_ref().map_or(0, |ejector| ejector.refused);
        (self.ejections, self.calls, self.in_panic) = (0, 0, 0);
    }

    /// Adds what it has measured.
    pub fn figures(&self, figures: &mut Figures) {
        if let Some(checker) = &self.checker {
            checker.figures(figures);
        }
        if let Some(ejector) = &self.ejector {
            figures.count(&EJECTIONS, self.ejections);
            figures.count(&NOT_EJECTED, ejector.refused - self.refused_before);
            figures.level(&EJECTED, ejector.ejected() as u64);
        }
        if self.can_panic {
            figures.ratio(&PANIC, self.in_panic, self.calls);
        }
    }
}
