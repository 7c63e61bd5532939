//! Sweeps through the binary: the same bytes regardless of jobs, shards, and crashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SCENARIO: &str = "
version: 1
name: Load and connections
seed: 3
run: {duration: 4s}
workloads:
  clients: {arrivals: {poisson: 100/s}, call: {to: db, timeout: 1s}}
components:
  db: {kind: database, connections: 1, operations: {default: {exp: 5ms}}}
sweep:
  vary:
    workloads.clients.arrivals.poisson: {from: 50/s, to: 150/s, steps: 3}
    components.db.connections: [1, 2]
  replications: 4
  measure: [goodput, workloads.clients.latency.p99]
variants: {narrow: {}, wide: {components.db.connections: 4}}
";

fn brownout(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    brownout(folder, arguments).output().expect("it starts")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("s.yaml"), SCENARIO).expect("written");
    folder
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("list") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).expect("read"));
            }
        }
    }
    found
}

#[test]
fn every_way_to_run_a_sweep_leaves_the_same_bytes() {
    let folder = folder();
    let here = folder.path();
    let one = run(here, &["sweep", "s.yaml", "--out", "one", "--jobs", "1"]);
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    let expected = files(&here.join("one"));
    for name in ["points.csv", "points.jsonl", "summary.csv", "report.html", "sweep.lock"] {
        assert!(expected.contains_key(name), "{name} is missing");
    }
    assert_eq!(expected.keys().filter(|name| name.ends_with(".svg")).count(), 2);
    assert_eq!(expected.keys().filter(|name| name.ends_with(".png")).count(), 2);
    for jobs in ["2", "4"] {
        let other = run(here, &["sweep", "s.yaml", "--out", jobs, "--jobs", jobs]);
        assert_eq!(other.stdout, one.stdout);
        assert!(files(&here.join(jobs)) == expected, "{jobs} jobs leave other bytes");
    }
    // In three shards, as if on three machines.
    for shard in ["3/3", "1/3", "2/3"] {
        let part = format!("part{}", &shard[..1]);
        assert!(run(here, &["sweep", "run-shard", shard, "s.yaml", "--out", &part]).status.success());
    }
    let status = run(here, &["sweep", "status", "s.yaml", "--out", "part1"]);
    assert_eq!((status.status.code(), status.stdout.as_slice()), (Some(1), b"8 of 24 runs are done\n".as_slice()));
    let early = run(here, &["sweep", "merge", "s.yaml", "--out", "merged", "--from", "part1"]);
    assert_eq!(early.status.code(), Some(3), "two thirds are missing");
    let merge =
        ["sweep", "merge", "s.yaml", "--out", "merged", "--from", "part1", "--from", "part2", "--from", "part3"];
    assert!(run(here, &merge).status.success());
    assert!(files(&here.join("merged")) == expected, "the merged bytes are others");
}

#[test]
fn a_sweep_that_was_killed_goes_on_to_the_same_bytes() {
    let folder = folder();
    let here = folder.path();
    let longer = ["sweep", "s.yaml", "--duration", "60s", "--jobs", "1", "--out"];
    let with = |out: &'static str| [longer.as_slice(), &[out]].concat();
    assert!(run(here, &with("whole")).status.success());
    let mut child =
        brownout(here, &with("cut")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let units = here.join("cut/units");
    let done = || fs::read_dir(&units).map_or(0, |found| found.count());
    while done() < 3 && child.try_wait().expect("it can be asked").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    assert!(done() >= 3);
    assert!(run(here, &with("cut")).status.success());
    let mut cut = files(&here.join("cut"));
    // Files that the killed process was writing are never used, and never in the way.
    cut.retain(|name, _| !name.ends_with(".part"));
    assert!(cut == files(&here.join("whole")), "the resumed bytes are others");
}

#[test]
fn a_comparison_says_what_is_real_and_a_search_finds_its_bound() {
    let folder = folder();
    let compared = run(folder.path(), &["compare", "s.yaml", "--out", "compared"]);
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(compared.status.success() && text.contains("wide against narrow:") && text.contains("real:"), "{text}");
    assert!(folder.path().join("compared/report.html").exists());
    let search = [
        "find",
        "s.yaml",
        "--vary",
        "workloads.clients.arrivals.poisson",
        "--between",
        "20/s",
        "400/s",
        "--such-that",
        "workloads.clients.latency.p99 < 100ms",
        "--duration",
        "20s",
        "--resolution",
        "5%",
    ];
    let found = run(folder.path(), &search);
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    // p99 of M/M/1 is ln 100 / (µ − λ): 100 ms at 200 − 46 = 154/s.
    assert!(found.status.success() && text.contains("is the largest"), "{text}");
    let rate = text.lines().last().and_then(|line| line.split("/s").next()).and_then(|rate| rate.parse::<f64>().ok());
    assert!((130.0..=165.0).contains(&rate.expect("a rate")), "{text}");
}

#[test]
fn replications_come_with_intervals_and_the_first_is_the_single_run() {
    let folder = folder();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let arguments = [&["run", "s.yaml", "--format", "json"], arguments].concat();
        serde_json::from_slice(&run(folder.path(), &arguments).stdout).expect("JSON")
    };
    let (mut one, mut ten) = (json(&[]), json(&["--replications", "10"]));
    // The breakdown covers all ten runs: their samples together are about ten times that of one.
    let sampled = [&mut one, &mut ten].map(|run| run["workloads"]["clients"]["breakdown"].take()["sampled"].as_f64());
    let ratio = sampled[1].expect("known") / sampled[0].expect("known");
    assert!((8.0..12.0).contains(&ratio), "{ratio}");
    assert_eq!(one["workloads"], ten["workloads"]);
    assert_eq!(ten["replications"]["n"], 10);
    assert!(ten["replications"]["intervals"]["goodput"]["half_width"].as_f64().expect("known") > 0.0);
    assert!(one.get("replications").is_none());
}
