"""The same Glow as glow_torch.py the way it is usually written: one module a layer, autograd, torch.optim, PyTorch's defaults.

Nothing is folded, packed or kept from one call to the next; the inverse of a 1x1 convolution is taken whenever it is used.
Driven by glow_torch.py, as its setup with "plain": true.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


class ActNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bias, self.logs = nn.Parameter(torch.zeros(1, c, 1, 1)), nn.Parameter(torch.zeros(1, c, 1, 1))

    def forward(self, x):
        return (x + self.bias) * torch.exp(3 * self.logs), 3 * self.logs.sum() * x.shape[2] * x.shape[3]

    def inverse(self, y):
        return y * torch.exp(-3 * self.logs) - self.bias


class InvertibleConv(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(c, c))[0])

    def forward(self, x):
        return F.conv2d(x, self.weight[:, :, None, None]), torch.linalg.slogdet(self.weight)[1] * x.shape[2] * x.shape[3]

    def inverse(self, y):
        return F.conv2d(y, torch.inverse(self.weight)[:, :, None, None])


class NormedConv(nn.Module):
    def __init__(self, c, out, size):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(c, out, size, padding=size // 2, bias=False), ActNorm(out)
        nn.init.normal_(self.conv.weight, 0, 0.05)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x))[0])


class ZeroConv(nn.Module):
    def __init__(self, c, out):
        super().__init__()
        self.conv, self.logs = nn.Conv2d(c, out, 3, padding=1), nn.Parameter(torch.zeros(1, out, 1, 1))
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        return self.conv(x) * torch.exp(3 * self.logs)


class Coupling(nn.Module):
    def __init__(self, c, width, affine):
        super().__init__()
        self.affine = affine
        self.net = nn.Sequential(NormedConv(c // 2, width, 3), NormedConv(width, width, 1), ZeroConv(width, c if affine else c // 2))

    def forward(self, x):
        z1, z2 = x.chunk(2, 1)
        h = self.net(z1)
        if not self.affine:
            return torch.cat([z1, z2 + h], 1), 0
        s = torch.sigmoid(h[:, 1::2] + 2)
        return torch.cat([z1, (z2 + h[:, 0::2]) * s], 1), torch.log(s).sum((1, 2, 3))

    def inverse(self, y):
        z1, z2 = y.chunk(2, 1)
        h = self.net(z1)
        if not self.affine:
            return torch.cat([z1, z2 - h], 1)
        return torch.cat([z1, z2 / torch.sigmoid(h[:, 1::2] + 2) - h[:, 0::2]], 1)


def squeeze(x):
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


def unsqueeze(y):
    n, c, h, w = y.shape
    return y.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)


def log_normal(z, mean, logs):
    return (-0.5 * math.log(2 * math.pi) - logs - 0.5 * (z - mean) ** 2 * torch.exp(-2 * logs)).sum((1, 2, 3))


class PlainGlow(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o, c = o, o["channels"]
        self.levels, self.splits = nn.ModuleList(), nn.ModuleList()
        for level in range(o["levels"]):
            c *= 4
            self.levels.append(nn.ModuleList(
                layer for _ in range(o["depth"])
                for layer in (ActNorm(c), InvertibleConv(c), Coupling(c, o["width"], o["coupling"] == "affine"))))
            if level < o["levels"] - 1:
                self.splits.append(ZeroConv(c // 2, c))
                c //= 2
        self.prior = nn.Parameter(torch.zeros(1, 2 * c, 1, 1))

    def encode(self, x):
        total, latents = x.new_zeros(x.shape[0]), []
        for level, layers in enumerate(self.levels):
            x = squeeze(x)
            for layer in layers:
                x, logdet = layer(x)
                total = total + logdet
            if level < len(self.splits):
                x, z2 = x.chunk(2, 1)
                h = self.splits[level](x)
                mean, logs = h[:, 0::2], h[:, 1::2]
                total = total + log_normal(z2, mean, logs)
                latents.append((z2 - mean) * torch.exp(-logs))
        mean, logs = self.prior.chunk(2, 1)
        latents.append((x - mean) * torch.exp(-logs))
        return total + log_normal(x, mean, logs), latents

    def forward(self, x):
        """Mean bits/dim."""
        d = self.o["channels"] * self.o["size"] ** 2
        return (d * math.log(256) - self.encode(x)[0].mean()) / (d * math.log(2))

    @torch.no_grad()
    def decode(self, latents):
        mean, logs = self.prior.chunk(2, 1)
        x = mean + torch.exp(logs) * latents[-1]
        for level in reversed(range(len(self.levels))):
            if level < len(self.splits):
                h = self.splits[level](x)
                x = torch.cat([x, h[:, 0::2] + torch.exp(h[:, 1::2]) * latents[level]], 1)
            for layer in reversed(self.levels[level]):
                x = layer.inverse(x)
            x = unsqueeze(x)
        return x

    def sample(self, n):
        latents = []
        for level in range(len(self.levels)):
            size, last = self.o["size"] >> (level + 1), level == len(self.levels) - 1
            latents.append(torch.randn(n, self.o["channels"] << (level + 1 + last), size, size, device=self.prior.device))
        return self.decode(latents)


def lowered(model, low):
    """The usual way to a lower precision."""
    return torch.autocast(model.prior.device.type, dtype=torch.bfloat16, enabled=low == torch.bfloat16)


def sample(o, model, low):
    with lowered(model, low):
        return model.sample(o["batch"])


def trainer(o, model, low):
    optimizer = torch.optim.Adamax(model.parameters(), o.get("rate", 1e-3), (0.9, 0.999))
    batch = torch.rand(o["batch"], o["channels"], o["size"], o["size"], device=model.prior.device) - 0.5
    batch = batch.contiguous(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad()
        with lowered(model, low):
            loss = model(batch)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def check(o, device, low):
    """Errors of the inverse, and a loss that falls."""
    torch.manual_seed(1)
    model = PlainGlow(o).to(device)
    for p in model.parameters():
        p.data.add_(0.05 * torch.randn_like(p))
    x = torch.rand(o["batch"], o["channels"], o["size"], o["size"], device=device) - 0.5
    with torch.no_grad(), lowered(model, low):
        error = float((model.decode(model.encode(x)[1]) - x).abs().max())
    step = trainer(o, PlainGlow(o).to(device), low)
    losses = [step() for _ in range(30)]
    return {"plain inverse error": error, "plain loss fell by": losses[0] - losses[-1]}
