//! A key that the language has and this version does not: refused by name instead of as a typo.

use settings::bind::{Fields, NOT_YET, Part};
use settings::{Book, Node, Problem, Reader, Setting, Shape, Span};

use super::policy::{Described, Policy};

/// A setting or choice that is refused whenever it is written.
///
/// It has no values, so code that matches on a choice of the language lists what is missing as `Missing(never) => match
/// *never {}`. The day it gets settings of its own, every such place fails to compile until somebody has thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {}

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
        match *self {}
    }
}

/// A kind of which nothing is there yet.
impl Part for NotYet {
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self> {
        fields.refuse_tag(cx, problem(Span::NOWHERE))
    }

    fn write_part(&self, _entries: &mut Vec<settings::Entry>) {
        match *self {}
    }
}

/// A policy of which nothing is there yet.
impl Policy for NotYet {
    type Settings = NotYet;

    fn brief(never: &NotYet) -> Option<String> {
        match *never {}
    }

    fn described(never: &NotYet) -> Option<Described> {
        match *never {}
    }
}
