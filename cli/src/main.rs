//! `brownout`: simulates concurrency architectures from scenario files.
//!
//! `main` is a page: arguments → command → exit code. Each command is one file in `commands/`; what they share (finding
//! scenarios, showing problems) is in [`input`].

mod commands;
mod input;
mod output;
mod watched;
mod work;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;

/// Simulates the architecture in a scenario file: latency, goodput, retries, cascades.
#[derive(Parser, Debug)]
#[command(name = "brownout", version, about, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let command = arguments.command.unwrap_or_default();
    match command.execute() {
        Ok(code) => code,
        Err(failure) => {
            failure.show();
            failure.code()
        }
    }
}
