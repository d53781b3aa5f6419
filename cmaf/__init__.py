"""ISO-BMFF boxes and CMAF track files, read and written."""
