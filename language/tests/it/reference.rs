//! The schema and the reference pages in the repository match those that this program generates.
//!
//! `UPDATE_EXPECTED=1 cargo test -p language --test it reference` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::expect::expect;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_schema_is_current() {
    expect(&root().join(language::reference::SCHEMA_FILE), &language::reference::schema())
        .unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn the_reference_pages_are_current() {
    let folder = root().join("docs/reference");
    let pages = language::reference::pages();
    let updating = std::env::var_os("UPDATE_EXPECTED").is_some();
    if updating {
        fs::create_dir_all(&folder).expect("a folder");
    }
    let names: BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        if !names.contains(name.as_str()) {
            assert!(updating, "docs/reference/{name} is about nothing that there is");
            fs::remove_file(folder.join(name)).expect("it can be removed");
        }
    }
    let stale: Vec<&str> = pages
        .iter()
        .filter(|(name, page)| expect(&folder.join(name), page).is_err())
        .map(|(n, _)| n.as_str())
        .collect();
    assert!(stale.is_empty(), "stale: {stale:?}; run `UPDATE_EXPECTED=1 cargo test -p language --test it reference`");
}

#[test]
fn everything_that_can_be_written_is_explained() {
    let (book, _) = language::reference::book();
    let undocumented: Vec<String> = book.undocumented().into_iter().filter(|name| !name.ends_with(".what")).collect();
    assert_eq!(undocumented, Vec::<String>::new());
}

#[test]
fn every_kind_has_a_page_with_its_example() {
    for row in models::components::KINDS {
        let topic = language::reference::topics().into_iter().find(|t| t.name == row.name && t.group == "components");
        let page = topic.unwrap_or_else(|| panic!("{} has no topic", row.name)).page(settings::reference::Style::Text);
        let first = row.example.trim().lines().next().expect("an example");
        assert!(page.contains(first.trim()), "{page}");
    }
}
