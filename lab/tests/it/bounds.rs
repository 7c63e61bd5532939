//! Scenarios that ask for too much: they are rejected immediately, with the figure, before anything is allocated for them.
//!
//! For accepted scenarios, `lab/tests/allocations.rs` compares the allocated memory with the estimate.

use lab::{Options, Text, load};
use settings::Problem;

/// The problems of a scenario with a service, its caller and a database, after replacing some of its lines.
fn said(changes: &[(&str, &str)], allowed: Option<u64>) -> Vec<Problem> {
    let mut yaml = "version: 1
run: {duration: 10s}
hosts: {h: {count: 1, cores: 4}}
workloads: {u: {arrivals: {poisson: 10/s}, call: api}}
components:
  api: {kind: service, replicas: 1, runtime: {thread_pool: {threads: 4}}, calls: {db: {to: db}}, handlers: {default: [{call: db}]}}
  db: {kind: database, connections: 4, operations: {default: 1ms}}
"
    .to_string();
    for (what, with) in changes {
        assert!(yaml.contains(what), "{what}");
        yaml = yaml.replace(what, with);
    }
    of_yaml(&yaml, allowed)
}

fn of_yaml(yaml: &str, memory: Option<u64>) -> Vec<Problem> {
    let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
    match load(&text, &Options { memory, ..Options::default() }) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.problems,
    }
}

#[test]
fn memory_that_is_not_allowed_is_refused_with_the_figure_and_the_greatest_part() {
    const USERS: &str = "{closed: {users: 50000000, think: 1s}}";
    const KEYS: &str = "requests: [{op: default, key: {zipf: {keys: 2000000}}}], call: api";
    for (changes, place, figure) in [
        (&[("{poisson: 10/s}", USERS)][..], "workloads.u.arrivals", "about 12 GiB of memory; the limit is 8 GiB"),
        (&[("{poisson: 10/s}", "{once: {count: 1000000000}}")], "workloads.u.arrivals", "about 233 GiB"),
        (&[("poisson: 10/s", "poisson: 10/s, batch: 1000000000")], "workloads.u.arrivals", "about 233 GiB"),
        (
            &[("[{call: db}]", "[{split: {items: 1000000000, each: [{parallel: [[{call: db}], [{wait: 1ms}]]}]}}]")],
            "components.api",
            "about 559 GiB",
        ),
        (
            &[("to: db}", "to: db, pool: {size: 1000000}}"), ("replicas: 1,", "replicas: 1000,")],
            "components.api",
            "about 75 GiB",
        ),
        (
            &[
                ("replicas: 1,", "replicas: 100000,"),
                ("to: db}", "to: [{to: api}, {to: db}]}"),
                ("[{call: db}]", "[{choose: [{weight: 1, steps: [{call: db}]}, {weight: 1, steps: []}]}]"),
            ],
            "components.api",
            "about 150 GiB",
        ),
        (
            &[
                ("duration: 10s", "duration: 1000000s, window: 1s"),
                ("{poisson: 10/s}", "{closed: {users: 30000000, think: 1s}}"),
            ],
            "workloads.u.arrivals",
            "about 8.6 GiB",
        ),
    ] {
        let problems = said(changes, None);
        let [problem] = problems.as_slice() else { panic!("{changes:?}: {problems:?}") };
        assert_eq!((problem.code, problem.path.to_string().as_str()), ("too_much_memory", place), "{problem:?}");
        assert!(problem.message.contains(figure), "{}", problem.message);
        assert!(problem.help.as_ref().is_some_and(|help| help.contains("--memory")), "{problem:?}");
        assert!(problem.span.is_somewhere());
    }
    // The limit can be raised or lowered.
    let ten_users = [("{poisson: 10/s}", "{closed: {users: 100000, think: 1s}}")];
    assert!(said(&ten_users, None).is_empty());
    let problems = said(&ten_users, Some(20 << 20));
    assert!(problems[0].message.contains("about 24 MiB of memory; the limit is 20 MiB"), "{problems:?}");
    let keys = [("call: api", KEYS)];
    assert!(said(&keys, Some(80 << 20)).is_empty(), "{:?}", said(&keys, Some(80 << 20)));
    assert_eq!(said(&keys, Some(60 << 20))[0].path.to_string(), "workloads.u.requests");
}

#[test]
fn as_many_parts_as_nobody_can_follow_are_refused() {
    let begin = |ops: usize| {
        let ops: Vec<String> = (0..ops).map(|op| format!("{{op: o{op}}}")).collect();
        format!(
            "version: 1\nrun: {{duration: 1s}}\nworkloads: {{u: {{arrivals: {{poisson: 1/s}}, requests: [{}], call: c0}}}}\ncomponents:\n",
            ops.join(", ")
        )
    };
    let chain = |length: usize| {
        let link = |at: usize| format!("  c{at}: {{kind: load_balancer, to: c{}}}\n", at + 1);
        let links: String = (0..length).map(link).collect();
        format!("{links}  c{length}: {{kind: external, latency: 1ms}}\n")
    };
    let problems = of_yaml(&format!("{}{}", begin(1), chain(10_000)), None);
    assert_eq!(problems[0].code, "too_many", "{problems:?}");
    assert!(problems[0].message.starts_with("20002 workloads, components and links in total; at most 20000"));
    let problems = of_yaml(&format!("{}{}", begin(10_001), chain(1)), None);
    assert!(problems[0].message.contains("more than 10000 different operations"), "{problems:?}");
    let problems = of_yaml(&format!("{}{}", begin(2_000), chain(300)), None);
    assert!(problems[0].message.contains("more than 500000 combinations"), "{problems:?}");
    // A long chain of calls is followed to its end.
    assert_eq!(of_yaml(&format!("{}{}", begin(2), chain(3_000)), None), Vec::new());
    let round = format!("{}{}", begin(1), chain(3_000))
        .replace("c3000: {kind: external, latency: 1ms}", "c3000: {kind: load_balancer, to: c0}");
    let problems = of_yaml(&round, None);
    assert_eq!((problems.len(), problems[0].code), (1, "call_cycle"));
}
