import io

import onnx
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.segmentation import deeplabv3

from trainer.networks.aspp import ASPP


def test_aspp_gives_what_torchvisions_gives_with_the_same_weights() -> None:
    torch.manual_seed(0)
    ours, theirs = ASPP(6, 8, (2, 3)).eval(), deeplabv3.ASPP(6, [2, 3], 8).eval()
    point, first, second, pooling = theirs.convs
    for target, source in ((point, ours.point), (first, ours.atrous[0]), (second, ours.atrous[1])):
        target.load_state_dict(source.state_dict())
    # a batch norm with mean 0 and variance 1 that only adds: the bias that stands in its place here
    pooling[1].weight.data.copy_(ours.whole[0].weight.data)
    pooling[2].eps = 0.0
    pooling[2].bias.data.copy_(ours.whole[0].bias.data)
    theirs.project.load_state_dict(ours.join.state_dict())
    features = torch.randn(2, 6, 9, 7)
    torch.testing.assert_close(ours(features), theirs(features))


def test_aspp_counts_are_those_of_a_sum_by_hand() -> None:
    module, places = ASPP(6, 8, (1, 2, 4), branch_channels=5), 10 * 12
    convolutions = {"point": 6 * 5, "atrous": 3 * 9 * 6 * 5, "join": 5 * 5 * 8}
    parameters = sum(convolutions.values()) + 6 * 5 + 5 + 4 * 2 * 5 + 2 * 8
    assert sum(p.numel() for p in module.parameters()) == parameters
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 6, 10, 12))
    assert counter.get_total_flops() == 2 * (places * sum(convolutions.values()) + 6 * 5)


def test_aspp_every_place_sees_the_whole_map() -> None:
    torch.manual_seed(0)
    module = ASPP(2, 32, (1,)).eval()  # wide, so that no place has all its ReLUs closed
    features = torch.rand(1, 2, 8, 8)
    moved = features.clone()
    moved[..., 0, 0] += 1
    assert ((module(features) - module(moved)).abs().sum(1) > 0).all()


def test_aspp_one_image_trains_though_its_mean_is_a_single_value() -> None:
    assert ASPP(2, 4).train()(torch.randn(1, 2, 8, 8)).shape == (1, 4, 8, 8)


def test_aspp_exported_has_no_resize() -> None:
    def kinds(module: nn.Module) -> set[str]:
        program = torch.onnx.export(
            module.eval(), (torch.zeros(1, 2, 8, 8),), dynamo=True, opset_version=18, verbose=False
        )
        stream = io.BytesIO()
        program.save(stream)
        return {node.op_type for node in onnx.load_from_string(stream.getvalue()).graph.node}

    assert "Resize" not in kinds(ASPP(2, 4))


def test_aspp_rates_beyond_the_map_leave_the_middle_of_the_kernel() -> None:
    torch.manual_seed(0)
    branch = ASPP(2, 4, (8,)).atrous[0][0]
    features = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(branch(features), functional.conv2d(features, branch.weight[..., 1:2, 1:2]))
