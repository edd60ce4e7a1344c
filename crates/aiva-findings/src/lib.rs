//! The shared story: services, scans, findings, exceptions, read model, exports.
