//! `validate`: compares simulated systems with queueing theory.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use lab::replicate::Stopped;

use crate::input::{self, Failure, INTERRUPTED};
use crate::work::Work;

/// Factor by which `--long` extends the runs.
const LONG: u64 = 5;

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON with everything.
    Json,
}

/// Simulates systems with known closed-form results and compares the figures; exit code 1 if one differs.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// Simulate five times longer, for narrower intervals.
    #[arg(long)]
    long: bool,
    /// Seed of the first replication; the others are derived from it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    work: Work,
}

impl Validate {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let length = if self.long { LONG } else { 1 };
        let runs = analysis::theory::cases().len() * analysis::theory::REPLICATIONS as usize;
        let validated = self.work.run(runs, |control| analysis::theory::validate(length, self.seed, control));
        let validation = match validated {
            Ok(validation) => validation,
            Err(Stopped::Cut) => return Ok(ExitCode::from(INTERRUPTED)),
            Err(Stopped::Failed(why)) => return Err(Failure::Failed(why)),
        };
        match self.format {
            Format::Text => input::print(&report::validate::text(&validation))?,
            Format::Json => {
                let json = serde_json::to_string_pretty(&validation).map_err(|e| Failure::Failed(e.to_string()))?;
                input::print(&format!("{json}\n"))?;
            }
        }
        Ok(if validation.agrees() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
