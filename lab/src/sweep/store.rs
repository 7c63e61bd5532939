//! Where the results of a sweep's units are kept: one small file each, written whole or not at all.
//!
//! ```text
//! DIR/sweep.lock          what was run
//! DIR/units/0123…cdef.json   one unit: its values and a digest of them
//! ```
//!
//! A file is written under another name, forced to the disk and renamed. What does not read back with the right digest
//! counts as missing and is run again.

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

/// What `sweep.lock` says.
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
    /// How many points.
    pub points: usize,
    /// Runs of each.
    pub replications: u32,
    /// The metrics that are kept.
    pub measure: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    check: String,
    result: UnitResult,
}

fn check(key: u64, result: &UnitResult) -> String {
    // A result is texts and numbers, and its numbers are written so that they read back as the same.
    format!("{:016x}", hash(key, &serde_json::to_string(result).unwrap_or_default()))
}

impl Store {
    /// Opens a folder, making it if it is not there, and clears away what a killed sweep has left half written in it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: &Path) -> io::Result<Store> {
        let units = folder.join("units");
        fs::create_dir_all(&units)?;
        [folder, &units].into_iter().for_each(remove_left_over);
        Ok(Store { folder: folder.to_path_buf() })
    }

    /// Region.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path_of(&self, key: u64) -> PathBuf {
        self.folder.join("units").join(format!("{key:016x}.json"))
    }

    /// The result of a unit, if there is one that can be trusted.
    pub fn get(&self, key: u64) -> Option<UnitResult> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.path_of(key)).ok()?).ok()?;
        (kept.check == check(key, &kept.result)).then_some(kept.result)
    }

    /// Keeps the result of a unit.
    ///
    /// # Errors
    /// What the file system says.
    pub fn put(&self, key: u64, result: &UnitResult) -> io::Result<()> {
        let kept = Kept { check: check(key, result), result: result.clone() };
        write_atomically(&self.path_of(key), &serde_json::to_vec(&kept).map_err(io::Error::other)?)
    }

    /// Takes over from another folder what this plan needs and this store lacks; says how many units that were.
    ///
    /// # Errors
    /// What the file system says.
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

    /// The lock that stands in the folder.
    pub fn lock(&self) -> Option<Lock> {
        serde_json::from_slice(&fs::read(self.folder.join("sweep.lock")).ok()?).ok()
    }

    /// Writes down what is run here.
    ///
    /// # Errors
    /// What the file system says.
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
