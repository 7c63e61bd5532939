//! Writing files so that a reader sees the old one or the whole new one, never half of it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Writes to a temporary name beside `path`, forces it to the disk, then renames it over `path`.
///
/// # Errors
/// What the file system says; the temporary file is then removed, and what stood at `path` before still stands.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_through_temporary(path, |file| file.write_all(bytes))
}

/// The same for what is too large to be held at once.
///
/// # Errors
/// What the file system says, or `write`.
pub fn write_through_temporary(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())));
    };
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    // Two processes that write the same file must not write into each other's temporary one.
    temporary_name.push(format!(".{}.part", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let written = write_and_sync(&temporary, write).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_sync(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = io::BufWriter::new(File::create(path)?);
    write(&mut buffer)?;
    buffer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("result.json");
        write_atomically(&path, b"old").expect("first write");
        write_atomically(&path, b"new").expect("second write");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_write_that_fails_half_way_leaves_what_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("latency.hlog");
        write_atomically(&path, b"old").expect("first write");
        let failed = write_through_temporary(&path, |file| {
            file.write_all(&[7; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.expect_err("the disk is full").kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).expect("folder");
        fs::write(taken.join("inside"), b"x").expect("file");
        assert!(write_atomically(&taken, b"new").is_err(), "a folder that is not empty cannot be replaced");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1);
    }
}
