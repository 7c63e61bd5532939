//! What users see when a scenario names metrics that it does not have, or sets impossible conditions for them: each case has
//! an expected text.
//!
//! A case is a file `checks/NAME.yaml` with its expected output in `NAME.txt`; all other errors in scenarios are covered by
//! the tests of `language`. `UPDATE_EXPECTED=1 cargo test -p brownout-lab --test it checks` rewrites the texts; review the
//! difference.

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Options, Text};
use language::diagnostics::{Style, render};

use crate::expect::expect;

#[test]
fn every_wrong_metric_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/checks");
    let mut failures = Vec::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let text = Text { name, bytes: fs::read(&file).expect("readable"), folder: None };
        let refused = lab::load(&text, &Options::default()).expect_err("it is wrong");
        assert!(refused.problems.iter().all(|p| p.span.is_somewhere()), "{}: without a place", text.name);
        let order: Vec<_> = refused.problems.iter().map(|p| (p.span.source, p.span.start)).collect();
        assert!(order.is_sorted(), "{}: not in file order", text.name);
        failures.extend(
            expect(&file.with_extension("txt"), &render(&refused.problems, &refused.sources, Style::Plain)).err(),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The paths of all values that are neither maps nor lists.
fn leaves(node: &settings::Node, path: &settings::Path, found: &mut Vec<settings::Path>) {
    match &node.value {
        settings::Value::Map(entries) => {
            entries.iter().for_each(|entry| leaves(&entry.value, &path.join(&entry.key), found));
        }
        settings::Value::List(members) => {
            members.iter().enumerate().for_each(|(nth, member)| leaves(member, &path.join(nth), found));
        }
        settings::Value::Scalar { .. } | settings::Value::Null => found.push(path.clone()),
    }
}

/// If a single value of a valid scenario is made unreadable, no error is reported anywhere else.
#[test]
fn what_is_wrong_in_one_place_is_said_of_no_other() {
    let mut tried = 0;
    let mut failures = Vec::new();
    for (name, text) in language::builtin::SCENARIOS {
        let text = Text { name: format!("@{name}"), bytes: text.as_bytes().to_vec(), folder: None };
        let Ok(loaded) = lab::load(&text, &Options::default()) else { continue };
        let mut paths = Vec::new();
        leaves(&loaded.document, &settings::Path::root(), &mut paths);
        // Templates are read where they are used; variants and sweeps are read separately.
        let elsewhere = ["templates", "clusters", "policies", "variants", "sweep"];
        paths.retain(|path| path.segments().first().is_some_and(|first| !elsewhere.contains(&first.as_str())));
        for path in paths {
            let overrides = vec![format!("{path}={{nonsense: [1]}}")];
            let Err(refused) = lab::load(&text, &Options { overrides, ..Options::default() }) else { continue };
            tried += 1;
            let elsewhere = refused.problems.iter().filter(|problem| {
                let (found, broken) = (problem.path.segments(), path.segments());
                problem.severity == settings::Severity::Error
                    && !found.starts_with(broken)
                    && !broken.starts_with(found)
            });
            failures.extend(elsewhere.map(|p| format!("@{name} {path}: {} {} ({})", p.path, p.message, p.code)));
        }
    }
    assert!(tried > 300, "{tried}");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}
