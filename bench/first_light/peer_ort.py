"""ONNX Runtime on the exported network: prints milliseconds a run. peer_ort.py MODEL.onnx BATCH THREADS SECONDS SIDE"""
import sys
import time

import numpy as np
import onnxruntime as ort

SIDE = int(sys.argv[5])
o = ort.SessionOptions()
o.intra_op_num_threads = int(sys.argv[3])
o.inter_op_num_threads = 1
o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
s = ort.InferenceSession(sys.argv[1], o, providers=["CPUExecutionProvider"])
x = (np.arange(int(sys.argv[2]) * 3 * SIDE * SIDE) % 251 / 125 - 1).astype(np.float32).reshape(-1, 3, SIDE, SIDE)
s.run(None, {"x": x})
end = time.perf_counter() + float(sys.argv[4])
while time.perf_counter() < end:
    t = time.perf_counter()
    s.run(None, {"x": x})
    print(f"{1e3 * (time.perf_counter() - t):.4f}")
