//! Manual interventions in a run: injected faults and changed settings.

use std::sync::Arc;

use language::by_hand::{self, first_message};
use language::changes::{BY_HAND, changed_by};
use language::expand::work_in;
use language::menu::{self, FaultChoice};
use models::faults::timed::{Source, timed};
use models::network::{Changed, Node};
use models::scenario::Scenario;
use settings::{Problems, Setting, Spanned};
use sim_core::NodeId;

use super::{Session, window_of};

impl Session {
    /// Every fault that can be injected now, in the order of the fault table, each with a text to start from.
    pub fn faults_to_choose(&self) -> Vec<FaultChoice> {
        menu::faults(&self.network.directory, self.injected, self.network.engine.now())
    }

    /// Injects a fault now, written as in the scenario but without `at`: `{for: 20s, slow: {component: db, factor: 5}}`.
    pub fn inject(&mut self, fault: &str) -> Result<(), String> {
        let now = self.network.engine.now();
        let (fault, planned) = by_hand::fault(fault, &self.network.directory, self.injected, now)?;
        self.injected += planned.len() as u32;
        self.network.engine.act(NodeId(0), |node, cx| {
            if let Node::Director(director) = node {
                planned.into_iter().for_each(|one| director.inject(cx, one));
            }
            sim_core::Next::WAIT
        });
        for timed in timed(&[Spanned::nowhere(fault)], &[]) {
            Arc::make_mut(&mut self.timed).push((Source::Faults, window_of(&timed)));
        }
        Ok(())
    }

    /// Changes a live setting now, like a `set` fault that strikes now and never ends: a later fault that changes the same
    /// setting takes precedence while it acts, and the value set here returns when it ends.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        let change = by_hand::change(path, value)?;
        let mut problems = Problems::new();
        let mut plain = (*self.loaded.plain).clone();
        work_in(&change, &mut plain, &mut problems);
        let mut reader = self.loaded.reader();
        let then = Scenario::read(&plain, &mut reader);
        problems.extend(reader.problems);
        if let Some(then) = &then {
            let allowed = self.loaded.options.memory_allowed();
            models::network::build(then, &Vec::new(), (self.seed, self.zero), allowed, &mut problems);
        }
        let path = change.path.to_string();
        let mut by_hand = self.by_hand.clone();
        by_hand.push((self.now_ns(), change));
        let begun = &self.begun_with;
        let changed = changed_by(&begun.scenario, &begun.plain, &by_hand, || begun.reader(), &mut problems);
        let Some(then) = then.filter(|_| !problems.has_errors()) else {
            return Err(first_message(&problems));
        };
        self.by_hand = by_hand;
        self.adopt(&changed);
        self.changes.push((self.now_ns(), path, value.to_string()));
        let mut loaded = (*self.loaded).clone();
        loaded.plain = Arc::new(plain);
        loaded.scenario = Arc::new(then);
        self.loaded = Arc::new(loaded);
        Ok(())
    }

    /// Applies the last manual change, and makes it the value that remains after faults that strike or end from now on.
    fn adopt(&mut self, changed: &Changed) {
        let this = BY_HAND + self.by_hand.len() as u32 - 1;
        let now = self.now_ns();
        for changing in changed.iter().filter(|c| c.fault == this || c.fault < BY_HAND && c.at >= now) {
            let change = BY_HAND + self.prepared;
            self.prepared += 1;
            let nodes = models::network::concerned(changing, &self.network.directory);
            let engine = &mut self.network.engine;
            models::network::prepare(&changing.after, &self.network.directory, engine, change);
            if changing.fault == this {
                engine.act(NodeId(0), |_, cx| {
                    nodes.iter().for_each(|node| cx.order(sim_core::Order::Adopt(*node, change)));
                    sim_core::Next::WAIT
                });
            } else if let Node::Director(director) = engine.node_mut(NodeId(0)) {
                director.revise_set(changing.fault, changing.ends, change, &nodes);
            }
        }
    }

    /// The scenario with its interventions: current settings, and injected faults at their instants. Setting changes become
    /// `set` faults, so that the exported scenario reproduces the observed run.
    pub fn exported(&self, injected: &[(i64, String)]) -> String {
        let mut document = (*self.loaded.document).clone();
        for one in &self.loaded.overrides {
            // Its path exists: the override was applied when the scenario was read.
            let _ = one.apply(&mut document);
        }
        let mut faults = document.at("faults").and_then(|f| f.members()).map_or_else(Vec::new, <[_]>::to_vec);
        let instant = |at: i64| settings::values::Scalar::format(&settings::SignedDuration(at));
        for (at, text) in injected {
            let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
            let closing = text.matches('}').count() - inner.matches('}').count();
            let inner = format!("{inner}{}", "}".repeat(closing.saturating_sub(1)));
            let text = format!("{{at: {}, {inner}}}", instant(*at));
            faults.extend(settings::notation::parse(&text, settings::SourceId::NOWHERE));
        }
        for (at, path, value) in &self.changes {
            let text = format!("{{at: {}, set: {{{path}: {value}}}}}", instant(*at));
            faults.extend(settings::notation::parse(&text, settings::SourceId::NOWHERE));
        }
        if !faults.is_empty() {
            let path = settings::Path::of(&["faults"]);
            // A parsed document is a map, so its top level can take a key.
            let _ = document.patch(&path, settings::Span::NOWHERE, settings::Node::list(faults));
        }
        language::document::to_yaml(&document).unwrap_or_default()
    }
}
