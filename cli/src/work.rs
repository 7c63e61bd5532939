//! Long work on several cores: number of threads, interruption, and progress.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::replicate::Control;
use settings::shown::shown_lines;

use crate::input::{INTERRUPTED, tell};

/// How to run long work.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Work {
    /// Number of threads; one per core by default. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Hide the progress bar.
    #[arg(long)]
    no_progress: bool,
    /// Print nothing on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// A flag that the first Ctrl-C sets, so that the results so far can be printed; a second one ends the program immediately.
pub(crate) fn stop_on_control_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // If no handler can be installed, Ctrl-C ends the program as usual.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    stop
}

impl Work {
    /// Does work that Ctrl-C can stop. Shows progress as a bar if the number of `expected` runs is known, as a count if it is 0.
    pub(crate) fn run<R>(&self, expected: usize, work: impl FnOnce(&Control<'_>) -> R) -> R {
        let stop = stop_on_control_c();
        let shown = !self.no_progress && !self.quiet && io::stderr().is_terminal();
        let bar = match (shown, expected) {
            (false, _) => ProgressBar::hidden(),
            (true, 0) => ProgressBar::new_spinner(),
            (true, expected) => ProgressBar::new(expected as u64),
        };
        if shown {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let template = if expected == 0 {
                "{spinner} {pos} runs, {elapsed}"
            } else {
                "{bar:40} {pos}/{len} runs, {elapsed} elapsed, {eta} left"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
        }
        let progress = |_: usize, _: usize| bar.inc(1);
        let result = work(&Control { jobs: self.jobs, stop: &stop, progress: &progress });
        bar.finish_and_clear();
        result
    }

    /// Prints a message on standard error, unless `--quiet` is set.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            tell(&shown_lines(text));
        }
    }
}
