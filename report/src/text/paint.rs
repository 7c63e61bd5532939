//! The styles of the text report and their output: ANSI codes or none, Unicode or ASCII.

use super::Options;

/// The meaning of a piece of text, which determines its colour; [`Ink::code`] is the only table of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ink {
    #[default]
    Plain,
    /// Titles and main figures.
    Strong,
    /// Labels, units, and details included for completeness.
    Dim,
    /// Success.
    Good,
    /// Near a limit.
    Warning,
    /// Broken.
    Bad,
    /// Faults.
    Fault,
    /// Operator actions.
    Event,
}

impl Ink {
    /// Select Graphic Rendition codes from the 16-colour palette, which every theme keeps readable.
    const fn code(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Strong => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Warning => "33",
            Ink::Bad => "1;31",
            Ink::Fault => "35",
            Ink::Event => "36",
        }
    }
}

/// A piece of text in one ink.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) ink: Ink,
}

impl Span {
    pub(crate) fn new(text: impl Into<String>, ink: Ink) -> Self {
        Span { text: text.into(), ink }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Span::new(text, Ink::Plain)
    }

    /// Width in columns: every character used here is one column wide.
    pub(crate) fn width(&self) -> usize {
        width(&self.text)
    }
}

/// Width of a text in columns.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Lines being written.
pub(crate) struct Page {
    options: Options,
    text: String,
}

impl Page {
    pub(crate) fn new(options: Options) -> Self {
        Page { options, text: String::new() }
    }

    /// Number of columns to use.
    pub(crate) fn width(&self) -> usize {
        self.options.width.max(60)
    }

    /// Writes one line, without trailing spaces.
    pub(crate) fn line(&mut self, spans: &[Span]) {
        let mut end = spans.len();
        while end > 0 && spans[end - 1].text.trim_end().is_empty() {
            end -= 1;
        }
        for (position, span) in spans[..end].iter().enumerate() {
            let text = if position + 1 == end { span.text.trim_end() } else { span.text.as_str() };
            let text = language::diagnostics::shown(text);
            let text = if self.options.unicode { text.into_owned() } else { in_ascii(&text) };
            let code = span.ink.code();
            if self.options.color && !code.is_empty() && !text.trim().is_empty() {
                self.text.push_str(&format!("\x1b[{code}m{text}\x1b[0m"));
            } else {
                self.text.push_str(&text);
            }
        }
        self.text.push('\n');
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Writes a sentence wrapped to the page's width; the first line follows `head`, the others are indented by its width.
    pub(crate) fn paragraph(&mut self, head: Span, text: &str, ink: Ink) {
        let indent = head.width();
        if indent + 20 > self.width() {
            // No room beside the head: continue below it.
            self.paragraph(Span::default(), &head.text, head.ink);
            return self.paragraph(Span::plain("    "), text, ink);
        }
        let mut lines = wrapped(text, self.width() - indent).into_iter();
        self.line(&[head, Span::new(lines.next().unwrap_or_default(), ink)]);
        for line in lines {
            self.line(&[Span::plain(" ".repeat(indent)), Span::new(line, ink)]);
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Wraps a text at spaces into lines of at most `room` columns. A number stays with its unit, and only a word longer than
/// a line is broken.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match words.last_mut() {
            Some(last) if is_unit(word) && last.ends_with(|last: char| last.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words.iter().flat_map(|word| pieces(word, room)) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Splits a word into parts of at most `room` columns.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters.chunks(room.max(1)).map(|piece| piece.iter().collect()).collect()
}

fn is_unit(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ':', ';', ')']);
    matches!(word, "%" | "ms" | "s" | "µs" | "ns" | "k" | "M" | "k/s" | "M/s" | "KiB" | "MiB" | "GiB")
}

/// The same text in ASCII, character for character, so that the layout stays the same.
fn in_ascii(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '▁' => '_',
            '▂' => '.',
            '▃' => ':',
            '▄' => '-',
            '▅' => '=',
            '▆' => '+',
            '▇' => '*',
            '█' => '#',
            '–' | '−' | '─' | '—' => '-',
            '·' => '|',
            '×' => 'x',
            'µ' => 'u',
            '…' => '~',
            '├' | '┤' | '┼' | '┴' | '┬' => '+',
            '│' | '┊' => '|',
            '✗' => 'X',
            '✓' => 'v',
            '→' => '>',
            '’' | '‘' => '\'',
            '“' | '”' => '"',
            character if character.is_ascii() => character,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_keeps_the_width() {
        let text = "▁▂▃▄▅▆▇█ – · × µ … ├─┤ ✗ ✓ →";
        let ascii = in_ascii(text);
        assert!(ascii.is_ascii() && !ascii.contains('?'));
        assert_eq!(width(&ascii), width(text));
    }

    #[test]
    fn lines_break_between_words_but_not_before_a_unit() {
        assert_eq!(wrapped("goodput was 3 % of before", 13), ["goodput was", "3 % of before"]);
    }

    #[test]
    fn colour_only_adds_codes() {
        let spans = [Span::new("bad", Ink::Bad), Span::plain(" end  ")];
        let mut colourful = Page::new(Options { color: true, ..Options::default() });
        colourful.line(&spans);
        assert_eq!(colourful.finish(), "\x1b[1;31mbad\x1b[0m end\n");
    }
}
