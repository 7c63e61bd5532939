//! Generates a JSON Schema (draft-07) from the book, for completion and checking in any editor.
//!
//! Units become patterns, choices become objects with exactly one key in addition to their words, a tagged choice
//! becomes `if`/`then` on its tag (which completes better than `oneOf`), and every setting has its description, default
//! and range. The schema accepts what the reader accepts in its usual spelling (numbers without quotes and, where
//! fractions are allowed, without `_`). The reader rejects more, because existing names and matching parameters cannot
//! be checked by a schema.

use std::ops::Bound;

use serde_json::{Map, Value as Json, json};

use crate::bind::{range_in_words, split_range};
use crate::book::{self, Body, Book, ChoiceShape, Content, FieldShape, FieldsShape, ScalarShape, Shape, VariantShape};
use crate::tree::{Node, Value};

/// The schema of a document with this shape.
pub fn json_schema(book: &Book, shape: &Shape, title: &str) -> Json {
    let mut definitions = Map::new();
    for scalar in scalars(book, shape) {
        let schema = scalar_schema(scalar);
        let other = definitions.insert(scalar_name(scalar), schema.clone());
        debug_assert!(other.is_none_or(|other| other == schema), "two scalars are called `{}`", scalar.name);
    }
    for definition in book.definitions() {
        let mut schema = match &definition.body {
            Body::Pending => json!({}),
            Body::Fields(fields) => fields_schema(book, fields),
            Body::Choice(choice) => choice_schema(book, choice),
        };
        describe(&mut schema, &definition.doc);
        definitions.insert(definition_name(book, &definition.name), schema);
    }
    let mut schema = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": title });
    if let (Json::Object(root), Json::Object(content)) = (&mut schema, shape_schema(book, shape)) {
        root.extend(content);
        root.insert("definitions".to_string(), Json::Object(definitions));
    }
    schema
}

fn definition_name(book: &Book, name: &str) -> String {
    book.title(name).replace("::", ".")
}

fn scalar_name(scalar: &ScalarShape) -> String {
    scalar.name.replace(' ', "_")
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn describe(schema: &mut Json, doc: &str) {
    if let Json::Object(object) = schema
        && !doc.is_empty()
    {
        object.insert("description".to_string(), json!(doc));
    }
}

fn any_of(mut schemas: Vec<Json>) -> Json {
    if schemas.len() == 1 { schemas.remove(0) } else { json!({ "anyOf": schemas }) }
}

fn scalar_schema(scalar: &ScalarShape) -> Json {
    let form = |json: &book::Json| match json {
        book::Json::Text => json!({ "type": "string" }),
        book::Json::Pattern => json!({ "type": "string", "pattern": scalar.pattern.unwrap_or("") }),
        book::Json::Number => json!({ "type": "number" }),
        book::Json::Integer => json!({ "type": "integer" }),
        book::Json::Natural => json!({ "type": "integer", "minimum": 0 }),
        book::Json::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        book::Json::Boolean => json!({ "type": "boolean" }),
    };
    let mut schema = any_of(scalar.json.iter().map(form).collect());
    if let Json::Object(object) = &mut schema {
        object.insert("title".to_string(), json!(scalar.name));
        object.insert("examples".to_string(), json!(scalar.examples));
    }
    schema
}

fn shape_schema(book: &Book, shape: &Shape) -> Json {
    match shape {
        Shape::Scalar(scalar) => reference(&scalar_name(scalar)),
        Shape::List(member) => json!({ "type": "array", "items": shape_schema(book, member) }),
        Shape::Pair(member) => {
            json!({ "type": "array", "items": shape_schema(book, member), "minItems": 2, "maxItems": 2 })
        }
        Shape::OneOrMany(member) => {
            let one = shape_schema(book, member);
            json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
        Shape::Map(key, value) => {
            let mut schema = json!({ "type": "object", "additionalProperties": shape_schema(book, value) });
            if let (Some(pattern), Json::Object(object)) = (key.pattern, &mut schema) {
                object.insert("propertyNames".to_string(), json!({ "pattern": pattern }));
            }
            schema
        }
        Shape::NullOr(value) => json!({ "anyOf": [{ "type": "null" }, shape_schema(book, value)] }),
        Shape::AnyOf(shapes) => any_of(shapes.iter().map(|shape| shape_schema(book, shape)).collect()),
        Shape::Named(name) => reference(&definition_name(book, name)),
        Shape::Anything => json!({}),
        // Not allowed anywhere; maps and choices leave such keys out, so that editors do not offer them.
        Shape::NotYet => json!({ "not": {} }),
    }
}

/// The schema of one setting, with everything an editor can show about it.
fn field_schema(book: &Book, field: &FieldShape) -> Json {
    let mut schema = match shape_schema(book, &field.shape) {
        // Siblings of a reference are ignored in draft-07.
        Json::Object(object) if object.contains_key("$ref") => json!({ "allOf": [object] }),
        other => other,
    };
    let mut doc = field.doc.to_string();
    if let Some(range) = field.range {
        doc.push_str(&format!("\n\nRange: {}.", range_in_words(range)));
    }
    if let Some(default) = &field.default {
        doc.push_str(&format!("\n\nDefault: `{default}`."));
    }
    if field.live {
        doc.push_str("\n\nMay change during a run.");
    }
    describe(&mut schema, doc.trim_start());
    let Json::Object(object) = &mut schema else {
        return schema;
    };
    if let Some(default) = &field.default {
        object.insert("default".to_string(), to_json(default));
    }
    if let Some(example) = field.example {
        object.insert("examples".to_string(), json!([example]));
    }
    if let Some(range) = field.range {
        limit(object, range);
    }
    schema
}

/// Adds the limits of a range whose bounds are plain numbers; they apply only to values written as numbers.
fn limit(object: &mut Map<String, Json>, range: &str) {
    let (low, high) = split_range(range);
    let ends = [(low, "minimum", "exclusiveMinimum"), (high, "maximum", "exclusiveMaximum")];
    for (end, included, excluded) in ends {
        let (key, text) = match end {
            Bound::Unbounded => continue,
            Bound::Included(text) => (included, text),
            Bound::Excluded(text) => (excluded, text),
        };
        if let number @ Json::Number(_) = to_json(&Node::scalar(text)) {
            object.insert(key.to_string(), number);
        }
    }
}

/// The keys of a map, including those of flattened parts.
#[derive(Default)]
struct Keys {
    properties: Map<String, Json>,
    required: Vec<Json>,
    /// Further conditions, such as "exactly one of these keys".
    conditions: Vec<Json>,
    /// Whether the keys depend on a tag and cannot all be listed.
    open: bool,
    /// Words that may be written alone in place of the whole map.
    alone: Vec<&'static str>,
    /// Whether a required key other than those words prevents a word from being written alone.
    others_required: bool,
}

impl Keys {
    fn of(book: &Book, shape: &FieldsShape) -> Keys {
        let mut keys = Keys::default();
        keys.add(book, shape, true);
        keys
    }

    fn add(&mut self, book: &Book, shape: &FieldsShape, required: bool) {
        for field in shape.fields.iter().filter(|field| field.shape != Shape::NotYet) {
            if field.flattened {
                self.add_part(book, field, required);
                continue;
            }
            self.properties.insert(field.key.to_string(), field_schema(book, field));
            if field.required && required {
                self.required.push(json!(field.key));
                self.others_required = true;
            }
        }
    }

    fn add_part(&mut self, book: &Book, field: &FieldShape, required: bool) {
        let Shape::Named(name) = &field.shape else {
            return;
        };
        match book.definition(name).map(|definition| &definition.body) {
            Some(Body::Fields(fields)) => self.add(book, fields, required && field.required),
            Some(Body::Choice(choice)) => match choice.tag {
                Some(tag) => self.add_tagged(book, choice, tag),
                None => self.add_choice(book, choice, required && field.required),
            },
            _ => {}
        }
    }

    /// Adds the words of a choice as keys: exactly one of them, or at most one if the choice has a default.
    fn add_choice(&mut self, book: &Book, choice: &ChoiceShape, required: bool) {
        let mut one_of: Vec<Json> = Vec::new();
        for variant in present(choice) {
            self.properties.insert(variant.word.to_string(), variant_schema(book, variant));
            one_of.push(json!({ "required": [variant.word] }));
            if variant.alone {
                self.alone.push(variant.word);
            }
        }
        if !required {
            let none = json!({ "not": { "anyOf": one_of } });
            one_of.push(none);
        }
        self.conditions.push(json!({ "oneOf": one_of }));
    }

    /// Adds the tag, and for each of its words the keys beside it.
    fn add_tagged(&mut self, book: &Book, choice: &ChoiceShape, tag: &'static str) {
        let variants: Vec<VariantShape> = present(choice).cloned().collect();
        self.properties.insert(tag.to_string(), words_schema(&variants));
        self.required.push(json!(tag));
        self.others_required = true;
        self.open = true;
        let common = self.properties.clone();
        for variant in &variants {
            let mut beside = Keys { properties: common.clone(), ..Keys::default() };
            match &variant.content {
                Content::Nothing => {}
                Content::Fields(fields) => beside.add(book, fields, true),
                Content::Value(Shape::Named(name)) => match book.definition(name).map(|definition| &definition.body) {
                    Some(Body::Fields(fields)) => beside.add(book, fields, true),
                    _ => beside.open = true,
                },
                Content::Value(_) => beside.open = true,
            }
            let when = json!({ "properties": { (tag): { "const": variant.word } }, "required": [tag] });
            self.conditions.push(json!({ "if": when, "then": beside.into_schema() }));
        }
    }

    fn into_schema(self) -> Json {
        let mut schema = json!({ "type": "object", "properties": self.properties });
        if let Json::Object(object) = &mut schema {
            if !self.required.is_empty() {
                object.insert("required".to_string(), json!(self.required));
            }
            if !self.conditions.is_empty() {
                object.insert("allOf".to_string(), json!(self.conditions));
            }
            if !self.open {
                object.insert("additionalProperties".to_string(), json!(false));
            }
        }
        schema
    }
}

fn fields_schema(book: &Book, shape: &FieldsShape) -> Json {
    let mut keys = Keys::of(book, shape);
    // A tagged part only knows the keys that were added before it; keys added later are allowed there too.
    if keys.open {
        let common = keys.properties.clone();
        for condition in &mut keys.conditions {
            if let Some(Json::Object(beside)) = condition.pointer_mut("/then/properties") {
                for (key, schema) in &common {
                    beside.entry(key.clone()).or_insert_with(|| schema.clone());
                }
            }
        }
    }
    let alone = if keys.others_required { Vec::new() } else { std::mem::take(&mut keys.alone) };
    let mut forms = vec![keys.into_schema()];
    if !alone.is_empty() {
        forms.push(json!({ "enum": alone }));
    }
    if let Some(field) = shape.fields.iter().find(|field| Some(field.key) == shape.shorthand) {
        forms.push(shape_schema(book, &field.shape));
    }
    any_of(forms)
}

/// The words of a choice that this version supports.
fn present(choice: &ChoiceShape) -> impl Iterator<Item = &VariantShape> {
    choice.variants.iter().filter(|variant| variant.content != Content::Value(Shape::NotYet))
}

fn words_schema(variants: &[VariantShape]) -> Json {
    let words: Vec<&str> = variants.iter().map(|variant| variant.word).collect();
    let docs: Vec<&str> = variants.iter().map(|variant| variant.doc).collect();
    // The second key is understood by editors that use the common YAML language server, and ignored by others.
    json!({ "enum": words, "markdownEnumDescriptions": docs })
}

fn variant_schema(book: &Book, variant: &VariantShape) -> Json {
    let mut schema = match &variant.content {
        Content::Nothing => json!({ "anyOf": [{ "type": "object", "maxProperties": 0 }, { "type": "null" }] }),
        Content::Fields(fields) => fields_schema(book, fields),
        Content::Value(shape) => match shape_schema(book, shape) {
            Json::Object(object) if object.contains_key("$ref") => json!({ "allOf": [object] }),
            other => other,
        },
    };
    let live = if variant.live { "\n\nMay change during a run." } else { "" };
    describe(&mut schema, &format!("{}{live}", variant.doc));
    schema
}

fn choice_schema(book: &Book, choice: &ChoiceShape) -> Json {
    if let Some(tag) = choice.tag {
        let mut keys = Keys::default();
        keys.add_tagged(book, choice, tag);
        return keys.into_schema();
    }
    let mut forms = Vec::new();
    let alone: Vec<VariantShape> = choice.variants.iter().filter(|variant| variant.alone).cloned().collect();
    if !alone.is_empty() {
        forms.push(words_schema(&alone));
    }
    let mut properties = Map::new();
    for variant in present(choice) {
        properties.insert(variant.word.to_string(), variant_schema(book, variant));
    }
    forms.push(json!({
        "type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1,
        "additionalProperties": false,
    }));
    forms.extend(choice.bare.as_ref().map(|bare| shape_schema(book, bare)));
    any_of(forms)
}

/// Converts a tree to JSON: unquoted numbers and booleans become JSON numbers and booleans.
pub fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar { text, plain: false } => json!(text),
        Value::Scalar { text, plain: true } => match text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(number), _) => json!(number),
                (_, Ok(number)) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => json!(number),
                _ => json!(text),
            },
        },
        Value::List(members) => Json::Array(members.iter().map(to_json).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect())
        }
    }
}

/// All scalar shapes that a shape or the book mentions, each once, sorted by name.
fn scalars(book: &Book, shape: &Shape) -> Vec<&'static ScalarShape> {
    let mut found: Vec<&'static ScalarShape> = Vec::new();
    let mut visit = |shape: &Shape| collect_scalars(shape, &mut found);
    visit(shape);
    for definition in book.definitions() {
        match &definition.body {
            Body::Pending => {}
            Body::Fields(fields) => fields.fields.iter().for_each(|field| visit(&field.shape)),
            Body::Choice(choice) => {
                choice.bare.iter().for_each(&mut visit);
                for variant in &choice.variants {
                    match &variant.content {
                        Content::Nothing => {}
                        Content::Value(shape) => visit(shape),
                        Content::Fields(fields) => fields.fields.iter().for_each(|field| visit(&field.shape)),
                    }
                }
            }
        }
    }
    found.sort_by_key(|scalar| scalar.name);
    found
}

fn collect_scalars(shape: &Shape, found: &mut Vec<&'static ScalarShape>) {
    match shape {
        Shape::Scalar(scalar) => {
            if !found.iter().any(|known| known.name == scalar.name) {
                found.push(scalar);
            }
        }
        Shape::List(inner) | Shape::Pair(inner) | Shape::OneOrMany(inner) | Shape::NullOr(inner) => {
            collect_scalars(inner, found);
        }
        Shape::Map(_, inner) => collect_scalars(inner, found),
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| collect_scalars(shape, found)),
        Shape::Named(_) | Shape::Anything | Shape::NotYet => {}
    }
}
