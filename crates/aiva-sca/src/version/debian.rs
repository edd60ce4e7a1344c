//! Debian versions (Debian policy 5.6.12, dpkg's `verrevcmp`): epoch, upstream version, revision.
//!
//! Key: the epoch; then each part as pairs of a text and a number, closed by [`END`]. In a text `~` sorts below the text's
//! end, the end below letters, letters below everything else. A missing revision is revision `0`.

use super::key::push_number;

const TILDE: u8 = 0x01;
const END: u8 = 0x02;
/// Added to what is no letter, so that it comes after them.
const SIGN: u8 = 0x80;

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
        Some(_) => return None,
        None => ("0", text),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let mut key = Vec::with_capacity(24);
    push_number(&mut key, epoch);
    push_part(&mut key, upstream);
    push_part(&mut key, revision);
    Some(key)
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    let mut rest = part;
    loop {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        for byte in text.bytes() {
            key.push(match byte {
                b'~' => TILDE,
                letter if letter.is_ascii_alphabetic() => letter,
                sign => sign | SIGN,
            });
        }
        key.push(END);
        let (digits, after) = after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        push_number(key, digits);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    key.push(END);
}
