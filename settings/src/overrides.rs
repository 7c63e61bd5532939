//! Overrides that reach inside short forms.
//!
//! `call: edge` means `call: {to: edge}`, so an override of `call.timeout` should find a map there. Before a tree is
//! patched, the short forms along the path are expanded, using the book.

use crate::book::{Body, Book, ChoiceShape, Content, FieldsShape, Shape};
use crate::place::Path;
use crate::tree::{Entry, Node, Value};

/// Expands the short forms along a path, so that the path exists as far as the tree has it. The meaning of the tree
/// does not change, and a path that leads nowhere changes nothing.
pub fn write_out(book: &Book, shape: &Shape, node: &mut Node, path: &Path) {
    along(book, shape, node, path.segments());
}

fn along(book: &Book, shape: &Shape, node: &mut Node, path: &[String]) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    match shape {
        Shape::Scalar(_) | Shape::Anything | Shape::NotYet => {}
        Shape::List(member) | Shape::Pair(member) => {
            if let Some(child) = child(node, segment) {
                along(book, member, child, rest);
            }
        }
        Shape::OneOrMany(member) => match node.value {
            Value::List(_) => {
                if let Some(child) = child(node, segment) {
                    along(book, member, child, rest);
                }
            }
            _ => along(book, member, node, path),
        },
        Shape::Map(_, value) => {
            if let Some(child) = child(node, segment) {
                along(book, value, child, rest);
            }
        }
        Shape::NullOr(value) => along(book, value, node, path),
        Shape::AnyOf(shapes) => {
            shapes.iter().for_each(|shape| spell_out(book, shape, node, segment));
            shapes.iter().for_each(|shape| along(book, shape, node, path));
        }
        Shape::Named(name) => match book.definition(name).map(|definition| &definition.body) {
            Some(Body::Fields(fields)) => along_fields(book, fields, node, path),
            Some(Body::Choice(choice)) => along_choice(book, choice, node, path),
            _ => {}
        },
    }
}

/// Expands a named preset into its settings, as far as it defines them, if the path leads to one of them past the name.
fn spell_out(book: &Book, shape: &Shape, node: &mut Node, segment: &str) {
    let Shape::Named(name) = shape else { return };
    let Some(Body::Choice(choice)) = book.definition(name).map(|definition| &definition.body) else { return };
    let (word, written) = match &node.value {
        Value::Scalar { text, .. } => (text.as_str(), &[][..]),
        Value::Map(entries) => match entries.as_slice() {
            [only] => (only.key.as_str(), only.value.entries().unwrap_or_default()),
            _ => return,
        },
        _ => return,
    };
    let Some(variant) = choice.variants.iter().find(|variant| variant.word == word) else { return };
    let Content::Fields(fields) = &variant.content else { return };
    let leads_past = choice.tag.is_none() && choice.variants.iter().all(|variant| variant.word != segment);
    if !leads_past || fields.fields.iter().all(|field| field.key != segment) {
        return;
    }
    let span = node.span;
    let given = fields.fields.iter().filter_map(|field| {
        let own = written.iter().find(|entry| entry.key == field.key).cloned();
        own.or_else(|| {
            let mut value = field.default.clone()?;
            value.relocate(span);
            Some(Entry { key: field.key.to_string(), key_span: span, value })
        })
    });
    *node = Node::new(Value::Map(given.collect()), span);
}

fn along_fields(book: &Book, shape: &FieldsShape, node: &mut Node, path: &[String]) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    let mut keys = Vec::new();
    let mut alone = Vec::new();
    collect_keys(book, shape, &mut keys, &mut alone);
    if !keys.contains(&segment.as_str()) {
        // The path may lead into the value of the shorthand's key.
        if let Some(field) = shape.fields.iter().find(|field| Some(field.key) == shape.shorthand)
            && node.entry(field.key).is_none()
        {
            along(book, &field.shape, node, path);
        }
        return;
    }
    let own_map = node
        .entries()
        .is_some_and(|entries| entries.is_empty() || entries.iter().any(|entry| keys.contains(&entry.key.as_str())));
    if !own_map && node.value != Value::Null {
        match (node.as_text(), shape.shorthand) {
            (Some(word), _) if alone.contains(&word) => {
                let word = word.to_string();
                wrap(node, &word, true);
            }
            (_, Some(key)) => wrap(node, key, false),
            _ => return,
        }
    }
    if let Some(field) = shape.fields.iter().find(|field| !field.flattened && field.key == segment) {
        if let Some(child) = child(node, segment) {
            along(book, &field.shape, child, rest);
        }
        return;
    }
    for field in shape.fields.iter().filter(|field| field.flattened) {
        along(book, &field.shape, node, path);
    }
}

fn along_choice(book: &Book, choice: &ChoiceShape, node: &mut Node, path: &[String]) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    if let Some(tag) = choice.tag {
        let word = node.entry(tag).and_then(|entry| entry.value.as_text()).map(str::to_string);
        if let Some(variant) = choice.variants.iter().find(|variant| Some(variant.word) == word.as_deref()) {
            match &variant.content {
                Content::Nothing => {}
                Content::Value(shape) => along(book, shape, node, path),
                Content::Fields(fields) => along_fields(book, fields, node, path),
            }
        }
        return;
    }
    let Some(variant) = choice.variants.iter().find(|variant| variant.word == segment) else {
        if let Some(bare) = &choice.bare {
            along(book, bare, node, path);
        }
        return;
    };
    if node.as_text() == Some(variant.word) && !rest.is_empty() {
        wrap(node, variant.word, true);
    }
    let Some(child) = child(node, segment) else { return };
    match &variant.content {
        Content::Nothing => {}
        Content::Value(shape) => along(book, shape, child, rest),
        Content::Fields(fields) => along_fields(book, fields, child, rest),
    }
}

/// The keys of a map including those of its flattened parts, and the words that may be written alone in its place.
fn collect_keys(book: &Book, shape: &FieldsShape, keys: &mut Vec<&'static str>, alone: &mut Vec<&'static str>) {
    for field in &shape.fields {
        if !field.flattened {
            keys.push(field.key);
            continue;
        }
        let Shape::Named(name) = &field.shape else { continue };
        match book.definition(name).map(|definition| &definition.body) {
            Some(Body::Fields(fields)) => collect_keys(book, fields, keys, alone),
            Some(Body::Choice(choice)) => match choice.tag {
                Some(tag) => {
                    keys.push(tag);
                    for variant in &choice.variants {
                        match &variant.content {
                            Content::Fields(fields) => collect_keys(book, fields, keys, alone),
                            Content::Value(Shape::Named(name)) => {
                                if let Some(Body::Fields(fields)) = book.definition(name).map(|inner| &inner.body) {
                                    collect_keys(book, fields, keys, alone);
                                }
                            }
                            _ => {}
                        }
                    }
                }
                None => {
                    keys.extend(choice.variants.iter().map(|variant| variant.word));
                    alone.extend(choice.variants.iter().filter(|variant| variant.alone).map(|variant| variant.word));
                }
            },
            _ => {}
        }
    }
}

/// Makes a value the only entry of a map, or, if the value is the key itself, an entry with an empty map.
fn wrap(node: &mut Node, key: &str, is_key: bool) {
    let span = node.span;
    let inner = if is_key { Node::new(Value::Map(Vec::new()), span) } else { node.clone() };
    *node = Node::new(Value::Map(vec![Entry { key: key.to_string(), key_span: span, value: inner }]), span);
}

fn child<'n>(node: &'n mut Node, segment: &str) -> Option<&'n mut Node> {
    match &mut node.value {
        Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == segment).map(|entry| &mut entry.value),
        Value::List(members) => members.get_mut(segment.parse::<usize>().ok()?),
        _ => None,
    }
}
