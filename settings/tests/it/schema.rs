//! The schema against the reader: the schema accepts what the reader accepts, and both reject structural errors.

use serde_json::{Value as Json, json};
use settings::book::Shape;
use settings::schema::{json_schema, to_json};
use settings::{Book, CountDist, DurationDist, KeyChooser, Map, Setting, SourceId, notation};

use crate::types::*;

/// Whether a value satisfies a schema, for the keywords that our schemas use, as defined in the specification. Patterns
/// are ignored.
fn valid(root: &Json, schema: &Json, value: &Json) -> bool {
    let Json::Object(keywords) = schema else { return schema != &json!(false) };
    let all = |list: &Json| {
        list.as_array().into_iter().flatten().map(|schema| valid(root, schema, value)).collect::<Vec<_>>()
    };
    keywords.iter().all(|(keyword, argument)| match keyword.as_str() {
        "$ref" => {
            let name = argument.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
            valid(root, root.pointer(name).unwrap_or_else(|| panic!("{name} is not defined")), value)
        }
        "type" => match argument.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            other => panic!("type {other:?}"),
        },
        "enum" => argument.as_array().expect("a list").contains(value),
        "const" => argument == value,
        "anyOf" => all(argument).contains(&true),
        "oneOf" => all(argument).iter().filter(|good| **good).count() == 1,
        "allOf" => !all(argument).contains(&false),
        "not" => !valid(root, argument, value),
        "if" => !valid(root, argument, value) || valid(root, &keywords["then"], value),
        "then" => true,
        "properties" => value.as_object().is_none_or(|object| {
            object.iter().all(|(key, value)| argument.get(key).is_none_or(|schema| valid(root, schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = |key: &str| keywords.get("properties").is_some_and(|properties| properties.get(key).is_some());
            object.iter().all(|(key, value)| known(key) || valid(root, argument, value))
        }),
        "required" => value.as_object().is_none_or(|object| {
            argument.as_array().expect("a list").iter().all(|key| object.contains_key(key.as_str().expect("a key")))
        }),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|value| valid(root, argument, value))),
        "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= argument.as_u64().expect("a number")),
        "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= argument.as_u64().expect("a number")),
        "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= argument.as_u64().expect("a number")),
        "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= argument.as_u64().expect("a number")),
        "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|number| number <= argument.as_f64().expect("a number")),
        "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > argument.as_f64().expect("a number")),
        "exclusiveMaximum" => value.as_f64().is_none_or(|number| number < argument.as_f64().expect("a number")),
        "pattern"
        | "propertyNames"
        | "title"
        | "description"
        | "default"
        | "examples"
        | "markdownEnumDescriptions"
        | "$schema"
        | "definitions" => true,
        other => panic!("the schema uses `{other}`, which this test does not know"),
    })
}

fn schema_of<T: Setting>() -> Json {
    let mut book = Book::new();
    let shape: Shape = T::describe(&mut book);
    json_schema(&book, &shape, "test")
}

/// Checks that reader and schema agree on each text.
fn agree<T: Setting>(accepted: &[&str], refused: &[&str]) {
    let schema = schema_of::<T>();
    for (texts, expected) in [(accepted, true), (refused, false)] {
        for text in texts {
            let node = notation::parse(text, SourceId(0)).expect(text);
            assert_eq!(notation::read::<T>(text).is_ok(), expected, "the reader on {text}");
            assert_eq!(valid(&schema, &schema, &to_json(&node)), expected, "the schema on {text}\n{schema:#}");
        }
    }
}

#[test]
fn schema_and_reader_agree() {
    agree::<Pool>(
        &[
            "{size: 20}",
            "{size: 20, order: codel}",
            "{size: 1, max_waiters: 3, order: {codel: {target: 1ms}}}",
            "{size: 10k}",
        ],
        &[
            "{}",
            "{size: 0}",
            "{size: 1, sise: 2}",
            "{size: 1, order: {fifo: {}, lifo: {}}}",
            "{size: [1]}",
            "{size: -1}",
        ],
    );
    agree::<Backoff>(
        &["none", "{fixed: 1s}", "{exponential: {base: 1s}, jitter: full}", "{none: {}, jitter: none}"],
        &["{}", "{jitter: full}", "exponential", "{fixed: 1s, none: {}}", "{exponential: {}}"],
    );
    agree::<Link>(
        &["edge", "[a, b]", "{to: a}", "{to: [{to: a, weight: 2}, b], retry: {backoff: none}}", "[{to: a}]"],
        &["{timeout: 1s}", "{to: []}", "{to: a, retry: {max_attempts: 101}}", "{to: a, retry: {when: [x]}}"],
    );
    agree::<Fault>(
        &["{at: 1s, kill: a}", "{at: 1s, for: 2s, slow: {component: a, factor: 2}}"],
        &[
            "{at: 1s}",
            "{at: 1s, kill: a, slow: {component: a, factor: 2}}",
            "{at: 1s, slow: {component: a, factor: 0}}",
        ],
    );
    agree::<Operation>(&["5ms", "{exp: 5ms}", "{io: {exp: 5ms}, cpu: 1ms}", "{}"], &["{ioo: 5ms}", "[1ms]"]);
    agree::<Component>(
        &["{kind: sink}", "{kind: external_thing, limit: null}", "{kind: service, replicas: 3}"],
        &["{}", "{kind: sonk}", "{kind: sink, replicas: 3}", "{kind: service, limit: 3}", "{kind: external_thing}"],
    );
    agree::<Placed>(
        &["{kind: sink, region: a}", "{kind: service, depth: -1, visible: false, replicas: 3}"],
        &["{kind: sink, replicas: 3}", "{region: a}", "{kind: service, visible: maybe}"],
    );
    agree::<Map<Vec<Step>>>(
        &["{a: [{wait: 1ms}, {repeat: {times: 2, steps: [{wait: {exp: 1s}}]}}]}", "{}"],
        &["{a: [{wait: 1ms, repeat: {times: 1, steps: []}}]}", "{a: {wait: 1ms}}", "[]"],
    );
    agree::<DurationDist>(
        &[
            "5ms",
            "{exp: 5ms}",
            "{uniform: [1ms, 2ms]}",
            "{mixture: [{weight: 1, of: {exp: 1s}}]}",
            "{lognormal: {p50: 1ms, p99: 2ms}}",
        ],
        &["{uniform: [1ms]}", "{exp: 5ms, normal: {mean: 1ms, sd: 1ms}}", "{erlang: {k: 0, mean: 1s}}", "{poisson: 4}"],
    );
    agree::<CountDist>(&["3", "{poisson: 4.5}"], &["{zipf: 3}"]);
    agree::<KeyChooser>(&["{zipf: {keys: 1M}}", "{constant: 1}"], &["{zipf: {}}", "{uniform: {keys: 0}}"]);
}

#[test]
fn settings_carry_their_description_default_and_range() {
    let schema = schema_of::<Pool>();
    let pool = &schema["definitions"]["Pool"];
    assert_eq!(pool["description"], "Connections that are kept open.");
    assert_eq!(pool["required"], json!(["size"]));
    let size = &pool["properties"]["size"];
    assert_eq!(
        *size,
        json!({
            "allOf": [{ "$ref": "#/definitions/count" }],
            "description": "Connections that may be open at once. More wait.\n\nRange: at least 1 and at most 100000.\n\nMay \
                            change during a run.",
            "examples": ["20"], "minimum": 1, "maximum": 100000,
        })
    );
    assert_eq!(pool["properties"]["acquire_timeout"]["default"], "30s");
    assert_eq!(schema["definitions"]["duration"]["pattern"], r"^([0-9][0-9_]*(\.[0-9]+)?(ns|us|ms|s|m|h))+$");
}

#[test]
fn a_table_of_kinds_can_be_described_without_the_derive() {
    let mut book = Book::new();
    let rows = [("pool", "A pool.", Pool::describe(&mut book)), ("service", "Code.", Service::describe(&mut book))];
    let shape = book.define_tagged("kinds", "A component.", "kind", rows);
    let schema = json_schema(&book, &shape, "test");
    assert!(valid(&schema, &schema, &json!({ "kind": "pool", "size": 3 })));
    assert!(!valid(&schema, &schema, &json!({ "kind": "service", "size": 3 })));
    assert!(!valid(&schema, &schema, &json!({ "size": 3 })));
}
