"""Union agreements and their pay rules as dated data: one YAML file per agreement, checked when read.

The files in `data` belong to the package; a production adds its own in `agreements/` of its data folder. A
new agreement is a new file and needs no code.
"""

from showcost.config.agreements.loading import Agreements, load_agreements, packaged
from showcost.config.agreements.model import Agreement, ScalePeriod
from showcost.config.agreements.rule_kinds import Certainty, PayRule

__all__ = ["Agreement", "Agreements", "Certainty", "PayRule", "ScalePeriod", "load_agreements", "packaged"]
