"""Settings of the web process that clients of a benchmark ask: an installation's, but for how often one may ask."""

from project.settings.local import *
from project.settings.local import REST_FRAMEWORK

DEBUG = False
# Counted as always, in the broker's store; only never too often.
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "1000000/hour")
}
