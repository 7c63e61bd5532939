//! What users see for an invalid scenario: each case against an expected text.
//!
//! A case is a file `diagnostics/NAME.yaml`, with the expected output in `NAME.txt`. After changing a message,
//! `UPDATE_EXPECTED=1 cargo test -p language --test it diagnostics` rewrites the outputs; review the diff.

use std::fs;
use std::path::{Path, PathBuf};

use language::diagnostics::{Style, render, to_json};
use language::{Options, Refused, Text, load};
use settings::Problem;

use crate::expect::expect;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/diagnostics")
}

/// The output for a rejected text, or its warnings.
fn shown(name: &str, bytes: &[u8], options: &Options) -> (String, Vec<Problem>) {
    let text = Text { name: name.to_string(), bytes: bytes.to_vec(), folder: None };
    let (problems, sources) = match load(&text, options) {
        Ok(loaded) => (loaded.warnings, loaded.sources),
        Err(Refused { problems, sources, .. }) => (problems, sources),
    };
    (render(&problems, &sources, Style::Plain), problems)
}

#[test]
fn every_wrong_scenario_is_explained() {
    let mut failures = Vec::new();
    let mut cases = 0;
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).expect("a folder").map(|e| e.expect("readable").path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
        let bytes = fs::read(file).expect("readable");
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let (text, problems) = shown(&name, &bytes, &Options::default());
        if name != "override.yaml" {
            assert!(!problems.is_empty(), "{name} has nothing wrong");
        }
        assert!(problems.iter().all(|p| p.span.is_somewhere()), "{name}: a problem without a place: {text}");
        let order: Vec<_> = problems.iter().map(|p| (p.span.source, p.span.start)).collect();
        assert!(order.is_sorted(), "{name}: not in file order");
        failures.extend(expect(&file.with_extension("txt"), &text).err());
        cases += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases > 20);
}

#[test]
fn a_wrong_override_is_shown_where_it_was_given() {
    let bytes = fs::read(folder().join("override.yaml")).expect("readable");
    let options = |set: &[&str], variant: Option<&str>, duration: Option<&str>| Options {
        overrides: set.iter().map(|s| s.to_string()).collect(),
        variant: variant.map(str::to_string),
        duration: duration.map(str::to_string),
        ..Options::default()
    };
    let cases = [
        ("set", options(&["components.api.replicas=x", "workloads.users.call.timeuot=1s", "nonsense"], None, None)),
        ("duration", options(&[], None, Some("5"))),
        ("unknown-variant", options(&[], Some("wrogn"), None)),
        ("variant", options(&[], Some("wrong"), None)),
    ];
    let mut failures = Vec::new();
    for (name, options) in cases {
        let (text, problems) = shown("override.yaml", &bytes, &options);
        assert!(!problems.is_empty(), "{name}");
        assert!(problems.iter().all(|p| p.span.is_somewhere()), "{name}: {text}");
        failures.extend(expect(&folder().join(format!("override-{name}.txt")), &text).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_override_reaches_inside_what_is_written_short() {
    let bytes = fs::read(folder().join("override.yaml")).expect("readable");
    let text = Text { name: "short.yaml".into(), bytes, folder: None };
    let overrides = vec!["workloads.users.call.timeout=1s".to_string()];
    let loaded = load(&text, &Options { overrides, ..Options::default() }).expect("`call: api` is `call: {to: api}`");
    let call = &loaded.scenario.workloads.get("users").expect("it is there").call;
    assert_eq!(call.timeout, Some(settings::Duration(1_000_000_000)));
}

/// Cases that are not text, or too large, are constructed here and shown in `made-NAME.txt`.
#[test]
fn what_is_no_text_is_refused_with_a_reason() {
    let cases: [(&str, &str, Vec<u8>); 7] = [
        ("latin-1", "not_utf8", b"version: 1\nname: Gr\xF6\xDFe\n".to_vec()),
        ("utf-16", "not_utf8", b"\xFF\xFEv\0e\0r\0".to_vec()),
        ("binary", "not_text", b"\x7FELF\x02\x01\x01\0\0\0\0\0".to_vec()),
        ("binary-within", "not_text", b"version: 1\nname: a\x07b\n".to_vec()),
        ("10-mb", "too_large", vec![b' '; 10_000_001]),
        ("deep", "too_deep", format!("version: 1\nrun: {}{}\n", "[".repeat(200), "]".repeat(200)).into_bytes()),
        ("nothing", "empty_document", Vec::new()),
    ];
    let mut failures = Vec::new();
    for (name, code, bytes) in cases {
        let (text, problems) = shown("made.yaml", &bytes, &Options::default());
        if problems.first().map(|problem| problem.code) != Some(code) {
            failures.push(format!("{name} is not refused with `{code}`: {problems:?}"));
        }
        failures.extend(expect(&folder().join(format!("made-{name}.txt")), &text).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let unix = fs::read_to_string(folder().join("override.yaml")).expect("readable");
    let windows = format!("\u{FEFF}{}", unix.replace('\n', "\r\n"));
    assert!(shown("x", windows.as_bytes(), &Options::default()).1.is_empty());
}

#[test]
fn editors_get_every_problem_with_line_and_column() {
    let bytes = fs::read(folder().join("unknown-names.yaml")).expect("readable");
    let text = Text { name: "unknown-names.yaml".into(), bytes, folder: None };
    let refused = load(&text, &Options::default()).expect_err("it is wrong");
    let json = to_json(&refused.problems, &refused.sources);
    let found = serde_json::to_string_pretty(&json).expect("plain data") + "\n";
    expect(&folder().join("unknown-names.json"), &found).unwrap_or_else(|why| panic!("{why}"));
}
