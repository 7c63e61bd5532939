//! A bank with three clerks: a model defined outside the engine.
//!
//! ```text
//!   street ──customer──▶ [ line ] ─▶ three clerks ─▶ out
//! ```
//!
//! Customers arrive at random, 40 an hour, and each occupies a clerk for four minutes on average. This is the textbook
//! queue M/M/3, so the mean wait has a closed form (Erlang's C), which is printed beside the simulated one.
//!
//! `cargo run --release -p sim-core --example bank`

use sim_core::dist::Dist;
use sim_core::line::{Discipline, Line};
use sim_core::random::{Key, Stream, hash};
use sim_core::slots::{Admission, Slots};
use sim_core::time::{HOUR, MINUTE, seconds};
use sim_core::{
    Answer, Baggage, CallId, Class, Component, Cx, Engine, Figures, Next, NodeId, Outcome, Span, Time, Timer,
};

const CLERKS: u32 = 3;
const CUSTOMERS_PER_HOUR: f64 = 40.0;
const SERVICE: Span = 4 * MINUTE;
const SEED: u64 = 1;

/// The source of customers.
#[derive(Clone)]
struct Street {
    bank: NodeId,
    gaps: Dist,
    stream: Stream,
    sent: u64,
}

impl Street {
    fn wait_for_the_next(&mut self, cx: &mut Cx<'_>) {
        let gap = self.gaps.sample_span(&mut self.stream);
        cx.after(gap, Class::First, Timer { what: 0, data: 0 });
    }
}

/// The clerks and the line in front of them.
#[derive(Clone)]
struct Bank {
    clerks: Slots,
    service: Dist,
}

impl Bank {
    fn serve(&self, cx: &mut Cx<'_>, customer: CallId) {
        let service = self.service.sample_span(&mut cx.draw(customer, 0));
        cx.work(service, Timer::of(0, customer));
    }
}

/// The kinds of nodes in this network.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there are two nodes")]
enum Node {
    Street(Street),
    Bank(Bank),
}

impl Component for Node {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        if let Node::Street(street) = self {
            street.wait_for_the_next(cx);
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, customer: CallId) -> Next {
        let Node::Bank(bank) = self else { return Next::reply(customer, cx.answer(Outcome::Error)) };
        let now = cx.now();
        if bank.clerks.ask(now, customer.index(), 0) == Admission::Granted {
            cx.measure().waited(now, 0);
            bank.serve(cx, customer);
        }
        Next::WAIT
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: Answer) -> Next {
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match self {
            Node::Street(street) => {
                street.wait_for_the_next(cx);
                let key = Key::root(SEED, hash(0, "street"), street.sent).bits();
                street.sent += 1;
                Next::call(cx.request(street.bank, key, cx.now(), 0, 0, Baggage::EMPTY))
            }
            Node::Bank(bank) => {
                let customer = timer.call();
                let now = cx.now();
                bank.clerks.give_back(now, cx.since(customer), None);
                if let Some(next) = bank.clerks.next(now, &mut Vec::new()) {
                    let next_customer = cx.open_call(next.call);
                    let arrived = cx.since(next_customer);
                    cx.measure().waited(arrived, next.waited);
                    bank.serve(cx, next_customer);
                }
                Next::reply(customer, cx.answer(Outcome::Ok))
            }
        }
    }

    fn rebuild(&mut self, now: Time) {
        if let Node::Bank(bank) = self {
            bank.clerks.clear(now);
        }
    }

    fn begin_measuring(&mut self, now: Time) {
        if let Node::Bank(bank) = self {
            bank.clerks.begin_measuring(now);
        }
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        if let Node::Bank(bank) = self {
            bank.clerks.figures(now, figures);
        }
    }
}

/// The mean wait in M/M/c, seconds: Erlang's C derived from Erlang's B, whose recursion needs no factorials.
fn erlang_wait_s(servers: u32, arrivals_per_s: f64, service_s: f64) -> f64 {
    let load = arrivals_per_s * service_s;
    let blocked = (1..=servers).fold(1.0, |b, c| load * b / (f64::from(c) + load * b));
    let utilisation = load / f64::from(servers);
    let waits = blocked / (1.0 - utilisation * (1.0 - blocked));
    waits * service_s / (f64::from(servers) * (1.0 - utilisation))
}

fn main() {
    let exponential = |mean: f64| Dist::exp(mean).expect("a positive mean");
    let mut engine: Engine<Node> = Engine::new(SEED);
    let [outside, inside] = ["street", "bank"].map(|name| engine.add_group(name));
    let bank = Bank {
        clerks: Slots::new(Some(CLERKS), Line::new(Discipline::Fifo, None)),
        service: exponential(SERVICE as f64),
    };
    let bank = engine.add_node(Node::Bank(bank), inside, None);
    let street = Street {
        bank,
        gaps: exponential(HOUR as f64 / CUSTOMERS_PER_HOUR),
        stream: Stream::named(SEED, "street/arrivals"),
        sent: 0,
    };
    engine.add_node(Node::Street(street), outside, None);

    engine.start();
    engine.run_until(100 * HOUR).expect("time passes between customers");
    engine.begin_measuring();
    engine.run_until(100_100 * HOUR).expect("time passes between customers");
    engine.check_laws().expect("no customer is lost");

    let measure = engine.group(inside);
    let simulated = measure.wait.histogram().mean().unwrap_or(0.0) / 1e9;
    let theory = erlang_wait_s(CLERKS, CUSTOMERS_PER_HOUR / 3600.0, seconds(SERVICE));
    println!("{} customers, {} events", measure.measured().arrivals, engine.events());
    println!("mean wait: {:.1} s simulated, {theory:.1} s by Erlang's C", simulated);
}
