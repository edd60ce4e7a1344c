//! gRPC on the same port, inside the same middleware.

use std::time::Duration;

use aiva_chassis::{
    http::{Rate, Rates, Routes, on},
    telemetry::metrics::metrics,
};
use axum::body::Body;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Server, impatient, stack};

async fn routes() -> Routes {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let services = tonic::service::Routes::new(health);
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
        .body(Body::from(vec![0, 0, 0, 0, 0])) // one empty message, not compressed
        .unwrap()
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
    let server = Server::start(stack(), routes().await).await;
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
    let server = Server::start(stack(), routes().await).await;
    let (status, ..) = grpc_status(h2c(&server, call("/no.such.Service/Call")).await).await;
    assert_eq!(status, "12"); // UNIMPLEMENTED, as the protocol wants for an unknown service

    let none_left = Rates { client: Rate::new(1, 1), ..Rates::default() };
    let limited = Server::start(stack().rates(none_left), routes().await).await;
    limited.ask("GET /hello HTTP/1.1\r\n{close}\r\n").await;
    let (status, _, head) = grpc_status(h2c(&limited, call("/grpc.health.v1.Health/Check")).await).await;
    assert_eq!((status.as_str(), head["aiva-code"].to_str().unwrap()), ("8", "too_many_requests"));

    let hurried = stack().limits(impatient(Duration::ZERO));
    let stuck = Routes::new().route("POST", "/slow.Service/Call", on("POST", std::future::pending::<()>));
    let server = Server::start(hurried, stuck).await;
    let (status, _, head) = grpc_status(h2c(&server, call("/slow.Service/Call")).await).await;
    assert_eq!((status.as_str(), head["aiva-code"].to_str().unwrap()), ("4", "timed_out"));
}
