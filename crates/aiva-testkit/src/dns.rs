//! A name server on loopback that answers as a test says: by turns, with hundreds of addresses, late, or never.
//!
//! Speaks DNS over UDP and TCP on one port (RFC 1035, RFC 7766). Knows the names that it was told and no others. Aliases are
//! answered with their chain, as a recursive server does.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest answer over UDP without EDNS (RFC 1035 section 4.2.1): a larger one is asked for again over TCP.
const MOST_UDP: usize = 512;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a name's answer is.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These addresses, each family to its own question, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// Another name with these addresses, for so many seconds.
    Alias(String, Vec<IpAddr>, u32),
    /// This response code: 2 the server failed, 3 there is no such name, 5 it does not want to.
    Code(u8),
    /// Nothing, ever.
    Silence,
    /// These addresses, but not before [`NameServer::release`].
    Held(Vec<IpAddr>),
}

impl Reply {
    /// One address, not to be kept.
    pub fn address(address: impl Into<IpAddr>) -> Self {
        Self::Addresses(vec![address.into()], 0)
    }
}

/// The server; it stops when it is dropped.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    names: Mutex<HashMap<String, Script>>,
    released: watch::Sender<bool>,
}

#[derive(Default)]
struct Script {
    replies: Vec<Reply>,
    asked: HashMap<u16, usize>,
}

impl NameServer {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// When there is none: a test cannot go on.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub async fn start() -> Self {
        let (tcp, udp) = Self::bind().await.expect("a port that is free over TCP and UDP");
        let address = tcp.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { names: Mutex::default(), released: watch::Sender::new(false) });
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams(Arc::new(udp), Arc::clone(&shared)));
        tasks.spawn(connections(tcp, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    async fn bind() -> Option<(TcpListener, UdpSocket)> {
        for _ in 0..64 {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().ok()?).await {
                return Some((tcp, udp));
            }
        }
        None
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a name's answer is from now on: one for each lookup in turn, and the last one stays.
    pub fn set(&self, name: &str, replies: impl IntoIterator<Item = Reply>) {
        let script = Script { replies: replies.into_iter().collect(), asked: HashMap::new() };
        self.shared.names().insert(name.to_ascii_lowercase(), script);
    }

    /// How often a name's IPv4 addresses were asked for.
    pub fn lookups(&self, name: &str) -> usize {
        self.shared.names().get(name).and_then(|script| script.asked.get(&A).copied()).unwrap_or_default()
    }

    /// Sends what was held back.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, HashMap<String, Script>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to a question now, and counts it.
    fn reply(&self, question: &Question) -> Reply {
        let mut names = self.names();
        let script = names.entry(question.name.clone()).or_default();
        let asked = script.asked.entry(question.kind).or_default();
        let index = (*asked).min(script.replies.len().saturating_sub(1));
        *asked += 1;
        script.replies.get(index).cloned().unwrap_or(Reply::Code(3))
    }

    /// The message that answers another; `None` for silence or what is no question.
    async fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let question = Question::read(message)?;
        match self.reply(&question) {
            Reply::Silence => None,
            Reply::Code(code) => Some(question.answer(code, None, &[], 0)),
            Reply::Addresses(addresses, ttl) => Some(question.answer(0, None, &addresses, ttl)),
            Reply::Alias(alias, addresses, ttl) => Some(question.answer(0, Some(&alias), &addresses, ttl)),
            Reply::Held(addresses) => {
                self.released.subscribe().wait_for(|released| *released).await.ok()?;
                Some(question.answer(0, None, &addresses, 0))
            }
        }
    }
}

/// The one question of a message.
struct Question {
    id: [u8; 2],
    name: String,
    kind: u16,
    /// As sent, to be repeated in the answer letter for letter.
    bytes: Vec<u8>,
}

impl Question {
    fn read(message: &[u8]) -> Option<Self> {
        let (header, rest) = message.split_at_checked(12)?;
        let mut labels = Vec::new();
        let mut at = 0;
        loop {
            let length = usize::from(*rest.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(rest.get(at..at + length)?).to_ascii_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]);
        let id = [*header.first()?, *header.get(1)?];
        Some(Self { id, name: labels.join("."), kind, bytes: rest.get(..at + 4)?.to_vec() })
    }

    fn answer(&self, code: u8, alias: Option<&str>, addresses: &[IpAddr], ttl: u32) -> Vec<u8> {
        let mut records = Vec::new();
        // The name of the question stands at offset 12 (RFC 1035 section 4.1.4).
        let owner = alias.map_or(vec![0xc0, 12], wire);
        if let Some(alias) = alias {
            records.push(record(&[0xc0, 12], CNAME, ttl, &wire(alias)));
        }
        for address in addresses {
            match address {
                IpAddr::V4(v4) if self.kind == A => records.push(record(&owner, A, ttl, &v4.octets())),
                IpAddr::V6(v6) if self.kind == AAAA => records.push(record(&owner, AAAA, ttl, &v6.octets())),
                _ => {}
            }
        }
        let mut message = self.head(code, false, records.len());
        message.extend(records.concat());
        message
    }

    fn head(&self, code: u8, cut: bool, records: usize) -> Vec<u8> {
        let mut message = self.id.to_vec();
        // A response, recursion wanted and available; TC where it is cut.
        message.extend([0x81 | u8::from(cut) << 1, 0x80 | code, 0, 1]);
        message.extend(u16::try_from(records).unwrap_or(u16::MAX).to_be_bytes());
        message.extend([0; 4]);
        message.extend(&self.bytes);
        message
    }
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(data);
    bytes
}

async fn datagrams(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut answers = JoinSet::new();
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let (message, socket, shared) = (buffer[..length].to_vec(), Arc::clone(&socket), Arc::clone(&shared));
        answers.spawn(async move {
            let Some(mut answer) = shared.answer(&message).await else { return };
            if answer.len() > MOST_UDP
                && let Some(question) = Question::read(&message)
            {
                answer = question.head(0, true, 0);
            }
            // Who has stopped waiting does not hear it.
            drop(socket.send_to(&answer, peer).await);
        });
    }
}

async fn connections(listener: TcpListener, shared: Arc<Shared>) {
    let mut served = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        served.spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Ok(length) = stream.read_u16().await {
        let mut message = vec![0; usize::from(length)];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let Some(answer) = shared.answer(&message).await else { continue };
        let Ok(length) = u16::try_from(answer.len()) else { return };
        if stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).await.is_err() {
            return;
        }
    }
}
