//! The terminal: raw mode, the alternate screen, signals. It is given back whatever happens: at the end, on an error, on a
//! panic of either thread, and on SIGTERM, SIGHUP and SIGINT.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
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
        terminal::enable_raw_mode()?;
        *IS_OURS.lock().unwrap_or_else(PoisonError::into_inner) = true;
        IS_LEFT.store(false, Ordering::SeqCst);
        let restore = Restore;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, event::EnableBracketedPaste, cursor::Hide)?;
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

    fn frame(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(draw)?;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }
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

/// 128 plus the number of SIGHUP, as shells report it.
#[cfg(unix)]
const HANGUP_STATUS: i32 = 129;

/// Signals that end the watching.
pub(crate) struct Signals {
    raised: Arc<AtomicBool>,
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
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

    pub(crate) fn raised(&self) -> bool {
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
