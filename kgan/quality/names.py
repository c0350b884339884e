"""Names that changed in the files of a run, so that files of earlier versions can be read."""

from __future__ import annotations

from typing import Any

_KEYS = {  # of quality.json, compare.json and history.csv
    "figures": "metrics",
    "floor": "baseline",
    "unplaced": "low_confidence",
    "distinguishable": "real_vs_fake_accuracy",
}
_DISEASES = {"judged by the batch": "batch dependence"}  # of the findings in run.json


def current_names(content: Any) -> Any:
    """The content of a file of a run, under the names that are used today.

    Args:
        content: content of quality.json, run.json, compare.json or history.csv; anything else is returned as it is.

    Example:
        >>> current_names({"figures": {"unplaced": {"value": 0.3, "floor": 0.02}}})
        {'metrics': {'low_confidence': {'value': 0.3, 'baseline': 0.02}}}
    """
    if isinstance(content, dict):
        renamed = {_KEYS.get(key, key): current_names(value) for key, value in content.items()}
        if isinstance(disease := renamed.get("disease"), str):
            renamed["disease"] = _DISEASES.get(disease, disease)
        return renamed
    return [current_names(each) for each in content] if isinstance(content, list) else content
