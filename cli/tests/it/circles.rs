//! No circular imports: the files of a crate import each other in one direction only, so that each can be read without the
//! files above it.
//!
//! A file imports another one if it names something in it, by `use` or by a full path, outside of `#[cfg(test)]`:
//!
//! - The imported file is the deepest one that the path itself leads to. What a folder's own file re-exports from its parts
//!   belongs to the folder; only the root of a crate, which re-exports everything, is looked through.
//! - A part that uses something from a folder around it does not import that folder: it belongs to it. A folder's file that
//!   uses something from its parts does import them.
//! - Methods are ignored: a type may get methods in files above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::layers::crates;
use crate::program::repository;

/// The path of a module from the root of its crate; empty for the root.
type Module = Vec<String>;

/// Contents of a file.
#[derive(Debug, Default)]
struct File {
    /// Imports: the path, and its local name; `*` for a glob.
    uses: Vec<(Vec<String>, String)>,
    /// Full paths in the code.
    paths: Vec<Vec<String>>,
    /// Names of the items defined here.
    defines: BTreeSet<String>,
}

impl File {
    fn read(text: &str) -> File {
        let mut file = File::default();
        let tokens = TokenStream::from_str(text).expect("a source file consists of Rust's tokens");
        file.walk(&tokens.into_iter().collect::<Vec<_>>(), 0);
        file
    }

    /// Collects from tokens. `inside` is the number of inline modules around them.
    fn walk(&mut self, tokens: &[TokenTree], inside: usize) {
        let mut at = 0;
        while at < tokens.len() {
            let word = word_at(tokens, at);
            if is_test(tokens, at) {
                at = behind_item(tokens, at + 2);
            } else if word.as_deref() == Some("use") {
                let first = self.uses.len();
                at = self.read_use(tokens, at + 1, &[]);
                self.uses[first..].iter_mut().for_each(|(path, _)| *path = outward(path, inside));
            } else if let (Some("mod"), Some(name), Some(TokenTree::Group(body))) =
                (word.as_deref(), word_at(tokens, at + 1), tokens.get(at + 2))
            {
                self.defines.insert(name);
                self.walk(&body.stream().into_iter().collect::<Vec<_>>(), inside + 1);
                at += 3;
            } else if let Some(word) = word {
                self.define(&word, tokens, at);
                let (path, behind) = path_at(tokens, at);
                if path.len() > 1 && !follows_path(tokens, at) {
                    self.paths.push(outward(&path, inside));
                }
                at = behind;
            } else {
                if let TokenTree::Group(group) = &tokens[at] {
                    self.walk(&group.stream().into_iter().collect::<Vec<_>>(), inside);
                }
                at += 1;
            }
        }
    }

    fn define(&mut self, keyword: &str, tokens: &[TokenTree], at: usize) {
        let name = match keyword {
            "struct" | "enum" | "union" | "fn" | "trait" | "type" | "const" | "static" => word_at(tokens, at + 1),
            "macro_rules" => word_at(tokens, at + 2),
            _ => None,
        };
        self.defines.extend(name);
    }

    /// Reads the tree of a `use` and returns the position after it.
    fn read_use(&mut self, tokens: &[TokenTree], mut at: usize, before: &[String]) -> usize {
        let mut path = before.to_vec();
        loop {
            match tokens.get(at) {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut branch = 0;
                    while branch < branches.len() {
                        branch = self.read_use(&branches, branch, &path) + 1;
                    }
                    return at + 1;
                }
                Some(TokenTree::Punct(sign)) if sign.as_char() == ':' => at += 1,
                Some(TokenTree::Punct(sign)) if sign.as_char() == '*' => {
                    self.uses.push((path, "*".to_owned()));
                    return at + 1;
                }
                Some(TokenTree::Ident(name)) if *name == "as" => {
                    let alias = word_at(tokens, at + 1).unwrap_or_default();
                    self.uses.push((path, alias));
                    return at + 2;
                }
                Some(TokenTree::Ident(name)) => {
                    // `a::{self}` is `a`.
                    if *name != "self" || path.is_empty() {
                        path.push(name.to_string());
                    }
                    at += 1;
                }
                _ => {
                    let name = path.last().cloned().unwrap_or_default();
                    self.uses.push((path, name));
                    return at;
                }
            }
        }
    }
}

fn word_at(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at) {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

fn is_sign(tokens: &[TokenTree], at: usize, sign: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == sign)
}

/// The path `a::b::c` at this position, and the position after it.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Vec<String>, usize) {
    let mut path: Vec<String> = word_at(tokens, at).into_iter().collect();
    at += 1;
    while is_sign(tokens, at, ':')
        && is_sign(tokens, at + 1, ':')
        && let Some(word) = word_at(tokens, at + 2)
    {
        path.push(word);
        at += 3;
    }
    (path, at)
}

/// Whether the tokens here continue an earlier path: `<T as Trait>::NAME`, `Vec::<T>::new`.
fn follows_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_sign(tokens, at - 1, ':') && is_sign(tokens, at - 2, ':')
}

/// Whether there is a `#[cfg(test)]` or another condition for tests at this position.
fn is_test(tokens: &[TokenTree], at: usize) -> bool {
    let Some(TokenTree::Group(attribute)) = tokens.get(at + 1).filter(|_| is_sign(tokens, at, '#')) else {
        return false;
    };
    let words: Vec<String> =
        attribute.stream().to_string().split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
    words[0] == "cfg" && words.iter().any(|word| word == "test") && words.iter().all(|word| word != "not")
}

/// The position after the item that starts here.
fn behind_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while at < tokens.len() {
        let is_body = matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        at += 1;
        if is_body || is_sign(tokens, at - 1, ';') {
            break;
        }
    }
    at
}

/// A path as the file around it would write it: `super` in a module inside the file is the file itself.
fn outward(path: &[String], inside: usize) -> Vec<String> {
    let ups = path.iter().take(inside).take_while(|segment| *segment == "super").count();
    let rest = &path[ups..];
    if ups == 0 || rest.first().is_some_and(|segment| segment == "super") {
        return rest.to_vec();
    }
    std::iter::once("self".to_owned()).chain(rest.iter().cloned()).collect()
}

/// The files of a crate by module.
struct Files(BTreeMap<Module, File>);

impl Files {
    /// Reads texts, given by their paths below `src`.
    fn read(texts: &BTreeMap<String, String>) -> Files {
        let module = |path: &str| -> Module {
            let parts = path.trim_end_matches(".rs").split('/').map(str::to_owned);
            let mut module: Module = parts.collect();
            if module.last().is_some_and(|last| last == "mod") || ["lib", "main"].contains(&module.join("/").as_str()) {
                module.pop();
            }
            module
        };
        Files(texts.iter().map(|(path, text)| (module(path), File::read(text))).collect())
    }

    /// The file that a path leads to from a module; `None` if it leads out of the crate.
    fn follow(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut here = match first.as_str() {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => {
                let mut here = from.clone();
                here.pop();
                while let Some(("super", further)) = rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
                    here.pop();
                    rest = further;
                }
                here
            }
            name if self.child(from, name).is_some() => {
                rest = path;
                from.clone()
            }
            // A name that was imported here.
            name => {
                let (used, _) = self.0[from].uses.iter().find(|(used, alias)| alias == name && used != path)?;
                let whole: Vec<String> = used.iter().chain(rest).cloned().collect();
                return if depth < 8 { self.follow(from, &whole, depth + 1) } else { None };
            }
        };
        for (nth, segment) in rest.iter().enumerate() {
            if let Some(child) = self.child(&here, segment) {
                here = child;
            } else if here.is_empty() && depth < 8 {
                return self.through_root(segment, &rest[nth + 1..], depth);
            } else {
                break;
            }
        }
        Some(here)
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
        self.0.contains_key(&child).then_some(child)
    }

    /// The file that a name leads to if the root defines or re-exports it.
    fn through_root(&self, name: &str, rest: &[String], depth: usize) -> Option<Module> {
        let root = Module::new();
        let file = &self.0[&root];
        if file.defines.contains(name) {
            return Some(root);
        }
        if let Some((used, _)) = file.uses.iter().find(|(_, alias)| alias == name) {
            let whole: Vec<String> = used.iter().chain(rest).cloned().collect();
            return self.follow(&root, &whole, depth + 1);
        }
        let everything = file.uses.iter().filter(|(_, alias)| alias == "*");
        let all: Vec<Module> = everything.filter_map(|(used, _)| self.follow(&root, used, depth + 1)).collect();
        all.into_iter().find(|module| self.0[module].defines.contains(name)).or(Some(root))
    }

    /// All imports, with the names imported.
    fn imports(&self) -> BTreeMap<(&Module, Module), BTreeSet<String>> {
        let mut imports: BTreeMap<(&Module, Module), BTreeSet<String>> = BTreeMap::new();
        for (module, file) in &self.0 {
            for path in file.uses.iter().map(|(path, _)| path).chain(&file.paths) {
                let Some(to) = self.follow(module, path, 0) else { continue };
                // Ignore what a part uses from a folder around it, and what a file uses from itself.
                if !module.starts_with(&to) {
                    imports.entry((module, to)).or_default().extend(path.last().cloned());
                }
            }
        }
        imports
    }

    /// The circles: files that lead to each other, with the names that connect them, in words.
    fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let reach = |from: &Module| {
            let mut reached: BTreeSet<Module> = BTreeSet::new();
            let mut open = vec![from.clone()];
            while let Some(here) = open.pop() {
                let next = imports.keys().filter(|(importer, _)| **importer == here).map(|(_, to)| to);
                open.extend(next.filter(|to| reached.insert((*to).clone())).cloned().collect::<Vec<_>>());
            }
            reached
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> = self.0.keys().map(|file| (file, reach(file))).collect();
        let mut found: BTreeSet<Vec<&Module>> = BTreeSet::new();
        for (file, there) in &reached {
            if there.contains(*file) {
                found.insert(
                    reached.keys().copied().filter(|o| there.contains(*o) && reached[o].contains(*file)).collect(),
                );
            }
        }
        found.into_iter().map(|circle| in_words(&circle, &imports)).collect()
    }
}

fn in_words(circle: &[&Module], imports: &BTreeMap<(&Module, Module), BTreeSet<String>>) -> String {
    let mut words = format!("{} files import each other in a circle:\n", circle.len());
    for ((from, to), names) in imports {
        if circle.contains(from) && circle.contains(&to) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            writeln!(words, "    {} takes {} from {}", from.join("/"), names.join(", "), to.join("/"))
                .expect("a string");
        }
    }
    words
}

/// The source files of a crate, by their paths below `src`.
pub(crate) fn sources(name: &str) -> BTreeMap<String, String> {
    let root = repository().join(name).join("src");
    let mut texts = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a crate has sources") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let below: &Path = path.strip_prefix(&root).expect("it was found there");
                let below: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                texts.insert(below.join("/"), fs::read_to_string(&path).expect("a readable file"));
            }
        }
    }
    texts
}

/// Everything that a crate imports from another one, as paths from the other crate's root: `lab::result::RunResult` is
/// `result::RunResult`. Tests are ignored.
pub(crate) fn taken_from(name: &str, other: &str) -> BTreeSet<String> {
    let files = Files::read(&sources(name));
    let mut taken = BTreeSet::new();
    for file in files.0.values() {
        let paths = file.uses.iter().map(|(path, _)| path).chain(&file.paths);
        taken.extend(
            paths.filter(|path| path.first().is_some_and(|first| first == other)).map(|path| path[1..].join("::")),
        );
    }
    taken
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut failures = String::new();
    for name in crates() {
        let texts = sources(name);
        let files = Files::read(&texts);
        assert!(!files.0.is_empty(), "{name} has no files");
        files.circles().iter().for_each(|circle| write!(failures, "{name}: {circle}").expect("a string"));
    }
    assert!(failures.is_empty(), "{failures}");
}

/// The circles among the given files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    Files::read(&files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()).circles()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let a = ("a.rs", "pub struct A; fn f(_: crate::b::B) {}");
    for (how, b) in [
        ("by name", "use crate::a::A; pub struct B;"),
        ("in full", "pub struct B; fn f() { crate::a::A; }"),
        ("from above", "use super::a::A; pub struct B;"),
        ("as a module", "use crate::a; pub struct B; fn f(_: a::A) {}"),
        ("under another name", "use crate::{a as other}; pub struct B; fn f(_: other::A) {}"),
        ("among others", "use crate::{c::{self, C}, a::{A}}; pub struct B;"),
        ("everything", "use crate::a::*; pub struct B;"),
        ("through the root", "use crate::A; pub struct B;"),
        ("in a macro", "pub struct B; fn f() { vec![crate::a::A]; }"),
        ("from a module within", "pub struct B; mod within { use super::super::a::A; }"),
        ("behind a test", "#[cfg(test)] mod tests { const A: u8 = 0; } use crate::a::A; pub struct B;"),
    ] {
        let root = ("lib.rs", "mod a; mod b; mod c; pub use a::A;");
        let circles = circles_of(&[root, a, ("b.rs", b), ("c.rs", "pub struct C;")]);
        assert_eq!(circles.len(), 1, "{how}");
        assert!(circles[0].starts_with("2 files"), "{how}: {}", circles[0]);
    }
}

#[test]
fn a_longer_circle_goes_through_the_face_of_a_folder() {
    let files = [
        ("lib.rs", "mod folder; mod above;"),
        ("folder/mod.rs", "mod one; mod two; pub use one::One; pub fn f() { two::two() }"),
        ("folder/one.rs", "pub struct One;"),
        ("folder/two.rs", "use crate::above::above; pub fn two() { above() }"),
        ("above.rs", "use crate::folder::One; pub fn above() {}"),
    ];
    let circles = circles_of(&files);
    assert_eq!(circles.len(), 1);
    let words = "3 files import each other in a circle:\n    above takes One from folder\n    folder takes two from folder/two\n    \
                 folder/two takes above from above\n";
    assert_eq!(circles[0], words);
}

#[test]
fn what_is_no_import_makes_no_circle() {
    let below = ("below.rs", "pub struct Below;");
    for (what, text) in [
        ("one direction", "pub struct Below;"),
        ("tests", "pub struct Below; #[cfg(test)] mod tests { use crate::above::Above; }"),
        ("a test's import", "pub struct Below; #[cfg(test)] use crate::above::Above;"),
        ("comments", "//! See [`crate::above::Above`].\n// crate::above::Above\npub struct Below;"),
        ("texts", "pub struct Below; const A: &str = \"crate::above::Above\";"),
        (
            "its own namesake",
            "pub struct Below; fn above() {} mod within { use super::above; fn f() { super::above() } }",
        ),
        ("a namesake elsewhere", "pub struct Below; fn f() { other::above::Above; std::above(); }"),
    ] {
        let above = ("above.rs", "use crate::below::Below; pub struct Above;");
        assert_eq!(circles_of(&[("lib.rs", "mod above; mod below;"), above, ("below.rs", text)]), [""; 0], "{what}");
    }
    // A part belongs to its folder.
    let folder = ("folder.rs", "mod part; pub struct Folder; fn f() { part::part() }");
    let part = ("folder/part.rs", "use super::Folder; use crate::below::Below; pub fn part() {}");
    assert_eq!(circles_of(&[("lib.rs", "mod folder; mod below;"), folder, part, below]), [""; 0]);
}
