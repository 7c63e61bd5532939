//! What a handler takes, step by step, as far as it can be known without running it.
//!
//! Times are those of one who waits for nothing but what the steps say. Each step has a law of how long it takes and goes on, and
//! of how long it takes and ends the handler, and with which answer; what the branches of a step do does not depend on each other.

use std::collections::BTreeMap;

use sim_core::Outcome;

use super::{
    ChoiceSettings, CostModel, CostOn, Need, OnFailure, ParallelStep, ReplyWord, SplitStep, Step, StepCall, StepKey,
};
use crate::demand::{CallsMade, Counts, Demand, Outcomes, Surroundings, add, larger, most};
use crate::law::{Branch, Law, side_by_side};

/// What the steps of a handler take. `passed_on` is what a caller is told when a call that was made for it failed.
pub fn demand(steps: &[Step], passed_on: fn(Outcome) -> Outcome, around: &mut Surroundings<'_>) -> Demand {
    let mut walk =
        Walk { demand: Demand::default(), means: Counts::new(), pieces: 0.0, cuts: Vec::new(), passed_on, around };
    let Course { goes_on, ended, replied } = walk.steps(steps, 1.0, true);
    let Walk { mut demand, mut means, pieces, .. } = walk;
    demand.held = ended.all().or(&goes_on);
    demand.answer = replied.unwrap_or_else(|| {
        let mut answer = ended;
        answer.add(Outcome::Ok, &goes_on);
        answer
    });
    demand.turns += 1.0;
    demand.piece_s = if pieces > 0.0 { demand.cpu_s / pieces } else { 0.0 };
    let at_once = at_once(steps);
    demand.cpu_at_once = at_once.get(&None).copied().unwrap_or(0.0);
    let at_most = most_calls(steps, true);
    let before_the_answer = steps.split(|step| matches!(step, Step::Reply(_))).next().unwrap_or_default();
    let awaited = most_calls(before_the_answer, false);
    let waited_for = most_calls(steps, false);
    at_most.keys().for_each(|call| {
        means.entry(*call).or_insert(0.0);
    });
    demand.calls = means
        .into_iter()
        .map(|((link, op, key), mean)| CallsMade {
            link: link.to_string(),
            op: op.map(str::to_string),
            key,
            mean,
            most: at_most.get(&(link, op, key)).copied().unwrap_or(mean),
            at_once: at_once.get(&Some(link)).copied().unwrap_or(1.0),
            awaited: awaited.contains_key(&(link, op, key)),
            sent: !waited_for.contains_key(&(link, op, key)),
        })
        .collect();
    demand
}

impl<'a> StepCall<'a> {
    /// What tells it from other calls where calls are counted.
    fn counted(&self) -> (&'a str, Option<&'a str>, Option<u64>) {
        (self.link.as_str(), self.op.map(|op| op.as_str()), self.key.and_then(StepKey::key))
    }
}

struct Walk<'a, 'b, 'c> {
    demand: Demand,
    means: Counts<'a>,
    /// Pieces of work on a core, on average.
    pieces: f64,
    /// When what is done side by side with the steps ends them, from when they began, and how much later this was.
    cuts: Vec<(Law, Law)>,
    passed_on: fn(Outcome) -> Outcome,
    around: &'b mut Surroundings<'c>,
}

/// How steps that are begun go.
struct Course {
    /// How long they take where the handler goes on behind them.
    goes_on: Law,
    /// How long they take where they end it, and with which answer.
    ended: Outcomes,
    /// How the call has been answered in them, where the answer was given before the end.
    replied: Option<Outcomes>,
}

impl Course {
    /// The handler always goes on.
    fn on(after_s: Law) -> Course {
        Course { goes_on: after_s, ended: Outcomes::none(), replied: None }
    }
}

/// How many times in a row something is followed step by step; what is done more often is taken at its mean number.
const REPEATS_MAX: u64 = 100;

impl<'a> Walk<'a, '_, '_> {
    /// Steps that are begun `weight` times a call, on average; `outermost` ones may answer it.
    fn steps(&mut self, steps: &'a [Step], weight: f64, outermost: bool) -> Course {
        let mut course = Course::on(Law::always(0.0));
        for step in steps {
            if let Step::Reply(word) = step
                && outermost
                && course.replied.is_none()
            {
                let mut answer = course.ended.clone();
                let outcome = match word {
                    ReplyWord::Ok => Outcome::Ok,
                    ReplyWord::Accepted => Outcome::Accepted,
                };
                answer.add(outcome, &course.goes_on);
                course.replied = Some(answer);
            }
            let times = weight * course.goes_on.weight();
            if times <= 0.0 {
                break;
            }
            let so_far = course.goes_on;
            let next = self.step_after(&so_far, step, times);
            course.goes_on = so_far.then(&next.goes_on);
            course.ended.add_all(&next.ended.map(|law| so_far.then(law)));
        }
        course
    }

    /// A step that is reached `times` a call, on average, and begun as far as nothing has ended it by then.
    fn step_after(&mut self, so_far: &Law, step: &'a Step, times: f64) -> Course {
        if self.cuts.is_empty() {
            return self.step(step, times);
        }
        let before: Vec<(Law, Law)> = self.cuts.clone();
        let reached = so_far.weighted(1.0 / so_far.weight());
        let mut left = 1.0;
        for (ends, since) in &mut self.cuts {
            *since = since.then(&reached);
            left *= 1.0 - ends.before(since);
        }
        let course = self.step(step, times * left);
        self.cuts = before;
        course
    }

    /// A step that is begun `times` a call, on average.
    fn step(&mut self, step: &'a Step, times: f64) -> Course {
        match step {
            Step::Cpu(work) => Course::on(self.work(Law::of_durations(&work.0), times)),
            Step::Wait(time) => {
                self.demand.turns += times;
                Course::on(Law::of_durations(&time.0))
            }
            Step::Block(time) => {
                let law = Law::of_durations(&time.0);
                self.demand.blocks_s += times * law.mean();
                self.demand.pieces_s2 += times * law.mean_square();
                Course::on(law)
            }
            Step::Call(call) => {
                self.called(step, times);
                self.demand.turns += times;
                let answer = (self.around.call)(call.link.as_str(), call.op.as_ref().map(|o| o.as_str()));
                self.answered(&answer, call.on_failure.as_ref(), times)
            }
            Step::Send(_) => {
                self.called(step, times);
                Course::on(Law::always(0.0))
            }
            Step::Parallel(parallel) => self.parallel(parallel, times),
            Step::Split(split) => self.split(split, times),
            Step::Repeat { times: count, steps } => self.repeat(&Law::of(&count.0), steps, times),
            Step::Choose(choices) => self.choose(choices, times),
            Step::Lock { name, steps, .. } => {
                let works_s = |demand: &Demand| demand.cpu_s + demand.blocks_s;
                let (before, waits_before) = (works_s(&self.demand), self.demand.waits_under_locks_s);
                let one = self.steps(steps, times, false);
                let held_s = times * (one.goes_on.sum() + one.ended.mean_s());
                self.holds(name.as_str(), held_s);
                // A lock within it is held for a part of the same time.
                self.demand.waits_under_locks_s = waits_before + (held_s - (works_s(&self.demand) - before)).max(0.0);
                one
            }
            Step::Offload(steps) => {
                let (cpu_s, blocks_s) = (self.demand.cpu_s, self.demand.blocks_s);
                let one = self.steps(steps, times, false);
                // It waits for a thread, which blocks instead of what runs the handler.
                self.demand.blocks_s = blocks_s;
                self.demand.beside_cpu_s += self.demand.cpu_s - cpu_s;
                self.demand.offloaded_s += times * (one.goes_on.sum() + one.ended.mean_s());
                self.demand.turns += times;
                one
            }
            Step::Fail { probability, outcome } => {
                let mut ended = Outcomes::none();
                ended.add(outcome.outcome(), &Law::always(0.0).weighted(probability.0));
                Course { goes_on: Law::always(0.0).weighted(1.0 - probability.0), ended, replied: None }
            }
            Step::Leak { probability } => {
                self.demand.leaks += times * probability.0;
                Course::on(Law::always(0.0))
            }
            // The list that it stands in knows when it answers.
            Step::Reply(_) | Step::Allocate(_) => Course::on(Law::always(0.0)),
        }
    }

    /// What follows the answer to a call.
    fn answered(&mut self, answer: &Outcomes, on_failure: Option<&'a OnFailure>, times: f64) -> Course {
        let mut course = Course::on(answer.good());
        match on_failure {
            None => {
                for (outcome, law) in answer.parts().filter(|(outcome, _)| !outcome.is_good()) {
                    course.ended.add((self.passed_on)(outcome), law);
                }
            }
            Some(OnFailure::Continue) => course.goes_on = answer.all(),
            Some(OnFailure::Reply(outcome)) => course.ended.add(outcome.outcome(), &answer.failed()),
            Some(OnFailure::Steps(steps)) => {
                let failed = answer.failed();
                let instead = self.steps(steps, times * failed.weight(), false);
                course.goes_on = course.goes_on.or(&failed.then(&instead.goes_on));
                course.ended.add_all(&instead.ended.map(|law| failed.then(law)));
            }
        }
        course
    }

    /// When enough of the branches have succeeded, or too many have failed.
    fn parallel(&mut self, parallel: &'a ParallelStep, times: f64) -> Course {
        let count = parallel.branches.len();
        let cost_s = self.cost(parallel.task_cost.0 as f64 / 1e9, parallel.cost_on, times, count as f64);
        let starts = |nth: usize| if parallel.cost_model == CostModel::Staggered { nth + 1 } else { count };
        let branch = |(nth, course): (usize, &Course)| Branch {
            done: course.goes_on.clone(),
            failed: course.ended.all(),
            starts: cost_s * starts(nth) as f64,
            count: 1,
        };
        let need = match parallel.need {
            Need::All => count as u64,
            Need::Any => 1,
            Need::Number(number) => u64::from(number),
        };
        let courses: Vec<Course> = parallel.branches.iter().map(|branch| self.trial(branch)).collect();
        let branches: Vec<Branch> = courses.iter().enumerate().map(branch).collect();
        // What each branch takes is known; what it still does when the others have decided is not done.
        for (nth, steps) in parallel.branches.iter().enumerate() {
            let others: Vec<Branch> = branches
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != nth)
                .map(|(_, branch)| branch.clone())
                .collect();
            let decided = decided(&others, need, count as u64);
            let is_cut = decided.weight() > 0.0;
            // A single call is begun in any case, and nothing of it is known to its caller before its end.
            if !matches!(steps.as_slice(), [Step::Call(_) | Step::Wait(_)]) {
                self.demand.cut_short = self.demand.cut_short.max(decided.weight());
            }
            if is_cut {
                self.cuts.push((decided, Law::always(branches[nth].starts)));
            }
            self.steps(steps, times, false);
            if is_cut {
                self.cuts.pop();
            }
        }
        joined(&branches, need, courses.iter().map(|course| &course.ended))
    }

    /// When all tasks that the items are divided among have ended.
    fn split(&mut self, split: &'a SplitStep, times: f64) -> Course {
        let items = Law::of(&split.items.0);
        let cuts = self.cut_tasks(split, &items);
        let is_cut = cuts.weight() > 0.0;
        if is_cut {
            self.cuts.push((cuts, Law::always(0.0)));
        }
        let each = self.steps(&split.each, times * split.items.0.mean(), false);
        if is_cut {
            self.cuts.pop();
        }
        let tasks: f64 = items.cells().iter().map(|n| n.weight * (n.at.round() / split.per_task as f64).ceil()).sum();
        let cost_s = self.cost(split.task_cost.0 as f64 / 1e9, split.cost_on, times, tasks);
        let mut course = Course::on(Law::never());
        for number in items.cells() {
            let (items, per_task) = (number.at.round().max(0.0) as u64, split.per_task);
            let (full, rest) = (items / per_task, items % per_task);
            let all = full + u64::from(rest > 0);
            let mut branches = Vec::new();
            let mut tasks_of = |items: u64, first: u64, count: u64| {
                let (done, failed) = in_a_row(&each, items);
                let branch = |starts: u64, count| Branch {
                    done: done.clone(),
                    failed: failed.clone(),
                    starts: cost_s * starts as f64,
                    count,
                };
                match split.cost_model {
                    CostModel::SerialUpfront => branches.push(branch(all, count)),
                    CostModel::Staggered if cost_s == 0.0 => branches.push(branch(0, count)),
                    CostModel::Staggered => branches.extend((first..first + count).map(|nth| branch(nth + 1, 1))),
                }
            };
            if full > 0 {
                tasks_of(per_task, 0, full);
            }
            if rest > 0 {
                tasks_of(rest, full, 1);
            }
            let one = match all {
                0 => Course::on(Law::always(0.0)),
                all => joined(&branches, all, [&each.ended].into_iter()),
            };
            course.goes_on = course.goes_on.or(&one.goes_on.weighted(number.weight));
            course.ended.add_all(&one.ended.map(|law| law.weighted(number.weight)));
        }
        course
    }

    /// When the other tasks of a split have decided what becomes of it: one of them has failed.
    fn cut_tasks(&mut self, split: &'a SplitStep, items: &Law) -> Law {
        let trial = self.trial(&split.each);
        let tasks = (items.mean() / split.per_task as f64).ceil() as u64;
        if tasks < 2 || trial.ended == Outcomes::none() {
            return Law::never();
        }
        let (done, failed) = in_a_row(&trial, split.per_task.min(items.mean().ceil() as u64));
        let others = Branch { done, failed, starts: 0.0, count: tasks - 1 };
        let decided = decided(&[others], tasks, tasks);
        if !matches!(split.each.as_slice(), [Step::Call(_) | Step::Wait(_)]) {
            self.demand.cut_short = self.demand.cut_short.max(decided.weight());
        }
        decided
    }

    /// So many times one after the other, until one of them ends it.
    fn repeat(&mut self, count: &Law, steps: &'a [Step], times: f64) -> Course {
        let mean = count.mean();
        // What the first takes is what each takes; how often they are begun is known only then.
        let goes_on = self.trial(steps).goes_on.weight();
        let begun = |n: f64| if goes_on < 1.0 { (1.0 - libm::pow(goes_on, n)) / (1.0 - goes_on) } else { n };
        let begun: f64 = count.cells().iter().map(|n| n.weight * begun(n.at.round())).sum();
        if begun <= 0.0 {
            return Course::on(Law::always(0.0));
        }
        let one = self.steps(steps, times * begun, false);
        if one.ended == Outcomes::none() && count.cells().len() == 1 {
            return Course::on(one.goes_on.times(mean.round() as u64));
        }
        let most = count.cells().iter().map(|n| n.at.round() as u64).max().unwrap_or(0);
        let short = [(mean.round() as u64, 1.0)];
        let counts: Vec<(u64, f64)> = if most <= REPEATS_MAX {
            count.cells().iter().map(|n| (n.at.round() as u64, n.weight)).collect()
        } else {
            short.to_vec()
        };
        let mut course = Course::on(Law::never());
        let (mut so_far, mut left) = (Law::always(0.0), 1.0);
        for n in 0..=counts.iter().map(|(n, _)| *n).max().unwrap_or(0) {
            let here: f64 = counts.iter().filter(|(count, _)| *count == n).map(|(_, weight)| weight).sum();
            course.goes_on = course.goes_on.or(&so_far.weighted(here));
            left -= here;
            if left <= 1e-12 || so_far.weight() <= 1e-9 {
                break;
            }
            course.ended.add_all(&one.ended.map(|law| so_far.then(law).weighted(left)));
            so_far = so_far.then(&one.goes_on);
        }
        course
    }

    /// How these steps go; nothing of them is counted.
    fn trial(&mut self, steps: &'a [Step]) -> Course {
        let mut trial = Walk {
            demand: Demand::default(),
            means: Counts::new(),
            pieces: 0.0,
            cuts: Vec::new(),
            passed_on: self.passed_on,
            around: &mut *self.around,
        };
        trial.steps(steps, 1.0, false)
    }

    fn choose(&mut self, choices: &'a [ChoiceSettings], times: f64) -> Course {
        let total: f64 = choices.iter().map(|c| c.weight).sum();
        let mut course = Course::on(Law::never());
        for choice in choices.iter().filter(|c| c.weight > 0.0) {
            let share = choice.weight / total;
            let one = self.steps(&choice.steps, times * share, false);
            course.goes_on = course.goes_on.or(&one.goes_on.weighted(share));
            course.ended.add_all(&one.ended.map(|law| law.weighted(share)));
        }
        course
    }

    /// A lock is held for so long.
    fn holds(&mut self, lock: &str, held_s: f64) {
        match self.demand.locks.iter_mut().find(|(known, _)| known == lock) {
            Some((_, so_far_s)) => *so_far_s += held_s,
            None => self.demand.locks.push((lock.to_string(), held_s)),
        }
    }

    fn work(&mut self, work_s: Law, times: f64) -> Law {
        self.demand.cpu_s += times * work_s.mean();
        self.demand.pieces_s2 += times * work_s.mean_square();
        self.pieces += times;
        work_s.stretched(self.around.stretch)
    }

    fn cost(&mut self, cost_s: f64, on: CostOn, times: f64, tasks: f64) -> f64 {
        match on {
            CostOn::Elapsed => cost_s,
            CostOn::Cpu if cost_s == 0.0 => 0.0,
            CostOn::Cpu => self.work(Law::always(cost_s), times * tasks).mean(),
        }
    }

    fn called(&mut self, step: &'a Step, times: f64) {
        if let Some(call) = step.call() {
            *self.means.entry(call.counted()).or_insert(0.0) += times;
            // A call that is only sent goes on by itself.
            let cuts = if matches!(step, Step::Send(_)) { &[][..] } else { &self.cuts };
            let likely = cuts.iter().map(|(ends, _)| ends.weight()).fold(0.0, f64::max);
            let link = call.link.as_str();
            match self.demand.abandons.iter_mut().find(|(name, _)| name == link) {
                Some((_, most)) => *most = most.max(likely),
                None if likely > 0.0 => self.demand.abandons.push((link.to_string(), likely)),
                None => {}
            }
        }
    }
}

/// When branches decide by themselves, without one of `count`, that enough have succeeded or too many failed.
fn decided(others: &[Branch], need: u64, count: u64) -> Law {
    let there = others.len() as u64;
    let done = if need <= there { side_by_side(others, need).0 } else { Law::never() };
    let turned: Vec<Branch> = others
        .iter()
        .map(|branch| Branch { done: branch.failed.clone(), failed: Law::never(), ..branch.clone() })
        .collect();
    let failures = count - need + 1;
    let failed = if failures <= there { side_by_side(&turned, failures).0 } else { Law::never() };
    done.or(&failed)
}

/// Branches that are waited for together; what fails them is as likely to be each failure as it is of the branches.
fn joined<'a>(branches: &[Branch], need: u64, failures: impl Iterator<Item = &'a Outcomes> + Clone) -> Course {
    let (goes_on, failed) = side_by_side(branches, need);
    let mut course = Course::on(goes_on);
    let all: f64 = failures.clone().flat_map(Outcomes::parts).map(|(_, law)| law.weight()).sum();
    for (outcome, law) in failures.flat_map(Outcomes::parts) {
        course.ended.add(outcome, &failed.weighted(law.weight() / all));
    }
    course
}

/// How long so many take one after the other, where all go on and where one of them ends it.
fn in_a_row(one: &Course, count: u64) -> (Law, Law) {
    let ends = one.ended.all();
    if ends == Law::never() {
        return (one.goes_on.times(count), ends);
    }
    let (mut done, mut failed) = (Law::always(0.0), Law::never());
    for _ in 0..count {
        failed = failed.or(&done.then(&ends));
        done = done.then(&one.goes_on);
        if done.weight() < 1e-9 {
            break;
        }
    }
    (done, failed)
}

/// A link, or work on a core.
type Counted<'a> = Option<&'a str>;

/// How many calls over each link, and how many pieces of work, can be under way at the same time.
fn at_once<'a>(steps: &'a [Step]) -> BTreeMap<Counted<'a>, f64> {
    let mut most: BTreeMap<Counted<'a>, f64> = BTreeMap::new();
    let mut later = |other: BTreeMap<Counted<'a>, f64>, times: f64| {
        for (call, count) in other {
            let most = most.entry(call).or_insert(0.0);
            *most = most.max(count * times);
        }
    };
    for step in steps {
        match step {
            Step::Cpu(_) => later([(None, 1.0)].into(), 1.0),
            Step::Call(call) => {
                later([(Some(call.link.as_str()), 1.0)].into(), 1.0);
                later(call.on_failure.as_ref().and_then(OnFailure::steps).map(at_once).unwrap_or_default(), 1.0);
            }
            Step::Send(_) => later(step.call().map(|call| (Some(call.link.as_str()), 1.0)).into_iter().collect(), 1.0),
            Step::Parallel(parallel) => {
                let mut all: BTreeMap<Counted<'_>, f64> = BTreeMap::new();
                for branch in &parallel.branches {
                    at_once(branch).into_iter().for_each(|(call, count)| *all.entry(call).or_insert(0.0) += count);
                }
                later(all, 1.0);
            }
            Step::Split(split) => {
                later(at_once(&split.each), (self::most(&split.items.0) / split.per_task as f64).ceil().max(1.0));
            }
            Step::Repeat { steps, .. } | Step::Lock { steps, .. } | Step::Offload(steps) => {
                later(at_once(steps), 1.0);
            }
            Step::Choose(choices) => choices.iter().for_each(|choice| later(at_once(&choice.steps), 1.0)),
            Step::Wait(_)
            | Step::Block(_)
            | Step::Reply(_)
            | Step::Fail { .. }
            | Step::Allocate(_)
            | Step::Leak { .. } => {}
        }
    }
    most
}

/// How often each call is made at most, with or without what is only sent: of alternatives the one that makes more.
fn most_calls<'a>(steps: &'a [Step], with_sent: bool) -> Counts<'a> {
    let mut all = Counts::new();
    let count = |step: &'a Step, all: &mut Counts<'a>| {
        let call = step.call().map(|call| call.counted());
        call.into_iter().for_each(|call| *all.entry(call).or_insert(0.0) += 1.0);
    };
    for step in steps {
        match step {
            Step::Call(call) => {
                count(step, &mut all);
                if let Some(steps) = call.on_failure.as_ref().and_then(OnFailure::steps) {
                    add(&mut all, &most_calls(steps, with_sent), 1.0);
                }
            }
            Step::Send(_) => {
                if with_sent {
                    count(step, &mut all);
                }
            }
            Step::Parallel(p) => {
                p.branches.iter().for_each(|branch| add(&mut all, &most_calls(branch, with_sent), 1.0))
            }
            Step::Split(split) => add(&mut all, &most_calls(&split.each, with_sent), most(&split.items.0)),
            Step::Repeat { times, steps } => add(&mut all, &most_calls(steps, with_sent), most(&times.0)),
            Step::Lock { steps, .. } | Step::Offload(steps) => add(&mut all, &most_calls(steps, with_sent), 1.0),
            Step::Choose(choices) => {
                let mut largest = Counts::new();
                choices.iter().for_each(|choice| larger(&mut largest, &most_calls(&choice.steps, with_sent)));
                add(&mut all, &largest, 1.0);
            }
            Step::Cpu(_)
            | Step::Wait(_)
            | Step::Block(_)
            | Step::Reply(_)
            | Step::Fail { .. }
            | Step::Allocate(_)
            | Step::Leak { .. } => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Demand {
        let steps: Vec<Step> = settings::notation::read(text).expect("steps");
        let mut call = |_: &str, _: Option<&str>| Outcomes::ok(Law::always(0.1));
        let mut around = Surroundings {
            call: &mut call,
            stretch: 1.0,
            held_stretch: 1.0,
            at_work: 1.0,
            items: 1.0,
            miss_ratio: 1.0,
            fetch_ratio: 1.0,
        };
        demand(&steps, |outcome| outcome, &mut around)
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    /// Four calls of 2, 5, 5 and 1 s in threads that cost 20 ms: 5.08 s, 5.06 s staggered, 13 s one after the other.
    #[test]
    fn branches_take_as_long_as_the_exact_examples_say() {
        let branches = "[[{wait: 2s}], [{wait: 5s}], [{wait: 5s}], [{wait: 1s}]], task_cost: 20ms";
        close(of(&format!("[{{parallel: {{branches: {branches}}}}}]")).held_s(), 5.08);
        close(of(&format!("[{{parallel: {{branches: {branches}, cost_model: staggered}}}}]")).held_s(), 5.06);
        close(of("[{wait: 2s}, {wait: 5s}, {wait: 5s}, {wait: 1s}]").held_s(), 13.0);
        close(of("[{split: {items: 1000, each: [{wait: 10ms}], task_cost: 20ms}}]").held_s(), 20.01);
        close(of("[{split: {items: 1000, per_task: 200, each: [{wait: 10ms}], task_cost: 20ms}}]").held_s(), 2.1);
    }

    #[test]
    fn calls_are_counted_on_average_and_at_most() {
        let demand = of("[{call: a}, {choose: [{weight: 3, steps: [{call: a}, {call: b}]}, {steps: [{call: b}]}]}, \
             {fail: {probability: 50%}}, {repeat: {times: {uniform: [1, 3]}, steps: [{call: c}]}}]");
        let found: Vec<(&str, f64, f64)> = demand.calls.iter().map(|c| (c.link.as_str(), c.mean, c.most)).collect();
        assert_eq!(found, [("a", 1.75, 2.0), ("b", 1.0, 1.0), ("c", 1.0, 3.0)]);
        close(demand.held_s(), 0.1 + 0.75 * 0.2 + 0.25 * 0.1 + 0.5 * 0.2);
    }

    #[test]
    fn what_is_sent_or_done_after_the_answer_is_not_awaited() {
        let demand = of(
            "[{call: a}, {send: b}, {lock: {name: l, steps: [{call: c}]}}, {reply: accepted}, {call: d}, {call: a}]",
        );
        let found: Vec<(&str, bool, bool)> =
            demand.calls.iter().map(|c| (c.link.as_str(), c.awaited, c.sent)).collect();
        assert_eq!(found, [("a", true, false), ("b", false, true), ("c", true, false), ("d", false, false)]);
    }

    #[test]
    fn what_follows_a_reply_holds_the_worker_but_not_the_caller() {
        let demand = of("[{cpu: 4ms}, {reply: accepted}, {lock: {name: l, steps: [{wait: 10ms}, {cpu: 2ms}]}}]");
        close(demand.answer.mean_s(), 0.004);
        close(demand.held_s(), 0.016);
        close(demand.cpu_s, 0.006);
        close(demand.piece_s, 0.003);
        assert_eq!(demand.locks, [("l".to_string(), 0.012)]);
    }
}
