//! A crate as its modules: in which file each one is, which names it has, and what a path refers to.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Block, Item, ItemMod, ItemUse};

use crate::syntax::{Leaf, attributes, defined, is_for_tests, leaves};

/// The texts of a crate, by their paths below src/.
pub type Files = BTreeMap<String, String>;

/// What a name refers to in the end.
#[derive(Clone)]
pub enum Target {
    /// A module, by its number.
    Module(usize),
    /// Anything else: the number of the file that defines it, and its name there.
    Item(usize, String),
}

/// What a module says about one of its names.
enum Meaning {
    /// It is a module below this one.
    Child(usize),
    /// It is defined here.
    Item,
    /// It comes from there.
    Import(Vec<String>),
}

/// A module, in a file of its own or inline.
pub struct Module {
    pub file: usize,
    parent: Option<usize>,
    names: BTreeMap<String, Vec<Meaning>>,
    /// The paths before `::*`.
    globs: Vec<Vec<String>>,
}

impl Module {
    /// Whether it defines anything itself.
    pub fn defines(&self) -> bool {
        self.names.values().flatten().any(|meaning| matches!(meaning, Meaning::Item))
    }
}

/// A crate. The files and the modules that only tests have are left out.
#[derive(Default)]
pub struct Source {
    /// The paths of the files.
    pub paths: Vec<String>,
    /// The modules; the first one is the root.
    pub modules: Vec<Module>,
    /// What is in each file, in no special order, with the module that the file is.
    pub contents: Vec<(usize, syn::File)>,
}

impl Source {
    /// Reads what can be reached from the root.
    pub fn read(files: &Files, root: &str) -> Source {
        let mut source = Source::default();
        source.open(files, root, "", None);
        source
    }

    /// Reads a file. What it declares is looked for in `directory`, which ends with a slash.
    fn open(&mut self, files: &Files, path: &str, directory: &str, parent: Option<usize>) -> usize {
        let syntax = syn::parse_file(&files[path]).unwrap_or_else(|error| panic!("{path}: {error}"));
        self.paths.push(path.to_owned());
        let module = self.add(self.paths.len() - 1, parent);
        if !is_for_tests(&syntax.attrs) {
            let directory = directory.to_owned();
            Collector { source: self, files, module, directory, in_body: false }.visit_file(&syntax);
            self.contents.push((module, syntax));
        }
        module
    }

    fn add(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.modules.push(Module { file, parent, names: BTreeMap::new(), globs: Vec::new() });
        self.modules.len() - 1
    }

    fn name(&mut self, module: usize, name: String, meaning: Meaning) {
        self.modules[module].names.entry(name).or_default().push(meaning);
    }

    /// The module below this one that has this name.
    pub fn child(&self, module: usize, name: &str) -> Option<usize> {
        self.modules[module].names.get(name)?.iter().find_map(|meaning| match meaning {
            Meaning::Child(child) => Some(*child),
            _ => None,
        })
    }

    /// What a path in this module refers to: nothing, if it begins with another crate, and to more than one
    /// target, if a module and a function have the same name. What follows a type, say `Type::new`, is the type's.
    pub fn resolve(&self, module: usize, path: &[String]) -> Vec<Target> {
        self.follow(module, path, &mut BTreeSet::new())
    }

    /// The same; `seen` holds the names that are being looked up, so that re-exports in a circle end.
    fn follow(&self, module: usize, path: &[String], seen: &mut BTreeSet<(usize, String)>) -> Vec<Target> {
        let mut at = module;
        for (i, name) in path.iter().enumerate() {
            let is_last = i + 1 == path.len();
            let step = match name.as_str() {
                "crate" => Some(0),
                "self" => Some(at),
                "super" => self.modules[at].parent,
                _ if is_last => return self.find(at, name, seen),
                _ => self.child(at, name),
            };
            if let Some(step) = step {
                at = step;
                continue;
            }
            let found = self.find(at, name, seen);
            match found.iter().find_map(|target| if let Target::Module(m) = target { Some(*m) } else { None })
            {
                Some(step) => at = step,
                None => return found,
            }
        }
        vec![Target::Module(at)]
    }

    /// What a name is in a module.
    fn find(&self, module: usize, name: &str, seen: &mut BTreeSet<(usize, String)>) -> Vec<Target> {
        let mut found = Vec::new();
        if !seen.insert((module, name.to_owned())) {
            return found;
        }
        let here = &self.modules[module];
        for meaning in here.names.get(name).into_iter().flatten() {
            match meaning {
                Meaning::Child(child) => found.push(Target::Module(*child)),
                Meaning::Item => found.push(Target::Item(here.file, name.to_owned())),
                Meaning::Import(path) => found.extend(self.follow(module, path, seen)),
            }
        }
        if found.is_empty() {
            for glob in &here.globs {
                for target in self.follow(module, glob, seen) {
                    if let Target::Module(all) = target {
                        found.extend(self.find(all, name, seen));
                    }
                }
            }
        }
        found
    }
}

/// Goes through a file and notes the names of its modules.
struct Collector<'a> {
    source: &'a mut Source,
    files: &'a Files,
    module: usize,
    directory: String,
    /// Within a function, whose items nobody else can name.
    in_body: bool,
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Some(name) = defined(item)
            && !self.in_body
        {
            self.source.name(self.module, name, Meaning::Item);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let (module, below) = (self.module, format!("{}{name}/", self.directory));
        let child = if item.content.is_some() {
            let child = self.source.add(self.source.modules[module].file, Some(module));
            let directory = std::mem::replace(&mut self.directory, below);
            self.module = child;
            visit::visit_item_mod(self, item);
            self.module = module;
            self.directory = directory;
            child
        } else {
            let places = [format!("{}{name}.rs", self.directory), format!("{below}mod.rs")];
            let place = places.iter().find(|place| self.files.contains_key(*place));
            let place = place.unwrap_or_else(|| panic!("`mod {name};` has no file {}", places.join(" or ")));
            self.source.open(self.files, place, &below, Some(module))
        };
        self.source.name(module, name, Meaning::Child(child));
    }

    /// An import within a function is taken for one of the module.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for Leaf { name, path } in leaves(item) {
            match name {
                Some(name) => self.source.name(self.module, name, Meaning::Import(path)),
                None => self.source.modules[self.module].globs.push(path),
            }
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let outside = std::mem::replace(&mut self.in_body, true);
        visit::visit_block(self, block);
        self.in_body = outside;
    }
}
