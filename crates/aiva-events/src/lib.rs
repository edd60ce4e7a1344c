//! Outbox, inbox, publish, consume, local dispatcher, dead letters.
