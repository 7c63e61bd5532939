//! A client-side throttle: a caller whose calls are rejected stops sending most of them.
//!
//! With the calls that ended in the last `window` and those of them that the callee accepted, a call is refused here with
//! probability max(0, (requests − k × accepts)/(requests + 1)); calls that are refused here count as requests. A callee
//! that accepts a constant rate is then sent `k` times that rate (*Site Reliability Engineering*, chapter 21). One that
//! rejects a constant share of what it is sent, more than 1 − 1/`k`, is soon hardly called at all. The counters are those of grpc-go (`balancer/rls/internal/adaptive/adaptive.go` at 7c816394): a call counts when its answer
//! is known, in one of 100 bins, so that calls under way do not look like rejected ones.

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::figures::Set;
use sim_core::{Figure, Figures, Outcome, Time};

use crate::policies::flaw::Flaw;
use crate::policies::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use crate::policies::outcomes::{OutcomeName, OutcomeSet};
use crate::policies::policy::{Beside, Described, Policy};
use crate::policies::windows::TimeWindow;

/// A client-side throttle.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum ThrottleSettings {
    /// Rejects calls with a probability derived from the share accepted recently.
    Adaptive {
        /// Requests sent per request accepted by the callee. The default is that of *Site Reliability Engineering*,
        /// chapter 21; a lower value rejects more at the caller and notices recovery later.
        #[setting(default = 2, range = "1..=1000", live)]
        k: f64,
        /// Length of the window over which requests are counted. The default is that of *Site Reliability Engineering*,
        /// chapter 21.
        #[setting(default = "2m", range = ">0s", live)]
        window: Duration,
        /// Outcomes that count as rejected by the callee. All others count as accepted, except cancelled calls and
        /// those that this link rejects itself: unless listed, they count as neither.
        #[setting(default = "[overload, rate_limited, unavailable, reset, timeout]", live)]
        counts: Vec<OutcomeName>,
    },
}

impl ThrottleSettings {
    /// What is wrong with the settings.
    pub fn flaws(&self) -> Vec<Flaw> {
        let ThrottleSettings::Adaptive { counts, .. } = self;
        let nothing = counts.is_empty().then(|| Flaw {
            code: "never_reached",
            key: "adaptive.counts".to_string(),
            message: "the throttle never rejects: no outcome counts as rejected".to_string(),
            help: "list the outcomes that count as rejected".to_string(),
        });
        nothing.into_iter().collect()
    }
}

const REFUSED: Figure = Figure::count("throttle.refused", "Attempts rejected by the throttle.");
const REFUSED_SHARE: Figure =
    Figure::share("throttle.refused_share", "Share of the attempts rejected by the throttle.");

impl Policy for Throttle {
    const FIGURES: Set = &[&REFUSED, &REFUSED_SHARE];
    type Settings = ThrottleSettings;

    fn brief(_: &ThrottleSettings) -> Option<String> {
        Some("throttle".into())
    }

    fn described(settings: &ThrottleSettings) -> Option<Described> {
        let ThrottleSettings::Adaptive { k, window, .. } = settings;
        let words = format!("{k} requests for each that is accepted, over {}", window.format());
        Some(Described { words, has_state: true })
    }

    fn flaws(settings: &ThrottleSettings, _: &Beside<'_>) -> Vec<Flaw> {
        settings.flaws()
    }
}

/// Bins of the window, as in grpc-go.
const BINS: u64 = 100;

/// The indices of the counts.
const REQUESTS: usize = 0;
const ACCEPTS: usize = 1;

/// What is measured of a throttle.
#[derive(Clone, Copy, Debug, Default)]
struct Measures {
    asked: u64,
    refused: u64,
}

/// The throttle of one calling replica and link.
#[derive(Clone, Debug)]
pub struct Throttle {
    k: f64,
    rejections: OutcomeSet,
    /// Requests and accepts.
    window: TimeWindow<2>,
    measures: Measures,
}

impl Throttle {
    /// The probability with which a call is refused.
    fn probability(&mut self, now: Time) -> f64 {
        self.window.advance(now);
        let [requests, accepts] = self.window.total();
        ((requests as f64 - self.k * accepts as f64) / (requests as f64 + 1.0)).max(0.0)
    }
}

impl Gate for Throttle {
    type Settings = ThrottleSettings;

    fn new(settings: &ThrottleSettings, now: Time) -> Throttle {
        let ThrottleSettings::Adaptive { k, window, counts } = settings;
        Throttle {
            k: *k,
            rejections: OutcomeSet::of(counts),
            window: TimeWindow::new(now, window.0.div_ceil(BINS), BINS as usize),
            measures: Measures::default(),
        }
    }

    fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict {
        self.measures.asked += 1;
        let probability = self.probability(now);
        if probability <= 0.0 || (who.chance)() >= probability {
            return Verdict::Pass(Permit::default());
        }
        self.window.add(now, [1, 0]);
        self.measures.refused += 1;
        Verdict::Refuse(Refusal { outcome: Outcome::Overload, retry_after: 0 })
    }

    fn ended(&mut self, now: Time, _permit: Permit, _passed: Time, end: End) {
        let accepted = match end {
            End::Answered(outcome) | End::GivenUp(outcome) => !self.rejections.contains(outcome),
            End::Refused(outcome) if self.rejections.contains(outcome) => false,
            End::Refused(_) | End::Dropped => return,
        };
        let mut counts = [0; 2];
        counts[REQUESTS] = 1;
        counts[ACCEPTS] = u64::from(accepted);
        self.window.add(now, counts);
    }

    /// What is known stays, unless the length of the window changes; it then starts empty.
    fn adopt(&mut self, now: Time, settings: &ThrottleSettings) {
        let ThrottleSettings::Adaptive { k, window, counts } = settings;
        self.k = *k;
        self.rejections = OutcomeSet::of(counts);
        self.window.resize(now, window.0.div_ceil(BINS), BINS as usize);
    }

    fn rebuild(&mut self, now: Time) {
        self.window.clear();
        self.window.advance(now);
    }

    fn begin_measuring(&mut self, _now: Time) {
        self.measures = Measures::default();
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        let Measures { asked, refused } = self.measures;
        figures.count(&REFUSED, refused);
        figures.ratio(&REFUSED_SHARE, refused, asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::limiters::{Bound, Limiter};
    use settings::notation::read;
    use sim_core::figures::Value;
    use sim_core::random::Stream;
    use sim_core::time::{MILLISECOND as MS, SECOND};

    fn throttle(text: &str) -> Throttle {
        Throttle::new(&read(text).unwrap_or_else(|why| panic!("{text}: {why:?}")), 0)
    }

    fn ask(throttle: &mut Throttle, now: Time, chance: f64) -> bool {
        let mut chance = || chance;
        let mut who = Asking { id: 0, op: 0, key: 0, client: 0, priority: 2, is_retry: false, chance: &mut chance };
        match throttle.ask(now, &mut who) {
            Verdict::Pass(_) => true,
            Verdict::Refuse(refusal) => {
                assert_eq!(refusal, Refusal { outcome: Outcome::Overload, retry_after: 0 });
                false
            }
            Verdict::Wait => panic!("a throttle makes nobody wait"),
        }
    }

    fn end(throttle: &mut Throttle, now: Time, outcomes: &[Outcome]) {
        outcomes.iter().for_each(|outcome| throttle.ended(now, Permit(0), now, End::Answered(*outcome)));
    }

    /// *Site Reliability Engineering*, chapter 21: nothing is refused until requests are K times accepts.
    #[test]
    fn it_refuses_with_the_probability_of_the_book() {
        let mut throttle = throttle("adaptive");
        // Nobody draws while the probability is 0, whatever is under way.
        assert!((0..50).all(|_| ask(&mut throttle, 0, f64::NAN)));
        end(&mut throttle, SECOND, &[Outcome::Ok, Outcome::Error, Outcome::ClientError]);
        end(&mut throttle, SECOND, &[Outcome::Overload, Outcome::RateLimited, Outcome::Unavailable]);
        // 6 requests, 3 accepts: (6 − 6)/7.
        assert_eq!(throttle.probability(SECOND), 0.0);
        throttle.ended(SECOND, Permit(0), 0, End::GivenUp(Outcome::Timeout));
        // (7 − 6)/8, and a call that is refused here is a request: (8 − 6)/9.
        assert_eq!(throttle.probability(SECOND), 1.0 / 8.0);
        assert!(ask(&mut throttle, SECOND, 0.125));
        assert!(!ask(&mut throttle, SECOND, 0.124_999));
        assert_eq!(throttle.probability(SECOND), 2.0 / 9.0);
        // What this link refuses further in and what is cancelled say nothing of the callee.
        throttle.ended(SECOND, Permit(0), 0, End::Refused(Outcome::PoolTimeout));
        throttle.ended(SECOND, Permit(0), 0, End::Dropped);
        assert_eq!(throttle.probability(SECOND), 2.0 / 9.0);
        throttle.ended(SECOND, Permit(0), 0, End::Refused(Outcome::RateLimited));
        assert_eq!(throttle.probability(SECOND), 3.0 / 10.0);
        let mut figures = Figures::default();
        throttle.figures(SECOND, &mut figures);
        assert_eq!(figures.get(&REFUSED), Some(&Value::Count(1)));
        assert_eq!(figures.get(&REFUSED_SHARE), Some(&Value::Ratio { part: 1, whole: 52 }));
        // Two minutes in bins of 1.2 s: the bin that ends at 1.2 s leaves at 120 s.
        assert_eq!(throttle.probability(119_999 * MS), 3.0 / 10.0);
        assert_eq!(throttle.probability(120_000 * MS), 0.0);
    }

    #[test]
    fn other_settings_and_crashes() {
        let mut throttle = throttle("{adaptive: {k: 1, window: 10s}}");
        end(&mut throttle, SECOND, &[Outcome::Overload, Outcome::Overload, Outcome::Error]);
        assert_eq!(throttle.probability(SECOND), 2.0 / 4.0);
        let adopt = |throttle: &mut Throttle, text: &str| throttle.adopt(SECOND, &read(text).expect(text));
        adopt(&mut throttle, "{adaptive: {k: 1.5, window: 10s, counts: [error]}}");
        assert_eq!(throttle.probability(SECOND), 1.5 / 4.0);
        end(&mut throttle, SECOND, &[Outcome::Error]);
        assert_eq!(throttle.probability(SECOND), 2.5 / 5.0);
        let mut shorter = throttle.clone();
        adopt(&mut shorter, "{adaptive: {window: 5s}}");
        assert_eq!(shorter.probability(SECOND), 0.0);
        throttle.rebuild(2 * SECOND);
        assert_eq!(throttle.probability(2 * SECOND), 0.0);
        let flaws = read::<ThrottleSettings>("{adaptive: {counts: []}}").expect("readable").flaws();
        assert_eq!(flaws.iter().map(|flaw| flaw.key.as_str()).collect::<Vec<_>>(), ["adaptive.counts"]);
        assert_eq!(read::<ThrottleSettings>("adaptive").expect("readable").flaws(), []);
        assert!(read::<ThrottleSettings>("{adaptive: {k: 0.5}}").is_err());
    }

    #[test]
    fn it_agrees_with_a_list_of_requests() {
        let mut stream = Stream::named(7, "throttle");
        let mut throttle = throttle("{adaptive: {k: 1.6, window: 1s}}");
        let mut requests: Vec<(Time, bool)> = Vec::new();
        let (mut now, mut refused) = (0, 0);
        for step in 0..20_000 {
            now += stream.below(4 * MS);
            let from = (now / (10 * MS) + 1).saturating_sub(100) * 10 * MS;
            requests.retain(|(at, _)| *at >= from);
            let accepts = requests.iter().filter(|(_, accepted)| *accepted).count() as f64;
            let n = requests.len() as f64;
            let expected = ((n - 1.6 * accepts) / (n + 1.0)).max(0.0);
            let chance = stream.unit();
            let passes = chance >= expected;
            assert_eq!(ask(&mut throttle, now, chance), passes, "step {step}");
            let mut accepted = false;
            if passes {
                // The callee is well and ill in turns.
                accepted = (now / (5 * SECOND)).is_multiple_of(2) || stream.below(10) < 3;
                end(&mut throttle, now, &[if accepted { Outcome::Ok } else { Outcome::Overload }]);
            } else {
                refused += 1;
            }
            requests.push((now, accepted));
        }
        assert!((1_000..19_000).contains(&refused), "{refused}");
    }

    /// With a callee that accepts 100 calls a second, k × 100 are sent of 1,000. In 240 s those are 48,000 draws, with a
    /// standard deviation below 0.5 %: 3 % is missed by chance once in a billion.
    #[test]
    fn a_callee_gets_k_times_what_it_accepts() {
        for (k, expected) in [(1.1, 110.0), (2.0, 200.0), (4.0, 400.0)] {
            let mut throttle = throttle(&format!("{{adaptive: {{k: {k}}}}}"));
            let mut callee = Limiter::new(Bound::Tokens(100.0, 50));
            let mut stream = Stream::named(12, "callee");
            let mut sent = 0;
            for call in 0..480_000_u64 {
                let now = call * MS;
                if ask(&mut throttle, now, stream.unit()) {
                    sent += u64::from(now >= 240 * SECOND);
                    let outcome = if callee.take(now).is_ok() { Outcome::Ok } else { Outcome::RateLimited };
                    end(&mut throttle, now, &[outcome]);
                }
            }
            let rate = sent as f64 / 240.0;
            assert!((rate - expected).abs() < 0.03 * expected, "k = {k}: {rate}/s are sent");
        }
    }
}
