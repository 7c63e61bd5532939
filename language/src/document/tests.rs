//! What documents may contain, the positions of their parts, and what is rejected.

use super::*;
use settings::SourceId;

fn read(text: &str) -> Result<Node, Problems> {
    read_document(&mut Sources::new(), "test.yaml", text.as_bytes())
}

fn tree(text: &str) -> Node {
    read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

/// The problems of a text, each as "line:column code text-it-marks: message; help".
fn refused(bytes: &[u8]) -> Vec<String> {
    let mut sources = Sources::new();
    let problems = read_document(&mut sources, "test.yaml", bytes).expect_err("this should be refused");
    let line = |problem: Problem| {
        let (line, column) = sources.line_and_column(problem.span.source, problem.span.start).expect("a place");
        let text = &sources.get(problem.span.source).expect("a source").text;
        let marked = text.get(problem.span.start as usize..problem.span.end as usize).expect("a span within the text");
        let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
        format!("{line}:{column} {} `{marked}`: {}{help}", problem.code, problem.message)
    };
    problems.into_sorted().into_iter().map(line).collect()
}

fn marked<'t>(text: &'t str, node: &Node) -> &'t str {
    &text[node.span.start as usize..node.span.end as usize]
}

#[test]
fn yaml_becomes_a_tree_of_text() {
    let text = "a: 5ms\nb: [x, 'y z', \"1\"]\nc:\n  d: ~\n  e: 0x1F\n# comment\nf: {}\n";
    assert_eq!(tree(text).to_string(), "{a: 5ms, b: [x, y z, \"1\"], c: {d: null, e: 0x1F}, f: {}}");
}

#[test]
fn spans_are_the_bytes_of_what_was_written() {
    let text = "ä: é  # ü\nlist:\n  - 5ms\n  - {x: 'ö', y: [1, 2]}\nmap:\n  k:   v   \n  m:\n    n: \"q\"\n";
    let node = tree(text);
    for (path, expected) in [
        ("ä", "é"),
        ("list.0", "5ms"),
        ("list.1", "{x: 'ö', y: [1, 2]}"),
        ("list.1.x", "'ö'"),
        ("list.1.y", "[1, 2]"),
        ("map.k", "v"),
        ("map.m.n", "\"q\""),
        ("map.m", "n: \"q\""),
        ("map", "k:   v   \n  m:\n    n: \"q\""),
        ("list", "- 5ms\n  - {x: 'ö', y: [1, 2]}"),
    ] {
        assert_eq!(marked(text, node.at(path).expect(path)), expected, "{path}");
    }
    let key = node.entry("list").expect("list").key_span;
    assert_eq!(&text[key.start as usize..key.end as usize], "list");
}

#[test]
fn line_ends_of_other_systems_and_a_byte_order_mark_do_not_move_spans() {
    let text = "a: 1\r\nb:\r\n  c: x\r\n";
    let node = tree(text);
    assert_eq!(marked(text, node.at("b.c").expect("c")), "x");
    let with_mark = read_document(&mut Sources::new(), "f", b"\xEF\xBB\xBFa: 1\n").expect("a tree");
    assert_eq!(with_mark.to_string(), "{a: 1}");
}

#[test]
fn block_texts_keep_their_lines() {
    let text = "d: |\n  one\n  two\ne: >\n  three\n  four\nf: 1\n";
    let node = tree(text);
    assert_eq!(node.at("d").and_then(Node::as_text), Some("one\ntwo\n"));
    assert_eq!(node.at("e").and_then(Node::as_text), Some("three four\n"));
    assert_eq!(node.at("f").and_then(Node::as_text), Some("1"));
}

#[test]
fn aliases_stand_for_what_their_anchor_names() {
    let text = "a: &pool {size: 20}\nb: *pool\nc: [&t 5ms, *t]\n";
    let node = tree(text);
    assert_eq!(node.to_string(), "{a: {size: 20}, b: {size: 20}, c: [5ms, 5ms]}");
    assert_eq!(marked(text, node.at("b.size").expect("size")), "20");
}

#[test]
fn every_refusal_names_its_place() {
    let mut wrong = Vec::new();
    for (text, said) in [
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1 duplicate_key `a`: duplicate key `a`; the first one is in line 1; keep one of them",
        ),
        ("{x: 1, x: 2}", "1:8 duplicate_key `x`: duplicate key `x`; the first one is in line 1; keep one of them"),
        (
            "a: &b {c: 1}\nd:\n  <<: *b\n",
            "3:3 merge_key `<<`: merge keys (`<<`) are not supported; write the keys out, or name them once under \
             `policies` and apply them with `use`",
        ),
        (
            "a: !!str 5\n",
            "1:4 tag `!!str`: tags such as `!!str` are not supported; remove it: the setting decides what a value is",
        ),
        (
            "a: &p !x [5]\n",
            "1:7 tag `!x`: tags such as `!x` are not supported; remove it: the setting decides what a value is",
        ),
        ("a: &x [*x]\n", "1:8 self_alias `*x`: `*x` refers to something that contains it"),
        (
            "a: *x\n",
            "1:4 not_yaml `*`: no anchor with this name precedes this alias; an anchor is written `&name`, before the value",
        ),
        ("? [a, b]\n: 1\n", "1:3 bad_key `[a, b]`: a key must be one word, found a list"),
        ("a: 1\n: 2\n", "2:1 bad_key ``: there is no key before the `:`"),
        ("a:\n\tb: 1\n", "2:1 tab `\t`: a tab cannot be indentation; indent with spaces"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1 tab `\t`: a tab cannot be indentation; indent with spaces"),
        (
            "",
            "1:1 empty_document ``: the scenario is empty; a scenario has at least `version: 1`, `run` and one of `workloads`",
        ),
        (
            "# only this\n",
            "1:1 empty_document ``: the scenario is empty; a scenario has at least `version: 1`, `run` and one of `workloads`",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "2:1 two_documents `---`: a second document starts here; a scenario is one document: remove the `---`, or make two files",
        ),
        (
            "a: b: c\n",
            "1:5 not_yaml `:`: unexpected `: `: no key is possible here; indent the keys of a map equally; put text that contains `: ` into quotes",
        ),
        (
            "a: 1\n b: 2\n",
            "2:3 not_yaml `:`: unexpected `: `: no key is possible here; indent the keys of a map equally; put text that contains `: ` into quotes",
        ),
        (
            "a: [1, 2\nb: 3\n",
            "2:2 not_yaml `:`: unexpected `:`: no key is possible here; a bracket above may not be closed",
        ),
        (
            "a: {b: 1\n",
            "1:9 not_yaml ``: a `,` or the closing `}` is missing before this; within `{}`, a key or text that contains a \
             bracket stands in quotes: `{\"a[2].b\": 1}`",
        ),
        ("a: \"x\n", "1:4 not_yaml `\"`: the text ends within quotes; write the closing quote"),
        ("a: @x\n", "1:4 not_yaml `@`: a value cannot start with this character; put the text in quotes"),
        ("a\u{0}b: 1\n", "1:2 not_text `\u{0}`: byte 1 is the control character U+0000: this is not a text file"),
        ("a: \u{1b}[31m\n", "1:4 not_text `\u{1b}`: byte 3 is the control character U+001B: this is not a text file"),
    ] {
        let found = refused(text.as_bytes());
        if found != [said] {
            wrong.push(format!("{text:?}\n  {found:#?}\n  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn problems_that_can_be_passed_over_are_all_found() {
    let found = refused(b"a: !x 1\na: 2\nb:\n  <<: {}\n  c: 1\n  c: 2\n");
    let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(codes, ["tag", "duplicate_key", "merge_key", "duplicate_key"]);
}

#[test]
fn texts_in_other_encodings_are_named_with_their_byte() {
    assert_eq!(
        refused(b"name: caf\xE9\n"),
        [
            "1:10 not_utf8 `\u{FFFD}`: byte 9 is 0xE9, which is not UTF-8; the file looks like Latin-1 (ISO 8859-1): save it as UTF-8"
        ]
    );
    assert_eq!(
        refused(b"\xFF\xFEa\x00"),
        ["1:1 not_utf8 `\u{FFFD}`: byte 0 is 0xFF, which is not UTF-8; the file looks like UTF-16: save it as UTF-8"]
    );
    assert_eq!(
        refused(b"\x7FELF\x02\x00\x80"),
        ["1:8 not_utf8 `\u{FFFD}`: byte 7 is 0x80, which is not UTF-8; this looks like a binary file"]
            .map(|line| line.replace("1:8", "1:7").replace("byte 7", "byte 6"))
    );
}

#[test]
fn limits_stop_what_would_exhaust_memory() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", ")));
    }
    assert!(refused(bomb.as_bytes())[0].contains("too_many_values"));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(refused(deep.as_bytes())[0].starts_with("1:66 too_deep"), "{:?}", refused(deep.as_bytes()));
    let fits = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    tree(&fits);
    let mut tower = "a0: &a0 [x]\n".to_string();
    for level in 1..100 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(refused(tower.as_bytes())[0].contains("too_deep"));
    assert!(refused(&vec![b' '; BYTES_MAX + 1])[0].contains("too_large"));
    assert!(!refused("[".repeat(2_000_000).as_bytes()).is_empty());
    assert!(!refused("{a: ".repeat(500_000).as_bytes()).is_empty());
}

#[test]
fn overrides_carry_their_own_places() {
    let mut sources = Sources::new();
    let mut document = read_document(&mut sources, "f.yaml", b"components: {api: {replicas: 1}}\n").expect("a tree");
    let change = read_override(&mut sources, "--set", "components.api.queue={max: 5}").expect("an override");
    change.apply(&mut document).expect("a place");
    assert_eq!(document.to_string(), "{components: {api: {replicas: 1, queue: {max: 5}}}}");
    let max = document.at("components.api.queue.max").expect("max");
    assert_eq!(max.span.source, SourceId(1));
    assert_eq!(marked(&sources.get(SourceId(1)).expect("a source").text, max), "5");
    let removal = read_override(&mut sources, "--set", "components.api.queue=null").expect("an override");
    removal.apply(&mut document).expect("a place");
    assert_eq!(document.to_string(), "{components: {api: {replicas: 1}}}");
}

#[test]
fn overrides_that_make_no_sense_are_refused() {
    for (text, said) in [
        ("components.api", "there is no `=`"),
        ("=5", "a path cannot be empty; write one such as `components.web.replicas`"),
        ("a..b=5", "the path `a..b` has an empty part"),
        ("a.b=", "there is no value for `a.b`"),
        ("a.b={", "a value is missing here"),
        ("a=x: y: z", "unexpected `: `: no key is possible here"),
    ] {
        let problems = read_override(&mut Sources::new(), "--set", text).expect_err(text);
        let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages, [said], "{text}");
    }
    let mut document = tree("call: edge\n");
    let change = read_override(&mut Sources::new(), "--set", "call.timeout=1s").expect("an override");
    let problem = change.apply(&mut document).expect_err("a scalar has no keys");
    assert_eq!(problem.message, "`call` is the single value `edge`, so it has no `timeout`");
}

#[test]
fn a_tree_written_as_yaml_reads_back_as_the_same_tree() {
    let text = "a: 5ms\nb: 10\nc: \"10\"\nd: [x, 0.5, true, \"true\", 10%]\ne: {}\nf: null\ng: 'x: y'\nh: \"two\\nlines\"\ni: 10_000\nj: \"null\"\n";
    let node = tree(text);
    let written = to_yaml(&node).expect("YAML");
    let again = tree(&written);
    assert!(again.says_the_same(&node), "{written}");
    assert_eq!(again.at("j").and_then(Node::as_text), Some("null"));
    assert!(written.contains("a: 5ms\n") && written.contains("b: 10\n"), "{written}");
}

#[test]
fn lines_that_only_some_end_are_written_so_that_they_read_back() {
    let odd = ["\u{2028}  ", "a\u{85}\nb \\ \"", "\u{2029}\u{1b}quoted_text1", "quoted_text2", "\u{2028}"];
    let many: Vec<String> = (0..12).map(|nth| format!("\"\\u2028{nth}\"")).collect();
    let texts: Vec<String> = odd.iter().map(|text| serde_json::to_string(text).expect("JSON")).collect();
    let text = format!("a: [{}]\nb: [{}]\n\"\\u2028key\": 5ms\n", texts.join(", "), many.join(", "));
    let node = tree(&text);
    let written = to_yaml(&node).expect("YAML");
    assert!(!written.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{written}");
    let again = tree(&written);
    assert!(again.says_the_same(&node), "{written}");
    assert_eq!(to_yaml(&again).expect("YAML"), written);
}

/// For any text, reading ends with a tree or with problems, and every position is within the text.
#[test]
fn no_text_makes_the_reader_fail() {
    const PIECES: [&str; 32] = [
        "a", "b: ", ": ", "- ", "\n", "\n  ", "\n    ", "\t", "{", "}", "[", "]", ",", "\"", "'", "|\n", ">\n", "&x ",
        "*x", "!t ", "? ", "#", "---\n", "...\n", "<<: ", "é", "%", "@", "~", "\r\n", "\\", "5ms",
    ];
    let mut state: u64 = 1;
    for _ in 0..30_000 {
        let mut text = String::new();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..(state >> 33) % 14 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PIECES[(state >> 40) as usize % PIECES.len()]);
        }
        let mut sources = Sources::new();
        match read_document(&mut sources, "f", text.as_bytes()) {
            Ok(node) => all_within(&node, &text),
            Err(problems) => {
                for problem in problems {
                    assert!(
                        text.get(problem.span.start as usize..problem.span.end as usize).is_some(),
                        "{text:?} {problem:?}"
                    );
                }
            }
        }
    }
}

fn all_within(node: &Node, text: &str) {
    assert!(text.get(node.span.start as usize..node.span.end as usize).is_some(), "{text:?} {node:?}");
    node.members().into_iter().flatten().for_each(|member| all_within(member, text));
    for entry in node.entries().into_iter().flatten() {
        assert!(text.get(entry.key_span.start as usize..entry.key_span.end as usize).is_some(), "{text:?} {entry:?}");
        all_within(&entry.value, text);
    }
}

#[test]
fn aliases_are_bounded_by_the_bytes_that_they_expand_to() {
    let text = |aliases: usize| format!("a: &long {}\nb: [{}]\n", "x".repeat(4_000), "*long, ".repeat(aliases));
    assert!(read(&text(1_000)).is_ok());
    let bomb = text(20_000);
    assert!(bomb.len() < 200_000);
    let found = refused(bomb.as_bytes());
    assert!(found.len() == 1 && found[0].contains("more than 40000000 bytes once its aliases"), "{found:?}");
    // Keys count too.
    let keys = format!("a: &long {{{}: 1}}\nb: [{}]\n", "k".repeat(4_000), "*long, ".repeat(20_000));
    assert!(refused(keys.as_bytes())[0].contains("bytes once its aliases"));
}
