//! Unusual names: the texts of the fuzzer's corpus, and random variations of them.

use std::fs;
use std::path::Path;

use crate::mutate::fuzz;

#[expect(unreachable_pub, reason = "the fuzzer sees it from outside")]
#[path = "../../../fuzz/src/names.rs"]
mod checks;

#[test]
fn names_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/names");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let bytes = fs::read(&path).expect("readable");
        if let Err(panic) = std::panic::catch_unwind(|| checks::names(&bytes)) {
            eprintln!("this was {}", path.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn fuzz_names() {
    fuzz("names", Path::new(env!("CARGO_TARGET_TMPDIR")), checks::names);
}
