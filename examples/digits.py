"""Figure 6 of the paper, with scikit-learn's handwritten digits: sevens among ones, as the networks see them.

A model is fitted on all ones and a few sevens, 5 % of the rows; ``embed`` gives each image's latent, and the first two
principal components of the latents are drawn. Three models of one architecture: a plain autoencoder
(``loss_weight=0``), AnoRand, and AnoRand that has been told which images are sevens. Run it with ``make demo``; it
writes a picture to ``target/demo/``.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl
from flights import FOLDER
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, silhouette_score

import polars_anorand as anorand

SHARE_OF_SEVENS = 0.05
PIXELS = pl.exclude("seven")

TRAINING: anorand.FitOptions = {"preset": "paper", "epochs": 1000, "learning_rate": 1e-3}
"""The paper's network; its 200 epochs at 1e-4 are few hundred small steps on so few images, which hardly move it."""


DRAWS = 5
"""The number of draws of sevens. Few sevens differ much: what is printed is the mean; drawn is the first draw."""


def main() -> None:
    """Fit three models, measure how far apart they see the digits, and draw it."""
    models = {
        "plain autoencoder": anorand.fit(PIXELS, **(TRAINING | {"loss_weight": 0.0})),
        "AnoRand": anorand.fit(PIXELS, **TRAINING),
        "AnoRand, labels given": anorand.fit(PIXELS, labels="seven", **TRAINING),
    }
    draws = [ones_and_sevens(seed) for seed in range(DRAWS)]
    print(f"\n{draws[0].height} images, {draws[0]['seven'].sum()} of them sevens. What each model makes of them:")
    panels = [seen(draws, name, fit) for name, fit in models.items()]
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = FOLDER / "digits.png"
    draw(pl.concat(panels), list(models)).save(picture, ppi=144)
    print(f"The latents are drawn in {picture}.")


def ones_and_sevens(seed: int) -> pl.DataFrame:
    """All ones, and sevens that are 5 % of the rows: 64 pixels each, and whether it is a seven."""
    pixels, digits = load_digits(return_X_y=True)
    ones, sevens = (pl.DataFrame(pixels[digits == digit]) for digit in (1, 7))
    count = round(ones.height * SHARE_OF_SEVENS / (1 - SHARE_OF_SEVENS))
    few = sevens.sample(count, seed=seed)
    return pl.concat([ones.with_columns(seven=pl.lit(False)), few.with_columns(seven=pl.lit(True))])


def seen(draws: list[pl.DataFrame], name: str, fit: pl.Expr) -> pl.DataFrame:
    """Where a model sees each image of the first draw, in two dimensions of its latent space."""
    outputs = []
    for images in draws:
        model = images.select(fit).item()
        outputs.append(images.select("seven", anorand.score(PIXELS, model), anorand.embed(PIXELS, model)))
    apart = np.mean([silhouette_score(out["embedding"].to_numpy(), out["seven"]) for out in outputs])
    precision = np.mean([average_precision_score(out["seven"], out["score"]) for out in outputs])
    print(f"  {name:22}  silhouette of the digits {apart:5.2f}   AUC-PR of the score {precision:.2f}")
    shown = outputs[0]
    first, second = PCA(2, random_state=0).fit_transform(shown["embedding"].to_numpy()).T
    return pl.DataFrame({"model": name, "digit": np.where(shown["seven"], "7", "1"), "first": first, "second": second})


def draw(points: pl.DataFrame, order: list[str]) -> alt.FacetChart:
    """One scatter plot a model, sevens on top."""
    panel = (
        alt.Chart(points)
        .mark_point(filled=True, opacity=0.8, size=36)
        .encode(
            alt.X("first:Q").title("first component"),
            alt.Y("second:Q").title("second"),
            alt.Color("digit:N").scale(domain=["1", "7"], range=["#9db4c8", "#c0392b"]),
            alt.Order("digit:N"),
        )
        .properties(width=250, height=220)
    )
    chart: alt.FacetChart = panel.facet(alt.Column("model:N").sort(order).title(None)).resolve_scale(
        x="independent", y="independent"
    )
    return chart.properties(title=alt.Title("The latent (z0, z1) of ones and a few sevens", anchor="middle"))


if __name__ == "__main__":
    main()
