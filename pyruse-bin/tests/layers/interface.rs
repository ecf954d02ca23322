//! `docs/interface.md` lists everything that another crate can name in `pyruse-core`, so that a reviewer sees each
//! change of the public interface.
//!
//! `UPDATE_DOCS=1 cargo test -p pyruse-bin --test layers interface` writes the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use syn::spanned::Spanned;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Meta, TraitItem, Type, Visibility};

use crate::source::{Files, Source, Target};
use crate::syntax::{attributes, defined, is_for_tests, leaves};
use crate::{WORKSPACE, gather};

const HEAD: &str = "\
# The public interface of `pyruse-core`

This page lists everything that another crate can name in `pyruse-core`. Public fields, variants and methods are below
their type. Derived traits, the methods of implemented traits, and hidden methods are left out. The documentation of
the crate (`cargo doc -p pyruse-core --open`) explains the items. The page is generated: after a change, run
`make reference`.
";

const HIDDEN: &str = "\
## Only for the crates of Pyruse

These items are `#[doc(hidden)]`: any version may change them.
";

/// The public items of a crate.
struct Interface<'a> {
    source: &'a Source,
    /// The lines about each item, by the path of its module and its name.
    items: BTreeMap<(String, String), Vec<String>>,
    hidden: BTreeSet<String>,
    /// The public paths of the items that were found, by the place of their definition.
    found: BTreeMap<(usize, String), String>,
}

impl Interface<'_> {
    fn of(source: &Source) -> Interface<'_> {
        let mut interface =
            Interface { source, items: BTreeMap::new(), hidden: BTreeSet::new(), found: BTreeMap::new() };
        interface.add_module(0, "");
        interface.add_impls();
        interface
    }

    fn add_module(&mut self, module: usize, path: &str) {
        let source = self.source;
        let (_, file) =
            source.contents.iter().find(|(of, _)| *of == module).expect("a public module is a file");
        for item in &file.items {
            if is_for_tests(attributes(item)) || !is_public(item) {
                continue;
            }
            if let Item::Use(item) = item {
                for leaf in leaves(item) {
                    let name = leaf.name.expect("a public `use` names its items");
                    self.add_import(module, path, &name, &leaf.path);
                }
            } else if let Item::Mod(item) = item {
                let name = item.ident.to_string();
                let child = source.child(module, &name).expect("a module is known to its parent");
                self.add_child(child, path, &name, &item.attrs);
            } else if let Some(name) = defined(item) {
                self.add_item((source.modules[module].file, name.clone()), path, &name);
            }
        }
    }

    fn add_child(&mut self, child: usize, path: &str, name: &str, attributes: &[Attribute]) {
        let path = join(path, name);
        if is_hidden(attributes) {
            self.hidden.insert(format!("pub mod {path}"));
        } else {
            self.add_module(child, &path);
        }
    }

    fn add_import(&mut self, module: usize, path: &str, name: &str, from: &[String]) {
        let targets = self.source.resolve(module, from);
        if targets.is_empty() {
            let line = format!("pub use {}", from.join("::"));
            self.items.insert((path.to_owned(), name.to_owned()), vec![line]);
        }
        for target in targets {
            match target {
                Target::Module(child) => self.add_child(child, path, name, &[]),
                Target::Item(file, defined) => self.add_item((file, defined), path, name),
            }
        }
    }

    /// Adds the item that is defined there, under the name that other crates use.
    fn add_item(&mut self, id: (usize, String), path: &str, name: &str) {
        let item = self.definition(&id);
        let public = join(path, name);
        if is_hidden(attributes(item)) {
            self.hidden.insert(head(item).replacen(&id.1, &public, 1));
            return;
        }
        let lines = match self.found.get(&id) {
            Some(known) => vec![format!("pub use {known}")],
            None => lines(item, name),
        };
        self.items.insert((path.to_owned(), name.to_owned()), lines);
        self.found.entry(id).or_insert(public);
    }

    fn definition(&self, (file, name): &(usize, String)) -> &Item {
        let source = self.source;
        let items = source.contents.iter().filter(|(module, _)| source.modules[*module].file == *file);
        let mut items = items.flat_map(|(_, file)| &file.items);
        items.find(|item| defined(item).as_ref() == Some(name)).expect("an item is where it was found")
    }

    /// Adds the members that `impl` blocks give to the items.
    fn add_impls(&mut self) {
        for (module, file) in &self.source.contents {
            for item in &file.items {
                if let Item::Impl(item) = item
                    && !is_for_tests(&item.attrs)
                    && let Type::Path(of) = &*item.self_ty
                    && let Some(public) = self.public_path(*module, &of.path)
                {
                    let (path, name) = public.rsplit_once("::").unwrap_or(("", &public));
                    let members = self.members(*module, item);
                    self.items
                        .get_mut(&(path.to_owned(), name.to_owned()))
                        .expect("it was added")
                        .extend(members);
                }
            }
        }
    }

    /// Returns the path under which other crates can name an item.
    fn public_path(&self, module: usize, path: &syn::Path) -> Option<String> {
        self.targets(module, path).into_iter().find_map(|id| self.found.get(&id).cloned())
    }

    fn targets(&self, module: usize, path: &syn::Path) -> Vec<(usize, String)> {
        let path: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let targets = self.source.resolve(module, &path).into_iter();
        targets
            .filter_map(|t| if let Target::Item(file, name) = t { Some((file, name)) } else { None })
            .collect()
    }

    /// Returns the lines about an `impl` block.
    fn members(&self, module: usize, item: &ItemImpl) -> Vec<String> {
        if let Some((_, of, _)) = &item.trait_ {
            let targets = self.targets(module, of);
            let is_private = !targets.is_empty() && targets.iter().all(|id| !self.found.contains_key(id));
            return if is_private {
                Vec::new()
            } else {
                vec![format!("    {}", head(&Item::Impl(item.clone())))]
            };
        }
        let line = |item: &ImplItem| match item {
            ImplItem::Fn(item) if is_member(&item.vis, &item.attrs) => Some(text(&item.sig)),
            ImplItem::Const(item) if is_member(&item.vis, &item.attrs) => {
                Some(format!("const {}: {}", item.ident, text(&item.ty)))
            }
            _ => None,
        };
        item.items.iter().filter_map(line).map(|line| format!("    pub {line}")).collect()
    }

    fn page(&self) -> String {
        let members: usize = self.items.values().map(|lines| lines.len() - 1).sum();
        let mut page = format!("{HEAD}\n{} items, {members} members.\n", self.items.len());
        let mut last = None;
        for ((path, _), lines) in &self.items {
            if last != Some(path) {
                let title = if path.is_empty() { "The root" } else { &format!("`{path}`") };
                let end = if last.is_some() { "```\n" } else { "" };
                write!(page, "{end}\n## {title}\n\n```rust\n").expect("a text takes all");
                last = Some(path);
            }
            page.push_str(&lines.join("\n"));
            page.push('\n');
        }
        page.push_str("```\n");
        if !self.hidden.is_empty() {
            let hidden: Vec<&str> = self.hidden.iter().map(String::as_str).collect();
            write!(page, "\n{HIDDEN}\n```rust\n{}\n```\n", hidden.join("\n")).expect("a text takes all");
        }
        page
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

/// Returns the source of a piece of code on one line.
fn text(code: &impl Spanned) -> String {
    let text = code.span().source_text().expect("it was read from a text");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(", )", ")").replace(" )", ")")
}

/// Returns an item without its body and its attributes.
fn head(item: &Item) -> String {
    let cut = |text: String, ends: &[char]| text.split(ends).next().unwrap_or_default().trim().to_owned();
    match item {
        Item::Fn(item) => format!("pub {}", text(&item.sig)),
        Item::Const(item) => format!("pub const {}: {}", item.ident, text(&item.ty)),
        Item::Static(item) => format!("pub static {}: {}", item.ident, text(&item.ty)),
        Item::Struct(item) => {
            cut(text(&syn::ItemStruct { attrs: Vec::new(), ..item.clone() }), &['{', '(', ';'])
        }
        Item::Enum(item) => cut(text(&syn::ItemEnum { attrs: Vec::new(), ..item.clone() }), &['{']),
        Item::Trait(item) => cut(text(&syn::ItemTrait { attrs: Vec::new(), ..item.clone() }), &['{']),
        Item::Impl(item) => cut(text(&syn::ItemImpl { attrs: Vec::new(), ..item.clone() }), &['{']),
        Item::Type(item) => cut(text(&syn::ItemType { attrs: Vec::new(), ..item.clone() }), &[';']),
        _ => panic!("the page cannot show {}", text(item)),
    }
}

/// Returns the lines about an item that other crates know by this name, without its `impl` blocks.
fn lines(item: &Item, name: &str) -> Vec<String> {
    let is_open = !attributes(item).iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
    let defined = defined(item).unwrap_or_default();
    let mut lines = vec![head(item).replacen(&defined, name, 1)];
    let members = match item {
        Item::Struct(item) => fields(&item.fields, true),
        Item::Enum(item) => item
            .variants
            .iter()
            .filter(|variant| !is_hidden(&variant.attrs))
            .map(|variant| {
                let fields = fields(&variant.fields, false).join(", ");
                match variant.fields {
                    Fields::Named(_) => format!("{} {{ {fields} }}", variant.ident),
                    Fields::Unnamed(_) => format!("{}({fields})", variant.ident),
                    Fields::Unit => variant.ident.to_string(),
                }
            })
            .collect(),
        Item::Trait(item) => item.items.iter().filter_map(trait_member).collect(),
        _ => Vec::new(),
    };
    if !is_open {
        lines[0].push_str(" // non-exhaustive");
    }
    lines.extend(members.into_iter().map(|member| format!("    {member}")));
    lines
}

fn fields(fields: &Fields, only_public: bool) -> Vec<String> {
    let shown = fields.iter().filter(|field| !only_public || is_member(&field.vis, &field.attrs));
    shown.map(|field| text(&syn::Field { attrs: Vec::new(), ..field.clone() })).collect()
}

fn trait_member(item: &TraitItem) -> Option<String> {
    match item {
        TraitItem::Fn(item) if !is_hidden(&item.attrs) => {
            Some(format!("{}{}", text(&item.sig), if item.default.is_some() { " { … }" } else { ";" }))
        }
        TraitItem::Const(item) => {
            let end = if item.default.is_some() { " = …;" } else { ";" };
            Some(format!("const {}: {}{end}", item.ident, text(&item.ty)))
        }
        TraitItem::Type(item) => Some(text(&syn::TraitItemType { attrs: Vec::new(), ..item.clone() })),
        _ => None,
    }
}

fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Mod(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Use(item) => &item.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

fn is_member(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes)
}

/// Whether something has the attribute `#[doc(hidden)]`.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<Meta>().is_ok_and(|argument| argument.path().is_ident("hidden"))
    })
}

#[test]
fn the_page_of_the_public_interface_is_fresh() {
    let mut files = Files::new();
    gather(&Path::new(WORKSPACE).join("pyruse-core/src"), "", &mut files);
    let page = Interface::of(&Source::read(&files, "lib.rs")).page();
    let path = Path::new(WORKSPACE).join("docs/interface.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/interface.md is not the public interface any more: run `make reference`, and review the difference"
    );
}

#[test]
fn an_item_is_listed_where_other_crates_can_name_it() {
    let files = [
        ("lib.rs", "pub mod a; mod b; pub use serde; #[doc(hidden)] pub mod c;"),
        ("a.rs", "pub use crate::b::{B, T as U}; pub(crate) struct A; #[cfg(test)] pub fn f() {}"),
        (
            "b.rs",
            "/// Doc.\n#[derive(Clone)] pub struct B(u8, pub u16); pub trait T { fn t(\n&self,\n) -> u8; } trait P {}
            impl B { pub fn new() -> B { B(1, 2) } fn own() {} } impl T for B { fn t(&self) -> u8 { 1 } } impl P for B {}
            pub struct Unseen; impl Unseen { pub fn f() {} }",
        ),
        ("c.rs", "pub fn c() {}"),
    ];
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let page = Interface::of(&Source::read(&files, "lib.rs")).page();
    let listed = "3 items, 4 members.\n\n\
        ## The root\n\n```rust\npub use serde\n```\n\n\
        ## `a`\n\n```rust\npub struct B\n    pub u16\n    pub fn new() -> B\n    impl T for B\n\
        pub trait U\n    fn t(&self) -> u8;\n```\n\n";
    assert_eq!(page, format!("{HEAD}\n{listed}{HIDDEN}\n```rust\npub mod c\n```\n"));
}
