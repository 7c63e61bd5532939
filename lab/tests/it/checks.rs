//! What users see when a scenario names metrics that it does not have, or asks of them what cannot be: each case against an
//! expected text.
//!
//! A case is a file `checks/NAME.yaml` with what is shown for it in `NAME.txt`; everything else that can be wrong with a
//! scenario is in the tests of `language`. `UPDATE_EXPECTED=1 cargo test -p brownout-lab --test it checks` writes the texts
//! anew; read the difference.

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
