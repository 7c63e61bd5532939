//! `explain`: its output, and its example in the guide.

use std::fs;

use crate::expected::{HOW_TO_UPDATE, updates};
use crate::program::{SMALL, repository, run, run_with};

/// The example of the guide: the scenario, and the output shown for it.
fn example(guide: &str) -> (String, String) {
    let (_, section) = guide.split_once("## Before a run: explain\n").expect("the guide has this section");
    let block = |language: &str| {
        let (_, rest) = section.split_once(&format!("```{language}\n")).expect("a block");
        rest.split_once("```").expect("it ends").0.to_string()
    };
    (block("yaml"), block("text"))
}

#[test]
fn expected_explanation_is_that_of_the_guide() {
    let path = repository().join("docs/guide.md");
    let guide = fs::read_to_string(&path).expect("there is a guide");
    let (scenario, shown) = example(&guide);
    let said = run_with(&["explain", "-"], &scenario).ok();
    if updates() {
        fs::write(&path, guide.replacen(&format!("```text\n{shown}```"), &format!("```text\n{said}```"), 1))
            .expect("it can be written");
        return;
    }
    assert_eq!(shown, said, "if this is meant: {HOW_TO_UPDATE}");
}

#[test]
fn variants_and_overrides_are_explained_as_they_are() {
    let plain = run_with(&["explain", "-"], SMALL).ok();
    assert!(plain.contains("100/s") && plain.contains("25 %"), "{plain}");
    let busy = run_with(&["explain", "-", "--variant", "busy"], SMALL).ok();
    assert!(busy.contains("variant busy") && busy.contains("75 %"), "{busy}");
    let set = run_with(&["explain", "-", "--set", "components.db.connections=1"], SMALL).ok();
    assert!(set.contains("1 connections") && set.contains("50 %"), "{set}");
}

#[test]
fn programs_get_everything_with_places_and_mends() {
    let said = run(&["explain", "@retry-storm", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(json["format"], 1);
    assert_eq!(json["capacity"]["state"], "vulnerable");
    let ceiling = json["components"]["db"]["limits"][0]["ceiling_per_s"].as_f64().expect("a rate");
    assert!((ceiling - 1000.0).abs() < 1e-6, "{ceiling}");
    assert_eq!(json["topology"][0]["calls"][0]["name"], "api");
    let warnings = json["warnings"].as_array().expect("a list");
    assert!(!warnings.is_empty());
    for warning in warnings {
        assert!(warning["line"].is_u64() && warning["column"].is_u64() && warning["help"].is_string(), "{warning}");
    }
    let queue = warnings.iter().find(|warning| warning["code"] == "unbounded_queue").expect("it is not bounded");
    assert_eq!(queue["mend"]["path"], "components.api.admission.queue.max");
}

#[test]
fn a_wrong_scenario_is_refused_as_everywhere() {
    let ended = run_with(&["explain", "-"], "version: 1\nrun: {duration: 5}\n");
    assert_eq!(ended.code, Some(2));
    assert!(ended.out.is_empty() && ended.err.contains("run.duration"), "{}", ended.err);
}
