//! Embeds the scenarios of the repository.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../scenarios");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the scenarios are beside this crate")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let (mut scenarios, mut tours) = (String::new(), String::new());
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let stem = file.file_stem().and_then(|s| s.to_str()).expect("a name in UTF-8");
        let path = file.canonicalize().expect("an existing file");
        let (list, name) = match stem.strip_suffix(".tour") {
            Some(name) => (&mut tours, name),
            None => (&mut scenarios, stem),
        };
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string()).expect("a string takes all");
    }
    let code = format!(
        "/// The scenarios that are built in: name and text, by name.\npub const SCENARIOS: &[(&str, &str)] = &[\n{scenarios}];\n\
         /// Their tours: the name of the scenario and the text of the tour.\npub const TOURS: &[(&str, &str)] = &[\n{tours}];\n"
    );
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("scenarios.rs");
    fs::write(out, code).expect("the build folder can be written");
}
