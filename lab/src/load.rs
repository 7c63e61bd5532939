//! Loading: from the text of a scenario to one that can be run.
//!
//! Text → document → (variant, overrides, clusters, policies worked in) → settings → checked as a whole by building it
//! once. All problems come together, in file order.

use std::path::{Path as FilePath, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use models::faults::FaultKind;
use models::network::{self, Changed, Network};
use models::scenario::{Scenario, WarmupSettings};
use settings::book::Live;
use settings::{Book, Files, Node, Problem, Problems, Reader, Setting};
use sim_core::Span;
use sim_core::random::hash;

use crate::document::{Override, Sources, read_document, read_override, to_yaml};
use crate::expand::{changes_of, expand, variant_names};

/// A text that may be a scenario, and where it comes from.
#[derive(Clone, Debug)]
pub struct Text {
    /// File name without folders, or `@name`.
    pub name: String,
    /// What it says.
    pub bytes: Vec<u8>,
    /// The folder in which the files that it names are found; `None` where it may name none.
    pub folder: Option<PathBuf>,
}

/// What is asked for beside the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A variant of the file.
    pub variant: Option<String>,
    /// `path=value`, in order.
    pub overrides: Vec<String>,
    /// Instead of the file's seed.
    pub seed: Option<u64>,
}

/// A scenario that has been read and checked.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub scenario: Arc<Scenario>,
    /// The settings as each `set` fault leaves them.
    pub changed: Arc<Changed>,
    /// The document that was read, before anything was worked in.
    pub document: Arc<Node>,
    /// The same with everything worked in: what the settings were read from.
    pub plain: Arc<Node>,
    /// File name or `@name`.
    pub source: String,
    /// What was asked for.
    pub options: Options,
    /// The overrides of the command line, as they were read.
    pub overrides: Vec<Override>,
    /// The folder in which the files that it names are found.
    pub folder: Option<PathBuf>,
    /// What is odd about it.
    pub warnings: Vec<Problem>,
    /// The texts, to show problems with.
    pub sources: Sources,
    /// The names of the file's variants.
    pub variants: Vec<String>,
    /// Digest of what is simulated.
    pub hash: String,
}

/// A scenario that cannot be run, and why.
#[derive(Clone, Debug)]
pub struct Refused {
    /// All problems, in file order.
    pub problems: Vec<Problem>,
    /// The texts that they point into.
    pub sources: Sources,
}

struct Folder(Option<PathBuf>);

impl Files for Folder {
    fn column(&self, file: &str, column: &str) -> Result<Vec<String>, String> {
        let folder = self.0.as_ref().ok_or("a scenario that is not a file can name no other file")?;
        column_of(&folder.join(file), file, column)
    }
}

fn column_of(path: &FilePath, file: &str, column: &str) -> Result<Vec<String>, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|e| format!("`{file}` cannot be read: {e}"))?;
    let headers = reader.headers().map_err(|e| format!("`{file}` has no header: {e}"))?.clone();
    let Some(index) = headers.iter().position(|h| h.trim() == column) else {
        let names: Vec<&str> = headers.iter().map(str::trim).collect();
        let help = settings::problem::did_you_mean(column, names.iter().copied());
        let help = help.unwrap_or_else(|| format!("it has {}", names.join(", ")));
        return Err(format!("`{file}` has no column `{column}`; {help}"));
    };
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| format!("`{file}`: {e}"))?;
        cells.push(record.get(index).unwrap_or_default().trim().to_string());
    }
    Ok(cells)
}

/// Reads and checks a scenario.
pub fn load(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let mut sources = Sources::new();
    let mut problems = Problems::new();
    let document = match read_document(&mut sources, &text.name, &text.bytes) {
        Ok(document) => document,
        Err(problems) => return Err(Refused { problems: problems.into_sorted(), sources }),
    };
    let mut overrides = Vec::new();
    for text in &options.overrides {
        match read_override(&mut sources, &format!("--set {text}"), text) {
            Ok(one) => overrides.push(one),
            Err(found) => problems.extend(found),
        }
    }
    load_tree(document, sources, overrides, problems, text, options)
}

fn load_tree(
    document: Node,
    sources: Sources,
    overrides: Vec<Override>,
    mut problems: Problems,
    text: &Text,
    options: &Options,
) -> Result<Loaded, Refused> {
    if let Some(problem) = newer_version(&document) {
        return Err(Refused { problems: vec![problem], sources });
    }
    let plain = expand(&document, options.variant.as_deref(), &overrides, &mut problems);
    let files: Rc<dyn Files> = Rc::new(Folder(text.folder.clone()));
    let mut reader = match &text.folder {
        Some(_) => Reader::with_files(files.clone()),
        None => Reader::new(),
    };
    let scenario = Scenario::read(&plain, &mut reader);
    problems.extend(std::mem::take(&mut reader.problems));
    let Some(mut scenario) = scenario else {
        return Err(Refused { problems: problems.into_sorted(), sources });
    };
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    let changed = changed_by_faults(&scenario, &plain, &mut problems);
    network::build(&scenario, &changed, scenario.seed, scenario.warmup(), &mut problems);
    check_run(&scenario, &mut problems);
    if problems.has_errors() {
        return Err(Refused { problems: problems.into_sorted(), sources });
    }
    let written = to_yaml(&scenario.write()).unwrap_or_default();
    Ok(Loaded {
        hash: format!("{:016x}", hash(0, &written)),
        variants: variant_names(&document),
        scenario: Arc::new(scenario),
        changed: Arc::new(changed),
        document: Arc::new(document),
        plain: Arc::new(plain),
        source: text.name.clone(),
        options: options.clone(),
        overrides,
        folder: text.folder.clone(),
        warnings: problems.into_sorted(),
        sources,
    })
}

/// A file for a newer program is refused as a whole: its other keys cannot be judged.
fn newer_version(document: &Node) -> Option<Problem> {
    let version = document.entry("version")?;
    let number: u64 = version.value.as_text()?.parse().ok()?;
    (number > 1).then(|| {
        let message =
            format!("this scenario is written in version {number} of the language; this program reads version 1");
        Problem::error("newer_version", version.value.span, message)
            .help("use a newer brownout, or see the changelog for what version 1 lacks")
    })
}

fn check_run(scenario: &Scenario, problems: &mut Problems) {
    let run = |message: &str, code: &'static str| {
        let path = settings::Path::of(&["run"]);
        Problem::error(code, settings::Span::NOWHERE, message).path(path)
    };
    if scenario.run.window.0 == 0 {
        problems.push(run("`window` must be longer than nothing", "out_of_range"));
    }
    if scenario.run.duration.is_some_and(|d| d.0 == 0) {
        problems.push(run("`duration` must be longer than nothing", "out_of_range"));
    }
    if scenario.run.duration.is_some() && scenario.run.until.is_some() {
        problems.push(run("`duration` and `until` exclude each other", "several_choices"));
    }
    let length = scenario.run.duration.map_or(0, |d| d.0);
    if length.saturating_add(scenario.warmup()) / scenario.run.window.0.max(1) > 10_000_000 {
        problems.push(run("that makes more than ten million windows; widen `window`", "out_of_range"));
    }
    if scenario.run.until.is_some() {
        for workload in &scenario.workloads {
            let process = &workload.value.arrivals.process;
            if process.is_open() || process.think().is_some() {
                let message = "`until: idle` needs finite work, and this workload never ends";
                let path = settings::Path::of(&["workloads", workload.name.as_str(), "arrivals"]);
                problems.push(Problem::error("never_idle", workload.name_span, message).path(path));
            }
        }
    }
    if matches!(scenario.run.warmup, WarmupSettings::Auto) {
        let shaped = scenario.workloads.iter().any(|w| w.value.shape.is_some());
        if shaped || !scenario.faults.is_empty() {
            let message = "`warmup: auto` needs a steady state, and faults or shapes leave none";
            problems.push(run(message, "no_steady_state"));
        }
    }
}

/// The scenario as each `set` fault leaves it.
fn changed_by_faults(scenario: &Scenario, plain: &Node, problems: &mut Problems) -> Changed {
    let mut changed = Vec::new();
    let mut book = Book::new();
    let shape = Scenario::describe(&mut book);
    for (number, fault) in scenario.faults.iter().enumerate() {
        let FaultKind::Set(set) = &fault.value.what else { continue };
        let changes = changes_of(&set.node, &format!("faults.{number}.set"), problems);
        let mut node = plain.clone();
        let mut is_live = true;
        for change in &changes {
            if let Live::No | Live::Unknown = live(&book, &shape, scenario, &change.path) {
                let message = format!("`{}` cannot change during a run", change.path);
                let problem = Problem::error("not_live", change.path_span, message).path(fault.path.clone());
                problems.push(problem.help("the reference page of its kind (`kinds NAME`) marks what can"));
                is_live = false;
            }
            if let Err(problem) = change.apply(&mut node) {
                problems.push(problem);
                is_live = false;
            }
        }
        if !is_live {
            continue;
        }
        let mut reader = Reader::new();
        let then = Scenario::read(&node, &mut reader);
        problems.extend(std::mem::take(&mut reader.problems));
        if let Some(then) = then {
            changed.push((number as u32, then));
        }
    }
    changed
}

/// Whether the value at a path may change during a run.
pub fn live(book: &Book, shape: &settings::Shape, scenario: &Scenario, path: &settings::Path) -> Live {
    let _ = scenario;
    book.live(shape, path)
}

/// A value on one line.
pub(crate) fn in_words(value: &Node) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_string)
}

impl Loaded {
    /// A network of it under a seed, ready to run.
    pub fn build(&self, seed: u64, warmup: Span) -> Network {
        let mut problems = Problems::new();
        network::build(&self.scenario, &self.changed, seed, warmup, &mut problems)
            .expect("what was loaded has been built once without problems")
    }

    /// The same scenario with more overrides.
    pub fn with_overrides(&self, text: &Text, more: &[String]) -> Result<Loaded, Refused> {
        let mut options = self.options.clone();
        options.overrides.extend(more.iter().cloned());
        load(text, &options)
    }

    /// The same scenario with more overrides that are already trees, as the points of a sweep are, and perhaps under
    /// another variant. A problem with one of them is shown where it was written.
    pub fn patched(&self, more: &[Override], variant: Option<&str>) -> Result<Loaded, Refused> {
        let mut options = self.options.clone();
        options.variant = variant.map(str::to_string).or(options.variant);
        options.overrides.extend(more.iter().map(|o| format!("{}={}", o.path, in_words(&o.value))));
        let overrides = self.overrides.iter().chain(more).cloned().collect();
        let text = Text { name: self.source.clone(), bytes: Vec::new(), folder: self.folder.clone() };
        load_tree((*self.document).clone(), self.sources.clone(), overrides, Problems::new(), &text, &options)
    }

    /// The scenario with every default filled in, as YAML.
    pub fn resolved(&self) -> String {
        to_yaml(&self.scenario.write()).unwrap_or_default()
    }
}
