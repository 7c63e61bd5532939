//! Settings that change during a run: the whole scenario as each `set` fault and each change by hand leaves it.

use std::collections::BTreeMap;
use std::sync::Arc;

use models::faults::FaultKind;
use models::network::{Changed, Changing};
use models::scenario::Scenario;
use settings::book::Live;
use settings::{Node, Problem, Problems, Reader, Setting};

use crate::document::Override;
use crate::expand::{changes_of, work_in};

/// Numbers from here on are of changes by hand, below of faults.
pub const BY_HAND: u32 = 1_000_000;

/// The scenario as each `set` fault leaves it, when it strikes and when it ends, with the others that act then. Changes
/// by hand, with their instants in ns, are among them as faults without an end, and come before those of their instant.
pub fn changed_by(
    scenario: &Scenario,
    plain: &Node,
    by_hand: &[(i64, Override)],
    new_reader: impl Fn() -> Reader,
    problems: &mut Problems,
) -> Changed {
    let (book, shape) = crate::reference::book();
    let mut events = Vec::new();
    let mut overrides = BTreeMap::new();
    for (number, (at, change)) in (BY_HAND..).zip(by_hand) {
        events.push((*at, false, number, false));
        overrides.insert(number, vec![change.clone()]);
    }
    for (number, fault) in scenario.faults.iter().enumerate() {
        let FaultKind::Set(set) = &fault.value.what else { continue };
        let changes = changes_of(&set.node, &format!("faults.{number}.set"), problems);
        let mut is_live = true;
        for change in &changes {
            if let Live::No | Live::Unknown = book.live(shape, &change.path) {
                let message = format!("`{}` cannot change during a run", change.path);
                let problem = Problem::error("not_live", change.path_span, message).path(fault.path.clone());
                problems.push(problem.help("the reference page of its kind (`kinds NAME`) marks what can"));
                is_live = false;
            }
        }
        if !is_live {
            continue;
        }
        let at = fault.value.at.0;
        events.push((at, true, number as u32, false));
        events.extend(fault.value.r#for.map(|lasts| (at.saturating_add_unsigned(lasts.0), true, number as u32, true)));
        overrides.insert(number as u32, changes);
    }
    // As they happen: at one instant in the order of the list.
    events.sort_unstable();
    let mut acting: Vec<u32> = Vec::new();
    let mut changed = Changed::new();
    let mut before = Arc::new(scenario.clone());
    for (at, _, fault, ends) in events {
        acting.retain(|other| *other != fault);
        if !ends {
            acting.push(fault);
        }
        let mut node = plain.clone();
        let mut reader = new_reader();
        for change in acting.iter().flat_map(|fault| &overrides[fault]) {
            work_in(change, &mut node, &mut reader.problems);
        }
        let then = Scenario::read(&node, &mut reader);
        let Some(then) = then.filter(|_| !reader.problems.has_errors()) else {
            problems.extend(reader.problems);
            break;
        };
        let after = Arc::new(then);
        changed.push(Changing { at, fault, ends, before, after: after.clone() });
        before = after;
    }
    changed
}
