//! `#[derive(Setting)]`: reader, description and writer of a settings type from one declaration.
//!
//! The derive parses the declaration into a small model and emits calls of `settings::bind` for it. The binding logic
//! is in that module, not here.
//!
//! On a struct: `#[setting(shorthand = "to")]` (a value that is not a map of these settings is assigned to that field).
//! On a field: `default = "30s"` (as written in a scenario) or `default` (Rust's), `range = "1..=100"`, `live`,
//! `flatten`, `rename = "for"`, `example = "…"`. On an enum: `bare = "Variant"` (a value that is none of the words goes
//! to that variant) or `tag = "kind"` (the word is the value of that key, with the variant's settings beside it). On a
//! variant: `rename = "…"`.

mod emit;
mod model;

use proc_macro::TokenStream;

/// Derives reading from, description for and writing to a scenario; see the crate's documentation.
#[proc_macro_derive(Setting, attributes(setting))]
pub fn derive_setting(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    match model::Declaration::parse(&input) {
        Ok(declaration) => emit::emit(&declaration).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
