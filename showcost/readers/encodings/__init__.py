"""Detection of the encoding of text, and of text that was garbled before it came."""

from showcost.readers.encodings.detection import Detected, detect, rivals_of_utf8
from showcost.readers.encodings.families import WIDE_CHARACTERS
from showcost.readers.encodings.garbled import garbled_places, is_garbled

__all__ = ["WIDE_CHARACTERS", "Detected", "detect", "garbled_places", "is_garbled", "rivals_of_utf8"]
