//! Limits of concurrency that adapt: how many attempts may be under way is learnt from how attempts end. One file and one row
//! each.
//!
//! A limit is a pure structure: it is told of each attempt that has ended, and says how many may be under way.
//! [`super::concurrency`] counts them, and lets attempts pass, wait or be refused.

pub mod aimd;
pub mod envoy_gradient;
pub mod envoy_thresholds;
pub mod gradient;
pub mod gradient2;
pub mod vegas;
pub mod window;

use envoy_thresholds::EnvoyThresholdsSettings;
use settings::Setting;
use sim_core::random::Key;
use sim_core::{Span, Time};

/// An attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it passed.
    pub began: Time,
    /// How long it took.
    pub took: Span,
    /// How many were under way when it had passed, itself included.
    pub in_flight: u32,
    /// Whether the callee turned it away or it ended in a timeout: a sign that there are too many.
    pub is_drop: bool,
}

/// Random numbers that are about no call.
#[derive(Clone, Copy, Debug)]
pub struct Chances {
    key: Key,
    made: u32,
}

const PURPOSE: u32 = 0x6c69;

impl Chances {
    /// Those of a key.
    pub fn of(key: u64) -> Chances {
        Chances { key: Key::from_bits(key).child(PURPOSE, 0), made: 0 }
    }

    /// A number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.made = self.made.wrapping_add(1);
        self.key.draw(PURPOSE, self.made).unit()
    }

    /// A whole number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.made = self.made.wrapping_add(1);
        self.key.draw(PURPOSE, self.made).below(bound)
    }
}

/// A limit that adapts.
pub trait AdaptiveLimit: Clone + std::fmt::Debug {
    /// What a scenario says of it.
    type Settings;

    /// As at the start of a run.
    fn new(settings: &Self::Settings, now: Time, chances: &mut Chances) -> Self;

    /// How many attempts may be under way.
    fn limit(&self) -> u32;

    /// The least and the most that it can become.
    fn bounds(settings: &Self::Settings) -> (u32, u32);

    /// An attempt has ended. One that says nothing of the callee, since it failed by itself or was given up, is left out.
    fn sampled(&mut self, sample: Sample, chances: &mut Chances);

    /// When it does something by itself.
    fn due(&self) -> Option<Time> {
        None
    }

    /// The instant that [`AdaptiveLimit::due`] named has come.
    fn came_due(&mut self, now: Time, chances: &mut Chances) {
        let _ = (now, chances);
    }

    /// What is wrong with the settings, by key.
    fn flaw(settings: &Self::Settings) -> Option<(&'static str, String)> {
        let _ = settings;
        None
    }
}

/// Makes the choice of settings and the state of it from one row a limit.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident($word:literal) => $limit:ty,)*) => {
        /// How the limit is set.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum LimitSettings {
            /// A fixed number, from 1 to 10000000.
            Fixed(u32),
            $($(#[$doc])* $name(<$limit as AdaptiveLimit>::Settings),)*
            /// Envoy's caps on connections, pending requests and requests, which it calls circuit breakers.
            EnvoyThresholds(EnvoyThresholdsSettings),
        }

        /// A limit that adapts, of one of the kinds.
        #[derive(Clone, Debug)]
        pub enum Adaptive {
            $(#[allow(missing_docs)] $name(Box<$limit>),)*
        }

        impl LimitSettings {
            /// Its word in the language.
            pub fn word(&self) -> &'static str {
                match self {
                    LimitSettings::Fixed(_) => "fixed",
                    $(LimitSettings::$name(_) => $word,)*
                    LimitSettings::EnvoyThresholds(_) => "envoy_thresholds",
                }
            }

            /// The limit that it describes, as at the start of a run; `None` for one that does not adapt.
            pub fn adaptive(&self, now: Time, chances: &mut Chances) -> Option<Adaptive> {
                match self {
                    LimitSettings::Fixed(_) | LimitSettings::EnvoyThresholds(_) => None,
                    $(LimitSettings::$name(settings) => {
                        Some(Adaptive::$name(Box::new(<$limit>::new(settings, now, chances))))
                    })*
                }
            }

            /// [`AdaptiveLimit::bounds`] of one that adapts.
            pub fn bounds(&self) -> Option<(u32, u32)> {
                match self {
                    LimitSettings::Fixed(_) | LimitSettings::EnvoyThresholds(_) => None,
                    $(LimitSettings::$name(settings) => Some(<$limit>::bounds(settings)),)*
                }
            }

            /// [`AdaptiveLimit::flaw`] of one that adapts.
            pub fn flaw(&self) -> Option<(&'static str, String)> {
                match self {
                    LimitSettings::Fixed(_) | LimitSettings::EnvoyThresholds(_) => None,
                    $(LimitSettings::$name(settings) => <$limit>::flaw(settings),)*
                }
            }
        }

        impl Adaptive {
            /// [`AdaptiveLimit::limit`].
            pub fn limit(&self) -> u32 {
                match self {
                    $(Adaptive::$name(limit) => limit.limit(),)*
                }
            }

            /// [`AdaptiveLimit::sampled`].
            pub fn sampled(&mut self, sample: Sample, chances: &mut Chances) {
                match self {
                    $(Adaptive::$name(limit) => limit.sampled(sample, chances),)*
                }
            }

            /// [`AdaptiveLimit::due`].
            pub fn due(&self) -> Option<Time> {
                match self {
                    $(Adaptive::$name(limit) => limit.due(),)*
                }
            }

            /// [`AdaptiveLimit::came_due`].
            pub fn came_due(&mut self, now: Time, chances: &mut Chances) {
                match self {
                    $(Adaptive::$name(limit) => limit.came_due(now, chances),)*
                }
            }
        }
    };
}

limits! {
    /// One more while it goes well, a tenth fewer when it does not.
    Aimd("aimd") => aimd::Aimd,
    /// By the queue that the time from call to answer suggests, as TCP Vegas.
    Vegas("vegas") => vegas::Vegas,
    /// By how the time from call to answer compares with the shortest one.
    Gradient("gradient") => gradient::Gradient,
    /// By how the time from call to answer compares with its long average.
    Gradient2("gradient2") => gradient2::Gradient2,
    /// Envoy's adaptive concurrency: by how the median time compares with that at hardly any load.
    EnvoyGradient("envoy_gradient") => envoy_gradient::EnvoyGradient,
}

/// What is wrong with the bounds of a limit.
fn flaw_of_bounds(least: u32, first: u32, most: u32) -> Option<(&'static str, String)> {
    if least > most {
        return Some(("min", format!("the limit cannot be at least {least} and at most {most}")));
    }
    (!(least..=most).contains(&first))
        .then(|| ("initial", format!("a limit from {least} to {most} cannot begin with {first}")))
}

/// Netflix's `Log10RootIntFunction`: the decimal logarithm, cut to a whole number, at least 1.
fn log10(limit: u32) -> u32 {
    limit.checked_ilog10().unwrap_or(0).max(1)
}
