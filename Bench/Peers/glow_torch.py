#!/usr/bin/env python3
"""A Glow in PyTorch, as fast as plain PyTorch allows, to measure against.

Same model as GlowGpu's (Kingma & Dhariwal 2018) with every shortcut a practitioner could take: channels_last tensors,
actnorm folded into the 1x1 convolution and into the hidden convolutions, in-place ReLU, zero padding instead of the edge
channel (less work than ours), all log-determinants of a level in one call, cached inverses when sampling.

It is driven over standard input, one command a line, one JSON object back, so that a benchmark can interleave it with
another program:
    setup {"kind": "train"|"sample", "size": 32, "channels": 3, "levels": 3, "depth": 8, "width": 128,
           "coupling": "affine", "batch": 16, "threads": 2, "compile": false}
    step          one training step or one batch of samples: {"ms": ..., "loss": ...}
    memory        {"peak_mb": ...} of this process
    quit
"""
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def squeeze(x):
    n, c, h, w = x.shape
    x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, 4 * c, h // 2, w // 2).contiguous(memory_format=torch.channels_last)


def unsqueeze(y):
    n, c, h, w = y.shape
    y = y.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // 4, h * 2, w * 2).contiguous(memory_format=torch.channels_last)


class Step(nn.Module):
    def __init__(self, c, width, affine):
        super().__init__()
        self.affine, self.half = affine, c // 2
        out = c if affine else c // 2
        self.bias = nn.Parameter(torch.zeros(c))
        self.logs = nn.Parameter(torch.zeros(c))
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(c, c))[0])
        self.w1 = nn.Parameter(0.05 * torch.randn(width, c // 2, 3, 3))
        self.w2 = nn.Parameter(0.05 * torch.randn(width, width, 1, 1))
        self.w3 = nn.Parameter(torch.zeros(out, width, 3, 3))
        self.b1, self.l1 = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.b2, self.l2 = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.b3, self.l3 = nn.Parameter(torch.zeros(out)), nn.Parameter(torch.zeros(out))
        self.folded = None

    def fold(self):
        """Convolutions with every actnorm folded in; kept as long as the weights stand still."""
        e = torch.exp(3 * self.logs)
        mix = e[:, None] * self.weight
        s1, s2, s3 = torch.exp(3 * self.l1), torch.exp(3 * self.l2), torch.exp(3 * self.l3)
        return (mix.t()[:, :, None, None], (self.bias * e) @ self.weight,
                (self.w1 * s1[:, None, None, None]).contiguous(memory_format=torch.channels_last), self.b1 * s1,
                self.w2 * s2[:, None, None, None], self.b2 * s2,
                (self.w3 * s3[:, None, None, None]).contiguous(memory_format=torch.channels_last), self.b3 * s3)

    def network(self, z1, f):
        h = F.relu_(F.conv2d(z1, f[2], f[3], padding=1))
        h = F.relu_(F.conv2d(h, f[4], f[5]))
        return F.conv2d(h, f[6], f[7], padding=1)

    def forward(self, x):
        f = self.fold()
        y = F.conv2d(x, f[0], f[1])
        z1, z2 = y[:, :self.half], y[:, self.half:]
        h = self.network(z1, f)
        if not self.affine:
            return torch.cat([z1, z2 + h], 1), 0.0
        s = h[:, 1::2] + 2
        z2 = (z2 + h[:, 0::2]) * torch.sigmoid(s)
        return torch.cat([z1, z2], 1), F.logsigmoid(s).sum((1, 2, 3))

    def cache(self):
        e = torch.exp(3 * self.logs)
        inverse = torch.linalg.inv(self.weight.double()).float() / e[None, :]
        self.folded = (self.fold(), inverse.t()[:, :, None, None].contiguous(), -self.bias)

    def inverse(self, y):
        f, inverse, offset = self.folded
        z1, z2 = y[:, :self.half], y[:, self.half:]
        h = self.network(z1, f)
        z2 = z2 / torch.sigmoid(h[:, 1::2] + 2) - h[:, 0::2] if self.affine else z2 - h
        return F.conv2d(torch.cat([z1, z2], 1), inverse, offset)


class Glow(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        c = o["channels"]
        self.levels, self.splits = nn.ModuleList(), nn.ParameterList()
        for level in range(o["levels"]):
            c *= 4
            self.levels.append(nn.ModuleList(Step(c, o["width"], o["coupling"] == "affine") for _ in range(o["depth"])))
            if level < o["levels"] - 1:
                self.splits.append(nn.Parameter(torch.zeros(c, c // 2, 3, 3)))
                self.splits.append(nn.Parameter(torch.zeros(c)))
                c //= 2
        self.prior = nn.Parameter(torch.zeros(2 * c))

    @staticmethod
    def score(z, mean, logs):
        return (-0.5 * math.log(2 * math.pi) - logs - 0.5 * (z - mean) ** 2 * torch.exp(-2 * logs)).sum((1, 2, 3))

    def forward(self, x):
        total = torch.zeros(x.shape[0])
        for level, steps in enumerate(self.levels):
            x = squeeze(x)
            pixels = x.shape[2] * x.shape[3]
            for step in steps:
                x, logdet = step(x)
                total = total + logdet
            w = torch.stack([s.weight for s in steps])
            logs = torch.stack([s.logs for s in steps])
            total = total + pixels * (3 * logs.sum() + torch.linalg.slogdet(w)[1].sum())
            if level < len(self.levels) - 1:
                half = x.shape[1] // 2
                z1, z2 = x[:, :half], x[:, half:]
                h = F.conv2d(z1, self.splits[2 * level], self.splits[2 * level + 1], padding=1)
                total = total + self.score(z2, h[:, 0::2], h[:, 1::2])
                x = z1.contiguous(memory_format=torch.channels_last)
        mean, logs = self.prior.view(1, -1, 1, 1).chunk(2, 1)
        total = total + self.score(x, mean, logs)
        d = self.o["channels"] * self.o["size"] ** 2
        return (d * math.log(256) - total).mean() / (d * math.log(2))

    @torch.no_grad()
    def sample(self, n):
        size = self.o["size"] >> len(self.levels)
        mean, logs = self.prior.view(1, -1, 1, 1).chunk(2, 1)
        x = mean + torch.exp(logs) * torch.randn(n, mean.shape[1], size, size)
        x = x.contiguous(memory_format=torch.channels_last)
        for level in reversed(range(len(self.levels))):
            if level < len(self.levels) - 1:
                h = F.conv2d(x, self.splits[2 * level], self.splits[2 * level + 1], padding=1)
                z2 = h[:, 0::2] + torch.exp(h[:, 1::2]) * torch.randn_like(x)
                x = torch.cat([x, z2], 1)
            for step in reversed(self.levels[level]):
                x = step.inverse(x)
            x = unsqueeze(x)
        return x


def setup(o):
    torch.manual_seed(0)
    torch.set_num_threads(o["threads"])
    model = Glow(o)
    shape = (o["batch"], o["channels"], o["size"], o["size"])
    if o["kind"] == "sample":
        for steps in model.levels:
            for step in steps:
                step.cache()
        run = torch.compile(model.sample) if o.get("compile") else model.sample
        return lambda: float(run(o["batch"]).abs().mean())
    optimizer = torch.optim.Adamax(model.parameters(), lr=1e-3, foreach=True)
    batch = (torch.rand(shape) - 0.5).contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if o.get("compile") else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = run(batch)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def main():
    step = None
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "setup":
            step = setup(json.loads(rest))
            reply = {"torch": torch.__version__}
        elif command == "step":
            start = time.perf_counter()
            loss = step()
            reply = {"ms": 1000 * (time.perf_counter() - start), "loss": loss}
        elif command == "memory":
            reply = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        else:
            break
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
