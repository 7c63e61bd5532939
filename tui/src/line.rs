//! A line of text input.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::keys::Way;

/// Text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    letters: Vec<char>,
    cursor: usize,
}

impl Line {
    /// A line with a text and the cursor at its end.
    pub fn new(text: &str) -> Line {
        let letters: Vec<char> = text.chars().collect();
        Line { cursor: letters.len(), letters }
    }

    /// The text typed so far.
    pub fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// Number of letters before the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Handles a key; true if the text has changed.
    pub fn key(&mut self, event: KeyEvent) -> bool {
        match event.code {
            KeyCode::Char(letter) if event.modifiers.difference(KeyModifiers::SHIFT).is_empty() => {
                self.letters.insert(self.cursor, letter);
                self.cursor += 1;
                return true;
            }
            KeyCode::Char('u') if event.modifiers == KeyModifiers::CONTROL => {
                self.letters.clear();
                self.cursor = 0;
                return true;
            }
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.letters.remove(self.cursor);
                return true;
            }
            KeyCode::Delete if self.cursor < self.letters.len() => {
                self.letters.remove(self.cursor);
                return true;
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.letters.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.letters.len(),
            _ => {}
        }
        false
    }

    /// Turns the number at the cursor, or the last one before it, up or down: 1, 2, 5, 10, 20, 50, … Its unit stays.
    pub fn turn_number(&mut self, way: Way) {
        let is_digit = |letter: &char| letter.is_ascii_digit() || *letter == '.';
        let Some(last) =
            (0..self.letters.len().min(self.cursor + 1)).rev().find(|&place| is_digit(&self.letters[place]))
        else {
            return;
        };
        let first = (0..=last).rev().take_while(|&place| is_digit(&self.letters[place])).last().unwrap_or(last);
        let after =
            (last..self.letters.len()).find(|&place| !is_digit(&self.letters[place])).unwrap_or(self.letters.len());
        let written: String = self.letters[first..after].iter().collect();
        let Ok(value) = written.parse::<f64>() else { return };
        let turned: Vec<char> = turned(value, way).chars().collect();
        self.cursor = first + turned.len();
        self.letters.splice(first..after, turned);
    }
}

/// The next value up or down in the series 1, 2, 5, 10, 20, 50, …
fn turned(value: f64, way: Way) -> String {
    if value <= 0.0 {
        return if way == Way::On { "1".into() } else { "0".into() };
    }
    let series = (-9..=15).flat_map(|power| [1.0, 2.0, 5.0].map(|digit: f64| (digit, power)));
    let size = |(digit, power): (f64, i32)| digit * 10f64.powi(power);
    let found = match way {
        Way::On => series.clone().find(|&step| size(step) > value * 1.001),
        Way::Back => series.clone().rfind(|&step| size(step) < value * 0.999),
    };
    let Some((digit, power)) = found else { return format!("{value}") };
    match power {
        0.. => format!("{}{}", digit as u8, "0".repeat(power as usize)),
        _ => format!("0.{}{}", "0".repeat((-power - 1) as usize), digit as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_turn_in_round_steps_and_keep_their_unit() {
        let after = |text: &str, ways: &[Way]| {
            let mut line = Line::new(text);
            ways.iter().for_each(|&way| line.turn_number(way));
            line.text()
        };
        assert_eq!(after("20", &[Way::On]), "50");
        assert_eq!(after("200ms", &[Way::Back, Way::Back]), "50ms");
        assert_eq!(after("1", &[Way::Back]), "0.5");
        assert_eq!(after("0.01", &[Way::Back]), "0.005");
        assert_eq!(after("30%", &[Way::On]), "50%");
        assert_eq!(after("fifo", &[Way::On]), "fifo");
        assert_eq!(after("0", &[Way::Back, Way::On]), "1");
    }

    #[test]
    fn typing_edits_at_the_cursor() {
        let mut line = Line::new("ac");
        let mut press = |code| line.key(KeyEvent::new(code, KeyModifiers::NONE));
        assert!(!press(KeyCode::Left));
        assert!(press(KeyCode::Char('b')));
        assert!(press(KeyCode::Delete));
        assert!(!press(KeyCode::Delete));
        assert_eq!((line.text().as_str(), line.cursor()), ("ab", 2));
    }
}
