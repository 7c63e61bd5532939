//! Chores run first at their instant and stop with their node; finite work ends without them, unless it waits for one.

use sim_core::time::SECOND;
use sim_core::*;

const CHORE: u8 = 0;
const CLOCK: u8 = 1;
const SERVE: u8 = 2;
const PAUSE: u8 = 3;
const RESUME: u8 = 4;
const TAKE_BACK: u8 = 5;

/// Acts on its timers and records when each one went off.
#[derive(Clone, Default)]
struct Keeper {
    done: Vec<(Time, u64)>,
    /// The interval of a recurring chore, if any.
    every: Option<Span>,
    /// The chore that [`TAKE_BACK`] cancels.
    kept: Option<ChoreId>,
}

impl Component for Keeper {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        if let Some(every) = self.every {
            cx.chore_after(every, Timer { what: CHORE, data: 0 });
        }
        Next::WAIT
    }
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        cx.work(3 * SECOND, Timer::of(SERVE, call));
        Next::WAIT
    }
    fn on_reply(&mut self, _: &mut Cx<'_>, _: CallId, _: CallId, _: Answer) -> Next {
        Next::WAIT
    }
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            PAUSE => cx.order(Order::Pause(NodeId(timer.data as u32))),
            RESUME => cx.order(Order::Resume(NodeId(timer.data as u32))),
            SERVE => return Next::reply(timer.call(), cx.answer(Outcome::Ok)),
            TAKE_BACK => assert!(self.kept.take().is_some_and(|chore| cx.cancel_chore(chore)), "it is pending"),
            _ => self.done.push((cx.now(), timer.data)),
        }
        if let (CHORE, 0, Some(every)) = (timer.what, timer.data, self.every) {
            cx.chore_after(every, timer);
        }
        Next::WAIT
    }
    fn rebuild(&mut self, _: Time) {}
    fn begin_measuring(&mut self, _: Time) {}
    fn figures(&self, _: Time, _: &mut Figures) {}
}

const DIRECTOR: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// The first node has no chore of its own; the second has a recurring one if `every` is set.
fn house(every: Option<Span>) -> Engine<Keeper> {
    let mut engine = Engine::new(1);
    let groups = ["director", "server"].map(|name| engine.add_group(name));
    engine.add_node(Keeper::default(), groups[0], None);
    engine.add_node(Keeper { every, ..Keeper::default() }, groups[1], None);
    engine.start();
    engine
}

fn chore(engine: &mut Engine<Keeper>, node: NodeId, delay: Span, what: u8, data: u64) -> ChoreId {
    let mut name = None;
    engine.act(node, |_, cx| {
        name = Some(cx.chore_after(delay, Timer { what, data }));
        Next::WAIT
    });
    name.expect("it was set")
}

fn clock(engine: &mut Engine<Keeper>, delay: Span, data: u64) {
    engine.act(SERVER, |_, cx| {
        cx.after(delay, Class::First, Timer { what: CLOCK, data });
        Next::WAIT
    });
}

fn request(engine: &mut Engine<Keeper>) {
    engine.act(DIRECTOR, |_, cx| Next::call(cx.request(SERVER, 1, cx.now(), 0, 0, Baggage::EMPTY)));
}

#[test]
fn chores_come_first_of_their_instant_in_the_order_of_their_setting() {
    let mut engine = house(None);
    for (delay, data) in [(2, 10), (1, 11), (2, 12)] {
        clock(&mut engine, delay * SECOND, data);
    }
    let names = [(3, 1), (2, 2), (2, 3), (1, 4), (2, 5)]
        .map(|(delay, data)| chore(&mut engine, SERVER, delay * SECOND, CHORE, data));
    engine.act(SERVER, |_, cx| {
        assert!(cx.cancel_chore(names[2]) && !cx.cancel_chore(names[2]));
        Next::WAIT
    });
    engine.run_until(SECOND).expect("time passes");
    assert_eq!(engine.node(SERVER).done, [], "what falls on the limit has not happened");
    // Set in the middle of a stretch, before the chore that was next.
    chore(&mut engine, SERVER, SECOND / 2, CHORE, 6);
    let mut clone = engine.clone();
    for engine in [&mut engine, &mut clone] {
        engine.run_until(2 * SECOND + 1).expect("time passes");
        let half = SECOND / 2;
        let expected =
            [(2, 4), (2, 11), (3, 6), (4, 2), (4, 5), (4, 10), (4, 12)].map(|(halves, data)| (halves * half, data));
        assert_eq!(engine.node(SERVER).done, expected);
    }
    assert_eq!(engine.events(), 7);
}

#[test]
fn finite_work_ends_in_spite_of_chores_and_has_had_those_of_its_time() {
    let mut engine = house(Some(SECOND));
    chore(&mut engine, DIRECTOR, 7200 * SECOND, CHORE, 9);
    request(&mut engine);
    assert_eq!(engine.run_until_idle(SECOND), Ok(false));
    assert_eq!(engine.clone().run_until_idle(3 * SECOND), Ok(false), "the answer falls on the limit");
    assert_eq!(engine.run_until_idle(Time::MAX), Ok(true));
    assert_eq!((engine.now(), engine.open_calls()), (3 * SECOND, 0));
    // The third ran before the answer.
    assert_eq!(engine.node(SERVER).done, [1, 2, 3].map(|second| (second * SECOND, 0)));
    assert_eq!(engine.next_event(), None);
    engine.run_until(5 * SECOND + 1).expect("time passes");
    assert_eq!(engine.node(SERVER).done.len(), 5, "whoever goes on has chores to do");
    assert_eq!(engine.check_laws(), Ok(()));
}

#[test]
fn work_that_waits_for_a_chore_waits_until_the_chores_have_gone_round() {
    let stands_still = |resumes: Option<u64>| {
        let mut engine = house(None);
        chore(&mut engine, DIRECTOR, SECOND, PAUSE, u64::from(SERVER.0));
        if let Some(at) = resumes {
            chore(&mut engine, DIRECTOR, at * SECOND, RESUME, u64::from(SERVER.0));
        }
        request(&mut engine);
        chore(&mut engine, DIRECTOR, 100 * SECOND, CHORE, 9);
        assert_eq!(engine.run_until_idle(Time::MAX), Ok(true));
        (engine.now() / SECOND, engine.open_calls())
    };
    // After the pause, two of the three seconds of work are left, and nothing waits for the last chore.
    assert_eq!(stands_still(Some(10)), (12, 0));
    assert_eq!(stands_still(None), (100, 1), "that chore might have helped");
    // A chore that recurs forever does not keep the run alive forever: a round is a second.
    let mut engine = house(Some(SECOND));
    request(&mut engine);
    engine.act(DIRECTOR, |_, cx| {
        cx.order(Order::Pause(SERVER));
        Next::WAIT
    });
    engine.run_until_idle(Time::MAX).expect("it comes to rest");
    assert_eq!((engine.open_calls(), engine.now()), (1, SECOND), "who stands still sets no chore again");
    let mut engine = house(None);
    engine.node_mut(DIRECTOR).every = Some(5 * SECOND);
    chore(&mut engine, DIRECTOR, 5 * SECOND, CHORE, 0);
    request(&mut engine);
    engine.act(DIRECTOR, |_, cx| {
        cx.order(Order::Pause(SERVER));
        Next::WAIT
    });
    engine.run_until_idle(Time::MAX).expect("it comes to rest");
    assert_eq!((engine.open_calls(), engine.now()), (1, 10 * SECOND));
    let before = engine.progress();
    chore(&mut engine, DIRECTOR, SECOND, RESUME, u64::from(SERVER.0));
    assert_eq!(engine.run_until_idle(Time::MAX), Ok(true));
    assert_eq!((engine.open_calls(), engine.now()), (0, 14 * SECOND), "what is set later may help too");
    assert!(engine.progress() > before);
}

#[test]
fn chores_of_a_node_that_stands_still_are_done_when_it_goes_on_and_those_of_a_crashed_one_never() {
    let mut engine = house(Some(2 * SECOND));
    let kept = chore(&mut engine, SERVER, 4 * SECOND, CHORE, 2);
    chore(&mut engine, SERVER, 3 * SECOND, TAKE_BACK, 0);
    chore(&mut engine, SERVER, 9 * SECOND, CHORE, 3);
    clock(&mut engine, 3 * SECOND, 10);
    engine.node_mut(SERVER).kept = Some(kept);
    chore(&mut engine, DIRECTOR, SECOND, PAUSE, u64::from(SERVER.0));
    chore(&mut engine, DIRECTOR, 5 * SECOND, RESUME, u64::from(SERVER.0));
    let mut clone = engine.clone();
    engine.run_until(10 * SECOND).expect("time passes");
    // All before the timer that went off; the first one cancels the last under its original id.
    assert_eq!(engine.node(SERVER).done, [(5, 0), (5, 10), (7, 0), (9, 3), (9, 0)].map(|(s, data)| (s * SECOND, data)));
    // A crash during the pause.
    clone.run_until(4 * SECOND + 1).expect("time passes");
    for order in [Order::Crash(SERVER, Death::Process), Order::Start(SERVER, Death::Process)] {
        clone.act(DIRECTOR, |_, cx| {
            cx.order(order);
            Next::WAIT
        });
    }
    clone.run_until(10 * SECOND).expect("time passes");
    assert!(clone.node(SERVER).done.iter().all(|(_, data)| *data == 0), "{:?}", clone.node(SERVER).done);
    assert!(!clone.node(SERVER).done.is_empty());
}
