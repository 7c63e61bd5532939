//! A compact one-line notation for trees: `{exponential: {base: 100ms}, jitter: full}`.
//!
//! Defaults and examples of settings are written in it, and trees are displayed in it. It is a small subset of YAML's
//! flow style, so that displayed trees can be pasted into a scenario; scenarios themselves are read elsewhere.

use std::fmt;

use crate::place::{SourceId, Span};
use crate::problem::{Problem, Problems};
use crate::reader::{Reader, Setting};
use crate::tree::{Entry, Node, Value};

/// Reads a tree; spans are byte offsets into `text`.
pub fn parse(text: &str, source: SourceId) -> Result<Node, Problem> {
    let mut scan = Scan { text, place: 0, depth: 0, source };
    let node = scan.node(&[])?;
    scan.skip_blanks();
    if scan.place < text.len() {
        return Err(scan.problem("unexpected text after the value"));
    }
    Ok(node)
}

/// Reads a setting in this notation, or returns all its problems.
pub fn read<T: Setting>(text: &str) -> Result<T, Problems> {
    let mut cx = Reader::new();
    let value = match parse(text, SourceId(0)) {
        Ok(node) => T::read(&node, &mut cx),
        Err(problem) => {
            cx.problems.push(problem);
            None
        }
    };
    match value {
        Some(value) if !cx.problems.has_errors() => Ok(value),
        _ => Err(cx.problems),
    }
}

/// Nesting depth beyond which a text is rejected.
const DEPTH_MAX: usize = 64;

struct Scan<'t> {
    text: &'t str,
    place: usize,
    depth: usize,
    source: SourceId,
}

impl Scan<'_> {
    fn node(&mut self, stops: &[char]) -> Result<Node, Problem> {
        self.skip_blanks();
        let start = self.place;
        let value = match self.peek() {
            Some('{') => self.nested(Self::map)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Value::Scalar { text: self.quoted()?, plain: false },
            _ => match self.plain(stops) {
                "" | "~" | "null" => Value::Null,
                text => Value::Scalar { text: text.to_string(), plain: true },
            },
        };
        Ok(Node::new(value, self.span(start)))
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.problem("too deeply nested"));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn map(&mut self) -> Result<Value, Problem> {
        self.advance();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            self.skip_blanks();
            if self.take('}') {
                return Ok(Value::Map(entries));
            }
            let start = self.place;
            let key = if self.peek() == Some('"') { self.quoted()? } else { self.plain(&[',', '}', ':']).to_string() };
            let key_span = self.span(start);
            if key.is_empty() || entries.iter().any(|entry| entry.key == key) {
                return Err(self.problem("a key is missing or written twice"));
            }
            self.skip_blanks();
            if !self.take(':') {
                return Err(self.problem("a `:` is missing after the key"));
            }
            let value = self.node(&[',', '}'])?;
            entries.push(Entry { key, key_span, value });
            self.skip_blanks();
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.problem("a `,` or `}` is missing"));
            }
        }
    }

    fn list(&mut self) -> Result<Value, Problem> {
        self.advance();
        let mut members = Vec::new();
        loop {
            self.skip_blanks();
            if self.take(']') {
                return Ok(Value::List(members));
            }
            members.push(self.node(&[',', ']'])?);
            self.skip_blanks();
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.problem("a `,` or `]` is missing"));
            }
        }
    }

    fn plain(&mut self, stops: &[char]) -> &str {
        let rest = &self.text[self.place..];
        let length = rest.find(|c| stops.contains(&c)).unwrap_or(rest.len());
        let text = rest[..length].trim_end();
        self.place += text.len();
        text
    }

    fn quoted(&mut self) -> Result<String, Problem> {
        self.advance();
        let mut text = String::new();
        loop {
            match self.advance() {
                Some('"') => return Ok(text),
                Some('\\') => match self.advance() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(c @ ('"' | '\\')) => text.push(c),
                    _ => return Err(self.problem("unknown escape")),
                },
                Some(c) => text.push(c),
                None => return Err(self.problem("the closing quote is missing")),
            }
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.advance();
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.advance();
        }
        there
    }

    fn peek(&self) -> Option<char> {
        self.text[self.place..].chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.place += c.len_utf8();
        Some(c)
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.source, start as u32, self.place as u32)
    }

    fn problem(&self, message: &str) -> Problem {
        Problem::error("notation", self.span(self.place), message)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Null => f.write_str("null"),
            Value::Scalar { text, plain } => write_scalar(f, text, *plain),
            Value::List(members) => {
                f.write_str("[")?;
                for (place, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if place == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (place, entry) in entries.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { ", " })?;
                    write_scalar(f, &entry.key, true)?;
                    write!(f, ": {}", entry.value)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_scalar(f: &mut fmt::Formatter<'_>, text: &str, plain: bool) -> fmt::Result {
    if is_plain_word(text) || plain && is_plain(text) {
        return f.write_str(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    write!(f, "\"{escaped}\"")
}

/// Whether a text is read as text without quotes in every YAML version: not as a number, boolean or null.
fn is_plain_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | ' '))
        && !text.ends_with(' ')
        && !crate::values::FORBIDDEN_NAMES.contains(&text.to_ascii_lowercase().as_str())
        && !text.eq_ignore_ascii_case("inf")
        && !text.eq_ignore_ascii_case("nan")
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text != "null"
        && text != "~"
        && !text.starts_with(|c: char| "{[\"'&*!|>%@`#? ".contains(c))
        && !text.ends_with(' ')
        && !text.contains([',', '{', '}', '[', ']', ':', '#', '\n', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_as_the_same_tree() {
        for text in [
            "5ms",
            "{exponential: {base: 100ms, max: 2s}, jitter: full}",
            "[timeout, unavailable]",
            "{a: {}, b: [], c: \"x: y, \\\"z\\\"\"}",
            "{us/api: 10%, d: null}",
            "\"12\"",
        ] {
            let node = parse(text, SourceId(0)).expect(text);
            assert_eq!(node.to_string(), text);
        }
    }

    #[test]
    fn spans_are_byte_offsets() {
        let text = "{é: [1s, 20s]}";
        let node = parse(text, SourceId(3)).expect(text);
        let span = node.at("é.1").expect("second member").span;
        assert_eq!(&text[span.start as usize..span.end as usize], "20s");
        assert_eq!(span.source, SourceId(3));
    }

    #[test]
    fn broken_notation_is_refused() {
        for text in ["{a: 1", "[1, 2", "{a 1}", "\"x", "{a: 1, a: 2}", "[1] 2", "{: 1}"] {
            assert!(parse(text, SourceId(0)).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000), SourceId(0)).is_err());
    }
}
