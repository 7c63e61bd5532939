//! `schema`: the JSON Schema of scenario files.

use std::process::ExitCode;

use clap::Args;

use crate::input::{self, Failure};

/// Prints the JSON Schema of scenario files for editors with a YAML language server.
#[derive(Args, Debug)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        input::print(&language::reference::schema())?;
        Ok(ExitCode::SUCCESS)
    }
}
