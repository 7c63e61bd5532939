//! The program from outside: arguments, exit codes, messages, the expected texts of the scenarios; and the layering.

mod binary;
mod expected;
mod explain;
mod layers;
mod program;
mod readme;
mod sweep;
mod validation;
