//! `completions`: scripts for command-line completion.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::input::{self, Failure};

/// Prints a completion script for a shell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let mut command = crate::Arguments::command();
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "brownout", &mut text);
        input::print(&String::from_utf8_lossy(&text))?;
        Ok(ExitCode::SUCCESS)
    }
}
