//! The built-in filters, each in its own file. A crate that links this one says `use pyruse_filters as _;`.

#![warn(missing_docs)]

mod equals;
mod in_list;
mod in_named_list;
mod in_networks;
mod lists;
mod order;
mod pcre;
mod pcre_any;
mod ranges;
mod scalar;
mod user_exists;
