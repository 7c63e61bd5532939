//! Reading files that a user names: only regular ones, and only so much of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The largest table that is read, in bytes.
pub const TABLE_BYTES_MAX: u64 = 1 << 30;

/// A file that has an end: no device, pipe or folder, which could be read for ever or never.
///
/// # Errors
/// In words, without the name of the file.
pub fn open(path: &Path) -> Result<File, String> {
    // Opening a pipe would wait for its writer.
    let about = fs::metadata(path).map_err(|e| e.to_string())?;
    if about.is_dir() {
        return Err("it is a folder".to_string());
    }
    if !about.is_file() {
        return Err("not a regular file; use `-` to read from a pipe on standard input".to_string());
    }
    File::open(path).map_err(|e| e.to_string())
}

/// All bytes of a regular file of at most `most` bytes.
///
/// # Errors
/// In words, without the name of the file.
pub fn regular(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // One byte more tells that there is more, also of a file that grows meanwhile.
    open(path)?.take(most + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("larger than {most} bytes"));
    }
    Ok(bytes)
}

/// Whether a file lies in a folder, whatever links lead to it.
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
