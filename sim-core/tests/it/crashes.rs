//! The effects on callers of a dead process, a dead host and a cut network, step by step.

use sim_core::conditions::Path;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::*;

/// A caller that sends requests on demand and records their outcomes, or a server that takes three seconds.
#[derive(Clone, Default)]
struct Node {
    seen: Vec<(u64, Time, Outcome)>,
    heard: Vec<News>,
    child: Option<CallId>,
}

const SEND: u8 = 0;
const SERVED: u8 = 1;

impl Component for Node {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        match cx.node() {
            SERVER => {
                cx.work(3 * SECOND, Timer::of(SERVED, call));
                Next::WAIT
            }
            _ => {
                let to = To { node: SERVER, link: 1, ordinal: 0, profile: None, path: 1, is_retry: false };
                let child = cx.call(call, to);
                self.child = Some(child);
                Next::call(child)
            }
        }
    }
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next {
        match call == child {
            true => self.seen.push((cx.key(call).bits(), cx.now(), answer.outcome())),
            false => return Next::reply(call, answer),
        }
        Next::WAIT
    }
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            SEND => Next::call(cx.request(CALLER, timer.data, cx.now(), 0, 0, Baggage::EMPTY)),
            _ => Next::reply(timer.call(), cx.answer(Outcome::Ok)),
        }
    }
    fn on_news(&mut self, _: &mut Cx<'_>, about: NodeId, news: News) {
        assert_eq!(about, SERVER);
        self.heard.push(news);
    }
    fn rebuild(&mut self, _: Time) {}
    fn begin_measuring(&mut self, _: Time) {}
    fn figures(&self, _: Time, _: &mut Figures) {}
}

const CLIENT: NodeId = NodeId(0);
const CALLER: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);

/// A network with a round trip of 20 ms between caller and server.
fn house() -> Engine<Node> {
    let mut engine = Engine::new(1);
    let groups = ["client", "caller", "server"].map(|name| engine.add_group(name));
    let path = engine.add_path(Path { there: 10 * MILLISECOND, back: 10 * MILLISECOND, ..Path::default() });
    assert_eq!(path, 1);
    for group in groups {
        engine.add_node(Node::default(), group, None);
    }
    engine.listen(CLIENT, groups[2], Hearing::All);
    engine.listen(CALLER, groups[2], Hearing::Members);
    engine.start();
    engine
}

fn send_at(engine: &mut Engine<Node>, at_ms: u64) {
    engine.act(CLIENT, |_, cx| {
        cx.after(at_ms * MILLISECOND, Class::First, Timer { what: SEND, data: at_ms });
        Next::WAIT
    });
}

fn at(engine: &mut Engine<Node>, at_ms: u64, entry: impl FnOnce(&mut Cx<'_>)) {
    engine.run_until(at_ms * MILLISECOND).expect("time passes");
    engine.act(CLIENT, |_, cx| {
        entry(cx);
        Next::WAIT
    });
    engine.check_laws().expect("the laws hold at any time");
}

/// The requests by the millisecond in which they were sent: end in milliseconds, and outcome.
fn seen(engine: &mut Engine<Node>) -> Vec<(u64, u64, Outcome)> {
    assert!(engine.run_until_idle(10_000 * SECOND).expect("time passes"));
    engine.check_laws().expect("the laws hold at the end");
    assert_eq!(engine.open_calls(), 0, "everything ends");
    let mut seen = engine.node(CLIENT).seen.clone();
    seen.sort();
    seen.into_iter().map(|(sent, at, outcome)| (sent, at / MILLISECOND, outcome)).collect()
}

#[test]
fn a_process_that_dies_resets_what_is_open_and_its_host_refuses_what_comes() {
    let mut engine = house();
    for sent in [0, 995, 1500, 2995] {
        send_at(&mut engine, sent);
    }
    at(&mut engine, 1000, |cx| cx.order(Order::Crash(SERVER, Death::Process)));
    at(&mut engine, 3000, |cx| cx.order(Order::Start(SERVER, Death::Process)));
    // Open: reset half a round trip after the crash. In transit: reset on arrival. New: unavailable after a round trip.
    // A request that arrives when the process is up again is served.
    let expected = [
        (0, 1010, Outcome::Reset),
        (995, 1015, Outcome::Reset),
        (1500, 1520, Outcome::Unavailable),
        (2995, 6015, Outcome::Ok),
    ];
    assert_eq!(seen(&mut engine), expected);
    assert_eq!(engine.node(CLIENT).heard, [News::Down, News::Up]);
    assert_eq!(engine.node(CALLER).heard, []);
}

#[test]
fn a_host_that_dies_says_nothing() {
    let mut engine = house();
    for sent in [0, 995, 1500] {
        send_at(&mut engine, sent);
    }
    at(&mut engine, 1000, |cx| cx.order(Order::Crash(SERVER, Death::Host)));
    // Linux gives up 924.6 s after sending data that is never acknowledged; for data that the callee had acknowledged,
    // here, after the death.
    let expected = [
        (0, 1000 + 924_600 + 10, Outcome::Reset),
        (995, 1005 + 924_600, Outcome::Reset),
        (1500, 1510 + 924_600, Outcome::Reset),
    ];
    let found = seen(&mut engine);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.0 == expected.0 && found.2 == expected.2 && found.1.abs_diff(expected.1) <= 10, "{found:?}");
    }
    assert_eq!(found.len(), 3);
}

#[test]
fn a_host_that_is_back_resets_what_is_retransmitted() {
    let mut engine = house();
    send_at(&mut engine, 1500);
    send_at(&mut engine, 5000);
    at(&mut engine, 1000, |cx| cx.order(Order::Crash(SERVER, Death::Host)));
    at(&mut engine, 4000, |cx| cx.order(Order::Start(SERVER, Death::Host)));
    // Sent at 1.5 s, and again after 0.2, 0.4, 0.8, 1.6 s: at 1.7, 2.1, 2.9 and 4.5, when the host does not know the
    // connection.
    assert_eq!(seen(&mut engine), [(1500, 4520, Outcome::Reset), (5000, 8020, Outcome::Ok)]);
}

#[test]
fn what_is_sent_into_a_partition_arrives_with_the_first_retransmission_after_it() {
    let mut engine = house();
    send_at(&mut engine, 0);
    send_at(&mut engine, 5000);
    at(&mut engine, 2000, |cx| cx.change_path(1, |path| path.cuts += 1));
    at(&mut engine, 6000, |cx| cx.change_path(1, |path| path.cuts -= 1));
    // The answer to the first, ready at 3.01 s, is retransmitted at 3.21, 3.61, 4.41 and 6.01. The second call is
    // retransmitted at 5.2, 5.6 and 6.4; the last arrives and is served for 3 s.
    assert_eq!(seen(&mut engine), [(0, 6020, Outcome::Ok), (5000, 9420, Outcome::Ok)]);
}

#[test]
fn a_partition_that_does_not_end_breaks_the_connection() {
    let mut engine = house();
    send_at(&mut engine, 0);
    send_at(&mut engine, 5000);
    at(&mut engine, 2000, |cx| cx.change_path(1, |path| path.cuts += 1));
    let expected = [(0, 3010 + 924_600, Outcome::Reset), (5000, 5000 + 924_600, Outcome::Reset)];
    assert_eq!(seen(&mut engine), expected);
}

#[test]
fn nothing_is_sent_again_for_who_has_given_up() {
    let mut engine = house();
    send_at(&mut engine, 1500);
    at(&mut engine, 1000, |cx| cx.order(Order::Crash(SERVER, Death::Host)));
    engine.run_until(1600 * MILLISECOND).expect("time passes");
    engine.act(CALLER, |caller, cx| {
        cx.abandon(caller.child.expect("a call is under way"));
        Next::WAIT
    });
    // The client's request is still open, because the caller in this test never answers it.
    engine.run_until(3 * SECOND).expect("time passes");
    assert_eq!(engine.open_calls(), 1);
}
