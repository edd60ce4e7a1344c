//! The other ways in: behind a balancer, by SOCKS, and over a local socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_egress::proxy::{Balancers, Proxy, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::scene::{GET, Judged, Rules, Scene, ToOrigin, within};

#[tokio::test]
async fn a_balancer_says_for_whom_it_calls_and_must_say_so() {
    let balancers = Balancers(vec!["127.0.0.0/8".parse().unwrap()]);
    let scene = Scene::with(Rules::default(), Settings { balancers, ..Settings::default() }).await;
    let mut client = scene.client().await;
    client
        .say("PROXY TCP4 198.51.100.7 127.0.0.1 5000 4750\r\nGET http://denied.example/ HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(client.refusal().await.0.contains("403"));
    assert_eq!(*scene.rules.sources.lock().unwrap(), [Some("198.51.100.7:5000".parse().unwrap())]);
    let mut bare = scene.client().await;
    bare.say(GET).await;
    assert_eq!(bare.rest().await, "");
    assert_eq!(scene.rules.sources.lock().unwrap().len(), 1);
    drop(client);
    scene.close().await;
}

#[tokio::test]
async fn socks_is_served_with_names_that_are_judged_here() {
    let scene = Scene::new().await;
    let ask = |name: &str| [&[5, 1, 0, 5, 1, 0, 3, name.len() as u8][..], name.as_bytes(), &[1, 187]].concat();
    let mut client = scene.client().await;
    client.0.write_all(&ask("a.example")).await.unwrap();
    client.0.write_all(b"early").await.unwrap();
    let mut origin = scene.accept().await;
    let mut heard = [0; 12];
    within(client.0.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    origin.hears("early").await;
    origin.say("hello").await;
    client.hears("hello").await;
    drop((client, origin));
    assert_eq!(scene.ends(1).await[0].sent, 5);
    for name in ["denied.example", "a.example\0.b.example", "127.1"] {
        let mut client = scene.client().await;
        client.0.write_all(&ask(name)).await.unwrap();
        client.0.shutdown().await.unwrap();
        let mut heard = Vec::new();
        within(client.0.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard, [5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], "{name}");
    }
    let mut client = scene.client().await;
    // A password is heard out, UDP is not served.
    client.0.write_all(&[5, 2, 0, 2, 1, 1, b'a', 1, b'b', 5, 3, 0, 1, 10, 0, 0, 1, 0, 53]).await.unwrap();
    client.0.shutdown().await.unwrap();
    let mut heard = Vec::new();
    within(client.0.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, [5, 2, 1, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0]);
    scene.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_local_socket_serves_and_replaces_only_a_socket() {
    use tokio::net::UnixStream;
    let folder = std::env::temp_dir().join(format!("aiva-egress-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("proxy.sock");
    let rules = Arc::new(Rules::default());
    let bind = || {
        let judge = Arc::new(Judged(Arc::clone(&rules)));
        let dial = Arc::new(ToOrigin("127.0.0.1:1".parse().unwrap()));
        Proxy::bind(Settings::default(), Vec::new(), judge, dial).unwrap().local(path.clone())
    };
    // One after the other: the second finds the first one's socket.
    for _ in 0..2 {
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(bind().serve(shutdown.stop(Stage::Edge)));
        let mut stream = within(async {
            loop {
                match UnixStream::connect(&path).await {
                    Ok(stream) => return stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        stream.write_all(b"GET http://denied.example/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
        shutdown.drain(Duration::from_secs(5)).await;
        serving.await.unwrap().unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(bind().serve(Shutdown::new().stop(Stage::Edge)).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    std::fs::remove_dir_all(&folder).unwrap();
}
