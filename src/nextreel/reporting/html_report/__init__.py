"""The report of a comparison as one HTML file, which loads nothing from elsewhere."""

from nextreel.reporting.html_report.report_page import refuse_other_report, require_extras, write_report

__all__ = ["refuse_other_report", "require_extras", "write_report"]
