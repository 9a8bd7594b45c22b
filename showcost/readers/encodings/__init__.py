"""Detection of the encoding of text that is not Unicode."""

from showcost.readers.encodings.detection import Detected, detect
from showcost.readers.encodings.families import WIDE_CHARACTERS

__all__ = ["WIDE_CHARACTERS", "Detected", "detect"]
