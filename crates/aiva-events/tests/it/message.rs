//! The event of the tests.

use aiva_contracts::envelope::EventMessage;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ticked {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
}

impl EventMessage for Ticked {
    const TYPE: &'static str = "aiva.test.v1.Ticked";
}
