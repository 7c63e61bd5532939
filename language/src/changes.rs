//! Settings that change during a run: the whole scenario after each `set` of a fault or event and after each manual
//! change.

use std::collections::BTreeMap;
use std::sync::Arc;

use models::faults::What;
use models::network::{Changed, Changing};
use models::scenario::Scenario;
use settings::{Node, Path, Problem, Problems, Reader, Setting};

use crate::document::Override;
use crate::expand::{changes_of, work_in};

/// Manual changes are numbered from here on; lower numbers belong to faults and events.
pub const BY_HAND: u32 = 1_000_000;

/// The scenario after the begin and end of each `set`, together with the others active at that time. Manual changes,
/// with their instants in ns, are treated as events without an end, and come before others of the same instant.
pub fn changed_by(
    scenario: &Scenario,
    plain: &Node,
    by_hand: &[(i64, Override)],
    new_reader: impl Fn() -> Reader,
    problems: &mut Problems,
) -> Changed {
    let mut events = Vec::new();
    let mut sets: Vec<Vec<Override>> = Vec::new();
    // The index into `sets` for each number.
    let mut places = BTreeMap::new();
    for (number, (at, change)) in (BY_HAND..).zip(by_hand) {
        events.push((*at, false, number, false));
        places.insert(number, sets.len());
        sets.push(vec![change.clone()]);
    }
    // Repeated sets are read only once.
    let mut read: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (number, timed) in scenario.timed().into_iter().enumerate() {
        let What::Set(set) = timed.what else { continue };
        let at = format!("{}.{}.set", timed.source.section(), timed.place);
        let place = *read.entry(at).or_insert_with_key(|at| {
            sets.push(live_changes(&set.node, at, &timed.path, problems)?);
            Some(sets.len() - 1)
        });
        let Some(place) = place else { continue };
        events.push((timed.at, true, number as u32, false));
        events.extend(timed.until().map(|until| (until, true, number as u32, true)));
        places.insert(number as u32, place);
    }
    // In order of occurrence; at one instant, in the order of the list.
    events.sort_unstable();
    let mut acting: Vec<u32> = Vec::new();
    let mut changed = Changed::new();
    let mut before = Arc::new(scenario.clone());
    // The same set of changes gives the same scenario.
    let mut known: BTreeMap<Vec<usize>, Arc<Scenario>> = BTreeMap::from([(Vec::new(), before.clone())]);
    for (at, _, fault, ends) in events {
        acting.retain(|other| *other != fault);
        if !ends {
            acting.push(fault);
        }
        let in_force: Vec<usize> = acting.iter().map(|number| places[number]).collect();
        let after = match known.get(&in_force) {
            Some(after) => after.clone(),
            None => {
                let mut node = plain.clone();
                let mut reader = new_reader();
                for change in in_force.iter().flat_map(|place| &sets[*place]) {
                    work_in(change, &mut node, &mut reader.problems);
                }
                let then = Scenario::read(&node, &mut reader);
                let Some(then) = then.filter(|_| !reader.problems.has_errors()) else {
                    problems.extend(reader.problems);
                    break;
                };
                known.entry(in_force).or_insert(Arc::new(then)).clone()
            }
        };
        changed.push(Changing { at, fault, ends, before, after: after.clone() });
        before = after;
    }
    changed
}

/// The changes of a `set`, if all of them may change during a run.
fn live_changes(set: &Node, place: &str, path: &Path, problems: &mut Problems) -> Option<Vec<Override>> {
    let (book, shape) = crate::reference::book();
    let mut changes = changes_of(set, place, problems);
    let mut is_live = true;
    for change in &mut changes {
        if let Some(changed) = book.changed_by(shape, &change.path, &change.value) {
            change.path = changed;
            continue;
        }
        let message = format!("`{}` cannot change during a run", change.path);
        let problem = Problem::error("not_live", change.path_span, message).path(path.clone());
        problems.push(problem.help("the reference (`kinds NAME`) marks settings that can"));
        is_live = false;
    }
    is_live.then_some(changes)
}
