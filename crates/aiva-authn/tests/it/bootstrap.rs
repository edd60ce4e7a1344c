//! The token and its file.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc, thread};

use aiva_authn::bootstrap::{LiveToken, Token, TokenError, TokenFile};

fn file() -> (tempfile::TempDir, TokenFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = TokenFile::within(dir.path());
    (dir, file)
}

#[test]
fn a_token_is_created_once_and_private() {
    let (dir, file) = file();
    assert!(matches!(file.show(), Err(TokenError::Missing(_))));
    let token = file.ensure().unwrap();
    assert_eq!(file.ensure().unwrap(), token);
    assert_eq!(file.show().unwrap(), token);
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left behind");
    assert!(token.expose().starts_with("aiva_") && !format!("{token:?}").contains(token.expose()));
}

#[test]
fn processes_that_start_at_once_agree_on_one_token() {
    let (_dir, file) = file();
    let file = Arc::new(file);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || file.ensure().unwrap())
        })
        .collect();
    let tokens: Vec<Token> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
}

#[test]
fn a_typing_mistake_is_no_token() {
    let (_dir, file) = file();
    let token = file.ensure().unwrap();
    let text = token.expose();
    assert_eq!(Token::parse(text).as_ref(), Some(&token));
    for at in [5, 20, text.len() - 1] {
        let mut typo = text.as_bytes().to_vec();
        typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(Token::parse(std::str::from_utf8(&typo).unwrap()), None, "position {at}");
    }
    for text in ["", "aiva_", "aiva_AAAA", &text[5..], &format!("{text} "), &format!("{text}A")] {
        assert_eq!(Token::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_file_that_others_can_read_or_that_holds_something_else_is_refused() {
    let (dir, file) = file();
    file.ensure().unwrap();
    for mode in [0o640, 0o604, 0o666] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(file.show(), Err(TokenError::Exposed { mode: found, .. }) if found == mode));
    }
    file.rotate().unwrap(); // and that is the way out
    file.show().unwrap();
    fs::write(file.path(), "something else").unwrap();
    assert!(matches!(file.show(), Err(TokenError::Damaged(_))));
    fs::remove_file(file.path()).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), file.path()).unwrap();
    assert!(matches!(file.show(), Err(TokenError::Damaged(_))), "a link leads who knows where");
}

#[test]
fn a_running_server_follows_the_file() {
    let (_dir, file) = file();
    let live = LiveToken::follow(file.clone());
    assert!(!live.is("aiva_x").unwrap());
    let old = file.ensure().unwrap();
    assert!(live.is(old.expose()).unwrap());
    let first = live.generation().unwrap();
    assert_eq!(live.generation().unwrap(), first);

    let new = file.rotate().unwrap();
    assert!(!live.is(old.expose()).unwrap(), "the old token holds for no request more");
    assert!(live.is(new.expose()).unwrap());
    assert_ne!(live.generation().unwrap(), first);

    fs::remove_file(file.path()).unwrap();
    assert!(!live.is(new.expose()).unwrap(), "no file, no token");
    file.ensure().unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(live.is(new.expose()).is_err(), "an exposed file is trouble, not a token");
}
