"""Golden values for `glow import` and `glow export`, computed by the published programs themselves.

    python3 generate.py ROSINALITY CHAIYUJIN OUT
    python3 generate.py --check ROSINALITY STATE GOLDEN

ROSINALITY and CHAIYUJIN are checkouts of github.com/rosinality/glow-pytorch and github.com/chaiyujin/glow-pytorch. Nothing of
them is kept but numbers: of every model below, its state dict with random weights (NAME.state.safetensors) and what the
model makes, in double precision, of a few images and latents (NAME.golden.safetensors).

--check loads a state dict that `glow export` wrote into the unmodified ROSINALITY and compares with golden values of either program.
"""
import json
import struct
import sys
import types

import numpy as np
import torch

TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "uint8": "U8", "int64": "I64", "bool": "BOOL"}


def write_safetensors(path, tensors, metadata=None):
    header, blobs, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": TYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_safetensors(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    kinds = {code: name for name, code in TYPES.items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def stand_ins():
    """Modules that both programs import but whose results are overwritten or unused here."""
    def lu(matrix):
        p, l, u = torch.linalg.lu(torch.as_tensor(np.asarray(matrix)))
        return p.numpy(), l.numpy(), u.numpy()

    linalg = types.ModuleType("scipy.linalg")
    linalg.lu, linalg.qr = lu, np.linalg.qr
    scipy = types.ModuleType("scipy")
    scipy.linalg = linalg
    tqdm = types.ModuleType("tqdm")
    tqdm.tqdm = iter
    plot = types.ModuleType("matplotlib")
    plot.use = lambda name: None
    plot.pyplot = types.ModuleType("matplotlib.pyplot")
    sys.modules.update({"scipy": scipy, "scipy.linalg": linalg, "tqdm": tqdm, "matplotlib": plot, "matplotlib.pyplot": plot.pyplot})
    if not hasattr(np, "long"):
        np.long = np.int64


def fill(model, generator, negative_scales):
    """Random weights of the size that training gives; values are float32 numbers, whatever the type of the tensor."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name == "prior_h":
                continue
            draw = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            last = name.rsplit(".", 1)[-1]
            if last == "scale" and ".actnorm." in name:
                value = torch.exp(0.2 * draw)
                if negative_scales:
                    value = value * torch.sign(torch.randn(p.shape, generator=generator, dtype=torch.float64))
            elif last in ("logs", "scale"):
                value = 0.1 * draw
            elif last in ("loc", "bias"):
                value = 0.2 * draw
            elif last in ("w_s", "log_s"):
                value = p.double() + 0.1 * draw
            elif "invconv" in name:
                value = p.double() + 0.1 * draw
            else:
                fan = int(np.prod(p.shape[1:]))
                value = 0.5 * draw / np.sqrt(fan)
            p.copy_(value.float())
        for name, buffer in model.named_buffers():
            if name.endswith("initialized"):
                buffer.fill_(1)


def arrays(state):
    return {name: value.detach().cpu().float().numpy() if value.is_floating_point() else value.cpu().numpy() for name, value in state.items()}


def nhwc(tensor):
    return tensor.permute(0, 2, 3, 1).contiguous().numpy()


def load_rosinality(folder):
    sys.path.insert(0, folder)
    import model
    return model


def rosinality_golden(model, images, bits, eps):
    """Log-likelihoods with the -D ln(bins) of its calc_loss, latents by its own prior, images from latents."""
    bins = 2.0 ** bits
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double()
    if bits < 8:
        x = torch.floor(x / 2 ** (8 - bits))
    x = x / bins - 0.5 + 0.5 / bins
    with torch.no_grad():
        log_p, logdet, z = model(x)
        golden = {"images": images, "log_likelihood": (log_p + logdet - np.log(bins) * x[0].numel()).numpy()}
        out = x
        for level, block in enumerate(model.blocks):
            out, _, _, latent = block(out)
            mean, log_sd = block.prior(out if block.split else torch.zeros_like(out)).chunk(2, 1)
            golden["eps%d" % level] = nhwc((latent - mean) / torch.exp(log_sd))
        for level, latent in enumerate(eps):
            golden["decode.eps%d" % level] = nhwc(latent)
        golden["decode.x"] = nhwc(model.reverse(eps))
    return golden


def rosinality(module, out, name, seed, channels, size, levels, steps, width, affine, lu, bits, prefix="", negative=True):
    torch.manual_seed(seed)
    np.random.seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = module.Glow(channels, steps, levels, affine=affine, conv_lu=lu)
    c = channels
    for block in model.blocks:
        c = c * 4
        for flow in block.flows:
            # The width is an argument of the coupling that the program leaves at 512.
            flow.coupling = module.AffineCoupling(c, filter_size=width, affine=affine)
        c = c // 2
    fill(model, generator, negative)
    state = {prefix + n: v for n, v in arrays(model.state_dict()).items()}
    images = np.random.RandomState(seed).randint(0, 256, (2, size, size, channels)).astype(np.uint8)
    eps, c, s = [], channels, size
    for level in range(levels):
        c, s = c * 2 if level < levels - 1 else c * 4, s // 2
        eps.append(torch.randn(2, c, s, s, generator=generator, dtype=torch.float64).float().double())
    write_safetensors("%s/rosinality-%s.state.safetensors" % (out, name), state)
    write_safetensors("%s/rosinality-%s.golden.safetensors" % (out, name), rosinality_golden(model.double(), images, bits, eps))


def chaiyujin(glow, config, out, name, seed, channels, size, levels, steps, width, coupling, permutation, lu, learn_top, classes):
    torch.manual_seed(seed)
    np.random.seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = glow.Glow(config({
        "Glow": {"image_shape": [size, size, channels], "hidden_channels": width, "K": steps, "L": levels, "actnorm_scale": 1.0,
                 "flow_permutation": permutation, "flow_coupling": coupling, "LU_decomposed": lu, "learn_top": learn_top,
                 "y_condition": classes > 0, "y_classes": max(classes, 1)},
        "Device": {"glow": "cpu"}, "Train": {"batch_size": 2}}))
    model.set_actnorm_init()
    model.eval()
    fill(model, generator, False)
    state = arrays(model.state_dict())
    images = np.random.RandomState(seed).randint(0, 256, (2, size, size, channels)).astype(np.uint8)
    model = model.double()
    for module in model.modules():
        if hasattr(module, "l_mask"):
            module.l_mask, module.eye = module.l_mask.double(), module.eye.double()
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    golden = {"images": images}
    onehot = None
    if classes:
        labels = np.array([0, classes - 1])
        onehot = torch.eye(classes, dtype=torch.float64)[labels]
        golden["labels"] = labels.astype(np.uint8)
    halves = []
    # The latents of its splits are drawn inside the program; here they are recorded going in and given coming out.
    split = sys.modules["glow.modules"].Split2d
    gaussian = sys.modules["glow.modules"].GaussianDiag
    logp = gaussian.logp
    gaussian.logp = staticmethod(lambda mean, logs, z: (halves.append(nhwc((z - mean) / torch.exp(logs))), logp(mean, logs, z))[1])
    normal = torch.normal
    with torch.no_grad():
        torch.normal = lambda mean, std: mean
        z, nll, logits = model(x=x, y_onehot=onehot)
        torch.normal = normal
        pixels = size * size
        # Its objective starts at -ln(256) per pixel; without it, the log-density of x in [0,1].
        golden["log_density"] = (-nll * np.log(2.0) * pixels + np.log(256.0) * pixels).numpy()
        for level, eps in enumerate(halves):
            golden["eps%d" % level] = eps
        if logits is not None:
            golden["logits"] = logits.numpy()
        given = [torch.randn(2, h.shape[3], h.shape[1], h.shape[2], generator=generator, dtype=torch.float64).float().double() for h in halves]
        for level, eps in enumerate(given):
            golden["decode.eps%d" % level] = nhwc(eps)
        queue = list(reversed(given))
        # Its inverse matrices go through float32, which is only rounding.
        single, torch.Tensor.float = torch.Tensor.float, lambda tensor: tensor
        gaussian.sample = staticmethod(lambda mean, logs, std=None: mean + torch.exp(logs) * queue.pop(0))
        golden["decode.x"] = nhwc(model(y_onehot=onehot, reverse=True))
        torch.Tensor.float = single
        assert not queue and any(isinstance(m, split) for m in model.modules()) == (levels > 1)
    gaussian.logp = staticmethod(logp)
    write_safetensors("%s/chaiyujin-%s.state.safetensors" % (out, name), state)
    write_safetensors("%s/chaiyujin-%s.golden.safetensors" % (out, name), golden)


def generate(first, second, out):
    module = load_rosinality(first)
    rosinality(module, out, "affine-lu", 1, channels=3, size=8, levels=2, steps=2, width=4, affine=True, lu=True, bits=8)
    rosinality(module, out, "additive-dense-grey", 2, channels=1, size=8, levels=2, steps=1, width=6, affine=False, lu=False, bits=5, prefix="module.")
    rosinality(module, out, "additive-lu-grey", 3, channels=1, size=8, levels=2, steps=2, width=8, affine=False, lu=True, bits=8)
    rosinality(module, out, "affine-dense-grey", 4, channels=1, size=16, levels=2, steps=2, width=8, affine=True, lu=False, bits=5)
    rosinality(module, out, "one-level-grey", 5, channels=1, size=8, levels=1, steps=2, width=8, affine=True, lu=False, bits=8, negative=False)
    sys.path.insert(0, second)
    from glow import models
    from glow.config import JsonConfig
    chaiyujin(models, lambda c: JsonConfig(**c), out, "affine-dense", 6, 3, 8, 2, 2, 6, "affine", "invconv", False, False, 0)
    chaiyujin(models, lambda c: JsonConfig(**c), out, "affine-lu-top-grey", 7, 1, 8, 2, 2, 8, "affine", "invconv", True, True, 0)
    chaiyujin(models, lambda c: JsonConfig(**c), out, "additive-lu", 8, 3, 8, 2, 1, 8, "additive", "invconv", True, False, 0)
    chaiyujin(models, lambda c: JsonConfig(**c), out, "additive-dense-classes-grey", 9, 1, 8, 2, 2, 6, "additive", "invconv", False, True, 3)
    chaiyujin(models, lambda c: JsonConfig(**c), out, "affine-reverse-grey", 10, 1, 8, 1, 3, 8, "affine", "reverse", False, True, 0)


def check(folder, state_path, golden_path):
    module = load_rosinality(folder)
    state, meta = read_safetensors(state_path)
    golden, _ = read_safetensors(golden_path)
    model = module.Glow(int(meta["in_channel"]), int(meta["n_flow"]), int(meta["n_block"]),
                        affine=meta["affine"] == "true", conv_lu=meta["conv_lu"] == "true")
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    eps = [torch.from_numpy(golden["decode.eps%d" % level].copy()).permute(0, 3, 1, 2).double() for level in range(int(meta["n_block"]))]
    got = rosinality_golden(model.double(), golden["images"].copy(), int(meta["n_bits"]), eps)
    if "log_density" in golden:
        # From the other program: its values are byte/255, here they are in the middle of bins of 1/256.
        golden["log_likelihood"] = golden["log_density"] - golden["images"][0].size * np.log(255.0)
        golden["decode.x"] = (golden["decode.x"] * 255 + 0.5) / 256 - 0.5
    for name, expected in golden.items():
        if name in got and name != "images":
            difference = np.abs(got[name] - expected).max() / max(1e-30, np.abs(expected).max())
            print("%s: largest difference %.2g of the largest value" % (name, difference))
            assert difference < 1e-4, name


if __name__ == "__main__":
    stand_ins()
    if sys.argv[1] == "--check":
        check(*sys.argv[2:])
    else:
        generate(*sys.argv[1:])
