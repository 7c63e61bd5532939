//! The trait that every setting implements, and the reader that walks a tree for it.
//!
//! A setting can be read from a node, described for schemas and reference pages, and written back. The three come
//! from one description (see the derive), so they cannot disagree.

use std::rc::Rc;

pub use settings_derive::Setting;

use crate::book::{Book, Shape};
use crate::place::{Path, Span};
use crate::problem::{Problem, Problems};
use crate::tree::{Entry, Node, Value};

/// A value that a scenario may contain.
pub trait Setting: Sized {
    /// Reads it from a node. `None` means that the problem is already in `cx.problems`; all problems are collected.
    fn read(node: &Node, cx: &mut Reader) -> Option<Self>;

    /// What may be written, for schemas and reference pages; named definitions go into the book.
    fn describe(book: &mut Book) -> Shape;

    /// The node from which it would be read again, every default included.
    fn write(&self) -> Node;

    /// What it is when its key is not written; `None` makes the key required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether it is what an absent key would give, and is therefore not written.
    fn is_absent(&self) -> bool {
        false
    }

    /// The keys that a map of this type may have (for a choice: its words). Empty for what is not a map.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// The keys of this type that may change during a run.
    fn live_fields() -> &'static [&'static str] {
        &[]
    }
}

/// Finds the files that a scenario names. Only the outermost layer touches files, so it supplies this.
pub trait Files {
    /// The cells of one column of a table, as text, from the first row on.
    fn column(&self, file: &str, column: &str) -> Result<Rc<Vec<String>>, String>;

    /// Takes so many bytes of the memory that is allowed, for what is made of a table; false where they are no longer there.
    fn takes(&self, bytes: u64) -> bool {
        let _ = bytes;
        true
    }

    /// Whether messages may quote what a file says: not those of files that do not belong to the scenario.
    fn quotes(&self, file: &str) -> bool {
        let _ = file;
        true
    }
}

/// What reading needs: the problems so far, where in the tree it is, and a way to files.
#[derive(Default)]
pub struct Reader {
    /// Everything wrong so far.
    pub problems: Problems,
    path: Path,
    keys: Vec<Option<Span>>,
    files: Option<Rc<dyn Files>>,
}

impl Reader {
    /// A reader at the root that may not open files.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// A reader of what stands at a path of a larger tree; it may not open files.
    pub fn at(path: Path) -> Reader {
        Reader { keys: vec![None; path.segments().len()], path, ..Reader::default() }
    }

    /// With a way to the files that a scenario names.
    pub fn with_files(files: Rc<dyn Files>) -> Reader {
        Reader { files: Some(files), ..Reader::default() }
    }

    /// The way to files, if there is one.
    pub fn files(&self) -> Option<Rc<dyn Files>> {
        self.files.clone()
    }

    /// Where in the tree the reader is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place to show for something missing from `node`: the key that introduces it, else the node itself.
    pub fn introduced_at(&self, node_span: Span) -> Span {
        match self.keys.last() {
            Some(Some(key)) if key.is_somewhere() => *key,
            _ => node_span,
        }
    }

    /// Does something one key further down.
    pub fn within_key<R>(&mut self, entry: &Entry, action: impl FnOnce(&mut Reader) -> R) -> R {
        self.within(&entry.key, Some(entry.key_span), action)
    }

    /// Does something at a member of a list.
    pub fn within_index<R>(&mut self, index: usize, action: impl FnOnce(&mut Reader) -> R) -> R {
        self.within(&index.to_string(), None, action)
    }

    /// Does something one segment further down, for what has no key of its own in the tree.
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

    /// Reads a setting without keeping problems; `None` if there were errors.
    pub fn read_quietly<T: Setting>(&mut self, node: &Node) -> Option<T> {
        let kept = std::mem::take(&mut self.problems);
        let value = T::read(node, self);
        let quiet = std::mem::replace(&mut self.problems, kept);
        if quiet.has_errors() { None } else { value }
    }

    /// Adds a problem that concerns the current path.
    pub fn report(&mut self, problem: Problem) {
        let path = self.path.clone();
        self.problems.push(problem.path(path));
    }

    /// Adds a problem that concerns the current path, and gives the `None` that says so.
    pub fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.report(problem);
        None
    }

    /// Refuses a node of the wrong sort.
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
