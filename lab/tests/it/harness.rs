//! Shared parts of the tests of whole scenarios: loading, running, and reading a series.

use std::sync::Arc;

use lab::result::RunResult;
use lab::{Loaded, Options, Session, Text};

/// Loads a valid scenario in a variant.
pub(crate) fn load_variant(yaml: &str, variant: Option<&str>) -> Arc<Loaded> {
    let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
    let options = Options { variant: variant.map(str::to_string), ..Options::default() };
    match lab::load(&text, &options) {
        Ok(loaded) => Arc::new(loaded),
        Err(refused) => {
            let style = language::diagnostics::Style::Plain;
            panic!("{}\n{yaml}", language::diagnostics::render(&refused.problems, &refused.sources, style));
        }
    }
}

/// Loads a valid scenario.
pub(crate) fn load(yaml: &str) -> Arc<Loaded> {
    load_variant(yaml, None)
}

/// Runs a scenario to its end, where the invariants are checked.
pub(crate) fn run_loaded(loaded: &Arc<Loaded>, seed: u64) -> RunResult {
    let mut session = Session::new(loaded.clone(), seed, None);
    if let Err(failure) = session.run_to_end() {
        panic!("{failure}");
    }
    session.result()
}

/// The complete result as text, to compare every byte.
pub(crate) fn bytes(result: &RunResult) -> String {
    serde_json::to_string(result).expect("a result can be written")
}
