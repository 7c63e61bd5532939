//! The declaration of a settings type, as given by its attributes and doc comments.

use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Lit, LitStr, Meta, Result, Type};

/// A derived type.
pub(crate) struct Declaration {
    pub(crate) name: Ident,
    pub(crate) doc: String,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Struct { fields: Vec<Field>, shorthand: Option<LitStr> },
    Enum { variants: Vec<Variant>, bare: Option<Ident>, tag: Option<LitStr> },
}

/// A named field.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) key: String,
    pub(crate) doc: String,
    pub(crate) kind: Type,
    pub(crate) default: Default,
    pub(crate) range: Option<LitStr>,
    pub(crate) live: bool,
    pub(crate) flatten: bool,
    pub(crate) example: Option<LitStr>,
}

pub(crate) enum Default {
    Missing,
    Written(LitStr),
    Rust,
}

/// A word of an enum.
pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) word: String,
    pub(crate) doc: String,
    pub(crate) live: bool,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    Nothing,
    Value(Box<Type>),
    Fields(Vec<Field>),
}

impl Declaration {
    pub(crate) fn parse(input: &DeriveInput) -> Result<Declaration> {
        if !input.generics.params.is_empty() {
            return Err(Error::new(input.generics.span(), "settings cannot be generic"));
        }
        let body = match &input.data {
            Data::Struct(data) => {
                let fields = parse_fields(&data.fields)?;
                let mut shorthand = None;
                for_each_setting(&input.attrs, |meta| {
                    if meta.path.is_ident("shorthand") {
                        shorthand = Some(meta.value()?.parse()?);
                        return Ok(());
                    }
                    Err(meta.error("a struct knows only `shorthand`"))
                })?;
                if let Some(key) = &shorthand {
                    let key: &LitStr = key;
                    if !fields.iter().any(|field| field.key == key.value() && !field.flatten) {
                        return Err(Error::new(key.span(), "the shorthand must be the key of a field"));
                    }
                }
                Body::Struct { fields, shorthand }
            }
            Data::Enum(data) => {
                let variants: Vec<Variant> = data.variants.iter().map(Variant::parse).collect::<Result<_>>()?;
                let (mut bare, mut tag): (Option<LitStr>, Option<LitStr>) = (None, None);
                for_each_setting(&input.attrs, |meta| {
                    if meta.path.is_ident("bare") {
                        bare = Some(meta.value()?.parse()?);
                    } else if meta.path.is_ident("tag") {
                        tag = Some(meta.value()?.parse()?);
                    } else {
                        return Err(meta.error("an enum knows only `bare` and `tag`"));
                    }
                    Ok(())
                })?;
                if let (Some(_), Some(tag)) = (&bare, &tag) {
                    return Err(Error::new(tag.span(), "an enum with a tag has no bare variant"));
                }
                let bare = bare.map(|name| bare_variant(&name, &variants)).transpose()?;
                Body::Enum { variants, bare, tag }
            }
            Data::Union(data) => return Err(Error::new(data.union_token.span(), "settings are structs or enums")),
        };
        Ok(Declaration { name: input.ident.clone(), doc: doc(&input.attrs), body })
    }
}

fn bare_variant(name: &LitStr, variants: &[Variant]) -> Result<Ident> {
    let variant = variants.iter().find(|variant| variant.name == name.value());
    match variant {
        Some(Variant { name, content: Content::Value(_), .. }) => Ok(name.clone()),
        Some(_) => Err(Error::new(name.span(), "the bare variant must hold one value")),
        None => Err(Error::new(name.span(), "there is no such variant")),
    }
}

impl Variant {
    fn parse(variant: &syn::Variant) -> Result<Variant> {
        let mut word = snake_case(&variant.ident.to_string());
        let mut live = false;
        for_each_setting(&variant.attrs, |meta| {
            if meta.path.is_ident("rename") {
                word = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("live") {
                live = true;
            } else {
                return Err(meta.error("a variant knows only `rename` and `live`"));
            }
            Ok(())
        })?;
        let content = match &variant.fields {
            Fields::Unit => Content::Nothing,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                Content::Value(Box::new(fields.unnamed[0].ty.clone()))
            }
            Fields::Unnamed(fields) => {
                return Err(Error::new(fields.span(), "a variant holds one value or named fields"));
            }
            Fields::Named(_) => Content::Fields(parse_fields(&variant.fields)?),
        };
        Ok(Variant { name: variant.ident.clone(), word, doc: doc(&variant.attrs), live, content })
    }
}

fn parse_fields(fields: &Fields) -> Result<Vec<Field>> {
    match fields {
        Fields::Named(fields) => fields.named.iter().map(Field::parse).collect(),
        Fields::Unit => Ok(Vec::new()),
        Fields::Unnamed(fields) => Err(Error::new(fields.span(), "settings need named fields")),
    }
}

impl Field {
    fn parse(field: &syn::Field) -> Result<Field> {
        let Some(name) = field.ident.clone() else {
            return Err(Error::new(field.span(), "settings need named fields"));
        };
        let key = name.to_string().trim_start_matches("r#").to_string();
        let mut parsed = Field {
            name,
            key,
            doc: doc(&field.attrs),
            kind: field.ty.clone(),
            default: Default::Missing,
            range: None,
            live: false,
            flatten: false,
            example: None,
        };
        for_each_setting(&field.attrs, |meta| {
            if meta.path.is_ident("default") {
                parsed.default = match meta.value() {
                    Ok(value) => Default::Written(written(&value.parse()?)?),
                    Err(_) => Default::Rust,
                };
            } else if meta.path.is_ident("range") {
                parsed.range = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("rename") {
                parsed.key = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("example") {
                parsed.example = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("live") {
                parsed.live = true;
            } else if meta.path.is_ident("flatten") {
                parsed.flatten = true;
            } else {
                return Err(meta.error("a field knows `default`, `range`, `rename`, `example`, `live` and `flatten`"));
            }
            Ok(())
        })?;
        if parsed.flatten && (parsed.range.is_some() || matches!(parsed.default, Default::Rust)) {
            return Err(Error::new(field.span(), "a flattened field takes neither `range` nor a bare `default`"));
        }
        Ok(parsed)
    }
}

/// A default as written in a scenario: text, or a number or boolean without quotes.
fn written(value: &Expr) -> Result<LitStr> {
    let (sign, literal) = match value {
        Expr::Lit(ExprLit { lit, .. }) => ("", lit),
        Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => match &**expr {
            Expr::Lit(ExprLit { lit, .. }) => ("-", lit),
            _ => return Err(Error::new(value.span(), "a default is a literal")),
        },
        _ => return Err(Error::new(value.span(), "a default is a literal")),
    };
    let text = match literal {
        Lit::Str(text) if sign.is_empty() => return Ok(text.clone()),
        Lit::Int(number) => format!("{sign}{}", number.base10_digits()),
        Lit::Float(number) => format!("{sign}{}", number.base10_digits()),
        Lit::Bool(truth) if sign.is_empty() => truth.value.to_string(),
        _ => return Err(Error::new(literal.span(), "a default is a text, a number, `true` or `false`")),
    };
    Ok(LitStr::new(&text, literal.span()))
}

fn for_each_setting(
    attributes: &[Attribute],
    mut each: impl FnMut(syn::meta::ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("setting")) {
        attribute.parse_nested_meta(&mut each)?;
    }
    Ok(())
}

/// The doc comment, keeping its line breaks.
fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines
                .extend(text.value().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_string()));
            if text.value().is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines.join("\n").trim().to_string()
}

/// Converts `PowerOfTwo` to `power_of_two`: a capital starts a word unless another capital precedes it.
fn snake_case(name: &str) -> String {
    let mut word = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before != '_' && !before.is_uppercase() {
            word.push('_');
        }
        word.extend(c.to_lowercase());
        before = c;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_variants_in_snake_case() {
        for (name, word) in [
            ("Lifo", "lifo"),
            ("PowerOfTwo", "power_of_two"),
            ("S3Fifo", "s3_fifo"),
            ("Resilience4j", "resilience4j"),
            ("Gradient2", "gradient2"),
            ("LIFO", "lifo"),
        ] {
            assert_eq!(snake_case(name), word);
        }
    }

    #[test]
    fn wrong_declarations_are_refused() {
        for declaration in [
            "struct A<T> { a: T }",
            "struct A(u32);",
            "#[setting(shorthand = \"b\")] struct A { a: u32 }",
            "#[setting(bare = \"B\")] enum A { B }",
            "#[setting(bare = \"C\")] enum A { B(u32) }",
            "enum A { B(u32, u32) }",
            "struct A { #[setting(defualt = \"1\")] a: u32 }",
            "struct A { #[setting(flatten, range = \"1..\")] a: B }",
        ] {
            let input: DeriveInput = syn::parse_str(declaration).expect(declaration);
            assert!(Declaration::parse(&input).is_err(), "{declaration}");
        }
    }
}
