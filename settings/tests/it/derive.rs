//! The derive on example types with the shapes used in the scenario language.

use settings::book::{Body, Live};
use settings::{
    Book, Count, Duration, DurationDist, Fraction, Map, Name, Node, OneOrMany, Path, Rate, Reader, Setting, SourceId,
    notation,
};

use crate::types::*;

fn good<T: Setting>(text: &str) -> T {
    notation::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"))
}

/// The problems, one per line: span, path, message, help.
fn problems<T: Setting>(text: &str) -> Vec<String> {
    let node = notation::parse(text, SourceId(0)).expect(text);
    let mut cx = Reader::new();
    let value = T::read(&node, &mut cx);
    assert!(value.is_none() || cx.problems.has_errors(), "{text} is accepted");
    let line = |problem: settings::Problem| {
        let place = problem.path.to_string();
        let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}:{}: {place}: {}{help}", problem.span.start, problem.span.end, problem.message)
    };
    cx.problems.into_sorted().into_iter().map(line).collect()
}

fn round_trip<T: Setting + PartialEq + std::fmt::Debug>(text: &str, written: &str) {
    let value: T = good(text);
    assert_eq!(value.write().to_string(), written);
    assert_eq!(good::<T>(written), value, "{written}");
}

#[test]
fn a_struct_reads_its_keys_and_fills_in_defaults() {
    let pool: Pool = good("{size: 20, order: lifo}");
    assert_eq!(
        pool,
        Pool { size: 20, acquire_timeout: Duration(30_000_000_000), max_waiters: None, order: Order::Lifo }
    );
}

#[test]
fn writing_names_every_default_and_reads_back_as_the_same() {
    round_trip::<Pool>("{size: 20}", "{size: 20, acquire_timeout: 30s, order: fifo}");
    round_trip::<Pool>(
        "{size: 5, max_waiters: 0, order: codel}",
        "{size: 5, acquire_timeout: 30s, max_waiters: 0, order: {codel: {target: 5ms, interval: 100ms}}}",
    );
    round_trip::<Order>("{priority: {preempt: true}}", "{priority: {preempt: true}}");
    round_trip::<Order>("priority", "{priority: {preempt: false}}");
    round_trip::<Backoff>(
        "{exponential: {base: 100ms, max: 2s}, jitter: full}",
        "{exponential: {base: 100ms, max: 2s}, jitter: full}",
    );
    round_trip::<Backoff>("none", "none");
    round_trip::<Backoff>("{none: {}, jitter: full}", "{none: {}, jitter: full}");
    round_trip::<Dist>("5ms", "5ms");
    round_trip::<Dist>("{exp: 5ms}", "{exp: 5ms}");
    round_trip::<Link>("edge", "{to: {to: edge, weight: 1}}");
    round_trip::<Link>(
        "{to: [a, {to: b, weight: 2}], timeout: 1s}",
        "{to: [{to: a, weight: 1}, {to: b, weight: 2}], timeout: 1s}",
    );
    round_trip::<Fault>(
        "{at: 60s, for: 20s, slow: {component: db, factor: 5}}",
        "{at: 1m, for: 20s, slow: {component: db, factor: 5}}",
    );
    round_trip::<Component>("{kind: sink}", "{kind: sink}");
    round_trip::<Component>("{kind: external_thing, limit: null}", "{kind: external_thing, limit: null}");
    round_trip::<Component>(
        "{kind: service, steps: [{repeat: {times: 2, steps: [{wait: {uniform: [1ms, 2ms]}}]}}]}",
        "{kind: service, replicas: 1, calls: {}, steps: [{repeat: {times: 2, steps: [{wait: {uniform: [1ms, 2ms]}}]}}]}",
    );
}

#[test]
fn a_word_alone_stands_for_a_choice_whose_settings_all_have_defaults() {
    assert_eq!(good::<Order>("codel"), good::<Order>("{codel: {target: 5ms, interval: 100ms}}"));
    assert_eq!(good::<Order>("{lifo: {}}"), Order::Lifo);
    assert_eq!(problems::<Growth>("fixed"), ["0:5: : `fixed` needs a value; write `{fixed: …}`"]);
    assert_eq!(problems::<Growth>("exponential"), ["0:11: exponential: `base` is missing; `base`: The first wait"]);
}

#[test]
fn all_problems_are_found_in_one_pass() {
    assert_eq!(
        problems::<Link>(
            "{timeuot: 5ms, retry: {max_attempts: 0, backoff: {exponentail: {base: 1ms}}, when: [timeout, eror]}}"
        ),
        [
            "0:100: : `to` is missing; `to`: Where it goes",
            "1:8: timeuot: unknown setting `timeuot`; did you mean `timeout`?",
            "37:38: retry.max_attempts: `0` is out of range: `max_attempts` must be at least 1 and at most 100",
            "50:61: retry.backoff: unknown setting `exponentail`; did you mean `exponential`?",
            "93:97: retry.when.1: expected one of `timeout` or `error`, found `eror`; did you mean `error`?",
        ]
    );
}

#[test]
fn each_sort_of_mistake_says_what_was_expected() {
    for (text, said) in [
        (
            "{acquire_timeout: 5}",
            vec![
                "0:20: : `size` is missing; write `size: 20`: Connections that may be open at once",
                "18:19: acquire_timeout: `5` has no unit; write `5ms` or `5s`",
            ],
        ),
        ("{size: 1, max_waiters: [1]}", vec!["23:26: max_waiters: expected a count, found a list"]),
        (
            "{size: 1, max_waiters: }",
            vec!["10:21: max_waiters: the value is missing; write a value, or remove the key"],
        ),
        ("{size: {a: 1}}", vec!["7:13: size: expected a count, found a map"]),
        (
            "{size: 1, order: {codel: {target: 5}}}",
            vec!["34:35: order.codel.target: `5` has no unit; write `5ms` or `5s`"],
        ),
        (
            "{size: 1, order: {codel: {interval: 0s}}}",
            vec!["36:38: order.codel.interval: `0s` is out of range: `interval` must be more than 0s"],
        ),
        (
            "{size: 1, order: {lifo: {a: 1}}}",
            vec!["24:30: order.lifo: `lifo` takes no settings, found a map; write `lifo`"],
        ),
        (
            "{size: 1, order: {fifo: {}, lifo: {}}}",
            vec![
                "28:32: order: `fifo` and `lifo` are mutually exclusive; keep one of `fifo`, `lifo`, `codel` or `priority`",
            ],
        ),
        (
            "{size: 1, order: lfio}",
            vec![
                "17:21: order: expected one of `fifo`, `lifo`, `codel` or `priority`, found `lfio`; did you mean `lifo`?",
            ],
        ),
        ("[1]", vec!["0:3: : expected a map with `size`, `acquire_timeout`, `max_waiters` or `order`, found a list"]),
        (
            "{size: 1, colour: red}",
            vec![
                "10:16: colour: unknown setting `colour`; known here: `size`, `acquire_timeout`, `max_waiters` and `order`",
            ],
        ),
    ] {
        assert_eq!(problems::<Pool>(text), said, "{text}");
    }
}

#[test]
fn a_flattened_choice_must_be_there_exactly_once() {
    assert_eq!(problems::<Fault>("{at: 1s}"), ["0:8: : one of `slow` or `kill` is missing"]);
    assert_eq!(
        problems::<Fault>("{at: 1s, kill: a, slow: {component: a, factor: 2}}"),
        ["18:22: : `kill` and `slow` are mutually exclusive; keep one of `slow` or `kill`"]
    );
    assert_eq!(problems::<Fault>("{at: 1s, kil: a}"), ["9:12: : unknown setting `kil`; did you mean `kill`?"]);
}

#[test]
fn what_is_no_map_of_its_own_keys_stands_for_the_shorthand() {
    let link: Link = good("[a, b]");
    assert_eq!(link.to.iter().map(|target| target.to.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(good::<Operation>("{exp: 5ms}"), good::<Operation>("{io: {exp: 5ms}}"));
    assert_eq!(good::<Operation>("5ms"), good::<Operation>("{io: 5ms}"));
    assert_eq!(problems::<Operation>("{exp: 5}"), ["6:7: exp: `5` has no unit; write `5ms` or `5s`"]);
}

#[test]
fn a_bare_value_that_is_nearly_a_word_is_taken_for_one() {
    assert_eq!(
        problems::<Dist>("unifrom"),
        ["0:7: : expected one of `exp` or `uniform` or a value, found `unifrom`; did you mean `uniform`?"]
    );
    assert_eq!(problems::<Dist>("5"), ["0:1: : `5` has no unit; write `5ms` or `5s`"]);
}

#[test]
fn a_tag_says_which_settings_stand_beside_it() {
    assert_eq!(
        problems::<Component>("{kind: servcie, replicas: 3}"),
        ["7:14: kind: no kind is called `servcie`; did you mean `service`?"]
    );
    assert_eq!(
        problems::<Component>("{replicas: 3}"),
        ["0:13: : `kind` is missing; `kind` is one of `service`, `external_thing` or `sink`"]
    );
    assert_eq!(
        problems::<Component>("{kind: sink, replicas: 3}"),
        ["13:21: replicas: unknown setting `replicas`; known here: `kind`"]
    );
    assert_eq!(
        problems::<Component>("{kind: service, replicas: many}"),
        ["26:30: replicas: expected a whole number such as `20` or `10k`, found `many`"]
    );
}

#[test]
fn a_tagged_choice_can_stand_among_common_keys() {
    round_trip::<Placed>(
        "{kind: service, region: eu, replicas: 2}",
        "{kind: service, region: eu, replicas: 2, calls: {}, steps: [], depth: -3, visible: true}",
    );
    assert_eq!(
        problems::<Placed>("{kind: sink, replicas: 2}"),
        ["13:21: replicas: unknown setting `replicas`; known here: `region`, `kind`, `depth` and `visible`"]
    );
    assert_eq!(
        problems::<Placed>("{kind: snik, replicas: 2}"),
        ["7:11: kind: no kind is called `snik`; did you mean `sink`?"]
    );
    let mut book = Book::new();
    let shape = Placed::describe(&mut book);
    assert_eq!(book.live(&shape, &Path::parse("replicas").expect("a path")), Live::Yes);
}

#[test]
fn a_name_that_is_also_a_key_of_a_flattened_struct_stays_a_name() {
    /// Settings that several links share.
    #[derive(Clone, Debug, PartialEq, Setting)]
    struct Shared {
        /// How long an attempt may take.
        timeout: Option<Duration>,
    }
    /// A link.
    #[derive(Clone, Debug, PartialEq, Setting)]
    #[setting(shorthand = "to")]
    struct Short {
        /// Where it goes.
        to: Name,
        /// The other settings.
        #[setting(flatten)]
        shared: Shared,
    }
    assert_eq!(good::<Short>("timeout").to, "timeout");
    round_trip::<Short>("{to: a, timeout: 1s}", "{to: a, timeout: 1s}");
}

#[test]
fn map_keys_must_be_names() {
    assert_eq!(
        problems::<Map<Count>>("{a: 1, no: 2, c: x}"),
        [
            "7:9: no: `no` cannot be a name; some YAML readers take it for true, false or null",
            "17:18: c: expected a whole number such as `20` or `10k`, found `x`",
        ]
    );
    let paths: Map<Node, String> = good("{components.api.replicas: 8}");
    assert_eq!(paths.names().collect::<Vec<_>>(), ["components.api.replicas"]);
}

#[test]
fn spanned_values_remember_where_they_stood() {
    let link: Link = good("{to: [a, {to: b}]}");
    assert_eq!(link.to[1].to.path.to_string(), "to.1.to");
    assert_eq!((link.to[1].to.span.start, link.to[1].to.span.end), (14, 15));
}

#[test]
fn the_book_says_which_settings_are_live() {
    assert_eq!(Pool::live_fields(), ["size"]);
    let mut book = Book::new();
    let pool = Pool::describe(&mut book);
    let component = Component::describe(&mut book);
    let live = |shape, path| book.live(shape, &Path::parse(path).expect(path));
    assert_eq!(live(&pool, "size"), Live::Yes);
    assert_eq!(live(&pool, "acquire_timeout"), Live::No);
    assert_eq!(live(&pool, "order.codel.target"), Live::Yes);
    assert_eq!(live(&pool, "order.codel.interval"), Live::No);
    assert_eq!(live(&pool, "sise"), Live::Unknown);
    assert_eq!(live(&component, "calls.db.retry.max_attempts"), Live::Yes);
    assert_eq!(live(&component, "calls.db.timeout"), Live::No);
    assert_eq!(live(&component, "kind"), Live::No);
}

#[test]
fn a_value_alone_is_as_live_as_what_it_stands_for() {
    /// What one operation takes.
    #[derive(Clone, Debug, PartialEq, Setting)]
    #[setting(shorthand = "io")]
    struct Operation {
        /// I/O time.
        #[setting(live)]
        io: DurationDist,
        /// CPU time.
        cpu: Option<DurationDist>,
    }
    let mut book = Book::new();
    let shape = Map::<Operation>::describe(&mut book);
    let changed = |path: &str, value: &str| {
        let value = settings::notation::parse(value, settings::SourceId::NOWHERE).expect(value);
        book.changed_by(&shape, &Path::parse(path).expect(path), &value).map(|path| path.to_string())
    };
    assert_eq!(changed("query", "30ms").as_deref(), Some("query.io"));
    assert_eq!(changed("query", "{exp: 30ms}").as_deref(), Some("query.io"));
    assert_eq!(changed("query.io", "30ms").as_deref(), Some("query.io"));
    assert_eq!(changed("query", "{io: 30ms}"), None);
    assert_eq!(changed("query", "{cpu: 30ms}"), None);
    assert_eq!(changed("query.cpu", "30ms"), None);
    assert_eq!(changed("query", "~"), None);
}

#[test]
fn the_book_describes_what_the_reader_accepts() {
    let mut book = Book::new();
    let shape = Pool::describe(&mut book);
    let settings::Shape::Named(name) = shape else { panic!("a struct is a definition") };
    assert_eq!(book.title(&name), "Pool");
    let Some(Body::Fields(fields)) = book.definition(&name).map(|definition| &definition.body) else {
        panic!("a struct has fields")
    };
    let line = |field: &settings::book::FieldShape| {
        let default = field.default.as_ref().map(Node::to_string).unwrap_or_default();
        format!("{} required={} default={default} live={}", field.key, field.required, field.live)
    };
    let lines: Vec<String> = fields.fields.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "size required=true default= live=true",
            "acquire_timeout required=false default=30s live=false",
            "max_waiters required=false default= live=false",
            "order required=false default=fifo live=false",
        ]
    );
    let order = book.definitions().find(|definition| definition.name.ends_with("Order")).expect("Order");
    let Body::Choice(choice) = &order.body else { panic!("an enum is a choice") };
    let words: Vec<(&str, bool)> = choice.variants.iter().map(|variant| (variant.word, variant.alone)).collect();
    assert_eq!(words, [("fifo", true), ("lifo", true), ("codel", true), ("priority", true)]);
}

#[test]
fn what_nothing_explains_is_found() {
    #[derive(Setting)]
    #[allow(dead_code)]
    struct Bare {
        size: u32,
        /// Which.
        order: Word,
    }
    /// One of two.
    #[derive(Setting)]
    #[allow(dead_code)]
    enum Word {
        /// The first.
        First,
        Second {
            depth: u32,
        },
    }
    let mut book = Book::new();
    Bare::describe(&mut book);
    let found: Vec<String> =
        book.undocumented().iter().map(|name| name.rsplit("::").next().unwrap_or(name).to_string()).collect();
    assert_eq!(found, ["Bare.size", "Word.second.depth", "Bare", "Word.second"]);
    let mut book = Book::new();
    Placed::describe(&mut book);
    settings::DurationDist::describe(&mut book);
    settings::KeyChooser::describe(&mut book);
    assert_eq!(book.undocumented(), Vec::<String>::new());
}

#[test]
fn several_values_of_one_type_keep_their_units() {
    assert_eq!(good::<Vec<Rate>>("[1/s, 30/min]"), [Rate(1.0), Rate(0.5)]);
    assert_eq!(good::<OneOrMany<Fraction>>("10%").values, [Fraction(0.1)]);
    assert_eq!(problems::<OneOrMany<Fraction>>("[]"), ["0:2: : the list is empty; write at least one member"]);
}
