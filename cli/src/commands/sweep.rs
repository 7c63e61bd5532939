//! `sweep`: runs a scenario at many points in parallel, and resumes after an interruption.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use lab::replicate::Stopped;
use lab::sweep::store::Store;
use lab::sweep::{Plan, PlanOptions, Swept, plan};

use crate::input::{self, Failure, INTERRUPTED, Scenario};
use crate::output;
use crate::work::Work;

/// Runs a sweep in parallel and writes tables and charts. An interrupted sweep resumes when run again.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Sweep {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    what: What,
}

/// Subcommands that run a sweep in shards, for any scheduler.
#[derive(Subcommand, Debug)]
enum Part {
    /// Lists the points without running them.
    Plan {
        #[command(flatten)]
        what: What,
    },
    /// Runs shard K of N. Shards may run anywhere, in any order, and more than once.
    RunShard {
        /// The shard and the number of shards: 1/4 to 4/4.
        shard: String,
        #[command(flatten)]
        what: What,
    },
    /// Shows progress.
    Status {
        #[command(flatten)]
        what: What,
    },
    /// Merges the results of the shards into tables and charts.
    Merge {
        #[command(flatten)]
        what: What,
        /// Folders of other machines to take results from; may be repeated.
        #[arg(long, value_name = "DIR")]
        from: Vec<PathBuf>,
    },
}

/// The sweep, and the folder for its results.
#[derive(Args, Debug)]
struct What {
    #[command(flatten)]
    scenario: Scenario,
    /// Folder for tables, charts and the state of the sweep; without it, only the table is printed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replications of each point, instead of the file's.
    #[arg(long, value_name = "N")]
    replications: Option<u32>,
    #[command(flatten)]
    work: Work,
}

impl What {
    fn plan(&self) -> Result<Plan, Failure> {
        let loaded = Arc::new(input::load(&self.scenario)?);
        if self.replications == Some(0) {
            return Err(Failure::Usage("`--replications` must be at least 1".into()));
        }
        plan(&loaded, PlanOptions { replications: self.replications })
            .map_err(|refused| Failure::Refused(Box::new(refused), self.scenario.changes.color))
    }

    fn store(&self) -> Result<Store, Failure> {
        let Some(folder) = &self.out else {
            return Err(Failure::Usage("`--out DIR` is required to keep the results".into()));
        };
        Store::open(folder).map_err(|e| Failure::Failed(format!("`{}`: {e}", folder.display())))
    }

    /// Runs those of the units that are missing; returns whether all of them are done.
    fn run(&self, plan: &Plan, units: &[usize], store: &Store) -> Result<bool, Failure> {
        store.write_lock(plan)?;
        let count = units.len();
        let missing = units.iter().filter(|unit| store.get(plan.key_of(**unit)).is_none()).count();
        if missing < count {
            self.work.say(&format!("{} of {count} runs are done already", count - missing));
        }
        let run = self.work.run(missing, |control| plan.run(units.iter().copied(), store, control));
        match run {
            Ok(_) => Ok(true),
            Err(Stopped::Cut) => {
                let left = units.iter().filter(|unit| store.get(plan.key_of(**unit)).is_none()).count();
                let done = count - left;
                self.work.say(&format!("cut short: {done} of {count} runs are done; run the same command to resume"));
                Ok(false)
            }
            Err(Stopped::Failed(why)) => Err(Failure::Failed(why)),
        }
    }
}

impl Sweep {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match self.part {
            None => whole(&self.what),
            Some(Part::Plan { what }) => {
                let plan = what.plan()?;
                let mut text = String::new();
                for point in &plan.points {
                    let both = plan.axes.iter().zip(point.texts());
                    let values: Vec<String> = both.map(|(axis, value)| format!("{}={value}", axis.path)).collect();
                    text.push_str(&format!("{}\t{}\n", point.number, values.join("\t")));
                }
                let (points, runs) = (plan.points.len(), plan.unit_count());
                what.work.say(&format!(
                    "{points} points × {} runs = {runs}; plan {}",
                    plan.replications,
                    plan.digest()
                ));
                input::print(&text)?;
                Ok(ExitCode::SUCCESS)
            }
            Some(Part::RunShard { shard, what }) => {
                let (part, parts) = shard_of(&shard)?;
                let (plan, store) = (what.plan()?, what.store()?);
                let units: Vec<usize> = (0..plan.unit_count()).filter(|unit| unit % parts == part).collect();
                let done = what.run(&plan, &units, &store)?;
                Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) })
            }
            Some(Part::Status { what }) => {
                let (plan, store) = (what.plan()?, what.store()?);
                let (all, missing) = (plan.unit_count(), plan.missing(&store));
                let plan_of = store.lock().map(|lock| lock.plan);
                let same = plan_of.as_ref().is_none_or(|digest| *digest == plan.digest());
                let note = if same { "" } else { "; the folder was last used for a different plan" };
                input::print(&format!("{} of {all} runs are done{note}\n", all - missing))?;
                Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
            }
            Some(Part::Merge { what, from }) => {
                let (plan, store) = (what.plan()?, what.store()?);
                for folder in &from {
                    if !folder.is_dir() {
                        return Err(Failure::Usage(format!("`{}` is no folder", folder.display())));
                    }
                    store.take_from(&Store::open(folder)?, &plan)?;
                }
                let missing = plan.missing(&store);
                if missing > 0 {
                    return Err(Failure::Failed(format!("{missing} of {} runs are missing", plan.unit_count())));
                }
                store.write_lock(&plan)?;
                finish(&what, &plan, &store)
            }
        }
    }
}

fn whole(what: &What) -> Result<ExitCode, Failure> {
    let plan = what.plan()?;
    if what.out.is_none() {
        let run = what.work.run(plan.unit_count(), |control| plan.run_in_memory(control));
        return match run {
            Ok(swept) => {
                input::print(&report::sweep::text(&swept))?;
                if swept.points.iter().any(|point| point.runs.iter().any(Option::is_none)) {
                    what.work.say("use `--out DIR` to keep partial results");
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                Ok(ended(&swept))
            }
            Err(why) => Err(Failure::Failed(why.to_string())),
        };
    }
    let store = what.store()?;
    let units: Vec<usize> = (0..plan.unit_count()).collect();
    if !what.run(&plan, &units, &store)? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    finish(what, &plan, &store)
}

/// The exit code: if any point failed, the sweep counts as failed, although the rest of it is there.
fn ended(swept: &Swept) -> ExitCode {
    let failed = swept.points.iter().any(|point| point.error().is_some());
    if failed { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

fn finish(what: &What, plan: &Plan, store: &Store) -> Result<ExitCode, Failure> {
    let (swept, folder) = (&plan.collect(store), store.folder());
    let command = format!("brownout sweep scenario.yaml --replications {} --out again", plan.replications);
    let origin = output::origin_of(&plan.loaded, command);
    let files = report::folder::sweep_files(swept, &origin).map_err(|e| Failure::Failed(e.to_string()))?;
    output::write(folder, files)?;
    let log = folder.join("latency.hlog");
    write_latencies(&log, plan, store).map_err(|e| Failure::Failed(format!("`{}`: {e}", log.display())))?;
    input::print(&report::sweep::text(swept))?;
    what.work.say(&format!("wrote {}", folder.join("report.html").display()));
    Ok(ended(swept))
}

/// Writes the latencies of all points, one at a time, so that thousands of them need no more memory than one.
fn write_latencies(path: &Path, plan: &Plan, store: &Store) -> std::io::Result<()> {
    let seconds = plan.loaded.scenario.run.duration.map_or(0.0, |duration| duration.0 as f64 / 1e9);
    let tagged = (0..plan.points.len()).flat_map(|point| {
        let tag = move |(workload, counts): (String, BTreeMap<u64, u64>)| {
            (format!("point-{point}.{workload}"), counts.into_iter().collect())
        };
        plan.latencies(point, store).into_iter().map(tag)
    });
    report::file::write_through_temporary(path, |file| {
        report::folder::write_histogram_log(file, tagged, "one interval per point and workload", seconds)
            .map_err(std::io::Error::other)
    })
}

/// Parses `K/N` to the index of the shard, from 0, and the number of shards.
fn shard_of(text: &str) -> Result<(usize, usize), Failure> {
    let both = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match both {
        Some((part, parts)) if (1..=parts).contains(&part) => Ok((part - 1, parts)),
        _ => Err(Failure::Usage(format!("`{text}` is not a shard; write K/N with K from 1 to N, as in 2/8"))),
    }
}
