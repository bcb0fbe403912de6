"""The report of a comparison as one HTML file, which loads nothing from elsewhere."""

from nextreel.reporting.html_report.report_page import require_extras, write_report

__all__ = ["require_extras", "write_report"]
