//! Tables whose columns are only known at run time: comparisons, sweeps, intervals.

use language::diagnostics::shown;

use super::paint::width;

/// Rows of cells with a heading; the first column is aligned left, the others right. Control characters in cells are removed.
pub(crate) fn aligned(heading: &[String], rows: &[Vec<String>]) -> String {
    let safe = |cells: &[String]| -> Vec<String> { cells.iter().map(|cell| shown(cell).into_owned()).collect() };
    let (heading, rows): (_, Vec<Vec<String>>) = (safe(heading), rows.iter().map(|row| safe(row)).collect());
    let columns = heading.len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0);
            cells.max(width(&heading[column]))
        })
        .collect();
    let mut text = String::new();
    for row in std::iter::once(heading.as_slice()).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::from(" ");
        for (column, wide) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let room = " ".repeat(wide - width(cell));
            line.push(' ');
            line.push_str(&if column == 0 { format!("{cell}{room}") } else { format!(" {room}{cell}") });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let heading = ["metric".to_string(), "a".to_string()];
        let rows = [vec!["goodput".to_string(), "10/s ± 1/s".to_string()], vec!["µ".to_string(), "–".to_string()]];
        assert_eq!(aligned(&heading, &rows), "  metric            a\n  goodput  10/s ± 1/s\n  µ                 –\n");
    }
}
