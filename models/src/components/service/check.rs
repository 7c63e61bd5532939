//! What only makes sense together.

use super::Settings;
use crate::components::Checks;
use crate::runtimes::RuntimeSettings;
use crate::steps::program::LOOPS;
use crate::steps::{CallStep, ChoiceSettings, CostOn, Need, OnFailure, ParallelStep, SendStep, SplitStep, Step, walk};

pub(super) fn settings(settings: &Settings, checks: &mut Checks<'_>) {
    let links: Vec<&str> = settings.calls.names().collect();
    let mut used = vec![false; links.len()];
    let mut uses_cpu = None;
    for handler in &settings.handlers {
        let path = format!("handlers.{}", handler.name);
        walk(&handler.value, &mut |step| match step {
            Step::Cpu(_) => uses_cpu = uses_cpu.or(Some(handler.name_span)),
            Step::Split(SplitStep { cost_on: CostOn::Cpu, .. }) => uses_cpu = uses_cpu.or(Some(handler.name_span)),
            Step::Call(CallStep { link, .. }) | Step::Send(SendStep { link, .. }) => {
                match links.iter().position(|l| *l == link.as_str()) {
                    Some(at) => used[at] = true,
                    None => checks.unknown_name("unknown_link", link, "link of this component's `calls`", &links),
                }
            }
            Step::Parallel(ParallelStep { need, branches, cost_on, .. }) => {
                if *cost_on == CostOn::Cpu {
                    uses_cpu = uses_cpu.or(Some(handler.name_span));
                }
                if let Need::Number(needed) = need
                    && (*needed == 0 || *needed as usize > branches.len())
                {
                    let message = format!("`need` is {needed}, and there are {} branches", branches.len());
                    checks.error("out_of_range", handler.name_span, &path, &message, Some("need at least one of them"));
                }
            }
            Step::Choose(choices) if choices.iter().all(|c: &ChoiceSettings| c.weight == 0.0) => {
                checks.error("no_weight", handler.name_span, &path, "all choices have weight 0", None);
            }
            _ => {}
        });
        if loops(&handler.value) > LOOPS - 1 {
            let message = format!("`repeat` can be nested {} deep", LOOPS - 1);
            checks.error("too_deep", handler.name_span, &path, &message, None);
        }
        relocked(&handler.value, &mut Vec::new(), &mut |name| {
            let message = format!("who holds the lock `{name}` waits for it here, for ever");
            checks.error("deadlock", handler.name_span, &path, &message, Some("a lock is not taken twice: remove one"));
        });
        inner_replies(&handler.value, false, &mut || {
            let message = "`reply` inside a branch: branches end with their parallel step";
            checks.error("reply_in_branch", handler.name_span, &path, message, Some("put `reply` outside of it"));
        });
        leaks(&handler.value, settings, &mut |message, help| {
            checks.error("no_effect", handler.name_span, &path, message, Some(help));
        });
    }
    for (entry, used) in settings.calls.iter().zip(used) {
        if !used {
            let path = format!("calls.{}", entry.name);
            let message = format!("no handler calls over `{}`", entry.name);
            checks.warning("unused_link", entry.name_span, &path, &message, Some("remove it, or call over it"));
        }
    }
    if let Some(span) = uses_cpu
        && settings.cpu.is_none()
        && settings.hosts.is_none()
    {
        let help = "write `cpu: 4` for cores of its own, or `hosts: NAME` for a host's";
        checks.error("no_cpu", span, "handlers", "a `cpu` step needs cores, and this service has none", Some(help));
    }
    if matches!(settings.runtime, RuntimeSettings::Unlimited) && settings.admission.queue.is_some() {
        let message = "`admission.queue` has no effect: with runtime `unlimited` nothing ever waits";
        checks.error(
            "no_effect",
            checks.span(),
            "admission.queue",
            message,
            Some("remove it, or choose a runtime with workers"),
        );
    }
    if settings.admission.preempts() && settings.runtime.is_loop() {
        let message = "an event loop runs each piece of code to its end: nothing can be preempted";
        checks.error("no_effect", checks.span(), "admission.queue.discipline", message, None);
    }
}

fn loops(steps: &[Step]) -> usize {
    let inside = |steps: &[Step]| loops(steps);
    steps
        .iter()
        .map(|step| match step {
            Step::Repeat { steps, .. } => 1 + inside(steps),
            Step::Split(split) => 1 + inside(&split.each),
            Step::Lock { steps, .. } => inside(steps),
            Step::Parallel(p) => p.branches.iter().map(|b| inside(b)).max().unwrap_or(0),
            Step::Choose(c) => c.iter().map(|c| inside(&c.steps)).max().unwrap_or(0),
            Step::Call(CallStep { on_failure: Some(OnFailure::Steps(steps)), .. }) => inside(steps),
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

fn inner_replies(steps: &[Step], in_branch: bool, found: &mut impl FnMut()) {
    for step in steps {
        match step {
            Step::Reply(_) if in_branch => found(),
            Step::Parallel(p) => p.branches.iter().for_each(|b| inner_replies(b, true, found)),
            Step::Split(s) => inner_replies(&s.each, true, found),
            Step::Repeat { steps, .. } | Step::Lock { steps, .. } => inner_replies(steps, in_branch, found),
            Step::Choose(c) => c.iter().for_each(|c| inner_replies(&c.steps, in_branch, found)),
            Step::Call(CallStep { on_failure: Some(OnFailure::Steps(steps)), .. }) => {
                inner_replies(steps, in_branch, found);
            }
            _ => {}
        }
    }
}

/// Finds tasks that never end where that means nothing: on a runtime whose tasks hold nothing, and in branches, of which
/// only those end that their call waits for.
fn leaks(steps: &[Step], settings: &Settings, found: &mut impl FnMut(&str, &str)) {
    let is_leak = |step: &Step| matches!(step, Step::Leak { .. });
    let (mut any, mut in_branch) = (false, false);
    walk(steps, &mut |step| {
        any |= is_leak(step);
        let mut inside = |steps: &[Step]| walk(steps, &mut |step| in_branch |= is_leak(step));
        match step {
            Step::Parallel(parallel) => parallel.branches.iter().for_each(|branch| inside(branch)),
            Step::Split(split) => inside(&split.each),
            _ => {}
        }
    });
    if any && matches!(settings.runtime, RuntimeSettings::Unlimited) {
        let message = "`leak` has no effect: with runtime `unlimited` a task that never ends holds nothing";
        found(message, "remove it, or choose a runtime with threads");
    }
    if in_branch {
        found("`leak` inside a branch: it is the task of the call that never ends", "put `leak` outside of it");
    }
}

/// Finds locks that are taken by who holds them already: branches count, since their parent holds on while it waits.
fn relocked<'a>(steps: &'a [Step], held: &mut Vec<&'a str>, found: &mut impl FnMut(&str)) {
    for step in steps {
        match step {
            Step::Lock { name, steps, .. } => {
                if held.contains(&name.as_str()) {
                    found(name.as_str());
                }
                held.push(name.as_str());
                relocked(steps, held, found);
                held.pop();
            }
            Step::Parallel(p) => p.branches.iter().for_each(|b| relocked(b, held, found)),
            Step::Split(s) => relocked(&s.each, held, found),
            Step::Repeat { steps, .. } => relocked(steps, held, found),
            Step::Choose(c) => c.iter().for_each(|c| relocked(&c.steps, held, found)),
            Step::Call(CallStep { on_failure: Some(OnFailure::Steps(steps)), .. }) => relocked(steps, held, found),
            _ => {}
        }
    }
}
