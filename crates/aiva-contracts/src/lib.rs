//! Generated messages and API types, the event envelope; no service stubs, no I/O.
