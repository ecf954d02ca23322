//! What the reader asks of a piece of code: its name, its attributes, what a `use` names.

use syn::punctuated::Punctuated;
use syn::{Attribute, ImplItem, Item, ItemMod, ItemUse, Meta, Token, TraitItem, UseTree, Visibility};

/// The name that an item gives to its module; modules and imports are another matter.
pub fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// One of the names that a `use` brings in; a glob has none.
pub struct Leaf {
    pub name: Option<String>,
    pub path: Vec<String>,
}

/// What a `use` brings in; nothing, if it says that it is of another crate.
pub fn leaves(item: &ItemUse) -> Vec<Leaf> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        climb(&item.tree, &[], &mut found);
    }
    found
}

fn climb(tree: &UseTree, before: &[String], found: &mut Vec<Leaf>) {
    let path_to = |name: &syn::Ident| {
        let mut path = before.to_vec();
        // `a::{self}` is `a`.
        if name != "self" || before.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        UseTree::Path(step) => climb(&step.tree, &path_to(&step.ident), found),
        UseTree::Name(leaf) => {
            let path = path_to(&leaf.ident);
            found.push(Leaf { name: path.last().cloned(), path });
        }
        UseTree::Rename(leaf) => {
            found.push(Leaf { name: Some(leaf.rename.to_string()), path: path_to(&leaf.ident) });
        }
        UseTree::Glob(_) => found.push(Leaf { name: None, path: before.to_vec() }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| climb(tree, before, found)),
    }
}

/// Whether a `use` hands on what it names.
pub fn is_handed_on(item: &ItemUse) -> bool {
    !matches!(item.vis, Visibility::Inherited)
}

/// Whether something is compiled for tests only.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|when| wants_test(&when))
    })
}

/// Whether a condition can only be met by a test.
fn wants_test(when: &Meta) -> bool {
    let Meta::List(list) = when else { return when.path().is_ident("test") };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    match list.path.get_ident() {
        Some(word) if word == "all" => parts.iter().any(wants_test),
        Some(word) if word == "any" => parts.iter().all(wants_test),
        _ => false,
    }
}

/// The attributes of an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(syn::ItemConst { attrs, .. })
        | Item::Enum(syn::ItemEnum { attrs, .. })
        | Item::ExternCrate(syn::ItemExternCrate { attrs, .. })
        | Item::Fn(syn::ItemFn { attrs, .. })
        | Item::ForeignMod(syn::ItemForeignMod { attrs, .. })
        | Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Macro(syn::ItemMacro { attrs, .. })
        | Item::Mod(ItemMod { attrs, .. })
        | Item::Static(syn::ItemStatic { attrs, .. })
        | Item::Struct(syn::ItemStruct { attrs, .. })
        | Item::Trait(syn::ItemTrait { attrs, .. })
        | Item::TraitAlias(syn::ItemTraitAlias { attrs, .. })
        | Item::Type(syn::ItemType { attrs, .. })
        | Item::Union(syn::ItemUnion { attrs, .. })
        | Item::Use(ItemUse { attrs, .. }) => attrs,
        _ => &[],
    }
}

/// The attributes of an item of an `impl`.
pub fn attributes_in_impl(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(syn::ImplItemConst { attrs, .. })
        | ImplItem::Fn(syn::ImplItemFn { attrs, .. })
        | ImplItem::Macro(syn::ImplItemMacro { attrs, .. })
        | ImplItem::Type(syn::ImplItemType { attrs, .. }) => attrs,
        _ => &[],
    }
}

/// The attributes of an item of a trait.
pub fn attributes_in_trait(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(syn::TraitItemConst { attrs, .. })
        | TraitItem::Fn(syn::TraitItemFn { attrs, .. })
        | TraitItem::Macro(syn::TraitItemMacro { attrs, .. })
        | TraitItem::Type(syn::TraitItemType { attrs, .. }) => attrs,
        _ => &[],
    }
}
