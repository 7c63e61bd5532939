//! Notable events of a run: a breaker opens, a replica is replaced, a limit is reached.
//!
//! For each kind and place, the first and the last [`KEPT`] events are kept individually, and all are counted per
//! window. The data lives in shared chunks that never change once they are full. A clone (a checkpoint, a snapshot for
//! the screen) costs one pointer, and a copy that continues duplicates at most the chunks it is filling.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::calls::GroupId;
use crate::calls::NodeId;
use crate::time::{Span, Time};

/// Events of one kind and place that are kept individually: this many from the start and this many from the end.
pub const KEPT: usize = 64;

/// Windows per chunk.
const CHUNK: usize = 64;

/// A kind of happening, declared as a `static` beside the code that reports it. Kinds are identified by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Happens {
    /// Its name, such as `breaker_opened`.
    pub name: &'static str,
    /// Its meaning, in one sentence.
    pub doc: &'static str,
}

/// The subject of a happening besides the node that reports it: the ejected target, the elected follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A single node.
    Node(NodeId),
    /// All nodes of a group.
    Group(GroupId),
}

/// A single happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When it occurred.
    pub at: Time,
    /// The node that reported it.
    pub node: NodeId,
    /// The other node or group concerned.
    pub about: Option<About>,
}

/// The number of happenings in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InWindow {
    /// The window's number; the first window of the run is 0.
    pub window: u64,
    /// The count; never 0.
    pub count: u64,
}

/// All happenings of one kind at one place.
#[derive(Clone, Debug)]
pub struct Told {
    /// The kind.
    pub what: &'static Happens,
    /// How many there were in total.
    pub count: u64,
    first: Arc<Vec<Happening>>,
    /// [`KEPT`] happenings after the first ones, once there are more than fit into `newest`.
    newer: Arc<Vec<Happening>>,
    /// The happenings after `newer`: at most [`KEPT`].
    newest: Arc<Vec<Happening>>,
    /// All chunks but the last have [`CHUNK`] windows.
    windows: Vec<Arc<Vec<InWindow>>>,
}

impl Told {
    fn new(what: &'static Happens) -> Told {
        Told {
            what,
            count: 0,
            first: Arc::default(),
            newer: Arc::default(),
            newest: Arc::default(),
            windows: Vec::new(),
        }
    }

    fn add(&mut self, happening: Happening, window: u64) {
        self.count += 1;
        if self.first.len() < KEPT {
            Arc::make_mut(&mut self.first).push(happening);
        } else {
            if self.newest.len() == KEPT {
                self.newer = std::mem::take(&mut self.newest);
            }
            Arc::make_mut(&mut self.newest).push(happening);
        }
        let last = self.windows.last_mut();
        match last {
            Some(chunk) if chunk.last().is_some_and(|last| last.window == window) => {
                let last = Arc::make_mut(chunk).last_mut().expect("it was just looked at");
                last.count += 1;
            }
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(InWindow { window, count: 1 }),
            _ => self.windows.push(Arc::new(vec![InWindow { window, count: 1 }])),
        }
    }

    /// The first happenings, at most [`KEPT`], oldest first.
    pub fn first(&self) -> &[Happening] {
        &self.first
    }

    /// The last happenings not included in [`Told::first`], at most [`KEPT`], oldest first.
    pub fn last(&self) -> impl Iterator<Item = &Happening> {
        let older = (self.newer.len() + self.newest.len()).saturating_sub(KEPT);
        self.newer.iter().skip(older).chain(self.newest.iter())
    }

    /// The count of each window that has any, in chronological order.
    pub fn windows(&self) -> impl Iterator<Item = InWindow> {
        self.windows.iter().flat_map(|chunk| chunk.iter().copied())
    }
}

/// All happenings of a run, by place and kind.
#[derive(Clone, Debug)]
pub struct Happenings {
    /// Width of a window.
    window: Span,
    /// Start of the second window.
    second: Time,
    told: Arc<BTreeMap<(GroupId, &'static str), Told>>,
}

impl Default for Happenings {
    /// No happenings; the whole run is one window.
    fn default() -> Happenings {
        Happenings { window: Span::MAX, second: Time::MAX, told: Arc::default() }
    }
}

impl Happenings {
    /// Counts by windows of this width from now on. The first window starts with the run, the second at `second`.
    ///
    /// # Panics
    /// If `window` is 0.
    pub fn count_by(&mut self, window: Span, second: Time) {
        assert!(window > 0, "a window has a width");
        (self.window, self.second) = (window, second);
    }

    /// Whether nothing has been reported.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// All happenings by kind, in group order and then by name.
    pub fn iter(&self) -> impl Iterator<Item = (GroupId, &Told)> {
        self.told.iter().map(|((place, _), told)| (*place, told))
    }

    /// All happenings of one kind at one place.
    pub fn of(&self, place: GroupId, what: &'static Happens) -> Option<&Told> {
        self.told.get(&(place, what.name))
    }

    pub(crate) fn add(&mut self, place: GroupId, what: &'static Happens, happening: Happening) {
        let window = match happening.at.checked_sub(self.second) {
            None => 0,
            Some(since) => 1 + since / self.window,
        };
        let told = Arc::make_mut(&mut self.told).entry((place, what.name)).or_insert_with(|| Told::new(what));
        debug_assert!(told.what == what, "{} means two things", what.name);
        told.add(happening, window);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    static OPENED: Happens = Happens { name: "opened", doc: "It opened." };
    static CLOSED: Happens = Happens { name: "closed", doc: "It closed." };
    static KINDS: [&Happens; 2] = [&OPENED, &CLOSED];

    /// An operation on one of several stores that were cloned from each other.
    #[derive(Clone, Debug)]
    enum Step {
        Clone(usize),
        /// Store, kind, place, count, and the time between consecutive happenings.
        Tell(usize, usize, u16, u16, u64),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => any::<usize>().prop_map(Step::Clone),
            8 => (any::<usize>(), 0..2usize, 0..3u16, 1..100u16, 0..40u64)
                .prop_map(|(which, kind, place, times, gap)| Step::Tell(which, kind, place, times, gap)),
            1 => any::<usize>().prop_map(Step::Drop),
        ]
    }

    /// The twin keeps everything and is copied in full at every clone.
    #[derive(Clone, Default)]
    struct Twin {
        now: Time,
        all: Vec<(GroupId, &'static str, Happening)>,
    }

    const WINDOW: Span = 100;
    const SECOND: Time = 37;

    type Row = (GroupId, &'static str, u64, Vec<Happening>, Vec<Happening>, Vec<(u64, u64)>);

    impl Twin {
        fn rows(&self) -> Vec<Row> {
            let keys: BTreeSet<(GroupId, &str)> = self.all.iter().map(|(place, name, _)| (*place, *name)).collect();
            let row = |(place, name): (GroupId, &'static str)| {
                let all: Vec<Happening> =
                    self.all.iter().filter(|(p, n, _)| (*p, *n) == (place, name)).map(|(_, _, h)| *h).collect();
                let mut windows: BTreeMap<u64, u64> = BTreeMap::new();
                for happening in &all {
                    let borders = (0..).map(|n| SECOND + n * WINDOW).take_while(|border| *border <= happening.at);
                    *windows.entry(borders.count() as u64).or_default() += 1;
                }
                let first = all.iter().copied().take(64).collect();
                let last = all.iter().copied().skip((all.len().saturating_sub(64)).max(64)).collect();
                (place, name, all.len() as u64, first, last, windows.into_iter().collect())
            };
            keys.into_iter().map(row).collect()
        }
    }

    fn rows(store: &Happenings) -> Vec<Row> {
        let row = |(place, told): (GroupId, &Told)| {
            let windows = told.windows().map(|w| (w.window, w.count)).collect();
            (place, told.what.name, told.count, told.first().to_vec(), told.last().copied().collect(), windows)
        };
        store.iter().map(row).collect()
    }

    fn empty() -> Happenings {
        let mut store = Happenings::default();
        store.count_by(WINDOW, SECOND);
        store
    }

    proptest! {
        #[test]
        fn each_copy_has_the_first_and_the_last_and_counts_every_window(
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let mut stores = vec![empty()];
            let mut twins = vec![Twin::default()];
            for step in steps {
                match step {
                    Step::Clone(which) => {
                        let which = which % stores.len();
                        stores.push(stores[which].clone());
                        twins.push(twins[which].clone());
                    }
                    Step::Tell(which, kind, place, times, gap) => {
                        let which = which % stores.len();
                        let (twin, what) = (&mut twins[which], KINDS[kind]);
                        for nth in 0..times {
                            twin.now += gap;
                            let node = NodeId(u32::from(nth % 5));
                            let about = (nth % 2 == 0).then_some(About::Group(GroupId(nth)));
                            let happening = Happening { at: twin.now, node, about };
                            twin.all.push((GroupId(place), what.name, happening));
                            stores[which].add(GroupId(place), what, happening);
                        }
                    }
                    Step::Drop(which) if stores.len() > 1 => {
                        let which = which % stores.len();
                        stores.remove(which);
                        twins.remove(which);
                    }
                    Step::Drop(_) => {}
                }
            }
            for (store, twin) in stores.iter().zip(&twins) {
                prop_assert_eq!(rows(store), twin.rows());
                prop_assert_eq!(store.is_empty(), twin.all.is_empty());
            }
        }
    }

    #[test]
    fn without_windows_the_whole_run_is_one() {
        let mut store = Happenings::default();
        for at in [0, 5, Time::MAX - 1] {
            store.add(GroupId(1), &OPENED, Happening { at, node: NodeId(1), about: None });
        }
        let told = store.of(GroupId(1), &OPENED).expect("it was told");
        assert_eq!(told.windows().collect::<Vec<_>>(), [InWindow { window: 0, count: 3 }]);
        assert!(store.of(GroupId(1), &CLOSED).is_none() && store.of(GroupId(2), &OPENED).is_none());
    }

    /// Bytes held by several copies together; shared memory is counted once.
    fn bytes(stores: &[Happenings]) -> usize {
        let mut seen = BTreeSet::new();
        let mut sum = 0;
        for store in stores {
            if !seen.insert(Arc::as_ptr(&store.told).cast::<u8>()) {
                continue;
            }
            for told in store.told.values() {
                sum += size_of::<Told>() + told.windows.capacity() * size_of::<usize>();
                for chunk in [&told.first, &told.newer, &told.newest] {
                    if seen.insert(Arc::as_ptr(chunk).cast::<u8>()) {
                        sum += chunk.capacity() * size_of::<Happening>();
                    }
                }
                for chunk in &told.windows {
                    if seen.insert(Arc::as_ptr(chunk).cast::<u8>()) {
                        sum += chunk.capacity() * size_of::<InWindow>();
                    }
                }
            }
        }
        sum
    }

    #[test]
    fn a_thousand_checkpoints_of_a_busy_run_stay_small() {
        let mut store = empty();
        let mut checkpoints = Vec::new();
        for at in 0..200_000 {
            store.add(GroupId(0), &OPENED, Happening { at, node: NodeId(1), about: None });
            if at % 200 == 0 {
                checkpoints.push(store.clone());
            }
        }
        assert_eq!(checkpoints.len(), 1_000);
        // A full copy would take 3 MB.
        let each = bytes(&checkpoints) / checkpoints.len();
        assert!(each < 6_000, "{each} bytes a checkpoint");
        // Nothing is copied while nothing is added.
        let quiet: Vec<Happenings> = (0..1_000).map(|_| store.clone()).collect();
        assert_eq!(bytes(&quiet), bytes(std::slice::from_ref(&store)));
    }
}
