//! Runs the program as a user would, and captures its output.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The output of a finished program.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Its standard output; fails if the exit code is not 0.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "standard error:\n{}", self.err);
        self.out
    }
}

/// The program, without environment variables that could change its output.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(arguments).env_remove("NO_COLOR").env_remove("COLUMNS");
    command
}

/// Runs the program to its end without input.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    run_with(arguments, "")
}

/// Runs the program to its end with the given standard input.
pub(crate) fn run_with(arguments: &[&str], input: &str) -> Ended {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built with this test");
    let mut stdin = child.stdin.take().expect("asked for above");
    // A program that rejects its arguments does not read its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends by itself");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository").to_path_buf()
}

/// A small scenario that runs very quickly.
pub(crate) const SMALL: &str = "\
version: 1
name: Small
seed: 3
run: {duration: 2s, warmup: 0s, window: 1s}
workloads:
  users: {arrivals: {poisson: 100/s}, call: db}
components:
  db: {kind: database, connections: 2, operations: {default: {exp: 5ms}}}
variants:
  busy: {workloads.users.arrivals.poisson: 300/s}
";
