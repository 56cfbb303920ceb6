import json
from pathlib import Path

import pytest

from runtime.errors import MissingPackage
from trainer.data.dataset import open_dataset
from trainer.loop import fit
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions

CONFIG = TrainConfig(
    height_px=32, width_px=32, batch_size=4, epochs=2, precision="no", network=UNetConfig(width=2, depth=2)
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorboard's own
def test_fit_tensorboard_has_the_scores_of_metrics_jsonl(pairs: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard here")
    run = tmp_path / "run"
    fit(CONFIG, open_dataset(pairs), run, FitOptions(track="tensorboard", panel_every=0))
    events = reader.EventAccumulator(str(run / "tensorboard")).Reload()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for name in ("loss", "mean_iou", "learning_rate"):
        logged = [(event.step, event.value) for event in events.Scalars(name)]
        assert logged == [(line["epoch"], pytest.approx(line[name], rel=1e-6)) for line in lines]
    assert {f"iou/{name}" for name in lines[0]["iou"]} <= set(events.Tags()["scalars"])


def test_fit_tensorboard_not_installed_is_refused_before_anything_is_written(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.tracking.is_tensorboard_available", lambda: False)
    with pytest.raises(MissingPackage, match=r'--track tensorboard needs .* pip install "segtool\[tensorboard\]"'):
        fit(CONFIG, open_dataset(pairs), tmp_path / "run", FitOptions(track="tensorboard"))
    assert not (tmp_path / "run").exists()
