//! The contracts as Rust types: messages of `api/proto`, types and operations of `api/openapi.yaml`, the event envelope.
//!
//! Promises: no I/O, no runtime, no service stubs. Everything under `generated` is made by `cargo xtask codegen` and
//! committed, so that a build needs no protoc. Start reading at [`api`] for HTTP, at [`message`] for events.

pub mod bounds;
pub mod envelope;

#[path = "generated/api.rs"]
pub mod api;

#[path = "generated/messages.rs"]
mod messages;

/// Messages by package: `message::scan::v1::ScanRequested` is `aiva.scan.v1.ScanRequested`.
pub use messages::aiva as message;

/// The protos as an encoded `google.protobuf.FileDescriptorSet`, for reflection and the schema registry.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// The contract of the HTTP API itself.
pub const OPENAPI: &str = include_str!("../../../api/openapi.yaml");
