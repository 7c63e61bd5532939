//! Replaces unreadable parts of a scenario, so that the rest is checked in the same pass.
//!
//! A part that is present but invalid keeps its name: a stand-in replaces it, so that references to it are not reported
//! as missing. Parts without a stand-in are removed.

use models::components::{ANSWERS_ANYTHING, KIND_THAT_ANSWERS_ANYTHING};
use models::directory::STAND_IN;
use models::scenario::Scenario;
use settings::problem::nearest;
use settings::{Entry, Node, Path, Problem, Problems, Reader, Setting, SourceId, Span, Value};

/// A tree repaired at the places of problems.
#[derive(Clone, Debug)]
pub(crate) struct Repair {
    /// The tree.
    pub(crate) tree: Node,
    /// The places at which it differs from the written scenario.
    pub(crate) touched: Vec<Path>,
}

/// Maximum rounds of reading and repairing: each one finds problems that the previous one had hidden.
const ROUNDS_MAX: usize = 24;

impl Repair {
    /// An unchanged tree.
    pub(crate) fn new(plain: &Node) -> Repair {
        Repair { tree: plain.clone(), touched: Vec::new() }
    }

    /// Repairs unreadable parts until the scenario can be read or nothing more can be done.
    pub(crate) fn read(&mut self, mut problems: Problems, reader: &mut Reader) -> Option<Scenario> {
        for _ in 0..ROUNDS_MAX {
            if problems.has_errors() && !self.mend(&problems) {
                return None;
            }
            let scenario = Scenario::read(&self.tree, reader);
            problems = std::mem::take(&mut reader.problems);
            if let Some(scenario) = scenario.filter(|_| !problems.has_errors()) {
                return Some(scenario);
            }
        }
        None
    }

    /// Repairs the places of errors; false if nothing could be repaired.
    pub(crate) fn mend(&mut self, problems: &Problems) -> bool {
        let errors = problems.iter().filter(|problem| problem.severity == settings::Severity::Error);
        let mut places: Vec<(Path, bool)> =
            errors.map(|problem| (place_of(problem), problem.code == "unknown_key")).collect();
        // Later members of a list first, so that the indices of earlier ones stay valid.
        places.sort_by_key(|(path, _)| {
            std::cmp::Reverse(path.segments().iter().map(|segment| format!("{segment:0>12}")).collect::<Vec<_>>())
        });
        places.dedup();
        let (mut any, before) = (false, self.touched.len());
        for (place, is_unknown) in places {
            // Several problems of one part are mended with it.
            let is_mended = |touched: &Path| place.segments().starts_with(touched.segments());
            if self.touched[before..].iter().any(is_mended) {
                continue;
            }
            any |= match is_unknown && self.at(place.segments()).is_some() {
                true => {
                    self.remove(place.segments());
                    self.touch(place.segments())
                }
                false => self.mend_at(&place),
            };
        }
        any
    }

    fn mend_at(&mut self, place: &Path) -> bool {
        let segments = place.segments();
        let there = (0..=segments.len()).rev().find(|length| self.at(&segments[..*length]).is_some()).unwrap_or(0);
        // Missing parts get a stand-in too.
        for length in (1..=segments.len().min(there + 1)).rev() {
            let path = &segments[..length];
            let now = self.at(path);
            match stand_in(path, now) {
                Some(stand_in) => {
                    let differs = now.is_none_or(|now| !now.says_the_same(&stand_in));
                    if differs && self.put(path, stand_in) {
                        return self.touch(path);
                    }
                }
                None if now.is_some() => {
                    self.remove(path);
                    return self.touch(path);
                }
                None => {}
            }
        }
        false
    }

    fn touch(&mut self, path: &[String]) -> bool {
        self.touched.push(Path::of(path));
        true
    }

    fn at(&self, path: &[String]) -> Option<&Node> {
        let mut node = &self.tree;
        for segment in path {
            node = match &node.value {
                Value::Map(entries) => &entries.iter().find(|entry| entry.key == *segment)?.value,
                Value::List(members) => members.get(segment.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    fn parent<'t>(tree: &'t mut Node, path: &'t [String]) -> Option<(&'t mut Value, &'t String)> {
        let (last, before) = path.split_last()?;
        let mut node = tree;
        for segment in before {
            node = match &mut node.value {
                Value::Map(entries) => &mut entries.iter_mut().find(|entry| entry.key == *segment)?.value,
                Value::List(members) => members.get_mut(segment.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some((&mut node.value, last))
    }

    fn put(&mut self, path: &[String], value: Node) -> bool {
        match Repair::parent(&mut self.tree, path) {
            Some((Value::Map(entries), key)) => match entries.iter_mut().find(|entry| entry.key == *key) {
                Some(entry) => entry.value = value,
                None => entries.push(Entry::new(key.clone(), value)),
            },
            Some((Value::List(members), number)) => {
                let member = number.parse::<usize>().ok().and_then(|number| members.get_mut(number));
                let Some(member) = member else { return false };
                *member = value;
            }
            _ => return false,
        }
        true
    }

    fn remove(&mut self, path: &[String]) {
        match Repair::parent(&mut self.tree, path) {
            Some((Value::Map(entries), key)) => entries.retain(|entry| entry.key != *key),
            Some((Value::List(members), number)) => {
                if let Some(number) = number.parse::<usize>().ok().filter(|number| *number < members.len()) {
                    members.remove(number);
                }
            }
            _ => {}
        }
    }

    /// Whether a part of a scenario, such as `components.api`, differs from the written one.
    pub(crate) fn has_touched(&self, path: &Path) -> bool {
        let part = |path: &Path| path.segments().iter().take(2).cloned().collect::<Vec<_>>();
        let wanted = part(path);
        self.touched.iter().any(|touched| {
            let touched = part(touched);
            touched.iter().zip(&wanted).all(|(one, other)| one == other)
        })
    }

    /// Whether a problem is caused by a repair that removed the name of an operation.
    pub(crate) fn explains(&self, problem: &Problem) -> bool {
        let says_which = names_operations;
        let place = problem.path.segments();
        let around = &place[..place.len().saturating_sub(1)];
        match problem.code {
            "op_without_handler" => {
                let asks_for_default = problem.message.split('`').nth(3) == Some("default");
                asks_for_default && self.touched.iter().any(says_which)
                    || self.touched.iter().any(|touched| touched.segments().starts_with(around))
            }
            "call_cycle" => self.touched.iter().any(says_which),
            "unknown_name" if problem.message.starts_with("no operation") => {
                let is_workload = |path: &Path| path.segments().first().is_some_and(|first| first == "workloads");
                self.touched.iter().any(|path| says_which(path) || is_workload(path))
            }
            _ => false,
        }
    }

    /// Whether a problem found in the repaired scenario also exists in the written one.
    pub(crate) fn stands(&self, problem: &Problem) -> bool {
        let sections = |names: &[&str]| {
            self.touched.iter().any(|path| path.segments().first().is_some_and(|first| names.contains(&first.as_str())))
        };
        // The warm-up may be what cannot be read.
        let depends = problem.code == "too_early" && sections(&["run"]);
        let words = || problem.message.split('`').skip(1).step_by(2).flat_map(|words| words.split(['.', ' ', '[']));
        let mentions =
            words().any(|word| self.touched.iter().any(|path| path.segments().get(1).is_some_and(|name| name == word)));
        problem.severity == settings::Severity::Error
            && !self.has_touched(&problem.path)
            && !mentions
            && !depends
            && !sections(&["hosts", "regions"])
    }
}

/// Whether operations are named at a path.
fn names_operations(path: &Path) -> bool {
    path.segments().iter().any(|part| matches!(part.as_str(), "op" | "requests" | "handlers"))
}

/// The place of a problem; for a missing key, the place where it would be.
fn place_of(problem: &Problem) -> Path {
    match (problem.code, problem.message.split('`').nth(1)) {
        ("missing_key", Some(key)) => problem.path.join(key),
        _ => problem.path.clone(),
    }
}

/// The replacement for an unreadable or missing part; `None` if it can be removed.
fn stand_in(path: &[String], now: Option<&Node>) -> Option<Node> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let call = format!("{{to: {STAND_IN}}}");
    let is_number = |text: &str| text.parse::<usize>().is_ok();
    let text = match path.as_slice() {
        ["version"] => "1".to_string(),
        ["run"] => "{duration: 1s}".to_string(),
        ["run", "duration"] => "1s".to_string(),
        ["workloads"] | ["components"] | ["hosts"] | ["regions"] => "{}".to_string(),
        ["workloads", _] => format!("{{arrivals: {{poisson: 1/s}}, call: {call}}}"),
        ["workloads", _, "arrivals"] => "{poisson: 1/s}".to_string(),
        ["workloads", _, "call"] | ["components", _, "calls", _] => call,
        ["workloads", _, "call", "to"] | ["components", _, "calls", _, "to"] => STAND_IN.to_string(),
        ["components", _, "to"] => STAND_IN.to_string(),
        ["components", _, "consumes", number, "from"] if is_number(number) => return None,
        ["components", _] => ANSWERS_ANYTHING.to_string(),
        ["components", _, "kind"] => {
            let kinds = models::components::KINDS.iter().map(|row| row.name);
            let near = now.and_then(Node::as_text).and_then(|text| nearest(text, kinds));
            near.unwrap_or(KIND_THAT_ANSWERS_ANYTHING).to_string()
        }
        ["components", _, "runtime"] => "unlimited".to_string(),
        ["components", _, "handlers"] => "{default: [{wait: 1ms}]}".to_string(),
        ["components", _, "handlers", _] => "[{wait: 1ms}]".to_string(),
        ["components", _, "handlers", _, .., number] if is_number(number) => "{wait: 1ms}".to_string(),
        ["components", _, "operations"] => "{default: 1ms}".to_string(),
        ["components", _, "operations", _] | ["components", _, "latency"] => "1ms".to_string(),
        ["components", _, "capacity"] => "100".to_string(),
        ["components", _, "policy"] => "weighted".to_string(),
        ["components", _, "ttl"] => "1s".to_string(),
        ["hosts", _] => "{cores: 1}".to_string(),
        ["hosts", _, "cores"] => "1".to_string(),
        ["regions", _] => "{}".to_string(),
        ["faults" | "events", number] if is_number(number) => "{at: 0s, set: {}}".to_string(),
        ["objectives", number] if is_number(number) => "{metric: goodput, above: 0/s}".to_string(),
        _ => return None,
    };
    let mut node = settings::notation::parse(&text, SourceId::NOWHERE).ok()?;
    node.relocate(Span::NOWHERE);
    Some(node)
}

/// Adds the component that receives calls whose target cannot be read.
pub(crate) fn add_stand_in(tree: &mut Node) {
    let Ok(component) = settings::notation::parse(ANSWERS_ANYTHING, SourceId::NOWHERE) else { return };
    let Value::Map(sections) = &mut tree.value else { return };
    match sections.iter_mut().find(|entry| entry.key == "components").map(|entry| &mut entry.value.value) {
        Some(Value::Map(components)) => components.push(Entry::new(STAND_IN, component)),
        Some(_) => {}
        None => sections.push(Entry::new("components", Node::one(STAND_IN, component))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stand_in_can_be_read() {
        let text = "{version: 1, run: {duration: 1s}, workloads: {w: {arrivals: {poisson: 1/s}, call: a}}, \
                    hosts: {h: {cores: 1}}, components: {a: {kind: servce, calls: {x: 1}, handlers: {o: [5], p: [{call: x}]}}, \
                    b: {kind: nonsense}, c: {kind: cache}, d: {kind: database}, e: {kind: dns, policy: x}, f: 5}, \
                    faults: [{at: x}], events: [5], objectives: [{metric: 5}]}";
        let plain = settings::notation::parse(text, SourceId::NOWHERE).expect("a tree");
        let mut reader = Reader::new();
        let _ = Scenario::read(&plain, &mut reader);
        let problems = std::mem::take(&mut reader.problems);
        let mut repair = Repair::new(&plain);
        add_stand_in(&mut repair.tree);
        let scenario = repair.read(problems, &mut reader).expect("it can be read once it is mended");
        assert_eq!(scenario.components.len(), 7);
        assert_eq!(scenario.faults.len() + scenario.events.len() + scenario.objectives.len(), 3);
        assert!(repair.has_touched(&Path::of(&["components", "f", "kind"])));
        assert!(!repair.has_touched(&Path::of(&["hosts", "h"])));
    }
}
