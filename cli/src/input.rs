//! Shared parts of commands: finding scenarios, common options, reporting problems, exit codes.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use lab::{Loaded, Options, Refused, Text};
use language::diagnostics::{self, Style};
use language::document::BYTES_MAX;
use language::reading;
use settings::Scalar;

/// The exit code after an interruption, as shells report it: 128 plus the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn on(self, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }

    pub(crate) fn on_stdout(self) -> bool {
        self.on(io::stdout().is_terminal())
    }

    pub(crate) fn on_stderr(self) -> bool {
        self.on(io::stderr().is_terminal())
    }
}

/// The scenario, and changes to it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Scenario {
    /// A scenario file, `-` for standard input, or `@name` for a built-in one.
    #[arg(default_value = "@retry-storm")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

/// Changes to a scenario.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Changes {
    /// Random seed, instead of the file's.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Replace the value at a path; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Variant of the file to apply.
    #[arg(long)]
    pub(crate) variant: Option<String>,
    /// Simulated time after the warm-up, instead of the file's.
    #[arg(long)]
    pub(crate) duration: Option<String>,
    /// Memory limit of the scenario, such as 16GiB; default 8 GiB.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) memory: Option<u64>,
    /// When to use colours.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: Color,
}

/// Parses a size in the notation of scenarios.
fn bytes(text: &str) -> Result<u64, String> {
    settings::Size::parse(text).map(|size| size.0).map_err(|problem| problem.message)
}

impl Changes {
    /// The changes as options for loading.
    pub(crate) fn options(&self) -> Options {
        Options {
            variant: self.variant.clone(),
            overrides: self.set.clone(),
            duration: self.duration.clone(),
            seed: self.seed,
            memory: self.memory,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The scenario is invalid.
    Refused(Box<Refused>, Color),
    /// The command line is invalid.
    Usage(String),
    /// The command failed during its work.
    Failed(String),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Failure::Refused(..) | Failure::Usage(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::from(3),
        }
    }

    pub(crate) fn show(&self) {
        let coloured = matches!(self, Failure::Refused(_, color) if color.on_stderr());
        let text = self.text(if coloured { Style::Coloured } else { Style::Plain });
        tell(text.trim_end());
    }

    /// The problems, in several lines.
    pub(crate) fn text(&self, style: Style) -> String {
        match self {
            Failure::Refused(refused, _) => diagnostics::render(&refused.problems, &refused.sources, style),
            Failure::Usage(text) | Failure::Failed(text) => format!("error: {}", settings::shown::shown_lines(text)),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Failed(error.to_string())
    }
}

/// Reads the text of a scenario by its name.
pub(crate) fn text(file: &str) -> Result<Text, Failure> {
    if let Some(name) = file.strip_prefix('@') {
        let Some(text) = language::builtin::text(name) else {
            let names = language::builtin::SCENARIOS.iter().map(|(n, _)| *n);
            let help =
                settings::problem::did_you_mean(name, names).unwrap_or_else(|| "see `brownout scenarios`".into());
            return Err(Failure::Usage(format!("no built-in scenario is called `{name}`; {help}")));
        };
        return Ok(Text { name: file.to_string(), bytes: text.as_bytes().to_vec(), folder: None });
    }
    if file == "-" {
        let mut bytes = Vec::new();
        // Read one byte more than the maximum, to detect longer input.
        let mut most = io::stdin().lock().take(BYTES_MAX as u64 + 1);
        most.read_to_end(&mut bytes).map_err(|e| Failure::Usage(format!("standard input: {e}")))?;
        return Ok(Text { name: "<stdin>".into(), bytes, folder: None });
    }
    let path = Path::new(file);
    let bytes = reading::regular(path, BYTES_MAX as u64)
        .map_err(|why| Failure::Usage(format!("cannot read `{}`: {why}", settings::shown::shown(file))))?;
    let folder = path.parent().map(|p| if p.as_os_str().is_empty() { Path::new(".").into() } else { p.to_path_buf() });
    Ok(Text { name: file.into(), bytes, folder })
}

/// Finds, reads and checks a scenario; prints warnings on standard error.
pub(crate) fn load(scenario: &Scenario) -> Result<Loaded, Failure> {
    let text = text(&scenario.file)?;
    let color = scenario.changes.color;
    let loaded =
        lab::load(&text, &scenario.changes.options()).map_err(|refused| Failure::Refused(Box::new(refused), color))?;
    Ok(loaded)
}

/// Writes lines to standard error, and ignores failures.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes to standard output; a closed pipe is not an error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_with(|out| out.write_all(text.as_bytes()))
}

/// The same for output that is produced while it is written.
pub(crate) fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| Failure::Failed(format!("standard output: {e}"))),
    }
}
