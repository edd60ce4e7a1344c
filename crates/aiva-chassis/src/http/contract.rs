//! Binds handlers to the operations of the contract, and remembers what is bound.
//!
//! A guard walks the generated list of its operations with an exhaustive `match`, so that a missing or an extra handler
//! does not compile:
//!
//! ```ignore
//! use aiva_contracts::api::findings::Operation;
//!
//! pub fn routes(app: App) -> Routes {
//!     mount(Operation::ALL.iter().map(|operation| {
//!         let handler = match operation {
//!             Operation::ListFindings => on(operation.method(), list),
//!             Operation::GetFinding => on(operation.method(), show),
//!         };
//!         (operation.method(), operation.path(), handler)
//!     }))
//!     .with_state(app)
//! }
//! ```
//!
//! Paths are templates (`/v1/findings/{id}`), spelled the same in OpenAPI and in the router. The table is what tests walk
//! and what the metrics resolve their handles from.

use axum::{Router, handler::Handler, routing::MethodFilter, routing::MethodRouter};
use http::Method;

/// One bound route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bound {
    /// The method in capitals; `*` for a route that answers to any.
    pub method: &'static str,
    /// The path template.
    pub path: String,
}

/// A router that knows its own table.
#[derive(Debug, Clone)]
pub struct Routes<S = ()> {
    router: Router<S>,
    table: Vec<Bound>,
}

/// A handler for one method.
///
/// # Panics
/// If the method is none of the nine of HTTP: the contract is wrong, and no server should start with it.
pub fn on<H, T, S>(method: &str, handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let method = Method::from_bytes(method.as_bytes()).expect("the contract names a valid method");
    let filter = MethodFilter::try_from(method).expect("the contract names a method of HTTP");
    axum::routing::on(filter, handler)
}

/// Binds every operation (method, path template, handler).
pub fn mount<S, P>(operations: impl IntoIterator<Item = (&'static str, P, MethodRouter<S>)>) -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    P: Into<String>,
{
    operations.into_iter().fold(Routes::new(), |routes, (method, path, handler)| routes.route(method, path, handler))
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    pub fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    /// Adds one route; `handler` comes from [`on`] with the same method.
    #[must_use]
    pub fn route(mut self, method: &'static str, path: impl Into<String>, handler: MethodRouter<S>) -> Self {
        let path = path.into();
        self.router = self.router.route(&path, handler);
        self.table.push(Bound { method, path });
        self
    }

    /// Adds all routes of `other`.
    #[must_use]
    pub fn merge(mut self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with_state<S2>(self, state: S) -> Routes<S2> {
        Routes { router: self.router.with_state(state), table: self.table }
    }

    /// What is bound, in the order it was bound.
    pub fn table(&self) -> &[Bound] {
        &self.table
    }

    /// The router without its table.
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    /// The router and its table.
    pub fn into_parts(self) -> (Router<S>, Vec<Bound>) {
        (self.router, self.table)
    }
}

impl Routes {
    /// Adds gRPC services; each is one route `/{service}/{*rpc}` under the same middleware.
    #[must_use]
    pub fn grpc(mut self, services: tonic::service::Routes) -> Self {
        // tonic answers unknown services with a fallback of its own; ours does that for both halves.
        self.router = self.router.merge(services.into_axum_router().reset_fallback());
        self
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// A plain router: served the same, but its routes are not in the table.
impl<S> From<Router<S>> for Routes<S> {
    fn from(router: Router<S>) -> Self {
        Self { router, table: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_bound() {
        let routes: Routes = mount([
            ("GET", "/v1/things/{id}", on("GET", || async {})),
            ("PUT", "/v1/things/{id}", on("PUT", || async {})), // one path, two operations
        ])
        .merge(mount([("POST", "/v1/things", on("POST", || async {}))]));
        let table: Vec<_> = routes.table().iter().map(|b| (b.method, b.path.as_str())).collect();
        assert_eq!(table, [("GET", "/v1/things/{id}"), ("PUT", "/v1/things/{id}"), ("POST", "/v1/things")]);
    }
}
