//! `brownout`: simulates concurrency architectures from scenario files.
//!
//! `main` fits on a page: arguments → command → exit code. Each command is one file in `commands/`; shared parts (finding
//! scenarios, reporting problems) are in [`input`].

mod commands;
mod input;
mod output;
mod watched;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use input::Failure;

/// Simulates request-serving systems from a scenario file: latency, goodput, retries, outages.
#[derive(Parser, Debug)]
#[command(name = "brownout", version, about, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// Prints help, the version, or an error in the command line.
fn answer(error: &clap::Error) -> ExitCode {
    match error.print().and_then(|()| io::stdout().flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe && !error.use_stderr() => {
            let failure = Failure::Failed(format!("standard output: {why}"));
            failure.show();
            failure.code()
        }
        _ => ExitCode::from(error.exit_code() as u8),
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return answer(&error),
    };
    let command = arguments.command.unwrap_or_default();
    match command.execute() {
        Ok(code) => code,
        Err(failure) => {
            failure.show();
            failure.code()
        }
    }
}
