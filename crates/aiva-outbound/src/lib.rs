//! The one engine for outbound requests: address classes, text checks, policy, resolve and pin, client.
