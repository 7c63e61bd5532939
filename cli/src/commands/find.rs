//! `find`: the value of a setting at which an objective ceases to hold.

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

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    #[default]
    Text,
    /// JSON with everything.
    Json,
}

/// Finds the smallest or largest value of a setting for which an objective holds, or the cheapest values of several.
#[derive(Args, Debug)]
pub(crate) struct Find {
    #[command(flatten)]
    scenario: Scenario,
    /// Path of the setting to vary. Several must be whole numbers and need a `--cost` each.
    #[arg(long, value_name = "PATH", required = true)]
    vary: Vec<String>,
    /// Lower and upper end of the search; one pair for each `--vary`, in the same order.
    #[arg(long, num_args = 2, value_names = ["A", "B"], required = true)]
    between: Vec<String>,
    /// Cost of one more unit of a setting, in any currency: `components.db.connections=2.5`.
    #[arg(long, value_name = "PATH=NUMBER")]
    cost: Vec<String>,
    /// Objective that must hold: 'workloads.shoppers.latency.p99 < 300ms'.
    #[arg(long, value_name = "OBJECTIVE")]
    such_that: String,
    /// Minimum replications of each value.
    #[arg(long, value_name = "N")]
    replications: Option<u32>,
    /// Maximum replications of each value, used where fewer do not decide.
    #[arg(long, value_name = "N", default_value_t = 50)]
    max_replications: u32,
    /// Relative precision of the answer; counts are always exact.
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    resolution: String,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    work: Work,
}

impl Find {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let loaded = Arc::new(input::load(&self.scenario)?);
        if self.between.len() != 2 * self.vary.len() {
            return Err(Failure::Usage("each `--vary` needs its own `--between A B`".into()));
        }
        let path = settings::Path::parse(&self.vary[0]).map_err(Failure::Usage)?;
        let (a, b) = (&self.between[0], &self.between[1]);
        let Some((from, to)) = Quantity::parse_both(a, b) else {
            return Err(Failure::Usage(format!("`{a}` and `{b}` have different units")));
        };
        let resolution = Quantity::parse(&self.resolution).map_or(0.0, |q| q.value);
        if !(resolution > 0.0 && resolution < 1.0) {
            return Err(Failure::Usage(format!("`{}` is not a resolution; write a share such as 1%", self.resolution)));
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
            // Several values are tested several times, so each verdict needs a higher confidence than the answer.
            confidence: 0.99,
            resolution,
        };
        if self.vary.len() > 1 {
            return self.cheapest(&loaded, &search);
        }
        if !self.cost.is_empty() {
            return Err(Failure::Usage("`--cost` needs several settings: add another `--vary`".into()));
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
            return Err(Failure::Usage(format!("`--cost {stray}` names no varied setting; write PATH=NUMBER")));
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

    /// A setting with its range and its cost.
    fn priced(&self, path: &str, a: &str, b: &str) -> Result<Priced, Failure> {
        let count = |text: &str| {
            let quantity = Quantity::parse(text).filter(|quantity| quantity.kind == Kind::Count);
            let wanted = || Failure::Usage(format!("`{text}` is not a whole number; settings with a cost must be"));
            quantity.map(|quantity| quantity.value as u64).ok_or_else(wanted)
        };
        let (a, b) = (count(a)?, count(b)?);
        let cost = self
            .cost
            .iter()
            .find_map(|cost| cost.strip_prefix(path)?.strip_prefix('='))
            .ok_or_else(|| Failure::Usage(format!("several settings need costs: add `--cost {path}=NUMBER`")))?;
        let price = cost.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
        let price =
            price.ok_or_else(|| Failure::Usage(format!("`{cost}` is not a cost; write a number of at least 0")))?;
        let parsed = settings::Path::parse(path).map_err(Failure::Usage)?;
        Ok(Priced { path: parsed, from: a.min(b), to: a.max(b), cost: price })
    }

    fn unanswered(&self, why: Unanswered) -> Result<ExitCode, Failure> {
        match why {
            Unanswered::Refused(refused) => Err(Failure::Refused(refused, self.scenario.changes.color)),
            Unanswered::Stopped(Stopped::Cut) => {
                self.work.say("cut short before any value was decided");
                Ok(code(true, false))
            }
            Unanswered::Stopped(Stopped::Failed(why)) => Err(Failure::Failed(why)),
        }
    }
}

/// The exit code of a search.
fn code(cut_short: bool, answered: bool) -> ExitCode {
    match (cut_short, answered) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    }
}
