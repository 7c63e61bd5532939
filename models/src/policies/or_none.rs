//! A setting that is on by default and is switched off with `none`.

use std::ops::Deref;

use settings::book::{Json, ScalarShape};
use settings::{Book, Node, Reader, Setting, Shape, Value};

/// Settings, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrNone<T>(pub Option<T>);

const NONE: ScalarShape = ScalarShape {
    name: "none",
    article: "`none`",
    examples: &["none"],
    pattern: Some("^none$"),
    json: &[Json::Pattern],
};

impl<T> Deref for OrNone<T> {
    type Target = Option<T>;
    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<T: Setting> Setting for OrNone<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text == "none" => Some(OrNone(None)),
            _ => T::read(node, cx).map(|value| OrNone(Some(value))),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::AnyOf(vec![T::describe(book), Shape::Scalar(&NONE)])
    }

    fn write(&self) -> Node {
        self.0.as_ref().map_or_else(|| Node::scalar("none"), T::write)
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Duration;
    use settings::notation::read;

    #[test]
    fn none_is_read_and_written() {
        let none: OrNone<Duration> = read("none").expect("none");
        assert_eq!((none, none.write().to_string()), (OrNone(None), "none".to_string()));
        let some: OrNone<Duration> = read("5s").expect("a duration");
        assert_eq!((*some, some.write().to_string()), (Some(Duration(5_000_000_000)), "5s".to_string()));
        assert!(read::<OrNone<Duration>>("never").is_err());
    }
}
