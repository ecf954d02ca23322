//! Which file names what of which other one.

use std::collections::{BTreeMap, BTreeSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{Arm, Attribute, Field, FieldValue, ImplItem, Item, ItemMod, ItemUse, Local, Macro, PatIdent};
use syn::{StmtMacro, TraitItem, Variant};

use crate::source::{Source, Target};
use crate::syntax::{
    attributes, attributes_in_impl, attributes_in_trait, is_for_tests, is_handed_on, leaves,
};

/// From file to file, by their numbers, with the names that are used.
pub type Arrows = BTreeMap<(usize, usize), BTreeSet<String>>;

/// All arrows of a crate.
pub fn arrows(source: &Source) -> Arrows {
    let mut arrows = Arrows::new();
    for (module, syntax) in &source.contents {
        let mut reader = Reader { source, module: *module, bound: BTreeSet::new(), arrows: &mut arrows };
        reader.visit_file(syntax);
    }
    arrows
}

/// Reads the code of a file.
struct Reader<'a> {
    source: &'a Source,
    /// The module in which we are.
    module: usize,
    /// The variables of the function in which we are: they hide the functions of the module.
    bound: BTreeSet<String>,
    arrows: &'a mut Arrows,
}

impl Reader<'_> {
    /// A path is named here.
    fn path(&mut self, path: &[String]) {
        if let [name] = path
            && self.bound.contains(name)
        {
            return;
        }
        for target in self.source.resolve(self.module, path) {
            if let Target::Item(file, name) = target {
                self.arrow(file, name);
            }
        }
    }

    fn arrow(&mut self, to: usize, name: String) {
        let from = self.source.modules[self.module].file;
        if from != to {
            self.arrows.entry((from, to)).or_default().insert(name);
        }
    }

    /// Reads what a macro or an attribute was given. What that will become is not known here, so whatever looks like a
    /// path is one; of an attribute, also what stands in quotes, as in `#[serde(with = "crate::form")]`.
    fn tokens(&mut self, mut at: Cursor<'_>, quoted: bool) {
        let mut before = ' ';
        while let Some((_, rest)) = at.token_tree() {
            if let Some((inside, _, _, rest)) = at.any_group() {
                self.tokens(inside, quoted);
                (at, before) = (rest, ' ');
            } else if at.ident().is_some() {
                let (path, rest) = path_at(at);
                let after = lone_mark(rest);
                // `'life`, `.field`, `field:`, `argument =` and `::another_crate` are no names of ours.
                let is_name = !matches!(before, '\'' | '.') && !matches!(after, Some(':' | '='));
                if before != ':' && (is_name || path.len() > 1) {
                    self.path(&path);
                }
                (at, before) = (rest, ' ');
            } else if let Some((literal, rest)) = at.literal() {
                let text = literal.to_string();
                if quoted
                    && text.contains("::")
                    && let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"'))
                {
                    self.visit_path(&path);
                }
                (at, before) = (rest, ' ');
            } else {
                // Of `..name`, the second dot is no field's; of `a: ::name`, the second colon is a path's.
                let mark = at.punct().map_or('\'', |(mark, _)| mark.as_char());
                let is_range = mark == '.' && before == '.';
                let is_type = mark == ':' && before != ':' && !is_pair(at);
                (at, before) = (rest, if is_range || is_type { ' ' } else { mark });
            }
        }
    }

    /// Reads an item with the variables that it has.
    fn with_bound(&mut self, bound: BTreeSet<String>, read: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.bound, bound);
        read(self);
        self.bound = outside;
    }
}

/// The path that begins here, and what follows it.
fn path_at(mut at: Cursor<'_>) -> (Vec<String>, Cursor<'_>) {
    let mut path = Vec::new();
    while let Some((name, rest)) = at.ident() {
        path.push(name.to_string());
        let next = rest.punct().filter(|_| is_pair(rest)).and_then(|(_, second)| second.punct());
        match next {
            Some((_, next)) if next.ident().is_some() => at = next,
            _ => return (path, rest),
        }
    }
    (path, at)
}

/// Whether `::` is here.
fn is_pair(at: Cursor<'_>) -> bool {
    at.punct().is_some_and(|(first, rest)| {
        first.as_char() == ':' && rest.punct().is_some_and(|(second, _)| second.as_char() == ':')
    })
}

/// The punctuation mark here, if it is single: for `::`, `==` and `=>`, there is none.
fn lone_mark(at: Cursor<'_>) -> Option<char> {
    let (mark, rest) = at.punct()?;
    let is_alone = rest.punct().is_none_or(|(next, _)| !matches!(next.as_char(), ':' | '=' | '>'));
    is_alone.then(|| mark.as_char())
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.path(&names);
        }
        // The types in its brackets.
        visit::visit_path(self, path);
    }

    /// A lone name in a pattern is a constant if it is in capitals, else a new variable.
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if !is_variable(&name) {
            self.path(&[name]);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(TokenBuffer::new2(call.tokens.clone()).begin(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(TokenBuffer::new2(list.tokens.clone()).begin(), true);
        }
    }

    /// To hand on a name is not to use it.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if is_handed_on(item) {
            return;
        }
        for leaf in leaves(item) {
            if leaf.name.is_some() {
                self.path(&leaf.path);
                continue;
            }
            for target in self.source.resolve(self.module, &leaf.path) {
                match target {
                    // A re-export counts where it is used.
                    Target::Module(all) if self.source.modules[all].defines() => {
                        self.arrow(self.source.modules[all].file, "*".to_owned());
                    }
                    Target::Module(_) => {}
                    Target::Item(file, name) => self.arrow(file, name),
                }
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_some()
            && let Some(child) = self.source.child(self.module, &item.ident.to_string())
        {
            let outside = std::mem::replace(&mut self.module, child);
            visit::visit_item_mod(self, item);
            self.module = outside;
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if matches!(item, Item::Mod(_) | Item::Impl(_) | Item::Trait(_)) {
            visit::visit_item(self, item);
        } else {
            self.with_bound(Variables::of(|it| it.visit_item(item)), |me| visit::visit_item(me, item));
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !is_for_tests(attributes_in_impl(item)) {
            self.with_bound(Variables::of(|it| it.visit_impl_item(item)), |me| {
                visit::visit_impl_item(me, item);
            });
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !is_for_tests(attributes_in_trait(item)) {
            self.with_bound(Variables::of(|it| it.visit_trait_item(item)), |me| {
                visit::visit_trait_item(me, item);
            });
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !is_for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field_value(&mut self, value: &'ast FieldValue) {
        if !is_for_tests(&value.attrs) {
            visit::visit_field_value(self, value);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !is_for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_stmt_macro(&mut self, call: &'ast StmtMacro) {
        if !is_for_tests(&call.attrs) {
            visit::visit_stmt_macro(self, call);
        }
    }
}

/// The variables of an item.
#[derive(Default)]
struct Variables(BTreeSet<String>);

impl Variables {
    fn of(look: impl FnOnce(&mut Self)) -> BTreeSet<String> {
        let mut variables = Variables::default();
        look(&mut variables);
        variables.0
    }
}

impl<'ast> Visit<'ast> for Variables {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if is_variable(&name) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(char::is_uppercase)
}
