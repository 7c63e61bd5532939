//! Tables that fit: columns as wide as their contents, empty columns left out, names shortened in the middle.

use std::collections::BTreeMap;

use super::paint::{Ink, Page, Span, width};
use crate::units;

/// Alignment of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Heading over several columns; written over the first column that has it.
    pub(crate) group: &'static str,
    pub(crate) title: &'static str,
    pub(crate) align: Align,
    /// If the table does not fit, columns with larger values are dropped first; those with 0 stay.
    pub(crate) spare: u8,
}

impl Column {
    pub(crate) const fn left(title: &'static str) -> Self {
        Column { group: "", title, align: Align::Left, spare: 0 }
    }

    pub(crate) const fn right(title: &'static str) -> Self {
        Column { group: "", title, align: Align::Right, spare: 0 }
    }

    pub(crate) const fn grouped(group: &'static str, title: &'static str) -> Self {
        Column { group, title, align: Align::Right, spare: 0 }
    }

    /// The same column, which may be dropped if there is no room.
    pub(crate) const fn spare(self, spare: u8) -> Self {
        Column { spare, ..self }
    }
}

/// Rows of cells; the first column contains names, the last one words that may be cut.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Span>>,
}

/// Space between two columns.
const GAP: usize = 2;
/// Minimum width of shortened names; that of words is [`WORDS_MIN`].
const NAME_MIN: usize = 10;
const WORDS_MIN: usize = 14;

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row with one cell per column.
    pub(crate) fn row(&mut self, cells: Vec<Span>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table, indented by `indent` columns.
    pub(crate) fn write(&self, page: &mut Page, indent: usize) {
        let room = page.width() - indent;
        // Drop columns without content, but keep the first, the names.
        let mut shown: Vec<usize> = (0..self.columns.len())
            .filter(|column| *column == 0 || self.rows.iter().any(|row| !row[*column].text.is_empty()))
            .collect();
        let mut widths = self.widths(&shown, room);
        while (total(&widths) > room || self.names_collide(widths[0]))
            && let Some(least) =
                shown.iter().copied().filter(|column| self.columns[*column].spare > 0).max_by_key(|column| {
                    // Of two that can equally be spared, drop the one further right.
                    (self.columns[*column].spare, *column)
                })
        {
            shown.retain(|column| *column != least);
            widths = self.widths(&shown, room);
        }

        if shown.iter().any(|column| !self.columns[*column].group.is_empty()) {
            self.write_groups(page, indent, &shown, &widths);
        }
        let titles = shown.iter().map(|column| Span::new(self.columns[*column].title, Ink::Dim)).collect();
        self.write_cells(page, indent, &shown, &widths, titles);
        for row in &self.rows {
            let cells = shown.iter().map(|column| row[*column].clone()).collect();
            self.write_cells(page, indent, &shown, &widths, cells);
        }
    }

    /// Whether two different names become equal when shortened.
    fn names_collide(&self, room: usize) -> bool {
        let mut seen = BTreeMap::new();
        self.rows.iter().any(|row| {
            let name = &row[0].text;
            seen.insert(units::shortened(name, room), name).is_some_and(|other| other != name)
        })
    }

    /// Widths of the given columns, as close to `room` as possible.
    fn widths(&self, shown: &[usize], room: usize) -> Vec<usize> {
        let natural: Vec<usize> = shown
            .iter()
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[*column].width()).max().unwrap_or(0);
                cells.max(width(self.columns[*column].title))
            })
            .collect();
        let words_last = shown.last().is_some_and(|column| self.columns[*column].align == Align::Left);
        fitted(&natural, room, words_last)
    }

    /// The line of group headings, each centred over its columns between rules.
    fn write_groups(&self, page: &mut Page, indent: usize, shown: &[usize], widths: &[usize]) {
        let mut line = " ".repeat(indent);
        let mut position = 0;
        while position < shown.len() {
            let group = self.columns[shown[position]].group;
            let mut end = position + 1;
            while !group.is_empty() && end < shown.len() && self.columns[shown[end]].group == group {
                end += 1;
            }
            let span = widths[position..end].iter().sum::<usize>() + GAP * (end - position - 1);
            if group.is_empty() {
                line.push_str(&" ".repeat(span));
            } else {
                let rules = span.saturating_sub(width(group) + 2);
                line.push_str(&format!("{} {group} {}", "─".repeat(rules / 2), "─".repeat(rules - rules / 2)));
            }
            line.push_str(&" ".repeat(GAP));
            position = end;
        }
        page.line(&[Span::new(line, Ink::Dim)]);
    }

    fn write_cells(&self, page: &mut Page, indent: usize, shown: &[usize], widths: &[usize], cells: Vec<Span>) {
        let mut spans = vec![Span::plain(" ".repeat(indent))];
        for (position, cell) in cells.into_iter().enumerate() {
            let room = widths[position];
            let is_last = position + 1 == widths.len();
            let text = if is_last && self.columns[shown[position]].align == Align::Left && position > 0 {
                cut(&cell.text, room)
            } else {
                units::shortened(&cell.text, room)
            };
            let padding = " ".repeat(room - width(&text));
            let gap = if is_last { "" } else { "  " };
            match self.columns[shown[position]].align {
                Align::Left => {
                    spans.push(Span::new(text, cell.ink));
                    spans.push(Span::plain(padding + gap));
                }
                Align::Right => {
                    spans.push(Span::plain(padding));
                    spans.push(Span::new(text, cell.ink));
                    spans.push(Span::plain(gap));
                }
            }
        }
        page.line(&spans);
    }
}

/// The total width of columns, including the gaps between them.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Widths that fit into `room` if possible: words in the last column shrink first, then names.
fn fitted(natural: &[usize], room: usize, words_last: bool) -> Vec<usize> {
    let mut widths = natural.to_vec();
    let over = total(&widths).saturating_sub(room);
    if over > 0
        && words_last
        && widths.len() > 1
        && let Some(last) = widths.last_mut()
    {
        *last -= over.min(last.saturating_sub(WORDS_MIN));
    }
    let over = total(&widths).saturating_sub(room);
    if over > 0
        && let Some(first) = widths.first_mut()
    {
        *first -= over.min(first.saturating_sub(NAME_MIN));
    }
    widths
}

/// Cuts words at the last comma that fits, so that no figure is torn; if not even the first part fits, at the end.
fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for part in text.split(", ") {
        let joined = if kept.is_empty() { part.to_owned() } else { format!("{kept}, {part}") };
        // Leave room for the ellipsis.
        if width(&joined) + 2 > room {
            break;
        }
        kept = joined;
    }
    if kept.is_empty() {
        return text.chars().take(room.saturating_sub(1)).chain(['…']).collect();
    }
    format!("{kept} …")
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn words_lose_their_end_and_never_their_middle() {
        let words = "0.1 % unavailable, 0.05 % reset";
        let cuts = [40, 19, 18, 14].map(|room| cut(words, room));
        assert_eq!(cuts, [words, "0.1 % unavailable …", "0.1 % unavailable…", "0.1 % unavail…"]);
    }

    fn written(table: &Table, width: usize) -> String {
        let mut page = Page::new(Options { width, ..Options::default() });
        table.write(&mut page, 0);
        page.finish()
    }

    #[test]
    fn figures_align_right_and_empty_columns_vanish() {
        let mut table = Table::new(vec![Column::left(""), Column::right("hedges"), Column::right("calls")]);
        table.row(vec![Span::plain("api"), Span::default(), Span::plain("9")]);
        table.row(vec![Span::plain("database"), Span::default(), Span::plain("1,000")]);
        assert_eq!(written(&table, 80), "          calls\napi           9\ndatabase  1,000\n");
    }

    #[test]
    fn a_group_stands_over_its_columns() {
        let mut table =
            Table::new(vec![Column::left(""), Column::grouped("queue", "mean"), Column::grouped("queue", "end")]);
        table.row(vec![Span::plain("api"), Span::plain("12.3"), Span::plain("143 k")]);
        assert_eq!(written(&table, 80), "     ── queue ──\n     mean    end\napi  12.3  143 k\n");
    }

    #[test]
    fn columns_that_can_be_spared_go_when_there_is_no_room() {
        let wide = || Span::plain("x".repeat(30));
        let mut table = Table::new(vec![
            Column::left("name"),
            Column::right("a").spare(1),
            Column::right("b").spare(2),
            Column::right("c"),
        ]);
        table.row(vec![Span::plain("n"), wide(), wide(), wide()]);
        let heading = |width: usize| {
            let text = written(&table, width);
            text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(heading(100), "name a b c");
        assert_eq!(heading(80), "name a c");
        assert_eq!(heading(60), "name c");
    }

    #[test]
    fn names_stay_different_even_if_a_column_has_to_go() {
        let mut table = Table::new(vec![Column::left("name"), Column::right("spare").spare(1), Column::right("kept")]);
        for number in 1..=2 {
            let name = format!("region-{number}/recommendations");
            table.row(vec![Span::plain(name), Span::plain("x".repeat(28)), Span::plain("y".repeat(16))]);
        }
        let text = written(&table, 60);
        assert!(text.contains("region-1") && text.contains("region-2") && !text.contains("spare"), "{text}");
    }

    #[test]
    fn words_are_cut_between_figures() {
        assert_eq!(cut("98 % ok, 1 % timeout, 1 % error", 22), "98 % ok, 1 % timeout …");
        assert_eq!(cut("98 % ok, 1 % timeout, 1 % error", 12), "98 % ok …");
        assert_eq!(cut("98 % ok", 12), "98 % ok");
    }

    #[test]
    fn wide_tables_shorten_words_first_and_names_then() {
        assert_eq!(fitted(&[10, 5, 30], 40, true), vec![10, 5, 21]);
        assert_eq!(fitted(&[30, 5, 30], 40, true), vec![17, 5, 14]);
    }
}
