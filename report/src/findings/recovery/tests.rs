use super::*;
use crate::sample;
use lab::result::{FaultWindow, Series, WorkloadResult};

/// A workload of 1,000 requests per second whose goodput is `goodput(t)`, with one fault from 60 s to 80 s.
fn run(goodput: impl Fn(f64) -> f64) -> RunResult {
    let mut result = sample::calm();
    result.workloads.clear();
    result.workloads.insert("w".to_owned(), WorkloadResult::default());
    result.run.duration_s = 200.0;
    let at_s: Vec<f64> = (-10..200).map(f64::from).collect();
    let values = at_s.iter().map(|at_s| Some(goodput(*at_s))).collect();
    result.series = Series { window_s: 1.0, at_s, columns: Default::default() };
    result.series.columns.insert("workloads.w.goodput".to_owned(), values);
    result
}

fn only(result: &RunResult) -> Recovery {
    recovery(result, &lab::recovery::episodes(&result.faults), 0)
}

fn texts(found: &[Finding]) -> Vec<&str> {
    found.iter().map(|finding| finding.text.as_str()).collect()
}

#[test]
fn recovery_is_dated_from_the_first_good_window_that_holds() {
    // It recovers at 92 s for three seconds only, and for good at 100 s.
    let result = run(|at_s| match at_s {
        at_s if at_s < 60.0 => 1000.0,
        at_s if (92.0..95.0).contains(&at_s) => 1000.0,
        at_s if at_s < 100.0 => 300.0,
        _ => 1000.0,
    });
    assert_eq!(only(&result), Recovery::Recovered { at_s: 100.0, afterwards: 1.0 });
    assert_eq!(
        texts(&recoveries(&result)),
        [
            "Recovered from kill store ×1 20s after it ended (at 1m40s); goodput fell to 30 % of its level before, and was \
             below 95 % for 37s."
        ]
    );
}

#[test]
fn a_storm_that_outlives_its_fault_is_critical() {
    let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 30.0 });
    let found = recoveries(&result);
    assert_eq!(found[0].severity, Severity::Critical);
    assert_eq!(
        found[0].text,
        "Did not recover from kill store ×1: 2m after it ended, goodput is 3.0 % of its level before; it was below 95 % for 2m20s."
    );
}

#[test]
fn just_short_of_the_bound_has_not_recovered() {
    let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 949.0 });
    assert!(matches!(only(&result), Recovery::Lost { .. }));
    let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 951.0 });
    assert_eq!(only(&result), Recovery::Unharmed { lowest: 0.951 });
}

#[test]
fn too_little_time_after_a_fault_says_nothing() {
    let mut result = run(|_| 1000.0);
    result.faults[0].until_s = Some(195.0);
    assert_eq!(only(&result), Recovery::Unharmed { lowest: 1.0 });
    result.faults[0].at_s = 0.0;
    assert_eq!(only(&result), Recovery::Unknown, "nothing was seen before it");
}

#[test]
fn a_fault_without_an_end_is_compared_while_it_acts() {
    let mut result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 600.0 });
    result.faults[0].until_s = None;
    assert_eq!(only(&result), Recovery::StillActing { from_s: 60.0, share: 0.6 });
}

#[test]
fn each_episode_is_compared_with_what_was_just_before_it() {
    // The first fault halves goodput permanently; the second changes nothing more.
    let mut result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 500.0 });
    result.faults.push(FaultWindow {
        at_s: 120.0,
        until_s: Some(130.0),
        what: "second".to_owned(),
        ..FaultWindow::default()
    });
    let episodes = lab::recovery::episodes(&result.faults);
    assert!(matches!(recovery(&result, &episodes, 0), Recovery::Lost { .. }));
    assert_eq!(recovery(&result, &episodes, 1), Recovery::Unharmed { lowest: 1.0 });
}

#[test]
fn harm_of_the_next_episode_is_not_laid_at_the_door_of_this_one() {
    let mut result = run(|at_s| if at_s < 120.0 { 1000.0 } else { 100.0 });
    result.faults.push(FaultWindow { at_s: 120.0, until_s: None, what: "second".to_owned(), ..FaultWindow::default() });
    let episodes = lab::recovery::episodes(&result.faults);
    assert_eq!(recovery(&result, &episodes, 0), Recovery::Unharmed { lowest: 1.0 });
    let still = Recovery::StillActing { from_s: 120.0, share: 0.1 };
    assert_eq!(recovery(&result, &episodes, 1), still);
}

/// The same with a load that is proportional to goodput while nothing is wrong.
fn under_load(load: impl Fn(f64) -> f64, goodput: impl Fn(f64) -> f64) -> RunResult {
    let mut result = run(goodput);
    let sent = result.series.at_s.iter().map(|at_s| Some(load(*at_s))).collect();
    result.series.columns.insert("workloads.w.sent".to_owned(), sent);
    result
}

#[test]
fn less_goodput_of_a_lower_load_is_no_harm() {
    let load = |at_s: f64| 1000.0 - 4.0 * at_s.max(0.0);
    assert!(matches!(only(&under_load(load, load)), Recovery::Unharmed { lowest } if lowest > 0.999));
    // Half of the requests fail from 60 s to 100 s.
    let harmed = under_load(load, |at_s| if (60.0..100.0).contains(&at_s) { load(at_s) / 2.0 } else { load(at_s) });
    assert_eq!(
        texts(&recoveries(&harmed)),
        ["Recovered from kill store ×1 20s after it ended (at 1m40s); goodput fell to 50 % of what the load \
             allows, was below 95 % for 40s, and 13,640 requests were lost."]
    );
    // Users who wait for answers send less because the system is down, so the lower load does not excuse the lower goodput.
    let mut waiting = under_load(load, load);
    waiting.workloads["w"].waits_for_answers = true;
    assert!(matches!(only(&waiting), Recovery::Lost { .. }));
}

#[test]
fn a_fault_that_never_ends_hides_nothing_that_strikes_later() {
    let mut result = run(|at_s| if (120.0..130.0).contains(&at_s) { 0.0 } else { 1000.0 });
    result.faults[0].until_s = None;
    let (name, what) = (Some("cut".to_owned()), String::new());
    result.faults.push(FaultWindow { name, at_s: 120.0, until_s: Some(130.0), what, ..FaultWindow::default() });
    let mut found = recoveries(&result);
    found.sort_by(|left, right| left.text.cmp(&right.text));
    assert_eq!(
        texts(&found),
        [
            "Recovered from cut as soon as it ended; goodput fell to 0 % of its level before, and was below 95 % for 10s.",
            "kill store ×1 acts to the end of the run and does not lower goodput up to the next fault: it is 100 % of its level before."
        ]
    );
}

#[test]
fn of_many_faults_the_deepest_falls_come_first_and_none_is_told_for_another() {
    // Eight faults of 8 s, 20 s apart: the even ones do no harm, and goodput falls deeper with each odd one.
    let begins = |number: u32| 20.0 * f64::from(number + 1);
    let lost = |at_s: f64| {
        let hit = (0..8).find(|number| (begins(*number)..begins(*number) + 8.0).contains(&at_s));
        hit.filter(|number| number % 2 == 1).map_or(0.0, |number| 100.0 * f64::from(number + 1))
    };
    let mut result = run(|at_s| 1000.0 - lost(at_s));
    let fault = |number: u32| FaultWindow {
        name: Some(format!("f{number}")),
        at_s: begins(number),
        until_s: Some(begins(number) + 8.0),
        ..FaultWindow::default()
    };
    result.faults = (0..8).map(fault).collect();
    let recovered = |name: &str, share: u32| {
        format!(
            "Recovered from {name} as soon as it ended; goodput fell to {share} % of its level before, and was below 95 % \
             for 8s."
        )
    };
    assert_eq!(
        texts(&recoveries(&result)),
        [
            recovered("f7", 20).as_str(),
            &recovered("f5", 40),
            &recovered("f3", 60),
            "Also recovered from f1; goodput fell to 80 % at worst.",
            "f0, f2, f4 and f6 did not lower goodput."
        ]
    );
}

#[test]
fn a_fault_after_the_end_is_not_spoken_of() {
    let mut result = run(|_| 1000.0);
    result.faults[0].at_s = 200.0;
    result.faults[0].until_s = None;
    assert!(recoveries(&result).is_empty());
}

#[test]
fn an_earlier_fault_that_ends_as_this_one_begins_does_not_empty_what_was_before() {
    let mut result = run(|at_s| if (60.0..95.0).contains(&at_s) { 0.0 } else { 1000.0 });
    result.faults.push(FaultWindow { at_s: 50.0, until_s: Some(60.0), what: "deploy".into(), ..Default::default() });
    assert_eq!(only(&result), Recovery::Recovered { at_s: 95.0, afterwards: 1.0 });
    let text = &recoveries(&result)[0].text;
    assert!(text.starts_with("Recovered from deploy and kill store ×1 15s after they ended (at 1m35s);"), "{text}");
}

fn event(name: &str, at_s: f64) -> FaultWindow {
    FaultWindow { name: Some(name.to_owned()), at_s, ..FaultWindow::default() }
}

#[test]
fn what_operators_did_before_goodput_was_back_is_told() {
    let mut result = run(|at_s| if (60.0..120.0).contains(&at_s) { 300.0 } else { 1000.0 });
    result.events = vec![event("earlier", 20.0), event("rate-limit", 90.0), event("later", 125.0)];
    assert_eq!(
        texts(&recoveries(&result)),
        ["Recovered from kill store ×1 30s after rate-limit (event), 40s after it ended (at 2m); goodput fell to \
             30 % of its level before, and was below 95 % for 1m."]
    );
    // The fault never ends, but operators act.
    result.faults[0].until_s = None;
    assert_eq!(
        texts(&recoveries(&result)),
        ["Recovered 30s after rate-limit (event) (at 2m), although kill store ×1 acts to the end of the run; goodput \
             fell to 30 % of its level before, and was below 95 % for 1m."]
    );
    // Nobody acts before the recovery.
    result.events.remove(1);
    assert!(matches!(only(&result), Recovery::StillActing { .. }));
}

#[test]
fn a_change_for_good_in_the_middle_of_an_outage_does_not_end_its_story() {
    let mut result = run(|at_s| if (60.0..95.0).contains(&at_s) { 0.0 } else { 1000.0 });
    result.faults.push(FaultWindow { at_s: 70.0, until_s: None, what: "set".into(), ..FaultWindow::default() });
    let found = recoveries(&result);
    assert!(found.iter().any(|one| one.text.starts_with("Recovered from kill store ×1 15s after")), "{found:?}");
}

#[test]
fn the_end_of_the_run_soon_after_a_fault_is_told_where_it_did_harm() {
    let mut result = run(|at_s| if at_s < 180.0 { 1000.0 } else { 200.0 });
    (result.faults[0].at_s, result.faults[0].until_s) = (180.0, Some(195.0));
    let found = recoveries(&result);
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(
        found[0].text.starts_with("The run ended 5s after kill store ×1 ended, too soon to see whether"),
        "{found:?}"
    );
}

#[test]
fn what_an_objective_calls_back_is_back() {
    use lab::result::{Demand, ObjectiveResult, Recovers};
    // From 100 s on goodput is at 85 % of its level before.
    let mut result = run(|at_s| match at_s {
        at_s if at_s < 60.0 => 1000.0,
        at_s if at_s < 100.0 => 300.0,
        _ => 850.0,
    });
    result.faults[0].name = Some("kill".to_owned());
    assert!(matches!(only(&result), Recovery::Lost { .. }));
    result.objectives.push(ObjectiveResult {
        metric: "goodput".to_owned(),
        demand: Demand::Recovers,
        recovers: Some(Recovers { from: "kill".to_owned(), to: 0.8, hold_s: 5.0 }),
        ..ObjectiveResult::default()
    });
    assert!(matches!(only(&result), Recovery::Recovered { at_s: 100.0, .. }), "{:?}", only(&result));
}
