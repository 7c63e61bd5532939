//! Balancing: which of several targets gets the next call.
//!
//! A [`Choosing`] is pure: it is told what begins and ends and what there is to know of targets, and draws from what it is
//! given. Its state belongs to one balancer, so several balancers side by side know nothing of each other's calls, nor of
//! what the others have been told.

pub mod beliefs;
pub mod checker;
pub mod discovery;
pub mod ejection;
pub mod fewest;
pub mod health_check;
pub mod lookout;
pub mod maglev;
pub mod nearest;
pub mod peak_ewma;
pub mod probing;
pub mod ranks;
pub mod ring;
pub mod shares;
pub mod slow_start;
pub mod smooth;
pub mod sticky;
pub mod subset;

use settings::{Duration, Setting};
use sim_core::keys::AliasTable;
use sim_core::random::Draw;
use sim_core::{News, Span, Time};

use crate::policies::flaw::Flaw;
use crate::policies::or_none::OrNone;
use beliefs::Beliefs;
use fewest::{Fewest, FewestByWeight};
use maglev::{Maglev, is_prime};
use nearest::Nearest;
use peak_ewma::PeakEwma;
use ring::Ring;
use shares::Shares;
use slow_start::{SlowStartSettings, Warming};
use smooth::Smooth;
use sticky::{Sticky, StickyBy};

/// What is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum HashedBy {
    /// The data key of the request.
    Key,
    /// The client that sent it, so that all its calls go to one target (`ip_hash`, sticky sessions).
    Client,
}

/// How a target is chosen for each call.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum AlgorithmSettings {
    /// Round robin, in order.
    RoundRobin,
    /// Round robin by weight, spread evenly (nginx's smooth form: weights 5, 1, 1 give a a b a c a a).
    WeightedRoundRobin,
    /// A random replica, in proportion to its weight.
    Random,
    /// The one with the fewest calls in flight; the first if equal. With weights, the one with the largest weight ÷
    /// (calls + 1), as Envoy's weighted least request.
    LeastConnections,
    /// Draws some at random and takes the one with the fewest calls in flight; the first drawn if equal (Mitzenmacher,
    /// *The Power of Two Choices*).
    PowerOfTwo {
        /// Number of candidates drawn. Envoy's default is 2.
        #[setting(default = 2, range = "2..=64")]
        choices: u32,
    },
    /// The cheaper of two drawn at random: a moving average of its latencies that jumps to peaks, times the calls it would have (Finagle's
    /// `PeakEwma`).
    PeakEwma {
        /// Time in which an average falls to 1/e of the way to what is observed since. Finagle's and Linkerd's default.
        #[setting(default = "10s", range = ">0s")]
        decay: Duration,
        /// Average of a target that has not answered yet. With `none`, Finagle's default, it gets one call and no other before it answers.
        /// Linkerd's is 30 ms.
        #[setting(default = "none")]
        initial: OrNone<Duration>,
    },
    /// By the key's place on a ring of hashes, so that calls with one key go to one target.
    RingHash {
        /// What decides where a call goes.
        #[setting(default = "key")]
        by: HashedBy,
        /// Least places on the ring. Envoy's default (`minimum_ring_size`).
        #[setting(default = 1024, range = "1..=8388608")]
        min_size: u32,
        /// Most places on the ring. Envoy's default (`maximum_ring_size`).
        #[setting(default = 8388608, range = "1..=8388608")]
        max_size: u32,
        /// Calls in flight that a target may have, times the mean, before its keys go to the next one on the ring. 1.25 is usual. Without
        /// it, only the key decides.
        #[setting(range = "1..")]
        max_load: Option<f64>,
    },
    /// By the key, through Maglev's table: an even spread that changes little when targets come and go.
    Maglev {
        /// What decides where a call goes.
        #[setting(default = "key")]
        by: HashedBy,
        /// Rows of the table, a prime number. Envoy's default.
        #[setting(default = 65537, range = "2..=5000011")]
        table_size: u32,
        /// Calls in flight that a target may have, times the mean, before its keys go elsewhere. Without it, only the key decides.
        #[setting(range = "1..")]
        max_load: Option<f64>,
    },
    /// The targets with the shortest round trip, in turn, as long as enough of them are healthy; then those next to them (Envoy's priority
    /// levels).
    Locality {
        /// Share of healthy targets, times this, that a level can serve alone. Envoy's overprovisioning factor.
        #[setting(default = 1.4, range = "1..=1000")]
        overprovisioning: f64,
    },
}

impl AlgorithmSettings {
    /// Whether the weights of targets have an effect.
    pub fn uses_weights(&self) -> bool {
        match self {
            AlgorithmSettings::WeightedRoundRobin
            | AlgorithmSettings::Random
            | AlgorithmSettings::LeastConnections
            | AlgorithmSettings::RingHash { .. }
            | AlgorithmSettings::Maglev { .. } => true,
            AlgorithmSettings::RoundRobin
            | AlgorithmSettings::PowerOfTwo { .. }
            | AlgorithmSettings::PeakEwma { .. }
            | AlgorithmSettings::Locality { .. } => false,
        }
    }

    /// What it hashes, where that decides: calls must say it.
    pub fn hashes(&self) -> Option<HashedBy> {
        match self {
            AlgorithmSettings::RingHash { by, .. } | AlgorithmSettings::Maglev { by, .. } => Some(*by),
            AlgorithmSettings::RoundRobin
            | AlgorithmSettings::WeightedRoundRobin
            | AlgorithmSettings::Random
            | AlgorithmSettings::LeastConnections
            | AlgorithmSettings::PowerOfTwo { .. }
            | AlgorithmSettings::PeakEwma { .. }
            | AlgorithmSettings::Locality { .. } => None,
        }
    }

    /// Whether it must be told how long calls take.
    pub fn measures(&self) -> bool {
        matches!(self, AlgorithmSettings::PeakEwma { .. })
    }

    /// Whether the nearest targets get all calls while they are well.
    pub fn goes_by_distance(&self) -> bool {
        matches!(self, AlgorithmSettings::Locality { .. })
    }

    /// What is wrong with the settings as a whole.
    pub fn flaws(&self) -> Vec<Flaw> {
        let flaw = |key: &str, message: String, help: &str| {
            vec![Flaw { code: "out_of_range", key: key.to_string(), message, help: help.to_string() }]
        };
        match self {
            AlgorithmSettings::Maglev { table_size, .. } if !is_prime(*table_size) => {
                let message =
                    format!("`table_size` {table_size} is not a prime number, so targets could not reach every row");
                flaw("maglev.table_size", message, "write a prime number, such as 65537")
            }
            AlgorithmSettings::RingHash { min_size, max_size, .. } if min_size > max_size => {
                let message = format!("`min_size` {min_size} is larger than `max_size` {max_size}");
                flaw("ring_hash.min_size", message, "write a smaller `min_size`")
            }
            AlgorithmSettings::RoundRobin
            | AlgorithmSettings::WeightedRoundRobin
            | AlgorithmSettings::Random
            | AlgorithmSettings::LeastConnections
            | AlgorithmSettings::PowerOfTwo { .. }
            | AlgorithmSettings::PeakEwma { .. }
            | AlgorithmSettings::RingHash { .. }
            | AlgorithmSettings::Maglev { .. }
            | AlgorithmSettings::Locality { .. } => Vec::new(),
        }
    }

    /// Whether it can give somebody a part of its turns: not where the key decides, nor where latencies do.
    pub fn can_spare(&self) -> bool {
        match self {
            AlgorithmSettings::RoundRobin
            | AlgorithmSettings::WeightedRoundRobin
            | AlgorithmSettings::Random
            | AlgorithmSettings::LeastConnections
            | AlgorithmSettings::PowerOfTwo { .. } => true,
            AlgorithmSettings::PeakEwma { .. }
            | AlgorithmSettings::RingHash { .. }
            | AlgorithmSettings::Maglev { .. }
            | AlgorithmSettings::Locality { .. } => false,
        }
    }
}

/// What a choice may ask of the world: about the call for which it is made, and the instant.
pub trait World {
    /// Random numbers about the call.
    fn draw(&mut self) -> Draw;
    /// The data that it is about.
    fn key(&mut self) -> u64;
    /// The client that it came from.
    fn client(&mut self) -> u64;
    /// The instant.
    fn now(&self) -> Time;
}

/// What one balancer knows, by algorithm.
#[derive(Clone, Debug)]
enum Way {
    RoundRobin { next: usize },
    Weighted(Smooth),
    Random,
    RandomByWeight { all: Option<AliasTable>, usable: Shares },
    Fewest(Fewest),
    FewestByWeight(FewestByWeight),
    PowerOfTwo { choices: usize, loads: Vec<u32>, swapped: Vec<(usize, usize)> },
    PeakEwma(PeakEwma),
    Ring { by: HashedBy, ring: Box<Ring> },
    Maglev { by: HashedBy, maglev: Box<Maglev> },
    Nearest(Nearest),
}

impl Way {
    /// With nothing under way, and all that can be called.
    fn new(algorithm: &AlgorithmSettings, weights: &[f64], distances: &[Span]) -> Way {
        let count = weights.len();
        let even = weights.iter().all(|w| *w == weights[0]);
        match algorithm {
            AlgorithmSettings::RoundRobin => Way::RoundRobin { next: 0 },
            AlgorithmSettings::WeightedRoundRobin => Way::Weighted(Smooth::new(weights)),
            AlgorithmSettings::Random if even => Way::Random,
            AlgorithmSettings::Random => {
                Way::RandomByWeight { all: AliasTable::new(weights).ok(), usable: Shares::new(weights) }
            }
            AlgorithmSettings::LeastConnections if even => Way::Fewest(Fewest::new(count)),
            AlgorithmSettings::LeastConnections => Way::FewestByWeight(FewestByWeight::new(weights)),
            AlgorithmSettings::PowerOfTwo { choices } => {
                Way::PowerOfTwo { choices: *choices as usize, loads: vec![0; count], swapped: Vec::new() }
            }
            AlgorithmSettings::PeakEwma { decay, initial } => {
                Way::PeakEwma(PeakEwma::new(count, decay.0, initial.map(|initial| initial.0)))
            }
            AlgorithmSettings::RingHash { by, min_size, max_size, max_load } => {
                Way::Ring { by: *by, ring: Box::new(Ring::new(weights, *min_size, *max_size, *max_load)) }
            }
            AlgorithmSettings::Maglev { by, table_size, max_load } => {
                Way::Maglev { by: *by, maglev: Box::new(Maglev::new(weights, *table_size, *max_load)) }
            }
            AlgorithmSettings::Locality { overprovisioning } => {
                Way::Nearest(Nearest::new(distances, *overprovisioning))
            }
        }
    }

    /// The registry has a target, or no longer has it.
    fn set_member(&mut self, target: usize, is_member: bool) {
        if let Way::Nearest(nearest) = self {
            nearest.set_member(target, is_member);
        }
    }

    /// Whether the same target is chosen again unless a call to it begins, or it is set aside.
    fn insists(&self) -> bool {
        matches!(self, Way::Fewest(_) | Way::FewestByWeight(_))
    }

    /// A target can be called, or can no longer be.
    fn set_usable(&mut self, target: usize, weight: f64, is_usable: bool) {
        match self {
            Way::RoundRobin { .. } | Way::Random | Way::PowerOfTwo { .. } | Way::PeakEwma(_) => {}
            Way::Ring { ring, .. } => ring.set_usable(target, is_usable),
            Way::Maglev { maglev, .. } => maglev.set_usable(target, is_usable),
            Way::Nearest(nearest) => nearest.set_usable(target, is_usable),
            Way::Weighted(smooth) => smooth.set_usable(target, is_usable),
            Way::RandomByWeight { usable, .. } => usable.set(target, if is_usable { weight } else { 0.0 }),
            Way::Fewest(fewest) => fewest.set_usable(target, is_usable),
            Way::FewestByWeight(fewest) => fewest.set_usable(target, is_usable),
        }
    }
}

/// Chooses among targets, which are numbered from 0.
#[derive(Clone, Debug)]
pub struct Choosing {
    algorithm: AlgorithmSettings,
    weights: Vec<f64>,
    /// The round trip to each; empty where that does not matter.
    distances: Vec<Span>,
    beliefs: Beliefs,
    way: Way,
    /// What decides beside the algorithm, where anything does.
    beside: Option<Box<Beside>>,
}

/// What decides beside the algorithm.
#[derive(Clone, Debug, Default)]
struct Beside {
    /// Those that are spared.
    warming: Option<Warming>,
    /// Where clients or keys were sent last.
    sticky: Option<Sticky>,
}

impl Choosing {
    /// For targets with these weights and round trips, of which this is believed, with nothing under way.
    pub fn new(algorithm: &AlgorithmSettings, weights: Vec<f64>, distances: Vec<Span>, beliefs: Beliefs) -> Choosing {
        let distances = if algorithm.goes_by_distance() { distances } else { Vec::new() };
        let way = Way::new(algorithm, &weights, &distances);
        let mut choosing = Choosing { algorithm: algorithm.clone(), weights, distances, beliefs, way, beside: None };
        choosing.begin();
        choosing
    }

    /// The same, that spares those that have just come up.
    pub fn with_slow_start(mut self, settings: Option<&SlowStartSettings>) -> Choosing {
        if let Some(settings) = settings {
            self.beside.get_or_insert_default().warming = Some(Warming::new(settings));
        }
        self
    }

    /// The same, that sends each client or key where it was sent last.
    pub fn with_sticky(mut self, by: Option<StickyBy>) -> Choosing {
        if let Some(by) = by {
            self.beside.get_or_insert_default().sticky = Some(Sticky::new(by));
        }
        self
    }

    /// Where clients or keys were sent last.
    pub fn sticky(&self) -> Option<&Sticky> {
        self.beside.as_ref()?.sticky.as_ref()
    }

    /// Measuring begins.
    pub fn begin_measuring(&mut self) {
        if let Some(sticky) = self.beside.as_mut().and_then(|beside| beside.sticky.as_mut()) {
            sticky.begin_measuring();
        }
    }

    fn warming(&mut self) -> Option<&mut Warming> {
        self.beside.as_mut()?.warming.as_mut()
    }

    /// Nothing is under way any more; what is believed stays.
    pub fn begin(&mut self) {
        self.way = Way::new(&self.algorithm, &self.weights, &self.distances);
        for target in (0..self.weights.len()).filter(|target| !self.beliefs.is_member(*target)) {
            self.way.set_member(target, false);
        }
        if self.beliefs.all_usable() {
            return;
        }
        for target in (0..self.weights.len()).filter(|target| !self.beliefs.is_usable(*target)) {
            self.way.set_usable(target, self.weights[target], false);
        }
    }

    /// What is believed of the targets.
    pub fn beliefs(&self) -> &Beliefs {
        &self.beliefs
    }

    /// There is news of a target.
    pub fn learn(&mut self, target: usize, news: News) {
        let Choosing { beliefs, way, weights, .. } = self;
        let is_there = match news {
            News::Joined => true,
            News::Left => false,
            News::Down | News::Up | News::Changed => beliefs.is_member(target),
        };
        if is_there != beliefs.is_member(target) {
            way.set_member(target, is_there);
        }
        beliefs.learn(target, news, &mut |target, usable| way.set_usable(target, weights[target], usable));
    }

    /// A target is ejected for what it answered, or no longer is.
    pub fn eject(&mut self, target: usize, is_ejected: bool) {
        let Choosing { beliefs, way, weights, .. } = self;
        beliefs.eject(target, is_ejected, &mut |target, usable| way.set_usable(target, weights[target], usable));
    }

    /// A target has just come up.
    pub fn warm(&mut self, now: Time, target: usize) {
        if let Some(warming) = self.warming() {
            warming.begin(now, target);
        }
    }

    /// Nothing is under way any more, and whatever was found out about those that are there is forgotten.
    pub fn forget(&mut self) {
        self.beliefs.forget();
        if let Some(warming) = self.warming() {
            warming.forget();
        }
        self.begin();
    }

    /// A target that can be called, as far as is known, or `None` where there is none; a call to it begins.
    #[inline]
    pub fn choose(&mut self, world: &mut impl World) -> Option<usize> {
        match &mut self.way {
            Way::Fewest(fewest) if self.beside.is_none() => fewest.call(),
            _ if self.beside.is_some() => self.choose_beside(world),
            _ => self.choose_otherwise(world),
        }
    }

    /// The choice where more than the algorithm decides.
    #[cold]
    #[inline(never)]
    fn choose_beside(&mut self, world: &mut impl World) -> Option<usize> {
        // A request of no client is free.
        let who = self.sticky().map(|sticky| match sticky.by {
            StickyBy::Client => (world.client() != 0).then(|| world.client()),
            StickyBy::Key => Some(world.key()),
        });
        let Some(Some(who)) = who else { return self.choose_anew(world) };
        let place = self.sticky().and_then(|sticky| sticky.place(who));
        if let Some(target) = place.filter(|target| self.beliefs.is_usable(*target)) {
            self.take(target);
            return Some(target);
        }
        let target = self.choose_anew(world)?;
        if let Some(sticky) = self.beside.as_mut().and_then(|beside| beside.sticky.as_mut()) {
            sticky.settle(who, target);
        }
        Some(target)
    }

    fn choose_anew(&mut self, world: &mut impl World) -> Option<usize> {
        match self.warming().is_some_and(|warming| !warming.is_over()) {
            true => self.choose_and_spare(world),
            false => self.choose_otherwise(world),
        }
    }

    /// A call to a target begins that the algorithm has not chosen.
    fn take(&mut self, target: usize) {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.begin(target),
            Way::FewestByWeight(fewest) => fewest.begin(target),
            Way::PowerOfTwo { loads, .. } => loads[target] += 1,
            Way::PeakEwma(ewma) => ewma.begin(target),
            Way::Ring { ring, .. } => ring.begin(target),
            Way::Maglev { maglev, .. } => maglev.begin(target),
            Way::RoundRobin { .. } | Way::Weighted(_) | Way::Random | Way::RandomByWeight { .. } | Way::Nearest(_) => {}
        }
    }

    /// The choice while some are spared: whoever does not take its turn is passed over.
    #[cold]
    #[inline(never)]
    fn choose_and_spare(&mut self, world: &mut impl World) -> Option<usize> {
        const TRIES: usize = 64;
        let now = world.now();
        let mut aside = Vec::new();
        let mut chosen = None;
        for _ in 0..TRIES {
            chosen = self.choose_otherwise(world);
            let Some(target) = chosen else { break };
            let share = self.warming().map_or(1.0, |warming| warming.share(now, target));
            if share >= 1.0 || world.draw().unit() < share {
                break;
            }
            self.end(target);
            chosen = None;
            if self.way.insists() {
                self.way.set_usable(target, self.weights[target], false);
                aside.push(target);
            }
        }
        for target in aside {
            self.way.set_usable(target, self.weights[target], true);
        }
        // All of them are spared: then nobody is.
        chosen.or_else(|| self.choose_otherwise(world))
    }

    /// The algorithms that draw, go round or weigh.
    #[inline(never)]
    fn choose_otherwise(&mut self, world: &mut impl World) -> Option<usize> {
        let Choosing { beliefs, way, .. } = self;
        let usable = beliefs.usable();
        match way {
            Way::RoundRobin { next } => {
                let target = beliefs.next(*next)?;
                *next = if target + 1 == beliefs.targets() { 0 } else { target + 1 };
                Some(target)
            }
            Way::Weighted(smooth) => smooth.choose(),
            Way::Random if usable == 0 => None,
            Way::Random => Some(beliefs.nth(world.draw().below(usable as u64) as usize)),
            Way::RandomByWeight { all: Some(table), .. } if beliefs.all_usable() => {
                Some(table.sample(&mut world.draw()))
            }
            Way::RandomByWeight { usable, .. } => usable.at(world.draw().unit()),
            Way::Fewest(fewest) => fewest.call(),
            Way::FewestByWeight(fewest) => {
                let target = fewest.choose()?;
                fewest.begin(target);
                Some(target)
            }
            Way::PowerOfTwo { choices, loads, swapped } => {
                let mut draw = world.draw();
                let target = if *choices == 2 && usable > 2 {
                    let first = draw.below(usable as u64) as usize;
                    let second = draw.below(usable as u64 - 1) as usize;
                    let second = beliefs.nth(second + (second >= first) as usize);
                    let first = beliefs.nth(first);
                    if loads[second] < loads[first] { second } else { first }
                } else {
                    among(*choices, loads, swapped, &mut draw, beliefs)?
                };
                loads[target] += 1;
                Some(target)
            }
            Way::PeakEwma(ewma) => ewma.choose(world.now(), &mut world.draw(), beliefs),
            Way::Ring { by, ring } => ring.choose(hashed(*by, world), usable),
            Way::Maglev { by, maglev } => maglev.choose(hashed(*by, world), usable),
            Way::Nearest(nearest) => nearest.choose(|| world.draw()),
        }
    }

    /// Whether it must be told how long calls take ([`Choosing::took`]).
    pub fn measures(&self) -> bool {
        self.algorithm.measures()
    }

    /// A call to a target that has ended took so long.
    pub fn took(&mut self, now: Time, target: usize, span: Span) {
        if let Way::PeakEwma(ewma) = &mut self.way {
            ewma.took(now, target, span);
        }
    }

    /// A call to a target has ended, or is no longer waited for.
    #[inline]
    pub fn end(&mut self, target: usize) {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.end(target),
            _ => self.end_otherwise(target),
        }
    }

    #[inline(never)]
    fn end_otherwise(&mut self, target: usize) {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.end(target),
            Way::FewestByWeight(fewest) => fewest.end(target),
            Way::PowerOfTwo { loads, .. } => loads[target] -= 1,
            Way::PeakEwma(ewma) => ewma.end(target),
            Way::Ring { ring, .. } => ring.end(target),
            Way::Maglev { maglev, .. } => maglev.end(target),
            Way::RoundRobin { .. } | Way::Weighted(_) | Way::Random | Way::RandomByWeight { .. } | Way::Nearest(_) => {}
        }
    }
}

/// What decides where a call goes.
fn hashed(by: HashedBy, world: &mut impl World) -> u64 {
    match by {
        HashedBy::Key => world.key(),
        HashedBy::Client => world.client(),
    }
}

/// Draws `choices` different targets among those that can be called and takes the one with the least load. The draws are the
/// first steps of a Fisher-Yates shuffle, of which only the swaps are kept, as (position, target now there), so that
/// the cost does not grow with the number of targets.
fn among(
    choices: usize,
    loads: &[u32],
    swapped: &mut Vec<(usize, usize)>,
    draw: &mut Draw,
    beliefs: &Beliefs,
) -> Option<usize> {
    swapped.clear();
    let usable = beliefs.usable();
    let mut best: Option<usize> = None;
    for nth in 0..choices.min(usable) {
        let other = nth + draw.below((usable - nth) as u64) as usize;
        let at = |place: usize, swapped: &[(usize, usize)]| {
            let moved = swapped.iter().rev().find(|(at, _)| *at == place);
            moved.map_or_else(|| beliefs.nth(place), |(_, who)| *who)
        };
        let (here, target) = (at(nth, swapped), at(other, swapped));
        swapped.push((other, here));
        if best.is_none_or(|b| loads[target] < loads[b]) {
            best = Some(target);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Key;

    fn algorithm(text: &str) -> AlgorithmSettings {
        settings::notation::read(text).expect("an algorithm")
    }

    fn choosing(text: &str, weights: &[f64]) -> Choosing {
        let distances = (0..weights.len() as u64).map(|nth| nth / 2).collect();
        Choosing::new(&algorithm(text), weights.to_vec(), distances, Beliefs::new(weights.len()))
    }

    /// The world of a call with a number, in the low half. The high half counts its draws.
    struct Nth(u64);

    impl World for Nth {
        fn draw(&mut self) -> Draw {
            let draw = Key::root(1, 2, self.0).draw(3, 0);
            self.0 += 1 << 32;
            draw
        }

        fn key(&mut self) -> u64 {
            self.0 & 0xffff_ffff
        }

        fn client(&mut self) -> u64 {
            self.0 & 0xf
        }

        fn now(&self) -> Time {
            self.0 & 0xffff_ffff
        }
    }

    #[test]
    fn smooth_round_robin_spreads_five_one_one_as_nginx_does() {
        let mut choosing = choosing("weighted_round_robin", &[5.0, 1.0, 1.0]);
        let order: String =
            (0..14).map(|n| ["a", "b", "c"][choosing.choose(&mut Nth(n)).expect("all are up")]).collect();
        assert_eq!(order, "aabacaaaabacaa");
    }

    #[test]
    fn round_robin_goes_round_and_skips_what_is_down() {
        let mut choosing = choosing("round_robin", &[1.0; 3]);
        let next = |choosing: &mut Choosing| choosing.choose(&mut Nth(0));
        assert_eq!([0; 4].map(|_| next(&mut choosing)), [Some(0), Some(1), Some(2), Some(0)]);
        choosing.learn(1, News::Down);
        assert_eq!([0; 2].map(|_| next(&mut choosing)), [Some(2), Some(0)]);
        choosing.begin();
        assert_eq!([0; 2].map(|_| next(&mut choosing)), [Some(0), Some(2)]);
    }

    #[test]
    fn nothing_is_chosen_when_all_are_down() {
        let all = ["round_robin", "weighted_round_robin", "random", "least_connections", "power_of_two"];
        for text in all.into_iter().chain(["peak_ewma", "ring_hash", "maglev", "locality"]) {
            for weights in [vec![1.0; 3], vec![1.0, 2.0, 3.0]] {
                let mut choosing = choosing(text, &weights);
                (0..3).for_each(|target| choosing.learn(target, News::Down));
                assert_eq!(choosing.choose(&mut Nth(0)), None, "{text}");
                choosing.learn(1, News::Up);
                assert_eq!(choosing.choose(&mut Nth(0)), Some(1), "{text}");
            }
        }
    }

    #[test]
    fn random_follows_the_weights_of_those_that_are_up() {
        // 10,000 draws: a share of 1/4 has a standard deviation of 43; five of them fail once in two million.
        let mut choosing = choosing("random", &[1.0, 2.0, 3.0]);
        let mut counts = [0; 3];
        choosing.learn(1, News::Left);
        for n in 0..10_000 {
            counts[choosing.choose(&mut Nth(n)).expect("two are up")] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((counts[0] as f64 - 2_500.0).abs() < 5.0 * 43.3, "{counts:?}");
    }

    #[test]
    fn two_choices_are_two_different_targets() {
        // With two targets the lesser of both is always seen, so the loads never differ by more than one.
        for text in ["power_of_two", "{power_of_two: {choices: 3}}"] {
            let mut choosing = choosing(text, &[1.0; 3]);
            let mut loads = [0i32; 3];
            choosing.learn(2, News::Down);
            for n in 0..300 {
                loads[choosing.choose(&mut Nth(n)).expect("two are up")] += 1;
                assert!((loads[0] - loads[1]).abs() <= 1);
            }
        }
    }

    #[test]
    fn two_choices_never_take_the_busiest() {
        let mut choosing = choosing("power_of_two", &[1.0; 5]);
        let mut loads = [0u32; 5];
        for n in 0..1_000 {
            let busiest = (0..5).filter(|t| loads[*t] == *loads.iter().max().expect("five")).collect::<Vec<_>>();
            let chosen = choosing.choose(&mut Nth(n)).expect("all are up");
            assert!(busiest.len() > 1 || busiest[0] != chosen);
            loads[chosen] += 1;
            if n % 3 == 0 {
                let ends = (n % 5) as usize;
                if loads[ends] > 0 {
                    loads[ends] -= 1;
                    choosing.end(ends);
                }
            }
        }
    }

    #[test]
    fn a_target_of_twice_the_weight_gets_twice_the_calls() {
        let mut choosing = choosing("least_connections", &[1.0, 2.0]);
        let mut loads = [0; 2];
        for n in 0..30 {
            loads[choosing.choose(&mut Nth(n)).expect("both are up")] += 1;
        }
        assert_eq!(loads, [10, 20]);
    }

    #[test]
    fn a_client_stays_with_its_target() {
        for text in ["{ring_hash: {by: client}}", "{maglev: {by: client, table_size: 251}}"] {
            let mut choosing = choosing(text, &[1.0; 5]);
            let first: Vec<Option<usize>> = (0..16).map(|n| choosing.choose(&mut Nth(n))).collect();
            assert!(first.iter().collect::<std::collections::BTreeSet<_>>().len() > 1, "{text}: {first:?}");
            (16..100).for_each(|n| assert_eq!(choosing.choose(&mut Nth(n)), first[n as usize % 16], "{text}"));
        }
    }

    #[test]
    fn who_has_just_come_up_gets_a_part_of_its_share() {
        // Of four, one takes three in ten of its turns: 0.3 ÷ 3.3 of the calls. Of 20,000 that is known to 0.2 %; five of those.
        let settings = settings::notation::read("{window: 10s, minimum: 30%}").expect("settings");
        for text in ["round_robin", "random", "weighted_round_robin"] {
            let mut choosing = choosing(text, &[1.0; 4]).with_slow_start(Some(&settings));
            choosing.warm(0, 2);
            let mut counts = [0; 4];
            (0..20_000).for_each(|n| counts[choosing.choose(&mut Nth(n)).expect("all are up")] += 1);
            let share = f64::from(counts[2]) / 20_000.0;
            assert!((share - 0.3 / 3.3).abs() < 0.011, "{text}: {counts:?}");
        }
        // Alone, it takes all; and whoever is set aside is not lost.
        let mut choosing = choosing("least_connections", &[1.0; 2]).with_slow_start(Some(&settings));
        choosing.warm(0, 0);
        let mut loads = [0; 2];
        (0..100).for_each(|n| loads[choosing.choose(&mut Nth(n)).expect("both are up")] += 1);
        assert!(loads[0] > 0 && loads[0] < loads[1], "{loads:?}");
        choosing.learn(1, News::Down);
        assert_eq!(choosing.choose(&mut Nth(500)), Some(0));
    }

    #[test]
    fn of_many_the_two_that_are_well_are_found() {
        for text in
            ["round_robin", "random", "least_connections", "{power_of_two: {choices: 64}}", "peak_ewma", "ring_hash"]
        {
            let mut choosing = choosing(text, &vec![1.0; 10_000]);
            (0..10_000).filter(|t| t % 5_000 != 77).for_each(|target| choosing.learn(target, News::Down));
            let chosen: std::collections::BTreeSet<_> = (0..40).filter_map(|n| choosing.choose(&mut Nth(n))).collect();
            assert_eq!(chosen.into_iter().collect::<Vec<_>>(), [77, 5_077], "{text}");
        }
    }
}
