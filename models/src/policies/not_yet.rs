//! A key that the language has and this version does not: refused by name instead of as a typo.

use settings::{Book, Node, Problem, Reader, Setting, Shape};

/// Nothing can be written here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet;

impl Setting for NotYet {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let problem = Problem::error("not_yet", cx.introduced_at(node.span), "this is not there yet")
            .help("it belongs to the language, but this version cannot simulate it: remove it");
        cx.refuse(problem)
    }

    fn describe(_book: &mut Book) -> Shape {
        Shape::NotYet
    }

    fn write(&self) -> Node {
        Node::null()
    }
}

impl settings::bind::Part for NotYet {
    fn read_part(_fields: &mut settings::bind::Fields<'_>, cx: &mut Reader) -> Option<Self> {
        let problem = Problem::error("not_yet", cx.introduced_at(settings::Span::NOWHERE), "this is not there yet")
            .help("it belongs to the language, but this version cannot simulate it: remove it");
        cx.refuse(problem)
    }

    fn write_part(&self, _entries: &mut Vec<settings::Entry>) {}
}
