"""What a WhatsApp message can say, within the limits of the Cloud API."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from workflows.marketplace.fields import StrictModel

TextBody = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
ButtonId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class TextContent(StrictModel):
    """Free text. Meta delivers it only within 24 h of the user's last message."""

    type: Literal["text"] = "text"
    body: TextBody
    preview_url: bool = False


class Button(StrictModel):
    """A reply button; `id` comes back in the webhook."""

    id: ButtonId
    title: Annotated[str, StringConstraints(min_length=1, max_length=20)]


class InteractiveContent(StrictModel):
    """Free text with up to three reply buttons; the same 24 h rule."""

    type: Literal["interactive"] = "interactive"
    body: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    footer: Annotated[str, StringConstraints(max_length=60)] | None = None
    buttons: Annotated[tuple[Button, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _buttons_differ(self) -> Self:
        if len({b.id for b in self.buttons}) != len(self.buttons):
            msg = "button ids must be unique"
            raise ValueError(msg)
        if len({b.title for b in self.buttons}) != len(self.buttons):
            msg = "button titles must be unique"
            raise ValueError(msg)
        return self


def single_line(value: str) -> str:
    """Refuse what Meta refuses in a template parameter."""
    if any(c in value for c in "\n\t\r") or "     " in value:
        msg = "no newlines, tabs or more than 4 spaces in a row"
        raise ValueError(msg)
    return value


Parameter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024),
    AfterValidator(single_line),
]


class TemplateContent(StrictModel):
    """An approved template with its positional parameters; goes out at any time."""

    type: Literal["template"] = "template"
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,512}$")]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] = (
        "en"
    )
    body_params: Annotated[tuple[Parameter, ...], Field(max_length=20)] = ()
    button_payloads: Annotated[tuple[ButtonId, ...], Field(max_length=3)] = ()


Content = Annotated[
    TextContent | InteractiveContent | TemplateContent, Field(discriminator="type")
]
CONTENT: TypeAdapter[TextContent | InteractiveContent | TemplateContent] = TypeAdapter(
    Content
)
