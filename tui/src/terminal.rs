//! The terminal and the loop: frames out, keys in. The terminal is restored whatever happens: at the end, on an error, on
//! a panic of either thread, and on SIGTERM, SIGHUP and SIGINT.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crossterm::event::{DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, event, execute, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, Caption, Effect};
use crate::player::{Command, Pace, Player, PlayerOptions};
use crate::screens;
use crate::screenshot;
use crate::simulation::Simulation;
use crate::theme::Theme;

/// Real time between frames.
const FRAME: Duration = Duration::from_millis(33);

/// How to watch.
#[derive(Clone, Debug)]
pub struct Options {
    /// Colours; `None` to find out from the environment.
    pub theme: Option<Theme>,
    /// False to begin paused.
    pub playing: bool,
    /// The pace at the beginning.
    pub pace: Pace,
    /// A guided tour: at each instant the run pauses and the words are shown. Escape ends it.
    pub captions: Vec<Caption>,
    /// The instant at which to begin, s; `None` for the start of the warm-up.
    pub begin_at_s: Option<f64>,
    /// Where pictures and scenarios are written; empty for the current folder.
    pub folder: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            theme: None,
            playing: true,
            pace: Pace::Times(1.0),
            captions: Vec::new(),
            begin_at_s: None,
            folder: PathBuf::new(),
        }
    }
}

/// How the watching ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ending {
    /// The instant reached, s.
    pub at_s: f64,
    /// True where the run had ended.
    pub finished: bool,
    /// True where a signal ended it.
    pub interrupted: bool,
    /// The changes of the future in focus, in words.
    pub changes: Vec<String>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

/// Watches a simulation until the user quits.
pub fn watch<S: Simulation>(simulation: S, options: Options) -> io::Result<Ending> {
    let stop = Signals::new()?;
    let nanoseconds = |seconds: f64| (seconds * 1e9).round() as i64;
    let player_options = PlayerOptions {
        playing: options.playing,
        pace: options.pace,
        stops_ns: options.captions.iter().map(|caption| nanoseconds(caption.at_s)).collect(),
        ..PlayerOptions::default()
    };
    let theme = options.theme.unwrap_or_else(|| Theme::detect(|name| std::env::var(name).ok()));
    // The terminal comes first, so that a panic of the simulation's thread finds the hook in place.
    let screen = Screen::open()?;
    let player = Player::start(simulation, player_options)?;
    if let Some(at_s) = options.begin_at_s {
        player.send(Command::Seek(nanoseconds(at_s)));
    }
    let mut app = App::new(player.view(), theme, options.captions.clone());
    let watched = run(&player, &mut app, screen, &stop, &options.folder);
    let failed = player.stopped();
    let view = player.view();
    player.stop();
    let (written, interrupted) = watched?;
    if failed {
        return Err(io::Error::other("the simulation has failed; see the message above"));
    }
    Ok(Ending {
        at_s: view.now_ns as f64 / 1e9,
        finished: view.focused().snapshot.finished,
        interrupted,
        changes: view.focused().changes.iter().map(|change| change.doing.to_string()).collect(),
        written,
    })
}

/// The loop. Returns the files written, and whether a signal ended it.
fn run<S: Simulation>(
    player: &Player<S>,
    app: &mut App,
    mut screen: Screen,
    stop: &Signals,
    folder: &Path,
) -> io::Result<(Vec<PathBuf>, bool)> {
    let mut written = Vec::new();
    let mut export: Option<Receiver<String>> = None;
    let mut stale = true;
    loop {
        let frame_ends = Instant::now() + FRAME;
        stale |= app.receive(player.view()) | app.tick();
        if let Some(text) = finished(&mut export) {
            let name = format!("{}-changed", slug(&app.snapshot().scenario));
            match write_new(folder, &name, &[("yaml", text)]) {
                Ok(files) => {
                    app.tell(format!("written: {}", names(&files)), false);
                    written.extend(files);
                }
                Err(error) => app.tell(format!("could not write the scenario: {error}"), true),
            }
            stale = true;
        }
        if stale {
            let size = screen.terminal.size()?;
            app.size = Rect::new(0, 0, size.width, size.height);
            app.prepare();
            let Ok(mine) = IS_OURS.lock() else { return Ok((written, false)) };
            if !*mine {
                return Ok((written, false));
            }
            screen.terminal.draw(|frame| screens::draw(frame, app))?;
            stale = false;
        }
        while event::poll(frame_ends.saturating_duration_since(Instant::now()))? {
            stale = true;
            let effects = match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => app.key(key),
                Event::Mouse(mouse) => app.mouse(mouse),
                Event::Paste(text) => app.paste(&text),
                _ => Vec::new(),
            };
            for effect in effects {
                match effect {
                    Effect::Ask(command) => player.send(command),
                    Effect::Quit => return Ok((written, false)),
                    Effect::Export => {
                        let (reply, answer) = mpsc::channel();
                        player.send(Command::Export(reply));
                        export = Some(answer);
                    }
                    Effect::Screenshot => match picture(app, folder) {
                        Ok(files) => {
                            app.tell(format!("written: {}", names(&files)), false);
                            written.extend(files);
                        }
                        Err(error) => app.tell(format!("could not write the picture: {error}"), true),
                    },
                }
            }
            if Instant::now() >= frame_ends {
                break;
            }
        }
        if stop.raised() {
            return Ok((written, true));
        }
        if player.stopped() {
            return Ok((written, false));
        }
    }
}

fn finished(export: &mut Option<Receiver<String>>) -> Option<String> {
    match export.as_ref()?.try_recv() {
        Ok(text) => {
            *export = None;
            Some(text)
        }
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => {
            *export = None;
            None
        }
    }
}

/// Draws the screen once more, without its terminal, and writes it down.
fn picture(app: &App, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let buffer = drawn(app);
    let name =
        format!("{}-{}", slug(&app.snapshot().scenario), crate::figures::clock(app.snapshot().at_s).replace(':', "."));
    write_new(folder, &name, &[("svg", screenshot::svg(&buffer, app.theme)), ("txt", screenshot::text(&buffer))])
}

/// The screen as it would be drawn at the app's size.
pub fn drawn(app: &App) -> Buffer {
    let backend = ratatui::backend::TestBackend::new(app.size.width.max(1), app.size.height.max(1));
    let Ok(mut terminal) = Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| screens::draw(frame, app));
    terminal.backend().buffer().clone()
}

/// Writes files of one name that none has yet.
fn write_new(folder: &Path, name: &str, files: &[(&str, String)]) -> io::Result<Vec<PathBuf>> {
    for number in 1..1000 {
        let stem = if number == 1 { name.to_string() } else { format!("{name}-{number}") };
        let paths: Vec<PathBuf> = files.iter().map(|(ending, _)| folder.join(format!("{stem}.{ending}"))).collect();
        if paths.iter().any(|path| path.exists()) {
            continue;
        }
        for (path, (_, text)) in paths.iter().zip(files) {
            std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())?;
        }
        return Ok(paths);
    }
    Err(io::Error::other("there are a thousand of that name already"))
}

fn names(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// A name that can stand in a file name everywhere.
fn slug(name: &str) -> String {
    let letters: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "scenario".into() } else { parts.join("-") }
}

/// True while the terminal is ours; held while it is drawn to, so that nothing is drawn after it has been given back.
static IS_OURS: Mutex<bool> = Mutex::new(false);
/// True once it has been given back.
static IS_LEFT: AtomicBool = AtomicBool::new(true);

/// The terminal while it is ours.
struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    _hook: PanicHook,
    _restore: Restore,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        let hook = PanicHook::install();
        terminal::enable_raw_mode()?;
        *IS_OURS.lock().unwrap_or_else(PoisonError::into_inner) = true;
        IS_LEFT.store(false, Ordering::SeqCst);
        let restore = Restore;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, event::EnableBracketedPaste, cursor::Hide)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(Screen { terminal, _hook: hook, _restore: restore })
    }
}

/// Gives the terminal back when dropped.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once: leaving the alternate screen twice would put the cursor on top of a panic's message.
fn restore() {
    // A frame takes milliseconds. A thread that panics while it draws holds the lock itself and must not wait for ever.
    for _ in 0..50 {
        match IS_OURS.try_lock() {
            Ok(mut mine) if *mine => {
                *mine = false;
                return leave();
            }
            Ok(_) => return,
            Err(TryLockError::Poisoned(_)) => break,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    leave();
}

fn leave() {
    if IS_LEFT.swap(true, Ordering::SeqCst) {
        return;
    }
    let _ = terminal::disable_raw_mode();
    let _ =
        execute!(io::stdout(), event::DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
}

type Hook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

/// Gives the terminal back before a panic is told, so that the message can be read.
struct PanicHook {
    before: Arc<Hook>,
}

impl PanicHook {
    fn install() -> PanicHook {
        let before: Arc<Hook> = Arc::new(std::panic::take_hook());
        let next = Arc::clone(&before);
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            next(panic);
        }));
        PanicHook { before }
    }
}

impl Drop for PanicHook {
    fn drop(&mut self) {
        // A hook cannot be exchanged by a thread that is panicking; it then stays, and does no harm.
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

/// 128 plus the number of SIGHUP, as shells report it.
#[cfg(unix)]
const HANGUP_STATUS: i32 = 129;

/// Signals that end the watching.
struct Signals {
    raised: Arc<AtomicBool>,
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        let mut signals = Signals { raised: Arc::new(AtomicBool::new(false)), registered: Vec::new() };
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signals.registered.push(signal_hook::flag::register(signal, Arc::clone(&signals.raised))?);
        }
        // The terminal has gone away: there is nothing to restore, and waiting for its input would spin for ever.
        #[cfg(unix)]
        signals.registered.push(signal_hook::flag::register_conditional_shutdown(
            signal_hook::consts::SIGHUP,
            HANGUP_STATUS,
            Arc::new(AtomicBool::new(true)),
        )?);
        Ok(signals)
    }

    fn raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        assert_eq!(slug("Checkout under a slow DB!"), "checkout-under-a-slow-db");
        assert_eq!(slug("../…/"), "scenario");
    }

    #[test]
    fn files_are_never_written_over() {
        let folder = std::env::temp_dir().join(format!("brownout-tui-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = || write_new(&folder, "a", &[("txt", "x".to_string()), ("svg", "y".to_string())]).unwrap();
        let (first, second) = (write(), write());
        assert_eq!(first, [folder.join("a.txt"), folder.join("a.svg")]);
        assert_eq!(second, [folder.join("a-2.txt"), folder.join("a-2.svg")]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
