//! `check --resolved`: the scenario with every default filled in gives the same result.

use std::sync::Arc;

use lab::{Loaded, Options, Session, Text, load};

/// The result of a short run, without the parts that identify the source.
fn result(loaded: &Loaded) -> String {
    let mut session = Session::new(Arc::new(loaded.clone()), loaded.scenario.seed, None);
    session.run_until(3_000_000_000).expect("it runs");
    let mut result = session.result();
    result.scenario = Default::default();
    result.run.wall_s = 0.0;
    result.run.events_per_s = 0.0;
    serde_json::to_string(&result).expect("plain data")
}

#[test]
fn a_resolved_scenario_gives_the_same_bytes() {
    for (name, yaml) in language::builtin::SCENARIOS {
        let text = Text { name: format!("@{name}"), bytes: yaml.as_bytes().to_vec(), folder: None };
        let variants = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{name}: {:?}", r.problems)).variants;
        for variant in std::iter::once(None).chain(variants.into_iter().map(Some)) {
            let case = format!("{name} {variant:?}");
            let options = Options { variant, ..Options::default() };
            let loaded = load(&text, &options).unwrap_or_else(|r| panic!("{case}: {:?}", r.problems));
            let resolved = loaded.resolved();
            let again = Text { name: "resolved.yaml".into(), bytes: resolved.clone().into_bytes(), folder: None };
            let again =
                load(&again, &Options::default()).unwrap_or_else(|r| panic!("{case}: {:?}\n{resolved}", r.problems));
            assert_eq!(again.resolved(), resolved, "{case}");
            assert_eq!(again.hash, loaded.hash, "{case}");
            assert_eq!(result(&again), result(&loaded), "{case}");
        }
    }
}
