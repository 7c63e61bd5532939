//! What fills the screen: the list, a run, the problems of a file; and reloading a file when it is saved.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use tui::stage::{Flow, Stage};
use tui::{Caption, Choice, Opened, Options, Pace, Simulation, Source, Stamp, screenshot};

use crate::fake::{Fake, checkout, three};

/// A file that can be changed while it is watched, as by an editor.
#[derive(Default)]
struct File {
    stamp: Option<Stamp>,
    wrong: Option<&'static str>,
}

#[derive(Clone, Default)]
struct Files(Rc<RefCell<File>>);

impl Files {
    fn save(&self, number: u128, wrong: Option<&'static str>) {
        *self.0.borrow_mut() = File { stamp: Some((number, 100)), wrong };
    }
}

impl Source for Files {
    type Simulation = Fake;

    fn choices(&self) -> Vec<Choice> {
        let choice = |name: &str, about: &str| Choice { name: name.into(), about: about.into() };
        vec![
            choice("shop.yaml", "the file of the command line"),
            choice("a tour", "A guided tour of a retry storm."),
            choice(
                "@retry-storm",
                "A database that is slow for twenty seconds, and retries that keep the system down long after.",
            ),
            choice(
                "@pool-ceiling",
                "Twenty connections and queries of 5 ms make 4,000 queries a second, however many threads wait for them.",
            ),
        ]
    }

    fn open(&mut self, choice: usize) -> Result<Opened<Fake>, String> {
        if let Some(wrong) = self.0.borrow().wrong.filter(|_| choice == 0) {
            return Err(wrong.into());
        }
        let simulation = Fake::new(if choice == 3 { three() } else { checkout() });
        let tour = [Caption { at_s: -20.0, text: "All is well.".into(), focus: None }];
        Ok(Opened { simulation, pace: Pace::FlatOut, captions: if choice == 1 { tour.into() } else { Vec::new() } })
    }

    fn reopen(&mut self, choice: usize, settings: &[(String, String)]) -> Result<Opened<Fake>, String> {
        let mut opened = self.open(choice)?;
        for (path, value) in settings {
            opened.simulation.set(path, value)?;
        }
        Ok(opened)
    }

    fn stamp(&self, choice: usize) -> Option<Stamp> {
        self.0.borrow().stamp.filter(|_| choice == 0)
    }
}

const WRONG: &str = "\
error: components.db.conections: this key is not known
 --> shop.yaml:11:25
   |
11 |   db: {kind: database, conections: 10}
   |                        ^^^^^^^^^^
   |
   = help: did you mean `connections`?

1 error
";

fn stage(files: &Files, first: Option<usize>) -> Stage<Files> {
    let options = Options { theme: Some(tui::theme::Theme::default()), paused: true, ..Options::default() };
    Stage::new(files.clone(), first, options).unwrap()
}

fn text(stage: &mut Stage<Files>, (width, height): (u16, u16)) -> String {
    stage.prepare(Rect::new(0, 0, width, height));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| stage.draw(frame)).unwrap();
    screenshot::text(terminal.backend().buffer())
}

fn press(stage: &mut Stage<Files>, code: KeyCode) -> Flow {
    stage.event(Event::Key(KeyEvent::new(code, KeyModifiers::NONE))).unwrap()
}

/// Waits for the simulation's thread; the time it takes is not checked.
fn until(stage: &mut Stage<Files>, holds: impl Fn(&Stage<Files>) -> bool) {
    let begun = Instant::now();
    while !holds(stage) {
        stage.tick();
        assert!(begun.elapsed() < Duration::from_secs(120), "it never comes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn instant_s(stage: &Stage<Files>) -> i64 {
    stage.app().map_or(i64::MIN, |app| app.view.now_ns / 1_000_000_000)
}

#[test]
fn without_a_choice_there_is_the_list_and_typing_finds() {
    let files = Files::default();
    let mut stage = stage(&files, None);
    assert!(text(&mut stage, (80, 24)).contains("What do you want to watch?"));
    "ceiling".chars().for_each(|letter| assert_eq!(press(&mut stage, KeyCode::Char(letter)), Flow::On));
    let found = text(&mut stage, (80, 24));
    assert!(found.contains("@pool-ceiling") && !found.contains("@retry-storm"), "{found}");
    assert_eq!(press(&mut stage, KeyCode::Enter), Flow::On);
    assert!(text(&mut stage, (80, 24)).contains("╭ users"), "{}", text(&mut stage, (80, 24)));
    // Back to the list and, without a choice, back to the run.
    press(&mut stage, KeyCode::Char('o'));
    assert!(text(&mut stage, (80, 24)).contains("What do you want to watch?"));
    assert_eq!(press(&mut stage, KeyCode::Esc), Flow::On);
    assert!(text(&mut stage, (80, 24)).contains("╭ users"));
    assert_eq!(press(&mut stage, KeyCode::Char('q')), Flow::End);
}

#[test]
fn leaving_the_list_without_a_run_ends() {
    let mut stage = stage(&Files::default(), None);
    assert_eq!(press(&mut stage, KeyCode::Esc), Flow::End);
}

#[test]
fn the_tour_can_be_chosen_and_skipped() {
    let mut stage = stage(&Files::default(), None);
    press(&mut stage, KeyCode::Down);
    press(&mut stage, KeyCode::Enter);
    press(&mut stage, KeyCode::Char(' '));
    until(&mut stage, |stage| instant_s(stage) == -20 && stage.app().is_some_and(|app| !app.view.playing));
    assert!(text(&mut stage, (80, 24)).contains("All is well."));
    press(&mut stage, KeyCode::Esc);
    assert!(!text(&mut stage, (80, 24)).contains("All is well."));
}

#[test]
fn a_wrong_file_is_shown_and_a_save_reads_it_again() {
    let files = Files::default();
    files.save(1, Some(WRONG));
    let mut stage = stage(&files, Some(0));
    let shown = text(&mut stage, (80, 24));
    assert!(shown.contains("shop.yaml cannot be run") && shown.contains("did you mean `connections`?"), "{shown}");
    assert!(!stage.look().unwrap() && !stage.look().unwrap(), "nothing has been saved");
    files.save(2, None);
    assert!(!stage.look().unwrap(), "it may still be being written");
    assert!(stage.look().unwrap());
    assert!(text(&mut stage, (80, 24)).contains("╭ shoppers"));
    files.save(3, Some(WRONG));
    (0..2).for_each(|_| drop(stage.look()));
    assert!(text(&mut stage, (80, 24)).contains("esc returns to the previous run"));
    assert_eq!(press(&mut stage, KeyCode::Esc), Flow::On);
    assert!(text(&mut stage, (80, 24)).contains("╭ shoppers"));
}

#[test]
fn a_save_goes_on_at_the_same_instant_on_the_same_screen() {
    let files = Files::default();
    files.save(1, None);
    let mut stage = stage(&files, Some(0));
    "]]]3".chars().for_each(|letter| assert_eq!(press(&mut stage, KeyCode::Char(letter)), Flow::On));
    until(&mut stage, |stage| instant_s(stage) == 69);
    assert!(text(&mut stage, (80, 24)).contains(" 3 Component"));
    let before = stage.app().map(|app| (app.view.now_ns, app.screen, app.selected_name().to_string()));
    files.save(2, None);
    (0..2).for_each(|_| drop(stage.look()));
    assert!(text(&mut stage, (80, 24)).contains("the file has been saved: read again"));
    until(&mut stage, |stage| instant_s(stage) == 69);
    let after = stage.app().map(|app| (app.view.now_ns, app.screen, app.selected_name().to_string()));
    assert_eq!(after, before);
}

#[test]
fn a_fixed_setting_runs_again_from_the_start_with_the_changes_made_on_the_way() {
    let files = Files::default();
    let mut stage = stage(&files, Some(0));
    "]]".chars().for_each(|letter| assert_eq!(press(&mut stage, KeyCode::Char(letter)), Flow::On));
    until(&mut stage, |stage| instant_s(stage) == 36);
    let type_over = |stage: &mut Stage<Files>, path: &str, value: &str| {
        "k/".chars().for_each(|letter| {
            let _ = press(stage, KeyCode::Char(letter));
        });
        (0..60).for_each(|_| {
            let _ = press(stage, KeyCode::Backspace);
        });
        path.chars().for_each(|letter| {
            let _ = press(stage, KeyCode::Char(letter));
        });
        (0..2).for_each(|_| {
            let _ = press(stage, KeyCode::Enter);
        });
        (0..10).for_each(|_| {
            let _ = press(stage, KeyCode::Backspace);
        });
        value.chars().for_each(|letter| {
            let _ = press(stage, KeyCode::Char(letter));
        });
        press(stage, KeyCode::Enter);
    };
    type_over(&mut stage, "max_attempts", "1");
    until(&mut stage, |stage| stage.app().is_some_and(|app| app.view.focused().changes.len() == 1));
    press(&mut stage, KeyCode::Char(']'));
    until(&mut stage, |stage| instant_s(stage) == 69);
    type_over(&mut stage, "orders-db.connections", "50");
    assert!(text(&mut stage, (120, 40)).contains("orders-db.connections = 50 from the start"));
    until(&mut stage, |stage| instant_s(stage) == 69);
    let app = stage.app().expect("it runs");
    assert_eq!(app.view.focused().changes.len(), 1, "it has been made again");
    type_over(&mut stage, "orders-db.connections", "0");
    assert!(text(&mut stage, (120, 40)).contains("cannot become 0"), "what is wrong is said");
}

#[test]
fn the_list_and_a_refusal_at_three_sizes() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let files = Files::default();
        let mut list = stage(&files, None);
        insta::assert_snapshot!(format!("list_at_{}x{}", size.0, size.1), text(&mut list, size));
        files.save(1, Some(WRONG));
        let mut refused = stage(&files, Some(0));
        insta::assert_snapshot!(format!("refused_at_{}x{}", size.0, size.1), text(&mut refused, size));
    }
}
