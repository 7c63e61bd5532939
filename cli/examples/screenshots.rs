//! Makes the pictures of the documentation: drives `watch` in a pseudo-terminal and presses its own `s` key.
//!
//! `scripts/screenshots` builds the program and calls this with its path and the folder of the pictures.

#[cfg(target_os = "linux")]
#[path = "../tests/it/pty.rs"]
#[allow(dead_code)]
mod pty;

#[cfg(target_os = "linux")]
fn main() {
    use std::path::PathBuf;

    use pty_process::blocking::Command;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder] = arguments.as_slice() else {
        eprintln!("usage: screenshots PROGRAM FOLDER");
        std::process::exit(2);
    };
    let program = std::fs::canonicalize(program).expect("the program is there");
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for shot in SHOTS {
        let work = tempfile::tempdir().expect("a temporary folder");
        let command = Command::new(&program).arg("watch").args(shot.arguments).current_dir(work.path());
        let mut session = pty::Session::start(command, shot.size);
        for (keys, words) in shot.keys {
            session.expect(words);
            session.press(keys);
        }
        session.expect(&["written: "]);
        session.press("q");
        session.end();
        let mut files = std::fs::read_dir(work.path()).expect("it is there").filter_map(|file| Some(file.ok()?.path()));
        let picture = files.find(|file| file.extension().is_some_and(|ending| ending == "svg"));
        let target = folder.join(format!("{}.svg", shot.name));
        std::fs::copy(picture.expect("a picture was written"), &target).expect("it can be copied");
        println!("{}", target.display());
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("pictures are made on Linux");
}

/// A picture: what is watched, and which keys are pressed as soon as all the words before them are on the screen.
#[cfg(target_os = "linux")]
struct Shot {
    name: &'static str,
    arguments: &'static [&'static str],
    size: (u16, u16),
    keys: &'static [(&'static str, &'static [&'static str])],
}

#[cfg(target_os = "linux")]
const SHOTS: &[Shot] = &[
    Shot {
        name: "healthy",
        arguments: &["@retry-storm", "--no-tour", "--paused"],
        size: (120, 40),
        keys: &[("]]", &["-0:30.0"]), ("s", &["0:36.0"])],
    },
    Shot {
        name: "storm",
        arguments: &["@retry-storm", "--no-tour", "--paused"],
        size: (120, 40),
        keys: &[("]]]", &["-0:30.0"]), ("s", &["1:09.0"])],
    },
    Shot {
        name: "branch",
        arguments: &["@retry-storm", "--no-tour", "--paused"],
        size: (160, 45),
        keys: &[
            ("]]", &["-0:30.0"]),
            ("b", &["0:36.0"]),
            ("k/max_attempts\r\r", &["two futures"]),
            ("\u{7f}1\r", &["↑ ↓ turn the number"]),
            ("1]]", &["max_attempts = 1"]),
            ("s", &["1:42.0", "B  workloads"]),
        ],
    },
    Shot {
        name: "requests",
        arguments: &["@retry-storm", "--no-tour", "--paused"],
        size: (120, 40),
        keys: &[("]]]]]]]]4", &["-0:30.0"]), ("s", &["3:54.0", "given up"])],
    },
    Shot {
        name: "charts",
        arguments: &["@retry-storm", "--no-tour", "--paused"],
        size: (120, 40),
        keys: &[("]]]]]]]]2", &["-0:30.0"]), ("s", &["3:54.0", "amplification"])],
    },
    Shot {
        name: "cascade",
        arguments: &["@pool-exhaustion-cascade", "--paused"],
        size: (120, 40),
        keys: &[("]]]]]", &["‖"]), ("s", &["↯"])],
    },
];
