//! Formats problems: for people with the source line and a caret, for editors as JSON.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde_json::{Value as Json, json};
pub use settings::shown::{is_no_character, is_unsafe, shown, shown_lines};
use settings::{Problem, Severity, Span};

use crate::document::{Source, Sources, floor_boundary};

/// The style for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With terminal colours.
    Coloured,
}

/// Maximum number of problems shown; further ones are only counted, because the first ones must be fixed anyway.
const SHOWN_MAX: usize = 50;

/// Formats problems in the given order, each with its source line, a caret under the position, and a suggestion.
pub fn render(problems: &[Problem], sources: &Sources, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut text = String::new();
    for problem in problems.iter().take(SHOWN_MAX) {
        text.push_str(renderer.render(&[group(problem, sources)]).trim_end());
        text.push_str("\n\n");
    }
    text.push_str(&summary(problems));
    // The renderer replaces most control characters, and writes those of its colours.
    text.replace(|c| c != '\n' && c != '\u{1B}' && is_unsafe(c), "\u{FFFD}")
}

/// "2 errors and 1 warning", with a line break; empty if there are no problems.
fn summary(problems: &[Problem]) -> String {
    let count = |severity, noun: &str| {
        let number = problems.iter().filter(|problem| problem.severity == severity).count();
        match number {
            0 => None,
            1 => Some(format!("1 {noun}")),
            _ => Some(format!("{number} {noun}s")),
        }
    };
    let counts: Vec<String> =
        [count(Severity::Error, "error"), count(Severity::Warning, "warning")].into_iter().flatten().collect();
    let hidden = match problems.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        _ => format!(", the first {SHOWN_MAX} of them shown"),
    };
    if counts.is_empty() { String::new() } else { format!("{}{hidden}\n", counts.join(" and ")) }
}

fn group<'a>(problem: &Problem, sources: &'a Sources) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(headline(problem)).elements(snippet(problem, sources));
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    group
}

/// The path and the message.
fn headline(problem: &Problem) -> String {
    if problem.path.is_root() { problem.message.clone() } else { format!("{}: {}", problem.path, problem.message) }
}

fn snippet<'a>(problem: &Problem, sources: &'a Sources) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(problem.span.source)?;
    let (line, _) = sources.line_and_column(problem.span.source, problem.span.start)?;
    let line_of = shown_line(source, problem.span);
    let marked = marked_part(source, problem.span, &line_of);
    // The expected value is shown beside the caret only if the headline has not mentioned it.
    let label = problem.expected.as_deref().filter(|expected| !repeats(&problem.message, expected));
    let annotation = AnnotationKind::Primary.span(marked).label(label.map(normalize_untrusted_str));
    let text = &source.text[line_of];
    Some(Snippet::source(text).path(shown(&source.name)).line_start(line).annotation(annotation))
}

fn repeats(message: &str, expected: &str) -> bool {
    message.starts_with("expected") || message.contains(expected)
}

/// The line in which a span begins: a multi-line span is represented by its first line.
fn shown_line(source: &Source, span: Span) -> Range<usize> {
    let text = &source.text;
    let start = floor_boundary(text, span.start as usize);
    let line_start = text[..start].rfind('\n').map_or(0, |place| place + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    line_start..line_end
}

/// The part of the shown line that a span covers, relative to the line.
fn marked_part(source: &Source, span: Span, line: &Range<usize>) -> Range<usize> {
    let start = floor_boundary(&source.text, span.start as usize);
    let end = floor_boundary(&source.text, span.end as usize).clamp(start, line.end.max(start));
    let marked = source.text[start..end].trim_end();
    start - line.start..start + marked.len() - line.start
}

/// The problems for an editor: a list of objects with `file`, `line`, `column`, `end_line`, `end_column` (from 1,
/// columns in characters; null without a position), `severity`, `code`, `path`, `message`, `expected`, `help`.
pub fn to_json(problems: &[Problem], sources: &Sources) -> Json {
    Json::Array(problems.iter().map(|problem| problem_to_json(problem, sources)).collect())
}

fn problem_to_json(problem: &Problem, sources: &Sources) -> Json {
    let source = problem.span.source;
    let start = sources.line_and_column(source, problem.span.start);
    let end = sources.line_and_column(source, problem.span.end);
    json!({
        "file": sources.get(source).map(|source| source.name.as_str()),
        "line": start.map(|(line, _)| line),
        "column": start.map(|(_, column)| column),
        "end_line": end.map(|(line, _)| line),
        "end_column": end.map(|(_, column)| column),
        "severity": problem.severity.word(),
        "code": problem.code,
        "path": problem.path.to_string(),
        "message": problem.message,
        "expected": problem.expected,
        "help": problem.help,
    })
}

#[cfg(test)]
mod tests;
