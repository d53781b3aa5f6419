"""Objects under keys: the filesystem or any S3-compatible service."""
