//! What counts as a circle, and what does not, on crates of a few lines.

use crate::printed;
use crate::source::Files;

/// The circles of a crate of these files.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let files: Files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    printed(&files, "lib.rs")
}

/// The shortest ways round.
fn rounds(files: &[(&str, &str)]) -> Vec<String> {
    let circles = circles(files);
    circles.iter().map(|text| text.lines().nth(1).expect("a circle is told on a line").to_owned()).collect()
}

#[test]
fn a_direct_circle_is_reported_with_the_names_that_close_it() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::{B, b}; pub struct A; fn f(_: B) { b() }"),
        ("b.rs", "pub struct B; pub fn b() -> super::a::A { super::a::A }"),
        ("c.rs", "use crate::a::A; fn c(_: A) {}"),
    ]);
    let printed = "2 files in a circle\n\
        a.rs -> b.rs (B, b) -> a.rs (A)\n\
        all arrows:\n  a.rs -> b.rs (B, b)\n  b.rs -> a.rs (A)\n";
    assert_eq!(found, [printed]);
}

#[test]
fn the_shortest_round_of_a_large_circle_is_reported_first() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::{a::A, d::D}; pub struct C;"),
        ("d.rs", "use crate::c::C; pub struct D;"),
    ]);
    let [printed] = found.as_slice() else { panic!("one circle, not {found:?}") };
    assert!(
        printed.starts_with("4 files in a circle\nc.rs -> d.rs (D) -> c.rs (C)\nall arrows:\n"),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 3 + 5, "{printed}");
}

#[test]
fn two_circles_are_reported_separately() {
    let found = rounds(&[
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e; mod f;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::{a::A, c::C}; pub struct B;"),
        ("c.rs", "use crate::d::D; pub struct C;"),
        ("d.rs", "use crate::c::C; pub struct D;"),
        ("e.rs", "use crate::{a::A, f::F}; pub struct E;"),
        ("f.rs", "use crate::e::{self}; pub struct F(e::E);"),
    ]);
    let printed =
        ["a.rs -> b.rs (B) -> a.rs (A)", "c.rs -> d.rs (D) -> c.rs (C)", "e.rs -> f.rs (F) -> e.rs (E)"];
    assert_eq!(found, printed);
}

#[test]
fn a_re_export_leads_to_where_the_item_is_defined() {
    // The parent uses its children; a child names its sibling through the parent: no circle.
    let parent = "mod a; mod b; pub use self::b::X as Y; use self::a::A; fn f(_: A) {}";
    let tree = [("lib.rs", "mod m;"), ("m/mod.rs", parent), ("m/b.rs", "pub struct X;")];
    assert!(rounds(&[&tree[..], &[("m/a.rs", "use super::Y; pub struct A(Y);")]].concat()).is_empty());
    // Siblings that name each other through the parent: a circle of the two.
    let found = rounds(&[
        ("lib.rs", "mod m;"),
        ("m/mod.rs", "mod a; mod b; pub use self::{a::A, b::*};"),
        ("m/a.rs", "use super::X; pub struct A(X);"),
        ("m/b.rs", "pub struct X; fn f(_: crate::m::A) {}"),
    ]);
    assert_eq!(found, ["m/a.rs -> m/b.rs (X) -> m/a.rs (A)"]);
}

#[test]
fn a_re_export_is_no_arrow_unless_its_own_module_uses_the_name() {
    let child = ("m/a.rs", "use super::Parent; pub struct A(Parent);");
    let handed_on = "mod a; pub use self::a::A; pub struct Parent;";
    assert!(rounds(&[("lib.rs", "mod m;"), ("m/mod.rs", handed_on), child]).is_empty());
    let used = "mod a; pub use self::a::A; pub struct Parent; fn f(_: A) {}";
    assert_eq!(
        rounds(&[("lib.rs", "mod m;"), ("m/mod.rs", used), child]),
        ["m/mod.rs -> m/a.rs (A) -> m/mod.rs (Parent)"]
    );
    // A variable that happens to have a re-exported function's name is not that function.
    let child = ("m/a.rs", "use super::Parent; pub fn page() {}");
    let variable =
        "mod a; pub use self::a::page; pub struct Parent; fn f(page: u8) { g(page); h!(page, page = 1) }";
    assert!(rounds(&[("lib.rs", "mod m;"), ("m/mod.rs", variable), child]).is_empty());
}

#[test]
fn names_that_look_alike_are_distinguished() {
    // A module and what it is for may have one name; an item within a function is nobody else's.
    let parent =
        "mod page; pub use self::page::page; pub use self::page::Page as Local; fn f() { struct Local; }";
    let found = rounds(&[
        ("lib.rs", "mod a; mod m;"),
        ("a.rs", "use crate::m::{Local, page}; pub struct A;"),
        ("m/mod.rs", parent),
        ("m/page.rs", "pub fn page() -> crate::a::A { crate::a::A } pub struct Page;"),
    ]);
    assert_eq!(found, ["a.rs -> m/page.rs (Page, page) -> a.rs (A)"]);
    let found = rounds(&[
        ("lib.rs", "mod a; mod m;"),
        ("a.rs", "use crate::m::Local; pub struct A;"),
        ("m/mod.rs", &format!("{parent} fn g(_: crate::a::A) {{}}")),
        ("m/page.rs", "pub fn page() {} pub struct Page;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_parent_and_its_child_are_a_circle() {
    let child = ("a.rs", "pub fn a() -> crate::Parent { crate::Parent }");
    for parent in ["fn f() { a::a(); }", "fn f() { self::a::a(); }", "use self::a::a;", "use a::a as other;"]
    {
        let parent = format!("mod a; pub struct Parent; {parent}");
        assert_eq!(
            rounds(&[("lib.rs", &parent), child]),
            ["lib.rs -> a.rs (a) -> lib.rs (Parent)"],
            "{parent}"
        );
    }
    // To declare the child is not to use it.
    assert!(rounds(&[("lib.rs", "mod a; pub struct Parent;"), child]).is_empty());
}

#[test]
fn an_imported_module_leads_on() {
    let found = rounds(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b as other; fn f() { other::inner::b(); } pub enum A { One }"),
        ("b.rs", "pub mod inner { pub fn b() { crate::a::A::One; } }"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs (b) -> a.rs (A)"]);
    // Only what is named through it counts.
    let unused = ("a.rs", "use crate::b; use crate::b::deep::Deep; pub struct A;");
    let found = rounds(&[
        ("lib.rs", "mod a; mod b;"),
        unused,
        ("b/mod.rs", "pub mod deep; use crate::a::A; pub struct B(A);"),
        ("b/deep.rs", "pub struct Deep;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_glob_counts() {
    let found = rounds(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use super::b::*; pub struct A;"),
        ("b.rs", "use super::a::A; pub struct B(A);"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs (*) -> a.rs (A)"]);
    // Of what the module hands on, what is named.
    let found = rounds(&[
        ("lib.rs", "mod a; mod b; mod c; mod all;"),
        ("all.rs", "pub use crate::b::B; pub use crate::c::C;"),
        ("a.rs", "use crate::all::*; pub struct A(B);"),
        ("b.rs", "use super::a::A; pub struct B(A);"),
        ("c.rs", "use super::a::A; pub struct C(A);"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs (B) -> a.rs (A)"]);
}

#[test]
fn code_for_tests_does_not_count() {
    let b = ("b.rs", "use crate::a::A; pub struct B(A); pub fn b() {}");
    for a in [
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] mod tests;",
        "#[cfg(all(test, unix))] use crate::b::B;",
        "#[test] fn f() { crate::b::b(); }",
        "impl A { #[cfg(test)] fn f() { crate::b::b(); } }",
        "fn f() { #[cfg(test)] crate::b::say!(); #[cfg(test)] let _ = crate::b::b(); }",
        "pub struct C { #[cfg(test)] b: crate::b::B }",
    ] {
        let a = format!("{a} pub struct A;");
        let found =
            rounds(&[("lib.rs", "mod a; mod b;"), ("a.rs", &a), ("a/tests.rs", "use crate::b::B;"), b]);
        assert!(found.is_empty(), "{a}: {found:?}");
    }
    for a in ["#[cfg(not(test))] use crate::b::B;", "#[cfg(any(test, unix))] use crate::b::B;"] {
        let a = format!("{a} pub struct A;");
        let found = rounds(&[("lib.rs", "mod a; mod b;"), ("a.rs", &a), b]);
        assert_eq!(found, ["a.rs -> b.rs (B) -> a.rs (A)"], "{a}");
    }
}

#[test]
fn names_in_all_sorts_of_places_count() {
    let b = ("b.rs", "use crate::a::A; pub struct B(A); pub const B: u8 = 1; impl B { pub fn new() {} }");
    for a in [
        "fn f() { tracing::info!(x = 1, \"{}\", crate::b::B::new()); }",
        "fn f() { vec![1, super::b::B] }",
        "fn f() { let _ = write!(out, \"{:?}\", Some { it: self::super::b::B }); }",
        "use super::b; fn f() { assert!(b::B == 1); }",
        "macro_rules! make { () => { $crate::b::B } }",
        "submit!(crate::b::B);",
        "fn f(x: u8) { match x { crate::b::B => {} _ => {} } }",
        "fn f() -> Option<Vec<crate::b::B>> { None }",
        "fn f<T: From<crate::b::B>>() {}",
        "impl From<crate::b::B> for A {}",
        "fn f() { <A as Into<crate::b::B>>::into(A); }",
        "fn f() { use crate::b::B; }",
        "fn f() { crate::b::B::new(); }",
        "#[command(after_help = crate::b::B)] struct C;",
        "struct C { #[serde(default = \"crate::b::B::new\")] it: u8 }",
        "mod inner { use super::super::b::B; }",
    ] {
        let a = format!("{a} pub struct A;");
        let found = rounds(&[("lib.rs", "mod a; mod b;"), ("a.rs", &a), b]);
        assert_eq!(found, ["a.rs -> b.rs (B) -> a.rs (A)"], "{a}");
    }
}

#[test]
fn names_of_other_crates_and_members_do_not_count() {
    let b = ("b.rs", "use crate::a::A; pub struct B(A); pub fn b() {}");
    for a in [
        "use other::b::B;",
        "use ::b::B;",
        "fn f() { ::b::b(); other::b::b(); }",
        "fn f(it: It) { it.b.b(); it.b::<u8>(); }",
        "fn f() { say!(it.b, b: 1, b = 2, ::b::b()); }",
        "fn f() { say!(\"crate::b::B\"); say!(x as &'b u8, 1..=it.b); }",
        "/// [`crate::b::B`]\nfn f() {}",
        "pub(in crate::b) fn f() {}",
    ] {
        let a = format!("pub use crate::b::b; pub struct A; {a}");
        let found = rounds(&[("lib.rs", "mod a; mod b;"), ("a.rs", &a), b]);
        assert!(found.is_empty(), "{a}: {found:?}");
    }
}

#[test]
fn re_exports_in_a_circle_are_no_endless_loop() {
    let found = rounds(&[
        ("lib.rs", "mod a; mod b; pub use self::a::*; pub use serde;"),
        (
            "a.rs",
            "pub use crate::b::*; pub use super::b::X; fn f() { X::new(); serde::x(); crate::serde::y(); }",
        ),
        ("b.rs", "pub use crate::a::*; pub use super::a::X;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
