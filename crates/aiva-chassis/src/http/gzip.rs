//! Bodies that come packed: `Content-Encoding: gzip` (RFC 1952) is unpacked while it is read.
//!
//! Never holds more than a few tens of KiB of its own. What comes out is held to the limit of the route as well: a body is as large
//! as what it unpacks to. Other codings are refused before anything is read. Start reading at [`unpack`].

use std::{
    io::Write as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Body, extract::Request};
use bytes::{Buf as _, Bytes};
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::Limited;

use super::problem::ApiError;

/// The request with its body unpacked, if it is packed, and cut off behind so many bytes then.
pub(super) fn unpack(mut request: Request, limit: usize) -> Result<Request, ApiError> {
    match coding(request.headers())? {
        Coding::None => Ok(request),
        Coding::Gzip => {
            for name in [header::CONTENT_ENCODING, header::CONTENT_LENGTH] {
                request.headers_mut().remove(name);
            }
            Ok(request.map(|packed| {
                let unpacked = Unpacked { packed, rest: Bytes::new(), decoder: None, ended: false };
                Body::new(Limited::new(unpacked, limit))
            }))
        }
    }
}

/// How a body is packed.
enum Coding {
    None,
    Gzip,
}

fn coding(headers: &HeaderMap) -> Result<Coding, ApiError> {
    let said = headers.get_all(header::CONTENT_ENCODING).iter();
    let said: Vec<&[u8]> = said.map(|value| value.as_bytes().trim_ascii()).collect();
    match said[..] {
        [] => Ok(Coding::None),
        [one] if one.is_empty() || one.eq_ignore_ascii_case(b"identity") => Ok(Coding::None),
        [one] if one.eq_ignore_ascii_case(b"gzip") || one.eq_ignore_ascii_case(b"x-gzip") => Ok(Coding::Gzip),
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_coding",
            "send the body as it is, or packed once with Content-Encoding: gzip",
        )
        .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))),
    }
}

/// A body that is unpacked while it is read.
struct Unpacked {
    packed: Body,
    /// What has come and is not unpacked yet.
    rest: Bytes,
    /// There when something has come: a body that nobody reads costs nothing.
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    ended: bool,
}

impl Unpacked {
    /// Unpacks a little of what has come; each step brings some ten KiB at most, whatever was packed.
    fn step(&mut self) -> std::io::Result<Vec<u8>> {
        let decoder = self.decoder.get_or_insert_with(|| MultiGzDecoder::new(Vec::new()));
        if self.ended {
            decoder.try_finish()?;
        } else {
            let taken = decoder.write(&self.rest)?;
            if taken == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.rest.advance(taken);
        }
        Ok(std::mem::take(decoder.get_mut()))
    }
}

impl http_body::Body for Unpacked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        loop {
            if this.rest.is_empty() {
                if this.ended {
                    return Poll::Ready(None);
                }
                match ready!(Pin::new(&mut this.packed).poll_frame(poller)) {
                    Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => this.ended = true,
                }
                if this.rest.is_empty() && !this.ended {
                    continue;
                }
            }
            match this.step() {
                Ok(unpacked) if unpacked.is_empty() => {}
                Ok(unpacked) => return Poll::Ready(Some(Ok(Frame::data(unpacked.into())))),
                Err(_) => {
                    (this.rest, this.ended) = (Bytes::new(), true);
                    let refusal = ApiError::bad_request("body_not_gzip", "the body is not gzip, or breaks off");
                    return Poll::Ready(Some(Err(axum::Error::new(refusal))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use futures_util::stream;
    use http_body_util::{BodyExt as _, LengthLimitError};
    use std::error::Error as _;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes of a body that arrives in pieces of a size.
    async fn read(body: &[u8], piece: usize, coding: &str) -> Result<Vec<u8>, ApiError> {
        let pieces: Vec<_> =
            body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        let request = Request::builder().header(header::CONTENT_ENCODING, coding).header(header::CONTENT_LENGTH, "7");
        let request = unpack(request.body(Body::from_stream(stream::iter(pieces))).unwrap(), 1 << 20)?;
        assert_eq!(request.headers().contains_key(header::CONTENT_LENGTH), coding == "identity");
        super::super::extract::read(request.into_body()).await.map(|body| body.to_vec())
    }

    #[tokio::test]
    async fn what_was_packed_comes_out_however_it_arrives() {
        let plain: Vec<u8> =
            (0..10_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let one = packed(&plain);
        for piece in [1, 2, 19, 4096, 1 << 20] {
            assert_eq!(read(&one, piece, "gzip").await.unwrap(), plain, "{piece}");
        }
        assert_eq!(read(&packed(b""), 3, "X-Gzip").await.unwrap(), b"");
        assert_eq!(read(&[packed(b"a"), packed(b"b")].concat(), 5, "gzip").await.unwrap(), b"ab"); // RFC 1952 §2.2
        assert_eq!(read(&one, 64, "identity").await.unwrap(), one);
    }

    #[tokio::test]
    async fn what_is_not_whole_is_refused() {
        let good = packed(b"all of it");
        let mut wrong = good.clone();
        let sum = wrong.len() - 8;
        wrong[sum] ^= 1;
        let cut = (0..good.len()).map(|end| good[..end].to_vec());
        for body in cut.chain([wrong, b"plain".to_vec(), [&good[..], b"more"].concat()]) {
            for piece in [1, 64] {
                let refused = read(&body, piece, "gzip").await.unwrap_err();
                assert_eq!((refused.status().as_u16(), refused.code()), (400, "body_not_gzip"), "{body:?}");
            }
        }
        for coding in ["br", "gzip, gzip", "zstd"] {
            let refused = read(&good, 64, coding).await.unwrap_err();
            assert_eq!(
                (refused.status().as_u16(), refused.headers()[0].1.to_str().unwrap()),
                (415, "gzip"),
                "{coding}"
            );
        }
    }

    #[tokio::test]
    async fn each_step_brings_little_so_that_a_bomb_can_be_cut_off() {
        let bomb = packed(&vec![0; 4 << 20]);
        assert!(bomb.len() < 10 << 10);
        let request = Request::builder().header(header::CONTENT_ENCODING, "gzip").body(Body::from(bomb)).unwrap();
        let mut body = unpack(request, 1 << 20).unwrap().into_body();
        let mut seen = 0;
        let refused = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => {
                    let length = frame.into_data().unwrap().len();
                    assert!(length <= 64 << 10, "{length}");
                    seen += length;
                }
                Err(refused) => break refused,
            }
        };
        assert!(refused.source().unwrap().is::<LengthLimitError>() && seen <= 1 << 20, "{refused}");
    }
}
