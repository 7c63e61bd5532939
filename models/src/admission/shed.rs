//! Shedding: calls are turned away before anything is full, the less important ones first.

use settings::values::Scalar;
use settings::{Duration, Fraction, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::{Figure, Figures, Happens, Span, Time};

use super::levels::{Levels, rank};

/// When calls are turned away although there is room.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum ShedSettings {
    /// By how much of the room is taken: the workers, or `concurrency`, and the `queue`. Calls of a priority are turned away while
    /// this share of it or more is. A priority given as a number above 3 counts as `low`.
    Priority {
        /// For `low` calls.
        #[setting(default = "60%", live)]
        low: Fraction,
        /// For `normal` calls.
        #[setting(default = "80%", live)]
        normal: Fraction,
        /// For `high` calls.
        #[setting(default = "95%", live)]
        high: Fraction,
        /// For `critical` calls. The default turns none away.
        #[setting(default = "100%", live)]
        critical: Fraction,
    },
    /// By how long calls wait in the queue, as in WeChat: the least important calls, and of equal ones those of some clients.
    Dagor {
        /// Mean wait in a window above which there is overload. The default is WeChat's.
        #[setting(default = "20ms", live)]
        queueing: Duration,
        /// Length of a window. The default is WeChat's.
        #[setting(default = "1s", range = ">0s", live)]
        window: Duration,
        /// Calls after which a window ends early. The default is WeChat's.
        #[setting(default = 2000, range = "1..=1000000000", live)]
        requests: u32,
        /// Share by which fewer calls are admitted after a window with overload. The default is WeChat's α.
        #[setting(default = "5%", live)]
        decrease: Fraction,
        /// Share of the calls that come that is admitted in addition after a window without. The default is WeChat's β.
        #[setting(default = "1%", live)]
        increase: Fraction,
    },
    /// By how long calls to a dependency take: the least important calls, and of equal ones those of some clients.
    Latency {
        /// The link to the dependency.
        link: Spanned<Name>,
        /// Mean time of the calls over it, in a window, above which there is overload.
        #[setting(range = ">0s", live)]
        over: Duration,
        /// Length of a window.
        #[setting(default = "100ms", range = ">0s", live)]
        window: Duration,
        /// Share by which fewer calls are admitted after a window with overload.
        #[setting(default = "5%", live)]
        decrease: Fraction,
        /// Share of the calls that come that is admitted in addition after a window without.
        #[setting(default = "1%", live)]
        increase: Fraction,
    },
}

impl ShedSettings {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            ShedSettings::Priority { .. } => "by priority, as the room fills".to_string(),
            ShedSettings::Dagor { queueing, .. } => {
                format!("by importance, where calls wait over {}", queueing.format())
            }
            ShedSettings::Latency { link, over, .. } => {
                format!("by importance, where calls over {} take over {}", link.as_str(), over.format())
            }
        }
    }

    /// The link whose calls it looks at.
    pub fn link(&self) -> Option<&Spanned<Name>> {
        match self {
            ShedSettings::Latency { link, .. } => Some(link),
            ShedSettings::Priority { .. } | ShedSettings::Dagor { .. } => None,
        }
    }

    /// Whether it goes by how full the room is.
    pub fn goes_by_room(&self) -> bool {
        match self {
            ShedSettings::Priority { .. } => true,
            ShedSettings::Dagor { .. } | ShedSettings::Latency { .. } => false,
        }
    }

    /// Whether it tells clients apart.
    pub fn goes_by_client(&self) -> bool {
        !self.goes_by_room()
    }

    /// Whether it goes by how long calls wait in the queue.
    fn goes_by_wait(&self) -> bool {
        match self {
            ShedSettings::Dagor { .. } => true,
            ShedSettings::Priority { .. } | ShedSettings::Latency { .. } => false,
        }
    }
}

const REFUSED: Figure = Figure::count("shed.refused", "Calls turned away by shedding.").kept();
const SHARE: Figure = Figure::share("shed.refused_share", "Share of the calls turned away by shedding.");

/// The figures of shedding.
pub const FIGURES: Set = &[&REFUSED, &SHARE];

/// The first call is turned away.
pub static SHEDDING_BEGINS: Happens = Happens {
    name: "shedding_begins",
    doc: "A service begins to turn less important calls away, because its calls wait too long or its dependency is slow.",
};
/// Nobody is turned away any more.
pub static SHEDDING_ENDS: Happens =
    Happens { name: "shedding_ends", doc: "A service has ceased to turn less important calls away." };

/// Who asks to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// How important the call is; 0 first.
    pub priority: u8,
    /// The client that its request came from; where nobody said, a number of its own.
    pub client: u64,
}

/// The state of shedding in one replica.
#[derive(Clone, Debug)]
pub struct Shed {
    settings: ShedSettings,
    levels: Levels,
    /// When the present window began, and what was measured in it: the sum, ns, and how often.
    since: Time,
    measured: (u128, u64),
    told: Option<&'static Happens>,
    asked: u64,
    refused: u64,
}

impl Shed {
    /// As at the start of a run.
    pub fn new(settings: &ShedSettings, now: Time) -> Shed {
        let (levels, measured) = (Levels::default(), (0, 0));
        Shed { settings: settings.clone(), levels, since: now, measured, told: None, asked: 0, refused: 0 }
    }

    /// Whether a call may come in, where so much of so much room is taken.
    pub fn admits(&mut self, now: Time, caller: Caller, taken: u64, room: u64) -> bool {
        self.asked += 1;
        let admits = match &self.settings {
            ShedSettings::Priority { low, normal, high, critical } => {
                let most = match caller.priority {
                    0 => critical,
                    1 => high,
                    2 => normal,
                    _ => low,
                };
                // Who finds everything taken is turned away by the queue, if at all.
                most.0 >= 1.0 || (taken as f64) < most.0 * room as f64
            }
            ShedSettings::Dagor { .. } | ShedSettings::Latency { .. } => {
                self.look_at_window(now);
                self.levels.admits(rank(caller.priority, caller.client, now))
            }
        };
        self.refused += u64::from(!admits);
        admits
    }

    /// Ends the window, if it is over.
    fn look_at_window(&mut self, now: Time) {
        let (most, window, requests, decrease, increase) = match &self.settings {
            ShedSettings::Priority { .. } => return,
            ShedSettings::Dagor { queueing, window, requests, decrease, increase } => {
                (queueing.0, window.0, u64::from(*requests), decrease.0, increase.0)
            }
            ShedSettings::Latency { over, window, decrease, increase, .. } => {
                (over.0, window.0, u64::MAX, decrease.0, increase.0)
            }
        };
        if now < self.since.saturating_add(window) && self.levels.arrived() < requests {
            return;
        }
        let (sum, count) = std::mem::take(&mut self.measured);
        let overload = count > 0 && sum > u128::from(most) * u128::from(count);
        let before = self.levels.sheds();
        self.levels.end_window(overload, decrease, increase);
        self.since = now;
        match (before, self.levels.sheds()) {
            (false, true) => self.told = Some(&SHEDDING_BEGINS),
            (true, false) => self.told = Some(&SHEDDING_ENDS),
            (false, false) | (true, true) => {}
        }
    }

    /// A call has waited so long in the queue.
    pub fn waited(&mut self, span: Span) {
        if self.settings.goes_by_wait() {
            self.measured.0 += u128::from(span);
            self.measured.1 += 1;
        }
    }

    /// A call over the dependency's link has taken so long.
    pub fn took(&mut self, span: Span) {
        self.measured.0 += u128::from(span);
        self.measured.1 += 1;
    }

    /// Other settings take effect; another way of shedding begins anew.
    pub fn adopt(&mut self, now: Time, settings: &ShedSettings) {
        if std::mem::discriminant(&self.settings) != std::mem::discriminant(settings) {
            self.rebuild(now);
        }
        self.settings = settings.clone();
    }

    /// The replica has crashed; measures live on.
    pub fn rebuild(&mut self, now: Time) {
        self.levels.clear();
        (self.since, self.measured, self.told) = (now, (0, 0), None);
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self) {
        (self.asked, self.refused) = (0, 0);
    }

    /// What has happened since it was last asked.
    pub fn told(&mut self) -> Option<&'static Happens> {
        self.told.take()
    }

    /// Reports its figures.
    pub fn figures(&self, figures: &mut Figures) {
        figures.count(&REFUSED, self.refused);
        figures.ratio(&SHARE, self.refused, self.asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::notation::read;
    use sim_core::time::{MILLISECOND as MS, SECOND};

    fn shed(text: &str) -> Shed {
        Shed::new(&read(text).unwrap_or_else(|why| panic!("{text}: {why:?}")), 0)
    }

    fn caller(priority: u8, client: u64) -> Caller {
        Caller { priority, client }
    }

    #[test]
    fn the_less_important_are_turned_away_earlier() {
        let mut shed = shed("{priority: {low: 50%}}");
        for (taken, admitted) in [(0, 4), (49, 4), (50, 3), (79, 3), (80, 2), (94, 2), (95, 1), (100, 1)] {
            let found = (0..4).filter(|priority| shed.admits(0, caller(*priority, 0), taken, 100)).count();
            assert_eq!(found, admitted, "{taken}");
        }
        assert!(!shed.admits(0, caller(200, 0), 60, 100));
        let mut figures = Figures::default();
        shed.figures(&mut figures);
        assert_eq!(figures.get(&REFUSED), Some(&sim_core::figures::Value::Count(13)));
    }

    /// A window of 100 ms whose calls over the link took 60 ms on average is one of overload.
    #[test]
    fn a_slow_dependency_moves_the_level_and_a_fast_one_moves_it_back() {
        let mut shed = shed("{latency: {link: db, over: 50ms, increase: 5%}}");
        let mut window = |number: u64, took: Span| {
            let admitted = (0..1_000).filter(|n| shed.admits(number * 100 * MS, caller(2, *n), 0, 1)).count();
            shed.took(took);
            (admitted, shed.told().map(|happens| happens.name))
        };
        assert_eq!(window(0, 60 * MS), (1_000, None));
        let (admitted, told) = window(1, 40 * MS);
        assert!((900..=950).contains(&admitted) && told == Some("shedding_begins"), "{admitted} {told:?}");
        // 40 ms is no overload, and 5 % come back, which is more than any rank has.
        let (again, _) = window(2, 60 * MS);
        assert!(again > admitted, "{again} after {admitted}");
        let (fewer, _) = window(3, 40 * MS);
        assert!(fewer < again);
        let mut last = (0, None);
        for number in 4..40 {
            last = window(number, MS);
        }
        assert_eq!(last, (1_000, None));
    }

    #[test]
    fn a_window_of_dagor_ends_after_so_many_calls() {
        let mut shed = shed("{dagor: {requests: 100}}");
        shed.waited(21 * MS);
        for client in 0..100 {
            assert!(shed.admits(MS, caller(3, client), 0, 1));
        }
        // The hundred-and-first finds the window over.
        shed.admits(MS, caller(0, 0), 0, 1);
        assert_eq!(shed.told().map(|happens| happens.name), Some("shedding_begins"));
        assert!((0..1_000).any(|client| !shed.admits(MS + 1, caller(3, client), 0, 1)));
        let mut other = shed.clone();
        other.adopt(SECOND, &read("{dagor: {queueing: 50ms}}").expect("settings"));
        assert!(other.levels.sheds());
        other.rebuild(SECOND);
        assert!(!other.levels.sheds());
    }
}
