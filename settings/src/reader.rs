//! The trait that every setting implements, and the reader that walks a tree for it.
//!
//! A setting can be read from a node, described for schemas and reference pages, and written back. All three come from
//! one declaration (see the derive), so they cannot disagree.

use std::rc::Rc;

pub use settings_derive::Setting;

use crate::book::{Book, Shape};
use crate::place::{Path, Span};
use crate::problem::{Problem, Problems};
use crate::tree::{Entry, Node, Value};

/// A value that a scenario may contain.
pub trait Setting: Sized {
    /// Reads the value from a node. `None` means that the problem is already in `cx.problems`; all problems are
    /// collected.
    fn read(node: &Node, cx: &mut Reader) -> Option<Self>;

    /// The shape of allowed values, for schemas and reference pages; named definitions are added to the book.
    fn describe(book: &mut Book) -> Shape;

    /// The node that would be read back as this value, including every default.
    fn write(&self) -> Node;

    /// The value if its key is missing; `None` makes the key required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether it equals the value of an absent key, and is therefore not written.
    fn is_absent(&self) -> bool {
        false
    }

    /// The keys that a map of this type may have (for a choice: its words). Empty if the type is not a map.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// The keys of this type that may change during a run.
    fn live_fields() -> &'static [&'static str] {
        &[]
    }
}

/// How the lines of a log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFormat {
    /// The Common Log Format.
    Common,
    /// The same with referrer and user agent.
    Combined,
    /// A JSON object a line.
    Json,
}

/// Access to the files that a scenario names. Implemented by the outermost layer, the only one that touches files.
pub trait Files {
    /// The cells of one column of a table, as text, in row order.
    fn column(&self, file: &str, column: &str) -> Result<Rc<Vec<String>>, String>;

    /// One field of each line of a log, as text, in order.
    fn field(&self, file: &str, format: LogFormat, field: &str) -> Result<Rc<Vec<String>>, String> {
        let _ = (format, field);
        Err(format!("`{file}` cannot be read as a log"))
    }

    /// Reserves `bytes` from the memory budget for data built from a table; false if the budget is exhausted.
    fn takes(&self, bytes: u64) -> bool {
        let _ = bytes;
        true
    }

    /// Whether messages may quote the contents of a file; not for files outside the scenario.
    fn quotes(&self, file: &str) -> bool {
        let _ = file;
        true
    }
}

/// The state of reading: the problems so far, the current path, and access to files.
#[derive(Default)]
pub struct Reader {
    /// All problems so far.
    pub problems: Problems,
    path: Path,
    keys: Vec<Option<Span>>,
    files: Option<Rc<dyn Files>>,
}

impl Reader {
    /// A reader at the root without access to files.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// A reader for the value at a path of a larger tree, without access to files.
    pub fn at(path: Path) -> Reader {
        Reader { keys: vec![None; path.segments().len()], path, ..Reader::default() }
    }

    /// A reader with access to the files that a scenario names.
    pub fn with_files(files: Rc<dyn Files>) -> Reader {
        Reader { files: Some(files), ..Reader::default() }
    }

    /// Access to files, if available.
    pub fn files(&self) -> Option<Rc<dyn Files>> {
        self.files.clone()
    }

    /// The current path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The span to show for a key missing from `node`: the key that introduces the node, or else the node itself.
    pub fn introduced_at(&self, node_span: Span) -> Span {
        match self.keys.last() {
            Some(Some(key)) if key.is_somewhere() => *key,
            _ => node_span,
        }
    }

    /// Runs `action` one key further down.
    pub fn within_key<R>(&mut self, entry: &Entry, action: impl FnOnce(&mut Reader) -> R) -> R {
        self.within(&entry.key, Some(entry.key_span), action)
    }

    /// Runs `action` at a member of a list.
    pub fn within_index<R>(&mut self, index: usize, action: impl FnOnce(&mut Reader) -> R) -> R {
        self.within(&index.to_string(), None, action)
    }

    /// Runs `action` one segment further down, for a value without a key of its own in the tree.
    pub fn within<R>(&mut self, segment: &str, key: Option<Span>, action: impl FnOnce(&mut Reader) -> R) -> R {
        self.path.push(segment);
        self.keys.push(key);
        let result = action(self);
        self.keys.pop();
        self.path.pop();
        result
    }

    /// Reads a setting from an entry, one key further down.
    pub fn read_entry<T: Setting>(&mut self, entry: &Entry) -> Option<T> {
        self.within_key(entry, |cx| T::read(&entry.value, cx))
    }

    /// Reads a setting and discards its problems; `None` if there were errors.
    pub fn read_quietly<T: Setting>(&mut self, node: &Node) -> Option<T> {
        let kept = std::mem::take(&mut self.problems);
        let value = T::read(node, self);
        let quiet = std::mem::replace(&mut self.problems, kept);
        if quiet.has_errors() { None } else { value }
    }

    /// Reports a problem at the current path.
    pub fn report(&mut self, problem: Problem) {
        let path = self.path.clone();
        self.problems.push(problem.path(path));
    }

    /// Reports a problem at the current path and returns `None`.
    pub fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.report(problem);
        None
    }

    /// Reports that a node has the wrong type.
    pub fn refuse_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let problem = match &node.value {
            Value::Null => Problem::error("empty_value", self.introduced_at(node.span), "the value is missing")
                .expected(format!("expected {expected}"))
                .help("write a value, or remove the key"),
            _ => Problem::error("wrong_type", node.span, format!("expected {expected}, found {}", node.found()))
                .expected(format!("expected {expected}")),
        };
        self.refuse(problem)
    }
}
