//! Errors in the parameters of distributions.

use std::fmt;

/// Why a parameter is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistError {
    /// The parameter, as named in the scenario language.
    pub parameter: &'static str,
    /// The index of the invalid element, if the parameter is a list.
    pub index: Option<usize>,
    /// The requirement, as in "must be greater than 0".
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
