//! `action_dnatCapture`, `action_dnatReplace`: the real client of a service that sees only the proxy before it.
//!
//! Behind a proxy or a translating router, a service logs the proxy as its client: and a ban would hit the proxy. The
//! proxy's own log says who connected, and from which of its ports it went on to the service. Capture takes down
//! that; replace puts the client in the place of the proxy in the service's entries.
//!
//! ```text
//! client ──────────────────▶ proxy ───────────────────▶ service
//!  saddr, sport               addr, port                 daddr, dport
//! ```
//!
//! All captures of a configuration go to one place ([`mappings`]), and all replaces look there.

mod capture;
mod held;
mod index;
mod mapping;
mod mappings;
#[cfg(test)]
mod model;
mod property;
mod replace;
mod retention;
mod settings;
mod value;
