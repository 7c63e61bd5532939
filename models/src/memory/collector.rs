//! A garbage collector, without an engine: what is alive, what is garbage, and when what of it is collected.
//!
//! Objects are bytes that belong to a call, alive until it ends. With generations they are young until a young collection, which
//! copies those that are alive to the old generation. Garbage in the old generation waits for a concurrent cycle, or for the heap
//! to be full, when all of it is collected while the process stands still. So calls that wait keep memory alive, what is alive makes
//! collections more frequent and longer, and these make calls wait: the loop of the *death spiral*.

use sim_core::Span;

/// What a collector goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Bytes of the heap; `None` where it grows as needed.
    pub heap: Option<u64>,
    /// Bytes of the young generation; `None` without generations.
    pub young: Option<u64>,
    /// By what share of what was alive it grows before the next cycle; `None` where `start_at` decides.
    pub growth: Option<f64>,
    /// Share of the heap from which cycles begin.
    pub start_at: f64,
    /// Bytes that are copied or marked in a second.
    pub bytes_per_second: u64,
    /// Whether there are cycles beside the process.
    pub is_concurrent: bool,
    /// Bytes that are always alive.
    pub base: u64,
}

/// Objects of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    young: u64,
    old: u64,
    /// After how many young collections the young ones were allocated.
    age: u32,
}

impl Objects {
    /// So many bytes, of no age.
    pub fn of(bytes: u64) -> Objects {
        Objects { old: bytes, ..Objects::default() }
    }

    /// How many bytes they are.
    pub fn bytes(&self) -> u64 {
        self.young + self.old
    }

    /// These and others are one.
    pub fn take(&mut self, other: Objects, ages: u32) {
        let (mine, other) = (self.at(ages), other.at(ages));
        *self = Objects { young: mine.young + other.young, old: mine.old + other.old, age: ages };
    }

    /// What has been copied since is old.
    fn at(self, ages: u32) -> Objects {
        match self.age == ages {
            true => self,
            false => Objects { young: 0, old: self.young + self.old, age: ages },
        }
    }
}

/// What is to be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The young generation is full.
    Young,
    /// The heap is full.
    Full,
    /// A cycle beside the process.
    Cycle,
    /// The heap is full of what is alive.
    Exhausted,
}

/// Go's least heap before its first cycle.
const LEAST: u64 = 4 << 20;

/// The heap of a process.
#[derive(Clone, Debug)]
pub struct Collector {
    terms: Terms,
    ages: u32,
    young_alive: u64,
    young_dead: u64,
    old_alive: u64,
    old_dead: u64,
    /// Use of the heap from which the next cycle begins, with growth.
    goal: u64,
    /// Garbage that the cycle under way will free.
    cycle: Option<u64>,
    /// Whether a young collection has passed since the last cycle ended.
    may_cycle: bool,
}

impl Collector {
    /// With an empty heap.
    pub fn new(terms: Terms) -> Collector {
        let mut collector = Collector {
            terms,
            ages: 0,
            young_alive: 0,
            young_dead: 0,
            old_alive: 0,
            old_dead: 0,
            goal: 0,
            cycle: None,
            may_cycle: true,
        };
        collector.set_goal();
        collector
    }

    /// The process is made anew.
    pub fn clear(&mut self) {
        *self = Collector::new(self.terms);
    }

    fn set_goal(&mut self) {
        let alive = self.terms.base + self.old_alive;
        let growth = self.terms.growth.unwrap_or(0.0);
        self.goal = ((alive as f64 * (1.0 + growth)) as u64).max((LEAST as f64 * growth) as u64);
    }

    /// After how many young collections it is.
    pub fn ages(&self) -> u32 {
        self.ages
    }

    /// Bytes in use, garbage included.
    pub fn used(&self) -> u64 {
        self.alive() + self.young_dead + self.old_dead
    }

    /// Bytes that are alive.
    pub fn alive(&self) -> u64 {
        self.terms.base + self.young_alive + self.old_alive
    }

    /// Bytes of the heap, used or not; `None` where it grows as needed.
    pub fn heap(&self) -> Option<u64> {
        self.terms.heap
    }

    /// Whether a cycle is under way.
    pub fn is_marking(&self) -> bool {
        self.cycle.is_some()
    }

    /// A call allocates.
    pub fn allocate(&mut self, of: &mut Objects, bytes: u64) {
        let is_young = self.terms.young.is_some();
        let (young, old) = if is_young { (bytes, 0) } else { (0, bytes) };
        of.take(Objects { young, old, age: self.ages }, self.ages);
        self.young_alive += young;
        self.old_alive += old;
    }

    /// What a call has allocated is garbage from now on.
    pub fn drop(&mut self, of: Objects) {
        let Objects { young, old, .. } = of.at(self.ages);
        self.young_alive -= young;
        self.young_dead += young;
        self.old_alive -= old;
        self.old_dead += old;
    }

    /// What is to be collected now.
    pub fn due(&self) -> Option<Due> {
        if let Some(heap) = self.terms.heap
            && self.used() >= heap
        {
            return Some(if self.alive() >= heap { Due::Exhausted } else { Due::Full });
        }
        if self.terms.young.is_some_and(|young| self.young_alive + self.young_dead >= young) {
            return Some(Due::Young);
        }
        let old = self.terms.base + self.old_alive + self.old_dead;
        let starts = match (self.terms.growth, self.terms.heap) {
            (Some(_), _) => old >= self.goal,
            (None, Some(heap)) => self.may_cycle && old as f64 >= heap as f64 * self.terms.start_at,
            (None, None) => false,
        };
        (starts && self.terms.is_concurrent && self.cycle.is_none()).then_some(Due::Cycle)
    }

    /// Time to copy or mark so much on one core.
    pub fn takes(&self, bytes: u64) -> Span {
        (u128::from(bytes) * 1_000_000_000 / u128::from(self.terms.bytes_per_second)).min(u128::from(Span::MAX)) as Span
    }

    /// Collects the young generation; for how long survivors are copied.
    pub fn collect_young(&mut self) -> Span {
        let survivors = std::mem::take(&mut self.young_alive);
        self.old_alive += survivors;
        self.young_dead = 0;
        self.ages = self.ages.wrapping_add(1);
        self.may_cycle = true;
        self.takes(survivors)
    }

    /// Collects the whole heap; for how long what is alive is copied. A cycle under way is given up.
    pub fn collect_all(&mut self) -> Span {
        let alive = self.alive();
        self.collect_young();
        self.old_dead = 0;
        self.cycle = None;
        self.set_goal();
        self.takes(alive)
    }

    /// A cycle begins; CPU time that marking takes.
    pub fn begin_cycle(&mut self) -> Span {
        self.cycle = Some(self.old_dead);
        self.may_cycle = false;
        self.takes(self.alive())
    }

    /// The cycle under way is done: what was garbage when it began is free.
    pub fn end_cycle(&mut self) {
        if let Some(garbage) = self.cycle.take() {
            self.old_dead -= garbage.min(self.old_dead);
            self.set_goal();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    const MB: u64 = 1_000_000;

    fn terms() -> Terms {
        Terms {
            heap: Some(100 * MB),
            young: Some(10 * MB),
            growth: None,
            start_at: 0.45,
            bytes_per_second: 1_000 * MB,
            is_concurrent: true,
            base: 0,
        }
    }

    #[test]
    fn a_young_collection_takes_as_long_as_its_survivors() {
        let mut heap = Collector::new(terms());
        let (mut a, mut b) = (Objects::default(), Objects::default());
        heap.allocate(&mut a, 6 * MB);
        heap.allocate(&mut b, 4 * MB);
        heap.drop(a);
        assert_eq!(heap.due(), Some(Due::Young));
        assert_eq!(heap.collect_young(), 4_000_000, "4 MB at 1 GB/s");
        assert_eq!((heap.used(), heap.alive(), heap.due()), (4 * MB, 4 * MB, None));
        // What it left is old, and waits for a cycle.
        heap.drop(b);
        assert_eq!((heap.used(), heap.alive()), (4 * MB, 0));
    }

    #[test]
    fn a_cycle_frees_what_was_garbage_when_it_began() {
        let mut heap = Collector::new(terms());
        let mut calls = [Objects::default(); 9];
        for call in &mut calls {
            heap.allocate(call, 5 * MB);
            heap.collect_young();
        }
        assert_eq!(heap.due(), Some(Due::Cycle), "45 % of the heap is old");
        heap.drop(calls[0]);
        assert_eq!(heap.begin_cycle(), 40_000_000);
        heap.drop(calls[1]);
        heap.end_cycle();
        assert_eq!((heap.used(), heap.alive()), (40 * MB, 35 * MB));
        assert_eq!(heap.due(), None, "the next one follows a young collection");
    }

    #[test]
    fn a_full_heap_is_collected_whole_and_an_exhausted_one_is_the_end() {
        let mut heap = Collector::new(Terms { young: None, is_concurrent: false, ..terms() });
        let (mut a, mut b) = (Objects::default(), Objects::default());
        heap.allocate(&mut a, 60 * MB);
        heap.allocate(&mut b, 40 * MB);
        assert_eq!(heap.due(), Some(Due::Exhausted));
        heap.drop(a);
        assert_eq!(heap.due(), Some(Due::Full));
        assert_eq!(heap.collect_all(), 40_000_000);
        assert_eq!((heap.used(), heap.due()), (40 * MB, None));
    }

    /// GOGC=100: with 50 MB alive the next cycle begins at 100 MB.
    #[test]
    fn without_generations_the_heap_doubles_between_cycles() {
        let mut heap = Collector::new(Terms { heap: None, young: None, growth: Some(1.0), ..terms() });
        let mut kept = Objects::default();
        heap.allocate(&mut kept, 50 * MB);
        assert_eq!(heap.due(), Some(Due::Cycle), "above the least of 4 MiB");
        heap.begin_cycle();
        heap.end_cycle();
        for _ in 0..49 {
            let mut call = Objects::default();
            heap.allocate(&mut call, MB);
            heap.drop(call);
        }
        assert_eq!((heap.used(), heap.due()), (99 * MB, None));
        let mut call = Objects::default();
        heap.allocate(&mut call, MB);
        assert_eq!(heap.due(), Some(Due::Cycle));
    }

    /// Against a list of objects, each with its generation.
    #[test]
    fn it_agrees_with_a_list_of_objects() {
        let mut random = Stream::named(7, "objects");
        for _ in 0..200 {
            agrees(&mut random);
        }
    }

    fn agrees(random: &mut Stream) {
        // Whose it is (`None`: garbage), bytes, whether it is old.
        type Object = (Option<usize>, u64, bool);
        let mut heap = Collector::new(terms());
        let mut calls = [Objects::default(); 4];
        let mut list: Vec<Object> = Vec::new();
        for _ in 0..100 {
            let mut below = |bound: u64| (random.unit() * bound as f64) as u64;
            let (what, call, bytes) = (below(6), below(4) as usize, 1 + below(5_000_000));
            let bytes_of = |list: &[Object], is_it: &dyn Fn(&Object) -> bool| {
                list.iter().filter(|object| is_it(object)).map(|object| object.1).sum::<u64>()
            };
            match what {
                0..=2 => {
                    heap.allocate(&mut calls[call], bytes);
                    list.push((Some(call), bytes, false));
                }
                3 => {
                    heap.drop(std::mem::take(&mut calls[call]));
                    list.iter_mut().filter(|o| o.0 == Some(call)).for_each(|o| o.0 = None);
                }
                4 => {
                    assert_eq!(heap.collect_young(), bytes_of(&list, &|o| !o.2 && o.0.is_some()));
                    list.retain(|o| o.2 || o.0.is_some());
                    list.iter_mut().for_each(|o| o.2 = true);
                }
                _ => {
                    assert_eq!(heap.begin_cycle(), bytes_of(&list, &|o| o.0.is_some()));
                    // What becomes garbage meanwhile waits for the next.
                    heap.drop(std::mem::take(&mut calls[call]));
                    let died = |o: &(Option<usize>, u64, bool)| o.0 == Some(call);
                    list.retain(|o| !o.2 || o.0.is_some());
                    list.iter_mut().filter(|o| died(o)).for_each(|o| o.0 = None);
                    heap.end_cycle();
                }
            }
            let (alive, used) = (bytes_of(&list, &|o| o.0.is_some()), bytes_of(&list, &|_| true));
            assert_eq!((heap.alive(), heap.used()), (alive, used));
        }
    }
}
