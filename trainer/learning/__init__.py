"""How weights follow data: losses, optimisers, schedules, the moving average. Torch only; no files, no data sets."""
