//! The menu of scenarios: a list that typing filters.

use crossterm::event::KeyEvent;

use crate::keys::{self, Action, Move, Place, Way};
use crate::line::Line;
use crate::source::Choice;

/// The list, the filter, and the cursor.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    /// The choices.
    pub choices: Vec<Choice>,
    /// The filter text.
    pub line: Line,
    /// Position of the cursor among the matches.
    pub cursor: usize,
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Nothing has been chosen yet.
    Nothing,
    /// A choice, by its index.
    One(usize),
    /// The menu was left without a choice.
    Leave,
    /// Quit the program.
    Quit,
}

impl Menu {
    /// A list with the cursor on the first choice.
    pub fn new(choices: Vec<Choice>) -> Menu {
        Menu { choices, ..Menu::default() }
    }

    /// The choices that contain every word typed: matches in names first, then matches in descriptions.
    pub fn found(&self) -> Vec<usize> {
        let typed = self.line.text().to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let in_name = |choice: &Choice| words.iter().all(|word| choice.name.to_lowercase().contains(word));
        let anywhere = |choice: &Choice| {
            let text = format!("{} {}", choice.name, choice.about).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        let mut found: Vec<usize> = (0..self.choices.len()).filter(|&index| anywhere(&self.choices[index])).collect();
        found.sort_by_key(|&index| !in_name(&self.choices[index]));
        found
    }

    /// Handles a key press.
    pub fn key(&mut self, event: KeyEvent) -> Chosen {
        let found = self.found();
        match keys::action(event, Place::Choosing) {
            Some(Action::Accept) => found.get(self.cursor).map_or(Chosen::Nothing, |&index| Chosen::One(index)),
            Some(Action::Close) if self.line.text().is_empty() => Chosen::Leave,
            Some(Action::Close) => {
                self.line = Line::default();
                self.cursor = 0;
                Chosen::Nothing
            }
            Some(Action::Quit) => Chosen::Quit,
            Some(Action::Select(Move::Next(way))) => self.step(1, way, found.len()),
            Some(Action::Select(Move::Page(way))) => self.step(10, way, found.len()),
            _ => {
                if self.line.key(event) {
                    self.cursor = 0;
                }
                Chosen::Nothing
            }
        }
    }

    fn step(&mut self, by: usize, way: Way, count: usize) -> Chosen {
        self.cursor = match way {
            Way::On => (self.cursor + by).min(count.saturating_sub(1)),
            Way::Back => self.cursor.saturating_sub(by),
        };
        Chosen::Nothing
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    fn menu() -> Menu {
        let choice = |name: &str, about: &str| Choice { name: name.into(), about: about.into() };
        Menu::new(vec![
            choice("@pool-ceiling", "Twenty connections, however many retry"),
            choice("@retry-storm", "A slow database"),
            choice("@retry-layers", "Layers multiply"),
        ])
    }

    fn press(menu: &mut Menu, code: KeyCode) -> Chosen {
        menu.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn typing_narrows_the_list_and_names_go_before_sentences() {
        let mut menu = menu();
        "retry".chars().for_each(|letter| assert_eq!(press(&mut menu, KeyCode::Char(letter)), Chosen::Nothing));
        assert_eq!(menu.found(), [1, 2, 0]);
        " sl".chars().for_each(|letter| assert_eq!(press(&mut menu, KeyCode::Char(letter)), Chosen::Nothing));
        assert_eq!(menu.found(), [1]);
        assert_eq!(press(&mut menu, KeyCode::Enter), Chosen::One(1));
    }

    #[test]
    fn arrows_choose_and_stop_at_the_ends() {
        let mut menu = menu();
        (0..5).for_each(|_| assert_eq!(press(&mut menu, KeyCode::Down), Chosen::Nothing));
        assert_eq!(press(&mut menu, KeyCode::Enter), Chosen::One(2));
        press(&mut menu, KeyCode::Up);
        assert_eq!(press(&mut menu, KeyCode::Enter), Chosen::One(1));
    }

    #[test]
    fn escape_takes_back_what_was_typed_and_then_leaves() {
        let mut menu = menu();
        "xyz".chars().for_each(|letter| assert_eq!(press(&mut menu, KeyCode::Char(letter)), Chosen::Nothing));
        assert_eq!(press(&mut menu, KeyCode::Enter), Chosen::Nothing, "nothing is found");
        assert_eq!(press(&mut menu, KeyCode::Esc), Chosen::Nothing);
        assert_eq!(menu.found().len(), 3);
        assert_eq!(press(&mut menu, KeyCode::Esc), Chosen::Leave);
    }
}
