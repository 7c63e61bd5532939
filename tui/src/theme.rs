//! Every colour, in one table: the meaning of a thing on the screen, and its look with 256 colours, with 16 and with none,
//! on a dark and on a light background.
//!
//! No meaning depends on colour alone: each role also has its own glyph, word or modifier. The hues of the load scale
//! (teal, yellow, orange, red) also differ in lightness, so that people with common colour deficiencies can distinguish
//! them.

use ratatui::style::{Color, Modifier, Style};

/// Number of colours of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: bold, dim, underlined and reversed text only.
    None,
    /// The 16 named ones, which the user can customise.
    Sixteen,
    /// The 256 indexed ones.
    #[default]
    Indexed,
}

/// The background of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Black or nearly so.
    #[default]
    Dark,
    /// White or nearly so.
    Light,
}

/// The meaning of a thing on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text and figures.
    Text,
    /// Units, labels, and secondary text.
    Faint,
    /// Names and headings.
    Strong,
    /// The name of the program.
    Brand,
    /// Frames and rules.
    Border,
    /// The selection.
    Selected,
    /// The row of the cursor.
    Cursor,
    /// The tab of the current screen.
    Tab,
    /// A key in the footer.
    Key,
    /// Well below capacity, or healthy.
    Calm,
    /// Noticeably loaded.
    Busy,
    /// Near the limit.
    Strained,
    /// At the limit, or failing.
    Critical,
    /// No activity.
    Idle,
    /// An active fault.
    Fault,
    /// The cells of a chart in which a fault is active.
    FaultBand,
    /// A first attempt under way.
    Pulse,
    /// A retry under way.
    Retry,
    /// The offered load.
    Offered,
    /// Successes in time.
    Good,
    /// The median latency.
    Median,
    /// The 99th percentile of the latency.
    Tail,
    /// The original future.
    Original,
    /// The branch.
    Branch,
    /// The words of a guided tour.
    Caption,
    /// The state of playing.
    Playing,
    /// The state of being paused.
    Paused,
    /// An error message.
    Problem,
}

/// One row of the table.
struct Row {
    role: Role,
    /// Colour index on a dark and on a light background.
    indexed: [u8; 2],
    /// One of the 16 colours, on a dark and on a light background.
    named: [Color; 2],
    /// Bold, dim, … at every depth.
    modifier: Modifier,
    /// Modifier added if there is no colour.
    plain: Modifier,
    /// Background colour, instead of or in addition to the foreground: index on dark, index on light.
    under: Option<[u8; 2]>,
}

const NONE: Modifier = Modifier::empty();
const BOLD: Modifier = Modifier::BOLD;
const DIM: Modifier = Modifier::DIM;
const REVERSED: Modifier = Modifier::REVERSED;
const UNDERLINED: Modifier = Modifier::UNDERLINED;

const fn row(role: Role, indexed: [u8; 2], named: [Color; 2], modifier: Modifier, plain: Modifier) -> Row {
    Row { role, indexed, named, modifier, plain, under: None }
}

const fn over(role: Role, indexed: [u8; 2], under: [u8; 2], named: [Color; 2], modifier: Modifier) -> Row {
    Row { role, indexed, named, modifier, plain: REVERSED, under: Some(under) }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(Role::Text,      [252, 235], [Color::Reset, Color::Reset],          NONE, NONE),
    row(Role::Faint,     [245, 242], [Color::DarkGray, Color::DarkGray],    NONE, DIM),
    row(Role::Strong,    [255, 232], [Color::Reset, Color::Reset],          BOLD, NONE),
    row(Role::Brand,     [215, 130], [Color::Yellow, Color::Red],           BOLD, NONE),
    row(Role::Border,    [241, 247], [Color::DarkGray, Color::Gray],        NONE, DIM),
    row(Role::Selected,  [123, 25],  [Color::LightCyan, Color::Blue],       BOLD, NONE),
    over(Role::Cursor,   [255, 232], [238, 253], [Color::LightCyan, Color::Blue], BOLD),
    over(Role::Tab,      [232, 255], [117, 25], [Color::LightCyan, Color::Blue], BOLD),
    row(Role::Key,       [117, 25],  [Color::LightCyan, Color::Blue],       BOLD, NONE),
    row(Role::Calm,      [79, 29],   [Color::Cyan, Color::Green],           NONE, NONE),
    row(Role::Busy,      [221, 94],  [Color::Yellow, Color::Yellow],        NONE, NONE),
    row(Role::Strained,  [208, 130], [Color::LightRed, Color::Magenta],     NONE, BOLD),
    row(Role::Critical,  [203, 160], [Color::Red, Color::Red],              BOLD, BOLD),
    row(Role::Idle,      [240, 248], [Color::DarkGray, Color::Gray],        NONE, DIM),
    row(Role::Fault,     [213, 126], [Color::LightMagenta, Color::Magenta], BOLD, NONE),
    over(Role::FaultBand, [252, 235], [53, 225], [Color::LightMagenta, Color::Magenta], NONE),
    row(Role::Pulse,     [255, 232], [Color::White, Color::Black],          BOLD, BOLD),
    row(Role::Retry,     [214, 130], [Color::LightYellow, Color::Red],      BOLD, BOLD),
    row(Role::Offered,   [250, 240], [Color::Gray, Color::DarkGray],        NONE, NONE),
    row(Role::Good,      [78, 28],   [Color::Green, Color::Green],          NONE, NONE),
    row(Role::Median,    [117, 25],  [Color::LightBlue, Color::Blue],       NONE, NONE),
    row(Role::Tail,      [215, 130], [Color::LightYellow, Color::Red],      NONE, BOLD),
    row(Role::Original,  [117, 25],  [Color::LightBlue, Color::Blue],       BOLD, NONE),
    row(Role::Branch,    [220, 94],  [Color::LightYellow, Color::Magenta],  BOLD, UNDERLINED),
    over(Role::Caption,  [255, 232], [24, 153], [Color::LightBlue, Color::Blue], NONE),
    row(Role::Playing,   [78, 28],   [Color::Green, Color::Green],          BOLD, NONE),
    row(Role::Paused,    [221, 94],  [Color::Yellow, Color::Red],           BOLD, NONE),
    row(Role::Problem,   [203, 160], [Color::LightRed, Color::Red],         BOLD, REVERSED),
];

/// The colour scheme for this terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    /// Number of colours.
    pub depth: Depth,
    /// The background.
    pub background: Background,
}

impl Theme {
    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        let Some(row) = TABLE.iter().find(|row| row.role == role) else { return Style::new() };
        let which = self.background as usize;
        let style = Style::new().add_modifier(row.modifier);
        match (self.depth, row.under) {
            (Depth::None, _) => style.add_modifier(row.plain),
            (Depth::Sixteen, None) => style.fg(row.named[which]),
            (Depth::Sixteen, Some(_)) => style.fg(row.named[which]).add_modifier(REVERSED),
            (Depth::Indexed, None) => style.fg(Color::Indexed(row.indexed[which])),
            (Depth::Indexed, Some(under)) => {
                style.fg(Color::Indexed(row.indexed[which])).bg(Color::Indexed(under[which]))
            }
        }
    }

    /// The role for a share of capacity in use.
    pub fn load(share: Option<f64>) -> Role {
        match share {
            None => Role::Idle,
            Some(share) if share >= 0.95 => Role::Critical,
            Some(share) if share >= 0.8 => Role::Strained,
            Some(share) if share >= 0.6 => Role::Busy,
            Some(_) => Role::Calm,
        }
    }

    /// The role for a share of attempts that fail.
    pub fn errors(share: f64) -> Role {
        match share {
            _ if share >= 0.25 => Role::Critical,
            _ if share >= 0.05 => Role::Strained,
            _ if share >= 0.005 => Role::Busy,
            _ => Role::Calm,
        }
    }

    /// The capabilities of a terminal, from its environment: `NO_COLOR`, `COLORTERM`, `TERM` and `COLORFGBG`.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Theme {
        let term = variable("TERM").unwrap_or_default();
        let depth = if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            Depth::None
        } else if term.contains("256color") || term.contains("direct") || variable("COLORTERM").is_some() {
            Depth::Indexed
        } else {
            Depth::Sixteen
        };
        // The last field is the background: 7 and 9 to 15 are light.
        let light = variable("COLORFGBG")
            .and_then(|value| value.rsplit(';').next().and_then(|last| last.parse::<u8>().ok()))
            .is_some_and(|index| index == 7 || (9..=15).contains(&index));
        Theme { depth, background: if light { Background::Light } else { Background::Dark } }
    }

    /// The same scheme for the other background.
    pub fn inverted(self) -> Theme {
        let background = match self.background {
            Background::Dark => Background::Light,
            Background::Light => Background::Dark,
        };
        Theme { background, ..self }
    }
}

/// The RGB value of an indexed colour, as every common terminal shows the upper 240.
pub fn rgb_of_index(index: u8) -> [u8; 3] {
    const NAMED: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 49, 49],
        [13, 188, 121],
        [229, 229, 16],
        [36, 114, 200],
        [188, 63, 188],
        [17, 168, 205],
        [229, 229, 229],
        [102, 102, 102],
        [241, 76, 76],
        [35, 209, 139],
        [245, 245, 67],
        [59, 142, 234],
        [214, 112, 214],
        [41, 184, 219],
        [255, 255, 255],
    ];
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..16 => NAMED[index as usize],
        16..232 => [level((index - 16) / 36), level((index - 16) / 6 % 6), level((index - 16) % 6)],
        232.. => [8 + 10 * (index - 232); 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as the Web Content Accessibility Guidelines define it.
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = |value: u8| {
            let share = f64::from(value) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_role_has_exactly_one_row() {
        for (index, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.role != row.role), "{:?} stands twice", row.role);
        }
        assert_eq!(TABLE.len(), Role::Problem as usize + 1, "a role without a row has no look");
    }

    #[test]
    fn text_can_be_read_on_both_backgrounds() {
        // The guidelines require a contrast of at least 4.5 for text; lines and idle things may be fainter.
        for row in TABLE {
            let least = if matches!(row.role, Role::Border | Role::Idle) { 1.7 } else { 4.3 };
            for (which, ground) in [[0, 0, 0], [255, 255, 255]].into_iter().enumerate() {
                let ground = row.under.map_or(ground, |under| rgb_of_index(under[which]));
                let found = contrast(rgb_of_index(row.indexed[which]), ground);
                assert!(found >= least, "{:?} on background {which}: {found:.1}", row.role);
            }
        }
    }

    #[test]
    fn without_colour_no_style_has_one() {
        let theme = Theme { depth: Depth::None, background: Background::Dark };
        for row in TABLE {
            let style = theme.style(row.role);
            assert_eq!((style.fg, style.bg), (None, None), "{:?}", row.role);
        }
        assert_ne!(theme.style(Role::Fault), theme.style(Role::Text), "a fault stands out without colour");
    }

    #[test]
    fn the_environment_decides() {
        let with = |pairs: &[(&str, &str)]| {
            Theme::detect(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()))
        };
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]).depth, Depth::None);
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]).depth, Depth::Indexed);
        assert_eq!(with(&[("TERM", "linux")]).depth, Depth::Sixteen);
        assert_eq!(with(&[("TERM", "xterm"), ("COLORFGBG", "0;15")]).background, Background::Light);
        assert_eq!(with(&[("TERM", "xterm"), ("COLORFGBG", "15;0")]).background, Background::Dark);
    }
}
