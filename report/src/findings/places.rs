//! Findings about components and links: wasted work, retries, exhausted pools and workers, unevenly loaded replicas, tasks
//! that never end, and code that blocks an event loop.

use lab::metrics::value;
use lab::result::{ComponentResult, LinkResult, RunResult};

use super::callers::{self, links_to, settings_of_link};
use super::evidence::{How, Unit};
use super::{Draft, Finding, Remedy, Severity};
use crate::over_time::{self, Stretch};

pub(super) fn about(component: &str) -> String {
    format!("components.{component}")
}

/// Sorts findings by severity, then by weight, largest first.
pub(super) fn ranked(mut found: Vec<(f64, Finding)>) -> Vec<Finding> {
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Share of wasted work that is worth a line.
pub(super) const WASTED_MIN: f64 = 0.1;
/// Share of a component's capacity that is wasted: thresholds of a warning and of a critical finding.
const WASTED_WARNING: f64 = 0.02;
const WASTED_CRITICAL: f64 = 0.4;

/// Work for callers who had given up, ranked by the share of the component's capacity that it takes.
pub(super) fn wasted_work(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(share) = component.wasted_work.filter(|share| *share >= WASTED_MIN) else { continue };
        let mut draft = Draft::new("waste", about(name));
        let wasted = draft.metric("wasted", Unit::Share, format!("components.{name}.wasted_work"), share);
        let of_all = component.utilization.map(|busy| {
            draft.metric("busy", Unit::Share, format!("components.{name}.utilization"), busy);
            let lost = share * busy;
            (lost, format!(", {} of its capacity", draft.rule("lost", Unit::Share, lost)))
        });
        let (lost, words) = of_all.unwrap_or_default();
        let severity = match lost {
            lost if lost >= WASTED_CRITICAL => Severity::Critical,
            lost if lost >= WASTED_WARNING => Severity::Warning,
            _ => Severity::Note,
        };
        let remedy = gave_up(result, name).map(|path| Remedy {
            what: "Propagate cancellation",
            path: format!("{path}.propagate"),
            example: "[cancel]",
        });
        let text = format!("{name} spent {wasted} of its work on calls whose callers had given up{words}.");
        found.push((lost, draft.remedy(remedy).say(severity, text)));
    }
    ranked(found)
}

/// The settings of the link to a component on which most callers gave up.
fn gave_up(result: &RunResult, component: &str) -> Option<String> {
    let timeouts = |link: &LinkResult| link.outcomes.get("timeout").copied().unwrap_or(0);
    let most = links_to(result, component).max_by_key(|(_, (_, link))| timeouts(link))?;
    let (from, (name, link)) = most;
    // A component without workers only passes calls on; its callers' timeouts are set elsewhere.
    let has_callers = result.workloads.contains_key(from) || result.components.get(from)?.workers.is_some();
    (timeouts(link) > 0 && has_callers).then(|| settings_of_link(result, from, name)).flatten()
}

/// Amplification that is worth a line: 20 % more load than without retries.
pub(super) const AMPLIFICATION_MIN: f64 = 1.2;
const AMPLIFICATION_CRITICAL: f64 = 2.0;

/// Load caused by retries and hedges.
pub(super) fn amplification(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(factor) = component.amplification.filter(|factor| *factor >= AMPLIFICATION_MIN) else { continue };
        let severity = if factor >= AMPLIFICATION_CRITICAL { Severity::Critical } else { Severity::Warning };
        let mut draft = Draft::new("amplification", about(name));
        let times = draft.metric("factor", Unit::Number, format!("components.{name}.amplification"), factor);
        let share = draft.rule("retries", Unit::Share, 1.0 - 1.0 / factor);
        let retries = |(_, (_, link)): &(&str, (&str, &LinkResult))| link.retries;
        let most = links_to(result, name).max_by_key(retries).filter(|most| retries(most) > 0);
        let path = most.and_then(|(from, (link, _))| settings_of_link(result, from, link));
        let remedy = path.map(|path| Remedy {
            what: "Add a retry budget",
            path: format!("{path}.retry.budget"),
            example: "{ratio: {ratio: 10%}}",
        });
        let text = format!(
            "Retries multiplied the load on {name} by {times}: {share} of its arrivals were retries or hedges."
        );
        found.push((factor, draft.remedy(remedy).say(severity, text)));
    }
    ranked(found)
}

/// Retries rejected by a budget.
pub(super) fn refused_retries(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links.iter().filter(|(_, figures)| figures.retries_refused > 0) {
            let path = format!("links.{from}.{link}");
            let mut draft = Draft::new("refused_retries", path.clone());
            let refused = figures.retries_refused as f64;
            let wanted = (figures.retries + figures.retries_refused) as f64;
            let words = draft.metric("refused", Unit::Count, format!("{path}.retries_refused"), refused);
            let share = draft.rule("share", Unit::Share, refused / wanted);
            let text =
                format!("The retry budget of {from}.{link} rejected {words} retries, {share} of those requested.");
            found.push((refused, draft.say(Severity::Note, text)));
        }
    }
    ranked(found)
}

/// Mean use of a pool above which callers probably have to wait.
const POOL_USE_MIN: f64 = 0.85;
/// Wait for a connection that is worth a line, s.
const POOL_WAIT_MIN_S: f64 = 0.01;

/// Pools whose connections are all in use while callers wait.
pub(super) fn pools(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links {
            let pool = |name: &str| figures.own.value(&format!("pool.{name}"));
            let Some((active, size)) = pool("active").zip(pool("size")).filter(|(_, size)| *size > 0.0) else {
                continue;
            };
            let in_use = active / size;
            let wait_s = pool("wait.p99").unwrap_or(0.0);
            let most_s = pool("wait.max").unwrap_or(0.0);
            let path = format!("links.{from}.{link}");
            let mut draft = Draft::new("pool", path.clone());
            let of_settings = settings_of_link(result, from, link);
            let remedy = of_settings.map(|settings| Remedy {
                what: "Pool size of each caller",
                path: format!("{settings}.pool.size"),
                example: "50",
            });
            let connections = draft.metric("size", Unit::Count, format!("{path}.pool.size"), size);
            if in_use >= POOL_USE_MIN && wait_s >= POOL_WAIT_MIN_S {
                let wait = draft.metric("p99", Unit::Time, format!("{path}.pool.wait.p99"), wait_s);
                draft.metric("active", Unit::Number, format!("{path}.pool.active"), active);
                let share = draft.rule("in_use", Unit::Share, in_use);
                let text = format!(
                    "Calls of {from} wait {wait} (p99) for a connection to {link}: {share} of the {connections} pooled connections \
                     are in use."
                );
                found.push((wait_s, draft.remedy(remedy).say(Severity::Warning, text)));
            } else if most_s >= POOL_WAIT_MIN_S {
                let wait = draft.metric("most", Unit::Time, format!("{path}.pool.wait.max"), most_s);
                let text = format!(
                    "Calls of {from} waited up to {wait} for one of the {connections} pooled connections to {link}."
                );
                let severity = if most_s >= super::queues::WAIT_MIN_S { Severity::Warning } else { Severity::Note };
                found.push((most_s, draft.remedy(remedy).say(severity, text)));
            }
        }
    }
    ranked(found)
}

/// Mean utilisation above which queueing dominates: at 90 % the wait in an M/M/1 queue is nine service times.
const SATURATED_MEAN: f64 = 0.9;
/// Utilisation of a window at which hardly any capacity is left.
pub(super) const SATURATED: f64 = 0.95;
/// Saturation of at least this length, s, or this share of the run gets a warning.
const SATURATED_S: f64 = 5.0;
const SATURATED_SHARE: f64 = 0.1;

/// Components whose workers, connections or cores were all in use, except those whose cause has already been reported.
pub(super) fn saturation(result: &RunResult, told: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    let of = over_time::measured(result).len();
    for (name, component) in result.components.iter().filter(|(name, _)| !told.contains(name)) {
        let mut draft = Draft::new("saturation", about(name));
        let saturated = saturated(result, name);
        let windows: usize = saturated.iter().map(|stretch| stretch.windows).sum();
        let mean = component.utilization.unwrap_or(0.0);
        let cores = component.cpu.filter(|cpu| *cpu >= SATURATED_MEAN);
        if mean < SATURATED_MEAN && cores.is_none() && saturated.is_empty() {
            continue;
        }
        let closed = callers::is_fed_by_those_who_wait(result, name);
        let why = if closed { "; its callers send nothing more until they are answered" } else { "" };
        if mean >= SATURATED_MEAN {
            let busy = draft.metric("busy", Unit::Share, format!("components.{name}.utilization"), mean);
            let severity = if closed { Severity::Note } else { Severity::Warning };
            found.push((mean, draft.say(severity, format!("{name} was {busy} busy{why}."))));
        } else if let Some(cpu) = cores {
            let busy = draft.metric("cpu", Unit::Share, format!("components.{name}.cpu"), cpu);
            let severity = if closed { Severity::Note } else { Severity::Warning };
            found.push((cpu, draft.say(severity, format!("The cores of {name} were {busy} busy{why}."))));
        } else if let (Some(first), Some(last)) = (saturated.first(), saturated.last()) {
            let share = draft.rule("saturated", Unit::Bound, SATURATED);
            let often = draft.rule("windows", Unit::Count, windows as f64);
            let of_words = draft.rule("of", Unit::Count, of as f64);
            let from = draft.rule("from", Unit::Instant, first.from_s);
            let until = draft.rule("until", Unit::Instant, last.until_s);
            let text = format!(
                "{name} was at least {share} busy in {often} of {of_words} windows, between {from} and {until}{why}."
            );
            let severity = if is_long(result, windows, of) && !closed { Severity::Warning } else { Severity::Note };
            found.push((windows as f64, draft.say(severity, text)));
        }
    }
    ranked(found)
}

/// Groups of hosts whose cores were all in use, where no component is said to have used them up.
pub(super) fn busy_hosts(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    let of = over_time::measured(result).len();
    let is_told = result.components.values().any(|component| component.cpu.is_some_and(|cpu| cpu >= SATURATED_MEAN));
    for (name, hosts) in &result.hosts {
        let stretches = saturated_in(result, &format!("hosts.{name}.cpu"));
        let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else { continue };
        let mut draft = Draft::new("busy_hosts", format!("hosts.{name}"));
        let mean = hosts.cpu.unwrap_or(0.0);
        if mean >= SATURATED_MEAN {
            if !is_told {
                let busy = draft.metric("cpu", Unit::Share, format!("hosts.{name}.cpu"), mean);
                found.push((mean, draft.say(Severity::Warning, format!("The cores of {name} were {busy} busy."))));
            }
            continue;
        }
        let windows: usize = stretches.iter().map(|stretch| stretch.windows).sum();
        let share = draft.rule("saturated", Unit::Bound, SATURATED);
        let often = draft.rule("windows", Unit::Count, windows as f64);
        let of_words = draft.rule("of", Unit::Count, of as f64);
        let from = draft.rule("from", Unit::Instant, first.from_s);
        let until = draft.rule("until", Unit::Instant, last.until_s);
        let text = format!(
            "The cores of {name} were at least {share} busy in {often} of {of_words} windows, between {from} and {until}."
        );
        let severity = if is_long(result, windows, of) { Severity::Warning } else { Severity::Note };
        found.push((windows as f64, draft.say(severity, text)));
    }
    ranked(found)
}

/// Whether so many saturated windows are worth a warning.
fn is_long(result: &RunResult, windows: usize, of: usize) -> bool {
    windows as f64 * result.series.window_s >= SATURATED_S || windows as f64 >= SATURATED_SHARE * of as f64
}

/// When a component was saturated.
pub(super) fn saturated(result: &RunResult, component: &str) -> Vec<Stretch> {
    saturated_in(result, &format!("components.{component}.utilization"))
}

fn saturated_in(result: &RunResult, column: &str) -> Vec<Stretch> {
    let column = over_time::column(result, column);
    let busy = |window: usize| column.and_then(|values| values.get(window).copied().flatten());
    over_time::stretches(result, |window| busy(window).is_some_and(|busy| busy >= SATURATED))
}

/// How much busier than the average the busiest replica must be, and how busy at least.
const UNEQUAL_MIN: f64 = 0.2;
const BUSIEST_MIN: f64 = 0.7;
/// Calls wait beside idle replicas: minimum number of samples, minimum share of all samples, minimum share of idle replicas.
const IDLE_LOOKS_MIN: u64 = 5;
const IDLE_WAITING_MIN: f64 = 0.1;
const IDLE_MIN: f64 = 0.5;

/// Unevenly loaded replicas, and calls that wait at one replica while most are idle.
pub(super) fn imbalance(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        found.extend(unequal(result, name, component));
        found.extend(waits_beside_idle(name, component));
    }
    ranked(found)
}

fn unequal(result: &RunResult, name: &str, component: &ComponentResult) -> Option<(f64, Finding)> {
    let busy: Vec<(u32, f64)> =
        component.each.iter().filter_map(|one| one.utilization.map(|busy| (one.number, busy))).collect();
    if busy.len() < 2 {
        return None;
    }
    let mean = busy.iter().map(|(_, busy)| busy).sum::<f64>() / busy.len() as f64;
    let (number, most) = busy.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    if most < BUSIEST_MIN || most - mean < UNEQUAL_MIN {
        return None;
    }
    let path = format!("components.{name}[{number}].utilization");
    debug_assert_eq!(value(result, &path), Ok(Some(most)));
    let mut draft = Draft::new("unequal", about(name));
    let busiest = draft.metric("busiest", Unit::Share, path, most);
    let mean = draft.rule("mean", Unit::Share, mean);
    let text = format!(
        "Load is uneven over the replicas of {name}: replica {number} is {busiest} busy, the average is {mean}."
    );
    draft.rule("number", Unit::Count, f64::from(number));
    Some((most, draft.say(Severity::Warning, text)))
}

fn waits_beside_idle(name: &str, component: &ComponentResult) -> Option<(f64, Finding)> {
    let spread = component.spread?;
    let idle = spread.idle.filter(|idle| *idle >= IDLE_MIN)?;
    let often = spread.waiting as f64 / spread.looks as f64;
    if spread.waiting < IDLE_LOOKS_MIN || often < IDLE_WAITING_MIN {
        return None;
    }
    let mut draft = Draft::new("idle_beside", about(name));
    let waiting = draft.rule("waiting", Unit::Count, spread.waiting as f64);
    let looks = draft.rule("looks", Unit::Count, spread.looks as f64);
    let idle_words = draft.rule("idle", Unit::Share, idle);
    let text = format!(
        "Calls are poorly balanced over the replicas of {name}: at the end of {waiting} of {looks} windows a call waited at one \
         of them while {idle_words} of them, on average, had room. Its callers choose replicas without regard to load."
    );
    Some((often, draft.say(Severity::Warning, text)))
}

/// Time, s, for which code blocks an event loop: thresholds of a note and of a warning.
const TURN_MIN_S: f64 = 0.05;
const TURN_WARNING_S: f64 = 0.1;

/// Tasks that never end, and code that blocks an event loop for long.
pub(super) fn tasks(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        if let (Some(leaked), Some(workers)) =
            (component.own.value("tasks_leaked").filter(|leaked| *leaked > 0.0), &component.workers)
            && workers.held_while_waiting
            // Tasks of a replica that has crashed since no longer hold anything.
            && leaked <= workers.count as f64
        {
            let mut draft = Draft::new("leak", about(name));
            let tasks = draft.metric("leaked", Unit::Count, format!("components.{name}.tasks_leaked"), leaked);
            let all = draft.rule("workers", Unit::Count, workers.count as f64);
            let noun = &workers.noun;
            let share = leaked / (workers.count.max(1) as f64);
            let severity = if share >= 0.5 { Severity::Critical } else { Severity::Warning };
            let text = format!("{name} leaks {noun}: {tasks} tasks that never end each hold one of its {all} {noun}.");
            found.push((share, draft.say(severity, text)));
        }
        if let Some(turn_s) = component.own.value("longest_turn").filter(|turn_s| *turn_s >= TURN_MIN_S) {
            let mut draft = Draft::new("long_turn", about(name));
            let turn = draft.metric("turn", Unit::Time, format!("components.{name}.longest_turn"), turn_s);
            let noun = component.workers.as_ref().map_or("loops", |workers| workers.noun.as_str());
            let severity = if turn_s >= TURN_WARNING_S { Severity::Warning } else { Severity::Note };
            let text = format!(
                "A handler of {name} blocked one of its {noun} for {turn}, while everything else on it waited."
            );
            found.push((turn_s, draft.say(severity, text)));
        }
    }
    ranked(found)
}

/// A stampede: a cache passes on at least this many times as many calls as usual, and at least this many per second.
const STAMPEDE_TIMES: f64 = 5.0;
const STAMPEDE_MIN: f64 = 20.0;

/// The peak of calls that a cache passed on, if it is many times the usual rate.
pub(super) fn stampedes(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in result.components.iter().filter(|(_, component)| component.own.get("hit_ratio").is_some())
    {
        for (link, figures) in result.links.get(name).into_iter().flatten() {
            let column = format!("links.{name}.{link}.attempts");
            let Some(values) = over_time::column(result, &column) else { continue };
            let Some(values) = values.get(over_time::measured(result)) else { continue };
            let mut known: Vec<f64> = values.iter().flatten().copied().collect();
            known.sort_by(f64::total_cmp);
            let (Some(usual), Some(most)) = (known.get(known.len() / 2).copied(), known.last().copied()) else {
                continue;
            };
            if most < STAMPEDE_MIN || most < STAMPEDE_TIMES * usual {
                continue;
            }
            let mut draft = Draft::new("stampede", about(name));
            let end_s = over_time::end_s(result);
            let key = ("most", Unit::Rate);
            let Some(most) = draft.windows(result, key, vec![column], How::Most, (0.0, end_s)) else { continue };
            let usual_words = draft.rule("usual", Unit::Rate, usual);
            let remedy = callers::setting_of(name, "coalesce").filter(|_| component.own.get("coalesced").is_none());
            let remedy = remedy.map(|path| Remedy { what: "Coalesce misses of a key", path, example: "true" });
            let to = over_time::joined(&figures.to.iter().map(String::as_str).collect::<Vec<_>>());
            let text = format!(
                "{name} passed a burst of misses on to {to}: {} in its worst window, {usual_words} in the median one",
                Unit::Rate.write(most),
            );
            // It is a stampede only if the callees behind the cache could not take the calls at once.
            let swamped = figures.to.iter().any(|callee| {
                let queue = result.components.get(callee).and_then(|component| component.queue.as_ref());
                !saturated(result, callee).is_empty()
                    || queue.is_some_and(|queue| queue.depth_max >= super::queues::LENGTH_MIN)
            });
            let (severity, text) = match swamped {
                true => (Severity::Warning, format!("{text}, a stampede.")),
                false => (Severity::Note, format!("{text}.")),
            };
            found.push((most, draft.remedy(remedy).say(severity, text)));
        }
    }
    ranked(found)
}
