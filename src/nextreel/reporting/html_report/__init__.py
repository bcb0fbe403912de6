"""The report of a comparison: one HTML file, without any outside request, for a reader who wasn't there."""

from nextreel.reporting.html_report.report_page import require_extras, write_report

__all__ = ["require_extras", "write_report"]
