//! Settings that contain others: lists, maps, optional values, and values with their source position.

use crate::book::{Book, ScalarShape, Shape};
use crate::place::{Path, Span};
use crate::problem::Problem;
use crate::reader::{Reader, Setting};
use crate::tree::{Entry, Node, Value};
use crate::values::{Count, Name, Scalar};

impl<T: Setting> Setting for Option<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        T::read(node, cx).map(Some)
    }

    fn describe(book: &mut Book) -> Shape {
        T::describe(book)
    }

    fn write(&self) -> Node {
        self.as_ref().map_or_else(Node::null, T::write)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}

impl<T: Setting> Setting for Box<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        T::read(node, cx).map(Box::new)
    }

    fn describe(book: &mut Book) -> Shape {
        T::describe(book)
    }

    fn write(&self) -> Node {
        (**self).write()
    }

    fn absent() -> Option<Self> {
        T::absent().map(Box::new)
    }

    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::List(members) => read_members(members, cx),
            _ => cx.refuse_type(node, "a list"),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::List(Box::new(T::describe(book)))
    }

    fn write(&self) -> Node {
        Node::list(self.iter().map(T::write).collect())
    }
}

fn read_members<T: Setting>(members: &[Node], cx: &mut Reader) -> Option<Vec<T>> {
    let mut values = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        values.extend(cx.within_index(index, |cx| T::read(member, cx)));
    }
    (values.len() == members.len()).then_some(values)
}

/// A list of two values: the ends of a range.
impl<T: Setting> Setting for (T, T) {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match node.members() {
            Some([first, second]) => {
                let first = cx.within_index(0, |cx| T::read(first, cx));
                let second = cx.within_index(1, |cx| T::read(second, cx));
                Some((first?, second?))
            }
            _ => cx.refuse_type(node, "a list of two values"),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::Pair(Box::new(T::describe(book)))
    }

    fn write(&self) -> Node {
        Node::list(vec![self.0.write(), self.1.write()])
    }
}

/// A tree passed on unchanged, to be read later or elsewhere.
impl Setting for Node {
    fn read(node: &Node, _cx: &mut Reader) -> Option<Self> {
        Some(node.clone())
    }

    fn describe(_book: &mut Book) -> Shape {
        Shape::Anything
    }

    fn write(&self) -> Node {
        self.clone()
    }
}

/// A value with its source position, for checks that need other parts of the scenario.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written; for a default, the map that lacks the key.
    pub span: Span,
    /// Its path.
    pub path: Path,
}

impl<T> Spanned<T> {
    /// A value without a source position.
    pub fn nowhere(value: T) -> Spanned<T> {
        Spanned { value, span: Span::NOWHERE, path: Path::root() }
    }

    /// An error that concerns this value.
    pub fn problem(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem::error(code, self.span, message).path(self.path.clone())
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Compares values only, not source positions.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Setting> Setting for Spanned<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let value = T::read(node, cx)?;
        Some(Spanned { value, span: node.span, path: cx.path().clone() })
    }

    fn describe(book: &mut Book) -> Shape {
        T::describe(book)
    }

    fn write(&self) -> Node {
        Node { span: self.span, ..self.value.write() }
    }

    fn absent() -> Option<Self> {
        T::absent().map(Spanned::nowhere)
    }

    fn is_absent(&self) -> bool {
        self.value.is_absent()
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}

/// One value, or a list of at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct OneOrMany<T> {
    /// The values in order; never empty after reading.
    pub values: Vec<T>,
}

impl<T> std::ops::Deref for OneOrMany<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

impl<'a, T> IntoIterator for &'a OneOrMany<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.iter()
    }
}

impl<T: Setting> Setting for OneOrMany<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let values = match &node.value {
            Value::List(members) if members.is_empty() => {
                return cx.refuse(
                    Problem::error("empty_list", node.span, "the list is empty").help("write at least one member"),
                );
            }
            Value::List(members) => read_members(members, cx)?,
            _ => vec![T::read(node, cx)?],
        };
        Some(OneOrMany { values })
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::OneOrMany(Box::new(T::describe(book)))
    }

    fn write(&self) -> Node {
        match self.values.as_slice() {
            [only] => {
                let node = only.write();
                // A single member that is itself a list would be mistaken for the list of members.
                if node.members().is_some() { Node::list(vec![node]) } else { node }
            }
            values => Node::list(values.iter().map(T::write).collect()),
        }
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }
}

/// Null, written as `null`, or a value. Unlike an absent key, `null` is explicit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum NullOr<T> {
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

impl<T: Setting> Setting for NullOr<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Null => Some(NullOr::Null),
            _ => T::read(node, cx).map(NullOr::Value),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::NullOr(Box::new(T::describe(book)))
    }

    fn write(&self) -> Node {
        match self {
            NullOr::Null => Node::null(),
            NullOr::Value(value) => value.write(),
        }
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }
}

/// A type usable as a key of a [`Map`].
pub trait MapKey: Scalar + Clone {
    /// The key as written.
    fn key_text(&self) -> &str;
}

impl MapKey for Name {
    fn key_text(&self) -> &str {
        self.as_str()
    }
}

impl MapKey for String {
    fn key_text(&self) -> &str {
        self
    }
}

/// One named value of a [`Map`].
#[derive(Clone, Debug)]
pub struct MapEntry<T, K = Name> {
    /// Name.
    pub name: K,
    /// Where the name was written.
    pub name_span: Span,
    /// The value.
    pub value: T,
}

/// Named values in the order in which they were written. `Map<T, String>` accepts keys that are not names, such as
/// paths.
#[derive(Clone, Debug)]
pub struct Map<T, K = Name> {
    entries: Vec<MapEntry<T, K>>,
}

impl<T, K> Default for Map<T, K> {
    fn default() -> Self {
        Map { entries: Vec::new() }
    }
}

/// Compares names, values and order, but not source positions.
impl<T: PartialEq, K: PartialEq> PartialEq for Map<T, K> {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self
                .entries
                .iter()
                .zip(&other.entries)
                .all(|(left, right)| left.name == right.name && left.value == right.value)
    }
}

impl<T, K: MapKey> Map<T, K> {
    /// The value with that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// The entry with that name.
    pub fn entry(&self, name: &str) -> Option<&MapEntry<T, K>> {
        self.entries.iter().find(|entry| entry.name.key_text() == name)
    }

    /// The position of that name in the map.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name.key_text() == name)
    }

    /// Whether there is a value with that name.
    pub fn contains(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.key_text())
    }

    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, MapEntry<T, K>> {
        self.entries.iter()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a value at the end, or replaces the one with that name.
    pub fn insert(&mut self, name: K, value: T) {
        match self.position(name.key_text()) {
            Some(place) => self.entries[place].value = value,
            None => self.entries.push(MapEntry { name, name_span: Span::NOWHERE, value }),
        }
    }
}

impl<'a, T, K> IntoIterator for &'a Map<T, K> {
    type Item = &'a MapEntry<T, K>;
    type IntoIter = std::slice::Iter<'a, MapEntry<T, K>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl<T, K> IntoIterator for Map<T, K> {
    type Item = MapEntry<T, K>;
    type IntoIter = std::vec::IntoIter<MapEntry<T, K>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<T: Setting, K: MapKey> Setting for Map<T, K> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return cx.refuse_type(node, "a map from names to settings");
        };
        let mut read = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = cx.within_key(entry, |cx| match K::parse(&entry.key) {
                Ok(name) => Some(name),
                Err(error) => cx.refuse(Problem::error("bad_name", entry.key_span, error.message).help_if(error.help)),
            });
            let value = cx.read_entry(entry);
            if let (Some(name), Some(value)) = (name, value) {
                read.push(MapEntry { name, name_span: entry.key_span, value });
            }
        }
        (read.len() == entries.len()).then_some(Map { entries: read })
    }

    fn describe(book: &mut Book) -> Shape {
        let key: &'static ScalarShape = K::SHAPE;
        Shape::Map(key, Box::new(T::describe(book)))
    }

    fn write(&self) -> Node {
        let entries = self.entries.iter().map(|entry| Entry {
            key: entry.name.key_text().to_string(),
            key_span: entry.name_span,
            value: entry.value.write(),
        });
        Node::map(entries.collect())
    }
}

impl From<Count> for u64 {
    fn from(count: Count) -> u64 {
        count.0
    }
}
