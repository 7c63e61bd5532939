//! `man`: the manual page.

use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};

use crate::input::{self, Failure};

/// Prints the manual page of all commands.
#[derive(Args, Debug)]
pub(crate) struct Man {}

impl Man {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let mut command = crate::Arguments::command();
        command.build();
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            render_part(inner, &mut page)?;
        }
        input::print(&String::from_utf8_lossy(&page))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Renders a command as a section of the page.
fn render_part(command: &Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    let man = clap_mangen::Man::new(command.clone());
    page.extend(format!(".SH \"{}\"\n", command.get_name().to_uppercase()).bytes());
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_options_section(&mut part)?;
    // The sections of a command become subsections under its own heading.
    page.extend(String::from_utf8_lossy(&part).replace(".SH ", ".SS ").bytes());
    Ok(())
}
