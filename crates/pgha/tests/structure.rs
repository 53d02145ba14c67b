//! What the sources must be like, and no compiler on this machine checks.
//!
//! Modules of a crate use each other in one direction: none is in a circle. A module is what stands at the root
//! of its crate, with all that is below it. What `#[cfg(test)]` holds does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

/// For each module the modules it uses, and a file where it does.
type Uses = BTreeMap<String, BTreeMap<String, PathBuf>>;

#[test]
fn no_module_is_in_a_circle() {
    for name in ["pgha-wan", "pgha-core", "pgha-node", "pgha"] {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let root = ["lib.rs", "main.rs"].map(|file| src.join(file));
        let root = root.iter().find(|file| file.exists()).expect("a crate has a root");
        let uses = read(root, &src);
        assert!(uses.len() > 3, "{name} has modules, and they are found: {uses:?}");
        if let Some(circle) = circle(&uses) {
            let step = |pair: &[String]| {
                let file =
                    uses[&pair[0]][&pair[1]].strip_prefix(&src).expect("a file of the crate");
                format!("  {} uses {} in {}", pair[0], pair[1], file.display())
            };
            let steps: Vec<String> = circle.windows(2).map(step).collect();
            panic!("modules of {name} go round in a circle:\n{}", steps.join("\n"));
        }
    }
}

#[test]
fn what_the_images_need_builds_with_debians_compiler() {
    for name in ["pgha-wan", "pgha-core", "pgha-node"] {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let mut files = vec![src];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(&path).expect("a folder of sources");
                files.extend(entries.map(|entry| entry.expect("an entry").path()));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let path_shown = path.display();
                let chains = Chains::of(&parse(&path));
                assert_eq!(chains, 0, "{path_shown}: Rust 1.85 has no chains of `let` conditions");
            }
        }
    }
    let text =
        "fn f() { if let Some(a) = b && a && c {} while a && let Some(b) = c {} if a && b {} }";
    assert_eq!(Chains::of(&syn::parse_file(text).expect("Rust")), 2);
}

/// Counts conditions with `let` and more.
struct Chains(usize);

impl Chains {
    fn of(file: &syn::File) -> usize {
        let mut chains = Self(0);
        chains.visit_file(file);
        chains.0
    }
}

impl Visit<'_> for Chains {
    fn visit_expr_binary(&mut self, binary: &syn::ExprBinary) {
        let is_let = |side: &syn::Expr| matches!(side, syn::Expr::Let(_));
        self.0 += usize::from(is_let(&binary.left) || is_let(&binary.right));
        visit::visit_expr_binary(self, binary);
    }
}

#[test]
fn a_circle_is_found_and_a_diamond_is_none() {
    let of = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned(), PathBuf::new());
        }
        circle(&uses)
    };
    assert_eq!(of(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]), None);
    let found = of(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]);
    assert_eq!(found, Some(["b", "c", "d", "b"].map(str::to_owned).to_vec()));
}

#[test]
fn a_use_is_read_in_every_way_that_it_is_written() {
    let text = "use crate::{a::X, b::{self, Y}, c as d};
        use super::e::Z;
        fn f() -> crate::g::T { super::h::call(); inner::deep() }
        mod inner { use super::super::i::X; use super::near; }
        #[cfg(test)]
        mod tests { use crate::never; }";
    let mut reader = Reader { depth: 1, found: BTreeSet::new() };
    reader.visit_file(&syn::parse_file(text).expect("Rust"));
    assert_eq!(reader.found.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "e", "g", "h", "i"]);
}

fn read(root: &Path, src: &Path) -> Uses {
    let mut uses = Uses::new();
    let file = parse(root);
    let modules: BTreeSet<String> = file.items.iter().filter_map(declared).collect();
    for module in &modules {
        let mut of_module = BTreeMap::new();
        follow(&file_of(src, module), src, module, 1, &mut of_module);
        of_module.retain(|other, _| other != module && modules.contains(other));
        uses.insert(module.clone(), of_module);
    }
    uses
}

/// Reads a file and those of the modules that it declares.
fn follow(
    file: &Path,
    folder: &Path,
    module: &str,
    depth: usize,
    uses: &mut BTreeMap<String, PathBuf>,
) {
    let parsed = parse(file);
    let mut reader = Reader { depth, found: BTreeSet::new() };
    reader.visit_file(&parsed);
    for found in reader.found {
        uses.entry(found).or_insert_with(|| file.to_owned());
    }
    let below = folder.join(module);
    for child in parsed.items.iter().filter_map(declared) {
        follow(&file_of(&below, &child), &below, &child, depth + 1, uses);
    }
}

fn parse(file: &Path) -> syn::File {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn file_of(folder: &Path, module: &str) -> PathBuf {
    let plain = folder.join(format!("{module}.rs"));
    if plain.exists() { plain } else { folder.join(module).join("mod.rs") }
}

/// The name of a module in a file of its own; one that has it elsewhere shares it with another program, and knows neither.
fn declared(item: &Item) -> Option<String> {
    let elsewhere = |attrs: &[Attribute]| attrs.iter().any(|a| a.path().is_ident("path"));
    match item {
        Item::Mod(module)
            if module.content.is_none() && !is_test(&module.attrs) && !elsewhere(&module.attrs) =>
        {
            Some(module.ident.to_string())
        }
        _ => None,
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

/// The modules at the root of the crate that a file names.
struct Reader {
    /// How far the file is below the root: `super` of 1 is the root.
    depth: usize,
    found: BTreeSet<String>,
}

impl Reader {
    /// What follows a prefix that leads to the root; `None` where it leads elsewhere.
    fn root_module(&self, segments: &[String]) -> Option<String> {
        let ups = segments.iter().take_while(|segment| *segment == "super").count();
        match segments.first()?.as_str() {
            "crate" => segments.get(1).cloned(),
            "super" if ups == self.depth => segments.get(ups).cloned(),
            _ => None,
        }
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.found.extend(self.root_module(&with(&name.ident))),
            UseTree::Rename(name) => self.found.extend(self.root_module(&with(&name.ident))),
            UseTree::Glob(_) => self.found.extend(self.root_module(before)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
        }
    }
}

impl Visit<'_> for Reader {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        if !is_test(&module.attrs) {
            self.depth += 1;
            visit::visit_item_mod(self, module);
            self.depth -= 1;
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.found.extend(self.root_module(&segments));
        visit::visit_path(self, path);
    }
}

/// A way from a module back to itself.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    uses.keys().find_map(|module| search(module, uses, &mut Vec::new(), &mut done))
}

fn search(
    module: &str,
    uses: &Uses,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|earlier| earlier == module) {
        return Some([&way[start..], &[module.to_owned()]].concat());
    }
    if done.contains(module) {
        return None;
    }
    way.push(module.to_owned());
    let others = uses.get(module).into_iter().flatten();
    let found = others.into_iter().find_map(|(other, _)| search(other, uses, way, done));
    way.pop();
    done.insert(module.to_owned());
    found
}
