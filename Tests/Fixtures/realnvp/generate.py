"""Golden values of small RealNVPs, written with torch's own convolutions and gradients from the paper's formulas (double precision)."""
import math
import os
import sys

import torch
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import golden  # noqa: E402

EPSILON = 1e-5


class RealNvp:
    """Tensors are [N,C,H,W]; weights [kh,kw,in,out] as in the checkpoint."""

    def __init__(self, config, draw):
        self.config, self.draw = config, draw

    def conv(self, name, x, size, outs):
        d = self.draw.tensors
        if name + ".weight" not in d:
            fan = size * size * x.shape[1]
            self.draw.normal(name + ".weight", (size, size, x.shape[1], outs), fan ** -0.5)
            self.draw.normal(name + ".bias", (outs,), 0.2)
        return F.conv2d(x, d[name + ".weight"].permute(3, 2, 0, 1), d[name + ".bias"], padding=size // 2)

    def statistics(self, name, x):
        d = self.draw.tensors
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
        if name + ".running_mean" not in d:
            # Near the batch's, but not the same.
            r = self.draw.random
            self.draw.statistic(name + ".running_mean", mean.detach().numpy() + 0.1 * r.randn(len(mean)))
            self.draw.statistic(name + ".running_variance", variance.detach().numpy() * (1 + 0.2 * r.rand(len(mean))))
        if self.training:
            return mean, variance
        return d[name + ".running_mean"], d[name + ".running_variance"]

    def norm(self, name, x):
        d = self.draw.tensors
        if name + ".gain" not in d:
            self.draw.normal(name + ".gain", (x.shape[1],), 0.2, 1.0)
            self.draw.normal(name + ".bias", (x.shape[1],), 0.2)
        mean, variance = self.statistics(name, x)
        n = (x - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + EPSILON)
        return torch.relu(n * d[name + ".gain"][:, None, None] + d[name + ".bias"][:, None, None])

    def network(self, name, x, outs):
        width = self.config["width"]
        h = self.conv(name + ".in", x, 3, width)
        for b in range(self.config["blocks"]):
            block = "%s.blocks.%d" % (name, b)
            u = self.conv(block + ".conv1", self.norm(block + ".norm1", h), 3, width)
            h = h + self.conv(block + ".conv2", self.norm(block + ".norm2", u), 3, width)
        return self.conv(name + ".out", self.norm(name + ".norm", h), 1, outs)

    def scale_and_shift(self, name, condition, channels):
        d = self.draw.tensors
        h = self.network(name + ".network", condition, 2 * channels)
        if name + ".factor" not in d:
            self.draw.normal(name + ".factor", (channels,), 0.2, 0.8)
        return d[name + ".factor"][:, None, None] * torch.tanh(h[:, 1::2]), h[:, 0::2]

    def checkerboard(self, name, z, odd):
        n, c, h, w = z.shape
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        changes = ((ys + xs) % 2 == odd).double()
        s, t = self.scale_and_shift(name, (1 - changes) * z, c)
        s = changes * s
        self.log_likelihood = self.log_likelihood + s.sum(dim=(1, 2, 3))
        return (1 - changes) * z + changes * (z * torch.exp(s) + t)

    def channel(self, name, z, second):
        half = z.shape[1] // 2
        a, b = z[:, :half], z[:, half:]
        kept, changed = (b, a) if second else (a, b)
        s, t = self.scale_and_shift(name, kept, half)
        self.log_likelihood = self.log_likelihood + s.sum(dim=(1, 2, 3))
        changed = changed * torch.exp(s) + t
        return torch.cat((changed, kept) if second else (kept, changed), dim=1)

    def flow_norm(self, name, z):
        mean, variance = self.statistics(name + ".norm", z)
        self.log_likelihood = self.log_likelihood - 0.5 * z.shape[2] * z.shape[3] * torch.log(variance + EPSILON).sum()
        return (z - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + EPSILON)

    def score(self, z):
        self.log_likelihood = self.log_likelihood - 0.5 * (z * z + math.log(2 * math.pi)).sum(dim=(1, 2, 3))
        self.eps.append(z.permute(0, 2, 3, 1))

    def run(self, x, training):
        """x [N,H,W,C]; log-likelihoods [N] and latents [N,h,w,c]."""
        config = self.config
        self.training, self.eps = training, []
        z = x.permute(0, 3, 1, 2)
        dimensions = z[0].numel()
        self.log_likelihood = torch.full((len(x),), -dimensions * math.log(2 ** config["n_bits"]))
        for level in range(config["levels"]):
            last = level == config["levels"] - 1
            for k in range(config["depth"] + (1 if last else 0)):
                name = "levels.%d.checkerboard.%d" % (level, k)
                z = self.flow_norm(name, self.checkerboard(name, z, k % 2))
            if last:
                break
            n, c, h, w = z.shape
            z = z.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2)
            for k in range(config["depth"]):
                name = "levels.%d.channel.%d" % (level, k)
                z = self.flow_norm(name, self.channel(name, z, k % 2 == 1))
            self.score(z[:, 2 * c:])
            z = z[:, :2 * c]
        self.score(z)
        return self.log_likelihood, self.eps


def generate(name, seed, count, **config):
    config = dict(family="realnvp", n_bits=8, **config)
    draw = golden.Draw(seed)
    h, w = config["image_size"]
    x = torch.tensor((draw.random.rand(count, h, w, config["channels"]) - 0.5).astype("float32").astype("float64"))
    model = RealNvp(config, draw)
    with torch.no_grad():
        model.run(x, True)
    trained, _ = model.run(x, True)
    loss = golden.bits_per_dim(trained, x[0].numel())
    loss.backward()
    with torch.no_grad():
        evaluated, eps = model.run(x, False)
    tensors = {"x": x, "train.log_likelihood": trained, "train.loss": loss.reshape(1), "log_likelihood": evaluated}
    for level, e in enumerate(eps):
        tensors["eps%d" % level] = e
    golden.write(os.path.join(here, name + ".safetensors"), config, draw, tensors)


generate("rgb", 1, 3, image_size=[8, 4], channels=3, levels=2, depth=2, width=5, blocks=1)
generate("grey-one-level", 2, 4, image_size=[3, 4], channels=1, levels=1, depth=2, width=4, blocks=2)
