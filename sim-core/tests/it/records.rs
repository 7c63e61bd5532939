//! Records outlive crashes; calls that nodes begin by themselves stay open at no cost, wait while their beginner is
//! paused, and end with it.

use sim_core::conditions::Path;
use sim_core::random::Key;
use sim_core::time::MILLISECOND;
use sim_core::*;

const HOUSE: NodeId = NodeId(0);
const BROKER: NodeId = NodeId(1);
const CONSUMER: NodeId = NodeId(2);
const WORKER: NodeId = NodeId(3);

const MS: Span = MILLISECOND;
const RECEIVE: u32 = 1;
const WORKS: Span = 10 * MS;

/// All roles in one type: the behaviour of a node depends on its id.
#[derive(Clone, Default)]
struct Part {
    /// Outcomes received, with their instants.
    heard: Vec<(Time, Outcome)>,
    /// Instants of cancellations received.
    told: Vec<Time>,
    /// At the broker: open receives. Lost in a crash.
    standing: Vec<CallId>,
    /// At the worker: start, data key, and whether it is a retry.
    worked: Vec<(Time, u64, bool)>,
}

impl Part {
    fn hand_out(&mut self, cx: &mut Cx<'_>) {
        while let (Some(record), false) = (cx.first_record(), self.standing.is_empty()) {
            let receive = self.standing.remove(0);
            let receives = cx.lease(record, cx.beginner(receive));
            cx.hand_out(receive, record, receives);
            cx.post(Next::reply(receive, cx.answer(Outcome::Ok)));
        }
    }
}

impl Component for Part {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.node() == WORKER {
            self.worked.push((cx.now(), cx.data_key(call), cx.is_retry(call)));
            cx.work(WORKS, Timer::of(0, call));
            return Next::WAIT;
        }
        if cx.ticket(call) == RECEIVE {
            self.standing.push(call);
            self.hand_out(cx);
            return Next::WAIT;
        }
        cx.store(call, cx.key(call));
        self.hand_out(cx);
        Next::reply(call, cx.answer(Outcome::Accepted))
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        self.heard.push((cx.now(), answer.outcome()));
        if cx.node() == CONSUMER && cx.server(call) == BROKER && answer.outcome() == Outcome::Ok {
            let (record, nth) = cx.leased(call);
            let message = cx.message(record).expect("it is leased");
            return Next::call(cx.deliver(WORKER, (record, message), message.key.child(7, nth), None, nth > 1));
        }
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        Next::reply(timer.call(), cx.answer(Outcome::Ok))
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        self.told.push(cx.now());
        self.standing.retain(|standing| *standing != call);
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn rebuild(&mut self, _: Time) {
        self.standing.clear();
    }

    fn begin_measuring(&mut self, _: Time) {}

    fn figures(&self, _: Time, _: &mut Figures) {}
}

/// A broker, and a consumer that crashes together with its worker, with a round trip of four milliseconds.
fn house() -> Engine<Part> {
    let mut engine = Engine::new(1);
    engine.carry(Carried { data_key: true, ..Carried::default() });
    let groups = ["house", "broker", "consumer", "worker"].map(|name| engine.add_group(name));
    engine.add_path(Path { there: 2 * MS, back: 2 * MS, ..Path::default() });
    for group in &groups[..3] {
        engine.add_node(Part::default(), *group, None);
    }
    engine.add_node(Part::default(), groups[3], Some(CONSUMER));
    engine.start();
    engine
}

fn publish(engine: &mut Engine<Part>, data_key: u64) {
    let baggage = Baggage { data_key, ..Baggage::EMPTY };
    engine.act(HOUSE, |_, cx| Next::call(cx.request(BROKER, data_key, cx.now(), 0, 0, baggage)));
}

fn receive(engine: &mut Engine<Part>) {
    engine.act(CONSUMER, |_, cx| {
        let key = Key::from_bits(1);
        Next::call(cx.begin(Begin { to: BROKER, path: 1, key, ticket: RECEIVE, memo: 0 }))
    });
}

fn order(engine: &mut Engine<Part>, order: Order) {
    engine.act(HOUSE, |_, cx| {
        cx.order(order);
        Next::WAIT
    });
}

fn until(engine: &mut Engine<Part>, at_ms: u64) {
    engine.run_until(at_ms * MS + 1).expect("time passes");
}

#[test]
fn a_call_that_stands_costs_no_event_and_is_not_measured() {
    let mut engine = house();
    receive(&mut engine);
    until(&mut engine, 1_000_000);
    assert_eq!((engine.events(), engine.open_calls()), (1, 1), "it arrived");
    assert_eq!(engine.group(GroupId(1)).all.arrivals, 0);
    assert_eq!(engine.next_event(), None, "and nobody waits for it");
    assert_eq!(engine.check_laws(), Ok(()));
    publish(&mut engine, 5);
    until(&mut engine, 1_000_100);
    assert_eq!(engine.node(WORKER).worked, [(1_000_002 * MS + 1, 5, false)], "it carries what the message did");
    assert_eq!(engine.check_laws(), Ok(()));
}

#[test]
fn answers_wait_while_who_began_the_call_stands_still() {
    let mut engine = house();
    receive(&mut engine);
    until(&mut engine, 5);
    order(&mut engine, Order::Pause(CONSUMER));
    publish(&mut engine, 5);
    until(&mut engine, 50);
    assert_eq!(engine.node(CONSUMER).heard, []);
    order(&mut engine, Order::Resume(CONSUMER));
    until(&mut engine, 100);
    let begun = 50 * MS + 1;
    assert_eq!(engine.node(CONSUMER).heard, [(begun, Outcome::Ok), (begun + WORKS, Outcome::Ok)]);
    assert_eq!(engine.check_laws(), Ok(()));
}

/// Whatever the instant of the crash, no answer to an earlier call arrives.
#[test]
fn a_crash_ends_what_the_node_began_unheard() {
    for crash_ms in 0..20 {
        let mut engine = house();
        receive(&mut engine);
        publish(&mut engine, 5);
        until(&mut engine, crash_ms);
        let before = engine.node(CONSUMER).heard.clone();
        order(&mut engine, Order::Crash(CONSUMER, Death::Process));
        order(&mut engine, Order::Start(CONSUMER, Death::Process));
        until(&mut engine, 200);
        assert_eq!(engine.node(CONSUMER).heard, before, "{crash_ms}");
        assert_eq!(engine.open_calls(), 0, "{crash_ms}");
        // The broker hands out the record whether or not the consumer is still there.
        assert_eq!(engine.records_left(), [(BROKER, 0, 1)], "{crash_ms}");
        assert_eq!(engine.check_laws(), Ok(()), "{crash_ms}");
    }
}

#[test]
fn the_end_of_a_connection_travels_unless_the_way_is_cut() {
    for cut in [false, true] {
        let mut engine = house();
        receive(&mut engine);
        until(&mut engine, 5);
        if cut {
            engine.act(HOUSE, |_, cx| {
                cx.change_path(1, |path| path.cuts += 1);
                Next::WAIT
            });
        }
        order(&mut engine, Order::Crash(CONSUMER, Death::Process));
        until(&mut engine, 50);
        let told = if cut { vec![] } else { vec![7 * MS + 1] };
        assert_eq!(engine.node(BROKER).told, told);
        assert_eq!(engine.open_calls(), usize::from(cut), "a broker that was told nothing still holds the call");
        assert_eq!(engine.check_laws(), Ok(()));
    }
}

#[test]
fn records_outlive_their_node_and_standing_calls_end_with_it() {
    let mut engine = house();
    publish(&mut engine, 5);
    publish(&mut engine, 6);
    order(&mut engine, Order::Crash(BROKER, Death::Process));
    order(&mut engine, Order::Start(BROKER, Death::Process));
    until(&mut engine, 5);
    receive(&mut engine);
    receive(&mut engine);
    receive(&mut engine);
    until(&mut engine, 8);
    order(&mut engine, Order::Crash(BROKER, Death::Process));
    until(&mut engine, 30);
    let heard = &engine.node(CONSUMER).heard;
    assert!(heard.contains(&(10 * MS + 1, Outcome::Reset)), "the third stood when the broker crashed: {heard:?}");
    let worked: Vec<u64> = engine.node(WORKER).worked.iter().map(|(_, data, _)| *data).collect();
    assert_eq!(worked, [5, 6], "the oldest first");
    assert_eq!(engine.records_left(), [(BROKER, 0, 2)]);
    assert_eq!(engine.check_laws(), Ok(()));
}

#[test]
fn a_record_that_is_put_back_is_next_and_its_delivery_a_repetition() {
    let mut engine = house();
    publish(&mut engine, 5);
    publish(&mut engine, 6);
    receive(&mut engine);
    until(&mut engine, 3);
    engine.act(BROKER, |_, cx| {
        let leased = cx.leased_to(Some(CONSUMER));
        assert_eq!(leased.len(), 1);
        assert_eq!(cx.record(leased[0]).and_then(|record| record.holder), Some(CONSUMER));
        cx.put_back(leased[0], true);
        Next::WAIT
    });
    receive(&mut engine);
    until(&mut engine, 10);
    let worked: Vec<(u64, bool)> = engine.node(WORKER).worked.iter().map(|(_, data, again)| (*data, *again)).collect();
    // The first answer was in transit; when it arrived, the record was waiting again, but had not ended.
    assert_eq!(worked, [(5, false), (5, true)]);
    engine.act(BROKER, |_, cx| {
        let leased = cx.leased_to(None);
        cx.end_record(leased[0], Ended::Acknowledged);
        assert_eq!(cx.record(leased[0]), None);
        Next::WAIT
    });
    assert_eq!(engine.records_left(), [(BROKER, 1, 0)]);
    assert_eq!(engine.check_laws(), Ok(()));
}

/// A waiting record keeps finite work alive until the chores have gone round without effect.
#[test]
fn records_that_wait_wait_for_the_chores_to_go_round() {
    let mut engine = house();
    engine.act(HOUSE, |_, cx| {
        cx.chore_after(500 * MS, Timer { what: 0, data: 0 });
        Next::WAIT
    });
    assert_eq!(engine.next_event(), None, "no run goes on for a chore");
    publish(&mut engine, 5);
    assert_eq!(engine.next_event(), Some(500 * MS), "a record may be waiting for it");
}

/// Messages sent into a partition are retransmitted after 200 ms, 600 ms, and so on; the last time after 804.6 s.
#[test]
fn what_is_said_at_a_partition_gets_through_after_it_or_the_connection_is_given_up() {
    let cut = |engine: &mut Engine<Part>, cuts: u32| {
        engine.act(HOUSE, |_, cx| {
            cx.change_path(1, |path| path.cuts = cuts);
            Next::WAIT
        });
    };
    // The receive is sent at 0 and arrives two milliseconds after the second retransmission.
    let mut engine = house();
    publish(&mut engine, 5);
    cut(&mut engine, 1);
    receive(&mut engine);
    until(&mut engine, 300);
    cut(&mut engine, 0);
    until(&mut engine, 700);
    assert_eq!(engine.node(CONSUMER).heard, [(604 * MS, Outcome::Ok), (614 * MS, Outcome::Ok)]);
    // The answer is sent a second later.
    let mut engine = house();
    receive(&mut engine);
    until(&mut engine, 1_000);
    cut(&mut engine, 1);
    publish(&mut engine, 5);
    until(&mut engine, 1_500);
    cut(&mut engine, 0);
    until(&mut engine, 2_000);
    assert_eq!(engine.node(CONSUMER).heard.first(), Some(&(1_602 * MS + 1, Outcome::Ok)));
    assert_eq!(engine.check_laws(), Ok(()));
    // The path stays cut.
    let mut engine = house();
    cut(&mut engine, 1);
    receive(&mut engine);
    until(&mut engine, 1_000_000);
    assert_eq!(engine.node(CONSUMER).heard, [(924_600 * MS, Outcome::Reset)]);
    assert_eq!((engine.open_calls(), engine.events()), (0, 16), "fifteen repetitions and the end");
    assert_eq!(engine.check_laws(), Ok(()));
}
