//! The terminal: raw mode, the alternate screen, signals. The terminal is restored in every case: at the end, after an
//! error, after a panic of any thread, after a signal that ends the program, and while the program is suspended.

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

/// Width of the terminal at standard output, columns; `None` if there is none.
pub fn columns() -> Option<u16> {
    io::stdout().is_terminal().then(terminal::size)?.ok().map(|(columns, _)| columns).filter(|columns| *columns > 0)
}

/// True while the program controls the terminal. Locked while drawing, so that nothing is drawn after the terminal has been
/// restored.
static IS_OURS: Mutex<bool> = Mutex::new(false);
/// True once it has been restored.
static IS_LEFT: AtomicBool = AtomicBool::new(true);
/// Time for another thread to finish its frame before the terminal is restored regardless: a write to a terminal that is not
/// read blocks forever.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// True while this thread is drawing and thus holds the lock.
    static DRAWS: Cell<bool> = const { Cell::new(false) };
}

/// The terminal while the program controls it.
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

    /// The current size.
    pub(crate) fn size(&self) -> io::Result<Rect> {
        let size = self.terminal.size()?;
        Ok(Rect::new(0, 0, size.width, size.height))
    }

    /// Draws a frame, atomically on terminals with synchronized updates. False if the terminal has been restored.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<bool> {
        let Some(_held) = held() else { return Ok(false) };
        DRAWS.set(true);
        let drawn = self.frame(draw);
        DRAWS.set(false);
        drawn.map(|()| true)
    }

    /// Takes control of the terminal again after another program had it, and redraws everything.
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        restore();
        enter()?;
        // Clearing the existing terminal would query the cursor position, which not every terminal reports.
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))
    }

    /// Suspends the program, as Ctrl-Z does outside raw mode, and restores the terminal meanwhile. If no process could resume the
    /// program, the system does not suspend it.
    #[cfg(unix)]
    pub(crate) fn suspend(&mut self, signals: &Signals) -> io::Result<()> {
        signals.has_gone_on();
        restore();
        // Suspend the whole pipeline or script that the program belongs to.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        // The system decides which thread receives the signal, and when.
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
    // From here on the terminal needs to be restored.
    *IS_OURS.lock().unwrap_or_else(PoisonError::into_inner) = true;
    IS_LEFT.store(false, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, event::EnableBracketedPaste, cursor::Hide)
}

/// Locks the terminal; `None` if the program does not control it.
fn held() -> Option<MutexGuard<'static, bool>> {
    IS_OURS.lock().ok().filter(|mine| **mine)
}

/// Restores the terminal when dropped.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, once: leaving the alternate screen twice would put the cursor on top of a panic message.
fn restore() {
    let begun = Instant::now();
    // A thread that panics while drawing holds the lock itself and must not wait for it.
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

/// Restores the terminal before a panic is reported, so that the message is readable.
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
        // A panicking thread cannot replace the hook; it then stays, and does no harm.
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

/// Maximum delay of a signal to suspend.
#[cfg(unix)]
const SUSPENDED_WITHIN: Duration = Duration::from_millis(200);

/// Time for the loop to end by itself after a signal: it may be reading a large file, or writing to a terminal that is not
/// read.
#[cfg(unix)]
const GRACE: Duration = Duration::from_millis(500);

/// The exit code after a signal.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;

/// Signals that end the program, and the one that resumes it after it was suspended.
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

    /// Whether a signal to end has arrived.
    pub(crate) fn raised(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Whether the program has been resumed since the last call.
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

/// A thread that restores the terminal and ends the program if the loop does not end within [`GRACE`]; a further signal ends
/// the program immediately.
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
