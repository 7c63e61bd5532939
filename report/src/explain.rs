//! The explanation of a scenario, as text and as JSON.

use analysis::explain::{
    Bound, Branch, Capacity, Chooser, Component, Consumer, Explained, Limit, Queue, Sensitivity, ThreadMemory,
};
use language::diagnostics::{self, Style, shown};

use crate::text::aligned;
use crate::units;

/// The whole explanation as text: topology, links, limits, the effect of retries, and warnings.
#[must_use]
pub fn text(explained: &Explained, style: Style) -> String {
    let mut text = title(explained);
    let mut section = |heading: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("\n{heading}\n{body}"));
        }
    };
    section("Call graph", topology(explained));
    section("Links, with policies from the outermost inwards", links(explained));
    section("Capacity", limits(explained));
    section("Notes", facts(explained));
    if explained.warnings.is_empty() {
        text.push_str("\nNo warnings.\n");
    } else {
        text.push_str("\nWarnings\n\n");
        text.push_str(&diagnostics::render(&explained.warnings, &explained.sources, style));
    }
    text
}

fn title(explained: &Explained) -> String {
    let variant = explained.variant.as_ref().map_or_else(String::new, |variant| format!(", variant {variant}"));
    let mut text = format!("{} ({}{variant})\n", shown(&explained.name), shown(&explained.source));
    if let Some(description) = &explained.description {
        // Collapse line breaks: lines of the description could pass for lines of this report.
        let words: Vec<&str> = description.split_whitespace().collect();
        text.push_str(&format!("{}\n", shown(&words.join(" "))));
    }
    text
}

fn topology(explained: &Explained) -> String {
    let mut text = String::new();
    for root in &explained.topology {
        let sends = explained.workloads.get(&root.name).map_or_else(String::new, |workload| {
            let rate = match (workload.rate_per_s, workload.is_open) {
                (None, _) => format!("sends {}", workload.arrivals),
                (Some(rate), true) => format!("sends {}", units::rate(rate)),
                (Some(rate), false) => format!("sends at most {}", units::rate(rate)),
            };
            let peak =
                workload.peak_per_s.map_or_else(String::new, |peak| format!(", {} at the peak", units::rate(peak)));
            format!(": {rate}{peak}; a request takes {} without queueing", units::time(workload.latency_s))
        });
        text.push_str(&format!("  {}{sends}\n", root.name));
        branches(&root.calls, explained, "  ", &mut text);
    }
    text
}

fn branches(calls: &[Branch], explained: &Explained, indent: &str, text: &mut String) {
    for (nth, branch) in calls.iter().enumerate() {
        let is_last = nth + 1 == calls.len();
        let (tick, rest) = if is_last { ("└─", "   ") } else { ("├─", "│  ") };
        let over = match &branch.link {
            Some(link) if link == "consumes" => " consumes".to_owned(),
            Some(link) if *link != branch.name && link != "to" && link != "call" => format!(" over {link}"),
            _ => String::new(),
        };
        let share = branch.share.map_or_else(String::new, |share| format!(", gets {}", units::share(share)));
        let about = if branch.seen { " (see above)".to_owned() } else { about(branch, explained) };
        text.push_str(&format!("{indent}{tick} {}{over}: {}{share}{about}\n", branch.name, kind(branch)));
        branches(&branch.calls, explained, &format!("{indent}{rest}"), text);
    }
}

fn kind(branch: &Branch) -> String {
    let kind = branch.kind.replace('_', " ");
    match (branch.replicas, branch.replicas_most) {
        (replicas, Some(most)) => format!("{kind} × {replicas} to {most}"),
        (1, None) => kind,
        (replicas, None) => format!("{kind} × {replicas}"),
    }
}

fn about(branch: &Branch, explained: &Explained) -> String {
    let Some(component) = explained.components.get(&branch.name) else { return String::new() };
    let mut said: Vec<String> = component.limits.iter().map(|limit| limit.what.clone()).collect();
    if let Some(most) = component.queue_most {
        said.push(format!("queue of {}", units::grouped(most)));
    }
    if let Some(hits) = component.hit_ratio {
        said.push(format!("hits {}", units::share(hits)));
    }
    if said.is_empty() { String::new() } else { format!(", {}", said.join(", ")) }
}

fn links(explained: &Explained) -> String {
    let mut text = String::new();
    for link in &explained.links {
        let order = if link.policies.is_empty() {
            "no policies".to_owned()
        } else {
            let words = link.policies.iter().map(|policy| format!("{} {}", policy.name, policy.words));
            words.collect::<Vec<_>>().join(" → ")
        };
        text.push_str(&format!("  {}.{} → {}: {order}\n", link.from, link.name, link.to.join(", ")));
        let mut notes = Vec::new();
        let own: Vec<&str> = link.policies.iter().filter(|policy| policy.has_state).map(|policy| policy.name).collect();
        if let [first, rest @ ..] = own.as_slice() {
            let names = if rest.is_empty() { (*first).to_owned() } else { own.join(", ") };
            notes.push(match link.states {
                1 => format!("{names}: shared by all of {}", link.from),
                n => {
                    let most = explained.components.get(&link.from).and_then(|from| from.replicas_most);
                    let each = most.map_or_else(|| format!("each of the {n}"), |most| format!("each of up to {most}"));
                    format!("{names}: one for {each} replicas of {}", link.from)
                }
            });
        }
        if let (Some(connections), true) = (link.connections, link.states > 1) {
            notes.push(format!("{} connections in total", units::grouped(connections)));
        }
        match link.lasts_most_s {
            Some(lasts_s) => notes.push(format!("a caller waits at most {}", units::instant(lasts_s))),
            None if link.passes_on => notes.push("passes calls on: its callers bound the wait".to_owned()),
            None => notes.push("the wait is unbounded".to_owned()),
        }
        text.push_str(&format!("    {}\n", notes.join("; ")));
    }
    text
}

fn limits(explained: &Explained) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let or_dash = |value: Option<f64>, text: &dyn Fn(f64) -> String| value.map_or("–".to_owned(), text);
    let with_retries = explained.links.iter().any(|link| link.attempts_most > 1);
    let mut row = |name: String, calls: (Option<f64>, Option<f64>), limit: Option<&Limit>| {
        let mut cells = vec![name, or_dash(calls.0, &units::rate)];
        cells.push(limit.map_or("no limit".to_owned(), |limit| limit.what.clone()));
        cells.push(or_dash(limit.and_then(|limit| limit.held_s), &units::time));
        cells.push(or_dash(limit.and_then(|limit| limit.ceiling_per_s), &units::rate));
        let at_least = match limit.and_then(|limit| limit.bound) {
            Some(Bound::AtLeast) => "≥ ",
            Some(Bound::AtMost) => "≤ ",
            None => "",
        };
        cells.push(or_dash(limit.and_then(|limit| limit.utilization), &|share| format!("{at_least}{}", load(share))));
        if with_retries {
            cells.push(or_dash(calls.1, &units::rate));
            cells.push(or_dash(limit.and_then(|limit| limit.utilization_with_retries), &load));
        }
        rows.push(cells);
    };
    for (name, component) in &explained.components {
        let calls = (component.calls_per_s, component.calls_with_retries_per_s);
        match component.limits.as_slice() {
            [] => row(name.clone(), calls, None),
            [first, rest @ ..] => {
                row(name.clone(), calls, Some(first));
                rest.iter().for_each(|limit| row(String::new(), (None, None), Some(limit)));
            }
        }
    }
    for link in &explained.links {
        for gate in &link.gates {
            row(format!("link {}.{}", link.from, link.name), (link.calls_per_s, None), Some(gate));
        }
        if let Some(pool) = &link.pool {
            row(format!("pool {}.{}", link.from, link.name), (link.calls_per_s, None), Some(pool));
        }
    }
    for (name, limit) in &explained.hosts {
        row(format!("hosts {name}"), (None, None), Some(limit));
    }
    let mut heading: Vec<String> =
        ["", "calls", "limit", "hold time", "ceiling", "utilisation"].map(str::to_owned).to_vec();
    if with_retries {
        heading.extend(["all retried", "utilisation"].map(str::to_owned));
    }
    aligned(&heading, &rows)
}

/// A share that may exceed 100 %.
fn load(share: f64) -> String {
    if share > 1.0 { format!("{:.0} %", share * 100.0) } else { units::share(share) }
}

fn facts(explained: &Explained) -> String {
    let mut lines = Vec::new();
    if let Some(capacity) = &explained.capacity {
        lines.push(capacity_sentence(capacity));
    }
    lines.extend(explained.sensitivities.iter().map(sensitivity_sentence));
    for (name, queue) in &explained.queues {
        lines.push(backlog_sentence(name, queue));
        lines.extend(queue.consumers.iter().map(|consumer| consumer_sentence(name, consumer)));
    }
    for (name, component) in &explained.components {
        lines.extend(attempts_sentence(name, component));
    }
    for (name, component) in &explained.components {
        if let Some(connections) = component.connections_to.filter(|connections| *connections > 0) {
            lines.push(format!(
                "Its callers' pools open at most {} connections to {name}.",
                units::grouped(connections)
            ));
        }
    }
    lines.extend(explained.choosers.iter().map(chooser_sentence));
    if let Some(ThreadMemory { threads, reserved_low_bytes, reserved_high_bytes }) = explained.thread_memory {
        lines.push(format!(
            "The stacks of {} threads reserve {} to {} of address space (1 MB or 8 MB each, the defaults of the JVM and of \
             Linux); resident memory is less.",
            units::grouped(threads),
            bytes(reserved_low_bytes),
            bytes(reserved_high_bytes)
        ));
    }
    lines.iter().map(|line| wrapped(line)).collect()
}

/// How a chooser finds out that a replica is dead.
fn chooser_sentence(chooser: &Chooser) -> String {
    let name = &chooser.name;
    let Some((refused, silent)) = chooser.refused.zip(chooser.silent) else {
        return format!("{name} knows at once when a replica dies (`health_check: instant`): an idealisation.");
    };
    let each = match chooser.views {
        1 => String::new(),
        views => format!(" Each of {} finds out by itself.", units::grouped(u64::from(views))),
    };
    format!(
        "{name} finds out after {} on average, and {} at most, that a process has died, and after {} and {} that a host has.{each}",
        units::time(refused.mean_s),
        units::time(refused.most_s),
        units::time(silent.mean_s),
        units::time(silent.most_s)
    )
}

/// Wraps a paragraph to the width of a terminal, with a hanging indent.
fn wrapped(paragraph: &str) -> String {
    const WIDTH: usize = 100;
    let mut text = String::from(" ");
    let mut column = 1;
    for word in paragraph.split_whitespace() {
        let wide = word.chars().count();
        if column + 1 + wide > WIDTH {
            text.push_str("\n   ");
            column = 3;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + wide;
    }
    text.push('\n');
    text
}

/// Load and capacity in a sentence.
#[must_use]
pub fn capacity_sentence(capacity: &Capacity) -> String {
    let Capacity { load_per_s, advertised_per_s, advertised_by, hidden_per_s, hidden_by, retries, caches, state } =
        capacity;
    let trouble = match (retries, caches) {
        (true, false) => "everything is retried",
        (false, _) => "all caches are empty",
        (true, true) => "everything is retried and all caches are empty",
    };
    let meaning = match *state {
        "overloaded" => "overloaded, even without failures",
        "vulnerable" => "metastable: a short overload can keep it down",
        _ => "stable: it recovers after any trigger",
    };
    format!(
        "The load is {}. Capacity is {} without failures (limited by {advertised_by}) and {} while {trouble} (limited by \
         {hidden_by}): {meaning}.",
        units::rate(*load_per_s),
        units::rate(*advertised_per_s),
        units::rate(*hidden_per_s),
    )
}

/// How much the wait for a nearly saturated resource changes with its hold time, in a sentence.
fn sensitivity_sentence(sensitivity: &Sensitivity) -> String {
    let more = match sensitivity.more_held_s {
        Some(more_s) => format!("{} at 1 % more", units::time(more_s)),
        None => "unbounded at 1 % more".to_owned(),
    };
    format!(
        "At {} utilisation the wait for {} is sensitive to the hold time: about {} (p99) at {} per call, {} at 1 % less, {more}.",
        units::share(sensitivity.utilization),
        sensitivity.what,
        units::time(sensitivity.p99_wait_s),
        units::time(sensitivity.held_s),
        units::time(sensitivity.less_held_s),
    )
}

/// The capacity of a queue's consumers, and the backlog that builds up under the load.
fn backlog_sentence(name: &str, queue: &Queue) -> String {
    let messages = |count: f64| units::grouped(count.round() as u64);
    let mut text = format!(
        "{name} gets {} messages; its consumers process {} at most (limited by {}).",
        units::rate(queue.published_per_s),
        units::rate(queue.consumed_per_s),
        queue.consumed_by,
    );
    match (queue.backlog_max > 0.0, queue.drained_at_s) {
        (false, _) => {}
        (true, Some(drained_s)) => text.push_str(&format!(
            " Its backlog peaks at {} messages at {} and is drained at {}.",
            messages(queue.backlog_max),
            units::instant(queue.backlog_max_at_s),
            units::instant(drained_s),
        )),
        (true, None) if queue.backlog_end >= queue.backlog_max => text.push_str(&format!(
            " Its backlog grows to {} messages by the end of the run.",
            messages(queue.backlog_end)
        )),
        (true, None) => text.push_str(&format!(
            " Its backlog peaks at {} messages at {} and is {} at the end of the run.",
            messages(queue.backlog_max),
            units::instant(queue.backlog_max_at_s),
            messages(queue.backlog_end),
        )),
    }
    text
}

/// How a service consumes from a queue.
fn consumer_sentence(queue: &str, consumer: &Consumer) -> String {
    let Consumer { name, at_once, batch, takes_s, takes_p99_s, visibility_s, wait_s, .. } = consumer;
    let slots = units::grouped(*at_once as u64);
    let what =
        if *batch > 1 { format!("{slots} receives of up to {batch} messages") } else { format!("{slots} messages") };
    let mut text = format!(
        "{name} processes {what} of {queue} at once; that takes {} each, {} at p99.",
        units::time(*takes_s),
        units::time(*takes_p99_s)
    );
    if let (Some(visibility_s), Some(wait_s)) = (visibility_s, wait_s) {
        text.push_str(&format!(
            " It polls for {} at a time, and messages stay invisible for {}.",
            units::instant(*wait_s),
            units::instant(*visibility_s)
        ));
    }
    text
}

fn attempts_sentence(name: &str, component: &Component) -> Option<String> {
    match (component.attempts_most, component.calls_per_request_most) {
        (Some(attempts), Some(calls)) if attempts > 1.0 => {
            let fan_out = if calls > attempts {
                format!(", {} calls with loops and fan-out", units::grouped(calls as u64))
            } else {
                String::new()
            };
            Some(format!(
                "With retries at every layer, one request makes up to {} attempts at {name}{fan_out}.",
                units::grouped(attempts as u64)
            ))
        }
        (None, _) => Some(format!("One request can call {name} any number of times: calls can form a loop.")),
        _ => None,
    }
}

/// Bytes in decimal units, like the texts that quote such sums.
fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{} GB", units::quantity(b / 1e9)),
        b => format!("{} MB", units::quantity(b / 1e6)),
    }
}

/// The whole explanation as JSON; each warning has its position and its remedy.
#[must_use]
pub fn json(explained: &Explained) -> String {
    let mut value = serde_json::to_value(explained).unwrap_or_default();
    let mut warnings = diagnostics::to_json(&explained.warnings, &explained.sources);
    if let Some(list) = warnings.as_array_mut() {
        for (warning, mend) in list.iter_mut().zip(&explained.mends) {
            warning["mend"] = serde_json::to_value(mend).unwrap_or_default();
        }
    }
    value["warnings"] = warnings;
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
