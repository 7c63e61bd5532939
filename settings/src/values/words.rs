//! Words: names of parts of a scenario, and priorities.

use std::fmt;

use super::{Scalar, ValueError};
use crate::book::{Json, ScalarShape};
use crate::tree::Node;

/// Words that some YAML readers interpret as a boolean or null, and that are therefore not allowed as names.
pub const FORBIDDEN_NAMES: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// The name of a component, a workload, an operation: a lower-case letter, then lower-case letters, digits, `_` and
/// `-`.
///
/// `us/api` is the component `api` of the cluster `us`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The full name, including the cluster.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The cluster, if the name belongs to a part of one.
    pub fn cluster(&self) -> Option<&str> {
        self.0.split_once('/').map(|(cluster, _)| cluster)
    }

    /// The name without its cluster.
    pub fn local(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, local)| local)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Maximum length of a name, because names appear in tables, paths and file names.
const NAME_BYTES_MAX: usize = 120;

impl Scalar for Name {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "name",
        article: "a name",
        examples: &["api", "orders-db", "us/api"],
        pattern: Some(r"^[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)?$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() > NAME_BYTES_MAX {
            let message = format!("names have at most {NAME_BYTES_MAX} characters; this one has {}", text.len());
            return Err(ValueError::new(message));
        }
        let mut parts = text.split('/');
        let (first, second, third) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        check_name(first, text)?;
        if let Some(second) = second {
            check_name(second, text)?;
        }
        if third.is_some() {
            return Err(ValueError::new(format!("`{text}` has two `/`; a name has at most a cluster and a component")));
        }
        Ok(Name(text.to_string()))
    }

    fn format(&self) -> String {
        self.0.clone()
    }

    fn to_node(&self) -> Node {
        Node::scalar(self.0.clone())
    }
}

fn check_name(part: &str, text: &str) -> Result<(), ValueError> {
    const RULE: &str = "a name starts with a lower-case letter, followed by lower-case letters, digits, `_` and `-`";
    if FORBIDDEN_NAMES.contains(&part) {
        let message = format!("`{text}` cannot be a name");
        return Err(ValueError::with_help(message, "some YAML readers take it for true, false or null"));
    }
    let good = part.starts_with(|c: char| c.is_ascii_lowercase())
        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
    if good {
        return Ok(());
    }
    let mended: String = part
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let mended = mended.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
    let help = if mended.is_empty() || !part.is_ascii() || text.contains('/') || FORBIDDEN_NAMES.contains(&mended) {
        RULE.to_string()
    } else {
        format!("{RULE}: `{mended}`")
    };
    Err(ValueError::with_help(format!("`{text}` is not a name"), help))
}

/// The priority of a request: 0 is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

const PRIORITIES: [&str; 4] = ["critical", "high", "normal", "low"];

impl Default for Priority {
    /// `normal`.
    fn default() -> Priority {
        Priority(2)
    }
}

impl Scalar for Priority {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "priority",
        article: "a priority",
        examples: &["critical", "high", "normal", "low", "0"],
        pattern: Some("^(critical|high|normal|low)$"),
        json: &[Json::Natural, Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        if let Some(level) = PRIORITIES.iter().position(|word| *word == text) {
            return Ok(Priority(level as u8));
        }
        if let Ok(level) = text.parse::<u8>() {
            return Ok(Priority(level));
        }
        let help = crate::problem::did_you_mean(text, PRIORITIES);
        let message = format!("expected `critical`, `high`, `normal`, `low` or a number up to 255, found `{text}`");
        Err(ValueError { message, help })
    }

    fn format(&self) -> String {
        match PRIORITIES.get(usize::from(self.0)) {
            Some(word) => (*word).to_string(),
            None => self.0.to_string(),
        }
    }
}
