"""Every PromQL of every panel returns data: on the demo's Prometheus, or, for what a demo cannot have, on series as
their exporters write them, those of the GPU agent being its own.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from policies.gpus.exported import AGENT
from policies.metric import Gauge
from policies.signals import BY_WORKLOAD, EXPORTED, OUTLOOK, OUTLOOK_ABOVE_MAX, SIZE_BYTES, SIZE_CORES, XID_LESS
from tests.dashboards.boards import FILLED_IN, Asked, asked, filled_in

FORESAIL = str(Path(sys.executable).parent / "foresail")
