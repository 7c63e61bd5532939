//! The state of the screen: the newest view of the run, what is selected, what is open. Keys and the mouse change it and
//! ask for effects (`app/input.rs`); drawing only reads it.

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

/// How many frames a notice stays.
const NOTICE_FRAMES: u32 = 150;

/// A line of a guided tour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caption {
    /// From when it is shown, s.
    pub at_s: f64,
    /// What it says; `{METRIC}` stands for what the screen shows of a column of the series.
    pub text: String,
    /// The selection there.
    pub focus: Option<String>,
}

/// What boxes are coloured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourBy {
    /// The share of what limits them that is in use.
    #[default]
    Load,
    /// The share of their answers that fail.
    Errors,
}

/// How much of the run charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoom {
    /// All of it.
    #[default]
    Whole,
    /// The last minute, or the last sixty windows where that is longer.
    Recent,
}

/// What lies over the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// Nothing.
    #[default]
    Nothing,
    /// The help page, scrolled by this many lines.
    Help(u16),
    /// A name is being looked for; which of those found is chosen.
    Find(Line, usize),
    /// A setting is being changed.
    Knob(String, Line),
    /// A fault is being written.
    Fault(Line),
    /// Which future to keep?
    Keep,
}

/// Where the cursor stands on the screens that are lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Among the knobs.
    pub knob: usize,
    /// Among the faults to choose from.
    pub fault: usize,
    /// Among the events, counted from the newest.
    pub event: usize,
    /// Among the hosts and what runs on them.
    pub host: usize,
}

/// Something that only the loop around can do.
#[derive(Debug)]
pub enum Effect {
    /// Ask the player.
    Ask(Command),
    /// Save a picture of the screen.
    Screenshot,
    /// Run again from the start with another value of a setting, and go on at this instant.
    Restart {
        /// The document's path.
        path: String,
        /// The value, as the scenario would write it.
        value: String,
    },
    /// Write the scenario with the changes.
    Export,
    /// Show the list of scenarios.
    Choose,
    /// End.
    Quit,
}

/// Everything that drawing reads.
#[derive(Clone, Debug)]
pub struct App {
    /// The newest view of the run.
    pub view: Arc<View>,
    /// Colours.
    pub theme: Theme,
    /// Which screen is shown.
    pub screen: Screen,
    /// The selected node of the topology.
    pub selected: usize,
    /// What lies over the screen.
    pub open: Open,
    /// What boxes are coloured by.
    pub colour_by: ColourBy,
    /// How much of the run charts show.
    pub zoom: Zoom,
    /// Which clusters are folded.
    pub folding: Folding,
    /// Cursors of lists.
    pub cursors: Cursors,
    /// The selected request, as it stood when it was selected; `None` for the slowest.
    pub request: Option<Waterfall>,
    /// Narrows the list of knobs.
    pub knob_filter: String,
    /// Moves what flows; counts frames in which the run went on.
    pub phase: u64,
    /// The lines of a guided tour, by instant.
    pub captions: Vec<Caption>,
    /// The latest message: text, whether it is an error, frames left.
    pub notice: Option<(String, bool, u32)>,
    /// Size of the screen.
    pub size: Rect,
    drawings: Drawings,
    told: u64,
    clicked: Option<(usize, u32)>,
    frames: u32,
}

impl App {
    /// A screen onto a view.
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

    /// Takes over what was being looked at: the same scenario has been read again.
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

    /// Takes a newer view. True where something can have changed on the screen.
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

    /// A frame has passed. True where that changes the screen.
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

    /// Tells the user something.
    pub fn tell(&mut self, text: String, bad: bool) {
        self.notice = Some((text, bad, NOTICE_FRAMES));
    }

    /// What calls what.
    pub fn topology(&self) -> &Topology {
        &self.view.futures[0].snapshot.topology
    }

    /// The future that keys act on, as it stands.
    pub fn snapshot(&self) -> &Snapshot {
        &self.view.focused().snapshot
    }

    /// The name of the selected node.
    pub fn selected_name(&self) -> &str {
        self.topology().nodes.get(self.selected).map_or("", |node| &node.name)
    }

    /// Which caption is to be shown now.
    fn stop(&self) -> Option<usize> {
        let at_s = self.snapshot().at_s;
        self.captions.iter().rposition(|caption| caption.at_s <= at_s + 1e-9)
    }

    /// The caption to be shown now, with the figures of this instant.
    pub fn caption(&self) -> Option<String> {
        let figure = |piece| match piece {
            Piece::Words(words) => words.to_string(),
            Piece::Figure(name) => figures::of_column(self.snapshot(), name),
        };
        Some(tour::pieces(&self.captions[self.stop()?].text).into_iter().map(figure).collect())
    }

    /// Screens that there is something for.
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

    /// Where keys go.
    pub fn place(&self) -> Place {
        match &self.open {
            Open::Nothing => Place::On(self.screen),
            Open::Help(_) => Place::Reading,
            Open::Find(..) => Place::Finding,
            Open::Knob(..) | Open::Fault(_) => Place::Typing,
            Open::Keep => Place::Asking,
        }
    }

    /// The knobs that the filter leaves, those that can change first.
    pub fn knobs(&self) -> Vec<&Knob> {
        let mut knobs: Vec<&Knob> =
            self.view.knobs.iter().filter(|knob| knob.path.contains(&self.knob_filter)).collect();
        knobs.sort_by_key(|knob| !knob.live);
        knobs
    }

    /// The faults that can strike what is selected, its links, or what is no part of the topology (hosts, regions).
    pub fn faults_to_choose(&self) -> Vec<&FaultChoice> {
        let topology = self.topology();
        let name = self.selected_name();
        let is_elsewhere = |target: &str| {
            let caller = target.rsplit_once('.').map_or(target, |(caller, _)| caller);
            topology.nodes.iter().any(|node| (node.name == target || node.name == caller) && node.name != name)
        };
        self.view.faults.iter().filter(|choice| !is_elsewhere(&choice.target)).collect()
    }

    /// Nodes whose name contains what is looked for; those that begin with it first.
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

/// What to select at first: the first component, which is what the first workload calls.
fn first_component(snapshot: &Snapshot) -> usize {
    snapshot.topology.nodes.iter().position(|node| !node.is_workload).unwrap_or(0)
}
