"""The counts of a project are what is there, at any moment."""

from __future__ import annotations

from tests.world import PROJECT_ID, World


def counts(world: World) -> dict[str, int]:
    answer = world.backend("GET", "/v1/projects/metrics")
    assert (answer.status, answer.json["project_id"]) == (200, PROJECT_ID)
    return {one["metric_type"]: one["count"] for one in answer.json["metrics"]}


def test_what_is_made_counts_and_what_is_deleted_does_not(world: World) -> None:
    assert counts(world) == {"USER_COUNT": 0, "ORGANIZATION_COUNT": 0, "M2M_CLIENT_COUNT": 0}
    users = [
        world.backend("POST", "/v1/users", {"email": f"one{number}@example.org"}).json["user_id"] for number in range(3)
    ]
    client = world.backend("POST", "/v1/m2m/clients", {"scopes": ["pay"]}).json["m2m_client"]["client_id"]
    assert counts(world) == {"USER_COUNT": 3, "ORGANIZATION_COUNT": 0, "M2M_CLIENT_COUNT": 1}
    world.backend("DELETE", f"/v1/users/{users[0]}")
    world.backend("DELETE", f"/v1/m2m/clients/{client}")
    assert counts(world) == {"USER_COUNT": 2, "ORGANIZATION_COUNT": 0, "M2M_CLIENT_COUNT": 0}
