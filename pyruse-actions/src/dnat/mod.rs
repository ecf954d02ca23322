//! `action_dnatCapture`, `action_dnatReplace`: find the real client of a service that sees only the proxy.
//!
//! Behind a proxy or a NAT router, a service logs the proxy as its client, so a ban would affect the proxy. The proxy's
//! own log says which client connected, and from which of its own ports it connected to the service. The capture action
//! stores that; the replace action replaces the proxy by the client in the service's entries.
//!
//! ```text
//! client ──────────────────▶ proxy ───────────────────▶ service
//!  saddr, sport               addr, port                 daddr, dport
//! ```
//!
//! All captures of a configuration are stored in one place ([`mappings`]), and all replace actions search there.

mod capture;
mod index;
mod mapping;
mod mappings;
#[cfg(test)]
mod model;
mod ordered;
mod property;
mod replace;
mod retention;
mod settings;
mod value;

/// What reviews call the place where captured addresses are stored.
const CLIENTS: &str = "dnat/clients";
