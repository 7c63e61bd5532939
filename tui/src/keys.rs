//! Every key, in one table: the keys, the action, and its explanation. The footer and the help page are generated from the
//! table, so they always match the actual behaviour.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A screen of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Boxes and lines.
    #[default]
    Topology,
    /// Load, latency and amplification over time.
    Charts,
    /// Details of the selected component.
    Component,
    /// Sampled requests as waterfalls.
    Requests,
    /// The event log.
    Events,
    /// Every setting.
    Knobs,
    /// Active and possible faults.
    Faults,
    /// Cores, and the components that run on them.
    Hosts,
}

impl Screen {
    /// All screens, in the order of the tabs and the digits.
    pub const ALL: [Screen; 8] = [
        Screen::Topology,
        Screen::Charts,
        Screen::Component,
        Screen::Requests,
        Screen::Events,
        Screen::Knobs,
        Screen::Faults,
        Screen::Hosts,
    ];

    /// The title on the tab.
    pub fn title(self) -> &'static str {
        match self {
            Screen::Topology => "Topology",
            Screen::Charts => "Charts",
            Screen::Component => "Component",
            Screen::Requests => "Requests",
            Screen::Events => "Events",
            Screen::Knobs => "Knobs",
            Screen::Faults => "Faults",
            Screen::Hosts => "Hosts",
        }
    }
}

/// Forward or back, down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Forward, down, larger.
    On,
    /// Back, up, smaller.
    Back,
}

/// A jump in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// A few windows.
    Near(Way),
    /// A tenth of the run.
    Far(Way),
    /// The start of the run.
    Start,
    /// The end of the run.
    End,
}

/// A movement among boxes or rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To the next or previous.
    Next(Way),
    /// Ten further.
    Page(Way),
    /// To the box on the right or left.
    Across(Way),
    /// To the box below or above.
    Along(Way),
}

/// The action of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pauses or resumes.
    TogglePlay,
    /// Pauses and moves by a window.
    Step(Way),
    /// Changes the pace by one step.
    Pace(Way),
    /// Plays as fast as the machine can.
    FlatOut,
    /// Goes to another instant.
    Seek(Jump),
    /// Starts a second future, or asks which one to keep.
    Branch,
    /// Focuses the other future.
    SwitchFuture,
    /// Undoes the newest change.
    TakeBack,
    /// Shows a screen.
    Show(Screen),
    /// Shows the next or previous screen.
    Turn(Way),
    /// Finds a component by name.
    Find,
    /// Moves the selection.
    Select(Move),
    /// Opens, edits or jumps to the selection.
    Open,
    /// Folds or unfolds the cluster of the selected box.
    Fold,
    /// Colours boxes by load or by errors.
    ColourBy,
    /// Switches charts between the whole run and its last minute.
    Zoom,
    /// Switches colours between dark and light backgrounds.
    Theme,
    /// Saves a picture of the screen.
    Screenshot,
    /// Writes the scenario with its changes.
    Export,
    /// Goes to the list of scenarios.
    Choose,
    /// Shows or hides the help page.
    Help,
    /// Closes an overlay; ends the tour.
    Close,
    /// Ends the program.
    Quit,
    /// Keeps the original and drops the branch.
    KeepOriginal,
    /// Keeps the branch as the only future.
    KeepBranch,
    /// Increases or decreases the number in the line.
    Turned(Way),
    /// Accepts the input.
    Accept,
    /// Starts a second future with the input.
    Fork,
}

/// Where a key has an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On every screen, except during input.
    Anywhere,
    /// On one screen.
    On(Screen),
    /// While the help page is open.
    Reading,
    /// While typing a setting or a fault.
    Typing,
    /// While searching for a name.
    Finding,
    /// While choosing which future to keep.
    Asking,
    /// While choosing a scenario.
    Choosing,
    /// While the problems of a scenario are shown.
    Refused,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Alternative keys.
    pub keys: &'static [(KeyCode, KeyModifiers)],
    /// Their label.
    pub label: &'static str,
    /// Their action.
    pub action: Action,
    /// Where they apply.
    pub place: Place,
    /// A word for the footer; empty if the key is not shown there.
    pub short: &'static str,
    /// A line for the help page; empty if the row above already describes it.
    pub help: &'static str,
}

const NO: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

const fn binding(
    keys: &'static [(KeyCode, KeyModifiers)],
    label: &'static str,
    action: Action,
    place: Place,
    short: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, label, action, place, short, help }
}

use Action as Do;
use KeyCode::Char;
use Place::{Anywhere, Asking, Choosing, Finding, On, Reading, Refused, Typing};

/// The table. A key for a specific screen must come before the same key for any place.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    binding(&[(Char('a'), NO)], "a", Do::KeepOriginal, Asking, "keep A", ""),
    binding(&[(Char('b'), NO)], "b", Do::KeepBranch, Asking, "keep B", ""),
    binding(&[(KeyCode::Esc, NO), (Char('q'), NO)], "esc", Do::Close, Asking, "keep both", ""),

    binding(&[(KeyCode::Enter, NO)], "enter", Do::Accept, Choosing, "watch it", ""),
    binding(&[(KeyCode::Up, NO)], "↑", Do::Select(Move::Next(Way::Back)), Choosing, "", ""),
    binding(&[(KeyCode::Down, NO)], "↓", Do::Select(Move::Next(Way::On)), Choosing, "next", ""),
    binding(&[(KeyCode::PageUp, NO)], "page up", Do::Select(Move::Page(Way::Back)), Choosing, "", ""),
    binding(&[(KeyCode::PageDown, NO)], "page down", Do::Select(Move::Page(Way::On)), Choosing, "", ""),
    binding(&[(KeyCode::Esc, NO)], "esc", Do::Close, Choosing, "leave", ""),

    binding(&[(KeyCode::Up, NO), (KeyCode::PageUp, NO)], "↑", Do::Select(Move::Next(Way::Back)), Refused, "", ""),
    binding(&[(KeyCode::Down, NO), (KeyCode::PageDown, NO), (Char(' '), NO)], "↓", Do::Select(Move::Next(Way::On)), Refused, "more", ""),
    binding(&[(Char('o'), NO)], "o", Do::Choose, Refused, "another scenario", ""),
    binding(&[(KeyCode::Esc, NO)], "esc", Do::Close, Refused, "leave", ""),
    binding(&[(Char('q'), NO)], "q", Do::Quit, Refused, "quit", ""),

    binding(&[(KeyCode::Enter, NO)], "enter", Do::Accept, Finding, "select", ""),
    binding(&[(KeyCode::Up, NO)], "↑", Do::Turned(Way::Back), Finding, "", ""),
    binding(&[(KeyCode::Down, NO)], "↓", Do::Turned(Way::On), Finding, "next", ""),
    binding(&[(KeyCode::Esc, NO)], "esc", Do::Close, Finding, "leave", ""),

    binding(&[(KeyCode::Enter, NO)], "enter", Do::Accept, Typing, "apply", "applies the new value"),
    binding(&[(KeyCode::Tab, NO)], "tab", Do::Fork, Typing, "fork here with it", "forks here: only B gets it"),
    binding(&[(KeyCode::Up, NO)], "↑", Do::Turned(Way::Back), Typing, "", "larger number"),
    binding(&[(KeyCode::Down, NO)], "↓", Do::Turned(Way::On), Typing, "", "smaller number"),
    binding(&[(KeyCode::Esc, NO)], "esc", Do::Close, Typing, "leave", "leaves without changing anything"),

    binding(&[(KeyCode::Esc, NO), (Char('?'), NO), (Char('q'), NO), (KeyCode::Enter, NO)], "esc", Do::Close, Reading, "close help", ""),
    binding(&[(KeyCode::Down, NO), (Char(' '), NO), (KeyCode::PageDown, NO)], "↓", Do::Select(Move::Next(Way::On)), Reading, "", ""),
    binding(&[(KeyCode::Up, NO), (KeyCode::PageUp, NO)], "↑", Do::Select(Move::Next(Way::Back)), Reading, "", ""),

    binding(&[(Char(' '), NO)], "space", Do::TogglePlay, Anywhere, "pause", "pauses or resumes"),
    binding(&[(Char('.'), NO)], ".", Do::Step(Way::On), Anywhere, "step", "pauses and steps one window forward"),
    binding(&[(Char(','), NO)], ",", Do::Step(Way::Back), Anywhere, "", "pauses and steps one window back"),
    binding(&[(Char('+'), NO), (Char('='), NO)], "+", Do::Pace(Way::On), Anywhere, "faster", "plays faster"),
    binding(&[(Char('-'), NO)], "-", Do::Pace(Way::Back), Anywhere, "", "plays slower"),
    binding(&[(Char('0'), NO)], "0", Do::FlatOut, Anywhere, "", "plays as fast as possible"),
    binding(&[(KeyCode::Left, NO)], "←", Do::Seek(Jump::Near(Way::Back)), Anywhere, "rewind", "goes five windows back"),
    binding(&[(KeyCode::Right, NO)], "→", Do::Seek(Jump::Near(Way::On)), Anywhere, "", "goes five windows forward"),
    binding(&[(Char('['), NO)], "[", Do::Seek(Jump::Far(Way::Back)), Anywhere, "", "goes a tenth of the run back"),
    binding(&[(Char(']'), NO)], "]", Do::Seek(Jump::Far(Way::On)), Anywhere, "", "goes a tenth of the run forward"),
    binding(&[(KeyCode::Home, NO)], "home", Do::Seek(Jump::Start), Anywhere, "", "goes to the start"),
    binding(&[(KeyCode::End, NO)], "end", Do::Seek(Jump::End), Anywhere, "", "goes to the end"),
    binding(&[(Char('b'), NO)], "b", Do::Branch, Anywhere, "branch", "starts a second future, or ends it"),
    binding(&[(Char('x'), NO)], "x", Do::SwitchFuture, Anywhere, "", "applies changes to the other future"),
    binding(&[(Char('u'), NO)], "u", Do::TakeBack, Anywhere, "", "undoes the latest change"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Topology), "details", "opens the selected component or cluster"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Requests), "go there", "goes to the time it was sent"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Events), "go there", "goes to the time of the event"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Knobs), "change", "changes the setting"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Faults), "inject", "edits and injects the fault"),
    binding(&[(KeyCode::Enter, NO)], "enter", Do::Open, On(Screen::Hosts), "details", "opens the component"),
    binding(&[(KeyCode::Up, NO)], "↑", Do::Select(Move::Next(Way::Back)), Anywhere, "", "selects the one before"),
    binding(&[(KeyCode::Down, NO)], "↓", Do::Select(Move::Next(Way::On)), Anywhere, "select", "selects the next one"),
    binding(&[(KeyCode::PageUp, NO)], "page up", Do::Select(Move::Page(Way::Back)), Anywhere, "", "ten before"),
    binding(&[(KeyCode::PageDown, NO)], "page down", Do::Select(Move::Page(Way::On)), Anywhere, "", "ten further"),
    binding(&[(KeyCode::Up, SHIFT)], "shift ↑", Do::Select(Move::Along(Way::Back)), On(Screen::Topology), "", "selects the box above"),
    binding(&[(KeyCode::Down, SHIFT)], "shift ↓", Do::Select(Move::Along(Way::On)), On(Screen::Topology), "", "selects the box below"),
    binding(&[(KeyCode::Left, SHIFT)], "shift ←", Do::Select(Move::Across(Way::Back)), On(Screen::Topology), "", "selects the box on the left"),
    binding(&[(KeyCode::Right, SHIFT)], "shift →", Do::Select(Move::Across(Way::On)), On(Screen::Topology), "", "selects the box on the right"),
    binding(&[(Char('/'), NO)], "/", Do::Find, Anywhere, "find", "finds a component, or a setting"),
    binding(&[(Char('c'), NO)], "c", Do::Fold, On(Screen::Topology), "", "folds or opens the cluster of the box"),
    binding(&[(Char('v'), NO)], "v", Do::ColourBy, On(Screen::Topology), "", "colours by load or by errors"),
    binding(&[(Char('z'), NO)], "z", Do::Zoom, Anywhere, "", "the whole run, or the last minute"),
    binding(&[(KeyCode::Tab, NO)], "tab", Do::Turn(Way::On), Anywhere, "screen", "next screen"),
    binding(&[(KeyCode::BackTab, SHIFT), (KeyCode::BackTab, NO)], "shift tab", Do::Turn(Way::Back), Anywhere, "", "previous screen"),
    binding(&[(Char('1'), NO)], "1…8", Do::Show(Screen::Topology), Anywhere, "", "shows a screen"),
    binding(&[(Char('2'), NO)], "2", Do::Show(Screen::Charts), Anywhere, "", ""),
    binding(&[(Char('3'), NO)], "3", Do::Show(Screen::Component), Anywhere, "", ""),
    binding(&[(Char('4'), NO)], "4", Do::Show(Screen::Requests), Anywhere, "", ""),
    binding(&[(Char('5'), NO)], "5", Do::Show(Screen::Events), Anywhere, "", ""),
    binding(&[(Char('6'), NO), (Char('k'), NO)], "k", Do::Show(Screen::Knobs), Anywhere, "knobs", "changes settings"),
    binding(&[(Char('7'), NO), (Char('f'), NO)], "f", Do::Show(Screen::Faults), Anywhere, "faults", "injects faults"),
    binding(&[(Char('8'), NO)], "8", Do::Show(Screen::Hosts), Anywhere, "", ""),
    binding(&[(Char('s'), NO)], "s", Do::Screenshot, Anywhere, "", "saves the screen as SVG and as text"),
    binding(&[(Char('e'), NO)], "e", Do::Export, Anywhere, "", "writes a scenario with your changes"),
    binding(&[(Char('o'), NO)], "o", Do::Choose, Anywhere, "", "opens another scenario"),
    binding(&[(Char('t'), NO)], "t", Do::Theme, Anywhere, "", "colours for a light or a dark background"),
    binding(&[(Char('?'), NO), (Char('h'), NO), (KeyCode::F(1), NO)], "?", Do::Help, Anywhere, "help", "shows this page"),
    binding(&[(KeyCode::Esc, NO)], "esc", Do::Close, Anywhere, "", "ends the tour"),
    binding(&[(Char('q'), NO)], "q", Do::Quit, Anywhere, "quit", "quits"),
];

/// Whether an event matches the binding's keys. Letters may arrive with a shift modifier that they already include.
fn pressed(binding: &Binding, event: KeyEvent) -> bool {
    let bare = event.modifiers.difference(CONTROL | SHIFT).is_empty();
    binding.keys.iter().any(|&(code, modifiers)| match code {
        Char(_) => code == event.code && bare && !event.modifiers.contains(CONTROL),
        _ => code == event.code && modifiers == event.modifiers,
    })
}

/// The action of a key in a place. Ctrl-C quits everywhere.
pub fn action(event: KeyEvent, place: Place) -> Option<Action> {
    if event.code == Char('c') && event.modifiers.contains(CONTROL) {
        return Some(Action::Quit);
    }
    let in_place = BINDINGS.iter().filter(|binding| binding.place == place);
    let anywhere = BINDINGS.iter().filter(|binding| matches!(place, On(_)) && binding.place == Anywhere);
    in_place.chain(anywhere).find(|binding| pressed(binding, event)).map(|binding| binding.action)
}

/// Whether an event is Ctrl-Z, which suspends the program everywhere.
pub fn suspends(event: &Event) -> bool {
    matches!(event, Event::Key(KeyEvent { code: Char('z'), modifiers, kind, .. })
        if modifiers.contains(CONTROL) && *kind != KeyEventKind::Release)
}

/// The footer in a place, the most useful keys first.
pub fn footer(place: Place) -> Vec<(&'static str, &'static str)> {
    let fits = |binding: &&Binding| binding.place == place || (matches!(place, On(_)) && binding.place == Anywhere);
    let mut rows: Vec<&Binding> = BINDINGS.iter().filter(fits).filter(|binding| !binding.short.is_empty()).collect();
    // Keys specific to the place come first.
    rows.sort_by_key(|binding| binding.place == Anywhere);
    rows.into_iter().map(|binding| (binding.label, binding.short)).collect()
}

/// The lines of the help page: place, label, text.
pub fn help() -> Vec<(Place, &'static str, &'static str)> {
    let rows = BINDINGS.iter().filter(|binding| !binding.help.is_empty());
    rows.map(|binding| (binding.place, binding.label, binding.help)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (index, one) in BINDINGS.iter().enumerate() {
            for other in BINDINGS[..index].iter().filter(|other| other.place == one.place) {
                let shared = one.keys.iter().find(|key| other.keys.contains(key));
                assert!(shared.is_none(), "{shared:?} is both {:?} and {:?}", one.action, other.action);
            }
        }
    }

    #[test]
    fn every_key_does_what_its_row_says() {
        for binding in BINDINGS {
            let place = if binding.place == Anywhere { On(Screen::Requests) } else { binding.place };
            for &(code, modifiers) in binding.keys {
                assert_eq!(action(press(code, modifiers), place), Some(binding.action), "{}", binding.label);
            }
        }
    }

    #[test]
    fn every_line_of_help_fits_in_half_a_screen_of_120_columns() {
        for (_, label, text) in help() {
            assert!(label.chars().count() <= 11 && text.chars().count() <= 43, "{label}: {text}");
        }
    }

    #[test]
    fn control_c_quits_everywhere_and_other_control_keys_do_nothing() {
        for place in [Typing, Finding, Asking, Reading, On(Screen::Knobs)] {
            assert_eq!(action(press(Char('c'), CONTROL), place), Some(Action::Quit));
        }
        assert_eq!(action(press(Char('b'), CONTROL), On(Screen::Charts)), None);
    }

    #[test]
    fn a_key_of_a_screen_goes_before_the_same_key_anywhere() {
        let shifted = press(KeyCode::Left, SHIFT);
        assert_eq!(action(shifted, On(Screen::Topology)), Some(Action::Select(Move::Across(Way::Back))));
        assert_eq!(action(shifted, On(Screen::Charts)), None);
        assert!(footer(On(Screen::Knobs)).starts_with(&[("enter", "change")]));
    }
}
