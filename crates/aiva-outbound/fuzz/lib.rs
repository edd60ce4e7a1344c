//! What the fuzz targets share.

mod promises;

pub use promises::feed;
