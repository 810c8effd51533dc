#!/usr/bin/env python3
"""Seeds for the fuzz targets safetensors, checkpoint, model and index; writes tests/fuzz/corpus/.

    python3 tests/fuzz/gen_files.py      # after tests/golden/gen_checkpoint.py
"""
import json
import os
import shutil
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
	folder = os.path.join(HERE, "corpus", target)
	os.makedirs(folder, exist_ok=True)
	with open(os.path.join(folder, name), "wb") as f:
		f.write(data)


def st(header, data=b""):
	text = json.dumps(header, separators=(",", ":")).encode()
	text += b" " * (-len(text) % 8)
	return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, start, end):
	return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def model(**change):
	prep = {"side": 224, "resize": 224, "fit": "crop", "filter": "bicubic", "mean": [127] * 3, "std": [128] * 3}
	cal = {"temperature": 1.5, "novelty_a": 1.0, "novelty_b": 2.0, "reject_below": 0.1}
	classes = [{"name": "Mangifera indica", "authorship": "L.", "common": {"en": ["Mango"]},
		    "organs": ["leaf"], "n_train": 3}]
	meta = {"tepal.sha256": "0" * 64, "tepal.format": "1", "name": "x", "version": "1",
		"architecture": "efficientnet-lite0", "preprocessing": prep, "classes": classes,
		"calibration": cal, "record": {}}
	meta.update(change)
	meta = {k: v if isinstance(v, str) else json.dumps(v) for k, v in meta.items()}
	return st({"__metadata__": meta, "classifier.bias": tensor("F32", [1], 0, 4)}, bytes(4))


def i64(*v):
	return struct.pack(f"<{len(v)}q", *v)


def index(meta=None, **change):
	"""Two species; rows 0 and 1 are Aloe vera, row 2 is Mangifera indica. Texts begin at 0, 10, 27, 28, 34, 39."""
	texts = b"Aloe vera\0Mangifera indica\0\0a.jpg\0leaf\0CC0\0"
	t = {
		"species.offsets": ("I64", [3], i64(0, 2, 3)),
		"species.names": ("I64", [2], i64(0, 10)),
		"ids.order": ("I64", [3], i64(2, 0, 1)),
		"refs": ("I64", [3, 5], i64(28, 34, 27, 39, 27, 28, 27, 27, 39, 27, 28, 34, 27, 39, 27)),
		"embeddings": ("F16", [3, 2], struct.pack("<6e", 1, 0, 0.6, 0.8, -1, 0)),
		"ids": ("U8", [3, 20], bytes([2]) * 20 + bytes([3]) * 20 + bytes([1]) * 20),
		"texts": ("U8", [len(texts)], texts),
	}
	t.update(change)
	head = {"__metadata__": meta or {"tepal.index": "1", "model_sha256": "abc", "photo_root": "photos"}}
	data = b""
	for name, (dtype, shape, values) in t.items():
		head[name] = tensor(dtype, shape, len(data), len(data) + len(values))
		data += values
	return st(head, data)


def indexes():
	put("index", "two_species", index())
	put("index", "two_of_one_species", index(**{"ids": ("U8", [3, 20], bytes([2]) * 20 + bytes([3]) * 20 + bytes([2]) * 20),
						    "ids.order": ("I64", [3], i64(0, 2, 1))}))
	put("index", "empty_species", index(**{"species.offsets": ("I64", [3], i64(0, 3, 3)),
					       "ids": ("U8", [3, 20], bytes(range(60))),
					       "ids.order": ("I64", [3], i64(0, 1, 2))}))
	put("index", "nothing", index(**{"species.offsets": ("I64", [1], i64(0)), "species.names": ("I64", [0], b""),
					 "ids.order": ("I64", [0], b""), "refs": ("I64", [0, 5], b""),
					 "embeddings": ("F16", [0, 2], b""), "ids": ("U8", [0, 20], b""),
					 "texts": ("U8", [1], b"\0")}))
	put("index", "infinite", index(embeddings=("F16", [3, 2], b"\0\x7c" * 6)))
	put("index", "backwards", index(**{"species.offsets": ("I64", [3], i64(0, 4, 3))}))
	put("index", "text_outside", index(refs=("I64", [3, 5], i64(*[-1] * 15))))
	put("index", "text_far", index(refs=("I64", [3, 5], i64(*[1 << 40] * 15))))
	put("index", "leaves", index(texts=("U8", [43], b"Aloe vera\0Mangifera indica\0\0../ab\0leaf\0CC0\0")))
	put("index", "absolute_root", index(meta={"tepal.index": "1", "model_sha256": "", "photo_root": "/photos"}))
	put("index", "other_version", index(meta={"tepal.index": "2", "model_sha256": "", "photo_root": ""}))


def main():
	indexes()
	put("safetensors", "empty", st({}))
	put("safetensors", "two", st({"__metadata__": {"k": "v"}, "a": tensor("F32", [1, 2], 0, 8),
				      "b": tensor("F16", [3], 8, 14)}, bytes(14)))
	put("safetensors", "scalar", st({"a": tensor("I64", [], 0, 8)}, bytes(8)))
	put("safetensors", "no_values", st({"a": tensor("U8", [0, 7], 0, 0)}))
	put("safetensors", "overlap", st({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, bytes(6)))
	put("safetensors", "overflow", st({"a": tensor("F64", [1 << 61, 8], 0, 8)}, bytes(8)))
	put("model", "texts", model())
	put("model", "no_classes", model(classes=[]))
	put("model", "deep", model(record={"a": [[[[1.5, None, True, "x"]]]]}))
	put("model", "stretch", model(preprocessing={"side": 64, "resize": 0, "fit": "stretch", "filter": "bilinear",
						     "mean": [0, 0, 0], "std": [1, 1, 1]}))
	golden = os.path.join(HERE, "..", "golden", "checkpoint")
	os.makedirs(os.path.join(HERE, "corpus", "checkpoint"), exist_ok=True)
	for name in sorted(os.listdir(golden)):
		if name.endswith(".pth"):
			shutil.copyfile(os.path.join(golden, name), os.path.join(HERE, "corpus", "checkpoint", name))
	old = open(os.path.join(golden, "types_old.pth"), "rb").read()[:21] + b"\x80\x02}."
	put("checkpoint", "system.pth", old + b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.")
	put("checkpoint", "cycle.pth", old + b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.\x80\x02].")


if __name__ == "__main__":
	main()
