"""Prices that are built in: common instance types of AWS, GCP and Azure in a few regions, in USD an hour.

They are a start, for who has no prices of their own at hand: list prices without discounts, and older every day.
Sizes are those of the providers' pages; prices come from:

- AWS us-east-1: list prices of 2026-07-20, as karpenter-provider-aws (Apache-2.0) carries them. us-west-2 and eu-west-1
  are estimates, that list times the ratio of region and family in libcloud's price file (Apache-2.0) of 2023-08-06.
  Spot prices are on-demand less the saving of AWS' Spot Advisor of 2025-07-28, by spotinfo (Apache-2.0).
- GCP: on-demand and spot prices of 2026-08-03, by karpenter-provider-gcp (Apache-2.0).
- Azure: on-demand prices of 2026-06-18, by karpenter-provider-azure (Apache-2.0), which has no spot prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.money import micros
from policies.pricing.table import CapacityType, Offer, PriceTable
from policies.quantities import parse_moment_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Machine:
    """What an instance type has. `memory_bytes` is what it is sold with; a node can use less of everything."""

    provider: str
    instance_type: str
    cpu_cores: int
    memory_bytes: int
    gpu: str  # its name; empty without one
    gpus: int


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the prices of some columns come from, and when they held."""

    region: str
    source: str
    spot_source: str  # empty: the table has no column of spot prices
    on: str


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One provider's types: lines of type, vCPU, GiB, GPU and their number, then the prices of each source."""

    provider: str
    sources: tuple[_Source, ...]
    lines: str


_ADVISOR = "estimate: on-demand less the saving of AWS Spot Advisor of 2025-07-28"
_RATIO = "estimate: us-east-1 times a ratio of region and family of 2023"
_AWS = _Sheet(
    "aws",
    (
        _Source("us-east-1", "AWS list price", _ADVISOR, "2026-07-20"),
        _Source("us-west-2", _RATIO, _ADVISOR, "2026-07-20"),
        _Source("eu-west-1", _RATIO, _ADVISOR, "2026-07-20"),
    ),
    """
t3.medium        2     4  -          -   0.0416   0.0183    0.044   0.0154   0.0488  0.0215
t3.xlarge        4    16  -          -   0.1664   0.0666   0.1761   0.0634   0.1952  0.0878
m5.large         2     8  -          -    0.096   0.0326    0.096   0.0365    0.107   0.046
m5.xlarge        4    16  -          -    0.192   0.0653    0.192   0.0634   0.2141  0.0942
m5.2xlarge       8    32  -          -    0.384   0.1766    0.384   0.1574   0.4282  0.1927
m6i.xlarge       4    16  -          -    0.192   0.0864    0.192   0.0787   0.2141  0.0942
m6i.2xlarge      8    32  -          -    0.384   0.1613    0.384   0.1421   0.4282  0.2012
m6i.4xlarge     16    64  -          -    0.768   0.2611    0.768   0.2918   0.8563  0.3768
m7i.xlarge       4    16  -          -   0.2016   0.0948   0.2016   0.0867   0.2248  0.1056
m7i.2xlarge      8    32  -          -   0.4032   0.1532   0.4032   0.1774   0.4496  0.2023
m7g.xlarge       4    16  -          -   0.1632    0.062   0.1632   0.0604    0.182  0.0855
m7g.2xlarge      8    32  -          -   0.3264   0.1175   0.3264   0.1208   0.3639  0.1638
c6i.xlarge       4     8  -          -     0.17    0.068     0.17   0.0663   0.1824  0.0803
c6i.2xlarge      8    16  -          -     0.34   0.1666     0.34    0.119   0.3648  0.1642
c7i.2xlarge      8    16  -          -    0.357   0.1464    0.357   0.1571    0.399  0.1756
r6i.xlarge       4    32  -          -    0.252   0.1058    0.252   0.1109    0.282  0.1269
r6i.2xlarge      8    64  -          -    0.504   0.2268    0.504   0.2117    0.564  0.2538
g4dn.xlarge      4    16  T4         1    0.526   0.1894    0.526   0.1894   0.5879  0.2704
g4dn.12xlarge   48   192  T4         4    3.912   1.4083    3.912   1.4474   4.3722  1.9238
g5.xlarge        4    16  A10G       1    1.006   0.4125    1.006   0.3722   1.1244  0.4947
g5.2xlarge       8    32  A10G       1    1.212    0.509    1.212   0.4969   1.3546  0.6231
g5.12xlarge     48   192  A10G       4    5.672   2.3822    5.672   1.7016   6.3393  2.7893
g6.xlarge        4    16  L4         1   0.8048   0.4104   0.8048   0.4265        -       -
g6.12xlarge     48   192  L4         4   4.6016   1.8867   4.6016   1.7486        -       -
g6e.xlarge       4    32  L40S       1    1.861   0.7816    1.861   0.9305        -       -
p3.2xlarge       8    61  V100       1     3.06    0.612     3.06   0.8874     3.42  1.5048
p4d.24xlarge    96  1152  A100-40GB  8  21.9576    7.246  21.9576  10.3201  24.5409  16.197
p5.48xlarge    192  2048  H100       8    55.04  26.4192    55.04  29.7216        -       -
""",
)
_GCP = _Sheet(
    "gcp",
    (
        _Source("us-central1", "GCP list price", "GCP spot price", "2026-08-03"),
        _Source("europe-west4", "GCP list price", "GCP spot price", "2026-08-03"),
    ),
    """
e2-standard-4     4    16  -          -    0.134   0.0804    0.1475   0.0705
e2-standard-8     8    32  -          -    0.268   0.1608    0.2951   0.1411
n2-standard-4     4    16  -          -   0.1942   0.0921    0.2138   0.0777
n2-standard-8     8    32  -          -   0.3885   0.1842    0.4277   0.1555
n2-standard-16   16    64  -          -   0.7769   0.3685    0.8553   0.3109
n2-highmem-8      8    64  -          -   0.5241   0.2486    0.5769   0.2097
n2d-standard-8    8    32  -          -    0.338   0.0978    0.3721   0.1302
c3-standard-8     8    32  -          -   0.4032   0.0988    0.4234   0.1788
c4-standard-8     8    30  -          -   0.3953   0.2372    0.4151   0.1498
t2d-standard-4    4    16  -          -    0.169    0.063     0.186   0.0615
g2-standard-4     4    16  L4         1   0.7068   0.3973    0.7429   0.3899
g2-standard-12   12    48  L4         1   1.0004   0.5624    1.0515   0.5518
g2-standard-24   24    96  L4         2   2.0008   1.1248     2.103   1.1036
g2-standard-48   48   192  L4         4   4.0017   2.2496     4.206   2.2071
a2-highgpu-1g    12    85  A100-40GB  1   3.6734    1.928     3.748   1.6928
a2-highgpu-8g    96   680  A100-40GB  8  29.3871  15.4242   29.9838  13.5427
a2-ultragpu-1g   12   170  A100-80GB  1   5.0688   2.7595    5.5809   2.9452
a3-highgpu-1g    26   234  H100       1  11.0612   6.3262   14.0676   5.5148
a3-highgpu-8g   208  1872  H100       8    88.49  50.6095  112.5405  44.1188
""",
)
_AZURE = _Sheet(
    "azure",
    (
        _Source("eastus", "Azure list price", "", "2026-06-18"),
        _Source("westeurope", "Azure list price", "", "2026-06-18"),
    ),
    """
Standard_D2s_v5            2     8  -          -   0.096    0.115
Standard_D4s_v5            4    16  -          -   0.192     0.23
Standard_D8s_v5            8    32  -          -   0.384     0.46
Standard_D16s_v5          16    64  -          -   0.768     0.92
Standard_D4as_v5           4    16  -          -   0.172    0.208
Standard_E4s_v5            4    32  -          -   0.252    0.304
Standard_E8s_v5            8    64  -          -   0.504    0.608
Standard_F8s_v2            8    16  -          -   0.338    0.388
Standard_NC4as_T4_v3       4    28  T4         1   0.526    0.658
Standard_NC8as_T4_v3       8    56  T4         1   0.752     0.94
Standard_NC16as_T4_v3     16   110  T4         1   1.204    1.505
Standard_NC64as_T4_v3     64   440  T4         4   4.352     5.44
Standard_NC6s_v3           6   112  V100       1    3.06    3.823
Standard_NV36ads_A10_v5   36   440  A10        1     3.2     4.16
Standard_NC24ads_A100_v4  24   220  A100-80GB  1   3.673    4.775
Standard_NC48ads_A100_v4  48   440  A100-80GB  2   7.346     9.55
Standard_NC96ads_A100_v4  96   880  A100-80GB  4  14.692     19.1
Standard_NC40ads_H100_v5  40   320  H100-NVL   1    6.98     9.08
Standard_ND96isr_H100_v5  96  1900  H100       8   98.32  127.816
""",
)
_ABSENT = "-"
_SIZE = 5  # columns before the prices


@cache
def built_in_prices() -> PriceTable:
    """All prices, with the source of each."""
    rows = [row for sheet in (_AWS, _GCP, _AZURE) for row in _prices(sheet)]
    offers, prices, as_of_s, sources = zip(*rows, strict=True)
    return PriceTable("USD", offers, np.array(prices, np.int64), np.array(as_of_s, np.float64), sources)


@cache
def machines() -> Mapping[tuple[str, str], Machine]:
    """What the instance types have, by provider and instance type."""
    found = {}
    for sheet in (_AWS, _GCP, _AZURE):
        for name, cpu, gib, gpu, gpus, *_ in map(str.split, sheet.lines.strip().splitlines()):
            none = gpu == _ABSENT
            machine = Machine(
                sheet.provider, name, int(cpu), int(gib) * GIB, "" if none else gpu, 0 if none else int(gpus)
            )
            found[sheet.provider, name] = machine
    return found


def _prices(sheet: _Sheet) -> Iterator[tuple[Offer, int, float, str]]:
    for name, *cells in map(str.split, sheet.lines.strip().splitlines()):
        left = iter(cells[_SIZE - 1 :])
        for each in sheet.sources:
            as_of_s = parse_moment_s(f"{each.on}T00:00:00Z")
            kinds = [(CapacityType.ON_DEMAND, each.source)]
            kinds += [(CapacityType.SPOT, each.spot_source)] if each.spot_source else []
            for capacity, source in kinds:
                if (price := next(left)) != _ABSENT:
                    offer = Offer(sheet.provider, name, each.region, capacity=capacity)
                    yield offer, micros(float(price)), as_of_s, source
