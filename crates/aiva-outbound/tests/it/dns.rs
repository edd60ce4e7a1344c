//! The resolver against scripted name servers on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aiva_outbound::resolve::{Dns, ResolveError, Resolver as _};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// What a server makes of a question; `None` is silence.
type Script = fn(name: &str, kind: RecordType, tcp: bool, answer: &mut Message) -> Option<()>;

struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start(script: Script) -> Self {
        // One port for both: whoever has it for UDP mostly gets it for TCP.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let (address, asked) = (udp.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut packet).await {
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = reply(script, &packet[..length], false) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut question = vec![0; usize::from(length)];
                        stream.read_exact(&mut question).await.unwrap();
                        if let Some(answer) = reply(script, &question, true) {
                            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                            stream.write_all(&answer).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn reply(script: Script, question: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    let (name, kind) = (query.name().to_ascii(), query.query_type());
    answer.add_query(query);
    script(name.trim_end_matches('.'), kind, tcp, &mut answer)?;
    Some(answer.to_vec().unwrap())
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn address(owner: &str, ttl: u32, last: u32) -> Record {
    Record::from_rdata(name(owner), ttl, RData::A(A(Ipv4Addr::from(0x5db8_0000 + last))))
}

fn absent(answer: &mut Message) {
    let soa = SOA::new(name("ns.example"), name("admin.example"), 1, 1, 1, 1, 20);
    answer.add_authority(Record::from_rdata(name("example"), 20, RData::SOA(soa)));
}

/// One address for every name, of no great age.
fn good(asked: &str, kind: RecordType, _: bool, answer: &mut Message) -> Option<()> {
    match kind {
        RecordType::A => drop(answer.add_answer(address(asked, 30, 1))),
        _ => absent(answer),
    }
    Some(())
}

fn silent(_: &str, _: RecordType, _: bool, _: &mut Message) -> Option<()> {
    None
}

fn failing(_: &str, _: RecordType, _: bool, answer: &mut Message) -> Option<()> {
    answer.metadata.response_code = ResponseCode::ServFail;
    Some(())
}

#[tokio::test]
async fn many_askers_share_one_lookup_and_its_answer_is_kept() {
    let server = Server::start(good).await;
    let dns = Arc::new(Dns::with_servers([server.address]));
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let dns = Arc::clone(&dns);
            tokio::spawn(async move { dns.resolve("a.example").await.unwrap() })
        })
        .collect();
    for asker in askers {
        assert_eq!(asker.await.unwrap().answer.addresses, [IpAddr::from([93, 184, 0, 1])]);
    }
    assert_eq!(server.asked(), 2, "one question for each family");
    assert!(dns.resolve("a.example").await.unwrap().cached);
    dns.forget();
    assert!(!dns.resolve("a.example").await.unwrap().cached);
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_fails_or_is_silent() {
    let last = Server::start(good).await;
    for script in [failing as Script, silent] {
        let first = Server::start(script).await;
        let dns = Dns::with_servers([first.address, first.address, last.address]);
        let answer = dns.resolve("a.example").await.unwrap();
        assert_eq!(answer.answer.addresses.len(), 1);
        let asked = first.asked();
        dns.resolve("b.example").await.unwrap();
        assert_eq!(first.asked(), asked, "who answered is asked first");
    }
    let server = Server::start(failing).await;
    let error = Dns::with_servers([server.address]).resolve("a.example").await.unwrap_err();
    assert!(matches!(error, ResolveError::Failed { .. }), "{error}");
    let error = Dns::with_servers([]).resolve("a.example").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn silence_ends_in_time_and_is_not_remembered() {
    let server = Server::start(silent).await;
    let dns = Dns::with_servers([server.address]);
    assert!(matches!(dns.resolve("a.example").await.unwrap_err(), ResolveError::Timeout(_)));
    let asked = server.asked();
    assert!(matches!(dns.resolve("a.example").await.unwrap_err(), ResolveError::Timeout(_)));
    assert!(server.asked() > asked, "silence is no answer: the next one asks again");
}

#[tokio::test]
async fn what_does_not_exist_is_kept_and_what_must_not_be_is_not() {
    let server = Server::start(|asked, kind, _, answer| {
        match (asked, kind) {
            ("moves.example", RecordType::A) => drop(answer.add_answer(address(asked, 0, 1))),
            _ => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                absent(answer);
            }
        }
        Some(())
    })
    .await;
    let dns = Dns::with_servers([server.address]);
    for _ in 0..3 {
        assert!(matches!(dns.resolve("no.example").await.unwrap_err(), ResolveError::NotFound(_)));
    }
    assert_eq!(server.asked(), 2);
    for _ in 0..3 {
        assert!(!dns.resolve("moves.example").await.unwrap().cached);
    }
    assert_eq!(server.asked(), 8, "an age of nothing is asked each time");
}

#[tokio::test]
async fn a_long_answer_comes_over_tcp_and_whole_but_not_without_end() {
    let server = Server::start(|asked, kind, tcp, answer| {
        let many = if asked == "endless.example" { 1_100 } else { 500 };
        match kind {
            RecordType::A if tcp => drop(answer.add_answers((0..many).map(|last| address(asked, 30, last)))),
            RecordType::A => answer.metadata.truncation = true,
            _ => absent(answer),
        }
        Some(())
    })
    .await;
    let dns = Dns::with_servers([server.address]);
    assert_eq!(dns.resolve("many.example").await.unwrap().answer.addresses.len(), 500);
    assert!(!dns.resolve("many.example").await.unwrap().cached, "too large to keep");
    assert!(matches!(dns.resolve("endless.example").await.unwrap_err(), ResolveError::Failed { .. }));
}

#[tokio::test]
async fn only_what_lies_on_the_chain_counts() {
    let server = Server::start(|asked, kind, _, answer| {
        let alias = |from: &str, to: &str| Record::from_rdata(name(from), 30, RData::CNAME(CNAME(name(to))));
        match (asked, kind) {
            ("chain.example", RecordType::A) => {
                answer.add_answers([
                    alias("chain.example", "B.example"),
                    alias("b.example", "c.example"),
                    address("c.example", 30, 3),
                    address("evil.example", 30, 666),
                    address("chain.example", 30, 667),
                ]);
            }
            ("circle.example", RecordType::A) => {
                answer.add_answers([alias("circle.example", "d.example"), alias("d.example", "circle.example")]);
            }
            _ => absent(answer),
        }
        Some(())
    })
    .await;
    let dns = Dns::with_servers([server.address]);
    let answer = dns.resolve("chain.example").await.unwrap().answer;
    assert_eq!(answer.aliases, ["b.example", "c.example"]);
    assert_eq!(answer.addresses, [IpAddr::from([93, 184, 0, 3])]);
    assert!(dns.resolve("circle.example").await.is_err());
}
