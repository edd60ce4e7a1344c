//! One behaviour on both engines, through the crate's own API: every test that keeps something runs on SQLite and on
//! PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test may fail at any line")]
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../fuzz/src/lib.rs"]
mod checks;
mod events;
mod fuzz_corpus;
mod http;
mod rivals;
mod schema;
mod store;
mod world;

/// Runs each named async function of this module, which takes a `World`, on both engines.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::world::World::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(world) = crate::world::World::postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
pub(crate) use on_both_engines;
