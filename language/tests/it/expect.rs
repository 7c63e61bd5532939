//! Expected texts in files: results are compared with them, or written to them if `UPDATE_EXPECTED` is set.

use std::fs;
use std::path::Path;

/// Compares with an expected file, or writes it.
pub(crate) fn expect(path: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        return fs::write(path, found).map_err(|e| e.to_string());
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    Err(format!("{} is not what it should be; it is now\n{found}", path.display()))
}
