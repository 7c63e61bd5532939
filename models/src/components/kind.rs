//! What a kind of component must offer, and in which terms it speaks of itself.

use settings::{Money, Name, Path, Problem, Problems, Setting, Spanned};
use sim_core::dist::Dist;
use sim_core::figures::Set;
use sim_core::{Attempts, Component, Happens, Span};

use super::site::Site;
use crate::autoscale::AutoscaleSettings;
use crate::balancing::AlgorithmSettings;
use crate::balancing::lookout::Means;
use crate::caching::hit_ratio::{Hits, KeyGroup};
use crate::consuming::{ConsumeSettings, Manner};
use crate::demand::{CallsMade, Demand, Limits, Outcomes, Surroundings};
use crate::hosts::HostsSettings;
use crate::law::Law;
use crate::link::LinkSettings;
use crate::listen::Closing;
use crate::probes::ProbesSettings;
use crate::replicating::Terms;
use crate::restart::RestartSettings;
use crate::shutdown::ShutdownSettings;

/// The links of a component: name and settings.
pub type Links<'a> = Vec<(&'a str, &'a LinkSettings)>;

/// Which operations a component answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers<'a> {
    /// Whatever is asked.
    Anything,
    /// These; `default` stands for the rest.
    Ops(Vec<&'a str>),
}

/// What a component asks of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask<'a> {
    /// The handler in which it does; `None` for whatever is asked of it.
    pub handler: Option<&'a str>,
    /// The link over which it does.
    pub link: &'a str,
    /// Where that is said, for errors.
    pub at: &'a Spanned<Name>,
    /// The operation; `None` for the one that was asked of it.
    pub op: Option<&'a Spanned<Name>>,
    /// Bytes sent; `None` for as many as it was sent.
    pub size_bytes: Option<u64>,
}

/// What an operation does to what a component remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads, and may be answered from memory.
    Read,
    /// It writes: what is remembered of its data is no longer right.
    Write,
    /// Neither: it passes through.
    Pass,
}

impl<'a> Ask<'a> {
    /// Whatever is asked is asked of everybody whom a link calls.
    pub fn same(link: &'a str, settings: &'a LinkSettings) -> Vec<Ask<'a>> {
        let at = settings.to.values.first().map(|target| &target.to);
        at.map(|at| Ask { handler: None, link, at, op: None, size_bytes: None }).into_iter().collect()
    }
}

/// What a kind of component must offer: its settings and the making of one replica from them.
pub trait Kind: Component + Sized {
    /// The word of the language.
    const NAME: &'static str;
    /// A component of this kind in YAML, which can be built beside a database called `db`.
    const EXAMPLE: &'static str;
    /// The figures that it reports, those of all components apart.
    const FIGURES: &'static [Set] = &[];
    /// Whether it remembers what a fault can make it forget; it is told so by [`crate::change_numbers::FORGET`].
    const FORGETS: bool = false;
    /// Whether calls wait here for their turn, of which tied copies are not begun where another one has been.
    const SERVES: bool = false;
    /// Whether it only says whom to call: its callers reach what it calls over their own network.
    const DIRECTS: bool = false;
    /// The happenings it records with [`sim_core::Cx::happened`].
    const HAPPENS: &'static [&'static Happens] = &[];
    /// What the scenario says of it.
    type Settings: Setting + Clone;

    /// The links that it calls over.
    fn links(settings: &Self::Settings) -> Links<'_> {
        let _ = settings;
        Vec::new()
    }

    /// How it hands out messages to those who consume from it, where it keeps any; a call to it then only publishes one.
    fn hands_out(settings: &Self::Settings) -> Option<Manner> {
        let _ = settings;
        None
    }

    /// Whether work that it is asked for may go on after it has answered, and nobody waits for that.
    fn goes_on_after_answers(settings: &Self::Settings) -> bool {
        Self::hands_out(settings).is_some()
    }

    /// Whether some of its own answers can be `accepted`, not those that it passes on.
    fn can_accept(settings: &Self::Settings) -> bool {
        Self::hands_out(settings).is_some()
    }

    /// Where it sends messages that failed for good.
    fn dead_letter(settings: &Self::Settings) -> Option<&Spanned<Name>> {
        let _ = settings;
        None
    }

    /// What its replicas consume from.
    fn consumes(settings: &Self::Settings) -> &[ConsumeSettings] {
        let _ = settings;
        &[]
    }

    /// How many replicas there are.
    fn replicas(settings: &Self::Settings) -> u32 {
        let _ = settings;
        1
    }

    /// What is said of its nodes together, where it is a store of several that are not alike: callers then come to its entrance
    /// ([`crate::replicating`]), and its replicas are those nodes.
    fn entrance(settings: &Self::Settings) -> Option<Terms> {
        let _ = settings;
        None
    }

    /// Region.
    fn region(settings: &Self::Settings) -> Option<&Spanned<Name>> {
        let _ = settings;
        None
    }

    /// What it runs on.
    fn hosts(settings: &Self::Settings) -> Option<&HostsSettings> {
        let _ = settings;
        None
    }

    /// After how long a replica that was killed is replaced.
    fn replace_after(settings: &Self::Settings) -> Option<Span> {
        let _ = settings;
        None
    }

    /// How a process that has died is started again; `None` where it is not.
    fn restart(settings: &Self::Settings) -> Option<RestartSettings> {
        let _ = settings;
        None
    }

    /// How a replica is shut down; `None` where replicas cannot come and go.
    fn shutdown(settings: &Self::Settings) -> Option<ShutdownSettings> {
        let _ = settings;
        None
    }

    /// What decides how many replicas there are to be, where anything does.
    fn autoscale(settings: &Self::Settings) -> Option<&AutoscaleSettings> {
        let _ = settings;
        None
    }

    /// How its replicas are probed by whoever runs them.
    fn probes(settings: &Self::Settings) -> Option<&ProbesSettings> {
        let _ = settings;
        None
    }

    /// What each replica costs an hour.
    fn cost(settings: &Self::Settings) -> Option<Money> {
        let _ = settings;
        None
    }

    /// Cores that a replica asks for, where that is said.
    fn cores_requested(settings: &Self::Settings) -> Option<f64> {
        let _ = settings;
        None
    }

    /// Whether the memory of its replicas is modelled, whatever runs beside them.
    fn models_memory(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Whether its replicas stand still from time to time by themselves.
    fn stands_still(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Memory that a host must have free for a replica to be placed there.
    fn memory_requested(settings: &Self::Settings) -> u64 {
        let _ = settings;
        0
    }

    /// How long a replica takes to come up.
    fn start_up(settings: &Self::Settings) -> Option<&Dist> {
        let _ = settings;
        None
    }

    /// Which operations it answers.
    fn answers(settings: &Self::Settings) -> Answers<'_> {
        let _ = settings;
        Answers::Anything
    }

    /// What it asks of others.
    fn asks(settings: &Self::Settings) -> Vec<Ask<'_>> {
        let _ = settings;
        Vec::new()
    }

    /// What it asks of others each time that it is asked for `op`, whatever happens on the way.
    fn certain_asks<'a>(settings: &'a Self::Settings, op: &str) -> Vec<Ask<'a>> {
        let _ = op;
        match Self::answers(settings) {
            Answers::Anything => Self::asks(settings),
            Answers::Ops(_) => Vec::new(),
        }
    }

    /// Whether each call over a link holds a worker that holds nothing else until it is answered: not of what is only sent,
    /// nor of calls side by side.
    fn holds_a_worker(settings: &Self::Settings, link: &str) -> bool {
        let _ = (settings, link);
        false
    }

    /// Whether it does different things with different data, so that calls must say which they are about.
    fn needs_keys(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Whether it tells the clients of its calls apart.
    fn goes_by_client(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Whether it says itself which data its calls are about.
    fn gives_keys(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// What limits one replica.
    fn limits(settings: &Self::Settings) -> Limits {
        let _ = settings;
        Limits::default()
    }

    /// What one call of an operation takes; for one that only passes calls on, what those take.
    fn demand(settings: &Self::Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let _ = op;
        let mut demand = Demand { answer: Outcomes::ok(Law::always(0.0)), ..Demand::default() };
        for ask in Self::asks(settings) {
            let answer = (around.call)(ask.link, None);
            let so_far = demand.answer.good();
            demand.answer = answer.map(|law| so_far.then(law));
            let link = ask.link.to_string();
            demand.calls.push(CallsMade {
                link,
                op: None,
                key: None,
                mean: 1.0,
                most: 1.0,
                at_once: 1.0,
                awaited: true,
                sent: false,
            });
        }
        demand
    }

    /// How its link chooses among the replicas of all targets, where it balances; else a target by weight and any replica
    /// of it.
    fn balancing(settings: &Self::Settings) -> Option<&AlgorithmSettings> {
        let _ = settings;
        None
    }

    /// Whether it knows the instant a replica that it calls dies or comes up.
    fn knows_at_once(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// How many replicas it may choose among.
    fn targets_max(settings: &Self::Settings) -> Option<u32> {
        let _ = settings;
        None
    }

    /// When it closes connections that its callers keep.
    fn closing(settings: &Self::Settings) -> Closing {
        let _ = settings;
        Closing::default()
    }

    /// By which means it finds out about the replicas among which it chooses, where it balances.
    fn means(settings: &Self::Settings) -> Means {
        let _ = settings;
        Means::default()
    }

    /// Whether it finds out, sooner or later, that a replica that it calls is dead.
    fn finds_out(settings: &Self::Settings) -> bool {
        Self::knows_at_once(settings)
    }

    /// Whether it sends callers to the nearest target.
    fn goes_by_distance(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Whether calls that come over one connection go to the same target.
    fn follows_connections(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Which share of its calls each target of its link gets while all are well: weight, replicas and round trip of
    /// each are given. In proportion to the weights, unless the kind chooses in another way.
    fn shares(settings: &Self::Settings, targets: &[(f64, u32, Span)]) -> Vec<f64> {
        let _ = settings;
        in_proportion(targets.iter().map(|(weight, _, _)| *weight))
    }

    /// What an operation does to what it remembers.
    fn access(settings: &Self::Settings, op: &str) -> Access {
        let _ = (settings, op);
        Access::Read
    }

    /// The operations by name that it was told to treat in different ways; `None` where it treats all alike whatever it is told.
    fn tells_apart(settings: &Self::Settings) -> Option<Vec<&Spanned<Name>>> {
        let _ = settings;
        None
    }

    /// How often it answers by itself what is read at these rates, where it can at all and that is known; a call to
    /// what is behind it takes `fetch_s`.
    fn hits(settings: &Self::Settings, groups: &[KeyGroup], fetch_s: f64) -> Option<Hits> {
        let _ = (settings, groups, fetch_s);
        None
    }

    /// How many tasks one call is at the same time, on average, where it divides into several.
    fn tasks_at_once(settings: &Self::Settings) -> f64 {
        let _ = settings;
        1.0
    }

    /// How many entries it keeps at most, of those that it has been asked for.
    fn keeps_at_most(settings: &Self::Settings) -> u64 {
        let _ = settings;
        0
    }

    /// What only makes sense together.
    fn check(settings: &Self::Settings, checks: &mut Checks<'_>) {
        let _ = (settings, checks);
    }

    /// One replica.
    fn build(settings: &Self::Settings, site: &mut Site<'_>) -> Self;

    /// Gets ready to adopt other settings under a number.
    fn prepare(&mut self, change: u32, settings: &Self::Settings);

    /// The attempts over one of its links, of the whole run and since the end of the warm-up, where it calls by itself
    /// instead of over the link's node; `link` counts as [`Kind::links`] does.
    fn attempts(&self, link: usize) -> Option<&Attempts> {
        let _ = link;
        None
    }
}

/// Collects what is wrong with a component as a whole.
pub struct Checks<'a> {
    problems: &'a mut Problems,
    at: Path,
    span: settings::Span,
}

impl<'a> Checks<'a> {
    /// For the component at that path, introduced at that place.
    pub fn new(problems: &'a mut Problems, at: Path, span: settings::Span) -> Checks<'a> {
        Checks { problems, at, span }
    }

    /// The place that introduces the component.
    pub fn span(&self) -> settings::Span {
        self.span
    }

    fn path(&self, below: &str) -> Path {
        let mut path = self.at.clone();
        for segment in below.split('.').filter(|s| !s.is_empty()) {
            path.push(segment);
        }
        path
    }

    /// Something that cannot be simulated.
    pub fn error(&mut self, code: &'static str, span: settings::Span, below: &str, message: &str, help: Option<&str>) {
        let problem = Problem::error(code, span, message).path(self.path(below)).help_if(help.map(str::to_string));
        self.problems.push(problem);
    }

    /// Something that can, but is hardly meant.
    pub fn warning(
        &mut self,
        code: &'static str,
        span: settings::Span,
        below: &str,
        message: &str,
        help: Option<&str>,
    ) {
        let problem = Problem::warning(code, span, message).path(self.path(below)).help_if(help.map(str::to_string));
        self.problems.push(problem);
    }

    /// A name that nothing has.
    pub fn unknown_name(&mut self, code: &'static str, name: &Spanned<Name>, what: &str, candidates: &[&str]) {
        let mut problem = Problem::unknown_name(what, name.as_str(), name.span, candidates.iter().copied());
        problem.code = code;
        self.problems.push(problem.path(name.path.clone()));
    }
}

/// The shares that weights stand for.
pub(crate) fn in_proportion(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> = weights.collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
}
