//! Interrupted commands and failed writes: the results so far are reported, marked as cut short, and no partial file is ever
//! left.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SCENARIO: &str = "
version: 1
name: Short runs
seed: 3
run: {duration: 10s}
workloads:
  clients: {arrivals: {poisson: 100/s}, call: {to: db, timeout: 1s}}
components:
  db: {kind: database, connections: 1, operations: {default: {exp: 5ms}}}
sweep:
  vary: {components.db.connections: {from: 1, to: 50, steps: 50}}
  replications: 2000
  measure: [goodput]
variants: {narrow: {}, wide: {components.db.connections: 4}}
";

fn brownout(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("s.yaml"), SCENARIO).expect("written");
    folder
}

/// Sends the signal of Ctrl-C.
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is `kill`");
    assert!(sent.success());
}

/// Starts far more work than the test can wait for, interrupts it after it has used some processor time, and returns its
/// exit code and output.
fn cut(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut child = brownout(folder, arguments).spawn().expect("it starts");
    wait_for_work(&mut child);
    interrupt(&child);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// Fields of the process status after its name: the first is the state, the twelfth the user time, in hundredths of a second.
fn status(child: &Child) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it has not been waited for");
    text.rsplit(')').next().unwrap_or_default().split_whitespace().map(String::from).collect()
}

/// Processor time used by a process, in hundredths of a second.
fn processor_time(child: &Child) -> u64 {
    status(child)[11].parse().expect("a number")
}

/// Waits until the program has used half a second of processor time; a run takes a few milliseconds of it. A busy machine
/// only makes this slower.
fn wait_for_work(child: &mut Child) {
    let began = Instant::now();
    while processor_time(child) < 50 {
        assert_eq!(child.try_wait().expect("it can be asked"), None, "it has ended by itself");
        assert!(began.elapsed() < Duration::from_secs(120), "it does not work");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the program is in a state: R for running, S for sleeping, Z for ended. Ten consecutive checks must agree.
fn wait_for_state(child: &Child, state: &str) {
    let (began, mut seen) = (Instant::now(), 0);
    while seen < 10 {
        seen = if status(child)[0] == state { seen + 1 } else { 0 };
        assert!(began.elapsed() < Duration::from_secs(120), "it is never in state {state}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn interrupted_replications_print_those_that_have_ended() {
    let folder = folder();
    let (code, out, err) = cut(folder.path(), &["run", "s.yaml", "--replications", "1000000", "--jobs", "1"]);
    assert_eq!(code, Some(130), "{err}");
    assert!(out.contains("cut short: the figures "), "{out}\n{err}");
    assert!(out.contains(" runs (the report above") && out.contains("goodput"), "{out}");
    let json = ["run", "s.yaml", "--replications", "1000000", "--jobs", "1", "--format", "json"];
    let (code, out, err) = cut(folder.path(), &json);
    assert_eq!(code, Some(130), "{err}");
    let result: serde_json::Value = serde_json::from_str(&out).expect("whole JSON");
    assert_eq!(result["replications"]["cut_short"], true);
    assert!(result["replications"]["n"].as_u64().is_some_and(|n| (2..1_000_000).contains(&n)), "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_run_prints_what_it_has_measured() {
    let folder = folder();
    for arguments in [
        &["run", "s.yaml", "--duration", "1000h"][..],
        // None of several long runs has ended: the partial result of the first one is reported.
        &["run", "s.yaml", "--duration", "1000h", "--replications", "3", "--jobs", "1"],
    ] {
        let (code, out, err) = cut(folder.path(), arguments);
        assert_eq!(code, Some(130), "{err}");
        assert!(out.starts_with("Short runs") && out.contains("CUT SHORT at"), "{out}\n{err}");
    }
}

/// There is a single window, and far more happens in it than the test can wait for.
#[test]
#[cfg(target_os = "linux")]
fn a_run_is_interrupted_in_the_middle_of_a_window() {
    let folder = folder();
    let long = ["run", "s.yaml", "--duration", "10000h", "--set", "run.window=10000h", "--jobs", "1"];
    for more in [&[][..], &["--replications", "3"], &["--out", "out"]] {
        let (code, out, err) = cut(folder.path(), &[&long, more].concat());
        assert_eq!(code, Some(130), "{err}");
        assert!(out.starts_with("Short runs") && out.contains("CUT SHORT at"), "{out}\n{err}");
        assert!(out.contains("goodput") && !out.contains("CUT SHORT at 0s"), "{out}");
    }
    assert!(folder.path().join("out/report.html").is_file());
    let (code, out, err) = cut(folder.path(), &[&long[..], &["--format", "json"]].concat());
    assert_eq!(code, Some(130), "{err}");
    let result: serde_json::Value = serde_json::from_str(&out).expect("whole JSON");
    assert_eq!(result["run"]["finished"], false);
    assert!(result["workloads"]["clients"]["completed"].as_u64().is_some_and(|count| count > 1000), "{out}");
}

/// After the request to end, the run takes some milliseconds of processor time; the real time on a busy machine does not
/// matter.
#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_run_needs_a_fifth_of_a_second_of_a_processor_to_end() {
    let folder = folder();
    let long = ["run", "s.yaml", "--duration", "10000h", "--set", "run.window=10000h"];
    let mut child = brownout(folder.path(), &long).spawn().expect("it starts");
    wait_for_work(&mut child);
    let before = processor_time(&child);
    interrupt(&child);
    wait_for_state(&child, "Z");
    let took = processor_time(&child) - before;
    assert!(took <= 20, "{took} hundredths of a second");
    assert_eq!(child.wait().expect("it has ended").code(), Some(130));
}

/// The first signal requests the results so far; the second arrives while they are being prepared.
#[test]
#[cfg(target_os = "linux")]
fn a_second_interruption_ends_the_program_at_once() {
    let folder = folder();
    // The output is larger than the pipe's buffer and is not read, so printing never ends.
    let long = ["run", "s.yaml", "--duration", "500h", "--set", "run.window=1s", "--format", "json"];
    let mut child = brownout(folder.path(), &long).spawn().expect("it starts");
    wait_for_work(&mut child);
    interrupt(&child);
    wait_for_state(&child, "S");
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_comparison_and_sweep_print_what_has_ended() {
    let folder = folder();
    let (code, out, err) = cut(folder.path(), &["compare", "s.yaml", "--replications", "1000000", "--jobs", "1"]);
    assert_eq!(code, Some(130), "{err}");
    assert!(out.contains("Cut short: the figures cover the "), "{out}");
    let (code, out, err) = cut(folder.path(), &["sweep", "s.yaml", "--jobs", "1"]);
    assert_eq!(code, Some(130), "{err}");
    assert!(out.contains("cut short: the figures cover the ") && out.contains("of 100000 runs"), "{out}\n{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_search_prints_its_evidence() {
    let folder = folder();
    // One end of the range is a run of milliseconds, the other a run of hours.
    let (code, out, err) = cut(
        folder.path(),
        &["find", "s.yaml", "--vary", "run.duration", "--between", "1s", "1000h", "--such-that", "goodput > 1/s"],
    );
    assert_eq!(code, Some(130), "{err}");
    assert!(out.contains("run.duration") && out.contains("1s") && out.contains("holds"), "{out}\n{err}");
    assert!(out.ends_with("Cut short without an answer: only one end of run.duration has been tried.\n"), "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_sweep_goes_on_to_the_same_bytes() {
    let folder = folder();
    let small = SCENARIO.replace("steps: 50", "steps: 5").replace("replications: 2000", "replications: 20");
    fs::write(folder.path().join("s.yaml"), small).expect("written");
    let with = |out: &'static str| ["sweep", "s.yaml", "--duration", "300s", "--jobs", "1", "--out", out];
    let (code, out, err) = cut(folder.path(), &with("cut"));
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(err.contains("cut short: ") && err.contains("run the same command to resume"), "{err}");
    for out in ["cut", "whole"] {
        let ended = brownout(folder.path(), &with(out)).output().expect("it runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    for name in ["points.csv", "points.jsonl", "summary.csv", "report.html", "latency.hlog", "meta.json", "sweep.lock"]
    {
        let read = |out: &str| fs::read(folder.path().join(out).join(name)).expect("it was written");
        assert!(read("cut") == read("whole"), "{name} differs");
    }
}

#[test]
fn what_a_killed_run_has_left_half_written_is_cleared_away_by_the_next() {
    let folder = folder();
    for arguments in [
        &["run", "s.yaml", "--out", "out"][..],
        &["compare", "s.yaml", "--replications", "2", "--out", "out"],
        &["sweep", "s.yaml", "--replications", "1", "--set", "run.duration=1s", "--out", "out"],
    ] {
        let out = folder.path().join("out");
        fs::create_dir_all(out.join("units")).expect("a folder");
        let left = [".report.html.4711.part", ".result.json.1.part"].map(|name| out.join(name));
        left.iter().for_each(|path| fs::write(path, "half").expect("written"));
        fs::write(out.join(".mine.part"), "whole").expect("written");
        let unit = out.join("units/.0123456789abcdef.json.4711.part");
        fs::write(&unit, "half").expect("written");
        let ended = brownout(folder.path(), arguments).output().expect("it runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        assert!(left.iter().all(|path| !path.exists()) && out.join(".mine.part").exists(), "{arguments:?}");
        assert_eq!(unit.exists(), arguments[0] != "sweep", "only a sweep has units");
        fs::remove_dir_all(out).expect("it is there");
    }
}

#[test]
fn a_folder_that_cannot_be_made_ends_with_3() {
    let folder = folder();
    // A folder inside a regular file cannot be created by any user.
    fs::write(folder.path().join("file"), "x").expect("written");
    for arguments in [
        &["run", "s.yaml", "--out", "file/out"][..],
        &["compare", "s.yaml", "--replications", "2", "--out", "file/out"],
        &["sweep", "s.yaml", "--replications", "1", "--set", "run.duration=1s", "--out", "file/out"],
    ] {
        let ended = brownout(folder.path(), arguments).output().expect("it runs");
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{arguments:?}: {err}");
        assert!(err.contains("file/out"), "{arguments:?}: {err}");
        assert!(fs::read_to_string(folder.path().join("file")).is_ok_and(|text| text == "x"));
    }
}

/// A file system of 300 kB, too small for charts and pages. If ordinary users may not mount one, the test says so; that a
/// write that fails half-way leaves nothing behind is also tested in `lab/src/file.rs`, without such a file system.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_with_3_and_leaves_no_half_of_a_file() {
    let folder = folder();
    let script = format!(
        "mkdir tiny && mount -t tmpfs -o size=300k none tiny && {} run s.yaml --out tiny/out --quiet >/dev/null; \
         echo code $?; ls -A tiny/out tiny/out/*; cat tiny/out/result.json",
        env!("CARGO_BIN_EXE_brownout")
    );
    let command = ["--user", "--map-root-user", "--mount", "sh", "-c", &script];
    let Ok(ended) = Command::new("unshare").args(command).current_dir(folder.path()).output() else {
        eprintln!("skipped: there is no `unshare` here");
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    if err.contains("unshare") || err.contains("mount:") {
        eprintln!("skipped: no file system can be mounted here: {err}");
        return;
    }
    assert!(out.starts_with("code 3\n"), "{out}\n{err}");
    assert!(err.contains("tiny/out/") && err.contains("space"), "{err}");
    assert!(!out.contains(".part"), "half of a file is left: {out}");
    let json = out.split_once("\n{").map(|(_, rest)| format!("{{{rest}")).expect("the first file was whole");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{out}");
}
