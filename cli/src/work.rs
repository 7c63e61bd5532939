//! Long work on several cores: how many threads, how to stop it, how it shows that it goes on.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::replicate::Control;
use settings::shown::shown_lines;

use crate::input::{INTERRUPTED, tell};

/// How long work is done.
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

/// Becomes true at the first Ctrl-C, so that what has been measured can be printed; a second one ends the program at once.
pub(crate) fn stop_on_control_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // Where no handler can be set, Ctrl-C ends the program as usual.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    stop
}

impl Work {
    /// Does the work, which Ctrl-C stops. `expected` runs are shown as a bar, 0 as a count.
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

    /// Says something on standard error.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            tell(&shown_lines(text));
        }
    }
}
