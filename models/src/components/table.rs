//! What becomes of the table of kinds below the nodes: the choice of settings by `kind`, and the list of kinds.

macro_rules! settings_by_kind {
    (
        $($(#[$doc:meta])* $kind:ident => $module:ident,)*
        ; not yet: $($(#[$missing_doc:meta])* $missing:ident,)*
    ) => {
        /// A component, by its `kind`.
        #[derive(Clone, Debug, PartialEq, Setting)]
        #[setting(tag = "kind")]
        #[allow(clippy::large_enum_variant, reason = "a scenario has one for each component, and none is copied during a run")]
        pub enum ComponentSettings {
            $($(#[$doc])* $kind($module::Settings),)*
            $($(#[$missing_doc])* $missing(crate::policies::not_yet::NotYet),)*
        }

        /// All rows.
        pub const KINDS: &[Row] = &[$(Row::of::<$module::$kind>()),*];

        macro_rules! each_kind {
            ($settings:expr, $found:ident, $part:ident => $result:expr) => {
                match $settings {
                    $(ComponentSettings::$kind($found) => { type $part = $module::$kind; $result })*
                    $(ComponentSettings::$missing(never) => match *never {},)*
                }
            };
        }

        impl ComponentSettings {
            /// The word of the language.
            pub fn kind(&self) -> &'static str {
                each_kind!(self, _s, Part => <Part as Kind>::NAME)
            }
            /// The links that it calls over.
            pub fn links(&self) -> Links<'_> {
                each_kind!(self, s, Part => <Part as Kind>::links(s))
            }
            /// How many replicas there are.
            pub fn replicas(&self) -> u32 {
                each_kind!(self, s, Part => <Part as Kind>::replicas(s))
            }
            /// What is said of its nodes together, where it is a store of several that are not alike.
            pub fn entrance(&self) -> Option<Terms> {
                each_kind!(self, s, Part => <Part as Kind>::entrance(s))
            }
            /// Region.
            pub fn region(&self) -> Option<&Spanned<Name>> {
                each_kind!(self, s, Part => <Part as Kind>::region(s))
            }
            /// What it runs on.
            pub fn hosts(&self) -> Option<&HostsSettings> {
                each_kind!(self, s, Part => <Part as Kind>::hosts(s))
            }
            /// After how long a replica that was killed is replaced.
            pub fn replace_after(&self) -> Option<Span> {
                each_kind!(self, s, Part => <Part as Kind>::replace_after(s))
            }
            /// How a process that has died is started again.
            pub fn restart(&self) -> Option<RestartSettings> {
                each_kind!(self, s, Part => <Part as Kind>::restart(s))
            }
            /// How a replica is shut down; `None` where replicas cannot come and go.
            pub fn shutdown(&self) -> Option<ShutdownSettings> {
                each_kind!(self, s, Part => <Part as Kind>::shutdown(s))
            }
            /// What decides how many replicas there are to be, where anything does.
            pub fn autoscale(&self) -> Option<&AutoscaleSettings> {
                each_kind!(self, s, Part => <Part as Kind>::autoscale(s))
            }
            /// How its replicas are probed by whoever runs them.
            pub fn probes(&self) -> Option<&ProbesSettings> {
                each_kind!(self, s, Part => <Part as Kind>::probes(s))
            }
            /// What each replica costs an hour.
            pub fn cost(&self) -> Option<Money> {
                each_kind!(self, s, Part => <Part as Kind>::cost(s))
            }
            /// Cores that a replica asks for, where that is said.
            pub fn cores_requested(&self) -> Option<f64> {
                each_kind!(self, s, Part => <Part as Kind>::cores_requested(s))
            }
            /// Whether the memory of its replicas is modelled, whatever runs beside them.
            pub fn models_memory(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::models_memory(s))
            }
            /// Whether its replicas stand still from time to time by themselves.
            pub fn stands_still(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::stands_still(s))
            }
            /// Memory that a host must have free for a replica to be placed there.
            pub fn memory_requested(&self) -> u64 {
                each_kind!(self, s, Part => <Part as Kind>::memory_requested(s))
            }
            /// How long a replica takes to come up.
            pub fn start_up(&self) -> Option<&Dist> {
                each_kind!(self, s, Part => <Part as Kind>::start_up(s))
            }
            /// Which operations it answers.
            pub fn answers(&self) -> Answers<'_> {
                each_kind!(self, s, Part => <Part as Kind>::answers(s))
            }
            /// What it asks of others.
            pub fn asks(&self) -> Vec<Ask<'_>> {
                each_kind!(self, s, Part => <Part as Kind>::asks(s))
            }
            /// What it asks of others each time that it is asked for `op`.
            pub fn certain_asks(&self, op: &str) -> Vec<Ask<'_>> {
                each_kind!(self, s, Part => <Part as Kind>::certain_asks(s, op))
            }
            /// Whether each call over a link holds a worker that holds nothing else until it is answered.
            pub fn holds_a_worker(&self, link: &str) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::holds_a_worker(s, link))
            }
            /// Whether it does different things with different data.
            pub fn needs_keys(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::needs_keys(s))
            }
            /// Whether it tells the clients of its calls apart.
            pub fn goes_by_client(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::goes_by_client(s))
            }
            /// Whether it says itself which data its calls are about.
            pub fn gives_keys(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::gives_keys(s))
            }
            /// Whether it remembers what a fault can make it forget.
            pub fn forgets(&self) -> bool {
                each_kind!(self, _s, Part => <Part as Kind>::FORGETS)
            }
            /// Whether calls wait here for their turn.
            pub fn serves(&self) -> bool {
                each_kind!(self, _s, Part => <Part as Kind>::SERVES)
            }
            /// Whether it only says whom to call.
            pub fn directs(&self) -> bool {
                each_kind!(self, _s, Part => <Part as Kind>::DIRECTS)
            }
            /// How it hands out messages to those who consume from it, where it keeps any.
            pub fn hands_out(&self) -> Option<Manner> {
                each_kind!(self, s, Part => <Part as Kind>::hands_out(s))
            }
            /// Whether work that it is asked for may go on after it has answered.
            pub fn goes_on_after_answers(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::goes_on_after_answers(s))
            }
            /// Whether some of its own answers can be `accepted`, not those that it passes on.
            pub fn can_accept(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::can_accept(s))
            }
            /// Where it sends messages that failed for good.
            pub fn dead_letter(&self) -> Option<&Spanned<Name>> {
                each_kind!(self, s, Part => <Part as Kind>::dead_letter(s))
            }
            /// What its replicas consume from.
            pub fn consumes(&self) -> &[ConsumeSettings] {
                each_kind!(self, s, Part => <Part as Kind>::consumes(s))
            }
            /// What limits one replica.
            pub fn limits(&self) -> Limits {
                each_kind!(self, s, Part => <Part as Kind>::limits(s))
            }
            /// What one call of an operation takes.
            pub fn demand(&self, op: &str, around: &mut Surroundings<'_>) -> Demand {
                each_kind!(self, s, Part => <Part as Kind>::demand(s, op, around))
            }
            /// How its link chooses among the replicas of all targets, where it balances.
            pub fn balancing(&self) -> Option<&AlgorithmSettings> {
                each_kind!(self, s, Part => <Part as Kind>::balancing(s))
            }
            /// Whether it knows the instant a replica that it calls dies or comes up.
            pub fn knows_at_once(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::knows_at_once(s))
            }
            /// How many replicas it may choose among.
            pub fn targets_max(&self) -> Option<u32> {
                each_kind!(self, s, Part => <Part as Kind>::targets_max(s))
            }
            /// When it closes connections that its callers keep.
            pub fn closing(&self) -> Closing {
                each_kind!(self, s, Part => <Part as Kind>::closing(s))
            }
            /// By which means it finds out about the replicas among which it chooses.
            pub fn means(&self) -> Means {
                each_kind!(self, s, Part => <Part as Kind>::means(s))
            }
            /// Whether it finds out, sooner or later, that a replica that it calls is dead.
            pub fn finds_out(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::finds_out(s))
            }
            /// Whether it sends callers to the nearest target.
            pub fn goes_by_distance(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::goes_by_distance(s))
            }
            /// Whether calls that come over one connection go to the same target.
            pub fn follows_connections(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::follows_connections(s))
            }
            /// Which share of its calls each target of its link gets.
            pub fn shares(&self, targets: &[(f64, u32, Span)]) -> Vec<f64> {
                each_kind!(self, s, Part => <Part as Kind>::shares(s, targets))
            }
            /// What an operation does to what it remembers.
            pub fn access(&self, op: &str) -> Access {
                each_kind!(self, s, Part => <Part as Kind>::access(s, op))
            }
            /// The operations by name that it was told to treat in different ways.
            pub fn tells_apart(&self) -> Option<Vec<&Spanned<Name>>> {
                each_kind!(self, s, Part => <Part as Kind>::tells_apart(s))
            }
            /// How often it answers by itself, where it can and that is known.
            pub fn hits(&self, groups: &[KeyGroup], fetch_s: f64) -> Option<Hits> {
                each_kind!(self, s, Part => <Part as Kind>::hits(s, groups, fetch_s))
            }
            /// How many tasks one call is at the same time.
            pub fn tasks_at_once(&self) -> f64 {
                each_kind!(self, s, Part => <Part as Kind>::tasks_at_once(s))
            }
            /// How many entries it keeps at most, of those that it has been asked for.
            pub fn keeps_at_most(&self) -> u64 {
                each_kind!(self, s, Part => <Part as Kind>::keeps_at_most(s))
            }
            /// What only makes sense together.
            pub fn check(&self, checks: &mut Checks<'_>) {
                each_kind!(self, s, Part => <Part as Kind>::check(s, checks))
            }
        }
    };
}
