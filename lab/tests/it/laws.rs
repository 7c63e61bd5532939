//! Laws that hold for every scenario, over networks made at random.
//!
//! The engine checks conservation of calls, Little's law and busy ≤ available at the end of each run in exact integers;
//! a breach fails the run. Beyond that: the same scenario gives the same bytes twice, a clone in the middle goes on as the
//! original does, and it does not matter in what stretches a run is carried on.
//!
//! `LAWS_CASES=5000 LAWS_SEED=2 cargo test -p brownout-lab --test it laws` tries more. What fails is made as small as it
//! goes and written to `lab/tests/laws/` as a scenario; what lies there is run by every `cargo test` from then on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lab::result::RunResult;
use lab::{Loaded, Session};
use proptest::prelude::*;

use crate::harness::{bytes, load};
use crate::topology::scenario;

fn finished(mut session: Session) -> Result<String, String> {
    session.run_to_end().map_err(|f| f.to_string())?;
    let result = session.result();
    if result.run.warmup_s == 0.0 {
        messages_are_conserved(&session, &result)?;
        requests_are_conserved(&result)?;
    }
    Ok(bytes(&result))
}

/// As queues report: what was stored has left in one of the ways that there are, or waits, is delayed or in flight.
fn messages_are_conserved(session: &Session, result: &RunResult) -> Result<(), String> {
    let snapshot = session.snapshot();
    let queues = snapshot.topology.nodes.iter().zip(&snapshot.nodes).filter(|(node, _)| node.kind == "queue");
    for (node, now) in queues {
        let total = |name: &str| result.components[&node.name].own.value(name).unwrap_or(f64::NAN);
        let left: f64 = ["acknowledged", "dropped", "dead_letters", "expired", "lost", "redriven"]
            .iter()
            .map(|name| total(name))
            .sum();
        let there: f64 = ["unacknowledged", "delayed"].iter().map(|name| now.own.value(name).unwrap_or(f64::NAN)).sum();
        let (stored, accounted) = (total("published"), left + now.queue as f64 + there);
        if stored != accounted {
            return Err(format!("{} has stored {stored} messages and accounts for {accounted}", node.name));
        }
        let grown = total("growth") * result.run.duration_s;
        if (grown - (stored - left)).abs() > 1e-6 * stored.max(1.0) {
            return Err(format!("{} has grown by {grown}, not by {}", node.name, stored - left));
        }
    }
    Ok(())
}

/// Requests that were answered ok or accepted are complete, have failed afterwards, or go on. So are the results that clients ask
/// for, where polls are answered too.
fn requests_are_conserved(result: &RunResult) -> Result<(), String> {
    for (name, workload) in &result.workloads {
        let answered: u64 = ["ok", "accepted"].iter().filter_map(|how| workload.outcomes.get(*how)).sum();
        for after in workload.completion.iter().chain(&workload.result) {
            let accounted = after.latency.count + after.failed + after.pending;
            if accounted > answered || (workload.result.is_none() && accounted < answered) {
                return Err(format!("{name}: {answered} were answered, {accounted} are accounted for"));
            }
        }
    }
    Ok(())
}

fn check(loaded: &Arc<Loaded>, seed: u64) -> Result<(), String> {
    let begun = || Session::new(loaded.clone(), seed, None);
    let whole = finished(begun())?;
    if whole != finished(begun())? {
        return Err("two runs differ".into());
    }
    let mut half = begun();
    half.run_until(7_123_456_789).map_err(|f| f.to_string())?;
    let clone = half.clone();
    if whole != finished(half)? {
        return Err("a run with a stop differs from one without".into());
    }
    if whole != finished(clone)? {
        return Err("a clone goes on otherwise".into());
    }
    let mut stretched = begun();
    while !stretched.is_finished() {
        let to = stretched.now_ns() + 137_000_000;
        stretched.run_until(to).map_err(|f| f.to_string())?;
    }
    if whole != bytes(&stretched.result()) {
        return Err("a run in stretches differs from one in one go".into());
    }
    let mut piecemeal = begun();
    while !piecemeal.is_finished() {
        piecemeal.run_some(1 + seed % 23).map_err(|f| f.to_string())?;
    }
    if whole != bytes(&piecemeal.result()) {
        return Err("a run of some events at a time differs from one in one go".into());
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("LAWS_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        max_shrink_iters: 3000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(
            std::env::var("LAWS_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
        ),
        ..ProptestConfig::default()
    })]

    #[test]
    fn laws_hold_in_networks_made_at_random(choices in proptest::collection::vec(any::<u16>(), 20..260), seed in 0u64..1000) {
        let yaml = scenario(&choices);
        if let Err(why) = checked(&yaml, seed) {
            // Written at each step of the shrinking, so that the smallest stays.
            let path = kept().join("found.yaml");
            std::fs::write(&path, format!("# {}\nseed: {seed}\n{yaml}", why.replace('\n', " "))).expect("it can be written");
            return Err(TestCaseError::fail(format!("{why}, seed {seed}; give {} a name and keep it\n{yaml}", path.display())));
        }
    }
}

/// The folder of scenarios that once broke a law.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/laws")
}

/// What is wrong with a run of this under this seed.
fn checked(yaml: &str, seed: u64) -> Result<(), String> {
    let loaded = load(yaml);
    std::panic::catch_unwind(|| check(&loaded, seed)).unwrap_or_else(|_| Err("it panics".into()))
}

#[test]
fn laws_hold_where_they_once_did_not() {
    let entries = std::fs::read_dir(kept()).expect("the folder stands in the repository");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(!paths.is_empty(), "the folder was moved");
    for path in paths {
        let yaml = std::fs::read_to_string(&path).expect("it can be read");
        let seed = load(&yaml).scenario.seed;
        if let Err(why) = checked(&yaml, seed) {
            panic!("{}: {why}", path.display());
        }
    }
}
