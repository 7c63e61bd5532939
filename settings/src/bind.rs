//! The building blocks of derived settings: binding the keys of a map to fields, and a word to a variant.
//!
//! The derive emits only calls to these functions and tables of [`FieldRule`]s, so that the binding logic can be read
//! here. Every function reports its problems and continues, so that all are found in one pass.

use std::borrow::Cow;
use std::ops::Bound;

use crate::book::{Body, Book, ChoiceShape, Content, FieldShape, FieldsShape, Shape, VariantShape};
use crate::notation;
use crate::place::Span;
use crate::problem::{Problem, did_you_mean, nearest, one_of};
use crate::reader::{Reader, Setting};
use crate::tree::{Entry, Node, Value};

/// The code of problems with features of the language that this version does not support.
pub const NOT_YET: &str = "not_yet";

/// The description of a field, apart from its type.
#[derive(Clone, Copy, Debug)]
pub struct FieldRule {
    /// The key in a scenario.
    pub key: &'static str,
    /// Its description: the doc comment.
    pub doc: &'static str,
    /// The default as written in a scenario, if any.
    pub default: Option<&'static str>,
    /// The range of allowed values: `1..=100`, `>0`, `..1`.
    pub range: Option<&'static str>,
    /// Whether it may change during a run.
    pub live: bool,
    /// An example value.
    pub example: Option<&'static str>,
    /// Whether its keys are written among those of the containing map.
    pub flattened: bool,
}

/// Settings whose keys can be written among those of another map: derived structs and enums.
pub trait Part: Setting {
    /// Reads it from its own keys of the map.
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self>;

    /// Adds its keys to those of a map.
    fn write_part(&self, entries: &mut Vec<Entry>);

    /// The words that may be written alone in place of the whole map: those of a choice.
    fn bare_words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Whether at least one of its keys is present.
    fn is_present(fields: &Fields<'_>) -> bool {
        let words = Self::words();
        fields.entries.iter().any(|entry| words.contains(&entry.key.as_str()))
    }
}

impl<T: Part> Part for Option<T> {
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self> {
        if T::is_present(fields) {
            return T::read_part(fields, cx).map(Some);
        }
        fields.known.extend(T::words());
        Some(None)
    }

    fn write_part(&self, entries: &mut Vec<Entry>) {
        if let Some(part) = self {
            part.write_part(entries);
        }
    }

    fn bare_words() -> Vec<&'static str> {
        T::bare_words()
    }
}

impl<T: Part> Part for Box<T> {
    fn read_part(fields: &mut Fields<'_>, cx: &mut Reader) -> Option<Self> {
        T::read_part(fields, cx).map(Box::new)
    }

    fn write_part(&self, entries: &mut Vec<Entry>) {
        (**self).write_part(entries);
    }

    fn bare_words() -> Vec<&'static str> {
        T::bare_words()
    }
}

/// How to interpret a value that is not a map of the struct's own keys.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The key that such a value is assigned to.
    pub shorthand: Option<&'static str>,
    /// The words of the shorthand's own type: a map of these counts as such a value too.
    pub shorthand_words: Vec<&'static str>,
    /// All keys of the struct itself.
    pub own_words: Vec<&'static str>,
    /// Words of flattened choices: one of them alone stands for the whole struct.
    pub flattened_words: Vec<&'static str>,
    /// Whether every key has a default or may be absent, so that `{}` is valid.
    pub can_be_empty: bool,
}

/// The keys of one map while they are bound to fields.
pub struct Fields<'a> {
    entries: Cow<'a, [Entry]>,
    taken: Vec<bool>,
    known: Vec<&'static str>,
    /// Required keys that are missing, each with its problem, which is dropped if a typo explains it.
    missing: Vec<(&'static str, Problem)>,
    /// The tag's word and its span.
    tag: Option<(Span, String)>,
    /// Whether the only entry is the value of a shorthand, whose key was not written.
    implied: bool,
    span: Span,
    /// Whether the set of valid keys is unknown, so that no key can be reported as unknown.
    obscure: bool,
}

impl<'a> Fields<'a> {
    /// Opens a node as a map of settings.
    pub fn open(node: &'a Node, cx: &mut Reader, opening: &Opening) -> Option<Fields<'a>> {
        let mut implied = false;
        let entries = match &node.value {
            Value::Map(entries) if !opening.means_shorthand(entries) => Cow::Borrowed(entries.as_slice()),
            Value::Scalar { text, plain: true } if opening.flattened_words.contains(&text.as_str()) => {
                let mut nothing = Node::map(Vec::new());
                nothing.relocate(node.span);
                Cow::Owned(vec![Entry { key: text.clone(), key_span: node.span, value: nothing }])
            }
            value => match opening.shorthand {
                Some(key) if *value != Value::Null => {
                    implied = true;
                    Cow::Owned(vec![Entry { key: key.to_string(), key_span: Span::NOWHERE, value: node.clone() }])
                }
                _ => {
                    let words = &opening.own_words;
                    let expected = match words.len() {
                        0 => "an empty map `{}`".to_string(),
                        1..=6 => format!("a map with {}", one_of(words)),
                        _ => "a map of settings".to_string(),
                    };
                    if *value == Value::Null {
                        let place = cx.introduced_at(node.span);
                        let help = match opening.can_be_empty {
                            true => "write `{}` for all defaults, or remove the key",
                            false => "write a value, or remove the key",
                        };
                        let problem = Problem::error("empty_value", place, "the value is missing")
                            .expected(format!("expected {expected}"))
                            .help(help);
                        return cx.refuse(problem);
                    }
                    return cx.refuse_type(node, &expected);
                }
            },
        };
        let taken = vec![false; entries.len()];
        Some(Fields {
            entries,
            taken,
            known: Vec::new(),
            missing: Vec::new(),
            tag: None,
            implied,
            span: node.span,
            obscure: false,
        })
    }

    /// Reads a field: from its key, else from its default, else from its type's value for an absent key.
    pub fn read<T: Setting>(&mut self, cx: &mut Reader, rule: &FieldRule) -> Option<T> {
        match self.take(rule.key) {
            Some(place) => self.read_at(place, cx),
            None => match rule.default {
                Some(text) => self.read_default(cx, rule, text),
                None => T::absent().or_else(|| self.missing(cx, rule)),
            },
        }
    }

    /// Reads an entry; the path of a shorthand's value does not include the implied key.
    fn read_at<T: Setting>(&self, place: usize, cx: &mut Reader) -> Option<T> {
        let entry = &self.entries[place];
        if self.implied { T::read(&entry.value, cx) } else { cx.read_entry(entry) }
    }

    /// Reads a field whose default is computed by a function.
    pub fn read_or<T: Setting>(&mut self, cx: &mut Reader, rule: &FieldRule, default: fn() -> T) -> Option<T> {
        match self.take(rule.key) {
            Some(place) => self.read_at(place, cx),
            None => Some(default()),
        }
    }

    /// Checks a field's value against its range.
    pub fn check_range<T: Setting + PartialOrd>(
        &self,
        cx: &mut Reader,
        rule: &FieldRule,
        value: Option<T>,
    ) -> Option<T> {
        let value = value?;
        let Some(range) = rule.range else {
            return Some(value);
        };
        if value.is_absent() || Range::<T>::parse(range, cx).is_none_or(|range| range.contains(&value)) {
            return Some(value);
        }
        let span = self.entries.iter().find(|entry| entry.key == rule.key).map_or(self.span, |entry| entry.value.span);
        let found = value.write();
        let allowed = range_in_words(range);
        cx.within(rule.key, None, |cx| {
            let message = format!("`{found}` is out of range: `{}` must be {allowed}", rule.key);
            cx.refuse(Problem::error("out_of_range", span, message).expected(format!("must be {allowed}")))
        })
    }

    /// Reads a field whose keys are among those of this map.
    pub fn read_part<T: Part>(&mut self, cx: &mut Reader, rule: &FieldRule) -> Option<T> {
        match rule.default {
            Some(text) if !T::is_present(self) => {
                self.known.extend(T::words());
                self.read_default(cx, rule, text)
            }
            _ => T::read_part(self, cx),
        }
    }

    /// Takes the only entry whose key is among a choice's words; reports if there are none or several.
    pub fn take_choice(&mut self, cx: &mut Reader, words: &[&'static str]) -> Option<(usize, Entry)> {
        self.known.extend(words);
        let mut chosen: Option<(usize, usize)> = None;
        for place in 0..self.entries.len() {
            let entry = &self.entries[place];
            let Some(word) = words.iter().position(|word| *word == entry.key) else { continue };
            if self.taken[place] {
                continue;
            }
            self.taken[place] = true;
            match chosen {
                None => chosen = Some((word, place)),
                Some((_, first)) => {
                    let first = &self.entries[first].key;
                    let message = format!("`{first}` and `{}` are mutually exclusive", entry.key);
                    let problem = Problem::error("several_choices", entry.key_span, message);
                    let problem = problem.help(format!("keep one of {}", one_of(words)));
                    cx.report(problem);
                }
            }
        }
        match chosen {
            Some((word, place)) => Some((word, self.entries[place].clone())),
            None => {
                // A key that is similar to one of the words is reported here, so that it is not also reported as
                // unknown.
                for place in 0..self.entries.len() {
                    let entry = &self.entries[place];
                    if !self.taken[place] && nearest(&entry.key, words.iter().copied()).is_some() {
                        self.taken[place] = true;
                        let problem = unknown_key(&self.entries[place], words);
                        return cx.refuse(problem);
                    }
                }
                let message = format!("one of {} is missing", one_of(words));
                cx.refuse(Problem::error("missing_choice", cx.introduced_at(self.span), message))
            }
        }
    }

    /// Takes the tag key, whose word selects the settings beside it.
    pub fn take_tag(&mut self, cx: &mut Reader, tag: &'static str, words: &[&'static str]) -> Option<usize> {
        let Some(place) = self.take(tag) else {
            self.obscure = true;
            let place = cx.introduced_at(self.span);
            let problem = Problem::error("missing_key", place, format!("`{tag}` is missing"))
                .help(format!("`{tag}` is one of {}", one_of(words)));
            return cx.refuse(problem);
        };
        let entry = &self.entries[place];
        self.tag = Some((entry.value.span, entry.value.as_text().unwrap_or_default().to_string()));
        let index = cx.within_key(entry, |cx| read_tag(entry, cx, tag, words));
        self.obscure |= index.is_none();
        index
    }

    /// The tag's word.
    pub fn tag_word(&self) -> &str {
        self.tag.as_ref().map_or("", |(_, word)| word)
    }

    /// Rejects the whole map because of its tag's word; the settings beside it cannot be checked then.
    pub fn refuse_tag<T>(&mut self, cx: &mut Reader, mut problem: Problem) -> Option<T> {
        self.obscure = true;
        problem.span = self.tag.as_ref().map(|(span, _)| *span).unwrap_or_else(|| cx.introduced_at(self.span));
        cx.refuse(problem)
    }

    /// Reports every unused key and every missing one. If an unknown key is similar to a missing one, only the unknown
    /// one is reported.
    pub fn close(self, cx: &mut Reader) {
        let mut explained = Vec::new();
        for (entry, taken) in self.entries.iter().zip(&self.taken) {
            if !taken && !self.obscure {
                explained.extend(nearest(&entry.key, self.known.iter().copied()));
                cx.within_key(entry, |cx| cx.report(unknown_key(entry, &self.known)));
            }
        }
        for (key, problem) in self.missing {
            if !explained.contains(&key) {
                cx.problems.push(problem);
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<usize> {
        self.known.push(key);
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        self.taken[place] = true;
        Some(place)
    }

    fn missing<T>(&mut self, cx: &mut Reader, rule: &FieldRule) -> Option<T> {
        let mut problem =
            Problem::error("missing_key", cx.introduced_at(self.span), format!("`{}` is missing", rule.key));
        problem.help = match (first_sentence(rule.doc), rule.example) {
            ("", None) => None,
            ("", Some(example)) => Some(format!("write `{}: {example}`", rule.key)),
            (doc, None) => Some(format!("`{}`: {doc}", rule.key)),
            (doc, Some(example)) => Some(format!("write `{}: {example}`: {doc}", rule.key)),
        };
        self.missing.push((rule.key, problem.path(cx.path().clone())));
        None
    }

    fn read_default<T: Setting>(&self, cx: &mut Reader, rule: &FieldRule, text: &str) -> Option<T> {
        let mut node = default_node(text);
        node.relocate(self.span);
        if rule.flattened { T::read(&node, cx) } else { cx.within(rule.key, None, |cx| T::read(&node, cx)) }
    }
}

impl Opening {
    fn means_shorthand(&self, entries: &[Entry]) -> bool {
        self.shorthand.is_some()
            && !entries.is_empty()
            && entries.iter().all(|entry| self.shorthand_words.contains(&entry.key.as_str()))
            && !entries.iter().any(|entry| self.own_words.contains(&entry.key.as_str()))
    }
}

/// The first sentence of a doc comment, without its full stop.
pub fn first_sentence(doc: &str) -> &str {
    let line = doc.split("\n\n").next().unwrap_or_default();
    let end = line.find(". ").unwrap_or(line.len());
    line[..end].trim().trim_end_matches('.')
}

fn unknown_key(entry: &Entry, known: &[&'static str]) -> Problem {
    let problem = Problem::error("unknown_key", entry.key_span, format!("unknown setting `{}`", entry.key));
    match did_you_mean(&entry.key, known.iter().copied()) {
        Some(help) => problem.help(help),
        None if known.is_empty() => problem.help("no settings are allowed here"),
        None => problem.help(format!("known here: {}", crate::problem::all_of(known))),
    }
}

/// Parses a default into a node. If parsing fails, it is treated as text, which the setting's own reader then rejects.
fn default_node(text: &str) -> Node {
    notation::parse(text, crate::place::SourceId::NOWHERE).unwrap_or_else(|_| Node::scalar(text))
}

/// The bounds of a range attribute, read as values of the field's type.
struct Range<T> {
    low: Bound<T>,
    high: Bound<T>,
}

impl<T: Setting + PartialOrd> Range<T> {
    fn parse(text: &str, cx: &mut Reader) -> Option<Range<T>> {
        let mut read = |text: &str| -> Option<T> { cx.read_quietly(&Node::scalar(text.trim())) };
        let (low, high) = split_range(text);
        let low = match low {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(low) => Bound::Included(read(low)?),
            Bound::Excluded(low) => Bound::Excluded(read(low)?),
        };
        let high = match high {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(high) => Bound::Included(read(high)?),
            Bound::Excluded(high) => Bound::Excluded(read(high)?),
        };
        Some(Range { low, high })
    }

    fn contains(&self, value: &T) -> bool {
        let above = match &self.low {
            Bound::Unbounded => true,
            Bound::Included(low) => value >= low,
            Bound::Excluded(low) => value > low,
        };
        let below = match &self.high {
            Bound::Unbounded => true,
            Bound::Included(high) => value <= high,
            Bound::Excluded(high) => value < high,
        };
        above && below
    }
}

/// The bounds of a range: `a..=b`, `a..b`, `a..`, `..=b`, and with an excluded lower bound `>a`, `>a..=b`.
pub fn split_range(text: &str) -> (Bound<&str>, Bound<&str>) {
    let (low, high) = match text.split_once("..") {
        Some((low, high)) => (low.trim(), high.trim()),
        None => (text.trim(), ""),
    };
    let low = match low.strip_prefix('>') {
        _ if low.is_empty() => Bound::Unbounded,
        Some(low) => Bound::Excluded(low.trim()),
        None => Bound::Included(low),
    };
    let high = match high.strip_prefix('=') {
        _ if high.is_empty() => Bound::Unbounded,
        Some(high) => Bound::Included(high.trim()),
        None => Bound::Excluded(high),
    };
    (low, high)
}

/// A range in words, for messages: "at least 1 and at most 100".
pub fn range_in_words(text: &str) -> String {
    let (low, high) = split_range(text);
    let low = match low {
        Bound::Unbounded => None,
        Bound::Included(low) => Some(format!("at least {low}")),
        Bound::Excluded(low) => Some(format!("more than {low}")),
    };
    let high = match high {
        Bound::Unbounded => None,
        Bound::Included(high) => Some(format!("at most {high}")),
        Bound::Excluded(high) => Some(format!("less than {high}")),
    };
    match (low, high) {
        (Some(low), Some(high)) => format!("{low} and {high}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "anything".to_string(),
    }
}

/// The interpretation of a node as a choice.
pub enum Chosen {
    /// The variant at this index in the list of words, with the settings of the word.
    Variant {
        /// The index.
        index: usize,
        /// The word's entry; for a word alone, an entry with an empty map.
        entry: Entry,
        /// Whether the word was written alone.
        alone: bool,
    },
    /// None of the words: the bare variant.
    Bare,
}

/// Interprets a node as one of several words, written alone or as the only key of a map.
pub fn choose(node: &Node, cx: &mut Reader, words: &[&'static str], bare: bool) -> Option<Chosen> {
    match &node.value {
        Value::Scalar { text, .. } => match words.iter().position(|word| word == text) {
            Some(index) => {
                let mut nothing = Node::map(Vec::new());
                nothing.relocate(node.span);
                let entry = Entry { key: text.clone(), key_span: node.span, value: nothing };
                Some(Chosen::Variant { index, entry, alone: true })
            }
            None if bare => Some(Chosen::Bare),
            None => {
                let mut problem = Problem::error(
                    "unknown_word",
                    node.span,
                    format!("expected one of {}, found {}", one_of(words), node.found()),
                );
                problem.help = did_you_mean(text, words.iter().copied());
                cx.refuse(problem)
            }
        },
        Value::Map(entries) => match entries.as_slice() {
            [entry] => match words.iter().position(|word| *word == entry.key) {
                Some(index) => Some(Chosen::Variant { index, entry: entry.clone(), alone: false }),
                None => cx.refuse(unknown_choice(entry, words, bare)),
            },
            [] => {
                let message = format!("expected one of {}, found an empty map", one_of(words));
                cx.refuse(Problem::error("missing_choice", node.span, message))
            }
            [first, second, ..] => {
                let known = |entry: &Entry| words.contains(&entry.key.as_str());
                let stray = entries.iter().find(|entry| !known(entry));
                let problem = match stray {
                    Some(stray) => unknown_choice(stray, words, bare),
                    None => {
                        let message = format!("`{}` and `{}` are mutually exclusive", first.key, second.key);
                        Problem::error("several_choices", second.key_span, message)
                            .help(format!("keep one of {}", one_of(words)))
                    }
                };
                cx.refuse(problem)
            }
        },
        Value::List(_) if bare => Some(Chosen::Bare),
        _ => cx.refuse_type(node, &format!("one of {}", one_of(words))),
    }
}

fn unknown_choice(entry: &Entry, words: &[&'static str], bare: bool) -> Problem {
    let message = format!("expected one of {}, found `{}`", one_of(words), entry.key);
    let mut help = did_you_mean(&entry.key, words.iter().copied());
    // If values are accepted without a word, a constant is written that way.
    if bare && nearest(&entry.key, ["constant"]).is_some() {
        help = Some("write a constant as the value alone".to_string());
    }
    Problem::error("unknown_word", entry.key_span, message).help_if(help)
}

/// The index of a tag's word among the words.
fn read_tag(entry: &Entry, cx: &mut Reader, tag: &str, words: &[&'static str]) -> Option<usize> {
    let Some(text) = entry.value.as_text() else {
        return cx.refuse_type(&entry.value, &format!("one of {}", one_of(words)));
    };
    words.iter().position(|word| *word == text).or_else(|| {
        let problem = Problem::unknown_name(tag, text, entry.value.span, words.iter().copied());
        cx.refuse(problem)
    })
}

/// Interprets a node as a map with a tag key; returns the index of the word and the rest of the map, for tables of
/// kinds that are not derived.
pub fn choose_tagged(node: &Node, cx: &mut Reader, tag: &'static str, words: &[&'static str]) -> Option<(usize, Node)> {
    let mut fields = Fields::open(node, cx, &Opening { own_words: vec![tag], ..Opening::default() })?;
    let index = fields.take_tag(cx, tag, words)?;
    let rest = fields.entries.iter().filter(|entry| entry.key != tag).cloned().collect();
    Some((index, Node::new(Value::Map(rest), node.span)))
}

/// Rejects settings after a word that takes none.
pub fn read_nothing(entry: &Entry, cx: &mut Reader) -> Option<()> {
    match &entry.value.value {
        Value::Null => Some(()),
        Value::Map(entries) if entries.is_empty() => Some(()),
        _ => cx.within_key(entry, |cx| {
            let message = format!("`{}` takes no settings, found {}", entry.key, entry.value.found());
            cx.refuse(Problem::error("wrong_type", entry.value.span, message).help(format!("write `{}`", entry.key)))
        }),
    }
}

/// Reads the value of a word; for a word alone, with the defaults of all settings.
pub fn read_behind<T: Setting>(entry: &Entry, alone: bool, cx: &mut Reader) -> Option<T> {
    if !alone {
        return cx.read_entry(entry);
    }
    let before = std::mem::take(&mut cx.problems);
    let value = cx.read_entry::<T>(entry);
    let found = std::mem::replace(&mut cx.problems, before);
    if !found.has_errors() {
        return value;
    }
    // The word of an unsupported feature is wrong even with a value.
    if found.iter().any(|problem| problem.code == NOT_YET) {
        cx.problems.extend(found);
        return None;
    }
    let message = format!("`{}` needs a value", entry.key);
    let help = format!("write `{{{}: …}}`", entry.key);
    cx.refuse(Problem::error("missing_value", entry.key_span, message).help(help))
}

/// Reads a value that needs no word; if it is invalid, the error may also name the words.
pub fn read_bare<T: Setting>(node: &Node, words: &[&'static str], cx: &mut Reader) -> Option<T> {
    let letters = node.as_text().is_some_and(|text| text.starts_with(|c: char| c.is_alphabetic()));
    if letters && !words.is_empty() && cx.read_quietly::<T>(node).is_none() {
        let text = node.as_text().unwrap_or_default();
        let near = did_you_mean(text, words.iter().copied());
        if near.is_some() {
            let message = format!("expected one of {} or a value, found `{text}`", one_of(words));
            return cx.refuse(Problem::error("unknown_word", node.span, message).help_if(near));
        }
    }
    T::read(node, cx)
}

/// Adds a field to the entries of a map being written, unless it equals the value of an absent key.
pub fn write_field<T: Setting>(entries: &mut Vec<Entry>, key: &'static str, value: &T) {
    if !value.is_absent() {
        entries.push(Entry::new(key, value.write()));
    }
}

/// Writes a word with its content.
pub fn write_variant(word: &'static str, content: Option<Node>) -> Node {
    match content {
        Some(content) => Node::one(word, content),
        None => Node::scalar(word),
    }
}

/// Describes a field.
pub fn describe_field<T: Setting>(book: &mut Book, rule: &FieldRule, default: Option<Node>) -> FieldShape {
    let default = default.or_else(|| rule.default.map(default_node));
    FieldShape {
        key: rule.key,
        doc: rule.doc,
        shape: T::describe(book),
        required: default.is_none() && T::absent().is_none(),
        default,
        range: rule.range,
        live: rule.live,
        example: rule.example,
        flattened: rule.flattened,
    }
}

/// Describes a variant; whether its word may be written alone is found by trying.
pub fn describe_variant<T: Setting>(
    word: &'static str,
    doc: &'static str,
    live: bool,
    content: Content,
) -> VariantShape {
    let alone = matches!(content, Content::Nothing) || Reader::new().read_quietly::<T>(&Node::scalar(word)).is_some();
    VariantShape { word, doc, live, content, alone }
}

/// Describes a struct as a definition of the book.
pub fn define_fields(book: &mut Book, name: &str, doc: &str, fields: impl FnOnce(&mut Book) -> FieldsShape) -> Shape {
    book.define(name, doc, |book| Body::Fields(fields(book)))
}

/// Describes an enum as a definition of the book.
pub fn define_choice(book: &mut Book, name: &str, doc: &str, choice: impl FnOnce(&mut Book) -> ChoiceShape) -> Shape {
    book.define(name, doc, |book| Body::Choice(choice(book)))
}

/// Adds a choice's own output to the entries of the containing map: a word alone becomes a key.
pub fn write_choice_part(written: &Node, entries: &mut Vec<Entry>) {
    match &written.value {
        Value::Map(choice) => entries.extend(choice.iter().cloned()),
        Value::Scalar { text, .. } => entries.push(Entry::new(text.clone(), Node::map(Vec::new()))),
        Value::Null | Value::List(_) => {}
    }
}

/// The shortest form of a map with a flattened choice: if the choice is a word alone and everything else has its
/// default, the word stands for the whole map.
pub fn shortest(entries: Vec<Entry>, bare_words: &[&'static str], rules: &[FieldRule]) -> Node {
    let mut word: Option<&str> = None;
    for entry in &entries {
        let nothing = entry.value.entries().is_some_and(<[Entry]>::is_empty);
        match rules.iter().find(|rule| !rule.flattened && rule.key == entry.key) {
            Some(FieldRule { default: Some(default), .. }) if default_node(default).says_the_same(&entry.value) => {}
            None if nothing && word.is_none() && bare_words.contains(&entry.key.as_str()) => word = Some(&entry.key),
            _ => return Node::map(entries),
        }
    }
    match word {
        Some(word) => Node::scalar(word),
        None => Node::map(entries),
    }
}
