#!/usr/bin/env python3
"""Tiny PyTorch checkpoints in both containers, and what each holds, for tests/unit/nn/test_weights.c.

    python3 tests/golden/gen_checkpoint.py      # torch 1.13; writes tests/golden/checkpoint/

Beside every NAME.pth stands NAME.txt: a line a tensor with name, type, shape and the bytes in row-major order.
"""
import os
from collections import OrderedDict

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoint")
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
	 torch.int64: "I64", torch.int32: "I32", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def raw(t):
	t = t.detach().contiguous()
	return (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().tobytes()


def save(name, obj, state):
	for suffix, zipped in (("zip", True), ("old", False)):
		torch.save(obj, os.path.join(OUT, f"{name}_{suffix}.pth"), _use_new_zipfile_serialization=zipped)
	with open(os.path.join(OUT, name + ".txt"), "w") as f:
		for key, t in state.items():
			shape = "x".join(map(str, t.shape)) or "-"
			f.write(f"{key} {TYPES[t.dtype]} {shape} {raw(t).hex() or '-'}\n")


def main():
	os.makedirs(OUT, exist_ok=True)
	torch.manual_seed(1)
	types = {str(d)[6:]: torch.arange(-3, 3).to(d).reshape(2, 3) for d in TYPES}
	save("types", types, types)

	a = torch.randn(4, 6)
	views = OrderedDict(whole=a, turned=a.t(), corner=a[1:3, 2:5], every_other=a[:, ::2], row=a[2],
			    scalar=torch.tensor(2.5), one=a[3, 5], empty=torch.zeros(0, 3))
	save("views", views, views)

	net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 2))
	save("module", net.state_dict(), net.state_dict())
	save("nested", {"epoch": 7, "lr": 0.1, "best": None, "state_dict": net.state_dict(), "done": True},
	     net.state_dict())
	save("model", {"model": net.state_dict(), "steps": [1, 2, 3], "args": {"name": "x"}}, net.state_dict())
	params = OrderedDict(net.named_parameters())
	save("parameters", params, params)


if __name__ == "__main__":
	main()
