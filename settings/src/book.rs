//! What may be written, as data: shapes of values, and a book of named definitions.
//!
//! The derive fills the book from the same description that reads and writes settings. Schemas, reference pages and
//! the question whether a path may change during a run are answered from it.

use indexmap::IndexMap;

use crate::place::Path;
use crate::tree::{Entry, Node, Value};

/// What a scalar may be in JSON, for schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// Any text.
    Text,
    /// A text that matches the scalar's pattern.
    Pattern,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// A whole number that is not negative.
    Natural,
    /// A number between 0 and 1.
    Share,
    /// True or false.
    Boolean,
}

/// A value that is written as one scalar.
#[derive(Debug, PartialEq, Eq)]
pub struct ScalarShape {
    /// Its name on reference pages: `duration`.
    pub name: &'static str,
    /// Its name in a sentence: `a duration`.
    pub article: &'static str,
    /// How it may be written.
    pub examples: &'static [&'static str],
    /// The regular expression that its text matches (without the rules that an expression cannot tell).
    pub pattern: Option<&'static str>,
    /// What it may be in JSON.
    pub json: &'static [Json],
}

impl ScalarShape {
    /// Its name in a sentence.
    pub fn article_and_name(&self) -> &'static str {
        self.article
    }
}

/// What may be written at a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One scalar.
    Scalar(&'static ScalarShape),
    /// A list of such values.
    List(Box<Shape>),
    /// A list of two such values.
    Pair(Box<Shape>),
    /// One such value, or a list of them.
    OneOrMany(Box<Shape>),
    /// A map from names of the user's choice.
    Map(&'static ScalarShape, Box<Shape>),
    /// Nothing, or such a value.
    NullOr(Box<Shape>),
    /// Several forms.
    AnyOf(Vec<Shape>),
    /// A definition of the book, by its full name.
    Named(String),
    /// Anything: it is checked elsewhere.
    Anything,
    /// A key that the language has and this version refuses.
    NotYet,
}

/// A named definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its full name: module and type.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// What may be written.
    pub body: Body,
}

/// The two sorts of definitions.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Not described yet: the definition refers to itself.
    Pending,
    /// A map of settings.
    Fields(FieldsShape),
    /// One of several words, perhaps with settings of its own.
    Choice(ChoiceShape),
}

/// A map of settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldsShape {
    /// The settings in the order of the reference page.
    pub fields: Vec<FieldShape>,
    /// The setting that a value stands for which is not a map of these settings.
    pub shorthand: Option<&'static str>,
}

/// One setting of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldShape {
    /// Its key; for a flattened part the Rust name, which is not written.
    pub key: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// What may be written.
    pub shape: Shape,
    /// Whether it must be written.
    pub required: bool,
    /// What it is when it is not written.
    pub default: Option<Node>,
    /// The range of its values, as in `1..=100`.
    pub range: Option<&'static str>,
    /// Whether it may change during a run.
    pub live: bool,
    /// An example value.
    pub example: Option<&'static str>,
    /// Whether its own keys stand among those of the map.
    pub flattened: bool,
}

/// A choice between words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChoiceShape {
    /// The words.
    pub variants: Vec<VariantShape>,
    /// What else may be written in its place.
    pub bare: Option<Shape>,
    /// The key that holds the word, where the variant's settings stand beside it.
    pub tag: Option<&'static str>,
}

/// One word of a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantShape {
    /// The word.
    pub word: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Whether what stands behind it may change during a run.
    pub live: bool,
    /// What stands behind the word.
    pub content: Content,
    /// Whether the word alone may be written.
    pub alone: bool,
}

/// What stands behind a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// A value.
    Value(Shape),
    /// Settings.
    Fields(FieldsShape),
}

/// Whether the value at a path may change during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// It may.
    Yes,
    /// Where it is written short: then the setting with this key may, for which a value alone stands.
    Short(&'static str),
    /// It is fixed when the run begins.
    No,
    /// There is no such setting.
    Unknown,
}

/// The definitions by full name, in the order in which they were described.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    definitions: IndexMap<String, Definition>,
}

impl Book {
    /// An empty book.
    pub fn new() -> Book {
        Book::default()
    }

    /// Describes a definition unless it is already there, and gives the shape that refers to it.
    pub fn define(&mut self, name: &str, doc: &str, describe: impl FnOnce(&mut Book) -> Body) -> Shape {
        if !self.definitions.contains_key(name) {
            let pending = Definition { name: name.to_string(), doc: doc.to_string(), body: Body::Pending };
            self.definitions.insert(name.to_string(), pending);
            let body = describe(self);
            if let Some(definition) = self.definitions.get_mut(name) {
                definition.body = body;
            }
        }
        Shape::Named(name.to_string())
    }

    /// Describes a choice whose word stands in a key of its own, from a table of words, docs and shapes.
    pub fn define_tagged(
        &mut self,
        name: &str,
        doc: &str,
        tag: &'static str,
        rows: impl IntoIterator<Item = (&'static str, &'static str, Shape)>,
    ) -> Shape {
        let variant =
            |(word, doc, shape)| VariantShape { word, doc, live: false, content: Content::Value(shape), alone: false };
        let variants = rows.into_iter().map(variant).collect();
        self.define(name, doc, |_| Body::Choice(ChoiceShape { variants, bare: None, tag: Some(tag) }))
    }

    /// Adds a setting to a definition that is a map of settings, unless it has one of that key: for keys that are worked
    /// in before the settings are read.
    pub fn add_field(&mut self, name: &str, field: FieldShape) {
        if let Some(Definition { body: Body::Fields(fields), .. }) = self.definitions.get_mut(name)
            && fields.fields.iter().all(|known| known.key != field.key)
        {
            fields.fields.push(field);
        }
    }

    /// A definition by its full name.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }

    /// All definitions.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// The definitions, settings and words that nothing explains, for tests that keep the reference whole.
    pub fn undocumented(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut fields = |place: &str, shape: &FieldsShape| {
            for field in shape.fields.iter().filter(|field| field.doc.is_empty()) {
                found.push(format!("{place}.{}", field.key));
            }
        };
        let mut others = Vec::new();
        for definition in self.definitions() {
            let name = &definition.name;
            if definition.doc.is_empty() {
                others.push(name.clone());
            }
            match &definition.body {
                Body::Pending => {}
                Body::Fields(shape) => fields(name, shape),
                Body::Choice(choice) => {
                    for variant in &choice.variants {
                        let place = format!("{name}.{}", variant.word);
                        if let Content::Fields(shape) = &variant.content {
                            fields(&place, shape);
                        }
                        if variant.doc.is_empty() {
                            others.push(place);
                        }
                    }
                }
            }
        }
        found.extend(others);
        found
    }

    /// The name of a definition without what all of a project's names have in common: the type, or module and type
    /// where two types share a name.
    pub fn title<'n>(&self, name: &'n str) -> &'n str {
        let last = |name: &'n str, parts: usize| {
            let mut places = name.rmatch_indices("::").map(|(place, _)| place + 2);
            places.nth(parts - 1).map_or(name, |place| &name[place..])
        };
        for parts in 1..=8 {
            let short = last(name, parts);
            let shared = self
                .definitions
                .keys()
                .any(|other| other != name && (other == short || other.ends_with(&format!("::{short}"))));
            if !shared {
                return short;
            }
        }
        name
    }

    /// Whether the value at a path below a shape may change during a run.
    ///
    /// A field or variant that is live makes everything below it live.
    pub fn live(&self, shape: &Shape, path: &Path) -> Live {
        self.live_below(shape, path.segments(), false)
    }

    fn live_below(&self, shape: &Shape, path: &[String], live: bool) -> Live {
        let Some((segment, rest)) = path.split_first() else {
            return if live { Live::Yes } else { self.live_where_short(shape) };
        };
        match shape {
            Shape::Scalar(_) | Shape::NotYet => Live::Unknown,
            Shape::Anything => {
                if live {
                    Live::Yes
                } else {
                    Live::Unknown
                }
            }
            Shape::List(member) | Shape::Pair(member) => match segment.parse::<usize>() {
                Ok(_) => self.live_below(member, rest, live),
                Err(_) => Live::Unknown,
            },
            Shape::OneOrMany(member) => match segment.parse::<usize>() {
                Ok(_) => self.live_below(member, rest, live),
                Err(_) => self.live_below(member, path, live),
            },
            Shape::Map(_, value) => self.live_below(value, rest, live),
            Shape::NullOr(value) => self.live_below(value, path, live),
            Shape::AnyOf(shapes) => self.first_known(shapes.iter().map(|shape| self.live_below(shape, path, live))),
            Shape::Named(name) => match self.definition(name).map(|definition| &definition.body) {
                Some(Body::Fields(fields)) => self.live_in_fields(fields, segment, path, live),
                Some(Body::Choice(choice)) => self.live_in_choice(choice, segment, path, live),
                _ => Live::Unknown,
            },
        }
    }

    /// Of something that is not live as a whole.
    fn live_where_short(&self, shape: &Shape) -> Live {
        let Shape::Named(name) = shape else { return Live::No };
        let Some(Body::Fields(fields)) = self.definition(name).map(|definition| &definition.body) else {
            return Live::No;
        };
        match fields.fields.iter().find(|field| field.live && Some(field.key) == fields.shorthand) {
            Some(field) => Live::Short(field.key),
            None => Live::No,
        }
    }

    /// The setting that a new value at a path changes, if it may change during a run: the one at the path, or where the value
    /// is written short the one that it stands for.
    pub fn changed_by(&self, shape: &Shape, path: &Path, value: &Node) -> Option<Path> {
        match self.live(shape, path) {
            Live::Yes => Some(path.clone()),
            Live::No | Live::Unknown => None,
            Live::Short(key) => {
                // A map of the settings themselves is no such value.
                let is_known = |entry: &Entry| self.live(shape, &path.join(&entry.key)) != Live::Unknown;
                let is_short = match &value.value {
                    Value::Scalar { .. } => true,
                    Value::Map(entries) => !entries.iter().any(is_known),
                    Value::List(_) | Value::Null => false,
                };
                is_short.then(|| path.join(key))
            }
        }
    }

    fn live_in_fields(&self, shape: &FieldsShape, segment: &str, path: &[String], live: bool) -> Live {
        if let Some(field) = shape.fields.iter().find(|field| !field.flattened && field.key == segment) {
            return self.live_below(&field.shape, &path[1..], live || field.live);
        }
        let flattened = shape.fields.iter().filter(|field| field.flattened);
        self.first_known(flattened.map(|field| self.live_below(&field.shape, path, live || field.live)))
    }

    fn live_in_choice(&self, shape: &ChoiceShape, segment: &str, path: &[String], live: bool) -> Live {
        let content = |variant: &VariantShape, path: &[String]| match (&variant.content, path.split_first()) {
            (_, None) if live || variant.live => Live::Yes,
            (_, None) => Live::No,
            (Content::Nothing, Some(_)) => Live::Unknown,
            (Content::Value(shape), Some(_)) => self.live_below(shape, path, live || variant.live),
            (Content::Fields(fields), Some((segment, _))) => {
                self.live_in_fields(fields, segment, path, live || variant.live)
            }
        };
        if shape.tag == Some(segment) && path.len() == 1 {
            return Live::No;
        }
        if shape.tag.is_some() {
            return self.first_known(shape.variants.iter().map(|variant| content(variant, path)));
        }
        if let Some(variant) = shape.variants.iter().find(|variant| variant.word == segment) {
            return content(variant, &path[1..]);
        }
        match &shape.bare {
            Some(bare) => self.live_below(bare, path, live),
            None => Live::Unknown,
        }
    }

    fn first_known(&self, mut answers: impl Iterator<Item = Live>) -> Live {
        answers.find(|answer| *answer != Live::Unknown).unwrap_or(Live::Unknown)
    }
}
