//! One behaviour on both engines: every test runs on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test, in its helpers too")]

mod deliver;
mod http;
mod message;
mod postgres_only;
mod store;
mod world;

/// Runs each named async function of this module, which takes a `World`, on both engines.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::World::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = crate::world::World::postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
pub(crate) use on_both_engines;
