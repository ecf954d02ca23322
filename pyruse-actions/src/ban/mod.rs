//! The firewalls that Pyruse can ban with; [`pyruse_core::ban`] has all that is the same for them.

mod ipset;
mod nft;
mod run;
