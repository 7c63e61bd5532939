//! The allowed contents of a scenario as data: shapes of values, and a book of named definitions.
//!
//! The derive fills the book from the same declaration that reads and writes settings. It is used for schemas, for
//! reference pages, and to decide whether a path may change during a run.

use indexmap::IndexMap;

use crate::place::Path;
use crate::tree::{Entry, Node, Value};

/// The JSON types of a scalar, for schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// Any text.
    Text,
    /// Text that matches the scalar's pattern.
    Pattern,
    /// Any number.
    Number,
    /// An integer.
    Integer,
    /// A nonnegative integer.
    Natural,
    /// A number between 0 and 1.
    Share,
    /// True or false.
    Boolean,
}

/// A value that is written as a single scalar.
#[derive(Debug, PartialEq, Eq)]
pub struct ScalarShape {
    /// Its name on reference pages: `duration`.
    pub name: &'static str,
    /// Its name in a sentence: `a duration`.
    pub article: &'static str,
    /// Examples of its notation.
    pub examples: &'static [&'static str],
    /// A regular expression for its text (without the rules that an expression cannot capture).
    pub pattern: Option<&'static str>,
    /// Its JSON types.
    pub json: &'static [Json],
}

impl ScalarShape {
    /// Its name in a sentence.
    pub fn article_and_name(&self) -> &'static str {
        self.article
    }
}

/// The allowed values at a place.
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
    /// A map whose keys are chosen by the user.
    Map(&'static ScalarShape, Box<Shape>),
    /// Null, or such a value.
    NullOr(Box<Shape>),
    /// One of several forms.
    AnyOf(Vec<Shape>),
    /// A definition of the book, by its full name.
    Named(String),
    /// Anything; checked elsewhere.
    Anything,
    /// A key of the language that this version does not support.
    NotYet,
}

/// A named definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its full name: module and type.
    pub name: String,
    /// Its description.
    pub doc: String,
    /// The allowed contents.
    pub body: Body,
}

/// The kinds of definitions.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Not described yet; seen only while a definition that refers to itself is being described.
    Pending,
    /// A map of settings.
    Fields(FieldsShape),
    /// One of several words, possibly with settings of its own.
    Choice(ChoiceShape),
}

/// A map of settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldsShape {
    /// The settings in the order of the reference page.
    pub fields: Vec<FieldShape>,
    /// The setting that receives a value that is not a map of these settings.
    pub shorthand: Option<&'static str>,
}

/// One setting of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldShape {
    /// Its key; for a flattened part, the Rust name, which is not written.
    pub key: &'static str,
    /// Its description.
    pub doc: &'static str,
    /// The allowed values.
    pub shape: Shape,
    /// Whether it is required.
    pub required: bool,
    /// The value if it is not written.
    pub default: Option<Node>,
    /// The range of allowed values, as in `1..=100`.
    pub range: Option<&'static str>,
    /// Whether it may change during a run.
    pub live: bool,
    /// An example value.
    pub example: Option<&'static str>,
    /// Whether its keys are written among those of the containing map.
    pub flattened: bool,
}

/// A choice between words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChoiceShape {
    /// The words.
    pub variants: Vec<VariantShape>,
    /// The shape of values that may be written instead of a word.
    pub bare: Option<Shape>,
    /// The key that holds the word, if the variant's settings are written beside it.
    pub tag: Option<&'static str>,
}

/// One word of a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantShape {
    /// The word.
    pub word: &'static str,
    /// Its description.
    pub doc: &'static str,
    /// Whether its content may change during a run.
    pub live: bool,
    /// The content of the word.
    pub content: Content,
    /// Whether the word may be written alone.
    pub alone: bool,
}

/// The content of a word.
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
    /// It may change.
    Yes,
    /// The setting with this key may change, for which a value alone stands where settings are written short.
    Short(&'static str),
    /// It is fixed at the start of the run.
    No,
    /// No such setting exists.
    Unknown,
}

/// The definitions by full name, in the order of description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    definitions: IndexMap<String, Definition>,
}

impl Book {
    /// An empty book.
    pub fn new() -> Book {
        Book::default()
    }

    /// Adds a definition unless it already exists, and returns the shape that refers to it.
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

    /// Adds a choice with a tag key, from a table of words, docs and shapes.
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

    /// Adds a setting to a definition that is a map of settings, unless it already has that key. Used for keys that are
    /// resolved before the settings are read.
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

    /// Definitions, settings and words without documentation, for tests that keep the reference complete.
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

    /// The short name of a definition, without the common prefix: the type, or module and type if two types share a
    /// name.
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
