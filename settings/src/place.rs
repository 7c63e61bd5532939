//! Positions: a range of a source text, and the path to a value in its tree.

use std::fmt;

/// The text that a span points into: the document is 0, overrides are numbered in the order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

impl SourceId {
    /// The source of values that no user wrote: defaults, and values created by the program.
    pub const NOWHERE: SourceId = SourceId(u16::MAX);
}

/// A range of a source text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text it points into.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of a value without a source.
    pub const NOWHERE: Span = Span { source: SourceId::NOWHERE, start: 0, end: 0 };

    /// A range from `start` up to `end`, in bytes.
    pub fn new(source: SourceId, start: u32, end: u32) -> Span {
        Span { source, start, end }
    }

    /// Whether the span points into a source.
    pub fn is_somewhere(&self) -> bool {
        self.source != SourceId::NOWHERE
    }
}

/// The path from the root to a value: keys and list indices.
///
/// Written with dots, as in `components.web.calls.db.timeout` or `faults.0.at`; a key may contain `/`
/// (`components.us/api.replicas`) but no dot.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// The root.
    pub fn root() -> Path {
        Path(Vec::new())
    }

    /// The path of these segments.
    pub fn of<S: AsRef<str>>(segments: &[S]) -> Path {
        Path(segments.iter().map(|segment| segment.as_ref().to_string()).collect())
    }

    /// Parses a path written with dots; an empty segment is rejected.
    pub fn parse(text: &str) -> Result<Path, String> {
        if text.is_empty() {
            return Err("a path cannot be empty; write one such as `components.web.replicas`".to_string());
        }
        let segments: Vec<String> = text.split('.').map(|segment| segment.trim().to_string()).collect();
        if segments.iter().any(String::is_empty) {
            return Err(format!("the path `{text}` has an empty part"));
        }
        Ok(Path(segments))
    }

    /// The keys and indices, starting at the root.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path extended by one segment.
    pub fn join(&self, segment: impl fmt::Display) -> Path {
        let mut path = self.clone();
        path.push(segment);
        path
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: impl fmt::Display) {
        self.0.push(segment.to_string());
    }

    /// Removes the last segment.
    pub fn pop(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
