import numpy as np
import torch
from PIL import Image

from trainer.networks.attention import AttentionGate


def test_attention_gate_with_weights_by_hand_gives_what_the_paper_says() -> None:
    gate = AttentionGate(1, 1)
    with torch.no_grad():
        gate.of_skip.weight[:] = 0.25  # the mean of four
        gate.of_deep.weight[:], gate.of_deep.bias[:] = 2.0, -1.0
        gate.weigh.weight[:], gate.weigh.bias[:] = 3.0, -0.5
        skip = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
        # relu(mean 3 + 2 * 0.5 - 1) = 3; sigmoid(3 * 3 - 0.5); one place, so the same weight for all four
        expected = skip / (1 + np.exp(-8.5))
        torch.testing.assert_close(gate(skip, torch.full((1, 1, 1, 1), 0.5)), expected)


def test_attention_gate_weight_is_enlarged_bilinearly_and_shared_by_the_channels() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(3, 5)
    skip, deep = torch.randn(1, 3, 8, 12), torch.randn(1, 5, 4, 6)
    with torch.no_grad():
        weight = (gate(skip, deep) / skip)[0]
        small = torch.sigmoid(gate.weigh(torch.relu(gate.of_skip(skip) + gate.of_deep(deep))))[0, 0]
    torch.testing.assert_close(weight[0], weight[2])
    pillow = Image.fromarray(small.numpy()).resize((12, 8), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(weight[1].numpy(), np.asarray(pillow), atol=1e-5)


def test_attention_gate_can_close() -> None:
    gate = AttentionGate(4, 8)
    with torch.no_grad():
        gate.weigh.bias[:] = -100.0
        gate.weigh.weight[:] = 0.0
    assert gate(torch.randn(1, 4, 4, 4), torch.randn(1, 8, 2, 2)).abs().max() < 1e-30


def test_attention_gate_counts_are_those_of_a_sum_by_hand() -> None:
    assert sum(p.numel() for p in AttentionGate(6, 12).parameters()) == 4 * 6 * 3 + (12 * 3 + 3) + (3 + 1)
