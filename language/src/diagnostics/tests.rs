//! Problems as shown to people and editors.

use super::*;
use crate::document::{read_document, read_override};
use settings::{Duration, Name, Reader, Setting};

/// A called service.
#[derive(Clone, Debug, PartialEq, Setting)]
struct Link {
    /// Where it goes.
    to: Name,
    /// How long an attempt may take.
    timeout: Option<Duration>,
    /// Maximum number of attempts.
    #[setting(default = "3", range = "1..=100")]
    max_attempts: u32,
}

/// A scenario for these tests.
#[derive(Clone, Debug, PartialEq, Setting)]
struct Scenario {
    /// Its calls.
    calls: settings::Map<Link>,
}

const SCENARIO: &str = "\
calls:
  orders:
    to: db
    timeout: 5        # per attempt
  users:
    too: db
    max_attempts: 0
  größe: {to: db, timeuot: 1s}
";

fn problems(sources: &mut Sources, overrides: &[&str]) -> Vec<Problem> {
    let mut document = read_document(sources, "shop.yaml", SCENARIO.as_bytes()).expect("YAML");
    let mut cx = Reader::new();
    for text in overrides {
        let change = read_override(sources, "--set", text).expect("an override");
        if let Err(problem) = change.apply(&mut document) {
            cx.problems.push(problem);
        }
    }
    Scenario::read(&document, &mut cx);
    cx.problems.into_sorted()
}

#[test]
fn every_problem_is_shown_with_its_line_and_a_caret() {
    let mut sources = Sources::new();
    let problems = problems(&mut sources, &["calls.orders.max_attempts=many", "calls.orders.to.x=1"]);
    let shown = render(&problems, &sources, Style::Plain);
    let expected = include_str!("expected.txt");
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let mut sources = Sources::new();
    let problems = problems(&mut sources, &[]);
    assert!(!render(&problems, &sources, Style::Plain).contains('\u{1b}'));
    assert!(render(&problems, &sources, Style::Coloured).contains('\u{1b}'));
}

#[test]
fn editors_get_lines_and_columns_from_one() {
    let mut sources = Sources::new();
    let problems = problems(&mut sources, &[]);
    let json = to_json(&problems, &sources);
    assert_eq!(
        json[0],
        json!({
            "file": "shop.yaml", "line": 4, "column": 14, "end_line": 4, "end_column": 15, "severity": "error",
            "code": "bad_value", "path": "calls.orders.timeout", "message": "`5` has no unit",
            "expected": "expected a duration", "help": "write `5ms` or `5s`",
        })
    );
    let last = &json[problems.len() - 1];
    assert_eq!((&last["line"], &last["column"], &last["end_column"]), (&json!(8), &json!(19), &json!(26)));
}

#[test]
fn a_problem_without_a_place_is_still_shown() {
    let problem = Problem::error("x", Span::NOWHERE, "nothing can be seen\u{1b}[31m").help("look elsewhere");
    let shown = render(std::slice::from_ref(&problem), &Sources::new(), Style::Plain);
    assert!(shown.starts_with("error: nothing can be seen"), "{shown}");
    assert!(!shown.contains('\u{1b}'));
    assert_eq!(to_json(&[problem], &Sources::new())[0]["line"], Json::Null);
}

#[test]
fn a_flood_of_problems_is_counted() {
    let flood = vec![Problem::error("x", Span::NOWHERE, "wrong"); 60];
    let shown = render(&flood, &Sources::new(), Style::Plain);
    assert_eq!(shown.matches("error: wrong").count(), 50);
    assert!(shown.ends_with("60 errors, the first 50 of them shown\n"));
}
