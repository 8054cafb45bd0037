"""OAuth as browsers and native apps reach it. The provider's own tokens go to a browser only where the project says so (OAU-08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.rows import DURATION, SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.oauth.operations import OAuth


def rows(oauth: OAuth) -> tuple[Row, ...]:
    """The rows of this product."""
    show = signed_in if oauth.core.settings.oauth_tokens_to_browsers else _without_tokens
    return (
        Row(method="POST", path="/sdk/v1/oauth/attach", call=oauth.attach, hides=SESSION, needs_session=True),
        *(
            Row(
                method="POST",
                path=f"/sdk/v1/oauth/{name}",
                call=call,
                show=show,
                hides=SESSION,
                requires=DURATION,
                grants=True,
            )
            for name, call in (
                ("authenticate", oauth.authenticate),
                ("google/id_token/authenticate", oauth.id_tokens.google),
                ("apple/id_token/authenticate", oauth.id_tokens.apple),
            )
        ),
    )


def _without_tokens(answer: Any) -> dict[str, Any]:
    shown = signed_in(answer)
    empty = {"access_token": "", "refresh_token": "", "id_token": ""}
    return {**shown, "provider_values": {**shown["provider_values"], **empty}}
