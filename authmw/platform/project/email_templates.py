"""Message templates that an administrator writes while the service runs, beside those that code declares and ours.

Law: a template is checked when it is stored, by the same rules as a declared one; what is declared in code is not changed over the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import attrs
import msgspec
from msgspec import Meta

from authmw.errors import Refused
from authmw.messages import MessageValues, render
from authmw.messages.values import Notice
from authmw.operations import Call, Product, Response, current_call, operation
from authmw.parameters import TemplateId
from authmw.platform.project.changes import change_project, managed_project, read_project
from authmw.project import StoredProject, StoredTemplate, book_of, stored_content
from authmw.storage import And, Delete, Insert, Update
from authmw.templates import (
    MAXIMUM_TEMPLATES,
    BuiltIn,
    CustomHTML,
    Font,
    Template,
    TemplateBook,
    TemplateType,
)

Line = Annotated[str, Meta(max_length=200)]
Origin = Literal["ours", "declared", "stored"]


class BuiltInContent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Our layout with a project's looks."""

    sender_name: Line | None = None
    greeting: Line | None = None
    button_color: Line = "#1a56db"
    button_text_color: Line | None = None
    logo_url: Annotated[str, Meta(max_length=2048)] | None = None
    font: Font = "system"


class CustomContent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mail written by the project, as HTML and as text."""

    subject: Line
    html: str
    text: str


Translations = Annotated[dict[str, CustomContent], Meta(max_length=20)]


class TemplateAnswer(msgspec.Struct, kw_only=True):
    """A template: its type, whether mails of that type use it, where it comes from, and its content in one of two forms."""

    template_id: str
    type: TemplateType
    title: str
    default: bool
    origin: Origin
    built_in: BuiltInContent | None
    custom: CustomContent | None
    translations: dict[str, CustomContent]
    created_at: datetime | None
    changed_at: datetime | None


class TemplateResponse(Response, kw_only=True):
    """One template."""

    email_template: TemplateAnswer


class TemplatesResponse(Response, kw_only=True):
    """Every template that there is."""

    email_templates: list[TemplateAnswer]


class PreviewResponse(Response, kw_only=True):
    """A mail of a template with made-up values. Show `html` in a frame without scripts and without the origin of the page around it."""

    locale: str
    subject: str
    text: str
    html: str


class EmailTemplates(Product):
    """Message templates of the project."""

    @operation("POST", "/v1/project/email_templates", action="CreateEmailTemplate", source="DASHBOARD")
    async def create(
        self,
        *,
        template_id: TemplateId,
        type: TemplateType,  # noqa: A002 -- the wire's own word
        built_in: BuiltInContent | None = None,
        custom: CustomContent | None = None,
        translations: Translations = {},  # noqa: B006 -- read only
    ) -> TemplateResponse:
        """Store a template of this type: our layout with these looks, or the project's own HTML and text, which may be translated.

        Refused: `setting_not_managed`, `duplicate_email_template_vanity_id`, `too_many_email_templates` (200 with the declared ones), and
        `invalid_email_template_parameters` or `invalid_email_template_content` for what could break out of its place.
        """
        call = current_call()
        project = await managed_project(call, "templates")
        book = await _book(call, project)
        template = _template(template_id, type, built_in, custom, translations)
        if any(one.template_id == template_id for one in book.all()):
            raise Refused("duplicate_email_template_vanity_id")
        if len(book.templates) >= MAXIMUM_TEMPLATES:
            raise Refused("too_many_email_templates")
        stored = _stored(template, call.now, call.now)
        await _change(call, project, Insert(stored))
        return TemplateResponse(email_template=_answer(call, book, template, stored))

    @operation("GET", "/v1/project/email_templates", action="ListEmailTemplates", source="DASHBOARD")
    async def list(self) -> TemplatesResponse:
        """Every template: ours, the declared and the stored."""
        call = current_call()
        project = await read_project(call)
        stored = await _all_stored(call)
        book = book_of(call.core.settings.templates, stored.values(), project.template_defaults)
        shown = [_answer(call, book, template, stored.get(template.template_id)) for template in book.all()]
        return TemplatesResponse(email_templates=shown)

    @operation("GET", "/v1/project/email_templates/{template_id}", action="GetEmailTemplate", source="DASHBOARD")
    async def get(self, *, template_id: TemplateId) -> TemplateResponse:
        """One template. Refused: `email_template_not_found`."""
        call = current_call()
        book = await _book(call, await read_project(call))
        stored = await call.storage.get(StoredTemplate, template_id)
        return TemplateResponse(email_template=_answer(call, book, _found(book, template_id), stored))

    @operation("PUT", "/v1/project/email_templates/{template_id}", action="UpdateEmailTemplate", source="DASHBOARD")
    async def update(
        self,
        *,
        template_id: TemplateId,
        built_in: BuiltInContent | None = None,
        custom: CustomContent | None = None,
        translations: Translations = {},  # noqa: B006 -- read only
    ) -> TemplateResponse:
        """Replace what a stored template holds; its type stays. Refused: as `create`, and `email_template_not_found`."""
        call = current_call()
        project = await managed_project(call, "templates")
        book = await _book(call, project)
        known = await _managed(call, book, template_id)
        template = _template(template_id, TemplateType(known.type), built_in, custom, translations)
        stored = _stored(template, known.created_at, call.now)
        await _change(call, project, Update(attrs.evolve(stored, version=known.version)))
        return TemplateResponse(email_template=_answer(call, book, template, stored))

    @operation("DELETE", "/v1/project/email_templates/{template_id}", action="DeleteEmailTemplate", source="DASHBOARD")
    async def delete(self, *, template_id: TemplateId) -> Response:
        """Delete a stored template. Refused: `setting_not_managed`, `email_template_not_found`, `cannot_delete_default_email_template`."""
        call = current_call()
        project = await managed_project(call, "templates")
        book = await _book(call, project)
        known = await _managed(call, book, template_id)
        if book.default_of(TemplateType(known.type)) == template_id:
            raise Refused("cannot_delete_default_email_template")
        await _change(call, project, Delete(known))
        return Response()

    @operation("PUT", "/v1/project/email_template_defaults", action="SetDefaultEmailTemplate", source="DASHBOARD")
    async def set_default(self, *, template_id: TemplateId) -> TemplateResponse:
        """Have mails of the template's type use it unless another is asked for (TPL-01). Refused: `setting_not_managed`, `email_template_not_found`."""
        call = current_call()
        project = await managed_project(call, "templates")
        book = await _book(call, project)
        template = _found(book, template_id)
        defaults = {**(project.template_defaults or {}), template.type.value: template_id}
        stored = await call.storage.get(StoredTemplate, template_id)
        await _change(call, project, defaults=defaults)
        chosen = TemplateBook(book.templates, {**book.defaults, template.type: template_id})
        return TemplateResponse(email_template=_answer(call, chosen, template, stored))

    @operation(
        "POST", "/v1/project/email_templates/{template_id}/preview", action="PreviewEmailTemplate", source="DASHBOARD"
    )
    async def preview(
        self, *, template_id: TemplateId, locale: Annotated[str, Meta(max_length=36)] = "en"
    ) -> PreviewResponse:
        """The mail of a template in a language, with made-up values; nothing is sent. Refused: `email_template_not_found`."""
        call = current_call()
        template = _found(await _book(call, await read_project(call)), template_id)
        mail = render(template, locale, _sample(call))
        return PreviewResponse(locale=mail.locale, subject=mail.subject, text=mail.text, html=mail.html)


async def _all_stored(call: Call) -> Mapping[str, StoredTemplate]:
    page = await call.storage.page(StoredTemplate, And(), limit=MAXIMUM_TEMPLATES)
    return {one.template_id: one for one in page.records}


async def _book(call: Call, project: StoredProject) -> TemplateBook:
    stored = await _all_stored(call)
    return book_of(call.core.settings.templates, stored.values(), project.template_defaults)


def _found(book: TemplateBook, template_id: str) -> Template:
    for template in book.all():
        if template.template_id == template_id:
            return template
    raise Refused("email_template_not_found")


async def _managed(call: Call, book: TemplateBook, template_id: str) -> StoredTemplate:
    """The stored template of this id; one that is ours or declared is not changed here."""
    stored = await call.storage.get(StoredTemplate, template_id)
    if stored is None:
        _found(book, template_id)
        raise Refused("setting_not_managed", "This template is declared in code.")
    return stored


async def _change(
    call: Call,
    project: StoredProject,
    *writes: Insert[StoredTemplate] | Update[StoredTemplate] | Delete[StoredTemplate],
    defaults: dict[str, str] | None = None,
) -> None:
    """Every change of a template writes the project, so that two of them cannot overtake each other and each process sees that there was one."""
    changed = project.templates_changed + 1
    chosen = project.template_defaults if defaults is None else defaults
    await change_project(call, project, *writes, templates_changed=changed, template_defaults=chosen)


def _template(
    template_id: str,
    type_: TemplateType,
    built_in: BuiltInContent | None,
    custom: CustomContent | None,
    translations: Mapping[str, CustomContent],
) -> Template:
    if built_in is not None and custom is not None:
        raise Refused("invalid_email_template_parameters", "A template is either built_in or custom.")
    content = BuiltIn(**msgspec.structs.asdict(built_in or BuiltInContent())) if custom is None else _custom(custom)
    spoken = {tag: _custom(one) for tag, one in translations.items()}
    return Template(template_id=template_id, type=type_, content=content, translations=spoken)


def _custom(content: CustomContent) -> CustomHTML:
    return CustomHTML(subject=content.subject, html=content.html, text=content.text)


def _stored(template: Template, created_at: datetime, changed_at: datetime) -> StoredTemplate:
    return StoredTemplate(
        template_id=template.template_id,
        type=template.type.value,
        content=stored_content(template.content),
        translations={tag: stored_content(content) for tag, content in template.translations.items()},
        created_at=created_at,
        changed_at=changed_at,
    )


def _answer(call: Call, book: TemplateBook, template: Template, stored: StoredTemplate | None) -> TemplateAnswer:
    declared = any(one.template_id == template.template_id for one in call.core.settings.templates.templates)
    content = template.content
    return TemplateAnswer(
        template_id=template.template_id,
        type=template.type,
        title=template.type.wire_title,
        default=book.default_of(template.type) == template.template_id,
        origin="stored" if stored is not None else "declared" if declared else "ours",
        built_in=BuiltInContent(**attrs.asdict(content)) if isinstance(content, BuiltIn) else None,
        custom=CustomContent(**attrs.asdict(content)) if isinstance(content, CustomHTML) else None,
        translations={tag: CustomContent(**attrs.asdict(one)) for tag, one in template.translations.items()},
        created_at=stored.created_at if stored is not None else None,
        changed_at=stored.changed_at if stored is not None else None,
    )


def _sample(call: Call) -> MessageValues:
    return MessageValues(
        product=call.settings.name,
        link=f"{call.settings.public_url}/preview",
        code="123456",
        minutes=60,
        first_name="Ada",
        organization="Analytical Engines",
        device="Firefox, Linux",
        happened_at=call.now,
        notice=Notice.NEW_SIGN_IN,
    )
