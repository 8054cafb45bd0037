"""What people read outside the pages: e-mails and one-line texts for phones, in their language.

Law: the words are in the catalogues, the looks in the layouts, and neither decides anything. A value that could be
mistaken for a link or for our own words is left out rather than repaired; a link or a code that is not well formed is
an error of the caller.
"""

from authmw.messages.catalogues import available_locales
from authmw.messages.rendering import Rendered, phone_text, render
from authmw.messages.values import ChangedFactor, MessageValues, Notice

__all__ = [
    "ChangedFactor",
    "MessageValues",
    "Notice",
    "Rendered",
    "available_locales",
    "phone_text",
    "render",
]
