//! gRPC on the same port, inside the same middleware.

use std::time::Duration;

use aiva_chassis::{
    health::{Health, Impact},
    http::{Rate, Rates, Routes, grpc, on},
    shutdown::{Shutdown, Stage},
    telemetry::metrics::metrics,
};
use axum::body::Body;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Server, impatient, stack};

fn routes() -> Routes {
    routes_of(Health::new())
}

fn routes_of(health: Health) -> Routes {
    let stop = Shutdown::new().stop(Stage::Edge);
    let services = grpc::services(health, stop, &["aiva.v1.Findings"], &[]).unwrap();
    Routes::new().route("GET", "/hello", on("GET", || async { "hello" })).grpc(services)
}

/// Sends one request over HTTP/2 without TLS (prior knowledge).
async fn h2c(server: &Server, request: Request<Body>) -> Response<hyper::body::Incoming> {
    let stream = TokioIo::new(server.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

fn call(method: &str) -> Request<Body> {
    Request::post(format!("http://t{method}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(message(&[])))
        .unwrap()
}

/// One message in its frame, not compressed.
fn message(bytes: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// The status of a call: in the trailers, or in the head where there is no message.
async fn grpc_status(response: Response<hyper::body::Incoming>) -> (String, Vec<u8>, HeaderMap) {
    let head = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = head.get("grpc-status").or(trailers.get("grpc-status")).unwrap().to_str().unwrap().to_owned();
    (status, body.to_bytes().to_vec(), head)
}

#[tokio::test]
async fn health_answers_beside_rest_on_one_port() {
    let server = Server::start(stack(), routes()).await;
    let (status, body, head) = grpc_status(h2c(&server, call("/grpc.health.v1.Health/Check")).await).await;
    assert_eq!((status.as_str(), body), ("0", vec![0, 0, 0, 0, 2, 8, 1])); // SERVING
    assert!(head.contains_key("x-request-id"), "{head:?}");
    let rest = h2c(&server, Request::get("http://t/hello").body(Body::empty()).unwrap()).await;
    assert_eq!(rest.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(server.ask("GET /hello HTTP/1.1\r\n{close}\r\n").await.body, "hello");
    let text = metrics().encode().unwrap();
    assert!(text.contains("route=\"/grpc.health.v1.Health/{*rest}\""), "{text}");
}

#[tokio::test]
async fn refusals_of_the_middleware_are_grpc_statuses() {
    let server = Server::start(stack(), routes()).await;
    let (status, ..) = grpc_status(h2c(&server, call("/no.such.Service/Call")).await).await;
    assert_eq!(status, "12"); // UNIMPLEMENTED, as the protocol wants for an unknown service

    let none_left = Rates { client: Rate::new(1, 1), ..Rates::default() };
    let limited = Server::start(stack().rates(none_left), routes()).await;
    limited.ask("GET /hello HTTP/1.1\r\n{close}\r\n").await;
    let (status, _, head) = grpc_status(h2c(&limited, call("/grpc.health.v1.Health/Check")).await).await;
    assert_eq!((status.as_str(), head["aiva-code"].to_str().unwrap()), ("8", "too_many_requests"));

    let hurried = stack().limits(impatient(Duration::ZERO));
    let stuck = Routes::new().route("POST", "/slow.Service/Call", on("POST", std::future::pending::<()>));
    let server = Server::start(hurried, stuck).await;
    let (status, _, head) = grpc_status(h2c(&server, call("/slow.Service/Call")).await).await;
    assert_eq!((status.as_str(), head["aiva-code"].to_str().unwrap()), ("4", "timed_out"));
}

#[tokio::test]
async fn health_is_what_readiness_says() {
    let health = Health::new();
    let store = health.check("store", Impact::Blocks);
    let server = Server::start(stack(), routes_of(health)).await;
    let ask = async |service: &str| {
        let name = [&[10, u8::try_from(service.len()).unwrap()], service.as_bytes()].concat(); // field 1, a string
        let request = call("/grpc.health.v1.Health/Check").map(|_| Body::from(message(&name)));
        let (status, body, _) = grpc_status(h2c(&server, request).await).await;
        (status, body.last().copied())
    };
    assert_eq!(ask("").await, ("0".into(), Some(1))); // SERVING
    assert_eq!(ask("aiva.v1.Findings").await, ("0".into(), Some(1)));
    assert_eq!(ask("aiva.v1.Nonsense").await, ("5".into(), None)); // NOT_FOUND
    store.down("disk full");
    assert_eq!(ask("").await, ("0".into(), Some(2))); // NOT_SERVING
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let server = Server::start(stack(), routes()).await;
    let list = [58, 1, b'*']; // list_services = 7: "*"
    let request = call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo").map(|_| Body::from(message(&list)));
    let (status, body, _) = grpc_status(h2c(&server, request).await).await;
    assert_eq!(status, "0");
    assert!(String::from_utf8_lossy(&body).contains("grpc.health.v1.Health"));
}
