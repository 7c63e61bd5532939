//! The result as JSON: the stable format `1`, described by `report/schema/result.schema.json`.

use std::io::{self, Write};

use lab::result::RunResult;

/// The JSON Schema (draft-07) of the output of [`to_json`].
pub const SCHEMA: &str = include_str!("../schema/result.schema.json");

/// Pretty-printed JSON: keys in the order of the format, names in the order of the scenario, a newline at the end.
/// Figures that are not finite become `null`.
///
/// # Panics
/// Never: all keys of a result are strings, and writing to memory cannot fail.
#[must_use]
pub fn to_json(result: &RunResult) -> String {
    let mut text = Vec::new();
    write(result, &mut text).expect("memory takes every write");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Writes the same JSON as a stream, so that the time series of a long run is not held twice.
///
/// # Errors
/// Any error of the writer.
pub fn write(result: &RunResult, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, result)?;
    to.write_all(b"\n")
}
