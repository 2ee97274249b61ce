"""The sizes of a picture: WebP, upright, in sRGB, and without anything that was written next to the pixels."""

import base64
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageCms

from api.media.naming import LARGEST, SIZES
from api.media.press.formats import MEDIA_TYPES, Refused, require_bearable, sniffed
from api.media.press.perceptual import perceptual_hash

QUALITY, METHOD = 80, 4
# A few dozen bytes that stand in while the picture loads.
BLUR_SIDE, BLUR_QUALITY = 16, 20
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Modes that can be made smaller as they are.
_PLAIN = {"RGB", "RGBA", "L", "LA", "CMYK"}


@dataclass(frozen=True, slots=True)
class Pressed:
    """`files`: size -> WebP. `width`, `height` of the largest; `blur`: a data URI; `perceptual_hash` as
    `perceptual.py` says."""

    media_type: str
    width: int
    height: int
    blur: str
    perceptual_hash: int | None
    files: Mapping[int, bytes]


def pressed(content: bytes) -> Pressed:
    """Every size of the picture; of one that moves, its first frame. Raises: Refused."""
    kind = sniffed(content)
    try:
        with warnings.catch_warnings():
            # Pillow warns of what it reads all the same; its own limit of pixels gives way to ours.
            warnings.simplefilter("ignore")
            image = _decoded(content, kind)
            return _sizes_of(image, MEDIA_TYPES[kind])
    except Refused:
        raise
    except MemoryError:
        raise Refused("takes more memory than a picture may") from None
    except Exception as error:  # noqa: BLE001 - decoders raise of everything when content is broken
        raise Refused(f"is a broken {kind}: {_said(error)}") from None


def encoded(image: Image.Image, sides: tuple[int, ...] = SIZES) -> dict[int, bytes]:
    """Size -> WebP of a picture that is not larger than the largest."""
    files = {}
    for side in sorted(sides, reverse=True):
        image = _fitted(image, side)
        files[side] = _webp(image, QUALITY, METHOD)
    return files


def _decoded(content: bytes, kind: str) -> Image.Image:
    """At most as large as the largest size, upright, RGB or RGBA."""
    Image.MAX_IMAGE_PIXELS = None
    image: Image.Image = Image.open(io.BytesIO(content), formats=[kind])
    require_bearable(*image.size)
    # A JPEG is decoded at an eighth, a quarter or half of its size where that is enough.
    image.draft(None, (2 * LARGEST, 2 * LARGEST))
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    profile = image.info.get("icc_profile")
    image = _in_srgb(_fitted(_plain(image), LARGEST), profile)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """1 when nothing that can be read says otherwise."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a broken note next to the pixels does not spoil them
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that can be made smaller."""
    if image.mode.startswith("I"):  # 16 bits a pixel, in grays
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in _PLAIN:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA, whatever colours the profile means; one that cannot be read means sRGB."""
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    opaque = image.convert({"RGBA": "RGB", "LA": "L"}.get(image.mode, image.mode))
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(opaque, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            opaque = made if made is not None else opaque
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    opaque = opaque.convert("RGB")
    if alpha is not None:
        opaque.putalpha(alpha)
    opaque.info.clear()
    return opaque


def _sizes_of(image: Image.Image, media_type: str) -> Pressed:
    files, shown = encoded(image), _on_white(image)
    return Pressed(media_type, image.width, image.height, _blur(shown), perceptual_hash(shown), files)


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """No side longer; a picture that is smaller stays as it is."""
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _on_white(image: Image.Image) -> Image.Image:
    """What is seen of it on a white page."""
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _blur(image: Image.Image) -> str:
    small = _webp(_fitted(image, BLUR_SIDE), BLUR_QUALITY, METHOD)
    return "data:image/webp;base64," + base64.b64encode(small).decode()


def _webp(image: Image.Image, quality: int, method: int) -> bytes:
    made = io.BytesIO()
    image.save(made, "WEBP", quality=quality, method=method, exif=b"", xmp=b"", icc_profile=b"")
    return made.getvalue()


def _said(error: Exception) -> str:
    """What the decoder says, in one line of ASCII letters."""
    text = " ".join(str(error).encode("ascii", "ignore").decode().split())
    return text[:100] or type(error).__name__
