//! Who calls whom, as far as flows need it: components, links, and where each link leads.

use models::components::ComponentSettings;
use models::consuming::{AckSettings, ConsumeSettings, FailureSettings, Manner};
use models::demand::{Demand, Outcomes, Surroundings};
use models::directory::{ComponentPlace, Directory, LinkEntry, WORKLOAD_LINK};
use models::law::Law;
use models::link::LinkSettings;
use models::scenario::Scenario;
use settings::Path;
use sim_core::NodeId;

use language::Loaded;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Workload(usize),
    Component(usize),
}

/// A link and where it leads.
#[derive(Clone, Debug)]
pub(super) struct LinkAt<'a> {
    pub(super) caller: Caller,
    pub(super) from: &'a str,
    pub(super) name: &'a str,
    pub(super) settings: &'a LinkSettings,
    /// How many callers have one of their own: replicas, or 1 for a workload.
    pub(super) copies: u32,
    pub(super) ways: Vec<Way>,
    /// Where it is written.
    pub(super) path: Path,
}

/// One component that a link's calls come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) component: usize,
    /// Share of the calls while all are well.
    pub(super) share: f64,
    pub(super) rtt_s: f64,
    /// Whether it only says whom to call: the calls go on from the caller, and those are ways too.
    pub(super) directs: bool,
}

/// A component that consumes from a queue.
#[derive(Clone, Debug)]
pub(super) struct ConsumerAt<'a> {
    pub(super) queue: usize,
    pub(super) component: usize,
    /// What messages are delivered as; `None` for what was published.
    pub(super) op: Option<&'a str>,
    /// What it says of the queue.
    pub(super) settings: &'a ConsumeSettings,
    /// How the queue hands messages out.
    pub(super) manner: Manner,
    /// Messages, or batches of them, at work at once in all replicas.
    pub(super) at_once: f64,
    /// From an acknowledgement to the next message, where that has to be asked for, s.
    pub(super) between_s: f64,
    /// Share of the messages: in proportion to how many can be at work.
    pub(super) share: f64,
    /// Whether a message whose handler fails is delivered again …
    comes_back: bool,
    /// … and how often it is delivered at most.
    deliveries_max: Option<u32>,
}

impl ConsumerAt<'_> {
    /// Whether a message that is not acknowledged comes back.
    pub(super) fn redelivers(&self) -> bool {
        self.comes_back
    }

    /// Whether nothing bounds how often it does.
    pub(super) fn redelivers_without_end(&self) -> bool {
        self.comes_back && self.deliveries_max.is_none()
    }

    /// How often a message is delivered on average, if so large a share of the deliveries fail; at most a thousand times, where
    /// all of them do.
    pub(super) fn deliveries(&self, failed: f64) -> f64 {
        if !self.comes_back {
            return 1.0;
        }
        match self.deliveries_max {
            Some(most) if failed < 1.0 => (1.0 - libm::pow(failed, f64::from(most))) / (1.0 - failed),
            Some(most) => f64::from(most),
            None => 1.0 / (1.0 - failed).max(1e-3),
        }
    }
}

/// The whole.
pub(super) struct Graph<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) scenario: &'a Scenario,
    pub(super) directory: &'a Directory,
    /// By number in the directory.
    pub(super) components: Vec<&'a ComponentSettings>,
    pub(super) links: Vec<LinkAt<'a>>,
    pub(super) consumers: Vec<ConsumerAt<'a>>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(loaded: &'a Loaded, directory: &'a Directory) -> Graph<'a> {
        let scenario: &Scenario = &loaded.scenario;
        let components: Vec<&ComponentSettings> =
            scenario.components.iter().map(|entry| entry.value.settings.as_ref()).collect();
        let consumers = consumers(directory, &components);
        let mut graph = Graph { loaded, scenario, directory, components, links: Vec::new(), consumers };
        for (nth, (entry, place)) in scenario.workloads.iter().zip(&directory.workloads).enumerate() {
            let path = Path::of(&["workloads", &place.name, WORKLOAD_LINK]);
            let ways = graph.ways(Caller::Workload(nth), &place.link, &entry.value.call);
            graph.links.push(LinkAt {
                caller: Caller::Workload(nth),
                from: entry.name.as_str(),
                name: WORKLOAD_LINK,
                settings: &entry.value.call,
                copies: 1,
                ways,
                path,
            });
        }
        for (nth, (entry, place)) in scenario.components.iter().zip(&directory.components).enumerate() {
            for (name, settings) in entry.value.settings.links() {
                let Some(link) = place.links.iter().find(|link| link.name == name) else { continue };
                let inner = Path::of(&["components", &place.name, "calls", name]);
                let path = match loaded.plain.get(&inner) {
                    Some(_) => inner,
                    None => Path::of(&["components", &place.name, name]),
                };
                let caller = Caller::Component(nth);
                let ways = graph.ways(caller, link, settings);
                graph.links.push(LinkAt {
                    caller,
                    from: entry.name.as_str(),
                    name,
                    settings,
                    copies: place.replicas_most(),
                    ways,
                    path,
                });
            }
        }
        graph
    }

    fn ways(&self, caller: Caller, link: &LinkEntry, settings: &LinkSettings) -> Vec<Way> {
        let is_at = |node: NodeId, place: &ComponentPlace| {
            place.first == node || place.entrance.is_some_and(|entrance| entrance.node == node)
        };
        let of_node = |node: NodeId| self.directory.components.iter().position(|place| is_at(node, place));
        let of_target = |target: &models::link::Target| target.nodes.first().and_then(|node| of_node(*node));
        let describe = |targets: &[models::link::Target]| -> Vec<(f64, u32, u64)> {
            targets.iter().map(|t| (t.weight, t.replicas, t.rtt)).collect()
        };
        let weights = describe(&link.targets);
        let shares = match caller {
            Caller::Component(nth) => self.components[nth].shares(&weights),
            Caller::Workload(_) => {
                let total: f64 = settings.to.iter().map(|t| t.weight).sum();
                weights.iter().map(|(weight, _, _)| weight / total).collect()
            }
        };
        // What a service calls over one of several links is chosen by weight, whatever its kind says of others.
        let mut ways = Vec::new();
        let from = match caller {
            Caller::Workload(nth) => &self.directory.workloads[nth].name,
            Caller::Component(nth) => &self.directory.components[nth].name,
        };
        for (target, share) in link.targets.iter().zip(shares) {
            let Some(component) = of_target(target) else { continue };
            let directs = self.components[component].directs();
            let rtt_s = if directs { 0.0 } else { target.rtt as f64 / 1e9 };
            ways.push(Way { component, share, rtt_s, directs });
            if !directs {
                continue;
            }
            let populations = &self.directory.components[component].populations;
            let Some(population) = populations.iter().find(|population| population.caller == *from) else { continue };
            let onward = self.components[component].shares(&describe(&population.targets));
            for (target, part) in population.targets.iter().zip(onward) {
                let Some(component) = of_target(target) else { continue };
                ways.push(Way { component, share: share * part, rtt_s: target.rtt as f64 / 1e9, directs: false });
            }
        }
        ways
    }

    /// The same where nothing is consumed from a queue.
    pub(super) fn without_consumers_of(&self, queue: usize) -> Graph<'a> {
        let consumers = self.consumers.iter().filter(|consumer| consumer.queue != queue).cloned().collect();
        let Graph { loaded, scenario, directory, .. } = *self;
        Graph { loaded, scenario, directory, components: self.components.clone(), links: self.links.clone(), consumers }
    }

    /// Who consumes from a component.
    pub(super) fn consumers_of(&self, queue: usize) -> impl Iterator<Item = &ConsumerAt<'a>> {
        self.consumers.iter().filter(move |consumer| consumer.queue == queue)
    }

    /// The name of a component.
    pub(super) fn name(&self, component: usize) -> &'a str {
        &self.directory.components[component].name
    }

    /// How many replicas a component has; where more and fewer are wanted in turn, how many at most.
    pub(super) fn replicas(&self, component: usize) -> f64 {
        f64::from(self.directory.components[component].replicas_most())
    }

    /// Whether replicas come and go on purpose, so that there is no one number of them.
    pub(super) fn varies(&self, component: usize) -> bool {
        self.directory.components[component].varies()
    }

    /// Whether it may have fewer replicas than are reckoned with, or more calls: who is probed answers these as well.
    pub(super) fn may_have_less(&self, component: usize) -> bool {
        self.varies(component) || self.directory.components[component].is_probed
    }

    /// Items of a full batch, where items have the mean payload of all requests.
    pub(super) fn batch_most(&self, batch: &models::policies::batch::BatchSettings) -> u32 {
        let requests = self.scenario.workloads.iter().flat_map(|workload| &workload.value.requests);
        let (weight, bytes) = requests.fold((0.0, 0.0), |(weight, bytes), request| {
            (weight + request.weight, bytes + request.weight * request.size.0 as f64)
        });
        batch.most_of(if weight > 0.0 { bytes / weight } else { 0.0 })
    }

    /// How many replicas a component has at most, where their number changes.
    pub(super) fn replicas_most(&self, component: usize) -> Option<u32> {
        self.varies(component).then(|| self.directory.components[component].replicas_most())
    }

    /// How many pools each caller has over a link: one, or one for each replica that is called.
    pub(super) fn pools_of(&self, link: &LinkAt<'_>) -> u32 {
        let balances = match link.caller {
            Caller::Component(caller) => self.components[caller].balancing().is_some(),
            Caller::Workload(_) => false,
        };
        if !link.settings.is_per_target(balances) {
            return 1;
        }
        let replicas = link.ways.iter().filter(|way| !way.directs).map(|way| self.replicas(way.component));
        (replicas.sum::<f64>() as u32).max(1)
    }

    /// The connections that all callers can have open over a link, where they have pools.
    pub(super) fn connections_of(&self, link: &LinkAt<'_>) -> Option<u64> {
        let pool = link.settings.pool.as_ref()?;
        Some(u64::from(pool.size) * u64::from(link.copies) * u64::from(self.pools_of(link)))
    }

    /// Whether nobody waits for what is called over a link, the caller included.
    pub(super) fn is_only_sent(&self, link: &LinkAt<'_>) -> bool {
        let Caller::Component(caller) = link.caller else { return false };
        let calls = self.directory.ops.iter().flat_map(|op| self.demand(caller, op).calls);
        let sent: Vec<bool> = calls.filter(|call| call.link == link.name).map(|call| call.sent).collect();
        !sent.is_empty() && sent.iter().all(|sent| *sent)
    }

    /// By component: whether its callers may wait for room in a queue, which is what that is bounded for.
    pub(super) fn held_back(&self) -> Vec<bool> {
        let mut held: Vec<bool> =
            self.components.iter().map(|settings| settings.hands_out().is_some_and(|manner| manner.blocks)).collect();
        loop {
            let before = held.clone();
            for link in &self.links {
                let Caller::Component(caller) = link.caller else { continue };
                if !self.is_only_sent(link) && link.ways.iter().any(|way| held[way.component]) {
                    held[caller] = true;
                }
            }
            if held == before {
                return held;
            }
        }
    }

    /// By component: whether a request waits for it, or it is called on behalf of one that does. What consumes messages, and what
    /// that calls, works behind the answers.
    pub(super) fn waited_for(&self) -> Vec<bool> {
        let mut waited = vec![false; self.components.len()];
        loop {
            let before = waited.clone();
            for link in &self.links {
                let is_waited = match link.caller {
                    Caller::Workload(_) => true,
                    Caller::Component(caller) => waited[caller] && !self.is_only_sent(link),
                };
                link.ways.iter().filter(|_| is_waited).for_each(|way| waited[way.component] = true);
            }
            if waited == before {
                return waited;
            }
        }
    }

    /// A link of a component, by name.
    pub(super) fn link_of(&self, component: usize, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.caller == Caller::Component(component) && link.name == name)
    }

    /// The links that lead to a component, directly or through one that only says whom to call.
    pub(super) fn links_to(&self, component: usize) -> impl Iterator<Item = &LinkAt<'a>> {
        self.links.iter().filter(move |link| link.ways.iter().any(|way| way.component == component))
    }

    /// What a component calls for an operation, with calls that succeed and take no time.
    pub(super) fn demand(&self, component: usize, op: &str) -> Demand {
        let mut call = |_: &str, _: Option<&str>| Outcomes::ok(Law::always(0.0));
        let mut around = Surroundings {
            call: &mut call,
            stretch: 1.0,
            held_stretch: 1.0,
            at_work: 1.0,
            items: 1.0,
            miss_ratio: 1.0,
            fetch_ratio: 1.0,
        };
        self.components[component].demand(op, &mut around)
    }

    /// Whether a component only passes calls on: it holds nothing while it waits, and has no policies of its own.
    pub(super) fn passes_on(&self, component: usize) -> bool {
        let settings = self.components[component];
        settings.directs()
            || (settings.limits().workers.is_none()
                && !settings.asks().is_empty()
                && settings.asks().iter().all(|ask| ask.handler.is_none()))
    }
}

/// Everybody who consumes, with their shares of the messages.
fn consumers<'a>(directory: &Directory, components: &[&'a ComponentSettings]) -> Vec<ConsumerAt<'a>> {
    let mut consumers = Vec::new();
    for (component, settings) in components.iter().enumerate() {
        let place = &directory.components[component];
        for (consume, entry) in settings.consumes().iter().zip(&place.consumes) {
            let Some(queue) = entry.from else { continue };
            let workers = settings.limits().workers.map(|(_, count)| count);
            let at_work = consume.concurrency.or(workers).unwrap_or(1);
            let op = consume.op.as_ref().map(|op| op.as_str());
            let at_once = f64::from(at_work) * f64::from(place.replicas_most());
            let Some(manner) = components[queue].hands_out() else { continue };
            let comes_back = match consume.failure(&manner) {
                FailureSettings::Requeue | FailureSettings::Wait => consume.ack == AckSettings::After,
                FailureSettings::Skip | FailureSettings::DeadLetter => false,
                FailureSettings::Retry(never) => match never {},
            };
            // What is sent in advance is there when there is a place for it.
            let is_there = manner.pushes && consume.prefetch(&manner).is_none_or(|prefetch| prefetch > at_work);
            consumers.push(ConsumerAt {
                queue,
                component,
                op,
                settings: consume,
                at_once,
                between_s: if is_there { 0.0 } else { entry.rtt as f64 / 1e9 },
                share: at_once,
                comes_back,
                deliveries_max: manner.receives_max,
                manner,
            });
        }
    }
    let all: Vec<(usize, f64)> = consumers.iter().map(|consumer| (consumer.queue, consumer.share)).collect();
    for consumer in &mut consumers {
        let total: f64 = all.iter().filter(|(queue, _)| *queue == consumer.queue).map(|(_, share)| share).sum();
        consumer.share /= total;
    }
    consumers
}
