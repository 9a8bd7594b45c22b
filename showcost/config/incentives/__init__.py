"""Tax credits and production incentives as dated data: one YAML file per programme, checked when read.

The files in `data` belong to the package; a production adds its own in `incentives/` of its data folder, and
names in `production.yaml` the programmes that it claims. A new programme is a new file and needs no code.
"""

from showcost.config.incentives.loading import ClaimedProgramme, claimed_programmes, packaged_programmes
from showcost.config.incentives.model import CapBase, CostKind, Programme, SpendCap, SpendRule, SpendVerdict

__all__ = [
    "CapBase",
    "ClaimedProgramme",
    "CostKind",
    "Programme",
    "SpendCap",
    "SpendRule",
    "SpendVerdict",
    "claimed_programmes",
    "packaged_programmes",
]
