"""Masters in: read, measure, normalise, keep the lossless mezzanine and a report."""
