//! Happenings are stored with their place and their instant, and a copy of the world records its own.

use sim_core::happening::{Happening, InWindow};
use sim_core::time::SECOND;
use sim_core::*;

static RANG: Happens = Happens { name: "rang", doc: "The bell rang." };
static STRUCK: Happens = Happens { name: "struck", doc: "Somebody struck it." };

/// Rings every second, and strikes its neighbour at every third ring.
#[derive(Clone)]
struct Bell {
    neighbour: NodeId,
    rings: u64,
}

impl Component for Bell {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        cx.after(SECOND, Class::First, Timer { what: 0, data: 0 });
        Next::WAIT
    }
    fn on_call(&mut self, _: &mut Cx<'_>, _: CallId) -> Next {
        unreachable!("nobody calls a bell")
    }
    fn on_reply(&mut self, _: &mut Cx<'_>, _: CallId, _: CallId, _: Answer) -> Next {
        unreachable!("a bell calls nobody")
    }
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        self.rings += 1;
        cx.happened_about(&RANG, About::Group(cx.group_of(self.neighbour)));
        if self.rings.is_multiple_of(3) {
            cx.happened_to(self.neighbour, &STRUCK);
        }
        cx.after(SECOND, Class::First, timer);
        Next::WAIT
    }
    fn rebuild(&mut self, _: Time) {}
    fn begin_measuring(&mut self, _: Time) {}
    fn figures(&self, _: Time, _: &mut Figures) {}
}

/// Two bells; the second never rings, because it is down.
fn tower() -> (Engine<Bell>, [GroupId; 2]) {
    let mut engine = Engine::new(1);
    engine.count_happenings_by(2 * SECOND, SECOND);
    let groups = ["high", "low"].map(|name| engine.add_group(name));
    engine.add_node(Bell { neighbour: NodeId(1), rings: 0 }, groups[0], None);
    engine.add_node(Bell { neighbour: NodeId(0), rings: 0 }, groups[1], None);
    engine.start();
    engine.act(NodeId(0), |_, cx| {
        cx.order(Order::Crash(NodeId(1), Death::Process));
        Next::WAIT
    });
    (engine, groups)
}

#[test]
fn what_happens_is_told_with_its_place_and_its_instant() {
    let (mut engine, [high, low]) = tower();
    assert!(engine.happenings().is_empty());
    engine.run_until(4 * SECOND).expect("time passes");
    engine.begin_measuring();
    engine.run_until(7 * SECOND + 1).expect("time passes");
    let rang = engine.happenings().of(high, &RANG).expect("it rang");
    let happening =
        |second: u64, node: u32, about: Option<About>| Happening { at: second * SECOND, node: NodeId(node), about };
    // The warm-up is recorded like the rest.
    let all: Vec<Happening> = (1..=7).map(|second| happening(second, 0, Some(About::Group(low)))).collect();
    assert_eq!(rang.first(), all);
    // The first window is a second long and half-open, the others are two seconds long.
    let windows = [(1, 2), (2, 2), (3, 2), (4, 1)].map(|(window, count)| InWindow { window, count });
    assert_eq!(rang.windows().collect::<Vec<_>>(), windows);
    // Reported by the first node, it happened at the second.
    let struck = engine.happenings().of(low, &STRUCK).expect("it was struck");
    assert_eq!(struck.first(), [happening(3, 1, None), happening(6, 1, None)]);
    let places: Vec<_> = engine.happenings().iter().map(|(place, told)| (place, told.what.name, told.count)).collect();
    assert_eq!(places, [(high, "rang", 7), (low, "struck", 2)]);
}

#[test]
fn a_copy_goes_its_own_way_and_leaves_the_original_alone() {
    let (mut engine, [high, low]) = tower();
    engine.run_until(100 * SECOND).expect("time passes");
    let told = |engine: &Engine<Bell>| {
        let rang = engine.happenings().of(high, &RANG).expect("it rang");
        let last: Vec<Time> = rang.last().map(|happening| happening.at / SECOND).collect();
        (rang.count, last, engine.happenings().of(low, &STRUCK).map_or(0, |struck| struck.count))
    };
    let then = told(&engine);
    assert_eq!((then.0, then.1.as_slice(), then.2), (99, (65..100).collect::<Vec<_>>().as_slice(), 33));
    let mut other = engine.clone();
    other.act(NodeId(0), |_, cx| {
        cx.order(Order::Crash(NodeId(0), Death::Process));
        Next::WAIT
    });
    other.run_until(300 * SECOND).expect("time passes");
    assert_eq!(told(&other), then, "who is down rings no more");
    engine.run_until(200 * SECOND + 1).expect("time passes");
    assert_eq!(told(&engine), (200, (137..=200).collect(), 66));
    assert_eq!(told(&other), then);
}
