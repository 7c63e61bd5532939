//! Storage for the results of a sweep's units: one small file each, written atomically.
//!
//! ```text
//! DIR/sweep.lock          what was run
//! DIR/units/0123…cdef.json   one unit: its values and a digest of them
//! ```
//!
//! A file is written under a temporary name, forced to the disk and renamed. A file whose digest does not match counts as
//! missing, and its unit runs again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sim_core::random::hash;

use super::{Plan, UnitResult};
use crate::file::{remove_left_over, write_atomically};

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// Contents of `sweep.lock`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Version of this format; always 1.
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// File name of the scenario.
    pub scenario: String,
    /// Digest of the plan.
    pub plan: String,
    /// The base seed.
    pub seed: u64,
    /// Number of points.
    pub points: usize,
    /// Replications per point.
    pub replications: u32,
    /// The metrics kept.
    pub measure: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    check: String,
    result: UnitResult,
}

fn check(key: u64, result: &UnitResult) -> String {
    // A result consists of texts and numbers, and its numbers are written so that they read back unchanged.
    format!("{:016x}", hash(key, &serde_json::to_string(result).unwrap_or_default()))
}

impl Store {
    /// Opens a folder, creating it if necessary, and removes temporary files left there by a killed sweep.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn open(folder: &Path) -> io::Result<Store> {
        let units = folder.join("units");
        fs::create_dir_all(&units)?;
        [folder, &units].into_iter().for_each(remove_left_over);
        Ok(Store { folder: folder.to_path_buf() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path_of(&self, key: u64) -> PathBuf {
        self.folder.join("units").join(format!("{key:016x}.json"))
    }

    /// The result of a unit, if there is one with a matching digest.
    pub fn get(&self, key: u64) -> Option<UnitResult> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.path_of(key)).ok()?).ok()?;
        (kept.check == check(key, &kept.result)).then_some(kept.result)
    }

    /// Stores the result of a unit.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn put(&self, key: u64, result: &UnitResult) -> io::Result<()> {
        let kept = Kept { check: check(key, result), result: result.clone() };
        write_atomically(&self.path_of(key), &serde_json::to_vec(&kept).map_err(io::Error::other)?)
    }

    /// Copies the units that this plan needs and this store lacks from another folder; returns their number.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn take_from(&self, other: &Store, plan: &Plan) -> io::Result<usize> {
        let mut taken = 0;
        for unit in 0..plan.unit_count() {
            let key = plan.key_of(unit);
            if self.get(key).is_none()
                && let Some(result) = other.get(key)
            {
                self.put(key, &result)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// The lock in the folder, if there is a valid one.
    pub fn lock(&self) -> Option<Lock> {
        serde_json::from_slice(&fs::read(self.folder.join("sweep.lock")).ok()?).ok()
    }

    /// Records in the lock what runs here.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn write_lock(&self, plan: &Plan) -> io::Result<()> {
        let lock = Lock {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_string(),
            scenario: plan.loaded.source.clone(),
            plan: plan.digest(),
            seed: plan.loaded.scenario.seed,
            points: plan.points.len(),
            replications: plan.replications,
            measure: plan.metrics.clone(),
        };
        let mut text = serde_json::to_string_pretty(&lock).map_err(io::Error::other)?;
        text.push('\n');
        write_atomically(&self.folder.join("sweep.lock"), text.as_bytes())
    }
}
