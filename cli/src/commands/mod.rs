//! The commands, one file each; their doc comments are their help.

use std::process::ExitCode;

use clap::Subcommand;

use crate::input::Failure;

mod check;
mod compare;
mod completions;
mod explain;
mod find;
mod kinds;
mod man;
mod run;
mod scenarios;
mod schema;
mod sweep;
mod validate;
mod watch;

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Run(run::Run),
    Check(check::Check),
    Explain(explain::Explain),
    Compare(compare::Compare),
    Sweep(Box<sweep::Sweep>),
    Find(find::Find),
    Scenarios(scenarios::Scenarios),
    Validate(validate::Validate),
    Watch(watch::Watch),
    Kinds(kinds::Kinds),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Default for Command {
    fn default() -> Self {
        Command::Run(run::Run::default())
    }
}

impl Command {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Command::Run(run) => run.execute(),
            Command::Check(check) => check.execute(),
            Command::Explain(explain) => explain.execute(),
            Command::Compare(compare) => compare.execute(),
            Command::Sweep(sweep) => sweep.execute(),
            Command::Find(find) => find.execute(),
            Command::Scenarios(scenarios) => scenarios.execute(),
            Command::Validate(validate) => validate.execute(),
            Command::Watch(watch) => watch.execute(),
            Command::Kinds(kinds) => kinds.execute(),
            Command::Schema(schema) => schema.execute(),
            Command::Completions(completions) => completions.execute(),
            Command::Man(man) => man.execute(),
        }
    }
}
