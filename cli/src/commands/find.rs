//! `find`: the value at which an objective ceases to hold.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use lab::find::{Search, Unanswered};
use lab::quantity::Quantity;
use lab::replicate::{REPLICATIONS, Stopped};

use crate::input::{self, Failure, Scenario};
use crate::work::Work;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// Everything.
    Json,
}

/// Finds the smallest or largest value of a setting for which an objective holds.
#[derive(Args, Debug)]
pub(crate) struct Find {
    #[command(flatten)]
    scenario: Scenario,
    /// The path of what is varied.
    #[arg(long, value_name = "PATH")]
    vary: String,
    /// The two ends to look between.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    between: Vec<String>,
    /// What must hold: 'workloads.shoppers.latency.p99 < 300ms'.
    #[arg(long, value_name = "OBJECTIVE")]
    such_that: String,
    /// Runs of each value at least.
    #[arg(long, value_name = "N")]
    replications: Option<u32>,
    /// Runs of each value at most, where fewer do not decide.
    #[arg(long, value_name = "N", default_value_t = 50)]
    max_replications: u32,
    /// How near the two values must be, relative to the larger; counts are found exactly.
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    resolution: String,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    work: Work,
}

impl Find {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let loaded = Arc::new(input::load(&self.scenario)?);
        let path = settings::Path::parse(&self.vary).map_err(Failure::Usage)?;
        let (a, b) = (&self.between[0], &self.between[1]);
        let Some((from, to)) = Quantity::parse_both(a, b) else {
            return Err(Failure::Usage(format!("`{a}` and `{b}` are not two quantities of one unit")));
        };
        let resolution = Quantity::parse(&self.resolution).map_or(0.0, |q| q.value);
        if !(resolution > 0.0 && resolution < 1.0) {
            return Err(Failure::Usage(format!("`{}` is no resolution; write a share such as 1%", self.resolution)));
        }
        let objective = lab::find::objective(&self.such_that, &loaded).map_err(Failure::Usage)?;
        let replications = self.replications.or(loaded.scenario.run.replications).unwrap_or(REPLICATIONS).max(2);
        let search = Search {
            path,
            from,
            to,
            objective,
            replications,
            replications_max: self.max_replications.max(replications),
            // Several looks at several values: each must be surer than the answer.
            confidence: 0.99,
            resolution,
        };
        let found = match self.work.run(0, |control| lab::find::find(&loaded, &search, control)) {
            Ok(found) => found,
            Err(Unanswered::Refused(refused)) => return Err(Failure::Refused(refused, self.scenario.changes.color)),
            Err(Unanswered::Stopped(Stopped::Cut)) => return Ok(ExitCode::from(130)),
            Err(Unanswered::Stopped(Stopped::Failed(why))) => return Err(Failure::Failed(why)),
        };
        match self.format {
            Format::Text => input::print(&report::find::text(&found))?,
            Format::Json => input::print(&report::find::json(&found))?,
        }
        Ok(if found.holds_at.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
