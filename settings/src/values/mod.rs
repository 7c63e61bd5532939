//! Values with units: durations, rates, sizes, money, fractions, counts, names.
//!
//! Each type is parsed from a scalar's text, formatted so that parsing gives the same value again, and described for
//! schemas and reference pages. A quantity without its unit is rejected, with a suggestion.

mod amounts;
mod numbers;
mod time;
mod words;

pub use amounts::{Bandwidth, Cores, Fraction, Money, Percentage, Rate, Size};
pub use numbers::Count;
pub use time::{Duration, SignedDuration};
pub use words::{FORBIDDEN_NAMES, Name, Priority};

use crate::book::{Book, Json, ScalarShape, Shape};
use crate::problem::Problem;
use crate::reader::{Reader, Setting};
use crate::tree::{Node, Value};

/// Why a text is not a valid value of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// The problem, in one sentence without a full stop.
    pub message: String,
    /// A suggestion, if there is one.
    pub help: Option<String>,
}

impl ValueError {
    /// An error without a suggestion.
    pub fn new(message: impl Into<String>) -> ValueError {
        ValueError { message: message.into(), help: None }
    }

    /// An error with a suggestion.
    pub fn with_help(message: impl Into<String>, help: impl Into<String>) -> ValueError {
        ValueError { message: message.into(), help: Some(help.into()) }
    }
}

/// A value that is written as a single scalar.
pub trait Scalar: Sized {
    /// The allowed forms.
    const SHAPE: &'static ScalarShape;

    /// Whether quoted text is accepted as well as unquoted.
    const QUOTES_ALLOWED: bool = true;

    /// Parses the text.
    fn parse(text: &str) -> Result<Self, ValueError>;

    /// The text that parses to exactly this value.
    fn format(&self) -> String;

    /// The node for this value.
    fn to_node(&self) -> Node {
        Node::scalar(self.format())
    }
}

/// Reads a scalar from a node and reports its problems.
pub fn read_scalar<T: Scalar>(node: &Node, cx: &mut Reader) -> Option<T> {
    let Value::Scalar { text, plain } = &node.value else {
        return cx.refuse_type(node, T::SHAPE.article_and_name());
    };
    if !plain && !T::QUOTES_ALLOWED {
        let problem =
            Problem::error("wrong_type", node.span, format!("expected {}, found text", T::SHAPE.article_and_name()))
                .help("write it without quotes");
        return cx.refuse(problem);
    }
    match T::parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let problem = Problem::error("bad_value", node.span, error.message)
                .expected(format!("expected {}", T::SHAPE.article_and_name()))
                .help_if(error.help);
            cx.refuse(problem)
        }
    }
}

/// Implements `Setting` for scalars.
macro_rules! scalar_settings {
    ($($type:ty),* $(,)?) => {$(
        impl Setting for $type {
            fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
                read_scalar(node, cx)
            }

            fn describe(_book: &mut Book) -> Shape {
                Shape::Scalar(<$type as Scalar>::SHAPE)
            }

            fn write(&self) -> Node {
                self.to_node()
            }
        }
    )*};
}

scalar_settings!(
    Duration,
    SignedDuration,
    Rate,
    Size,
    Bandwidth,
    Money,
    Fraction,
    Percentage,
    Cores,
    Count,
    Name,
    Priority,
    String,
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i64,
    f64
);

impl Scalar for String {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "text",
        article: "a text",
        examples: &["anything"],
        pattern: None,
        json: &[Json::Text, Json::Number, Json::Boolean],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(text.to_string())
    }

    fn format(&self) -> String {
        self.clone()
    }

    fn to_node(&self) -> Node {
        Node::text(self.clone())
    }
}

impl Scalar for bool {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "true or false",
        article: "`true` or `false`",
        examples: &["true", "false"],
        pattern: None,
        json: &[Json::Boolean],
    };
    const QUOTES_ALLOWED: bool = false;

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" | "true" => Some("true"),
                    "no" | "off" | "n" | "0" | "false" => Some("false"),
                    _ => None,
                };
                let message = format!("expected `true` or `false`, found `{text}`");
                Err(ValueError { message, help: meant.map(|word| format!("write `{word}`")) })
            }
        }
    }

    fn format(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests;
