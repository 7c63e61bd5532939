//! Generates the code for a declaration.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, LitStr};

use crate::model::{Body, Content, Declaration, Default, Field, Variant};

pub(crate) fn emit(declaration: &Declaration) -> TokenStream {
    match &declaration.body {
        Body::Struct { fields, shorthand } => emit_struct(declaration, fields, shorthand.as_ref()),
        Body::Enum { variants, tag: Some(tag), .. } => emit_tagged(declaration, variants, tag),
        Body::Enum { variants, bare, .. } => emit_enum(declaration, variants, bare.as_ref()),
    }
}

/// Tokens of an optional text.
fn option(text: Option<&LitStr>) -> TokenStream {
    match text {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    }
}

/// The rules of fields, as a constant table of `size` members.
fn rules(fields: &[Field]) -> TokenStream {
    let rules = fields.iter().map(|field| {
        let Field { key, doc, live, flatten, .. } = field;
        let default = match &field.default {
            Default::Written(text) => option(Some(text)),
            _ => option(None),
        };
        let range = option(field.range.as_ref());
        let example = option(field.example.as_ref());
        quote! {
            ::settings::bind::FieldRule {
                key: #key, doc: #doc, default: #default, range: #range, live: #live, example: #example,
                flattened: #flatten,
            }
        }
    });
    let count = fields.len();
    quote! {
        const RULES: [::settings::bind::FieldRule; #count] = [#(#rules),*];
    }
}

/// The variable that holds a field's value while it is read.
fn variable(field: &Field) -> Ident {
    format_ident!("field_{}", field.name.to_string().trim_start_matches("r#"))
}

/// Statements that read every field from `fields`, and the initialisers that use them.
fn read_fields(fields: &[Field]) -> (TokenStream, TokenStream) {
    let mut statements = TokenStream::new();
    let mut initialisers = TokenStream::new();
    for (index, field) in fields.iter().enumerate() {
        let Field { name, kind, .. } = field;
        let variable = variable(field);
        let read = match &field.default {
            _ if field.flatten => quote!(fields.read_part::<#kind>(cx, &RULES[#index])),
            Default::Rust => {
                quote!(fields.read_or::<#kind>(cx, &RULES[#index], <#kind as ::core::default::Default>::default))
            }
            _ => quote!(fields.read::<#kind>(cx, &RULES[#index])),
        };
        let checked = match &field.range {
            Some(_) => quote! {{ let value = #read; fields.check_range::<#kind>(cx, &RULES[#index], value) }},
            None => read,
        };
        statements.extend(quote!(let #variable = #checked;));
        initialisers.extend(quote!(#name: #variable?,));
    }
    (statements, initialisers)
}

/// The `Opening` of a map of these fields.
fn opening(fields: &[Field], shorthand: Option<&LitStr>) -> TokenStream {
    let key = option(shorthand);
    let shorthand_words = match shorthand.and_then(|key| fields.iter().find(|field| field.key == key.value())) {
        Some(Field { kind, .. }) => quote!(<#kind as ::settings::Setting>::words()),
        None => quote!(::std::vec::Vec::new()),
    };
    let own_words = words(fields);
    let bare_words = bare_words(fields);
    let needed = fields.iter().filter(|field| matches!(field.default, Default::Missing)).map(|field| &field.kind);
    quote! {
        ::settings::bind::Opening {
            can_be_empty: true #(&& <#needed as ::settings::Setting>::absent().is_some())*,
            shorthand: #key,
            shorthand_words: #shorthand_words,
            own_words: #own_words,
            flattened_words: #bare_words,
        }
    }
}

/// The words that may be written alone in place of a map of these fields.
fn bare_words(fields: &[Field]) -> TokenStream {
    let flattened = fields.iter().filter(|field| field.flatten).map(|field| &field.kind);
    quote! {{
        #[allow(unused_mut)]
        let mut words: ::std::vec::Vec<&'static str> = ::std::vec::Vec::new();
        #(words.extend(<#flattened as ::settings::bind::Part>::bare_words());)*
        words
    }}
}

/// All keys of a map of these fields, including those of flattened ones.
fn words(fields: &[Field]) -> TokenStream {
    let each = fields.iter().map(|field| {
        let Field { key, kind, .. } = field;
        if field.flatten {
            quote!(words.extend(<#kind as ::settings::Setting>::words());)
        } else {
            quote!(words.push(#key);)
        }
    });
    quote! {{
        #[allow(unused_mut)]
        let mut words: ::std::vec::Vec<&'static str> = ::std::vec::Vec::new();
        #(#each)*
        words
    }}
}

/// Statements that write every field to `entries`; `access` gives the expression of a reference to a field.
fn write_fields(fields: &[Field], access: impl Fn(&Field) -> TokenStream) -> TokenStream {
    let each = fields.iter().map(|field| {
        let Field { key, kind, .. } = field;
        let value = access(field);
        if field.flatten {
            quote!(<#kind as ::settings::bind::Part>::write_part(#value, entries);)
        } else {
            quote!(::settings::bind::write_field::<#kind>(entries, #key, #value);)
        }
    });
    quote!(#(#each)*)
}

/// The expression of the shape of a map of these fields; the table `RULES` must be in scope.
fn describe_fields(fields: &[Field], shorthand: Option<&LitStr>) -> TokenStream {
    let each = fields.iter().enumerate().map(|(index, field)| {
        let kind = &field.kind;
        let default = match &field.default {
            Default::Rust => quote! {
                ::core::option::Option::Some(::settings::Setting::write(&<#kind as ::core::default::Default>::default()))
            },
            _ => quote!(::core::option::Option::None),
        };
        quote!(::settings::bind::describe_field::<#kind>(book, &RULES[#index], #default))
    });
    let shorthand = option(shorthand);
    quote! {
        ::settings::book::FieldsShape { fields: ::std::vec![#(#each),*], shorthand: #shorthand }
    }
}

/// The keys of live fields, as a constant slice.
fn live(fields: &[Field]) -> TokenStream {
    let keys = fields.iter().filter(|field| field.live && !field.flatten).map(|field| &field.key);
    quote!(&[#(#keys),*])
}

fn emit_struct(declaration: &Declaration, fields: &[Field], shorthand: Option<&LitStr>) -> TokenStream {
    let Declaration { name, doc, .. } = declaration;
    let title = name.to_string();
    let rules = rules(fields);
    let opening = opening(fields, shorthand);
    let words = words(fields);
    let (statements, initialisers) = read_fields(fields);
    let writes = write_fields(fields, |field| {
        let name = &field.name;
        quote!(&self.#name)
    });
    let shape = describe_fields(fields, shorthand);
    let live = live(fields);
    let written = match fields.iter().any(|field| field.flatten) {
        true => {
            let bare_words = bare_words(fields);
            quote!(::settings::bind::shortest(entries, &#bare_words, &RULES))
        }
        false => quote!(::settings::Node::map(entries)),
    };
    quote! {
        const _: () = {
            #rules

            #[automatically_derived]
            impl ::settings::Setting for #name {
                fn read(node: &::settings::Node, cx: &mut ::settings::Reader) -> ::core::option::Option<Self> {
                    let opening = #opening;
                    let mut fields = ::settings::bind::Fields::open(node, cx, &opening)?;
                    let value = <Self as ::settings::bind::Part>::read_part(&mut fields, cx);
                    fields.close(cx);
                    value
                }

                fn describe(book: &mut ::settings::Book) -> ::settings::Shape {
                    let name = ::core::concat!(::core::module_path!(), "::", #title);
                    ::settings::bind::define_fields(book, name, #doc, |book| #shape)
                }

                fn write(&self) -> ::settings::Node {
                    let mut entries = ::std::vec::Vec::new();
                    <Self as ::settings::bind::Part>::write_part(self, &mut entries);
                    #written
                }

                fn words() -> ::std::vec::Vec<&'static str> {
                    #words
                }

                fn live_fields() -> &'static [&'static str] {
                    #live
                }
            }

            #[automatically_derived]
            impl ::settings::bind::Part for #name {
                #[allow(unused_variables)]
                fn read_part(
                    fields: &mut ::settings::bind::Fields<'_>,
                    cx: &mut ::settings::Reader,
                ) -> ::core::option::Option<Self> {
                    #statements
                    ::core::option::Option::Some(Self { #initialisers })
                }

                #[allow(unused_variables)]
                fn write_part(&self, entries: &mut ::std::vec::Vec<::settings::Entry>) {
                    #writes
                }
            }
        };
    }
}

/// The arm that reads one variant from `entry` and `alone`.
fn read_variant(index: usize, variant: &Variant) -> TokenStream {
    let name = &variant.name;
    match &variant.content {
        Content::Nothing => quote! {
            #index => { ::settings::bind::read_nothing(entry, cx)?; ::core::option::Option::Some(Self::#name) }
        },
        Content::Value(kind) => quote! {
            #index => ::settings::bind::read_behind::<#kind>(entry, alone, cx).map(Self::#name),
        },
        Content::Fields(fields) => {
            let rules = rules(fields);
            let opening = opening(fields, None);
            let (statements, initialisers) = read_fields(fields);
            quote! {
                #index => {
                    #rules
                    let read = |cx: &mut ::settings::Reader| -> ::core::option::Option<Self> {
                        let opening = #opening;
                        let mut fields = ::settings::bind::Fields::open(&entry.value, cx, &opening)?;
                        #statements
                        fields.close(cx);
                        ::core::option::Option::Some(Self::#name { #initialisers })
                    };
                    cx.within_key(entry, read)
                }
            }
        }
    }
}

/// The pattern of a variant, and the expression of its content, if any.
fn write_variant(variant: &Variant) -> (TokenStream, TokenStream) {
    let name = &variant.name;
    match &variant.content {
        Content::Nothing => (quote!(Self::#name), quote!(::core::option::Option::None)),
        Content::Value(kind) => (
            quote!(Self::#name(value)),
            quote!(::core::option::Option::Some(<#kind as ::settings::Setting>::write(value))),
        ),
        Content::Fields(fields) => {
            let bindings = fields.iter().map(|field| {
                let name = &field.name;
                let variable = variable(field);
                quote!(#name: #variable)
            });
            let writes = write_fields(fields, |field| {
                let variable = variable(field);
                quote!(#variable)
            });
            let body = quote! {{
                let mut list = ::std::vec::Vec::new();
                #[allow(unused_variables)]
                let entries = &mut list;
                #writes
                ::core::option::Option::Some(::settings::Node::map(list))
            }};
            (quote!(Self::#name { #(#bindings),* }), body)
        }
    }
}

/// The expression of a variant's shape.
fn describe_variant(variant: &Variant) -> TokenStream {
    let Variant { word, doc, live, .. } = variant;
    let content = match &variant.content {
        Content::Nothing => quote!(::settings::book::Content::Nothing),
        Content::Value(kind) => quote! {
            ::settings::book::Content::Value(<#kind as ::settings::Setting>::describe(book))
        },
        Content::Fields(fields) => {
            let rules = rules(fields);
            let shape = describe_fields(fields, None);
            quote! {{ #rules ::settings::book::Content::Fields(#shape) }}
        }
    };
    quote! {{
        let content = #content;
        ::settings::bind::describe_variant::<Self>(#word, #doc, #live, content)
    }}
}

fn emit_enum(declaration: &Declaration, variants: &[Variant], bare: Option<&Ident>) -> TokenStream {
    let Declaration { name, doc, .. } = declaration;
    let title = name.to_string();
    // The bare variant has no word of its own: a value is enough.
    let worded: Vec<&Variant> = variants.iter().filter(|variant| bare != Some(&variant.name)).collect();
    let bare_kind = variants.iter().find_map(|variant| match &variant.content {
        Content::Value(kind) if bare == Some(&variant.name) => Some(kind),
        _ => None,
    });
    let words: Vec<&String> = worded.iter().map(|variant| &variant.word).collect();
    let count = words.len();
    let has_bare = bare.is_some();
    let reads = worded.iter().enumerate().map(|(index, variant)| read_variant(index, variant));
    let read = match (bare, bare_kind) {
        (Some(bare), Some(kind)) => quote! {
            match ::settings::bind::choose(node, cx, &WORDS, #has_bare)? {
                ::settings::bind::Chosen::Variant { index, entry, alone } => Self::read_variant(index, &entry, alone, cx),
                ::settings::bind::Chosen::Bare => ::settings::bind::read_bare::<#kind>(node, &WORDS, cx).map(Self::#bare),
            }
        },
        _ => quote! {
            match ::settings::bind::choose(node, cx, &WORDS, #has_bare)? {
                ::settings::bind::Chosen::Variant { index, entry, alone } => Self::read_variant(index, &entry, alone, cx),
                ::settings::bind::Chosen::Bare => ::core::option::Option::None,
            }
        },
    };
    let writes = variants.iter().map(|variant| {
        let word = &variant.word;
        let (pattern, content) = write_variant(variant);
        let node = if bare == Some(&variant.name) {
            quote!((#content).unwrap_or_else(::settings::Node::null))
        } else {
            quote!(::settings::bind::write_variant(#word, #content))
        };
        quote!(#pattern => #node,)
    });
    let shapes = worded.iter().map(|variant| describe_variant(variant));
    let bare_shape = match bare_kind {
        Some(kind) => quote!(::core::option::Option::Some(<#kind as ::settings::Setting>::describe(book))),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        const _: () = {
            const WORDS: [&str; #count] = [#(#words),*];

            impl #name {
                #[allow(unused_variables)]
                fn read_variant(
                    index: usize,
                    entry: &::settings::Entry,
                    alone: bool,
                    cx: &mut ::settings::Reader,
                ) -> ::core::option::Option<Self> {
                    match index {
                        #(#reads)*
                        _ => ::core::option::Option::None,
                    }
                }
            }

            #[automatically_derived]
            impl ::settings::Setting for #name {
                fn read(node: &::settings::Node, cx: &mut ::settings::Reader) -> ::core::option::Option<Self> {
                    #read
                }

                fn describe(book: &mut ::settings::Book) -> ::settings::Shape {
                    let name = ::core::concat!(::core::module_path!(), "::", #title);
                    ::settings::bind::define_choice(book, name, #doc, |book| ::settings::book::ChoiceShape {
                        variants: ::std::vec![#(#shapes),*],
                        bare: #bare_shape,
                        tag: ::core::option::Option::None,
                    })
                }

                fn write(&self) -> ::settings::Node {
                    match self {
                        #(#writes)*
                    }
                }

                fn words() -> ::std::vec::Vec<&'static str> {
                    WORDS.to_vec()
                }
            }

            #[automatically_derived]
            impl ::settings::bind::Part for #name {
                fn read_part(
                    fields: &mut ::settings::bind::Fields<'_>,
                    cx: &mut ::settings::Reader,
                ) -> ::core::option::Option<Self> {
                    let (index, entry) = fields.take_choice(cx, &WORDS)?;
                    Self::read_variant(index, &entry, false, cx)
                }

                fn write_part(&self, entries: &mut ::std::vec::Vec<::settings::Entry>) {
                    ::settings::bind::write_choice_part(&<Self as ::settings::Setting>::write(self), entries);
                }

                fn bare_words() -> ::std::vec::Vec<&'static str> {
                    WORDS.to_vec()
                }
            }
        };
    }
}

/// An enum whose word is the value of a tag key, with the variant's settings beside it.
fn emit_tagged(declaration: &Declaration, variants: &[Variant], tag: &LitStr) -> TokenStream {
    let Declaration { name, doc, .. } = declaration;
    let title = name.to_string();
    let words: Vec<&String> = variants.iter().map(|variant| &variant.word).collect();
    let count = words.len();
    let keys = variants.iter().map(|variant| match &variant.content {
        Content::Nothing => quote!(::std::vec::Vec::new()),
        Content::Value(kind) => quote!(<#kind as ::settings::Setting>::words()),
        Content::Fields(fields) => self::words(fields),
    });
    let reads = variants.iter().enumerate().map(|(index, variant)| read_beside_tag(index, variant));
    let writes = variants.iter().map(write_beside_tag);
    let shapes = variants.iter().map(describe_variant);
    quote! {
        const _: () = {
            const WORDS: [&str; #count] = [#(#words),*];

            #[automatically_derived]
            impl ::settings::Setting for #name {
                fn read(node: &::settings::Node, cx: &mut ::settings::Reader) -> ::core::option::Option<Self> {
                    let opening = ::settings::bind::Opening {
                        own_words: ::std::vec![#tag],
                        ..::core::default::Default::default()
                    };
                    let mut fields = ::settings::bind::Fields::open(node, cx, &opening)?;
                    let value = <Self as ::settings::bind::Part>::read_part(&mut fields, cx);
                    fields.close(cx);
                    value
                }

                fn describe(book: &mut ::settings::Book) -> ::settings::Shape {
                    let name = ::core::concat!(::core::module_path!(), "::", #title);
                    ::settings::bind::define_choice(book, name, #doc, |book| ::settings::book::ChoiceShape {
                        variants: ::std::vec![#(#shapes),*],
                        bare: ::core::option::Option::None,
                        tag: ::core::option::Option::Some(#tag),
                    })
                }

                fn write(&self) -> ::settings::Node {
                    let mut entries = ::std::vec::Vec::new();
                    <Self as ::settings::bind::Part>::write_part(self, &mut entries);
                    ::settings::Node::map(entries)
                }

                fn words() -> ::std::vec::Vec<&'static str> {
                    let mut words = ::std::vec![#tag];
                    #(words.extend::<::std::vec::Vec<&'static str>>(#keys);)*
                    words
                }
            }

            #[automatically_derived]
            impl ::settings::bind::Part for #name {
                fn read_part(
                    fields: &mut ::settings::bind::Fields<'_>,
                    cx: &mut ::settings::Reader,
                ) -> ::core::option::Option<Self> {
                    match fields.take_tag(cx, #tag, &WORDS)? {
                        #(#reads)*
                        _ => ::core::option::Option::None,
                    }
                }

                fn write_part(&self, entries: &mut ::std::vec::Vec<::settings::Entry>) {
                    let word = match self {
                        #(#writes)*
                    };
                    entries.insert(0, ::settings::Entry::new(#tag, ::settings::Node::scalar(word)));
                }
            }
        };
    }
}

/// The arm that reads one variant from the keys beside its tag.
fn read_beside_tag(index: usize, variant: &Variant) -> TokenStream {
    let name = &variant.name;
    match &variant.content {
        Content::Nothing => quote!(#index => ::core::option::Option::Some(Self::#name),),
        Content::Value(kind) => quote! {
            #index => <#kind as ::settings::bind::Part>::read_part(fields, cx).map(Self::#name),
        },
        Content::Fields(fields) => {
            let rules = rules(fields);
            let (statements, initialisers) = read_fields(fields);
            quote! {
                #index => {
                    #rules
                    #statements
                    ::core::option::Option::Some(Self::#name { #initialisers })
                }
            }
        }
    }
}

/// The arm that writes one variant's settings to `entries` and gives its word.
fn write_beside_tag(variant: &Variant) -> TokenStream {
    let Variant { name, word, .. } = variant;
    match &variant.content {
        Content::Nothing => quote!(Self::#name => #word,),
        Content::Value(kind) => quote! {
            Self::#name(value) => { <#kind as ::settings::bind::Part>::write_part(value, entries); #word }
        },
        Content::Fields(fields) => {
            let bindings = fields.iter().map(|field| {
                let name = &field.name;
                let variable = variable(field);
                quote!(#name: #variable)
            });
            let writes = write_fields(fields, |field| {
                let variable = variable(field);
                quote!(#variable)
            });
            quote!(Self::#name { #(#bindings),* } => { #writes #word })
        }
    }
}
