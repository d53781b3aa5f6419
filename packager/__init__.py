"""The mezzanine in, a published HLS package out."""
