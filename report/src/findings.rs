//! What an operator would point at first, in sentences, computed from the result alone.
//!
//! Each rule is a small pure function over [`RunResult`]; [`findings`] walks the table of them and puts the worst first.
//! A rule says what was measured, never what it guesses. The thresholds stand as constants beside the rules.

mod recovery;
mod why;

use lab::result::{ComponentResult, RunResult};

use crate::outcome;
use crate::over_time;
use crate::units;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The system is not doing its work.
    Critical,
    /// Something is close to its limit, or costs more than it should.
    Warning,
    /// Worth knowing.
    Note,
    /// What held.
    Good,
}

/// One sentence about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Path of what it is about: `components.api`, `workloads.shoppers`, `links.api.db`, or `faults`.
    pub about: String,
    /// The sentence, with a full stop.
    pub text: String,
}

impl Finding {
    fn new(severity: Severity, about: impl Into<String>, text: impl Into<String>) -> Self {
        Finding { severity, about: about.into(), text: text.into() }
    }
}

/// A rule looks at a result and says what it sees, the worst first.
type Rule = fn(&RunResult) -> Vec<Finding>;

/// The rules about one place each; within one severity findings appear in this order.
const RULES: &[Rule] = &[failures, queues, long_queues, wasted_work, amplification, pools, saturation, refused_retries];

/// Several components can break one rule; more of them than this would hide the other findings.
const PER_RULE_MAX: usize = 3;

/// Everything worth saying about a run, the worst first. Never empty: a quiet run says so.
#[must_use]
pub fn findings(result: &RunResult) -> Vec<Finding> {
    // Each fault is spoken of: what is true of one is not of the next.
    let mut found = [cut_short(result), recovery::recoveries(result)].concat();
    for rule in RULES {
        let mut of_rule = rule(result);
        let hidden = of_rule.len().saturating_sub(PER_RULE_MAX);
        if hidden > 0 {
            of_rule.truncate(PER_RULE_MAX);
            let severity = of_rule[PER_RULE_MAX - 1].severity;
            let others = if hidden == 1 { "one other place".to_owned() } else { format!("{hidden} other places") };
            of_rule.push(Finding::new(severity, "", format!("The same holds of {others}.")));
        }
        found.append(&mut of_rule);
    }
    let queue_grew = found.iter().any(|finding| finding.text.contains("grew throughout"));
    let stability = why::stability(result).filter(|_| !queue_grew);
    if !found.iter().any(|finding| finding.severity <= Severity::Warning)
        && stability.as_ref().is_none_or(|finding| finding.severity == Severity::Good)
    {
        found.push(Finding::new(Severity::Good, "", "Nothing stands out: no queue grew and no limit was reached."));
    } else {
        found.extend(stability);
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

fn cut_short(result: &RunResult) -> Vec<Finding> {
    if result.run.finished {
        return Vec::new();
    }
    let text = format!(
        "The run was cut short at {}: all figures are of the time up to there.",
        units::instant(result.run.duration_s)
    );
    vec![Finding::new(Severity::Warning, "run", text)]
}

/// A smaller share of failures than this is not worth a line.
const FAILURES_MIN: f64 = 0.01;

fn failures(result: &RunResult) -> Vec<Finding> {
    let mut failing: Vec<(f64, &String, String)> = result
        .workloads
        .iter()
        .filter_map(|(name, workload)| {
            let failed = 1.0 - outcome::success_share(&workload.outcomes)?;
            let causes = why::causes_in_words(result, workload);
            let words = failure_words(&workload.outcomes);
            let words = if causes.is_empty() { words } else { format!("{words}; first causes: {causes}") };
            (failed >= FAILURES_MIN).then_some((failed, name, words))
        })
        .collect();
    failing.sort_by(|left, right| right.0.total_cmp(&left.0));
    failing
        .into_iter()
        .map(|(failed, name, words)| {
            let severity = if failed >= 0.1 { Severity::Critical } else { Severity::Warning };
            let text = format!("{} of {name}' requests {words}.", units::share(failed));
            Finding::new(severity, format!("workloads.{name}"), possessive(&text, name))
        })
        .collect()
}

/// `failed: 70 % timeout, 8 % unavailable`, or `ended in timeout` where all did.
fn failure_words(outcomes: &lab::result::Table<u64>) -> String {
    let failures: Vec<&str> =
        outcome::ranked(outcomes).into_iter().map(|(name, _)| name).filter(|name| !outcome::is_success(name)).collect();
    match failures.as_slice() {
        [only] => format!("ended in {only}"),
        _ => format!("failed: {}", outcome::failures_in_words(outcomes, 3)),
    }
}

/// Queues shorter than this at the end are everyday.
const QUEUE_MIN: u64 = 20;

fn queues(result: &RunResult) -> Vec<Finding> {
    let mut growing: Vec<(u64, Finding)> = Vec::new();
    let ended = over_time::episodes(&result.faults)
        .into_iter()
        .filter_map(|episode| episode.until_s.map(|until_s| (episode.name, until_s)))
        .rfind(|(_, until_s)| *until_s < over_time::end_s(result));
    for (name, component) in &result.components {
        let Some(queue) = &component.queue else { continue };
        if queue.depth_end < QUEUE_MIN {
            continue;
        }
        let Some(column) = over_time::column(result, &format!("components.{name}.queue.depth")) else { continue };
        let end_s = over_time::end_s(result);
        let mean = |from_s: f64, until_s: f64| over_time::mean_between(&result.series, column, from_s, until_s);
        let step_s = result.series.window_s.max(end_s / 30.0);
        let holds = format!("The queue of {name} holds {} calls at the end", units::grouped(queue.depth_end));
        let Some(last) = mean(end_s - step_s, end_s) else { continue };
        let finding = match &ended {
            Some((fault, until_s)) => {
                let at_fault_end = mean(*until_s, until_s + step_s).unwrap_or(0.0);
                let before = mean(0.0, result.faults.iter().map(|fault| fault.at_s).fold(f64::INFINITY, f64::min));
                if before.is_some_and(|before| last < 2.0 * before + QUEUE_MIN as f64) {
                    // As long as it was before anything went wrong.
                    continue;
                }
                if last >= 0.9 * at_fault_end {
                    (Severity::Critical, format!("{holds} and has not shrunk since {fault} ended."))
                } else {
                    (
                        Severity::Warning,
                        format!(
                            "{holds}, down from {} when {fault} ended.",
                            units::grouped(at_fault_end.round() as u64)
                        ),
                    )
                }
            }
            None => {
                let first = mean(0.0, end_s / 3.0).unwrap_or(0.0);
                let third = mean(end_s * 2.0 / 3.0, end_s).unwrap_or(0.0);
                if third < 2.0 * first || last < QUEUE_MIN as f64 {
                    continue;
                }
                (Severity::Critical, format!("{holds} and grew throughout: more arrives than it can serve."))
            }
        };
        growing.push((queue.depth_end, Finding::new(finding.0, format!("components.{name}"), finding.1)));
    }
    growing.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.cmp(&left.0)));
    growing.into_iter().map(|(_, finding)| finding).collect()
}

/// Who waits so long in a queue has waited long, whatever comes after it.
const WAIT_MIN_S: f64 = 1.0;

/// Queues that were long at some time, and in which calls or messages waited long, though not much may be left of them in the
/// end.
fn long_queues(result: &RunResult) -> Vec<Finding> {
    let spoken_of = queues(result);
    let mut long: Vec<(u64, Finding)> = Vec::new();
    for (name, component) in &result.components {
        let Some(queue) = &component.queue else { continue };
        let place = format!("components.{name}");
        let waited_s = queue.wait.max_s.filter(|wait_s| *wait_s >= WAIT_MIN_S);
        let is_known = spoken_of.iter().any(|finding| finding.about == place);
        let Some(waited_s) = waited_s.filter(|_| queue.depth_max >= QUEUE_MIN && !is_known) else { continue };
        let text = format!(
            "The queue of {name} held up to {}, and the longest wait in it was {}.",
            units::grouped(queue.depth_max),
            units::time(waited_s),
        );
        long.push((queue.depth_max, Finding::new(Severity::Warning, place, text)));
    }
    long.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
    long.into_iter().map(|(_, finding)| finding).collect()
}

/// Components for which `measure` reaches `least`, the largest value first.
fn components_by(
    result: &RunResult,
    least: f64,
    measure: impl Fn(&ComponentResult) -> Option<f64>,
) -> Vec<(&str, f64)> {
    let mut found: Vec<(&str, f64)> = result
        .components
        .iter()
        .filter_map(|(name, component)| measure(component).map(|value| (name.as_str(), value)))
        .filter(|(_, value)| *value >= least)
        .collect();
    found.sort_by(|left, right| right.1.total_cmp(&left.1));
    found
}

/// Share of wasted work from which it is worth a line, and from which it is the main thing.
const WASTED_MIN: f64 = 0.1;
const WASTED_CRITICAL: f64 = 0.5;

fn wasted_work(result: &RunResult) -> Vec<Finding> {
    components_by(result, WASTED_MIN, |component| component.wasted_work)
        .into_iter()
        .map(|(name, share)| {
            let severity = if share >= WASTED_CRITICAL { Severity::Critical } else { Severity::Warning };
            let text = format!("{} of {name}'s work was for callers who had given up.", units::share(share));
            Finding::new(severity, format!("components.{name}"), text)
        })
        .collect()
}

/// Amplification from which it is worth a line: a fifth more load than there would be without retries.
const AMPLIFICATION_MIN: f64 = 1.2;
const AMPLIFICATION_CRITICAL: f64 = 2.0;

fn amplification(result: &RunResult) -> Vec<Finding> {
    components_by(result, AMPLIFICATION_MIN, |component| component.amplification)
        .into_iter()
        .map(|(name, factor)| {
            let severity = if factor >= AMPLIFICATION_CRITICAL { Severity::Critical } else { Severity::Warning };
            let text = format!(
                "Retries multiplied the load on {name} by {}: {} of its arrivals were retries or hedges.",
                units::quantity(factor),
                units::share(1.0 - 1.0 / factor),
            );
            Finding::new(severity, format!("components.{name}"), text)
        })
        .collect()
}

/// Mean use of a pool from which callers can be expected to wait.
const POOL_USE_MIN: f64 = 0.85;
/// A wait for a connection that is worth a line, s.
const POOL_WAIT_MIN_S: f64 = 0.01;

fn pools(result: &RunResult) -> Vec<Finding> {
    let mut waiting: Vec<(f64, Finding)> = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links {
            let pool = |name: &str| figures.own.value(&format!("pool.{name}"));
            let Some((active, size)) = pool("active").zip(pool("size")) else { continue };
            let in_use = if size == 0.0 { 0.0 } else { active / size };
            let wait_s = pool("wait.p99").unwrap_or(0.0);
            if in_use < POOL_USE_MIN || wait_s < POOL_WAIT_MIN_S {
                continue;
            }
            let text = format!(
                "Callers in {from} wait up to {} (p99) for one of the {} connections of {link}: {} are in use.",
                units::time(wait_s),
                units::grouped(size as u64),
                units::share(in_use),
            );
            waiting.push((wait_s, Finding::new(Severity::Warning, format!("links.{from}.{link}"), text)));
        }
    }
    waiting.sort_by(|left, right| right.0.total_cmp(&left.0));
    waiting.into_iter().map(|(_, finding)| finding).collect()
}

/// Mean utilisation from which queueing dominates: at 90 % an M/M/1 queue waits nine service times.
const SATURATED_MIN: f64 = 0.9;

fn saturation(result: &RunResult) -> Vec<Finding> {
    components_by(result, SATURATED_MIN, |component| component.utilization)
        .into_iter()
        .map(|(name, share)| {
            let text = format!("{name} was {} busy.", units::share(share));
            Finding::new(Severity::Warning, format!("components.{name}"), text)
        })
        .collect()
}

fn refused_retries(result: &RunResult) -> Vec<Finding> {
    let mut refused: Vec<(u64, Finding)> = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links {
            if figures.retries_refused == 0 {
                continue;
            }
            let wanted = figures.retries + figures.retries_refused;
            let text = format!(
                "The retry budget of {from}.{link} refused {} retries, {} of those asked for.",
                units::grouped(figures.retries_refused),
                units::share(figures.retries_refused as f64 / wanted as f64),
            );
            refused.push((figures.retries_refused, Finding::new(Severity::Note, format!("links.{from}.{link}"), text)));
        }
    }
    refused.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    refused.into_iter().map(|(_, finding)| finding).collect()
}

/// English ownership: `shoppers' requests`, `api's requests`.
fn possessive(text: &str, name: &str) -> String {
    if name.ends_with('s') { text.to_owned() } else { text.replacen(&format!("{name}'"), &format!("{name}'s"), 1) }
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
            texts(&queues(&sample::storm())),
            ["The queue of api holds 143,040 calls at the end and has not shrunk since slow-db ended."]
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
        let found = queues(&result);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].text.contains("down from 4,9"), "{}", found[0].text);

        result.series.columns.insert("components.api.queue.depth".to_owned(), vec![Some(40.0); 330]);
        result.components["api"].queue = Some(QueueResult { depth_end: 40, ..QueueResult::default() });
        assert!(queues(&result).is_empty());
    }

    #[test]
    fn without_faults_a_queue_that_grows_throughout_is_overload() {
        let mut result = sample::storm();
        result.faults.clear();
        let column = result.series.at_s.iter().map(|at_s| Some(at_s.max(0.0) * 10.0)).collect();
        result.series.columns.insert("components.api.queue.depth".to_owned(), column);
        assert!(queues(&result)[0].text.ends_with("grew throughout: more arrives than it can serve."));
    }

    #[test]
    fn waste_and_amplification_are_graded_and_the_largest_comes_first() {
        let storm = sample::storm();
        assert_eq!(
            texts(&wasted_work(&storm)),
            [
                "87 % of api's work was for callers who had given up.",
                "22 % of db's work was for callers who had given up."
            ]
        );
        let found = amplification(&storm);
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
        let waste = found.iter().filter(|finding| finding.text.contains("'s work was for callers")).count();
        assert_eq!(waste, PER_RULE_MAX);
        assert!(found.iter().any(|finding| finding.text == "The same holds of 8 other places."));
    }

    #[test]
    fn a_queue_that_was_long_and_is_gone_is_spoken_of() {
        let mut calm = sample::calm();
        calm.faults.clear();
        let name = calm.components.iter().find(|(_, c)| c.queue.is_some()).expect("one has a queue").0.clone();
        assert_eq!(long_queues(&calm), []);
        let mut swelled = calm.components[&name].queue.expect("it has a queue");
        (swelled.depth_max, swelled.depth_end, swelled.wait.max_s) = (1_486, 0, Some(9.5));
        calm.components
            .insert(name.clone(), ComponentResult { queue: Some(swelled), ..calm.components[&name].clone() });
        let said = format!("The queue of {name} held up to 1,486, and the longest wait in it was 9.50 s.");
        assert_eq!(texts(&long_queues(&calm)), [said.as_str()]);
        assert!(!texts(&findings(&calm)).iter().any(|text| text.starts_with("Nothing stands out")));
    }

    #[test]
    fn a_quiet_run_says_so_and_the_worst_comes_first() {
        let mut calm = sample::calm();
        calm.workloads.clear();
        calm.faults.clear();
        assert_eq!(texts(&findings(&calm)), ["Nothing stands out: no queue grew and no limit was reached."]);
        let severities: Vec<Severity> = findings(&sample::storm()).iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted());
        assert_eq!(severities[0], Severity::Critical);
    }

    #[test]
    fn a_run_that_was_cut_short_is_marked() {
        let mut result = sample::calm();
        result.run.finished = false;
        assert!(findings(&result)[0].text.starts_with("The run was cut short at 3m"));
    }
}
