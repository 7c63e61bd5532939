//! What can only be checked once everybody is known.

use settings::{Path as TreePath, Problem, Problems, Span};

use super::find::find_component;
use crate::balancing::health_check::HealthCheckSettings;
use crate::components::kind::Checks;
use crate::directory::Directory;
use crate::faults::timed;
use crate::link::LinkSettings;
use crate::policies::flaw::Flaw;
use crate::scenario::Scenario;
use crate::workloads::arrivals::Process;

/// How far the mean of a demand may be from 1: what rounded parameters, such as `p50` and `p99`, leave over.
const DEMAND_MEAN_OFF_MAX: f64 = 0.001;

pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    if scenario.workloads.is_empty() {
        let message = "a scenario needs at least one workload";
        problems.push(problem_at("workloads", "no_workload", message));
    }
    if let (None, None) = (scenario.run.duration, scenario.run.until) {
        let message = "`run` needs a `duration`, or `until: idle` for finite work";
        problems.push(problem_at("run", "missing_key", message));
    }
    timed::check(&scenario.faults, &scenario.events, problems);
    for entry in &scenario.components {
        let mut at = TreePath::default();
        at.push("components");
        at.push(entry.name.as_str());
        let mut checks = Checks::new(problems, at, entry.name_span);
        entry.value.settings.check(&mut checks);
        if entry.value.settings.needs_keys() && !scenario.has_keys() {
            let message = "no request says which data it is about: to this component all are about the same";
            let help = "write `requests: [{key: {zipf: {keys: 1M, s: 0.99}}}]` in a workload";
            checks.warning("no_keys", entry.name_span, "", message, Some(help));
        }
        if let Some(hosts) = entry.value.settings.hosts()
            && scenario.hosts.get(hosts.on.as_str()).is_none()
        {
            let names: Vec<&str> = scenario.hosts.names().collect();
            let problem = Problem::unknown_name("group of hosts", hosts.on.as_str(), hosts.on.span, names);
            problems.push(problem.path(hosts.on.path.clone()));
        }
    }
    for entry in &scenario.hosts {
        let mut error = |key: &str, code: &'static str, message: String, help: &str| {
            let mut at = TreePath::default();
            ["hosts", entry.name.as_str()].iter().chain(&key.split('.').collect::<Vec<_>>()).for_each(|s| at.push(s));
            problems.push(Problem::error(code, entry.name_span, message).path(at).help(help.to_string()));
        };
        if entry.value.scheduler.is_some_and(|scheduler| scheduler.slice.0 < 1_000) {
            let message = "a slice must be at least 1us";
            error("scheduler.slice", "out_of_range", message.into(), "write `slice: 3ms`");
        }
        if entry.value.time_wait.is_some() && entry.value.ephemeral_ports.is_none() {
            let message = "`time_wait` has no effect: the ports of these hosts are not limited";
            error("time_wait", "no_effect", message.into(), "write `ephemeral_ports: 28232`");
        }
        if let Some(credits) = entry.value.credits
            && credits.rate.0 >= entry.value.cores.0
        {
            let message = format!(
                "the baseline of {} cores covers all {} cores: credits are never spent",
                credits.rate.0, entry.value.cores.0
            );
            error("credits.rate", "no_effect", message, "write a smaller rate, or remove `credits`");
        }
    }
    for entry in &scenario.workloads {
        let workload = &entry.value;
        let path = |key: &str| {
            let mut at = TreePath::default();
            ["workloads", entry.name.as_str(), key].iter().for_each(|s| at.push(s));
            at
        };
        let open = workload.arrivals.process.is_open();
        if workload.shape.is_some() && !open {
            let message = "a `shape` multiplies an open rate; here nobody sends whatever comes back";
            problems.push(Problem::error("no_effect", entry.name_span, message).path(path("shape")));
        }
        if workload.arrivals.batch.is_some() && !open {
            let message = "`batch` belongs to open arrivals";
            problems.push(Problem::error("no_effect", entry.name_span, message).path(path("arrivals")));
        }
        if workload.requests.is_empty() || workload.requests.iter().all(|r| r.weight == 0.0) {
            let message = "`requests` needs at least one with a weight above 0";
            problems.push(Problem::error("no_weight", entry.name_span, message).path(path("requests")));
        }
        for (nth, request) in workload.requests.iter().enumerate() {
            if request.poll.as_ref().is_some_and(|poll| poll.every.0.mean() <= 0.0) {
                let message = "`every` must be longer than 0s";
                let at = path("requests").join(nth.to_string()).join("poll").join("every");
                problems.push(Problem::error("out_of_range", entry.name_span, message).path(at));
            }
        }
        if let Process::Mmpp { states } = &workload.arrivals.process
            && (states.is_empty() || states.iter().all(|s| s.rate.0 == 0.0))
        {
            let message = "`mmpp` needs at least one state with a rate above 0";
            problems.push(Problem::error("no_rate", entry.name_span, message).path(path("arrivals")));
        }
        let is_changed = || {
            let changes = scenario.timed().into_iter().filter(|timed| timed.what.is_a_change());
            changes.flat_map(|timed| timed.what.targets()).any(|target| target == entry.name.as_str())
        };
        if workload.arrivals.process.rate() == Some(0.0) && !is_changed() {
            let message = "a rate of 0 sends nothing";
            problems.push(Problem::error("no_rate", entry.name_span, message).path(path("arrivals")));
        }
    }
    check_clients(scenario, problems);
    check_demand(scenario, problems);
    scenario.each_link(|_, _, _, link| check_policies(link, problems));
    check_fallbacks(scenario, problems);
    check_ties(scenario, directory, problems);
    check_publishers(scenario, directory, problems);
    check_distances(scenario, directory, problems);
    check_targets(scenario, directory, problems);
}

/// Balancers that have more targets than they may have.
fn check_targets(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    for entry in &scenario.components {
        let (name, settings) = (entry.name.as_str(), &entry.value.settings);
        let Some(most) = settings.targets_max() else { continue };
        let links = settings.links();
        let targets = links.iter().flat_map(|(_, link)| &link.to);
        let found = targets.filter_map(|target| find_component(directory, name, target.to.as_str()));
        let count: u64 = found.map(|to| u64::from(directory.called_at(to).1)).sum();
        if count > u64::from(most) {
            let message = format!("`{name}` has {count} targets, and `max_targets` is {most}");
            let at = TreePath::of(&["components", name, "max_targets"]);
            let help = "spread them over several balancers, or raise `max_targets`";
            problems.push(Problem::error("too_many_targets", entry.name_span, message).path(at).help(help));
        }
    }
}

/// Callers who are to be sent to the nearest target, where nobody can know which that is.
fn check_distances(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    scenario.each_link(|caller, is_workload, _, link| {
        for target in &link.to {
            let Some(at) = find_component(directory, caller, target.to.as_str()) else { continue };
            let place = &directory.components[at];
            let Some(entry) = scenario.components.entry(&place.name) else { continue };
            if !entry.value.settings.goes_by_distance() {
                continue;
            }
            // A round trip that is written needs no regions.
            let links = entry.value.settings.links();
            let unwritten = links.iter().filter(|(_, onward)| onward.network.as_ref().is_none_or(|n| n.rtt.is_none()));
            let targets: Vec<&str> = unwritten.flat_map(|(_, onward)| &onward.to).map(|to| to.to.as_str()).collect();
            let found = targets.iter().filter_map(|name| find_component(directory, &place.name, name));
            let nowhere = found.map(|to| &directory.components[to]).find(|to| to.region.is_none());
            let (lost, section) = match (directory.region_of(caller), nowhere) {
                _ if targets.len() < 2 => continue,
                (None, _) => (caller, if is_workload { "workloads" } else { "components" }),
                (Some(_), Some(to)) => (to.name.as_str(), "components"),
                (Some(_), None) => continue,
            };
            let message = format!(
                "`{lost}` has no region, so `{}` cannot know which of its targets is nearest to {caller}",
                place.name
            );
            let help = format!("write `region` for {section}.{lost}, or choose another policy for {}", place.name);
            problems.push(Problem::error("no_region", target.to.span, message).path(target.to.path.clone()).help(help));
        }
    });
}

/// A demand whose mean is not 1 would change how much work there is, which is what steps and operations say.
fn check_demand(scenario: &Scenario, problems: &mut Problems) {
    let requests = scenario.workloads.iter().flat_map(|workload| &workload.value.requests);
    for demand in requests.filter_map(|request| request.demand.as_ref()) {
        let mean = demand.value.0.mean();
        if (mean - 1.0).abs() > DEMAND_MEAN_OFF_MAX {
            let message = format!("the mean of a demand must be 1, and here it is {}", three_digits(mean));
            let help = "divide it by its mean, and multiply the `cpu` and database work instead";
            let problem = Problem::error("bad_parameter", demand.span, message).path(demand.path.clone());
            problems.push(problem.help(help));
        }
    }
}

/// A mean to about three digits, as people write numbers.
fn three_digits(mean: f64) -> String {
    if (0.1..1000.0).contains(&mean) { format!("{}", (mean * 1e4).round() / 1e4) } else { format!("{mean:.3e}") }
}

/// Clients of whom nothing can be told apart, and limits that would have to.
fn check_clients(scenario: &Scenario, problems: &mut Problems) {
    for entry in &scenario.workloads {
        let Some(clients) = &entry.value.clients else { continue };
        let at = TreePath::of(&["workloads", entry.name.as_str(), "clients"]);
        let process = &entry.value.arrivals.process;
        if process.think().is_some() || process.session_length().is_some() {
            let message = "`clients` belongs to open arrivals; here each user is a client";
            problems.push(Problem::error("no_effect", entry.name_span, message).path(at));
        } else if let Err(error) = clients.keys().check() {
            let message = format!("`count` {}", error.problem);
            problems.push(Problem::error("bad_parameter", entry.name_span, message).path(at));
        }
    }
    if scenario.has_clients() {
        return;
    }
    for entry in &scenario.components {
        let settings = &entry.value.settings;
        if let Some(algorithm) = settings.balancing().filter(|_| settings.goes_by_client()) {
            let (key, message) = match algorithm.hashes() {
                Some(_) => (
                    "algorithm",
                    "`by: client` sends all calls to one target: each request comes from a client of its own",
                ),
                None => ("sticky", "`sticky: client` has no effect: each request comes from a client of its own"),
            };
            let help = "say how many clients a workload has: `clients: 10k`";
            let at = TreePath::of(&["components", entry.name.as_str(), key]);
            problems.push(Problem::error("no_effect", entry.name_span, message).path(at).help(help));
        }
    }
    scenario.each_link(|_, _, _, link| {
        if link.goes_by_client() {
            let message = "`by: client` limits nothing: each request comes from a client of its own";
            let help = "say how many clients a workload has: `clients: 10k`";
            let at = path_of(link).join("rate_limit").join("by");
            problems.push(Problem::error("no_effect", Span::NOWHERE, message).path(at).help(help));
        }
    });
}

/// Where a link with a policy stands: it is a map, and its target stands in its `to`.
fn path_of(link: &LinkSettings) -> TreePath {
    let mut at = link.to.values.first().map_or_else(TreePath::default, |target| target.to.path.clone());
    while at.segments().last().is_some_and(|last| last == "to" || last.parse::<usize>().is_ok()) {
        at.pop();
    }
    at
}

/// What the policies of a link say is wrong with them.
fn check_policies(link: &LinkSettings, problems: &mut Problems) {
    let at = path_of(link);
    for policy in link.written() {
        for Flaw { code, key, message, help } in policy.flaws {
            let keys = key.split('.').filter(|key| !key.is_empty());
            let path = keys.fold(at.clone().join(policy.name), |path, key| path.join(key));
            problems.push(Problem::error(code, Span::NOWHERE, message).path(path).help(help));
        }
    }
    let checks = link.health_check.as_ref().map_or_else(Vec::new, HealthCheckSettings::flaws);
    for Flaw { code, key, message, help } in checks {
        let path = at.clone().join("health_check").join(key.as_str());
        problems.push(Problem::error(code, Span::NOWHERE, message).path(path).help(help));
    }
}

/// Copies that are tied wait where nobody knows of ties.
fn check_ties(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    scenario.each_link(|caller, _, _, link| {
        for target in link.to.values.iter().filter(|_| link.hedge.as_ref().is_some_and(|hedge| hedge.tied)) {
            let Some(at) = find_component(directory, caller, target.to.as_str()) else { continue };
            let found = scenario.components.get(&directory.components[at].name);
            if found.is_some_and(|component| !component.settings.serves()) {
                let message = format!("`{}` does not know of tied requests", target.to.as_str());
                let help = "remove `tied`, or hedge on a link that leads to a service or a database";
                let at = path_of(link).join("hedge").join("tied");
                problems.push(Problem::error("no_effect", target.to.span, message).path(at).help(help));
            }
        }
    });
}

/// Links that answer in place of others: of the same component, and not in a circle.
fn check_fallbacks(scenario: &Scenario, problems: &mut Problems) {
    let other = |link: &LinkSettings| link.fallback.as_ref().and_then(|fallback| fallback.call.clone());
    for call in scenario.workloads.iter().filter_map(|entry| other(&entry.value.call)) {
        let message = "a workload has no other link that could answer";
        let help = "put a service between that has both links, or write `fallback: degraded`";
        problems.push(Problem::error("unknown_link", call.span, message).path(call.path.clone()).help(help));
    }
    for entry in &scenario.components {
        let links = entry.value.settings.links();
        let names: Vec<&str> = links.iter().map(|(name, _)| *name).collect();
        for (name, link) in &links {
            let Some(call) = other(link) else { continue };
            if !names.contains(&call.as_str()) {
                let found = Problem::unknown_name("link of this component", call.as_str(), call.span, names.clone());
                problems.push(found.path(call.path.clone()));
                continue;
            }
            let onward = |from: &str| links.iter().find(|(name, _)| *name == from).and_then(|(_, link)| other(link));
            let mut at = Some(call.clone());
            let leads_back = (0..links.len()).any(|_| {
                let is_back = at.as_ref().is_some_and(|at| at.as_str() == *name);
                at = at.take().and_then(|at| onward(at.as_str()));
                is_back
            });
            if leads_back {
                let message = format!("`{name}` falls back on itself");
                let help = "let the last link answer with `fallback: degraded`, or without a fallback";
                problems.push(Problem::error("call_cycle", call.span, message).path(call.path.clone()).help(help));
            }
        }
    }
}

/// Links that publish, and what cannot stand between a producer and its queue; queues that nobody consumes from.
fn check_publishers(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    let settings_of = |component: usize| {
        let name = &directory.components[component].name;
        scenario.components.get(name).map(|entry| &entry.settings)
    };
    let hands_out = |component: usize| directory.components[component].hands_out;
    scenario.each_link(|caller, is_workload, _, link| {
        let from = if is_workload { None } else { directory.component(caller).and_then(settings_of) };
        for target in &link.to {
            let Some(queue) = find_component(directory, caller, target.to.as_str()) else { continue };
            if !hands_out(queue) {
                continue;
            }
            let (name, span) = (target.to.as_str(), target.to.span);
            if from.is_some_and(|from| from.directs() || from.balancing().is_some()) {
                let message = format!("`{name}` is a queue, which cannot stand behind `{caller}`");
                let problem = Problem::error("queue_behind_chooser", span, message).path(target.to.path.clone());
                problems.push(problem.help("let producers call the queue themselves"));
            }
            if link.coalesce.is_some() {
                let message = "`coalesce` towards a queue would lose messages: each call publishes one of its own";
                let at = path_of(link).join("coalesce");
                problems.push(Problem::error("coalesced_publish", span, message).path(at).help("remove it"));
            }
            if link.batch.is_some() {
                let message = "`batch` towards a queue is not supported yet";
                let at = path_of(link).join("batch");
                let help = "this version cannot simulate it; remove it";
                problems.push(Problem::error(settings::bind::NOT_YET, span, message).path(at).help(help));
            }
        }
    });
    for (queue, place) in directory.components.iter().enumerate().filter(|(queue, _)| hands_out(*queue)) {
        let Some(entry) = scenario.components.entry(&place.name) else { continue };
        // Dead letters are there to be looked at.
        if !directory.is_consumed(queue) && !directory.is_final(queue) {
            let message = format!("nothing consumes from `{}`: its messages wait for ever", place.name);
            let problem = Problem::warning("no_consumer", entry.name_span, message);
            let help = format!("write `consumes: [{}]` in a service", place.name);
            problems.push(problem.path(TreePath::of(&["components", &place.name])).help(help));
        }
    }
}

/// Components to which operations mean different things must know which of those that arrive mean what.
pub(super) fn accesses(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    for (number, place) in directory.components.iter().enumerate() {
        let Some(entry) = scenario.components.entry(&place.name) else { continue };
        let Some(told) = entry.value.settings.tells_apart() else { continue };
        let arrive: Vec<&str> =
            directory.asked[number].iter().map(|op| directory.ops[usize::from(*op)].as_str()).collect();
        for op in told.iter().filter(|op| !arrive.contains(&op.as_str())) {
            let is_known = directory.ops.iter().any(|known| known == op.as_str());
            let problem = if is_known {
                let message = format!("no call for `{}` arrives here", op.as_str());
                Problem::warning("no_effect", op.span, message)
            } else {
                Problem::unknown_name("operation", op.as_str(), op.span, directory.ops.iter().map(String::as_str))
            };
            problems.push(problem.path(op.path.clone()));
        }
        if told.is_empty() && arrive.len() > 1 {
            let list: Vec<String> = arrive.iter().map(|op| format!("`{op}`")).collect();
            let message = format!("calls for {} arrive here: which of them read, and which write?", list.join(", "));
            let help = format!("write `read_ops: [{}]`, or `write_ops`; what is in neither passes through", arrive[0]);
            let problem = Problem::error("which_reads", entry.name_span, message).help(help);
            problems.push(problem.path(TreePath::of(&["components", &place.name])));
        }
    }
}

/// A problem with what is missing, which has no place of its own.
fn problem_at(path: &str, code: &'static str, message: &str) -> Problem {
    Problem::error(code, Span::NOWHERE, message).path(TreePath::of(&[path]))
}
