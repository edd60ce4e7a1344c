//! What the stack keeps per route: its limits and its metric handles, resolved once.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use axum::extract::{MatchedPath, Request};
use http::Method;

use super::Limits;
use crate::{
    http::contract::Bound,
    telemetry::metrics::{RouteMetrics, metrics},
};

/// The label of requests that no route matches, so that strangers cannot make up labels.
const UNMATCHED: &str = "unmatched";
/// The methods that get a label of their own; all others share the last one.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "other"];

/// One method of one route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) template: Arc<str>,
    pub(super) limits: Limits,
    pub(super) metrics: RouteMetrics,
}

/// The routes by template; what the contract binds is there from the start, the rest when it is first asked for. A template
/// comes from the router and never from the wire, so the table cannot grow beyond it.
pub(super) struct RouteTable {
    by_template: ArcSwap<HashMap<Arc<str>, Methods>>,
    limits: Limits,
    overrides: HashMap<String, Limits>,
}

type Methods = [Option<Arc<Route>>; METHODS.len()];

impl RouteTable {
    pub(super) fn new(bound: &[Bound], limits: Limits, overrides: HashMap<String, Limits>) -> Self {
        let table = Self { by_template: ArcSwap::default(), limits, overrides };
        for bound in bound {
            table.add(&bound.path, position(bound.method));
        }
        table
    }

    pub(super) fn find(&self, request: &Request) -> Arc<Route> {
        let template = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
        let method = method(request.method());
        let known = self.by_template.load();
        match known.get(template).and_then(|methods| methods[method].as_ref()) {
            Some(route) => Arc::clone(route),
            None => self.add(template, method),
        }
    }

    fn add(&self, template: &str, method: usize) -> Arc<Route> {
        let template: Arc<str> = template.into();
        let route = Arc::new(Route {
            limits: self.overrides.get(&*template).copied().unwrap_or(self.limits),
            metrics: metrics().route(METHODS[method], template.to_string()),
            template: Arc::clone(&template),
        });
        self.by_template.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(Arc::clone(&template)).or_default()[method] = Some(Arc::clone(&route));
            known
        });
        route
    }
}

fn position(method: &str) -> usize {
    METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1)
}

fn method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::PATCH => 4,
        Method::HEAD => 5,
        Method::OPTIONS => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_name_a_method_agree() {
        for name in METHODS {
            let parsed = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(method(&parsed), position(name), "{name}");
        }
        assert_eq!(position("BREW"), method(&Method::from_bytes(b"BREW").unwrap()));
    }
}
