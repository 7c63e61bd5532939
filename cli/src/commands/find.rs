//! `find`: the value at which an objective ceases to hold.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use lab::Loaded;
use lab::find::cheapest::{Priced, cheapest};
use lab::find::{Search, Unanswered};
use lab::replicate::{REPLICATIONS, Stopped};
use language::quantity::{Kind, Quantity};

use crate::input::{self, Failure, INTERRUPTED, Scenario};
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

/// Finds the smallest or largest value of a setting for which an objective holds, or the cheapest values of several.
#[derive(Args, Debug)]
pub(crate) struct Find {
    #[command(flatten)]
    scenario: Scenario,
    /// The path of what is varied; several want a `--cost` each, and are whole numbers.
    #[arg(long, value_name = "PATH", required = true)]
    vary: Vec<String>,
    /// The two ends to look between; once for each path, in the same order.
    #[arg(long, num_args = 2, value_names = ["A", "B"], required = true)]
    between: Vec<String>,
    /// What one more of a setting costs, in any currency: `components.db.connections=2.5`.
    #[arg(long, value_name = "PATH=NUMBER")]
    cost: Vec<String>,
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
        if self.between.len() != 2 * self.vary.len() {
            return Err(Failure::Usage("each `--vary` wants a `--between A B` of its own".into()));
        }
        let path = settings::Path::parse(&self.vary[0]).map_err(Failure::Usage)?;
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
        if self.vary.len() > 1 {
            return self.cheapest(&loaded, &search);
        }
        if !self.cost.is_empty() {
            return Err(Failure::Usage("a cost decides only between several settings: give another `--vary`".into()));
        }
        let found = match self.work.run(0, |control| lab::find::find(&loaded, &search, control)) {
            Ok(found) => found,
            Err(why) => return self.unanswered(why),
        };
        match self.format {
            Format::Text => input::print(&report::find::text(&found))?,
            Format::Json => input::print(&report::find::json(&found))?,
        }
        Ok(code(found.cut_short, found.holds_at.is_some()))
    }

    fn cheapest(&self, loaded: &Arc<Loaded>, search: &Search) -> Result<ExitCode, Failure> {
        let settings: Vec<Priced> = self
            .vary
            .iter()
            .zip(self.between.chunks(2))
            .map(|(path, ends)| self.priced(path, &ends[0], &ends[1]))
            .collect::<Result<_, Failure>>()?;
        let known =
            |cost: &&String| self.vary.iter().any(|path| cost.split_once('=').is_some_and(|(of, _)| of == path));
        if let Some(stray) = self.cost.iter().find(|cost| !known(cost)) {
            return Err(Failure::Usage(format!("`--cost {stray}` is of nothing that is varied; write PATH=NUMBER")));
        }
        let found = match self.work.run(0, |control| cheapest(loaded, &settings, search, control)) {
            Ok(found) => found,
            Err(why) => return self.unanswered(why),
        };
        match self.format {
            Format::Text => input::print(&report::find::cheapest_text(&found))?,
            Format::Json => input::print(&report::find::cheapest_json(&found))?,
        }
        Ok(code(found.cut_short, found.best.is_some()))
    }

    /// A setting with its ends and its cost.
    fn priced(&self, path: &str, a: &str, b: &str) -> Result<Priced, Failure> {
        let count = |text: &str| {
            let quantity = Quantity::parse(text).filter(|quantity| quantity.kind == Kind::Count);
            let wanted =
                || Failure::Usage(format!("`{text}` is no whole number: only those are weighed by their cost"));
            quantity.map(|quantity| quantity.value as u64).ok_or_else(wanted)
        };
        let (a, b) = (count(a)?, count(b)?);
        let cost = self.cost.iter().find_map(|cost| cost.strip_prefix(path)?.strip_prefix('=')).ok_or_else(|| {
            Failure::Usage(format!("several settings are weighed by their cost: give `--cost {path}=NUMBER`"))
        })?;
        let price = cost.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
        let price = price.ok_or_else(|| Failure::Usage(format!("`{cost}` is no cost; write a number from 0 on")))?;
        let parsed = settings::Path::parse(path).map_err(Failure::Usage)?;
        Ok(Priced { path: parsed, from: a.min(b), to: a.max(b), cost: price })
    }

    fn unanswered(&self, why: Unanswered) -> Result<ExitCode, Failure> {
        match why {
            Unanswered::Refused(refused) => Err(Failure::Refused(refused, self.scenario.changes.color)),
            Unanswered::Stopped(Stopped::Cut) => {
                self.work.say("cut short: nothing has been tried to its end");
                Ok(code(true, false))
            }
            Unanswered::Stopped(Stopped::Failed(why)) => Err(Failure::Failed(why)),
        }
    }
}

/// How a search ends.
fn code(cut_short: bool, answered: bool) -> ExitCode {
    match (cut_short, answered) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    }
}
