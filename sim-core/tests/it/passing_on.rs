//! A call that is passed on unchanged must give the same result as one with a frame of its own: for the caller, for all
//! measures, for callers that give up, and for any fault of the node in the middle.

use proptest::prelude::*;
use sim_core::time::MILLISECOND;
use sim_core::{
    Answer, CallId, Class, Component, Cx, Death, Engine, Figures, GroupId, Next, NodeId, Order, Outcome, Span, Time,
    Timer, To,
};

/// Sends a request every millisecond to the caller.
#[derive(Clone, Debug)]
struct Source {
    caller: NodeId,
    sent: u64,
    seen: Vec<(Time, Outcome)>,
}

/// Calls the middle with a timeout and records the outcome.
#[derive(Clone, Debug)]
struct Caller {
    middle: NodeId,
    timeout: Span,
    cancels: bool,
    /// The attempt of each call, by the call's index.
    children: Vec<Option<CallId>>,
}

/// How calls go through the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    /// Each with a frame of its own.
    Apart,
    /// Passed on by the middle, one by one.
    PassedOn,
    /// Passed on by the engine without invoking the middle.
    LetPass,
}

#[derive(Clone, Debug)]
struct Middle {
    manner: Manner,
    servers: Vec<NodeId>,
    path: u16,
    under_way: Vec<i64>,
    ended: Vec<(Time, Outcome)>,
}

impl Middle {
    fn to(&self, chosen: usize) -> To {
        let node = self.servers[chosen];
        To { node, link: 9, ordinal: 0, profile: None, path: self.path, is_retry: false }
    }
}

#[derive(Clone, Debug)]
struct Server;

#[derive(Clone, Debug)]
enum Node {
    Source(Source),
    Caller(Caller),
    Middle(Middle),
    Server(Server),
}

impl Component for Node {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        match self {
            Node::Source(_) => {
                cx.after(0, Class::First, Timer { what: 0, data: 0 });
            }
            Node::Middle(middle) if middle.manner == Manner::LetPass => cx.let_pass(Some(middle.to(0))),
            _ => {}
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        match self {
            Node::Source(_) => unreachable!("nobody calls a source"),
            Node::Caller(caller) => {
                let to = To { node: caller.middle, link: 7, ordinal: 0, profile: None, path: 0, is_retry: false };
                let child = cx.call(call, to);
                let at = call.index() as usize;
                if caller.children.len() <= at {
                    caller.children.resize(at + 1, None);
                }
                caller.children[at] = Some(child);
                cx.after_constant(caller.timeout, Class::GivingUp, Timer::of(1, call));
                Next::call(child)
            }
            Node::Middle(middle) => {
                let chosen = cx.draw(call, 3).below(middle.servers.len() as u64) as usize;
                middle.under_way[chosen] += 1;
                let to = middle.to(chosen);
                if middle.manner != Manner::Apart
                    && let Some(next) = cx.pass_on(call, to, chosen as u32)
                {
                    return next;
                }
                cx.set_ticket(call, chosen as u32);
                Next::call(cx.call(call, to))
            }
            Node::Server(_) => {
                let span = 1 + cx.draw(call, 5).below(8 * MILLISECOND);
                cx.work(span, Timer::of(2, call));
                Next::WAIT
            }
        }
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        match self {
            Node::Source(source) => {
                source.seen.push((cx.now(), answer.outcome()));
                Next::WAIT
            }
            Node::Caller(caller) => {
                caller.children[call.index() as usize] = None;
                Next::reply(call, answer)
            }
            Node::Middle(middle) => {
                middle.under_way[cx.ticket(call) as usize] -= 1;
                middle.ended.push((cx.since(call), answer.outcome()));
                Next::reply(call, answer)
            }
            Node::Server(_) => unreachable!("a server calls nobody"),
        }
    }

    fn on_passed(&mut self, ticket: u32, since: Time, outcome: Outcome) {
        let Node::Middle(middle) = self else { unreachable!("only the middle passes on") };
        middle.under_way[ticket as usize] -= 1;
        middle.ended.push((since, outcome));
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match self {
            Node::Source(source) => {
                source.sent += 1;
                if source.sent < 300 {
                    cx.after(MILLISECOND, Class::First, timer);
                }
                let key = sim_core::random::Key::root(cx.seed(), 1, source.sent).bits();
                let baggage = sim_core::Baggage::EMPTY;
                Next::call(cx.request(source.caller, key, cx.now(), 0, 0, baggage))
            }
            Node::Caller(caller) => {
                let call = timer.call();
                if !cx.is_open(call) {
                    return Next::WAIT;
                }
                let child = caller.children[call.index() as usize].take().expect("an attempt is under way");
                cx.abandon(child);
                if caller.cancels {
                    cx.cancel_call(child);
                }
                Next::reply(call, cx.answer(Outcome::Timeout))
            }
            Node::Server(_) if cx.is_open(timer.call()) => Next::reply(timer.call(), cx.answer(Outcome::Ok)),
            _ => Next::WAIT,
        }
    }

    fn rebuild(&mut self, _now: Time) {
        if let Node::Middle(middle) = self {
            middle.under_way.fill(0);
        }
    }

    fn begin_measuring(&mut self, _now: Time) {}

    fn figures(&self, _now: Time, _figures: &mut Figures) {}
}

/// A fault, and its target: the middle or the first server.
#[derive(Clone, Copy, Debug)]
struct Blow {
    at: Time,
    lasts: Span,
    to_middle: bool,
    /// The kind of death; `None` for a pause.
    kills: Option<Death>,
}

fn blow() -> impl Strategy<Value = Blow> {
    let kills = prop_oneof![Just(None), Just(Some(Death::Process)), Just(Some(Death::Host))];
    (0u64..250, 1u64..60, any::<bool>(), kills).prop_map(|(at, lasts, to_middle, kills)| Blow {
        at: at * MILLISECOND + 300_000,
        lasts: lasts * MILLISECOND,
        to_middle,
        kills,
    })
}

/// Everything observed in a run.
#[derive(Debug, PartialEq)]
struct Seen {
    by_source: Vec<(Time, Outcome)>,
    by_middle: Vec<u64>,
    groups: Vec<(u64, Vec<u64>, u128, Option<f64>)>,
}

/// The parameters of a run.
#[derive(Clone, Debug)]
struct Trial {
    seed: u64,
    timeout: Span,
    cancels: bool,
    delay: Span,
    servers: usize,
    /// Whether the source sends its requests directly to the middle.
    is_direct: bool,
    blows: Vec<Blow>,
}

fn seen(trial: &Trial, manner: Manner) -> Seen {
    let Trial { seed, timeout, cancels, delay, is_direct, .. } = *trial;
    let mut engine: Engine<Node> = Engine::new(seed);
    let groups: Vec<GroupId> = ["source", "caller", "middle", "server"].map(|name| engine.add_group(name)).to_vec();
    let way = sim_core::conditions::Path { there: delay, back: delay, ..Default::default() };
    let path = engine.add_path(way);
    let (middle, servers) = (NodeId(2), (3..).take(trial.servers).map(NodeId).collect::<Vec<_>>());
    let caller = if is_direct { middle } else { NodeId(1) };
    engine.add_node(Node::Source(Source { caller, sent: 0, seen: Vec::new() }), groups[0], None);
    engine.add_node(Node::Caller(Caller { middle, timeout, cancels, children: Vec::new() }), groups[1], None);
    let under_way = vec![0; servers.len()];
    let ended = Vec::new();
    engine.add_node(Node::Middle(Middle { manner, servers, path, under_way, ended }), groups[2], None);
    engine.add_node(Node::Server(Server), groups[3], None);
    engine.add_node(Node::Server(Server), groups[3], None);
    engine.start();
    let mut orders: Vec<(Time, Order)> = Vec::new();
    for blow in &trial.blows {
        let node = if blow.to_middle { middle } else { NodeId(3) };
        // The first target of a request belongs to the sender: its host does not die alone.
        let kills = blow.kills.map(|death| if is_direct && blow.to_middle { Death::Process } else { death });
        let (begin, end) = match kills {
            None => (Order::Pause(node), Order::Resume(node)),
            Some(death) => (Order::Crash(node, death), Order::Start(node, death)),
        };
        orders.push((blow.at, begin));
        orders.push((blow.at + blow.lasts, end));
    }
    orders.sort_by_key(|(at, _)| *at);
    for (at, order) in orders {
        engine.run_until(at).expect("time passes");
        engine.act(NodeId(0), |_, cx| {
            cx.order(order);
            Next::WAIT
        });
        engine.check_laws().expect("the laws hold at any time");
    }
    assert!(engine.run_until_idle(10_000_000 * MILLISECOND).expect("time passes"));
    engine.check_laws().expect("the laws hold at the end");
    assert_eq!(engine.open_calls(), 0, "everything ends");
    let Node::Source(source) = engine.node(NodeId(0)) else { unreachable!("the first node is the source") };
    let Node::Middle(in_the_middle) = engine.node(middle) else { unreachable!("the third node is the middle") };
    assert_eq!(source.seen.len(), 300, "every request is answered once");
    let of = |group: &GroupId| {
        let measure = engine.group(*group);
        (measure.all.arrivals, measure.all.outcomes.to_vec(), measure.residence, measure.latency.histogram().mean())
    };
    // Calls that a crash ends at one instant are answered in the order of their frames, which is irrelevant here.
    let sorted = |mut list: Vec<(Time, Outcome)>| {
        list.sort();
        list
    };
    let mut by_middle = engine.passed(middle).map_or(vec![0; Outcome::COUNT], |passed| passed.all.outcomes.to_vec());
    for (_, outcome) in &in_the_middle.ended {
        by_middle[*outcome as usize] += 1;
    }
    Seen { by_source: sorted(source.seen.clone()), by_middle, groups: groups.iter().map(of).collect() }
}

fn trial() -> impl Strategy<Value = Trial> {
    let delay = prop_oneof![3 => Just(0), 1 => 1u64..2_000_000];
    let blows = prop::collection::vec(blow(), 0..5);
    (0u64..1000, 1u64..12, any::<bool>(), delay, 1usize..3, any::<bool>(), blows).prop_map(
        |(seed, timeout_ms, cancels, delay, servers, is_direct, blows)| Trial {
            seed,
            timeout: timeout_ms * MILLISECOND + 1,
            cancels,
            delay,
            servers,
            is_direct,
            blows,
        },
    )
}

proptest! {
    #[test]
    fn passing_on_comes_to_the_same_as_a_frame_of_its_own(trial in trial()) {
        let apart = seen(&trial, Manner::Apart);
        prop_assert_eq!(&apart, &seen(&trial, Manner::PassedOn));
        if trial.servers == 1 {
            prop_assert_eq!(&apart, &seen(&trial, Manner::LetPass));
        }
    }
}
