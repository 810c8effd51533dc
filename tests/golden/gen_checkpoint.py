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
	describe(name, state)


def describe(name, state):
	with open(os.path.join(OUT, name + ".txt"), "w") as f:
		for key, t in state.items():
			shape = "x".join(map(str, t.shape)) or "-"
			f.write(f"{key} {TYPES[t.dtype]} {shape} {raw(t).hex() or '-'}\n")


def training(wrap):
	"""What a training script keeps: the network behind DataParallel's prefix, the optimiser with its momenta, the rest."""
	net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(2, 2))
	optimizer = wrap(net.parameters())
	net(torch.randn(4, 1, 3, 3)).square().sum().backward()
	optimizer.step()
	state = OrderedDict(("module." + k, v) for k, v in net.state_dict().items())
	return {"epoch": 3, "model": state, "optimizer": optimizer.state_dict(), "loss": [0.5, 0.25], "mode": "train"}, state


def text2(s):
	return b"U" + bytes([len(s)]) + s.encode()


def python2():
	"""The older container as Python 2 wrote it: byte strings, an OrderedDict made of pairs, _rebuild_tensor of PyTorch 0.1.
	Written by hand; Python 3's pickle has no such opcodes."""
	state = {"conv1.weight": torch.arange(8, dtype=torch.float32).reshape(2, 2, 2) / 8, "conv1_bn.weight": torch.ones(1, 2)}
	pairs = b""
	for key, (name, t) in enumerate(state.items(), 1):
		storage = b"(" + text2("storage") + b"ctorch\nFloatStorage\n" + text2(str(key)) + text2("cpu") + b"K" + \
			bytes([t.numel()]) + b"NtQ"
		sizes = b"".join(b"K" + bytes([n]) for n in t.shape)
		strides = b"".join(b"K" + bytes([n]) for n in t.stride())
		tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\0(" + sizes + b"t(" + strides + b"ttR"
		pairs += b"](" + text2(name) + tensor + b"e"
	body = b"\x80\2ccollections\nOrderedDict\n](" + pairs + b"e\x85R."
	system = b"\x80\2}(" + text2("protocol_version") + b"M\xe9\3" + text2("little_endian") + b"\x88u."
	keys = b"\x80\2](" + text2("1") + text2("2") + b"e."
	magic = b"\x80\2\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\2M\xe9\3."
	data = b"".join(t.numel().to_bytes(8, "little") + raw(t) for t in state.values())
	with open(os.path.join(OUT, "python2_old.pth"), "wb") as f:
		f.write(magic + system + body + keys + data)
	describe("python2", state)
	assert all(torch.equal(v, state[k]) for k, v in torch.load(os.path.join(OUT, "python2_old.pth")).items())


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
	save("sgd", *training(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True)))
	save("adam", *training(lambda p: torch.optim.AdamW(p, 0.1)))
	python2()


if __name__ == "__main__":
	main()
