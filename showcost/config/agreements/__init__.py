"""Union agreements and their pay rules as dated data: one YAML file each, checked when it is read.

The files in `data` come with the package; a production adds its own in `agreements/` of its data folder. A
new agreement is a new file and no code.
"""

from showcost.config.agreements.kinds import Certainty, PayRule
from showcost.config.agreements.loading import Agreements, load_agreements, packaged
from showcost.config.agreements.model import Agreement, ScalePeriod

__all__ = ["Agreement", "Agreements", "Certainty", "PayRule", "ScalePeriod", "load_agreements", "packaged"]
