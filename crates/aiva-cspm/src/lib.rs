//! What a service runs on: AWS, Azure and GCP settings.
