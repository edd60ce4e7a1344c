//! The decision API over gRPC: `aiva.egress.v1.Decisions`, one question or a stream of them.
//!
//! Promises: the same verdicts, bounds and refusals as `POST /v1/egress/decisions`. On a stream, answers keep the order of the
//! questions; at most [`AT_ONCE`] questions are under way, and the next is read when an answer was taken; each counts like a
//! request against the limits of its client, and whoever asks faster is read more slowly; a question that is wrong costs its
//! own answer only. A stream ends with UNAVAILABLE when the server stops or after [`OLDEST`], so that
//! credentials that were taken back do not live on in it: its caller opens another.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::http::context::RequestContext;
use aiva_chassis::http::{Admission, Allowed, ApiError, Principal};
use aiva_chassis::panic::{self, Entry, Place};
use aiva_chassis::shutdown::Stop;
use aiva_contracts::api;
use aiva_contracts::message::egress::v1 as message;
use aiva_contracts::message::egress::v1::decide_stream_response::Answer;
use async_trait::async_trait;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use crate::decision::Outcome;
use crate::http::{Ask, answer};
use crate::meters::Via;
use crate::service::records::{Answered, Decisions as Questions};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code silences what its shape makes"
)]
mod generated;

pub use generated::{decisions_client as client, decisions_server as server};

use server::{Decisions, DecisionsServer};

/// The service's full name, as health and reflection know it.
pub const NAME: &str = "aiva.egress.v1.Decisions";

/// The route of the service. A stream has no length that the limit of bodies could be held against; each of its messages is
/// held to [`LONGEST`].
pub const ROUTE: &str = "/aiva.egress.v1.Decisions/{*rest}";

/// How many questions of one stream are under way at once.
pub const AT_ONCE: usize = 32;

/// How old a stream gets.
pub const OLDEST: Duration = Duration::from_secs(3600);

/// The longest message: the longest address with room for the rest.
const LONGEST: usize = 16 * 1024;

/// The service, to be added to the server's others.
pub fn service(decisions: Questions, stop: Stop) -> DecisionsServer<impl Decisions> {
    DecisionsServer::new(Service { decisions, stop }).max_decoding_message_size(LONGEST)
}

struct Service {
    decisions: Questions,
    stop: Stop,
}

#[async_trait]
impl Decisions for Service {
    async fn decide(
        &self,
        request: Request<message::DecideRequest>,
    ) -> Result<Response<message::DecideResponse>, Status> {
        let caller = Allowed::<Ask>::by(request.extensions())?;
        let asked = asked(request.into_inner().question);
        let answered = answer(&self.decisions, &caller, Via::Unary, asked).await?;
        Ok(Response::new(message::DecideResponse { verdict: Some(verdict(answered)) }))
    }

    type DecideStreamStream = Pin<Box<dyn Stream<Item = Result<message::DecideStreamResponse, Status>> + Send>>;

    async fn decide_stream(
        &self,
        request: Request<Streaming<message::DecideStreamRequest>>,
    ) -> Result<Response<Self::DecideStreamStream>, Status> {
        let caller = Allowed::<Ask>::by(request.extensions())?.into_principal();
        let context = request.extensions().get::<Arc<RequestContext>>().cloned();
        let asker = Arc::new(Asker { decisions: self.decisions.clone(), caller, context });
        let admission = request.extensions().get::<Admission>().cloned();
        let questions = questions(request.into_inner(), admission, self.stop.clone());
        let answers = questions.map(move |question| {
            let asker = Arc::clone(&asker);
            async move {
                match question {
                    Ok(question) => Ok(asker.answer(question).await),
                    Err(ended) => Err(ended),
                }
            }
        });
        Ok(Response::new(Box::pin(answers.buffered(AT_ONCE))))
    }
}

/// What comes over the stream until it ends: by its caller, by the server's stop, or by its age.
fn questions(
    incoming: Streaming<message::DecideStreamRequest>,
    admission: Option<Admission>,
    stop: Stop,
) -> impl Stream<Item = Result<message::DecideStreamRequest, Status>> + Send {
    let ends = Instant::now() + OLDEST;
    stream::unfold(Some((incoming, admission, stop)), move |open| async move {
        let (mut incoming, admission, stop) = open?;
        let next = tokio::select! {
            biased;
            () = stop.begun() => Err(Status::unavailable("the server stops: open another stream")),
            () = tokio::time::sleep_until(ends) => Err(Status::unavailable("the stream is old: open another")),
            next = one(&mut incoming, admission.as_ref()) => next,
        };
        match next {
            Ok(Some(question)) => Some((Ok(question), Some((incoming, admission, stop)))),
            Ok(None) => None,
            Err(ended) => Some((Err(ended), None)),
        }
    })
}

/// The next question, once it may pass.
async fn one(
    incoming: &mut Streaming<message::DecideStreamRequest>,
    admission: Option<&Admission>,
) -> Result<Option<message::DecideStreamRequest>, Status> {
    let next = incoming.message().await?;
    if let (Some(_), Some(admission)) = (&next, admission) {
        admission.passed().await;
    }
    Ok(next)
}

/// Whoever opened a stream.
struct Asker {
    decisions: Questions,
    caller: Principal,
    context: Option<Arc<RequestContext>>,
}

impl Asker {
    async fn answer(&self, request: message::DecideStreamRequest) -> message::DecideStreamResponse {
        let work = answer(&self.decisions, &self.caller, Via::Stream, asked(request.question));
        let answer = match panic::catch(Entry::Rpc, || self.place(), work).await {
            Ok(Ok(answered)) => Answer::Verdict(verdict(answered)),
            Ok(Err(error)) => Answer::Refusal(refusal(&error)),
            Err(panic::Panicked) => Answer::Refusal(message::Refusal {
                code: "internal".to_owned(),
                detail: "something went wrong on our side".to_owned(),
                errors: Vec::new(),
            }),
        };
        message::DecideStreamResponse { number: request.number, answer: Some(answer) }
    }

    fn place(&self) -> Place {
        let place = Place::new("POST /aiva.egress.v1.Decisions/DecideStream");
        match &self.context {
            Some(context) => place.with("request_id", context.request_id()),
            None => place,
        }
    }
}

/// In the words of the contract that says the bounds; a question that is left out is one without an address.
fn asked(question: Option<message::Question>) -> api::AskDecision {
    let message::Question { url, method, role } = question.unwrap_or_default();
    api::AskDecision { url, method, role }
}

fn verdict(answered: Answered) -> message::Verdict {
    let outcome = match answered.outcome {
        Outcome::Allow => message::Outcome::Allow,
        Outcome::Deny => message::Outcome::Deny,
        Outcome::Unresolved => message::Outcome::Unresolved,
    };
    let (token, expires) = answered.token.unzip();
    message::Verdict {
        id: answered.id.to_string(),
        outcome: outcome.into(),
        role: answered.role.to_string(),
        rule: answered.rule,
        reason: answered.reason.into_owned(),
        connect_to: answered.connect_to.iter().map(ToString::to_string).collect(),
        token: token.unwrap_or_default(),
        expires_unix_seconds: expires.map_or(0, jiff::Timestamp::as_second),
    }
}

fn refusal(error: &ApiError) -> message::Refusal {
    let field = |field: &aiva_chassis::http::FieldError| message::FieldError {
        pointer: field.pointer.clone(),
        message: field.message.clone(),
    };
    message::Refusal {
        code: error.code().to_owned(),
        detail: error.detail().to_owned(),
        errors: error.errors().iter().map(field).collect(),
    }
}
