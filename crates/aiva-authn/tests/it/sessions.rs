//! What runs out, and when.

use std::net::IpAddr;

use aiva_authn::{
    link::Links,
    session::{self, Sessions},
    throttle::Throttle,
};
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

use crate::clock;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn a_link_is_good_once_and_for_ten_minutes() {
    let (hands, clock) = clock();
    let links = Links::new(clock);
    let issue = || links.issue().unwrap().0;
    let (first, second, late) = (issue(), issue(), issue());
    assert!(links.redeem(first.expose()));
    assert!(!links.redeem(first.expose()), "spent");
    assert!(!links.redeem("guess") && !links.redeem(""));
    hands.advance(SignedDuration::from_mins(10) - SECOND);
    assert!(links.redeem(second.expose()));
    hands.advance(SECOND);
    assert!(!links.redeem(late.expose()), "expired");
}

#[test]
fn open_links_are_bounded_and_the_oldest_gives_way() {
    let (_, clock) = clock();
    let links = Links::new(clock);
    let codes: Vec<_> = (0..20).map(|_| links.issue().unwrap().0).collect();
    let good: Vec<bool> = codes.iter().map(|code| links.redeem(code.expose())).collect();
    assert_eq!(good, [[false; 4].to_vec(), [true; 16].to_vec()].concat());
}

#[test]
fn a_session_ends_when_idle_or_old_or_closed_or_the_token_is_rotated() {
    let (hands, clock) = clock();
    let sessions = Sessions::new(clock);
    let idle = sessions.open(1).unwrap();
    hands.advance(session::IDLE - SECOND);
    assert!(sessions.touch(idle.expose(), 1));
    hands.advance(session::IDLE - SECOND);
    assert!(sessions.touch(idle.expose(), 1), "use starts the idle time anew");
    hands.advance(session::IDLE);
    assert!(!sessions.touch(idle.expose(), 1));

    let busy = sessions.open(1).unwrap();
    for _ in 0..(12 * 3 - 1) {
        hands.advance(SignedDuration::from_mins(20));
        assert!(sessions.touch(busy.expose(), 1));
    }
    hands.advance(SignedDuration::from_mins(20));
    assert!(!sessions.touch(busy.expose(), 1), "twelve hours are the end");

    let (closed, rotated) = (sessions.open(1).unwrap(), sessions.open(1).unwrap());
    sessions.close(closed.expose());
    assert!(!sessions.touch(closed.expose(), 1));
    assert!(!sessions.touch(rotated.expose(), 2) && !sessions.touch(rotated.expose(), 1));
}

#[test]
fn sessions_are_bounded() {
    let (hands, clock) = clock();
    let sessions = Sessions::new(clock);
    let first = sessions.open(1).unwrap();
    let kept = sessions.open(1).unwrap();
    hands.advance(SECOND);
    assert!(sessions.touch(kept.expose(), 1));
    for _ in 0..1023 {
        sessions.open(1).unwrap();
    }
    assert_eq!(sessions.count(), 1024);
    assert!(!sessions.touch(first.expose(), 1), "idle for longest");
    assert!(sessions.touch(kept.expose(), 1));
}

#[test]
fn the_cookie_is_as_strict_as_the_connection_allows() {
    let (_, clock) = clock();
    let secret = Sessions::new(clock).open(1).unwrap();
    let text = |tls| session::cookie(&secret, tls).to_str().unwrap().to_owned();
    for tls in [false, true] {
        let cookie = text(tls);
        for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!((cookie.contains("; Secure"), cookie.starts_with("__Host-")), (tls, tls), "{cookie}");
        let mut headers = HeaderMap::new();
        headers.insert(
            "cookie",
            HeaderValue::from_str(&format!("theme=dark; {}", cookie.split(';').next().unwrap())).unwrap(),
        );
        assert_eq!(session::of(&headers), Some(secret.expose()));
    }
}

#[test]
fn mistakes_cost_more_and_more_and_are_forgotten() {
    let (hands, clock) = clock();
    let throttle = Throttle::new(clock);
    let (bad, good): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let mut waits = Vec::new();
    for _ in 0..13 {
        throttle.failed(bad);
        waits.push(throttle.check(bad).err().map_or(0, |wait| wait.as_secs()));
    }
    assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert!(throttle.check(good).is_ok(), "nobody pays for another");
    hands.advance(SignedDuration::from_secs(60));
    assert!(throttle.check(bad).is_ok());
    throttle.succeeded(bad);
    throttle.failed(bad);
    assert!(throttle.check(bad).is_ok(), "a success wipes the slate clean");
}
