//! `run`: simulates once and prints the report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::{Args, ValueEnum};
use lab::replicate::{self, Stopped};
use lab::result::RunResult;
use lab::{Latencies, Loaded, Session};
use models::scenario::WarmupSettings;

use crate::input::{self, Failure, INTERRUPTED, Scenario};
use crate::output;
use crate::work::{self, Work};

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON with everything; the format is versioned.
    Json,
    /// The time series as CSV.
    Csv,
}

/// Simulates a scenario once and prints the report.
#[derive(Args, Debug, Default)]
pub(crate) struct Run {
    #[command(flatten)]
    scenario: Scenario,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Number of runs with different random numbers; adds confidence intervals.
    #[arg(long, value_name = "N")]
    replications: Option<u32>,
    /// Folder for the result, tables, charts and an HTML report (with replications: of the first run, without the latency
    /// log).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    work: Work,
    /// Exit with code 1 if an objective does not hold in every run.
    #[arg(long)]
    check: bool,
}

impl Run {
    pub(crate) fn execute(mut self) -> Result<ExitCode, Failure> {
        if self.scenario.file.is_empty() {
            self.scenario.file = "@retry-storm".into();
        }
        let loaded = input::load(&self.scenario)?;
        let color = self.scenario.changes.color;
        if !self.work.quiet && !loaded.warnings.is_empty() {
            let style = if color.on_stderr() {
                language::diagnostics::Style::Coloured
            } else {
                language::diagnostics::Style::Plain
            };
            let warnings = language::diagnostics::render(&loaded.warnings, &loaded.sources, style);
            input::tell(&format!("{}\n", warnings.trim_end()));
        }
        let run = &loaded.scenario.run;
        let replications = self.replications.or(run.replications).unwrap_or(1);
        if replications == 0 {
            return Err(Failure::Usage("`--replications` must be at least 1".into()));
        }
        if replications > 1 || run.precision.is_some() || run.warmup == WarmupSettings::Auto {
            return self.replicated(&Arc::new(loaded), replications);
        }
        let began = Instant::now();
        let seed = loaded.scenario.seed;
        let mut session = Session::new(Arc::new(loaded), seed, None);
        // Until there is something to print, Ctrl-C ends the program as usual.
        let stop = work::stop_on_control_c();
        while !session.is_finished() && !stop.load(Ordering::Relaxed) {
            session.run_some(replicate::EVENTS_BETWEEN_LOOKS).map_err(|f| Failure::Failed(f.to_string()))?;
        }
        let is_cut = !session.is_finished();
        let mut result = session.take_result();
        let wall = began.elapsed().as_secs_f64();
        result.run.wall_s = wall;
        result.run.events_per_s = result.run.events as f64 / wall.max(1e-9);
        self.print(&result)?;
        self.write_folder(session.loaded(), &result, &session.latencies())?;
        if self.format == Format::Text {
            self.work.say(&format!(
                "{:.1} million events in {wall:.2} s: {:.1} million per second, {:.0} × real time",
                result.run.events as f64 / 1e6,
                result.run.events_per_s / 1e6,
                (result.run.duration_s + result.run.warmup_s) / wall.max(1e-9),
            ));
        }
        if is_cut {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Ok(if self.check { self.judged(&result) } else { ExitCode::SUCCESS })
    }

    /// Runs several replications, or a single run whose warm-up must be determined first.
    fn replicated(&self, loaded: &Arc<Loaded>, replications: u32) -> Result<ExitCode, Failure> {
        let began = Instant::now();
        let run = self.work.run(replications as usize, |control| replicate::replicate(loaded, replications, control));
        let replicated = match run {
            Ok(replicated) => replicated,
            Err(Stopped::Cut) => {
                self.work.say("cut short during the warm-up: nothing was measured");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            Err(Stopped::Failed(why)) => return Err(Failure::Failed(why)),
        };
        let cut = replicated.cut;
        let Some(mut result) = replicated.result() else { return Ok(ExitCode::SUCCESS) };
        result.run.wall_s = began.elapsed().as_secs_f64();
        result.run.events_per_s = result.run.events as f64 / result.run.wall_s.max(1e-9);
        self.print(&result)?;
        let table = report::text::replications(&result);
        if self.format == Format::Text && !table.is_empty() {
            input::print(&format!("\n{table}"))?;
        }
        self.write_folder(loaded, &result, &[])?;
        if cut {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        if self.check {
            return Ok(self.judged(&result));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Writes all files of a run into the requested folder, if any.
    fn write_folder(&self, loaded: &Loaded, result: &RunResult, latencies: &[Latencies]) -> Result<(), Failure> {
        let Some(folder) = &self.out else { return Ok(()) };
        let mut command = "brownout run scenario.yaml".to_string();
        if let Some(replications) = self.replications {
            command.push_str(&format!(" --replications {replications}"));
        }
        let origin = output::origin_of(loaded, command);
        let files = report::folder::run_files(result, &origin, latencies);
        output::write(folder, files.map_err(|e| Failure::Failed(e.to_string()))?)?;
        self.work.say(&format!("wrote {}", folder.join("report.html").display()));
        Ok(())
    }

    /// The exit code of `--check`: whether all objectives hold in every run. Names the others on standard error.
    fn judged(&self, result: &RunResult) -> ExitCode {
        let missed: Vec<String> = result
            .objectives
            .iter()
            .filter(|objective| !objective.always_holds())
            .map(|objective| format!("objective missed: {}", lab::objectives::in_words(objective)))
            .collect();
        if result.objectives.is_empty() {
            self.work.say("the scenario has no objectives to check");
        }
        missed.iter().for_each(|line| input::tell(&settings::shown::shown(line)));
        if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }

    fn print(&self, result: &RunResult) -> Result<(), Failure> {
        match self.format {
            Format::Text => {
                let usual = report::text::Options::default();
                // A narrower terminal would wrap the lines of tables; in a pipe, every machine prints the same.
                let width = tui::columns().map_or(usual.width, |columns| usual.width.min(columns.into()));
                let color = self.scenario.changes.color.on_stdout();
                input::print(&report::text::run_report(result, report::text::Options { width, color, ..usual }))
            }
            Format::Json => input::print_with(|out| report::json::write(result, out)),
            Format::Csv => input::print_with(|out| report::csv::write(result, out)),
        }
    }
}
