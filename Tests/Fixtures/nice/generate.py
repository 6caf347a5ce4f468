"""Golden values of small NICEs, written with torch from the paper's formulas (double precision)."""
import math
import os
import sys

import torch
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import golden  # noqa: E402


def run(config, draw, x):
    """x [N,H,W,C]; log-likelihoods [N] and the latent [N,H,W,C]."""
    flat = x.reshape(len(x), -1)
    halves = [flat[:, 0::2], flat[:, 1::2]]
    half = halves[0].shape[1]
    for k in range(config["depth"]):
        kept, changed = (0, 1) if k % 2 == 0 else (1, 0)
        a = halves[kept]
        for i in range(config["hidden"] + 1):
            name = "levels.0.couplings.%d.layers.%d" % (k, i)
            ins, outs = a.shape[1], config["width"] if i < config["hidden"] else half
            if name + ".weight" not in draw.tensors:
                draw.normal(name + ".weight", (1, 1, ins, outs), (1.0 / ins) ** 0.5)
                draw.normal(name + ".bias", (outs,), 0.2)
            a = a @ draw.tensors[name + ".weight"][0, 0] + draw.tensors[name + ".bias"]
            if i < config["hidden"]:
                a = torch.relu(a)
        halves[changed] = halves[changed] + a
    if "levels.0.scale.logs" not in draw.tensors:
        draw.normal("levels.0.scale.logs", (2, half), 0.3)
    logs = draw.tensors["levels.0.scale.logs"]
    z = torch.stack([halves[0] * torch.exp(logs[0]), halves[1] * torch.exp(logs[1])], dim=2).reshape(len(x), -1)
    if config["prior"] == "gaussian":
        density = -0.5 * (z * z + math.log(2 * math.pi))
    else:
        density = -F.softplus(z) - F.softplus(-z)
    log_likelihood = density.sum(dim=1) + logs.sum() - z.shape[1] * math.log(2 ** config["n_bits"])
    return log_likelihood, z.reshape(x.shape)


def generate(name, seed, count, **config):
    config = dict(family="nice", levels=1, n_bits=5, **config)
    draw = golden.Draw(seed)
    h, w = config["image_size"]
    x = torch.tensor((draw.random.rand(count, h, w, config["channels"]) - 0.5).astype("float32").astype("float64"))
    with torch.no_grad():
        run(config, draw, x)
    log_likelihood, z = run(config, draw, x)
    loss = golden.bits_per_dim(log_likelihood, z[0].numel())
    loss.backward()
    golden.write(os.path.join(here, name + ".safetensors"), config, draw, {
        "x": x, "train.log_likelihood": log_likelihood, "train.loss": loss.reshape(1), "log_likelihood": log_likelihood, "eps0": z,
    })


generate("logistic", 1, 4, image_size=[4, 6], channels=1, depth=4, width=9, hidden=2, prior="logistic")
generate("gaussian-rgb", 2, 3, image_size=[2, 3], channels=3, depth=3, width=7, hidden=1, prior="gaussian")
