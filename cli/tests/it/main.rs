//! Tests of the program from outside: arguments, exit codes, messages, the expected texts of the scenarios; and the layering.

mod binary;
mod circles;
mod expected;
mod explain;
#[cfg(target_os = "linux")]
#[path = "../../../tui/tests/it/fake.rs"]
#[allow(dead_code)]
mod fake;
mod interrupted;
mod layers;
mod program;
#[cfg(target_os = "linux")]
mod pty;
mod readme;
mod sweep;
#[cfg(target_os = "linux")]
mod terminal;
mod validation;
#[path = "../../src/watched.rs"]
mod watched;
mod watching;
