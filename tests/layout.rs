//! Contract: imports go down the layers of the crate, and through the interfaces of its folders.
//!
//! A module is a folder of `src` or a single file there. The interface of a folder is its `mod.rs`. Code
//! of tests is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Field, ImplItem, Item, ItemMod, ItemUse, Macro, UseTree, VisRestricted, Visibility};

/// The modules of the crate, lowest layer first: each may import those of the layers before its own.
/// `lib.rs` may import all.
const LAYERS: &[&[&str]] = &[
    &["job", "memory", "options", "robust", "simd", "tensors"],
    &["pool"],
    &["data", "engine"],
    &["cells", "neighbours"],
    &["combiner"],
    &["model"],
    &["scoring"],
    &["device", "fit"],
    &["query", "fuzzing"],
    &["plugin"],
];

/// Folders in folders that others may import from, too.
const INTERFACES: &[&str] = &["engine::cpu", "engine::torch", "query::verbs"];

#[test]
fn imports_go_down_and_through_interfaces() {
    let found = violations(Path::new("src"), LAYERS, INTERFACES);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_architecture_names_every_module() {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    for entry in fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = if path.is_dir() { format!("`{name}/`") } else { format!("`{name}`") };
        assert!(page.contains(&name), "{name}");
    }
}

/// A path in the crate, without the leading `crate`; a file is named by its module.
type ModulePath = Vec<String>;

/// What the files of a crate import against the layers.
fn violations(source: &Path, layers: &[&[&str]], interfaces: &[&str]) -> Vec<String> {
    let files = read_crate(source);
    let mut found: Vec<String> = files.values().filter_map(|file| without_interface(source, file)).collect();
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    for file in files.values().filter(|file| !file.module.is_empty()) {
        let here = &file.module[0];
        let Some(own) = layer(here) else {
            found.push(format!("{} is in no layer", file.name));
            continue;
        };
        let outer = file.used().filter(|path| path[0] != *here).collect::<BTreeSet<_>>();
        found.extend(outer.into_iter().filter_map(|path| {
            let wrong = match layer(&path[0]) {
                None => format!("{} is a name of lib.rs, which is above all modules", path[0]),
                Some(other) if other >= own => format!("{} is not below {here}", path[0]),
                Some(_) if is_past_interface(&files, path, interfaces) => "it goes past an interface".to_string(),
                Some(_) => return None,
            };
            Some(format!("{} uses crate::{}: {wrong}", file.name, path.join("::")))
        }));
    }
    found.extend(circles(&files));
    found
}

/// A complaint if the folder of a file has no `mod.rs`.
fn without_interface(source: &Path, file: &File) -> Option<String> {
    let folder = Path::new(&file.name).parent().filter(|folder| *folder != Path::new(""))?;
    (!source.join(folder).join("mod.rs").exists()).then(|| format!("{} has no mod.rs", folder.display()))
}

/// Whether a path names a file behind the interface of its folder.
fn is_past_interface(files: &BTreeMap<ModulePath, File>, path: &[String], interfaces: &[&str]) -> bool {
    let is_interface = |depth: &usize| interfaces.contains(&path[..*depth].join("::").as_str());
    let depth = (2..=path.len()).filter(is_interface).max().unwrap_or(1);
    path.len() > depth + 1 && files.contains_key(&path[..=depth])
}

/// For each circle of files of one module that import each other, what it is.
fn circles(files: &BTreeMap<ModulePath, File>) -> Vec<String> {
    fn visit(
        file: &File,
        files: &BTreeMap<ModulePath, File>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
        found: &mut Vec<String>,
    ) {
        if let Some(from) = way.iter().position(|name| *name == file.name) {
            found.push(format!("a circle: {} → {}", way[from..].join(" → "), file.name));
        } else if !done.contains(&file.name) {
            way.push(file.name.clone());
            for other in file.siblings(files) {
                visit(&files[&other], files, way, done, found);
            }
            way.pop();
            done.insert(file.name.clone());
        }
    }
    let (mut done, mut found) = (BTreeSet::new(), vec![]);
    files.values().for_each(|file| visit(file, files, &mut vec![], &mut done, &mut found));
    found
}

/// The file that a path leads to, through the interfaces that pass a name on.
fn defining_file(files: &BTreeMap<ModulePath, File>, path: &[String]) -> ModulePath {
    let mut path = path.to_vec();
    for _ in 0..files.len() {
        let depth = (0..=path.len()).rev().find(|depth| files.contains_key(&path[..*depth])).unwrap_or(0);
        let Some(name) = path.get(depth) else { break };
        let passed_on = |import: &&Import| import.is_public && import.name == *name;
        match files[&path[..depth]].imports.iter().find(passed_on) {
            Some(import) => path = [&import.path[..], &path[depth + 1..]].concat(),
            None => return path[..depth].to_vec(),
        }
    }
    path
}

/// A file, by what it uses of the crate.
struct File {
    name: String,
    module: ModulePath,
    imports: Vec<Import>,
    /// Paths outside of `use`
    in_code: Vec<ModulePath>,
}

struct Import {
    /// Whether it passes the name on
    is_public: bool,
    name: String,
    path: ModulePath,
}

impl File {
    /// All paths that it uses.
    fn used(&self) -> impl Iterator<Item = &ModulePath> {
        self.imports.iter().map(|import| &import.path).chain(&self.in_code).filter(|path| !path.is_empty())
    }

    /// The files of the same module that it uses for itself, other than the interfaces of its own folders.
    fn siblings(&self, files: &BTreeMap<ModulePath, File>) -> BTreeSet<ModulePath> {
        let own = self.imports.iter().filter(|import| !import.is_public).map(|import| &import.path);
        let own = own.chain(&self.in_code).filter(|path| path.first() == self.module.first());
        own.map(|path| defining_file(files, path)).filter(|other| !self.module.starts_with(other)).collect()
    }
}

/// The files of a crate that are not for tests alone, by their modules.
fn read_crate(source: &Path) -> BTreeMap<ModulePath, File> {
    let mut texts = BTreeMap::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(source).unwrap();
                let parts = name.with_extension("");
                let mut module: ModulePath = parts.iter().map(|part| part.to_str().unwrap().to_string()).collect();
                module.pop_if(|last| *last == "mod" || *last == "lib");
                let parsed = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
                texts.insert(module, (name.display().to_string(), parsed));
            }
        }
    }
    let for_tests: Vec<ModulePath> = texts.iter().flat_map(|(module, (_, file))| test_modules(module, file)).collect();
    texts.retain(|module, _| !for_tests.iter().any(|test| module.starts_with(test)));
    let modules: BTreeSet<ModulePath> = texts.keys().cloned().collect();
    let read = |(module, (name, parsed)): (ModulePath, (String, syn::File))| {
        let mut reader = Reader { modules: &modules, module: module.clone(), imports: vec![], in_code: vec![] };
        reader.visit_file(&parsed);
        let Reader { imports, in_code, .. } = reader;
        (module.clone(), File { name, module, imports, in_code })
    };
    texts.into_iter().map(read).collect()
}

/// The modules in files of their own that a file has for tests alone.
fn test_modules(module: &[String], file: &syn::File) -> Vec<ModulePath> {
    let child = |item: &Item| match item {
        Item::Mod(child) if is_for_tests(&child.attrs) => Some([module, &[child.ident.to_string()]].concat()),
        _ => None,
    };
    file.items.iter().filter_map(child).collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string().replace(' ', ""));
        let is_test =
            |condition: String| condition.split(',').next().is_some_and(|first| ["test", "all(test"].contains(&first));
        attribute.path().is_ident("cfg") && condition.is_ok_and(is_test)
    })
}

/// Collects the paths of a file.
struct Reader<'a> {
    modules: &'a BTreeSet<ModulePath>,
    module: ModulePath,
    imports: Vec<Import>,
    in_code: Vec<ModulePath>,
}

impl Reader<'_> {
    /// The path from the crate's root; None for one of another crate.
    fn absolute(&self, path: &[String]) -> Option<ModulePath> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (&self.module[..], &path[1..]),
            "super" => (&self.module[..self.module.len().saturating_sub(supers)], &path[supers..]),
            child if self.modules.contains(&[&self.module[..], &[child.to_string()]].concat()) => {
                (&self.module[..], path)
            }
            _ => return None,
        };
        Some([base, rest].concat())
    }

    fn add_import(&mut self, is_public: bool, name: String, path: &[String]) {
        self.imports.extend(self.absolute(path).map(|path| Import { is_public, name, path }));
    }

    fn add_tree(&mut self, tree: &UseTree, is_public: bool, before: &[String]) {
        let with = |name: String| match name.as_str() {
            "self" if !before.is_empty() => before.to_vec(),
            _ => [before, &[name]].concat(),
        };
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, is_public, &with(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, is_public, before)),
            UseTree::Glob(_) => self.add_import(is_public, "*".to_string(), before),
            UseTree::Name(name) => {
                let path = with(name.ident.to_string());
                self.add_import(is_public, path[path.len() - 1].clone(), &path);
            }
            UseTree::Rename(renamed) => {
                self.add_import(is_public, renamed.rename.to_string(), &with(renamed.ident.to_string()));
            }
        }
    }
}

impl Visit<'_> for Reader<'_> {
    fn visit_item(&mut self, item: &Item) {
        macro_rules! attributes {
            ($($kind:ident)+) => { match item { $(Item::$kind(item) => &item.attrs[..],)+ _ => &[] } };
        }
        let attributes = attributes!(Const Enum Fn ForeignMod Impl Macro Mod Static Struct Trait Type Use);
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        macro_rules! attributes {
            ($($kind:ident)+) => { match item { $(ImplItem::$kind(item) => &item.attrs[..],)+ _ => &[] } };
        }
        if !is_for_tests(attributes!(Const Fn Type Macro)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_mod(&mut self, child: &ItemMod) {
        self.module.push(child.ident.to_string());
        visit::visit_item_mod(self, child);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.add_tree(&item.tree, !matches!(item.vis, Visibility::Inherited), &[]);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        let first = parts[0].as_str();
        if parts.len() > 1 && ["crate", "self", "super"].contains(&first) {
            self.in_code.extend(self.absolute(&parts));
        }
        visit::visit_path(self, path);
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &VisRestricted) {}

    /// What a macro is given is no syntax yet: only paths that begin with `crate` are looked for.
    fn visit_macro(&mut self, called: &Macro) {
        let text = called.tokens.to_string().replace(' ', "");
        for found in text.split("crate::").skip(1) {
            let ends = |letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':';
            let path = found.split(ends).next().unwrap_or_default();
            let parts = path.split("::").map(str::to_string).filter(|part| !part.is_empty());
            self.in_code.push(parts.collect());
        }
        visit::visit_macro(self, called);
    }
}

/// A crate whose imports are as they should be.
const SOUND: &[(&str, &str)] = &[
    ("lib.rs", "mod base; mod left; mod right; mod top; pub use top::deep::Deep; pub use left::Left;"),
    ("base.rs", "use polars::prelude::*; pub struct Base;"),
    ("left/mod.rs", "mod first; mod second; pub mod inner; pub use first::First; pub(crate) use second::*;"),
    ("left/first.rs", "use super::second::{self, Second}; use crate::base::Base; fn f() { second::g(super::h()) }"),
    ("left/second.rs", "use std::{fmt, io::{self, Read}}; use super::Left;"),
    ("left/inner/mod.rs", "mod far; pub use far::Far;"),
    ("left/inner/far.rs", "use super::super::first::First; use crate::left::second::Second;"),
    ("right.rs", "use crate::base::{self, Base as B}; fn f() -> base::Base { base::Kind::Some(1) }"),
    ("top/mod.rs", "mod deep; #[cfg(test)] mod checks; use self::deep::Deep; use crate::left::inner::Far;"),
    ("top/deep.rs", "use crate::{base, left::{First, inner::{self, Far}}, right}; fn f() { right::f(inner::g()) }"),
    ("top/checks.rs", "use crate::not_a_module::Anything;"),
];

/// The violations of that crate with a line more in one of its files, or with another text.
fn violations_with(file: &str, text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    SOUND.iter().for_each(|(file, text)| write(file, text));
    let before = SOUND.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
    write(file, &format!("{text}\n{before}"));
    violations(folder.path(), &[&["base"], &["left", "right"], &["top"]], &["left::inner"])
}

#[test]
fn a_sound_crate_has_no_violation() {
    assert_eq!(violations_with("base.rs", ""), Vec::<String>::new());
}

#[test]
fn an_import_that_does_not_go_down_through_an_interface_is_found() {
    for (file, line, complaint) in [
        ("base.rs", "use crate::left::First;", "base.rs uses crate::left::First: left is not below base"),
        ("right.rs", "use crate::left::First;", "right.rs uses crate::left::First: left is not below right"),
        ("left/first.rs", "fn g() { crate::top::g() }", "left/first.rs uses crate::top::g: top is not below left"),
        (
            "left/first.rs",
            "fn g() { m!(x, crate::top::g(1)) }",
            "left/first.rs uses crate::top::g: top is not below left",
        ),
        ("left/inner/far.rs", "use crate::{base, top};", "left/inner/far.rs uses crate::top: top is not below left"),
        ("left/first.rs", "use super::super::right::f;", "left/first.rs uses crate::right::f: right is not below left"),
        (
            "base.rs",
            "use crate::Deep;",
            "base.rs uses crate::Deep: Deep is a name of lib.rs, which is above all modules",
        ),
        (
            "top/deep.rs",
            "use crate::left::first::First;",
            "top/deep.rs uses crate::left::first::First: it goes past an interface",
        ),
        (
            "top/deep.rs",
            "use crate::left::{First, inner::{far::{Far}}};",
            "top/deep.rs uses crate::left::inner::far::Far: it goes past an interface",
        ),
        ("left/second.rs", "use super::first::f;", "a circle: left/first.rs → left/second.rs → left/first.rs"),
        ("left/second.rs", "use crate::left::First;", "a circle: left/first.rs → left/second.rs → left/first.rs"),
        (
            "left/second.rs",
            "use super::inner::Far;",
            "a circle: left/first.rs → left/second.rs → left/inner/far.rs → left/first.rs",
        ),
        ("new/mod.rs", "", "new/mod.rs is in no layer"),
        ("top/shut/file.rs", "", "top/shut has no mod.rs"),
    ] {
        let found = violations_with(file, line);
        assert!(found.iter().any(|found| found == complaint), "{file}: {line}: {found:?}");
    }
}

#[test]
fn comments_strings_and_tests_are_not_looked_at() {
    for text in [
        "// use crate::top::Deep;\n/* crate::top::f() */\n/// [`crate::top`]\nfn f() {}",
        "const A: &str = \"crate::top::f\";\nconst B: char = '\"';",
        "#[cfg(test)]\nmod tests {\n    use crate::top::Deep;\n    fn f() { if true { crate::top::g() } }\n}",
        "#[cfg(test)]\nuse crate::top::{Deep, f};",
        "#[cfg(all(test, unix))]\n#[allow(unused)]\nfn f(x: [u8; 3]) { crate::top::g() }",
        "struct S { a: u8, #[cfg(test)] b: crate::top::Deep }",
    ] {
        assert_eq!(violations_with("base.rs", text), Vec::<String>::new(), "{text}");
        let found = violations_with("base.rs", &format!("{text}\nuse crate::top::f;"));
        assert_eq!(found, ["base.rs uses crate::top::f: top is not below base"], "{text}");
    }
}
