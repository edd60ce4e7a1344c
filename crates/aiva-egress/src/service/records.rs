//! What the API asks: the records, and decisions on request.
//!
//! The store's own words are handed through, so that the API needs to know this service only.

use std::sync::Arc;

use aiva_chassis::clock::SharedClock;

use crate::audit::Recorder;
use crate::ports::Decide;
use crate::store::Store;
use crate::token::Signer;

pub use crate::store::{Filter, HostCount, Hour, NewHost, Summary};

/// Everything that is asked.
#[derive(Clone)]
pub struct App {
    /// Where records are.
    pub store: Store,
    /// Takes the records of what is asked here.
    pub recorder: Recorder,
    /// Who holds the roles.
    pub decide: Arc<dyn Decide>,
    /// Gives tokens out.
    pub signer: Arc<Signer>,
    /// The time of a decision.
    pub clock: SharedClock,
}
