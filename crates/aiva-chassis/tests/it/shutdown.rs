//! Signals, as the operating system sends them, to a process of our own.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use aiva_chassis::health::Health;
use aiva_chassis::shutdown::{Drained, Policy, Shutdown, Stage, Supervisor};

/// Not a test by itself: what the child of the tests below runs. `AIVA_TEST_CHILD` says whether its work obeys the stop.
#[tokio::test]
async fn child() {
    let Some(mode) = std::env::var_os("AIVA_TEST_CHILD") else { return };
    let obeys = mode == "obeys";
    let supervisor = Supervisor::new(Shutdown::new(), Health::new());
    supervisor.shutdown().on_signals().unwrap();
    supervisor.spawn("work", Policy::service(Stage::Work), move |stop| async move {
        stop.begun().await;
        if !obeys {
            std::future::pending::<()>().await;
        }
        Ok::<(), String>(())
    });
    println!("\nready");
    supervisor.shutdown().requested().await;
    println!("\nstopping");
    let drained = supervisor.shutdown().drain(Duration::from_secs(600)).await;
    std::process::exit(if drained == Drained::Clean { 0 } else { 9 });
}

/// A process that dies with its test.
struct Running(Child, BufReader<ChildStdout>);

impl Running {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a test has a binary"))
            .args(["--exact", "shutdown::child", "--nocapture"])
            .env("AIVA_TEST_CHILD", mode)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the test binary runs");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self(child, lines)
    }

    fn says(&mut self, want: &str) {
        let mut line = String::new();
        while line.trim_end() != want {
            line.clear();
            assert_ne!(self.1.read_line(&mut line).expect("its output is text"), 0, "it ended without saying {want}");
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.0.id())])
            .status()
            .expect("there is a shell");
        assert!(kill.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.0.wait().expect("it is our child").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

#[test]
fn the_first_signal_finishes_the_work_and_exits_well() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start("obeys");
        running.says("ready");
        running.signal(signal);
        running.says("stopping");
        assert_eq!(running.exit_code(), Some(0), "{signal}");
    }
}

#[test]
fn the_second_signal_exits_at_once() {
    let mut running = Running::start("does not obey");
    running.says("ready");
    running.signal("TERM");
    running.says("stopping");
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(128 + 15));
}
