"""A camera's pace: frames in as they come, the newest labelled on time, each one accounted for."""
