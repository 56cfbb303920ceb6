"""What is measured of a file: each scenario makes one kind of result for the record. No torch outside of functions."""
