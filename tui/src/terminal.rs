//! The terminal: raw mode, the alternate screen, signals. It is given back whatever happens: at the end, on an error, on a
//! panic of either thread, on signals that end the program, and while the program is suspended.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, event, execute, queue, terminal};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

/// How many columns the terminal at standard output has; `None` where there is none.
pub fn columns() -> Option<u16> {
    io::stdout().is_terminal().then(terminal::size)?.ok().map(|(columns, _)| columns).filter(|columns| *columns > 0)
}

/// True while the terminal is ours; held while it is drawn to, so that nothing is drawn after it has been given back.
static IS_OURS: Mutex<bool> = Mutex::new(false);
/// True once it has been given back.
static IS_LEFT: AtomicBool = AtomicBool::new(true);
/// How long another thread may take to end its frame before the terminal is taken from it: a write to a terminal that
/// nobody reads blocks for ever.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// True while this thread draws, and so holds the lock.
    static DRAWS: Cell<bool> = const { Cell::new(false) };
}

/// The terminal while it is ours.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    _hook: PanicHook,
    _restore: Restore,
}

impl Screen {
    pub(crate) fn open() -> io::Result<Screen> {
        let hook = PanicHook::install();
        let restore = Restore;
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(Screen { terminal, _hook: hook, _restore: restore })
    }

    /// The size as it is now.
    pub(crate) fn size(&self) -> io::Result<Rect> {
        let size = self.terminal.size()?;
        Ok(Rect::new(0, 0, size.width, size.height))
    }

    /// Draws a frame, which terminals that know synchronized updates show at once. False where the terminal has been given
    /// back.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<bool> {
        let Some(_held) = held() else { return Ok(false) };
        DRAWS.set(true);
        let drawn = self.frame(draw);
        DRAWS.set(false);
        drawn.map(|()| true)
    }

    /// Takes the terminal anew, after somebody else has had it, to be drawn to from the beginning.
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        restore();
        enter()?;
        // Clearing the one that there is would ask the terminal where its cursor is, and not every one answers.
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))
    }

    /// Suspends the program, as Ctrl-Z does outside raw mode, with the terminal given back meanwhile. Where nobody could make it
    /// go on, the system does not suspend it either.
    #[cfg(unix)]
    pub(crate) fn suspend(&mut self, signals: &Signals) -> io::Result<()> {
        signals.has_gone_on();
        restore();
        // All of the pipeline or script that it is part of.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        // Which thread gets the signal, and when, is the system's business.
        let begun = Instant::now();
        while !signals.has_gone_on() && begun.elapsed() < SUSPENDED_WITHIN {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.take_again()
    }

    fn frame(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(draw)?;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }
}

fn enter() -> io::Result<()> {
    // From here on there is something to give back.
    *IS_OURS.lock().unwrap_or_else(PoisonError::into_inner) = true;
    IS_LEFT.store(false, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, event::EnableBracketedPaste, cursor::Hide)
}

/// The terminal, while it is ours.
fn held() -> Option<MutexGuard<'static, bool>> {
    IS_OURS.lock().ok().filter(|mine| **mine)
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
    let begun = Instant::now();
    // A thread that panics while it draws holds the lock itself and must not wait for it.
    while !DRAWS.get() && begun.elapsed() < PATIENCE {
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
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        event::DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
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

/// How long a signal to suspend may take to arrive.
#[cfg(unix)]
const SUSPENDED_WITHIN: Duration = Duration::from_millis(200);

/// How long the loop may take to end by itself after a signal: it may be reading a large file, or writing to a terminal that nobody
/// reads.
#[cfg(unix)]
const GRACE: Duration = Duration::from_millis(500);

/// The exit code of what a signal has ended.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;

/// Signals that end the watching, and the one by which a suspended program goes on.
pub(crate) struct Signals {
    ends: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
    registered: Vec<signal_hook::SigId>,
    #[cfg(unix)]
    _bystander: Bystander,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let (ends, continued) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut registered = Vec::new();
        let mut ending = vec![SIGTERM, SIGINT];
        #[cfg(unix)]
        {
            ending.extend([signal_hook::consts::SIGHUP, signal_hook::consts::SIGQUIT]);
            registered.push(signal_hook::flag::register(signal_hook::consts::SIGCONT, Arc::clone(&continued))?);
        }
        #[cfg(unix)]
        let _bystander = Bystander::new(&ending)?;
        for signal in ending {
            registered.push(signal_hook::flag::register(signal, Arc::clone(&ends))?);
        }
        Ok(Signals {
            ends,
            continued,
            registered,
            #[cfg(unix)]
            _bystander,
        })
    }

    /// Whether a signal ends the watching.
    pub(crate) fn raised(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Whether the program has gone on, after it was suspended, since this was asked last.
    pub(crate) fn has_gone_on(&self) -> bool {
        self.continued.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// A thread that gives the terminal back and ends the program where the loop does not within its grace; a further signal then
/// ends it at once.
#[cfg(unix)]
struct Bystander {
    handle: signal_hook::iterator::Handle,
    /// Closed when the loop has ended.
    _is_over: Sender<()>,
}

#[cfg(unix)]
impl Bystander {
    fn new(signals: &[i32]) -> io::Result<Bystander> {
        let is_late = Arc::new(AtomicBool::new(false));
        for signal in signals {
            signal_hook::flag::register_conditional_shutdown(*signal, INTERRUPTED, Arc::clone(&is_late))?;
        }
        let mut signals = signal_hook::iterator::Signals::new(signals)?;
        let handle = signals.handle();
        let (is_over, over) = mpsc::channel();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let has_come = signals.forever().next().is_some();
            if has_come && over.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                is_late.store(true, Ordering::Relaxed);
                restore();
                std::process::exit(INTERRUPTED);
            }
        })?;
        Ok(Bystander { handle, _is_over: is_over })
    }
}

#[cfg(unix)]
impl Drop for Bystander {
    fn drop(&mut self) {
        self.handle.close();
    }
}
