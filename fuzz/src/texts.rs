//! What must hold of every text that anyone can hand to the program, one function for each sort of text.
//!
//! The fuzzer calls them with what it makes up (`fuzz_targets/`), and an ordinary test of `lab` with the files of
//! `corpus/`, so that whatever was once found stays mended on machines without a fuzzer.

use std::rc::Rc;
use std::sync::Arc;

use lab::{Failure, Loaded, Options, Session, Text, load};
use language::diagnostics::{Style, render, to_json};
use language::document::{Sources, read_override};
use models::workloads::arrivals::{Process, Source, TraceSettings};
use settings::{
    Bandwidth, Cores, Count, CountDist, Duration, DurationDist, Files, Fraction, KeyChooser, Money, Name, Path,
    Priority, Problem, Rate, Reader, Scalar, Setting, SignedDuration, Size, SourceId, notation,
};
use sim_core::random::{Draw, Stream};

/// A scenario in which most of what paths can lead through stands, in short forms too.
const SCENARIO: &str = include_str!("../scenario.yaml");

/// Any bytes as a scenario file: it is refused with every problem at a place of the file and in file order, or it is a
/// scenario whose resolved form is one too and says the same, and which runs.
pub fn document(bytes: &[u8]) {
    match loaded(bytes, &Options::default()) {
        Err(()) => {}
        Ok(loaded) => {
            let resolved = loaded.resolved();
            let text = Text { name: "resolved.yaml".into(), bytes: resolved.clone().into_bytes(), folder: None };
            match load(&text, &Options::default()) {
                Ok(again) => assert_eq!(again.resolved(), resolved, "resolved again, it is another"),
                Err(refused) => {
                    panic!("resolved, it is refused:\n{}\n{resolved}", shown(&refused.problems, &refused.sources))
                }
            }
            runs(loaded);
        }
    }
}

/// Runs a scenario for some thousands of events: in steps of which each is as long as all before it together, so that one
/// in which very much happens in a short time is left as soon as one that is quiet.
fn runs(loaded: Loaded) {
    const EVENTS: u64 = 5_000;
    const WINDOWS: u64 = 1_000;
    let mut session = Session::new(Arc::new(loaded), 1, None);
    for step in 0..60 {
        let at_ns = session.start_ns().saturating_add(1 << step);
        match session.run_until(at_ns) {
            Err(Failure::Breach(breach)) => panic!("{breach:?}"),
            // Calls that go round or never end are the scenario's own.
            Err(_) => return,
            Ok(()) if session.is_finished() || session.events() > EVENTS => break,
            Ok(()) if 1 << step > WINDOWS.saturating_mul(session.window_ns()) => break,
            Ok(()) => {}
        }
    }
    let _ = (session.snapshot(), session.result());
}

/// Any text as a value: what is read is written so that the same is read again, and a distribution draws numbers that
/// can be used.
pub fn values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    scalar::<Duration>(text);
    scalar::<SignedDuration>(text);
    scalar::<Rate>(text);
    scalar::<Size>(text);
    scalar::<Bandwidth>(text);
    scalar::<Money>(text);
    scalar::<Fraction>(text);
    scalar::<Cores>(text);
    scalar::<Count>(text);
    scalar::<Name>(text);
    scalar::<Priority>(text);
    scalar::<bool>(text);
    scalar::<u32>(text);
    scalar::<u64>(text);
    scalar::<i64>(text);
    scalar::<f64>(text);
    let mut draws = Draw::new(1, 2, 3);
    if let Some(DurationDist(dist)) = setting::<DurationDist>(text) {
        (0..8).for_each(|_| assert!(dist.sample(&mut draws) >= 0.0, "{dist:?}"));
        assert!(dist.mean() >= 0.0, "{dist:?}");
    }
    if let Some(CountDist(dist)) = setting::<CountDist>(text) {
        (0..8).for_each(|_| assert!(dist.sample(&mut draws) >= 0.0, "{dist:?}"));
    }
    // A Zipf law of millions of keys is right, and its table takes seconds.
    let small =
        |text: &str| text.bytes().filter(u8::is_ascii_digit).count() < 8 && !text.contains(['k', 'M', 'G', 'e']);
    if !text.contains("zipf") || small(&text.replace("keys", "")) {
        setting::<KeyChooser>(text);
    }
}

/// Any lines as overrides of a scenario, as paths, and as names of metrics.
pub fn paths(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (book, shape) = language::reference::book();
    let lines: Vec<String> = text.lines().take(4).map(str::to_string).collect();
    for line in &lines {
        if let Ok(path) = Path::parse(line) {
            assert_eq!(Path::parse(&path.to_string()).as_ref(), Ok(&path));
            book.live(shape, &path);
        }
        let mut sources = Sources::new();
        if let Err(problems) = read_override(&mut sources, "--set", line) {
            assert!(problems.has_errors());
            shown(&problems.into_sorted(), &sources);
        }
    }
    let options = Options { overrides: lines.clone(), ..Options::default() };
    let changed = loaded(SCENARIO.as_bytes(), &options);
    let loaded = changed.unwrap_or_else(|()| loaded(SCENARIO.as_bytes(), &Options::default()).expect("it is good"));
    assert!(!language::knobs::all(&loaded).is_empty());
    let result = lab::replicate::shape(&Arc::new(loaded));
    for line in &lines {
        if let Err(unknown) = lab::metrics::find(&result, line) {
            assert!(unknown.to_string().contains(line.as_str()));
        }
        lab::metrics::columns(&result, line);
    }
}

/// Any lines as an objective that is searched for, as ends of the search and as an axis of a sweep.
pub fn searches(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let loaded = Arc::new(loaded(SCENARIO.as_bytes(), &Options::default()).expect("it is good"));
    for line in text.lines().take(4) {
        if let Err(why) = lab::find::objective(line, &loaded) {
            assert!(!why.is_empty());
        }
        if let Some(quantity) = language::quantity::Quantity::parse(line) {
            assert!(quantity.value.is_finite(), "{line:?} is {quantity:?}");
        }
        let overrides = vec![format!("sweep.vary={line}")];
        if let Ok(swept) = self::loaded(SCENARIO.as_bytes(), &Options { overrides, ..Options::default() }) {
            // As many points as somebody has written, and no sweep of them is begun.
            let _ = lab::sweep::plan(&Arc::new(swept), lab::sweep::PlanOptions { replications: Some(1) });
        }
    }
}

/// Any bytes as what a sweep has left in its folder: it is not trusted unless it is what the sweep has written.
pub fn stores(bytes: &[u8]) {
    const KEY: u64 = 0x0123_4567_89ab_cdef;
    let folder = tempfile::tempdir().expect("a folder");
    let store = lab::sweep::store::Store::open(folder.path()).expect("a store");
    std::fs::write(folder.path().join(format!("units/{KEY:016x}.json")), bytes).expect("written");
    std::fs::write(folder.path().join("sweep.lock"), bytes).expect("written");
    if let Some(result) = store.get(KEY) {
        store.put(KEY + 1, &result).expect("written");
        assert!(store.get(KEY + 1).is_some(), "it is read back as what was written");
    }
    store.lock();
}

/// Any bytes as a recorded workload and as measured values: refused at a place, or requests in the order of time.
pub fn traces(bytes: &[u8]) {
    let files: Rc<dyn Files> = Rc::new(Table(bytes.to_vec()));
    for columns in [
        "{file: t.csv, time_column: at}",
        "{file: t.csv, time_column: at_ms, op_column: op, key_column: key, speed: 2.5}",
        "{file: t.csv, time_column: at_ns, key_column: key, speed: 0.000001}",
    ] {
        let Some(trace) = from_table::<TraceSettings>(columns, &files) else { continue };
        let process = Process::Trace(trace);
        let zero = 1_000_000_000;
        let mut source = Source::new(&process, None, Stream::named(1, "fuzz"), zero).expect("a trace is a source");
        let mut now = 0;
        while let Some(at) = source.next(now) {
            assert!(at >= now && at >= zero);
            assert!(source.traced().is_some());
            now = at;
        }
    }
    from_table::<DurationDist>("{empirical: {file: t.csv, column: at_ms}}", &files);
    from_table::<DurationDist>("{empirical: {file: t.csv, column: latency}}", &files);
    from_table::<CountDist>("{empirical: {file: t.csv, column: key}}", &files);
}

/// One table under every name.
struct Table(Vec<u8>);

impl Files for Table {
    fn column(&self, file: &str, column: &str) -> Result<Rc<Vec<String>>, String> {
        language::table::column(self.0.as_slice(), file, column, u64::MAX).map(Rc::new)
    }
}

fn from_table<T: Setting>(text: &str, files: &Rc<dyn Files>) -> Option<T> {
    let node = notation::parse(text, SourceId(0)).expect("it is written above");
    let mut reader = Reader::with_files(files.clone());
    let value = T::read(&node, &mut reader);
    assert!(value.is_some() || reader.problems.has_errors(), "refused without a reason");
    assert!(reader.problems.iter().all(|problem| problem.span.is_somewhere()));
    value
}

fn scalar<T: Scalar + PartialEq + std::fmt::Debug>(text: &str) {
    match T::parse(text) {
        Ok(value) => assert_eq!(T::parse(&value.format()).as_ref(), Ok(&value), "{text:?} as {}", value.format()),
        Err(error) => assert!(!error.message.is_empty()),
    }
}

fn setting<T: Setting + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
    let value = notation::read::<T>(text).ok()?;
    let written = value.write().to_string();
    match notation::read::<T>(&written) {
        Ok(again) => assert_eq!(again, value, "{text:?} as {written}"),
        Err(problems) => panic!("{text:?} is written {written}: {problems:?}"),
    }
    Some(value)
}

fn shown(problems: &[Problem], sources: &Sources) -> String {
    to_json(problems, sources);
    render(problems, sources, Style::Plain)
}

/// Loads, and checks whatever is complained of.
fn loaded(bytes: &[u8], options: &Options) -> Result<Loaded, ()> {
    let text = Text { name: "fuzz.yaml".into(), bytes: bytes.to_vec(), folder: None };
    let (result, problems, sources) = match load(&text, options) {
        Ok(loaded) => {
            let (problems, sources) = (loaded.warnings.clone(), loaded.sources.clone());
            (Ok(loaded), problems, sources)
        }
        Err(refused) => (Err(()), refused.problems, refused.sources),
    };
    assert!(result.is_ok() || !problems.is_empty(), "refused without a reason");
    for problem in &problems {
        let span = problem.span;
        assert!(span.is_somewhere(), "without a place: {problem:?}");
        let source = sources.get(span.source).expect("a place in a text that is there");
        assert!(span.start <= span.end && span.end as usize <= source.text.len(), "outside the text: {problem:?}");
        assert!(!problem.message.is_empty());
    }
    assert!(problems.is_sorted_by_key(|problem| (problem.span.source, problem.span.start)), "not in file order");
    let text = shown(&problems, &sources);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "a terminal would obey this: {text:?}");
    result
}
