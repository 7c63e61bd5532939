//! Keys and the mouse: their effects on the screen, and the effects they request.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use lab::result::{HostNow, OnHost, Snapshot};
use ratatui::layout::Rect;
use tui::app::{App, Effect, Open};
use tui::deck::{Doing, Side};
use tui::keys::Screen;
use tui::player::{Command, Future, Pace, View};
use tui::theme::Theme;
use tui::{Caption, Simulation, screenshot};

use crate::fake::{Fake, checkout, clusters};

fn view(fake: &Fake) -> View {
    View { knobs: Arc::new(fake.knobs()), faults: Arc::new(fake.faults_to_choose()), ..View::still(fake.snapshot()) }
}

fn app() -> App {
    let mut fake = Fake::new(checkout());
    fake.run_until(70_000_000_000);
    let mut app = App::new(Arc::new(view(&fake)), Theme::default(), Vec::new());
    app.size = Rect::new(0, 0, 120, 40);
    app
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_text(app: &mut App, text: &str) {
    text.chars().for_each(|letter| assert!(press(app, KeyCode::Char(letter)).is_empty()));
}

/// The only command requested.
fn asked(effects: Vec<Effect>) -> Command {
    match <[Effect; 1]>::try_from(effects) {
        Ok([Effect::Ask(command)]) => command,
        other => panic!("one command expected, not {other:?}"),
    }
}

#[test]
fn time_keys_ask_for_time() {
    let mut app = app();
    assert!(matches!(asked(press(&mut app, KeyCode::Char(' '))), Command::Play(true)));
    assert!(matches!(asked(press(&mut app, KeyCode::Char('.'))), Command::Step(1_000_000_000)));
    assert!(matches!(asked(press(&mut app, KeyCode::Char(','))), Command::Step(-1_000_000_000)));
    assert!(matches!(asked(press(&mut app, KeyCode::Char('+'))), Command::Pace(Pace::Times(2.0))));
    assert!(matches!(asked(press(&mut app, KeyCode::Char('0'))), Command::Pace(Pace::FlatOut)));
    assert!(matches!(asked(press(&mut app, KeyCode::Left)), Command::SeekBy(-5_000_000_000)));
    assert!(matches!(asked(press(&mut app, KeyCode::Home)), Command::Seek(-30_000_000_000)));
}

#[test]
fn a_knob_is_found_turned_and_set() {
    let mut app = app();
    press(&mut app, KeyCode::Char('k'));
    assert_eq!(app.screen, Screen::Knobs);
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "retry");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.knobs().len(), 1);
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Down);
    let Command::Make(Doing::Set { path, value }) = asked(press(&mut app, KeyCode::Enter)) else { panic!("a change") };
    assert_eq!((path.as_str(), value.as_str()), ("components.api.calls.db.retry.max_attempts", "2"));
    assert_eq!(app.open, Open::Nothing);
}

#[test]
fn a_fixed_knob_restarts_the_run_and_cannot_be_forked() {
    let mut app = app();
    press(&mut app, KeyCode::Char('k'));
    let knobs = app.knobs();
    assert!(knobs.iter().skip_while(|knob| knob.live).all(|knob| !knob.live), "those that can change come first");
    let fixed = knobs.iter().position(|knob| !knob.live).expect("some are fixed");
    let (name, given) = (knobs[fixed].path.clone(), knobs[fixed].value.clone());
    app.cursors.knob = fixed;
    assert!(press(&mut app, KeyCode::Enter).is_empty());
    assert!(matches!(&app.open, Open::Knob(path, _) if *path == name));
    let effects = press(&mut app, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Restart { path, value }] if *path == name && *value == given));
    press(&mut app, KeyCode::Enter);
    assert!(press(&mut app, KeyCode::Tab).is_empty());
    assert!(app.notice.as_ref().is_some_and(|(text, bad, _)| *bad && text.contains("both futures")));
}

#[test]
fn a_fault_is_chosen_for_what_is_selected_edited_and_injected() {
    let mut app = app();
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "orders");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.selected_name(), "orders-db");
    press(&mut app, KeyCode::Char('f'));
    press(&mut app, KeyCode::Enter);
    assert!(
        matches!(&app.open, Open::Fault(line) if line.text() == "{for: 20s, slow: {component: orders-db, factor: 5}}")
    );
    press(&mut app, KeyCode::Up);
    let Command::Make(Doing::Inject { yaml }) = asked(press(&mut app, KeyCode::Enter)) else { panic!("a fault") };
    assert_eq!(yaml, "{for: 20s, slow: {component: orders-db, factor: 10}}");
}

#[test]
fn escape_leaves_a_line_without_a_change_and_letters_in_it_are_no_keys() {
    let mut app = app();
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "q b");
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.open.clone(), app.selected_name()), (Open::Nothing, "edge"));
    assert!(matches!(press(&mut app, KeyCode::Char('q'))[..], [Effect::Quit]));
}

#[test]
fn control_c_quits_while_typing_too() {
    let mut app = app();
    press(&mut app, KeyCode::Char('/'));
    assert!(matches!(app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))[..], [Effect::Quit]));
}

#[test]
fn a_second_branch_asks_which_future_to_keep() {
    let mut app = app();
    assert!(matches!(asked(press(&mut app, KeyCode::Char('b'))), Command::Branch));
    let mut view = (*app.view).clone();
    view.fork_ns = Some(60_000_000_000);
    view.futures.push(Future { side: Side::Branch, ..view.futures[0].clone() });
    app.receive(Arc::new(view));
    assert!(press(&mut app, KeyCode::Char('b')).is_empty());
    assert_eq!(app.open, Open::Keep);
    assert!(matches!(asked(press(&mut app, KeyCode::Char('b'))), Command::KeepOnly(Side::Branch)));
    assert!(matches!(asked(press(&mut app, KeyCode::Char('x'))), Command::Focus(Side::Branch)));
}

#[test]
fn the_tour_ends_with_escape() {
    let mut app = app();
    app.captions = vec![
        Caption { at_s: 0.0, text: "calm".into(), focus: None },
        Caption {
            at_s: 60.0,
            text: "storm {components.orders-db.queue.depth}".into(),
            focus: Some("orders-db".into()),
        },
        Caption { at_s: 90.0, text: "later".into(), focus: None },
    ];
    let queue = app.snapshot().series.last("components.orders-db.queue.depth").expect("it is kept");
    assert_eq!(app.caption(), Some(format!("storm {}", tui::figures::number(queue.round()))));
    assert!(matches!(asked(press(&mut app, KeyCode::Esc)), Command::SkipStops));
    assert_eq!(app.caption(), None);
}

#[test]
fn a_stop_of_a_tour_selects_what_it_is_about() {
    let mut app = app();
    let at = |app: &App, at_s: f64| {
        let mut view = (*app.view).clone();
        let mut snapshot = (*view.futures[0].snapshot).clone();
        snapshot.at_s = at_s;
        view.futures[0].snapshot = Arc::new(snapshot);
        Arc::new(view)
    };
    app.receive(at(&app, 10.0));
    app.captions = vec![Caption { at_s: 20.0, text: "look".into(), focus: Some("orders-db".into()) }];
    app.receive(at(&app, 15.0));
    assert_eq!(app.selected_name(), "edge");
    app.receive(at(&app, 20.0));
    assert_eq!(app.selected_name(), "orders-db");
    press(&mut app, KeyCode::PageUp);
    let chosen = app.selected_name().to_string();
    app.receive(at(&app, 21.0));
    assert_eq!(app.selected_name(), chosen, "the user may look elsewhere");
}

#[test]
fn a_request_stays_selected_when_its_instant_is_sought() {
    let mut fake = Fake::new(checkout());
    fake.run_until(70_000_000_000);
    let view = |fake: &Fake| {
        let mut view = View::still(fake.snapshot());
        view.futures[0].requests = fake.requests();
        Arc::new(view)
    };
    let mut app = App::new(view(&fake), Theme::default(), Vec::new());
    app.screen = Screen::Requests;
    press(&mut app, KeyCode::Down);
    let selected = app.request.clone().expect("one is selected");
    let effects = press(&mut app, KeyCode::Enter);
    let Command::Seek(at_ns) = asked(effects) else { panic!("it goes to its instant") };
    assert_eq!(at_ns, (selected.line.at_s * 1e9).round() as i64);
    let mut earlier = (*app.view).clone();
    earlier.futures[0].requests = Some(lab::requests::Requests::default());
    app.receive(Arc::new(earlier));
    let drawn = screenshot::text(&tui::drawn(&app));
    assert!(drawn.contains(&tui::figures::clock(selected.line.at_s)), "it is still there:\n{drawn}");
    app.receive(view(&fake));
    press(&mut app, KeyCode::Up);
    assert_ne!(app.request.as_ref(), Some(&selected));
}

#[test]
fn a_change_can_begin_a_second_future() {
    let mut app = app();
    app.open = Open::Fault(tui::line::Line::new("{for: 20s, kill: {component: edge}}"));
    let Command::Fork(tui::deck::Doing::Inject { yaml }) = asked(press(&mut app, KeyCode::Tab)) else {
        panic!("it forks")
    };
    assert_eq!((yaml.as_str(), &app.open), ("{for: 20s, kill: {component: edge}}", &Open::Nothing));
    app.open = Open::Find(tui::line::Line::new("e"), 0);
    assert!(press(&mut app, KeyCode::Tab).is_empty());
}

#[test]
fn screens_without_data_are_left_out() {
    let mut app = app();
    assert!(!app.screens().contains(&Screen::Requests), "no request is sampled in this view");
    assert!(!app.screens().contains(&Screen::Hosts), "the scenario has no hosts");
    for key in ['4', '8'] {
        press(&mut app, KeyCode::Char(key));
        assert_eq!(app.screen, Screen::Topology);
        assert!(app.notice.take().is_some());
    }
    let seen: Vec<Screen> = (0..6)
        .map(|_| {
            press(&mut app, KeyCode::Tab);
            app.screen
        })
        .collect();
    assert_eq!(
        seen,
        [Screen::Charts, Screen::Component, Screen::Events, Screen::Knobs, Screen::Faults, Screen::Topology]
    );
}

#[test]
fn enter_on_the_hosts_opens_the_component_there() {
    let mut app = app();
    let on = OnHost { node: 2, replicas: 1, ..OnHost::default() };
    let hosts = Arc::new(vec![HostNow { name: "box".into(), components: vec![on], ..HostNow::default() }]);
    let mut view = (*app.view).clone();
    view.futures[0].snapshot = Arc::new(Snapshot { hosts, ..(*view.futures[0].snapshot).clone() });
    app.receive(Arc::new(view));
    press(&mut app, KeyCode::Char('8'));
    assert_eq!(app.screen, Screen::Hosts);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.screen, Screen::Hosts, "a host is no component");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert_eq!((app.screen, app.selected), (Screen::Component, 2));
}

#[test]
fn selecting_walks_over_all_boxes_and_sideways_along_the_calls() {
    let mut app = app();
    press(&mut app, KeyCode::PageUp);
    assert_eq!(app.selected_name(), "shoppers");
    let mut seen = vec![app.selected_name().to_string()];
    for _ in 0..5 {
        press(&mut app, KeyCode::Down);
        seen.push(app.selected_name().to_string());
    }
    assert_eq!(seen, ["shoppers", "edge", "api", "cache", "payments", "orders-db"]);
    app.key(KeyEvent::new(KeyCode::Left, KeyModifiers::SHIFT));
    assert!(["payments", "cache"].contains(&app.selected_name()));
}

#[test]
fn a_cluster_folds_and_opens() {
    let mut app = App::new(Arc::new(view(&Fake::new(clusters()))), Theme::default(), Vec::new());
    app.size = Rect::new(0, 0, 120, 40);
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "asia/api");
    press(&mut app, KeyCode::Enter);
    let boxes = |app: &App| app.diagram().groups.len();
    let folded = boxes(&app);
    assert_eq!(folded, 8, "six clusters, a name server and a workload");
    press(&mut app, KeyCode::Enter);
    assert_eq!(boxes(&app), 17, "asia is open");
    press(&mut app, KeyCode::Char('c'));
    assert_eq!(boxes(&app), folded);
}

#[test]
fn the_mouse_selects_boxes_screens_and_instants() {
    let mut app = app();
    let click = |app: &mut App, column: u16, row: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    // Find the database on the screen by its text.
    let text = tui::screenshot::text(&tui::drawn(&app));
    let (row, line) = text.lines().enumerate().find(|(_, line)| line.contains("orders-db")).unwrap();
    let column = line.chars().collect::<String>().split("orders-db").next().unwrap().chars().count();
    assert!(click(&mut app, column as u16 + 2, row as u16).is_empty());
    assert_eq!(app.selected_name(), "orders-db");
    click(&mut app, column as u16 + 2, row as u16);
    assert_eq!(app.screen, Screen::Component, "twice opens");
    let tabs = text.lines().nth(1).unwrap();
    let column = tabs.split("Charts").next().unwrap().chars().count();
    click(&mut app, column as u16, 1);
    assert_eq!(app.screen, Screen::Charts);
    assert!(matches!(asked(click(&mut app, 118, 37)), Command::Seek(300_000_000_000)));
    assert!(matches!(asked(click(&mut app, 1, 37)), Command::Seek(-30_000_000_000)));
}

#[test]
fn going_to_an_event_goes_to_its_instant() {
    let mut app = app();
    press(&mut app, KeyCode::Char('5'));
    press(&mut app, KeyCode::PageDown);
    press(&mut app, KeyCode::PageDown);
    assert!(matches!(asked(press(&mut app, KeyCode::Enter)), Command::Seek(60_000_000_000)), "the fault is the oldest");
}

#[test]
fn what_is_pasted_into_a_line_becomes_one_line() {
    let mut app = app();
    app.paste("ignored while nothing is typed");
    press(&mut app, KeyCode::Char('f'));
    press(&mut app, KeyCode::Enter);
    app.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    app.paste("{for: 5s,\n pause: {component: api}}\n");
    assert!(matches!(&app.open, Open::Fault(line) if line.text() == "{for: 5s,  pause: {component: api}}"));
}
