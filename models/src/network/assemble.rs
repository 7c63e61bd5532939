//! The nodes themselves: the director of the faults, workloads, components, links.

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::{CountDist, Name, Problem, Problems, Spanned};
use sim_core::keys::AliasTable;
use sim_core::random::{Key, Stream, hash};
use sim_core::{Engine, Hearing, NodeId, Profile, Span, Time};

use super::node::Node;
use super::sockets;
use crate::balancing::AlgorithmSettings;
use crate::balancing::lookout::Means;
use crate::components::ComponentSettings;
use crate::components::site::Site;
use crate::consuming::{ConsumeSettings, Consumer, ConsumerPlan, Manner};
use crate::director::{Breaking, Director, Life, Planned, Probes};
use crate::directory::{ComponentPlace, ConsumerEntry, Directory, EntrancePlace, LinkEntry};
use crate::faults::fault::Scene;
use crate::link::{Link, LinkPlan, LinkSettings};
use crate::probes::{self, Probe, ProbeSettings, ProbesSettings};
use crate::replicating::{Entrance, EntrancePlan, Terms};
use crate::scenario::Scenario;
use crate::workloads::clients::Clients;
use crate::workloads::polling::PollPlan;
use crate::workloads::shape::Shape;
use crate::workloads::{Sort, Workload, WorkloadPlan, WorkloadSettings};

/// Probes, with their operations by number.
fn probes_of(settings: &ProbesSettings, directory: &Directory) -> Probes {
    let number = |op: &Spanned<Name>| directory.ops.iter().position(|other| other == op.as_str()).map(|op| op as u16);
    let probe = |probe: &ProbeSettings| Probe::new(probe, probe.op.as_ref().and_then(number));
    probes::Sort::ALL.map(|sort| settings.of(sort).map(probe))
}

pub(super) fn director(scenario: &Scenario, directory: &Directory, problems: &mut Problems) -> Director {
    let mut planned = Vec::new();
    for (number, timed) in scenario.timed().into_iter().enumerate() {
        let at = (directory.zero as i64).saturating_add(timed.at);
        if at < 0 {
            let message = "this is before the warm-up begins";
            problems.push(Problem::error("too_early", timed.span, message).path(timed.path.clone()));
            continue;
        }
        let lasts = timed.lasts;
        let mut scene =
            Scene { directory, problems, span: timed.span, path: timed.path.clone(), number: number as u32, lasts };
        if let Some(acting) = timed.what.resolve(&mut scene) {
            let until = lasts.map(|lasts| (at as Time).saturating_add(lasts));
            planned.push(Planned { at: at as Time, until, acting });
        }
    }
    let mut breaking = Vec::new();
    for (index, entry) in scenario.components.iter().enumerate() {
        let Some(random) = &entry.value.random else { continue };
        let mut nodes = directory.nodes_of(index);
        nodes.truncate(directory.components[index].replicas as usize);
        let stream = |n: usize| Stream::named(directory.seed, &format!("{}[{n}]/random", entry.name.as_str()));
        breaking.push(Breaking {
            streams: (0..nodes.len()).map(stream).collect(),
            nodes,
            mtbf: random.mtbf.0.clone(),
            mttr: random.mttr.0.clone(),
        });
    }
    let fleets = (0..directory.components.len()).map(|component| directory.fleet_of(component)).collect();
    let pending = directory.components.iter().filter(|place| place.pending > 0).map(|p| (p.first, p.pending));
    let settings = scenario.components.iter().map(|entry| &entry.value.settings);
    let lives = directory.components.iter().zip(settings).map(|(place, settings)| Life {
        restart: place.restart,
        replace_after: place.replace_after,
        start_up: place.start_up.clone(),
        shutdown: place.shutdown,
        autoscale: settings.autoscale().cloned(),
        cores: settings.cores_requested(),
        probes: settings.probes().map(|all| probes_of(all, directory)),
        group: place.group,
        is_staffed: place.is_staffed,
    });
    Director::new(planned, breaking, fleets, directory.seed)
        .with_lives(lives.collect(), directory.zero)
        .with_pending(pending.collect())
}

pub(super) fn add_workloads(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        let settings = &entry.value;
        let number = |op: &str| directory.ops.iter().position(|o| o == op).unwrap_or(0) as u16;
        let mut sorts: Vec<Sort> = settings
            .requests
            .iter()
            .map(|r| Sort {
                profile: engine.add_profile(Profile { op: number(r.op.as_str()), size_bytes: r.size.0 }),
                priority: r.priority.0,
                keys: r.key.as_ref().map(|key| key.0.build().expect("it was checked when it was read")),
                demand: r.demand.as_ref().filter(|_| directory.carried.demand).map(|demand| demand.value.0.clone()),
                poll: r.poll.as_ref().map(|poll| PollPlan {
                    profile: engine.add_profile(Profile { op: number(poll.op.as_str()), size_bytes: 0 }),
                    every: poll.every.0.clone(),
                    timeout: poll.timeout.map(|timeout| timeout.0),
                }),
            })
            .collect();
        let weights: Vec<f64> = settings.requests.iter().map(|r| r.weight).collect();
        let weights = if weights.len() > 1 { AliasTable::new(&weights).ok() } else { None };
        let mut of_recorded = Vec::new();
        if let Some(trace) = settings.arrivals.process.trace() {
            let mut unwritten: BTreeMap<&str, usize> = BTreeMap::new();
            for recorded in trace.requests.iter() {
                let sort = recorded.op.as_deref().map(|op| {
                    let sort = settings.sort_of(op).unwrap_or_else(|| {
                        *unwritten.entry(op).or_insert_with(|| {
                            let profile = engine.add_profile(Profile { op: number(op), size_bytes: 0 });
                            sorts.push(Sort { profile, priority: 2, keys: None, demand: None, poll: None });
                            sorts.len() - 1
                        })
                    });
                    sort as u16
                });
                of_recorded.push(sort);
            }
        }
        let plan = WorkloadPlan {
            name: place.name.clone(),
            link: NodeId(place.node.0 + 1),
            sorts,
            weights,
            process: settings.arrivals.process.clone(),
            batch: settings.arrivals.batch.clone(),
            clients: Clients::new(settings.clients.as_ref(), &place.name, directory.seed, directory.carried.client),
            zero: directory.zero,
            changes: Vec::new(),
        };
        let shape = settings.shape.as_ref().map(Shape::new);
        let mut workload = Workload::new(plan, shape, directory.seed);
        workload.set_recorded_sorts(of_recorded);
        let node = engine.add_node(Node::Workload(Box::new(workload)), place.link.group, None);
        debug_assert_eq!(node, place.node);
        let link = OwnLink { entry: &place.link, owner: node, replica: 0, of: &place.name, fallback: None };
        add_link(&settings.call, (None, Means::default()), link, directory.seed, engine);
        let (at_once, means) = (settings.call.knows_at_once(), settings.call.means());
        listen(&place.link, hearing(at_once, &means), directory, &[NodeId(node.0 + 1)], engine);
        if !place.ops.is_empty() {
            engine.keep_ops(place.link.group, directory.ops.len());
        }
        let measure = engine.group_mut(place.link.group);
        measure.keeps_latency = true;
        measure.deadline = settings.deadline().unwrap_or(Span::MAX);
        measure.latency.keep_windows();
        measure.causes = Some(BTreeMap::new());
        measure.keep_breakdown(expected_requests(scenario, settings));
    }
}

/// About how many requests will be measured; 0 where that depends on the answers or on the time of day.
fn expected_requests(scenario: &Scenario, settings: &WorkloadSettings) -> f64 {
    let arrivals = &settings.arrivals;
    let is_even = settings.shape.is_none() && !arrivals.process.waits_for_answers();
    let rate = arrivals.process.rate().filter(|_| is_even).unwrap_or(0.0);
    let at_once = arrivals.batch.as_ref().map_or(1.0, |CountDist(dist)| dist.mean());
    rate * at_once * scenario.run.duration.map_or(0.0, |duration| duration.0 as f64 / 1e9)
}

/// The link of one caller.
struct OwnLink<'a> {
    entry: &'a LinkEntry,
    owner: NodeId,
    replica: u32,
    of: &'a str,
    /// The link that answers where calls over this one fail.
    fallback: Option<(NodeId, u32)>,
}

fn add_link(
    settings: &LinkSettings,
    (balancing, means): (Option<&AlgorithmSettings>, Means),
    OwnLink { entry, owner, replica, of, fallback }: OwnLink<'_>,
    seed: u64,
    engine: &mut Engine<Node>,
) {
    let plan = LinkPlan {
        settings: settings.clone(),
        targets: entry.targets.clone(),
        means: if balancing.is_some() { means } else { settings.means() },
        balancing: balancing.cloned().or_else(|| settings.takes_turns().then_some(AlgorithmSettings::RoundRobin)),
        salt: hash(0, &entry.name) as u32,
        key: Key::root(seed, hash(0, &format!("{of}[{replica}].{}", entry.name)), 0).bits(),
        shared: Key::root(seed, hash(0, of), 0).bits(),
        replica,
        fallback,
        changes: Vec::new(),
    };
    engine.add_node(Node::Link(Box::new(Link::new(Arc::new(plan)))), entry.group, Some(owner));
    // Reports give the latencies of workloads and of components.
    engine.group_mut(entry.group).keeps_latency = false;
}

/// What those hear of their targets who find out about them by these means.
fn hearing(at_once: bool, means: &Means) -> Hearing {
    match (at_once, &means.probes) {
        (true, _) => Hearing::All,
        (false, Some(_)) => Hearing::Changes,
        (false, None) => Hearing::Members,
    }
}

/// Those who choose among the targets of a link hear of them: of who comes and goes, where anybody can, and of who dies, where
/// they know at once or find out in time. Then they also hear of what lies between.
fn listen(entry: &LinkEntry, hearing: Hearing, directory: &Directory, listeners: &[NodeId], engine: &mut Engine<Node>) {
    let mut groups = Vec::new();
    for target in &entry.targets {
        let Some(place) = target.nodes.first().and_then(|node| directory.place_of(*node)) else { continue };
        let comes_and_goes = place.is_probed || target.nodes.len() > target.replicas as usize;
        if place.entrance.is_some() {
            continue;
        }
        if (hearing != Hearing::Members || comes_and_goes) && !groups.contains(&place.group) {
            groups.push(place.group);
            listeners.iter().for_each(|listener| engine.listen(*listener, place.group, hearing));
        }
        if hearing == Hearing::Changes {
            listeners.iter().for_each(|listener| engine.watch_path(*listener, target.path));
        }
    }
}

/// The consumer of one replica.
fn add_consumer(
    settings: &ComponentSettings,
    (consume, entry, manner): (&ConsumeSettings, &ConsumerEntry, Manner),
    replica: NodeId,
    directory: &Directory,
    engine: &mut Engine<Node>,
) {
    let workers = settings.limits().workers.map(|(_, count)| count);
    let op = consume.op.as_ref().and_then(|op| directory.ops.iter().position(|known| known == op.as_str()));
    let extends = consume.extend_visibility == Some(true);
    let plan = ConsumerPlan {
        replica,
        queue: entry.from.map_or(replica, |queue| directory.components[queue].first),
        path: entry.path,
        concurrency: consume.concurrency.or(workers).unwrap_or(1),
        prefetch: consume.prefetch(&manner),
        batch: consume.batch(),
        wait: consume.wait(),
        ack: consume.ack,
        on_failure: consume.failure(&manner),
        fails_partially: consume.fails_partially(),
        extends_after: manner.visibility.filter(|_| extends).map(|visibility| (visibility / 2).max(1)),
        is_idempotent: consume.idempotent,
        has_keys: directory.carried.data_key,
        manner,
        op: op.map(|op| op as u16),
        key: Key::root(directory.seed, hash(0, &entry.name), u64::from(replica.0)),
    };
    engine.add_node(Node::Consumer(Box::new(Consumer::new(plan))), entry.group, Some(replica));
}

/// Entrances get ready for the faults that keep copies behind.
pub(super) fn prepare_lags(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>) {
    for (number, timed) in scenario.timed().into_iter().enumerate() {
        let Some(behind) = timed.what.keeps_behind() else { continue };
        let place = directory.component(behind.component).map(|at| &directory.components[at]);
        let Some(entrance) = place.and_then(|place| place.entrance) else { continue };
        if let Node::Entrance(entrance) = engine.node_mut(entrance.node) {
            entrance.prepare_lag(number as u32, behind.replica, behind.lag);
        }
    }
}

/// The node that callers of a store of several nodes come to.
fn add_entrance(
    terms: Terms,
    entrance: EntrancePlace,
    place: &ComponentPlace,
    directory: &Directory,
    engine: &mut Engine<Node>,
) {
    let plan = EntrancePlan {
        writes: directory.ops.iter().map(|op| terms.writes.contains(op)).collect(),
        first: place.first,
        has_clients: directory.carried.client,
        terms,
    };
    let added = engine.add_node(Node::Entrance(Box::new(Entrance::new(plan))), entrance.group, None);
    debug_assert_eq!(added, entrance.node);
    engine.listen(entrance.node, place.group, Hearing::All);
}

pub(super) fn add_components(scenario: &Scenario, directory: &mut Directory, engine: &mut Engine<Node>) {
    for (index, entry) in scenario.components.iter().enumerate() {
        let settings = &entry.value.settings;
        let links = settings.links();
        let inbound = sockets::inbound(scenario, directory, index);
        let pool_threads = sockets::threads_of_pools(scenario, directory, index);
        let (mut machines, name) = (Vec::new(), directory.components[index].name.clone());
        if !directory.ops_of_component(index).is_empty() {
            engine.keep_ops(directory.components[index].group, directory.ops.len());
        }
        if let (Some(terms), Some(entrance)) = (settings.entrance(), directory.components[index].entrance) {
            add_entrance(terms, entrance, &directory.components[index], directory, engine);
        }
        for replica in 0..directory.components[index].slots {
            let node = NodeId(engine.node_count() as u32);
            // The node is put in its place first, so that what it runs on can be noted there.
            let group = directory.components[index].group;
            engine.reserve_node(group);
            let (replicas, slot) = (u64::from(directory.components[index].replicas.max(1)), u64::from(replica));
            let connections = inbound / replicas + u64::from(slot % replicas < inbound % replicas);
            let mut site = Site {
                machines: engine.machines(),
                directory,
                component: index,
                replica,
                node,
                connections,
                pool_threads,
            };
            let part = Node::build(settings, &mut site);
            engine.fill_node(part);
            for ((_, link), entry) in links.iter().zip(directory.components[index].links.clone()) {
                let at_once = settings.knows_at_once() || link.knows_at_once();
                let other = link.fallback.as_ref().and_then(|fallback| fallback.call.as_ref());
                let fallback = other.map(|other| directory.link_of(index, replica, other.as_str()));
                let own = OwnLink { entry: &entry, owner: node, replica, of: &name, fallback };
                let means = settings.means();
                let hearing = match settings.balancing() {
                    Some(_) => hearing(at_once, &means),
                    None => hearing(at_once, &link.means()),
                };
                add_link(link, (settings.balancing(), means), own, directory.seed, engine);
                let own = NodeId(engine.node_count() as u32 - 1);
                let chooses = settings.balancing().is_some() || settings.directs();
                let listeners = if chooses { &[node, own][..] } else { &[own] };
                listen(&entry, hearing, directory, listeners, engine);
            }
            if replica >= directory.components[index].replicas {
                engine.hold_back(node);
            }
            for (consume, entry) in settings.consumes().iter().zip(directory.components[index].consumes.clone()) {
                let from = entry.from.map(|queue| &directory.components[queue].name);
                let queue = from.and_then(|name| scenario.components.get(name));
                let Some(manner) = queue.and_then(|queue| queue.settings.hands_out()) else { continue };
                add_consumer(settings, (consume, &entry, manner), node, directory, engine);
            }
            if directory.components[index].hosts.is_none() {
                machines.extend(engine.cpus_of(node).iter().map(|c| c.machine));
            }
        }
        directory.components[index].machines = machines;
    }
    directory.is_built = true;
}
