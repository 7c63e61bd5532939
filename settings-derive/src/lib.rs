//! `#[derive(Setting)]`: reader, description and writer of a settings type from one declaration.
//!
//! The derive parses the declaration into a small model and emits calls of `settings::bind` for it. Nothing
//! about binding is decided here; see that module for what happens when a scenario is read.
//!
//! On a struct: `#[setting(shorthand = "to")]` (a value that is no map of these settings means that field alone).
//! On a field: `default = "30s"` (as it would be written) or `default` (Rust's), `range = "1..=100"`, `live`,
//! `flatten`, `rename = "for"`, `example = "…"`. On an enum: `bare = "Variant"` (what is none of the words goes to that
//! variant) or `tag = "kind"` (the word stands in that key, the variant's settings beside it). On a variant:
//! `rename = "…"`.

mod emit;
mod model;

use proc_macro::TokenStream;

/// Makes a type readable from, describable for and writable to a scenario; see the crate's documentation.
#[proc_macro_derive(Setting, attributes(setting))]
pub fn derive_setting(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    match model::Declaration::parse(&input) {
        Ok(declaration) => emit::emit(&declaration).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
