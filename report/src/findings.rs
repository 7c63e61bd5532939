//! Findings: what an operator would point out first, in sentences computed from the result alone.
//!
//! Each rule is a small pure function over [`RunResult`] that makes sentences from *evidence*: figures, each with its place in
//! the result or the figures that it is derived from. [`findings`] applies all rules and sorts the findings, the worst first.
//! A rule states measurements, never guesses; its thresholds are constants next to it. `report/tests/it/predicates.rs`
//! verifies every sentence against the result with independent code.

mod answers;
mod balancers;
mod callers;
mod causes;
mod cores;
pub mod evidence;
mod memory;
mod messages;
pub(crate) mod outages;
mod places;
mod queues;
mod recovery;
mod why;

use lab::result::RunResult;

pub use evidence::{Evidence, How, Source, Unit};

use crate::over_time;
use crate::units;
use evidence::Facts;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The system is not doing its work.
    Critical,
    /// Something is close to its limit, or costs more than it should.
    Warning,
    /// Worth knowing.
    Note,
    /// Something went well.
    Good,
}

/// A setting that may help against the problem found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Its effect, as an imperative: `Give the retries a budget`.
    pub what: &'static str,
    /// Path of the setting in the scenario.
    pub path: String,
    /// An example value.
    pub example: &'static str,
}

/// One sentence about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule that found it: `queue_grows`, `not_recovered`.
    pub rule: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Path of its subject: `components.api`, `workloads.shoppers`, `links.api.db`, or `faults`.
    pub about: String,
    /// The sentence, with a full stop.
    pub text: String,
    /// The time it refers to, s, unless that is the whole run.
    pub span_s: Option<(f64, f64)>,
    /// The figures it states, and those it depends on.
    pub evidence: Vec<Evidence>,
    /// A setting that may help.
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// A sentence without evidence to show.
    pub(crate) fn plain(
        rule: &'static str,
        severity: Severity,
        about: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Draft::new(rule, about).say(severity, text)
    }
}

/// A finding under construction.
struct Draft {
    rule: &'static str,
    about: String,
    facts: Facts,
    span_s: Option<(f64, f64)>,
    remedy: Option<Remedy>,
}

impl Draft {
    fn new(rule: &'static str, about: impl Into<String>) -> Draft {
        Draft { rule, about: about.into(), facts: Facts::default(), span_s: None, remedy: None }
    }

    /// Adds a metric of the whole run; returns its text.
    fn metric(&mut self, name: &'static str, unit: Unit, path: String, value: f64) -> String {
        self.facts.metric(name, unit, path, value)
    }

    /// Adds a derived figure; returns its text.
    fn rule(&mut self, name: &'static str, unit: Unit, value: f64) -> String {
        self.facts.rule(name, unit, value)
    }

    /// Adds the sum of columns over the windows between two instants.
    fn windows(
        &mut self,
        result: &RunResult,
        (name, unit): (&'static str, Unit),
        columns: Vec<String>,
        how: How,
        (from_s, until_s): (f64, f64),
    ) -> Option<f64> {
        self.facts.windows(result, (name, unit), columns, how, (from_s, until_s))
    }

    fn push(&mut self, name: &'static str, unit: Unit, value: f64, source: Source) {
        self.facts.0.push(Evidence { name, value, unit, source });
    }

    /// The value of a figure that was added.
    fn value(&self, name: &str) -> Option<f64> {
        self.facts.0.iter().find(|evidence| evidence.name == name).map(|evidence| evidence.value)
    }

    fn span(&mut self, from_s: f64, until_s: f64) {
        self.span_s = Some((from_s, until_s));
    }

    fn remedy(self, remedy: Option<Remedy>) -> Draft {
        Draft { remedy, ..self }
    }

    fn say(self, severity: Severity, text: impl Into<String>) -> Finding {
        let mut text = text.into();
        if let Some(Remedy { what, path, .. }) = &self.remedy {
            text.push_str(&format!(" {what}: `{path}`."));
        }
        let Draft { rule, about, facts, span_s, remedy } = self;
        Finding { rule, severity, about, text, span_s, evidence: facts.0, remedy }
    }
}

/// A rule: the findings about a result, the worst first.
type Rule = fn(&RunResult) -> Vec<Finding>;

/// Rules about one place each that concern the answers callers got, …
const OF_CALLERS: &[Rule] =
    &[answers::without_goodput, answers::failures, answers::late, answers::degraded, answers::slow_spells];

/// … and rules about where it happened. Findings of equal severity appear in the order of rules.
const OF_PLACES: &[Rule] = &[
    queues::queues,
    messages::unprocessed,
    messages::repeated,
    messages::behind_answers,
    places::wasted_work,
    places::amplification,
    places::pools,
    places::imbalance,
    places::tasks,
    cores::throttling,
    cores::blocking,
    cores::piling_up,
    memory::killed,
    memory::collecting,
    memory::threads,
    memory::overflows,
    memory::ports,
    balancers::undetected,
    balancers::ejections,
    balancers::panics,
    balancers::connections,
    places::stampedes,
    answers::refusals,
    places::refused_retries,
];

/// Maximum number of sentences per rule; if several components break it, more sentences would hide other findings.
const PER_RULE_MAX: usize = 3;

/// All findings about a run, the worst first. Never empty: an uneventful run has a finding that says so.
#[must_use]
pub fn findings(result: &RunResult) -> Vec<Finding> {
    // Report each fault: a statement about one does not apply to the next.
    let mut found = [cut_short(result), recovery::recoveries(result)].concat();
    let has_not_recovered = found.iter().any(|finding| finding.rule == "not_recovered");
    for rule in OF_CALLERS {
        found.append(&mut shortened(rule(result)));
    }
    let mut missed = answers::objectives(result);
    // That goodput did not recover has already been reported.
    missed.retain(|finding| !(has_not_recovered && finding.severity == Severity::Critical));
    found.append(&mut missed);
    let (mut still, mut told) = causes::standstills(result);
    found.append(&mut shortened(std::mem::take(&mut still)));
    let (waits, waiting) = causes::waits(result);
    found.append(&mut shortened(waits.into_iter().filter(|finding| !is_told(finding, &told)).collect()));
    told.extend(waiting);
    for rule in OF_PLACES {
        found.append(&mut shortened(rule(result)));
    }
    found.append(&mut shortened(places::saturation(result, &told)));
    found.append(&mut shortened(places::busy_hosts(result)));
    // After an outage, as many calls in flight as before is no comfort.
    let was_out = found.iter().any(|finding| finding.severity == Severity::Critical);
    let stability = why::stability(result)
        .filter(|finding| !(was_out && finding.severity == Severity::Good))
        .filter(|_| !found.iter().any(|finding| finding.rule == "queue_grows"));
    if is_quiet(&found) && stability.as_ref().is_none_or(|finding| finding.severity == Severity::Good) {
        let text = "Nothing stands out: no queue grew and no limit was reached.";
        found.push(Finding::plain("quiet", Severity::Good, "", text));
    } else {
        found.extend(stability);
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

/// Whether a finding is about a component that has already been reported.
fn is_told(finding: &Finding, told: &[String]) -> bool {
    told.iter().any(|name| finding.about == format!("components.{name}"))
}

/// Whether the only findings so far are that faults did no harm.
fn is_quiet(found: &[Finding]) -> bool {
    found
        .iter()
        .all(|finding| finding.severity == Severity::Good && matches!(finding.rule, "unharmed" | "still_acting"))
}

/// The first sentences of a rule, and one that names all other places with the same finding.
fn shortened(mut of_rule: Vec<Finding>) -> Vec<Finding> {
    if of_rule.len() <= PER_RULE_MAX + 1 {
        return of_rule;
    }
    let others = of_rule.split_off(PER_RULE_MAX);
    // One sentence per severity: a warning at one place may be a note at another.
    for same in others.chunk_by(|one, other| one.severity == other.severity && one.rule == other.rule) {
        let names: Vec<&str> = same.iter().map(|finding| name_of(&finding.about)).collect();
        let like = of_rule.iter().rfind(|finding| finding.rule == same[0].rule && finding.severity == same[0].severity);
        match like {
            Some(_) if same.len() > 1 => {
                let text = format!("The same is true of {}.", over_time::joined(&names));
                let about = same.iter().map(|finding| finding.about.as_str()).collect::<Vec<_>>().join(", ");
                let evidence = same.iter().flat_map(|finding| finding.evidence.clone()).collect();
                let merged = Finding { evidence, ..Finding::plain("the_same", same[0].severity, about, text) };
                of_rule.push(merged);
            }
            _ => of_rule.extend_from_slice(same),
        }
    }
    of_rule
}

/// `api` of `components.api`.
fn name_of(about: &str) -> &str {
    about.split_once('.').map_or(about, |(_, name)| name)
}

fn cut_short(result: &RunResult) -> Vec<Finding> {
    if result.run.finished {
        return Vec::new();
    }
    let mut draft = Draft::new("cut_short", "run");
    let at = draft.rule("at", Unit::Instant, result.run.duration_s);
    debug_assert_eq!(at, units::instant(result.run.duration_s));
    vec![draft.say(Severity::Warning, format!("The run was cut short at {at}; all figures cover the time up to then."))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use lab::result::QueueResult;

    fn texts(found: &[Finding]) -> Vec<&str> {
        found.iter().map(|finding| finding.text.as_str()).collect()
    }

    #[test]
    fn the_queue_that_does_not_drain_is_named_with_its_length() {
        assert_eq!(
            texts(&queues::queues(&sample::storm())),
            [
                "The queue of api grew from 22.0 k to 135 k between 1m24s and 5m and holds 143,040 at the end: more arrives \
                 than is served.",
                "The queue of db held up to 77, and the longest wait in it was 36.9 ms."
            ]
        );
    }

    #[test]
    fn a_queue_that_drains_is_a_warning_and_one_as_long_as_ever_is_none() {
        let mut result = sample::storm();
        let column: Vec<Option<f64>> = result
            .series
            .at_s
            .iter()
            .map(|at_s| Some(if *at_s < 60.0 { 5.0 } else { (5000.0 - 18.0 * (at_s - 80.0)).min(5000.0) }))
            .collect();
        result.series.columns.insert("components.api.queue.depth".to_owned(), column);
        result.components["api"].queue = Some(QueueResult { depth_end: 1_000, ..QueueResult::default() });
        let found = queues::queues(&result);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].text.contains("down from 4,9"), "{}", found[0].text);

        result.series.columns.insert("components.api.queue.depth".to_owned(), vec![Some(40.0); 330]);
        result.components["api"].queue = Some(QueueResult { depth_end: 40, ..QueueResult::default() });
        assert!(queues::queues(&result).iter().all(|finding| finding.about != "components.api"));
    }

    #[test]
    fn without_faults_a_queue_that_grows_throughout_is_overload() {
        let mut result = sample::storm();
        result.faults.clear();
        let column = result.series.at_s.iter().map(|at_s| Some(at_s.max(0.0) * 10.0)).collect();
        result.series.columns.insert("components.api.queue.depth".to_owned(), column);
        let text = &queues::queues(&result)[0].text;
        assert!(text.starts_with("The queue of api grew from 220 to 2,810 between 4s and 5m"), "{text}");
    }

    #[test]
    fn waste_and_amplification_are_graded_and_the_largest_comes_first() {
        let storm = sample::storm();
        assert_eq!(
            texts(&places::wasted_work(&storm)),
            [
                "api spent 87 % of its work on calls whose callers had given up, 77 % of its capacity. Propagate cancellation: \
                 `workloads.shoppers.call.propagate`.",
                "db spent 22 % of its work on calls whose callers had given up, 20 % of its capacity."
            ]
        );
        let found = places::amplification(&storm);
        assert_eq!((found[0].severity, found[1].severity), (Severity::Critical, Severity::Warning));
        assert!(found[0].text.starts_with("Retries multiplied the load on api by 2.49: 60 % of its arrivals"));
    }

    #[test]
    fn many_components_with_one_trouble_are_summed_up() {
        let mut result = sample::storm();
        let api = result.components["api"].clone();
        for number in 0..9 {
            result.components.insert(format!("cell{number}/api"), api.clone());
        }
        let found = findings(&result);
        let waste = found.iter().filter(|finding| finding.text.contains("of its work on calls whose callers")).count();
        // A sentence each for the components affected most, and one for the component affected less.
        assert_eq!(waste, PER_RULE_MAX + 1);
        let others =
            |finding: &Finding| finding.text.starts_with("The same is true of cell2/api, cell3/api, cell4/api");
        assert!(found.iter().any(others), "{:#?}", texts(&found));
    }

    #[test]
    fn a_queue_that_was_long_and_is_gone_is_spoken_of() {
        let mut calm = sample::calm();
        calm.faults.clear();
        let queues = |result: &RunResult| queues::queues(result);
        assert_eq!(queues(&calm), []);
        let store = &mut calm.components["store"];
        let mut swelled = store.queue.expect("it has a queue");
        (swelled.depth_max, swelled.depth_end, swelled.wait.max_s) = (1_486, 0, Some(9.5));
        store.queue = Some(swelled);
        let of_all = "The queues of the 3 replicas of store held up to 1,486 (the sum of their maxima), and the longest wait \
                      in them was 9.50 s.";
        assert_eq!(texts(&queues(&calm)), [of_all]);
        calm.components["store"].replicas = 1;
        let said = "The queue of store held up to 1,486, and the longest wait in it was 9.50 s.";
        assert_eq!(texts(&queues(&calm)), [said]);
        assert!(!texts(&findings(&calm)).iter().any(|text| text.starts_with("Nothing stands out")));
    }

    /// One workload whose requests are all answered, in sixty windows of a second.
    fn quiet() -> RunResult {
        let mut result = sample::calm();
        result.faults.clear();
        result.links.clear();
        result.objectives.clear();
        result.workloads.shift_remove("readers");
        result.components["store"].queue = None;
        result
    }

    #[test]
    fn nothing_stands_out_never_stands_over_what_was_bad_at_any_time() {
        let said = |result: &RunResult| texts(&findings(result)).concat();
        assert!(said(&quiet()).starts_with("Nothing stands out"), "{}", said(&quiet()));
        let with = |change: &dyn Fn(&mut RunResult)| {
            let mut result = quiet();
            change(&mut result);
            let said = said(&result);
            assert!(!said.contains("Nothing stands out"), "{said}");
        };
        let at = |result: &mut RunResult, column: &str, window: usize, value: f64| {
            result.series.columns[column][window] = Some(value);
        };
        with(&|result| at(result, "workloads.writers.goodput", 70, 0.0));
        with(&|result| at(result, "workloads.writers.latency.p99_s", 70, 0.3));
        with(&|result| at(result, "components.store.utilization", 70, 1.0));
        with(&|result| result.workloads["writers"].late = 1);
        with(&|result| {
            result.workloads["writers"].outcomes.insert("overload".to_owned(), 1);
        });
        with(&|result| {
            result.components["store"].outcomes.insert("rate_limited".to_owned(), 1);
        });
        with(&|result| {
            result.components["store"].queue = Some(QueueResult { depth_max: 20, ..QueueResult::default() });
        });
        with(&|result| result.objectives.push(lab::result::ObjectiveResult::default()));
    }

    #[test]
    fn a_quiet_run_says_so_and_the_worst_comes_first() {
        assert_eq!(texts(&findings(&quiet())), ["Nothing stands out: no queue grew and no limit was reached."]);
        let severities: Vec<Severity> = findings(&sample::storm()).iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted());
        assert_eq!(severities[0], Severity::Critical);
    }

    #[test]
    fn a_run_that_was_cut_short_is_marked() {
        let mut result = sample::calm();
        result.run.finished = false;
        let found = findings(&result);
        assert!(texts(&found).iter().any(|text| text.starts_with("The run was cut short at 3m")), "{found:?}");
    }
}
