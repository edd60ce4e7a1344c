//! AIVA: guards a company's services on four sides and tells one story about each.
fn main() {}
