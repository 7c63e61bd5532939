//! Runs a program in a pseudo-terminal: sends keys, and reads the screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Upper limit for any wait; the actual time is not checked.
const PATIENCE: Duration = Duration::from_secs(120);

/// The sequence that leaves the alternate screen.
pub(crate) const LEAVE: &str = "\u{1b}[?1049l";

/// The sequence that enters it.
const ENTER: &str = "\u{1b}[?1049h";

/// The sequence that ends a frame.
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// Data received by the terminal.
struct Received {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    /// The screen after the last complete frame.
    frame: String,
}

impl Received {
    /// Processes new data, which may end anywhere within a frame.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let begun = self.bytes.len().saturating_sub(FRAME_END.len() - 1);
            let seen = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            let found = self.bytes[begun..].windows(FRAME_END.len()).position(|window| window == FRAME_END);
            let length = found.map_or(bytes.len(), |place| begun + place + FRAME_END.len() - seen);
            self.bytes.truncate(seen + length);
            self.screen.process(&bytes[..length]);
            if found.is_some() {
                self.frame = self.screen.screen().contents();
            }
            bytes = &bytes[length..];
        }
    }
}

/// A program running in a pseudo-terminal.
pub(crate) struct Session {
    pty: Arc<Pty>,
    /// The program's end of the terminal, kept open to read its modes after the program has ended.
    pts: Pts,
    child: Child,
    received: Arc<Mutex<Received>>,
    modes_before: LocalModes,
}

impl Session {
    /// Starts a program in a terminal with 256 colours.
    pub(crate) fn start(command: Command, (columns, rows): (u16, u16)) -> Session {
        let (pty, pts) = open().expect("the system has pseudo-terminals");
        pty.resize(pty_process::Size::new(rows, columns)).expect("it has a size");
        let modes_before = tcgetattr(pts.as_fd()).expect("it is a terminal").local_modes;
        let mut command = command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("COLORFGBG");
        let child = command.spawn_borrowed(&pts).expect("the program starts");
        let screen = blank((columns, rows));
        let received = Arc::new(Mutex::new(Received { screen, bytes: Vec::new(), frame: String::new() }));
        let pty = Arc::new(pty);
        let (reading, writing) = (Arc::clone(&pty), Arc::clone(&received));
        // The thread ends when both ends of the terminal are closed.
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = (&*reading).read(&mut buffer) {
                writing.lock().expect("readers do not panic").take(&buffer[..length]);
            }
        });
        Session { pty, pts, child, received, modes_before }
    }

    /// The current screen, possibly in the middle of a frame.
    pub(crate) fn screen(&self) -> String {
        self.received.lock().expect("the reader does not panic").screen.screen().contents()
    }

    /// Everything that was received.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().expect("the reader does not panic").bytes).into_owned()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits for a complete frame with all of these words, and returns it: a partial frame would mix two states.
    #[track_caller]
    pub(crate) fn expect(&mut self, words: &[&str]) -> String {
        self.expect_without("\0", words)
    }

    /// Waits for words on the screen, even in a partial frame or outside of frames.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        let begun = Instant::now();
        while !self.screen().contains(words) {
            assert!(begun.elapsed() < PATIENCE, "{words} never came:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a complete frame with all of these words and without `other`, at whatever pace time passes.
    #[track_caller]
    pub(crate) fn expect_without(&mut self, other: &str, words: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let frame = self.received.lock().expect("the reader does not panic").frame.clone();
            if words.iter().all(|word| frame.contains(word)) && !frame.contains(other) {
                return frame;
            }
            assert!(begun.elapsed() < PATIENCE, "{words:?} never came:\n{}", self.screen());
            assert!(self.child.try_wait().expect("it can be asked").is_none(), "it has ended:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&mut self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it is there");
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, (columns, rows): (u16, u16)) {
        // Keep the lock in between, so that frames for the new size go to the new screen.
        let mut received = self.received.lock().expect("the reader does not panic");
        self.pty.resize(pty_process::Size::new(rows, columns)).expect("it has a size");
        received.screen = blank((columns, rows));
        received.frame.clear();
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                self.wait_for_the_last();
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the program's last output: it precedes the mark that is written to its end of the terminal now.
    fn wait_for_the_last(&self) {
        const MARK: &[u8] = b"\x1b]the last\x07";
        rustix::io::write(self.pts.as_fd(), MARK).expect("the terminal takes what is written");
        let begun = Instant::now();
        while !self.received.lock().expect("the reader does not panic").bytes.ends_with(MARK) {
            assert!(begun.elapsed() < PATIENCE, "the terminal gives nothing more");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the program has taken the terminal for the second time and redrawn these words, and checks its state.
    #[track_caller]
    pub(crate) fn is_taken_again(&mut self, words: &str) {
        let begun = Instant::now();
        // The program takes the terminal in several steps, and the words may still be those from before.
        while self.bytes().matches(ENTER).count() < 2 || !self.has_taken_screen() {
            assert!(begun.elapsed() < PATIENCE, "it was not taken again:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.wait_for(words);
        self.is_taken();
    }

    /// Resets the terminal to its initial modes.
    pub(crate) fn reset_modes(&mut self) {
        let mut modes = tcgetattr(self.pts.as_fd()).expect("it is a terminal");
        modes.local_modes = self.modes_before;
        tcsetattr(self.pts.as_fd(), OptionalActions::Now, &modes).expect("it is a terminal");
    }

    /// Checks that the program has taken the terminal: raw mode, alternate screen, no cursor.
    #[track_caller]
    pub(crate) fn is_taken(&self) {
        let modes = tcgetattr(self.pts.as_fd()).expect("it is a terminal").local_modes;
        assert!(!modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(self.has_taken_screen());
    }

    /// Whether the data received so far leaves the terminal on the alternate screen, without a cursor, with bracketed paste.
    fn has_taken_screen(&self) -> bool {
        let received = self.received.lock().expect("the reader does not panic");
        let screen = received.screen.screen();
        screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste()
    }

    /// Checks that the terminal is restored: its modes, screen, cursor and mouse.
    #[track_caller]
    pub(crate) fn is_restored(&self) {
        let modes = tcgetattr(self.pts.as_fd()).expect("it is a terminal").local_modes;
        assert_eq!(modes, self.modes_before, "lines, echo and signals as before");
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        let received = self.received.lock().expect("the reader does not panic");
        let screen = received.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }
}

/// An empty screen.
fn blank((columns, rows): (u16, u16)) -> vt100::Parser {
    let cells = |count: u16| NonZeroU16::new(count).expect("a screen has cells");
    vt100::Parser::new(cells(rows), cells(columns), 0)
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
