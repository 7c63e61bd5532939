//! The macro behind the table of kinds.

/// Makes, from one row a kind: the choice of settings by `kind`, the nodes of a network, and the list of kinds.
macro_rules! components {
    ($($(#[$doc:meta])* $kind:ident => $module:ident,)*) => {
        /// A component, by its `kind`.
        #[derive(Clone, Debug, PartialEq, Setting)]
        #[setting(tag = "kind")]
        pub enum ComponentSettings {
            $($(#[$doc])* $kind($module::Settings),)*
            /// Asynchronous hand-over.
            Queue(NotYet),
        }

        /// A node of a network. All are boxed, so that finding one needs no multiplication and telling its kind one load.
        #[allow(missing_docs)]
        #[derive(Clone, Debug)]
        pub enum Node {
            Director(Box<Director>),
            Workload(Box<Workload>),
            Link(Box<Link>),
            $($kind(Box<$module::$kind>),)*
        }

        /// One row of the table.
        pub struct Row {
            /// The word of the language.
            pub name: &'static str,
            /// A component of this kind in YAML.
            pub example: &'static str,
            /// The happenings it records.
            pub happens: &'static [&'static Happens],
        }

        /// All rows.
        pub const KINDS: &[Row] = &[
            $(Row {
                name: <$module::$kind as Kind>::NAME,
                example: <$module::$kind as Kind>::EXAMPLE,
                happens: <$module::$kind as Kind>::HAPPENS,
            },)*
        ];

        macro_rules! each_kind {
            ($settings:expr, $found:ident, $part:ident => $result:expr) => {
                match $settings {
                    $(ComponentSettings::$kind($found) => { type $part = $module::$kind; $result })*
                    ComponentSettings::Queue(_) => unreachable!("refused when read"),
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
            /// Where it is.
            pub fn region(&self) -> Option<&Spanned<Name>> {
                each_kind!(self, s, Part => <Part as Kind>::region(s))
            }
            /// What it runs on.
            pub fn hosts(&self) -> Option<&service::HostsSettings> {
                each_kind!(self, s, Part => <Part as Kind>::hosts(s))
            }
            /// After how long a replica that was killed is replaced.
            pub fn replace_after(&self) -> Option<Span> {
                each_kind!(self, s, Part => <Part as Kind>::replace_after(s))
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
            /// Whether it does different things with different data.
            pub fn needs_keys(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::needs_keys(s))
            }
            /// Whether it says itself which data its calls are about.
            pub fn gives_keys(&self) -> bool {
                each_kind!(self, s, Part => <Part as Kind>::gives_keys(s))
            }
            /// Whether it remembers what a fault can make it forget.
            pub fn forgets(&self) -> bool {
                each_kind!(self, _s, Part => <Part as Kind>::FORGETS)
            }
            /// Whether it only says whom to call.
            pub fn directs(&self) -> bool {
                each_kind!(self, _s, Part => <Part as Kind>::DIRECTS)
            }
            /// What limits one replica.
            pub fn limits(&self) -> Limits {
                each_kind!(self, s, Part => <Part as Kind>::limits(s))
            }
            /// What one call of an operation takes.
            pub fn demand(&self, op: &str, around: &mut Surroundings<'_>) -> Demand {
                each_kind!(self, s, Part => <Part as Kind>::demand(s, op, around))
            }
            /// Which share of its calls each target of its link gets.
            pub fn shares(&self, targets: &[(f64, u32, Span)]) -> Vec<f64> {
                each_kind!(self, s, Part => <Part as Kind>::shares(s, targets))
            }
            /// How often it answers by itself, where it can and that is known.
            pub fn hits(&self, groups: &[KeyGroup], fetch_s: f64) -> Option<Hits> {
                each_kind!(self, s, Part => <Part as Kind>::hits(s, groups, fetch_s))
            }
            /// What only makes sense together.
            pub fn check(&self, checks: &mut Checks<'_>) {
                each_kind!(self, s, Part => <Part as Kind>::check(s, checks))
            }
            /// One replica.
            pub fn build(&self, site: &mut Site<'_>) -> Node {
                match self {
                    $(ComponentSettings::$kind(s) => Node::$kind(Box::new(<$module::$kind as Kind>::build(s, site))),)*
                    ComponentSettings::Queue(_) => unreachable!("refused when read"),
                }
            }
        }

        impl Node {
            /// Gets a replica ready to adopt other settings under a number; false where the kinds differ.
            pub fn prepare(&mut self, change: u32, settings: &ComponentSettings) -> bool {
                match (self, settings) {
                    $((Node::$kind(part), ComponentSettings::$kind(s)) => { part.prepare(change, s); true })*
                    _ => false,
                }
            }

            /// The attempts over one of its links, where it counts them itself.
            pub fn attempts(&self, link: usize) -> Option<&Attempts> {
                match self {
                    $(Node::$kind(part) => part.attempts(link),)*
                    _ => None,
                }
            }
        }

        macro_rules! dispatch {
            ($node:expr, $part:ident => $result:expr) => {
                match $node {
                    Node::Link($part) => $result,
                    Node::Workload($part) => $result,
                    $(Node::$kind($part) => $result,)*
                    Node::Director($part) => $result,
                }
            };
        }

        impl Component for Node {
            #[inline(always)]
            fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
                dispatch!(self, part => part.on_start(cx))
            }
            #[inline(always)]
            fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
                dispatch!(self, part => part.on_call(cx, call))
            }
            #[inline(always)]
            fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: sim_core::Answer) -> Next {
                dispatch!(self, part => part.on_reply(cx, call, child, answer))
            }
            #[inline(always)]
            fn on_passed(&mut self, ticket: u32, since: Time, outcome: sim_core::Outcome) {
                dispatch!(self, part => part.on_passed(ticket, since, outcome))
            }
            fn on_parting(&mut self, cx: &mut Cx<'_>, attempt: CallId) {
                dispatch!(self, part => part.on_parting(cx, attempt))
            }
            #[inline(always)]
            fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
                dispatch!(self, part => part.on_timer(cx, timer))
            }
            #[inline(always)]
            fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
                dispatch!(self, part => part.look_ahead(ahead, coming))
            }
            fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
                dispatch!(self, part => part.on_cancel(cx, call))
            }
            fn rebuild(&mut self, now: Time) {
                dispatch!(self, part => part.rebuild(now))
            }
            fn begin_measuring(&mut self, now: Time) {
                dispatch!(self, part => part.begin_measuring(now))
            }
            fn figures(&self, now: Time, figures: &mut Figures) {
                dispatch!(self, part => part.figures(now, figures))
            }
            fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
                dispatch!(self, part => part.adopt(cx, change))
            }
        }
    };
}
