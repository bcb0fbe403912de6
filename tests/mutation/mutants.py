"""Small changes to a module's syntax tree: a test suite that checks the module fails after each of them.

The changes are: a comparison, an arithmetic or a boolean operator is exchanged, a number is one larger, a truth value or
a condition is reversed, a function returns None, and a statement is left out. Annotations, texts and decorators stay.
"""

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
UNTOUCHED = {"annotation", "returns", "decorator_list", "type_params"}
"""Fields of a node whose content isn't changed."""


@dataclass(frozen=True)
class Mutant:
    """A changed module."""

    line: int
    before: str
    after: str
    source: str


def list_mutants(source: str) -> list[Mutant]:
    """Return every change of a module's source, from its first line to its last."""
    tree = ast.parse(source)
    mutants = (_change(tree, *place) for place in list(_walk(tree)))
    return [mutant for mutant in mutants if mutant is not None]


def _walk(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield each child that may be changed as (parent, field, its place in the field's list)."""
    for field, value in ast.iter_fields(node):
        if field in UNTOUCHED:
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield node, field, place
                yield from _walk(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _change(tree: ast.Module, parent: ast.AST, field: str, place: int | None) -> Mutant | None:
    """Change a child, if it is of a kind that is changed, write the module down, and put the child back."""
    value = getattr(parent, field)
    old = value if place is None else value[place]
    new = _replace(deepcopy(old), parent, field)
    if new is None:
        return None
    _put(parent, field, place, ast.fix_missing_locations(new))
    mutant = Mutant(old.lineno, ast.unparse(old), ast.unparse(new), ast.unparse(tree))
    _put(parent, field, place, old)
    return mutant


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _replace(node: ast.AST, parent: ast.AST, field: str) -> ast.AST | None:
    match node:
        case ast.Compare(ops=[operator]):
            node.ops = [COMPARISONS[type(operator)]()]
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            node.op = OPERATORS[type(node.op)]()
        case ast.BoolOp(op=ast.And()):
            node.op = ast.Or()
        case ast.BoolOp(op=ast.Or()):
            node.op = ast.And()
        case ast.UnaryOp():
            return node.operand
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.Return(value=ast.AST()):
            node.value = ast.Constant(None)
        case ast.Expr() | ast.Raise():
            return ast.Pass()
        case ast.Name() | ast.Call() if field == "test" and isinstance(parent, ast.If | ast.IfExp):
            return ast.UnaryOp(ast.Not(), node)
        case _:
            return None
    return node
