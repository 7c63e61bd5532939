//! Writes blocks as HTML.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Block, Figure, Page, Section, Table};
use crate::charts::{self, ChartError};
use crate::findings::{Finding, Severity};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(include_str!("tables.js"), include_str!("charts.js"));

/// The digest with which a content security policy allows an inline style or script.
fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// HTML being written; writing to a string cannot fail.
struct Markup(String);

impl Markup {
    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        let written = self.0.write_fmt(arguments);
        debug_assert!(written.is_ok());
    }
}

macro_rules! put {
    ($markup:expr, $($arguments:tt)*) => { $markup.push(format_args!($($arguments)*)) };
}

/// Escapes text for HTML and drops control characters, which are not allowed there.
fn safe(text: &str) -> String {
    charts::escaped(text)
}

/// Turns a heading into an identifier for links.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

pub(super) fn document(page: &Page) -> Result<String, ChartError> {
    let mut markup = Markup(String::with_capacity(64 * 1024));
    let title = safe(&page.title);
    put!(
        markup,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src {}; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n<header>\n<h1>{title}</h1>\n",
        digest(STYLE),
        digest(SCRIPT),
    );
    if !page.subtitle.is_empty() {
        put!(markup, "<p class=\"subtitle\">{}</p>\n", safe(&page.subtitle));
    }
    if let Some(lead) = &page.lead {
        put!(markup, "<p class=\"lead\">{}</p>\n", safe(lead));
    }
    put!(markup, "</header>\n");
    contents(&mut markup, page);
    put!(markup, "<main id=\"content\">\n");
    for section in &page.sections {
        write_section(&mut markup, section)?;
    }
    put!(markup, "</main>\n<footer>{}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n", safe(&page.footer));
    Ok(markup.0)
}

fn contents(markup: &mut Markup, page: &Page) {
    let headings: Vec<&str> =
        page.sections.iter().map(|section| section.heading.as_str()).filter(|heading| !heading.is_empty()).collect();
    if headings.len() < 3 {
        return;
    }
    put!(markup, "<nav aria-label=\"Contents\"><ul>\n");
    for heading in headings {
        put!(markup, "<li><a href=\"#{}\">{}</a></li>\n", anchor(heading), safe(heading));
    }
    put!(markup, "</ul></nav>\n");
}

fn write_section(markup: &mut Markup, section: &Section) -> Result<(), ChartError> {
    if section.heading.is_empty() {
        put!(markup, "<section>\n");
    } else {
        let (anchor, heading) = (anchor(&section.heading), safe(&section.heading));
        put!(markup, "<section aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{heading}</h2>\n");
    }
    for block in &section.blocks {
        match block {
            Block::Paragraph(text) => put!(markup, "<p>{}</p>\n", safe(text)),
            Block::Figures(figures) => write_figures(markup, figures),
            Block::Findings(findings) => write_findings(markup, findings),
            Block::List(items) => {
                put!(markup, "<ul>\n");
                for item in items {
                    put!(markup, "<li>{}</li>\n", safe(item));
                }
                put!(markup, "</ul>\n");
            }
            Block::Table(table) => write_table(markup, table),
            Block::Chart(chart) => put!(markup, "<figure>\n{}</figure>\n", charts::svg(chart)?),
            Block::Text { caption, text } => {
                put!(markup, "<p class=\"caption\">{}</p>\n<pre tabindex=\"0\">{}</pre>\n", safe(caption), safe(text));
            }
            Block::Details { summary, text } => put!(
                markup,
                "<details>\n<summary>{}</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n",
                safe(summary),
                safe(text)
            ),
        }
    }
    put!(markup, "</section>\n");
    Ok(())
}

fn write_figures(markup: &mut Markup, figures: &[Figure]) {
    put!(markup, "<dl class=\"figures\">\n");
    for Figure { label, value, note } in figures {
        put!(
            markup,
            "<div><dt>{}</dt><dd><strong>{}</strong>{}</dd></div>\n",
            safe(label),
            safe(value),
            if note.is_empty() { String::new() } else { format!("<span>{}</span>", safe(note)) }
        );
    }
    put!(markup, "</dl>\n");
}

fn write_findings(markup: &mut Markup, findings: &[Finding]) {
    put!(markup, "<ul class=\"findings\">\n");
    for finding in findings {
        // The word is for readers who cannot see the colour or the sign.
        let (class, word) = match finding.severity {
            Severity::Critical => ("critical", "Critical"),
            Severity::Warning => ("warning", "Warning"),
            Severity::Note => ("note", "Note"),
            Severity::Good => ("good", "Good"),
        };
        put!(markup, "<li class=\"{class}\"><b>{word}</b> <span>{}</span></li>\n", safe(&finding.text));
    }
    put!(markup, "</ul>\n");
}

/// Number of columns above which a table is wider than many windows.
const WIDE_FROM: usize = 6;

fn write_table(markup: &mut Markup, table: &Table) {
    // In a narrow window, wide tables show each row as a list of headings and values.
    let is_wide = table.columns.len() > WIDE_FROM;
    let (wide, caption) = (if is_wide { " wide" } else { "" }, safe(&table.caption));
    put!(markup, "<div class=\"scroll{wide}\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\">\n");
    put!(markup, "<table>\n<caption>{caption}</caption>\n<thead><tr>");
    for column in &table.columns {
        let class = if column.numeric { " class=\"figure\"" } else { "" };
        let hint = if column.hint.is_empty() { String::new() } else { format!(" title=\"{}\"", safe(&column.hint)) };
        put!(markup, "<th scope=\"col\"{class}{hint}>{}</th>", safe(&column.title));
    }
    put!(markup, "</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        put!(markup, "<tr>");
        for (position, cell) in row.iter().enumerate() {
            let column = table.columns.get(position);
            let class = if column.is_some_and(|column| column.numeric) { " class=\"figure\"" } else { "" };
            let label = column
                .filter(|_| is_wide)
                .map_or_else(String::new, |column| format!(" data-label=\"{}\"", safe(&column.title)));
            let value = cell
                .value
                .filter(|value| value.is_finite())
                .map_or_else(String::new, |value| format!(" data-value=\"{value}\""));
            if position == 0 {
                put!(markup, "<th scope=\"row\"{class}{value}>{}</th>", safe(&cell.text));
            } else {
                put!(markup, "<td{class}{label}{value}>{}</td>", safe(&cell.text));
            }
        }
        put!(markup, "</tr>\n");
    }
    put!(markup, "</tbody>\n</table>\n</div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // FIPS 180-4, the message "abc", in base 64.
        assert_eq!(digest("abc"), "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
    }

    #[test]
    fn style_and_script_cannot_end_their_element() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }
}
