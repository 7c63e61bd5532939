//! The health checks of one chooser: which targets it has reason to follow, and what it thinks of them.
//!
//! Probes are computed ([`super::probing`]). As long as a target passes its probes and nothing has happened to it, nothing is kept of it:
//! when its next probe is sent follows from the chooser's name and the target's number. Something that happens to a target, or to the way
//! there, sets one chore: at the instant at which this chooser will have found out.

use std::collections::BTreeMap;

use sim_core::figures::Set;
use sim_core::histogram::Histogram;
use sim_core::housekeeping::ChoreId;
use sim_core::random::Key;
use sim_core::{About, Cx, Figure, Figures, Happens, News, NodeId, Reach, Span, Time, Timer};

use super::health_check::ProbeSettings;
use super::probing::{Again, Finding, Findings, Probing, Timetable};

const PURPOSE_PHASE: u32 = 0x7068;

const DETECTION: Figure = Figure::times(
    "health_check.detection",
    "From the instant a target stopped answering probes until this chooser marked it unhealthy.",
);
const RECOVERY: Figure = Figure::times(
    "health_check.recovery",
    "From the instant a target answered probes again until this chooser marked it healthy.",
);
const FALSE_ALARMS: Figure = Figure::count(
    "health_check.false_alarms",
    "Times that a target was marked unhealthy though it answers: probes were lost on the way.",
);
const UNDETECTED: Figure = Figure::share(
    "health_check.undetected",
    "Share of the calls that were sent to a target which did not answer probes at that time, and was not known to be unhealthy.",
);
const UNHEALTHY: Figure =
    Figure::level("health_check.unhealthy", "Targets marked unhealthy at the end, added up over all choosers.");

/// Reported where there is a health check that takes time.
pub const FIGURES: Set = &[&DETECTION, &RECOVERY, &FALSE_ALARMS, &UNDETECTED, &UNHEALTHY];

static TARGET_UNHEALTHY: Happens = Happens {
    name: "replica_unhealthy",
    doc: "A chooser marked a replica unhealthy: it failed enough health checks in a row.",
};
static TARGET_HEALTHY: Happens = Happens {
    name: "replica_healthy",
    doc: "A chooser marked a replica healthy again: it passed enough health checks in a row.",
};

/// Recorded by choosers with a health check that takes time.
pub static HAPPENS: &[&Happens] = &[&TARGET_UNHEALTHY, &TARGET_HEALTHY];

/// Somebody who can be chosen: under which number, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The number.
    pub number: u32,
    /// The node.
    pub node: NodeId,
    /// Row of the path table.
    pub path: u16,
}

/// A target of which something is kept.
#[derive(Clone, Debug)]
struct Track {
    probing: Probing,
    /// What becomes of its probes now …
    findings: Findings,
    /// … and since when they have failed, or passed.
    since: Time,
    chore: Option<ChoreId>,
}

/// The health checks of one chooser.
#[derive(Clone, Debug)]
pub struct Checker {
    table: Timetable,
    /// Key of the draws.
    key: u64,
    /// What goes off when a target is to be looked at.
    timer: u8,
    /// Since when it probes; `None` while its process is dead.
    began: Option<Time>,
    tracks: BTreeMap<u32, Track>,
    /// How many targets fail their probes and are taken to be healthy.
    undetected: usize,
    // Measures.
    detection: Histogram,
    recovery: Histogram,
    false_alarms: u64,
    calls: u64,
    in_vain: u64,
}

impl Checker {
    /// That of a chooser with this key. Its looks go off as timers of this sort.
    pub fn new(settings: &ProbeSettings, key: u64, timer: u8) -> Checker {
        Checker {
            table: settings.timetable(),
            key,
            timer,
            began: None,
            tracks: BTreeMap::new(),
            undetected: 0,
            detection: Histogram::new(),
            recovery: Histogram::new(),
            false_alarms: 0,
            calls: 0,
            in_vain: 0,
        }
    }

    fn key_of(&self, number: u32) -> Key {
        Key::root(self.key, 1, u64::from(number))
    }

    /// The probes of a target that begin after an instant: the first after a part of an interval, drawn for the target.
    fn probing_from(&self, began: Time, number: u32) -> Probing {
        let phase = self.key_of(number).draw(PURPOSE_PHASE, 0).below(self.table.interval);
        Probing::new(began.saturating_add(phase))
    }

    /// It begins to probe, and takes all to be healthy. Given are those that are there.
    pub fn start(&mut self, cx: &mut Cx<'_>, there: impl Iterator<Item = Reached>) {
        let now = cx.now();
        self.stop();
        self.began = Some(now);
        for reached in there {
            let findings = self.findings(cx, reached);
            let needs_a_look = matches!(findings, Findings::Drawn { .. }) || findings.fail();
            if needs_a_look {
                self.follow(cx, reached.number, self.probing_from(now, reached.number), findings);
            }
        }
    }

    /// Its process has died, with all that it knew; its chores are gone.
    pub fn stop(&mut self) {
        self.began = None;
        self.tracks.clear();
        self.undetected = 0;
    }

    /// What becomes of the probes of a target as things are.
    fn findings(&self, cx: &Cx<'_>, Reached { node, path, .. }: Reached) -> Findings {
        let late = Finding { passes: false, takes: self.table.timeout };
        let reach = cx.reach(node, path);
        let passes = match reach {
            Reach::Silent => return Findings::Same(late),
            Reach::Refused => false,
            Reach::Open if cx.pauses(node) > 0 => return Findings::Stands,
            Reach::Open => true,
        };
        let way = cx.path(path);
        if way.loss > 0.0 || way.added_loss > 0.0 {
            return Findings::Drawn { path: Box::new(way.clone()), passes };
        }
        match way.round_trip(0) {
            Some(takes) if takes <= self.table.timeout => Findings::Same(Finding { passes, takes }),
            Some(_) | None => Findings::Same(late),
        }
    }

    fn follow(&mut self, cx: &mut Cx<'_>, number: u32, probing: Probing, findings: Findings) {
        let since = cx.now();
        self.undetected += usize::from(findings.fail() && probing.is_healthy());
        self.tracks.insert(number, Track { probing, findings, since, chore: None });
        self.set_chore(cx, number);
    }

    fn set_chore(&mut self, cx: &mut Cx<'_>, number: u32) {
        let key = self.key_of(number);
        let Some(track) = self.tracks.get_mut(&number) else { return };
        if let Some(chore) = track.chore.take() {
            cx.cancel_chore(chore);
        }
        if let Again::At(at) = track.probing.again(&self.table, &track.findings, key) {
            let timer = Timer { what: self.timer, data: u64::from(number) };
            track.chore = Some(cx.chore_after(at.saturating_sub(cx.now()), timer));
        }
    }

    /// A target is there from now on. It is taken to be healthy.
    pub fn joined(&mut self, cx: &mut Cx<'_>, reached: Reached) {
        self.left(cx, reached.number);
        if self.began.is_some() {
            let (probing, findings) = (self.probing_from(cx.now(), reached.number), self.findings(cx, reached));
            self.follow(cx, reached.number, probing, findings);
        }
    }

    /// A target is no longer there.
    pub fn left(&mut self, cx: &mut Cx<'_>, number: u32) {
        let Some(track) = self.tracks.remove(&number) else { return };
        self.undetected -= usize::from(track.findings.fail() && track.probing.is_healthy());
        if let Some(chore) = track.chore {
            cx.cancel_chore(chore);
        }
    }

    /// Something has happened to a target that is there, or to the way there. What this chooser has come to think of it meanwhile,
    /// where that is something else.
    pub fn changed(&mut self, cx: &mut Cx<'_>, reached: Reached) -> Option<News> {
        let (began, number, now) = (self.began?, reached.number, cx.now());
        let after = self.findings(cx, reached);
        if !self.tracks.contains_key(&number) {
            // Until now its probes passed, and the way there was as it is without faults.
            let takes = self.untroubled(cx, reached);
            let (probing, findings) =
                (self.probing_from(began, number), Findings::Same(Finding { passes: true, takes }));
            if findings == after {
                return None;
            }
            self.tracks.insert(number, Track { probing, findings, since: began, chore: None });
        }
        let news = self.update(cx, number, |track, table, key| {
            if track.findings.fail() != after.fail() {
                track.since = now;
            }
            track.probing.change(table, &track.findings, &after, key, now);
            track.findings = after;
        });
        self.set_chore(cx, number);
        news
    }

    /// How long a probe takes while nothing is the matter.
    fn untroubled(&self, cx: &Cx<'_>, reached: Reached) -> Span {
        let path = cx.path(reached.path);
        (path.there + path.back).min(self.table.timeout)
    }

    /// A target is to be looked at. What this chooser thinks of it from now on, where that is something else.
    pub fn due(&mut self, cx: &mut Cx<'_>, number: u32) -> Option<News> {
        let now = cx.now();
        self.tracks.get_mut(&number)?.chore = None;
        let news = self.update(cx, number, |track, table, key| track.probing.advance(table, &track.findings, key, now));
        self.set_chore(cx, number);
        news
    }

    fn update(
        &mut self,
        cx: &mut Cx<'_>,
        number: u32,
        change: impl FnOnce(&mut Track, &Timetable, Key),
    ) -> Option<News> {
        let (key, now) = (self.key_of(number), cx.now());
        let track = self.tracks.get_mut(&number)?;
        let (was_healthy, was_failing, since) = (track.probing.is_healthy(), track.findings.fail(), track.since);
        change(track, &self.table, key);
        let (is_healthy, fails) = (track.probing.is_healthy(), track.findings.fail());
        self.undetected += usize::from(is_healthy && fails);
        self.undetected -= usize::from(was_healthy && was_failing);
        if is_healthy == was_healthy {
            return None;
        }
        match is_healthy {
            true if !was_failing => self.recovery.record(now - since),
            true => {}
            false if was_failing => self.detection.record(now - since),
            false => self.false_alarms += 1,
        }
        Some(if is_healthy { News::Up } else { News::Down })
    }

    /// Records what this chooser has come to think of a target.
    pub fn tell(cx: &mut Cx<'_>, reached: Reached, news: News) {
        match news {
            News::Down => cx.happened_about(&TARGET_UNHEALTHY, About::Node(reached.node)),
            News::Up => cx.happened_about(&TARGET_HEALTHY, About::Node(reached.node)),
            News::Joined | News::Left | News::Changed => {}
        }
    }

    /// A call is sent to a target.
    #[inline]
    pub fn sent(&mut self, number: u32) {
        self.calls += 1;
        if self.undetected > 0 {
            self.sent_to_someone(number);
        }
    }

    #[cold]
    fn sent_to_someone(&mut self, number: u32) {
        let is_in_vain = |track: &Track| track.findings.fail() && track.probing.is_healthy();
        self.in_vain += u64::from(self.tracks.get(&number).is_some_and(is_in_vain));
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self) {
        self.detection.clear();
        self.recovery.clear();
        (self.false_alarms, self.calls, self.in_vain) = (0, 0, 0);
    }

    /// Adds what it has measured.
    pub fn figures(&self, figures: &mut Figures) {
        let unhealthy = self.tracks.values().filter(|track| !track.probing.is_healthy()).count();
        figures.times(&DETECTION, &self.detection);
        figures.times(&RECOVERY, &self.recovery);
        figures.count(&FALSE_ALARMS, self.false_alarms);
        figures.ratio(&UNDETECTED, self.in_vain, self.calls);
        figures.level(&UNHEALTHY, unhealthy as u64);
    }
}
