# SPDX-License-Identifier: Apache-2.0
"""Requests against botocore's own service models: parameters are parsed from the query form and
checked for presence, type, length, range, pattern and enum, and answers are written from the
output shapes. Wording of the errors: the framework AWS answers with ("N validation errors
detected: Value '…' at '…' failed to satisfy constraint: …")."""

import base64
import re
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ServiceModel

from clock import iso
from errors import AwsError, validation

NAMES = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
SPECIAL = {  # IAM words these in its own way
    "userName": NAMES,
    "groupName": NAMES,
    "roleName": NAMES,
    "policyName": NAMES,
    "path": "It must begin and end with / and contain only alphanumeric characters and/or "
    "/ characters.",
    "pathPrefix": "It must begin with / and contain only alphanumeric characters and/or "
    "/ characters.",
}
ILLEGAL_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def compile_pattern(pattern: str):
    """Java's regular expressions to Python's: \\p classes, and \\w and \\d without Unicode."""
    text = pattern.replace("\\u10000", "\\U00010000").replace("\\u10FFFF", "\\U0010FFFF")
    if "\\p{" not in text:
        return re.compile(text, re.ASCII)
    if "\\p{P}" in text:
        return re.compile("[^\x00-\x08\x0b\x0c\x0e-\x1f]*")
    text = text.replace("\\p{L}", "\\w").replace("\\p{N}", "")
    return re.compile(
        text.replace("\\p{Z}", " \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000")
    )


class Node:
    """One input shape, prepared."""

    __slots__ = (
        "type",
        "members",
        "required",
        "item",
        "key",
        "low",
        "high",
        "pattern",
        "text",
        "enum",
    )

    def __init__(self, shape, seen=()):
        self.type = shape.type_name
        meta = shape.metadata
        self.low, self.high = meta.get("min"), meta.get("max")
        self.text = meta.get("pattern")
        self.pattern = compile_pattern(self.text) if self.text else None
        self.enum = meta.get("enum")
        self.members, self.required, self.item, self.key = {}, [], None, None
        if self.type == "structure":
            self.members = {name: Node(member) for name, member in shape.members.items()}
            self.required = list(shape.required_members)
        elif self.type == "list":
            self.item = Node(shape.member)
        elif self.type == "map":
            self.key, self.item = Node(shape.key), Node(shape.value)


def lower_first(name: str) -> str:
    return name[:1].lower() + name[1:] if not name[:2].isupper() else name


class Reader:
    """One pass over one request; collects every violation as AWS does."""

    def __init__(self):
        self.problems = []
        self.special = None

    def fail(self, value, path, constraint):
        shown = "null" if value is None else f"'{value}'"
        self.problems.append(
            f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"
        )

    def structure(self, node, tree, path):
        if not isinstance(tree, dict):
            raise AwsError("MalformedInput", "Unexpected list element termination", 400)
        result = {}
        for name, value in tree.items():
            member = node.members.get(name)
            if member is None:
                raise validation(f"Unknown parameter: {(path + '.' if path else '')}{name}")
            result[name] = self.value(
                member, value, (path + "." if path else "") + lower_first(name)
            )
        for name in node.required:
            if name not in result:
                self.fail(
                    None,
                    (path + "." if path else "") + lower_first(name),
                    "Member must not be null",
                )
        return result

    def value(self, node, tree, path):
        kind = node.type
        if kind == "structure":
            return self.structure(node, tree, path)
        if kind == "list":
            return self.list(node, tree, path)
        if kind == "map":
            raise AwsError("MalformedInput", "map parameters are not supported", 400)
        if isinstance(tree, dict):
            raise AwsError("MalformedInput", "Unexpected complex element termination", 400)
        return self.scalar(node, tree, path)

    def list(self, node, tree, path):
        if tree == "":
            return []
        members = tree.get("member") if isinstance(tree, dict) else None
        if (
            not isinstance(members, dict)
            or len(tree) != 1
            or not all(key.isdigit() for key in members)
        ):
            raise AwsError("MalformedInput", f"Unexpected list element termination at {path}", 400)
        order = sorted(members, key=int)
        if [int(key) for key in order] != list(range(1, len(order) + 1)):
            raise AwsError(
                "MalformedInput", f"list {path} is not numbered from 1 without gaps", 400
            )
        result = [self.value(node.item, members[key], f"{path}.{key}.member") for key in order]
        self.lengths(node, result, len(result), path)
        return result

    def lengths(self, node, shown, size, path):
        if node.low is not None and size < node.low:
            self.fail(shown, path, f"Member must have length greater than or equal to {node.low}")
        elif node.high is not None and size > node.high:
            self.fail(shown, path, f"Member must have length less than or equal to {node.high}")

    def scalar(self, node, text, path):
        if node.type in ("integer", "long"):
            return self.integer(node, text, path)
        if node.type == "boolean":
            if text.lower() not in ("true", "false"):
                raise AwsError("MalformedInput", f"Invalid boolean at {path}", 400)
            return text.lower() == "true"
        if node.type != "string":
            return text
        if node.enum and text not in node.enum:
            self.fail(text, path, "Member must satisfy enum value set: [%s]" % ", ".join(node.enum))
            return text
        self.lengths(node, text, len(text), path)
        if node.pattern and text and not node.pattern.fullmatch(text):
            if path in SPECIAL:
                self.special = (
                    self.special or f"The specified value for {path} is invalid. {SPECIAL[path]}"
                )
            else:
                self.fail(
                    text, path, f"Member must satisfy regular expression pattern: {node.text}"
                )
        return text

    def integer(self, node, text, path):
        try:
            number = int(text)
        except ValueError:
            raise AwsError("MalformedInput", f"Invalid integer at {path}", 400) from None
        if node.low is not None and number < node.low:
            self.fail(text, path, f"Member must have value greater than or equal to {node.low}")
        elif node.high is not None and number > node.high:
            self.fail(text, path, f"Member must have value less than or equal to {node.high}")
        return number


def form_tree(pairs):
    """Tags.member.1.Key=x as nested dicts; a doubled name is refused."""
    tree = {}
    for name, value in pairs:
        parts = name.split(".")
        here = tree
        for part in parts[:-1]:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise AwsError(
                    "MalformedInput", f"Unexpected complex element termination at {name}", 400
                )
        if parts[-1] in here:
            raise AwsError("MalformedQueryString", f"The parameter {name} is given twice", 400)
        here[parts[-1]] = value
    return tree


class Operation:
    """One action of a service: reads its parameters and writes its answer."""

    def __init__(self, model, namespace):
        self.name = model.name
        self.input = Node(model.input_shape) if model.input_shape is not None else None
        self.output = model.output_shape
        self.wrapper = f"{model.name}Result"
        if self.output is not None:
            self.wrapper = self.output.serialization.get("resultWrapper", self.wrapper)
        self.head = f'<{self.name}Response xmlns="{namespace}">'
        self.plans = {}

    def read(self, pairs):
        reader = Reader()
        tree = form_tree(pairs)
        node = self.input
        if node is None:
            if tree:
                raise validation(f"Unknown parameter: {next(iter(tree))}")
            return {}
        params = reader.structure(node, tree, "")
        if reader.problems:
            count = len(reader.problems)
            noun = "error" if count == 1 else "errors"
            raise validation(f"{count} validation {noun} detected: " + "; ".join(reader.problems))
        if reader.special:
            raise validation(reader.special)
        return params

    def write(self, result, request_id):
        out = [self.head]
        if self.output is not None:
            out.append(f"<{self.wrapper}>")
            write_structure(self.output, result or {}, out)
            out.append(f"</{self.wrapper}>")
        elif result:
            raise TypeError(f"{self.name} has no result")
        out.append(
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            f"</{self.name}Response>"
        )
        return "".join(out).encode("utf-8")


def xml_text(text: str) -> str:
    return escape(ILLEGAL_XML.sub("", text), {"\r": "&#xD;"})


def write_structure(shape, value, out):
    members = shape.members
    for name, item in value.items():
        member = members.get(name)
        if member is None:  # an older model may not know a newer member
            continue
        if item is not None:
            write_value(member, item, member.serialization.get("name", name), out)


def write_value(shape, value, name, out):
    kind = shape.type_name
    if kind == "structure":
        out.append(f"<{name}>")
        write_structure(shape, value, out)
        out.append(f"</{name}>")
    elif kind == "list":
        out.append(f"<{name}>")
        for item in value:
            write_value(shape.member, item, "member", out)
        out.append(f"</{name}>")
    elif kind == "map":
        out.append(f"<{name}>")
        for key, item in value.items():
            out.append(f"<entry><key>{xml_text(key)}</key>")
            write_value(shape.value, item, "value", out)
            out.append("</entry>")
        out.append(f"</{name}>")
    else:
        out.append(f"<{name}>{xml_text(scalar_text(kind, value))}</{name}>")


def scalar_text(kind, value):
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp":
        return iso(value)
    if kind == "blob":
        return base64.b64encode(value).decode()
    return str(value)


class Service:
    """iam or sts as botocore describes it."""

    def __init__(self, name):
        model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
        self.name = name
        self.model = model
        self.version = model.api_version
        self.namespace = model.metadata["xmlNamespace"]
        self.names = set(model.operation_names)
        self.prepared = {}

    def operation(self, action):
        """The prepared operation, or None for a name the service has not."""
        operation = self.prepared.get(action)
        if operation is None and action in self.names:
            operation = Operation(self.model.operation_model(action), self.namespace)
            self.prepared[action] = operation
        return operation
