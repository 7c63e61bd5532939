//! The works in nexosim 1.0: models whose ports are connected, each with a mailbox, on one thread; a timeout is cancelled
//! by its key. A model is serializable there, so random numbers come from a generator beside them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use brownout_peers::{Call, Clients, Places, Random, Shape, Task, Then, WORK_A, task};
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_queue};
use nexosim::simulation::{EventKey, Mailbox, SimInit, Simulation};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

thread_local! {
    static RANDOM: RefCell<Random> = RefCell::new(Random::new(1));
}

/// An exponential time; nothing may be scheduled for now, so it is at least a nanosecond.
fn exp(mean_s: f64) -> Duration {
    RANDOM.with(|r| Duration::from_secs_f64(r.borrow_mut().exp(mean_s)).max(Duration::from_nanos(1)))
}

fn seconds(time: MonotonicTime) -> f64 {
    time.duration_since(MonotonicTime::EPOCH).as_secs_f64()
}

/// M/M/1.
#[derive(Serialize, Deserialize)]
struct Station {
    latency: Output<f64>,
    queue: VecDeque<MonotonicTime>,
}

#[Model]
impl Station {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        cx.schedule_event(exp(WORK_A.0), schedulable!(Self::arrive), ()).expect("it is later");
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.queue.push_back(cx.time());
        if self.queue.len() == 1 {
            cx.schedule_event(exp(WORK_A.1), schedulable!(Self::depart), ()).expect("it is later");
        }
        cx.schedule_event(exp(WORK_A.0), schedulable!(Self::arrive), ()).expect("it is later");
    }

    #[nexosim(schedulable)]
    async fn depart(&mut self, _: (), cx: &Context<Self>) {
        let since = self.queue.pop_front().expect("who departs has arrived");
        self.latency.send(cx.time().duration_since(since).as_secs_f64()).await;
        if !self.queue.is_empty() {
            cx.schedule_event(exp(WORK_A.1), schedulable!(Self::depart), ()).expect("it is later");
        }
    }
}

fn work_a(requests: usize) {
    let mut station = Station { latency: Output::default(), queue: VecDeque::new() };
    let (sink, mut latencies) = event_queue(SinkState::Enabled);
    station.latency.connect_sink(sink);
    let bench = SimInit::with_num_threads(1).add_model(station, Mailbox::new(), "station");
    run(bench, requests, || latencies.try_read());
}

/// Steps until so many latencies were read, and prints their mean. Those who give up are few enough not to be missed.
fn run(bench: SimInit, requests: usize, mut read: impl FnMut() -> Option<f64>) {
    let mut simulation: Simulation = bench.init(MonotonicTime::EPOCH).expect("the models start");
    let mut latencies = brownout_peers::Latencies::default();
    while latencies.ended() < requests {
        simulation.step().expect("there is always a next event");
        while let Some(latency) = read() {
            latencies.record(latency);
        }
    }
    latencies.print();
}

/// The clients and their balancer.
#[derive(Serialize, Deserialize)]
struct Front {
    shape: Shape,
    clients: Clients,
    servers: Vec<Output<Call>>,
    timers: Vec<Option<EventKey>>,
    latency: Output<f64>,
}

#[Model]
impl Front {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        match self.shape.gap_s {
            Some(gap) => {
                cx.schedule_event(exp(gap), schedulable!(Self::begin), ()).expect("it is later");
            }
            None => (0..self.shape.users).for_each(|_| self.think(cx)),
        }
    }

    #[nexosim(schedulable)]
    async fn begin(&mut self, _: (), cx: &Context<Self>) {
        if let Some(gap) = self.shape.gap_s {
            cx.schedule_event(exp(gap), schedulable!(Self::begin), ()).expect("it is later");
        }
        let slot = self.clients.begin(seconds(cx.time()));
        if self.timers.len() <= slot {
            self.timers.resize_with(slot + 1, || None);
        }
        self.send(slot, cx).await;
    }

    #[nexosim(schedulable)]
    async fn retry(&mut self, slot: usize, cx: &Context<Self>) {
        self.send(slot, cx).await;
    }

    #[nexosim(schedulable)]
    async fn timeout(&mut self, slot: usize, cx: &Context<Self>) {
        self.failed(slot, cx);
    }

    async fn send(&mut self, slot: usize, cx: &Context<Self>) {
        match RANDOM.with(|r| self.clients.choose(slot, &mut r.borrow_mut())) {
            Some(call) => {
                let after = Duration::from_secs_f64(self.shape.timeout_s);
                let key = cx.schedule_keyed_event(after, schedulable!(Self::timeout), slot).expect("it is later");
                self.timers[slot] = Some(key);
                self.servers[call.server].send(call).await;
            }
            None => self.failed(slot, cx),
        }
    }

    fn failed(&mut self, slot: usize, cx: &Context<Self>) {
        match self.clients.failed(slot) {
            Then::Retry(after) => {
                let after = Duration::from_secs_f64(after);
                cx.schedule_event(after, schedulable!(Self::retry), slot).expect("it is later");
            }
            Then::GiveUp => self.think(cx),
        }
    }

    /// A user of a closed loop comes back later.
    fn think(&self, cx: &Context<Self>) {
        if self.shape.gap_s.is_none() {
            cx.schedule_event(exp(self.shape.think_s), schedulable!(Self::begin), ()).expect("it is later");
        }
    }

    async fn reply(&mut self, call: Call, cx: &Context<Self>) {
        if let Some(latency) = self.clients.answered(call, seconds(cx.time())) {
            if let Some(timer) = self.timers[call.slot].take() {
                timer.cancel();
            }
            self.latency.send(latency).await;
            self.think(cx);
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Server {
    service_s: f64,
    places: Places,
    reply: Output<Call>,
}

#[Model]
impl Server {
    async fn request(&mut self, call: Call, cx: &Context<Self>) {
        if self.places.take(call) {
            cx.schedule_event(exp(self.service_s), schedulable!(Self::done), call).expect("it is later");
        }
    }

    #[nexosim(schedulable)]
    async fn done(&mut self, call: Call, cx: &Context<Self>) {
        if let Some(next) = self.places.give_back() {
            cx.schedule_event(exp(self.service_s), schedulable!(Self::done), next).expect("it is later");
        }
        self.reply.send(call).await;
    }
}

fn balanced(shape: Shape, requests: usize) {
    let (sink, mut latencies) = event_queue(SinkState::Enabled);
    let mut front = Front {
        shape,
        clients: Clients::new(&shape),
        servers: Vec::new(),
        timers: Vec::new(),
        latency: Output::default(),
    };
    front.latency.connect_sink(sink);
    let mailbox = Mailbox::with_capacity(256);
    let mut bench = SimInit::with_num_threads(1);
    for i in 0..shape.servers {
        let at_server = Mailbox::new();
        let mut calls = Output::default();
        calls.connect(Server::request, &at_server);
        front.servers.push(calls);
        let mut server = Server { service_s: shape.service_s, places: Places::new(&shape), reply: Output::default() };
        server.reply.connect(Front::reply, &mailbox);
        bench = bench.add_model(server, at_server, &format!("server{i}"));
    }
    run(bench.add_model(front, mailbox, "front"), requests, || latencies.try_read());
}

fn main() {
    match task() {
        (Task::A, requests) => work_a(requests),
        (Task::Balanced(shape), requests) => balanced(shape, requests),
    }
}
