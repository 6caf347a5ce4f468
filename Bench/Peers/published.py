"""Times samples of two published PyTorch Glows, run from clones of their repositories:

    git clone https://github.com/rosinality/glow-pytorch A && python3 Bench/Peers/published.py A
    git clone https://github.com/chaiyujin/glow-pytorch B && python3 Bench/Peers/published.py B

Both with the sampling cases of `bench host`, two threads, freshly drawn weights, actnorm taken as initialized. The former with its plain 1x1
convolution, whose inverse is the cheaper one; it has no actnorm in the coupling network. What a clone imports for logging and plots only is left out.
"""
import argparse
import importlib.util
import os
import statistics
import sys
import time
import types

import torch

# name, image size, L, K, width, affine, batch, runs
CASES = [
    ("sampling A", 32, 3, 8, 128, True, 16, 21),
    ("sampling B", 32, 3, 32, 512, True, 8, 7),
    ("sampling B", 32, 3, 32, 512, True, 16, 7),
    ("sampling 64x64", 64, 4, 16, 512, True, 1, 21),
    ("sampling 256x256", 256, 6, 32, 512, False, 1, 3),
]
TEMPERATURE = 0.7


def absent(name, *parts, **values):
    """Puts empty modules in the place of a package that is not installed."""
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return
    package = types.ModuleType(name)
    sys.modules[name] = package
    for part in parts:
        sys.modules[f"{name}.{part}"] = values[part] = types.ModuleType(f"{name}.{part}")
    vars(package).update(values)


def rosinality(clone):
    absent("scipy", "linalg")
    sys.path.insert(0, clone)
    import model as published

    def make(size, levels, depth, width, affine, batch):
        published.AffineCoupling.__init__.__defaults__ = (width, *published.AffineCoupling.__init__.__defaults__[1:])
        published.Block.__init__.__defaults__ = (True, True, False)
        glow = published.Glow(3, depth, levels, affine=affine, conv_lu=False)
        for module in glow.modules():
            if isinstance(module, published.ActNorm):
                module.initialized.fill_(1)
        shapes = [(3 * 2 ** (l + 1), size >> (l + 1), size >> (l + 1)) for l in range(levels - 1)]
        shapes.append((3 * 2 ** (levels + 1), size >> levels, size >> levels))

        def sample():
            with torch.no_grad():
                return glow.reverse([TEMPERATURE * torch.randn(batch, *shape) for shape in shapes])

        return sample

    return make


def chaiyujin(clone):
    absent("scipy", "linalg")
    absent("tqdm", tqdm=lambda x, *_, **__: x)
    package = types.ModuleType("glow")
    package.__path__ = [os.path.join(clone, "glow")]
    package.utils = types.ModuleType("glow.utils")
    package.utils.get_proper_device = lambda *_, **__: ["cpu"]
    sys.modules.update({"glow": package, "glow.utils": package.utils})
    from glow import models as published

    def make(size, levels, depth, width, affine, batch):
        group = types.SimpleNamespace
        glow = published.Glow(group(
            Glow=group(image_shape=(size, size, 3), hidden_channels=width, K=depth, L=levels, actnorm_scale=1.0, flow_permutation="invconv",
                       flow_coupling="affine" if affine else "additive", LU_decomposed=False, learn_top=False, y_condition=False, y_classes=0),
            Device=group(glow=["cpu"]), Train=group(batch_size=batch)))
        glow.set_actnorm_init()
        glow.eval()
        return lambda: glow(z=None, eps_std=TEMPERATURE, reverse=True)

    return make


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if os.path.exists(os.path.join(arguments.clone, "glow", "models.py")):
        make = chaiyujin(arguments.clone)
    elif os.path.exists(os.path.join(arguments.clone, "model.py")):
        make = rosinality(arguments.clone)
    else:
        sys.exit(f"published: '{arguments.clone}' holds neither model.py nor glow/models.py; give a clone of one of the two repositories above")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    print("| step | batch | median ms | min ms | runs |\n| --- | ---: | ---: | ---: | ---: |")
    for name, size, levels, depth, width, affine, batch, runs in CASES:
        sample = make(size, levels, depth, width, affine, batch)
        for _ in range(2):
            images = sample()
        if images.shape != (batch, 3, size, size) or not torch.isfinite(images).all():
            sys.exit(f"published: {name} gave images {tuple(images.shape)}, or values that are not finite")
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            sample()
            times.append(1e3 * (time.perf_counter() - begin))
        print(f"| {name} | {batch} | {statistics.median(times):.1f} | {min(times):.1f} | {runs} |", flush=True)


if __name__ == "__main__":
    main()
