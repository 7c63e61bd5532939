//! Reads files named by a user: only regular ones, and only up to a size limit.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Maximum size of a table, in bytes.
pub const TABLE_BYTES_MAX: u64 = 1 << 30;

/// Opens a regular file; not a device, pipe or folder, whose reading might never end.
///
/// # Errors
/// A message without the name of the file.
pub fn open(path: &Path) -> Result<File, String> {
    // Checked before opening, because opening a pipe would wait for its writer.
    let about = fs::metadata(path).map_err(|e| e.to_string())?;
    if about.is_dir() {
        return Err("it is a folder".to_string());
    }
    if !about.is_file() {
        return Err("not a regular file; use `-` to read from a pipe on standard input".to_string());
    }
    File::open(path).map_err(|e| e.to_string())
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// A message without the name of the file.
pub fn regular(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // One extra byte detects larger files, including files that grow while being read.
    open(path)?.take(most + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("larger than {most} bytes"));
    }
    Ok(bytes)
}

/// Whether a file is inside a folder, after resolving links.
pub fn is_inside(folder: &Path, file: &Path) -> bool {
    match (fs::canonicalize(folder), fs::canonicalize(file)) {
        (Ok(folder), Ok(file)) => file.starts_with(folder),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused_at_once() {
        assert!(open(Path::new("/dev/zero")).is_err_and(|why| why.contains("not a regular file")));
        assert!(open(Path::new(".")).is_err_and(|why| why == "it is a folder"));
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(regular(&own, 1 << 20).is_ok_and(|bytes| !bytes.is_empty()));
        assert!(regular(&own, 10).is_err_and(|why| why == "larger than 10 bytes"));
        assert!(is_inside(Path::new(env!("CARGO_MANIFEST_DIR")), &own));
        assert!(!is_inside(&own, Path::new("/etc/passwd")));
    }
}
