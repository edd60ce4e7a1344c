//! Kills the product itself, round after round, while clients and scans write.
//!
//! A kill comes at a seeded moment of three kinds: any moment, one right after the database's log was written to (inside a
//! commit: nothing of it was acknowledged yet), or one while the server starts and takes up what the last kill left.
//!
//! Start reading at [`Trial::round`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Dice;
use super::audit::{self, Promised, Shown, Told, Untouched};
use super::clients::{Counts, Ledger};
use super::decisions::{self, Read};
use crate::product::{self, Client, Server};

/// How many clients write at once.
const CLIENTS: usize = 6;

/// How long a restarted server may take until all that it owes is done.
const SETTLE: Duration = Duration::from_secs(30);

/// One database and everything that was promised of it.
pub(super) struct Trial {
    binary: PathBuf,
    folder: tempfile::TempDir,
    ledgers: Vec<Ledger>,
    told: Told,
    untouched: Option<Untouched>,
    /// The end of the tunnels.
    origin: SocketAddr,
    /// Decisions that were read over the API.
    pub(super) read: Read,
    pub(super) kills: Kills,
}

/// How often it was killed, by kind of moment.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Kills {
    pub(super) anytime: u32,
    pub(super) in_commit: u32,
    pub(super) at_start: u32,
}

/// What a round found wrong; empty when all is well.
pub(super) type Faults = Vec<String>;

impl Trial {
    pub(super) fn new(binary: &Path, dice: &mut Dice) -> Result<Self> {
        let ledgers = (0..CLIENTS).map(|number| Ledger::new(number, dice.next())).collect();
        let (told, untouched, read, kills) = Default::default();
        let (folder, origin) = (tempfile::tempdir()?, decisions::origin()?);
        decisions::configure(folder.path())?;
        Ok(Self { binary: binary.to_owned(), folder, ledgers, told, untouched, origin, read, kills })
    }

    /// Starts the server, checks what the last round left, lets the clients work and kills it.
    pub(super) fn round(&mut self, number: u32, dice: &mut Dice) -> Result<Faults> {
        if number % 4 == 3 {
            self.kill_at_start(dice)?;
        }
        let server = self.start()?;
        let token = product::token(&self.binary, self.folder.path())?;
        let faults = self.check(&server, &token)?;
        if !faults.is_empty() {
            return Ok(faults);
        }
        self.work_until_killed(server, &token, number.is_multiple_of(2), dice)
    }

    /// Checks what the last kill left, and that a clean stop and start change nothing more.
    pub(super) fn close(&mut self) -> Result<Faults> {
        for _ in 0..2 {
            let server = self.start()?;
            let token = product::token(&self.binary, self.folder.path())?;
            let faults = self.check(&server, &token)?;
            if !faults.is_empty() {
                return Ok(faults);
            }
            server.stop()?;
        }
        Ok(Faults::new())
    }

    /// What was acknowledged so far.
    pub(super) fn counts(&self) -> Counts {
        self.ledgers.iter().map(|ledger| ledger.counts).fold(Counts::default(), |a, b| Counts {
            services: a.services + b.services,
            edits: a.edits + b.edits,
            uploads: a.uploads + b.uploads,
            findings: a.findings + b.findings,
            exceptions: a.exceptions + b.exceptions,
            scans: a.scans + b.scans,
            lost: a.lost + b.lost,
        })
    }

    fn start(&self) -> Result<Server> {
        Server::start(&self.binary, self.folder.path(), &["--demo"])
    }

    fn kill_at_start(&mut self, dice: &mut Dice) -> Result<()> {
        let mut child = product::spawn(&self.binary, self.folder.path(), &["--demo"])?;
        std::thread::sleep(Duration::from_micros(dice.below(400_000)));
        child.kill()?;
        child.wait()?;
        self.kills.at_start += 1;
        Ok(())
    }

    /// Repeats what was lost, waits until nothing is owed any more, and names what is still wrong then.
    fn check(&mut self, server: &Server, token: &str) -> Result<Faults> {
        let mut client = Client::new(&server.url, token);
        let repeated = self.ledgers.iter_mut().filter_map(|ledger| ledger.repeat(&mut client).err());
        let refused: Faults = repeated.collect();
        if !refused.is_empty() {
            return Ok(refused);
        }
        let missing = decisions::faults(&mut client, &self.read)?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let promised = self.promised();
        let until = Instant::now() + SETTLE;
        loop {
            let shown = Shown::read(&mut client)?;
            self.told.read_on(&mut client)?;
            let faults = audit::faults(&promised, self.untouched.as_ref(), &shown, &self.told);
            if faults.is_empty() && shown.is_at_rest() {
                self.untouched.get_or_insert_with(|| shown.untouched(&promised));
                return Ok(faults);
            }
            if Instant::now() > until {
                return Ok(faults);
            }
            std::thread::sleep(Duration::from_millis(100)); // what is owed is still being done
        }
    }

    fn promised(&self) -> Promised {
        let mut all = Promised::default();
        for Promised { services, scans } in self.ledgers.iter().map(|ledger| ledger.promised.clone()) {
            all.services.extend(services);
            all.scans.extend(scans);
        }
        all
    }

    fn work_until_killed(&mut self, server: Server, token: &str, in_commit: bool, dice: &mut Dice) -> Result<Faults> {
        let log = self.folder.path().join("aiva.db-wal");
        let wait = Duration::from_micros(dice.below(500_000));
        let url = server.url.clone();
        let (proxy, origin, mut reader) = (server.proxy.clone(), self.origin, Client::new(&url, token));
        let (mut moments, read) = (Dice::new(dice.next()), &mut self.read);
        let (killed, refused) = std::thread::scope(|scope| {
            let caller = scope.spawn(move || decisions::call(&proxy, origin, &mut moments));
            let reader = scope.spawn(move || decisions::read(&mut reader, read));
            let clients: Vec<_> =
                self.ledgers.iter_mut().map(|ledger| scope.spawn(|| ledger.work(Client::new(&url, token)))).collect();
            std::thread::sleep(wait); // the random moment
            if in_commit {
                await_write(&log);
            }
            let killed = server.kill();
            let ended =
                clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())));
            let mut refused: Faults = ended.filter_map(Result::err).collect();
            refused.extend(caller.join().unwrap_or_else(|_| Err("the caller panicked".into())).err());
            refused.extend(reader.join().err().map(|_| "the reader panicked".into()));
            (killed, refused)
        });
        killed?;
        *(if in_commit { &mut self.kills.in_commit } else { &mut self.kills.anytime }) += 1;
        ensure!(self.counts().services > 0, "the clients had nothing acknowledged");
        Ok(refused)
    }
}

/// Returns as soon as the log is written to. Looks without a pause: the window is a fraction of a millisecond.
fn await_write(log: &Path) {
    let look = || std::fs::metadata(log).ok().and_then(|found| Some((found.len(), found.modified().ok()?)));
    let (before, until) = (look(), Instant::now() + Duration::from_secs(2));
    while look() == before && Instant::now() < until {
        std::hint::spin_loop();
    }
}
