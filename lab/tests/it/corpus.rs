//! The texts of `fuzz/corpus/`, run through the fuzzer's checks, so that problems once found stay fixed.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "the fuzzer sees these functions from outside")]
#[path = "../../../fuzz/src/texts.rs"]
pub(crate) mod checks;

/// Runs every file of a folder through its check; a panic names the file.
fn replay(folder: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).expect("a folder").map(|e| e.expect("readable").path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{} has only {} files", folder.display(), files.len());
    for file in files {
        let bytes = fs::read(&file).expect("readable");
        if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
            eprintln!("this was {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn scenario_files_of_the_corpus() {
    replay("document", checks::document);
}

#[test]
fn values_of_the_corpus() {
    replay("values", checks::values);
}

#[test]
fn paths_of_the_corpus() {
    replay("paths", checks::paths);
}

#[test]
fn tables_of_the_corpus() {
    replay("traces", checks::traces);
}

#[test]
fn searches_of_the_corpus() {
    replay("searches", checks::searches);
}

#[test]
fn stores_of_the_corpus() {
    replay("stores", checks::stores);
}
