//! `compare`: variants or files side by side under common random numbers.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use lab::compare::Contestant;
use lab::replicate::{REPLICATIONS, Stopped};
use report::html::{Origin, Source};

use crate::input::{self, Changes, Failure, INTERRUPTED};
use crate::output;
use crate::work::Work;

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON with everything.
    Json,
}

/// Compares variants of a file, or several files, under common random numbers, and tells which differences are real.
#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// One scenario with variants, or several scenarios.
    #[arg(required = true)]
    files: Vec<String>,
    #[command(flatten)]
    changes: Changes,
    /// Replications of each; the default is the file's setting, but at least 10.
    #[arg(long, value_name = "N")]
    replications: Option<u32>,
    /// Metric to compare; may be repeated.
    #[arg(long = "metric", value_name = "PATH")]
    metrics: Vec<String>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Folder for the HTML report, the result, charts and the scenarios.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    work: Work,
}

impl Compare {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let contestants = self.contestants()?;
        let first = &contestants[0].loaded.scenario;
        // The number of replications that suffices for one report is not enough to compare.
        let replications = self.replications.unwrap_or(first.run.replications.unwrap_or(0).max(REPLICATIONS));
        if replications < 2 {
            return Err(Failure::Usage("a comparison needs at least two replications; use 10".into()));
        }
        let title = first.name.clone().unwrap_or_else(|| contestants[0].loaded.source.clone());
        let compared = self.work.run(contestants.len() * replications as usize, |control| {
            lab::compare::compare(&contestants, replications, &self.metrics, control)
        });
        let compared = match compared {
            Ok(compared) => compared,
            Err(Stopped::Cut) => {
                self.work.say("cut short before two runs of each completed: nothing to compare");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            Err(Stopped::Failed(why)) => return Err(Failure::Failed(why)),
        };
        match self.format {
            Format::Text => input::print(&report::compare::text(&compared))?,
            Format::Json => input::print(&report::compare::json(&compared))?,
        }
        if let Some(folder) = &self.out {
            let files = report::folder::compare_files(&title, &compared, &self.origin(&contestants, replications));
            output::write(folder, files.map_err(|e| Failure::Failed(e.to_string()))?)?;
            self.work.say(&format!("wrote {}", folder.join("report.html").display()));
        }
        Ok(if compared.cut_short { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }

    /// The compared scenarios, and the command that repeats the comparison.
    fn origin(&self, contestants: &[Contestant], replications: u32) -> Origin {
        let mut command = "brownout compare".to_string();
        let mut scenarios = Vec::new();
        for (number, contestant) in contestants.iter().enumerate() {
            command.push_str(&format!(" {}", report::folder::scenario_name(number, &contestant.name)));
            let loaded = &contestant.loaded;
            let name = contestant.name.clone();
            scenarios.push(Source { name, written: loaded.text(), resolved: Some(loaded.resolved()) });
        }
        command.push_str(&format!(" --replications {replications}"));
        self.metrics.iter().for_each(|metric| command.push_str(&format!(" --metric {metric}")));
        Origin { scenarios, command: Some(command), files: Vec::new() }
    }

    fn contestants(&self) -> Result<Vec<Contestant>, Failure> {
        let refuse = |refused| Failure::Refused(Box::new(refused), self.changes.color);
        let options = self.changes.options();
        if let [file] = self.files.as_slice() {
            let loaded = lab::load(&input::text(file)?, &options).map_err(refuse)?;
            if loaded.variants.is_empty() || options.variant.is_some() {
                let message = format!("`{file}` has no variants to compare; add some, or name several files");
                return Err(Failure::Usage(message));
            }
            let variant = |name: &String| {
                let loaded = lab::loading::patched(&loaded, &[], Some(name)).map_err(refuse)?;
                Ok(Contestant { name: name.clone(), loaded: Arc::new(loaded) })
            };
            return loaded.variants.iter().map(variant).collect();
        }
        let one = |file: &String| {
            let loaded = lab::load(&input::text(file)?, &options).map_err(refuse)?;
            Ok(Contestant { name: file.clone(), loaded: Arc::new(loaded) })
        };
        self.files.iter().map(one).collect()
    }
}
