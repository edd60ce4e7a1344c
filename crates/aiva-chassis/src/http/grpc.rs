//! The gRPC services that every server has: health, told from [`Health`] itself, and reflection.
//!
//! Both are open by design: a probe has no credentials, and the schema is no secret. A guard adds its own services with
//! [`tonic::service::Routes::add_service`] and guards its methods with [`Allowed::by`](super::Allowed::by).

use std::{pin::Pin, time::Duration};

use async_trait::async_trait;
use futures_util::{Stream, stream};
use tonic::{Request, Response, Status, service::Routes};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health as HealthService, HealthServer},
};

use crate::{health::Health, shutdown::Stop};

/// How often a watch looks whether something has changed.
const LOOK: Duration = Duration::from_secs(1);

/// A descriptor set that reflection cannot read: the contract was generated wrongly.
#[derive(Debug, thiserror::Error)]
#[error("the descriptors of the gRPC services are not valid")]
pub struct BadDescriptors(#[from] tonic_reflection::server::Error);

/// Health and reflection. `descriptors` are encoded `FileDescriptorSet`s; `services` are the full names that health knows
/// beside the empty one, which stands for the whole server.
pub fn services(
    health: Health,
    stop: Stop,
    services: &[&'static str],
    descriptors: &[&[u8]],
) -> Result<Routes, BadDescriptors> {
    let reflection = descriptors
        .iter()
        .fold(tonic_reflection::server::Builder::configure(), |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let probe = Probe { health, stop, services: services.to_vec() };
    Ok(Routes::new(HealthServer::new(probe)).add_service(reflection))
}

/// Readiness, as gRPC asks for it.
#[derive(Clone)]
struct Probe {
    health: Health,
    stop: Stop,
    services: Vec<&'static str>,
}

impl Probe {
    fn status(&self) -> ServingStatus {
        if self.health.readiness().is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.contains(&service)
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[async_trait]
impl HealthService for Probe {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if self.knows(&request.get_ref().service) {
            Ok(Response::new(answer(self.status())))
        } else {
            Err(Status::not_found("no such service"))
        }
    }

    /// The status now and at every change, until the process stops. An unknown service is told so and may appear later, as
    /// the protocol wants.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.knows(&request.get_ref().service);
        let changes = stream::unfold((self.clone(), None), move |(probe, mut told)| async move {
            loop {
                let now = if known { probe.status() } else { ServingStatus::ServiceUnknown };
                if told.replace(now) != Some(now) {
                    return Some((Ok(answer(now)), (probe, told)));
                }
                if !probe.stop.sleep(LOOK).await {
                    return None;
                }
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
