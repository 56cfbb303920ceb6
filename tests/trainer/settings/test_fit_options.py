from pathlib import Path

import pytest

from runtime.errors import UsageError
from trainer.settings.fit_options import FitOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "--workers must be 0 or more, got -1"),
        ({"panel_every": -2}, "--panel-every must be 0 or more, got -2"),
        ({"keep": -3}, "--keep must be 0 or more, got -3"),
        ({"cache_mb": -4}, "--cache-mb must be 0 or more, got -4"),
        ({"overfit": 0}, "--overfit must be 1 or more images, got 0"),
        ({"worker_timeout_s": 0.0}, "--worker-timeout must be above 0 s and finite, got 0"),
        ({"worker_timeout_s": float("nan")}, "--worker-timeout must be above 0 s and finite, got nan"),
        ({"resume": True, "weights": "imagenet"}, "--weights is about how a run begins, got it with --resume"),
        ({"resume": True, "init": Path("a")}, "--init is about how a run begins, got it with --resume"),
    ],
)
def test_fit_options_unusable_value_is_named(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FitOptions(**options)


def test_fit_options_resume_with_no_weights_is_taken() -> None:
    assert FitOptions(resume=True, weights="none").resume
