//! `check`: reads and checks scenarios without running them.

use std::process::ExitCode;

use analysis::explain::under_faults;
use clap::{Args, ValueEnum};
use language::diagnostics::{self, Style};
use settings::shown::shown;

use crate::input::{self, Changes, Failure};

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON, for editors.
    Json,
}

/// Checks scenarios and all their variants; prints every problem with its place.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Scenario files, `-` for standard input, or `@name` for built-in ones.
    #[arg(required = true)]
    files: Vec<String>,
    #[command(flatten)]
    changes: Changes,
    /// Print the scenario with every default filled in.
    #[arg(long)]
    resolved: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Check {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let mut wrong = false;
        let mut json = Vec::new();
        for file in &self.files {
            let text = input::text(file)?;
            let options = self.changes.options();
            let checked = lab::check::check(&text, &options);
            let (problems, sources) = match &checked {
                Ok(loaded) => ([loaded.warnings.clone(), under_faults(loaded)].concat(), &loaded.sources),
                Err(refused) => (refused.problems.clone(), &refused.sources),
            };
            wrong |= checked.is_err();
            match self.format {
                Format::Json => json.push(diagnostics::to_json(&problems, sources)),
                Format::Text if !problems.is_empty() => {
                    let style = if self.changes.color.on_stderr() { Style::Coloured } else { Style::Plain };
                    input::tell(diagnostics::render(&problems, sources, style).trim_end());
                }
                Format::Text if !self.resolved => input::print(&format!("{}: ok\n", shown(&text.name)))?,
                Format::Text => {}
            }
            if let (Ok(loaded), true) = (&checked, self.resolved) {
                input::print(&loaded.resolved())?;
            }
        }
        if self.format == Format::Json {
            let all: Vec<serde_json::Value> = json
                .into_iter()
                .flat_map(|one| match one {
                    serde_json::Value::Array(problems) => problems,
                    other => vec![other],
                })
                .collect();
            let text = serde_json::to_string_pretty(&all).map_err(|e| Failure::Failed(e.to_string()))?;
            input::print(&format!("{text}\n"))?;
        }
        Ok(if wrong { ExitCode::from(2) } else { ExitCode::SUCCESS })
    }
}
