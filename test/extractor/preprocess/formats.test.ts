// Files that Pillow writes in every format, read by us and by Pillow, with and without transparency.
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { type ALPHA_POLICIES, Recipe } from '../../../shared/src/recipe.ts';
import { runPython } from '../../support/python.ts';

const python = inject('python');
const why = python.ready ? '' : ` (skipped: ${python.reason})`;

type AlphaPolicy = (typeof ALPHA_POLICIES)[number];

interface Sample {
  readonly name: string;
  /** Base64. */
  readonly file: string;
  /** Pillow's RGB pixels in base64 by alpha policy; the image pasted over white or black. */
  readonly pixels: Readonly<Record<AlphaPolicy, string>>;
}

const PILLOW = `
import base64, io
from PIL import Image, ImageCms

W, H = 61, 43
def plane(a, b, c):
    # Smooth waves with edges, as in a photo.
    return bytes((x * a + y * b + (x * y // 7) % 64 + (90 if (x // 9 + y // 6) % 2 else 0) + c) % 256 for y in range(H) for x in range(W))

planes = [Image.frombytes("L", (W, H), plane(*p)) for p in ((3, 1, 0), (1, 2, 40), (2, 3, 90), (4, 5, 0))]
rgb = Image.merge("RGB", planes[:3])
rgba = Image.merge("RGBA", planes)
gray = planes[0]
la = Image.merge("LA", (planes[0], planes[3]))
palette = rgb.quantize(50)
samples = []

def add(name, image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    data = out.getvalue()
    decoded = Image.open(io.BytesIO(data))
    pixels = {"drop": decoded.convert("RGB")}
    for ground in ("white", "black"):
        over = Image.new("RGB", decoded.size, ground)
        image = Image.open(io.BytesIO(data)).convert("RGBA")
        over.paste(image, mask=image.getchannel("A"))
        pixels[ground] = over
    encode = lambda data: base64.b64encode(data).decode()
    samples.append({"name": name, "file": encode(data), "pixels": {key: encode(value.tobytes()) for key, value in pixels.items()}})

for image, name in ((rgb, "colour"), (gray, "grey"), (palette, "palette"), (rgb.convert("1"), "one bit")):
    for format in ("GIF", "TIFF", "PNG", "BMP"):
        add(f"{format} {name}", image, format)
for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
    add(f"TIFF {compression}", rgb, "TIFF", compression=compression)
add("TIFF YCbCr in JPEG", rgb.convert("YCbCr"), "TIFF", compression="jpeg")
# Red and blue change places in the profile: whoever applied it would give other pixels.
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
profile = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
for format in ("PNG", "JPEG", "TIFF"):
    add(f"{format} with a colour profile", rgb, format, icc_profile=profile)
add("TIFF turned by its tag", rgb, "TIFF", tiffinfo={274: 3})
add("TIFF CMYK", rgb.convert("CMYK"), "TIFF")
add("GIF with a transparent colour", palette, "GIF", transparency=5)
add("GIF grey with a transparent colour", gray, "GIF", transparency=100)
add("GIF interlaced", palette, "GIF", interlace=1)
add("GIF animated", palette, "GIF", save_all=True, append_images=[rgb.rotate(180).quantize(50)])
add("GIF from RGBA", rgba, "GIF")
for image, name in ((rgba, "alpha"), (la, "grey and alpha")):
    for format in ("TIFF", "PNG"):
        add(f"{format} {name}", image, format)
add("PNG palette with a transparent colour", palette, "PNG", transparency=7)
add("WebP alpha", rgba, "WEBP", lossless=True, exact=True)
add("WebP lossy with alpha", rgba, "WEBP")
add("WebP", rgb, "WEBP")
add("AVIF 4:2:0", rgb, "AVIF", quality=80)
add("AVIF 4:4:4", rgb, "AVIF", quality=80, subsampling="4:4:4")
add("AVIF grey", gray, "AVIF", subsampling="4:0:0")
add("TIFF zstd", rgb, "TIFF", compression="zstd")
add("TIFF YCbCr", rgb.convert("YCbCr"), "TIFF")
print(json.dumps(samples))
`;

const UNSUPPORTED: Readonly<Record<string, string>> = {
  'TIFF zstd': 'TIFF compression 50000',
  'TIFF YCbCr': 'a TIFF of photometric interpretation 6',
};

describe.skipIf(!python.ready)(`formats against Pillow${why}`, () => {
  let samples: readonly Sample[] = [];

  beforeAll(async () => {
    samples = await runPython<readonly Sample[]>(PILLOW);
  });

  for (const alpha of ['drop', 'white', 'black'] as const) {
    it(`gives the same pixels for every format but AVIF with alpha policy ${alpha}`, async () => {
      const equal = samples.filter(({ name }) => !name.startsWith('AVIF') && !(name in UNSUPPORTED));
      expect(equal.length).toBeGreaterThan(30);
      for (const sample of equal) expect([sample.name, await differenceOf(sample, alpha)]).toEqual([sample.name, 0]);
    });
  }

  it('comes within a level for AVIF, but for its halved chroma', async () => {
    const worst = new Map<string, number>();
    for (const sample of samples) worst.set(sample.name, await differenceOf(sample, 'drop'));
    expect(worst.get('AVIF grey')).toBeLessThanOrEqual(1);
    expect(worst.get('AVIF 4:4:4')).toBeLessThanOrEqual(1);
    // Where this fails, libheif and libavif have come together, and decode.ts may promise more.
    expect(worst.get('AVIF 4:2:0')).toBeGreaterThan(1);
  });

  it('refuses by name the TIFF files that it would misread', async () => {
    for (const { name, file } of samples.filter(each => each.name in UNSUPPORTED)) {
      const result = await prepareImage(Buffer.from(file, 'base64'), Recipe.parse({ width: 8, height: 8, scale: 1 }));
      const failure = { code: 'unsupported-format', message: UNSUPPORTED[name] };
      expect([name, result]).toEqual([name, { ok: false, failure }]);
    }
  });
});

/** The largest difference in levels; that to no pixels at all where the file is refused. */
async function differenceOf({ file, pixels }: Sample, alpha: AlphaPolicy): Promise<number> {
  const recipe = Recipe.parse({ width: 61, height: 43, alpha, scale: 1 });
  const result = await prepareImage(Buffer.from(file, 'base64'), recipe);
  if (!result.ok) return 255;
  const expected = Buffer.from(pixels[alpha], 'base64');
  return Math.max(...result.image.values.map((value, i) => Math.abs(value - (expected[i] as number))));
}
