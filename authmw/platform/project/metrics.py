"""How much a project holds, counted when it is asked."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from authmw.operations import Call, Response
from authmw.people.records import Organization, User
from authmw.platform.m2m.records import M2MClient
from authmw.storage import EVERYTHING, Record

MetricType: TypeAlias = Literal["USER_COUNT", "ORGANIZATION_COUNT", "M2M_CLIENT_COUNT"]

_NEVER_STOP = 2**31 - 1
_COUNTED: tuple[tuple[MetricType, type[Record]], ...] = (
    ("USER_COUNT", User),
    ("ORGANIZATION_COUNT", Organization),
    ("M2M_CLIENT_COUNT", M2MClient),
)


class Metric(msgspec.Struct, kw_only=True):
    """How many there are of one kind."""

    metric_type: MetricType
    count: int


class MetricsResponse(Response, kw_only=True):
    """The counts of a project."""

    project_id: str
    metrics: list[Metric]


async def metrics_of(call: Call) -> MetricsResponse:
    """Every count, exact as of now: this reads as much as the store needs to count."""
    return MetricsResponse(
        project_id=call.settings.project_id,
        metrics=[
            Metric(metric_type=name, count=await call.storage.count(kind, EVERYTHING, at_most=_NEVER_STOP))
            for name, kind in _COUNTED
        ],
    )
