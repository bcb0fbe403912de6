"""Forms that a browser sends with a file, as multipart/form-data (RFC 7578): parsed in memory, never on a disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from nextreel.errors import QueryError

MOST_PARTS = 1_000
"""Greatest number of fields and files of a form."""
LONGEST_HEADER = 2_000
"""Greatest number of bytes of what stands before the content of a field."""


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form."""

    name: str
    """Name of the file as the browser gives it."""
    data: bytes


@dataclass(frozen=True)
class FormData:
    """The fields and files of a form; of several with one name, all, in their order."""

    fields: Mapping[str, list[str]]
    files: Mapping[str, UploadedFile]

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a field."""
        return self.fields.get(name, [default])[0]


def parse_form(content_type: str, body: bytes) -> FormData:
    """Parse the body of a form.

    Raises
    ------
    QueryError
        The body isn't multipart/form-data, or a part of it isn't well-formed.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise QueryError("expected a form as multipart/form-data")
    delimiter = b"\r\n--" + boundary.encode("latin-1", errors="replace")
    parts = (b"\r\n" + body).split(delimiter)
    if len(parts) > MOST_PARTS + 2:
        raise QueryError(f"a form has at most {MOST_PARTS:,} fields")
    fields: dict[str, list[str]] = {}
    files: dict[str, UploadedFile] = {}
    for part in parts[1:]:
        if part.startswith(b"--"):
            return FormData(fields, files)
        described, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not blank or len(described) > LONGEST_HEADER:
            raise QueryError("a field of the form is not well-formed")
        name, file_name = _read_disposition(described)
        if file_name is None:
            fields.setdefault(name, []).append(content.decode("utf-8", errors="replace"))
        elif file_name or content:
            files.setdefault(name, UploadedFile(file_name, content))
    raise QueryError("the form doesn't end")


def _read_disposition(described: bytes) -> tuple[str, str | None]:
    """Return the name of a field, and the name of its file if it is one."""
    for line in described.decode("utf-8", errors="replace").split("\r\n"):
        kind, _, value = line.partition(":")
        if kind.strip().lower() == "content-disposition":
            header = Message()
            header["Content-Disposition"] = value.strip().replace("\n", " ").replace("\r", " ")
            name = header.get_param("name", header="content-disposition")
            file_name = header.get_param("filename", header="content-disposition")
            if isinstance(name, str):
                return name, file_name if isinstance(file_name, str) else None
    raise QueryError("a field of the form has no name")
