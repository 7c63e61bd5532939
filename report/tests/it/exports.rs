//! JSON checked against its schema, and HTML against its guarantees.

use lab::result::{FaultWindow, HappenedAt, Happenings, HappeningsInWindow, RunResult};
use report::html::{Origin, RunPage, Source, run_page};
use report::json::{SCHEMA, to_json};
use serde_json::Value;

use crate::sample;

/// A validator for the part of draft-07 that the schema of results uses. It collects problems with their positions.
fn check(value: &Value, schema: &Value, root: &Value, place: &str, problems: &mut Vec<String>) {
    let keys = schema.as_object().expect("a schema is an object");
    for (key, rule) in keys {
        match key.as_str() {
            "description" | "title" | "$schema" | "definitions" | "properties" => {}
            "$ref" => {
                let name =
                    rule.as_str().and_then(|path| path.strip_prefix("#/definitions/")).expect("a local reference");
                check(value, &root["definitions"][name], root, place, problems);
            }
            "const" => {
                if value != rule {
                    problems.push(format!("{place} is not {rule}"));
                }
            }
            "enum" => {
                if !rule.as_array().is_some_and(|values| values.contains(value)) {
                    problems.push(format!("{place} is none of {rule}: {value}"));
                }
            }
            "type" => {
                let allowed: Vec<&str> = match rule {
                    Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                    name => name.as_str().into_iter().collect(),
                };
                if !allowed.iter().any(|name| is_of(value, name)) {
                    problems.push(format!("{place} is not {allowed:?}: {value}"));
                }
            }
            "minimum" | "maximum" => {
                if let (Some(value), Some(bound)) = (value.as_f64(), rule.as_f64())
                    && if key == "minimum" { value < bound } else { value > bound }
                {
                    problems.push(format!("{place} breaks {key} {bound}: {value}"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, rule, root, &format!("{place}[{index}]"), problems);
                }
            }
            "required" => {
                for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.as_object().is_some_and(|object| !object.contains_key(name)) {
                        problems.push(format!("{place} lacks {name}"));
                    }
                }
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    let at = format!("{place}.{name}");
                    match (keys.get("properties").and_then(|known| known.get(name)), rule) {
                        (Some(known), _) => check(member, known, root, &at, problems),
                        (None, Value::Bool(false)) => problems.push(format!("{at} is not in the schema")),
                        (None, rule) => check(member, rule, root, &at, problems),
                    }
                }
            }
            "anyOf" => {
                let fits = rule.as_array().into_iter().flatten().any(|choice| {
                    let mut own = Vec::new();
                    check(value, choice, root, place, &mut own);
                    own.is_empty()
                });
                if !fits {
                    problems.push(format!("{place} fits none of its forms: {value}"));
                }
            }
            other => panic!("this check does not know `{other}`"),
        }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is called {other}"),
    }
}

fn problems(json: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut problems = Vec::new();
    check(json, &schema, &schema, "$", &mut problems);
    problems
}

fn parsed(result: &RunResult) -> Value {
    serde_json::from_str(&to_json(result)).expect("what is written can be read")
}

#[test]
fn results_fit_their_schema() {
    for result in [sample::storm(), sample::calm(), sample::crowded()] {
        assert_eq!(problems(&parsed(&result)), Vec::<String>::new());
    }
}

/// The storm, with happenings of a service called `names` that gives up on the database.
fn told_storm() -> RunResult {
    let at = |at_s, replica, about: Option<&str>| HappenedAt { at_s, replica, about: about.map(str::to_owned) };
    let happenings = Happenings {
        name: "target_unhealthy".to_owned(),
        place: "names <&>".to_owned(),
        count: 3,
        first: vec![at(-1.5, None, None), at(61.25, Some(2), Some("db"))],
        last: vec![at(90.0, None, Some("db[1]"))],
        windows: [-2.0, 61.0, 90.0].map(|at_s| HappeningsInWindow { at_s, count: 1 }).to_vec(),
    };
    RunResult { happenings: vec![happenings], ..sample::storm() }
}

#[test]
fn what_happened_fits_the_schema_and_reads_back() {
    let mut json = parsed(&told_storm());
    assert_eq!(problems(&json), Vec::<String>::new());
    let read: RunResult = serde_json::from_value(json.clone()).expect("a result");
    assert_eq!(read.happenings, told_storm().happenings);
    json["happenings"][0]["first"][1]["replica"] = "two".into();
    assert_eq!(problems(&json).len(), 1);
    assert!(parsed(&sample::storm()).get("happenings").is_none());
}

#[test]
fn the_page_lists_what_happened_and_marks_it_on_the_axis() {
    let origin = Origin { scenarios: Vec::new(), command: None, files: Vec::new() };
    let page = |result: &RunResult| run_page(&RunPage { result, origin: &origin }).expect("a page");
    let told = page(&told_storm());
    for listed in [
        "Happenings by place",
        "names &lt;&amp;&gt;",
        "target unhealthy: db (replica 2)",
        "target unhealthy: db[1]",
        lab::happenings::meaning("target_unhealthy"),
        "<title>1m1.25s: target unhealthy: db (replica 2) (names &lt;&amp;&gt;)</title>",
    ] {
        assert!(told.contains(listed), "{listed}");
    }
    let silent = page(&sample::storm());
    assert!(!silent.contains("appenings"), "where nothing is told, nothing is said of it");
}

/// The storm with an action by an operator.
fn remedied_storm() -> RunResult {
    let mut result = sample::storm();
    result.events.push(FaultWindow {
        name: Some("no-retries".to_owned()),
        at_s: 110.0,
        until_s: None,
        what: "set links.api.db.retry = none".to_owned(),
        targets: vec!["api".to_owned()],
        note: Some("on-call <script>turns</script> them off".to_owned()),
        for_good: true,
    });
    result
}

#[test]
fn what_operators_did_stands_beside_the_faults() {
    let result = remedied_storm();
    let json = parsed(&result);
    assert_eq!(problems(&json), Vec::<String>::new());
    assert_eq!((&json["events"][0]["name"], &json["events"][0]["for_good"]), (&"no-retries".into(), &true.into()));
    assert!(json["faults"][0].get("note").is_none(), "missing where nothing is remarked");
    let back: RunResult = serde_json::from_value(json).expect("it reads back");
    assert_eq!(back.events, result.events);
    let origin = Origin { scenarios: Vec::new(), command: None, files: Vec::new() };
    let page = run_page(&RunPage { result: &result, origin: &origin }).expect("a page");
    assert!(page.contains("Events (operator actions)") && page.contains("&lt;script&gt;turns"), "{page}");
    assert!(page.contains(">no-retries</text>") && page.contains("stroke-dasharray"));
    let text = report::text::run_report(&result, report::text::Options::default());
    let row = text.lines().find(|line| line.starts_with("events")).expect("a row of events");
    assert!(row.contains("no-retries"), "{row}");
}

/// Runs the beginning of every built-in scenario.
#[test]
fn results_of_every_scenario_fit_the_schema() {
    use std::sync::Arc;

    for (name, text) in language::builtin::SCENARIOS {
        let text = lab::Text { name: format!("{name}.yaml"), bytes: text.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(lab::load(&text, &lab::Options::default()).expect(name));
        let mut session = lab::Session::new(loaded.clone(), loaded.scenario.seed, None);
        let windows = 3 * session.window_ns() as i64;
        session.run_until(session.start_ns() + windows.max(2_000_000_000)).expect(name);
        let result = session.result();
        assert!(
            result.workloads.values().any(|workload| workload.sent > 0) || !result.series.at_s.is_empty(),
            "{name}"
        );
        assert_eq!(problems(&parsed(&result)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let cases: [(&str, Value); 6] = [
        ("/format", 2.into()),
        ("/components/api/utilization", 1.5.into()),
        ("/components/api/queue", "long".into()),
        ("/workloads/shoppers/sent", 1.5.into()),
        ("/faults/0/at_s", Value::Null),
        ("/links/api/db/pool/wait/p99_s", "slow".into()),
    ];
    for (pointer, wrong) in cases {
        let mut json = parsed(&sample::storm());
        *json.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong;
        assert!(!problems(&json).is_empty(), "{pointer}");
    }
    let mut json = parsed(&sample::storm());
    json["run"]["unheard_of"] = 1.into();
    assert_eq!(problems(&json), ["$.run.unheard_of is not in the schema"]);
}

#[test]
fn json_ends_with_a_newline_and_keeps_the_order_of_the_scenario() {
    let text = to_json(&sample::storm());
    assert!(text.starts_with("{\n  \"format\": 1,") && text.ends_with("}\n"));
    assert!(text.find("\"shoppers\": {\n      \"sent\"") < text.find("\"kind\": \"service\""));
    assert!(text.find("\"kind\": \"service\"") < text.find("\"kind\": \"database\""));
}

#[test]
fn what_is_not_finite_becomes_null() {
    let mut result = sample::calm();
    result.components["store"].amplification = Some(f64::INFINITY);
    assert!(parsed(&result)["components"]["store"]["amplification"].is_null());
}

#[test]
fn json_reads_back_as_the_same_result() {
    let storm = sample::storm();
    let read: RunResult = serde_json::from_str(&to_json(&storm)).expect("a result");
    // Not assert_eq!: the difference would fill many screens.
    assert!(read == storm, "a figure changed on its way through JSON");
}

fn storm_page(scenario: &str) -> String {
    let result = sample::storm();
    let source = Source { name: String::new(), written: Some(scenario.to_owned()), resolved: None };
    let origin = Origin { scenarios: vec![source], command: Some("brownout run".to_owned()), files: Vec::new() };
    run_page(&RunPage { result: &result, origin: &origin }).expect("a page")
}

#[test]
fn a_page_fetches_nothing_and_runs_only_its_own_script() {
    let page = storm_page("version: 1");
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    for reference in
        ["src=", "url(", "@import", "style=\"", "onclick", "<link", "<img", "fetch(", "XMLHttp", "javascript:"]
    {
        assert!(!page.contains(reference), "{reference}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    let addresses = page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(addresses, page.matches("http-equiv").count(), "only name spaces look like addresses");
}

#[test]
fn texts_from_the_scenario_are_escaped() {
    let page = storm_page("name: </pre><script>alert(1)</script>");
    assert!(!page.contains("<script>alert"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn every_chart_says_what_it_shows_and_every_heading_has_its_place() {
    let page = storm_page("version: 1");
    assert_eq!(page.matches("<svg xmlns").count(), page.matches("<title>").count() - 1);
    assert!(page.matches("<svg xmlns").count() >= 6);
    for part in page.split("<li><a href=\"#").skip(1) {
        let anchor = part.split('"').next().unwrap_or_default();
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}

#[test]
fn the_same_result_makes_the_same_page() {
    assert_eq!(storm_page("x"), storm_page("x"));
}
