//! Where a service may call out: the egress guard around the outbound engine.
