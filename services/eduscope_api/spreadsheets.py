"""Tables as files for a spreadsheet, in which no text can become a formula or a link."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import xlsxwriter
from fastapi.responses import Response

from shared.language import say

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"  # without it Excel reads UTF-8 as something else
WIDEST = 60  # characters


class Format(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


MEDIA = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def csv_bytes(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """UTF-8 with a byte order mark and semicolons, as spreadsheets here expect. What could be a formula gets a `'`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return (BOM + text.getvalue()).encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell


def xlsx_bytes(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], about: Sequence[str]) -> bytes:
    """A workbook with one table, and on a second sheet the lines of `about`. Every cell is text."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet(title)
        widths = [len(heading) for heading in headings]
        for column, heading in enumerate(headings):
            sheet.write_string(0, column, heading, bold)
        for row, cells in enumerate(rows, 1):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell)
                widths[column] = max(widths[column], len(cell))
        for column, width in enumerate(widths):
            sheet.set_column(column, column, min(width, WIDEST) + 2)
        sheet.freeze_panes(1, 0)
        other = book.add_worksheet(say("Over dit bestand"))
        for row, line in enumerate(about):
            other.write_string(row, 0, line)
        other.set_column(0, 0, WIDEST)
    return target.getvalue()


def download(content: bytes, kind: Format, name: str, code: str, day: date) -> Response:
    """The file as a download. Its name holds what it is, the school's code and the day, never a person."""
    disposition = f'attachment; filename="{name}-{code}-{day.isoformat()}.{kind.value}"'
    return Response(content, media_type=MEDIA[kind], headers={"Content-Disposition": disposition})
