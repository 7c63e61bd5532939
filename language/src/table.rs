//! Tables named by a scenario: recorded requests and measured values, as CSV with a header line.

use std::io::Read;

/// The cells of one column, trimmed, in row order; `file` is the name of the table in messages.
///
/// # Errors
/// A message: the table cannot be read, the column does not exist (with those that do), or it has more than `most`
/// rows.
pub fn column(table: impl Read, file: &str, column: &str, most: u64) -> Result<Vec<String>, String> {
    let mut reader = csv::Reader::from_reader(table);
    let headers = reader.headers().map_err(|e| format!("`{file}` has no header: {e}"))?.clone();
    let Some(index) = headers.iter().position(|header| header.trim() == column) else {
        let names: Vec<&str> = headers.iter().map(str::trim).collect();
        let help = settings::problem::did_you_mean(column, names.iter().copied());
        let help = help.unwrap_or_else(|| format!("it has {}", names.join(", ")));
        return Err(format!("`{file}` has no column `{column}`; {help}"));
    };
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| format!("`{file}`: {e}"))?;
        if cells.len() as u64 >= most {
            return Err(format!("`{file}` has more than {most} rows, which exceeds the memory limit"));
        }
        cells.push(record.get(index).unwrap_or_default().trim().to_string());
    }
    Ok(cells)
}
