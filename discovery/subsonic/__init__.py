"""OpenSubsonic, the API that other people's players speak, over the same catalog and the same track ids."""
