//! The envelope of an event: CloudEvents' attributes around an encoded message.
//!
//! Promises: `id` is unique over all sources, `type` names the message in `data`, events of one `subject` arrive in order.
//! It is plain data: who stamps it and who carries it is `aiva-events`' part.

use uuid::Uuid;

/// A message that may travel as an event.
pub trait EventMessage: prost::Message + Default {
    /// Its full Protobuf name, such as `aiva.findings.v1.FindingOpened`: CloudEvents' `type`.
    const TYPE: &'static str;
}

/// One event as it is stored and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// CloudEvents `id`: a UUIDv7.
    pub id: Uuid,
    /// CloudEvents `type`: the full name of the message in `data`.
    pub kind: String,
    /// CloudEvents `source`: who says so, such as `aiva/findings`.
    pub source: String,
    /// CloudEvents `subject`: what it is about.
    pub subject: String,
    /// CloudEvents `time`: when it happened, in microseconds since 1970-01-01T00:00:00Z.
    pub time_unix_micros: i64,
    /// What the whole chain of events belongs to: the request or the schedule that began it.
    pub correlation_id: String,
    /// The event that this one follows from; `None` for the first of a chain.
    pub causation_id: Option<Uuid>,
    /// The registered schema of `data`; 0 where no registry is used.
    pub schema_id: u32,
    /// W3C trace context of the writer; empty when it was not traced.
    pub traceparent: String,
    /// The encoded message.
    pub data: Vec<u8>,
}

/// Why an envelope's data is not the message that the reader wants. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It holds another message.
    #[error("the event is a {found}, not a {wanted}")]
    OtherType {
        /// The envelope's type.
        found: String,
        /// The type asked for.
        wanted: &'static str,
    },
    /// The bytes are damaged.
    #[error("the data is not a {wanted}")]
    Malformed {
        /// The type asked for.
        wanted: &'static str,
        /// What the decoder says.
        #[source]
        source: prost::DecodeError,
    },
}

impl Envelope {
    /// Whether it carries this message.
    pub fn is<M: EventMessage>(&self) -> bool {
        self.kind == M::TYPE
    }

    /// The message inside.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<M: EventMessage>(&self) -> Result<M, DecodeError> {
        if !self.is::<M>() {
            return Err(DecodeError::OtherType { found: self.kind.clone(), wanted: M::TYPE });
        }
        M::decode(self.data.as_slice()).map_err(|source| DecodeError::Malformed { wanted: M::TYPE, source })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    impl EventMessage for String {
        const TYPE: &'static str = "google.protobuf.StringValue";
    }

    fn envelope(kind: &str, data: Vec<u8>) -> Envelope {
        Envelope {
            id: Uuid::nil(),
            kind: kind.into(),
            source: "aiva/test".into(),
            subject: "s".into(),
            time_unix_micros: 0,
            correlation_id: "c".into(),
            causation_id: None,
            schema_id: 0,
            traceparent: String::new(),
            data,
        }
    }

    #[test]
    fn only_the_named_message_is_decoded() {
        let good = envelope(String::TYPE, "hello".to_owned().encode_to_vec());
        assert_eq!(good.decode::<String>().unwrap(), "hello");
        let other = envelope("other", good.data.clone());
        assert!(matches!(other.decode::<String>(), Err(DecodeError::OtherType { .. })));
        let torn = envelope(String::TYPE, vec![0x0a, 9, b'x']);
        assert!(matches!(torn.decode::<String>(), Err(DecodeError::Malformed { .. })));
    }
}
