"""What both generators share: random float32 parameters, the objective, and a writer of the file format. Needs torch 1.13 or later."""
import json
import math
import struct

import numpy as np
import torch

torch.set_default_dtype(torch.float64)


class Draw:
    """Parameters drawn on demand, rounded to float32, so that every implementation starts from the same numbers."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)
        self.tensors = {}
        self.fixed = set()

    def normal(self, name, shape, spread, mean=0.0):
        return self._keep(name, mean + spread * self.random.randn(*shape))

    def statistic(self, name, values):
        self.fixed.add(name)
        return self._keep(name, values)

    def _keep(self, name, values):
        tensor = torch.tensor(values.astype(np.float32).astype(np.float64), requires_grad=name not in self.fixed)
        self.tensors[name] = tensor
        return tensor


def bits_per_dim(log_likelihood, dimensions):
    return -log_likelihood.mean() / (dimensions * math.log(2))


def write(path, config, draw, tensors):
    """One safetensors file: param.NAME in float32, everything else in float64, x in float32."""
    entries = {"param." + name: value.detach().numpy().astype(np.float32) for name, value in draw.tensors.items()}
    for name, value in tensors.items():
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value, dtype=np.float64)
        entries[name] = array.astype(np.float32 if name == "x" else np.float64)
    for name, value in draw.tensors.items():
        if name not in draw.fixed:
            entries["grad." + name] = value.grad.numpy()
    header, data = {"__metadata__": {"config": json.dumps(config), "weight_y": "0"}}, b""
    for name in sorted(entries):
        raw = np.ascontiguousarray(entries[name]).tobytes()
        kind = "F32" if entries[name].dtype == np.float32 else "F64"
        header[name] = {"dtype": kind, "shape": list(entries[name].shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
