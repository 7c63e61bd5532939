//! Knobs: every setting of a scenario with its path, value and description, for live changes.

use models::scenario::Scenario;
use settings::book::{Body, Content};
use settings::{Book, Node, Path, Setting, Shape, Value};

use crate::load::Loaded;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// Its path in the document.
    pub path: String,
    /// The current value, as written in a scenario.
    pub value: String,
    /// Whether it may change during a run.
    pub live: bool,
    /// Its description, in one sentence.
    pub doc: String,
    /// Its range, in words.
    pub range: String,
}

/// All single-value settings, in file order.
pub fn all(loaded: &Loaded) -> Vec<Knob> {
    let mut book = Book::new();
    let shape = Scenario::describe(&mut book);
    let mut knobs = Vec::new();
    collect(&loaded.scenario.write(), &mut Path::root(), &book, &shape, &mut knobs);
    knobs
}

fn collect(node: &Node, path: &mut Path, book: &Book, shape: &Shape, knobs: &mut Vec<Knob>) {
    match &node.value {
        Value::Scalar { text, .. } => {
            let (doc, range) = meaning(book, shape, path.segments()).unwrap_or_default();
            let live = book.changed_by(shape, path, node).is_some();
            knobs.push(Knob { path: path.to_string(), value: text.clone(), live, doc, range });
        }
        Value::Map(entries) => {
            for entry in entries {
                path.push(&entry.key);
                collect(&entry.value, path, book, shape, knobs);
                path.pop();
            }
        }
        Value::List(members) => {
            for (nth, member) in members.iter().enumerate() {
                path.push(nth);
                collect(member, path, book, shape, knobs);
                path.pop();
            }
        }
        Value::Null => {}
    }
}

/// The doc comment and range of the field at a path.
fn meaning(book: &Book, shape: &Shape, path: &[String]) -> Option<(String, String)> {
    let (segment, rest) = path.split_first()?;
    match shape {
        Shape::List(member) | Shape::Pair(member) => meaning(book, member, rest),
        Shape::OneOrMany(member) | Shape::NullOr(member) => {
            meaning(book, member, path).or_else(|| meaning(book, member, rest))
        }
        Shape::Map(_, value) => meaning(book, value, rest),
        Shape::AnyOf(shapes) => shapes.iter().find_map(|s| meaning(book, s, path)),
        Shape::Named(name) => match &book.definition(name)?.body {
            Body::Fields(fields) => fields.fields.iter().find_map(|field| {
                if field.flattened {
                    return meaning(book, &field.shape, path);
                }
                if field.key != segment {
                    return None;
                }
                let own = || Some((field.doc.to_string(), field.range.map(str::to_string).unwrap_or_default()));
                meaning(book, &field.shape, rest).or_else(own)
            }),
            Body::Choice(choice) => choice.variants.iter().find_map(|variant| {
                let tagged = choice.tag.is_some();
                if !tagged && variant.word != segment {
                    return None;
                }
                let below = if tagged { path } else { rest };
                match &variant.content {
                    Content::Value(shape) => meaning(book, shape, below),
                    Content::Fields(fields) => fields.fields.iter().find_map(|field| {
                        let (first, rest) = below.split_first()?;
                        if field.key != first {
                            return None;
                        }
                        let own = || Some((field.doc.to_string(), field.range.map(str::to_string).unwrap_or_default()));
                        meaning(book, &field.shape, rest).or_else(own)
                    }),
                    Content::Nothing => None,
                }
                .or_else(|| (!tagged && rest.is_empty()).then(|| (variant.doc.to_string(), String::new())))
            }),
            Body::Pending => None,
        },
        Shape::Scalar(_) | Shape::Anything | Shape::NotYet => None,
    }
}
