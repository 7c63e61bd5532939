//! What a handler takes, step by step, as far as it can be known without running it.
//!
//! Times are those of one who waits for nothing but what the steps say; branches side by side take as long as the
//! longest of them takes on average, which is a little less than the longest takes in each case.

use super::{ChoiceSettings, CostModel, CostOn, Need, OnFailure, ParallelStep, Step, StepCall, StepKey};
use crate::demand::{CallsMade, Counts, Demand, Surroundings, add, larger, mean_s, most};

/// What the steps of a handler take.
pub fn demand(steps: &[Step], around: &mut Surroundings<'_>) -> Demand {
    let mut walk = Walk { demand: Demand::default(), means: Counts::new(), pieces: 0.0, around };
    let done = walk.steps(steps, 1.0, true);
    let Walk { mut demand, mut means, pieces, .. } = walk;
    demand.held_s = done.elapsed_s;
    demand.latency_s = demand.latency_s.max(if done.replied { 0.0 } else { done.elapsed_s });
    demand.piece_s = if pieces > 0.0 { demand.cpu_s / pieces } else { 0.0 };
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
    around: &'b mut Surroundings<'c>,
}

struct Done {
    /// How long it takes, on average over those who begin it, s.
    elapsed_s: f64,
    /// Probability that the handler goes on behind it.
    goes_on: f64,
    /// Whether the call has been answered in it.
    replied: bool,
}

impl<'a> Walk<'a, '_, '_> {
    /// Steps that are begun `weight` times a call, on average; `outermost` ones may answer it.
    fn steps(&mut self, steps: &'a [Step], weight: f64, outermost: bool) -> Done {
        let mut done = Done { elapsed_s: 0.0, goes_on: 1.0, replied: false };
        for step in steps {
            let times = weight * done.goes_on;
            if outermost && !done.replied && matches!(step, Step::Reply(_)) {
                self.demand.latency_s = done.elapsed_s;
                done.replied = true;
            }
            let (elapsed_s, goes_on) = self.step(step, times);
            done.elapsed_s += done.goes_on * elapsed_s;
            done.goes_on *= goes_on;
        }
        done
    }

    /// How long a step takes and the probability that the handler goes on behind it.
    fn step(&mut self, step: &'a Step, times: f64) -> (f64, f64) {
        match step {
            Step::Cpu(work) => (self.work(mean_s(&work.0), times), 1.0),
            Step::Wait(time) => (mean_s(&time.0), 1.0),
            Step::Block(time) => {
                self.demand.blocks_s += times * mean_s(&time.0);
                (mean_s(&time.0), 1.0)
            }
            Step::Call(call) => {
                self.called(step, times);
                ((self.around.call_s)(call.link.as_str(), call.op.as_ref().map(|o| o.as_str())), 1.0)
            }
            Step::Send(_) => {
                self.called(step, times);
                (0.0, 1.0)
            }
            Step::Parallel(parallel) => (self.parallel(parallel, times), 1.0),
            Step::Split(split) => {
                let items = split.items.0.mean();
                let tasks = (items / split.per_task as f64).ceil();
                let each_s = self.steps(&split.each, times * items, false).elapsed_s;
                let cost_s = self.cost(split.task_cost.0 as f64 / 1e9, split.cost_on, times, tasks);
                (cost_s * tasks + each_s * (split.per_task as f64).min(items), 1.0)
            }
            Step::Repeat { times: count, steps } => {
                let count = count.0.mean();
                let one = self.steps(steps, times * count, false);
                (one.elapsed_s * count, if one.goes_on < 1.0 { libm::pow(one.goes_on, count) } else { 1.0 })
            }
            Step::Choose(choices) => self.choose(choices, times),
            Step::Lock { name, steps, .. } => {
                let one = self.steps(steps, times, false);
                self.holds(name.as_str(), times * one.elapsed_s);
                (one.elapsed_s, one.goes_on)
            }
            Step::Fail { probability, .. } => (0.0, 1.0 - probability.0),
            Step::Leak { probability } => {
                self.demand.leaks += times * probability.0;
                (0.0, 1.0)
            }
            // The list that it stands in knows when it answers.
            Step::Reply(_) => (0.0, 1.0),
            Step::Allocate(never) => match *never {},
        }
    }

    /// When enough of the branches have ended.
    fn parallel(&mut self, parallel: &'a ParallelStep, times: f64) -> f64 {
        let branches = parallel.branches.iter();
        let mut ends: Vec<f64> = branches.map(|branch| self.steps(branch, times, false).elapsed_s).collect();
        let cost_s = self.cost(parallel.task_cost.0 as f64 / 1e9, parallel.cost_on, times, ends.len() as f64);
        let count = ends.len();
        for (nth, end_s) in ends.iter_mut().enumerate() {
            let starts = if parallel.cost_model == CostModel::Staggered { nth + 1 } else { count };
            *end_s += cost_s * starts as f64;
        }
        ends.sort_by(f64::total_cmp);
        let needed = match parallel.need {
            Need::All => count,
            Need::Any => 1,
            Need::Number(number) => number as usize,
        };
        ends.get(needed.clamp(1, count.max(1)) - 1).copied().unwrap_or(0.0)
    }

    fn choose(&mut self, choices: &'a [ChoiceSettings], times: f64) -> (f64, f64) {
        let total: f64 = choices.iter().map(|c| c.weight).sum();
        choices.iter().filter(|c| c.weight > 0.0).fold((0.0, 0.0), |(elapsed_s, goes_on), choice| {
            let share = choice.weight / total;
            let one = self.steps(&choice.steps, times * share, false);
            (elapsed_s + share * one.elapsed_s, goes_on + share * one.goes_on)
        })
    }

    /// A lock is held for so long.
    fn holds(&mut self, lock: &str, held_s: f64) {
        match self.demand.locks.iter_mut().find(|(known, _)| known == lock) {
            Some((_, so_far_s)) => *so_far_s += held_s,
            None => self.demand.locks.push((lock.to_string(), held_s)),
        }
    }

    fn work(&mut self, work_s: f64, times: f64) -> f64 {
        self.demand.cpu_s += times * work_s;
        self.pieces += times;
        work_s * self.around.stretch
    }

    fn cost(&mut self, cost_s: f64, on: CostOn, times: f64, tasks: f64) -> f64 {
        match on {
            CostOn::Elapsed => cost_s,
            CostOn::Cpu if cost_s == 0.0 => 0.0,
            CostOn::Cpu => self.work(cost_s, times * tasks),
        }
    }

    fn called(&mut self, step: &'a Step, times: f64) {
        if let Some(call) = step.call() {
            *self.means.entry(call.counted()).or_insert(0.0) += times;
        }
    }
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
            Step::Lock { steps, .. } => add(&mut all, &most_calls(steps, with_sent), 1.0),
            Step::Choose(choices) => {
                let mut largest = Counts::new();
                choices.iter().for_each(|choice| larger(&mut largest, &most_calls(&choice.steps, with_sent)));
                add(&mut all, &largest, 1.0);
            }
            Step::Cpu(_) | Step::Wait(_) | Step::Block(_) | Step::Reply(_) | Step::Fail { .. } | Step::Leak { .. } => {}
            Step::Allocate(never) => match *never {},
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Demand {
        let steps: Vec<Step> = settings::notation::read(text).expect("steps");
        let mut call_s = |_: &str, _: Option<&str>| 0.1;
        let mut around = Surroundings {
            call_s: &mut call_s,
            stretch: 1.0,
            at_work: 1.0,
            items: 1.0,
            miss_ratio: 1.0,
            fetch_ratio: 1.0,
        };
        demand(&steps, &mut around)
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    /// Four calls of 2, 5, 5 and 1 s in threads that cost 20 ms: 5.08 s, 5.06 s staggered, 13 s one after the other.
    #[test]
    fn branches_take_as_long_as_the_exact_examples_say() {
        let branches = "[[{wait: 2s}], [{wait: 5s}], [{wait: 5s}], [{wait: 1s}]], task_cost: 20ms";
        close(of(&format!("[{{parallel: {{branches: {branches}}}}}]")).held_s, 5.08);
        close(of(&format!("[{{parallel: {{branches: {branches}, cost_model: staggered}}}}]")).held_s, 5.06);
        close(of("[{wait: 2s}, {wait: 5s}, {wait: 5s}, {wait: 1s}]").held_s, 13.0);
        close(of("[{split: {items: 1000, each: [{wait: 10ms}], task_cost: 20ms}}]").held_s, 20.01);
        close(of("[{split: {items: 1000, per_task: 200, each: [{wait: 10ms}], task_cost: 20ms}}]").held_s, 2.1);
    }

    #[test]
    fn calls_are_counted_on_average_and_at_most() {
        let demand = of("[{call: a}, {choose: [{weight: 3, steps: [{call: a}, {call: b}]}, {steps: [{call: b}]}]}, \
             {fail: {probability: 50%}}, {repeat: {times: {uniform: [1, 3]}, steps: [{call: c}]}}]");
        let found: Vec<(&str, f64, f64)> = demand.calls.iter().map(|c| (c.link.as_str(), c.mean, c.most)).collect();
        assert_eq!(found, [("a", 1.75, 2.0), ("b", 1.0, 1.0), ("c", 1.0, 3.0)]);
        close(demand.held_s, 0.1 + 0.75 * 0.2 + 0.25 * 0.1 + 0.5 * 0.2);
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
        close(demand.latency_s, 0.004);
        close(demand.held_s, 0.016);
        close(demand.cpu_s, 0.006);
        close(demand.piece_s, 0.003);
        assert_eq!(demand.locks, [("l".to_string(), 0.012)]);
    }
}
