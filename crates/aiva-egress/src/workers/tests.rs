//! A changed file, a broken one, and a right one again.

use std::sync::Mutex;

use aiva_chassis::clock;
use aiva_chassis::health::{Health, Impact};
use aiva_chassis::shutdown::{Shutdown, Supervisor};
use aiva_outbound::policy::Mode;

use super::*;
use crate::service::tests::egress;

struct World {
    reload: Reload,
    says: Arc<Mutex<Result<Egress, String>>>,
    health: Health,
    folder: tempfile::TempDir,
}

fn world() -> World {
    let started = egress(&[("default", "")], &[]);
    let (guard, _) = Guard::new(started.clone(), clock::system()).unwrap();
    let says = Arc::new(Mutex::new(Ok(started.clone())));
    let shared = Arc::clone(&says);
    let health = Health::new();
    let supervisor = Supervisor::new(Shutdown::new(), health.clone());
    let folder = tempfile::tempdir().unwrap();
    let reload = Reload {
        guard,
        tls: None,
        started,
        own: Vec::new(),
        again: Arc::new(move || shared.lock().unwrap().clone()),
        files: vec![folder.path().join("aiva.toml")],
        alerts: Alerts::builder(clock::system()).start(&supervisor),
        check: health.check("egress policy", Impact::Degrades),
        upstreams: health.check("egress upstreams", Impact::Degrades),
        clock: clock::system(),
    };
    World { reload, says, health, folder }
}

#[tokio::test]
async fn a_file_that_is_not_right_leaves_the_old_policy_and_says_so() {
    let world = world();
    let mode = || world.reload.guard.role(None).unwrap().policy.mode;
    for (says, want, degraded) in [
        (Ok(egress(&[("default", "mode = \"report\"")], &[])), Mode::Report, false),
        (Err("aiva.toml:3: unknown key".to_owned()), Mode::Report, true),
        (Ok(egress(&[("default", "mode = \"open\"")], &[])), Mode::Open, false),
    ] {
        *world.says.lock().unwrap() = says;
        world.reload.reload().await;
        assert_eq!(mode(), want);
        let report = format!("{:?}", world.health.readiness());
        assert_eq!(report.contains("is not right"), degraded, "{report}");
        assert_eq!(Counters::get().stale.get(), i64::from(degraded));
    }
}

#[tokio::test]
async fn a_file_is_read_when_it_has_changed_and_settled() {
    let world = world();
    let marks = world.reload.marks().await;
    assert_eq!(marks, [None]);
    let mut seen = Seen { in_force: marks.clone(), last: marks };
    let write = |text: &str| std::fs::write(world.folder.path().join("aiva.toml"), text).unwrap();
    assert!(!world.reload.is_due(&mut seen, false).await, "nothing has changed");
    write("a");
    assert!(!world.reload.is_due(&mut seen, false).await, "somebody may still be writing");
    write("ab");
    assert!(!world.reload.is_due(&mut seen, false).await, "somebody was");
    assert!(world.reload.is_due(&mut seen, false).await);
    assert!(!world.reload.is_due(&mut seen, false).await, "once is enough");
    assert!(world.reload.is_due(&mut seen, true).await, "who asks need not wait");
}

#[test]
fn what_is_bound_waits_for_a_restart() {
    let mut changed = egress(&[("default", "mode = \"open\"")], &[]);
    changed.listen = "127.0.0.1:1".parse().unwrap();
    changed.socket = Some("/run/x".into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    assert_eq!(world().reload.unbound(&changed), ["listen", "socket"]);
}
