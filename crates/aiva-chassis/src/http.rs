//! The HTTP side of a service: one way to answer, to refuse, to know who is calling and to be served.
//!
//! What every route gets without asking: problem+json for every error (404, 405, panics and timeouts included), a request
//! id, limits, security headers, metrics by route template and one access log line. What a route must say itself: who may
//! call it, as [`auth::Allowed`] or [`auth::Public`] in its signature.
//!
//! Start reading at [`problem::ApiError`], then [`auth`] and [`contract`].

pub mod access;
pub mod admin;
pub mod auth;
pub mod client;
pub mod context;
pub mod contract;
pub mod extract;
pub mod grpc;
mod gzip;
pub mod headers;
pub mod idempotency;
pub mod page;
pub mod precondition;
pub mod problem;
pub mod rate;
pub mod serve;
pub mod sse;
pub mod stack;
pub mod tls;
pub mod trace;
pub mod turn;

pub use access::AccessLog;
pub use auth::{Allowed, AuthError, Authenticator, Need, Permission, Permissions, Principal, PrincipalKind, Public};
pub use context::{Context, RequestContext};
pub use contract::{Routes, mount, on};
pub use extract::{Form, Json, Path, Query};
pub use headers::Cors;
pub use idempotency::IdempotencyKey;
pub use page::{Cursor, Page, PageQuery};
pub use precondition::{ETag, Preconditions};
pub use problem::{ApiError, FieldError, Problem};
pub use rate::{Admission, Rate, Rates};
pub use serve::{ListenLimits, Listener};
pub use stack::{Limits, Stack};
pub use tls::TlsFiles;
pub use turn::{Turn, Turns};
