use std::collections::BTreeSet;
use std::sync::Arc;

use models::figures::{Declared, declared};
use sim_core::line::{Discipline, Line};
use sim_core::slots::Slots;

use super::*;
use crate::result::RunResult;
use crate::{Options, Session, Text, load, metrics};

/// A scenario with everything that declares figures.
const EVERYTHING: &str = "\
version: 1
run: {duration: 20s, window: 1s}
hosts: {box: {cores: 2, cost: 0.17/h, memory: 8GB, ephemeral_ports: 28232, scheduler: {slice: 1ms}, credits: {rate: 0.5, max: 10s}}}
workloads:
  visitors: {arrivals: {sessions: {rate: 20/s, requests: 3, think: 500ms}}, requests: [{key: {zipf: {keys: 50, s: 1}}}], call: front}
  producers: {arrivals: {poisson: 50/s}, call: jobs}
  shoppers: {arrivals: {closed: {users: 5, think: 100ms}}, requests: [{op: put, key: {uniform: {keys: 3}}}, {op: get, key: {uniform: {keys: 3}}}], call: store}
  writers: {arrivals: {poisson: 100/s}, call: {to: db, batch: {max: 5, wait: 20ms, max_bytes: 1MB, bad_items: 1%}}}
  readers:
    arrivals: {poisson: 200/s}
    requests: [{key: {zipf: {keys: 5, s: 1}}}]
    call: {to: db, coalesce: {by: key}, timeout: 500ms, retry: {max_attempts: 2, when: [timeout, unavailable, overload, rate_limited, reset, error, breaker_open, pool_timeout]}}
components:
  front: {kind: load_balancer, to: [app], cost: 0.03/h, health_check: haproxy, outlier_ejection: envoy, panic_threshold: 50%, slow_start: 10s, max_connections: 10000, sticky: key}
  app:
    kind: service
    replicas: 2
    cost: 0.05/h
    autoscale: {max: 3, hpa: {metrics: [{per_replica: in_flight, target: 1000}]}}
    runtime: {async: {workers: 20}}
    handlers: {default: [{call: near}, {call: {link: near, op: peek}}, {choose: [{weight: 1, steps: [{call: {link: near, op: write}}]}, {weight: 9, steps: []}]}, {call: far}, {call: name}, {call: loop}, {call: function}, {call: crew}, {call: vault}, {choose: [{weight: 1, steps: [{call: {link: vault, op: write}}]}, {weight: 9, steps: []}]}, {call: heap}, {leak: {probability: 1%}}, {lock: {name: one, steps: [{wait: 1ms}]}}]}
    consumes: [jobs]
    calls:
      near: {to: cache, health_check: haproxy}
      loop: {to: loop}
      function: {to: function}
      crew: {to: crew}
      vault: {to: vault}
      heap: {to: heap}
      far:
        to: partner
        fallback: degraded
        throttle: adaptive
        breaker: resilience4j
        rate_limit: {leaky_bucket: {rate: 1000/s, queue: 5}, by: op}
        concurrency: {fixed: 10, wait: 10ms}
        pool: {size: 3, min_idle: 0}
      name: {to: dns}
  heap:
    kind: service
    cpu: 1
    memory: {limit: 512MB, commit: reserved}
    listen: {backlog: 100}
    gc: g1
    runtime: {thread_per_request: {stack: 1MB}}
    handlers: {default: [{allocate: 1MB}, {cpu: 1ms}]}
  loop: {kind: service, hosts: box, cpu: {limit: 1}, runtime: {event_loop: {switch: callback}}, handlers: {default: [{cpu: 1ms}]}}
  function: {kind: service, runtime: single, start_up: 100ms, handlers: {default: [{wait: 1ms}]}}
  crew:
    kind: service
    runtime: {processes: {workers: 4, max_requests: 100}}
    admission: {queue: {max: 10}, rate_limit: {token_bucket: {rate: 1000/s, burst: 10}, by: op}, concurrency: {fixed: 3}, shed: {priority: {}}}
    handlers: {default: [{wait: 1ms}]}
  jobs: {kind: queue, capacity: 5, full: block}
  cache: {kind: cache, hot_keys: 5, capacity: 20, coalesce: true, write_ops: [write], to: {to: db, pool: {size: 2}}}
  vault: {kind: cache, timeout: 1s, capacity: 20KiB, entry_size: 1KiB, ttl: 1s, lease: {}, write_ops: [write], mode: {behind: {flush: 1s}}, stale_while_revalidate: 1s, stale_if_error: 1s, early_expiry: {}, negative_ttl: 1s, to: db}
  dns: {kind: dns, ttl: 1s, to: [{to: db, weight: 1}]}
  partner: {kind: external, rate_limit: {token_bucket: {rate: 1000/s}, by: op}, latency: {exp: 20ms}, concurrency: 10}
  db: {kind: database, connections: 10, operations: {default: {exp: 10ms}}}
  store: {kind: database, connections: 10, operations: {default: {exp: 10ms}}, write_ops: [put], read_from: replica, replication: {replicas: 2, lag: {exp: 500ms}}}
";

fn session(yaml: &str) -> Session {
    let text = Text { name: "test.yaml".into(), bytes: yaml.into(), folder: None };
    let loaded = load(&text, &Options::default()).unwrap_or_else(|refused| panic!("{:#?}", refused.problems));
    Session::new(Arc::new(loaded), 1, None)
}

fn ended(yaml: &str) -> Session {
    let mut session = session(yaml);
    session.run_to_end().unwrap_or_else(|failure| panic!("{failure}"));
    session
}

#[test]
fn every_declared_figure_is_a_metric_of_a_run_that_uses_its_owner() {
    let result = ended(EVERYTHING).result();
    let names = metrics::names(&result);
    for Declared { group, owner, figures } in declared() {
        let paths: Vec<String> = match group {
            "components" => {
                let of_kind = result.components.iter().filter(|(_, component)| component.kind == owner);
                of_kind.map(|(name, _)| format!("components.{name}.")).collect()
            }
            "link settings" => vec!["links.".to_string()],
            "sections" if owner == "hosts" => vec!["hosts.box.".to_string()],
            _ => vec!["workloads.visitors.".to_string()],
        };
        assert!(!paths.is_empty(), "no component of the scenario above is a {owner}");
        for figure in figures.iter().filter(|figure| !figure.is_for_screens) {
            if figure.by == Some(Dimension::Op) {
                let is_there =
                    |path: &String| names.iter().any(|metric| metric.starts_with(&format!("{path}{}.", figure.name)));
                assert!(paths.iter().any(is_there), "{owner}: {} is not among {names:#?}", figure.name);
                continue;
            }
            for (name, _) in parts(figure, None) {
                // The path of a link has the link's name in between.
                let is_there =
                    |path: &String| names.iter().any(|metric| metric.starts_with(path) && ends(metric, &name));
                // Not every component of a kind has all the figures of the kind.
                assert!(paths.iter().any(is_there), "{owner}: {name} is not among {names:#?}");
            }
        }
    }
}

fn ends(metric: &str, name: &str) -> bool {
    metric.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

#[test]
fn nobody_reports_what_it_has_not_declared() {
    let session = ended(EVERYTHING);
    let of = |group: &str, owner: Option<&str>| -> BTreeSet<&str> {
        let is_meant = |one: &Declared| one.group == group && owner.is_none_or(|owner| one.owner == owner);
        declared().filter(is_meant).flat_map(|one| one.figures).map(|figure| figure.name).collect()
    };
    let check = |figures: &Figures, declared: &BTreeSet<&str>, who: &str| {
        for (figure, value) in figures.iter() {
            assert!(declared.contains(figure.name), "{who} has not declared {}", figure.name);
            assert!(value.fits(figure), "{who}: {figure:?} is {value:?}");
        }
    };
    let directory = &session.network.directory;
    for (index, component) in directory.components.iter().enumerate() {
        let together = session.together(index, Figures::default());
        check(&together.figures, &of("components", Some(component.kind)), &component.name);
    }
    for link in session.links.iter() {
        let mut figures = Figures::default();
        session.report_of_link(link, &mut figures);
        check(&figures, &of("link settings", None), &link.name);
    }
    for workload in &directory.workloads {
        let mut figures = Figures::default();
        session.report_of([workload.node], &mut figures);
        check(&figures, &of("sections", Some("workloads")), &workload.name);
    }
}

/// The walk over metrics is written by hand; the JSON result, which serde derives, is the independent check.
#[test]
fn numbers_of_the_json_result_and_metrics_are_the_same() {
    let result = ended(EVERYTHING).result();
    let json = serde_json::to_value(&result).expect("plain data");
    let mut told = BTreeSet::new();
    for section in ["workloads", "hosts", "components", "links"] {
        each_number(section, &json[section], &mut |path, number| {
            // Facts about the system and the measurement are not metrics.
            if [".workers.", ".spread.", ".queue.bound", ".timeout_s"].iter().any(|fact| path.contains(fact)) {
                return;
            }
            let bare = path.strip_suffix(SECONDS_SUFFIX).unwrap_or(path);
            assert_eq!(metrics::value(&result, bare), Ok(number), "{path}");
            let unit = metrics::unit(&result, bare).expect("it was just found");
            assert_eq!(path.ends_with(SECONDS_SUFFIX), unit == Unit::Seconds, "{path} is in {unit:?}");
            told.insert(bare.to_string());
        });
    }
    assert!(told.len() > 250, "{}", told.len());
    // Outcomes that never happened and ratios of nothing are the only metrics that the JSON leaves out.
    for metric in metrics::all(&result).iter().filter(|metric| metric.name != "goodput") {
        let is_nothing = metric.value.is_none() || (metric.name.contains(".outcomes.") && metric.value == Some(0.0));
        assert!(told.contains(&metric.name) || is_nothing, "{metric:?}");
    }
}

fn each_number(path: &str, json: &serde_json::Value, visit: &mut impl FnMut(&str, Option<f64>)) {
    match json {
        serde_json::Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| each_number(&format!("{path}.{key}"), value, visit));
        }
        serde_json::Value::Number(number) => visit(path, number.as_f64()),
        serde_json::Value::Null if !path.ends_with("pool") && !path.ends_with("queue") => visit(path, None),
        _ => {}
    }
}

#[test]
fn results_read_back_are_what_was_written() {
    let mut result = ended(EVERYTHING).result();
    let text = serde_json::to_string(&result).expect("plain data");
    let back: RunResult = serde_json::from_str(&text).expect("it was written so");
    assert_eq!(serde_json::to_string(&back).expect("plain data"), text);
    // Not serialised: single replicas and hosts, and the data for merging runs.
    result.components.values_mut().for_each(|component| component.each.clear());
    result.hosts.values_mut().for_each(|hosts| hosts.each.clear());
    result.times.clear();
    assert_eq!(back, result);
    let of = |path: &str| metrics::find(&back, path).map(|metric| metric.unit);
    assert_eq!(of("components.cache.hit_ratio"), Ok(Unit::Fraction));
    assert_eq!(of("links.readers.call.shared_answer_age"), Ok(Unit::Seconds));
    assert_eq!(of("links.app.far.pool.wait.p99"), Ok(Unit::Seconds));
    assert_eq!(of("links.app.far.pool.size"), Ok(Unit::Count));
}

#[test]
fn a_link_without_a_pool_says_so_and_others_nest() {
    let json = serde_json::to_value(ended(EVERYTHING).result()).expect("plain data");
    assert_eq!(json["links"]["writers"]["call"]["pool"], serde_json::Value::Null);
    let pool = &json["links"]["app"]["far"]["pool"];
    let keys: Vec<&String> = pool.as_object().expect("a group").keys().collect();
    assert_eq!(keys, ["size", "active", "wait", "waiting"]);
    // Two replicas with three connections each, and a whole number.
    assert_eq!(pool["size"].as_u64(), Some(6));
    assert!(json["links"]["app"]["far"]["pool_opened"].is_f64());
}

const STATE: Figure = Figure::states("breaker.state", &["closed", "open"], "State.");
const OPENED: Figure = Figure::count("breaker.opened", "Opened.");
const AGE: Figure = Figure::mean("breaker.age", "Age.").in_seconds();
const WAIT: Figure = Figure::times("wait", "Wait.");
const OLDEST: Figure = Figure::max("oldest", "Oldest.").in_seconds();
const HELD: Figure = Figure::gauge("held", "Held.");
const SAMPLED: Figure = Figure::gauge("held", "Held.").sampled();

#[test]
fn figures_of_every_sort_become_readings() {
    let mut figures = Figures::default();
    figures.states(&STATE, 1, &[1_000, 3_000]);
    figures.states(&STATE, 0, &[4_000, 0]);
    figures.count(&OPENED, 7);
    figures.ratio(&AGE, 3_000_000_000u64, 4u64);
    figures.max(&OLDEST, None);
    let own = Own::over(&figures, 4e-6);
    assert_eq!((own["breaker.state.closed"], own["breaker.state.open"]), (0.625, 0.375));
    let json = serde_json::to_string(&own).expect("plain data");
    assert_eq!(json, r#"{"breaker":{"state":{"closed":0.625,"open":0.375},"opened":7,"age_s":0.75}}"#);
    assert_eq!(own.get("oldest"), Some(&Reading::number(None, Unit::Seconds)));
    let now = Own::now(&figures);
    assert_eq!((now["breaker.state.closed"], now["breaker.state.open"]), (1.0, 1.0));
}

#[test]
fn a_window_shows_what_was_added_in_it() {
    let (mut before, mut now) = (Figures::default(), Figures::default());
    let mut times = Histogram::new();
    times.record_all(&[5_000_000_000; 100]);
    let mut held = sim_core::gauge::Gauge::new(0, 2);
    for (figures, at, spent, opened) in [(&mut before, 1_000, [1_000, 0], 3), (&mut now, 3_000, [1_500, 1_500], 8)] {
        figures.states(&STATE, 1, &spent);
        figures.count(&OPENED, opened);
        figures.ratio(&AGE, opened * 1_000_000_000, opened);
        figures.max(&OLDEST, Some(opened * 1_000_000_000));
        figures.gauge(&HELD, &held, at);
        figures.times(&WAIT, &times);
        held.set(2_000, 6);
        times.record_all(&[1_000_000_000; 3]);
    }
    let of = |figure: &'static Figure, part| in_window(figure, part, &before, &now, 2_000);
    assert_eq!(of(&STATE, Part::State(1)), Some(0.75));
    assert_eq!(of(&OPENED, Part::Whole), Some(5.0 / 2e-6));
    assert_eq!(of(&AGE, Part::Whole), Some(1.0));
    assert_eq!(of(&OLDEST, Part::Whole), Some(8.0));
    assert_eq!(of(&HELD, Part::Whole), Some(4.0));
    assert_eq!((of(&WAIT, Part::Mean), of(&WAIT, Part::Count)), (Some(1.0), Some(3.0 / 2e-6)));
    let p99 = of(&WAIT, Part::Quantile(0.99)).expect("three were added");
    assert!((p99 - 1.0).abs() < 0.004, "{p99}");
    assert_eq!(of(&SAMPLED, Part::Whole), Some(6.0));
    // Without a figure at the end the window has no value.
    assert_eq!(in_window(&HELD, Part::Whole, &before, &Figures::default(), 2_000), None);
}

/// Every metric that an objective can name can be evaluated during a part of the run, except samples and facts about the
/// run itself.
#[test]
fn everything_that_is_measured_can_be_kept_over_time() {
    let yaml = EVERYTHING
        .replace("call: front}", "call: front, deadline: 1s}")
        .replace("requests: [{key: {zipf: {keys: 5, s: 1}}}]", "requests: [{op: read}, {op: scan}]")
        .replace("    call: {to: db, coalesce", "    call: {to: db, breaker: resilience4j, coalesce")
        .replace("hosts: {box:", "hosts: {web: {count: 2, cores: 2}, box:")
        .replace("    replicas: 2\n", "    replicas: 2\n    hosts: {on: web}\n")
        .replace("coalesce: {by: key}", "hedge: {delay: 50ms}");
    let is_whole =
        |name: &&String| name.contains(".breakdown.") || name.ends_with(".worst_window") || name.ends_with(".late");
    let usual = ended(&yaml).result();
    let names: Vec<String> = metrics::names(&usual).into_iter().filter(|name| !is_whole(&name)).collect();
    assert!(names.len() > 300, "{}", names.len());
    let units = |name: &str| match metrics::unit(&usual, name).expect("it is there") {
        Unit::Seconds => "1s",
        Unit::PerSecond => "1/s",
        Unit::Fraction => "50%",
        Unit::Bytes => "1KiB",
        Unit::Count | Unit::Number => "1",
    };
    let objective = |name: &String| format!("  - {{metric: {name}, above: {}, during: [1s, 19s]}}\n", units(name));
    let result = over_time(&yaml, &names.iter().map(objective).collect::<String>());
    assert_eq!(result.objectives.len(), names.len());
    // Asking for columns changes nothing else in the result.
    assert_eq!((&result.workloads, &result.components), (&usual.workloads, &usual.components));
    assert_eq!((&result.links, &result.hosts), (&usual.links, &usual.hosts));
    // The counts of the windows add up to those of the run.
    for name in names.iter().filter(|name| name.contains(".outcomes.") || name.ends_with(".sent")) {
        let sum: f64 = result.series.columns[name].iter().flatten().sum();
        assert!((sum - metrics::value(&usual, name).expect("known").expect("a count")).abs() < 1e-6, "{name}: {sum}");
    }
}

fn over_time(yaml: &str, objectives: &str) -> RunResult {
    ended(&format!("{yaml}objectives:\n{objectives}")).result()
}

#[test]
fn a_figure_is_kept_over_time_where_an_objective_asks_for_it() {
    let during = "during: [2s, 18s]";
    let result = over_time(
        EVERYTHING,
        &format!(
            "  - {{metric: \"components.app[1].utilization\", above: 0%, {during}}}\n\
             \x20 - {{metric: links.app.far.pool.wait.p99, below: 10s, {during}}}\n\
             \x20 - {{metric: components.cache.hit_ratio, above: 10%, {during}}}\n\
             \x20 - {{metric: links.app.far.pool.active, above: 0, {during}}}\n\
             \x20 - {{metric: components.cache.misses, above: 0}}\n"
        ),
    );
    let usual = ended(EVERYTHING).result();
    let names = result.series.columns.keys();
    let (common, added): (Vec<&String>, Vec<&String>) =
        names.partition(|name| usual.series.columns.contains_key(*name));
    assert!(common.into_iter().eq(usual.series.columns.keys()));
    // The active connections are kept anyway, and no objective evaluates the misses over time.
    assert_eq!(added, ["components.app[1].utilization", "components.cache.hit_ratio", "links.app.far.pool.wait.p99_s"]);
    for name in added {
        let column = &result.series.columns[name];
        assert_eq!(column.len(), 20, "{name}");
        assert!(column[5].is_some_and(|value| value >= 0.0), "{name}: {column:?}");
    }
    assert!(result.objectives.iter().all(|objective| objective.value.is_some()), "{:#?}", result.objectives);
    // The windows of the two replicas average to those of the component.
    let of = |metric: &str| over_time(EVERYTHING, &format!("  - {{metric: \"{metric}\", above: 0%, {during}}}\n"));
    let first = of("components.app[0].utilization").series.columns["components.app[0].utilization"].clone();
    let second = &result.series.columns["components.app[1].utilization"];
    let both = &result.series.columns["components.app.utilization"];
    for ((first, second), both) in first.iter().zip(second).zip(both) {
        let mean = first.zip(*second).map(|(first, second)| (first + second) / 2.0).expect("both have threads");
        assert!((mean - both.expect("they have")).abs() < 1e-9);
    }
}

/// A clone continues like its original and has the same past samples.
#[test]
fn clones_sample_alike() {
    let yaml = format!(
        "{EVERYTHING}objectives:\n  - {{metric: \"components.app[0].queue.depth\", below: 100, during: [1s, 9s]}}\n"
    );
    let mut one = session(&yaml);
    one.run_until(7_300_000_000).expect("it goes on");
    let mut other = one.clone();
    one.run_to_end().expect("it ends");
    other.run_to_end().expect("it ends");
    assert_eq!(one.result(), other.result());
    assert_eq!(one.result(), ended(&yaml).result());
}

#[test]
fn places_of_a_component_report_what_a_result_has_a_place_for() {
    let slots = Slots::new(Some(2), Line::new(Discipline::Fifo, None));
    let mut figures = Figures::default();
    slots.figures(5, &mut figures);
    assert_eq!(Own::over(&figures, 1.0), Own::default());
    assert_eq!(Own::now(&figures), Own::default());
}
