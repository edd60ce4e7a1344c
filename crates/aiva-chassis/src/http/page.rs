//! Cursor pages: stable under inserts, no offsets, no totals.
//!
//! A [`Cursor`] is opaque to the caller; inside it is the sort key of the last row, as JSON in base64url. Ask the store for
//! [`PageQuery::fetch`] rows (one more than the page) and let [`Page::cut`] see whether there is a next page.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::problem::{ApiError, FieldError};

/// Where the next page starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor after the row with this sort key.
    pub fn after<K: Serialize>(key: &K) -> Result<Self, ApiError> {
        let json = serde_json::to_vec(key).map_err(ApiError::internal)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(json)))
    }

    /// The sort key inside; 400 for a cursor that is not ours.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, ApiError> {
        let bad = || {
            ApiError::bad_request("cursor_invalid", "the cursor is not one that this list has given")
                .with_errors(vec![FieldError::new("/cursor", "take it from next_cursor of the page before")])
        };
        if self.0.len() > 2048 {
            return Err(bad());
        }
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| bad())?;
        serde_json::from_slice(&json).map_err(|_| bad())
    }

    /// As it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a caller may say about the page; flatten it into the query type of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PageQuery {
    /// How many at most; see [`PageQuery::limit`].
    pub limit: Option<u32>,
    /// From the page before.
    pub cursor: Option<Cursor>,
}

/// The most rows that a page holds.
pub const MAX_LIMIT: u32 = 500;
const DEFAULT_LIMIT: u32 = 50;

impl PageQuery {
    /// Rows on the page: 50 unless said otherwise; 400 outside 1 to [`MAX_LIMIT`].
    pub fn limit(&self) -> Result<usize, ApiError> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT as usize),
            Some(limit @ 1..=MAX_LIMIT) => Ok(limit as usize),
            Some(_) => Err(ApiError::bad_request("query_invalid", "the query string is not valid; see errors")
                .with_errors(vec![FieldError::new("/limit", format!("must be from 1 to {MAX_LIMIT}"))])),
        }
    }

    /// Rows to ask the store for: one more than the page.
    pub fn fetch(&self) -> Result<usize, ApiError> {
        Ok(self.limit()? + 1)
    }

    /// The sort key to start after, if this is not the first page.
    pub fn start<K: DeserializeOwned>(&self) -> Result<Option<K>, ApiError> {
        self.cursor.as_ref().map(Cursor::key).transpose()
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page starts; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts what the store gave for [`PageQuery::fetch`] down to `limit`, with a cursor if there was more.
    pub fn cut<K: Serialize>(mut items: Vec<T>, limit: usize, key: impl FnOnce(&T) -> K) -> Result<Self, ApiError> {
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = match items.last() {
            Some(last) if more => Some(Cursor::after(&key(last))?),
            _ => None,
        };
        Ok(Self { items, next_cursor })
    }

    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of the numbers below `total`.
    fn list(query: &PageQuery, total: u32) -> Result<Page<u32>, ApiError> {
        let start = query.start::<u32>()?.map_or(0, |last| last + 1);
        Page::cut((start..total).take(query.fetch()?).collect(), query.limit()?, |n| *n)
    }

    #[test]
    fn pages_cover_everything_once() {
        for (total, pages) in [(0, 1), (1, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
            let (mut seen, mut count) = (Vec::new(), 0);
            let mut query = PageQuery { limit: Some(3), cursor: None };
            loop {
                let page = list(&query, total).unwrap();
                count += 1;
                seen.extend(page.items);
                let Some(next) = page.next_cursor else { break };
                query.cursor = Some(next);
            }
            assert_eq!((seen, count), ((0..total).collect(), pages), "total {total}"); // no empty last page
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for cursor in ["", "!", "bm9wZQ", "IjEi", &"A".repeat(5000)] {
            let query = PageQuery { limit: None, cursor: Some(Cursor(cursor.to_owned())) };
            assert_eq!(list(&query, 9).unwrap_err().code(), "cursor_invalid", "{cursor}");
        }
        for limit in [0, 501] {
            assert!(list(&PageQuery { limit: Some(limit), cursor: None }, 9).is_err());
        }
    }
}
