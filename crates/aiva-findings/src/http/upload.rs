//! Takes uploads in. They are the only large bodies, so nothing of one is kept before it is known that the caller may and that the
//! service is there, and only a few are in memory at once.

use aiva_chassis::http::{Allowed, ApiError, IdempotencyKey, Json, Path, extract};
use aiva_contracts::api::{Guard, scans};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use super::answer::{WriteScans, attempt, made, refused, told};
use crate::ports::Refusal;
use crate::scan::BY_UPLOAD;
use crate::service::Findings;
use crate::upload::{Received, Upload};

/// `POST /v1/services/{service}/uploads`
pub(super) async fn upload_scan(
    caller: Allowed<WriteScans>,
    State(app): State<Findings>,
    Path(path): Path<scans::UploadScanPath>,
    key: Option<IdempotencyKey>,
    request: Request,
) -> Result<Response, ApiError> {
    extract::said_json(request.headers())?;
    if let Err(refusal) = told(app.store.service(path.service.clone()).await) {
        // Who is still sending when the connection closes sees it break, and not the answer.
        extract::pass_over(request.into_body()).await;
        return Err(refusal);
    }
    let (body, turn) = app.turns.read(request.into_body()).await?;
    let service = path.service.clone();
    // Seconds of work for a large one; who gives up meanwhile does not end it, and the turn is kept until it ends.
    let reading = tokio::task::spawn_blocking(move || {
        let digest: [u8; 32] = Sha256::digest(&body).into();
        let attempt = attempt(key, &caller, scans::Operation::UploadScan.id(), &(&service, digest))?;
        let Json(received) = Json::<Received>::parse(&body)?;
        drop(body);
        let upload = Upload::new(received, turn).map_err(|violations| refused(Refusal::Invalid(violations)))?;
        Ok::<_, ApiError>((upload, attempt))
    });
    let (upload, attempt) = match reading.await {
        Ok(read) => read?,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => return Err(ApiError::internal(error)),
    };
    let scan =
        told(app.store.upload(app.now(), path.service, Guard::Sca, BY_UPLOAD.to_owned(), upload, attempt).await)?;
    app.wake();
    made(StatusCode::CREATED, &format!("/v1/scans/{}", scan.id), Json(scan))
}
