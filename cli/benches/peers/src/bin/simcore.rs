//! The works in simcore 0.1: handlers that emit events to each other; a timeout is cancelled by its event's id.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use brownout_peers::{Call, Clients, Latencies, Places, Random, Shape, Task, Then, WORK_A, task};
use serde::Serialize;
use simcore::{Event, EventHandler, EventId, Id, Simulation, SimulationContext, cast};

#[derive(Clone, Serialize)]
struct Arrival {}
#[derive(Clone, Serialize)]
struct Departure {}

/// M/M/1.
struct Station {
    context: SimulationContext,
    random: Random,
    queue: VecDeque<f64>,
    latencies: Latencies,
}

impl Station {
    fn serve(&mut self) {
        let service = self.random.exp(WORK_A.1);
        self.context.emit_self(Departure {}, service);
    }
}

impl EventHandler for Station {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                self.queue.push_back(self.context.time());
                if self.queue.len() == 1 {
                    self.serve();
                }
                let gap = self.random.exp(WORK_A.0);
                self.context.emit_self(Arrival {}, gap);
            }
            Departure {} => {
                let since = self.queue.pop_front().expect("who departs has arrived");
                self.latencies.record(self.context.time() - since);
                if !self.queue.is_empty() {
                    self.serve();
                }
            }
        })
    }
}

fn work_a(requests: usize) {
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("station");
    context.emit_self(Arrival {}, 0.0);
    let (random, queue) = (Random::new(1), VecDeque::new());
    let station = Rc::new(RefCell::new(Station { context, random, queue, latencies: Latencies::default() }));
    simulation.add_handler("station", station.clone());
    while station.borrow().latencies.ended() < requests {
        simulation.step();
    }
    station.borrow().latencies.print();
}

#[derive(Clone, Serialize)]
struct Begin {}
#[derive(Clone, Serialize)]
struct Retry {
    slot: usize,
}
#[derive(Clone, Serialize)]
struct Timeout {
    slot: usize,
}
#[derive(Clone, Serialize)]
struct Request {
    call: Call,
}
#[derive(Clone, Serialize)]
struct Done {
    call: Call,
}
#[derive(Clone, Serialize)]
struct Reply {
    call: Call,
}

/// The clients and their balancer.
struct Front {
    context: SimulationContext,
    shape: Shape,
    random: Random,
    clients: Clients,
    servers: Vec<Id>,
    timers: Vec<Option<EventId>>,
}

impl Front {
    fn send(&mut self, slot: usize) {
        match self.clients.choose(slot, &mut self.random) {
            Some(call) => {
                self.context.emit_now(Request { call }, self.servers[call.server]);
                if self.timers.len() <= slot {
                    self.timers.resize(slot + 1, None);
                }
                self.timers[slot] = Some(self.context.emit_self(Timeout { slot }, self.shape.timeout_s));
            }
            None => self.failed(slot),
        }
    }

    fn failed(&mut self, slot: usize) {
        match self.clients.failed(slot) {
            Then::Retry(after) => {
                self.context.emit_self(Retry { slot }, after);
            }
            Then::GiveUp => self.think(),
        }
    }

    /// A user of a closed loop comes back later.
    fn think(&mut self) {
        if self.shape.gap_s.is_none() {
            let think = self.random.exp(self.shape.think_s);
            self.context.emit_self(Begin {}, think);
        }
    }
}

impl EventHandler for Front {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Begin {} => {
                if let Some(gap) = self.shape.gap_s {
                    let gap = self.random.exp(gap);
                    self.context.emit_self(Begin {}, gap);
                }
                let slot = self.clients.begin(self.context.time());
                self.send(slot);
            }
            Retry { slot } => {
                self.send(slot);
            }
            Timeout { slot } => {
                self.failed(slot);
            }
            Reply { call } => {
                if let Some(latency) = self.clients.answered(call, self.context.time()) {
                    self.clients.latencies.record(latency);
                    if let Some(timer) = self.timers[call.slot].take() {
                        self.context.cancel_event(timer);
                    }
                    self.think();
                }
            }
        })
    }
}

struct Server {
    context: SimulationContext,
    service_s: f64,
    random: Random,
    places: Places,
    front: Id,
}

impl Server {
    fn serve(&mut self, call: Call) {
        let service = self.random.exp(self.service_s);
        self.context.emit_self(Done { call }, service);
    }
}

impl EventHandler for Server {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Request { call } => {
                if self.places.take(call) {
                    self.serve(call);
                }
            }
            Done { call } => {
                self.context.emit_now(Reply { call }, self.front);
                if let Some(next) = self.places.give_back() {
                    self.serve(next);
                }
            }
        })
    }
}

fn balanced(shape: Shape, requests: usize) {
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("front");
    let front = context.id();
    let servers = (0..shape.servers).map(|i| {
        let name = format!("server{i}");
        let context = simulation.create_context(&name);
        let (random, places) = (Random::new(2 + i as u64), Places::new(&shape));
        let server = Server { context, service_s: shape.service_s, random, places, front };
        simulation.add_handler(&name, Rc::new(RefCell::new(server)))
    });
    let servers = servers.collect();
    let (random, clients) = (Random::new(1), Clients::new(&shape));
    let front = Rc::new(RefCell::new(Front { context, shape, random, clients, servers, timers: Vec::new() }));
    simulation.add_handler("front", front.clone());
    match shape.gap_s {
        Some(_) => {
            front.borrow().context.emit_self(Begin {}, 0.0);
        }
        None => (0..shape.users).for_each(|_| front.borrow_mut().think()),
    }
    while front.borrow().clients.latencies.ended() < requests {
        simulation.step();
    }
    front.borrow().clients.latencies.print();
}

fn main() {
    match task() {
        (Task::A, requests) => work_a(requests),
        (Task::Balanced(shape), requests) => balanced(shape, requests),
    }
}
