"""The networks and the two ends that every one of them shares; torch only, no files, no data sets."""
