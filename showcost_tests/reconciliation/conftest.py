"""The small production of `showcost_tests.whole`, posted and landed."""

from showcost_tests.whole.conftest import Copy, copy, landed_home, posted_home

__all__ = ["Copy", "copy", "landed_home", "posted_home"]
