//! Verifies every sentence of a report against its result, for random systems, with code that is independent of the rules: it
//! reads the JSON of the result.
//!
//! 1. Every figure in a sentence has the value that its evidence refers to, and no figure lacks evidence.
//! 2. Every sentence is true: there is a predicate for each rule.
//! 3. "Nothing stands out" appears only if nothing is wrong, and every missing recovery is reported first.
//! 4. The settings that sentences recommend can be set in the scenario.
//!
//! `FINDINGS_CASES=5000 FINDINGS_SEED=2 cargo test -p report --test it predicates` runs more cases.

use std::sync::Arc;

use lab::result::RunResult;
use lab::{Options, Session, Text};
use report::findings::{Evidence, Finding, How, Severity, Source, findings};

use crate::raw::{NEARLY, Raw};
use crate::topology;
use crate::troubles;

/// The scenario with this number, from the generator that the tests of laws use, but longer, to leave time for recovery.
fn scenario(seed: u64, case: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(case).wrapping_mul(0xD129_0F1A_33C5_A5A7) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u16
    };
    let length = 20 + usize::from(next()) % 240;
    let choices: Vec<u16> = (0..length).map(|_| next()).collect();
    let duration = ["60s", "40s", "20s"][case as usize % 3];
    topology::scenario(&choices).replacen("duration: 20s", &format!("duration: {duration}"), 1)
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

pub(crate) fn load(yaml: &str, overrides: &[String]) -> Result<lab::Loaded, String> {
    let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
    let options = Options { overrides: overrides.to_vec(), ..Options::default() };
    lab::load(&text, &options).map_err(|refused| {
        language::diagnostics::render(&refused.problems, &refused.sources, language::diagnostics::Style::Plain)
    })
}

pub(crate) fn run(yaml: &str, overrides: &[String]) -> RunResult {
    let loaded = Arc::new(load(yaml, overrides).unwrap_or_else(|problems| panic!("{problems}\n{yaml}")));
    let seed = loaded.scenario.seed;
    let mut session = Session::new(loaded, seed, None);
    session.run_to_end().unwrap_or_else(|failure| panic!("{failure}\n{yaml}"));
    session.result()
}

#[test]
fn every_sentence_is_true_of_its_run() {
    let (cases, seed) = (number("FINDINGS_CASES", 80), number("FINDINGS_SEED", 1));
    let rules = std::sync::Mutex::new(std::collections::BTreeMap::<&str, usize>::new());
    let wrong = |case: u64| {
        let yaml = scenario(seed, case);
        let result = run(&yaml, &[]);
        for finding in findings(&result) {
            *rules.lock().expect("nobody panics").entry(finding.rule).or_default() += 1;
        }
        let mut wrong = check(&result);
        wrong.extend(remedies_exist(&yaml, &result));
        (!wrong.is_empty()).then(|| format!("case {case} of seed {seed}:\n{}\n{yaml}", wrong.join("\n")))
    };
    // Two at a time.
    let half = |odd: u64| (0..cases).filter(|case| case % 2 == odd).filter_map(&wrong).take(3).collect::<Vec<_>>();
    let found: Vec<String> = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut found = half(0);
        found.extend(other.join().expect("it does not panic"));
        found
    });
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    // The test proves little if most sentences never occur.
    let rules = rules.into_inner().expect("nobody panics");
    assert!(rules.len() >= 15 || cases < 150, "{rules:?}");
    println!("sentences by rule: {rules:?}");
}

/// The errors in the findings about a result.
pub(crate) fn check(result: &RunResult) -> Vec<String> {
    let (raw, found) = (Raw::new(result), findings(result));
    let mut wrong = Vec::new();
    for finding in &found {
        let mut tell = |what: String| wrong.push(format!("{}: {:?}: {what}", finding.rule, finding.text));
        finding.evidence.iter().filter_map(|evidence| misplaced(&raw, result, evidence)).for_each(&mut tell);
        unfounded(&raw, finding).into_iter().for_each(&mut tell);
        if let Err(why) = holds(&raw, result, finding) {
            tell(why);
        }
    }
    if !found.is_sorted_by_key(|finding| finding.severity) {
        wrong.push("the worst is not first".to_owned());
    }
    let lost = |finding: &Finding| finding.rule == "not_recovered";
    if found.iter().any(lost) && !lost(&found[0]) {
        wrong.push(format!("what did not recover is not first, but {:?}", found[0].text));
    }
    if found.iter().any(|finding| finding.rule == "quiet") {
        wrong.extend(anything_bad(&raw).into_iter().map(|what| format!("nothing stands out, but {what}")));
    }
    wrong.extend(troubles::untold_loss(&raw, &found));
    wrong
}

pub(crate) fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-3)
}

// 1. Figures.

/// Reports a figure that differs from the value its evidence refers to.
fn misplaced(raw: &Raw, result: &RunResult, evidence: &Evidence) -> Option<String> {
    let found = match &evidence.source {
        Source::Rule => return None,
        // Single replicas are not in the JSON.
        Source::Metric(path) if path.contains('[') => lab::metrics::value(result, path).ok().flatten(),
        Source::Metric(path) => {
            // An outcome that never occurred is not listed.
            raw.number(path).or_else(|| path.contains(".outcomes.").then_some(0.0))
        }
        Source::Windows { columns, how, from_s, until_s } => over_windows(raw, columns, *how, *from_s, *until_s),
    };
    match found {
        Some(found) if same(found, evidence.value) => None,
        found => Some(format!("{} is {found:?} and not {} ({:?})", evidence.name, evidence.value, evidence.source)),
    }
}

fn over_windows(raw: &Raw, columns: &[String], how: How, from_s: f64, until_s: f64) -> Option<f64> {
    let columns: Vec<Vec<Option<f64>>> = columns.iter().filter_map(|name| raw.column(name)).collect();
    let mut sums = Vec::new();
    for window in raw.between(from_s, until_s) {
        let known: Vec<f64> = columns.iter().filter_map(|column| column[window]).collect();
        if !known.is_empty() {
            sums.push(known.iter().sum::<f64>());
        }
    }
    if sums.is_empty() {
        return None;
    }
    Some(match how {
        How::Mean => sums.iter().sum::<f64>() / sums.len() as f64,
        How::Most => sums.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        How::Least => sums.iter().copied().fold(f64::INFINITY, f64::min),
        How::Total => sums.iter().sum::<f64>() * raw.window_s,
    })
}

/// The figures in a sentence that lack evidence.
fn unfounded(raw: &Raw, finding: &Finding) -> Vec<String> {
    // Objectives are worded by other code.
    if finding.rule == "objective" {
        return Vec::new();
    }
    let mut rest = finding.text.clone();
    if let Some(remedy) = &finding.remedy {
        rest = rest.replace(&format!("`{}`", remedy.path), "");
    }
    let mut names: Vec<String> = ["workloads", "components"]
        .iter()
        .flat_map(|section| raw.names(section))
        .map(str::to_owned)
        .chain(raw.links().into_iter().map(|(_, link, _)| link.to_owned()))
        .chain(raw.faults().into_iter().chain(raw.events()).map(|(name, _, _)| name))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names.iter().filter(|name| name.contains(|c: char| c.is_ascii_digit())) {
        rest = rest.replace(name.as_str(), "");
    }
    rest = rest.replace("p99", "");
    let mut written: Vec<String> =
        finding.evidence.iter().map(|evidence| evidence.unit.write(evidence.value)).collect();
    written.sort_by_key(|words| std::cmp::Reverse(words.len()));
    for words in written {
        rest = rest.replacen(&words, "", 1);
    }
    match rest.contains(|c: char| c.is_ascii_digit()) {
        true => vec![format!("no evidence for what is left: {rest:?}")],
        false => Vec::new(),
    }
}

// 2. Predicates.

/// The value that a sentence states for a figure.
pub(crate) fn stated(finding: &Finding, name: &str) -> Result<f64, String> {
    let found = finding.evidence.iter().find(|evidence| evidence.name == name);
    found.map(|evidence| evidence.value).ok_or_else(|| format!("it does not state `{name}`"))
}

pub(crate) fn expect(what: &str, found: f64, stated: f64) -> Result<(), String> {
    if same(found, stated) { Ok(()) } else { Err(format!("{what} is {found} and not {stated}")) }
}

pub(crate) fn demand(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("not so: {what}")) }
}

const GOOD: [&str; 3] = ["ok", "accepted", "degraded"];

fn holds(raw: &Raw, result: &RunResult, finding: &Finding) -> Result<(), String> {
    let name = finding.about.split_once('.').map_or("", |(_, name)| name);
    let state = |what: &str| stated(finding, what);
    match finding.rule {
        // It only states figures, which have been checked.
        "queue_long" => queue_long(raw, finding, name),
        "the_same" => Ok(()),
        "quiet" => Ok(()),
        "cut_short" => demand(raw.at("run.finished").and_then(|v| v.as_bool()) == Some(false), "it was cut short"),
        "recovered" => troubles::recovered(raw, finding),
        "remedied" => troubles::remedied(raw, finding),
        "recovered_too" => troubles::recovered_too(raw, finding),
        "unharmed" => troubles::unharmed(raw, finding),
        "not_recovered" => troubles::not_recovered(raw, finding),
        "cut_off" => troubles::cut_off(raw, finding),
        "still_acting" => troubles::still_acting(raw, finding),
        "no_goodput" => no_goodput(raw, finding, name),
        "failures" => failures(raw, finding, name),
        "late" => {
            let (late, completed) =
                (raw.number(&format!("workloads.{name}.late")), raw.number(&format!("workloads.{name}.completed")));
            expect("the share", late.unwrap_or(0.0) / completed.unwrap_or(0.0), state("late")?)?;
            let (good, sent) =
                (raw.number(&format!("workloads.{name}.goodput")), raw.number(&format!("workloads.{name}.offered")));
            expect("the goodput", good.unwrap_or(0.0) / sent.unwrap_or(0.0), state("good")?)
        }
        "degraded" => {
            let completed = raw.number(&format!("workloads.{name}.completed")).unwrap_or(0.0);
            expect("the share", state("degraded")? / completed, state("share")?)
        }
        "slow" => slow(raw, finding, name),
        "refusals" => {
            let all: f64 = raw.outcomes(&finding.about).iter().map(|(_, count)| count).sum();
            let kinds = ["overload", "rate_limited", "breaker_open", "pool_timeout"];
            let away: f64 = raw
                .outcomes(&finding.about)
                .iter()
                .filter(|(kind, _)| kinds.contains(kind) && finding.text.contains(kind))
                .map(|(_, count)| count)
                .sum();
            expect("the share", away / all, state("share")?)
        }
        "objective" => {
            let name = finding.about.trim_start_matches("objectives.");
            let objectives = raw.json()["objectives"].as_array().into_iter().flatten();
            let mut missed = objectives.filter(|objective| objective["name"] == *name);
            demand(missed.any(|objective| objective["holds"] == false), "it is missed")
        }
        "queue_grows" => queue_grows(raw, finding, name),
        "queue_full" => queue_full(raw, finding, name),
        "queue_left" => queue_left(raw, finding),
        "waste" => match raw.number(&format!("components.{name}.utilization")) {
            Some(busy) => expect("what is lost", busy * state("wasted")?, state("lost")?),
            None => demand(state("lost").is_err(), "nothing limits it"),
        },
        "amplification" => {
            let share = raw.number(&format!("components.{name}.retry_share")).unwrap_or(0.0);
            demand((share - state("retries")?).abs() < 1e-9, "so many arrivals were retries")
        }
        "refused_retries" => {
            let (refused, made) = (state("refused")?, raw.number(&format!("{}.retries", finding.about)).unwrap_or(0.0));
            expect("the share", refused / (refused + made), state("share")?)
        }
        "pool" => match state("active") {
            Ok(active) => expect("the use", active / state("size")?, state("in_use")?),
            Err(_) => Ok(()),
        },
        "saturation" => saturation(raw, finding, &format!("components.{name}.utilization")),
        "busy_hosts" => saturation(raw, finding, &format!("{}.cpu", finding.about)),
        "unequal" => {
            let each: Vec<f64> = result.components[name].each.iter().filter_map(|one| one.utilization).collect();
            expect("the mean", each.iter().sum::<f64>() / each.len() as f64, state("mean")?)?;
            demand(each.iter().all(|busy| *busy <= state("busiest").unwrap_or(0.0)), "it is the busiest")
        }
        "idle_beside" => {
            let spread = raw.at(&format!("components.{name}.spread")).ok_or("there is no spread")?;
            expect("how often", spread["waiting"].as_f64().unwrap_or(0.0), state("waiting")?)?;
            expect("of how often", spread["looks"].as_f64().unwrap_or(0.0), state("looks")?)?;
            expect("how idle", spread["idle"].as_f64().unwrap_or(0.0), state("idle")?)
        }
        "leak" => expect("workers", workers(raw, name), state("workers")?),
        "long_turn" => demand(state("turn")? >= 0.05, "it is long"),
        "throttled" => {
            demand(state("throttled")? > 0.0 && state("throttled")? <= 1.0, "there were such periods")?;
            demand(finding.text.contains("although") == (state("used")? < 0.95), "it had some of its quota left")
        }
        "oom_killed" => {
            demand(state("kills")? >= 1.0, "there were some")?;
            demand(finding.text.contains("once") == (state("kills")? == 1.0), "it is said how often")
        }
        "collecting" => {
            demand((0.02..=1.0).contains(&state("share")?), "it is a share worth telling")?;
            demand(finding.text.contains("the heap was full") == (state("full")? > 0.0), "it was full, or not")
        }
        "no_thread" => demand(state("refused")? > 0.0, "there were some"),
        "accept_queue" => demand(state("dropped")? > 0.0, "there were some"),
        "no_port" => demand(state("exhausted")? > 0.0, "there were some"),
        "undetected" => {
            demand((0.001..=1.0).contains(&state("share")?), "it is a share worth telling")?;
            match state("mean") {
                Ok(mean) => demand(mean > 0.0 && mean <= state("most")?, "the longest is no shorter than the mean"),
                Err(_) => demand(
                    raw.number(&format!("components.{name}.health_check.detection.count")) == Some(0.0),
                    "none was found out",
                ),
            }
        }
        "ejections" => {
            let (ejections, refused) = (state("ejections")?, state("refused").unwrap_or(0.0));
            demand(ejections + refused > 0.0, "there were some")?;
            demand(finding.text.contains("`max_ejected`") == (refused > 0.0), "some were not allowed, or all were")
        }
        "panic" => demand(state("share")? > 0.0 && state("share")? <= 1.0, "there were such calls"),
        "connections_full" => demand(state("refused")? > 0.0 && state("most")? > 0.0, "there were some"),
        "blocked" => {
            expect("workers", workers(raw, name), state("workers")?)?;
            expect("the share", state("blocked")? / state("workers")?, state("share")?)
        }
        "tasks_grow" => {
            demand(state("last")? >= 2.0 * state("first")? && state("last")? >= 50.0, "they are many more")?;
            let column = format!("components.{name}.tasks");
            let windows = raw.between(state("from")?, state("until")?);
            // The mean grows from third to third.
            let third = windows.len() / 3;
            let mean = |part: &[usize]| part.iter().filter_map(|window| raw.value(&column, *window)).sum::<f64>();
            let thirds: Vec<f64> = windows[windows.len() - 3 * third..].chunks(third).map(mean).collect();
            demand(thirds.is_sorted_by(|one, next| one < next), "they grow throughout")
        }
        "stampede" => stampede(raw, finding),
        "waits" => waits(raw, finding, name),
        "standstill" => standstill(raw, finding, name),
        "stability" => stability(finding),
        "lost_messages" | "dead_letters" | "dropped_messages" | "expired_messages" => {
            demand(state("lost")? > 0.0 && state("lost")? <= state("published")?, "some of them, and not more")
        }
        "duplicates" => {
            demand(state("duplicates")? > 0.0, "there were some")?;
            expect("the share", state("duplicates")? / state("receives")?, state("share")?)
        }
        "out_of_order" => demand(state("out_of_order")? > 0.0, "there were some"),
        "incomplete" => demand(state("failed")? > 0.0, "there were some"),
        "behind_answers" => {
            demand(state("done")? >= 1.0 && state("done")? >= 10.0 * state("answered")?, "it took much longer")
        }
        other => Err(format!("there is no predicate for `{other}`")),
    }
}

fn workers(raw: &Raw, name: &str) -> f64 {
    raw.at(&format!("components.{name}.workers")).and_then(|workers| workers["count"].as_f64()).unwrap_or(0.0)
}

// Answers to callers.

/// The windows in which a workload sent requests and got no timely answer.
fn unanswered(raw: &Raw, name: &str) -> Vec<usize> {
    let value = |metric: &str, window: usize| raw.value(&format!("workloads.{name}.{metric}"), window);
    let nothing =
        |window: &usize| value("sent", *window).unwrap_or(0.0) > 0.0 && value("goodput", *window) == Some(0.0);
    raw.measured().into_iter().filter(nothing).collect()
}

fn no_goodput(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let windows = unanswered(raw, name);
    let (from_s, until_s) = (stated(finding, "from")?, stated(finding, "until")?);
    let within = raw.between(from_s, until_s);
    demand(within.iter().all(|window| windows.contains(window)), "all of that time was without")?;
    let sent = windows.iter().filter_map(|window| raw.value(&format!("workloads.{name}.sent"), *window)).sum::<f64>();
    demand((sent * raw.window_s - stated(finding, "sent")?).abs() < 1e-6 * (1.0 + sent), "so many were sent")?;
    let many = stated(finding, "windows").unwrap_or(within.len() as f64);
    expect("how many windows", windows.len() as f64, many)
}

fn failures(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let outcomes = raw.outcomes(&format!("workloads.{name}"));
    let all: f64 = outcomes.iter().map(|(_, count)| count).sum();
    let failed: f64 = outcomes.iter().filter(|(name, _)| !GOOD.contains(name)).map(|(_, count)| count).sum();
    expect("the share", failed / all, stated(finding, "failed")?)?;
    for evidence in finding.evidence.iter().filter(|evidence| evidence.name == "share") {
        let written = evidence.unit.write(evidence.value);
        let is = |(name, count): &(&str, f64)| {
            same(count / all, evidence.value) && finding.text.contains(&format!("{written} {name}"))
        };
        demand(outcomes.iter().any(is), &format!("{written} of some kind"))?;
    }
    let causes = raw.json()["workloads"][name]["causes"].as_array().cloned().unwrap_or_default();
    let of_all: f64 = causes.iter().filter_map(|cause| cause["count"].as_f64()).sum();
    for evidence in finding.evidence.iter().filter(|evidence| evidence.name == "cause") {
        let is = |cause: &serde_json::Value| cause["count"].as_f64().is_some_and(|n| same(n / of_all, evidence.value));
        demand(causes.iter().any(is), "a cause of that share")?;
    }
    Ok(())
}

fn usual_median(raw: &Raw, name: &str) -> Option<f64> {
    let column = format!("workloads.{name}.latency.p50_s");
    let mut known: Vec<f64> = raw.measured().into_iter().filter_map(|window| raw.value(&column, window)).collect();
    known.sort_by(f64::total_cmp);
    known.get(known.len() / 4).copied()
}

fn slow(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let usual = usual_median(raw, name).ok_or("nothing is known of it")?;
    expect("the usual median", usual, stated(finding, "usual")?)?;
    let bound = stated(finding, "bound")?;
    demand(bound >= 10.0 * usual - 1e-12, "that is many times as long")?;
    let column = format!("workloads.{name}.latency.p99_s");
    let is_slow = |window: &usize| raw.value(&column, *window).is_some_and(|p99_s| p99_s >= bound);
    let slow: Vec<usize> = raw.measured().into_iter().filter(is_slow).collect();
    expect("how many windows", slow.len() as f64, stated(finding, "windows")?)?;
    expect("of how many", raw.measured().len() as f64, stated(finding, "of")?)?;
    let (first, last) = slow.first().zip(slow.last()).ok_or("there are none")?;
    expect("from when", raw.begin_s(*first), stated(finding, "from")?)?;
    expect("until when", raw.begin_s(*last) + raw.window_s, stated(finding, "until")?)
}

// Places.

fn queue_long(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    if !finding.text.contains("waiting callers send nothing more") {
        return Ok(());
    }
    // No workload that does not wait for answers reaches it, by calls or by messages.
    let mut reached: Vec<&str> = raw
        .names("workloads")
        .into_iter()
        .filter(|name| raw.json()["workloads"][name]["waits_for_answers"] == false)
        .collect();
    let mut next = 0;
    while let Some(from) = reached.get(next).copied() {
        next += 1;
        for (caller, _, link) in raw.links() {
            let to = link["to"].as_array().into_iter().flatten().filter_map(|to| to.as_str());
            let new: Vec<&str> = to.filter(|to| caller == from && !reached.contains(to)).collect();
            reached.extend(new);
        }
        for component in raw.names("components") {
            let consumes = raw.json()["components"][component]["consumes"].as_array().into_iter().flatten();
            if consumes.into_iter().any(|queue| queue == from) && !reached.contains(&component) {
                reached.push(component);
            }
        }
    }
    demand(!reached.contains(&name), "only those who wait for answers send")
}

fn queue_grows(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let (from_s, until_s) = (stated(finding, "from")?, stated(finding, "until")?);
    let column = format!("components.{name}.queue.depth");
    let points: Vec<(f64, f64)> = raw
        .between(from_s, until_s)
        .into_iter()
        .filter_map(|window| Some((raw.begin_s(window), raw.value(&column, window)?)))
        .collect();
    // The slope by least squares, over the whole time and over its last half.
    let slope = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / n, sum.1 + point.1 / n));
        points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>()
            / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
    };
    demand(slope(&points) > 0.0, "it rises")?;
    demand(slope(&points[points.len() / 2..]) > 0.0, "it rises in the second half")?;
    demand(stated(finding, "last")? > stated(finding, "first")?, "it is longer at the end")?;
    let last = raw.measured().last().map_or(0.0, |window| raw.begin_s(*window) + raw.window_s);
    demand((until_s - last).abs() < NEARLY, "that is the end of the run")
}

fn queue_full(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let bound = raw.number(&format!("components.{name}.queue.bound")).ok_or("it has no bound")?;
    let column = format!("components.{name}.queue.depth");
    let is_full = |window: &usize| raw.value(&column, *window).is_some_and(|depth| depth >= 0.9 * bound);
    let full: Vec<usize> = raw.measured().into_iter().filter(is_full).collect();
    if finding.text.contains("for a moment") {
        return demand(stated(finding, "depth_max")? >= bound, "it reached its bound");
    }
    expect("how often", full.len() as f64, stated(finding, "windows")?)?;
    expect("of how often", raw.measured().len() as f64, stated(finding, "of")?)?;
    expect("the bound", bound, stated(finding, "bound")?)?;
    let at_the_end = full.last() == raw.measured().last();
    demand(finding.text.contains(" is full") == at_the_end, "it is full at the end, or not")
}

fn queue_left(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let (last, then) = (stated(finding, "last")?, stated(finding, "then")?);
    let has_not_shrunk = finding.text.contains("has not shrunk");
    demand(has_not_shrunk == (last >= then), "it has shrunk, or not")?;
    let ended = raw.faults().iter().any(|(name, _, ended_s)| {
        finding.text.contains(name.as_str()) && ended_s.is_some_and(|ended_s| ended_s < raw.end_s)
    });
    demand(ended, "that fault ended")
}

fn saturation(raw: &Raw, finding: &Finding, column: &str) -> Result<(), String> {
    let Ok(windows) = stated(finding, "windows") else { return Ok(()) };
    let is_busy = |window: &usize| raw.value(column, *window).is_some_and(|busy| busy >= 0.95);
    let busy: Vec<usize> = raw.measured().into_iter().filter(is_busy).collect();
    expect("how often", busy.len() as f64, windows)?;
    expect("of how often", raw.measured().len() as f64, stated(finding, "of")?)?;
    expect("from when", raw.begin_s(busy[0]), stated(finding, "from")?)?;
    expect("until when", raw.begin_s(busy[busy.len() - 1]) + raw.window_s, stated(finding, "until")?)
}

fn stampede(raw: &Raw, finding: &Finding) -> Result<(), String> {
    let columns = finding.evidence.iter().find_map(|evidence| match &evidence.source {
        Source::Windows { columns, .. } => columns.first(),
        Source::Metric(_) | Source::Rule => None,
    });
    let column = raw.column(columns.ok_or("it names no link")?).ok_or("there is no such column")?;
    let mut known: Vec<f64> = raw.measured().into_iter().filter_map(|window| column[window]).collect();
    known.sort_by(f64::total_cmp);
    expect("the median", known[known.len() / 2], stated(finding, "usual")?)
}

fn waits(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let (from_s, until_s) = (stated(finding, "from")?, stated(finding, "until")?);
    let column = format!("components.{name}.utilization");
    let is_busy = |window: &usize| raw.value(&column, *window).is_some_and(|busy| busy >= 0.95);
    demand(raw.between(from_s, until_s).iter().all(is_busy), "it was saturated all the time")?;
    for evidence in finding.evidence.iter().filter(|evidence| evidence.name == "waiting") {
        let Source::Windows { columns, .. } = &evidence.source else { return Err("it is of windows".to_owned()) };
        let link = columns[0].trim_end_matches(".in_flight");
        let holds = raw.at(link).map(|link| link["holds_a_worker"] == true);
        demand(holds == Some(true), &format!("each call over {link} holds a worker"))?;
        let caller = link.trim_start_matches("links.").split('.').next().unwrap_or_default();
        demand(evidence.value <= 1.001 * workers(raw, caller), "no more wait than there are")?;
    }
    Ok(())
}

fn standstill(raw: &Raw, finding: &Finding, name: &str) -> Result<(), String> {
    let from_s = stated(finding, "from")?;
    for window in raw.between(from_s, raw.end_s) {
        let value = |metric: &str| raw.value(&format!("components.{name}.{metric}"), window);
        demand(value("completed") == Some(0.0) && value("failed") == Some(0.0), "it answered nothing")?;
        demand(value("utilization").is_some_and(|busy| busy > 0.999), "all of its workers were held")?;
    }
    Ok(())
}

fn stability(finding: &Finding) -> Result<(), String> {
    let (first, last) = (stated(finding, "first")?, stated(finding, "last")?);
    let stable = last <= 1.5 * first + 20.0;
    demand(finding.text.starts_with("The run was stable") == stable, "it was stable, or not")
}

// 3. Quiet.

/// Problems that contradict "Nothing stands out".
fn anything_bad(raw: &Raw) -> Vec<String> {
    let mut bad = Vec::new();
    for name in raw.names("workloads") {
        let outcomes = raw.outcomes(&format!("workloads.{name}"));
        let not_ok = outcomes.iter().filter(|(name, count)| !["ok", "accepted"].contains(name) && *count > 0.0);
        bad.extend(not_ok.map(|(outcome, count)| format!("{count} requests of {name} ended in {outcome}")));
        if raw.number(&format!("workloads.{name}.late")).unwrap_or(0.0) > 0.0 {
            bad.push(format!("requests of {name} were late"));
        }
        bad.extend(unanswered(raw, name).first().map(|window| format!("{name} got nothing in window {window}")));
        let column = |what: &str| format!("workloads.{name}.latency.{what}_s");
        for window in raw.measured() {
            let (p50, p99) = (raw.value(&column("p50"), window), raw.value(&column("p99"), window));
            if let Some((p50, p99)) = p50.zip(p99)
                && let Some(usual) = usual_median(raw, name)
                && p99 >= 10.0 * p50.max(usual)
                && p99 - p50.max(usual) >= 0.01
            {
                bad.push(format!("the p99 of {name} is {p99} s in window {window}, and its median {p50} s"));
            }
        }
    }
    for name in raw.names("components") {
        let depth = raw.number(&format!("components.{name}.queue.depth_max")).unwrap_or(0.0);
        let wait = raw.number(&format!("components.{name}.queue.wait.max")).unwrap_or(0.0);
        if depth >= 20.0 || wait >= 1.0 {
            bad.push(format!("the queue of {name} held {depth}, and somebody waited {wait} s in it"));
        }
        let column = format!("components.{name}.utilization");
        let full = raw.measured().into_iter().find(|window| raw.value(&column, *window).is_some_and(|b| b >= 0.95));
        bad.extend(full.map(|window| format!("{name} was saturated in window {window}")));
        for gone in ["lost", "dead_letters", "dropped", "expired", "duplicates", "out_of_order"] {
            let count = raw.number(&format!("components.{name}.{gone}")).unwrap_or(0.0);
            if count > 0.0 {
                bad.push(format!("{name} has {count} {gone}"));
            }
        }
        for (outcome, count) in raw.outcomes(&format!("components.{name}")) {
            if ["overload", "rate_limited"].contains(&outcome) && count > 0.0 {
                bad.push(format!("{name} turned {count} calls away"));
            }
        }
    }
    for name in raw.names("hosts") {
        let column = format!("hosts.{name}.cpu");
        let full = raw.measured().into_iter().find(|window| raw.value(&column, *window).is_some_and(|b| b >= 0.95));
        bad.extend(full.map(|window| format!("the cores of {name} were all in use in window {window}")));
    }
    for (from, link, _) in raw.links() {
        for (outcome, count) in raw.outcomes(&format!("links.{from}.{link}")) {
            if ["breaker_open", "pool_timeout"].contains(&outcome) && count > 0.0 {
                bad.push(format!("{from}.{link} refused {count} calls"));
            }
        }
    }
    let missed =
        raw.json()["objectives"].as_array().into_iter().flatten().filter(|objective| objective["holds"] == false);
    bad.extend(missed.map(|objective| format!("an objective is missed: {}", objective["name"])));
    bad
}

// 4. Advice.

/// Remedies that cannot be set in the scenario.
fn remedies_exist(yaml: &str, result: &RunResult) -> Vec<String> {
    let found = findings(result);
    let remedies = found.iter().filter_map(|finding| finding.remedy.as_ref().map(|remedy| (finding.rule, remedy)));
    remedies
        .filter_map(|(rule, remedy)| {
            let setting = format!("{}={}", remedy.path, remedy.example);
            load(yaml, std::slice::from_ref(&setting)).err().map(|why| format!("{rule} advises `{setting}`: {why}"))
        })
        .collect()
}

#[test]
fn a_critical_finding_is_one_with_a_cross() {
    let storm = findings(&crate::sample::storm());
    assert_eq!(storm[0].severity, Severity::Critical);
}
