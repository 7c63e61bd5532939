use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::{Options, Text, load};

const SCENARIO: &str = "
version: 1
seed: 3
run: {duration: 2s}
workloads:
  clients: {arrivals: {poisson: 100/s}, call: {to: db, timeout: 1s}}
components:
  db: {kind: database, connections: 1, operations: {default: {exp: 5ms}}}
sweep:
  vary:
    workloads.clients.arrivals.poisson: {from: 50/s, to: 150/s, steps: 3}
    components.db.connections: [1, 2]
  replications: 3
  measure: [goodput, workloads.clients.latency.p99]
";

fn loaded(text: &str) -> Result<Arc<Loaded>, Refused> {
    let text = Text { name: "test.yaml".into(), bytes: text.as_bytes().to_vec(), folder: None };
    load(&text, &Options::default()).map(Arc::new)
}

fn planned(text: &str) -> Result<Plan, Refused> {
    plan(&loaded(text)?, PlanOptions::default())
}

fn with_control<R>(jobs: usize, work: impl FnOnce(&Control<'_>) -> R) -> R {
    let stop = AtomicBool::new(false);
    work(&Control { jobs, stop: &stop, progress: &|_, _| {} })
}

/// The unchanged scenario, and every value of each axis alone.
#[test]
fn points_one_at_a_time_are_asked_for_in_these_words() {
    let plan = planned(&format!("{SCENARIO}  design: one_at_a_time\n")).expect("a good sweep");
    assert_eq!(plan.points.len(), 1 + 3 + 2);
}

#[test]
fn a_sweep_is_the_same_with_any_number_of_jobs() {
    let plan = planned(SCENARIO).expect("a good sweep");
    assert_eq!((plan.points.len(), plan.unit_count()), (6, 18));
    let one = with_control(1, |control| plan.run_in_memory(control)).expect("it runs");
    assert!(one.points.iter().all(|p| p.error().is_none()));
    for jobs in [2, 4] {
        assert_eq!(with_control(jobs, |control| plan.run_in_memory(control)).expect("it runs"), one, "{jobs} jobs");
    }
    let goodput: Vec<f64> = one.points.iter().map(|p| p.interval(0).expect("three runs").mean).collect();
    assert!(goodput[0] < 60.0 && goodput[5] > 130.0, "{goodput:?}");
}

#[test]
fn replication_0_of_a_point_is_the_run_of_the_scenario_there() {
    let plan = planned(SCENARIO).expect("a good sweep");
    let swept = with_control(1, |control| plan.run_in_memory(control)).expect("it runs");
    let stop = AtomicBool::new(false);
    let alone = replicate::run_once(&plan.scenario_at(4).expect("a good point"), 3, 0, &stop).expect("it runs");
    let first = swept.points[4].runs[0].as_ref().expect("it was run");
    assert_eq!(first.values[0], Some(alone.goodput));
}

#[test]
fn shards_in_other_folders_merge_into_what_one_run_gives() {
    let plan = planned(SCENARIO).expect("a good sweep");
    let serial = with_control(1, |control| plan.run_in_memory(control)).expect("it runs");
    let folder = tempfile::tempdir().expect("a folder");
    let merged = Store::open(&folder.path().join("merged")).expect("a store");
    for shard in [2, 0, 1] {
        let store = Store::open(&folder.path().join(shard.to_string())).expect("a store");
        with_control(2, |control| plan.run((0..plan.unit_count()).filter(|u| u % 3 == shard), &store, control))
            .expect("it runs");
        merged.take_from(&store, &plan).expect("copied");
    }
    assert_eq!(plan.missing(&merged), 0);
    assert_eq!(plan.collect(&merged), serial);
}

#[test]
fn a_sweep_that_was_cut_off_goes_on_and_never_trusts_half_a_file() {
    let plan = planned(SCENARIO).expect("a good sweep");
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let stop = AtomicBool::new(false);
    let cut = plan.run(
        0..plan.unit_count(),
        &store,
        &Control { jobs: 1, stop: &stop, progress: &|done, _| stop.store(done == 7, Ordering::Relaxed) },
    );
    assert_eq!(cut, Err(Stopped::Cut));
    assert_eq!(plan.missing(&store), 11);
    // A file truncated by a crash, and a file changed by somebody.
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path().join("units")).expect("list").map(|f| f.expect("file").path()).collect();
    files.sort();
    let whole = std::fs::read_to_string(&files[0]).expect("read");
    std::fs::write(&files[0], &whole[..whole.len() / 2]).expect("write");
    let other = std::fs::read_to_string(&files[1]).expect("read");
    std::fs::write(&files[1], other.replacen("\"goodput\":", "\"goodput\":1", 1)).expect("write");
    assert_eq!(plan.missing(&store), 13);
    let runs = AtomicUsize::new(0);
    let resumed = AtomicBool::new(false);
    let progress = |_, _| {
        runs.fetch_add(1, Ordering::Relaxed);
    };
    let control = Control { jobs: 2, stop: &resumed, progress: &progress };
    assert_eq!(plan.run(0..plan.unit_count(), &store, &control), Ok(13));
    assert_eq!(runs.into_inner(), 13, "finished units are not run again");
    assert_eq!(plan.collect(&store), with_control(1, |control| plan.run_in_memory(control)).expect("it runs"));
}

#[test]
fn a_value_that_the_scenario_refuses_is_shown_where_it_stands() {
    let text = SCENARIO.replace("[1, 2]", "[1, many]");
    let refused = planned(&text).expect_err("`many` is no count");
    assert_eq!(refused.problems.len(), 1, "once, though three points have it");
    let at = text.find("many").expect("it is there") as u32;
    assert_eq!(refused.problems[0].span.start, at);
}

#[test]
fn an_unknown_metric_is_shown_with_the_nearest() {
    let refused = planned(&SCENARIO.replace("[goodput,", "[goodputt,")).expect_err("no such metric");
    assert_eq!(refused.problems[0].code, "unknown_metric");
    assert_eq!(refused.problems[0].help.as_deref(), Some("did you mean `goodput`?"));
}

#[test]
fn another_point_leaves_the_names_of_the_others_alone() {
    let (few, many) = (planned(SCENARIO), planned(&SCENARIO.replace("[1, 2]", "[1, 2, 4]")));
    let (few, many) = (few.expect("good"), many.expect("good"));
    let keys = |plan: &Plan| (0..plan.unit_count()).map(|u| plan.key_of(u)).collect::<Vec<_>>();
    assert!(keys(&few).iter().all(|key| keys(&many).contains(key)));
}

#[test]
fn a_run_that_fails_is_reported_and_does_not_stop_the_others() {
    // A load above the capacity never settles, so its warm-up cannot be found.
    let text = SCENARIO
        .replace("run: {duration: 2s}", "run: {duration: 60s, warmup: auto, window: 100ms}")
        .replace("{from: 50/s, to: 150/s, steps: 3}", "[50/s, 400/s]")
        .replace("[1, 2]", "[1]");
    let plan = planned(&text).expect("a good sweep");
    let swept = with_control(2, |control| plan.run_in_memory(control)).expect("it runs");
    assert_eq!(swept.points[0].error(), None);
    assert!(swept.points[1].error().expect("it grows for ever").contains("no steady state"));
}

#[test]
fn an_automatic_warmup_ends_at_a_window_and_is_refused_where_nothing_settles() {
    let text = SCENARIO.replace("run: {duration: 2s}", "run: {duration: 60s, warmup: auto, window: 100ms}");
    let stop = AtomicBool::new(false);
    let warmup = replicate::warmup(&loaded(&text).expect("good"), 3, &stop).expect("it settles");
    assert!(warmup.is_multiple_of(100_000_000) && warmup < 30_000_000_000, "{warmup}");
    let overloaded = text.replace("100/s", "400/s");
    let why = replicate::warmup(&loaded(&overloaded).expect("good"), 3, &stop).expect_err("it only grows");
    assert!(why.to_string().contains("no steady state"), "{why}");
}

#[test]
fn precision_adds_replications_until_it_is_reached() {
    let precise = "run: {duration: 2s, precision: {metric: goodput, relative: 2%, max: 60}}";
    let scenario = loaded(&SCENARIO.replace("run: {duration: 2s}", precise)).expect("good");
    let of = |jobs| with_control(jobs, |control| replicate::replicate(&scenario, 1, control)).expect("it runs");
    let replicated = of(2);
    assert!(replicated.interval("goodput").expect("many runs").is_within(0.02) && replicated.not_reached.is_none());
    assert!(replicated.results.len() > 10 && replicated.results.len() % 5 == 0, "{}", replicated.results.len());
    assert_eq!(of(1).result(), replicated.result());
    let never = SCENARIO.replace("run: {duration: 2s}", &precise.replace("2%, max: 60", "0.01%, max: 12"));
    let scenario = loaded(&never).expect("good");
    let replicated = with_control(2, |control| replicate::replicate(&scenario, 1, control)).expect("it runs");
    assert_eq!(replicated.results.len(), 12);
    assert!(replicated.not_reached.is_some());
}

#[test]
fn a_sweep_makes_a_fixed_number_of_runs_and_says_so() {
    let precise = "run: {duration: 2s, precision: {metric: goodput}}";
    let text = SCENARIO.replace("run: {duration: 2s}", precise);
    assert_eq!(planned(&text).expect("the sweep says how many").replications, 3);
    let refused = planned(&text.replace("  replications: 3\n", "")).expect_err("nobody says how many");
    assert_eq!(refused.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["not_in_a_sweep"]);
}

#[test]
fn what_a_recorded_table_contains_is_part_of_the_address_of_its_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = SCENARIO.replace("poisson: 100/s", "trace: {file: t.csv, time_column: at}");
    let text = text.replace("    workloads.clients.arrivals.poisson: {from: 50/s, to: 150/s, steps: 3}\n", "");
    let mut plans = ["at\n0.1\n0.2\n", "at\n0.1\n0.3\n", "at\n0.1\n0.2\n"].map(|table| {
        std::fs::write(folder.path().join("t.csv"), table).expect("it can be written");
        let bytes = text.as_bytes().to_vec();
        let text = Text { name: "test.yaml".into(), bytes, folder: Some(folder.path().to_path_buf()) };
        let loaded = load(&text, &Options::default()).map(Arc::new).expect("a good scenario");
        plan(&loaded, PlanOptions::default()).expect("a good sweep")
    });
    let [first, other, again] = &mut plans;
    assert_eq!(first.contents, again.contents);
    assert!(first.contents.iter().zip(&other.contents).all(|(a, b)| a != b));
    assert_ne!(first.loaded.hash, other.loaded.hash);
}
