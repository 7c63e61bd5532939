//! What only makes sense together.

use settings::{Map, Span};

use super::Settings;
use crate::admission::AdmissionSettings;
use crate::components::kind::Checks;
use crate::consuming::{AckSettings, ConsumeSettings};
use crate::link::LinkSettings;
use crate::memory::CommitSettings;
use crate::policies::rate_limit::RateLimitSettings;
use crate::runtimes::{Facts, RuntimeSettings};
use crate::steps::program::LOOPS;
use crate::steps::{Need, ParallelStep, Step, walk};

/// What is wrong with handlers, step by step.
pub(super) fn handlers(handlers: &Map<Vec<Step>>, facts: &Facts, checks: &mut Checks<'_>) {
    for handler in handlers {
        let path = format!("handlers.{}", handler.name);
        let mut error = |code: &'static str, message: &str, help: Option<&str>| {
            checks.error(code, handler.name_span, &path, message, help);
        };
        walk(&handler.value, &mut |step| itself(step, &mut error));
        if loops(&handler.value) > LOOPS - 1 {
            error("too_deep", &format!("`repeat` can be nested {} deep", LOOPS - 1), None);
        }
        relocked(&handler.value, &mut Vec::new(), &mut |name| {
            let message = format!("a deadlock: the holder of lock `{name}` waits for it here");
            error("deadlock", &message, Some("locks cannot be taken twice; remove one"));
        });
        inner_replies(&handler.value, false, &mut || {
            let message = "`reply` inside a branch: branches end with their parallel step";
            error("reply_in_branch", message, Some("put `reply` outside of it"));
        });
        leaks(&handler.value, facts, &mut |message, help| error("no_effect", message, Some(help)));
    }
}

/// Links that handlers call over and nobody has written, and the other way round.
pub(super) fn links(handlers: &Map<Vec<Step>>, calls: &Map<LinkSettings>, checks: &mut Checks<'_>) {
    let links: Vec<&str> = calls.names().collect();
    let mut used = vec![false; links.len()];
    for handler in handlers {
        walk(&handler.value, &mut |step| {
            let Some(call) = step.call() else { return };
            match links.iter().position(|l| *l == call.link.as_str()) {
                Some(at) => used[at] = true,
                None => checks.unknown_name("unknown_link", call.link, "link of this component's `calls`", &links),
            }
        });
    }
    for fallback in calls.iter().filter_map(|entry| entry.value.fallback.as_ref()) {
        let other = fallback.call.as_ref().and_then(|call| links.iter().position(|link| *link == call.as_str()));
        other.into_iter().for_each(|at| used[at] = true);
    }
    // Connections that hold threads count, whether or not anything is sent over them.
    let counts = |link: &LinkSettings| link.pool.as_ref().is_some_and(|pool| pool.threads > 0);
    for (entry, _) in calls.iter().zip(used).filter(|(entry, used)| !used && !counts(&entry.value)) {
        let path = format!("calls.{}", entry.name);
        let message = format!("no handler calls over `{}`", entry.name);
        checks.warning("unused_link", entry.name_span, &path, &message, Some("remove it, or call over it"));
    }
}

/// The first handler that uses a core.
pub(super) fn uses_cpu(handlers: &Map<Vec<Step>>) -> Option<Span> {
    let uses = |steps: &[Step]| {
        let mut any = false;
        walk(steps, &mut |step| any |= step.uses_cpu());
        any
    };
    handlers.iter().find(|handler| uses(&handler.value)).map(|handler| handler.name_span)
}

/// What is wrong with the runtime in a service that has `cores` of its own.
pub(super) fn runtime(runtime: &RuntimeSettings, cores: Option<f64>, checks: &mut Checks<'_>) {
    if let Some(flaw) = runtime.flaw(cores) {
        checks.error(flaw.code, checks.span(), &format!("runtime.{}", flaw.key), &flaw.message, Some(&flaw.help));
    }
}

/// What the runtime gives no meaning.
pub(super) fn admission(
    admission: &AdmissionSettings,
    facts: &Facts,
    calls: &Map<LinkSettings>,
    checks: &mut Checks<'_>,
) {
    beside_the_queue(admission, facts, calls, checks);
    if facts.holds_nothing() && admission.queue.is_some() && admission.concurrency.is_none() {
        let message = "`admission.queue` has no effect: with runtime `unlimited` nothing ever waits";
        let help = "remove it, write `admission.concurrency`, or choose a runtime with workers";
        checks.error("no_effect", checks.span(), "admission.queue", message, Some(help));
    }
    if admission.preempts() && (facts.takes_turns() || facts.recycle.is_some()) {
        let message = format!("the {} of this runtime ignore priorities: nothing can be preempted", facts.noun);
        checks.error("no_effect", checks.span(), "admission.queue.discipline", &message, None);
    }
}

/// What is wrong with its rate limit, its limit of concurrency and its shedding.
fn beside_the_queue(admission: &AdmissionSettings, facts: &Facts, calls: &Map<LinkSettings>, checks: &mut Checks<'_>) {
    let span = checks.span();
    if let Some(rate) = &admission.rate_limit {
        if rate.shared().is_none() && rate.sync.is_some() {
            let message = "`sync` has no effect: each replica goes by its own calls alone";
            checks.error(
                "no_effect",
                span,
                "admission.rate_limit.sync",
                message,
                Some("write `scope: component`, or remove it"),
            );
        }
        for flaw in RateLimitSettings::flaws_of_delays(&rate.limit) {
            let path = format!("admission.rate_limit.{}", flaw.key);
            checks.error(flaw.code, span, &path, &flaw.message, Some(&flaw.help));
        }
    }
    if let Some(limit) = &admission.concurrency {
        for flaw in limit.flaws_at_callee() {
            let path = format!("admission.concurrency.{}", flaw.key);
            checks.error(flaw.code, span, &path, &flaw.message, Some(&flaw.help));
        }
        if facts.instances.is_some() {
            let message = "`admission.concurrency` has no effect with `single`: each instance serves one call";
            let help = "remove it; `account` limits the instances";
            checks.error("no_effect", span, "admission.concurrency", message, Some(help));
        }
    }
    let Some(shed) = &admission.shed else { return };
    let links: Vec<&str> = calls.names().collect();
    if let Some(link) = shed.link().filter(|link| !links.contains(&link.as_str())) {
        checks.unknown_name("unknown_link", link, "link of this component's `calls`", &links);
    }
    let has_places = (facts.workers.is_some() && !facts.frees_while_waiting() || admission.concurrency.is_some())
        && facts.instances.is_none();
    let is_unbounded = admission.queue.as_ref().is_none_or(|queue| queue.max.is_none());
    if shed.goes_by_room() && (!has_places || is_unbounded) {
        let message = "`shed.priority` goes by how much of the room is taken, and here the room has no end";
        let help = match has_places {
            true => "write `admission.queue.max`",
            false => "write `admission.concurrency` and `admission.queue.max`",
        };
        checks.error("no_effect", span, "admission.shed.priority", message, Some(help));
    }
}

/// What is wrong with the cores of a service: what it requests, what it is limited to, and whether they are a host's.
pub(super) fn cpu(request: Option<f64>, limit: Option<f64>, is_on_hosts: bool, checks: &mut Checks<'_>) {
    if request.is_none() && limit.is_none() {
        let help = "write `cpu: 2`, or `cpu: {limit: 2}` on `hosts`";
        checks.error("missing_key", checks.span(), "cpu", "`cpu` needs a `request` or a `limit`", Some(help));
    }
    if limit.is_some() && !is_on_hosts {
        let message = "`cpu.limit` is a quota on the cores of a host, and this service has its own cores";
        let help = "write `hosts: NAME`, or `cpu: 2`";
        checks.error("no_effect", checks.span(), "cpu.limit", message, Some(help));
    }
    if let (Some(request), Some(limit)) = (request, limit)
        && request > limit
    {
        let message = format!("the request of {request} cores is above the limit of {limit}");
        let help = "raise the limit or lower the request";
        checks.error("out_of_range", checks.span(), "cpu.limit", &message, Some(help));
    }
}

/// Whether any handler has an `offload`.
pub(super) fn offloads(handlers: &Map<Vec<Step>>) -> bool {
    let mut any = false;
    for handler in handlers {
        walk(&handler.value, &mut |step| any |= matches!(step, Step::Offload(_)));
    }
    any
}

/// Steps that are to run beside the workers, where nothing is there to run them, or that could not run there.
pub(super) fn offloaded(handlers: &Map<Vec<Step>>, facts: &Facts, checks: &mut Checks<'_>) {
    for handler in handlers {
        let path = format!("handlers.{}", handler.name);
        let (mut any, mut other) = (false, false);
        walk(&handler.value, &mut |step| {
            let Step::Offload(steps) = step else { return };
            any = true;
            let runs_there = |step: &Step| matches!(step, Step::Cpu(_) | Step::Block(_));
            other |= !steps.iter().all(runs_there);
        });
        if any && facts.offload.is_none_or(|threads| threads == 0) {
            let message = format!("`offload` has no effect: this runtime has no threads beside its {}", facts.noun);
            let help = "remove `offload` and keep its steps, or use `event_loop` or `async`";
            checks.error("no_effect", handler.name_span, &path, &message, Some(help));
        }
        if other {
            let message = "only `cpu` and `block` steps can run on a thread beside the loop";
            let help = "put the others before or after `offload`";
            checks.error("unsupported", handler.name_span, &path, message, Some(help));
        }
    }
}

/// What has no meaning where instances are started for calls.
pub(super) fn instances(settings: &Settings, checks: &mut Checks<'_>) {
    let mut no_effect = |key: &str, message: &str, help: &str| {
        checks.error("no_effect", checks.span(), key, message, Some(help));
    };
    if settings.replicas != 1 {
        let message = "`replicas` has no effect with `single`: instances start as calls need them";
        no_effect("replicas", message, "remove it; `account` limits the instances");
    }
    if settings.hosts.is_some() {
        let message = "`hosts` has no effect with `single`: instances run on the platform's machines";
        no_effect("hosts", message, "remove it; `cpu` sets the cores of each instance");
    }
    if settings.admission.queue.is_some() {
        let message = "`admission.queue` has no effect with `single`: calls never queue";
        no_effect("admission.queue", message, "remove it");
    }
    if !settings.consumes.iter().flatten().all(|consume| consume.concurrency.is_some()) {
        let message = "`concurrency` is missing: with this runtime any number of messages could be at work at once";
        no_effect("consumes", message, "write how many: `concurrency: 10`");
    }
}

/// What is wrong with what it consumes from.
pub(super) fn consumes(consumes: &[ConsumeSettings], facts: &Facts, checks: &mut Checks<'_>) {
    for (nth, consume) in consumes.iter().enumerate() {
        let (from, path) = (&consume.from, format!("consumes.{nth}"));
        if consumes[..nth].iter().any(|other| other.from.as_str() == from.as_str()) {
            let message = format!("this service consumes from `{}` twice", from.as_str());
            checks.error("duplicate", from.span, &path, &message, Some("remove one, or raise `concurrency`"));
        }
        if consume.concurrency.is_none() && facts.workers.is_none() {
            let message =
                "`concurrency` is missing: with this runtime any number of messages could be processed at once";
            let help = "write for example `concurrency: 10`";
            checks.error("missing_key", from.span, &format!("{path}.concurrency"), message, Some(help));
        }
        let network = consume.network.as_ref();
        if network.is_some_and(|network| !network.keep_alive) {
            let message = "`keep_alive: false` has no effect: a consumer keeps its connection open";
            checks.error("no_effect", from.span, &format!("{path}.network.keep_alive"), message, Some("remove it"));
        }
        if network.is_some_and(|network| network.bandwidth.is_some()) {
            let message = "`bandwidth` has no effect: messages are delivered whatever their size";
            checks.error("no_effect", from.span, &format!("{path}.network.bandwidth"), message, Some("remove it"));
        }
        if consume.ack == AckSettings::Before && consume.on_failure.is_some() {
            let message =
                "`on_failure` has no effect: with `ack: before` a message is acknowledged before its handler starts";
            let help = "remove it, or write `ack: after`";
            checks.error("no_effect", from.span, &format!("{path}.on_failure"), message, Some(help));
        }
    }
}

/// What is wrong with a step, whatever is around and inside it.
fn itself(step: &Step, found: &mut impl FnMut(&'static str, &str, Option<&str>)) {
    match step {
        Step::Parallel(ParallelStep { need: Need::Number(needed), branches, .. }) => {
            if *needed == 0 || *needed as usize > branches.len() {
                let message = format!("`need` is {needed}, and there are {} branches", branches.len());
                found("out_of_range", &message, Some("need at least one of them"));
            }
        }
        Step::Choose(choices) => {
            if choices.iter().all(|c| c.weight == 0.0) {
                found("no_weight", "all choices have weight 0", None);
            }
        }
        Step::Parallel(_)
        | Step::Cpu(_)
        | Step::Wait(_)
        | Step::Block(_)
        | Step::Call(_)
        | Step::Send(_)
        | Step::Split(_)
        | Step::Repeat { .. }
        | Step::Lock { .. }
        | Step::Offload(_)
        | Step::Reply(_)
        | Step::Fail { .. }
        | Step::Allocate(_)
        | Step::Leak { .. } => {}
    }
}

/// How deep loops are nested.
fn loops(steps: &[Step]) -> usize {
    let inside = steps.iter().flat_map(Step::inside);
    inside.map(|(runs, steps)| usize::from(runs.is_loop()) + loops(steps)).max().unwrap_or(0)
}

fn inner_replies(steps: &[Step], in_branch: bool, found: &mut impl FnMut()) {
    for step in steps {
        if in_branch && matches!(step, Step::Reply(_)) {
            found();
        }
        for (runs, steps) in step.inside() {
            inner_replies(steps, in_branch || runs.is_beside(), found);
        }
    }
}

/// Finds tasks that never end where that means nothing: on a runtime whose tasks hold nothing, and in branches, of which
/// only those end that their call waits for.
fn leaks(steps: &[Step], facts: &Facts, found: &mut impl FnMut(&str, &str)) {
    let is_leak = |step: &Step| matches!(step, Step::Leak { .. });
    let (mut any, mut in_branch) = (false, false);
    walk(steps, &mut |step| {
        any |= is_leak(step);
        for (_, steps) in step.inside().into_iter().filter(|(runs, _)| runs.is_beside()) {
            walk(steps, &mut |step| in_branch |= is_leak(step));
        }
    });
    if any && facts.holds_nothing() {
        let message = "`leak` has no effect: with runtime `unlimited` a task that never ends holds nothing";
        found(message, "remove it, or choose a runtime with threads");
    }
    if in_branch {
        found("`leak` inside a branch: only the task of the call itself can leak", "put `leak` outside of it");
    }
}

/// Finds locks that are taken by who holds them already: branches count, since their parent holds on while it waits.
fn relocked<'a>(steps: &'a [Step], held: &mut Vec<&'a str>, found: &mut impl FnMut(&str)) {
    for step in steps {
        let before = held.len();
        if let Step::Lock { name, .. } = step {
            if held.contains(&name.as_str()) {
                found(name.as_str());
            }
            held.push(name.as_str());
        }
        for (_, steps) in step.inside() {
            relocked(steps, held, found);
        }
        held.truncate(before);
    }
}

/// What is wrong with how its replicas are probed.
pub(super) fn probes(settings: &Settings, checks: &mut Checks<'_>) {
    let Some(probes) = &settings.probes else { return };
    let handles = |op: &str| settings.handlers.iter().any(|handler| handler.name == op || handler.name == "default");
    for op in probes.all().filter_map(|(_, probe)| probe.op.as_ref()).filter(|op| !handles(op.as_str())) {
        let message = format!("a probe calls `{}`, and no handler answers that", op.as_str());
        checks.error("unknown_name", op.span, "probes", &message, Some("add a handler of that name"));
    }
    if settings.facts().instances.is_some() {
        let message = "`probes` have no effect with `single`: instances are started for calls";
        checks.error("no_effect", checks.span(), "probes", message, Some("remove them"));
    }
}

/// What is wrong with how many replicas there are to be.
pub(super) fn autoscale(settings: &Settings, checks: &mut Checks<'_>) {
    let Some(autoscale) = &settings.autoscale else { return };
    for (code, key, message, help) in autoscale.flaws(settings.replicas) {
        checks.error(code, checks.span(), &format!("autoscale.{key}"), &message, Some(help));
    }
    if settings.facts().instances.is_some() {
        let message = "`autoscale` has no effect with `single`: instances are started for calls";
        checks.error(
            "no_effect",
            checks.span(),
            "autoscale",
            message,
            Some("remove it; `account` limits the instances"),
        );
    }
    if autoscale.goes_by_cpu() && settings.cpu.is_none() {
        let message = "`cpu` is compared with what replicas ask for, which nothing says";
        checks.error("missing_key", checks.span(), "autoscale.hpa.metrics", message, Some("write `cpu: {request: 1}`"));
    }
}

/// What is wrong with its memory and how that is collected; `hosts` says whether its host could have memory.
pub(super) fn memory(settings: &Settings, checks: &mut Checks<'_>) {
    let Settings { memory, gc, hosts, handlers, restart, replace_after, .. } = settings;
    let is_modelled = settings.has_memory() || hosts.is_some();
    let mut allocates = false;
    for handler in handlers {
        walk(&handler.value, &mut |step| allocates |= matches!(step, Step::Allocate(_)));
    }
    if allocates && !is_modelled {
        let message = "`allocate` has no effect: the memory of this service is not modelled";
        checks.error("no_effect", checks.span(), "handlers", message, Some("write `memory: {limit: 512MB}` or `gc`"));
    }
    if let Some(memory) = memory {
        if memory.request.is_some() && hosts.is_none() {
            let message = "`request` has no effect without `hosts`: nothing is shared";
            checks.error("no_effect", checks.span(), "memory.request", message, Some("remove it"));
        }
        if let (Some(request), Some(limit)) = (memory.request, *memory.limit)
            && request.0 > limit.0
        {
            let message = "the request is larger than the limit";
            checks.error("out_of_range", checks.span(), "memory.request", message, Some("raise `limit`"));
        }
        if memory.commit == CommitSettings::Reserved && memory.limit.is_none() {
            let message = "`commit` has no effect without `limit`";
            checks.error("no_effect", checks.span(), "memory.commit", message, Some("write a `limit`"));
        }
        if let Some(limit) = *memory.limit
            && memory.base.0 > limit.0
        {
            let message = "the process alone is larger than its limit: it is killed whenever it starts";
            checks.warning("no_room", checks.span(), "memory.base", message, Some("raise `limit`"));
        }
    }
    if let Some(gc) = gc.as_ref().and_then(|gc| gc.as_ref()) {
        let (limit, base) = settings.memory_bounds();
        if let Some(flaw) = gc.flaw(limit, base) {
            let path = format!("gc.{}", flaw.key);
            checks.error(flaw.code, checks.span(), &path, &flaw.message, Some(&flaw.help));
        }
    }
    if restart.is_some() && replace_after.is_some() {
        let message = "`restart` and `replace_after` both say what becomes of a process that dies";
        checks.error("conflict", checks.span(), "replace_after", message, Some("remove one of the two"));
    }
}
