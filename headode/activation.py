"""Attention activations: how the heads' scores become one weight per token (theory: model).

Every activation is a score function ``w`` of the shifted field ``χ_lh − b_h`` together with a
normalization. The classes here are plain data; the symbolic layer turns them into kernels, and the
simulation layer has its own hand-written versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal, get_args

from headode._checks import check_option
from headode.errors import ArgumentError, one_of
from headode.score_expression import check_score

Normalization = Literal["per_head", "pooled", "none"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)

BUILTIN_SCORES = ("exp", "softplus", "affine", "erf")


@dataclass(frozen=True)
class Activation:
    """An attention activation ``A_l(χ)``.

    With ``w_lh = score(χ_lh − b_h)`` and ``a = 1/H`` if ``average`` else 1:

    - ``per_head``: ``A_l = a Σ_h w_lh / (null + Σ_j w_jh)``
    - ``pooled``: ``A_l = Σ_h w_lh / (null + Σ_jh' w_jh')``
    - ``none``: ``A_l = c Σ_h w_lh`` with the model's ``prefactor`` c

    Attributes:
        name: identifier, used in configurations and for the generated kernel.
        score: one of ``exp``, ``softplus``, ``affine`` (1 + x), ``erf`` (1 + erf x), or a SymPy
            expression in one symbol: positive if it is normalized, with a continuous first
            derivative.
        normalization: ``per_head``, ``pooled`` or ``none``.
        null: weight of a null token, e.g. 1 for softmax-1.
        average: divide by the number of heads (``per_head`` only).
        summary: one line for listings.

    Raises:
        ArgumentError: for a name that is no identifier, parts that do not go together, or a score
            that cannot be used.

    Warns:
        SmoothnessWarning: for a score whose second or third derivative jumps.
    """

    name: str
    score: Any
    normalization: Normalization
    null: float = 0.0
    average: bool = False
    summary: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ArgumentError("name", "be lower-case letters, digits and underscores", self.name)
        check_option("normalization", self.normalization, NORMALIZATIONS)
        if isinstance(self.score, str):
            check_option("score", self.score, BUILTIN_SCORES)
        else:
            score = check_score(self.score, positive=self.normalization != "none")
            object.__setattr__(self, "score", score)
        if self.null < 0:
            raise ArgumentError("null", "be ≥ 0", self.null)
        if self.null and self.normalization == "none":
            raise ArgumentError("null", "be 0 without normalization", self.null)
        if self.average and self.normalization != "per_head":
            raise ArgumentError("average", "be False unless normalization is per_head", True)

    @property
    def is_exponential(self) -> bool:
        """Whether w(x) = e^x, so that adding a number to a field multiplies the score."""
        if isinstance(self.score, str):
            return self.score == "exp"
        # Told by its name, since SymPy is not imported for this.
        return type(self.score).__name__ == "exp" and bool(self.score.args[0].is_Symbol)

    @property
    def takes_prefactor(self) -> bool:
        """Whether the weights carry the model's prefactor c (element-wise activations do)."""
        return self.normalization == "none"


BUILTIN = {
    activation.name: activation
    for activation in (
        Activation(
            "softmax", "exp", "per_head", average=True, summary="mean of per-head softmaxes"
        ),
        Activation("softmax1", "exp", "per_head", null=1.0, summary="per head, with a null token"),
        Activation("bayes_softmax", "exp", "pooled", summary="heads and tokens compete"),
        Activation("linear", "affine", "none", summary="c Σ_h (1 + χ), closed form"),
        Activation("erf", "erf", "none", summary="c Σ_h (1 + erf χ), element-wise"),
        Activation("softplus", "softplus", "per_head", average=True, summary="normalized softplus"),
    )
}
_registered: dict[str, Activation] = {}

ENTRY_POINT_GROUP = "headode.activations"


def register_activation(activation: Activation) -> Activation:
    """Make an activation known by its name, to models and to configuration files.

    Packages can also register theirs for the command line with an entry point in the group
    ``headode.activations`` that names an :class:`Activation`.

    Raises:
        ArgumentError: if the name is a built-in one, or taken by a different activation.
    """
    known = BUILTIN.get(activation.name) or _registered.get(activation.name)
    if known is not None and known != activation:
        raise ArgumentError("name", "not be the name of another activation", activation.name)
    if activation.name not in BUILTIN:
        _registered[activation.name] = activation
    return activation


def get_activation(name: str) -> Activation:
    """Look an activation up by name: built in, registered, or offered by an installed package.

    Raises:
        ArgumentError: for an unknown name; the message lists the valid ones.
    """
    if name in BUILTIN:
        return BUILTIN[name]
    if name not in _registered:
        for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
            register_activation(entry.load())
    if name not in _registered:
        raise ArgumentError("activation", one_of(activation_names(), name), name)
    return _registered[name]


def activation_names() -> tuple[str, ...]:
    """Names that :func:`get_activation` knows: the built-in ones first."""
    offered = {entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return (*BUILTIN, *sorted(offered | set(_registered)))
