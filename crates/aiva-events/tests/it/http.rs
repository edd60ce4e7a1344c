//! The `events` operations as a caller sees them.

use std::time::Duration;

use aiva_chassis::http::{Permissions, Principal, PrincipalKind};
use aiva_chassis::shutdown::{Shutdown, Stage, Stop};
use aiva_contracts::api::{DeadLetter, DeadLetterPage, DeadLetterState, Event, EventPage};
use aiva_events::HandleError;
use axum::body::Body;
use axum::{Extension, Router};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use crate::on_both_engines;
use crate::world::{Applier, World, until};

on_both_engines!(
    events_are_paged_and_filtered,
    dead_letters_are_shown_redriven_and_discarded,
    a_tail_shows_what_is_written_and_goes_on_where_it_was,
    who_may_not_is_refused,
);

/// The routes as a caller with these permissions reaches them.
fn routes(world: &World, stop: &Stop, permissions: Permissions) -> Router {
    let principal = Principal::new("ana", "Ana", permissions, PrincipalKind::Internal);
    let routes = aiva_events::http::routes(world.database.clone(), stop.clone());
    routes.into_router().layer(Extension(principal))
}

async fn call(routes: &Router, method: Method, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    routes.clone().oneshot(request).await.unwrap()
}

async fn json<T: DeserializeOwned>(response: Response<Body>) -> T {
    assert!(response.status().is_success(), "{}", response.status());
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn events_are_paged_and_filtered(world: World) {
    let stop = Shutdown::new().stop(Stage::Edge);
    let routes = routes(&world, &stop, Permissions::All);
    world.append(&[("a", 0), ("b", 1), ("a", 2)]).await;
    let first: EventPage = json(call(&routes, Method::GET, "/v1/events?limit=2").await).await;
    assert_eq!(first.items.iter().map(|event| event.subject.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let next = format!("/v1/events?limit=2&cursor={}", first.next_cursor.unwrap());
    let second: EventPage = json(call(&routes, Method::GET, &next).await).await;
    assert_eq!((second.items.len(), second.next_cursor), (1, None));
    assert_eq!(second.items[0].r#type, "aiva.test.v1.Ticked");
    let of_b: EventPage = json(call(&routes, Method::GET, "/v1/events?subject=b").await).await;
    assert_eq!(of_b.items.len(), 1);
    for bad in ["limit=0", "limit=501", "cursor=nonsense", "cursor=%21", "unknown=1", "type=a%20b"] {
        let refused = call(&routes, Method::GET, &format!("/v1/events?{bad}")).await;
        assert!(refused.status().is_client_error(), "{bad}: {}", refused.status());
    }
}

async fn dead_letters_are_shown_redriven_and_discarded(world: World) {
    let stop = Shutdown::new().stop(Stage::Edge);
    let routes = routes(&world, &stop, Permissions::All);
    let (applier, _hears) = Applier::new(&world, Box::new(|_, _| Err(HandleError::permanent("never"))));
    let running = world.dispatch(applier);
    world.append(&[("s", 0), ("s", 1)]).await;
    let letter = until(|| async {
        let page: DeadLetterPage = json(call(&routes, Method::GET, "/v1/dead-letters?consumer=applier").await).await;
        page.items.into_iter().next()
    });
    let letter = letter.await;
    running.stop().await; // so that what is redriven stays so
    assert!(letter.reason.contains("never"));
    assert_eq!((letter.event.subject.as_str(), letter.state), ("s", DeadLetterState::Waiting));
    let one = format!("/v1/dead-letters/{}", letter.id);
    let shown: DeadLetter = json(call(&routes, Method::GET, &one).await).await;
    assert_eq!(shown, letter);
    let none: DeadLetterPage = json(call(&routes, Method::GET, "/v1/dead-letters?consumer=other").await).await;
    assert!(none.items.is_empty());

    let redriven = call(&routes, Method::POST, &format!("{one}/redrive")).await;
    assert_eq!(redriven.status(), StatusCode::ACCEPTED);
    assert_eq!(json::<DeadLetter>(redriven).await.state, DeadLetterState::Redriven);
    assert_eq!(call(&routes, Method::POST, &format!("{one}/redrive")).await.status(), StatusCode::CONFLICT);

    let (applier, _hears) = Applier::new(&world, Box::new(|_, _| Err(HandleError::permanent("still not"))));
    let running = world.dispatch(applier);
    until(|| async {
        let shown: DeadLetter = json(call(&routes, Method::GET, &one).await).await;
        (shown.state == DeadLetterState::Waiting && shown.reason.contains("still not")).then_some(())
    })
    .await;
    running.stop().await;
    assert_eq!(call(&routes, Method::DELETE, &one).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(call(&routes, Method::DELETE, &one).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(call(&routes, Method::GET, &one).await.status(), StatusCode::NOT_FOUND);
}

/// The first event of a stream.
async fn first(response: Response<Body>) -> Event {
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut text = String::new();
    let reading = async {
        while !text.contains("\n\n") || !text.contains("data: ") {
            let frame = body.frame().await.expect("the stream goes on").unwrap();
            text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("an event comes");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: Event = serde_json::from_str(data).unwrap();
    assert!(text.contains(&format!("id: {}", event.id)) && text.contains("event: event"), "{text}");
    event
}

async fn a_tail_shows_what_is_written_and_goes_on_where_it_was(world: World) {
    let stop = Shutdown::new().stop(Stage::Edge);
    let routes = routes(&world, &stop, Permissions::All);
    world.append(&[("old", 0)]).await;
    let tail = call(&routes, Method::GET, "/v1/events/tail").await;
    world.append(&[("new", 1), ("newer", 2)]).await;
    let seen = first(tail).await;
    assert_eq!(seen.subject, "new");

    let again = Request::builder().uri("/v1/events/tail").header("last-event-id", seen.id.to_string());
    let again = routes.clone().oneshot(again.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(first(again).await.subject, "newer");
    let bad = Request::builder().uri("/v1/events/tail").header("last-event-id", "7").body(Body::empty()).unwrap();
    assert_eq!(routes.clone().oneshot(bad).await.unwrap().status(), StatusCode::BAD_REQUEST);

    let open = call(&routes, Method::GET, "/v1/events/tail").await;
    stop.begin();
    tokio::time::timeout(Duration::from_secs(60), open.into_body().collect())
        .await
        .expect("it ends with the process")
        .unwrap();
}

async fn who_may_not_is_refused(world: World) {
    let stop = Shutdown::new().stop(Stage::Edge);
    let reader = routes(&world, &stop, Permissions::Only(["events:read".to_owned()].into()));
    let nobody = routes(&world, &stop, Permissions::Only([].into()));
    let id = uuid::Uuid::nil();
    assert_eq!(call(&reader, Method::GET, "/v1/events").await.status(), StatusCode::OK);
    assert_eq!(call(&reader, Method::DELETE, &format!("/v1/dead-letters/{id}")).await.status(), StatusCode::FORBIDDEN);
    for path in ["/v1/events".to_owned(), "/v1/events/tail".to_owned(), format!("/v1/dead-letters/{id}")] {
        assert_eq!(call(&nobody, Method::GET, &path).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
}
