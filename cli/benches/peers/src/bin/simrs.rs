//! The works in simrs 0.2: components with an event type each, and a state that they share. What is scheduled cannot be
//! taken back there: a timeout that came to nothing is ignored when it fires.

use std::collections::VecDeque;
use std::time::Duration;

use brownout_peers::{Call, Clients, Latencies, Places, Random, Shape, Task, Then, WORK_A, task};
use simrs::{Component, ComponentId, Key, Scheduler, Simulation, State};

#[derive(Debug)]
enum Event {
    Arrival,
    Departure,
}

/// M/M/1.
struct Station {
    random: Random,
    queue: VecDeque<Duration>,
    latencies: Latencies,
}

struct Serving {
    station: Key<Station>,
}

impl Component for Serving {
    type Event = Event;

    fn process_event(&self, me: ComponentId<Event>, event: &Event, scheduler: &mut Scheduler, state: &mut State) {
        let station = state.get_mut(self.station).expect("it was put there");
        match event {
            Event::Arrival => {
                station.queue.push_back(scheduler.time());
                if station.queue.len() == 1 {
                    scheduler.schedule(seconds(station.random.exp(WORK_A.1)), me, Event::Departure);
                }
                scheduler.schedule(seconds(station.random.exp(WORK_A.0)), me, Event::Arrival);
            }
            Event::Departure => {
                let since = station.queue.pop_front().expect("who departs has arrived");
                station.latencies.record((scheduler.time() - since).as_secs_f64());
                if !station.queue.is_empty() {
                    scheduler.schedule(seconds(station.random.exp(WORK_A.1)), me, Event::Departure);
                }
            }
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn work_a(requests: usize) {
    let mut simulation = Simulation::default();
    let (random, queue) = (Random::new(1), VecDeque::new());
    let station = simulation.state.insert(Station { random, queue, latencies: Latencies::default() });
    let serving = simulation.add_component(Serving { station });
    simulation.schedule(Duration::ZERO, serving, Event::Arrival);
    let ended = |simulation: &Simulation| simulation.state.get(station).map_or(0, |s| s.latencies.ended());
    while ended(&simulation) < requests {
        simulation.step();
    }
    simulation.state.remove(station).expect("it was put there").latencies.print();
}

#[derive(Debug)]
enum FrontEvent {
    Begin,
    Retry(usize),
    Timeout(Call),
    Reply(Call),
}

#[derive(Debug)]
enum ServerEvent {
    Request(Call),
    Done(Call),
}

/// What the clients remember; a component of simrs is immutable and keeps its state elsewhere.
struct Clientele {
    clients: Clients,
    random: Random,
    servers: Vec<ComponentId<ServerEvent>>,
}

struct Front {
    shape: Shape,
    clientele: Key<Clientele>,
}

impl Front {
    fn send(&self, slot: usize, me: ComponentId<FrontEvent>, scheduler: &mut Scheduler, state: &mut Clientele) {
        match state.clients.choose(slot, &mut state.random) {
            Some(call) => {
                scheduler.schedule_now(state.servers[call.server], ServerEvent::Request(call));
                scheduler.schedule(seconds(self.shape.timeout_s), me, FrontEvent::Timeout(call));
            }
            None => self.failed(slot, me, scheduler, state),
        }
    }

    fn failed(&self, slot: usize, me: ComponentId<FrontEvent>, scheduler: &mut Scheduler, state: &mut Clientele) {
        match state.clients.failed(slot) {
            Then::Retry(after) => scheduler.schedule(seconds(after), me, FrontEvent::Retry(slot)),
            Then::GiveUp => self.think(me, scheduler, state),
        }
    }

    /// A user of a closed loop comes back later.
    fn think(&self, me: ComponentId<FrontEvent>, scheduler: &mut Scheduler, state: &mut Clientele) {
        if self.shape.gap_s.is_none() {
            scheduler.schedule(seconds(state.random.exp(self.shape.think_s)), me, FrontEvent::Begin);
        }
    }
}

impl Component for Front {
    type Event = FrontEvent;

    fn process_event(
        &self,
        me: ComponentId<FrontEvent>,
        event: &FrontEvent,
        scheduler: &mut Scheduler,
        state: &mut State,
    ) {
        let state = state.get_mut(self.clientele).expect("it was put there");
        match event {
            FrontEvent::Begin => {
                if let Some(gap) = self.shape.gap_s {
                    scheduler.schedule(seconds(state.random.exp(gap)), me, FrontEvent::Begin);
                }
                let slot = state.clients.begin(scheduler.time().as_secs_f64());
                self.send(slot, me, scheduler, state);
            }
            FrontEvent::Retry(slot) => self.send(*slot, me, scheduler, state),
            FrontEvent::Timeout(call) => {
                if state.clients.waits_for(*call) {
                    self.failed(call.slot, me, scheduler, state);
                }
            }
            FrontEvent::Reply(call) => {
                if let Some(latency) = state.clients.answered(*call, scheduler.time().as_secs_f64()) {
                    state.clients.latencies.record(latency);
                    self.think(me, scheduler, state);
                }
            }
        }
    }
}

struct Workers {
    places: Places,
    random: Random,
}

struct Server {
    service_s: f64,
    workers: Key<Workers>,
    front: ComponentId<FrontEvent>,
}

impl Component for Server {
    type Event = ServerEvent;

    fn process_event(
        &self,
        me: ComponentId<ServerEvent>,
        event: &ServerEvent,
        scheduler: &mut Scheduler,
        state: &mut State,
    ) {
        let workers = state.get_mut(self.workers).expect("it was put there");
        let begins = match event {
            ServerEvent::Request(call) => workers.places.take(*call).then_some(*call),
            ServerEvent::Done(call) => {
                scheduler.schedule_now(self.front, FrontEvent::Reply(*call));
                workers.places.give_back()
            }
        };
        if let Some(call) = begins {
            scheduler.schedule(seconds(workers.random.exp(self.service_s)), me, ServerEvent::Done(call));
        }
    }
}

fn balanced(shape: Shape, requests: usize) {
    let mut simulation = Simulation::default();
    let clientele = Clientele { clients: Clients::new(&shape), random: Random::new(1), servers: Vec::new() };
    let clientele = simulation.state.insert(clientele);
    let front = simulation.add_component(Front { shape, clientele });
    for i in 0..shape.servers {
        let workers = Workers { places: Places::new(&shape), random: Random::new(2 + i as u64) };
        let workers = simulation.state.insert(workers);
        let server = simulation.add_component(Server { service_s: shape.service_s, workers, front });
        simulation.state.get_mut(clientele).expect("it was put there").servers.push(server);
    }
    match shape.gap_s {
        Some(_) => simulation.schedule(Duration::ZERO, front, FrontEvent::Begin),
        None => {
            let mut random = Random::new(0);
            for _ in 0..shape.users {
                simulation.schedule(seconds(random.exp(shape.think_s)), front, FrontEvent::Begin);
            }
        }
    }
    let ended = |simulation: &Simulation| simulation.state.get(clientele).map_or(0, |c| c.clients.latencies.ended());
    while ended(&simulation) < requests {
        simulation.step();
    }
    simulation.state.remove(clientele).expect("it was put there").clients.latencies.print();
}

fn main() {
    match task() {
        (Task::A, requests) => work_a(requests),
        (Task::Balanced(shape), requests) => balanced(shape, requests),
    }
}
