//! Other simulators doing the same works, as programs of their own: `cli/benches/peers`, which `scripts/peers` builds.
//!
//! A program is run for many requests and for one; the difference is what the requests took, without loading an
//! interpreter and its libraries. Who is not there or cannot do a work is left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Measured;

/// Another simulator.
pub(crate) struct Peer {
    /// Its name and version.
    pub(crate) name: &'static str,
    program: Program,
    /// The works it can do, and with how many requests it takes about a second.
    works: &'static [(&'static str, u64)],
    /// The mean of what it does in place of work A, s.
    pub(crate) other_mean_s: Option<f64>,
}

enum Program {
    Rust(&'static str),
    Python(&'static str),
}

/// All of them, with the versions in the lock file and `requirements.txt` of `cli/benches/peers`.
pub(crate) const PEERS: &[Peer] = &[
    rust("simcore 0.1", "simcore", &[("work-a", 10_000_000), ("work-b", 2_000_000), ("work-c", 1_000_000)]),
    rust("simrs 0.2", "simrs", &[("work-a", 5_000_000), ("work-b", 2_000_000), ("work-c", 1_000_000)]),
    rust("nexosim 1.0", "nexosim", &[("work-a", 2_000_000), ("work-b", 1_000_000), ("work-c", 500_000)]),
    python("SimPy 4.1", "simpy", &[("work-a", 200_000), ("work-b", 100_000), ("work-c", 20_000)]),
    python("Ciw 3.2", "ciw", &[("work-a", 50_000)]),
    python("happysim 0.2", "happysim", &[("work-a", 40_000)]),
    Peer { other_mean_s: Some(3.0), ..python("asyncflow 0.1 (M/D/1)", "asyncflow", &[("work-a", 40_000)]) },
    python("salabim 26", "salabim", &[("work-a", 10_000), ("work-b", 5_000)]),
];

const fn rust(name: &'static str, program: &'static str, works: &'static [(&'static str, u64)]) -> Peer {
    Peer { name, program: Program::Rust(program), works, other_mean_s: None }
}

const fn python(name: &'static str, program: &'static str, works: &'static [(&'static str, u64)]) -> Peer {
    Peer { name, program: Program::Python(program), works, other_mean_s: None }
}

impl Peer {
    /// How many requests of this work it does; nothing if it cannot do it.
    pub(crate) fn requests(&self, work: &str) -> Option<u64> {
        self.works.iter().find(|(name, _)| *name == work).map(|(_, requests)| *requests)
    }

    /// Whether it was built, on a system on which its processor time can be read.
    pub(crate) fn is_there(&self) -> bool {
        cfg!(target_os = "linux") && self.command().is_some()
    }

    /// Runs so many requests of a work.
    pub(crate) fn measure(&self, work: &str, requests: u64) -> Measured {
        let (one_s, _) = self.run(work, 1);
        let (all_s, mean_s) = self.run(work, requests);
        Measured { ns: (all_s - one_s) * 1e9 / (requests - 1) as f64, requests, mean_s }
    }

    /// Processor time of a run, s, and the mean latency that it found, s.
    fn run(&self, work: &str, requests: u64) -> (f64, f64) {
        let mut command = self.command().expect("only what is there is run");
        command.arg(work.trim_start_matches("work-")).arg(requests.to_string()).stderr(Stdio::null());
        let before = processor_time_of_children_s();
        let output = command.output().unwrap_or_else(|why| panic!("{}: {why}", self.name));
        let took = processor_time_of_children_s() - before;
        assert!(output.status.success(), "{} fails at {work}", self.name);
        let said = String::from_utf8_lossy(&output.stdout);
        let mean = said.lines().last().and_then(|line| line.trim().parse().ok());
        (took, mean.unwrap_or_else(|| panic!("{}: {said:?} is no mean", self.name)))
    }

    fn command(&self) -> Option<Command> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let (program, script) = match self.program {
            Program::Rust(name) => (built()?.join("release").join(name), None),
            Program::Python(name) => (built()?.join("python/bin/python"), Some(name)),
        };
        program.exists().then(|| {
            let mut command = Command::new(program);
            command.env("PYTHONDONTWRITEBYTECODE", "1");
            command.args(script.map(|name| sources.join(format!("python/with_{name}.py"))));
            command
        })
    }
}

/// Where `scripts/peers` puts what it builds: `peers` beside the `release` in which this program lies.
fn built() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.ancestors().nth(3)?.join("peers"))
}

/// Processor time of all programs that were run and have ended, s: fields 16 and 17 of `/proc/self/stat`, in hundredths
/// (proc(5)).
fn processor_time_of_children_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("peers are timed by /proc");
    // The name in field 2 may hold spaces and ends with the last parenthesis.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    (fields[13] + fields[14]) / 100.0
}
