//! The result as JSON: the stable format `1`, described by `report/schema/result.schema.json`.

use lab::result::RunResult;

/// The JSON Schema (draft-07) of what [`to_json`] writes.
pub const SCHEMA: &str = include_str!("../schema/result.schema.json");

/// Pretty-printed JSON: keys in the order of the format, names in the order of the scenario, a newline at the end.
/// Figures that are not finite become `null`.
///
/// # Panics
/// Never: a result has only texts as keys, and writing to memory cannot fail.
#[must_use]
pub fn to_json(result: &RunResult) -> String {
    let mut text = serde_json::to_string_pretty(result).expect("keys are texts and memory takes every write");
    text.push('\n');
    text
}
