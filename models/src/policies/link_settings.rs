//! What a scenario says of a link: whom it calls, and the table of its policies.
//!
//! The order of the rows is the order in which a call meets the policies, outermost first. It stands here and nowhere
//! else: the settings of a link, the gates that it asks, documentation, `explain` and messages are made from the table.

use settings::{Name, OneOrMany, Setting, Spanned};

use sim_core::figures::Set;
use sim_core::{Figures, Happens, Span, Time};

use crate::balancing::health_check::HealthCheckSettings;
use crate::balancing::lookout::Means;

use super::batch::Batch;
use super::breaker::Breaker;
use super::coalesce::Coalescing;
use super::concurrency::Bulkhead;
use super::fallback::Fallback;
use super::flaw::Flaw;
use super::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use super::hedge::Hedge;
use super::network::Network;
use super::policy::{Beside, Described, Passes, Policy, Way};
use super::pool::{Choose, Per, Pool};
use super::rate_limit::{RateLimit, RateLimitSettings};
use super::retry::Retry;
use super::throttle::Throttle;
use super::timeout::{Timeout, TotalTimeout};

/// One target of a link, with its share of the calls.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "to")]
pub struct TargetSettings {
    /// The component to call.
    pub to: Spanned<Name>,
    /// Weight relative to the others.
    #[setting(default = 1, range = "0..=1000000")]
    pub weight: f64,
}

/// What travels along a call beside the call itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Propagated {
    /// The instant after which nobody wants the answer: expired work is dropped at dequeue and before each step.
    Deadline,
    /// Giving up: the callee is told to stop.
    Cancel,
}

/// A policy of a link as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the scenario.
    pub name: &'static str,
    /// The shortest way that it allows.
    pub way: Way,
    /// In a few words, its name included.
    pub brief: Option<String>,
    /// What its settings say.
    pub described: Option<Described>,
    /// What is wrong with them.
    pub flaws: Vec<Flaw>,
}

/// Makes everything that depends on which policies there are, from one row a policy: the key of the language and the
/// policy; behind `=>`, for one that is a [gate](super::gate), the name of its kind of gate.
macro_rules! policies {
    ($($(#[$meta:meta])* $name:ident: $policy:ty $(=> $gate:ident)?,)*) => {
        /// A link: how a component or workload calls another.
        #[derive(Clone, Debug, PartialEq, Setting)]
        #[setting(shorthand = "to")]
        pub struct LinkSettings {
            /// Targets: a name, a list of names, or a list of `{to, weight}`.
            pub to: OneOrMany<TargetSettings>,
            $($(#[$meta])* pub $name: Option<<$policy as Policy>::Settings>,)*
            /// Whether cancellation and the deadline are propagated to the callee.
            #[setting(default = "[]")]
            pub propagate: Vec<Propagated>,
            /// How the caller detects unhealthy replicas. Without it, dead replicas are still called.
            pub health_check: Option<HealthCheckSettings>,
        }

        /// The names of all policies, in the order in which a call meets them, outermost first.
        pub const ORDER: &[&str] = &[$(stringify!($name)),*];

        /// How many policies are gates.
        pub const GATES: usize = [$($(stringify!($gate),)?)*].len();

        /// The figures that each policy reports, by its name.
        pub const FIGURES: &[(&str, Set)] = &[$((stringify!($name), <$policy as Policy>::FIGURES)),*];

        /// What each policy tells of, by its name.
        pub const HAPPENS: &[(&str, &[&Happens])] = &[$((stringify!($name), <$policy as Policy>::HAPPENS)),*];

        /// A gate of one of the kinds.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum AnyGate {
            $($($gate($policy),)?)*
        }

        impl LinkSettings {
            /// Its gates, in the order in which they are asked, as at the start of a run.
            pub fn gates(&self, now: Time) -> Vec<AnyGate> {
                let mut gates = Vec::new();
                $($(if let Some(settings) = &self.$name {
                    gates.push(AnyGate::$gate(<$policy as Gate>::new(settings, now)));
                })?)*
                gates
            }

            /// Makes gates adopt these settings. Which gates there are does not change during a run.
            pub fn adopt_gates(&self, gates: &mut [AnyGate], now: Time) {
                for gate in gates {
                    match gate {
                        $($(AnyGate::$gate(gate) => {
                            if let Some(settings) = &self.$name {
                                gate.adopt(now, settings);
                            }
                        })?)*
                    }
                }
            }
        }

        macro_rules! each_gate {
            ($any:expr, $found:ident => $result:expr) => {
                match $any {
                    $($(AnyGate::$gate($found) => $result,)?)*
                }
            };
        }

        impl LinkSettings {
            /// A link with no policies.
            pub fn bare(to: OneOrMany<TargetSettings>) -> LinkSettings {
                LinkSettings { to, $($name: None,)* propagate: Vec::new(), health_check: None }
            }

            /// The policies that are written, in the order in which a call meets them.
            pub fn written(&self) -> Vec<Written> {
                let LinkSettings { to: _, $($name,)* propagate: _, health_check: _ } = self;
                let mut names = Vec::new();
                $(if $name.is_some() {
                    names.push(stringify!($name));
                })*
                let beside = Beside {
                    written: &names,
                    keeps_alive: self.network.as_ref().is_none_or(|network| network.keep_alive),
                };
                let mut written = Vec::new();
                $(if let Some(settings) = $name {
                    written.push(Written {
                        name: stringify!($name),
                        way: <$policy>::way(settings),
                        brief: <$policy>::brief(settings),
                        described: <$policy>::described(settings),
                        flaws: <$policy>::flaws(settings, &beside),
                    });
                })*
                written
            }

            /// The longest that its policies can hold up an attempt, beyond its timeout.
            pub fn holds_up(&self) -> Span {
                let mut all: Span = 0;
                $(if let Some(settings) = &self.$name {
                    all = all.saturating_add(<$policy>::holds_up(settings));
                })*
                all
            }

            /// What bounds the attempts of one caller, outermost first, each policy with its name.
            pub fn passes(&self) -> Vec<(&'static str, Passes)> {
                let mut all = Vec::new();
                $(if let Some(settings) = &self.$name {
                    all.extend(<$policy>::passes(settings).map(|passes| (stringify!($name), passes)));
                })*
                all
            }

            /// What is wrong with its policies, by their names, where a caller makes so many attempts a second.
            pub fn flaws_at(&self, per_s: f64) -> Vec<(&'static str, Flaw)> {
                let mut all = Vec::new();
                $(if let Some(settings) = &self.$name {
                    all.extend(<$policy>::flaws_at(settings, per_s).into_iter().map(|flaw| (stringify!($name), flaw)));
                })*
                all
            }

            /// The shortest way that calls can take: what the settings allow that are written.
            pub fn way(&self) -> Way {
                // Without `..`: a setting that is not considered here does not compile.
                let LinkSettings { to: _, $($name,)* propagate, health_check: _ } = self;
                let mut way = if propagate.is_empty() { Way::Bare } else { Way::Plain };
                $(if let Some(settings) = $name {
                    way = way.max(<$policy>::way(settings));
                })*
                way
            }
        }
    };
}

policies! {
    /// An answer in place of a failure.
    fallback: Fallback,
    /// Timeout for the whole call: waits, attempts and back-offs together.
    #[setting(live)]
    total_timeout: TotalTimeout,
    /// Identical calls in flight share one call.
    coalesce: Coalescing,
    /// Combines calls into batches.
    batch: Batch,
    /// Retries of failed attempts.
    #[setting(live)]
    retry: Retry,
    /// Sends a second copy after a delay.
    #[setting(live)]
    hedge: Hedge,
    /// Rejects calls in proportion to recent rejections by the callee.
    throttle: Throttle => Throttle,
    /// A circuit breaker.
    breaker: Breaker => Breaker,
    /// Limits the call rate.
    rate_limit: RateLimit => RateLimit,
    /// Limits the calls in flight.
    concurrency: Bulkhead => Concurrency,
    /// Connection pool of the link.
    pool: Pool,
    /// Timeout of one attempt.
    #[setting(live)]
    timeout: Timeout,
    /// The network between caller and callee.
    network: Network,
}

impl AnyGate {
    /// [`Gate::seed`].
    pub fn seed(&mut self, now: Time, key: u64) {
        each_gate!(self, gate => gate.seed(now, key))
    }

    /// [`Gate::ask`].
    pub fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict {
        each_gate!(self, gate => gate.ask(now, who))
    }

    /// [`Gate::ended`].
    pub fn ended(&mut self, now: Time, permit: Permit, passed: Time, end: End) {
        each_gate!(self, gate => gate.ended(now, permit, passed, end))
    }

    /// [`Gate::leave`].
    pub fn leave(&mut self, now: Time, id: u32) {
        each_gate!(self, gate => gate.leave(now, id))
    }

    /// [`Gate::due`].
    pub fn due(&self) -> Option<Time> {
        each_gate!(self, gate => gate.due())
    }

    /// [`Gate::came_due`].
    pub fn came_due(&mut self, now: Time) {
        each_gate!(self, gate => gate.came_due(now))
    }

    /// [`Gate::next`].
    pub fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        each_gate!(self, gate => gate.next(now))
    }

    /// [`Gate::rebuild`].
    pub fn rebuild(&mut self, now: Time) {
        each_gate!(self, gate => gate.rebuild(now))
    }

    /// [`Gate::begin_measuring`].
    pub fn begin_measuring(&mut self, now: Time) {
        each_gate!(self, gate => gate.begin_measuring(now))
    }

    /// [`Gate::figures`].
    pub fn figures(&self, now: Time, figures: &mut Figures) {
        each_gate!(self, gate => gate.figures(now, figures))
    }

    /// [`Gate::told`].
    pub fn told(&mut self) -> Option<&'static Happens> {
        each_gate!(self, gate => gate.told())
    }
}

impl LinkSettings {
    /// The policies that are written, by name; the network and what travels along are none.
    pub fn policies(&self) -> Vec<&'static str> {
        self.written().into_iter().map(|policy| policy.name).filter(|name| *name != "network").collect()
    }

    /// Whether each replica has connections of its own in the pool; `balances` says whether the link's owner chooses among
    /// replicas.
    pub fn is_per_target(&self, balances: bool) -> bool {
        match self.pool.as_ref().and_then(|pool| pool.per) {
            Some(per) => per == Per::Target,
            None => balances && self.pool.is_some(),
        }
    }

    /// Whether calls take the connections to one replica after the other's.
    pub fn takes_turns(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.per == Some(Per::Target) && pool.choose == Some(Choose::RoundRobin))
    }

    /// Whether a balancer hands its calls to the link: it has policies beside the network, which the balancer knows itself, or
    /// opens connections.
    pub fn asks_anything(&self) -> bool {
        !self.policies().is_empty() || self.network.as_ref().is_some_and(|network| !network.keep_alive)
    }

    /// By which means the caller finds out which replicas are well, where that takes time.
    pub fn means(&self) -> Means {
        let probes = self.health_check.as_ref().and_then(HealthCheckSettings::found_out);
        Means { probes: probes.map(|probes| probes.0.clone()), ..Means::default() }
    }

    /// Whether the caller knows the instant a replica dies or comes up.
    pub fn knows_at_once(&self) -> bool {
        self.health_check.as_ref().is_some_and(HealthCheckSettings::is_instant)
    }

    /// Attempts that one call can make, one after the other.
    pub fn max_attempts(&self) -> u32 {
        self.retry.as_ref().map_or(1, |retry| retry.max_attempts)
    }

    /// The most that one call can send: its attempts, and the copies of each.
    pub fn max_sent(&self) -> u32 {
        self.max_attempts() * (1 + self.hedge.as_ref().map_or(0, |hedge| hedge.max))
    }

    /// Whether any policy tells clients apart.
    pub fn goes_by_client(&self) -> bool {
        self.rate_limit.as_ref().is_some_and(RateLimitSettings::goes_by_client)
    }

    /// The policies in words, in the order in which a call meets them.
    pub fn in_words(&self) -> Vec<String> {
        self.written().into_iter().filter_map(|policy| policy.brief).collect()
    }
}
