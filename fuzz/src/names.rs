//! What must hold of every text that a scenario may show: whatever it says, a terminal obeys none of it, documents stay documents,
//! and the scenario can be written and read again.

use std::sync::Arc;

use lab::{Options, Session, Text, load};
use language::diagnostics::{Style, is_no_character, is_unsafe, render};
use report::text;

/// Any text as names, descriptions and notes of a scenario, and as a file name.
pub fn names(bytes: &[u8]) {
    let Ok(any) = std::str::from_utf8(bytes) else { return };
    let any: String = any.chars().take(300).collect();
    // A string of JSON is one of YAML.
    let quoted = serde_json::to_string(&any).expect("a string can be written");
    for key in ["api", quoted.as_str()] {
        let event = match key {
            "api" => format!("events: [{{at: 1s, note: {quoted}, set: {{components.api.latency: 2ms}}}}]\n"),
            _ => String::new(),
        };
        let yaml = format!(
            "version: 1\nname: {quoted}\ndescription: {quoted}\nrun: {{duration: 2s}}\nworkloads:\n  u: {{arrivals: {{constant: 5/s}}, call: {key}}}\ncomponents:\n  {key}: {{kind: external, latency: 1ms}}\nfaults:\n  - {{at: 1s, for: 500ms, note: {quoted}, kill: {{component: {key}}}}}\nobjectives: [{{metric: goodput, above: 1/s}}]\n{event}"
        );
        shown_as(&any, yaml);
    }
}

fn shown_as(file: &str, yaml: String) {
    let text = Text { name: file.to_string(), bytes: yaml.into_bytes(), folder: None };
    let loaded = match load(&text, &Options::default()) {
        Ok(loaded) => loaded,
        Err(refused) => {
            for style in [Style::Plain, Style::Coloured] {
                let said = render(&refused.problems, &refused.sources, style);
                is_safe(&without_colours(&said));
            }
            return;
        }
    };
    let resolved = loaded.resolved();
    let again = Text { name: "again.yaml".into(), bytes: resolved.clone().into_bytes(), folder: None };
    let again = load(&again, &Options::default()).unwrap_or_else(|refused| {
        panic!("resolved, it is refused:\n{}\n{resolved}", render(&refused.problems, &refused.sources, Style::Plain))
    });
    assert_eq!(again.resolved(), resolved);
    assert_eq!(again.scenario.name, loaded.scenario.name);
    assert_eq!(again.scenario.description, loaded.scenario.description);
    let loaded = Arc::new(loaded);
    let mut session = Session::new(loaded.clone(), 1, None);
    session.run_to_end().expect("nothing in it goes wrong");
    let result = session.result();
    is_safe(&text::run_report(&result, text::Options::default()));
    is_safe(&text::run_line(&result, text::Options::default()));
    let json: serde_json::Value = serde_json::from_str(&report::json::to_json(&result)).expect("JSON");
    assert!(json.is_object());
    let origin = report::html::Origin { scenarios: Vec::new(), command: Some("brownout".into()), files: Vec::new() };
    for file in report::folder::run_files(&result, &origin, &session.latencies()).expect("charts can be drawn") {
        if file.name.ends_with(".svg") || file.name.ends_with(".html") {
            let mut bytes = Vec::new();
            file.write(&mut bytes).expect("it can be written");
            let document = String::from_utf8(bytes).expect("UTF-8");
            let is_allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
            assert!(document.chars().all(|c| is_allowed(c) && !is_no_character(c)), "{} is no XML", file.name);
        }
    }
}

fn is_safe(text: &str) {
    let unsafe_one = text.chars().find(|character| *character != '\n' && is_unsafe(*character));
    assert_eq!(unsafe_one, None, "a terminal would obey this: {text:?}");
}

/// What the program itself says to a terminal: colours, each of which ends.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').expect("it ends");
        assert!(after[end..].starts_with('m'), "{text:?}");
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    plain
}
