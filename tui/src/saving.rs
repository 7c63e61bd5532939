//! Files that the user requests: pictures of the screen, scenarios with changes. No existing file is ever overwritten.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ratatui::Terminal;
use ratatui::buffer::Buffer;

use crate::app::App;
use crate::keys::Screen;
use crate::screens;
use crate::screenshot;

/// Renders the screen without a terminal and saves it.
pub(crate) fn picture(app: &App, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let buffer = drawn(app);
    write_new(
        folder,
        &picture_name(app),
        &[("svg", screenshot::svg(&buffer, app.theme)), ("txt", screenshot::text(&buffer))],
    )
}

/// The file name of a picture: scenario, screen, selection, and instant.
fn picture_name(app: &App) -> String {
    let screen = slug(app.screen.title());
    let screen = match app.screen {
        Screen::Component => format!("{screen}-{}", slug(app.selected_name())),
        Screen::Topology
        | Screen::Charts
        | Screen::Requests
        | Screen::Events
        | Screen::Knobs
        | Screen::Faults
        | Screen::Hosts => screen,
    };
    let futures = if app.view.futures.len() > 1 { "-two-futures" } else { "" };
    format!("{}-{screen}{futures}-{}", slug(&app.snapshot().scenario), instant(app.snapshot().at_s))
}

/// An instant as a part of a file name: `1m12.3s`, `warm-up-22.9s-left`.
fn instant(at_s: f64) -> String {
    let tenths = (at_s.abs() * 10.0).round() as u64;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds =
        if tenths % 10 == 0 { format!("{:02}s", tenths / 10) } else { format!("{:02}.{}s", tenths / 10, tenths % 10) };
    if at_s < 0.0 { format!("warm-up-{minutes}m{seconds}-left") } else { format!("{minutes}m{seconds}") }
}

/// Writes the scenario with its changes.
pub(crate) fn scenario(app: &App, text: String, folder: &Path) -> io::Result<Vec<PathBuf>> {
    write_new(folder, &format!("{}-changed", slug(&app.snapshot().scenario)), &[("yaml", text)])
}

/// The screen rendered at the app's size.
pub fn drawn(app: &App) -> Buffer {
    let backend = ratatui::backend::TestBackend::new(app.size.width.max(1), app.size.height.max(1));
    let Ok(mut terminal) = Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| screens::draw(frame, app));
    terminal.backend().buffer().clone()
}

/// Writes files under a common name that is not in use yet.
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

/// The files' names, for a notice.
pub(crate) fn names(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// A name that is valid in file names on every system.
fn slug(name: &str) -> String {
    let letters: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "scenario".into() } else { parts.join("-") }
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
    fn instants_become_parts_of_file_names() {
        assert_eq!([instant(72.34), instant(0.0), instant(3600.0)], ["1m12.3s", "0m00s", "60m00s"]);
        assert_eq!(instant(-22.9), "warm-up-0m22.9s-left");
    }

    #[test]
    fn files_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let write = || write_new(folder, "a", &[("txt", "x".to_string()), ("svg", "y".to_string())]).unwrap();
        let (first, second) = (write(), write());
        assert_eq!(first, [folder.join("a.txt"), folder.join("a.svg")]);
        assert_eq!(second, [folder.join("a-2.txt"), folder.join("a-2.svg")]);
    }
}
