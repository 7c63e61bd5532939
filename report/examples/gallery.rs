//! Draws every kind of chart from hand-made figures and writes them, with a report, to a folder:
//! `cargo run -p report --example gallery -- FOLDER`. For looking at them after a change.

use std::path::{Path, PathBuf};

use report::charts::{
    Axis, Band, BarGroup, Chart, Contour, Kind, Line, Mark, NamedChart, Panel, Point, Size, Unit, png, run_charts, svg,
};
use report::file::write_atomically;
use report::html::{Origin, RunPage, Source, run_page};
use report::text::{Options, run_line, run_report};

// Each of its users needs another part of it.
#[allow(dead_code)]
#[path = "../tests/it/sample.rs"]
mod sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        for result in [sample::storm(), sample::calm()] {
            print!("{}", run_report(&result, Options { color: true, ..Options::default() }));
            println!("\n{}", run_line(&result, Options::default()));
        }
        return Ok(());
    };
    std::fs::create_dir_all(&folder)?;
    let mut charts = run_charts(&sample::storm());
    charts.extend(others());
    for named in &charts {
        draw(&folder, named)?;
    }
    let result = sample::storm();
    let source = Source {
        name: String::new(),
        written: Some("version: 1\nname: Checkout under a slow database\n".to_owned()),
        resolved: Some("version: 1\nseed: 7\n".to_owned()),
    };
    let command = Some("brownout run retry-storm.yaml --seed 7".to_owned());
    let origin = Origin { scenarios: vec![source], command, files: Vec::new() };
    let page = run_page(&RunPage { result: &result, origin: &origin })?;
    write_atomically(&folder.join("report.html"), page.as_bytes())?;
    Ok(())
}

fn draw(folder: &Path, named: &NamedChart) -> Result<(), Box<dyn std::error::Error>> {
    write_atomically(&folder.join(format!("{}.svg", named.name)), svg(&named.chart)?.as_bytes())?;
    write_atomically(&folder.join(format!("{}.png", named.name)), &png(&named.chart, 1.5)?)?;
    Ok(())
}

/// The kinds that a single run does not need.
fn others() -> Vec<NamedChart> {
    let named = |name: &str, title: &str, x: Axis, y: Axis, kind: Kind| NamedChart {
        name: name.to_owned(),
        chart: Chart {
            title: title.to_owned(),
            subtitle: "Made-up figures".to_owned(),
            x,
            y,
            bounds: Vec::new(),
            kind,
            size: Size::default(),
        },
    };
    let sweep = |name: &str, knee: f64| Line {
        name: name.to_owned(),
        points: (1..=12)
            .map(|step| {
                let x = f64::from(step) * 150.0;
                let y = 0.008 / (1.0 - (x / knee).min(0.985));
                Point { x, y: Some(y), interval: Some((y * 0.85, y * 1.2)) }
            })
            .collect(),
    };
    let loads: Vec<f64> = (1..=9).map(|step| 0.5 + 0.05 * f64::from(step)).collect();
    let triggers = vec![1.0, 2.0, 5.0, 10.0, 20.0, 40.0];
    let values = triggers
        .iter()
        .enumerate()
        .map(|(row, trigger)| {
            loads
                .iter()
                .enumerate()
                .map(|(column, load)| {
                    let share = 1.0 / (1.0 + (12.0 * (load - 0.95) + 1.1 * f64::ln(*trigger)).exp());
                    (row != 5 || column != 8).then_some(share)
                })
                .collect()
        })
        .collect();
    let variants = ["naive", "budgeted", "circuit breaker", "adaptive throttling with shedding"];
    vec![
        named(
            "line",
            "99th percentile of latency against offered load",
            Axis::linear("offered load", Unit::PerSecond),
            Axis::log("p99 latency", Unit::Seconds),
            Kind::Line {
                series: vec![sweep("pool of 20", 1_400.0), sweep("pool of 40", 1_850.0), sweep("no pool", 2_600.0)],
            },
        ),
        named(
            "bars",
            "Goodput by variant",
            Axis::linear("variant", Unit::Other(String::new())),
            Axis::linear("goodput", Unit::PerSecond),
            Kind::Bars {
                categories: variants.iter().map(|name| (*name).to_owned()).collect(),
                groups: vec![
                    BarGroup {
                        name: "before the fault".to_owned(),
                        values: vec![Some(1198.0), Some(1199.0), Some(1197.0), Some(1180.0)],
                        intervals: vec![
                            Some((1186.0, 1210.0)),
                            Some((1188.0, 1210.0)),
                            Some((1183.0, 1211.0)),
                            Some((1165.0, 1195.0)),
                        ],
                    },
                    BarGroup {
                        name: "after it".to_owned(),
                        values: vec![Some(36.0), Some(1150.0), None, Some(1176.0)],
                        intervals: vec![Some((0.0, 96.0)), Some((1090.0, 1210.0)), None, Some((1161.0, 1191.0))],
                    },
                ],
            },
        ),
        named(
            "heat-map",
            "Goodput after the trigger, by load and length of the trigger",
            Axis::linear("load, share of capacity", Unit::Share),
            Axis::log("length of the trigger", Unit::Seconds),
            Kind::HeatMap {
                x: loads,
                y: triggers,
                values,
                value: Axis::linear("goodput, share of before", Unit::Share),
                contour: Some(Contour { level: 0.5, name: "half of before: beyond it the storm stays".to_owned() }),
            },
        ),
        named(
            "hysteresis",
            "Goodput while the load rises and falls again",
            Axis::linear("offered load", Unit::PerSecond),
            Axis::linear("goodput", Unit::PerSecond),
            Kind::Hysteresis {
                rising: (1..=12)
                    .map(|step| f64::from(step) * 100.0)
                    .map(|load| (load, if load <= 1000.0 { load } else { 90.0 }))
                    .collect(),
                falling: (1..=12)
                    .rev()
                    .map(|step| f64::from(step) * 100.0)
                    .map(|load| (load, if load <= 400.0 { load } else { 90.0 - load / 50.0 }))
                    .collect(),
            },
        ),
        named(
            "panels",
            "99th percentile of latency against offered load, by pool",
            Axis::linear("offered load", Unit::PerSecond),
            Axis::log("p99 latency", Unit::Seconds),
            Kind::SmallMultiples {
                panels: [1_400.0, 1_850.0, 2_600.0, 3_000.0, 4_000.0]
                    .into_iter()
                    .map(|knee| Panel {
                        name: format!("capacity {knee}/s"),
                        series: vec![sweep("two zones", knee), sweep("one zone", knee * 0.7)],
                    })
                    .collect(),
            },
        ),
        named(
            "many",
            "Twelve curves, gaps, crowded faults",
            Axis::linear("simulated time", Unit::Instant),
            Axis::linear("share", Unit::Share),
            Kind::TimeSeries {
                series: (0..12)
                    .map(|number| Line {
                        name: format!("component-with-a-long-name-{number}"),
                        points: (0..60)
                            .map(|step| Point {
                                x: f64::from(step) * 10.0,
                                y: (step % 17 != number % 17)
                                    .then(|| 0.08 * f64::from(number) + 0.001 * f64::from(step)),
                                interval: None,
                            })
                            .collect(),
                    })
                    .collect(),
                faults: vec![
                    Band { name: "slow-db".to_owned(), from_s: 100.0, until_s: Some(140.0), is_event: false },
                    Band { name: "kill api ×1".to_owned(), from_s: 130.0, until_s: Some(131.0), is_event: false },
                    Band {
                        name: "surge of shoppers ×3".to_owned(),
                        from_s: 140.0,
                        until_s: Some(260.0),
                        is_event: false,
                    },
                    Band { name: "partition".to_owned(), from_s: 570.0, until_s: None, is_event: false },
                ],
                happenings: vec![Mark { at_s: 145.0, title: "2m 25s: breaker opened (api.db)".to_owned() }],
            },
        ),
    ]
}
