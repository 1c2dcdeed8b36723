"""Files of torch.export.save with something in them that makes a file when it runs."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import torch


class Payload:
    """A pickle that makes a file."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


def payload(mark: str) -> bytes:
    file = io.BytesIO()
    torch.save(Payload(mark), file, pickle_module=pickle)
    return file.getvalue()


def python(mark: str) -> str:
    """An expression that makes a file."""
    return f"__import__('pathlib').Path({mark!r}).touch()"


def changed(file: str, out: Path, members: dict) -> str:
    """Write a program with some members changed by functions, or added."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(out, 'w') as target:
        for name in source.namelist():
            change = members.pop(name.partition('/')[2], None)
            content = source.read(name)
            target.writestr(name, content if change is None else change(content))
        for name, change in members.items():
            target.writestr(f'teacher/{name}', change(b''))
    return str(out)


def edited(edit):
    """A change of what JSON stands for."""

    def change(content: bytes) -> bytes:
        document = json.loads(content)
        edit(document)
        return json.dumps(document).encode()

    return change


def in_model(edit) -> dict:
    return {'models/model.json': edited(edit)}


def nodes(document: dict) -> list:
    return document['graph_module']['graph']['nodes']
