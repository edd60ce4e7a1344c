//! The web console: an ordinary client of the API, called in process.
