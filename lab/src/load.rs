//! Loading: from the text of a scenario to one that can be run.
//!
//! Text → document → (variant, overrides, clusters, policies worked in) → settings → checked as a whole by building it
//! once. All problems come together, in file order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use models::faults::FaultKind;
use models::network::{self, Changed, Changing, Network};
use models::scenario::{Scenario, WarmupSettings};
use settings::book::Live;
use settings::{Book, Files, Node, Problem, Problems, Reader, Setting};
use sim_core::random::{hash, mix};
use sim_core::{Span, Time};

use crate::document::{Override, Sources, read_document_leniently, read_option, read_override, to_yaml};
use crate::expand::{changes_of, expand, fold_clusters, variant_names, work_in};
use crate::{places, table, unused};

/// A text that may be a scenario, and where it comes from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as it was given, by which problems name it, or `@name`, or `<stdin>`.
    pub name: String,
    /// What it says.
    pub bytes: Vec<u8>,
    /// The folder in which the files that it names are found; `None` where it may name none.
    pub folder: Option<PathBuf>,
}

impl Text {
    /// The name without folders, which is all that a result says of it: the same file gives the same bytes wherever it
    /// lies.
    pub fn file_name(&self) -> String {
        let name = std::path::Path::new(&self.name).file_name();
        name.map_or_else(|| self.name.clone(), |name| name.to_string_lossy().into_owned())
    }
}

/// What is asked for beside the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A variant of the file.
    pub variant: Option<String>,
    /// `path=value`, in order.
    pub overrides: Vec<String>,
    /// Instead of the file's `run.duration`.
    pub duration: Option<String>,
    /// Instead of the file's seed.
    pub seed: Option<u64>,
}

impl Options {
    /// Everything that replaces a value of the file, as `path=value`.
    pub fn all_overrides(&self) -> Vec<String> {
        let duration = self.duration.iter().map(|d| format!("run.duration={d}"));
        self.overrides.iter().cloned().chain(duration).collect()
    }
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

struct Folder(PathBuf);

impl Files for Folder {
    fn column(&self, file: &str, column: &str) -> Result<Vec<String>, String> {
        let table = std::fs::File::open(self.0.join(file)).map_err(|e| format!("`{file}` cannot be read: {e}"))?;
        table::column(table, file, column)
    }
}

/// A digest of a scenario: as it is written, and what was read from the tables that it names.
pub(crate) fn digest(written: &str, scenario: &Scenario) -> u64 {
    scenario.recorded().into_iter().fold(hash(0, written), |so_far, of_table| mix(so_far ^ of_table))
}

/// The way to the files that a scenario in a folder may name.
fn files(folder: Option<&PathBuf>) -> Option<Rc<dyn Files>> {
    folder.cloned().map(|folder| Rc::new(Folder(folder)) as Rc<dyn Files>)
}

fn reader(files: Option<&Rc<dyn Files>>) -> Reader {
    files.map_or_else(Reader::new, |files| Reader::with_files(files.clone()))
}

/// Checks a whole file: the scenario as it is asked for, and, unless a variant is asked for, every variant and every
/// point of its sweep too, since they are as much part of the file as the rest.
///
/// # Errors
/// All problems of all of them together, in file order.
pub fn check(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let base = load(text, options);
    if options.variant.is_some() {
        return base;
    }
    let mut refused = Vec::new();
    let base = base.map_err(|why| refused.push(why)).ok();
    for variant in variants_of(text) {
        refused.extend(load(text, &Options { variant: Some(variant), ..options.clone() }).err());
    }
    if let Some(loaded) = base.as_ref().filter(|loaded| loaded.scenario.sweep.is_some()) {
        refused.extend(crate::sweep::plan(&Arc::new(loaded.clone()), Default::default()).err());
    }
    match base {
        Some(loaded) if refused.is_empty() => Ok(loaded),
        _ => Err(together(refused)),
    }
}

/// The names of the variants of a text, as far as it can be read.
fn variants_of(text: &Text) -> Vec<String> {
    let document = read_document_leniently(&mut Sources::new(), &text.name, &text.bytes);
    document.map_or_else(|_| Vec::new(), |(document, _)| variant_names(&document))
}

/// What several readings of one file complain of, each once.
fn together(refused: Vec<Refused>) -> Refused {
    let mut all = Refused { problems: Vec::new(), sources: Sources::new() };
    for one in refused {
        for problem in one.problems {
            if !all.problems.iter().any(|old| old.span == problem.span && old.message == problem.message) {
                all.problems.push(problem);
            }
        }
        // Every reading numbers the file and the overrides alike; a variant's own name comes last.
        if all.sources.len() < one.sources.len() {
            all.sources = one.sources;
        }
    }
    all.problems.sort_by_key(|problem| (problem.span.source, problem.span.start));
    all
}

/// Reads and checks a scenario.
pub fn load(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let mut sources = Sources::new();
    let mut problems = Problems::new();
    let document = match read_document_leniently(&mut sources, &text.name, &text.bytes) {
        Ok((document, found)) => {
            problems.extend(found);
            document
        }
        Err(problems) => return Err(Refused { problems: problems.into_sorted(), sources }),
    };
    let mut overrides = Vec::new();
    for text in &options.overrides {
        match read_override(&mut sources, &format!("--set {text}"), text) {
            Ok(one) => overrides.push(one),
            Err(found) => problems.extend(found),
        }
    }
    if let Some(duration) = &options.duration {
        let path = settings::Path::of(&["run", "duration"]);
        match read_option(&mut sources, "--duration", path, duration) {
            Ok(one) => overrides.push(one),
            Err(found) => problems.extend(found),
        }
    }
    let asked = options.variant.as_ref().map(|name| (sources.add("--variant", name.as_str()), name.len() as u32));
    let asked = asked.map(|(source, end)| settings::Span::new(source, 0, end));
    load_tree(document, sources, &overrides, asked, problems, text, options)
}

fn load_tree(
    document: Node,
    sources: Sources,
    overrides: &[Override],
    variant_asked: Option<settings::Span>,
    mut problems: Problems,
    text: &Text,
    options: &Options,
) -> Result<Loaded, Refused> {
    if let Some(problem) = newer_version(&document) {
        return Err(Refused { problems: vec![problem], sources });
    }
    places::check_names(&document, &mut problems);
    let variant = options.variant.as_deref().zip(variant_asked);
    let files = files(text.folder.as_ref());
    unused::check_policies(&document, &mut reader(files.as_ref()), &mut problems);
    let plain = expand(&document, variant, overrides, &mut problems);
    unused::check_templates(&document, &sources, &mut reader(files.as_ref()), &mut problems);
    let refused = |problems: Problems, sources: Sources, plain: &Node| Refused {
        problems: places::in_file_order(problems, plain, &document, &sources),
        sources,
    };
    let mut reader = reader(files.as_ref());
    let scenario = Scenario::read(&plain, &mut reader);
    let found = places::name_the_nearest(std::mem::take(&mut reader.problems), &document);
    let Some(mut scenario) = scenario else {
        problems.extend(semantic_problems(&plain, &document, &found, &mut reader));
        problems.extend(found);
        return Err(refused(problems, sources, &plain));
    };
    problems.extend(found);
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    let changed = changed_by(&scenario, &plain, &[], || self::reader(files.as_ref()), &mut problems);
    network::build(&scenario, &changed, scenario.seed, scenario.warmup(), &mut problems);
    check_run(&scenario, &mut problems);
    check_sweep(&scenario, &document, &mut problems);
    if problems.has_errors() {
        return Err(refused(problems, sources, &plain));
    }
    let written = to_yaml(&scenario.write()).unwrap_or_default();
    let mut loaded = Loaded {
        hash: format!("{:016x}", digest(&written, &scenario)),
        variants: variant_names(&document),
        scenario: Arc::new(scenario),
        changed: Arc::new(changed),
        document: Arc::new(document.clone()),
        plain: Arc::new(plain),
        source: text.file_name(),
        options: options.clone(),
        overrides: overrides.to_vec(),
        folder: text.folder.clone(),
        warnings: Vec::new(),
        sources: sources.clone(),
    };
    if crate::objectives::names_metrics(&loaded.scenario) {
        crate::objectives::check(&loaded, &mut problems);
        if problems.has_errors() {
            return Err(refused(problems, sources, &loaded.plain));
        }
    }
    loaded.warnings = places::in_file_order(problems, &loaded.plain, &document, &sources);
    Ok(loaded)
}

/// The names that lead nowhere and the calls that nobody answers in a scenario that cannot be read whole: what could not
/// be read is left out, and the rest is checked. Only what cannot be a consequence of leaving out is kept.
fn semantic_problems(plain: &Node, document: &Node, found: &Problems, reader: &mut Reader) -> Problems {
    const ROUNDS_MAX: usize = 8;
    let mut left = plain.clone();
    let mut paths: Vec<settings::Path> = found.iter().map(|p| p.path.clone()).collect();
    let mut kept = Problems::new();
    for _ in 0..ROUNDS_MAX {
        if !places::leave_out(&mut left, &paths) {
            return kept;
        }
        let scenario = Scenario::read(&left, reader);
        let problems = std::mem::take(&mut reader.problems);
        let Some(scenario) = scenario else {
            paths = problems.iter().map(|p| p.path.clone()).collect();
            continue;
        };
        let mut semantic = Problems::new();
        network::build(&scenario, &Vec::new(), scenario.seed, scenario.warmup(), &mut semantic);
        check_run(&scenario, &mut semantic);
        check_sweep(&scenario, document, &mut kept);
        let run_is_whole = plain.at("run") == left.at("run");
        for mut problem in semantic {
            // What is there in the file may have been left out here.
            problem.help = problem.help.filter(|help| !help.ends_with(" at all"));
            let about_run = problem.path.segments().first().is_some_and(|first| first == "run") && run_is_whole;
            let about_a_name = places::is_about_a_name(&problem) && !places::was_left_out(&problem, document, &left);
            if about_run || about_a_name {
                kept.push(problem);
            }
        }
        return kept;
    }
    kept
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

/// What is varied is checked by itself; whether the scenario can be run with each value, by whoever runs the sweep.
fn check_sweep(scenario: &Scenario, document: &Node, problems: &mut Problems) {
    if let Some(sweep) = &scenario.sweep {
        crate::sweep::points::axes(sweep, document, problems);
    }
}

fn check_run(scenario: &Scenario, problems: &mut Problems) {
    let run = |key: &str, message: &str, code: &'static str| {
        let path = settings::Path::of(&["run", key]);
        Problem::error(code, settings::Span::NOWHERE, message).path(path)
    };
    if scenario.run.window.0 == 0 {
        problems.push(run("window", "a window must be longer than nothing", "out_of_range"));
    }
    if scenario.run.duration.is_some_and(|d| d.0 == 0) {
        problems.push(run("duration", "a run must be longer than nothing", "out_of_range"));
    }
    if scenario.run.duration.is_some() && scenario.run.until.is_some() {
        problems.push(run("until", "`duration` and `until` exclude each other", "several_choices"));
    }
    let length = scenario.run.duration.map_or(0, |d| d.0);
    if length.saturating_add(scenario.warmup()) > Time::MAX / 4 {
        problems.push(run("duration", "that is longer than can be simulated (146 years)", "out_of_range"));
    } else if scenario.run.window.0 > 0 && length.saturating_add(scenario.warmup()) / scenario.run.window.0 > 10_000_000
    {
        problems.push(run("window", "that makes more than ten million windows; widen it", "out_of_range"));
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
            problems.push(run("warmup", message, "no_steady_state"));
        }
    }
}

/// Numbers from here on are of changes by hand, below of faults.
pub(crate) const BY_HAND: u32 = 1_000_000;

/// The scenario as each `set` fault leaves it, when it strikes and when it ends, with the others that act then. Changes
/// by hand, with their instants in ns, are among them as faults without an end, and come before those of their instant.
pub(crate) fn changed_by(
    scenario: &Scenario,
    plain: &Node,
    by_hand: &[(i64, Override)],
    new_reader: impl Fn() -> Reader,
    problems: &mut Problems,
) -> Changed {
    let (book, shape) = crate::language::book();
    let mut events = Vec::new();
    let mut overrides = BTreeMap::new();
    for (number, (at, change)) in (BY_HAND..).zip(by_hand) {
        events.push((*at, false, number, false));
        overrides.insert(number, vec![change.clone()]);
    }
    for (number, fault) in scenario.faults.iter().enumerate() {
        let FaultKind::Set(set) = &fault.value.what else { continue };
        let changes = changes_of(&set.node, &format!("faults.{number}.set"), problems);
        let mut is_live = true;
        for change in &changes {
            if let Live::No | Live::Unknown = live(book, shape, scenario, &change.path) {
                let message = format!("`{}` cannot change during a run", change.path);
                let problem = Problem::error("not_live", change.path_span, message).path(fault.path.clone());
                problems.push(problem.help("the reference page of its kind (`kinds NAME`) marks what can"));
                is_live = false;
            }
        }
        if !is_live {
            continue;
        }
        let at = fault.value.at.0;
        events.push((at, true, number as u32, false));
        events.extend(fault.value.r#for.map(|lasts| (at.saturating_add_unsigned(lasts.0), true, number as u32, true)));
        overrides.insert(number as u32, changes);
    }
    // As they happen: at one instant in the order of the list.
    events.sort_unstable();
    let mut acting: Vec<u32> = Vec::new();
    let mut changed = Changed::new();
    let mut before = Arc::new(scenario.clone());
    for (at, _, fault, ends) in events {
        acting.retain(|other| *other != fault);
        if !ends {
            acting.push(fault);
        }
        let mut node = plain.clone();
        let mut reader = new_reader();
        for change in acting.iter().flat_map(|fault| &overrides[fault]) {
            work_in(change, &mut node, &mut reader.problems);
        }
        let then = Scenario::read(&node, &mut reader);
        let Some(then) = then.filter(|_| !reader.problems.has_errors()) else {
            problems.extend(reader.problems);
            break;
        };
        let after = Arc::new(then);
        changed.push(Changing { at, fault, ends, before, after: after.clone() });
        before = after;
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

    /// A reader that finds the files that the scenario names.
    pub(crate) fn reader(&self) -> Reader {
        reader(files(self.folder.as_ref()).as_ref())
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
        let overrides: Vec<Override> = self.overrides.iter().chain(more).cloned().collect();
        let text = Text { name: self.source.clone(), bytes: Vec::new(), folder: self.folder.clone() };
        // The variant was found when the file was loaded, or is one of its own names: it needs no place.
        let asked = options.variant.as_ref().map(|_| settings::Span::NOWHERE);
        let (document, sources) = ((*self.document).clone(), self.sources.clone());
        load_tree(document, sources, &overrides, asked, Problems::new(), &text, &options)
    }

    /// The file as it was read; `None` for a scenario that was made some other way.
    pub fn text(&self) -> Option<String> {
        self.sources.get(settings::SourceId(0)).map(|source| source.text.clone())
    }

    /// The scenario with every default filled in, as YAML.
    pub fn resolved(&self) -> String {
        let mut node = self.scenario.write();
        fold_clusters(&mut node);
        to_yaml(&node).unwrap_or_default()
    }
}
