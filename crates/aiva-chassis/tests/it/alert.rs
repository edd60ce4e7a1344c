//! Alerts: joined, bounded, isolated, delivered at last.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aiva_chassis::alert::{Alert, AlertSink, Alerts, Cause, Level, Message, PANIC, SinkError, Slack, Webhook};
use aiva_chassis::clock;
use aiva_chassis::health::{Health, Status};
use aiva_chassis::panic::{Entry, PanicObserver, Report, provoke};
use aiva_chassis::resilience::Verdict;
use aiva_chassis::secret::Secret;
use aiva_chassis::shutdown::supervisor::{self, GAVE_UP};
use aiva_chassis::shutdown::{Drained, Shutdown, Stage, Supervisor};
use aiva_chassis::telemetry::metrics::metrics;
use aiva_outbound::policy::{Exception, Names, Policy, Ports};
use aiva_outbound::resolve::Fixed;
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const WINDOW: Duration = Duration::from_secs(600);

/// What a sink does with its n-th try.
type Answer = fn(u32) -> Result<(), SinkError>;

struct Probe {
    name: &'static str,
    tries: AtomicU32,
    answer: Answer,
    delivered: UnboundedSender<Message>,
}

#[async_trait]
impl AlertSink for Probe {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        (self.answer)(self.tries.fetch_add(1, Ordering::SeqCst))?;
        let _test_is_over = self.delivered.send(message.clone());
        Ok(())
    }
}

fn probe(name: &'static str, answer: Answer) -> (Probe, UnboundedReceiver<Message>) {
    let (delivered, heard) = unbounded_channel();
    (Probe { name, tries: AtomicU32::new(0), answer, delivered }, heard)
}

fn supervisor() -> Supervisor {
    Supervisor::new(Shutdown::new(), Health::new())
}

fn alerts(sinks: Vec<Probe>) -> (Alerts, Supervisor) {
    let supervisor = supervisor();
    let builder = Alerts::builder(clock::system()).window(WINDOW);
    let builder = sinks.into_iter().fold(builder, |builder, sink| builder.sink(sink, Level::Info));
    (builder.start(&supervisor), supervisor)
}

fn alert(level: Level, about: &str) -> Alert {
    Alert { about: about.to_owned(), ..Alert::new(level, Cause::new("test"), "Something is wrong") }
}

fn fault(verdict: Verdict) -> Result<(), SinkError> {
    Err(SinkError { reason: "refused".to_owned(), verdict })
}

fn counted(sink: &str, outcome: &str) -> u64 {
    let text = metrics().encode().unwrap();
    let start = format!("aiva_alerts_total{{sink=\"{sink}\",outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn one_cause_is_one_message_and_one_summary_a_window() {
    let (sink, mut heard) = probe("t-window", |_| Ok(()));
    let (alerts, _supervisor) = alerts(vec![sink]);
    for _ in 0..5 {
        alerts.raise(alert(Level::Warning, "disk"));
    }
    alerts.raise(alert(Level::Warning, "network")); // another trouble of this cause
    alerts.raise(alert(Level::Critical, "disk")); // it has become graver
    let mut got = Vec::new();
    for _ in 0..4 {
        let message = heard.recv().await.unwrap();
        got.push((message.alert.about, message.alert.level, message.suppressed));
    }
    let row = |about: &str, level, suppressed| (about.to_owned(), level, suppressed);
    let first = [row("disk", Level::Warning, 0), row("network", Level::Warning, 0), row("disk", Level::Critical, 0)];
    assert_eq!(got[..3], first);
    assert_eq!(got[3], row("disk", Level::Warning, 4));
    // Quiet for a whole window: the next one is a first one again.
    tokio::time::sleep(WINDOW * 2).await;
    alerts.raise(alert(Level::Warning, "disk"));
    assert_eq!(heard.recv().await.unwrap().suppressed, 0);
    assert!(heard.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_given_up_is_told_and_the_process_is_not_ready() {
    let (sink, mut heard) = probe("t-given-up", |_| Ok(()));
    let (_alerts, supervisor) = alerts(vec![sink]);
    let twice = supervisor::Policy { failures: 2, ..supervisor::Policy::service(Stage::Work) };
    supervisor.spawn("test-needed", twice, |_| async { Err::<(), _>("the disk is full") });
    let message = heard.recv().await.unwrap();
    let alert = message.alert;
    assert_eq!((alert.level, alert.cause, alert.about.as_str()), (Level::Critical, GAVE_UP, "test-needed"));
    assert!(alert.text.contains("given up after 2 failures: the disk is full"), "{}", alert.text);
    let report = supervisor.health().readiness();
    assert_eq!(report.status, Status::Unavailable, "{:?}", report.reasons);

    let optional = supervisor::Policy { failures: 1, ..supervisor::Policy::job(Stage::Work) };
    supervisor.spawn("test-optional", optional, |_| async { provoke("job") as Result<(), String> });
    let alert = heard.recv().await.unwrap().alert;
    assert_eq!((alert.level, alert.about.as_str()), (Level::Error, "test-optional"));
    assert!(heard.try_recv().is_err(), "told once");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_is_tried_again_and_costs_the_others_nothing() {
    let (broken, mut never) = probe("t-broken", |_| fault(Verdict::Permanent));
    let (flaky, mut late) = probe("t-flaky", |tried| if tried < 3 { fault(Verdict::Transient) } else { Ok(()) });
    let (panicky, mut second) = probe("t-panicky", |tried| if tried == 0 { provoke("sink") } else { Ok(()) });
    let (well, mut heard) = probe("t-well", |_| Ok(()));
    let (alerts, supervisor) = alerts(vec![broken, flaky, panicky, well]);
    alerts.raise(alert(Level::Error, "a"));
    alerts.raise(alert(Level::Error, "b"));
    for about in ["a", "b"] {
        assert_eq!(heard.recv().await.unwrap().alert.about, about);
        assert_eq!(late.recv().await.unwrap().alert.about, about);
    }
    assert_eq!(second.recv().await.unwrap().alert.about, "b");
    assert_eq!(supervisor.shutdown().drain(Duration::from_secs(30)).await, Drained::Clean);
    assert!(never.try_recv().is_err());
    let rows =
        [("t-broken", "failed", 2), ("t-flaky", "delivered", 2), ("t-panicky", "failed", 1), ("t-well", "failed", 0)];
    for (sink, outcome, want) in rows {
        assert_eq!(counted(sink, outcome), want, "{sink} {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn raising_never_blocks_and_what_is_lost_is_counted() {
    let (sink, mut heard) = probe("t-full", |_| Ok(()));
    let (alerts, _supervisor) = alerts(vec![sink]);
    // Nothing runs beside this loop: the queue fills up.
    for number in 0..300 {
        alerts.raise(alert(Level::Info, &number.to_string()));
    }
    assert_eq!(counted("t-full", "dropped"), 300 - 256);
    for number in 0..256 {
        assert_eq!(heard.recv().await.unwrap().alert.about, number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_delivered_on_the_way_down() {
    let (sink, mut heard) = probe("t-down", |tried| if tried == 0 { fault(Verdict::Transient) } else { Ok(()) });
    let (alerts, supervisor) = alerts(vec![sink]);
    for about in ["a", "a", "b"] {
        alerts.raise(alert(Level::Info, about));
    }
    assert_eq!(supervisor.shutdown().drain(Duration::from_secs(30)).await, Drained::Clean);
    let mut got = Vec::new();
    while let Ok(message) = heard.try_recv() {
        got.push((message.alert.about, message.suppressed));
    }
    assert_eq!(got, [("a".to_owned(), 0), ("b".to_owned(), 0), ("a".to_owned(), 1)]);
    alerts.raise(alert(Level::Info, "too late"));
    assert_eq!(counted("t-down", "dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_alert_a_place_and_tells_no_secret() {
    let (sink, mut heard) = probe("t-panic", |_| Ok(()));
    let (alerts, _supervisor) = alerts(vec![sink]);
    let report = |location: &str| Report {
        entry: Entry::Request,
        route: "GET /v1/findings".into(),
        message: "cannot use password=hunter2".to_owned(),
        location: location.to_owned(),
        backtrace: "0: main token=hunter2".to_owned(),
        facts: vec![("request_id", "r1".to_owned()), ("api_key", "hunter2".to_owned())],
    };
    for location in ["a.rs:1:1", "a.rs:1:1", "b.rs:2:2"] {
        alerts.panicked(&report(location));
    }
    for location in ["a.rs:1:1", "b.rs:2:2"] {
        let message = heard.recv().await.unwrap();
        assert_eq!((message.alert.cause, message.alert.level), (PANIC, Level::Error));
        assert!(message.alert.fields.contains(&("location".to_owned(), location.to_owned())), "{message:?}");
        assert!(!format!("{message:?}").contains("hunter2"), "{message:?}");
    }
    assert!(heard.try_recv().is_err());
}

/// Answers each request with the next status; hands head and body on.
async fn receiver(statuses: &'static [u16]) -> (u16, UnboundedReceiver<(String, serde_json::Value)>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (got, heard) = unbounded_channel();
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let (head, body) = loop {
                bytes.push(stream.read_u8().await.unwrap());
                let text = String::from_utf8_lossy(&bytes);
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break (head.to_lowercase(), body);
                }
            };
            got.send((head, body)).unwrap();
            let answer =
                format!("HTTP/1.1 {status} X\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, heard)
}

fn client() -> aiva_outbound::Client {
    let mut policy = Policy::public();
    policy.ports = Ports::Any;
    policy.exceptions.push(Exception::host("hooks", Names::new("hooks.example").unwrap()));
    let names = Fixed::new([("hooks.example", IpAddr::V4(Ipv4Addr::LOCALHOST))]);
    aiva_outbound::Client::builder(policy).resolver(Arc::new(names)).build()
}

#[tokio::test]
async fn a_webhook_gets_the_same_signed_message_until_it_takes_it() {
    let (port, mut heard) = receiver(&[503, 200]).await;
    let url = format!("http://hooks.example:{port}/in");
    let supervisor = supervisor();
    let sink = Webhook::new(client(), url, Some(Secret::new("key")), clock::system());
    let alerts = Alerts::builder(clock::system()).sink(sink, Level::Warning).start(&supervisor);
    alerts.raise(alert(Level::Info, "not grave enough"));
    alerts.raise(alert(Level::Critical, "grave"));
    let (first, _) = heard.recv().await.unwrap();
    let (second, body) = heard.recv().await.unwrap();
    let header = |head: &str, name: &str| {
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned())).unwrap()
    };
    assert!(second.starts_with("post /in http/1.1"), "{second}");
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"));
    assert_eq!(body["id"], header(&second, "webhook-id"));
    assert!(header(&second, "webhook-signature").starts_with("v1,"));
    assert!(header(&second, "webhook-timestamp").parse::<u64>().is_ok());
    assert_eq!((&body["level"], &body["cause"]), (&"critical".into(), &"test".into()));
    assert_eq!(supervisor.shutdown().drain(Duration::from_secs(10)).await, Drained::Clean);
}

#[tokio::test]
async fn slack_gets_blocks_and_its_address_stays_secret() {
    let (port, mut heard) = receiver(&[200, 403]).await;
    let sink =
        |secret: &str| Slack::new(client(), Secret::new(format!("http://hooks.example:{port}/services/{secret}")));
    let message = Message {
        id: uuid::Uuid::nil(),
        at: jiff::Timestamp::UNIX_EPOCH,
        alert: alert(Level::Error, "x"),
        suppressed: 7,
    };
    sink("hidden").deliver(&message).await.unwrap();
    let (_, body) = heard.recv().await.unwrap();
    assert_eq!(body["blocks"][0]["text"]["text"], ":red_circle: Something is wrong");
    assert!(body.to_string().contains("*7* more times"), "{body}");
    let refused = sink("hidden").deliver(&message).await.unwrap_err();
    assert_eq!(refused.verdict, Verdict::Permanent);
    let denied = Slack::new(client(), Secret::new("http://127.0.0.1/services/hidden")).deliver(&message).await;
    let denied = denied.unwrap_err();
    assert_eq!(denied.verdict, Verdict::Permanent);
    assert!(!format!("{refused:?} {denied:?}").contains("hidden"));
}
