//! Reference pages as they are printed.

use settings::book::Shape;
use settings::reference::{self, Extent};
use settings::{Book, DurationDist, Setting};

use crate::types::*;

fn described<T: Setting>() -> (Book, String) {
    let mut book = Book::new();
    match T::describe(&mut book) {
        Shape::Named(name) => (book, name),
        other => panic!("{other:?} has no page"),
    }
}

#[test]
fn a_page_in_markdown() {
    let (book, name) = described::<Pool>();
    let page = reference::markdown(&book, &name, "Pool", Extent::Whole);
    assert_eq!(page, include_str!("expected/pool.md"), "\n{page}");
}

#[test]
fn a_page_in_plain_text() {
    let (book, name) = described::<Link>();
    let page = reference::text(&book, &name, "link", Extent::Whole);
    assert_eq!(page, include_str!("expected/link.txt"), "\n{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
}

#[test]
fn a_page_can_leave_out_what_it_refers_to() {
    let (book, name) = described::<Link>();
    let page = reference::text(&book, &name, "link", Extent::Own);
    assert!(reference::text(&book, &name, "link", Extent::Whole).starts_with(page.trim_end()));
    assert!(!page.contains("Attempts after the first."), "{page}");
}

#[test]
fn every_form_of_a_distribution_is_on_its_page() {
    let (book, name) = described::<DurationDist>();
    let page = reference::markdown(&book, &name, &reference::heading(&book, &name), Extent::Own);
    assert!(page.starts_with("# Duration distribution\n"), "{page}");
    for word in DurationDist::words() {
        assert!(page.contains(&format!("| `{word}` |")), "{word}: {page}");
    }
}
