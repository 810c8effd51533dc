#!/usr/bin/python3
"""Draws one small picture and writes it in every way a photo may be stored, whole and broken, to
../fuzz/corpus/decode/; writes what Pillow 9.4 reads from the whole ones to decode.bin beside this file.

decode.bin is a run of cases, numbers little-endian 32 bits: name (48 bytes, zero padded), the most a sample may
differ, the most all samples may differ on average in hundredths, w, h; then w * h * 3 bytes RGB.
JPEGs that Pillow does not write come from cjpeg, HEICs from heif-enc; what a HEIC should show is the drawing itself,
turned by NumPy, so no decoder vouches for itself there.
"""
import io
import random
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

HERE = Path(__file__).parent
OUT = HERE.parent / "fuzz" / "corpus" / "decode"
W, H = 37, 23
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
golden = bytearray()


def picture(w=W, h=H):
    y, x = np.mgrid[0:h, 0:w]
    img = Image.fromarray(np.stack([x * 255 // w, y * 255 // h, 255 - x * 255 // w], 2).astype(np.uint8))
    d = ImageDraw.Draw(img)
    d.ellipse((w // 8, h // 6, w // 2, h * 2 // 3), fill=(230, 40, 60))
    d.rectangle((w * 2 // 3, h // 2, w - 4, h - 3), fill=(20, 160, 30))
    d.line((0, h - 1, w, 0), fill=(250, 250, 240))
    return img


def save(img, **options):
    f = io.BytesIO()
    img.save(f, **options)
    return f.getvalue()


def over_white(img):
    a = np.asarray(img.convert("RGBA")).astype(int)
    return ((a[..., :3] * a[..., 3:] + 255 * (255 - a[..., 3:]) + 127) // 255).astype(np.uint8)


def add(name, data, most=0, mean=0, want=None):
    (OUT / name).write_bytes(data)
    if want is None:
        img = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        want = over_white(img)
    h, w = want.shape[:2]
    golden.extend(struct.pack("<48s4i", name.encode(), most, mean, w, h) + want.astype(np.uint8).tobytes())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, bits, colour, rows, interlace=0, extra=b""):
    head = chunk(b"IHDR", struct.pack(">2I5B", w, h, bits, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def plain(a):
    return b"".join(b"\0" + row.tobytes() for row in a)


def passes(a):
    parts = (a[y::dy, x::dx] for x, y, dx, dy in ADAM7)
    return b"".join(plain(p) for p in parts if p.size)


def exif(n):
    e = Image.Exif()
    e[0x112] = n
    return e.tobytes()


def jpegs(rgb):
    for name, sub in (("444", 0), ("422", 1), ("420", 2)):
        add(f"base_{name}.jpg", save(rgb, format="JPEG", quality=90, subsampling=sub), 2)
        add(f"prog_{name}.jpg", save(rgb, format="JPEG", quality=90, subsampling=sub, progressive=True), 2)
    add("grey.jpg", save(rgb.convert("L"), format="JPEG", quality=90), 2)
    add("cmyk.jpg", save(rgb.convert("CMYK"), format="JPEG", quality=90), 2)
    for n in range(1, 9):
        add(f"turn_{n}.jpg", save(rgb, format="JPEG", quality=90, exif=exif(n)), 2)
    big = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    whole = save(rgb, format="JPEG", quality=90)
    add("turn_big_endian.jpg", whole[:2] + b"\xff\xe1" + struct.pack(">H", len(big) + 2) + big + whole[2:], 2)


def app1(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def tiff(*entries, order=b"MM", magic=42, at=8, count=None):
    """Entries are tag, type, value; all but a LONG (4) stand in the first half of their four bytes."""
    rows = b"".join(struct.pack(">HHII", tag, kind, 1, value if kind == 4 else value << 16)
                    for tag, kind, value in entries)
    n = len(entries) if count is None else count
    return b"Exif\0\0" + order + struct.pack(">HIH", magic, at, n) + rows


def exifs(rgb):
    """Which way is up, said in odd ways; 6 turns the picture, all nonsense leaves it."""
    whole = save(rgb, format="JPEG", quality=90)
    upright = np.asarray(Image.open(io.BytesIO(whole)))
    turn, make = (0x112, 3, 6), (0x10F, 3, 0)
    blocks = {
        "second": (6, app1(tiff(make, turn))),
        "long": (6, app1(tiff((0x112, 4, 6)))),
        "behind_xmp": (6, app1(b"http://ns.adobe.com/xap/1.0/\0<x/>") + b"\xff" + app1(tiff(turn))),
        "nine": (1, app1(tiff((0x112, 3, 9)))),
        "zero": (1, app1(tiff((0x112, 3, 0)))),
        "other_type": (1, app1(tiff((0x112, 1, 6)))),
        "magic": (1, app1(tiff(turn, magic=43))),
        "order": (1, app1(tiff(turn, order=b"MI"))),
        "far": (1, app1(tiff(turn, at=0xFFFFFFF0))),
        "end": (1, app1(tiff(turn, at=21))),
        "more": (1, app1(tiff(make, count=60000))),
        "short": (1, app1(b"Exif\0\0MM\0*")),
    }
    for name, (up, block) in blocks.items():
        add(f"exif_{name}.jpg", whole[:2] + block + whole[2:], 2, 0, np.rot90(upright, -1) if up == 6 else upright)


def cjpeg(rgb, *options):
    ppm = save(rgb, format="PPM")
    return subprocess.run(["cjpeg", "-quality", "90", *options], input=ppm, check=True, stdout=subprocess.PIPE).stdout


def rare_jpegs(rgb):
    """Codings and samplings that Pillow reads but does not write."""
    add("base_440.jpg", cjpeg(rgb, "-sample", "1x2"), 2)
    add("base_411.jpg", cjpeg(rgb, "-sample", "4x1"), 2)
    add("base_410.jpg", cjpeg(rgb, "-sample", "4x2"), 2)
    add("rgb.jpg", cjpeg(rgb, "-rgb"), 2)
    add("arith_420.jpg", cjpeg(rgb, "-arithmetic"), 2)
    add("arith_prog.jpg", cjpeg(rgb, "-arithmetic", "-progressive"), 2)
    add("restart_rows.jpg", cjpeg(rgb, "-restart", "1"), 2)
    restart = cjpeg(rgb, "-restart", "1B", "-sample", "1x1")
    add("restart_blocks.jpg", restart, 2)
    add("restart_prog.jpg", cjpeg(rgb, "-restart", "2B", "-progressive"), 2)
    at = restart.index(b"\xff\xd3")
    (OUT / "restart_lost.jpg").write_bytes(restart[:at] + restart[restart.index(b"\xff\xd6") :])


def four_inks(rgb):
    """As Adobe stores them: inverted, and as YCCK with the inks C, M, Y in place of R, G, B."""
    ink = save(rgb.convert("CMYK"), format="JPEG", quality=90)
    marker = ink.index(b"\xff\xee\0\x0eAdobe")
    add("cmyk_unmarked.jpg", ink[:marker] + ink[marker + 16 :], 2)
    darker = np.dstack([255 - np.asarray(rgb), np.mgrid[0:H, 0:W][1] * 200 // W]).astype(np.uint8)
    add("cmyk_black.jpg", save(Image.fromarray(darker, "CMYK"), format="JPEG", quality=90), 2)
    ycc = 255 - np.asarray(Image.fromarray(darker[..., :3]).convert("YCbCr"))
    ycck = save(Image.fromarray(np.dstack([ycc, darker[..., 3]]), "CMYK"), format="JPEG", quality=90)
    marker = ycck.index(b"\xff\xee\0\x0eAdobe") + 15
    add("ycck.jpg", ycck[:marker] + b"\2" + ycck[marker + 1 :], 2)


def pngs(rgb):
    a = np.asarray(rgb)
    alpha = (np.mgrid[0:H, 0:W][1] * 255 // (W - 1)).astype(np.uint8)
    rgba = np.dstack([a, alpha])
    grey = np.asarray(rgb.convert("L"))
    add("rgb.png", save(rgb, format="PNG"))
    add("rgba.png", save(Image.fromarray(rgba), format="PNG"))
    add("grey.png", save(rgb.convert("L"), format="PNG"))
    add("bits.png", save(rgb.convert("1"), format="PNG"))
    add("grey_alpha.png", save(Image.merge("LA", (rgb.convert("L"), Image.fromarray(alpha))), format="PNG"))
    few = rgb.quantize(16)
    add("palette.png", save(few, format="PNG"))
    add("palette_alpha.png", save(few, format="PNG", transparency=bytes(range(0, 256, 16))))
    add("turned.png", save(rgb, format="PNG", exif=exif(6)))
    low = np.random.RandomState(1).randint(0, 256, (H, W, 3)).astype(">u2")
    deep = (a.astype(">u2") << 8 | low).astype(">u2")
    add("rgb16.png", png(W, H, 16, 2, plain(deep)), want=a)
    add("grey16.png", png(W, H, 16, 0, plain(deep[..., 0])), want=np.dstack([a[..., 0]] * 3))
    clearer = np.dstack([deep, alpha.astype(">u2") << 8 | low[..., 0]]).astype(">u2")
    grey_clear = np.ascontiguousarray(clearer[..., [0, 3]])
    over = over_white(Image.fromarray(rgba))
    over_grey = over_white(Image.merge("LA", (Image.fromarray(np.ascontiguousarray(a[..., 0])), Image.fromarray(alpha))))
    add("rgba16.png", png(W, H, 16, 6, plain(clearer)), want=over)
    add("rgba16_adam7.png", png(W, H, 16, 6, passes(clearer), 1), want=over)
    add("grey_alpha16.png", png(W, H, 16, 4, plain(grey_clear)), want=over_grey)
    add("rgb_adam7.png", png(W, H, 8, 2, passes(a), 1), want=a)
    add("rgba_adam7.png", png(W, H, 8, 6, passes(rgba), 1), want=over_white(Image.fromarray(rgba)))
    add("grey_adam7.png", png(W, H, 8, 0, passes(grey), 1), want=np.dstack([grey] * 3))
    clear = tuple(int(v) for v in a[0, 0])
    want = a.copy()
    want[(a == a[0, 0]).all(2)] = 255
    add("rgb_trns.png", png(W, H, 8, 2, plain(a), 0, chunk(b"tRNS", struct.pack(">3H", *clear))), want=want)
    return rgba


def webps(rgb, rgba):
    add("lossy.webp", save(rgb, format="WEBP", quality=90), 2)
    add("lossless.webp", save(rgb, format="WEBP", lossless=True))
    add("lossless_alpha.webp", save(Image.fromarray(rgba), format="WEBP", lossless=True, exact=True))
    add("lossy_alpha.webp", save(Image.fromarray(rgba), format="WEBP", quality=90), 2)
    add("turned.webp", save(rgb, format="WEBP", lossless=True, exif=exif(8)))


def heic(img, **options):
    with tempfile.TemporaryDirectory() as t:
        src, dst = Path(t) / f"a.{options['format'].lower()}", Path(t) / "a.heic"
        img.save(src, **options)
        subprocess.run(["heif-enc", "-q", "90", "-o", dst, src], check=True, stdout=subprocess.DEVNULL)
        return dst.read_bytes()


def grown(data, kind, n):
    """The same bytes, a box said to be n bytes longer."""
    at = data.index(kind) - 4
    return data[:at] + struct.pack(">I", struct.unpack_from(">I", data, at)[0] + n) + data[at + 4 :]


def turned(data, *boxes):
    """Appends properties (kind, value) to the first item, in this order; heif-enc writes no turns itself."""
    n = len(boxes)
    first, have = data.index(b"iloc") + 12, data.index(b"ipma") + 14
    count = struct.unpack_from(">H", data, first - 2)[0]
    out = bytearray(data)
    for i in range(count):  # extents lie behind what grows; heif-enc gives each item one
        at = first + i * 18 + 10
        struct.pack_into(">I", out, at, struct.unpack_from(">I", data, at)[0] + 10 * n)
    known = data[have]
    out[have] += n
    at = have + 1 + known
    total = struct.unpack_from(">I", data, data.index(b"ipco") - 4)[0]
    ipco_end = data.index(b"ipco") - 4 + total
    new = sum(data[data.index(b"ipco") + 4 : ipco_end].count(k) for k in (b"hvcC", b"ispe", b"pixi", b"colr"))
    out[at:at] = bytes(0x80 | (new + i + 1) for i in range(n))
    out[ipco_end:ipco_end] = b"".join(struct.pack(">I4sB", 9, kind, value) for kind, value in boxes)
    out = grown(grown(grown(bytes(out), b"ipma", n), b"ipco", 9 * n), b"iprp", 10 * n)
    return grown(out, b"meta", 10 * n)


def heics():
    big = picture(96, 64)
    a = np.asarray(big)
    data = heic(big, format="PNG")
    add("plain.heic", data, 255, 600, a)
    (OUT / "cut.heic").write_bytes(data[:-200])
    for n in (1, 2, 3):  # quarter turns anticlockwise, as np.rot90 has it
        add(f"rot_{n}.heic", turned(data, (b"irot", n)), 255, 600, np.rot90(a, n))
    add("mirror_0.heic", turned(data, (b"imir", 0)), 255, 600, a[::-1])
    add("mirror_1.heic", turned(data, (b"imir", 1)), 255, 600, a[:, ::-1])
    add("rot_mirror.heic", turned(data, (b"irot", 1), (b"imir", 1)), 255, 600, np.rot90(a)[:, ::-1])
    add("mirror_rot.heic", turned(data, (b"imir", 1), (b"irot", 1)), 255, 600, np.rot90(a[:, ::-1]))
    alpha = picture(96, 64)
    alpha.putalpha(Image.fromarray((np.mgrid[0:64, 0:96][1] * 255 // 95).astype(np.uint8)))
    add("alpha.heic", heic(alpha, format="PNG"), 255, 600, over_white(alpha))
    phone = heic(big, format="JPEG", quality=95, exif=exif(6))  # says it twice; once is meant
    add("rot_and_exif.heic", turned(phone, (b"irot", 3)), 255, 600, np.rot90(a, 3))


def patch_sof(data, marker, w, h):
    at = data.index(bytes([0xFF, marker]))
    return data[: at + 5] + struct.pack(">2H", h, w) + data[at + 9 :]


def flipped(data, seed, n=6):
    r = random.Random(seed)
    out = bytearray(data)
    for _ in range(n):
        out[r.randrange(20, len(out))] ^= 1 << r.randrange(8)
    return bytes(out)


def broken(rgb):
    tall = picture(64, 96)
    files = {
        "cut.jpg": save(tall, format="JPEG", quality=90),
        "cut_prog.jpg": save(tall, format="JPEG", quality=90, progressive=True),
        "cut.png": save(tall, format="PNG"),
        "cut.webp": save(tall, format="WEBP", lossless=True),
    }
    for name, data in files.items():
        (OUT / name).write_bytes(data[: len(data) * 6 // 10])
        (OUT / name.replace("cut", "tall")).write_bytes(data)
    a = np.asarray(tall)
    interlaced = png(64, 96, 8, 2, passes(a), 1)
    prog = save(rgb, format="JPEG", progressive=True)
    start = prog.index(b"\xff\xda")
    first = prog[start : prog.index(b"\xff\xc4", start)]
    more = {
        "cut_adam7.png": interlaced[: len(interlaced) // 2],
        "cut_header.jpg": files["cut.jpg"][:100],
        "cut_header.png": files["cut.png"][:20],
        "cut_header.webp": files["cut.webp"][:18],
        "empty": b"",
        "text": b"This is not a photo.\n" * 8,
        "many_scans.jpg": prog[:start] + first * 120 + prog[start:],
        "anim.webp": save(rgb, format="WEBP", save_all=True, append_images=[ImageOps.mirror(rgb)]),
        "anim.gif": save(rgb.convert("P"), format="GIF"),
        "plain.bmp": save(rgb.resize((5, 4)), format="BMP"),
        "giant.png": png(60000, 60000, 8, 2, b"\0" * 100),
        "giant_prog.jpg": patch_sof(prog, 0xC2, 65500, 65500),
        "wide.jpg": patch_sof(save(rgb, format="JPEG"), 0xC0, 65500, 1),
        "no_size.jpg": patch_sof(save(rgb, format="JPEG"), 0xC0, 0, 0),
    }
    for name, data in more.items():
        (OUT / name).write_bytes(data)
    for name in ("base_420.jpg", "prog_420.jpg", "rgb.png", "lossy.webp", "lossless.webp", "plain.heic"):
        for seed in range(2):
            stem, _, end = name.partition(".")
            (OUT / f"flip_{stem}_{seed}.{end}").write_bytes(flipped((OUT / name).read_bytes(), seed))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rgb = picture()
    jpegs(rgb)
    exifs(rgb)
    rare_jpegs(rgb)
    four_inks(rgb)
    webps(rgb, pngs(rgb))
    heics()
    broken(rgb)
    (HERE / "decode.bin").write_bytes(golden)


if __name__ == "__main__":
    main()
