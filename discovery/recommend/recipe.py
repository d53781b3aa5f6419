"""What a model is to be made of, and what is known of tracks besides their plays."""

from dataclasses import dataclass
from enum import StrEnum

from model.features import Features


class Kind(StrEnum):
    """What models are made of. `blend` is what was found best (docs/recommend.md)."""

    BLEND = "blend"
    ALS = "als"
    IALS = "ials"
    EASE = "ease"
    RP3BETA = "rp3beta"
    COSINE = "cosine"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What a model is made of, and how. `half_life` is counted in plays: see Row.strengths."""

    kind: Kind = Kind.BLEND
    factors: int = 64
    ridge: float = 0.03  # of `ials`
    unseen: float = 0.05  # of `ials`
    regularisation: float = 50.0  # of `als`
    alpha: float = 20.0  # of `als`
    ease_ridge: float = 200.0
    half_life: float = 20.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a track."""

    artist: str
    sound: Features | None = None
