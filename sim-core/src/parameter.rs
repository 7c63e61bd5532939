//! Parameters of distributions, and why one of them makes none.

use std::fmt;

/// Why a parameter makes no distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistError {
    /// The parameter, as the scenario language names it.
    pub parameter: &'static str,
    /// Which member of it, if it is a list.
    pub index: Option<usize>,
    /// What it must be: "must be greater than 0".
    pub problem: &'static str,
}

impl DistError {
    pub(crate) const fn new(parameter: &'static str, problem: &'static str) -> Self {
        Self { parameter, index: None, problem }
    }

    pub(crate) const fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }
}

impl fmt::Display for DistError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            None => write!(formatter, "`{}` {}", self.parameter, self.problem),
            Some(index) => write!(formatter, "`{}[{index}]` {}", self.parameter, self.problem),
        }
    }
}

impl std::error::Error for DistError {}
