//! Folders that commands write.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lab::Loaded;
use report::folder::File;
use report::html::{Origin, Source};

use crate::input::Failure;

/// The origin of the figures of a single scenario.
pub(crate) fn origin_of(loaded: &Loaded, command: String) -> Origin {
    let source = Source { name: String::new(), written: loaded.text(), resolved: Some(loaded.resolved()) };
    Origin { scenarios: vec![source], command: Some(command), files: Vec::new() }
}

/// Writes files into a folder, creating it and its subfolders if necessary. Each file is written atomically, and temporary
/// files of killed runs are removed.
pub(crate) fn write(folder: &Path, files: Vec<File<'_>>) -> Result<(), Failure> {
    let folders: BTreeSet<PathBuf> = files.iter().filter_map(|f| Some(folder.join(&f.name).parent()?.into())).collect();
    folders.iter().for_each(|folder| report::file::remove_left_over(folder));
    for file in files {
        let path = folder.join(&file.name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| report::file::write_through_temporary(&path, |to| file.write(to)));
        written.map_err(|e| Failure::Failed(format!("`{}`: {e}", path.display())))?;
    }
    Ok(())
}
