"""The HTTP origin that a CDN pulls from."""
