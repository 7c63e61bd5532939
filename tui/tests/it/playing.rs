//! Playback: pausing, rewinding, branching and watching leave the run as its changes determine it.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tui::Simulation;
use tui::deck::{Change, Deck, Doing, Side};
use tui::player::{Command, Pace, Player, PlayerOptions};

use crate::fake::{Fake, three};

const SECOND: i64 = 1_000_000_000;

fn deck() -> Deck<Fake> {
    Deck::new(Fake::new(three()), 12, u64::MAX)
}

fn attempts(value: u32) -> Doing {
    Doing::Set { path: "components.api.calls.db.retry.max_attempts".into(), value: value.to_string() }
}

/// The reference: a fresh run with the changes made on the way.
fn again(changes: &[Change], until_ns: i64) -> Fake {
    let mut fake = Fake::new(three());
    for change in changes.iter().filter(|change| change.at_ns <= until_ns) {
        fake.run_until(change.at_ns);
        match &change.doing {
            Doing::Set { path, value } => fake.set(path, value).unwrap(),
            Doing::Inject { yaml } => fake.inject(yaml).unwrap(),
        }
    }
    fake.run_until(until_ns);
    fake
}

fn same(one: &Fake, other: &Fake) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

#[test]
fn the_made_up_simulation_does_not_depend_on_how_a_span_is_cut_up() {
    let mut pieces = Fake::new(three());
    let mut at_ns = pieces.now_ns();
    while at_ns < 20 * SECOND {
        at_ns += 7_654_321;
        pieces.run_until(at_ns);
    }
    let mut whole = Fake::new(three());
    whole.run_until(at_ns);
    assert!(same(&pieces, &whole));
}

#[test]
fn going_back_and_on_again_shows_what_was_seen_before() {
    let mut deck = deck();
    deck.run_until(50 * SECOND);
    deck.make(attempts(1)).unwrap();
    deck.run_until(70 * SECOND);
    deck.keep_checkpoint(1);
    deck.run_until(90 * SECOND);
    let seen = deck.focused().clone();
    deck.rewind_towards(20 * SECOND);
    deck.run_until(20 * SECOND);
    assert_eq!(deck.now_ns(), 20 * SECOND);
    assert!(!same(deck.focused(), &seen));
    deck.run_until(90 * SECOND);
    assert!(same(deck.focused(), &seen), "the change at 50 s has been made again");
}

#[test]
fn a_change_in_the_past_drops_the_later_ones() {
    let mut deck = deck();
    deck.run_until(60 * SECOND);
    deck.make(attempts(1)).unwrap();
    deck.rewind_towards(10 * SECOND);
    deck.run_until(10 * SECOND);
    assert_eq!(deck.make(attempts(5)), Ok(1), "one later change is dropped");
    deck.run_until(80 * SECOND);
    let changes = deck.changes(Side::Original);
    assert_eq!(changes, [Change { at_ns: 10 * SECOND, doing: attempts(5) }]);
    assert!(same(deck.focused(), &again(&changes, 80 * SECOND)));
}

#[test]
fn a_refused_change_changes_nothing() {
    let mut deck = deck();
    deck.run_until(5 * SECOND);
    let before = deck.focused().clone();
    let refused = Doing::Set { path: "components.db.nonsense".into(), value: "7".into() };
    assert!(deck.make(refused).is_err());
    assert!(same(deck.focused(), &before) && deck.changes(Side::Original).is_empty());
}

#[test]
fn taking_back_is_as_if_it_had_never_been() {
    let mut deck = deck();
    deck.run_until(30 * SECOND);
    deck.make(attempts(2)).unwrap();
    deck.run_until(40 * SECOND);
    deck.make(attempts(1)).unwrap();
    deck.run_until(45 * SECOND);
    assert_eq!(deck.take_back().unwrap().doing, attempts(1));
    deck.run_until(45 * SECOND);
    assert!(same(deck.focused(), &again(&deck.changes(Side::Original), 45 * SECOND)));
    assert_eq!(deck.take_back().unwrap().doing, attempts(2));
    assert!(deck.take_back().is_err());
}

#[test]
fn two_futures_part_where_they_are_changed_and_come_back_after_a_rewind() {
    let mut deck = deck();
    deck.run_until(55 * SECOND);
    deck.branch().unwrap();
    assert!(deck.branch().is_err(), "there are two already");
    assert!(same(deck.side(Side::Original).unwrap(), deck.side(Side::Branch).unwrap()));
    deck.make(attempts(1)).unwrap();
    deck.run_until(100 * SECOND);
    let (original, branch) = (deck.side(Side::Original).unwrap().clone(), deck.side(Side::Branch).unwrap().clone());
    assert!(same(&original, &again(&[], 100 * SECOND)));
    assert!(same(&branch, &again(&deck.changes(Side::Branch), 100 * SECOND)));
    deck.rewind_towards(10 * SECOND);
    deck.run_until(10 * SECOND);
    assert!(deck.side(Side::Branch).is_none(), "it has not begun yet");
    deck.run_until(100 * SECOND);
    assert!(same(deck.side(Side::Branch).unwrap(), &branch));
}

#[test]
fn the_future_that_is_kept_has_its_own_past() {
    let mut deck = deck();
    deck.run_until(20 * SECOND);
    deck.make(attempts(4)).unwrap();
    deck.run_until(55 * SECOND);
    deck.branch().unwrap();
    deck.make(attempts(1)).unwrap();
    deck.run_until(70 * SECOND);
    deck.keep_only(Side::Branch).unwrap();
    let changes = deck.changes(Side::Original);
    assert_eq!(changes.len(), 2);
    assert!(deck.side(Side::Branch).is_none() && deck.fork_ns().is_none());
    deck.rewind_towards(0);
    deck.run_until(80 * SECOND);
    assert!(same(deck.focused(), &again(&changes, 80 * SECOND)));
}

#[derive(Clone, Debug)]
enum Step {
    Run(i64),
    Back(i64),
    Checkpoint,
    Make(u32),
    TakeBack,
    Branch,
    Keep(bool),
    Focus(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..30_000i64).prop_map(Step::Run),
        2 => (1..60_000i64).prop_map(Step::Back),
        2 => Just(Step::Checkpoint),
        2 => (1..5u32).prop_map(Step::Make),
        1 => Just(Step::TakeBack),
        1 => Just(Step::Branch),
        1 => any::<bool>().prop_map(Step::Keep),
        1 => any::<bool>().prop_map(Step::Focus),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_future_is_the_run_that_its_changes_make(steps in proptest::collection::vec(step(), 1..25)) {
        let mut deck = Deck::new(Fake::new(three()), 5, u64::MAX);
        for step in steps {
            match step {
                Step::Run(by_ms) => deck.run_until(deck.now_ns() + by_ms * 1_000_000),
                Step::Back(by_ms) => {
                    let at_ns = (deck.now_ns() - by_ms * 1_000_000).max(-30 * SECOND);
                    deck.rewind_towards(at_ns);
                    deck.run_until(at_ns);
                }
                Step::Checkpoint => {
                    deck.keep_checkpoint(1);
                }
                Step::Make(value) => {
                    deck.make(attempts(value)).unwrap();
                }
                Step::TakeBack => {
                    let _ = deck.take_back();
                }
                Step::Branch => {
                    let _ = deck.branch();
                }
                Step::Keep(branch) => {
                    let _ = deck.keep_only(if branch { Side::Branch } else { Side::Original });
                }
                Step::Focus(branch) => deck.focus_on(if branch { Side::Branch } else { Side::Original }),
            }
            for side in [Side::Original, Side::Branch] {
                if let Some(simulation) = deck.side(side) {
                    let twin = again(&deck.changes(side), deck.now_ns());
                    prop_assert!(same(simulation, &twin), "{:?} at {} ns", side, deck.now_ns());
                }
            }
        }
    }
}

/// Upper limit for any wait; the actual time is not checked.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a view with a property.
fn wait(player: &Player<Fake>, wanted: impl Fn(&tui::player::View) -> bool) -> std::sync::Arc<tui::player::View> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view = player.view();
        if wanted(&view) {
            return view;
        }
        assert!(Instant::now() < deadline, "it never came: at {} ns, seeking {:?}", view.now_ns, view.seeking_ns);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_watched_paused_and_rewound_run_ends_in_the_same_state() {
    let options = PlayerOptions { playing: false, pace: Pace::FlatOut, ..PlayerOptions::default() };
    let player = Player::start(Fake::new(three()), options).unwrap();
    player.send(Command::Seek(42 * SECOND + 123_456_789));
    wait(&player, |view| view.now_ns == 42 * SECOND + 123_456_789);
    player.send(Command::Step(SECOND));
    wait(&player, |view| view.now_ns == 43 * SECOND + 123_456_789);
    player.send(Command::Seek(7 * SECOND));
    let back = wait(&player, |view| view.now_ns == 7 * SECOND && view.seeking_ns.is_none());
    assert!(!back.playing && (back.focused().snapshot.at_s - 7.0).abs() < 1e-9);
    player.send(Command::Play(true));
    wait(&player, |view| view.now_ns == view.end_ns);
    let ended = player.stop().unwrap();
    assert!(same(&ended, &again(&[], ended.end_ns())));
}

#[test]
fn seeking_twice_goes_twice_as_far_even_before_the_first_has_arrived() {
    let options = PlayerOptions { playing: false, ..PlayerOptions::default() };
    let player = Player::start(Fake::new(three()), options).unwrap();
    (0..3).for_each(|_| player.send(Command::SeekBy(10 * SECOND)));
    wait(&player, |view| view.now_ns == view.start_ns + 30 * SECOND && view.seeking_ns.is_none());
}

#[test]
fn going_back_from_the_end_lands_paused() {
    let options = PlayerOptions { pace: Pace::FlatOut, ..PlayerOptions::default() };
    let player = Player::start(Fake::new(three()), options).unwrap();
    let end = wait(&player, |view| view.now_ns == view.end_ns).end_ns;
    player.send(Command::SeekBy(-10 * SECOND));
    let view = wait(&player, |view| view.now_ns == end - 10 * SECOND && view.seeking_ns.is_none());
    assert!(!view.playing);
    player.send(Command::Pace(Pace::Times(0.1)));
    player.send(Command::Play(true));
    player.send(Command::SeekBy(-10 * SECOND));
    let view = wait(&player, |view| view.now_ns < end - 19 * SECOND && view.seeking_ns.is_none());
    assert!(view.playing, "anywhere else it plays on");
}

#[test]
fn at_a_pace_the_thread_wakes_once_a_frame() {
    let options = PlayerOptions { pace: Pace::Times(10.0), ..PlayerOptions::default() };
    let began = Instant::now();
    let mut fake = Fake::new(three());
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    fake.runs = Some(std::sync::Arc::clone(&runs));
    let player = Player::start(fake, options).unwrap();
    let start = player.view().start_ns;
    wait(&player, |view| view.now_ns > start + 5 * SECOND);
    player.send(Command::Play(false));
    // At most one run per frame of real time, on any machine, plus some that are split at the ends of stretches.
    let frames = began.elapsed().as_millis() as u64 / 33 + 1;
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    assert!(runs <= 4 * frames, "{runs} runs in {frames} frames");
}

#[test]
fn playing_pauses_at_the_stops_of_a_tour() {
    let options =
        PlayerOptions { pace: Pace::FlatOut, stops_ns: vec![10 * SECOND, 60 * SECOND], ..PlayerOptions::default() };
    let player = Player::start(Fake::new(three()), options).unwrap();
    wait(&player, |view| !view.playing && view.now_ns == 10 * SECOND);
    player.send(Command::Play(true));
    wait(&player, |view| !view.playing && view.now_ns == 60 * SECOND);
    player.send(Command::SkipStops);
    player.send(Command::Play(true));
    wait(&player, |view| view.now_ns == view.end_ns);
}

#[test]
fn a_simulation_that_fails_stops_the_player_and_nothing_else() {
    let mut fake = Fake::new(three());
    fake.panics_at_ns = Some(SECOND);
    let player = Player::start(fake, PlayerOptions { pace: Pace::FlatOut, ..PlayerOptions::default() }).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !player.stopped() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(player.view().now_ns <= SECOND, "the last view is still there");
    assert!(player.stop().is_none());
}

#[test]
fn an_export_has_the_changes_of_the_future_in_focus() {
    let player =
        Player::start(Fake::new(three()), PlayerOptions { playing: false, ..PlayerOptions::default() }).unwrap();
    player.send(Command::Branch);
    player.send(Command::Make(attempts(1)));
    let (reply, answer) = std::sync::mpsc::channel();
    player.send(Command::Export(reply));
    assert!(answer.recv().unwrap().contains("max_attempts=1"));
    player.send(Command::Focus(Side::Original));
    let (reply, answer) = std::sync::mpsc::channel();
    player.send(Command::Export(reply));
    assert!(!answer.recv().unwrap().contains("max_attempts=1"));
}

#[test]
fn a_fork_with_a_change_leaves_the_original_alone_and_a_refused_one_no_branch() {
    let player =
        Player::start(Fake::new(three()), PlayerOptions { playing: false, ..PlayerOptions::default() }).unwrap();
    let wrong = Doing::Set { path: "components.db.nonsense".into(), value: "7".into() };
    player.send(Command::Fork(wrong));
    let view = wait(&player, |view| view.notice.bad);
    assert_eq!((view.futures.len(), view.fork_ns), (1, None));
    player.send(Command::Fork(attempts(1)));
    let view = wait(&player, |view| view.futures.len() == 2);
    assert!(view.futures[0].changes.is_empty());
    assert_eq!(view.futures[1].changes.len(), 1);
}

#[test]
fn paces_go_up_to_flat_out_and_down_again() {
    let mut pace = Pace::Times(1.0);
    let mut seen = vec![pace];
    while pace != Pace::FlatOut {
        pace = pace.faster();
        seen.push(pace);
    }
    assert!(seen.contains(&Pace::Times(10.0)));
    for expected in seen.into_iter().rev().skip(1) {
        pace = pace.slower();
        assert_eq!(pace, expected);
    }
    assert_eq!(Pace::Times(0.01).slower(), Pace::Times(0.01));
}
