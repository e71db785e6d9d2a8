"""AnoRand as a scikit-learn estimator: ``pip install 'polars-anorand[sklearn]'``.

Signs are scikit-learn's, not those of the rest of this package: ``score_samples`` is higher for *normal* rows, the
negative of :func:`polars_anorand.score`; ``predict`` gives -1 for an outlier and 1 for any other row.
"""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, cast

import polars as pl

from polars_anorand import functions
from polars_anorand._arguments import unused
from polars_anorand._options import CONTAMINATION
from polars_anorand.model import Model

try:
    import numpy as np
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils._param_validation import Interval, StrOptions
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"polars_anorand.sklearn needs scikit-learn 1.6 or newer: pip install 'polars-anorand[sklearn]' ({error})"
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from polars_anorand._options import Encode, FitOptions, Missing, Precision, Preset

_NOT_OPTIONS = {"contamination", "novelty", "random_state", "device", "precision"}
"""The parameters that are not options of :func:`polars_anorand.fit` by their own name."""


class AnoRand(OutlierMixin, BaseEstimator):
    """An outlier detector with scikit-learn's methods and signs.

    Parameters
    ----------
    contamination
        The share of the training rows to call outliers, above 0 and at most 0.5; see :func:`polars_anorand.detect`.
    novelty
        scikit-learn's word for clean training rows, as in ``LocalOutlierFactor(novelty=True)``: rows that score higher
        than all training rows are outliers, and ``contamination`` does not count. It changes this threshold, not the
        fit. For clean rows, the preset ``"novelty"`` fits better models: ``AnoRand(novelty=True, preset="novelty")``.
        Unlike in LocalOutlierFactor, all methods work either way.
    random_state
        The seed. None draws another seed in each fit.
    device, precision, preset, ...
        The arguments of :func:`polars_anorand.fit`, and its options; see :class:`polars_anorand.FitOptions`. The preset
        decides an option that is None.

    Attributes
    ----------
    model_ : Model
        The fitted model, which the verbs of this package take.
    offset_ : float
        ``decision_function(X) = score_samples(X) - offset_``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only after a fit on a frame.

    Notes
    -----
    ``X`` is a frame of Polars, pandas or anything with an Arrow stream, whose columns may have every dtype that
    :func:`polars_anorand.fit` takes, strings and times included; or a numeric array. A missing value does what the
    option ``missing`` says; a row without a score (``missing="null"``) has a NaN, and ``predict`` gives 1 for it.
    A process that has run a Polars query can't be forked: joblib's default backend, loky, does not fork.

    Examples
    --------
    >>> import polars as pl
    >>> from polars_anorand.sklearn import AnoRand
    >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [500], "y": [*range(0, 18, 2)] * 11 + [900]})
    >>> frame.filter(AnoRand(contamination=0.01).fit_predict(frame) == -1).rows()
    [(500, 900)]

    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "novelty": ["boolean"],
        "random_state": ["random_state"],
        "device": [str],
        "precision": [StrOptions({"float32", "tf32"})],
    }

    def __init__(
        self,
        *,
        contamination: float = CONTAMINATION,
        novelty: bool = False,
        random_state: int | np.random.RandomState | None = 0,
        device: str = "auto",
        precision: Precision = "float32",
        preset: Preset | None = None,
        missing: Missing | None = None,
        encode: Encode | None = None,
        members: int | None = None,
        max_samples: int | None = None,
        kept_rows: int | None = None,
        distil: bool | None = None,
        loss_weight: float | Sequence[float] | None = None,
        noise_std: float | None = None,
        hidden: Sequence[int] | None = None,
        latent: int | None = None,
        epochs: int | None = None,
        min_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
    ) -> None:
        self.contamination = contamination
        self.novelty = novelty
        self.random_state = random_state
        self.device = device
        self.precision: Precision = precision
        self.preset = preset
        self.missing = missing
        self.encode = encode
        self.members = members
        self.max_samples = max_samples
        self.kept_rows = kept_rows
        self.distil = distil
        self.loss_weight = loss_weight
        self.noise_std = noise_std
        self.hidden = hidden
        self.latent = latent
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: N803, ARG002
        """Fit a model on the rows of X; y is not looked at.

        Raises
        ------
        ValueError, TypeError
            For a parameter out of its range, or rows that are not finite numbers in an array, or NaN.
        PolarsError
            As :func:`polars_anorand.fit`.

        """
        self._validate_params()
        frame = self._frame(X, reset=True)
        given = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_OPTIONS}
        options = cast("FitOptions", {**given, "seed": self._seed()})
        fitted = functions.fit(
            pl.all(),
            device=self.device,
            precision=self.precision,
            name=unused("model", frame.columns),
            **options,
        )
        self.model_ = Model(frame.select(fitted).item())
        threshold = self._scores(frame).max() if self.novelty else self.model_.threshold(self.contamination)
        self.offset_ = -float(cast("float", threshold))
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """How normal each row is: the negative of its anomaly score, above -1 and below 0."""
        check_is_fitted(self)
        return -self._scores(self._frame(X, reset=False)).cast(pl.Float64).to_numpy()

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """``score_samples`` moved so that outliers, and only they, are below 0."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """-1 for an outlier, 1 for any other row."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _seed(self) -> int:
        if self.random_state is None or isinstance(self.random_state, np.random.RandomState):
            return int(check_random_state(self.random_state).randint(2**31 - 1))
        return self.random_state

    def _scores(self, frame: pl.DataFrame) -> pl.Series:
        verb = functions.score(
            pl.all(),
            self.model_,
            device=self.device,
            precision=self.precision,
            name=unused("score", frame.columns),
        )
        return frame.select(verb).to_series()

    def _frame(self, X: Any, reset: bool) -> pl.DataFrame:  # noqa: N803
        """X as a frame with the model's names; ``reset`` in a fit, which takes its names and number of columns."""
        frame = _from_frame(X)
        if reset:
            self._has_names = frame is not None
        if frame is None:
            # An infinity in an array is the fault of a computation, an error in scikit-learn; in a frame it is missing.
            array: Any = validate_data(
                self, X, reset=reset, ensure_all_finite="allow-nan", ensure_min_samples=2 - (not reset)
            )
            names = [f"x{at}" for at in range(array.shape[1])] if reset else self.model_.features
            return pl.DataFrame(array, schema=names)
        validate_data(self, X, reset=reset, skip_check_array=True)
        # scikit-learn sees no names in other frames, such as those of Arrow: the verbs match these.
        is_seen = isinstance(X, pl.DataFrame) or _is_pandas(X)
        if reset or (self._has_names and not is_seen):
            return frame
        # Of a column of nothing but None, pandas knows no dtype, and Polars takes it for text.
        dtypes: Any = X.dtypes if _is_pandas(X) else {}
        untyped = [name for name in frame.columns if str(dtypes.get(name)) == "object"]
        empty = [name for name in untyped if frame[name].null_count() == frame.height]
        frame = frame.with_columns(pl.lit(None).alias(name) for name in empty)
        return frame.rename(dict(zip(frame.columns, self.model_.features, strict=True)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _is_pandas(X: Any) -> bool:  # noqa: N803
    return type(X).__module__.partition(".")[0] == "pandas" and hasattr(X, "columns")


def _from_frame(X: Any) -> pl.DataFrame | None:  # noqa: N803
    """A frame of any library as one of Polars, or None for what is not a frame."""
    if isinstance(X, pl.DataFrame):
        return X
    if isinstance(X, pl.LazyFrame):
        raise TypeError("AnoRand takes a DataFrame, got a LazyFrame: collect it, or use polars_anorand.fit")
    if _is_pandas(X):
        # Not by its Arrow stream, which has the index as a column.
        return pl.from_pandas(X.set_axis([str(name) for name in X.columns], axis=1))
    return pl.DataFrame(X) if hasattr(X, "__arrow_c_stream__") and hasattr(X, "schema") else None
