"""What further labels would buy: the coverage that the same error rates would certify with more of them."""

import numpy as np
from numpy.typing import NDArray

from router.calibration.thresholds import START, STEP, TAILS, Promise

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def coverage_with(order: Floats, wrong: Bools, more: int, max_error: float, confidence: float, promise: Promise) -> float:
    """The share that the fixed-sequence test would keep if `more` labels came in at the same rates; 0.0 where nothing passes."""
    count = len(order)
    if not count:
        return 0.0
    errors = np.concatenate([[0], np.cumsum(wrong[np.argsort(order, kind="stable")])])
    growth, found = (count + more) / count, 0.0
    for share in np.arange(START, 1.0 + STEP / 2, STEP):
        kept = round(share * count)
        if TAILS[promise](round(growth * float(errors[kept])), round(growth * kept), max_error) > 1 - confidence:
            break
        found = float(share)
    return min(found, 1.0)
