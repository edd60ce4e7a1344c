//! The stream of decisions: order, back-pressure, what a question and what a stream may cost.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use aiva_chassis::http::{Admission, Permissions, Principal, PrincipalKind};
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_contracts::message::egress::v1 as message;
use aiva_contracts::message::egress::v1::decide_stream_response::Answer;
use aiva_egress::audit::Recorder;
use aiva_egress::config::Egress;
use aiva_egress::grpc::{AT_ONCE, client::DecisionsClient, service};
use aiva_egress::service::Guard;
use aiva_outbound::resolve::{Answer as Addresses, Lookup, ResolveError, Resolver};
use async_trait::async_trait;
use futures_util::stream;
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use crate::records::World;

/// Answers when it is let.
struct Held {
    asked: AtomicUsize,
    let_go: Semaphore,
}

#[async_trait]
impl Resolver for Held {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if name.starts_with("fault") {
            aiva_chassis::panic::provoke("a fault of ours");
        }
        self.let_go.acquire().await.expect("it is never closed").forget();
        Ok(Lookup::from(Addresses { addresses: vec![[93, 184, 216, 34].into()], ..Addresses::default() }))
    }
}

struct Scene {
    resolver: Arc<Held>,
    shutdown: Shutdown,
    world: World,
}

impl Scene {
    async fn new(free: usize) -> Self {
        let resolver = Arc::new(Held { asked: AtomicUsize::new(0), let_go: Semaphore::new(free) });
        Self { resolver, shutdown: Shutdown::new(), world: World::sqlite().await }
    }

    /// A client of the service itself: what lies between them in a server is tested there.
    fn client(
        &self,
        permission: &str,
    ) -> DecisionsClient<
        impl tower::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
            Future = impl Future<Output = Result<http::Response<tonic::body::Body>, Infallible>> + Send,
        > + Clone,
    > {
        self.counted(permission, None)
    }

    /// The same where somebody counts its questions.
    fn counted(
        &self,
        permission: &str,
        admission: Option<Admission>,
    ) -> DecisionsClient<
        impl tower::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
            Future = impl Future<Output = Result<http::Response<tonic::body::Body>, Infallible>> + Send,
        > + Clone,
    > {
        let resolver = Arc::clone(&self.resolver);
        let resolvers = Box::new(move |_: &[std::net::SocketAddr]| Arc::clone(&resolver) as Arc<dyn Resolver>);
        let (guard, _) = Guard::with_resolvers(Egress::default(), self.world.shared(), resolvers).unwrap();
        let app = self.world.app(&guard, &Recorder::default());
        let service = service(app.decisions, self.shutdown.stop(Stage::Edge));
        let only = Permissions::Only(Arc::from([permission.to_owned()]));
        let principal = Principal::new("bo", "bo", only, PrincipalKind::Person);
        DecisionsClient::new(tower::service_fn(move |mut request: http::Request<tonic::body::Body>| {
            request.extensions_mut().insert(principal.clone());
            if let Some(admission) = admission.clone() {
                request.extensions_mut().insert(admission);
            }
            service.clone().oneshot(request)
        }))
    }
}

fn asked(number: u64, url: &str) -> message::DecideStreamRequest {
    let question = message::Question { url: url.to_owned(), ..message::Question::default() };
    message::DecideStreamRequest { number, question: Some(question) }
}

#[tokio::test]
async fn a_stream_reads_no_further_than_its_window_and_keeps_the_order() {
    let stage = Scene::new(0).await;
    let many = 5 * AT_ONCE as u64;
    let questions = stream::iter((0..many).map(|number| asked(number, &format!("https://h{number}.example.com"))));
    let mut answers = stage.client("egress:decide").decide_stream(questions).await.unwrap().into_inner();
    {
        let mut next = std::pin::pin!(answers.message());
        std::future::poll_fn(|context| {
            for _ in 0..1_000 {
                assert!(next.as_mut().poll(context).is_pending(), "the first name is not looked up yet");
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(stage.resolver.asked.load(Ordering::Relaxed), AT_ONCE);
        stage.resolver.let_go.add_permits(usize::try_from(many).unwrap());
        assert_eq!(next.await.unwrap().unwrap().number, 0);
    }
    for number in 1..many {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.number, number);
        let Some(Answer::Verdict(verdict)) = answer.answer else { panic!("{answer:?}") };
        assert_eq!(
            (verdict.outcome(), verdict.connect_to),
            (message::Outcome::Allow, vec!["93.184.216.34:443".into()])
        );
    }
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn every_question_counts_and_is_held_until_it_may_pass() {
    let stage = Scene::new(100).await;
    let (tries, may_pass) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(2)));
    let (tried, left) = (Arc::clone(&tries), Arc::clone(&may_pass));
    let admission = Admission::new(move || {
        tried.fetch_add(1, Ordering::Relaxed);
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.map(drop).map_err(|_| Duration::from_millis(1))
    });
    let questions = stream::iter((0..5).map(|number| asked(number, "https://a.example.com")));
    let client = stage.counted("egress:decide", Some(admission));
    let mut answers = { client }.decide_stream(questions).await.unwrap().into_inner();
    for number in 0..2 {
        assert_eq!(answers.message().await.unwrap().unwrap().number, number);
    }
    // The third is asked for again and again, and nothing is decided before it may pass.
    let third = async {
        while tries.load(Ordering::Relaxed) < 10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(stage.resolver.asked.load(Ordering::Relaxed), 2);
        may_pass.store(3, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        answer = answers.message() => assert_eq!(answer.unwrap().unwrap().number, 2),
        () = third => {}
    }
    for number in 3..5 {
        assert_eq!(answers.message().await.unwrap().unwrap().number, number);
    }
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn one_bad_question_costs_its_own_answer_only() {
    let stage = Scene::new(100).await;
    let questions = [
        asked(3, "https://a.example.com"),
        asked(3, ""),
        message::DecideStreamRequest { number: 4, question: None },
        asked(5, "http://a b"),
        asked(6, "https://fault.example.com"),
        message::DecideStreamRequest {
            number: 7,
            question: Some(message::Question {
                url: "https://a.example.com".into(),
                method: Some("get".into()),
                role: None,
            }),
        },
        asked(0, "https://b.example.com"),
    ];
    let mut answers = stage.client("egress:decide").decide_stream(stream::iter(questions)).await.unwrap().into_inner();
    let mut got = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let text = match answer.answer.unwrap() {
            Answer::Verdict(verdict) => verdict.reason,
            Answer::Refusal(refusal) => {
                let pointers: Vec<_> = refusal.errors.iter().map(|error| error.pointer.as_str()).collect();
                format!("{} {}", refusal.code, pointers.join(" "))
            }
        };
        got.push((answer.number, text));
    }
    let want = [
        (3, "allowed"),
        (3, "invalid_fields /url"),
        (4, "invalid_fields /url"),
        (5, "white-space"),
        (6, "internal "),
        (7, "invalid_fields /method"),
        (0, "allowed"),
    ];
    assert_eq!(got, want.map(|(number, text)| (number, text.to_owned())));
}

#[tokio::test]
async fn a_stream_ends_with_the_server_after_what_was_asked() {
    let stage = Scene::new(1).await;
    let questions = stream::unfold(0_u64, |number| async move {
        if number > 0 {
            std::future::pending::<()>().await;
        }
        Some((asked(number, "https://a.example.com"), number + 1))
    });
    let mut answers = stage.client("egress:decide").decide_stream(questions).await.unwrap().into_inner();
    stage.shutdown.request();
    let (_, first) = tokio::join!(stage.shutdown.drain(std::time::Duration::from_secs(60)), answers.message());
    // Which of both was seen first is nobody's promise; that it ends is.
    let end: Status = match first {
        Ok(_) => answers.message().await.unwrap_err(),
        Err(end) => end,
    };
    assert_eq!(end.code(), Code::Unavailable);
}

#[tokio::test]
async fn nobody_asks_without_the_permission() {
    let stage = Scene::new(1).await;
    let mut client = stage.client("egress:read");
    let unary = client.decide(message::DecideRequest::default()).await.unwrap_err();
    let streamed = client.decide_stream(stream::empty()).await.unwrap_err();
    assert_eq!((unary.code(), streamed.code()), (Code::PermissionDenied, Code::PermissionDenied));
}
