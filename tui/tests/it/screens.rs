//! The look of the screens: fixed snapshots drawn and compared as text, and styles where colour has a meaning.

use std::sync::Arc;

use lab::result::{HostNow, OnHost, Snapshot};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use tui::app::{App, ColourBy, Open};
use tui::deck::{Change, Doing, Side};
use tui::keys::Screen;
use tui::line::Line;
use tui::player::{Future, View};
use tui::theme::{Background, Depth, Role, Theme};
use tui::{Caption, Simulation, screenshot};

use crate::fake::{Fake, checkout, clusters, sixty, three};

const SECOND: i64 = 1_000_000_000;

fn future(side: Side, fake: &Fake) -> Future {
    Future {
        side,
        snapshot: Arc::new(fake.snapshot()),
        changes: Vec::new(),
        happenings: fake.happenings(),
        requests: fake.requests(),
    }
}

fn app(mut fake: Fake, at_s: i64, (width, height): (u16, u16)) -> App {
    fake.run_until(at_s * SECOND);
    let view = View {
        knobs: Arc::new(fake.knobs()),
        faults: Arc::new(fake.faults_to_choose()),
        futures: vec![future(Side::Original, &fake)],
        ..View::still(fake.snapshot())
    };
    let mut app = App::new(Arc::new(view), Theme::default(), Vec::new());
    app.size = Rect::new(0, 0, width, height);
    app
}

/// Two futures: with retries, and without retries since the fault.
fn branched(size: (u16, u16)) -> App {
    let mut app = app(Fake::new(checkout()), 100, size);
    let doing = Doing::Set { path: "components.api.calls.db.retry.max_attempts".into(), value: "1".into() };
    let mut branch = Fake::new(checkout());
    branch.run_until(62 * SECOND);
    branch.set("components.api.calls.db.retry.max_attempts", "1").unwrap();
    branch.run_until(100 * SECOND);
    let mut view = (*app.view).clone();
    view.futures.push(Future { changes: vec![Change { at_ns: 62 * SECOND, doing }], ..future(Side::Branch, &branch) });
    view.fork_ns = Some(62 * SECOND);
    view.focus = Side::Branch;
    app.receive(Arc::new(view));
    app
}

fn drawn(app: &App) -> Buffer {
    tui::drawn(app)
}

fn text(app: &App) -> String {
    screenshot::text(&drawn(app))
}

fn select(app: &mut App, name: &str) {
    app.selected = app.topology().nodes.iter().position(|node| node.name == name).unwrap();
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A screen at every size, each compared with its own file.
fn at_three_sizes(name: &str, at_s: i64, prepare: impl Fn(&mut App)) {
    for size in SIZES {
        let mut app = app(Fake::new(checkout()), at_s, size);
        prepare(&mut app);
        insta::assert_snapshot!(format!("{name}_at_{}x{}", size.0, size.1), text(&app));
    }
}

#[test]
fn topology_at_three_sizes() {
    at_three_sizes("topology", 70, |_| {});
}

#[test]
fn charts_at_three_sizes() {
    at_three_sizes("charts", 150, |app| app.screen = Screen::Charts);
}

#[test]
fn component_at_three_sizes() {
    at_three_sizes("component", 70, |app| {
        app.screen = Screen::Component;
        select(app, "api");
    });
}

#[test]
fn a_component_under_a_fault_at_three_sizes() {
    at_three_sizes("component_under_a_fault", 70, |app| {
        app.screen = Screen::Component;
        select(app, "orders-db");
    });
}

#[test]
fn requests_at_three_sizes() {
    at_three_sizes("requests", 70, |app| app.screen = Screen::Requests);
}

#[test]
fn events_at_three_sizes() {
    at_three_sizes("events", 100, |app| app.screen = Screen::Events);
}

#[test]
fn knobs_at_three_sizes() {
    at_three_sizes("knobs", 70, |app| {
        app.screen = Screen::Knobs;
        app.cursors.knob = 2;
        app.open = Open::Knob("components.api.calls.db.retry.max_attempts".into(), Line::new("3"));
    });
}

#[test]
fn faults_at_three_sizes() {
    at_three_sizes("faults", 70, |app| {
        app.screen = Screen::Faults;
        select(app, "orders-db");
    });
}

/// Hosts for the fake scenario: a busy one with time slices, one that has lost cores, and a burstable one.
fn give_hosts(app: &mut App) {
    let on = |node, replicas, cores, limit: Option<(f64, f64)>| OnHost {
        node,
        replicas,
        cores,
        runnable: 3,
        limit: limit.map(|(limit, _)| limit),
        throttled: limit.map(|(_, throttled)| throttled),
        memory: None,
    };
    let host = |name: &str, cpu: f64, components: Vec<OnHost>| HostNow {
        name: name.into(),
        cores: 8.0,
        cores_left: 8.0,
        cpu,
        runnable: 14,
        components,
        ..HostNow::default()
    };
    let last = app.topology().nodes.len() - 1;
    let hosts = vec![
        HostNow {
            switches: Some(12_400.0),
            switch_cpu: Some(0.9),
            ..host("box", 0.97, vec![on(1, 3, 1.23, Some((3.0, 0.31))), on(last, 1, 5.6, None)])
        },
        HostNow {
            cores_left: 4.0,
            memory: Some(7_600_000_000),
            memory_size: Some(8_000_000_000),
            ..host("zone-a[1]", 0.5, vec![OnHost { memory: Some(7_600_000_000), ..on(1, 2, 3.0, Some((2.0, 0.0))) }])
        },
        HostNow { credits_s: Some(0.4), runnable: 0, ..host("burstable", 0.05, Vec::new()) },
    ];
    let mut view = (*app.view).clone();
    for future in &mut view.futures {
        future.snapshot = Arc::new(Snapshot { hosts: Arc::new(hosts.clone()), ..(*future.snapshot).clone() });
    }
    app.receive(Arc::new(view));
}

#[test]
fn hosts_at_three_sizes() {
    at_three_sizes("hosts", 70, |app| {
        give_hosts(app);
        app.screen = Screen::Hosts;
        app.cursors.host = 1;
    });
}

#[test]
fn help_at_three_sizes() {
    at_three_sizes("help", 70, |app| app.open = Open::Help(0));
}

#[test]
fn topology_of_three_at_80x24() {
    insta::assert_snapshot!(text(&app(Fake::new(three()), 20, (80, 24))));
}

#[test]
fn topology_of_clusters_at_80x24() {
    insta::assert_snapshot!(text(&app(Fake::new(clusters()), 70, (80, 24))));
}

#[test]
fn topology_with_one_cluster_open_at_200x60() {
    let mut app = app(Fake::new(clusters()), 70, (200, 60));
    app.folding.insert("eu-west".into(), false);
    select(&mut app, "eu-west/api");
    insta::assert_snapshot!(text(&app));
}

#[test]
fn topology_of_sixty_at_200x60() {
    let mut app = app(Fake::new(sixty()), 20, (200, 60));
    select(&mut app, "svc-04");
    insta::assert_snapshot!(text(&app));
}

#[test]
fn two_futures_side_by_side_at_160x45() {
    insta::assert_snapshot!(text(&branched((160, 45))));
}

#[test]
fn two_futures_of_one_component_at_100x30() {
    let mut app = branched((100, 30));
    app.screen = Screen::Component;
    select(&mut app, "orders-db");
    insta::assert_snapshot!(text(&app));
}

#[test]
fn a_tour_and_a_search_at_80x24() {
    let mut app = app(Fake::new(checkout()), 61, (80, 24));
    let words = "The database becomes five times slower. Watch its queue, and the hollow marks: those are retries.";
    app.captions = vec![Caption { at_s: 60.0, text: words.into(), focus: None }];
    app.open = Open::Find(Line::new("or"), 0);
    insta::assert_snapshot!(text(&app));
}

#[test]
fn a_queue_in_a_tour_is_as_long_as_in_its_box() {
    let mut app = app(Fake::new(checkout()), 70, (120, 40));
    select(&mut app, "orders-db");
    let queue = app.snapshot().nodes[app.selected].queue;
    assert!(queue > 0, "something waits");
    let text = "{components.orders-db.queue.depth} queries wait.".to_string();
    app.captions = vec![Caption { at_s: 60.0, text, focus: None }];
    assert_eq!(app.caption(), Some(format!("{} queries wait.", tui::figures::count(queue))));
}

#[test]
fn nothing_is_told_by_colour_alone() {
    // The characters do not depend on the colours; everything a colour says is also said by a letter, a word or a figure.
    let mut app = app(Fake::new(checkout()), 70, (120, 40));
    let with_colours = text(&app);
    for depth in [Depth::None, Depth::Sixteen] {
        for background in [Background::Dark, Background::Light] {
            app.theme = Theme { depth, background };
            assert_eq!(text(&app), with_colours);
            let is_plain =
                |buffer: &Buffer| buffer.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset));
            assert_eq!(is_plain(&drawn(&app)), depth == Depth::None);
        }
    }
    for word in ["×2.7", "↯", "100 %", "✗"] {
        assert!(with_colours.contains(word), "{word} is missing");
    }
}

#[test]
fn colours_follow_load_errors_and_faults() {
    let mut app = app(Fake::new(checkout()), 70, (120, 40));
    let theme = app.theme;
    let foreground = |app: &App, words: &str| {
        let buffer = drawn(app);
        let lines: Vec<String> = screenshot::text(&buffer).lines().map(str::to_string).collect();
        let (row, line) = lines.iter().enumerate().skip(3).find(|(_, line)| line.contains(words)).unwrap();
        let column = line.split(words).next().unwrap().chars().count();
        buffer[(column as u16, row as u16)].fg
    };
    let of = |role: Role| theme.style(role).fg.unwrap();
    assert_eq!(foreground(&app, "↯ slow"), of(Role::Fault));
    assert_eq!(foreground(&app, "✗ 99 %"), of(Role::Critical));
    assert_eq!(foreground(&app, "25 %"), of(Role::Calm), "the cache is at ease …");
    app.colour_by = ColourBy::Errors;
    assert_eq!(foreground(&app, "25 %"), of(Role::Critical), "… but what it answers fails");
}

#[test]
fn what_flows_moves_only_while_the_run_goes_on() {
    let mut app = app(Fake::new(checkout()), 20, (120, 40));
    let before = text(&app);
    let still = Arc::new((*app.view).clone());
    app.receive(still);
    assert_eq!(text(&app), before);
    for _ in 0..2 {
        let mut later = (*app.view).clone();
        later.now_ns += 1;
        app.receive(Arc::new(later));
    }
    assert_ne!(text(&app), before);
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let app = app(Fake::new(checkout()), 20, (30, 8));
    assert!(text(&app).starts_with("needs 50×14 cells"));
}

#[test]
fn a_picture_is_well_formed() {
    let app = app(Fake::new(checkout()), 70, (120, 40));
    let svg = screenshot::svg(&drawn(&app), app.theme);
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert!(svg.ends_with("</svg>\n") && svg.contains("orders-db"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every screen can be drawn at every size and every instant, with any overlay, without a panic.
    #[test]
    fn every_screen_can_be_drawn_at_every_size(
        width in 1u16..220,
        height in 1u16..70,
        at_s in -30i64..=90,
        screen in 0usize..8,
        which in 0usize..4,
        open in 0usize..6,
        selected in 0usize..70,
        two in any::<bool>(),
        cursor in 0usize..40,
    ) {
        let topology = [three(), checkout(), clusters(), sixty()][which].clone();
        let mut app = app(Fake::new(topology), at_s, (width, height));
        if two {
            let mut view = (*app.view).clone();
            view.futures.push(Future { side: Side::Branch, ..view.futures[0].clone() });
            view.fork_ns = Some(view.start_ns);
            app.receive(Arc::new(view));
        }
        give_hosts(&mut app);
        app.screen = Screen::ALL[screen];
        app.selected = selected.min(app.topology().nodes.len() - 1);
        app.cursors = tui::app::Cursors { knob: cursor, fault: cursor, event: cursor, host: cursor };
        app.captions = vec![Caption { at_s: 0.0, text: "words ".repeat(cursor), focus: None }];
        app.open = match open {
            0 => Open::Help(cursor as u16),
            1 => Open::Find(Line::new("svc"), cursor),
            2 => Open::Knob("no such path".into(), Line::new(&"long ".repeat(cursor))),
            3 => Open::Fault(Line::new("{for: 20s}")),
            4 => Open::Keep,
            _ => Open::Nothing,
        };
        drawn(&app);
    }
}

#[test]
fn a_snapshot_with_nothing_in_it_can_be_drawn() {
    for screen in Screen::ALL {
        let mut app = App::new(Arc::new(View::still(lab::result::Snapshot::default())), Theme::default(), Vec::new());
        app.screen = screen;
        drawn(&app);
    }
}
