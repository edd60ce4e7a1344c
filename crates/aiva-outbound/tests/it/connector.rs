//! The connector for hyper's own clients, in memory.

use std::net::IpAddr;
use std::sync::Arc;

use aiva_outbound::client::{Client, HyperConnector, Tls};
use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::Fixed;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;

use crate::origin::{Authority, Origin};

#[tokio::test]
async fn hypers_client_reaches_checked_addresses_only() {
    let (authority, trusted) = Authority::new();
    let script = vec!["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()];
    let origin = Arc::new(Origin::new(authority, script, false));
    let public = IpAddr::from([93, 184, 215, 14]);
    let names = Fixed::new([("good.example", public), ("inside.example", IpAddr::from([10, 0, 0, 1]))]);
    let connector: HyperConnector = Client::builder(Policy::public())
        .resolver(Arc::new(names))
        .dial(origin.clone())
        .tls(Tls::none().with_pem(trusted.as_bytes()).unwrap())
        .build_connector();
    let client: legacy::Client<_, Empty<Bytes>> = legacy::Client::builder(TokioExecutor::new()).build(connector);
    for url in ["http://good.example/", "https://good.example/"] {
        let answer = client.get(url.parse().unwrap()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok", "{url}");
    }
    assert_eq!(origin.dialled(), [public, public]);
    for url in ["http://inside.example/", "http://127.0.0.1/", "http://good.example:25/", "http://nowhere.example/"] {
        assert!(client.get(url.parse().unwrap()).await.unwrap_err().is_connect(), "{url}");
    }
    assert_eq!(origin.dialled().len(), 2);
}
