//! `scenarios`: the built-in scenarios.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::input::{self, Failure};

/// Lists, prints or copies the built-in scenarios.
#[derive(Args, Debug)]
pub(crate) struct Scenarios {
    #[command(subcommand)]
    what: Option<What>,
}

/// Action; lists them without one.
#[derive(Subcommand, Debug)]
enum What {
    /// Lists the scenarios with one-line descriptions.
    List,
    /// Prints a scenario.
    Show {
        /// Its name.
        name: String,
    },
    /// Copies a scenario into the current folder.
    Copy {
        /// Its name.
        name: String,
    },
}

impl Scenarios {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match self.what.unwrap_or(What::List) {
            What::List => {
                let width = language::builtin::SCENARIOS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                let lines = language::builtin::SCENARIOS
                    .iter()
                    .map(|(name, text)| format!("@{name:width$}  {}\n", language::builtin::purpose(text)));
                input::print(&lines.collect::<String>())?;
            }
            What::Show { name } => {
                let text = input::text(&format!("@{}", name.trim_start_matches('@')))?;
                input::print(&String::from_utf8_lossy(&text.bytes))?;
            }
            What::Copy { name } => {
                let name = name.trim_start_matches('@');
                let text = input::text(&format!("@{name}"))?;
                let file = format!("{name}.yaml");
                match OpenOptions::new().write(true).create_new(true).open(&file) {
                    Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(Failure::Usage(format!("`{file}` already exists")));
                    }
                    opened => opened.and_then(|mut opened| opened.write_all(&text.bytes)),
                }
                .map_err(|why| Failure::Failed(format!("`{file}`: {why}")))?;
                input::tell(&format!("wrote {file}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
