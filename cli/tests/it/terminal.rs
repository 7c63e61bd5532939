//! `watch` in a real pseudo-terminal: a session from the first key to the last, and restoring the terminal in every case.

use std::path::Path;

use pty_process::blocking::Command;
use rustix::process::Signal;
use tui::{Choice, Opened, Source};

use crate::fake::{Fake, Only, three};
use crate::program::run;
use crate::pty::{LEAVE, Session};

fn watch(arguments: &[&str], folder: &Path, size: (u16, u16)) -> Session {
    let command = Command::new(env!("CARGO_BIN_EXE_brownout")).arg("watch").args(arguments).current_dir(folder);
    Session::start(command, size)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_session_from_the_list_to_the_end() {
    let folder = folder();
    let mut session = watch(&["--paused", "--no-tour", "--speed", "5"], folder.path(), (120, 40));
    // Start: choose from the list.
    session.expect(&["What do you want to watch?"]);
    session.press("retry-storm\r");
    session.expect(&["Checkout under a slow database", "‖", "-0:30.0 / 5:00", "shoppers", "db"]);
    // Play, and pause.
    session.press(" ");
    session.expect_without("-0:30.0", &["▶ ×5", " / 5:00"]);
    session.press(" ");
    session.expect(&["‖ ×5"]);
    // Forward to the storm, and rewind to before it.
    session.press("\u{1b}[H]]]]");
    session.expect(&["1:42.0 / 5:00", "×2.", "wasted"]);
    session.press("[[");
    let before = session.expect(&["0:36.0 / 5:00"]);
    assert!(!before.contains("×2."), "{before}");
    // Branch, inject a fault into one future, and show both.
    session.press("b");
    session.expect(&["two futures from here", "A  unchanged", "B  unchanged"]);
    session.press("/db\r7");
    session.expect(&["slow", "errors"]);
    session.press("\r");
    session.expect(&["inject a fault now", "slow: {component: db"]);
    session.press("\r1]");
    let both = session.expect(&["1:09.0 / 5:00", "B  ↯ ", "A  unchanged"]);
    assert!(both.contains("changes act on B"), "{both}");
    // Save a picture, and the scenario of this future.
    session.press("s");
    session.expect(&["written: "]);
    session.press("e");
    session.expect(&["-changed.yaml"]);
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
    session.is_restored();
    assert!(session.bytes().contains(LEAVE));
    let files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("it is there")
        .filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let file = |ending: &str| {
        let found = files.iter().find(|file| file.ends_with(ending)).unwrap_or_else(|| panic!("{ending} of {files:?}"));
        folder.path().join(found)
    };
    assert!(std::fs::read_to_string(file(".svg")).expect("a picture").starts_with("<svg"));
    assert!(std::fs::read_to_string(file(".txt")).expect("a text").contains("A  unchanged"));
    let exported = file(".yaml");
    assert!(std::fs::read_to_string(&exported).expect("a scenario").contains("36s"), "the fault strikes where it did");
    assert_eq!(run(&["check", &exported.to_string_lossy()]).code, Some(0));
}

#[test]
fn a_wrong_file_is_shown_and_read_again_when_it_is_saved() {
    let folder = folder();
    let path = folder.path().join("shop.yaml");
    let right = language::builtin::text("pool-ceiling").expect("it is built in");
    std::fs::write(&path, right.replace("duration:", "durration:")).expect("a file");
    let mut session = watch(&["shop.yaml", "--paused"], folder.path(), (100, 30));
    session.expect(&["shop.yaml cannot be run", "durration", "did you mean `duration`?"]);
    std::fs::write(&path, right).expect("a file");
    session.expect(&["The ceiling of a pool"]);
    std::fs::write(&path, right.replace("name:", "naame:")).expect("a file");
    session.expect(&["shop.yaml cannot be run", "esc returns to the previous run"]);
    session.press("\u{1b}");
    session.expect(&["The ceiling of a pool", "‖"]);
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
    session.is_restored();
}

#[test]
fn what_no_save_can_mend_is_told_before_the_screen_is_taken() {
    let folder = folder();
    for arguments in [&["no-such-file.yaml"][..], &["@no-such-scenario"], &["@retry-storm", "--set", "nonsense=1"]] {
        let mut session = watch(arguments, folder.path(), (80, 24));
        assert_eq!(session.end().code(), Some(2));
        session.is_restored();
        assert!(session.bytes().contains("error") && !session.bytes().contains("\u{1b}[?1049h"));
    }
}

#[test]
fn another_size_is_drawn_anew() {
    let folder = folder();
    let mut session = watch(&["@pool-ceiling", "--paused"], folder.path(), (80, 24));
    session.expect(&["The ceiling of a pool"]);
    for size in [(200, 60), (60, 20), (120, 40)] {
        session.resize(size);
        session.expect(&["The ceiling of a pool", "quit"]);
    }
    session.press("q");
    session.end();
    session.is_restored();
}

#[test]
fn the_terminal_is_given_back_after_control_c_and_signals() {
    let folder = folder();
    let signals =
        [("SIGINT", Signal::INT), ("SIGTERM", Signal::TERM), ("SIGHUP", Signal::HUP), ("SIGQUIT", Signal::QUIT)];
    let by_signal = signals.map(|(name, signal)| (name, Some(signal), 130));
    for (name, signal, code) in [("control-c", None, 0)].into_iter().chain(by_signal) {
        let mut session = watch(&["@retry-storm", "--no-tour"], folder.path(), (80, 24));
        session.expect(&["shoppers", "▶"]);
        match signal {
            None => session.press("\u{3}"),
            Some(signal) => session.signal(signal),
        }
        assert_eq!(session.end().code(), Some(code), "{name}");
        session.is_restored();
        assert!(session.bytes().contains(LEAVE), "{name}");
    }
}

/// A shell with job control runs the program, so that it can be suspended and resumed.
#[test]
fn control_z_suspends_and_the_program_comes_back_with_its_terminal() {
    let script = format!(
        "{} watch @retry-storm --no-tour --paused; echo suspended: $?; read line; fg >/dev/null; echo ended: $?",
        env!("CARGO_BIN_EXE_brownout")
    );
    let mut session = Session::start(Command::new("sh").args(["-m", "-c", &script]), (80, 24));
    session.expect(&["shoppers", "‖"]);
    session.is_taken();
    session.press("\u{1a}");
    session.wait_for("suspended: 1");
    session.is_restored();
    session.press("\n");
    session.is_taken_again("shoppers");
    session.press("q");
    session.wait_for("ended: 0");
    assert_eq!(session.end().code(), Some(0));
    session.is_restored();
}

/// If no process could resume the program, it is not suspended, and continues with its screen.
#[test]
fn control_z_without_job_control_changes_nothing() {
    let folder = folder();
    let mut session = watch(&["@pool-ceiling", "--paused"], folder.path(), (80, 24));
    session.expect(&["The ceiling of a pool"]);
    session.press("\u{1a}");
    session.is_taken_again("The ceiling of a pool");
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
    session.is_restored();
}

/// Resets the terminal while the program is stopped, as a shell would.
#[test]
fn a_program_that_was_stopped_takes_the_terminal_again_when_it_goes_on() {
    let folder = folder();
    let mut session = watch(&["@pool-ceiling", "--paused"], folder.path(), (80, 24));
    session.expect(&["The ceiling of a pool"]);
    session.signal(Signal::STOP);
    session.reset_modes();
    session.signal(Signal::CONT);
    session.is_taken_again("The ceiling of a pool");
    session.press("q");
    assert_eq!(session.end().code(), Some(0));
    session.is_restored();
}

#[test]
fn a_report_is_as_wide_as_its_terminal() {
    let lines = |columns: u16| {
        let command = Command::new(env!("CARGO_BIN_EXE_brownout"));
        let command = command.args(["run", "@retry-storm", "--color", "never", "--quiet"]);
        let mut session = Session::start(command, (columns, 100));
        assert_eq!(session.end().code(), Some(0));
        let text = session.bytes();
        text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0)
    };
    assert_eq!([lines(70), lines(80), lines(160)], [70, 80, 100]);
}

/// Panics while the screen is taken, on the simulation's thread or on the drawing thread.
struct Panics {
    storm: Only,
    here: bool,
}

impl Source for Panics {
    type Simulation = Fake;

    fn choices(&self) -> Vec<Choice> {
        self.storm.choices()
    }

    fn open(&mut self, choice: usize) -> Result<Opened<Fake>, String> {
        assert!(!self.here, "a panic of the screen");
        self.storm.open(choice)
    }
}

/// Not a test: the program that the two tests below run in their terminal.
#[test]
#[ignore = "run in a pseudo-terminal by the tests below"]
fn a_program_whose_simulation_panics() {
    let mut simulation = Fake::new(three());
    simulation.panics_at_ns = Some(-29_000_000_000);
    let storm = Only { simulation, captions: Vec::new() };
    let ended = tui::watch(Panics { storm, here: false }, Some(0), tui::Options::default());
    println!("it said: {}", ended.expect_err("it has failed"));
}

#[test]
#[ignore = "run in a pseudo-terminal by the tests below"]
fn a_program_whose_screen_panics() {
    let storm = Only { simulation: Fake::new(three()), captions: Vec::new() };
    let _ = tui::watch(Panics { storm, here: true }, Some(0), tui::Options::default());
}

fn in_a_terminal(test: &str) -> Session {
    let this = std::env::current_exe().expect("it runs");
    let name = format!("terminal::{test}");
    let arguments = ["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"];
    Session::start(Command::new(this).args(arguments), (80, 24))
}

#[test]
fn the_terminal_is_given_back_when_the_simulation_panics() {
    let mut session = in_a_terminal("a_program_whose_simulation_panics");
    session.end();
    session.is_restored();
    let (bytes, screen) = (session.bytes(), session.screen());
    assert!(bytes.contains(LEAVE) && screen.contains("it said: the simulation has failed"), "{screen}");
    let left = bytes.find(LEAVE).expect("seen above");
    assert!(bytes[left..].contains("panicked at"), "the message is written where it can be read: {screen}");
}

#[test]
fn the_terminal_is_given_back_when_the_screen_panics() {
    let mut session = in_a_terminal("a_program_whose_screen_panics");
    session.end();
    session.is_restored();
    let bytes = session.bytes();
    let left = bytes.find(LEAVE).expect("the alternate screen is left");
    assert!(bytes[left..].contains("a panic of the screen"), "{}", session.screen());
}
