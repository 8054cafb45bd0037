"""The costs of which the plan for many people is made are measured on real servers. No figure is judged but what no machine can change."""

from __future__ import annotations

import attrs
import pytest

from benchmarks import capacity
from tests.adapters.own_databases import redis_address
from tests.databases import MAINTENANCE, address
from tests.servers import Machine


@pytest.mark.server("postgresql")
@pytest.mark.server("redis")
def test_every_cost_is_measured(machine: Machine) -> None:
    server = address(machine, "postgresql", MAINTENANCE["postgresql"])
    where = redis_address(machine)
    costs = capacity.measure(server.render_as_string(), where, many=20, people=2, rounds=1)
    assert all(figure > 0 for figure in attrs.astuple(costs))
    assert costs.first_log_bytes > costs.log_bytes


def test_twice_the_people_need_twice_of_everything() -> None:
    costs = capacity.kept()
    once, twice = (capacity.plan(costs, capacity.Assumed(people=people)) for people in (1_000_000, 2_000_000))
    assert twice == pytest.approx({name: 2 * figure for name, figure in once.items()})
