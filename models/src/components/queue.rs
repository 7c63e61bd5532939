//! A queue: messages wait in it until a consumer takes them.
//!
//! A publish is a call that ends `accepted` once its message is stored; the message is a record that outlives its producer
//! and its consumers ([`sim_core::records`]). The oldest message goes to the consumer that has waited longest for one
//! ([`crate::consuming`]). Until it is acknowledged, a message is that consumer's.
//!
//! ```text
//!   publish ─▶ [room?] ─▶ stored ─▶ delayed ─▶ waiting ─▶ handed out ─▶ acknowledged
//!                │ full                            ▲           │
//!                ▼                                 └───────────┤ failed, refused, lapsed, the connection ended
//!     reject · block · drop the oldest                         ▼
//!                                              too often: dead letters, or dropped
//! ```
//!
//! | style | consumers | a message comes back | and not for ever |
//! | --- | --- | --- | --- |
//! | `plain` | connect, and ask for each message | when the connection ends | |
//! | `sqs` | poll | when it has been invisible for its time | `max_receives` |
//! | `sqs_fifo` | poll; a group is handed out in order, one receive at a time | the same | the same |
//! | `rabbitmq` | connect, and are sent what they have room for | when the connection ends | `delivery_limit` |
//!
//! What can be said of it stands in `queue/settings.rs`, what it is made of in `state.rs`. Messages come in by `publishing.rs`
//! and go out by `handing_out.rs`; what consumers say is heard in `hearing.rs`. `leases.rs`, `groups.rs` and `recent.rs` are
//! structures that know no engine.

mod groups;
mod handing_out;
mod hearing;
mod leases;
mod publishing;
mod recent;
mod settings;
mod state;

use std::collections::{BTreeMap, VecDeque};

use ::settings::{Name, Spanned};
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::line::{Discipline, Line};
use sim_core::random::hash;
use sim_core::{Answer, CallId, Component, Cx, Figures, Happens, Next, NodeId, Outcome, Time, Timer};

use super::kind::{Checks, Kind};
use super::site::Site;
use crate::change_numbers::{ARRIVED, FORGET, moved_to};
use crate::consuming::Manner;
use crate::consuming::talk::Say;
use crate::demand::{Demand, Limits, Outcomes, Surroundings, Waiting};
use crate::directory::WORKLOAD_LINK;
use crate::door::Door;
use crate::law::Law;
use crate::policies::limiters::TokenBucket;
use leases::Leases;
use state::{Alarm, Alarms, CAME_BACK_EMPTY, Counts};

pub use settings::{BoundSettings, FullSettings, RateSettings, Settings, StyleSettings};
pub use state::Queue;

const EXAMPLE: &str = "\
kind: queue
style: plain
capacity: 10k
full: reject
publish: 1ms
";

// Timers of calls …
const PUBLISHED: u8 = 0;
const HANDED_OUT: u8 = 1;
// … and of the queue.
const MATURES: u8 = 2;
const LAPSES: u8 = 3;
const PASSES: u8 = 4;
const EXPIRES: u8 = 5;

const PURPOSE_PUBLISH: u32 = 0x7075;
const PURPOSE_RECEIVE: u32 = 0x7265;

/// So many calls as come in a second at a rate.
fn bucket(rate_per_s: f64) -> Option<TokenBucket> {
    TokenBucket::new(rate_per_s, rate_per_s.clamp(1.0, f64::from(u32::MAX)) as u32)
}

impl Kind for Queue {
    const NAME: &'static str = "queue";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[state::OF_DEPTH, state::OWN, crate::consuming::FIGURES];
    const HAPPENS: &'static [&'static Happens] = state::HAPPENS;
    type Settings = Settings;

    fn hands_out(settings: &Settings) -> Option<Manner> {
        Some(settings.manner())
    }

    fn dead_letter(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.dead_letter.as_ref()
    }

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn limits(settings: &Settings) -> Limits {
        let waiting = settings.places().map_or(Waiting::Unbounded, Waiting::UpTo);
        Limits { waiting, rate_per_s: settings.terms().rate, ..Limits::default() }
    }

    fn demand(settings: &Settings, _op: &str, _around: &mut Surroundings<'_>) -> Demand {
        Demand {
            answer: Outcomes::always(Outcome::Accepted, Law::of_durations(&settings.publish.0)),
            ..Demand::default()
        }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        settings.check(checks);
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Queue {
        let terms = settings.terms();
        Queue {
            door: Door::untimed(terms.places, Line::new(Discipline::Fifo, terms.blocked_max)),
            links: links_to(site),
            dead_letter: site.dead_letter(),
            is_final: site.is_final(),
            has_keys: site.directory.carried.data_key,
            changes: Vec::new(),
            connections: BTreeMap::new(),
            turns: VecDeque::new(),
            standing: VecDeque::new(),
            leases: Leases::default(),
            groups: terms.is_grouped.then(Box::default),
            edge: None,
            recent: terms.dedup.map(|_| Box::default()),
            first_delayed: None,
            alarms: None,
            expires: None,
            publish_rate: terms.rate.and_then(bucket),
            receive_rate: terms.rate.and_then(bucket),
            is_full: false,
            is_in_flight_full: false,
            lost_lately: 0,
            oldest: None,
            oldest_age_ever: 0,
            unacknowledged: Gauge::new(0, 0),
            delayed: Gauge::new(0, 0),
            counts: Counts::default(),
            terms,
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        self.changes.push((change, settings.terms()));
    }
}

/// The nodes of the links that lead to a component, and what tells their draws apart.
fn links_to(site: &Site<'_>) -> BTreeMap<NodeId, u32> {
    let directory = site.directory;
    let leads_here = |link: &crate::directory::LinkEntry| link.targets.iter().any(|t| t.nodes.contains(&site.node));
    let mut links = BTreeMap::new();
    for workload in directory.workloads.iter().filter(|workload| leads_here(&workload.link)) {
        links.insert(NodeId(workload.node.0 + 1), hash(0, WORKLOAD_LINK) as u32);
    }
    for (component, place) in directory.components.iter().enumerate() {
        for link in place.links.iter().filter(|link| leads_here(link)) {
            links.extend((0..place.slots).map(|replica| directory.link_of(component, replica, &link.name)));
        }
    }
    links
}

impl Component for Queue {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        cx.set_volatile(self.terms.is_volatile);
        if self.is_final {
            cx.set_final();
        }
        let mut alarm = |what: u8| Alarm::new(cx.alarm(Timer { what, data: 0 }));
        self.alarms = Some(Alarms { matures: alarm(MATURES), lapses: alarm(LAPSES), passes: alarm(PASSES) });
        if std::mem::take(&mut self.lost_lately) > 0 {
            cx.happened(&CAME_BACK_EMPTY);
        }
        if self.terms.connects {
            // After a crash no connection is left, and nobody's acknowledgement is to come.
            for record in cx.leased_to(None) {
                self.put_back(cx, record, true);
            }
        }
        self.count_in(cx);
        self.watch_age(cx);
        self.settle(cx);
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        match Say::of(cx, call) {
            Some(say) => self.hear(cx, call, say),
            None => self.arrive(cx, call),
        }
    }

    /// A message that it sent to a consumer has arrived there, or has not.
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        if answer.outcome() != Outcome::Ok {
            let consumer = cx.server(call);
            self.disconnect(cx, consumer);
            self.settle(cx);
        }
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        if timer.what <= HANDED_OUT {
            let call = timer.call();
            return match timer.what {
                _ if !cx.is_open(call) => Next::WAIT,
                PUBLISHED => self.publish(cx, call),
                _ if self.terms.pushes => Next::call(call),
                _ => Next::reply(call, cx.answer(Outcome::Ok)),
            };
        }
        match (timer.what, &mut self.alarms) {
            (MATURES, Some(alarms)) => {
                alarms.matures.went_off();
                self.mature(cx);
            }
            (LAPSES, Some(alarms)) => {
                alarms.lapses.went_off();
                self.lapse(cx);
            }
            (PASSES, Some(alarms)) => alarms.passes.went_off(),
            _ => self.expire(cx),
        }
        self.settle(cx);
        Next::WAIT
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        match Say::of(cx, call) {
            Some(say) => self.take_back(cx, call, say),
            // A publish that waits for room leaves; one that is being worked on is stored.
            None => match self.door.leave_line(cx.now(), call) {
                true => Next::reply(call, cx.answer(Outcome::Cancelled)),
                false => Next::WAIT,
            },
        }
    }

    fn rebuild(&mut self, now: Time) {
        let waiting = self.door.held();
        self.door.clear(now);
        self.connections.clear();
        self.turns.clear();
        self.standing.clear();
        (self.alarms, self.expires) = (None, None);
        if !self.terms.is_volatile {
            // The messages that wait are still there.
            (0..waiting).for_each(|_| self.door.take(now));
            return;
        }
        self.lost_lately = waiting + self.unacknowledged.value();
        self.counts.lost += self.lost_lately;
        self.unacknowledged.set(now, 0);
    }

    fn begin_measuring(&mut self, now: Time) {
        self.restart_counts(now);
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        self.report(now, figures);
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        if change == ARRIVED {
            self.count_in(cx);
        } else if change == FORGET {
            self.discard(cx);
        } else if let Some((to, all)) = moved_to(change) {
            self.move_to(cx, to, all);
        } else {
            let Some((_, terms)) = self.changes.iter().find(|(number, _)| *number == change).cloned() else {
                return false;
            };
            if terms.rate != self.terms.rate {
                (self.publish_rate, self.receive_rate) = (terms.rate.and_then(bucket), terms.rate.and_then(bucket));
            }
            self.terms = terms;
            self.door.adopt(cx.now(), self.terms.places, self.terms.blocked_max);
            if let Some(look) = self.expires.take() {
                cx.cancel_chore(look);
            }
            self.watch_age(cx);
        }
        self.settle(cx);
        true
    }
}
