"""Tests of OpenSubsonic, without I/O."""
