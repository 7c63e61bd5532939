//! A key that the language has and this version does not: refused by name instead of as a typo.

use settings::bind::{Fields, NOT_YET, Part};
use settings::{Book, Node, Problem, Reader, Setting, Shape, Span};

/// Nothing can be written here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet;

fn problem(span: Span) -> Problem {
    Problem::error(NOT_YET, span, "this is not there yet")
        .help("it belongs to the language, but this version cannot simulate it: remove it")
}

impl Setting for NotYet {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let place = cx.introduced_at(node.span);
        cx.refuse(problem(place))
    }

    fn describe(_book: &mut Book) -> Shape {
        Shape::NotYet
    }

    fn write(&self) -> Node {
        Node::null()
    }
}

/// A kind of which nothing is there yet.
impl Part for NotYet {
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self> {
        fields.refuse_tag(cx, problem(Span::NOWHERE))
    }

    fn write_part(&self, _entries: &mut Vec<settings::Entry>) {}
}
