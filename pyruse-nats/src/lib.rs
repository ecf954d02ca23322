//! Pyruse on NATS JetStream: `source_nats` reads a stream, `action_publish` publishes what an entry says, and
//! `action_natsBan` sends bans to other machines. All use the connections of the top-level key `nats`.
//!
//! NATS gives us what many machines need: streams that are stored, and subjects, by which the server's permissions prove
//! who has sent a message. All work of its client runs in one thread for each connection; the reading loop sees only a
//! bounded channel and a descriptor, and the courier waits for acknowledgements.

#![warn(missing_docs)]

mod ban;
mod connection;
mod inspect;
mod loops;
mod monitor;
mod publish;
mod publisher;
mod settings;
mod source;
mod subject;
