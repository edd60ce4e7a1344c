//! The few static files of the console, embedded, named by what is in them and therefore kept by browsers for ever.
//!
//! A page links `url()` of a file; the hash in it changes with the content, so a new release never meets an old cache. The
//! plain name (`console.css`) answers too, for pages that other parts serve, such as the one to sign in; it is not kept.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

/// One embedded file.
#[derive(Debug)]
pub(crate) struct Asset {
    /// As it was called before it was named by its content.
    plain: String,
    name: String,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash: String = Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { plain: format!("{stem}.{extension}"), name: format!("{stem}.{hash}.{extension}"), media_type, content }
    }

    /// Where a page finds it.
    pub(crate) fn url(&self) -> String {
        format!("/console/static/{}", self.name)
    }
}

/// The one style sheet.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console", "css", "text/css; charset=utf-8", include_str!("../assets/console.css")));
/// The one script.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "js", "text/javascript; charset=utf-8", include_str!("../assets/console.js"))
});
/// The icon of the tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /console/static/{name}`: open to everybody; there is no secret in a style sheet.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let found = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name || asset.plain == name);
    match found {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, if asset.name == name { FOR_EVER } else { "no-cache" }),
            ],
            asset.content,
        )
            .into_response(),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_the_content() {
        let (one, two) = (Asset::new("a", "css", "text/css", "x"), Asset::new("a", "css", "text/css", "y"));
        assert_ne!(one.url(), two.url());
        assert_eq!(one.url(), Asset::new("a", "css", "text/css", "x").url());
    }
}
