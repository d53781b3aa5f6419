"""What a file is by its first bytes, before any program is started for it. Names say nothing."""

import re

from ingest.checks.declared import encrypted
from ingest.scan import COPY_HINT, Source, plain_file, unreadable
from model.errors import SourceError, SourceImageOnly, SourceNotMusic, SourceUnsupported

HEAD_BYTES = 1 << 16
_TEXT_BYTES = 1 << 12
FORMATS_HINT = "publish WAV, AIFF, FLAC, ALAC, WavPack, Ogg, Opus, MP3, AAC, CAF or Matroska"

_Signature = tuple[int, bytes]  # where, what
_IMAGES: dict[str, tuple[_Signature, ...]] = {
    "JPEG": ((0, b"\xff\xd8\xff"),),
    "PNG": ((0, b"\x89PNG\r\n\x1a\n"),),
    "GIF": ((0, b"GIF8"),),
    "TIFF": ((0, b"II*\0"),),
    "TIFF (big-endian)": ((0, b"MM\0*"),),
    "BMP": ((0, b"BM"), (6, b"\0\0\0\0")),
    "WebP": ((0, b"RIFF"), (8, b"WEBP")),
    "Photoshop": ((0, b"8BPS"),),
    "icon": ((0, b"\0\0\1\0"),),
    "HEIC": ((4, b"ftyphei"),),
    "HEIF": ((4, b"ftypmif1"),),
    "AVIF": ((4, b"ftypavif"),),
    "JPEG XL": ((0, b"\0\0\0\x0cJXL \r\n"),),
    "IFF": ((0, b"FORM"), (8, b"ILBM")),
}
_NO_MUSIC: dict[str, tuple[_Signature, ...]] = {
    "a ZIP archive (or a document made of one)": ((0, b"PK\3\4"),),
    "an empty ZIP archive": ((0, b"PK\5\6"),),
    "a PDF document": ((0, b"%PDF-"),),
    "a Linux program": ((0, b"\x7fELF"),),
    "a Windows program": ((0, b"MZ"),),
    "a macOS program": ((1, b"\xfa\xed\xfe"),),
    "a 64-bit macOS program": ((0, b"\xcf\xfa\xed\xfe"),),
    "Java or macOS code": ((0, b"\xca\xfe\xba\xbe"),),
    "WebAssembly": ((0, b"\0asm"),),
    "a gzip archive": ((0, b"\x1f\x8b\x08"),),
    "a bzip2 archive": ((0, b"BZh"), (4, b"1AY&SY")),
    "an xz archive": ((0, b"\xfd7zXZ\0"),),
    "a zstd archive": ((0, b"\x28\xb5\x2f\xfd"),),
    "a 7z archive": ((0, b"7z\xbc\xaf\x27\x1c"),),
    "a RAR archive": ((0, b"Rar!\x1a\7"),),
    "a tar archive": ((257, b"ustar"),),
    "an SQLite database": ((0, b"SQLite format 3\0"),),
    "an Office document": ((0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),),
    "Finder information without the file it belongs to": ((0, b"\0\5\x16\7"),),
    "an HDF5 file": ((0, b"\x89HDF\r\n"),),
    "a font": ((0, b"OTTO"),),
}
_LOSSLESS = "convert it to FLAC"
_LOSSY = "publish the lossless master it was made from, or convert it to FLAC"
_UNSUPPORTED: dict[str, tuple[str, tuple[_Signature, ...]]] = {
    "Windows Media (WMA, ASF)": (_LOSSY, ((0, bytes.fromhex("3026b2758e66cf11")),)),
    "DSD (DSF)": ("convert it to FLAC at 88.2 or 176.4 kHz", ((0, b"DSD "),)),
    "DSD (DSDIFF)": ("convert it to FLAC at 88.2 or 176.4 kHz", ((0, b"FRM8"),)),
    "Monkey's Audio (APE)": (_LOSSLESS, ((0, b"MAC "),)),
    "Monkey's Audio (APE, old)": (_LOSSLESS, ((0, b"MACF"),)),
    "True Audio (TTA)": (_LOSSLESS, ((0, b"TTA1"),)),
    "True Audio 2 (TTA)": (_LOSSLESS, ((0, b"TTA2"),)),
    "TAK": (_LOSSLESS, ((0, b"tBaK"),)),
    "OptimFROG": (_LOSSLESS, ((0, b"OFR "),)),
    "Shorten": (_LOSSLESS, ((0, b"ajkg"),)),
    "Musepack": (_LOSSY, ((0, b"MPCK"),)),
    "Musepack (SV7)": (_LOSSY, ((0, b"MP+"),)),
    "MIDI": ("render it to WAV", ((0, b"MThd"),)),
    "MIDI (RMID)": ("render it to WAV", ((0, b"RIFF"), (8, b"RMID"))),
    "a tracker module (XM)": ("render it to WAV", ((0, b"Extended Module: "),)),
    "a tracker module (IT)": ("render it to WAV", ((0, b"IMPM"),)),
    "a tracker module (S3M)": ("render it to WAV", ((44, b"SCRM"),)),
    "a tracker module (MOD)": ("render it to WAV", ((1080, b"M.K."),)),
    "Sun audio (AU)": ("convert it to WAV or FLAC", ((0, b".snd"),)),
    "8SVX": ("convert it to WAV or FLAC", ((0, b"FORM"), (8, b"8SVX"))),
    "AMR": (_LOSSY, ((0, b"#!AMR"),)),
    "RealAudio": (_LOSSY, ((0, b".ra\xfd"),)),
    "RealMedia": (_LOSSY, ((0, b".RMF"),)),
    "Dolby Digital (AC-3)": (_LOSSY, ((0, b"\x0b\x77"),)),
    "DTS": (_LOSSY, ((0, b"\x7f\xfe\x80\x01"),)),
    "DTS-HD": (_LOSSY, ((0, b"DTSHDHDR"),)),
    "Dolby TrueHD": (_LOSSLESS, ((4, b"\xf8\x72\x6f\xba"),)),
    "Meridian Lossless Packing": (_LOSSLESS, ((4, b"\xf8\x72\x6f\xbb"),)),
    "Flash video": (_LOSSY, ((0, b"FLV\1"),)),
    "AVI": ("take the audio out of it, as WAV or FLAC", ((0, b"RIFF"), (8, b"AVI "))),
    "MPEG video (a programme stream)": ("take the audio out of it", ((0, b"\0\0\1\xba"),)),
    "MPEG video": ("take the audio out of it", ((0, b"\0\0\1\xb3"),)),
    "an MPEG transport stream": ("take the audio out of it", ((0, b"G"), (188, b"G"), (376, b"G"))),
    "an MPEG transport stream (M2TS)": ("take the audio out of it", ((4, b"G"), (196, b"G"), (388, b"G"))),
}
_LOCKED: tuple[tuple[_Signature, ...], ...] = (
    ((8, b"aax "), (4, b"ftyp")),  # Audible
    ((8, b"aaxc"), (4, b"ftyp")),
    ((4, b"\x57\x90\x75\x36"),),  # Audible's first format
)
_TEXTS = (  # the first that is found wins; on text in lower case, without leading space
    ("a playlist (M3U)", r"#ext(m3u|inf)"),
    ("a playlist (PLS)", r"\[playlist\]"),
    ("a list of files for ffmpeg", r"ffconcat"),
    ("a web page", r"(<!--.*?-->\s*)?<(!doctype html|html|head|body)"),
    ("an SVG picture", r"(<\?xml.*?\?>\s*)?(<!--.*?-->\s*)?(<!doctype svg.*?>\s*)?<svg"),
    ("an XML document", r"<\?xml|<[a-z][\w:.-]*[\s>/]"),
    ("a script", r"#!"),
    ("a session description (SDP)", r"v=0\s+o="),
    ("JSON", r"[\[{]\s*[\"{\[\d\]}]"),
    ("a cue sheet", r"(rem|performer|title|file|catalog)\s.*?\btrack 01\b"),
)
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def sniff(source: Source) -> None:
    """Refuse what is certainly no music that we take. Blocking; reads 64 KiB at most.

    Raises SourceNotMusic, SourceImageOnly, SourceUnsupported or SourceEncrypted; what `unreadable` makes of a file that
    cannot be read. Bytes that it does not know are for the decoder to judge.
    """
    try:
        with open(source.path, "rb", opener=plain_file) as file:
            head = file.read(HEAD_BYTES)
    except OSError as failed:
        raise unreadable(source, failed) from failed
    if any(_is(head, signatures) for signatures in _LOCKED):
        raise encrypted(source)
    error = _unsupported(head, source.name) or _image(head, source.name) or _not_music(head, source.name)
    if error is not None:
        raise error


def _is(head: bytes, signatures: tuple[_Signature, ...]) -> bool:
    return all(head.startswith(what, at) for at, what in signatures)


def _unsupported(head: bytes, subject: str) -> SourceError | None:
    for name, (instead, signatures) in _UNSUPPORTED.items():
        if _is(head, signatures):
            return SourceUnsupported(f"{name} is not taken", subject=subject, hint=instead)
    if _is_free_format(head):
        return SourceUnsupported("free-format MP3 is not taken", subject=subject, hint=_LOSSY)
    return None


def _is_free_format(head: bytes) -> bool:
    """Whether it begins with an MPEG layer III header of no bit rate, as next to no encoder writes and ffmpeg reads."""
    sync = len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[1] >> 3 & 3 != 1
    return sync and head[2] >> 4 == 0 and head[2] >> 2 & 3 != 3 and head[3] & 3 != 2


def _image(head: bytes, subject: str) -> SourceError | None:
    name = next((name for name, signatures in _IMAGES.items() if _is(head, signatures)), None)
    if name is None:
        return None
    hint = "pictures are taken from the music's own folder as its cover; this one has no sound"
    return SourceImageOnly(f"it is a picture ({name})", subject=subject, hint=hint)


def _not_music(head: bytes, subject: str) -> SourceError | None:
    name = next((name for name, signatures in _NO_MUSIC.items() if _is(head, signatures)), None) or text_kind(head)
    if name is None and head and not head.strip(b"\0"):
        name = "a file of zero bytes, as a download leaves it that was never finished"
    if name is None:
        return None
    return SourceNotMusic(f"it is {name}", subject=subject, hint=f"if it should be music, {COPY_HINT}; {FORMATS_HINT}")


def text_kind(head: bytes) -> str | None:
    """What kind of text a file is that begins so; None if it is none."""
    text = _text(head[:_TEXT_BYTES])
    if text is None:
        return None
    lowered = text.lstrip().lower()
    return next((name for name, start in _TEXTS if re.match(start, lowered, re.DOTALL)), "text")


def _text(head: bytes) -> str | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):  # also the beginning of MPEG frames: text has few odd characters
        text = head[: len(head) & ~1].decode("utf-16", "replace")
        return text if text.isascii() and text.strip() else None
    if not head.strip() or _CONTROLS.intersection(head):
        return None
    try:
        return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" or error.start >= len(head) - 3
        return head[: error.start].decode("utf-8") if cut else _latin(head)


def _latin(head: bytes) -> str | None:
    """Text in an older encoding: mostly ASCII, and not with the first byte of an MPEG frame in front."""
    if head[0] == 0xFF:
        return None
    plain = sum(32 <= byte < 127 or byte in b"\t\n\r" for byte in head)
    return head.decode("latin-1") if plain >= 0.8 * len(head) else None
