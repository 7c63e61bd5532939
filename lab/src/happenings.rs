//! Happenings as plain data: nodes and groups of the engine get names, instants become seconds.

use sim_core::happening::{Happening, Told};
use sim_core::time::SECOND;
use sim_core::{About, GroupId, NodeId, Time};

use crate::result::{Happened, HappenedAt, Happenings, HappeningsInWindow, Series};
use crate::session::Session;

/// Maximum number of happenings in a snapshot: the oldest fill the first half, the newest the second.
pub const SHOWN: usize = 512;

/// Whether a fault of the scenario causes this kind of happening directly, so that naming the fault is enough.
pub fn is_caused_by_a_fault(name: &str) -> bool {
    models::faults::HAPPENS.iter().any(|what| what.name == name)
}

/// The meaning of a kind of happening in one sentence; empty for a name that this version does not know.
pub fn meaning(name: &str) -> &'static str {
    models::happenings::meaning(name).unwrap_or_default()
}

/// Something that happened at one instant and place, to one replica or to several at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment<'a> {
    /// The instant, s.
    pub at_s: f64,
    /// What happened.
    pub name: &'a str,
    /// The component or link it happened to.
    pub place: &'a str,
    /// The other party, such as the target of a health check.
    pub about: Option<&'a str>,
    /// The affected replicas; empty where the component has only one.
    pub replicas: Vec<u32>,
}

impl Moment<'_> {
    /// `replica killed (replicas 0, 1 and 2)`, `target unhealthy: us/lb`.
    pub fn words(&self) -> String {
        let mut words = self.name.replace('_', " ");
        if let Some(about) = self.about {
            words.push_str(&format!(": {about}"));
        }
        match self.replicas.as_slice() {
            [] => {}
            [one] => words.push_str(&format!(" (replica {one})")),
            [some @ .., last] if some.len() < 4 => {
                let some: Vec<String> = some.iter().map(u32::to_string).collect();
                words.push_str(&format!(" (replicas {} and {last})", some.join(", ")));
            }
            many => words.push_str(&format!(" ({} replicas)", many.len())),
        }
        words
    }
}

/// Merges happenings that hit several replicas of a component at once. Expects name, place and instant of each happening,
/// oldest first.
pub fn moments<'a>(happened: impl IntoIterator<Item = (&'a str, &'a str, &'a HappenedAt)>) -> Vec<Moment<'a>> {
    let mut moments: Vec<Moment<'a>> = Vec::new();
    for (name, place, at) in happened {
        let about = at.about.as_deref();
        let is_same = |one: &&mut Moment<'_>| (one.name, one.place, one.about) == (name, place, about);
        let together = moments.iter_mut().rev().take_while(|one| one.at_s == at.at_s).find(is_same);
        match (together, at.replica) {
            (Some(together), Some(replica)) if !together.replicas.contains(&replica) => together.replicas.push(replica),
            _ => moments.push(Moment { at_s: at.at_s, name, place, about, replicas: at.replica.into_iter().collect() }),
        }
    }
    moments
}

impl Session {
    fn seconds_of(&self, at: Time) -> f64 {
        (at as f64 - self.zero as f64) / SECOND as f64
    }

    /// The number of the replica that a node is, or belongs to, at that time; `None` if the component has only one.
    fn replica(&self, node: NodeId, at: Time) -> Option<u32> {
        let places = &self.network.directory.components;
        let index = places.iter().rposition(|place| place.first <= node)?;
        let place = &places[index];
        let replica = NodeId(node.0 - (node.0 - place.first.0) % place.stride());
        (place.slots > 1).then(|| self.fleet(index).number_at(replica, at)).flatten()
    }

    fn about(&self, about: About, at: Time) -> String {
        let engine = self.engine();
        match about {
            About::Group(group) => engine.group_name(group).to_string(),
            About::Node(node) => {
                let name = engine.group_name(engine.group_of(node));
                match self.replica(node, at) {
                    Some(replica) => format!("{name}[{replica}]"),
                    None => name.to_string(),
                }
            }
        }
    }

    fn happening(&self, happening: &Happening) -> HappenedAt {
        HappenedAt {
            at_s: self.seconds_of(happening.at),
            replica: self.replica(happening.node, happening.at),
            about: happening.about.map(|about| self.about(about, happening.at)),
        }
    }

    /// Everything that happened, by place and kind.
    pub(crate) fn happenings(&self, series: &Series) -> Vec<Happenings> {
        let windows = &series.at_s;
        let of_kind = |(place, told): (GroupId, &Told)| {
            debug_assert!(models::happenings::meaning(told.what.name).is_some(), "{} is not declared", told.what.name);
            // A window that is not closed yet begins where the last one ends.
            let begin = |window: u64| windows.get(window as usize).copied().unwrap_or_else(|| self.window_begins_s());
            Happenings {
                name: told.what.name.to_string(),
                place: self.engine().group_name(place).to_string(),
                count: told.count,
                first: told.first().iter().map(|happening| self.happening(happening)).collect(),
                last: told.last().map(|happening| self.happening(happening)).collect(),
                windows: told
                    .windows()
                    .map(|of| HappeningsInWindow { at_s: begin(of.window), count: of.count })
                    .collect(),
            }
        };
        self.engine().happenings().iter().map(of_kind).collect()
    }

    /// The oldest and the newest happenings of the run, at most [`SHOWN`], oldest first, and the number left out.
    pub(crate) fn happened(&self) -> (Vec<Happened>, u64) {
        let mut kept: Vec<(Time, usize, &'static str, GroupId, &Happening)> = Vec::new();
        let mut count = 0;
        for (place, told) in self.engine().happenings().iter() {
            count += told.count;
            for happening in told.first().iter().chain(told.last()) {
                kept.push((happening.at, kept.len(), told.what.name, place, happening));
            }
        }
        let by_time = |one: &(Time, usize, &str, GroupId, &Happening)| (one.0, one.1);
        if kept.len() > SHOWN {
            kept.select_nth_unstable_by_key(SHOWN / 2, by_time);
            let last = kept.len() - SHOWN / 2;
            kept[SHOWN / 2..].select_nth_unstable_by_key(last - SHOWN / 2, by_time);
            kept.drain(SHOWN / 2..last);
        }
        kept.sort_unstable_by_key(by_time);
        let shown = |(_, _, name, place, happening): &(Time, usize, &'static str, GroupId, &Happening)| Happened {
            name,
            place: self.engine().group_name(*place).to_string(),
            at: self.happening(happening),
        };
        let happened: Vec<Happened> = kept.iter().map(shown).collect();
        let left_out = count - happened.len() as u64;
        (happened, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_several_replicas_at_once_is_one_moment() {
        let at = |at_s, replica, about: Option<&str>| HappenedAt { at_s, replica, about: about.map(str::to_string) };
        let killed = [at(1.0, Some(0), None), at(1.0, Some(1), None), at(1.0, Some(5), None), at(2.0, Some(0), None)];
        let other = at(1.0, None, Some("us/lb"));
        let told = [
            ("replica_killed", "api", &killed[0]),
            ("replica_killed", "api", &killed[1]),
            ("target_unhealthy", "dns", &other),
            ("replica_killed", "api", &killed[2]),
            ("replica_killed", "db", &killed[0]),
            ("replica_killed", "api", &killed[3]),
            // A repetition at the same replica is a happening of its own.
            ("replica_killed", "api", &killed[3]),
        ];
        let words: Vec<(f64, &str, String)> = moments(told).iter().map(|m| (m.at_s, m.place, m.words())).collect();
        let expected = [
            (1.0, "api", "replica killed (replicas 0, 1 and 5)"),
            (1.0, "dns", "target unhealthy: us/lb"),
            (1.0, "db", "replica killed (replica 0)"),
            (2.0, "api", "replica killed (replica 0)"),
            (2.0, "api", "replica killed (replica 0)"),
        ];
        assert_eq!(words, expected.map(|(at_s, place, words)| (at_s, place, words.to_string())));
        let many = Moment { at_s: 0.0, name: "zone_down", place: "api", about: None, replicas: (0..9).collect() };
        assert_eq!(many.words(), "zone down (9 replicas)");
    }

    #[test]
    fn every_kind_that_is_told_has_a_meaning() {
        assert_eq!(meaning("replica_killed"), "A fault killed the replica.");
        assert_eq!(meaning("sunrise"), "");
        assert!(is_caused_by_a_fault("zone_down"));
        assert!(!is_caused_by_a_fault("target_unhealthy") && !is_caused_by_a_fault("replica_failed"));
    }
}
