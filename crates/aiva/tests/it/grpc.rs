//! The decision API over gRPC, asked of the real binary by a tonic client.

use aiva_contracts::message::egress::v1 as message;
use aiva_contracts::message::egress::v1::decide_stream_response::Answer;
use aiva_egress::grpc::client::DecisionsClient;
use futures_util::stream;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::program::World;
use crate::server::Server;

type Channel = Client<HttpConnector, tonic::body::Body>;

fn channel() -> Channel {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn question(url: &str, role: Option<&str>) -> Option<message::Question> {
    Some(message::Question { url: url.to_owned(), role: role.map(str::to_owned), method: None })
}

fn signed<T>(server: &Server, body: T) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {}", server.token).parse().unwrap());
    request
}

#[tokio::test]
async fn decisions_are_answered_over_grpc_beside_rest() {
    let world = World::new();
    let server = Server::start_with(&world, None, &[("AIVA__SERVER__RATE_LIMIT__PER_CLIENT", "0")]);
    let origin: http::Uri = server.url.parse().unwrap();
    let mut client = DecisionsClient::with_origin(channel(), origin.clone());

    let bare = message::DecideRequest { question: question("http://93.184.216.34", None) };
    assert_eq!(client.decide(bare.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(client.decide_stream(stream::empty()).await.unwrap_err().code(), Code::Unauthenticated);
    for (url, role, want) in [
        ("http://93.184.216.34/x", None, "Allow allowed 93.184.216.34:80"),
        ("https://93.184.216.34:8443", None, "Deny port-not-allowed "),
        ("http://169.254.169.254/latest", None, "Deny address-metadata "),
        ("http://a\\b.example", Some("default"), "Deny backslash "),
    ] {
        let asked = message::DecideRequest { question: question(url, role) };
        let verdict = client.decide(signed(&server, asked)).await.unwrap().into_inner().verdict.unwrap();
        let got = format!("{:?} {} {}", verdict.outcome(), verdict.reason, verdict.connect_to.join(" "));
        assert_eq!(got, want, "{url}");
        assert_eq!(verdict.token.is_empty(), verdict.outcome() != message::Outcome::Allow, "{url}");
        let path = format!("/v1/egress/decisions/{}", verdict.id);
        server.until("/v1/egress/decisions?limit=10", |page| page.to_string().contains(&verdict.id)).await;
        assert_eq!(server.get(&path).await["reason"], verdict.reason.as_str());
    }
    for (asked, code, ours) in [
        (question("http://a.example", Some("nobody")), Code::NotFound, "role_unknown"),
        (question("", None), Code::InvalidArgument, "invalid_fields"),
        (None, Code::InvalidArgument, "invalid_fields"),
    ] {
        let asked = message::DecideRequest { question: asked };
        let status = client.decide(signed(&server, asked.clone())).await.unwrap_err();
        let told = status.metadata().get("aiva-code").map(|code| code.to_str().unwrap());
        assert_eq!((status.code(), told), (code, Some(ours)), "{asked:?}");
    }

    // The bodies of a stream are not held to the limit of one request's.
    let rows = |number: u64| match number % 4 {
        0 => (question("http://93.184.216.34", None), "allow"),
        1 => (question("http://169.254.169.254", None), "deny"),
        2 => (question("http://a.example", Some("nobody")), "role_unknown"),
        _ => (question(&"a".repeat(9_000), None), "invalid_fields"),
    };
    let asked =
        stream::iter((0..1_000).map(move |number| message::DecideStreamRequest { number, question: rows(number).0 }));
    let mut answers = client.decide_stream(signed(&server, asked)).await.unwrap().into_inner();
    for number in 0..1_000 {
        let answer = answers.message().await.unwrap().unwrap();
        let got = match answer.answer.unwrap() {
            Answer::Verdict(verdict) if verdict.outcome() == message::Outcome::Allow => "allow".to_owned(),
            Answer::Verdict(verdict) => {
                assert_eq!(verdict.reason, "address-metadata");
                "deny".to_owned()
            }
            Answer::Refusal(refusal) => refusal.code,
        };
        assert_eq!((answer.number, got.as_str()), (number, rows(number).1));
    }
    assert_eq!(answers.message().await.unwrap(), None);

    let health = HealthCheckRequest { service: aiva_egress::grpc::NAME.to_owned() };
    HealthClient::with_origin(channel(), origin.clone()).check(health).await.unwrap();
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::with_origin(channel(), origin);
    let mut told = reflection.server_reflection_info(stream::iter([list])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = told.message().await.unwrap().unwrap().message_response
    else {
        panic!("reflection lists nothing")
    };
    assert!(list.service.iter().any(|service| service.name == aiva_egress::grpc::NAME), "{list:?}");
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn a_stream_that_is_open_does_not_hold_the_stop() {
    let world = World::new();
    let server = Server::start(&world);
    let mut client = DecisionsClient::with_origin(channel(), server.url.parse().unwrap());
    let first = message::DecideStreamRequest { number: 7, question: question("http://93.184.216.34", None) };
    let asked = stream::unfold(Some(first), |first| async move {
        match first {
            Some(first) => Some((first, None)),
            None => std::future::pending().await,
        }
    });
    let mut answers = client.decide_stream(signed(&server, asked)).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().number, 7);
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable);
    drop(answers);
    assert_eq!(stopped.await.unwrap(), 0);
}
