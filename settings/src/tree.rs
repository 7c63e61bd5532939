//! The spanned tree: the contents of a scenario, as plain data with the source position of each part.
//!
//! A tree comes from a document or from an override (`--set a.b=1`, a variant, a point of a sweep). Overrides are
//! patched into the document's tree before anything is read, and every node keeps its source, so that a problem in an
//! override points at the override. Scalars stay text: their meaning is determined by the setting that reads them,
//! never by the notation.

use crate::place::{Path, Span};
use crate::problem::did_you_mean;

/// A value with its source position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub span: Span,
}

/// The kinds of values: null, a scalar, a list, a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An empty value or the word `null`.
    Null,
    /// Text, a number, a quantity: not yet interpreted.
    Scalar {
        /// The text, without quotes and with escapes resolved.
        text: String,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// Values in order.
    List(Vec<Node>),
    /// Named values in the order in which they were written; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Entry {
    /// An entry without a source position.
    pub fn new(key: impl Into<String>, value: Node) -> Entry {
        Entry { key: key.into(), key_span: Span::NOWHERE, value }
    }
}

impl Node {
    /// A value at a source position.
    pub fn new(value: Value, span: Span) -> Node {
        Node { value, span }
    }

    /// Null.
    pub fn null() -> Node {
        Node::new(Value::Null, Span::NOWHERE)
    }

    /// A scalar that is written without quotes: a number, a quantity, a word.
    pub fn scalar(text: impl Into<String>) -> Node {
        Node::new(Value::Scalar { text: text.into(), plain: true }, Span::NOWHERE)
    }

    /// Free text, which stays text even if it looks like a number.
    pub fn text(text: impl Into<String>) -> Node {
        Node::new(Value::Scalar { text: text.into(), plain: false }, Span::NOWHERE)
    }

    /// A list.
    pub fn list(members: Vec<Node>) -> Node {
        Node::new(Value::List(members), Span::NOWHERE)
    }

    /// A map; the keys must be distinct.
    pub fn map(entries: Vec<Entry>) -> Node {
        Node::new(Value::Map(entries), Span::NOWHERE)
    }

    /// A map with one key, the form in which a choice has its parameters.
    pub fn one(key: impl Into<String>, value: Node) -> Node {
        Node::map(vec![Entry::new(key, value)])
    }

    /// The entries, if the node is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The members, if the node is a list.
    pub fn members(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(members) => Some(members),
            _ => None,
        }
    }

    /// The text, if the node is a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The entry with that key, if the node is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The value at a path, if there is one; list members are addressed by index.
    pub fn get(&self, path: &Path) -> Option<&Node> {
        let mut node = self;
        for segment in path.segments() {
            node = match &node.value {
                Value::Map(entries) => &entries.iter().find(|entry| entry.key == *segment)?.value,
                Value::List(members) => members.get(segment.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// The value at a path written with dots; `None` for a malformed path.
    pub fn at(&self, path: &str) -> Option<&Node> {
        self.get(&Path::parse(path).ok()?)
    }

    /// Sets the source position of the node and everything below it, for values that replace missing ones.
    pub fn relocate(&mut self, span: Span) {
        self.span = span;
        match &mut self.value {
            Value::Null | Value::Scalar { .. } => {}
            Value::List(members) => members.iter_mut().for_each(|member| member.relocate(span)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_span = span;
                    entry.value.relocate(span);
                }
            }
        }
    }

    /// Whether both have the same meaning, regardless of position and quotes. The order of keys does not matter.
    pub fn says_the_same(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar { text: left, .. }, Value::Scalar { text: right, .. }) => left == right,
            (Value::List(left), Value::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.says_the_same(right))
            }
            (Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|entry| other.entry(&entry.key).is_some_and(|o| entry.value.says_the_same(&o.value)))
            }
            _ => false,
        }
    }

    /// A description for messages: "a map", "the text `x`", "nothing".
    pub fn found(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_string(),
            Value::Scalar { text, .. } if text.is_empty() => "empty text".to_string(),
            Value::Scalar { text, .. } => format!("`{}`", shortened(text)),
            Value::List(members) if members.is_empty() => "an empty list".to_string(),
            Value::List(_) => "a list".to_string(),
            Value::Map(entries) if entries.is_empty() => "an empty map".to_string(),
            Value::Map(_) => "a map".to_string(),
        }
    }

    /// Replaces the whole value at a path; null removes it; missing parents are created.
    ///
    /// List members are addressed by index, and the index after the last one appends. `key_span` is where the path was
    /// written: created parents and new keys get it, so that problems with them point at the override.
    pub fn patch(&mut self, path: &Path, key_span: Span, value: Node) -> Result<(), PatchProblem> {
        let Some((last, parents)) = path.segments().split_last() else {
            return Err(PatchProblem::new("an override needs a path such as `components.web.replicas`"));
        };
        let mut node = self;
        for (depth, segment) in parents.iter().enumerate() {
            let so_far = || Path::of(&path.segments()[..depth]);
            if matches!(node.value, Value::Null) {
                *node = Node::new(Value::Map(Vec::new()), key_span);
            }
            node = match &mut node.value {
                Value::Map(entries) => {
                    let place = entries.iter().position(|entry| entry.key == *segment).unwrap_or_else(|| {
                        let made = Node::new(Value::Map(Vec::new()), key_span);
                        entries.push(Entry { key: segment.clone(), key_span, value: made });
                        entries.len() - 1
                    });
                    &mut entries[place].value
                }
                Value::List(members) => {
                    let place = list_place(members.len(), segment, &so_far())?;
                    if place == members.len() {
                        members.push(Node::new(Value::Map(Vec::new()), key_span));
                    }
                    &mut members[place]
                }
                Value::Scalar { text, .. } => return Err(PatchProblem::scalar(&so_far(), text, segment)),
                Value::Null => return Err(PatchProblem::new(format!("`{}` is empty", so_far()))),
            };
        }
        let parent = Path::of(parents);
        let removes = matches!(value.value, Value::Null);
        if matches!(node.value, Value::Null) {
            *node = Node::new(Value::Map(Vec::new()), key_span);
        }
        match &mut node.value {
            Value::Map(entries) => match entries.iter().position(|entry| entry.key == *last) {
                Some(place) if removes => {
                    entries.remove(place);
                }
                Some(place) => entries[place] = Entry { key: last.clone(), key_span, value },
                None if removes => {
                    let keys = entries.iter().map(|entry| entry.key.as_str());
                    return Err(PatchProblem {
                        message: format!("`{path}` does not exist, so it cannot be removed"),
                        help: did_you_mean(last, keys),
                    });
                }
                None => entries.push(Entry { key: last.clone(), key_span, value }),
            },
            Value::List(members) => {
                let place = list_place(members.len(), last, &parent)?;
                match (removes, place == members.len()) {
                    (true, true) => {
                        return Err(PatchProblem::new(format!("`{path}` does not exist, so it cannot be removed")));
                    }
                    (true, false) => {
                        members.remove(place);
                    }
                    (false, true) => members.push(value),
                    (false, false) => members[place] = value,
                }
            }
            Value::Scalar { text, .. } => return Err(PatchProblem::scalar(&parent, text, last)),
            Value::Null => return Err(PatchProblem::new(format!("`{parent}` is empty"))),
        }
        Ok(())
    }
}

/// The list index that a segment names: an existing one or the next.
fn list_place(length: usize, segment: &str, list: &Path) -> Result<usize, PatchProblem> {
    match segment.parse::<usize>() {
        Ok(place) if place <= length => Ok(place),
        Ok(place) => Err(PatchProblem::new(format!(
            "`{list}` has {length} members, so there is no member {place} (counted from 0)"
        ))),
        Err(_) => Err(PatchProblem {
            message: format!("`{list}` is a list, so `{segment}` should be a number"),
            help: Some(format!("write `{list}.0` for its first member")),
        }),
    }
}

/// Truncates long text for a message.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= LONGEST && line.len() == text.len() {
        return line.to_string();
    }
    let mut cut: String = line.chars().take(LONGEST).collect();
    cut.push('…');
    cut
}

/// Why an override cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchProblem {
    /// The problem.
    pub message: String,
    /// A suggestion.
    pub help: Option<String>,
}

impl PatchProblem {
    fn new(message: impl Into<String>) -> PatchProblem {
        PatchProblem { message: message.into(), help: None }
    }

    fn scalar(at: &Path, text: &str, segment: &str) -> PatchProblem {
        if at.is_root() {
            return PatchProblem::new(format!(
                "the document is the single value `{}`, so it has no `{segment}`",
                shortened(text)
            ));
        }
        PatchProblem {
            message: format!("`{at}` is the single value `{}`, so it has no `{segment}`", shortened(text)),
            help: Some(format!("replace all of `{at}`, or write it as a map in the scenario")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation;
    use crate::place::SourceId;

    fn tree(text: &str) -> Node {
        notation::parse(text, SourceId(0)).expect("a test tree")
    }

    fn patched(text: &str, path: &str, value: &str) -> Result<String, PatchProblem> {
        let mut node = tree(text);
        node.patch(&Path::parse(path).expect("a path"), Span::NOWHERE, tree(value))?;
        Ok(node.to_string())
    }

    #[test]
    fn a_patch_replaces_the_value_at_its_path_whole() {
        assert_eq!(patched("{a: {b: {x: 1, y: 2}}}", "a.b", "{z: 3}").unwrap(), "{a: {b: {z: 3}}}");
    }

    #[test]
    fn null_removes_a_key_or_a_member() {
        assert_eq!(patched("{a: {b: 1, c: 2}}", "a.b", "null").unwrap(), "{a: {c: 2}}");
        assert_eq!(patched("{a: [x, y, z]}", "a.1", "null").unwrap(), "{a: [x, z]}");
    }

    #[test]
    fn missing_parents_are_made() {
        assert_eq!(patched("{}", "components.us/api.replicas", "8").unwrap(), "{components: {us/api: {replicas: 8}}}");
    }

    #[test]
    fn list_members_are_addressed_by_number() {
        assert_eq!(patched("{f: [{at: 1s}, {at: 2s}]}", "f.1.at", "5s").unwrap(), "{f: [{at: 1s}, {at: 5s}]}");
        assert_eq!(patched("{f: [a]}", "f.1", "b").unwrap(), "{f: [a, b]}");
    }

    #[test]
    fn patches_that_have_no_place_say_why() {
        let message = |text, path, value| patched(text, path, value).unwrap_err().message;
        assert_eq!(message("{f: [a]}", "f.3", "b"), "`f` has 1 members, so there is no member 3 (counted from 0)");
        assert_eq!(message("{f: [a]}", "f.x", "b"), "`f` is a list, so `x` should be a number");
        assert_eq!(
            message("{call: edge}", "call.timeout", "1s"),
            "`call` is the single value `edge`, so it has no `timeout`"
        );
        let removal = patched("{a: {timeout: 1s}}", "a.timeuot", "null").unwrap_err();
        assert_eq!(removal.message, "`a.timeuot` does not exist, so it cannot be removed");
        assert_eq!(removal.help.as_deref(), Some("did you mean `timeout`?"));
    }

    #[test]
    fn get_follows_keys_and_numbers() {
        let node = tree("{f: [{at: 1s}, {at: 2s}]}");
        assert_eq!(node.at("f.1.at").and_then(Node::as_text), Some("2s"));
        assert_eq!(node.at("f.2.at"), None);
        assert_eq!(node.at("f..at"), None);
    }
}
