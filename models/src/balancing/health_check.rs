//! How a chooser finds out which of its targets are well. Without it, it knows nothing: it calls the dead as it does the others.

use settings::book::{Json, ScalarShape};
use settings::{Book, Node, Reader, Setting, Shape, Value};

use crate::policies::not_yet::NotYet;

/// How a balancer or a link finds out.
pub type HealthCheckSettings = OrInstant<NotYet>;

/// Settings, or `instant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrInstant<T> {
    /// It is known at once.
    Instant,
    /// It is found out in this way.
    FoundOut(T),
}

const WORD: &str = "instant";

const INSTANT: ScalarShape = ScalarShape {
    name: "known at once",
    article: "`instant`",
    examples: &[WORD],
    pattern: Some("^instant$"),
    json: &[Json::Pattern],
};

impl<T> OrInstant<T> {
    /// Whether it is known at once.
    pub fn is_instant(&self) -> bool {
        self.found_out().is_none()
    }

    /// The settings, where it is not known at once.
    pub fn found_out(&self) -> Option<&T> {
        match self {
            OrInstant::Instant => None,
            OrInstant::FoundOut(settings) => Some(settings),
        }
    }
}

impl<T: Setting> Setting for OrInstant<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text == WORD => Some(OrInstant::Instant),
            _ => T::read(node, cx).map(OrInstant::FoundOut),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        match T::describe(book) {
            Shape::NotYet => Shape::Scalar(&INSTANT),
            settings => Shape::AnyOf(vec![settings, Shape::Scalar(&INSTANT)]),
        }
    }

    fn write(&self) -> Node {
        self.found_out().map_or_else(|| Node::scalar(WORD), T::write)
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}
