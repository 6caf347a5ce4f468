#!/usr/bin/env python3
"""A Glow in PyTorch, as fast as PyTorch's own operations allow, to measure against.

Same model as GlowGpu's (Kingma & Dhariwal 2018) with every shortcut that was found to help a practitioner:
  * channels_last tensors, so that every convolution runs in oneDNN's fast path;
  * actnorm folded into the 1x1 convolution and into the hidden convolutions, the small folds of a level in one call;
  * the flow step as one autograd function with a backward by hand: no intermediate is kept that can be had again cheaply,
    ReLU and coupling work in place, nothing is concatenated;
  * zero padding instead of the edge channel (less work than ours), log-determinants of a level in one call;
  * a lean Adamax (torch.optim's takes several times as long on a CPU), no gradient norm;
  * for samples: no autograd, cached inverses, weights packed once in oneDNN's own layout, ReLU fused into the convolution;
  * memory that goes back to the allocator and not to the system, denormals flushed, threads bound to cores.

On a GPU (--device cuda) the same code runs there, convolutions by cuDNN with its algorithms tried out, in --precision fp32, tf32
or bf16 (the coupling networks; flow variables, parameters and gradients stay float32 in each). "compile": true hands a whole flow
step, written in plain differentiable operations, to torch.compile: once for the shapes of a level, not once for each of its steps.

It is driven over standard input, one command a line, one JSON object back, so that a benchmark can interleave it with
another program:
    setup {"kind": "train"|"sample", "size": 32, "channels": 3, "levels": 3, "depth": 8, "width": 128,
           "coupling": "affine", "batch": 16, "rate": 1e-3, "compile": false,
           "plain": false}      plain: the model of glow_plain.py instead
    step          one training step or one batch of samples: {"ms": ..., "loss": ...}
    memory        {"peak_mb": ...} of this process; on a GPU the most that its tensors took there
    check         that it is a Glow: {"check": "passed", ...} with the measured errors, or {"error": ...}
    quit
A command that fails answers {"error": ...}. Run with --threads T (default: every core), --device D, --precision P.
"""
import argparse
import json
import math
import os
import sys
import time

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
arguments.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32")
chosen = arguments.parse_args(None if __name__ == "__main__" else [])
threads = chosen.threads

# All of these are read when a process or its OpenMP runtime starts, hence the second start.
TUNING = {
    "OMP_NUM_THREADS": str(threads),
    "OPENBLAS_NUM_THREADS": str(threads),
    "OMP_PROC_BIND": "true",
    # glibc would give large blocks back to the system and fault every page in again on the next step.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1000000000000",
    "MALLOC_TOP_PAD_": "67108864",
}
if __name__ == "__main__" and any(os.environ.get(key) != value for key, value in TUNING.items()):
    os.environ.update(TUNING)
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
import torch.nn.functional as F
from torch import nn

import glow_plain

LAST = torch.channels_last
DEVICE = torch.device(chosen.device)
# What the coupling networks compute in.
LOW = torch.bfloat16 if chosen.precision == "bf16" else torch.float32
# oneDNN's packed weights are a CPU's, in float32.
PREPACKED = chosen.device == "cpu" and LOW == torch.float32
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = chosen.precision != "fp32"
torch.backends.cudnn.benchmark = True
LN_2PI = math.log(2 * math.pi)
convolution_backward = torch.ops.aten.convolution_backward


def squeeze(x):
    n, c, h, w = x.shape
    x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, 4 * c, h // 2, w // 2).contiguous(memory_format=LAST)


def unsqueeze(y):
    n, c, h, w = y.shape
    y = y.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // 4, h * 2, w * 2).contiguous(memory_format=LAST)


def backward_of(gradient, x, weight, bias, padding, wants_input=True):
    return convolution_backward(gradient, x, weight, [bias.shape[0]], [1, 1], [padding, padding], [1, 1], False, [0, 0], 1,
                                [wants_input, True, True])


class FlowStep(torch.autograd.Function):
    """Actnorm and 1x1 convolution (folded: mix, offset), then the coupling whose network is w1, b1, w2, b2, w3, b3 (folded)."""

    @staticmethod
    def forward(ctx, x, affine, mix, offset, w1, b1, w2, b2, w3, b3):
        y = F.conv2d(x, mix, offset)
        half = y.shape[1] // 2
        z1 = y[:, :half].contiguous(memory_format=LAST)
        z2 = y[:, half:]
        z1, w1, b1, w2, b2, w3, b3 = (t.to(LOW) for t in (z1, w1, b1, w2, b2, w3, b3))
        h1 = F.relu_(F.conv2d(z1, w1, b1, padding=1))
        h2 = F.relu_(F.conv2d(h1, w2, b2))
        h = F.conv2d(h2, w3, b3, padding=1).float()
        ctx.affine = affine
        if affine:
            s = h[:, 1::2].add(2)
            z2.add_(h[:, 0::2]).mul_(torch.sigmoid(s))
            logdet = F.logsigmoid(s).sum((1, 2, 3))
            ctx.save_for_backward(x, y, z1, h1, h2, s, mix, offset, w1, b1, w2, b2, w3, b3)
        else:
            z2.add_(h)
            logdet = x.new_zeros(x.shape[0])
            ctx.save_for_backward(x, y, z1, h1, h2, None, mix, offset, w1, b1, w2, b2, w3, b3)
        return y, logdet

    @staticmethod
    def backward(ctx, dy, dlogdet):
        x, y, z1, h1, h2, s, mix, offset, w1, b1, w2, b2, w3, b3 = ctx.saved_tensors
        half = z1.shape[1]
        dy = dy.clone(memory_format=LAST)
        dz2 = dy[:, half:]
        if ctx.affine:
            # From the output, as z2 is no longer there: ds = (dz2 * z2 + g) * (1 - scale), dshift = dz2 * scale.
            scale = torch.sigmoid(s)
            dh = torch.empty_like(dy)
            dh[:, 1::2] = (dz2 * y[:, half:]).add_(dlogdet.view(-1, 1, 1, 1)).mul_(1 - scale)
            dz2.mul_(scale)
            dh[:, 0::2] = dz2
        else:
            dh = dz2.contiguous(memory_format=LAST)
        g, dw3, db3 = backward_of(dh.to(LOW), h2, w3, b3, 1)
        g = torch.ops.aten.threshold_backward.grad_input(g, h2, 0, grad_input=g)
        g, dw2, db2 = backward_of(g, h1, w2, b2, 0)
        g = torch.ops.aten.threshold_backward.grad_input(g, h1, 0, grad_input=g)
        g, dw1, db1 = backward_of(g, z1, w1, b1, 1)
        dy[:, :half].add_(g)
        dx, dmix, doffset = backward_of(dy, x, mix, offset, 0, ctx.needs_input_grad[0])
        return (dx, None, dmix, doffset, *(t.float() for t in (dw1, db1, dw2, db2, dw3, db3)))


def network(z1, w1, b1, w2, b2, w3, b3):
    z1, w1, b1, w2, b2, w3, b3 = (t.to(LOW) for t in (z1, w1, b1, w2, b2, w3, b3))
    return F.conv2d(F.relu(F.conv2d(F.relu(F.conv2d(z1, w1, b1, padding=1)), w2, b2)), w3, b3, padding=1).float()


def reference_step(x, affine, mix, offset, w1, b1, w2, b2, w3, b3):
    """What FlowStep computes, in plain differentiable operations: the check compares both, and torch.compile takes this one."""
    z1, z2 = F.conv2d(x, mix, offset).chunk(2, 1)
    h = network(z1, w1, b1, w2, b2, w3, b3)
    if not affine:
        return torch.cat([z1, z2 + h], 1), x.new_zeros(x.shape[0])
    s = h[:, 1::2] + 2
    return torch.cat([z1, (z2 + h[:, 0::2]) * torch.sigmoid(s)], 1), F.logsigmoid(s).sum((1, 2, 3))


def inverse_step(y, affine, back, offset, w1, b1, w2, b2, w3, b3):
    z1, z2 = y.chunk(2, 1)
    h = network(z1, w1, b1, w2, b2, w3, b3)
    z2 = z2 / torch.sigmoid(h[:, 1::2] + 2) - h[:, 0::2] if affine else z2 - h
    return F.conv2d(torch.cat([z1, z2], 1), back, offset)


class Level(nn.Module):
    """K flow steps; their small parameters lie in one tensor each, so that a level folds them in one call."""

    def __init__(self, c, depth, width, affine):
        super().__init__()
        out = c if affine else c // 2
        self.affine, self.half, self.packed = affine, c // 2, None
        self.step, self.undo = reference_step, inverse_step
        zeros = lambda n: nn.Parameter(torch.zeros(depth, n))
        self.bias, self.logs = zeros(c), zeros(c)
        self.weight = nn.Parameter(torch.stack([torch.linalg.qr(torch.randn(c, c))[0] for _ in range(depth)]))
        each = lambda make: nn.ParameterList(nn.Parameter(make().contiguous(memory_format=LAST)) for _ in range(depth))
        self.w1 = each(lambda: 0.05 * torch.randn(width, c // 2, 3, 3))
        self.w2 = each(lambda: 0.05 * torch.randn(width, width, 1, 1))
        self.w3 = each(lambda: torch.zeros(out, width, 3, 3))
        self.b1, self.l1, self.b2, self.l2, self.b3, self.l3 = (zeros(n) for n in (width, width, width, width, out, out))

    def folded(self):
        """Per step: mix [C,C,1,1], offset [C], and weight and bias of the three convolutions, every actnorm folded in."""
        e = torch.exp(3 * self.logs)
        mix = (e[:, :, None] * self.weight).transpose(1, 2)[:, :, :, None, None]
        offset = ((self.bias * e)[:, None, :] @ self.weight).squeeze(1)
        s1, s2, s3 = (torch.exp(3 * logs) for logs in (self.l1, self.l2, self.l3))
        c1, c2, c3 = self.b1 * s1, self.b2 * s2, self.b3 * s3
        s1, s2, s3 = (s[:, :, None, None, None] for s in (s1, s2, s3))
        rows = zip(mix.unbind(), offset.unbind(), s1.unbind(), c1.unbind(), s2.unbind(), c2.unbind(), s3.unbind(), c3.unbind())
        for k, (m, o, f1, a1, f2, a2, f3, a3) in enumerate(rows):
            yield m, o, self.w1[k] * f1, a1, self.w2[k] * f2, a2, self.w3[k] * f3, a3

    def forward(self, x, reference=False):
        """Latent, log-determinant per image [N] and the part of it that all images share."""
        total = x.new_zeros(x.shape[0])
        for folded in self.folded():
            x, logdet = self.step(x, self.affine, *folded) if reference else FlowStep.apply(x, self.affine, *folded)
            total = total + logdet
        return x, total + x.shape[2] * x.shape[3] * (3 * self.logs.sum() + torch.linalg.slogdet(self.weight)[1].sum())

    @torch.no_grad()
    def pack(self, n, size):
        """Inverses and weights for batches of n: on a CPU in the layout that oneDNN multiplies fastest, otherwise converted once."""
        inverse = torch.linalg.inv(self.weight.double()).float() / torch.exp(3 * self.logs)[:, None, :]
        width = self.b1.shape[1]
        self.packed = []
        for k, (_, _, w1, b1, w2, b2, w3, b3) in enumerate(self.folded()):
            back = inverse[k].t()[:, :, None, None].contiguous()
            if not PREPACKED:
                self.packed.append((back, -self.bias[k], *(t.to(LOW) for t in (w1, b1, w2, b2, w3, b3))))
                continue
            self.packed.append((Packed(w1, b1, n, size, relu=True), Packed(w2, b2, n, size, relu=True),
                                Packed(w3, b3, n, size), Packed(back, -self.bias[k], n, size)))

    def inverse(self, y):
        if not PREPACKED:
            for packed in reversed(self.packed):
                y = self.undo(y, self.affine, *packed)
            return y
        for conv1, conv2, conv3, back in reversed(self.packed):
            z2 = y[:, self.half:]
            h = conv3(conv2(conv1(y[:, :self.half].contiguous(memory_format=LAST))))
            if self.affine:
                z2.div_(torch.sigmoid(h[:, 1::2] + 2)).sub_(h[:, 0::2])
            else:
                z2.sub_(h)
            y = back(y)
        return y


class Packed:
    """A convolution whose weights are laid out once, with an optional ReLU inside; its input must have no gaps."""

    def __init__(self, weight, bias, n, size, relu=False):
        pad = weight.shape[2] // 2
        self.plain = None if PREPACKED else (weight.detach(), bias.detach(), pad)
        if not PREPACKED:
            return
        self.context = torch.ops.mkldnn_prepacked.conv2d_prepack(
            weight, bias, [1, 1], [pad, pad], [1, 1], 1, [n, weight.shape[1], size, size], "relu" if relu else "none")

    def __call__(self, x):
        if self.plain:
            weight, bias, pad = self.plain
            return F.conv2d(x, weight, bias, padding=pad)
        return torch.ops.mkldnn_prepacked.conv2d_run(x, self.context)


class Glow(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        c = o["channels"]
        self.levels, self.splits = nn.ModuleList(), nn.ParameterList()
        for level in range(o["levels"]):
            c *= 4
            self.levels.append(Level(c, o["depth"], o["width"], o["coupling"] == "affine"))
            if level < o["levels"] - 1:
                self.splits.append(nn.Parameter(torch.zeros(c, c // 2, 3, 3).contiguous(memory_format=LAST)))
                self.splits.append(nn.Parameter(torch.zeros(c)))
                c //= 2
        self.prior = nn.Parameter(torch.zeros(2 * c))

    @staticmethod
    def score(z, mean, logs):
        return (-0.5 * LN_2PI - logs - 0.5 * (z - mean) ** 2 * torch.exp(-2 * logs)).sum((1, 2, 3))

    def top(self):
        return self.prior.view(1, -1, 1, 1).chunk(2, 1)

    def encode(self, x, reference=False):
        """Log-likelihood per image [N] in nats, and the latent of every level."""
        total, latents = x.new_zeros(x.shape[0]), []
        for level, steps in enumerate(self.levels):
            x, logdet = steps(squeeze(x), reference)
            total = total + logdet
            if level < len(self.levels) - 1:
                x, z2 = x.split(steps.half, 1)
                x = x.contiguous(memory_format=LAST)
                h = F.conv2d(x, self.splits[2 * level], self.splits[2 * level + 1], padding=1)
                mean, logs = h[:, 0::2], h[:, 1::2]
                total = total + self.score(z2, mean, logs)
                latents.append((z2 - mean) * torch.exp(-logs) if not torch.is_grad_enabled() else None)
        mean, logs = self.top()
        latents.append((x - mean) * torch.exp(-logs) if not torch.is_grad_enabled() else None)
        return total + self.score(x, mean, logs), latents

    def forward(self, x, reference=False):
        """Mean bits/dim."""
        d = self.o["channels"] * self.o["size"] ** 2
        return (d * math.log(256) - self.encode(x, reference)[0].mean()) / (d * math.log(2))

    @torch.no_grad()
    def pack(self, n):
        self.packed_splits = []
        for level, steps in enumerate(self.levels):
            size = self.o["size"] >> (level + 1)
            steps.pack(n, size)
            if level < len(self.levels) - 1:
                self.packed_splits.append(Packed(self.splits[2 * level], self.splits[2 * level + 1], n, size))

    def noise(self, n):
        for level in range(len(self.levels)):
            size, last = self.o["size"] >> (level + 1), level == len(self.levels) - 1
            c = self.o["channels"] << (level + 1 + last)
            yield torch.randn(n, c, size, size, device=DEVICE).contiguous(memory_format=LAST)

    @torch.no_grad()
    def decode(self, latents):
        mean, logs = self.top()
        x = (mean + torch.exp(logs) * latents[-1]).contiguous(memory_format=LAST)
        for level in reversed(range(len(self.levels))):
            if level < len(self.levels) - 1:
                h = self.packed_splits[level](x)
                x = torch.cat([x, h[:, 0::2] + torch.exp(h[:, 1::2]) * latents[level]], 1)
            x = unsqueeze(self.levels[level].inverse(x))
        return x

    def sample(self, n):
        return self.decode(list(self.noise(n)))


class Adamax:
    """Kingma & Ba 2014, algorithm 2, in place, each tensor finished while it is in cache."""

    def __init__(self, parameters, rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.parameters, self.rate, self.beta1, self.beta2, self.epsilon = list(parameters), rate, beta1, beta2, epsilon
        self.m, self.u = [torch.zeros_like(p) for p in self.parameters], [torch.zeros_like(p) for p in self.parameters]
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        rate = -self.rate / (1 - self.beta1 ** self.t)
        for p, m, u in zip(self.parameters, self.m, self.u):
            m.lerp_(p.grad, 1 - self.beta1)
            torch.maximum(u.mul_(self.beta2), p.grad.abs_().add_(self.epsilon), out=u)
            p.addcdiv_(m, u, value=rate)
            p.grad = None


def compile_steps(model):
    """One compiled flow step and one inverse, that every level calls with its own weights."""
    if not hasattr(torch, "compile"):
        raise ValueError(f"torch.compile: this is torch {torch.__version__}, which has none; it came with 2.0")
    step, undo = torch.compile(reference_step), torch.compile(inverse_step)
    for level in model.levels:
        level.step, level.undo = step, undo


def images(o):
    return (torch.rand(o["batch"], o["channels"], o["size"], o["size"], device=DEVICE) - 0.5).contiguous(memory_format=LAST)


def trainer(o, model):
    optimizer, batch = Adamax(model.parameters(), o.get("rate", 1e-3)), images(o)

    def step():
        loss = model(batch, bool(o.get("compile")))
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def setup(o):
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if o.get("plain"):
        model = glow_plain.PlainGlow(o).to(DEVICE, memory_format=LAST)
        if o["kind"] == "train":
            return glow_plain.trainer(o, model, LOW)
        return lambda: float(glow_plain.sample(o, model, LOW).abs().mean())
    model = Glow(o).to(DEVICE)
    if o.get("compile"):
        if PREPACKED and o["kind"] == "sample":
            raise ValueError("torch.compile: samples on a CPU use oneDNN's packed weights instead")
        compile_steps(model)
    if o["kind"] == "train":
        return trainer(o, model)
    model.pack(o["batch"])
    return lambda: float(model.sample(o["batch"]).abs().mean())


# Largest error of a check; a low precision rounds every activation.
ALLOWED = {"fp32": 1e-3, "tf32": 2e-2, "bf16": 2e-1}


def check():
    """Gradients against plain autograd, the inverse against forward, the log-determinant against a Jacobian, a falling loss."""
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    found = {}
    for coupling in ("affine", "additive"):
        o = {"size": 8, "channels": 1, "levels": 2, "depth": 3, "width": 16, "coupling": coupling, "batch": 16}
        model = Glow(o).to(DEVICE)
        for p in model.parameters():
            p.data.add_(0.05 * torch.randn_like(p))
        x = images(o)
        gradients = []
        for reference in (False, True):
            model.zero_grad(set_to_none=True)
            model(x, reference).backward()
            gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        found[f"{coupling} gradient error"] = float((gradients[0] - gradients[1]).norm() / gradients[1].norm())
        with torch.no_grad():
            model.pack(o["batch"])
            total, latents = model.encode(x)
            found[f"{coupling} inverse error"] = float((model.decode(latents) - x).abs().max())
        one = {**o, "batch": 1}
        x = images(one)
        with torch.no_grad():
            latents = model.encode(x)[1]
        flat = lambda v: torch.cat([z.flatten() for z in latents_of(model, v)])
        jacobian = torch.autograd.functional.jacobian(flat, x).view(x.numel(), x.numel())
        exact = torch.linalg.slogdet(jacobian.double())[1]
        normal = sum((-0.5 * LN_2PI - 0.5 * z ** 2).sum() for z in latents)
        found[f"{coupling} log-likelihood error"] = float((model.encode(x)[0].detach() - exact - normal).abs())
        step = trainer(o, Glow(o).to(DEVICE))
        losses = [step() for _ in range(30)]
        found[f"{coupling} loss fell by"] = losses[0] - losses[-1]
    found.update(glow_plain.check(o, DEVICE, LOW))
    for name, value in found.items():
        ok = value > 0.1 if name.endswith("fell by") else value < ALLOWED[chosen.precision]
        if not ok:
            raise ValueError(f"check: {name} {value}")
    return {"check": "passed", "device": chosen.device, "precision": chosen.precision, **found}


def latents_of(model, x):
    """Every latent as a differentiable function of x."""
    for level, steps in enumerate(model.levels):
        x, _ = steps(squeeze(x), reference=True)
        if level < len(model.levels) - 1:
            x, z2 = x.split(steps.half, 1)
            h = F.conv2d(x, model.splits[2 * level], model.splits[2 * level + 1], padding=1)
            yield (z2 - h[:, 0::2]) * torch.exp(-h[:, 1::2])
    mean, logs = model.top()
    yield (x - mean) * torch.exp(-logs)


def peak_megabytes():
    if DEVICE.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def main():
    step = None
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        try:
            if command == "setup":
                step = setup(json.loads(rest))
                reply = {"torch": torch.__version__, "device": chosen.device, "precision": chosen.precision,
                         "threads": torch.get_num_threads(), "tuning": TUNING}
            elif command == "step":
                start = time.perf_counter()
                loss = step()
                if not math.isfinite(loss):
                    raise ValueError(f"the loss is {loss}")
                reply = {"ms": 1000 * (time.perf_counter() - start), "loss": loss}
            elif command == "memory":
                reply = {"peak_mb": peak_megabytes()}
            elif command == "check":
                reply = check()
            elif command == "quit":
                break
            else:
                reply = {"error": f"there is no command '{command}'"}
        except Exception as e:
            reply = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
