//! What fills the screen – a run, the list of scenarios, or the problems of a file – and the main loop.
//!
//! A watched file is checked four times a second; after a save has settled, the file is read again, and the run continues at
//! the same instant with the new settings. Polling detects saves by every editor on every file system, which system
//! notifications do not.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::{App, Effect};
use crate::deck::Change;
use crate::keys::{self, Action, Move, Place, Way};
use crate::menu::{Chosen, Menu};
use crate::player::{Command, Player, PlayerOptions};
use crate::saving;
use crate::screens;
use crate::screens::refused::Refusal;
use crate::source::{Opened, Source, Watch};
use crate::terminal::{Screen, Signals};
use crate::theme::Theme;

/// Real time between frames.
const FRAME: Duration = Duration::from_millis(33);
/// Real time between two checks of the file.
const LOOK: Duration = Duration::from_millis(250);

/// Options of watching.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Colours; `None` to detect them from the environment.
    pub theme: Option<Theme>,
    /// True to start paused.
    pub paused: bool,
    /// Folder for pictures and scenarios; empty for the current folder.
    pub folder: PathBuf,
}

/// How watching ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// True if a signal ended it.
    pub interrupted: bool,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

/// A run being watched.
struct Run<S> {
    choice: usize,
    /// Settings that override those of the choice from the beginning of the run.
    settings: Vec<(String, String)>,
    player: Player<S>,
    app: App,
    export: Option<Receiver<String>>,
}

/// The overlay on the run, if any.
enum Over {
    Nothing,
    Choosing(Menu),
    Refused(Refusal),
}

/// Control flow of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    On,
    /// End.
    End,
}

/// The whole user interface. Needs no terminal; [`watch`] provides one.
pub struct Stage<S: Source> {
    source: S,
    options: Options,
    theme: Theme,
    size: Rect,
    run: Option<Run<S::Simulation>>,
    over: Over,
    file: Watch,
    written: Vec<PathBuf>,
}

impl<S: Source> Stage<S> {
    /// Starts with the list, or directly with one of the choices.
    pub fn new(source: S, first: Option<usize>, options: Options) -> io::Result<Stage<S>> {
        let theme = options.theme.unwrap_or_else(|| Theme::detect(|name| std::env::var(name).ok()));
        let over = Over::Choosing(Menu::new(source.choices()));
        let size = Rect::new(0, 0, 80, 24);
        let mut stage =
            Stage { source, options, theme, size, run: None, over, file: Watch::default(), written: Vec::new() };
        if let Some(first) = first {
            stage.open(first)?;
        }
        Ok(stage)
    }

    /// Opens a choice from its beginning, or shows its problems.
    fn open(&mut self, choice: usize) -> io::Result<()> {
        // Take the stamp before reading the file, so that a save in between is detected.
        self.file = Watch::new(self.source.stamp(choice));
        match self.source.open(choice) {
            Ok(opened) => {
                self.run = None;
                self.run = Some(self.begin(choice, opened, !self.options.paused, Vec::new())?);
                self.over = Over::Nothing;
            }
            Err(text) => self.refuse(choice, text),
        }
        Ok(())
    }

    fn begin(
        &self,
        choice: usize,
        opened: Opened<S::Simulation>,
        playing: bool,
        changes: Vec<Change>,
    ) -> io::Result<Run<S::Simulation>> {
        let stops_ns = opened.captions.iter().map(|caption| (caption.at_s * 1e9).round() as i64).collect();
        let options = PlayerOptions { playing, pace: opened.pace, stops_ns, changes, ..PlayerOptions::default() };
        let player = Player::start(opened.simulation, options)?;
        let mut app = App::new(player.view(), self.theme, opened.captions);
        app.size = self.size;
        Ok(Run { choice, settings: Vec::new(), player, app, export: None })
    }

    fn refuse(&mut self, choice: usize, text: String) {
        let has_run_behind = self.run.is_some();
        if let Some(run) = &self.run {
            run.player.send(Command::Play(false));
        }
        let name = self.source.choices().get(choice).map(|choice| choice.name.clone()).unwrap_or_default();
        let is_watched = self.source.stamp(choice).is_some();
        self.over = Over::Refused(Refusal { choice, name, text, scrolled: 0, is_watched, has_run_behind });
    }

    /// The choice shown, whether it is valid or not.
    fn shown(&self) -> Option<usize> {
        match (&self.over, &self.run) {
            (Over::Refused(refusal), _) => Some(refusal.choice),
            (_, Some(run)) => Some(run.choice),
            (_, None) => None,
        }
    }

    /// Checks whether the file has been saved, and if so reads it again. True if the screen changed.
    pub fn look(&mut self) -> io::Result<bool> {
        let Some(choice) = self.shown() else { return Ok(false) };
        if !self.file.look(self.source.stamp(choice)) {
            return Ok(false);
        }
        let settings = self.run.as_ref().filter(|run| run.choice == choice).map(|run| run.settings.clone());
        let settings = settings.unwrap_or_default();
        match (self.source.reopen(choice, &settings), self.run.take()) {
            (Err(text), run) => {
                self.run = run;
                self.refuse(choice, text);
            }
            (Ok(opened), Some(before)) if before.choice == choice => {
                let view = before.player.view();
                let was_refused = matches!(self.over, Over::Refused(_));
                let mut run = self.begin(choice, opened, view.playing || was_refused, Vec::new())?;
                run.settings = settings;
                run.player.send(Command::Pace(view.pace));
                run.player.send(Command::Seek(view.now_ns));
                run.app.take_over(&before.app);
                let dropped = view.focused().changes.len();
                let words = match dropped {
                    0 => "the file has been saved: read again".to_string(),
                    _ => format!("the file was saved and reloaded; {dropped} change(s) made here dropped"),
                };
                run.app.tell(words, false);
                self.run = Some(run);
                if was_refused {
                    self.over = Over::Nothing;
                }
            }
            (Ok(opened), _) => {
                self.run = Some(self.begin(choice, opened, !self.options.paused, Vec::new())?);
                self.over = Over::Nothing;
            }
        }
        Ok(true)
    }

    /// Restarts the run with another value of a setting, replays the user's changes, and continues to the same instant.
    fn restart(&mut self, path: String, value: String) -> io::Result<()> {
        let Some(run) = &mut self.run else { return Ok(()) };
        let view = run.player.view();
        if view.futures.len() > 1 {
            run.app.tell("there are two futures; keep one of them first".into(), true);
            return Ok(());
        }
        let words = format!("{path} = {value} from the start of the run");
        let mut settings = run.settings.clone();
        settings.retain(|(other, _)| *other != path);
        settings.push((path, value));
        match self.source.reopen(run.choice, &settings) {
            Err(text) => {
                let problem = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
                run.app.tell(problem, true);
            }
            Ok(opened) => {
                let choice = run.choice;
                let changes = view.focused().changes.clone();
                let mut again = self.begin(choice, opened, view.playing, changes)?;
                again.settings = settings;
                again.player.send(Command::Pace(view.pace));
                again.player.send(Command::Seek(view.seeking_ns.unwrap_or(view.now_ns)));
                if let Some(before) = &self.run {
                    again.app.take_over(&before.app);
                    again.app.captions.clone_from(&before.app.captions);
                }
                again.app.tell(words, false);
                self.run = Some(again);
            }
        }
        Ok(())
    }

    /// Advances by a frame. True if the screen changed.
    pub fn tick(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        let mut stale = run.app.receive(run.player.view()) | run.app.tick();
        if let Some(text) = finished(&mut run.export) {
            match saving::scenario(&run.app, text, &self.options.folder) {
                Ok(files) => {
                    run.app.tell(format!("written: {}", saving::names(&files)), false);
                    self.written.extend(files);
                }
                Err(error) => run.app.tell(format!("could not write the scenario: {error}"), true),
            }
            stale = true;
        }
        stale
    }

    /// True if the simulation has failed; it has reported the error on standard error.
    pub fn failed(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.player.stopped())
    }

    /// The run being watched.
    pub fn app(&self) -> Option<&App> {
        self.run.as_ref().map(|run| &run.app)
    }

    /// Prepares drawing at a size.
    pub fn prepare(&mut self, size: Rect) {
        self.size = size;
        if let Some(run) = &mut self.run {
            run.app.size = size;
            run.app.prepare();
        }
    }

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame) {
        let area = frame.area();
        match (&self.over, &self.run) {
            (Over::Choosing(menu), _) => screens::menu::draw(frame.buffer_mut(), area, self.theme, menu),
            (Over::Refused(refusal), _) => screens::refused::draw(frame.buffer_mut(), area, self.theme, refusal),
            (Over::Nothing, Some(run)) => screens::draw(frame, &run.app),
            (Over::Nothing, None) => {}
        }
    }

    /// Handles a key press, a mouse event or pasted text.
    pub fn event(&mut self, event: Event) -> io::Result<Flow> {
        match (&mut self.over, event) {
            (Over::Nothing, event) => {
                let Some(run) = &mut self.run else { return Ok(Flow::End) };
                let effects = match event {
                    Event::Key(key) if key.kind != KeyEventKind::Release => run.app.key(key),
                    Event::Mouse(mouse) => run.app.mouse(mouse),
                    Event::Paste(text) => run.app.paste(&text),
                    _ => Vec::new(),
                };
                self.carry_out(effects)
            }
            (_, Event::Key(key)) if key.kind == KeyEventKind::Release => Ok(Flow::On),
            (Over::Choosing(menu), Event::Key(key)) => match menu.key(key) {
                Chosen::Nothing => Ok(Flow::On),
                Chosen::One(choice) => self.open(choice).map(|()| Flow::On),
                Chosen::Leave => Ok(self.go_back()),
                Chosen::Quit => Ok(Flow::End),
            },
            (Over::Refused(_), Event::Key(key)) => self.refused_key(key),
            _ => Ok(Flow::On),
        }
    }

    fn refused_key(&mut self, key: KeyEvent) -> io::Result<Flow> {
        let Over::Refused(refusal) = &mut self.over else { return Ok(Flow::On) };
        match keys::action(key, Place::Refused) {
            Some(Action::Select(Move::Next(Way::On))) => {
                let last = refusal.lines(self.size.width).len().saturating_sub(1);
                refusal.scrolled = (refusal.scrolled + 1).min(last);
            }
            Some(Action::Select(_)) => refusal.scrolled = refusal.scrolled.saturating_sub(1),
            Some(Action::Choose) => self.choose(),
            Some(Action::Close) if refusal.has_run_behind => return Ok(self.go_back()),
            Some(Action::Close | Action::Quit) => return Ok(Flow::End),
            _ => {}
        }
        Ok(Flow::On)
    }

    /// Returns to the run, which is paused under an overlay; without a run, ends the program.
    fn go_back(&mut self) -> Flow {
        match &self.run {
            Some(run) => {
                self.over = Over::Nothing;
                self.file = Watch::new(self.source.stamp(run.choice));
                Flow::On
            }
            None => Flow::End,
        }
    }

    fn choose(&mut self) {
        if let Some(run) = &self.run {
            run.player.send(Command::Play(false));
            self.theme = run.app.theme;
        }
        self.over = Over::Choosing(Menu::new(self.source.choices()));
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Flow> {
        for effect in effects {
            let Some(run) = &mut self.run else { return Ok(Flow::End) };
            match effect {
                Effect::Ask(command) => run.player.send(command),
                Effect::Quit => return Ok(Flow::End),
                Effect::Choose => self.choose(),
                Effect::Restart { path, value } => self.restart(path, value)?,
                Effect::Export => {
                    let (reply, answer) = mpsc::channel();
                    run.player.send(Command::Export(reply));
                    run.export = Some(answer);
                }
                Effect::Screenshot => match saving::picture(&run.app, &self.options.folder) {
                    Ok(files) => {
                        run.app.tell(format!("written: {}", saving::names(&files)), false);
                        self.written.extend(files);
                    }
                    Err(error) => run.app.tell(format!("could not write the picture: {error}"), true),
                },
            }
        }
        Ok(Flow::On)
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

/// Runs the user interface until the user quits, starting with the given choice, else with the list.
pub fn watch<S: Source>(source: S, first: Option<usize>, options: Options) -> io::Result<Ending> {
    let stop = Signals::new()?;
    // Set up the terminal first, so that its panic hook is in place before the simulation's thread starts.
    let mut screen = Screen::open()?;
    let mut stage = Stage::new(source, first, options)?;
    let end = show(&mut stage, &mut screen, &stop)?;
    // Restore the terminal before waiting for the simulation.
    drop(screen);
    let written = std::mem::take(&mut stage.written);
    // Its thread may still be reporting a failure.
    drop(stage);
    match end {
        End::Failed => Err(io::Error::other("the simulation has failed; see the message above")),
        End::Quit | End::Interrupted => Ok(Ending { interrupted: end == End::Interrupted, written }),
    }
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The user quit.
    Quit,
    /// A signal ended it.
    Interrupted,
    /// The simulation panicked, which has already restored the terminal.
    Failed,
}

/// The main loop.
fn show<S: Source>(stage: &mut Stage<S>, screen: &mut Screen, stop: &Signals) -> io::Result<End> {
    let mut stale = true;
    let mut looked = Instant::now();
    loop {
        let frame_ends = Instant::now() + FRAME;
        stale |= stage.tick();
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            stale |= stage.look()?;
        }
        if stale {
            stage.prepare(screen.size()?);
            if !screen.draw(|frame| stage.draw(frame))? {
                return Ok(End::Failed);
            }
            stale = false;
        }
        while event::poll(frame_ends.saturating_duration_since(Instant::now()))? {
            stale = true;
            let event = event::read()?;
            #[cfg(unix)]
            if keys::suspends(&event) {
                screen.suspend(stop)?;
                break;
            }
            if stage.event(event)? == Flow::End {
                return Ok(End::Quit);
            }
            if Instant::now() >= frame_ends {
                break;
            }
        }
        if stop.raised() {
            return Ok(End::Interrupted);
        }
        if stop.has_gone_on() {
            screen.take_again()?;
            stale = true;
        }
        if stage.failed() {
            return Ok(End::Failed);
        }
    }
}
