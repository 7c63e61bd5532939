//! Presets: settings under the name of the system whose defaults they are.
//!
//! `pool: hikari` stands for all of that preset's settings, `pool: {hikari: {size: 30}}` for the same but for those
//! that are written. What is read are plain settings, so that nothing else knows of presets, and the resolved scenario
//! shows every value.

use std::ops::Deref;

use settings::bind::{Chosen, choose, define_choice};
use settings::book::{Body, ChoiceShape, Content, FieldShape, FieldsShape, VariantShape};
use settings::{Book, Node, Reader, Setting, Shape, SourceId, Value, notation};

/// Settings under a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The word of the language.
    pub word: &'static str,
    /// Whose defaults they are, and the source.
    pub doc: &'static str,
    /// The settings, as they would be written.
    pub settings: &'static str,
}

/// Settings of which there are presets.
pub trait Presets: Setting {
    /// All of them.
    const PRESETS: &'static [Preset];
}

/// Settings, or a preset of them.
#[derive(Clone, Debug, PartialEq)]
pub struct OrPreset<T>(pub T);

impl<T> Deref for OrPreset<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Presets> OrPreset<T> {
    fn preset(preset: &Preset, written: &Node, cx: &mut Reader) -> Option<T> {
        let mut whole = notation::parse(preset.settings, written.span.source).expect("a preset is in the notation");
        whole.relocate(written.span);
        if let Value::Map(entries) = &mut whole.value {
            for own in written.entries().unwrap_or_default() {
                match entries.iter_mut().find(|entry| entry.key == own.key) {
                    Some(entry) => *entry = own.clone(),
                    None => entries.push(own.clone()),
                }
            }
        }
        T::read(&whole, cx)
    }
}

impl<T: Presets> Setting for OrPreset<T> {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        let words: Vec<&'static str> = T::PRESETS.iter().map(|preset| preset.word).collect();
        let is_word = match &node.value {
            Value::Scalar { .. } => true,
            Value::Map(entries) => entries.iter().any(|entry| words.contains(&entry.key.as_str())),
            _ => false,
        };
        if !is_word {
            return T::read(node, cx).map(OrPreset);
        }
        let Chosen::Variant { index, entry, alone } = choose(node, cx, &words, false)? else { return None };
        let preset = &T::PRESETS[index];
        if alone {
            return Self::preset(preset, &entry.value, cx).map(OrPreset);
        }
        cx.within_key(&entry, |cx| match &entry.value.value {
            Value::Map(_) | Value::Null => Self::preset(preset, &entry.value, cx).map(OrPreset),
            _ => cx.refuse_type(&entry.value, "a map of settings"),
        })
    }

    fn describe(book: &mut Book) -> Shape {
        let settings = T::describe(book);
        let Shape::Named(name) = &settings else { return settings };
        let Some(Body::Fields(plain)) = book.definition(name).map(|definition| definition.body.clone()) else {
            return settings;
        };
        let variants = T::PRESETS.iter().map(|preset| {
            let given = notation::parse(preset.settings, SourceId(0)).unwrap_or_else(|_| Node::null());
            let fields = plain.fields.iter().map(|field| {
                let default = given.entry(field.key).map(|entry| entry.value.clone());
                // A system need not have a default for everything.
                let required = field.required && default.is_none();
                FieldShape { required, default: default.or_else(|| field.default.clone()), ..field.clone() }
            });
            let fields: Vec<FieldShape> = fields.collect();
            let alone = !fields.iter().any(|field| field.required);
            let content = Content::Fields(FieldsShape { fields, shorthand: None });
            VariantShape { word: preset.word, doc: preset.doc, live: false, content, alone }
        });
        let variants = variants.collect();
        let of = name.strip_suffix("Settings").unwrap_or(name);
        let doc = "The defaults of a system, under its name; what is written behind the name replaces them.";
        let choice = ChoiceShape { variants, bare: None, tag: None };
        let presets = define_choice(book, &format!("{of}Preset"), doc, |_| choice);
        Shape::AnyOf(vec![settings, presets])
    }

    fn write(&self) -> Node {
        self.0.write()
    }

    fn words() -> Vec<&'static str> {
        T::PRESETS.iter().map(|preset| preset.word).collect()
    }

    fn live_fields() -> &'static [&'static str] {
        T::live_fields()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::pool::{PoolOrder, PoolSettings};
    use settings::notation::read;

    type Pool = OrPreset<PoolSettings>;

    #[test]
    fn every_preset_is_made_of_settings() {
        for preset in PoolSettings::PRESETS {
            let found = read::<PoolSettings>(preset.settings).unwrap_or_else(|why| panic!("{}: {why:?}", preset.word));
            assert_eq!(read::<Pool>(preset.word).expect(preset.word).0, found);
            assert_eq!(read::<Pool>(&format!("{{{}: {{}}}}", preset.word)).expect(preset.word).0, found);
        }
    }

    #[test]
    fn what_is_written_behind_a_preset_replaces_its_settings() {
        let pool: Pool = read("{pgbouncer: {size: 7, order: lifo}}").expect("good");
        let pgbouncer: Pool = read("pgbouncer").expect("good");
        assert_eq!((pool.size, pool.order), (7, PoolOrder::Lifo));
        assert_eq!((pool.acquire_timeout, pool.max_waiters), (pgbouncer.acquire_timeout, pgbouncer.max_waiters));
        assert_eq!(read::<Pool>(&pool.write().to_string()).expect("what is written is read again"), pool);
    }

    #[test]
    fn wrong_presets_are_refused_where_they_are_wrong() {
        let said = |text: &str| -> Vec<String> {
            let problems = read::<Pool>(text).expect_err(text).into_sorted();
            problems.iter().map(|p| format!("{}|{}|{}", p.span.start, p.path, p.message)).collect()
        };
        assert_eq!(said("hikary"), ["0||expected one of `hikari`, `pgbouncer` or `grpc`, found `hikary`"]);
        assert_eq!(said("{hikari: 5}"), ["9|hikari|expected a map of settings, found `5`"]);
        assert_eq!(said("{hikari: {sizes: 5}}").len(), 1);
        assert!(said("{hikari: {sizes: 5}}")[0].starts_with("10|hikari.sizes|unknown setting `sizes`"));
        assert_eq!(said("{size: 5, hikari: {}}"), ["1||expected one of `hikari`, `pgbouncer` or `grpc`, found `size`"]);
    }
}
