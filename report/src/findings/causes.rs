//! Chains of waiting: components whose workers all wait for another component, down to the last one; and components that no
//! longer answer at all.

use lab::result::{FaultWindow, LinkResult, RunResult, Workers};

use super::evidence::{How, Unit};
use super::places::{SATURATED, saturated};
use super::{Draft, Finding, Severity};
use crate::over_time::{self, Stretch};

/// Share of its workers that must wait for another component for that to be why a component is busy.
pub(super) const WAITING_MIN: f64 = 0.5;
/// Waiting calls cannot exceed the number of workers; if they do, calls do not map to workers one to one.
pub(super) const WAITING_MOST: f64 = 1.001;
/// A shorter saturation, s or windows, is normal.
const SPELL_S: f64 = 3.0;
const SPELL_WINDOWS: usize = 3;

/// A component whose workers wait for another.
struct Wait<'r> {
    from: &'r str,
    link: &'r str,
    figures: &'r LinkResult,
    workers: &'r Workers,
    waiting: f64,
}

fn column_of_link(from: &str, link: &str, metric: &str) -> String {
    format!("links.{from}.{link}.{metric}")
}

/// The link over which most workers of a component wait in a stretch, if at least half of them do.
fn main_wait<'r>(result: &'r RunResult, name: &'r str, spell: &Stretch) -> Option<Wait<'r>> {
    let (name, component) = result.components.get_key_value(name)?;
    let workers = component.workers.as_ref().filter(|workers| workers.held_while_waiting && workers.count > 0)?;
    let mut most: Option<Wait<'r>> = None;
    for (link, figures) in result.links.get(name)?.iter().filter(|(_, figures)| figures.holds_a_worker) {
        let columns = [column_of_link(name, link, "in_flight")];
        let waiting = super::evidence::over_windows(result, &columns, How::Mean, spell.from_s, spell.until_s)?;
        if most.as_ref().is_none_or(|most| waiting > most.waiting) {
            most = Some(Wait { from: name, link, figures, workers, waiting });
        }
    }
    let all = workers.count as f64;
    most.filter(|wait| wait.waiting >= WAITING_MIN * all && wait.waiting <= WAITING_MOST * all)
}

/// The longest notable saturation of a component.
fn spell(result: &RunResult, name: &str) -> Option<Stretch> {
    let longest = over_time::longest(&saturated(result, name))?;
    (longest.windows >= SPELL_WINDOWS && longest.until_s - longest.from_s >= SPELL_S).then_some(longest)
}

/// The components reached over a link, skipping those that only pass calls on.
fn reached<'r>(result: &'r RunResult, figures: &'r LinkResult) -> Vec<&'r str> {
    let mut found: Vec<&str> = Vec::new();
    let mut asked: Vec<&str> = figures.to.iter().map(String::as_str).collect();
    let mut next = 0;
    while let Some(name) = asked.get(next).copied() {
        next += 1;
        // A component with a single link, whose calls are its own, passes them on.
        match result.links.get(name).and_then(|links| links.get("to")) {
            Some(on) if on.in_flight.is_none() || result.components.get(name).is_some_and(|c| c.workers.is_none()) => {
                for to in on.to.iter().map(String::as_str).filter(|to| !asked.contains(to)).collect::<Vec<_>>() {
                    asked.push(to);
                }
            }
            _ => found.push(name),
        }
    }
    found
}

/// The faults that act on components or links within a stretch.
fn acting<'r>(result: &'r RunResult, on: &[String], spell: &Stretch) -> Vec<&'r FaultWindow> {
    let overlaps = |fault: &&FaultWindow| {
        fault.at_s < spell.until_s
            && fault.until_s.is_none_or(|until_s| until_s > spell.from_s)
            && fault.targets.iter().any(|target| on.contains(target))
    };
    result.faults.iter().filter(overlaps).collect()
}

/// Components that were saturated because they waited for others, each with the chain down to the last; and the names of all
/// components mentioned.
pub(super) fn waits(result: &RunResult) -> (Vec<Finding>, Vec<String>) {
    let mut told: Vec<String> = Vec::new();
    let mut found: Vec<Finding> = Vec::new();
    // The component furthest upstream reports the whole chain.
    let upstream = |name: &str| {
        super::callers::links_to(result, name)
            .filter(|(from, _)| {
                spell(result, from)
                    .and_then(|spell| main_wait(result, from, &spell))
                    .is_some_and(|wait| reached(result, wait.figures).contains(&name))
            })
            .count()
    };
    let mut names: Vec<&String> = result.components.keys().collect();
    names.sort_by_cached_key(|name| upstream(name));
    for name in names {
        if told.contains(name) {
            continue;
        }
        let Some(spell) = spell(result, name) else { continue };
        let Some(first) = main_wait(result, name, &spell) else { continue };
        let mut draft = Draft::new("waits", format!("components.{name}"));
        let share = draft.rule("saturated", Unit::Bound, SATURATED);
        let from = draft.rule("from", Unit::Instant, spell.from_s);
        let until = draft.rule("until", Unit::Instant, spell.until_s);
        let mut text = format!("{name} was at least {share} busy from {from} to {until}: ");
        text.push_str(&chain(result, &mut draft, first, &spell, &mut told));
        // Clients that wait for their answers keep a system as busy as possible, but never overload it.
        let closed = super::callers::is_fed_by_those_who_wait(result, name);
        found.push(draft.say(if closed { Severity::Warning } else { Severity::Critical }, text));
    }
    (found, told)
}

/// `18.2 of the 20 threads of web waited for payments, 9.9 of the 10 threads of payments for db, which slow-db acted on`.
fn chain<'r>(
    result: &'r RunResult,
    draft: &mut Draft,
    first: Wait<'r>,
    spell: &Stretch,
    told: &mut Vec<String>,
) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut wait = Some(first);
    let mut end = String::new();
    while let Some(Wait { from, link, figures, workers, .. }) = wait.take() {
        told.push(from.to_owned());
        let columns = vec![column_of_link(from, link, "in_flight")];
        let span = (spell.from_s, spell.until_s);
        let Some(waiting) = draft.windows(result, ("waiting", Unit::Number), columns, How::Mean, span) else { break };
        let all = draft.rule("workers", Unit::Count, workers.count as f64);
        let to = reached(result, figures);
        let waited = if words.is_empty() { "waited for" } else { "for" };
        let columns = vec![column_of_link(from, link, "pool.waiting")];
        let for_pool = super::evidence::over_windows(result, &columns, How::Mean, span.0, span.1).unwrap_or(0.0);
        let of_pool = if for_pool >= waiting / 10.0 && figures.own.get("pool.size").is_some() {
            draft.windows(result, ("for_pool", Unit::Number), columns, How::Mean, span);
            format!(" ({} of them for a connection)", Unit::Number.write(for_pool))
        } else {
            String::new()
        };
        words.push(format!(
            "{} of the {all} {} of {from} {waited} {}{of_pool}",
            Unit::Number.write(waiting),
            workers.noun,
            over_time::joined(&to)
        ));
        let next = match to.as_slice() {
            [only] if !told.iter().any(|name| name == only) => main_wait(result, only, spell),
            _ => None,
        };
        if next.is_none() {
            let leads_back = to.len() == 1 && told.iter().any(|name| name == to[0]);
            end = state(result, draft, figures, &to, &format!("{from}.{link}"), spell);
            told.extend(to.iter().filter(|_| end.contains("which was itself")).map(|name| (*name).to_owned()));
            if let ([only], true) = (to.as_slice(), leads_back) {
                end = if words.len() == 1 && *only == from {
                    ", that is, itself".to_owned()
                } else {
                    ", which leads back to the start".to_owned()
                };
            }
        }
        wait = next;
    }
    format!("{}{end}.", words.join(", "))
}

/// The problem of the last component in the chain, as far as the result shows it.
fn state(
    result: &RunResult,
    draft: &mut Draft,
    figures: &LinkResult,
    to: &[&str],
    link: &str,
    spell: &Stretch,
) -> String {
    let mut of: Vec<String> = to.iter().map(|name| (*name).to_owned()).chain(figures.to.iter().cloned()).collect();
    of.push(link.to_owned());
    let faults = acting(result, &of, spell);
    let mut said = Vec::new();
    if !faults.is_empty() {
        let acted: Vec<String> = faults
            .iter()
            .map(|fault| {
                let from = draft.rule("struck", Unit::Instant, fault.at_s);
                let name = over_time::fault_name(fault);
                match fault.until_s {
                    Some(until_s) => {
                        format!("affected by {name} from {from} to {}", draft.rule("ended", Unit::Instant, until_s))
                    }
                    None => format!("affected by {name} from {from} on"),
                }
            })
            .collect();
        said.push(format!("which was {}", over_time::joined(&acted.iter().map(String::as_str).collect::<Vec<_>>())));
    }
    if let [only] = to {
        let columns = vec![format!("components.{only}.utilization")];
        let span = (spell.from_s, spell.until_s);
        if let Some(busy) = super::evidence::over_windows(result, &columns, How::Mean, span.0, span.1) {
            draft.windows(result, ("busy", Unit::Share), columns, How::Mean, span);
            said.push(format!("which was itself {} busy", Unit::Share.write(busy)));
        }
    }
    if said.is_empty() { String::new() } else { format!(", {}", said.join(" and ")) }
}

/// Minimum length, s, and number of windows up to the end without an answer.
pub(super) const STANDSTILL_S: f64 = 5.0;
pub(super) const STANDSTILL_WINDOWS: usize = 5;

/// Components that have not answered for a while up to the end, although all of their workers are held and no fault acts on
/// them.
pub(super) fn standstills(result: &RunResult) -> (Vec<Finding>, Vec<String>) {
    let mut found = Vec::new();
    let mut told = Vec::new();
    for (name, component) in &result.components {
        let Some(workers) = component.workers.as_ref().filter(|workers| workers.count > 0) else { continue };
        let Some(still) = standstill(result, name) else { continue };
        if still.windows < STANDSTILL_WINDOWS || still.until_s - still.from_s < STANDSTILL_S {
            continue;
        }
        let on: Vec<String> = std::iter::once(name.clone())
            .chain(result.links.get(name).into_iter().flatten().map(|(link, _)| format!("{name}.{link}")))
            .collect();
        if !acting(result, &on, &still).is_empty() {
            continue;
        }
        let mut draft = Draft::new("standstill", format!("components.{name}"));
        let from = draft.rule("from", Unit::Instant, still.from_s);
        let all = draft.rule("workers", Unit::Count, workers.count as f64);
        let Some(why) = deadlock(result, &mut draft, name, &still) else { continue };
        let noun = &workers.noun;
        let text = format!("{name} has answered nothing since {from}, while all of its {all} {noun} are held: {why}.");
        told.push(name.clone());
        found.push(draft.say(Severity::Critical, text));
    }
    (found, told)
}

/// The stretch up to the end in which a component answered nothing with all of its workers held.
pub(super) fn standstill(result: &RunResult, name: &str) -> Option<Stretch> {
    let column = |metric: &str| over_time::column(result, &format!("components.{name}.{metric}"));
    let (busy, completed, failed) = (column("utilization")?, column("completed")?, column("failed")?);
    let at = |values: &[Option<f64>], window: usize| values.get(window).copied().flatten();
    let still = over_time::stretches(result, |window| {
        at(busy, window).is_some_and(|busy| busy >= 0.999_999)
            && at(completed, window) == Some(0.0)
            && at(failed, window) == Some(0.0)
    });
    let last = over_time::measured(result).last()?;
    let end_s = result.series.at_s[last] + result.series.window_s;
    still.last().copied().filter(|still| still.until_s >= end_s - 1e-9)
}

/// Why the component is stuck: the calls that hold its workers wait for this component itself, or for each other's locks.
fn deadlock(result: &RunResult, draft: &mut Draft, name: &str, still: &Stretch) -> Option<String> {
    if let Some(leaked) = result.components[name].own.value("tasks_leaked").filter(|leaked| *leaked > 0.0) {
        let words = draft.metric("leaked", Unit::Count, format!("components.{name}.tasks_leaked"), leaked);
        return Some(format!("{words} tasks never end"));
    }
    if let Some(locks) = result.components[name].own.value("waiting_for_locks").filter(|waiting| *waiting > 0.0) {
        let words = draft.metric("locks", Unit::Count, format!("components.{name}.waiting_for_locks"), locks);
        return Some(format!("{words} tasks wait for locks that others of them hold (a deadlock by lock order)"));
    }
    // Follow a cycle of calls, each of which holds a worker.
    let mut way = vec![name];
    let mut at = name;
    loop {
        let wait = main_wait(result, at, still)?;
        let to = reached(result, wait.figures);
        let [only] = to.as_slice() else { return None };
        let columns = vec![column_of_link(wait.from, wait.link, "in_flight")];
        let span = (still.from_s, still.until_s);
        let waiting = draft.windows(result, ("waiting", Unit::Number), columns, How::Mean, span)?;
        if *only == name {
            let waiting = Unit::Number.write(waiting);
            return Some(match way.as_slice() {
                [_] => format!("{waiting} of them wait for {name} itself (a deadlock)"),
                [_, rest @ ..] => {
                    format!("they wait for {}, which waits for {name} again (a deadlock)", over_time::joined(rest))
                }
                [] => return None,
            });
        }
        if way.contains(only) {
            return None;
        }
        at = result.components.get_key_value(*only)?.0;
        way.push(at);
    }
}
