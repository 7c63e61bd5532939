//! Charts of every kind: they can be drawn, are reproducible, and do not mislead.

use report::charts::{
    Axis, Band, BarGroup, Bound, Chart, Contour, Kind, Layer, Line, Mark, Panel, PercentileLine, Point, Size,
    TimelineBar, TimelineLane, TimelineRole, TopologyBox, TopologyCall, Unit, png, run_charts, svg,
};

use lab::result::{Demand, ObjectiveResult};

use crate::sample;

fn chart(kind: Kind, log: bool) -> Chart {
    Chart {
        title: "Title <&>".to_owned(),
        subtitle: "Subtitle".to_owned(),
        x: Axis { label: "load".to_owned(), unit: Unit::PerSecond, log },
        y: Axis { label: "latency".to_owned(), unit: Unit::Seconds, log },
        bounds: vec![Bound { value: 1.5, name: "objective <&>".to_owned() }],
        kind,
        size: Size::default(),
    }
}

/// A chart of every kind with the same values.
fn every_kind(values: &[f64]) -> Vec<Kind> {
    let x = |index: usize| index as f64;
    let line = Line {
        name: "line".to_owned(),
        points: values
            .iter()
            .enumerate()
            .map(|(index, y)| Point { x: x(index), y: Some(*y), interval: Some((y - 1.0, y + 1.0)) })
            .collect(),
    };
    let small = line.clone();
    let pairs: Vec<(f64, f64)> = values.iter().enumerate().map(|(index, y)| (x(index), *y)).collect();
    let known: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    let fault = Band { name: "fault".to_owned(), from_s: 0.5, until_s: None, is_event: false };
    let happenings: Vec<Mark> = values.iter().map(|at_s| Mark { at_s: *at_s, title: "<&>".to_owned() }).collect();
    vec![
        Kind::Line { series: vec![line.clone()] },
        Kind::Points { series: vec![line.clone()] },
        Kind::TimeSeries {
            series: vec![line],
            faults: vec![fault.clone(), fault.clone()],
            happenings: happenings.clone(),
        },
        Kind::Bars {
            categories: values.iter().map(f64::to_string).collect(),
            groups: vec![BarGroup {
                name: "g".to_owned(),
                values: known.clone(),
                intervals: values.iter().map(|y| Some((y - 1.0, y + 1.0))).collect(),
            }],
        },
        Kind::HeatMap {
            x: pairs.iter().map(|(x, _)| *x).collect(),
            y: pairs.iter().map(|(x, _)| *x).collect(),
            values: vec![known.clone(); values.len()],
            value: Axis::linear("share", Unit::Share),
            contour: Some(Contour { level: 1.0, name: "one".to_owned() }),
        },
        Kind::Timeline {
            goodput: pairs.iter().map(|(x, y)| (*x, Some(*y))).collect(),
            window_s: 1.0,
            lanes: [TimelineRole::Trigger, TimelineRole::Sustained, TimelineRole::Remedy]
                .map(|role| TimelineLane {
                    name: "lane".to_owned(),
                    role,
                    bars: pairs
                        .iter()
                        .map(|(x, y)| TimelineBar { name: "<&>".to_owned(), from_s: *x, until_s: *y })
                        .collect(),
                })
                .to_vec(),
            happenings: happenings.clone(),
        },
        Kind::StackedAreas {
            at_s: pairs.iter().map(|(x, _)| *x).collect(),
            layers: vec![Layer { name: "l".to_owned(), values: known }; 2],
            faults: vec![fault],
            happenings,
        },
        Kind::Percentiles {
            series: vec![PercentileLine {
                name: "p".to_owned(),
                points: values.iter().enumerate().map(|(index, y)| (1.0 - 0.1 / (x(index) + 1.0), *y)).collect(),
            }],
        },
        Kind::StackedPercentiles {
            at: values.iter().enumerate().map(|(index, _)| 1.0 - 0.1 / (x(index) + 1.0)).collect(),
            layers: vec![Layer { name: "l".to_owned(), values: values.iter().copied().map(Some).collect() }; 2],
        },
        Kind::SmallMultiples {
            panels: vec![Panel { name: "p <&>".to_owned(), series: vec![small] }; values.len().max(1)],
        },
        Kind::Topology {
            boxes: values
                .iter()
                .map(|share| TopologyBox { name: "n <&>".to_owned(), share: Some(*share), ..TopologyBox::default() })
                .collect(),
            // A ring: each calls the next, the last calls the first.
            calls: (0..values.len())
                .map(|from| TopologyCall { from, to: (from + 1) % values.len(), ..TopologyCall::default() })
                .collect(),
        },
        Kind::Hysteresis { rising: pairs.clone(), falling: pairs.into_iter().rev().collect() },
    ]
}

/// Numbers that could trip up careless drawing code.
const AWKWARD: [&[f64]; 9] = [
    &[],
    &[0.0],
    &[5.0],
    &[0.0, 0.0, 0.0],
    &[1.0, f64::NAN, 3.0],
    &[f64::INFINITY, f64::NEG_INFINITY],
    &[-3.0, 0.0, 2.0],
    &[1e-12, 1e15],
    &[f64::MAX, f64::MIN_POSITIVE],
];

#[test]
fn every_kind_is_drawn_whatever_the_numbers() {
    for values in AWKWARD {
        for log in [false, true] {
            for kind in every_kind(values) {
                let drawing = svg(&chart(kind.clone(), log)).expect("a drawing");
                assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"), "{kind:?}");
                for broken in ["NaN", "inf", "<&>"] {
                    let shown = drawing.split("<desc>").next().unwrap_or_default().len();
                    assert!(!drawing[shown..].contains(&format!("\"{broken}\"")), "{broken} in {kind:?}");
                }
            }
        }
    }
}

#[test]
fn every_kind_becomes_a_picture() {
    for kind in every_kind(&[1.0, 3.0, 2.0, 4.0]) {
        let small = Chart { size: Size { width: 300, height: 220 }, ..chart(kind, false) };
        let bytes = png(&small, 1.0).expect("a picture");
        assert_eq!(&bytes[1..4], b"PNG");
    }
}

/// The data of a chart, as a script on the page reads it.
fn data(drawing: &str) -> serde_json::Value {
    let (_, rest) = drawing.split_once("<metadata>").expect("it has data");
    let (text, _) = rest.split_once("</metadata>").expect("it ends");
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&plain).expect("JSON")
}

#[test]
fn every_chart_carries_its_values_where_they_are_drawn() {
    for kind in every_kind(&[1.0, 3.0, 2.0, 4.0]) {
        let drawing = svg(&chart(kind.clone(), false)).expect("a drawing");
        let data = data(&drawing);
        match data["cells"].as_array() {
            Some(cells) => assert!(cells.len() >= 4, "{kind:?}"),
            None => {
                assert_eq!(data["at"].as_array().map(Vec::len), Some(4), "{kind:?}");
                assert!(data["x"]["low"].is_number() && data["box"][2].is_number(), "{kind:?}");
                let series = data["series"].as_array().expect("series");
                let known = |text: &serde_json::Value| text.as_str().is_some_and(|text| !text.is_empty());
                let told = series.iter().flat_map(|one| one["text"].as_array().into_iter().flatten());
                assert!(told.filter(|text| known(text)).count() >= 4, "{kind:?}");
            }
        }
    }
    // The third value of the curve, at its position in the drawing: x = 2 of 0 to 3, y = 2 of 0 to 5.
    let Some(Kind::Line { series }) = every_kind(&[1.0, 3.0, 2.0, 4.0]).into_iter().next() else { panic!("a line") };
    let drawing = svg(&chart(Kind::Line { series }, false)).expect("a drawing");
    let data = data(&drawing);
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let [left, top, right, bottom] = [0, 1, 2, 3].map(|edge| number(&data["box"][edge]));
    let share = |axis: &str, value: f64| {
        let (low, high) = (number(&data[axis]["low"]), number(&data[axis]["high"]));
        (value - low) / (high - low)
    };
    let x = left + share("x", number(&data["at"][2])) * (right - left);
    let y = bottom - share("y", number(&data["series"][0]["y"][2])) * (bottom - top);
    let marked = drawing.split("<g class=\"mark\" data-x=\"").skip(1).any(|mark| {
        let mut numbers = mark.split('"').step_by(2).filter_map(|part| part.parse::<f64>().ok());
        let (at_x, at_y) = (numbers.next().expect("x"), numbers.next().expect("y"));
        (at_x - x).abs() < 0.2 && (at_y - y).abs() < 0.2
    });
    assert!(marked, "no marker at {x}, {y}");
    assert_eq!(data["series"][0]["text"][2], "2 s (1 s to 3 s)");
}

#[test]
fn what_happened_is_marked_on_the_axis_of_time_and_named() {
    let line = Line { name: "l".to_owned(), points: (0..=10).map(|at_s| Point::new(f64::from(at_s), 1.0)).collect() };
    let drawn = |instants: &[f64]| {
        let happenings = instants.iter().map(|at_s| Mark { at_s: *at_s, title: format!("it happened at {at_s}") });
        let happenings = happenings.collect();
        let kind = Kind::TimeSeries { series: vec![line.clone()], faults: Vec::new(), happenings };
        svg(&chart(kind, false)).expect("a drawing")
    };
    let drawing = drawn(&[0.0, 5.0, 10.0]);
    let places: Vec<f64> = drawing
        .split("role=\"img\" aria-label=\"it happened")
        .map(|before| before.rsplit("data-x=\"").next().and_then(|x| x.split('"').next()?.parse().ok()))
        .take(3)
        .map(|x| x.expect("a mark has its place"))
        .collect();
    assert_eq!(places.len(), 3);
    // Equal distances in time are equal distances on the axis.
    assert!(places[0] < places[1] && (places[1] - places[0] - (places[2] - places[1])).abs() < 0.2, "{places:?}");
    assert!(drawing.contains("<title>it happened at 5</title>") && drawing.contains(">happenings</text>"));
    let none = drawn(&[]);
    assert!(!none.contains("happen") && none.lines().count() + 3 * 4 < drawing.lines().count());
}

#[test]
fn an_image_out_of_range_is_refused() {
    let kind = Kind::Line { series: Vec::new() };
    for scale in [0.0, -1.0, f32::NAN, 1e6] {
        assert!(png(&chart(kind.clone(), false), scale).is_err(), "{scale}");
    }
}

#[test]
fn the_same_chart_gives_the_same_bytes() {
    for named in run_charts(&sample::storm()) {
        assert_eq!(svg(&named.chart), svg(&named.chart));
    }
    let named = &run_charts(&sample::storm())[0];
    assert_eq!(png(&named.chart, 1.0), png(&named.chart, 1.0));
}

/// The widths of the filled rectangles of one colour.
fn widths(drawing: &str, color: &str) -> Vec<f64> {
    drawing
        .lines()
        .filter(|line| line.starts_with("<rect") && line.contains(color))
        .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
        .collect()
}

#[test]
fn bars_are_as_long_as_their_values_whatever_the_axis_asks_for() {
    for log in [false, true] {
        let kind = Kind::Bars {
            categories: vec!["a".to_owned(), "b".to_owned()],
            groups: vec![BarGroup {
                name: "g".to_owned(),
                values: vec![Some(900.0), Some(1000.0)],
                intervals: Vec::new(),
            }],
        };
        let drawing = svg(&chart(kind, log)).expect("a drawing");
        let found = widths(&drawing, "#0072B2");
        assert_eq!(found.len(), 2);
        assert!((found[0] / found[1] - 0.9).abs() < 1e-3, "{found:?}");
    }
}

#[test]
fn axes_name_their_variable_their_unit_and_their_scale() {
    let line = Line { name: "l".to_owned(), points: vec![Point::new(100.0, 0.01), Point::new(900.0, 1.0)] };
    let drawing = svg(&chart(Kind::Line { series: vec![line] }, true)).expect("a drawing");
    assert!(drawing.contains(">latency (log scale)<"), "{drawing}");
    assert!(drawing.contains(">load per second (log scale)<"));
}

#[test]
fn a_gap_in_the_data_is_a_gap_in_the_line() {
    let points = |unknown: Option<usize>| -> Vec<Point> {
        (0..6)
            .map(|step| Point {
                x: f64::from(step),
                y: (Some(step as usize) != unknown).then_some(1.0),
                interval: None,
            })
            .collect()
    };
    let lines = |unknown| {
        let series = vec![Line { name: "l".to_owned(), points: points(unknown) }];
        let drawing = svg(&chart(Kind::Line { series }, false)).expect("a drawing");
        drawing.lines().filter(|line| line.starts_with("<polyline") && line.contains("#0072B2")).count()
    };
    // The legend contains one as well.
    assert_eq!((lines(None), lines(Some(3))), (2, 3));
}

#[test]
fn a_run_gets_the_charts_for_which_it_has_figures() {
    let names = |result: &lab::result::RunResult| -> Vec<String> {
        run_charts(result).into_iter().map(|named| named.name).collect()
    };
    assert_eq!(
        names(&sample::storm()),
        [
            "topology",
            "load",
            "latency",
            "percentiles",
            "attempts",
            "queues",
            "utilisation",
            "amplification",
            "wasted-work"
        ]
    );
    assert_eq!(names(&sample::calm()), ["load", "latency", "percentiles", "queues", "utilisation"]);
    assert!(names(&lab::result::RunResult::default()).is_empty());
}

#[test]
fn bounds_of_objectives_are_drawn_wherever_their_metric_is() {
    let mut storm = sample::storm();
    let workload = storm.workloads.keys().next().expect("a workload").clone();
    storm.objectives.push(ObjectiveResult {
        name: "fast".to_owned(),
        metric: format!("workloads.{workload}.latency_all.p99"),
        demand: Demand::Below,
        value: Some(1.0),
        reason: None,
        bound: 0.3,
        unit: "s".to_owned(),
        holds: false,
        over: None,
        recovers: None,
    });
    let bounded: Vec<(String, Vec<String>)> = run_charts(&storm)
        .into_iter()
        .filter(|named| !named.chart.bounds.is_empty())
        .map(|named| (named.name, named.chart.bounds.into_iter().map(|bound| bound.name).collect()))
        .collect();
    assert_eq!(
        bounded,
        [
            ("latency".to_owned(), vec!["objective fast: at most 300 ms".to_owned()]),
            ("percentiles".to_owned(), vec!["objective fast: at most 300 ms (p99)".to_owned()]),
        ]
    );
    for named in run_charts(&storm).into_iter().filter(|named| !named.chart.bounds.is_empty()) {
        let drawing = svg(&named.chart).expect("a drawing");
        assert!(drawing.contains("class=\"bound-name\""), "{}", named.name);
    }
}
