//! What `explain` proposes to change, over systems made at random: the changed scenario can be read, the warning is gone, and what
//! the warning is about is no worse in a run.
//!
//! `ADVICE_CASES=500 ADVICE_SEED=1 cargo test -p analysis --test it advice` tries more of them.

use std::collections::BTreeMap;

use analysis::explain::explain;
use lab::result::RunResult;
use lab::{Options, Text};

use crate::harness::{load, run_loaded};
use crate::oracle::{Times, failed, number, system};

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    /// Attempts for each request.
    Attempts,
    /// Work for nobody.
    Waste,
    /// Calls that wait at the end of the run.
    Backlog,
    /// Requests that fail.
    Failures,
    /// What only shows when something is lost, or is told of what does nothing.
    Unseen,
}

fn about(code: &str) -> Option<About> {
    match code {
        "retry_without_budget" | "retries_multiply" | "vulnerable" => Some(About::Attempts),
        "timer_inversion" | "acquire_outlives_callers" | "queue_outlives_callers" => Some(About::Waste),
        "unbounded_queue" | "pool_too_large" => Some(About::Backlog),
        "timeout_too_short" | "deadline_too_short" | "pointless_timeout" => Some(About::Failures),
        "no_timeout"
        | "retry_without_backoff"
        | "retry_without_jitter"
        | "retry_never"
        | "blind_chooser"
        | "no_spare"
        | "no_effect"
        | "hosts_overcommitted"
        | "never_called" => Some(About::Unseen),
        _ => None,
    }
}

/// How bad it is.
fn measure(about: About, result: &RunResult) -> f64 {
    match about {
        About::Attempts => {
            let attempts: u64 = result.links.values().flat_map(|links| links.values()).map(|link| link.attempts).sum();
            attempts as f64 / result.workloads["w"].sent.max(1) as f64
        }
        About::Waste => {
            let busy = result.components.values();
            busy.map(|component| component.wasted_work.unwrap_or(0.0) * component.arrivals as f64).sum::<f64>()
                / result.workloads["w"].sent.max(1) as f64
        }
        About::Backlog => result.components.values().map(|component| component.in_flight_end).sum::<u64>() as f64,
        About::Failures => failed(result),
        About::Unseen => 0.0,
    }
}

/// By how much chance may make it worse.
fn slack(about: About, before: f64) -> f64 {
    match about {
        About::Attempts => 0.05 * before + 0.05,
        About::Waste => 0.2 * before + 0.05,
        About::Backlog => 0.2 * before + 20.0,
        About::Failures => 0.02,
        About::Unseen => 0.0,
    }
}

#[test]
fn what_is_proposed_does_not_make_worse_what_it_is_about() {
    let (cases, seed) = (number("ADVICE_CASES", 12), number("ADVICE_SEED", 1));
    let only = number("ADVICE_ONLY", u64::MAX);
    let (mut wrong, mut tried) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for case in (0..cases).filter(|case| only == u64::MAX || *case == only) {
        let system = system(seed.wrapping_mul(999_983).wrapping_add(case), Times::Random);
        let Some(ceiling) = system.ceiling() else { continue };
        let yaml = system.at(ceiling * [0.6, 0.95, 1.2][case as usize % 3]);
        let loaded = load(&yaml);
        let explained = explain(&loaded);
        let before = run_loaded(&loaded, 1);
        for (warning, mend) in explained.warnings.iter().zip(&explained.mends) {
            let Some(mend) = mend else { continue };
            let mut fail = |what: String| {
                let change = format!("{}={}", mend.path, mend.value);
                wrong.push(format!("case {case} of seed {seed}: {} `{change}`: {what}\n{yaml}", warning.message));
            };
            let Some(about) = about(warning.code) else {
                fail(format!("nobody says what `{}` is about", warning.code));
                continue;
            };
            *tried.entry(warning.code).or_default() += 1;
            let text = Text { name: "advice.yaml".into(), bytes: yaml.clone().into_bytes(), folder: None };
            let overrides = vec![format!("{}={}", mend.path, mend.value)];
            let mended = match lab::load(&text, &Options { overrides, ..Options::default() }) {
                Ok(mended) => mended,
                Err(refused) => {
                    fail(refused.problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "));
                    continue;
                }
            };
            let now = explain(&mended);
            if now.warnings.iter().any(|other| {
                other.code == warning.code && other.path == warning.path && other.message == warning.message
            }) {
                fail("the same is said afterwards".into());
            }
            if about == About::Unseen {
                continue;
            }
            let after = measure(about, &run_loaded(&std::sync::Arc::new(mended), 1));
            let before = measure(about, &before);
            if after > before + slack(about, before) {
                fail(format!("{about:?} was {before:.3} and is {after:.3}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried.len() >= 3 || only != u64::MAX, "only {tried:?} were tried");
    println!("tried: {tried:?}");
}
