//! What watching costs, and how quickly it answers.
//!
//! `cargo bench -p cli --bench watching [-- SCENARIO …]` runs each scenario to its end alone and watched in turn – on a screen
//! of 200×60 cells that is drawn thirty times a second by a thread of its own – so that a slow minute of the machine
//! hits both, and prints what being watched costs (the processor's time of both threads, as a share of what the run takes
//! alone), how long drawing a frame takes, the frames in a second, how long a key waits for its answer, how long going back
//! to an earlier instant takes, and what memory it all takes.

#[path = "../../src/watched.rs"]
mod watched;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::{Options, Session, Text};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use tui::App;
use tui::player::{Command, Pace, Player, PlayerOptions};
use tui::theme::Theme;

use watched::Watched;

/// Real time between frames, as in `watch`.
const FRAME: Duration = Duration::from_millis(33);
const SIZE: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

/// What is watched: the storm, eight of them at once, and a thousand servers.
const SCENARIOS: [&str; 3] = ["retry-storm", "storm-of-eight", "work-c"];

fn text_of(name: &str) -> String {
    let builtin = |name: &str| language::builtin::text(name).expect("it is built in").to_string();
    match name {
        "storm-of-eight" => storm_of_eight(),
        _ => builtin(name),
    }
}

/// Eight shops of five services each, every one with the storm's load.
fn storm_of_eight() -> String {
    let mut text = String::from("version: 1\nname: Eight shops\nrun: {duration: 5m, warmup: 10s}\nworkloads:\n");
    for shop in 0..8 {
        text += &format!(
            "  w{shop}: {{arrivals: {{poisson: 600/s}}, call: {{to: edge{shop}, timeout: 1s, retry: {{max_attempts: 3}}}}}}\n"
        );
    }
    text += "components:\n";
    for shop in 0..8 {
        let service = |name: &str, to: &[&str]| {
            let steps: String = to.iter().map(|to| format!(", {{call: {to}}}")).collect();
            let calls: Vec<String> = to.iter().map(|to| format!("{to}: {to}{shop}")).collect();
            format!(
                "  {name}{shop}: {{kind: service, runtime: {{thread_pool: {{threads: 200}}}}, handlers: {{default: \
                 [{{wait: {{exp: 1ms}}}}{steps}]}}, calls: {{{}}}}}\n",
                calls.join(", ")
            )
        };
        text += &service("edge", &["web"]);
        text += &service("web", &["search", "db"]);
        text += &service("search", &[]);
        text += &format!("  db{shop}: {{kind: database, connections: 20, operations: {{default: {{exp: 14ms}}}}}}\n");
    }
    text += "faults:\n";
    for shop in 0..8 {
        text += &format!(
            "  - {{name: slow{shop}, at: {}s, for: 20s, slow: {{component: db{shop}, factor: 5}}}}\n",
            60 + shop
        );
    }
    text
}

fn session(name: &str) -> Session {
    let text = Text { name: name.into(), bytes: text_of(name).into_bytes(), folder: None };
    let loaded = match lab::load(&text, &Options::default()) {
        Ok(loaded) => loaded,
        Err(refused) => {
            let style = language::diagnostics::Style::Plain;
            panic!("{}", language::diagnostics::render(&refused.problems, &refused.sources, style))
        }
    };
    let seed = loaded.scenario.seed;
    Session::new(Arc::new(loaded), seed, None)
}

/// A terminal that takes everything and shows nothing.
struct Sink;

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(std::hint::black_box(bytes).len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn terminal() -> Terminal<CrosstermBackend<Sink>> {
    let options = ratatui::TerminalOptions { viewport: ratatui::Viewport::Fixed(SIZE) };
    Terminal::with_options(CrosstermBackend::new(Sink), options).expect("a sink takes everything")
}

/// The processor's time that this process has taken, s.
fn processor_s() -> f64 {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
    #[cfg(not(target_os = "linux"))]
    f64::NAN
}

/// The processor's time to the end without anybody watching, s, and the events.
fn alone(name: &str) -> (f64, u64) {
    let mut session = session(name);
    let began = processor_s();
    session.run_to_end().expect("it runs");
    (processor_s() - began, session.events())
}

/// What a watched run measured.
#[derive(Default)]
struct Seen {
    processor_s: f64,
    frames_per_s: f64,
    drawing_ms: f64,
    key_ms: Vec<f64>,
    seek_ms: Vec<f64>,
    bytes: u64,
}

fn watched(name: &str) -> Seen {
    let before = resident_bytes();
    let options = PlayerOptions { playing: false, pace: Pace::FlatOut, ..PlayerOptions::default() };
    let player = Player::start(Watched::new(session(name)), options).expect("a thread");
    let mut app = App::new(player.view(), Theme::default(), Vec::new());
    app.size = SIZE;
    let mut terminal = terminal();
    let mut seen = Seen::default();
    let (began, processor) = (Instant::now(), processor_s());
    let (mut frames, mut drawing, mut asked) = (0u32, Duration::ZERO, 1);
    player.send(Command::Play(true));
    // A key at every tenth frame: how long until a view answers it, looked for as often as possible.
    loop {
        let frame_ends = Instant::now() + FRAME;
        app.receive(player.view());
        app.tick();
        let drawn = Instant::now();
        app.prepare();
        terminal.draw(|frame| tui::draw(frame, &app)).expect("a sink takes everything");
        drawing += drawn.elapsed();
        frames += 1;
        if app.view.now_ns >= app.view.end_ns {
            break;
        }
        if frames % 10 == 0 {
            let pressed = Instant::now();
            // Asks for a change that is refused: nothing is different but the notice that says so.
            player.send(Command::KeepOnly(tui::deck::Side::Original));
            while player.view().notice.number < asked && pressed.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_micros(200));
            }
            asked += 1;
            seen.key_ms.push(pressed.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(frame_ends.saturating_duration_since(Instant::now()));
    }
    seen.processor_s = processor_s() - processor;
    seen.frames_per_s = f64::from(frames) / began.elapsed().as_secs_f64();
    seen.drawing_ms = drawing.as_secs_f64() * 1e3 / f64::from(frames);
    seen.bytes = resident_bytes().saturating_sub(before);
    let (start, end) = (app.view.start_ns, app.view.end_ns);
    player.send(Command::Play(false));
    // Instants all over the run, each from the end, in an order without system.
    for number in 0..20u64 {
        let share = (number * 7 % 20) as f64 / 20.0;
        for goal in [start + ((end - start) as f64 * share) as i64, end] {
            let began = Instant::now();
            player.send(Command::Seek(goal));
            while {
                let view = player.view();
                view.now_ns != goal || view.seeking_ns.is_some()
            } {
                std::thread::sleep(Duration::from_micros(200));
            }
            if goal != end {
                seen.seek_ms.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    seen
}

/// Memory of this process, bytes; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn main() {
    // `cargo bench` passes `--bench`, which is not for us.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    println!(
        "{:<16}{:>10}{:>10}{:>9}{:>9}{:>9}{:>16}{:>16}{:>12}",
        "scenario", "events", "alone", "cost", "frames", "drawing", "key med, max", "seek med, max", "memory"
    );
    for name in SCENARIOS.iter().filter(|name| words.is_empty() || words.iter().any(|word| word == *name)) {
        let mut rows = Vec::new();
        for _ in 0..5 {
            let (alone_s, events) = alone(name);
            rows.push((alone_s, events, watched(name)));
        }
        let all = |of: fn(&Seen) -> &Vec<f64>| -> Vec<f64> { rows.iter().flat_map(|row| of(&row.2).clone()).collect() };
        let (keys, seeks) = (all(|seen| &seen.key_ms), all(|seen| &seen.seek_ms));
        println!(
            "{:<16}{:>10}{:>8.2} s{:>7.1} %{:>7.1}/s{:>6.2} ms{:>16}{:>16}{:>9.0} MB",
            name,
            rows[0].1,
            median(rows.iter().map(|row| row.0).collect()),
            100.0 * (median(rows.iter().map(|row| row.2.processor_s / row.0).collect()) - 1.0),
            median(rows.iter().map(|row| row.2.frames_per_s).collect()),
            median(rows.iter().map(|row| row.2.drawing_ms).collect()),
            format!("{:.0}, {:.0} ms", median(keys.clone()), largest(&keys)),
            format!("{:.0}, {:.0} ms", median(seeks.clone()), largest(&seeks)),
            rows.iter().map(|row| row.2.bytes).max().unwrap_or(0) as f64 / 1e6,
        );
    }
}
