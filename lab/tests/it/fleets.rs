//! Starting, draining and scaling of replicas, in random networks and step by step.

use lab::Loaded;
use models::fleet::Membership;
use models::network::{Network, Node};
use settings::Problems;
use sim_core::random::Stream;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::{Next, NodeId, Span};

use crate::harness::load;
use crate::topology::scenario;

fn network(loaded: &Loaded, seed: u64) -> Network {
    let mut problems = Problems::new();
    models::network::build(&loaded.scenario, &Vec::new(), (seed, loaded.scenario.warmup()), u64::MAX, &mut problems)
        .expect("a good scenario")
}

fn direct(network: &mut Network, verb: impl FnOnce(&mut models::director::Director, &mut sim_core::Cx<'_>)) {
    network.engine.act(NodeId(0), |node, cx| {
        if let Node::Director(director) = node {
            verb(director, cx);
        }
        Next::WAIT
    });
}

fn fleet(network: &Network, component: usize) -> &models::fleet::Fleet {
    let Node::Director(director) = network.engine.node(NodeId(0)) else { unreachable!("it is the first node") };
    director.fleet(component)
}

/// Runs a network while randomly scaling components and draining replicas; returns all counts at the end.
fn buffeted(loaded: &Loaded, seed: u64) -> Vec<(u64, Vec<u64>, u128)> {
    let mut network = network(loaded, seed);
    let mut stream = Stream::named(seed, "buffets");
    let components: Vec<usize> = (0..network.directory.components.len())
        .filter(|at| network.directory.components[*at].slots > network.directory.components[*at].replicas)
        .collect();
    let mut at: Span = loaded.scenario.warmup();
    network.engine.run_until(at).expect("time passes");
    network.engine.begin_measuring();
    while at < 12 * SECOND {
        at += 1 + stream.below(900 * MILLISECOND);
        network.engine.run_until(at).expect("time passes");
        let Some(component) = components.get(stream.below(components.len().max(1) as u64) as usize).copied() else {
            break;
        };
        let slots = network.directory.components[component].slots;
        let to = stream.below(u64::from(slots) + 2) as u32;
        match stream.below(3) {
            0 => {
                let present = fleet(&network, component).present();
                let Some((_, node)) = present.get(stream.below(present.len().max(1) as u64) as usize).copied() else {
                    continue;
                };
                direct(&mut network, |director, cx| director.shut_down(cx, node));
            }
            _ => direct(&mut network, |director, cx| director.want(cx, component, to)),
        }
        network.engine.check_laws().expect("the laws hold at any time");
    }
    network.engine.run_until(20 * SECOND).expect("time passes");
    network.engine.check_laws().expect("the laws hold at the end");
    (0..network.engine.group_count() as u16)
        .map(|group| {
            let measure = network.engine.group(sim_core::GroupId(group));
            (measure.all.arrivals, measure.all.outcomes.to_vec(), measure.residence)
        })
        .collect()
}

#[test]
fn laws_hold_whatever_replicas_come_and_go() {
    let mut stream = Stream::named(2, "fleets");
    for case in 0..150 {
        let choices: Vec<u16> = (0..40 + stream.below(200)).map(|_| stream.below(1 << 16) as u16).collect();
        // Give every service replicas that can be replaced, and so slots for more.
        let yaml = scenario(&choices);
        let yaml = yaml.replace("    start_up: {exp: 500ms}\n    replace_after: 1s\n", "");
        // A process that dies is either replaced or started again.
        let yaml = yaml.replace("    restart: {base: 300ms, max: 2s, reset: 4s}\n", "");
        let own = yaml.lines().filter(|line| !line.starts_with("    shutdown:")).map(|line| format!("{line}\n"));
        let yaml = own
            .collect::<String>()
            .replace("    kind: service\n", "    kind: service\n    start_up: {exp: 300ms}\n    replace_after: 1s\n    shutdown: {pre_stop: 100ms, grace: 700ms}\n");
        let loaded = load(&yaml);
        let found = std::panic::catch_unwind(|| (buffeted(&loaded, case), buffeted(&loaded, case)));
        let (one, other) = found.unwrap_or_else(|_| panic!("case {case}:\n{yaml}"));
        assert!(one == other, "case {case} differs from itself:\n{yaml}");
    }
}

/// A balancer in front of three replicas that take 10 ms, under 100 requests per second.
fn three() -> Network {
    let yaml = "version: 1
run: {duration: 60s}
workloads: {w: {arrivals: {constant: 100/s}, call: lb}}
components:
  lb: {kind: load_balancer, to: app}
  app:
    kind: service
    replicas: 3
    start_up: 2s
    replace_after: 5s
    runtime: {thread_pool: {threads: 4}}
    handlers: {default: [{wait: 10ms}]}
faults:
  - {at: 30s, kill: {component: app, replicas: 1}}
  - {at: 31s, kill: {component: app, replica: 4}}
";
    network(&load(yaml), 1)
}

fn outcomes(network: &Network, name: &str) -> (u64, u64, u64) {
    let group = network.directory.components[network.directory.component(name).expect("it is there")].group;
    let measure = network.engine.group(group);
    let of = |outcome: sim_core::Outcome| measure.all.outcomes[outcome as usize];
    (measure.all.arrivals, of(sim_core::Outcome::Ok), of(sim_core::Outcome::Unavailable))
}

#[test]
fn replicas_have_numbers_that_never_return() {
    let mut network = three();
    let app = network.directory.component("app").expect("it is there");
    let numbers =
        |network: &Network| -> Vec<u32> { fleet(network, app).present().iter().map(|(number, _)| *number).collect() };
    let carry_on =
        |network: &mut Network, to_ms: u64| network.engine.run_until(to_ms * MILLISECOND).expect("time passes");
    // Two more replicas, ready after two seconds; the balancer uses them without being told.
    carry_on(&mut network, 1_000);
    direct(&mut network, |director, cx| director.want(cx, app, 5));
    assert_eq!((numbers(&network), fleet(&network, app).ready()), (vec![0, 1, 2, 3, 4], 3));
    carry_on(&mut network, 3_001);
    assert_eq!(fleet(&network, app).ready(), 5);
    // The newest replica leaves after it has had time to finish; no calls are lost.
    direct(&mut network, |director, cx| director.want(cx, app, 4));
    let (_, node) = fleet(&network, app).present()[4];
    assert_eq!(fleet(&network, app).membership(node), Some(Membership::Draining));
    carry_on(&mut network, 5_000);
    assert_eq!(numbers(&network), [0, 1, 2, 3]);
    let (arrivals, ok, unavailable) = outcomes(&network, "app");
    assert!(arrivals - ok <= 1 && unavailable == 0, "{arrivals} {ok}");
    // The next one takes the slot of the one that left, with a number of its own.
    direct(&mut network, |director, cx| director.want(cx, app, 5));
    carry_on(&mut network, 6_000);
    assert_eq!(numbers(&network), [0, 1, 2, 3, 5]);
    // The oldest is killed. The balancer does not notice: a fifth of the calls fail until it is replaced after five seconds.
    // Number 4 no longer exists, so killing it does nothing.
    carry_on(&mut network, 34_999);
    let before = outcomes(&network, "app").2;
    assert!(before.abs_diff(100) <= 2, "{before}");
    assert_eq!(numbers(&network), [0, 1, 2, 3, 5]);
    carry_on(&mut network, 36_000);
    assert_eq!((numbers(&network), fleet(&network, app).ready()), (vec![1, 2, 3, 5, 6], 4));
    carry_on(&mut network, 37_001);
    assert_eq!(fleet(&network, app).ready(), 5);
    carry_on(&mut network, 60_000);
    assert!(outcomes(&network, "app").2.abs_diff(before) <= 2);
}
