//! The routes of services, scans, findings, exceptions and the trend.
//!
//! Extract, convert, call, answer. Every handler says in its signature who may call it; the `match` in [`routes`] names
//! every operation of the contract.

mod answer;
mod follow;
mod handlers;
mod upload;

use aiva_chassis::http::{Routes, mount, on};
use aiva_contracts::api::{exceptions, findings, scans, services, trend};

use crate::service::Findings;

/// All routes of this crate, over these findings.
pub fn routes(app: Findings) -> Routes {
    use handlers as h;
    let services = mount(services::Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            services::Operation::ListServices => on(method, h::list_services),
            services::Operation::CreateService => on(method, h::create_service),
            services::Operation::GetService => on(method, h::get_service),
            services::Operation::UpdateService => on(method, h::update_service),
            services::Operation::DeleteService => on(method, h::delete_service),
        };
        (method, operation.path(), handler)
    }));
    let scans = mount(scans::Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            scans::Operation::UploadScan => on(method, upload::upload_scan),
            scans::Operation::ListScans => on(method, h::list_scans),
            scans::Operation::StartScan => on(method, h::start_scan),
            scans::Operation::GetScan => on(method, h::get_scan),
            scans::Operation::ListScanInputs => on(method, h::list_scan_inputs),
            scans::Operation::FollowScan => on(method, follow::follow_scan),
        };
        (method, operation.path(), handler)
    }));
    let findings = mount(findings::Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            findings::Operation::ListFindings => on(method, h::list_findings),
            findings::Operation::GetFinding => on(method, h::get_finding),
            findings::Operation::AcceptFinding => on(method, h::accept_finding),
            findings::Operation::ReopenFinding => on(method, h::reopen_finding),
        };
        (method, operation.path(), handler)
    }));
    let exceptions = mount(exceptions::Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            exceptions::Operation::ListExceptions => on(method, h::list_exceptions),
            exceptions::Operation::DeleteException => on(method, h::delete_exception),
        };
        (method, operation.path(), handler)
    }));
    let trend = mount(trend::Operation::ALL.iter().map(|operation| {
        let method = operation.method();
        let handler = match operation {
            trend::Operation::GetTrend => on(method, h::get_trend),
        };
        (method, operation.path(), handler)
    }));
    services.merge(scans).merge(findings).merge(exceptions).merge(trend).with_state(app)
}
