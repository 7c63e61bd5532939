//! The checks of the fuzz targets, one module per layer: the tests of `lab` and `report` include theirs.

pub mod names;
pub mod texts;
