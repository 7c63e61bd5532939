//! Generates reference pages from the book: the meaning of a definition, and every setting with its unit, range and
//! default.
//!
//! The same page is generated as Markdown for the manual and as plain text for the terminal.

use std::collections::{BTreeMap, BTreeSet};

use crate::bind::range_in_words;
use crate::book::{Body, Book, ChoiceShape, Content, FieldShape, FieldsShape, Shape, VariantShape};

/// How much a page covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The definition alone; others are only named.
    Own,
    /// The definition and everything that can be written inside it.
    Whole,
}

/// The medium of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The manual.
    Markdown,
    /// The terminal.
    Text,
}

/// The format of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Markdown,
    Text,
}

impl Style {
    fn format(self) -> Format {
        match self {
            Style::Markdown => Format::Markdown,
            Style::Text => Format::Text,
        }
    }
}

/// A figure listed on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureRow {
    /// The name of its metric.
    pub metric: String,
    /// Its unit in words.
    pub unit: String,
    /// Its description.
    pub doc: String,
}

/// The figures reported for the subject of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Where the figures appear, in one sentence.
    pub intro: String,
    /// The figures; if there are none, the page does not mention them.
    pub rows: Vec<FigureRow>,
}

/// The location of a definition that has a page of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The file of its page in the manual.
    pub file: String,
    /// The topic to request from the program.
    pub topic: String,
}

/// Definitions with a page of their own, by name. Other pages link to them instead of repeating them.
pub type Pages = BTreeMap<String, Elsewhere>;

/// The reference page of a definition in Markdown.
pub fn markdown(book: &Book, name: &str, heading: &str, extent: Extent) -> String {
    let (pages, measured) = (Pages::new(), Measured::default());
    definition(book, name, heading, Style::Markdown, extent, &pages, &measured)
}

/// The reference page of a definition in plain text, no line wider than 100 characters.
pub fn text(book: &Book, name: &str, heading: &str, extent: Extent) -> String {
    let (pages, measured) = (Pages::new(), Measured::default());
    definition(book, name, heading, Style::Text, extent, &pages, &measured)
}

/// The reference page of a definition, with its figures.
pub fn definition(
    book: &Book,
    name: &str,
    heading: &str,
    style: Style,
    extent: Extent,
    pages: &Pages,
    measured: &Measured,
) -> String {
    Page { book, pages, format: style.format(), text: String::new() }.write(name, heading, extent, measured)
}

/// The page of one word of a choice: its meaning, its value or settings, and its figures.
pub fn word(
    book: &Book,
    variant: &VariantShape,
    style: Style,
    extent: Extent,
    pages: &Pages,
    measured: &Measured,
) -> String {
    let mut page = Page { book, pages, format: style.format(), text: String::new() };
    page.heading(variant.word, 1);
    page.paragraph(&with_live(variant.doc, variant.live));
    let mut inner = Vec::new();
    match &variant.content {
        Content::Nothing => page.paragraph("It takes no settings."),
        Content::Value(Shape::Named(name)) => {
            page.body(name);
            inner = reachable(book, name, pages);
        }
        Content::Value(shape) => {
            let value = page.shape(shape);
            page.paragraph(&format!("Its value: {value}."));
            let mut names = Vec::new();
            names_in(shape, &mut names);
            inner = with_reachable(book, names, pages);
        }
        Content::Fields(fields) => {
            page.fields(fields);
            let mut names = Vec::new();
            names_in_fields(fields, &mut names);
            inner = with_reachable(book, names, pages);
        }
    }
    page.measured(measured);
    if extent == Extent::Whole {
        page.inner(inner);
    }
    page.finish()
}

/// A doc comment, with a note if the setting may change during a run.
fn with_live(doc: &str, live: bool) -> String {
    if live { format!("{doc} May change during a run.") } else { doc.to_string() }
}

fn with_reachable(book: &Book, names: Vec<String>, pages: &Pages) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names.into_iter().filter(|name| !pages.contains_key(name)) {
        let below = reachable(book, &name, pages);
        for one in std::iter::once(name).chain(below) {
            if !all.contains(&one) && is_told(book, &one) {
                all.push(one);
            }
        }
    }
    all
}

/// A definition's name as a heading: `PoolSettings` as "Pool", `service::Settings` as "Service".
pub fn heading(book: &Book, name: &str) -> String {
    let title = book.title(name);
    let (module, kind) = title.rsplit_once("::").unwrap_or(("", title));
    let kind = kind.strip_suffix("Settings").unwrap_or(kind);
    let mut words =
        if kind.is_empty() { module.rsplit("::").next().unwrap_or(title).replace('_', " ") } else { String::new() };
    let mut before = ' ';
    for c in kind.chars() {
        let begins = c.is_uppercase() && !before.is_uppercase() && !words.is_empty();
        if begins {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
        before = c;
    }
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => title.to_string(),
    }
}

/// A row of a table of settings.
struct Row {
    key: String,
    value: String,
    default: String,
    doc: String,
}

struct Page<'b> {
    book: &'b Book,
    pages: &'b Pages,
    format: Format,
    text: String,
}

impl Page<'_> {
    fn write(mut self, name: &str, heading_text: &str, extent: Extent, measured: &Measured) -> String {
        self.definition(name, heading_text, 1);
        self.measured(measured);
        if extent == Extent::Whole {
            self.inner(reachable(self.book, name, self.pages));
        }
        self.finish()
    }

    /// The definitions that can be written inside.
    fn inner(&mut self, names: Vec<String>) {
        for name in names {
            let heading = heading(self.book, &name);
            self.definition(&name, &heading, 2);
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text
    }

    fn definition(&mut self, name: &str, heading: &str, level: usize) {
        let Some(definition) = self.book.definition(name) else {
            return;
        };
        self.heading(heading, level);
        self.paragraph(&definition.doc);
        self.body(name);
    }

    /// The settings or words of a definition, without its description.
    fn body(&mut self, name: &str) {
        match self.book.definition(name).map(|definition| &definition.body) {
            Some(Body::Fields(fields)) => self.fields(fields),
            Some(Body::Choice(choice)) => self.choice(choice),
            _ => {}
        }
    }

    fn heading(&mut self, heading: &str, level: usize) {
        match self.format {
            Format::Markdown => self.text.push_str(&format!("{} {heading}\n\n", "#".repeat(level))),
            Format::Text => {
                let line = if level == 1 { "=" } else { "-" };
                self.text.push_str(&format!("{heading}\n{}\n\n", line.repeat(heading.chars().count())));
            }
        }
    }

    fn paragraph(&mut self, doc: &str) {
        for paragraph in doc.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            match self.format {
                Format::Markdown => self.text.push_str(paragraph),
                Format::Text => wrap(&mut self.text, &paragraph.replace('\n', " "), 0),
            }
            self.text.push_str("\n\n");
        }
    }

    fn fields(&mut self, shape: &FieldsShape) {
        if let Some(key) = shape.shorthand {
            self.paragraph(&format!("A value that is not a map of these settings stands for `{key}` alone."));
        }
        let mut rows = Vec::new();
        self.rows(shape, &mut rows);
        self.table(&rows);
    }

    fn choice(&mut self, choice: &ChoiceShape) {
        match choice.tag {
            Some(tag) => self.paragraph(&format!("`{tag}` is one of these; its settings stand beside it.")),
            None => self.paragraph("One of:"),
        }
        let mut rows = Vec::new();
        if let Some(bare) = &choice.bare {
            rows.push(Row {
                key: String::new(),
                value: self.shape(bare),
                default: String::new(),
                doc: "Shorthand.".to_string(),
            });
        }
        for variant in &choice.variants {
            let (value, inner) = match &variant.content {
                Content::Nothing => ("alone".to_string(), None),
                Content::Value(shape) if variant.alone => (format!("alone, or {}", self.shape(shape)), None),
                Content::Value(shape) => (self.shape(shape), None),
                Content::Fields(fields) if variant.alone => ("alone, or a map of".to_string(), Some(fields)),
                Content::Fields(fields) => ("a map of".to_string(), Some(fields)),
            };
            rows.push(Row {
                key: variant.word.to_string(),
                value,
                default: String::new(),
                doc: with_live(variant.doc, variant.live),
            });
            if let Some(fields) = inner {
                let mut inner_rows = Vec::new();
                self.rows(fields, &mut inner_rows);
                rows.extend(
                    inner_rows.into_iter().map(|row| Row { key: format!("{}.{}", variant.word, row.key), ..row }),
                );
            }
        }
        self.table(&rows);
    }

    /// The settings of a map, including those of flattened structs; a flattened choice is a row that names it.
    fn rows(&self, shape: &FieldsShape, rows: &mut Vec<Row>) {
        for field in &shape.fields {
            if field.flattened
                && let Shape::Named(name) = &field.shape
                && let Some(Body::Fields(fields)) = self.book.definition(name).map(|definition| &definition.body)
            {
                self.rows(fields, rows);
                continue;
            }
            rows.push(self.row(field));
        }
    }

    fn row(&self, field: &FieldShape) -> Row {
        let mut value = match &field.shape {
            Shape::Named(name) if field.flattened => self.flattened(name),
            shape => self.shape(shape),
        };
        if let Some(range) = field.range {
            value.push_str(&format!(", {}", range_in_words(range)));
        }
        let default = match &field.default {
            Some(default) => format!("`{default}`"),
            None if field.shape == Shape::NotYet => String::new(),
            None if field.required => "required".to_string(),
            None => "none".to_string(),
        };
        let mut doc = field.doc.replace("\n\n", " ").replace('\n', " ");
        if field.live {
            doc.push_str(" May change during a run.");
        }
        if let Some(example) = field.example {
            doc.push_str(&format!(" Example: `{example}`."));
        }
        let key = if field.flattened { "(one of)".to_string() } else { field.key.to_string() };
        Row { key, value, default, doc }
    }

    fn table(&mut self, rows: &[Row]) {
        match self.format {
            Format::Markdown => {
                let with_defaults = rows.iter().any(|row| !row.default.is_empty());
                self.text.push_str(if with_defaults {
                    "| setting | value | default | description |\n| --- | --- | --- | --- |\n"
                } else {
                    "| word | value | description |\n| --- | --- | --- |\n"
                });
                for row in rows {
                    let key = match row.key.as_str() {
                        "" => "(none)".to_string(),
                        "(one of)" => row.key.clone(),
                        key => format!("`{key}`"),
                    };
                    let mut cells = vec![key, row.value.clone()];
                    if with_defaults {
                        cells.push(row.default.clone());
                    }
                    cells.push(row.doc.replace('\n', " "));
                    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
                    self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
                }
                self.text.push('\n');
            }
            Format::Text => {
                for row in rows {
                    let default = match row.default.as_str() {
                        "" => String::new(),
                        "required" => " (required)".to_string(),
                        "none" => String::new(),
                        default => format!(" (default {default})"),
                    };
                    let key = if row.key.is_empty() { "(a value)" } else { &row.key };
                    let line = format!("{key}: {}{default}", row.value).replace('`', "");
                    wrap(&mut self.text, &line, 2);
                    self.text.push('\n');
                    wrap(&mut self.text, &row.doc.replace('\n', " "), 6);
                    self.text.push('\n');
                }
                self.text.push('\n');
            }
        }
    }

    fn measured(&mut self, measured: &Measured) {
        if measured.rows.is_empty() {
            return;
        }
        self.heading("Figures", 2);
        self.paragraph(&measured.intro);
        if self.format == Format::Markdown {
            self.text.push_str("| metric | unit | description |\n| --- | --- | --- |\n");
        }
        for FigureRow { metric, unit, doc } in &measured.rows {
            match self.format {
                Format::Markdown => self.text.push_str(&format!("| `{metric}` | {unit} | {doc} |\n")),
                Format::Text => {
                    wrap(&mut self.text, &format!("{metric}: {unit}"), 2);
                    self.text.push('\n');
                    wrap(&mut self.text, &doc.replace('`', ""), 6);
                    self.text.push('\n');
                }
            }
        }
        self.text.push('\n');
    }

    /// A shape in words.
    fn shape(&self, shape: &Shape) -> String {
        match shape {
            Shape::Scalar(scalar) => match scalar.examples.first() {
                Some(example) if scalar.name != "text" && !scalar.article.starts_with('`') => {
                    format!("{} (`{example}`)", scalar.name)
                }
                _ => scalar.name.to_string(),
            },
            Shape::List(member) => format!("list of {}", self.shape(member)),
            Shape::Pair(member) => format!("list of two: {}", self.shape(member)),
            Shape::OneOrMany(member) => format!("{}, or a list of them", self.shape(member)),
            Shape::Map(key, value) => format!("map from {} to {}", key.name, self.shape(value)),
            Shape::NullOr(value) => format!("`null` or {}", self.shape(value)),
            Shape::AnyOf(shapes) => shapes.iter().map(|shape| self.shape(shape)).collect::<Vec<_>>().join(" or "),
            Shape::Named(name) => self.named(name),
            Shape::Anything => "anything".to_string(),
            Shape::NotYet => "not supported yet".to_string(),
        }
    }

    /// The keys of a flattened choice, with the name of the definition that explains them.
    fn flattened(&self, name: &str) -> String {
        match self.book.definition(name).map(|definition| &definition.body) {
            Some(Body::Choice(choice)) if is_plain(choice) => words(choice),
            Some(Body::Choice(choice)) if choice.tag.is_none() => {
                format!("{}: see {}", words(choice), self.named(name))
            }
            _ => self.named(name),
        }
    }

    /// A definition in words: a choice of bare words lists them, anything else is named.
    fn named(&self, name: &str) -> String {
        if let Some(Body::Choice(choice)) = self.book.definition(name).map(|definition| &definition.body)
            && is_plain(choice)
        {
            return words(choice);
        }
        let heading = heading(self.book, name);
        match (self.format, self.pages.get(name)) {
            (Format::Markdown, Some(page)) => format!("[{heading}]({})", page.file),
            (Format::Markdown, None) => format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-")),
            (Format::Text, Some(page)) => format!("{} (see `{}`)", heading.to_lowercase(), page.topic),
            (Format::Text, None) => heading.to_lowercase(),
        }
    }
}

/// All words of a choice: "`a`, `b` or `c`".
fn words(choice: &ChoiceShape) -> String {
    let words: Vec<String> = choice.variants.iter().map(|variant| format!("`{}`", variant.word)).collect();
    match words.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        words => words.concat(),
    }
}

/// Whether a choice consists of bare words only.
fn is_plain(choice: &ChoiceShape) -> bool {
    let nothing_else = choice.variants.iter().all(|variant| variant.content == Content::Nothing);
    choice.bare.is_none() && choice.tag.is_none() && nothing_else
}

/// The definitions that can be written inside one, in the order of first mention, without those that a table already
/// lists in full, and without those that have a page of their own and everything inside them.
fn reachable(book: &Book, name: &str, pages: &Pages) -> Vec<String> {
    let mut seen = BTreeSet::from([name.to_string()]);
    let mut order = vec![name.to_string()];
    let mut next = 0;
    while let Some(current) = order.get(next).cloned() {
        next += 1;
        let mut inner = Vec::new();
        match book.definition(&current).map(|definition| &definition.body) {
            Some(Body::Fields(fields)) => names_in_fields(fields, &mut inner),
            Some(Body::Choice(choice)) => {
                choice.bare.iter().for_each(|bare| names_in(bare, &mut inner));
                for variant in &choice.variants {
                    match &variant.content {
                        Content::Nothing => {}
                        Content::Value(shape) => names_in(shape, &mut inner),
                        Content::Fields(fields) => names_in_fields(fields, &mut inner),
                    }
                }
            }
            _ => {}
        }
        for name in inner {
            if !pages.contains_key(&name) && seen.insert(name.clone()) {
                order.push(name);
            }
        }
    }
    order.into_iter().skip(1).filter(|name| is_told(book, name)).collect()
}

/// Whether a definition gets a section on a page; those that a table lists in full do not.
fn is_told(book: &Book, name: &str) -> bool {
    match book.definition(name).map(|definition| &definition.body) {
        Some(Body::Choice(choice)) => !is_plain(choice),
        _ => true,
    }
}

fn names_in_fields(shape: &FieldsShape, names: &mut Vec<String>) {
    shape.fields.iter().for_each(|field| names_in(&field.shape, names));
}

fn names_in(shape: &Shape, names: &mut Vec<String>) {
    match shape {
        Shape::Named(name) => names.push(name.clone()),
        Shape::List(inner) | Shape::Pair(inner) | Shape::OneOrMany(inner) | Shape::NullOr(inner) => {
            names_in(inner, names)
        }
        Shape::Map(_, inner) => names_in(inner, names),
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| names_in(shape, names)),
        Shape::Scalar(_) | Shape::Anything | Shape::NotYet => {}
    }
}

/// Appends a text in indented lines of at most 100 characters.
fn wrap(page: &mut String, text: &str, indentation: usize) {
    const WIDTH: usize = 100;
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            page.push('\n');
            column = 0;
        }
        if column == 0 {
            page.push_str(&" ".repeat(indentation));
            column = indentation;
        } else {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += length;
    }
}
