"""Users: made, found, changed, and rid of factors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType

from authmw.consumer.answers import EmailAnswer, PhoneAnswer, UserAnswer, WalletAnswer, user_answer
from authmw.consumer.users import browser
from authmw.consumer.users.apps import AppsOfUsers
from authmw.consumer.users.search import filter_of
from authmw.errors import Refused
from authmw.identifiers import canonical_email, valid_external_id
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Response, current_call, operation
from authmw.paging import COUNTED, ResultsMetadata, read_cursor, sign_cursor
from authmw.parameters import Attributes, EmailAddress, Id, Metadata, Name, PhoneNumber, Roles, Text
from authmw.people.directory import new_email, new_phone, new_user, user_by_part, user_by_reference
from authmw.people.notices import notify_of
from authmw.people.purging import leave_purge
from authmw.people.records import Credential, User
from authmw.people.rules import merged_metadata, with_phone, without_email, without_part, without_phone
from authmw.rows import Row
from authmw.signin.ending import deny_all, end_all, end_others, keep_signed_in
from authmw.signin.keys import KeyRing
from authmw.signin.rules import check_sensitive
from authmw.signin.sessions import Live, live_by_token
from authmw.storage import Delete, Insert, Order, Update, Write

Limit1000 = Annotated[int, Meta(ge=1, le=1000)]


class CreateResponse(Response, kw_only=True):
    """A new user."""

    user_id: str
    email_id: str
    status: str
    phone_id: str
    user: UserAnswer


class UserResponse(Response, kw_only=True):
    """A user after a change."""

    user_id: str
    user: UserAnswer


class UpdateResponse(Response, kw_only=True):
    """A user after an update."""

    user_id: str
    emails: list[EmailAnswer]
    phone_numbers: list[PhoneAnswer]
    crypto_wallets: list[WalletAnswer]
    user: UserAnswer


class DeleteResponse(Response, kw_only=True):
    """A user is gone."""

    user_id: str


class GetResponse(UserAnswer, kw_only=True):
    """A user, its fields beside the status code."""

    status_code: int = 200
    request_id: str = ""


class SearchResponse(Response, kw_only=True):
    """Some users."""

    results: list[UserAnswer]
    results_metadata: ResultsMetadata


class SearchQuery(msgspec.Struct, kw_only=True):
    """Operands, all (AND) or any (OR) of which must hold; without operands everybody is found."""

    operator: Literal["AND", "OR"]
    operands: Annotated[list[dict[str, Any]], Meta(max_length=20)] = msgspec.field(default_factory=list[dict[str, Any]])


class Users(AppsOfUsers):
    """People of a consumer project."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/users", action="CreateUser")
    async def create(
        self,
        *,
        email: EmailAddress | None = None,
        phone_number: PhoneNumber | None = None,
        name: Name | None = None,
        attributes: Attributes | None = None,
        create_user_as_pending: bool = False,
        trusted_metadata: Metadata | None = None,
        untrusted_metadata: Metadata | None = None,
        external_id: Id | None = None,
        roles: Roles | None = None,
    ) -> CreateResponse:
        """Create a user with an e-mail address, a phone number (E.164) or both, not verified yet.

        Refused: `duplicate_email`, `duplicate_phone_number`, `duplicate_user_external_id`, `invalid_email`, `invalid_phone_number`, the metadata errors.
        """
        call = current_call()
        if not email and not phone_number:
            raise Refused("invalid_create_user_request")
        emails = (new_email(call, canonical_email(email)),) if email else ()
        user = new_user(call, *emails, pending=create_user_as_pending)
        if phone_number:
            user = with_phone(user, new_phone(call, phone_number))
        user = attrs.evolve(
            user,
            first_name=name.first_name if name else "",
            middle_name=name.middle_name if name else "",
            last_name=name.last_name if name else "",
            trusted_metadata=merged_metadata({}, trusted_metadata),
            untrusted_metadata=merged_metadata({}, untrusted_metadata),
            external_id=valid_external_id(external_id) if external_id else None,
            roles=tuple(roles or ()),
        )
        await _refuse_duplicates(call, user)
        await commit(Insert(user), subject_id=user.id)
        return CreateResponse(
            user_id=user.id,
            email_id=user.emails[0].email_id if user.emails else "",
            status=user.status,
            phone_id=user.phones[0].phone_id if user.phones else "",
            user=user_answer(user, call.now),
        )

    @operation("GET", "/v1/users/{user_id}", action="GetUser")
    async def get(self, *, user_id: Id) -> GetResponse:
        """A user, by id or external id. Refused: `user_not_found`."""
        call = current_call()
        shown = user_answer(await user_by_reference(call.storage, user_id), call.now)
        return GetResponse(**{name: getattr(shown, name) for name in UserAnswer.__struct_fields__})

    @operation("POST", "/v1/users/search", action="SearchUsersExternal")
    async def search(
        self, *, cursor: Text | None = None, limit: Limit1000 = 100, query: SearchQuery | None = None
    ) -> SearchResponse:
        """Users in the order they were created, up to `limit` (1 to 1000) a page. `total` is exact up to 10,000. Refused: the `user_search_...` errors."""
        call = current_call()
        operator, operands = (query.operator, query.operands) if query else ("AND", [])
        where = filter_of(operator, operands, call.settings.oauth)
        keys = call.core.roots.every("paging cursor")
        page = await call.storage.page(
            User, where, order=Order("created"), after=read_cursor(cursor, keys), limit=limit
        )
        total = await call.storage.count(User, where, at_most=COUNTED)
        return SearchResponse(
            results=[user_answer(user, call.now) for user in page.records],
            results_metadata=ResultsMetadata(total=total, next_cursor=sign_cursor(page.cursor, keys)),
        )

    @operation("PUT", "/v1/users/{user_id}", action="UpdateUser")
    async def update(
        self,
        *,
        user_id: Id,
        name: Name | None = None,
        attributes: Attributes | None = None,
        trusted_metadata: Metadata | None = None,
        untrusted_metadata: Metadata | None = None,
        external_id: Id | UnsetType | None = UNSET,
        roles: Roles | None = None,
    ) -> UpdateResponse:
        """Change a user. A name replaces all three parts; metadata is merged at the top level, null deletes a key; a null external id removes it."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        if call.caller.audience == "browser":
            await _check_own(call)
            if trusted_metadata is not None:
                raise Refused("cannot_update_trusted_metadata")
        after = attrs.evolve(
            user,
            trusted_metadata=merged_metadata(user.trusted_metadata, trusted_metadata),
            untrusted_metadata=merged_metadata(user.untrusted_metadata, untrusted_metadata),
            roles=tuple(roles) if roles is not None else user.roles,
        )
        if name is not None:
            after = attrs.evolve(
                after, first_name=name.first_name, middle_name=name.middle_name, last_name=name.last_name
            )
        if not isinstance(external_id, UnsetType):
            after = attrs.evolve(after, external_id=valid_external_id(external_id) if external_id else None)
        await _refuse_duplicates(call, after)
        await commit(*((Update(after),) if after != user else ()), subject_id=user.id)
        shown = user_answer(after, call.now)
        return UpdateResponse(
            user_id=user.id,
            emails=shown.emails,
            phone_numbers=shown.phone_numbers,
            crypto_wallets=shown.crypto_wallets,
            user=shown,
        )

    @operation("PUT", "/v1/users/{user_id}/exchange_primary_factor", action="ExchangePrimaryFactor")
    async def exchange_primary_factor(
        self, *, user_id: Id, email_address: EmailAddress | None = None, phone_number: PhoneNumber | None = None
    ) -> UserResponse:
        """Replace the one e-mail or phone number of a user who has exactly one factor; it is unverified, and every session ends."""
        call = current_call()
        if bool(email_address) == bool(phone_number):
            raise Refused("invalid_exchange_primary_factor_fields")
        user = await user_by_reference(call.storage, user_id)
        if user.part_count() != 1 or user.parts:
            raise Refused("invalid_exchange_primary_factor_user")
        emails = (new_email(call, canonical_email(email_address)),) if email_address else ()
        phones = (new_phone(call, phone_number),) if phone_number else ()
        after = end_all(call, attrs.evolve(user, emails=emails, phones=phones))
        await _refuse_duplicates(call, after)
        return await _changed(call, user, after)

    @operation("DELETE", "/v1/users/{user_id}", action="DeleteUser")
    async def delete(self, *, user_id: Id) -> DeleteResponse:
        """Delete a user; every session, link and code of theirs is dead with it. Refused: `user_not_found`."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        deny_all(call, user)
        leave_purge(call, user.id)
        await commit(Delete(user), subject_id=user.id)
        return DeleteResponse(user_id=user.id)

    @operation("DELETE", "/v1/users/emails/{email_id}", action="DeleteUserEmail")
    async def delete_email(self, *, email_id: Id) -> UserResponse:
        """Remove an e-mail; other sessions end. Refused: `email_not_found`, `cannot_delete_last_primary_factor`."""
        call = current_call()
        holder = await _holder(call, email_id, "email_not_found")
        if holder.user.email(email_id) is None:
            raise Refused("email_not_found")
        return await self._removed(call, holder, without_email(holder.user, email_id))

    @operation("DELETE", "/v1/users/phone_numbers/{phone_id}", action="DeleteUserPhoneNumber")
    async def delete_phone_number(self, *, phone_id: Id) -> UserResponse:
        """Remove a phone number; other sessions end. Refused: `phone_number_not_found`, `cannot_delete_last_primary_factor`."""
        call = current_call()
        holder = await _holder(call, phone_id, "phone_number_not_found")
        if holder.user.phone(phone_id) is None:
            raise Refused("phone_number_not_found")
        return await self._removed(call, holder, without_phone(holder.user, phone_id))

    @operation(
        "DELETE", "/v1/users/webauthn_registrations/{webauthn_registration_id}", action="DeleteUserWebAuthnRegistration"
    )
    async def delete_webauthn_registration(self, *, webauthn_registration_id: Id) -> UserResponse:
        """Remove a passkey or security key; other sessions end. Refused: `webauthn_registration_not_found`."""
        return await self._without_part(webauthn_registration_id, "webauthn", "webauthn_registration_not_found")

    @operation(
        "DELETE",
        "/v1/users/biometric_registrations/{biometric_registration_id}",
        action="DeleteUserBiometricRegistration",
    )
    async def delete_biometric_registration(self, *, biometric_registration_id: Id) -> UserResponse:
        """Remove a device's key; other sessions end. Refused: `biometric_registration_not_found`."""
        return await self._without_part(biometric_registration_id, "biometric", "biometric_registration_not_found")

    @operation("DELETE", "/v1/users/totps/{totp_id}", action="DeleteUserTOTP")
    async def delete_totp(self, *, totp_id: Id) -> UserResponse:
        """Remove an authenticator app; other sessions end. Refused: `totp_not_found`."""
        return await self._without_part(totp_id, "totp", "totp_not_found")

    @operation("DELETE", "/v1/users/crypto_wallets/{crypto_wallet_id}", action="DeleteUserCryptoWallet")
    async def delete_crypto_wallet(self, *, crypto_wallet_id: Id) -> UserResponse:
        """Remove a crypto wallet; other sessions end. Refused: `crypto_wallet_not_found`, `cannot_delete_last_primary_factor`."""
        return await self._without_part(crypto_wallet_id, "crypto_wallet", "crypto_wallet_not_found")

    @operation("DELETE", "/v1/users/passwords/{password_id}", action="DeleteUserPassword")
    async def delete_password(self, *, password_id: Id) -> UserResponse:
        """Remove the password; other sessions end. Refused: `password_not_found`."""
        return await self._without_part(password_id, "password", "password_not_found")

    @operation("DELETE", "/v1/users/oauth/{oauth_user_registration_id}", action="DeleteUserOAuthRegistration")
    async def delete_oauth_registration(self, *, oauth_user_registration_id: Id) -> UserResponse:
        """Remove a provider identity; other sessions end. Refused: `oauth_user_registration_not_found`, `cannot_delete_last_primary_factor`."""
        return await self._without_part(oauth_user_registration_id, "oauth", "oauth_user_registration_not_found")

    @operation("DELETE", "/v1/users/{user_id}/external_id", action="DeleteUserExternalId")
    async def delete_external_id(self, *, user_id: Id) -> UserResponse:
        """Remove the host's own id from a user."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        return await _changed(call, user, attrs.evolve(user, external_id=None))

    async def _without_part(self, part_id: str, kind: str, missing: str) -> UserResponse:
        """Take a factor and its secret from its user, in one commit."""
        call = current_call()
        holder = await _holder(call, part_id, missing)
        part = holder.user.part(part_id)
        if part is None or part.kind != kind:
            raise Refused(missing)
        credential = await call.storage.get(Credential, part_id)
        gone = (Delete(credential),) if credential else ()
        return await self._removed(call, holder, without_part(holder.user, part_id), *gone)

    async def _removed(self, call: Call, holder: _Holder, after: User, *more: Write) -> UserResponse:
        """Store a user without one of their factors: every session ends, but not the one that asked (SES-07)."""
        if holder.live is None:
            return await _changed(call, holder.user, end_all(call, after), *more)
        notify_of(call, holder.user, after)
        kept = end_others(call, holder.live, after)
        await commit(*kept.writes, *more, subject_id=after.id)
        await keep_signed_in(call, self.keys, kept)
        return UserResponse(user_id=after.id, user=user_answer(kept.subject, call.now))


@attrs.frozen
class _Holder:
    """Whose factor is being removed, and the session that asks for it, if a browser does."""

    user: User
    live: Live | None


async def _holder(call: Call, part_id: str, missing: str) -> _Holder:
    """Who has this part; from a browser the caller, whether or not they have it, and only under the MFA rule."""
    if call.caller.audience != "browser":
        return _Holder(await user_by_part(call.storage, part_id, missing), None)
    live = await _check_own(call)
    user = await call.storage.get(User, live.subject.id)
    assert user is not None  # the session lives
    return _Holder(user, live)


async def _check_own(call: Call) -> Live:
    """The session of the calling browser, under the rule of sensitive calls (ACC-02)."""
    live = await live_by_token(call.storage, call.caller.session_token, call.settings, call.now)
    check_sensitive(live.subject, live.session.factors, call.now)
    return live


async def _refuse_duplicates(call: Call, user: User) -> None:
    """Say which value is taken before the commit would; the unique indexes decide races."""
    for email in user.emails:
        if _is_other(await call.storage.find(User, "email", (email.address,)), user):
            raise Refused("duplicate_email")
    for phone in user.phones:
        if _is_other(await call.storage.find(User, "phone", (phone.number,)), user):
            raise Refused("duplicate_phone_number")
    if user.external_id and _is_other(await call.storage.find(User, "external_id", (user.external_id,)), user):
        raise Refused("duplicate_user_external_id")


def _is_other(found: User | None, user: User) -> bool:
    return found is not None and found.id != user.id


async def _changed(call: Call, before: User, after: User, *more: Write) -> UserResponse:
    notify_of(call, before, after)
    await commit(Update(after), *more, subject_id=after.id)
    return UserResponse(user_id=after.id, user=user_answer(after, call.now))
