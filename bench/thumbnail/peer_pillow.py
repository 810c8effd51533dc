"""Pillow making the same thumbnails. peer_pillow.py plain|draft REPEATS OUT PHOTO...: milliseconds a photo."""
import sys
import time

from PIL import Image

SIDE = 256
for _ in range(int(sys.argv[2])):
    for path in sys.argv[4:]:
        t = time.perf_counter()
        im = Image.open(path)
        w, h = im.size
        size = (round(w * SIDE / min(w, h)), round(h * SIDE / min(w, h)))
        if sys.argv[1] == "draft":
            im.draft("RGB", size)
        im.convert("RGB").resize(size, Image.BICUBIC).save(sys.argv[3], quality=75)
        print(f"{1e3 * (time.perf_counter() - t):.3f}")
