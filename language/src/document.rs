//! Converts YAML text to the spanned tree, and back.
//!
//! A scenario is one YAML 1.2 document. The parser's events become the plain tree of `settings`. YAML features that a
//! scenario must not use (duplicate keys, merge keys, tags, several documents) are rejected at their place, and so is
//! input that would exhaust memory: files or nesting beyond a limit, aliases that expand without end. Scalars stay
//! text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as ParserSpan, StrInput, Tag};
use settings::{Entry, Node, Path, Problem, Problems, SourceId, Span, Value};

/// Maximum size of a text, in bytes.
pub const BYTES_MAX: usize = 10_000_000;
/// Maximum number of values in a document after expanding its aliases.
pub const NODES_MAX: usize = 1_000_000;
/// Maximum total size of its texts and keys after that, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 4 * BYTES_MAX;
/// Maximum nesting of maps and lists.
pub const DEPTH_MAX: usize = 64;

/// A text that spans point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages: a file name, or the option it was given to.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The document and its overrides, by the number stored in spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// An empty collection.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Stores a text and returns its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = u16::try_from(self.sources.len()).unwrap_or(SourceId::NOWHERE.0);
        self.sources.push(Source { name: name.into(), text: text.into() });
        SourceId(id)
    }

    /// The number of sources.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are no sources.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The source with this number.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(usize::from(id.0))
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_and_column(&self, id: SourceId, offset: u32) -> Option<(usize, usize)> {
        let text = &self.get(id)?.text;
        let offset = floor_boundary(text, offset as usize);
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |place| place + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Some((line, before[line_start..].chars().count() + 1))
    }
}

/// The last character boundary at or before an offset.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// An override: a path and its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The path to replace.
    pub path: Path,
    /// Where the path was written.
    pub path_span: Span,
    /// The value; null removes the key.
    pub value: Node,
}

impl Override {
    /// Applies the override to a document's tree; an invalid path is reported at the override.
    pub fn apply(&self, document: &mut Node) -> Result<(), Problem> {
        document.patch(&self.path, self.path_span, self.value.clone()).map_err(|error| {
            Problem::error("bad_override", self.path_span, error.message).path(self.path.clone()).help_if(error.help)
        })
    }
}

/// Reads a document. The text is always stored in `sources`, so that problems can be shown.
pub fn read_document(sources: &mut Sources, name: &str, bytes: &[u8]) -> Result<Node, Problems> {
    let (node, problems) = read_document_leniently(sources, name, bytes)?;
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

/// Reads as much of a document as possible: a duplicate key, a tag or a merge key is a problem, but everything around
/// it can still be checked. An error means that there is no document at all.
pub fn read_document_leniently(sources: &mut Sources, name: &str, bytes: &[u8]) -> Result<(Node, Problems), Problems> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let fatal = |problem| {
        let mut problems = Problems::new();
        problems.push(problem);
        Err(problems)
    };
    if bytes.len() > BYTES_MAX {
        let id = sources.add(name, "");
        let message = format!("the file has {} bytes; at most {BYTES_MAX} are read", bytes.len());
        return fatal(Problem::error("too_large", Span::new(id, 0, 0), message));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let place = error.valid_up_to();
            let id = sources.add(name, String::from_utf8_lossy(bytes));
            return fatal(not_utf8(bytes, place, id));
        }
    };
    let id = sources.add(name, text);
    if let Some((place, c)) = text.char_indices().find(|(_, c)| is_junk(*c)) {
        let span = Span::new(id, place as u32, (place + c.len_utf8()) as u32);
        let message = format!("byte {place} is the control character U+{:04X}: this is not a text file", u32::from(c));
        return fatal(Problem::error("not_text", span, message));
    }
    let (node, problems) = read_text(text, 0..text.len(), id)?;
    if node.value == Value::Null && problems.is_empty() {
        let problem = Problem::error("empty_document", Span::new(id, 0, 0), "the scenario is empty")
            .help("a scenario has at least `version: 1`, `run` and one of `workloads`");
        return fatal(problem);
    }
    Ok((node, problems))
}

/// Reads an override as given to `--set`: `components.api.replicas=5`. The value is YAML; `null` removes the key.
pub fn read_override(sources: &mut Sources, name: &str, text: &str) -> Result<Override, Problems> {
    let id = sources.add(name, text);
    let refuse = |span: Range<usize>, message: String, help: &str| {
        let mut problems = Problems::new();
        let span = Span::new(id, span.start as u32, span.end as u32);
        problems.push(Problem::error("bad_override", span, message).help(help));
        Err(problems)
    };
    if text.len() > BYTES_MAX || text.contains(is_junk) {
        return refuse(0..0, "this is not a text".to_string(), "write `path=value`");
    }
    let Some(equals) = text.find('=') else {
        return refuse(
            0..text.len(),
            "there is no `=`".to_string(),
            "write `path=value`, as in `components.api.replicas=5`",
        );
    };
    let path = match Path::parse(text[..equals].trim()) {
        Ok(path) => path,
        Err(message) => {
            return refuse(0..equals.max(1), message, "write `path=value`, as in `components.api.replicas=5`");
        }
    };
    let written = text[equals + 1..].trim();
    if written.is_empty() {
        return refuse(equals..text.len(), format!("there is no value for `{path}`"), "write `null` to remove the key");
    }
    let value = strictly(read_text(text, equals + 1..text.len(), id)?)?;
    Ok(Override { path, path_span: Span::new(id, 0, equals as u32), value })
}

/// Reads the value of an option that sets a path, such as `--duration 60s`; problems point at the option.
pub fn read_option(sources: &mut Sources, name: &str, path: Path, text: &str) -> Result<Override, Problems> {
    let id = sources.add(name, text);
    let span = Span::new(id, 0, text.len() as u32);
    if text.trim().is_empty() || text.contains(is_junk) {
        let mut problems = Problems::new();
        problems.push(Problem::error("bad_override", span, format!("`{name}` needs a value")));
        return Err(problems);
    }
    let value = strictly(read_text(text, 0..text.len(), id)?)?;
    Ok(Override { path, path_span: span, value })
}

fn strictly((node, problems): (Node, Problems)) -> Result<Node, Problems> {
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

/// Control characters that do not occur in text files; YAML allows tabs and line breaks.
fn is_junk(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

fn not_utf8(bytes: &[u8], place: usize, id: SourceId) -> Problem {
    // The replacement character at this position of the stored text takes three bytes.
    let span = Span::new(id, place as u32, place as u32 + 3);
    let message =
        format!("byte {place} is 0x{:02X}, which is not UTF-8", bytes.get(place).copied().unwrap_or_default());
    let help = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "the file looks like UTF-16: save it as UTF-8",
        _ if bytes.contains(&0) => "this looks like a binary file",
        _ => "the file looks like Latin-1 (ISO 8859-1): save it as UTF-8",
    };
    Problem::error("not_utf8", span, message).help(help)
}

/// Reads the YAML in a part of a text; spans refer to the whole text. An error means that reading had to stop; the
/// problems beside a node did not prevent reading.
fn read_text(text: &str, part: Range<usize>, source: SourceId) -> Result<(Node, Problems), Problems> {
    let yaml = &text[part.clone()];
    let mut builder = Builder {
        parser: Parser::new_from_str(yaml),
        offsets: Offsets::new(yaml, part.start),
        text,
        source,
        problems: Problems::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        bytes: 0,
    };
    match builder.document() {
        Ok(node) => Ok((node, builder.problems)),
        Err(Stop(problem)) => {
            builder.problems.push(problem);
            Err(builder.problems)
        }
    }
}

/// Maps the parser's character indices to byte offsets.
struct Offsets {
    base: usize,
    end: usize,
    /// The offset of every character, unless all take one byte.
    offsets: Option<Vec<u32>>,
}

impl Offsets {
    fn new(yaml: &str, base: usize) -> Offsets {
        let offsets = (!yaml.is_ascii()).then(|| yaml.char_indices().map(|(place, _)| (base + place) as u32).collect());
        Offsets { base, end: base + yaml.len(), offsets }
    }

    fn of(&self, marker: &Marker) -> usize {
        match &self.offsets {
            None => (self.base + marker.index()).min(self.end),
            Some(offsets) => offsets.get(marker.index()).map_or(self.end, |offset| *offset as usize),
        }
    }
}

/// A problem after which the rest of the text cannot be read.
struct Stop(Problem);

/// A finished node that aliases may refer to.
struct Anchor {
    node: Node,
    size: usize,
    bytes: usize,
    height: usize,
}

/// A node with its sizes, for checking the limits.
struct Built {
    node: Node,
    size: usize,
    /// Total bytes of its texts and keys.
    bytes: usize,
    height: usize,
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    offsets: Offsets,
    text: &'t str,
    source: SourceId,
    problems: Problems,
    anchors: BTreeMap<usize, Anchor>,
    /// Number of nodes so far, with aliases expanded.
    nodes: usize,
    /// Total bytes of their texts and keys.
    bytes: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root: Option<Node> = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root.unwrap_or_else(Node::null)),
                Event::DocumentStart(_) if root.is_some() => {
                    let problem = Problem::error("two_documents", self.span(span), "a second document starts here")
                        .help("a scenario is one document: remove the `---`, or make two files");
                    return Err(Stop(problem));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?.node);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, ParserSpan), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Stop(self.scan_problem(&error))),
            None => Ok((Event::StreamEnd, ParserSpan::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: ParserSpan, depth: usize) -> Result<Built, Stop> {
        let written = self.span(span);
        let place = self.without_properties(written);
        self.count(1, 0, place)?;
        if depth > DEPTH_MAX {
            return Err(Stop(too_deep(place)));
        }
        match event {
            Event::Alias(anchor) => self.alias(anchor, place, depth),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), written);
                let plain = style == ScalarStyle::Plain;
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    _ => Value::Scalar { text: text.into_owned(), plain },
                };
                let place = if plain { place } else { self.trimmed(place) };
                let bytes = if let Value::Scalar { text, .. } = &value { text.len() } else { 0 };
                self.count(0, bytes, place)?;
                self.anchored(anchor, Built { node: Node::new(value, place), size: 1, bytes, height: 0 })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), written);
                let mut members = Vec::new();
                let (mut size, mut bytes, mut height) = (1, 0, 0);
                let end = loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break self.span(span);
                    }
                    let built = self.node(event, span, depth + 1)?;
                    size += built.size;
                    bytes += built.bytes;
                    height = height.max(built.height + 1);
                    members.push(built.node);
                };
                let last = members.last().map(|member| member.span);
                let place = self.around(place, last, end);
                self.anchored(anchor, Built { node: Node::new(Value::List(members), place), size, bytes, height })
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), written);
                let mut entries: Vec<Entry> = Vec::new();
                let mut seen: BTreeMap<String, Span> = BTreeMap::new();
                let (mut size, mut bytes, mut height) = (1, 0, 0);
                let end = loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        break self.span(span);
                    }
                    let key = self.key(event, span, depth + 1)?;
                    let (event, span) = self.next()?;
                    let built = self.node(event, span, depth + 1)?;
                    size += built.size;
                    bytes += built.bytes;
                    height = height.max(built.height + 1);
                    let Some((key, key_span)) = key else { continue };
                    bytes += key.len();
                    self.count(0, key.len(), key_span)?;
                    match seen.get(&key) {
                        Some(first) => self.refuse_duplicate(&key, key_span, *first),
                        None => {
                            seen.insert(key.clone(), key_span);
                            entries.push(Entry { key, key_span, value: built.node });
                        }
                    }
                };
                let last = entries.last().map(|entry| later(entry.value.span, entry.key_span));
                let place = self.around(place, last, end);
                self.anchored(anchor, Built { node: Node::new(Value::Map(entries), place), size, bytes, height })
            }
            // The parser's grammar allows no other event here.
            _ => Err(Stop(Problem::error("not_yaml", place, "a value was expected here"))),
        }
    }

    /// Reads a key; `None` if it is not allowed in a scenario, which is reported.
    fn key(&mut self, event: Event<'t>, span: ParserSpan, depth: usize) -> Result<Option<(String, Span)>, Stop> {
        let (written, place) = (self.span(span), self.span(span));
        let problem = match event {
            Event::Scalar(text, style, _, tag) => {
                self.refuse_tag(tag.as_deref(), written);
                let place = self.without_properties(written);
                let place = if style == ScalarStyle::Plain { place } else { self.trimmed(place) };
                match &*text {
                    "<<" if style == ScalarStyle::Plain => {
                        Problem::error("merge_key", place, "merge keys (`<<`) are not supported")
                            .help("write the keys out, or name them once under `policies` and apply them with `use`")
                    }
                    "" | "~" if style == ScalarStyle::Plain => {
                        Problem::error("bad_key", place, "there is no key before the `:`")
                    }
                    _ => return Ok(Some((text.into_owned(), place))),
                }
            }
            Event::Alias(_) => Problem::error("bad_key", place, "a key cannot be an alias").help("write the key out"),
            other => {
                let built = self.node(other, span, depth)?;
                Problem::error(
                    "bad_key",
                    built.node.span,
                    format!("a key must be one word, found {}", built.node.found()),
                )
            }
        };
        self.problems.push(problem);
        Ok(None)
    }

    fn alias(&mut self, anchor: usize, place: Span, depth: usize) -> Result<Built, Stop> {
        let Some(&Anchor { size, bytes, height, .. }) = self.anchors.get(&anchor) else {
            let message = format!("`{}` refers to something that contains it", self.slice(place));
            return Err(Stop(Problem::error("self_alias", place, message)));
        };
        if depth + height > DEPTH_MAX {
            return Err(Stop(too_deep(place)));
        }
        // Counted before copying, so that an alias bomb is rejected before it expands.
        self.count(size - 1, bytes, place)?;
        let node = self.anchors.get(&anchor).map_or_else(Node::null, |anchor| anchor.node.clone());
        Ok(Built { node, size, bytes, height })
    }

    fn anchored(&mut self, anchor: usize, built: Built) -> Result<Built, Stop> {
        if anchor > 0 {
            self.count(built.size, built.bytes, built.node.span)?;
            let (size, bytes, height) = (built.size, built.bytes, built.height);
            let copy = Anchor { node: built.node.clone(), size, bytes, height };
            self.anchors.insert(anchor, copy);
        }
        Ok(built)
    }

    fn count(&mut self, nodes: usize, bytes: usize, place: Span) -> Result<(), Stop> {
        self.nodes += nodes;
        self.bytes += bytes;
        let message = if self.nodes > NODES_MAX {
            format!("the scenario has more than {NODES_MAX} values once its aliases are expanded")
        } else if self.bytes > EXPANDED_BYTES_MAX {
            format!("the scenario has more than {EXPANDED_BYTES_MAX} bytes once its aliases are expanded")
        } else {
            return Ok(());
        };
        Err(Stop(Problem::error("too_many_values", place, message)))
    }

    /// Rejects a tag; `written` is the value including its properties.
    fn refuse_tag(&mut self, tag: Option<&Tag>, written: Span) {
        let Some(tag) = tag else { return };
        let text = self.slice(written);
        let word = text.split_whitespace().find(|word| word.starts_with('!')).map(str::to_string);
        let (place, word) = match word {
            Some(word) => {
                let start = written.start + text.find(&word).unwrap_or_default() as u32;
                (Span { start, end: start + word.len() as u32, ..written }, word)
            }
            // The parser's span of a collection does not include its properties.
            None => (Span { end: written.start, ..written }, tag.to_string()),
        };
        let problem = Problem::error("tag", place, format!("tags such as `{word}` are not supported"));
        self.problems.push(problem.help("remove it: the setting decides what a value is"));
    }

    /// A span without an anchor or tag before the value.
    fn without_properties(&self, mut span: Span) -> Span {
        loop {
            let text = self.slice(span);
            if !text.starts_with(['&', '!']) {
                return span;
            }
            let behind = text.find(char::is_whitespace).unwrap_or(text.len());
            let blanks = text[behind..].len() - text[behind..].trim_start().len();
            span.start += (behind + blanks) as u32;
        }
    }

    fn refuse_duplicate(&mut self, key: &str, place: Span, first: Span) {
        let line = self.text[..first.start as usize].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let problem = Problem::error("duplicate_key", place, format!("duplicate key `{key}`"))
            .help(format!("the first one is in line {line}; keep one of them"));
        self.problems.push(problem);
    }

    fn span(&self, span: ParserSpan) -> Span {
        let (start, end) = (self.offsets.of(&span.start), self.offsets.of(&span.end));
        Span::new(self.source, start as u32, end.max(start) as u32)
    }

    fn slice(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// A span without trailing blanks and line breaks.
    fn trimmed(&self, span: Span) -> Span {
        let length = self.slice(span).trim_end().len() as u32;
        Span { end: span.start + length, ..span }
    }

    /// The span of a collection: up to its closing bracket, or to the end of its last member.
    fn around(&self, start: Span, last: Option<Span>, end: Span) -> Span {
        let closed = matches!(self.text.as_bytes().get(start.start as usize), Some(b'{' | b'['));
        let end = if closed { end.end } else { last.map_or(start.end, |last| last.end) };
        Span { end: end.max(start.start), ..start }
    }

    /// Translates a parser error into the user's terms.
    fn scan_problem(&self, error: &ScanError) -> Problem {
        let mut offset = floor_boundary(self.text, self.offsets.of(error.marker()));
        if self.text[offset..].trim_end().is_empty() {
            // At the end of the text, the error is shown after the last visible character.
            offset = offset.min(self.text.trim_end().len());
        }
        let info = error.info();
        let line_start = self.text[..offset].rfind('\n').map_or(0, |place| place + 1);
        let line_end = self.text[offset..].find('\n').map_or(self.text.len(), |length| offset + length);
        // For a complaint about a tab, the parser may still point at the previous line.
        let searched = if info.contains("tab") { &self.text[line_start..] } else { &self.text[line_start..line_end] };
        if let Some(tab) = indenting_tab(searched) {
            let span = Span::new(self.source, (line_start + tab) as u32, (line_start + tab + 1) as u32);
            return Problem::error("tab", span, "a tab cannot be indentation").help("indent with spaces");
        }
        let width = self.text[offset..line_end].chars().next().map_or(0, char::len_utf8);
        let span = Span::new(self.source, offset as u32, (offset + width) as u32);
        let known = EXPLANATIONS.iter().find(|(part, _, _)| info.contains(part));
        match known {
            Some((_, message, "")) => Problem::error("not_yaml", span, *message),
            Some((_, message, help)) => Problem::error("not_yaml", span, *message).help(*help),
            None => Problem::error("not_yaml", span, format!("this cannot be read as YAML: {info}")),
        }
    }
}

/// Part of the parser's message, its meaning for the author of a scenario, and a suggestion.
const EXPLANATIONS: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "unexpected `: `: no key is possible here",
        "indent the keys of a map equally; put text that contains `: ` into quotes",
    ),
    (
        "unknown anchor",
        "no anchor with this name precedes this alias",
        "an anchor is written `&name`, before the value",
    ),
    (
        "flow mapping, did not find",
        "a `,` or the closing `}` is missing before this",
        "within `{}`, a key or text that contains a bracket stands in quotes: `{\"a[2].b\": 1}`",
    ),
    ("flow sequence, expected", "a `,` or the closing `]` is missing before this", ""),
    (
        "did not find expected node content",
        "a value is missing here",
        "close every bracket and quote, and write a value after every `:` in `{}`",
    ),
    ("illegal placement of ':'", "unexpected `:`: no key is possible here", "a bracket above may not be closed"),
    ("misplaced bracket", "this bracket has no matching opening bracket", ""),
    ("block mapping, did not find", "a key is expected here", "indent the keys of a map equally"),
    ("simple key expect", "a `:` is missing after the key", "a key is followed by `:` and a blank"),
    ("did not find expected '-' indicator", "a `-` is expected here", "indent the members of a list equally"),
    ("unexpected end of stream", "the text ends within quotes", "write the closing quote"),
    ("tab", "a tab cannot be indentation", "indent with spaces"),
    (
        "escape",
        "this escape is not known",
        "within double quotes, write a backslash as `\\\\`; within single quotes it needs nothing",
    ),
    ("recursion limit", "maps and lists are nested too deeply here", ""),
    ("indentation", "the indentation of this line matches nothing above it", ""),
    ("unexpected character", "a value cannot start with this character", "put the text in quotes"),
];

/// The offset of the first tab used for indentation.
fn indenting_tab(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t') {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

fn too_deep(place: Span) -> Problem {
    Problem::error("too_deep", place, format!("maps and lists are nested more than {DEPTH_MAX} deep here"))
}

/// A value on one line.
pub fn in_words(value: &Node) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_string)
}

/// Writes the tree as a YAML document in block style. Numbers, booleans and quantities are written without quotes; text
/// that could be mistaken for one of these is quoted.
pub fn to_yaml(node: &Node) -> Result<String, serde_yaml::Error> {
    let mut quoted = Quoted { word: "quoted_text".to_owned(), texts: Vec::new() };
    loop {
        let written = serde_yaml::to_string(&yaml_value(node, &mut quoted))?;
        // The placeholder must not occur in any text.
        let is_free = written.matches(quoted.word.as_str()).count() == quoted.texts.len();
        if quoted.texts.is_empty() || is_free && quoted.texts.iter().all(|text| !text.contains(&quoted.word)) {
            return Ok(quoted.put_into(written));
        }
        quoted.word.push('_');
        quoted.texts.clear();
    }
}

/// Texts that the library would write with line breaks that it reads back differently: each is replaced by a
/// placeholder until the end.
struct Quoted {
    word: String,
    texts: Vec<String>,
}

impl Quoted {
    /// A text, or its placeholder.
    fn text(&mut self, text: &str) -> serde_yaml::Value {
        if !text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
            return serde_yaml::Value::String(text.to_owned());
        }
        self.texts.push(text.to_owned());
        serde_yaml::Value::String(format!("{}{}", self.word, self.texts.len()))
    }

    /// Replaces the placeholders with the texts, last first, because an earlier one may be a prefix of a later one.
    fn put_into(&self, mut written: String) -> String {
        for (nth, text) in self.texts.iter().enumerate().rev() {
            written = written.replacen(&format!("{}{}", self.word, nth + 1), &double_quoted(text), 1);
        }
        written
    }
}

/// A text in double quotes, with all unsafe characters escaped.
fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            _ if settings::shown::is_unsafe(character) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn yaml_value(node: &Node, quoted: &mut Quoted) -> serde_yaml::Value {
    use serde_yaml::Value as Yaml;
    match &node.value {
        Value::Null => Yaml::Null,
        Value::Scalar { text, plain: false } => quoted.text(text),
        Value::Scalar { text, plain: true } => match text.as_str() {
            "true" => Yaml::Bool(true),
            "false" => Yaml::Bool(false),
            _ => written_number(text).map_or_else(|| quoted.text(text), Yaml::Number),
        },
        Value::List(members) => Yaml::Sequence(members.iter().map(|member| yaml_value(member, quoted)).collect()),
        Value::Map(entries) => Yaml::Mapping(
            entries.iter().map(|entry| (quoted.text(&entry.key), yaml_value(&entry.value, quoted))).collect(),
        ),
    }
}

/// The number with exactly this spelling. Other spellings of a number stay text, so that they are read back unchanged.
fn written_number(text: &str) -> Option<serde_yaml::Number> {
    let whole = text.parse::<u64>().map(Into::into).or_else(|_| text.parse::<i64>().map(Into::into));
    let number: serde_yaml::Number = whole.or_else(|_| text.parse::<f64>().map(Into::into)).ok()?;
    (number.is_finite() && number.to_string() == text).then_some(number)
}

/// The span with the later end.
fn later(left: Span, right: Span) -> Span {
    if left.end >= right.end { left } else { right }
}

#[cfg(test)]
mod tests;
