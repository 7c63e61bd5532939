//! Problems of a scenario: each with its place, what was expected, and a suggestion.
//!
//! Reading never stops at the first problem. All readers and checks add to one collector, and at the end the problems
//! are shown together in file order.

use crate::place::{Path, Span};

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be run.
    Error,
    /// It can be run, but probably does not do what its author intends.
    Warning,
}

impl Severity {
    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A single problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its severity.
    pub severity: Severity,
    /// A stable word for the kind of problem, for editors and tests: `unknown_key`, `bad_value`, …
    pub code: &'static str,
    /// Its place in the scenario or the override.
    pub span: Span,
    /// The path of the value concerned.
    pub path: Path,
    /// The problem, in one sentence without a full stop.
    pub message: String,
    /// The expected value, shown at the caret.
    pub expected: Option<Box<str>>,
    /// A suggestion.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that keeps the scenario from running.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            code,
            span,
            path: Path::root(),
            message: message.into(),
            expected: None,
            help: None,
        }
    }

    /// A problem that lets the scenario run.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(code, span, message) }
    }

    /// An unknown name, with the nearest existing one as a suggestion.
    ///
    /// `what` is the noun, as in `component`.
    pub fn unknown_name<'a>(
        what: &str,
        name: &str,
        span: Span,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Problem {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        let mut problem = Problem::error("unknown_name", span, format!("no {what} is called `{name}`"));
        problem.help = did_you_mean(name, candidates.iter().copied()).or_else(|| match candidates.as_slice() {
            [] => Some(format!("the scenario has no {what}")),
            names => Some(format!("there {}", is_or_are(names))),
        });
        problem
    }

    /// Sets the path of the value concerned.
    pub fn path(mut self, path: Path) -> Problem {
        self.path = path;
        self
    }

    /// Sets the expected value.
    pub fn expected(mut self, expected: impl Into<String>) -> Problem {
        self.expected = Some(expected.into().into_boxed_str());
        self
    }

    /// Sets the suggestion.
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Sets the suggestion, if there is one.
    pub fn help_if(mut self, help: Option<String>) -> Problem {
        self.help = help.or(self.help);
        self
    }
}

/// All problems found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// An empty collection.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, others: Problems) {
        self.found.extend(others.found);
    }

    /// Whether there are no problems at all.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The number of problems, including warnings.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether any problem keeps the scenario from running.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// Sorts the problems in file order and removes duplicates found by several checks.
    pub fn sort(&mut self) {
        self.found.sort_by_key(|problem| (problem.span.source, problem.span.start, problem.severity));
        let mut unique: Vec<Problem> = Vec::with_capacity(self.found.len());
        for problem in self.found.drain(..) {
            if !unique.contains(&problem) {
                unique.push(problem);
            }
        }
        self.found = unique;
    }

    /// All problems, sorted in file order.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.sort();
        self.found
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

/// Words used by other tools, and their equivalents here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("exponential", "exp"),
    ("gauss", "normal"),
    ("gaussian", "normal"),
    ("const", "constant"),
    ("deterministic", "constant"),
    ("fixed", "constant"),
    ("sleep", "wait"),
    ("delay", "wait"),
    ("circuit_breaker", "breaker"),
    ("throttling", "throttle"),
    ("bulkhead", "concurrency"),
    ("singleflight", "coalesce"),
    ("db", "database"),
    ("lb", "load_balancer"),
    ("proxy", "load_balancer"),
    ("redis", "cache"),
    ("memcached", "cache"),
    ("rr", "round_robin"),
    ("least_conn", "least_connections"),
    ("p2c", "power_of_two"),
    ("threads", "thread_pool"),
    ("crash", "kill"),
];

/// The candidate that was probably meant by `name`, if one is similar enough.
///
/// Similar enough means at most a third of the letters, but at least one, inserted, omitted, changed or swapped
/// (Damerau's distance), or equality without `_` and `-` and in lower case. Ties go to the first. Failing that, the
/// equivalent of a word from another tool (`const` means `constant`), or a candidate that contains the name, is
/// contained in it, or starts with most of it: `max_attempts` for `attempts`.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(name);
    let reach = (name.chars().count() / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let mut best: Option<(usize, &str)> = None;
    for &candidate in &candidates {
        let distance = if plain(candidate) == wanted { 0 } else { strsim::damerau_levenshtein(name, candidate) };
        // A candidate that shares no letters with a short name is not helpful, even within the distance.
        let usable = distance <= reach && distance < candidate.chars().count().min(name.chars().count());
        if usable && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    let elsewhere = || ELSEWHERE.iter().filter(|(word, _)| plain(word) == wanted).map(|(_, ours)| *ours);
    best.map(|(_, candidate)| candidate)
        .or_else(|| candidates.iter().copied().find(|candidate| elsewhere().any(|ours| ours == *candidate)))
        .or_else(|| candidates.into_iter().find(|candidate| is_akin(&wanted, &plain(candidate))))
}

/// Whether one of the words contains the other, or they start with the same letters except for the last ones.
fn is_akin(left: &str, right: &str) -> bool {
    const FEWEST: usize = 4;
    let shorter = left.chars().count().min(right.chars().count());
    let shared = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
    shorter >= FEWEST && (left.contains(right) || right.contains(left) || shared >= FEWEST && shared + 1 >= shorter)
}

/// "did you mean `x`?", if one of the candidates is similar enough.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// "`a`, `b` or `c`", truncated after 16 names.
pub fn one_of(names: &[&str]) -> String {
    enumerate(names, "or")
}

/// "`a`, `b` and `c`", truncated after 16 names.
pub fn all_of(names: &[&str]) -> String {
    enumerate(names, "and")
}

fn is_or_are(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{verb} {}", all_of(names))
}

fn enumerate(names: &[&str], conjunction: &str) -> String {
    const MOST: usize = 16;
    let quoted: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        return format!("{} {conjunction} {} more", quoted.join(", "), names.len() - MOST);
    }
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} {conjunction} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::SourceId;

    #[test]
    fn the_nearest_name_is_found_for_typical_slips() {
        let keys = ["timeout", "total_timeout", "retry", "pool", "hedge"];
        for (slip, meant) in [
            ("timeuot", "timeout"),
            ("time_out", "timeout"),
            ("totalTimeout", "total_timeout"),
            ("retries", "retry"),
            ("pol", "pool"),
        ] {
            assert_eq!(nearest(slip, keys), Some(meant), "{slip}");
        }
        assert_eq!(nearest("xyz", keys), None);
        // Equivalents from other tools have lower priority than typos, and apply only if they are among the candidates.
        assert_eq!(nearest("exponential", ["constant", "exp"]), Some("exp"));
        assert_eq!(nearest("exponential", ["exp", "exponentiol"]), Some("exponentiol"));
        assert_eq!(nearest("exponential", ["normal"]), None);
        assert_eq!(nearest("a", ["b", "c"]), None);
    }

    #[test]
    fn problems_come_in_the_order_of_the_file_and_each_once() {
        let at = |start| Problem::error("x", Span::new(SourceId(0), start, start + 1), format!("at {start}"));
        let mut problems = Problems::new();
        for start in [30, 10, 20, 10] {
            problems.push(at(start));
        }
        let messages: Vec<String> = problems.into_sorted().into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages, ["at 10", "at 20", "at 30"]);
    }

    /// Small enough to be the error of a result without boxing.
    #[test]
    fn a_problem_stays_small() {
        assert!(size_of::<Problem>() < 128);
    }

    #[test]
    fn a_warning_is_no_error() {
        let mut problems = Problems::new();
        problems.push(Problem::warning("x", Span::NOWHERE, "odd"));
        assert!(!problems.has_errors());
    }

    #[test]
    fn unknown_names_list_what_there_is() {
        let problem = Problem::unknown_name("component", "servcie", Span::NOWHERE, ["service", "db"]);
        assert_eq!(problem.message, "no component is called `servcie`");
        assert_eq!(problem.help.as_deref(), Some("did you mean `service`?"));
        let far = Problem::unknown_name("component", "quux", Span::NOWHERE, ["service", "db"]);
        assert_eq!(far.help.as_deref(), Some("there are `service` and `db`"));
    }
}
