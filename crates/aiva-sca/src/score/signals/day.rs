//! Which day a publication is of, by its head: nothing else is read for it.

use jiff::civil::Date;

use super::Feed;

/// How much of a publication is its head: FIRST's JSON names the day with the first score.
const HEAD: usize = 4_096;

/// The day; `None` where the head does not say one, as that of KEV's CSV.
pub(super) fn of(text: &[u8], feed: Feed) -> Option<Date> {
    let head = String::from_utf8_lossy(text.get(..text.len().min(HEAD))?);
    let keys: &[&str] = match feed {
        Feed::Epss => &["score_date:", "\"score_date\"", "\"date\""],
        Feed::Kev => &["\"dateReleased\""],
    };
    let after = keys.iter().find_map(|key| Some(head.split_once(key)?.1))?;
    let after = after.trim_start_matches(|char: char| char.is_whitespace() || matches!(char, ':' | '"'));
    after.get(..10)?.parse().ok()
}
