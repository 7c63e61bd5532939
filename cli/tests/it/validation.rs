//! The published table of validations matches the models.

use std::fs;

use crate::program::repository;

#[test]
fn the_page_has_every_figure_of_every_model_with_what_theory_says() {
    let page = fs::read_to_string(repository().join("docs/validation.md")).expect("there is a page");
    let (_, table) = page.split_once("```text\n").expect("it has a table");
    let mut rows = table.lines().skip(1);
    for case in analysis::theory::cases() {
        for expected in &case.expected {
            let row = rows.next().unwrap_or_default();
            let theory = report::validate::written(expected.metric, expected.value);
            let begins = [case.name, expected.metric, theory.as_str()].join(" ");
            let shown: Vec<&str> = row.split_whitespace().collect();
            let shown = shown.join(" ");
            assert!(
                shown.starts_with(&begins),
                "{begins:?} is not {shown:?}; `brownout validate --long` prints the table"
            );
            assert!(shown.ends_with(" agrees"), "{shown}");
        }
    }
    assert_eq!(rows.next(), Some(""), "rows of models that are not there");
}
