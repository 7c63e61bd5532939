//! The language as data: all contents of a scenario file, in one book.
//!
//! The settings describe themselves; this module adds the keys that are resolved before reading (variants, named
//! policies, templates and clusters). The JSON Schema, the reference pages and `kinds NAME` are generated from the
//! book, and overrides are expanded with it.

mod figures;

use std::sync::OnceLock;

use models::components::{KINDS, Row};
use models::scenario::Scenario;
use settings::book::{Body, Content, FieldShape, FieldsShape, VariantShape};
use settings::reference::{self, Elsewhere, Extent, Pages, Style};
use settings::{Book, Name, Scalar, Setting, Shape};

/// The file that holds the schema in the repository.
pub const SCHEMA_FILE: &str = "schema/scenario.schema.json";

/// The type of links.
const LINK: &str = "LinkSettings";

/// The book of the language, and the shape of a whole document.
pub fn book() -> &'static (Book, Shape) {
    static BOOK: OnceLock<(Book, Shape)> = OnceLock::new();
    BOOK.get_or_init(|| {
        let mut book = Book::new();
        let shape = Scenario::describe(&mut book);
        add_worked_in(&mut book, &shape);
        (book, shape)
    })
}

fn field(key: &'static str, doc: &'static str, shape: Shape) -> FieldShape {
    FieldShape {
        key,
        doc,
        shape,
        required: false,
        default: None,
        range: None,
        live: false,
        example: None,
        flattened: false,
    }
}

fn map_of(shape: Shape) -> Shape {
    Shape::Map(<Name as Scalar>::SHAPE, Box::new(shape))
}

/// Describes the keys that are resolved before the settings are read, which no setting can describe.
fn add_worked_in(book: &mut Book, scenario: &Shape) {
    let name = || Shape::Scalar(<Name as Scalar>::SHAPE);
    let changes = Shape::Map(<String as Scalar>::SHAPE, Box::new(Shape::Anything));
    let uses = Shape::OneOrMany(Box::new(name()));
    let Some(link_name) = definition(book, LINK).map(|definition| definition.name.clone()) else { return };
    let link = match book.definition(&link_name).map(|definition| &definition.body) {
        Some(Body::Fields(fields)) => fields.fields.clone(),
        _ => Vec::new(),
    };
    let policies = link.into_iter().filter(|field| field.key != "to").collect();
    let set = book.define(
        "language::PolicySettings",
        "A named set of link settings, applied with `use`; the link's own keys override it.",
        |_| Body::Fields(FieldsShape { fields: policies, shorthand: None }),
    );
    book.add_field(
        &link_name,
        field(
            "use",
            "Named sets of `policies`. Later sets override earlier ones; the link's own keys override all.",
            uses,
        ),
    );
    let Shape::Named(root) = scenario else { return };
    let shape_of = |book: &Book, key: &str| match book.definition(root).map(|definition| &definition.body) {
        Some(Body::Fields(fields)) => {
            fields.fields.iter().find(|field| field.key == key).map_or(Shape::Anything, |field| field.shape.clone())
        }
        _ => Shape::Anything,
    };
    let parts = vec![
        field("hosts", "Host groups; each cluster gets its own.", shape_of(book, "hosts")),
        field("components", "The components; names resolve within the cluster first.", shape_of(book, "components")),
    ];
    let template = book.define("language::TemplateSettings", "A reusable part of a topology.", |_| {
        Body::Fields(FieldsShape { fields: parts, shorthand: None })
    });
    let mut from = field("from", "The template.", name());
    from.required = true;
    let cluster = vec![
        from,
        field("region", "Region of the cluster.", name()),
        field("set", "Changes in this cluster: path below `components` to value.", changes.clone()),
    ];
    let cluster = book.define("language::ClusterSettings", "An instance of a template.", |_| {
        Body::Fields(FieldsShape { fields: cluster, shorthand: None })
    });
    for added in [
        field("policies", "Named sets of link settings.", map_of(set)),
        field("templates", "Reusable parts of a topology.", map_of(template)),
        field("clusters", "Instances of templates; `us/api` is `api` of the cluster `us`.", map_of(cluster)),
        field(
            "variants",
            "Alternatives to compare, as paths and values. A value replaces the whole setting; `null` removes it.",
            map_of(Shape::NullOr(Box::new(changes))),
        ),
    ] {
        book.add_field(root, added);
    }
}

/// The JSON Schema (draft-07) of a scenario file, with a final line break.
pub fn schema() -> String {
    let (book, shape) = book();
    let schema = settings::schema::json_schema(book, shape, "A brownout scenario");
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The subject of a topic of the reference.
#[derive(Clone, Debug)]
enum About {
    /// A word of a choice.
    Word(VariantShape),
    /// A definition.
    Definition(String),
    /// A setting of a map.
    Setting(FieldShape),
}

/// One topic of the reference: a kind of component, a policy, a fault, a step, …
#[derive(Clone, Debug)]
pub struct Topic {
    /// The word used in scenarios.
    pub name: &'static str,
    /// The category, in the plural: `faults`.
    pub group: &'static str,
    /// Its description, in one sentence.
    pub doc: String,
    about: About,
}

/// The choices whose words are topics, by the type that defines them.
const CHOICES: [(&str, &str); 10] = [
    ("components", "ComponentSettings"),
    ("faults", "FaultKind"),
    ("events", "EventKind"),
    ("steps", "Step"),
    ("runtimes", "RuntimeSettings"),
    ("arrivals", "Process"),
    ("shapes", "ShapeSettings"),
    ("disciplines", "DisciplineSettings"),
    ("back-offs", "BackoffGrowth"),
    ("retry budgets", "BudgetSettings"),
];

/// All topics, by group.
pub fn topics() -> Vec<Topic> {
    let (book, root) = book();
    let mut topics = Vec::new();
    for (group, kind) in CHOICES {
        let Some(Body::Choice(choice)) = definition(book, kind).map(|definition| &definition.body) else { continue };
        for variant in &choice.variants {
            let doc = settings::bind::first_sentence(variant.doc).to_string();
            topics.push(Topic { name: variant.word, group, doc, about: About::Word(variant.clone()) });
        }
    }
    let fields = |name: &str| match book.definition(name).map(|definition| &definition.body) {
        Some(Body::Fields(fields)) => fields.fields.clone(),
        _ => Vec::new(),
    };
    let (Shape::Named(root), Some(link)) = (root, definition(book, LINK)) else { return topics };
    for (group, name) in [("link settings", link.name.as_str()), ("sections", root.as_str())] {
        for field in fields(name).into_iter().filter(|field| !field.flattened) {
            let doc = settings::bind::first_sentence(field.doc).to_string();
            topics.push(Topic { name: field.key, group, doc, about: About::Setting(field) });
        }
    }
    let doc = settings::bind::first_sentence(&link.doc).to_string();
    topics.push(Topic { name: "link", group: "sections", doc, about: About::Definition(link.name.clone()) });
    topics
}

fn definition<'b>(book: &'b Book, kind: &str) -> Option<&'b settings::book::Definition> {
    book.definitions().find(|definition| definition.name.rsplit("::").next() == Some(kind))
}

/// The definitions with a page of their own: those that are the subject of a topic.
fn with_pages() -> &'static Pages {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    PAGES.get_or_init(|| {
        let mut pages = Pages::new();
        for topic in topics() {
            let shape = match &topic.about {
                About::Word(VariantShape { content: Content::Value(shape), .. }) => shape.clone(),
                About::Word(_) => continue,
                About::Setting(field) => field.shape.clone(),
                About::Definition(name) => Shape::Named(name.clone()),
            };
            // Settings with presets are a choice between the two.
            let shapes = if let Shape::AnyOf(shapes) = shape { shapes } else { vec![shape] };
            for shape in shapes {
                if let Shape::Named(name) = shape {
                    let topic = Elsewhere { file: topic.file(), topic: format!("kinds {}", topic.name) };
                    pages.entry(name).or_insert(topic);
                }
            }
        }
        pages
    })
}

impl Topic {
    /// The file of its page in the manual.
    fn file(&self) -> String {
        format!("{}-{}.md", self.group.replace(' ', "-"), self.name)
    }

    /// Whether the language has it but this version does not support it.
    pub fn is_not_yet(&self) -> bool {
        match &self.about {
            About::Word(variant) => variant.content == Content::Value(Shape::NotYet),
            About::Setting(field) => field.shape == Shape::NotYet,
            About::Definition(_) => false,
        }
    }

    /// The example of a kind of component.
    fn example(&self) -> Option<&'static str> {
        let row: Option<&Row> = KINDS.iter().find(|row| self.group == "components" && row.name == self.name);
        row.map(|row| row.example)
    }

    /// Its reference page: description, every setting with unit, range and default, figures, and an example if there is
    /// one.
    pub fn page(&self, style: Style) -> String {
        let (book, _) = book();
        // Its own definitions are explained on the page itself.
        let file = self.file();
        let others = with_pages().iter().filter(|(_, page)| page.file != file);
        let pages = &others.map(|(name, page)| (name.clone(), page.clone())).collect();
        let measured = figures::measured(self.group, self.name);
        let mut page = match &self.about {
            _ if self.is_not_yet() => match style {
                Style::Markdown => {
                    format!("# {}\n\n{}.\n\nThis version does not support it yet.\n", self.name, self.doc)
                }
                Style::Text => {
                    let line = "=".repeat(self.name.chars().count());
                    format!("{}\n{line}\n\n{}.\n\nThis version does not support it yet.\n", self.name, self.doc)
                }
            },
            About::Word(variant) => reference::word(book, variant, style, Extent::Whole, pages, &measured),
            About::Definition(name) => {
                let heading = reference::heading(book, name);
                reference::definition(book, name, &heading, style, Extent::Whole, pages, &measured)
            }
            About::Setting(field) => {
                let content = Content::Value(field.shape.clone());
                let as_word = VariantShape { word: field.key, doc: field.doc, live: false, content, alone: false };
                reference::word(book, &as_word, style, Extent::Whole, pages, &measured)
            }
        };
        if let Some(example) = self.example() {
            page = with_example(&page, example.trim(), style);
        }
        page
    }
}

/// Inserts the example before the first table, because most readers look for it first.
fn with_example(page: &str, example: &str, style: Style) -> String {
    let shown = match style {
        Style::Markdown => format!("```yaml\n{example}\n```\n\n"),
        Style::Text => {
            let lines: Vec<String> = example.lines().map(|line| format!("  {line}").trim_end().to_string()).collect();
            format!("Example:\n\n{}\n\n", lines.join("\n"))
        }
    };
    // The example follows the heading (with its underline) and the description.
    match page.match_indices("\n\n").nth(1) {
        Some((place, _)) => format!("{}{shown}{}", &page[..place + 2], &page[place + 2..]),
        None => format!("{page}\n{shown}"),
    }
}

/// The reference as files: name (without folders) and Markdown, one per topic, and an index.
pub fn pages() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut index = String::from(
        "# Reference\n\nMade from the program's own description of its settings by `cargo test -p language --test it`; \
         the same pages are shown by `brownout kinds NAME`.\n",
    );
    let topics = topics();
    let mut groups: Vec<&str> = Vec::new();
    for topic in &topics {
        if !groups.contains(&topic.group) {
            groups.push(topic.group);
        }
    }
    for group in groups {
        index.push_str(&format!("\n## {}{}\n\n", group[..1].to_uppercase(), &group[1..]));
        for topic in topics.iter().filter(|topic| topic.group == group) {
            if topic.is_not_yet() {
                index.push_str(&format!("- `{}` (not supported yet): {}.\n", topic.name, topic.doc));
                continue;
            }
            let file = topic.file();
            index.push_str(&format!("- [`{}`]({file}): {}.\n", topic.name, topic.doc));
            files.push((file, topic.page(Style::Markdown)));
        }
    }
    index.push_str("\n## Happenings\n\n- [Events that a run records](happenings.md)\n");
    files.push(("happenings.md".to_string(), happenings()));
    files.push(("README.md".to_string(), index));
    files
}

/// The page of happenings.
fn happenings() -> String {
    let mut page = String::from(
        "# Happenings\n\nEvents that a run records with time and place. They are in the `happenings` of the JSON, in the report, on the \
         time axis of the charts and on the Events screen. Of each kind at each place, the first 64 and the last 64 keep their \
         instants; all are counted by window.\n",
    );
    for source in models::happenings::sources() {
        page.push_str(&format!("\n## {}\n\n| happening | meaning |\n| --- | --- |\n", source.name));
        for what in source.happens {
            page.push_str(&format!("| `{}` | {} |\n", what.name, what.doc));
        }
    }
    page
}
