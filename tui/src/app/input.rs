//! Effects of keys and the mouse: they change the state of the screen, and request effects.
//!
//! Only the screens, which are drawn from [`App`], know what the mouse points at and which box is next.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{App, ColourBy, Effect, Open, Zoom};
use crate::deck::{Doing, Side};
use crate::diagram::{Diagram, cluster_of};
use crate::keys::{self, Action, Jump, Move, Place, Screen, Way};
use crate::line::Line;
use crate::player::{Command, Pace};
use crate::screens::{self, Areas};

impl App {
    /// Handles a key press.
    pub fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        match keys::action(event, self.place()) {
            Some(action) => self.act(action),
            None => {
                self.type_key(event);
                Vec::new()
            }
        }
    }

    /// Handles pasted text; line breaks become blanks, so that a fault can be pasted as written in a scenario.
    pub fn paste(&mut self, text: &str) -> Vec<Effect> {
        if matches!(self.place(), Place::Typing | Place::Finding) {
            for letter in text.trim().chars() {
                let letter = if letter.is_control() { ' ' } else { letter };
                self.type_key(KeyEvent::new(
                    crossterm::event::KeyCode::Char(letter),
                    crossterm::event::KeyModifiers::NONE,
                ));
            }
        }
        Vec::new()
    }

    fn type_key(&mut self, event: KeyEvent) {
        match &mut self.open {
            Open::Find(line, chosen) => {
                if line.key(event) {
                    *chosen = 0;
                }
                if self.screen == Screen::Knobs {
                    self.knob_filter = line.text();
                    self.cursors.knob = 0;
                }
            }
            Open::Knob(_, line) | Open::Fault(line) => {
                line.key(event);
            }
            Open::Nothing | Open::Help(_) | Open::Keep => {}
        }
    }

    /// Carries out the action of a key.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        let ask = |command| vec![Effect::Ask(command)];
        match action {
            Action::TogglePlay if self.view.now_ns >= self.view.end_ns => {
                self.tell("end of the run; ← goes back".into(), false);
                Vec::new()
            }
            Action::TogglePlay => ask(Command::Play(!self.view.playing)),
            Action::Step(way) => ask(Command::Step(signed(way, self.view.window_ns))),
            Action::Pace(way) => ask(Command::Pace(match way {
                Way::On => self.view.pace.faster(),
                Way::Back => self.view.pace.slower(),
            })),
            Action::FlatOut => ask(Command::Pace(Pace::FlatOut)),
            Action::Seek(jump) => ask(self.seek(jump)),
            Action::Branch if self.view.fork_ns.is_some() => {
                self.open = Open::Keep;
                Vec::new()
            }
            Action::Branch => ask(Command::Branch),
            Action::SwitchFuture if self.view.futures.len() < 2 => {
                self.tell("there is only one future; b starts another".into(), false);
                Vec::new()
            }
            Action::SwitchFuture => ask(Command::Focus(self.view.focus.other())),
            Action::KeepOriginal | Action::KeepBranch => {
                self.open = Open::Nothing;
                ask(Command::KeepOnly(if action == Action::KeepBranch { Side::Branch } else { Side::Original }))
            }
            Action::TakeBack => ask(Command::TakeBack),
            Action::Show(screen) if !self.screens().contains(&screen) => {
                let is_of_hosts = screen == Screen::Hosts;
                let why =
                    if is_of_hosts { "this scenario has no hosts" } else { "no requests are sampled in this run" };
                self.tell(why.into(), false);
                Vec::new()
            }
            Action::Show(screen) => {
                self.screen = screen;
                Vec::new()
            }
            Action::Turn(way) => {
                let screens = self.screens();
                let here = screens.iter().position(|&screen| screen == self.screen).unwrap_or(0);
                let step = if way == Way::On { 1 } else { screens.len() - 1 };
                self.screen = screens[(here + step) % screens.len()];
                Vec::new()
            }
            Action::Find => {
                let begin = if self.screen == Screen::Knobs { self.knob_filter.as_str() } else { "" };
                self.open = Open::Find(Line::new(begin), 0);
                Vec::new()
            }
            Action::Select(step) => {
                self.select(step);
                Vec::new()
            }
            Action::Open => self.enter(),
            Action::Fold => {
                self.fold();
                Vec::new()
            }
            Action::ColourBy => {
                self.colour_by = match self.colour_by {
                    ColourBy::Load => ColourBy::Errors,
                    ColourBy::Errors => ColourBy::Load,
                };
                Vec::new()
            }
            Action::Zoom => {
                self.zoom = match self.zoom {
                    Zoom::Whole => Zoom::Recent,
                    Zoom::Recent => Zoom::Whole,
                };
                Vec::new()
            }
            Action::Theme => {
                self.theme = self.theme.inverted();
                Vec::new()
            }
            Action::Screenshot => vec![Effect::Screenshot],
            Action::Export => vec![Effect::Export],
            Action::Choose => vec![Effect::Choose],
            Action::Help => {
                self.open = Open::Help(0);
                Vec::new()
            }
            Action::Close => self.close(),
            Action::Quit => vec![Effect::Quit],
            Action::Turned(way) => {
                self.turned(way);
                Vec::new()
            }
            Action::Accept => self.accept(),
            Action::Fork => self.fork_with(),
        }
    }

    fn seek(&self, jump: Jump) -> Command {
        let view = &self.view;
        match jump {
            Jump::Near(way) => Command::SeekBy(signed(way, view.window_ns.saturating_mul(5))),
            Jump::Far(way) => Command::SeekBy(signed(way, (view.end_ns - view.start_ns) / 10)),
            Jump::Start => Command::Seek(view.start_ns),
            Jump::End => Command::Seek(view.end_ns),
        }
    }

    fn close(&mut self) -> Vec<Effect> {
        if let Open::Find(..) = self.open
            && self.screen == Screen::Knobs
        {
            self.knob_filter.clear();
        }
        if self.open != Open::Nothing {
            self.open = Open::Nothing;
            return Vec::new();
        }
        if !self.captions.is_empty() {
            self.captions.clear();
            return vec![Effect::Ask(Command::SkipStops)];
        }
        self.knob_filter.clear();
        Vec::new()
    }

    fn turned(&mut self, way: Way) {
        match &mut self.open {
            Open::Find(line, chosen) => {
                let last = if self.screen == Screen::Knobs { 0 } else { usize::MAX };
                let wanted = line.text();
                let moved = stepped(*chosen, 1, way, last);
                let count = self.found(&wanted).len();
                if let Open::Find(_, chosen) = &mut self.open {
                    *chosen = moved.min(count.saturating_sub(1));
                }
            }
            // The up key increases the number.
            Open::Knob(_, line) | Open::Fault(line) => {
                line.turn_number(if way == Way::On { Way::Back } else { Way::On })
            }
            Open::Nothing | Open::Help(_) | Open::Keep => {}
        }
    }

    fn accept(&mut self) -> Vec<Effect> {
        let make = |doing| vec![Effect::Ask(Command::Make(doing))];
        match std::mem::take(&mut self.open) {
            Open::Find(line, chosen) => {
                if self.screen != Screen::Knobs
                    && let Some(&index) = self.found(&line.text()).get(chosen)
                {
                    self.selected = index;
                }
                Vec::new()
            }
            Open::Knob(path, line) if self.is_live(&path) => make(Doing::Set { path, value: line.text() }),
            Open::Knob(path, line) => vec![Effect::Restart { path, value: line.text() }],
            Open::Fault(line) => make(Doing::Inject { yaml: line.text() }),
            Open::Nothing | Open::Help(_) | Open::Keep => Vec::new(),
        }
    }

    /// Whether a setting may change while the run goes on.
    fn is_live(&self, path: &str) -> bool {
        self.view.knobs.iter().any(|knob| knob.path == path && knob.live)
    }

    /// Starts a second future with the text being typed; does nothing during a search.
    fn fork_with(&mut self) -> Vec<Effect> {
        let doing = match &self.open {
            Open::Knob(path, line) if self.is_live(path) => Doing::Set { path: path.clone(), value: line.text() },
            Open::Knob(path, _) => {
                let words = format!("{path} applies from the start of the run, so both futures would get it");
                self.tell(words, true);
                return Vec::new();
            }
            Open::Fault(line) => Doing::Inject { yaml: line.text() },
            Open::Find(..) | Open::Nothing | Open::Help(_) | Open::Keep => return Vec::new(),
        };
        self.open = Open::Nothing;
        vec![Effect::Ask(Command::Fork(doing))]
    }

    fn enter(&mut self) -> Vec<Effect> {
        match self.screen {
            Screen::Topology => {
                let diagram = self.diagram();
                match diagram.group_of(self.selected).map(|index| &diagram.groups[index]) {
                    Some(group) if group.folded => self.fold(),
                    _ => self.screen = Screen::Component,
                }
            }
            Screen::Events => {
                let events = crate::events::of(self.view.focused());
                let chosen = events.len().checked_sub(1 + self.cursors.event).and_then(|place| events.get(place));
                return chosen
                    .map(|event| Effect::Ask(Command::Seek((event.at_s * 1e9).round() as i64)))
                    .into_iter()
                    .collect();
            }
            Screen::Knobs => {
                let chosen = self.knobs().get(self.cursors.knob).map(|knob| (knob.path.clone(), knob.value.clone()));
                if let Some((path, value)) = chosen {
                    self.open = Open::Knob(path, Line::new(&value));
                }
            }
            Screen::Faults => {
                let chosen = self.faults_to_choose().get(self.cursors.fault).map(|choice| Line::new(&choice.text));
                if let Some(line) = chosen {
                    self.open = Open::Fault(line);
                }
            }
            Screen::Requests => {
                let (listed, cursor) = screens::requests::Listed::of(self);
                let at_s = listed.lines.get(cursor).map(|line| line.at_s);
                let selected = listed.waterfall(cursor);
                self.request = selected;
                return at_s.map(|at_s| Effect::Ask(Command::Seek((at_s * 1e9).round() as i64))).into_iter().collect();
            }
            Screen::Hosts => {
                if let Some(screens::hosts::Line::Component(on)) =
                    screens::hosts::lines(self.snapshot()).get(self.cursors.host)
                {
                    self.selected = on.node;
                    self.screen = Screen::Component;
                }
            }
            Screen::Charts | Screen::Component => {}
        }
        Vec::new()
    }

    fn fold(&mut self) {
        let Some(cluster) = cluster_of(self.selected_name()).map(str::to_string) else {
            self.tell("what is selected belongs to no cluster".into(), false);
            return;
        };
        let diagram = self.diagram();
        let folded = diagram.group_of(self.selected).is_some_and(|index| diagram.groups[index].folded);
        self.folding.insert(cluster, !folded);
    }

    /// Lays out the drawings in advance, so that not every frame has to. Not needed for correctness.
    pub fn prepare(&mut self) {
        if self.screen != Screen::Topology {
            return;
        }
        let areas = Areas::new(self.size, self);
        let panes = screens::topology::panes(self, areas.body);
        let sizes: Vec<(u16, u16)> = panes.iter().map(|pane| (pane.drawing.width, pane.drawing.height)).collect();
        let view = Arc::clone(&self.view);
        self.drawings.prepare(&view.futures[0].snapshot.topology, &self.folding, &sizes);
    }

    /// The drawing of the topology as the screen shows it.
    pub fn diagram(&self) -> Arc<Diagram> {
        let areas = Areas::new(self.size, self);
        let panes = screens::topology::panes(self, areas.body);
        self.diagram_for(panes.first().map_or(areas.body, |pane| pane.drawing))
    }

    fn select(&mut self, step: Move) {
        if let Open::Help(scrolled) = &mut self.open {
            if let Move::Next(way) = step {
                *scrolled = stepped(*scrolled as usize, 1, way, 60) as u16;
            }
            return;
        }
        let (by, way) = match step {
            Move::Next(way) => (1, way),
            Move::Page(way) => (10, way),
            Move::Across(way) => return self.select_towards(way, true),
            Move::Along(way) => return self.select_towards(way, false),
        };
        let last = |count: usize| count.saturating_sub(1);
        match self.screen {
            Screen::Topology => self.select_next(by, way),
            Screen::Charts | Screen::Component => {
                self.selected = stepped(self.selected, by, way, last(self.topology().nodes.len()));
            }
            Screen::Requests => {
                let (listed, cursor) = screens::requests::Listed::of(self);
                let selected = listed.waterfall(stepped(cursor, by, way, last(listed.lines.len())));
                self.request = selected;
            }
            Screen::Events => {
                let count = crate::events::of(self.view.focused()).len();
                self.cursors.event = stepped(self.cursors.event, by, way, last(count));
            }
            Screen::Knobs => self.cursors.knob = stepped(self.cursors.knob, by, way, last(self.knobs().len())),
            Screen::Faults => {
                self.cursors.fault = stepped(self.cursors.fault, by, way, last(self.faults_to_choose().len()));
            }
            Screen::Hosts => {
                let count = screens::hosts::lines(self.snapshot()).len();
                self.cursors.host = stepped(self.cursors.host, by, way, last(count));
            }
        }
    }

    /// Selects the next box, column by column.
    fn select_next(&mut self, by: usize, way: Way) {
        let diagram = self.diagram();
        let mut order: Vec<usize> = (0..diagram.groups.len()).collect();
        order.sort_by_key(|&index| (diagram.placement.boxes[index].x, diagram.placement.boxes[index].y));
        let here = diagram.group_of(self.selected);
        let place = order.iter().position(|&index| Some(index) == here).unwrap_or(0);
        if let Some(&next) = order.get(stepped(place, by, way, order.len().saturating_sub(1))) {
            self.selected = diagram.groups[next].members[0];
        }
    }

    /// Selects the nearest box in a direction.
    fn select_towards(&mut self, way: Way, across: bool) {
        let diagram = self.diagram();
        let Some(here) = diagram.group_of(self.selected) else { return };
        let centre = |index: usize| {
            let place = diagram.placement.boxes[index];
            (place.x + place.width / 2, 2 * place.y + place.height)
        };
        let (x, y) = centre(here);
        let distance = |index: usize| {
            let (other_x, other_y) = centre(index);
            let (along, aside) = if across { (other_x - x, other_y - y) } else { (other_y - y, other_x - x) };
            let along = if way == Way::On { along } else { -along };
            (along > 0 && (across || aside.abs() < along * 4)).then_some(along + 3 * aside.abs())
        };
        let found = (0..diagram.groups.len()).filter_map(|index| distance(index).map(|far| (far, index))).min();
        if let Some((_, index)) = found {
            self.selected = diagram.groups[index].members[0];
        }
    }

    /// Handles a mouse event.
    pub fn mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            MouseEventKind::Drag(MouseButton::Left) => self.drag(at),
            MouseEventKind::ScrollDown => self.act(Action::Select(Move::Next(Way::On))),
            MouseEventKind::ScrollUp => self.act(Action::Select(Move::Next(Way::Back))),
            _ => Vec::new(),
        }
    }

    fn drag(&mut self, at: Position) -> Vec<Effect> {
        let areas = Areas::new(self.size, self);
        match screens::timeline::instant_at(self, areas.timeline, at) {
            Some(at_ns) => vec![Effect::Ask(Command::Seek(at_ns))],
            None => Vec::new(),
        }
    }

    fn click(&mut self, at: Position) -> Vec<Effect> {
        if self.open != Open::Nothing {
            return if matches!(self.open, Open::Help(_)) { self.act(Action::Close) } else { Vec::new() };
        }
        let areas = Areas::new(self.size, self);
        if let Some(screen) = screens::tab_at(self, areas.tabs, at) {
            return self.act(Action::Show(screen));
        }
        if areas.timeline.contains(at) {
            return self.drag(at);
        }
        if self.screen != Screen::Topology {
            return Vec::new();
        }
        let mut effects = Vec::new();
        for pane in screens::topology::panes(self, areas.body).into_iter().filter(|pane| pane.drawing.contains(at)) {
            if pane.side != self.view.focus {
                effects.push(Effect::Ask(Command::Focus(pane.side)));
            }
            let diagram = self.diagram_for(pane.drawing);
            let origin = screens::topology::origin(self, &diagram, pane.drawing);
            let (x, y) = (i32::from(at.x - pane.drawing.x) + origin.0, i32::from(at.y - pane.drawing.y) + origin.1);
            let Some(group) = diagram.group_at(x, y) else { continue };
            self.selected = diagram.groups[group].members[0];
            // A second click on the same box within half a second, counted in frames.
            let again = self
                .clicked
                .is_some_and(|(before, frame)| before == self.selected && self.frames.wrapping_sub(frame) < 15);
            self.clicked = Some((self.selected, self.frames));
            if again {
                effects.extend(self.enter());
            }
        }
        effects
    }
}

fn signed(way: Way, by: i64) -> i64 {
    if way == Way::On { by } else { -by }
}

fn stepped(from: usize, by: usize, way: Way, last: usize) -> usize {
    match way {
        Way::On => from.saturating_add(by).min(last),
        Way::Back => from.saturating_sub(by),
    }
}
