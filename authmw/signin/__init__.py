"""The funnel that every factor ends in: proof, policy, session, event. Only here are sessions born."""
