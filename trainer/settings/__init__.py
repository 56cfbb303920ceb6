"""What a run is told: settings as frozen values, their layers (recipe, file, flags), their checks. No training step."""
