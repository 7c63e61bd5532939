//! Atomic file writes: a reader sees either the old file or the complete new one, never part of it.
//!
//! The temporary file lies beside the target under its own name and stays locked while it is written, so that leftovers of
//! killed programs can be distinguished from files that another process is writing.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Suffix of temporary files.
const PART: &str = ".part";

/// Writes to a temporary name beside `path`, forces it to the disk, then renames it over `path`.
///
/// # Errors
/// Any error of the file system; the temporary file is then removed, and any earlier file at `path` is unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_through_temporary(path, |file| file.write_all(bytes))
}

/// Like [`write_atomically`], for content too large to hold in memory.
///
/// # Errors
/// Any error of the file system or of `write`.
pub fn write_through_temporary(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())));
    };
    let temporary = path.with_file_name(part_of(name));
    let written = write_and_sync(&temporary, write).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Name of the temporary file. It contains the process id, so that two processes writing the same file do not collide.
fn part_of(name: &OsStr) -> OsString {
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}{PART}", std::process::id()));
    part
}

/// Whether a name is that of a temporary file.
fn is_part(name: &OsStr) -> bool {
    let Some(inner) = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(PART)) else { return false };
    inner.rsplit_once('.').is_some_and(|(name, process)| !name.is_empty() && process.parse::<u32>().is_ok())
}

fn write_and_sync(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = io::BufWriter::new(create_locked(path)?);
    write(&mut buffer)?;
    buffer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn create_locked(path: &Path) -> io::Result<File> {
    loop {
        let file = File::create(path)?;
        // On a file system without locks, no process checks them either.
        let _ = file.lock();
        // Another process may have removed the file as a leftover before it was locked.
        if path.try_exists()? {
            return Ok(file);
        }
    }
}

/// Removes temporary files that killed programs have left in a folder. Files still being written stay, and so do files
/// that cannot be removed.
pub fn remove_left_over(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_part(&entry.file_name())) {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
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
    fn what_a_killed_program_has_left_is_removed_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| folder.path().join(name);
        for name in [".report.html.4711.part", ".a.part", "b.12.part", ".c.x.part", ".d.12.part.txt", "..12.part"] {
            fs::write(file(name), "x").expect("written");
        }
        fs::create_dir(file(".folder.12.part")).expect("a folder");
        write_through_temporary(&file("kept"), |out| {
            remove_left_over(folder.path());
            out.write_all(b"whole")
        })
        .expect("nobody has taken it away");
        let names = fs::read_dir(folder.path()).expect("list").flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(
            names,
            ["..12.part", ".a.part", ".c.x.part", ".d.12.part.txt", ".folder.12.part", "b.12.part", "kept"]
        );
        remove_left_over(&file("no such folder"));
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
