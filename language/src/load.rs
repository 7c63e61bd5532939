//! Loading: converts the text of a scenario into one that can be run.
//!
//! Text → document → (variant, overrides, clusters, policies resolved) → settings → checked as a whole by building the
//! network once. All problems are reported together, in file order.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use models::directory::STAND_IN;
use models::network::bounds::MEMORY_MAX;
use models::network::{self, Changed, Network};
use models::scenario::{Scenario, WarmupSettings};
use settings::{Files, LogFormat, Node, Problem, Problems, Reader, Setting};
use sim_core::random::{hash, mix};
use sim_core::{Span, TIME_MAX};

use crate::changes::changed_by;
use crate::document::{Override, Sources, in_words, read_document_leniently, read_option, read_override, to_yaml};
use crate::expand::{expand, fold_clusters, variant_names};
use crate::repair::{self, Repair};
use crate::{access_log, axes, places, reading, table, unused};

/// Maximum number of windows of a run.
const WINDOWS_MAX: u64 = 10_000_000;

/// Maximum number of values in the time series of a run: windows × columns.
pub const SERIES_VALUES_MAX: u64 = 50_000_000;

/// A text that may be a scenario, with its origin.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as given, used in messages, or `@name`, or `<stdin>`.
    pub name: String,
    /// The contents.
    pub bytes: Vec<u8>,
    /// The folder of the files that it names; `None` if it may name none.
    pub folder: Option<PathBuf>,
}

impl Text {
    /// The name without folders, the only form used in results: the same file gives the same bytes wherever it is
    /// stored.
    pub fn file_name(&self) -> String {
        let name = std::path::Path::new(&self.name).file_name();
        name.map_or_else(|| self.name.clone(), |name| name.to_string_lossy().into_owned())
    }
}

/// Options in addition to the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A variant of the file.
    pub variant: Option<String>,
    /// `path=value`, in order.
    pub overrides: Vec<String>,
    /// Replaces the file's `run.duration`.
    pub duration: Option<String>,
    /// Replaces the file's seed.
    pub seed: Option<u64>,
    /// The memory limit in bytes, if not [`MEMORY_MAX`].
    pub memory: Option<u64>,
}

impl Options {
    /// The memory limit, bytes.
    pub fn memory_allowed(&self) -> u64 {
        self.memory.unwrap_or(MEMORY_MAX)
    }

    /// All options that replace a value of the file, as `path=value`.
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
    /// The settings after each `set` fault.
    pub changed: Arc<Changed>,
    /// The document as read, before resolving variants, overrides, clusters and policies.
    pub document: Arc<Node>,
    /// The document with all of these resolved, from which the settings were read.
    pub plain: Arc<Node>,
    /// File name or `@name`.
    pub source: String,
    /// The options.
    pub options: Options,
    /// The overrides of the command line, parsed.
    pub overrides: Vec<Override>,
    /// The folder of the files that it names.
    pub folder: Option<PathBuf>,
    /// Warnings about it.
    pub warnings: Vec<Problem>,
    /// The sources, for showing problems.
    pub sources: Sources,
    /// The names of the file's variants.
    pub variants: Vec<String>,
    /// Digest of the simulated scenario.
    pub hash: String,
    /// Approximate memory needed by its network, bytes.
    pub memory: u64,
}

/// A scenario that cannot be run, with the reasons.
#[derive(Clone, Debug)]
pub struct Refused {
    /// All problems, in file order.
    pub problems: Vec<Problem>,
    /// The sources that they point into.
    pub sources: Sources,
    /// The scenario with all invalid parts replaced, for checks that need a runnable scenario, and the places at which
    /// it differs from the written one.
    pub mended: Option<Box<(Loaded, Vec<settings::Path>)>>,
}

impl Refused {
    /// For a scenario without a repaired version.
    pub fn new(problems: Vec<Problem>, sources: Sources) -> Refused {
        Refused { problems, sources, mended: None }
    }
}

/// The files of a folder. Columns are cached and count towards the memory limit.
struct Folder {
    path: PathBuf,
    allowed: u64,
    rows_left: Cell<u64>,
    read: RefCell<Columns>,
}

/// Access to a folder during one reading of a scenario; data built from the files counts towards the memory limit too.
struct View {
    folder: Rc<Folder>,
    bytes_left: Cell<u64>,
}

/// Columns of tables and fields of logs, by file, format and name.
type Columns = BTreeMap<(String, Option<LogFormat>, String), Result<Rc<Vec<String>>, String>>;

/// Memory needed by a cell of a table, bytes.
const CELL: u64 = 64;

impl Folder {
    fn column(&self, file: &str, format: Option<LogFormat>, column: &str) -> Result<Rc<Vec<String>>, String> {
        let key = (file.to_string(), format, column.to_string());
        if let Some(known) = self.read.borrow().get(&key) {
            return known.clone();
        }
        let found = self.read(file, format, column).map(Rc::new);
        self.read.borrow_mut().insert(key, found.clone());
        found
    }

    fn read(&self, file: &str, format: Option<LogFormat>, column: &str) -> Result<Vec<String>, String> {
        let path = self.path.join(file);
        let table = reading::open(&path).map_err(|why| format!("`{file}` cannot be read: {why}"))?;
        if table.metadata().is_ok_and(|about| about.len() > reading::TABLE_BYTES_MAX) {
            return Err(format!("`{file}` has more than {} bytes", reading::TABLE_BYTES_MAX));
        }
        let (table, most) = (table.take(reading::TABLE_BYTES_MAX), self.rows_left.get());
        let found = match format {
            None => table::column(table, file, column, most),
            Some(format) => access_log::field(table, file, format, column, most),
        };
        // For a file outside the folder, the original message is not shown.
        let cells =
            found.map_err(|why| if self.quotes(file) { why } else { format!("`{file}` has no column `{column}`") })?;
        self.rows_left.set(self.rows_left.get() - cells.len() as u64);
        Ok(cells)
    }

    fn quotes(&self, file: &str) -> bool {
        reading::is_inside(&self.path, &self.path.join(file))
    }
}

impl Files for View {
    fn column(&self, file: &str, column: &str) -> Result<Rc<Vec<String>>, String> {
        self.folder.column(file, None, column)
    }

    fn field(&self, file: &str, format: LogFormat, field: &str) -> Result<Rc<Vec<String>>, String> {
        self.folder.column(file, Some(format), field)
    }

    fn quotes(&self, file: &str) -> bool {
        self.folder.quotes(file)
    }

    fn takes(&self, bytes: u64) -> bool {
        let left = self.bytes_left.get().checked_sub(bytes);
        left.map(|left| self.bytes_left.set(left)).is_some()
    }
}

/// A digest of a scenario: of its written form, and of the values read from the tables that it names.
pub fn digest(written: &str, scenario: &Scenario) -> u64 {
    scenario.recorded().into_iter().fold(hash(0, written), |so_far, of_table| mix(so_far ^ of_table))
}

/// Access to the files that a scenario in a folder may name, with a memory limit.
fn files(folder: Option<&PathBuf>, allowed: u64) -> Option<Rc<Folder>> {
    let path = folder.cloned()?;
    Some(Rc::new(Folder { path, allowed, rows_left: Cell::new(allowed / CELL), read: RefCell::default() }))
}

fn reader(files: Option<&Rc<Folder>>) -> Reader {
    files.map_or_else(Reader::new, |folder| {
        Reader::with_files(Rc::new(View { folder: folder.clone(), bytes_left: Cell::new(folder.allowed) }))
    })
}

/// The names of the variants in a text, as far as it can be read.
pub fn variants_of(text: &Text) -> Vec<String> {
    let document = read_document_leniently(&mut Sources::new(), &text.name, &text.bytes);
    document.map_or_else(|_| Vec::new(), |(document, _)| variant_names(&document))
}

/// Reads and checks a scenario: everything except the names of metrics, because the available metrics are known only
/// from a network built for a run.
///
/// # Errors
/// All problems, in file order.
pub fn load(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let mut sources = Sources::new();
    let mut problems = Problems::new();
    let document = match read_document_leniently(&mut sources, &text.name, &text.bytes) {
        Ok((document, found)) => {
            problems.extend(found);
            document
        }
        Err(problems) => return Err(Refused::new(problems.into_sorted(), sources)),
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
        return Err(Refused::new(vec![problem], sources));
    }
    places::check_names(&document, &mut problems);
    let variant = options.variant.as_deref().zip(variant_asked);
    let files = files(text.folder.as_ref(), options.memory_allowed());
    unused::check_policies(&document, &mut reader(files.as_ref()), &mut problems);
    let plain = expand(&document, variant, overrides, &mut problems);
    unused::check_templates(&document, &sources, &mut reader(files.as_ref()), &mut problems);
    let new_reader = || reader(files.as_ref());
    let loaded = |scenario: Scenario, changed: Changed, plain: Node, sources: Sources, memory: u64| {
        let written = to_yaml(&scenario.write()).unwrap_or_default();
        Loaded {
            hash: format!("{:016x}", digest(&written, &scenario)),
            memory,
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
            sources,
        }
    };
    let mut reader = new_reader();
    let scenario = Scenario::read(&plain, &mut reader);
    let mut found = places::name_the_nearest(std::mem::take(&mut reader.problems), &document);
    let unread = found.clone();
    let mut fit = None;
    if let Some(mut scenario) = scenario.filter(|_| !found.has_errors()) {
        if let Some(seed) = options.seed {
            scenario.seed = seed;
        }
        // Values that depend on other settings are filled in like other defaults.
        scenario.run.window = Some(settings::Duration(scenario.window()));
        let changed = changed_by(&scenario, &plain, &[], new_reader, &mut found);
        let memory = built(&scenario, &changed, options, &mut found);
        check_run(&scenario, &mut found);
        check_sweep(&scenario, &document, &mut found);
        fit = Some((scenario, changed, memory)).filter(|_| !found.has_errors());
    }
    if let Some((scenario, changed, memory)) = fit.filter(|_| !problems.has_errors()) {
        problems.extend(found);
        let warnings = places::in_file_order(problems, &plain, &document, &sources);
        return Ok(Loaded { warnings, ..loaded(scenario, changed, plain, sources, memory) });
    }
    let (more, mended) = semantic_problems(&plain, &document, unread, options, new_reader);
    problems.extend(more);
    problems.extend(found);
    let mended = mended.map(|Mended { scenario, changed, plain, touched, memory }| {
        Box::new((loaded(scenario, changed, plain, sources.clone(), memory), touched))
    });
    let problems = places::in_file_order(problems, &plain, &document, &sources);
    Err(Refused { problems, sources, mended })
}

/// Finds further problems in a scenario with unreadable parts: these are replaced, and the rest is checked. Only
/// problems that cannot be consequences of the replacement are kept. The repaired scenario is returned too if it can be
/// run.
fn semantic_problems(
    plain: &Node,
    document: &Node,
    unread: Problems,
    options: &Options,
    reader: impl Fn() -> Reader,
) -> (Problems, Option<Mended>) {
    let mut kept = Problems::new();
    let mut repair = Repair::new(plain);
    repair::add_stand_in(&mut repair.tree);
    // A readable scenario has already been checked unchanged.
    let is_checked = !unread.has_errors();
    let Some(mut scenario) = repair.read(unread, &mut reader()) else { return (kept, None) };
    let first = repair.clone();
    if !is_checked {
        check_sweep(&scenario, document, &mut kept);
    }
    for round in 0..ROUNDS_MAX {
        let mut semantic = Problems::new();
        let changed = changed_by(&scenario, &repair.tree, &[], &reader, &mut semantic);
        let memory = built(&scenario, &changed, options, &mut semantic);
        check_run(&scenario, &mut semantic);
        if round == 0 && !is_checked {
            for mut problem in semantic.iter().cloned() {
                // A part that exists in the file may have been removed by the repair.
                problem.help = problem.help.filter(|help| !help.ends_with(" at all"));
                let about_a_name = places::is_about_a_name(&problem)
                    && !problem.message.contains(STAND_IN)
                    && !places::was_left_out(&problem, document, &first.tree);
                if !first.explains(&problem) && (first.stands(&problem) || about_a_name) {
                    kept.push(problem);
                }
            }
        }
        if !semantic.has_errors() {
            let touched = repair.touched;
            return (kept, Some(Mended { scenario, changed, plain: repair.tree, touched, memory }));
        }
        match repair.read(semantic, &mut reader()) {
            Some(then) => scenario = then,
            None => break,
        }
    }
    (kept, None)
}

/// A scenario with all invalid parts replaced.
struct Mended {
    scenario: Scenario,
    changed: Changed,
    plain: Node,
    touched: Vec<settings::Path>,
    memory: u64,
}

/// Builds the network once, which checks the scenario as a whole. Returns the memory it needs.
fn built(scenario: &Scenario, changed: &Changed, options: &Options, problems: &mut Problems) -> u64 {
    let begins = (scenario.seed, scenario.warmup());
    network::build(scenario, changed, begins, options.memory_allowed(), problems).map_or(0, |built| built.memory)
}

/// Maximum rounds of checking and repairing.
const ROUNDS_MAX: usize = 8;

/// Rejects a file for a newer version as a whole, because its other keys cannot be checked.
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

/// Checks the axes of the sweep by themselves; whether the scenario can be run with each value is checked by the sweep.
fn check_sweep(scenario: &Scenario, document: &Node, problems: &mut Problems) {
    if let Some(sweep) = &scenario.sweep {
        axes::axes(sweep, document, problems);
    }
}

fn check_run(scenario: &Scenario, problems: &mut Problems) {
    let run = |key: &str, message: &str, code: &'static str| {
        let path = settings::Path::of(&["run", key]);
        Problem::error(code, settings::Span::NOWHERE, message).path(path)
    };
    if scenario.window() == 0 {
        problems.push(run("window", "the window must be longer than 0", "out_of_range"));
    }
    if scenario.run.duration.is_some_and(|d| d.0 == 0) {
        problems.push(run("duration", "the duration must be longer than 0", "out_of_range"));
    }
    if scenario.run.duration.is_some() && scenario.run.until.is_some() {
        problems.push(run("until", "`duration` and `until` are mutually exclusive", "several_choices"));
    }
    let length = scenario.run.duration.map_or(0, |d| d.0);
    if scenario.window() > TIME_MAX {
        problems.push(run("window", "this is longer than can be simulated (18 years)", "out_of_range"));
    }
    if length.saturating_add(scenario.warmup()) > TIME_MAX {
        problems.push(run("duration", "this is longer than can be simulated (18 years)", "out_of_range"));
    } else if length.saturating_add(scenario.warmup()).checked_div(scenario.window()).is_some_and(|n| n > WINDOWS_MAX) {
        problems.push(run("window", "this makes more than ten million windows; use a longer window", "out_of_range"));
    } else if let Some(windows) = length.saturating_add(scenario.warmup()).checked_div(scenario.window()) {
        let columns = scenario.columns();
        if windows.saturating_mul(columns) > SERIES_VALUES_MAX {
            let message = format!(
                "{windows} windows of {columns} time series are more than the {SERIES_VALUES_MAX} values that are kept; use a \
                 longer window"
            );
            problems.push(run("window", &message, "out_of_range"));
        }
    }
    if scenario.run.until.is_some() {
        for workload in &scenario.workloads {
            let process = &workload.value.arrivals.process;
            if process.is_open() || process.think().is_some() {
                let message = "`until: idle` needs finite work, but this workload never ends";
                let path = settings::Path::of(&["workloads", workload.name.as_str(), "arrivals"]);
                problems.push(Problem::error("never_idle", workload.name_span, message).path(path));
            }
        }
    }
    if matches!(scenario.run.warmup, WarmupSettings::Auto) {
        let shaped = scenario.workloads.iter().any(|w| w.value.shape.is_some());
        if shaped || !scenario.faults.is_empty() || !scenario.events.is_empty() {
            let message = "`warmup: auto` needs a steady state, which faults, events and shapes prevent";
            problems.push(run("warmup", message, "no_steady_state"));
        }
    }
}

impl Loaded {
    /// Builds a network under a seed, ready to run.
    pub fn build(&self, seed: u64, warmup: Span) -> Network {
        let mut problems = Problems::new();
        let allowed = self.options.memory_allowed();
        network::build(&self.scenario, &self.changed, (seed, warmup), allowed, &mut problems)
            .expect("what was loaded has been built once without problems")
    }

    /// A reader with access to the files that the scenario names.
    pub fn reader(&self) -> Reader {
        reader(files(self.folder.as_ref(), self.options.memory_allowed()).as_ref())
    }

    /// Reads the scenario again with additional overrides that are already trees, such as the points of a sweep, and
    /// optionally under another variant. Problems with them are shown where they were written.
    ///
    /// # Errors
    /// All problems, in file order.
    pub fn reread(&self, more: &[Override], variant: Option<&str>) -> Result<Loaded, Refused> {
        let mut options = self.options.clone();
        options.variant = variant.map(str::to_string).or(options.variant);
        options.overrides.extend(more.iter().map(|o| format!("{}={}", o.path, in_words(&o.value))));
        let overrides: Vec<Override> = self.overrides.iter().chain(more).cloned().collect();
        let text = Text { name: self.source.clone(), bytes: Vec::new(), folder: self.folder.clone() };
        // The variant was found when the file was loaded, or is one of its own names, so it needs no span.
        let asked = options.variant.as_ref().map(|_| settings::Span::NOWHERE);
        let (document, sources) = ((*self.document).clone(), self.sources.clone());
        load_tree(document, sources, &overrides, asked, Problems::new(), &text, &options)
    }

    /// The file as read; `None` for a scenario from another origin.
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
