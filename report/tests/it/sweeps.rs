//! Sweeps: their charts and findings, and that neither mislead.

use lab::metrics::Unit;
use lab::sweep::{Bound, ChartForm, ChartWanted, Swept, SweptPoint, SweptRun};
use report::charts::{Kind, NamedChart};
use report::sweep::{charts, findings, points_csv, summary_csv};

/// A sweep over the given axes of one metric in seconds, a function of the point and the number of the run.
fn swept(axes: &[(&str, &[&str])], runs: usize, metric: impl Fn(&[f64], usize) -> Option<f64>) -> Swept {
    let mut combinations: Vec<Vec<String>> = vec![Vec::new()];
    for (_, values) in axes {
        combinations = combinations
            .into_iter()
            .flat_map(|point| values.iter().map(move |value| [point.clone(), vec![(*value).to_owned()]].concat()))
            .collect();
    }
    let point = |(number, values): (usize, Vec<String>)| {
        let numbers: Vec<f64> =
            values.iter().map(|text| language::quantity::Quantity::parse(text).expect("a quantity").value).collect();
        let run = |run| Some(SweptRun { values: vec![metric(&numbers, run)], error: None });
        SweptPoint {
            number,
            varied: vec![true; values.len()],
            percentiles: std::sync::Arc::default(),
            runs: (0..runs).map(run).collect(),
            values,
        }
    };
    Swept {
        name: "Made up".to_owned(),
        description: None,
        source: "made-up.yaml".to_owned(),
        seed: 1,
        replications: runs as u32,
        axes: axes.iter().map(|(path, _)| (*path).to_owned()).collect(),
        metrics: vec!["workloads.users.latency.p99".to_owned()],
        units: vec![Unit::Seconds],
        charts: None,
        one_at_a_time: false,
        bounds: Vec::new(),
        plan: "0123456789abcdef".to_owned(),
        points: combinations.into_iter().enumerate().map(point).collect(),
    }
}

const LOAD: &str = "workloads.users.arrivals.poisson";
const POOL: &str = "components.db.connections";
const LOADS: [&str; 5] = ["100/s", "200/s", "300/s", "400/s", "500/s"];

fn texts(swept: &Swept) -> Vec<String> {
    findings(swept).into_iter().map(|finding| finding.text).collect()
}

fn only(charts: Vec<NamedChart>) -> NamedChart {
    let mut charts = charts;
    assert_eq!(charts.len(), 1);
    charts.remove(0)
}

#[test]
fn a_chart_is_titled_in_words_and_a_single_curve_needs_no_legend() {
    let swept = swept(&[(LOAD, &LOADS)], 3, |at, run| Some(at[0] / 1e4 + run as f64 / 1e5));
    let chart = only(charts(&swept)).chart;
    assert_eq!(chart.title, "p99 latency of users against poisson arrivals of users");
    assert_eq!((chart.x.label.as_str(), chart.y.label.as_str()), ("poisson arrivals of users", "p99 latency of users"));
    let Kind::Line { series } = &chart.kind else { panic!("{:?}", chart.kind) };
    assert_eq!((series.len(), series[0].name.as_str()), (1, ""));
}

#[test]
fn intervals_end_where_values_do() {
    // Mean 10 ms, half-width 25 ms: no latency is below zero.
    let swept = swept(&[(LOAD, &LOADS)], 3, |_, run| Some([0.0, 0.01, 0.02][run]));
    let Kind::Line { series } = only(charts(&swept)).chart.kind else { panic!("no line") };
    for point in &series[0].points {
        let (low, high) = point.interval.expect("three runs");
        assert!(low == 0.0 && (0.034..0.036).contains(&high), "{point:?}");
    }
}

#[test]
fn a_third_axis_makes_small_multiples_and_is_not_averaged_away() {
    let axes: [(&str, &[&str]); 3] = [(LOAD, &LOADS), (POOL, &["1", "2"]), ("run.window", &["1s", "2s", "4s"])];
    let swept = swept(&axes, 2, |at, _| Some(at[0] * at[1] * at[2] / 1e4));
    let Kind::SmallMultiples { panels } = only(charts(&swept)).chart.kind else { panic!("no panels") };
    let shape: Vec<usize> = panels.iter().map(|panel| panel.series.len()).collect();
    assert_eq!(shape, [3, 3]);
    // Pool 2, window 4 s, load 500/s.
    assert_eq!(panels[1].series[2].points[4].y, Some(0.4));
}

#[test]
fn a_heat_map_has_the_contour_of_the_objective() {
    let pools: Vec<String> = (1..=9).map(|size| size.to_string()).collect();
    let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
    let loads: Vec<String> = (1..=10).map(|load| format!("{load}00/s")).collect();
    let loads: Vec<&str> = loads.iter().map(String::as_str).collect();
    let mut swept = swept(&[(LOAD, &loads), (POOL, &pools)], 2, |at, _| Some(at[0] / at[1] / 1e4));
    swept.bounds.push(Bound { metric: swept.metrics[0].clone(), name: "fast".to_owned(), value: 0.02, below: true });
    let Kind::HeatMap { x, y, values, contour, .. } = only(charts(&swept)).chart.kind else { panic!("no map") };
    assert_eq!((x.len(), y.len(), values[8][9]), (10, 9, Some(1000.0 / 9.0 / 1e4)));
    let contour = contour.expect("the objective's");
    assert_eq!((contour.level, contour.name.as_str()), (0.02, "objective: fast"));
}

#[test]
fn a_third_axis_makes_a_heat_map_each_and_is_not_averaged_away() {
    let pools: Vec<String> = (1..=9).map(|size| size.to_string()).collect();
    let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
    let loads: Vec<String> = (1..=10).map(|load| format!("{load}00/s")).collect();
    let loads: Vec<&str> = loads.iter().map(String::as_str).collect();
    let axes: [(&str, &[&str]); 3] = [(LOAD, &loads), (POOL, &pools), ("run.window", &["1s", "2s", "4s"])];
    let found = charts(&swept(&axes, 2, |at, _| Some(at[0] * at[2] / at[1] / 1e4)));
    let corners: Vec<(String, Option<f64>)> = found
        .iter()
        .map(|one| {
            let Kind::HeatMap { values, .. } = &one.chart.kind else { panic!("{:?}", one.chart.kind) };
            (one.chart.subtitle.clone(), values[0][9])
        })
        .collect();
    let of =
        |window: &str, value| (format!("Made up; 2 runs per point, 95 % intervals; run.window {window}"), Some(value));
    assert_eq!(corners, [of("1s", 0.1), of("2s", 0.2), of("4s", 0.4)]);
    assert!(found[1].name.ends_with("-2") && found[2].name.ends_with("-3"));
}

/// A space-filling design does not show the effect of a single axis, and neither charts nor sentences claim that it does.
#[test]
fn points_of_a_latin_hypercube_are_no_line_along_one_axis() {
    let mut cube = swept(&[(LOAD, &LOADS), (POOL, &["1", "2", "3", "4", "5"])], 2, |at, _| Some(at[0] / at[1] / 1e4));
    let chosen = [("300/s", "2"), ("100/s", "5"), ("500/s", "3"), ("200/s", "1"), ("400/s", "4")];
    cube.points.retain(|point| chosen.contains(&(point.values[0].as_str(), point.values[1].as_str())));
    cube.points.sort_by_key(|point| chosen.iter().position(|(load, _)| *load == point.values[0]));
    let said = texts(&cube);
    assert!(said[0].starts_with("p99 latency of users is lowest, 2.00 ms, at "), "{said:?}");
    assert!(said[0].contains("connections of db 5") && said[0].contains(" and highest, 20.0 ms, at "), "{said:?}");
    let chart = only(charts(&cube)).chart;
    assert_eq!(chart.subtitle, "Made up; 2 runs per point, 95 % intervals; connections of db differ too");
    let Kind::Points { series } = &chart.kind else { panic!("{:?}", chart.kind) };
    assert_eq!(series[0].points.len(), 5);
    // Axes varied together rise together: then the sentence names one axis, and the chart also mentions the other.
    let mut zip = swept(&[(LOAD, &LOADS), (POOL, &["1", "2", "3", "4", "5"])], 2, |at, _| Some(at[0] / 1e4));
    zip.points.retain(|point| point.number % 6 == 0);
    assert!(texts(&zip)[0].contains("rises from 10.0 ms"), "{:?}", texts(&zip));
    assert!(matches!(only(charts(&zip)).chart.kind, Kind::Line { .. }));
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let windows: Vec<String> = (1..=13).map(|window| format!("{window}s")).collect();
    let windows: Vec<&str> = windows.iter().map(String::as_str).collect();
    let loads: Vec<String> = (1..=14).map(|load| format!("{load}00/s")).collect();
    let loads: Vec<&str> = loads.iter().map(String::as_str).collect();
    let mut many =
        swept(&[(LOAD, &loads), (POOL, &["1", "2"]), ("run.window", &windows)], 1, |at, _| Some(at[0] * at[2]));
    let wanted = |group: &str| ChartWanted {
        x: LOAD.to_owned(),
        value: many.metrics[0].clone(),
        group: Some(group.to_owned()),
        kind: ChartForm::Line,
    };
    many.charts = Some(vec![wanted(POOL), wanted("run.window")]);
    let told: Vec<String> = charts(&many).into_iter().map(|one| one.chart.subtitle).collect();
    assert_eq!(told, ["Made up; one run per point; 12 of 13 panels", "Made up; one run per point; 8 of 13 lines"]);
}

#[test]
fn sentences_say_what_the_figures_do() {
    let one = |metric: fn(f64) -> f64| texts(&swept(&[(LOAD, &LOADS)], 3, |at, _| Some(metric(at[0]))));
    let of = "p99 latency of users";
    let at = "poisson arrivals of users";
    assert_eq!(one(|_| 0.01), [format!("{of} is 10.0 ms whatever the {at}.")]);
    assert_eq!(
        one(|load| load / 1e4),
        [format!("{of} rises from 10.0 ms at {at} 100/s to 50.0 ms at 500/s, by a factor of 5.")]
    );
    assert_eq!(
        one(|load| load.min(300.0) / 1e4),
        [format!(
            "{of} has a knee at {at} 300/s: it rises from 10.0 ms at 100/s to 30.0 ms there, and stays within 2 % of its last \
             value from there on."
        )]
    );
    assert_eq!(
        one(|load| (load - 300.0).max(0.0) / 1e4 + 0.01),
        [format!(
            "{of} has a knee at {at} 300/s: it stays within 2 % of 10.0 ms up to there, then rises to 30.0 ms at 500/s."
        )]
    );
    assert_eq!(
        one(|load| (load - 300.0).abs() / 1e4 + 0.01),
        [format!("{of} is least at {at} 300/s: 10.0 ms; it is 30.0 ms at 100/s and 30.0 ms at 500/s.")]
    );
}

#[test]
fn knees_are_told_of_each_line() {
    let two = swept(&[(LOAD, &LOADS), (POOL, &["1", "2"])], 3, |at, _| Some(at[0].min(200.0 * at[1]) / 1e4));
    let said = texts(&two);
    let with = |text: &str| said.iter().filter(|it| it.starts_with(text)).count();
    assert_eq!((said.len(), with("With "), with("p99 latency of users is lowest")), (2, 1, 1), "{said:?}");
    assert!(said[1].contains("has a knee at poisson arrivals of users 200/s: it rises from 10.0 ms"), "{said:?}");
}

#[test]
fn an_objective_is_held_against_every_point_and_its_border_is_named() {
    let mut one = swept(&[(LOAD, &LOADS)], 3, |at, _| Some(at[0] / 1e4));
    let bound = |value| Bound { metric: one.metrics[0].clone(), name: "fast".to_owned(), value, below: true };
    let (all, some, none) = (bound(1.0), bound(0.035), bound(0.001));
    one.bounds = vec![all, some, none];
    let said = texts(&one);
    assert_eq!(said[0], "The objective \"fast\" fails at every point.");
    let border = ": up to poisson arrivals of users 300/s, but not at 400/s.";
    assert_eq!(said[1], format!("The objective \"fast\" holds at 3 of 5 points, by the mean{border}"));
    assert_eq!(said.last().map(String::as_str), Some("The objective \"fast\" holds at every point, by the mean."));
}

#[test]
fn what_failed_and_what_scatters_is_said_first() {
    let mut one = swept(&[(LOAD, &LOADS)], 2, |at, run| Some(at[0] / 1e4 * (1.0 + run as f64)));
    one.points[1].runs = vec![Some(SweptRun { values: vec![None], error: Some("out of memory".to_owned()) })];
    let said = texts(&one);
    assert_eq!(said[0], "1 of 5 points failed, the first at poisson arrivals of users 200/s: out of memory.");
    assert!(
        said[1].starts_with("The interval of p99 latency of users is wider than ± 20 % of its mean at 4 of 5 points")
    );
    let csv = points_csv(&one);
    assert!(csv.contains("1,0,200/s,,out of memory"), "{csv}");
    assert!(summary_csv(&one).lines().nth(2).is_some_and(|row| row == "1,200/s,0,,"), "{}", summary_csv(&one));
}
