from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.vision import efficientnet
from training.vision.backbones import Backbone, convert_weights, load_backbone, packaged_weights
from training.vision.efficientnet import ConvNorm, EfficientNetLite0, WrongWeights


def test_features_have_strides_8_16_32(backbone: Backbone) -> None:
    features = backbone.module(torch.zeros(1, 3, 64, 128))
    assert [tuple(feature.shape) for feature in features] == [(1, 80, 8, 16), (1, 576, 4, 8), (1, 1088, 2, 4)]
    assert not any(feature.requires_grad for feature in features)


@pytest.mark.parametrize("cut", [1, 3, 4, 7, 9, 11, 12, 16])
def test_cut_anywhere_the_features_are_the_same(backbone: Backbone, cut: int) -> None:
    images = torch.rand(2, 3, 64, 64) * 255
    parts = backbone.module.forward_until(images, cut)
    for found, whole in zip(backbone.module.forward_from(parts, cut), backbone.module(images), strict=True):
        torch.testing.assert_close(found, whole)


def test_what_is_before_the_first_part_given_is_left_out(backbone: Backbone) -> None:
    images = torch.rand(1, 3, 64, 64) * 255
    _, part = backbone.module.forward_until(images, 7)
    assert part.shape[1] == 80 + 80  # blocks 5 and 6
    features = backbone.module.forward_from([part], 7)
    assert [feature.shape[1] for feature in features] == [576, 1088]


@pytest.mark.parametrize("kernel", [3, 5])
def test_fixed_filters_have_the_gradient_of_a_convolution(kernel: int) -> None:
    layer = ConvNorm(6, 6, kernel, groups=6).eval()
    layer.norm.weight.data.uniform_(0.5, 2)
    x = torch.randn(2, 6, 9, 7, requires_grad=True)
    gradients = []
    for is_learnt in (True, False):
        layer.conv.weight.requires_grad_(is_learnt)
        layer.norm.weight.requires_grad_(is_learnt)
        gradients.append(torch.autograd.grad(layer(x).square().sum(), [x, layer.norm.bias]))
    for learnt, fixed in zip(*gradients, strict=True):
        torch.testing.assert_close(fixed, learnt, rtol=1e-4, atol=1e-5)


def test_products_in_bfloat16_are_near_those_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = ConvNorm(32, 16, 1).eval(), torch.rand(2, 32, 4, 4)
    found = []
    for has in (False, True):
        monkeypatch.setattr(efficientnet, "HAS_BFLOAT16", has)
        found.append(layer(x))
        with torch.no_grad():
            found.append(layer(x))
    wide, wide_fixed, narrow, narrow_fixed = found
    torch.testing.assert_close(narrow, wide, atol=0.02, rtol=0.02)
    assert not torch.equal(narrow, wide)
    # Where nothing is learnt nothing is rounded.
    assert torch.equal(narrow_fixed, wide_fixed)


def test_weights_are_all_of_lite0_up_to_its_last_block(backbone: Backbone) -> None:
    # 4,652,008 parameters less the classifier's 1,281,000, the last 1 × 1 convolution's 409,600 and its norm's 2,560.
    assert sum(weight.numel() for weight in backbone.module.parameters()) == 2_958_848


def test_every_value_is_the_packages(weights_folder: Path) -> None:
    ours = load_file(weights_folder / "efficientnet_lite0.safetensors")
    theirs = torch.load(packaged_weights(), weights_only=True)
    assert torch.equal(ours["stem.conv.weight"], theirs["_conv_stem.weight"])
    # The first block does not widen, so its depthwise convolution comes first.
    assert torch.equal(ours["blocks.0.layers.0.conv.weight"], theirs["_blocks.0._depthwise_conv.weight"])
    assert torch.equal(ours["blocks.15.layers.2.norm.running_var"], theirs["_blocks.15._bn2.running_var"])
    assert len(ours) == 5 * (1 + 2 + 15 * 3)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"anything")
    with pytest.raises(
        WrongWeights, match=r"x\.pth has SHA-256 ee0874170b7f6f32b8c2ac9573c428d35b575270a66b757c2c0185d2bd09718d"
    ):
        convert_weights("efficientnet_lite0", tmp_path / "x.pth", tmp_path)


def test_a_changed_file_is_refused(weights_folder: Path) -> None:
    with pytest.raises(WrongWeights, match="expected 0000"):
        load_backbone("efficientnet_lite0", weights_folder, expected_sha256="0" * 64)


@pytest.mark.parametrize(("kernel", "padding"), [(3, (0, 1)), (5, (1, 2))])
def test_strided_convolutions_pad_more_on_the_right_and_below(kernel: int, padding: tuple[int, int]) -> None:
    assert ConvNorm(1, 1, kernel, stride=2).padding() == padding * 2


def test_same_padding_by_hand() -> None:
    layer = ConvNorm(1, 1, 3, stride=2, act=False).eval()
    layer.norm.eps = 0.0
    with torch.no_grad():
        layer.conv.weight.fill_(1.0)
    # Sums of 3 × 3 windows that start at even pixels of a 4 × 4 image of ones: 9, 6 (last column out), 6, 4.
    assert layer(torch.ones(1, 1, 4, 4)).tolist() == [[[[9.0, 6.0], [6.0, 4.0]]]]


def test_folding_equals_convolution_then_norm() -> None:
    torch.manual_seed(0)
    layer = ConvNorm(3, 4, 3).eval()
    with torch.no_grad():
        layer.norm.running_mean.uniform_(-1, 1)
        layer.norm.running_var.uniform_(0.5, 2)
        layer.norm.bias.uniform_(-1, 1)
    x = torch.randn(2, 3, 8, 8)
    padded = torch.nn.functional.pad(x, layer.padding())
    torch.testing.assert_close(layer(x), layer.norm(layer.conv(padded)).clamp(0, 6), atol=1e-5, rtol=1e-5)


def test_the_registry_names_what_it_builds() -> None:
    assert EfficientNetLite0.channels == (80, 576, 1088)
    with pytest.raises(KeyError):
        convert_weights("resnet", Path("x"), Path("y"))
