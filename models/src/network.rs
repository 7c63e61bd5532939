//! From a scenario to a network that can be run.
//!
//! First the directory: who is who, before anything is built, so that names can be checked and nodes can refer to nodes
//! that come later. Then the engine: the director of the faults, each workload with its link, each replica of each
//! component with its links.

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::{Name, Path as TreePath, Problem, Problems, Spanned};
use sim_core::conditions::Path;
use sim_core::dist::Dist;
use sim_core::keys::AliasTable;
use sim_core::random::{Stream, hash};
use sim_core::{Engine, GroupId, NodeId, Profile, Span, Time};

use crate::components::{Answers, Checks, Node, Site};
use crate::faults::{Breaking, Director, Planned, Scene};
use crate::link::{Link, LinkPlan, LinkSettings, Propagated, Target};
use crate::scenario::Scenario;
use crate::workloads::arrivals::Process;
use crate::workloads::shape::Shape;
use crate::workloads::{Sort, Workload, WorkloadPlan};

/// A link in the directory.
#[derive(Clone, Debug)]
pub struct LinkEntry {
    /// Its name among its caller's.
    pub name: String,
    /// The group that measures it.
    pub group: GroupId,
    /// Whom it calls.
    pub targets: Vec<Target>,
    /// The names of those.
    pub target_names: Vec<String>,
}

/// A component in the directory.
#[derive(Clone, Debug)]
pub struct ComponentPlace {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// The group that measures it.
    pub group: GroupId,
    /// Node of the first replica; the others follow, each with its links behind it.
    pub first: NodeId,
    /// How many replicas.
    pub replicas: u32,
    /// Its links.
    pub links: Vec<LinkEntry>,
    /// Where it is.
    pub region: Option<String>,
    /// Replaced after so long when killed.
    pub replace_after: Option<Span>,
    /// How long coming up takes.
    pub start_up: Option<Dist>,
    /// The group of hosts, and how replicas are placed there.
    hosts: Option<(String, crate::components::service::Placement)>,
    /// Whether it has cores of its own.
    machines: Vec<u32>,
}

impl ComponentPlace {
    fn stride(&self) -> u32 {
        1 + self.links.len() as u32
    }
}

/// A workload in the directory.
#[derive(Clone, Debug)]
pub struct WorkloadPlace {
    /// Its name.
    pub name: String,
    /// Its node; its link follows.
    pub node: NodeId,
    /// Its link; the requests are measured there.
    pub link: LinkEntry,
    /// Whether its rate is open.
    pub is_open: bool,
    /// Where it is.
    pub region: Option<String>,
}

/// A group of machines in the directory.
#[derive(Clone, Debug)]
pub struct HostGroup {
    /// Its name.
    pub name: String,
    /// How many machines.
    pub count: u32,
    /// The first one's number.
    pub first_machine: u32,
}

/// Who is who.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The seed of the run.
    pub seed: u64,
    /// The operations, by number.
    pub ops: Vec<String>,
    /// The workloads.
    pub workloads: Vec<WorkloadPlace>,
    /// The components.
    pub components: Vec<ComponentPlace>,
    /// The groups of machines.
    pub hosts: Vec<HostGroup>,
    /// The regions.
    pub regions: Vec<String>,
    /// The end of the warm-up.
    pub zero: Time,
    /// The paths of the network: what they lead from and to, by row.
    paths: Vec<(String, String, String)>,
    /// Nodes that each `set` changes, by the fault's number.
    changed: BTreeMap<u32, Vec<NodeId>>,
}

impl Directory {
    /// The number of a component.
    pub fn component(&self, name: &str) -> Option<usize> {
        self.components.iter().position(|c| c.name == name)
    }

    /// The replicas of a component.
    pub fn nodes_of(&self, component: usize) -> Vec<NodeId> {
        let c = &self.components[component];
        (0..c.replicas).map(|r| NodeId(c.first.0 + r * c.stride())).collect()
    }

    /// A replica and the links that belong to it.
    pub fn with_links(&self, node: NodeId) -> Vec<NodeId> {
        let found = self.components.iter().find(|c| {
            let end = c.first.0 + c.replicas * c.stride();
            (c.first.0..end).contains(&node.0)
        });
        found.map_or(vec![node], |c| (0..c.stride()).map(|i| NodeId(node.0 + i)).collect())
    }

    /// The node of a replica's link, and what tells its draws from other links'.
    pub fn link_of(&self, component: usize, replica: u32, name: &str) -> (NodeId, u32) {
        let c = &self.components[component];
        let at = c.links.iter().position(|l| l.name == name).unwrap_or(0) as u32;
        (NodeId(c.first.0 + replica * c.stride() + 1 + at), hash(0, name) as u32)
    }

    /// Whom a component's link calls.
    pub fn targets_of(&self, component: usize, name: &str) -> &[Target] {
        let c = &self.components[component];
        c.links.iter().find(|l| l.name == name).map_or(&[], |l| &l.targets)
    }

    fn host_index(&self, component: usize, replica: u32) -> Option<(usize, u32)> {
        let c = &self.components[component];
        let (group, placement) = c.hosts.as_ref()?;
        let at = self.hosts.iter().position(|h| h.name == *group)?;
        let count = self.hosts[at].count;
        let index = match placement {
            crate::components::service::Placement::Spread => replica % count,
            // Filled evenly, in order: the first hosts take ⌈replicas ÷ hosts⌉ each.
            crate::components::service::Placement::Pack => (replica / c.replicas.div_ceil(count)).min(count - 1),
        };
        Some((at, index))
    }

    /// The machine that a replica runs on.
    pub fn machine_for(&self, group: &str, component: usize, replica: u32) -> Option<u32> {
        let (at, index) = self.host_index(component, replica)?;
        debug_assert_eq!(self.hosts[at].name, group);
        Some(self.hosts[at].first_machine + index)
    }

    /// All replicas on one host of a group, or on all of them.
    pub fn nodes_on(&self, group: &str, host: Option<u32>) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for (component, place) in self.components.iter().enumerate() {
            for (replica, node) in self.nodes_of(component).into_iter().enumerate() {
                let on = self.host_index(component, replica as u32);
                let is_there = place.hosts.as_ref().is_some_and(|(g, _)| g == group)
                    && on.is_some_and(|(_, index)| host.is_none_or(|h| h == index));
                if is_there {
                    nodes.push(node);
                }
            }
        }
        nodes
    }

    /// All replicas in a region.
    pub fn nodes_in(&self, region: &str) -> Vec<NodeId> {
        let there = |c: &ComponentPlace| c.region.as_deref() == Some(region);
        (0..self.components.len()).filter(|c| there(&self.components[*c])).flat_map(|c| self.nodes_of(c)).collect()
    }

    /// Machines of a group of hosts, or those of a component with cores of its own.
    pub fn machines_of(&self, name: &str) -> Option<Vec<u32>> {
        if let Some(group) = self.hosts.iter().find(|h| h.name == name) {
            return Some((0..group.count).map(|i| group.first_machine + i).collect());
        }
        let component = &self.components[self.component(name)?];
        (!component.machines.is_empty()).then(|| component.machines.clone())
    }

    /// Whether a component, workload or region is called so.
    pub fn is_known(&self, name: &str) -> bool {
        self.all_names().iter().any(|n| n == name)
    }

    /// The names of components, workloads and regions.
    pub fn all_names(&self) -> Vec<String> {
        let components = self.components.iter().map(|c| c.name.clone());
        let workloads = self.workloads.iter().map(|w| w.name.clone());
        components.chain(workloads).chain(self.regions.iter().cloned()).chain(self.hosts.iter().map(|h| h.name.clone())).collect()
    }

    fn region_of(&self, name: &str) -> Option<&str> {
        let component = self.components.iter().find(|c| c.name == name).map(|c| &c.region);
        let workload = self.workloads.iter().find(|w| w.name == name).map(|w| &w.region);
        component.or(workload).and_then(|r| r.as_deref())
    }

    /// Rows of the paths that lead from one to the other or back; names are those of components, workloads or regions.
    pub fn paths_between(&self, a: &str, b: &str) -> Vec<u16> {
        let is = |name: &str, wanted: &str| name == wanted || self.region_of(name) == Some(wanted);
        let joins = |from: &str, to: &str| (is(from, a) && is(to, b)) || (is(from, b) && is(to, a));
        let rows = self.paths.iter().enumerate().filter(|(_, (from, _, to))| joins(from, to));
        rows.map(|(row, _)| row as u16 + 1).collect()
    }

    /// Rows of the paths of a link, `CALLER.LINK`.
    pub fn paths_of_link(&self, name: &str) -> Option<Vec<u16>> {
        let (caller, link) = name.rsplit_once('.')?;
        let rows = self.paths.iter().enumerate().filter(|(_, (from, l, _))| from == caller && l == link);
        let rows: Vec<u16> = rows.map(|(row, _)| row as u16 + 1).collect();
        (!rows.is_empty()).then_some(rows)
    }

    /// All links, `CALLER.LINK`.
    pub fn link_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.paths.iter().map(|(from, link, _)| format!("{from}.{link}")).collect();
        names.dedup();
        names
    }

    /// The nodes that `set` fault number `number` changes.
    pub fn changed_by(&self, number: u32) -> Vec<NodeId> {
        self.changed.get(&number).cloned().unwrap_or_default()
    }
}

/// A network, ready to run.
#[derive(Clone, Debug)]
pub struct Network {
    /// The engine.
    pub engine: Engine<Node>,
    /// Who is who.
    pub directory: Arc<Directory>,
}

/// Faults that change settings: the fault's number and the whole scenario as it is then.
pub type Changed = Vec<(u32, Scenario)>;

/// The name of the link of a workload.
pub const WORKLOAD_LINK: &str = "call";

/// Checks a scenario as a whole and builds it.
pub fn build(scenario: &Scenario, changed: &Changed, seed: u64, warmup: Span, problems: &mut Problems) -> Option<Network> {
    let before = problems.len();
    let mut engine = Engine::new(seed);
    let mut directory = directory(scenario, &mut engine, seed, warmup, problems);
    wire(scenario, &mut directory, &mut engine, problems);
    check(scenario, &directory, problems);
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        return None;
    }
    find_changes(scenario, changed, &mut directory);
    let director = director(scenario, &directory, problems);
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        return None;
    }
    if carries_baggage(scenario) {
        engine.carry_baggage();
    }
    let everything = engine.add_group("faults");
    engine.add_node(Node::Director(director), everything, None);
    add_workloads(scenario, &directory, &mut engine);
    add_components(scenario, &mut directory, &mut engine);
    prepare_changes(scenario, changed, &directory, &mut engine);
    engine.start();
    Some(Network { engine, directory: Arc::new(directory) })
}

fn directory(
    scenario: &Scenario,
    engine: &mut Engine<Node>,
    seed: u64,
    warmup: Span,
    problems: &mut Problems,
) -> Directory {
    let regions: Vec<String> = scenario.regions.names().map(str::to_string).collect();
    let mut check_region = |region: Option<&Spanned<Name>>| {
        if let Some(region) = region
            && !regions.iter().any(|r| r == region.as_str())
        {
            let problem =
                Problem::unknown_name("region", region.as_str(), region.span, regions.iter().map(String::as_str));
            problems.push(problem.path(region.path.clone()));
        }
    };
    let mut ops: Vec<String> = Vec::new();
    let mut add_op = |op: &str| {
        if !ops.iter().any(|o| o == op) {
            ops.push(op.to_string());
        }
    };
    add_op("default");
    let link = |engine: &mut Engine<Node>, caller: &str, name: &str, settings: &LinkSettings| LinkEntry {
        name: name.to_string(),
        group: engine.add_group(&format!("{caller}.{name}")),
        targets: Vec::new(),
        target_names: settings.to.iter().map(|t| t.to.as_str().to_string()).collect(),
    };
    // The director of the faults is node 0.
    let mut next_node = 1;
    let mut workloads = Vec::new();
    for entry in &scenario.workloads {
        check_region(entry.value.region.as_ref());
        for request in &entry.value.requests {
            add_op(request.op.as_str());
        }
        if let Process::Trace(trace) = &entry.value.arrivals.process {
            trace.requests.iter().filter_map(|r| r.op.as_deref()).for_each(&mut add_op);
        }
        workloads.push(WorkloadPlace {
            name: entry.name.as_str().to_string(),
            node: NodeId(next_node),
            link: link(engine, entry.name.as_str(), WORKLOAD_LINK, &entry.value.call),
            is_open: entry.value.arrivals.process.is_open(),
            region: entry.value.region.as_ref().map(|r| r.as_str().to_string()),
        });
        next_node += 2;
    }
    let mut hosts = Vec::new();
    for entry in &scenario.hosts {
        check_region(entry.value.region.as_ref());
        let mut first_machine = 0;
        for nth in 0..entry.value.count {
            let machine = engine.add_machine(entry.value.cores.0);
            if nth == 0 {
                first_machine = machine;
            }
        }
        hosts.push(HostGroup { name: entry.name.as_str().to_string(), count: entry.value.count, first_machine });
    }
    let mut components = Vec::new();
    for entry in &scenario.components {
        let settings = &entry.value.settings;
        let name = entry.name.as_str();
        check_region(settings.region());
        let group = engine.add_group(name);
        let links: Vec<LinkEntry> = settings.links().into_iter().map(|(l, s)| link(engine, name, l, s)).collect();
        settings.asks().iter().filter_map(|ask| ask.op).for_each(|op| add_op(op.as_str()));
        let on = settings.hosts().map(|h| (h.on.as_str().to_string(), h.placement));
        let host_region = on.as_ref().and_then(|(group, _)| {
            scenario.hosts.get(group).and_then(|h| h.region.as_ref()).map(|r| r.as_str().to_string())
        });
        components.push(ComponentPlace {
            name: name.to_string(),
            kind: settings.kind(),
            group,
            first: NodeId(next_node),
            replicas: settings.replicas(),
            region: settings.region().map(|r| r.as_str().to_string()).or(host_region),
            replace_after: settings.replace_after(),
            start_up: settings.start_up().cloned(),
            hosts: on,
            machines: Vec::new(),
            links,
        });
        let place = components.last().expect("just added");
        next_node += place.replicas * place.stride();
    }
    Directory {
        seed,
        ops,
        workloads,
        components,
        hosts,
        regions,
        zero: warmup,
        paths: Vec::new(),
        changed: BTreeMap::new(),
    }
}

/// The links of a scenario: caller, its region, link, settings.
fn each_link<'a>(scenario: &'a Scenario, mut visit: impl FnMut(&'a str, bool, &'a str, &'a LinkSettings)) {
    for entry in &scenario.workloads {
        visit(entry.name.as_str(), true, WORKLOAD_LINK, &entry.value.call);
    }
    for entry in &scenario.components {
        for (link, settings) in entry.value.settings.links() {
            visit(entry.name.as_str(), false, link, settings);
        }
    }
}

/// Finds what every link calls, and the network between.
fn wire(scenario: &Scenario, directory: &mut Directory, engine: &mut Engine<Node>, problems: &mut Problems) {
    let mut wired: Vec<(String, bool, String, Vec<Target>)> = Vec::new();
    let mut paths = Vec::new();
    each_link(scenario, |caller, is_workload, link, settings| {
        let mut targets = Vec::new();
        for target in &settings.to {
            let Some(component) = find_component(directory, caller, target.to.as_str()) else {
                let names = directory.components.iter().map(|c| c.name.as_str());
                let problem = Problem::unknown_name("component", target.to.as_str(), target.to.span, names);
                problems.push(problem.path(target.to.path.clone()));
                continue;
            };
            let to = &directory.components[component];
            let rtt = round_trip(scenario, directory, caller, to, settings, &target.to, problems);
            let network = settings.network.as_ref();
            let path = Path {
                there: rtt / 2,
                back: rtt - rtt / 2,
                nanoseconds_per_byte: network.and_then(|n| n.bandwidth).map_or(0.0, |b| 8e9 / b.0 as f64),
                loss: network.map_or(0.0, |n| n.loss.0),
                retransmits: network.is_none_or(|n| n.keep_alive),
                ..Path::default()
            };
            let row = engine.add_path(path);
            debug_assert_eq!(row as usize, paths.len() + 1);
            paths.push((caller.to_string(), link.to_string(), to.name.clone()));
            targets.push(Target { nodes: directory.nodes_of(component), path: row, weight: target.weight, rtt });
        }
        if !settings.to.values.is_empty() && settings.to.iter().all(|t| t.weight == 0.0) {
            let at = &settings.to.values[0].to;
            problems.push(Problem::error("no_weight", at.span, "all targets have weight 0").path(at.path.clone()));
        }
        wired.push((caller.to_string(), is_workload, link.to_string(), targets));
    });
    directory.paths = paths;
    for (caller, is_workload, link, targets) in wired {
        let entry = if is_workload {
            directory.workloads.iter_mut().find(|w| w.name == caller).map(|w| &mut w.link)
        } else {
            let component = directory.components.iter_mut().find(|c| c.name == caller);
            component.and_then(|c| c.links.iter_mut().find(|l| l.name == link))
        };
        if let Some(entry) = entry {
            entry.targets = targets;
        }
    }
}

/// Inside a cluster a name means its own component first.
fn find_component(directory: &Directory, caller: &str, name: &str) -> Option<usize> {
    if let Some((cluster, _)) = caller.rsplit_once('/')
        && let Some(own) = directory.component(&format!("{cluster}/{name}"))
    {
        return Some(own);
    }
    directory.component(name)
}

fn round_trip(
    scenario: &Scenario,
    directory: &Directory,
    caller: &str,
    to: &ComponentPlace,
    settings: &LinkSettings,
    at: &Spanned<Name>,
    problems: &mut Problems,
) -> Span {
    if let Some(rtt) = settings.network.as_ref().and_then(|n| n.rtt) {
        return rtt.0;
    }
    let (Some(from), Some(to)) = (directory.region_of(caller), to.region.as_deref()) else { return 0 };
    if from == to {
        return 0;
    }
    let look = |a: &str, b: &str| scenario.regions.get(a).and_then(|r| r.rtt.get(b)).map(|d| d.0);
    match (look(from, to), look(to, from)) {
        (Some(one), Some(other)) if one != other => {
            let message = format!("the round trips {from} → {to} and {to} → {from} differ; they are one and the same");
            problems.push(Problem::error("asymmetric_rtt", at.span, message).path(at.path.clone()));
            one
        }
        (Some(rtt), _) | (None, Some(rtt)) => rtt,
        (None, None) => {
            let message = format!("the round-trip time between the regions `{from}` and `{to}` is not given");
            let help = format!("write `regions: {{{from}: {{rtt: {{{to}: 80ms}}}}}}`");
            problems.push(Problem::error("missing_rtt", at.span, message).path(at.path.clone()).help(help));
            0
        }
    }
}

fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    if scenario.workloads.is_empty() {
        let message = "a scenario needs at least one workload";
        problems.push(problem_at("workloads", "no_workload", message));
    }
    if let (None, None) = (scenario.run.duration, scenario.run.until) {
        let message = "`run` needs a `duration`, or `until: idle` for finite work";
        problems.push(problem_at("run", "missing_key", message));
    }
    for entry in &scenario.components {
        let mut at = TreePath::default();
        at.push("components");
        at.push(entry.name.as_str());
        let mut checks = Checks::new(problems, at, entry.name_span);
        entry.value.settings.check(&mut checks);
        if let Some(hosts) = entry.value.settings.hosts()
            && scenario.hosts.get(hosts.on.as_str()).is_none()
        {
            let names: Vec<&str> = scenario.hosts.names().collect();
            let problem = Problem::unknown_name("group of hosts", hosts.on.as_str(), hosts.on.span, names);
            problems.push(problem.path(hosts.on.path.clone()));
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
        if let Process::Mmpp { states } = &workload.arrivals.process
            && (states.is_empty() || states.iter().all(|s| s.rate.0 == 0.0))
        {
            let message = "`mmpp` needs at least one state with a rate above 0";
            problems.push(Problem::error("no_rate", entry.name_span, message).path(path("arrivals")));
        }
        if let Some(0.0) = workload.arrivals.process.rate() {
            let message = "a rate of 0 sends nothing";
            problems.push(Problem::error("no_rate", entry.name_span, message).path(path("arrivals")));
        }
    }
    check_ops(scenario, directory, problems);
    crate::cycles::check(scenario, directory, problems);
}

/// Follows every operation from the workloads on and checks that whoever is asked for it answers it.
fn check_ops(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    let mut seen: Vec<(usize, String)> = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut ask = |component: usize, op: &str, span, path: &TreePath, open: &mut Vec<(usize, String)>, problems: &mut Problems| {
        if seen.iter().any(|(c, o)| *c == component && o == op) {
            return;
        }
        seen.push((component, op.to_string()));
        let place = &directory.components[component];
        let Some(entry) = scenario.components.entry(&place.name) else { return };
        match entry.value.settings.answers() {
            Answers::Ops(ops) if !ops.contains(&op) && !ops.contains(&"default") => {
                let message = format!("`{}` is asked for `{op}`, which it does not handle", place.name);
                let problem = Problem::error("op_without_handler", span, message)
                    .path(path.clone())
                    .help_if(settings::problem::did_you_mean(op, ops.iter().copied()))
                    .help_if(Some(format!("it handles {}; add `{op}` or `default`", ops.join(", "))));
                problems.push(problem);
            }
            _ => open.push((component, op.to_string())),
        }
    };
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        for request in &entry.value.requests {
            for target in &place.link.target_names {
                if let Some(component) = find_component(directory, &place.name, target) {
                    let (span, path) = if request.op.span.is_somewhere() {
                        (request.op.span, request.op.path.clone())
                    } else {
                        (entry.name_span, request.op.path.clone())
                    };
                    ask(component, request.op.as_str(), span, &path, &mut open, problems);
                }
            }
        }
    }
    while let Some((component, op)) = open.pop() {
        let place = &directory.components[component];
        let Some(entry) = scenario.components.entry(&place.name) else { continue };
        let settings = &entry.value.settings;
        let handler = match settings.answers() {
            Answers::Ops(ops) => Some(if ops.contains(&op.as_str()) { op.clone() } else { "default".to_string() }),
            Answers::Anything => None,
        };
        for asked in settings.asks() {
            if asked.handler.is_some() && asked.handler != handler.as_deref() {
                continue;
            }
            let (wanted, span, path) = match asked.op {
                Some(op) => (op.as_str().to_string(), op.span, op.path.clone()),
                None => (op.clone(), asked.link.span, asked.link.path.clone()),
            };
            let Some(link) = place.links.iter().find(|l| l.name == asked.link.as_str()) else { continue };
            for target in &link.target_names {
                if let Some(target) = find_component(directory, &place.name, target) {
                    ask(target, &wanted, span, &path, &mut open, problems);
                }
            }
        }
    }
}

fn carries_baggage(scenario: &Scenario) -> bool {
    let mut any = scenario.workloads.iter().any(|w| {
        w.value.requests.iter().any(|r| r.key.is_some())
            || matches!(&w.value.arrivals.process, Process::Trace(t) if t.columns.key_column.is_some())
    });
    each_link(scenario, |_, _, _, link| {
        any |= link.batch.is_some() || link.propagate.contains(&Propagated::Deadline);
    });
    any || scenario.components.iter().any(|c| {
        let mut keyed = false;
        if let crate::components::ComponentSettings::Service(service) = &*c.value.settings {
            for handler in &service.handlers {
                crate::steps::walk(&handler.value, &mut |step| {
                    keyed |= matches!(step, crate::steps::Step::Call(c) if c.key.is_some())
                        || matches!(step, crate::steps::Step::Send(c) if c.key.is_some());
                });
            }
        }
        keyed
    })
}

fn director(scenario: &Scenario, directory: &Directory, problems: &mut Problems) -> Director {
    let mut planned = Vec::new();
    for (number, fault) in scenario.faults.iter().enumerate() {
        let at = directory.zero as i64 + fault.value.at.0;
        if at < 0 {
            let message = "this is before the warm-up begins";
            problems.push(Problem::error("too_early", fault.span, message).path(fault.path.clone()));
            continue;
        }
        let lasts = fault.value.r#for.map(|d| d.0);
        let mut scene = Scene {
            directory,
            problems,
            span: fault.span,
            path: fault.path.clone(),
            number: number as u32,
            lasts,
        };
        if let Some(acting) = fault.value.what.resolve(&mut scene) {
            planned.push(Planned { at: at as Time, until: lasts.map(|l| at as Time + l), acting });
        }
    }
    let mut breaking = Vec::new();
    for (index, entry) in scenario.components.iter().enumerate() {
        let Some(random) = &entry.value.random else { continue };
        let nodes = directory.nodes_of(index);
        let stream = |n: usize| Stream::named(directory.seed, &format!("{}[{n}]/random", entry.name.as_str()));
        breaking.push(Breaking {
            streams: (0..nodes.len()).map(stream).collect(),
            nodes,
            mtbf: random.mtbf.0.clone(),
            mttr: random.mttr.0.clone(),
        });
    }
    Director::new(planned, breaking, directory.seed)
}

fn add_workloads(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        let settings = &entry.value;
        let number = |op: &str| directory.ops.iter().position(|o| o == op).unwrap_or(0) as u16;
        let mut sorts: Vec<Sort> = settings
            .requests
            .iter()
            .map(|r| Sort {
                profile: engine.add_profile(Profile { op: number(r.op.as_str()), size_bytes: r.size.0 }),
                priority: r.priority.0,
                keys: r.key.as_ref().map(|k| k.0.clone()),
            })
            .collect();
        let weights: Vec<f64> = settings.requests.iter().map(|r| r.weight).collect();
        let weights = if weights.len() > 1 { AliasTable::new(&weights).ok() } else { None };
        let mut of_recorded = Vec::new();
        if let Process::Trace(trace) = &settings.arrivals.process {
            for recorded in trace.requests.iter() {
                let sort = recorded.op.as_deref().map(|op| {
                    let profile = engine.add_profile(Profile { op: number(op), size_bytes: 0 });
                    let found = sorts.iter().position(|s| s.profile == profile);
                    found.unwrap_or_else(|| {
                        sorts.push(Sort { profile, priority: 2, keys: None });
                        sorts.len() - 1
                    }) as u16
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
            zero: directory.zero,
        };
        let shape = settings.shape.as_ref().map(Shape::new);
        let mut workload = Workload::new(plan, shape, directory.seed);
        workload.set_recorded_sorts(of_recorded);
        let node = engine.add_node(Node::Workload(Box::new(workload)), place.link.group, None);
        debug_assert_eq!(node, place.node);
        add_link(&settings.call, &place.link, None, engine);
        let measure = engine.group_mut(place.link.group);
        measure.deadline = settings.deadline().unwrap_or(Span::MAX);
        measure.window_latency = Some(sim_core::histogram::Histogram::new());
        measure.causes = Some(BTreeMap::new());
    }
}

fn add_link(settings: &LinkSettings, entry: &LinkEntry, owner: Option<NodeId>, engine: &mut Engine<Node>) {
    let plan = LinkPlan {
        settings: settings.clone(),
        targets: entry.targets.clone(),
        salt: hash(0, &entry.name) as u32,
        changes: Vec::new(),
    };
    engine.add_node(Node::Link(Box::new(Link::new(Arc::new(plan)))), entry.group, owner);
}

fn add_components(scenario: &Scenario, directory: &mut Directory, engine: &mut Engine<Node>) {
    for (index, entry) in scenario.components.iter().enumerate() {
        let settings = &entry.value.settings;
        let links = settings.links();
        let mut machines = Vec::new();
        for replica in 0..directory.components[index].replicas {
            let node = NodeId(engine.node_count() as u32);
            // The node is put in its place first, so that what it runs on can be noted there.
            let group = directory.components[index].group;
            engine.reserve_node(group);
            let mut site = Site { engine, directory, component: index, replica, node };
            let part = settings.build(&mut site);
            engine.fill_node(part);
            for ((_, link), entry) in links.iter().zip(directory.components[index].links.clone()) {
                add_link(link, &entry, Some(node), engine);
            }
            if directory.components[index].hosts.is_none() {
                machines.extend(engine.cpus_of(node).iter().map(|c| c.machine));
            }
        }
        directory.components[index].machines = machines;
    }
}

/// Which nodes each `set` concerns: those whose settings differ then.
fn find_changes(scenario: &Scenario, changed: &Changed, directory: &mut Directory) {
    for (number, other) in changed {
        let mut nodes = Vec::new();
        for (index, entry) in scenario.components.iter().enumerate() {
            let Some(then) = other.components.get(entry.name.as_str()) else { continue };
            if entry.value.settings == then.settings {
                continue;
            }
            for node in directory.nodes_of(index) {
                nodes.extend(directory.with_links(node));
            }
        }
        for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
            if other.workloads.get(entry.name.as_str()).is_some_and(|then| then.call != entry.value.call) {
                nodes.push(NodeId(place.node.0 + 1));
            }
        }
        directory.changed.insert(*number, nodes);
    }
}

fn prepare_changes(scenario: &Scenario, changed: &Changed, directory: &Directory, engine: &mut Engine<Node>) {
    for (number, other) in changed {
        prepare(scenario, directory, engine, crate::faults::set::undo_of(*number));
        prepare(other, directory, engine, crate::faults::set::change_of(*number));
    }
}

/// Makes everybody ready to adopt the settings of a scenario under a number.
pub fn prepare(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>, change: u32) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        if let Node::Link(link) = engine.node_mut(NodeId(place.node.0 + 1)) {
            link.prepare(change, &entry.value.call);
        }
    }
    for (index, entry) in scenario.components.iter().enumerate() {
        for (replica, node) in directory.nodes_of(index).into_iter().enumerate() {
            engine.node_mut(node).prepare(change, &entry.value.settings);
            for (name, settings) in entry.value.settings.links() {
                let (node, _) = directory.link_of(index, replica as u32, name);
                if let Node::Link(link) = engine.node_mut(node) {
                    link.prepare(change, settings);
                }
            }
        }
    }
}

/// A problem with what is missing, which has no place of its own.
fn problem_at(path: &str, code: &'static str, message: &str) -> Problem {
    let mut at = TreePath::default();
    at.push(path);
    Problem::error(code, settings::Span::NOWHERE, message).path(at)
}
