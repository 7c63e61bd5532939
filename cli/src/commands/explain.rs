//! `explain`: the simulated system, and what is known about it without running it.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use language::diagnostics::Style;

use crate::input::{self, Failure, Scenario};

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON with everything.
    Json,
}

/// Explains a scenario without running it: call graph, policies, capacity, and warnings.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    scenario: Scenario,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Explain {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let loaded = input::load(&self.scenario)?;
        let explained = analysis::explain::explain(&loaded);
        match self.format {
            Format::Text => {
                let style = if self.scenario.changes.color.on_stdout() { Style::Coloured } else { Style::Plain };
                input::print(&report::explain::text(&explained, style))?;
            }
            Format::Json => input::print(&report::explain::json(&explained))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
