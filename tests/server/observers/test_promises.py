import math

from prometheus_client import CollectorRegistry

from server.observers.promises import Promises


def test_what_was_never_known_has_no_series_and_what_is_no_longer_known_is_no_number() -> None:
    registry = CollectorRegistry()
    promises = Promises(registry)
    promises.kept_error_bound("auto", None)
    assert registry.get_sample_value("smallfirst_kept_error_bound", {"route": "auto"}) is None
    promises.kept_error_bound("auto", 0.03)
    assert registry.get_sample_value("smallfirst_kept_error_bound", {"route": "auto"}) == 0.03
    promises.kept_error_bound("auto", None)
    assert math.isnan(registry.get_sample_value("smallfirst_kept_error_bound", {"route": "auto"}) or 0.0)


def test_a_new_calibration_leaves_no_threshold_of_the_old_one() -> None:
    registry = CollectorRegistry()
    promises = Promises(registry)
    promises.thresholds("auto", {"pooled": 0.1, "timers": 0.2})
    promises.thresholds("other", {"pooled": 0.3})
    promises.thresholds("auto", {"pooled": 0.15})
    found = {
        group: registry.get_sample_value("smallfirst_threshold", {"route": "auto", "group": group}) or 0.0 for group in ("pooled", "timers")
    }
    assert found["pooled"] == 0.15
    assert math.isnan(found["timers"])
    assert registry.get_sample_value("smallfirst_threshold", {"route": "other", "group": "pooled"}) == 0.3
