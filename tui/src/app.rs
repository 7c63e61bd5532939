//! The state of the screen: the newest view of the run, the selection, and what is open. Keys and the mouse change it and
//! request effects (`app/input.rs`); drawing only reads it.

mod input;

use std::sync::Arc;

use lab::requests::Waterfall;
use lab::result::{Snapshot, Topology};
use language::menu::FaultChoice;
use language::tour::{self, Piece};
use ratatui::layout::Rect;

use crate::diagram::{Diagram, Drawings, Folding};
use crate::figures;
use crate::keys::{Place, Screen};
use crate::line::Line;
use crate::player::{Command, View};
use crate::simulation::Knob;
use crate::theme::Theme;

/// Number of frames for which a notice stays.
const NOTICE_FRAMES: u32 = 150;

/// A line of a guided tour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caption {
    /// When it appears, s.
    pub at_s: f64,
    /// Its text; `{METRIC}` stands for the value of a column of the series as the screen shows it.
    pub text: String,
    /// The selection at that time.
    pub focus: Option<String>,
}

/// The figure that determines the colour of boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourBy {
    /// The share of their limit that is in use.
    #[default]
    Load,
    /// The share of their answers that fail.
    Errors,
}

/// The part of the run that charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoom {
    /// The whole run.
    #[default]
    Whole,
    /// The last minute, or the last sixty windows if they are longer.
    Recent,
}

/// The overlay on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// Nothing.
    #[default]
    Nothing,
    /// The help page, with the number of lines scrolled.
    Help(u16),
    /// The search for a name, with the index of the chosen result.
    Find(Line, usize),
    /// The editor of a setting.
    Knob(String, Line),
    /// The editor of a fault.
    Fault(Line),
    /// The question which future to keep.
    Keep,
}

/// Cursors on screens with lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Among the settings.
    pub knob: usize,
    /// Among the available faults.
    pub fault: usize,
    /// Among the events, counting from the newest.
    pub event: usize,
    /// Among the hosts and their components.
    pub host: usize,
}

/// An effect that only the surrounding loop can carry out.
#[derive(Debug)]
pub enum Effect {
    /// Send a command to the player.
    Ask(Command),
    /// Save a picture of the screen.
    Screenshot,
    /// Restart the run with another value of a setting, and continue to the current instant.
    Restart {
        /// The path of the setting.
        path: String,
        /// The value, as written in a scenario.
        value: String,
    },
    /// Write the scenario with its changes.
    Export,
    /// Show the list of scenarios.
    Choose,
    /// Quit.
    Quit,
}

/// Everything that drawing reads.
#[derive(Clone, Debug)]
pub struct App {
    /// The newest view of the run.
    pub view: Arc<View>,
    /// Colours.
    pub theme: Theme,
    /// The current screen.
    pub screen: Screen,
    /// The selected node of the topology.
    pub selected: usize,
    /// The overlay.
    pub open: Open,
    /// The figure that determines the colour of boxes.
    pub colour_by: ColourBy,
    /// The part of the run that charts show.
    pub zoom: Zoom,
    /// Folded clusters.
    pub folding: Folding,
    /// Cursors of lists.
    pub cursors: Cursors,
    /// The selected request, as of its selection; `None` for the slowest.
    pub request: Option<Waterfall>,
    /// Filter of the list of settings.
    pub knob_filter: String,
    /// Animation phase of traffic; counts frames in which the run advanced.
    pub phase: u64,
    /// The captions of a guided tour, by instant.
    pub captions: Vec<Caption>,
    /// The latest message: text, whether it is an error, remaining frames.
    pub notice: Option<(String, bool, u32)>,
    /// Size of the screen.
    pub size: Rect,
    drawings: Drawings,
    told: u64,
    clicked: Option<(usize, u32)>,
    frames: u32,
}

impl App {
    /// A screen that shows a view.
    pub fn new(view: Arc<View>, theme: Theme, captions: Vec<Caption>) -> App {
        let selected = first_component(&view.focused().snapshot);
        App {
            told: view.notice.number,
            view,
            theme,
            screen: Screen::Topology,
            selected,
            open: Open::Nothing,
            colour_by: ColourBy::Load,
            zoom: Zoom::Whole,
            folding: Folding::new(),
            cursors: Cursors::default(),
            request: None,
            knob_filter: String::new(),
            phase: 0,
            captions,
            notice: None,
            size: Rect::new(0, 0, 80, 24),
            drawings: Drawings::default(),
            clicked: None,
            frames: 0,
        }
    }

    /// Keeps the selection and the settings of another app, after the same scenario was reloaded.
    pub fn take_over(&mut self, before: &App) {
        let same = |name: &str| self.topology().nodes.iter().position(|node| node.name == name);
        self.selected = same(before.selected_name()).unwrap_or(self.selected);
        (self.screen, self.colour_by, self.zoom) = (before.screen, before.colour_by, before.zoom);
        self.folding = before.folding.clone();
        self.cursors = before.cursors;
        self.knob_filter = before.knob_filter.clone();
        self.theme = before.theme;
        self.size = before.size;
    }

    /// Takes a newer view. True if the screen may have changed.
    pub fn receive(&mut self, view: Arc<View>) -> bool {
        if Arc::ptr_eq(&self.view, &view) {
            return false;
        }
        if view.notice.number > self.told {
            self.told = view.notice.number;
            self.tell(view.notice.text.clone(), view.notice.bad);
        }
        if view.now_ns != self.view.now_ns {
            self.phase = self.phase.wrapping_add(1);
        }
        let before = self.stop();
        self.view = view;
        let stop = self.stop();
        if stop != before {
            let focus = stop.and_then(|stop| self.captions[stop].focus.as_ref());
            let place = focus.and_then(|focus| self.topology().nodes.iter().position(|node| node.name == *focus));
            self.selected = place.unwrap_or(self.selected);
        }
        self.selected = self.selected.min(self.topology().nodes.len().saturating_sub(1));
        true
    }

    /// Advances by a frame. True if that changes the screen.
    pub fn tick(&mut self) -> bool {
        self.frames = self.frames.wrapping_add(1);
        match &mut self.notice {
            Some((_, _, 0)) => {
                self.notice = None;
                true
            }
            Some((_, _, left)) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// Shows a message to the user.
    pub fn tell(&mut self, text: String, bad: bool) {
        self.notice = Some((text, bad, NOTICE_FRAMES));
    }

    /// The graph of calls.
    pub fn topology(&self) -> &Topology {
        &self.view.futures[0].snapshot.topology
    }

    /// The snapshot of the future in focus.
    pub fn snapshot(&self) -> &Snapshot {
        &self.view.focused().snapshot
    }

    /// The name of the selected node.
    pub fn selected_name(&self) -> &str {
        self.topology().nodes.get(self.selected).map_or("", |node| &node.name)
    }

    /// Index of the current caption.
    fn stop(&self) -> Option<usize> {
        let at_s = self.snapshot().at_s;
        self.captions.iter().rposition(|caption| caption.at_s <= at_s + 1e-9)
    }

    /// The current caption, with the figures of this instant.
    pub fn caption(&self) -> Option<String> {
        let figure = |piece| match piece {
            Piece::Words(words) => words.to_string(),
            Piece::Figure(name) => figures::of_column(self.snapshot(), name),
        };
        Some(tour::pieces(&self.captions[self.stop()?].text).into_iter().map(figure).collect())
    }

    /// Screens that have contents for this run.
    pub fn screens(&self) -> Vec<Screen> {
        let shown = |screen: &Screen| match screen {
            Screen::Requests => self.view.focused().requests.is_some(),
            Screen::Hosts => !self.snapshot().hosts.is_empty(),
            Screen::Topology | Screen::Charts | Screen::Component | Screen::Events | Screen::Knobs | Screen::Faults => {
                true
            }
        };
        Screen::ALL.into_iter().filter(shown).collect()
    }

    /// The place that determines the meaning of keys.
    pub fn place(&self) -> Place {
        match &self.open {
            Open::Nothing => Place::On(self.screen),
            Open::Help(_) => Place::Reading,
            Open::Find(..) => Place::Finding,
            Open::Knob(..) | Open::Fault(_) => Place::Typing,
            Open::Keep => Place::Asking,
        }
    }

    /// The settings that match the filter, live ones first.
    pub fn knobs(&self) -> Vec<&Knob> {
        let mut knobs: Vec<&Knob> =
            self.view.knobs.iter().filter(|knob| knob.path.contains(&self.knob_filter)).collect();
        knobs.sort_by_key(|knob| !knob.live);
        knobs
    }

    /// The faults that can strike the selection, its links, or things outside the topology (hosts, regions).
    pub fn faults_to_choose(&self) -> Vec<&FaultChoice> {
        let topology = self.topology();
        let name = self.selected_name();
        let is_elsewhere = |target: &str| {
            let caller = target.rsplit_once('.').map_or(target, |(caller, _)| caller);
            topology.nodes.iter().any(|node| (node.name == target || node.name == caller) && node.name != name)
        };
        self.view.faults.iter().filter(|choice| !is_elsewhere(&choice.target)).collect()
    }

    /// Nodes whose name contains the search text; those that begin with it first.
    pub fn found(&self, wanted: &str) -> Vec<usize> {
        let nodes = &self.topology().nodes;
        let mut found: Vec<usize> = (0..nodes.len()).filter(|&index| nodes[index].name.contains(wanted)).collect();
        found.sort_by_key(|&index| !nodes[index].name.starts_with(wanted));
        found
    }

    /// The drawing of the topology for a part of the screen.
    pub fn diagram_for(&self, area: Rect) -> Arc<Diagram> {
        let size = (area.width, area.height);
        let made = || Arc::new(Diagram::new(self.topology(), &self.folding, size.0, size.1));
        self.drawings.get(&self.folding, size).unwrap_or_else(made)
    }
}

/// The initial selection: the first component, which is the one that the first workload calls.
fn first_component(snapshot: &Snapshot) -> usize {
    snapshot.topology.nodes.iter().position(|node| !node.is_workload).unwrap_or(0)
}
