"""Scores of the network in training over the validation split, the same whatever the number of processes."""

import numpy as np
import torch

from runtime.errors import DataError
from runtime.metrics import Scores, confusion_matrix, scores
from trainer.evaluate import predict_batches
from trainer.learning.averaging import share_statistics
from trainer.session import Session


def validate(session: Session) -> Scores:
    """Scores the network that would be exported, in the arithmetic of training.

    Raises:
        DataError: no pixel of the split is valid, or a frame can't be read.
    """
    accelerator = session.accelerator
    count = len(session.source.label_space.classes)
    confusion = np.zeros((count, count + 1), np.int64)
    # unwrapped: the wrapper of several processes talks to the others in its first forward, and a process without a
    # validation frame would never answer
    share_statistics(accelerator, session.validated)
    with accelerator.autocast():
        for _, truth, predicted in predict_batches(session.validated, session.validation, accelerator.device):
            confusion += confusion_matrix(truth, predicted, count)
    summed = accelerator.reduce(torch.from_numpy(confusion).to(accelerator.device), reduction="sum")
    result = scores(summed.cpu().numpy())
    if result.pixels == 0:
        raise DataError(
            f"{session.source.path}: every pixel of its validation frames is ignored, so nothing can be scored; "
            f"look with: segtool data inspect {session.source.path}"
        )
    return result
