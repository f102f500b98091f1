"""Texts of the theme and of other packages that reach a reader and have no good Spanish of their own.

Named here so that they are collected with ours into locale/es; nothing else uses this list.
"""

from django.utils.translation import gettext_noop as _

# Django's own Spanish takes every noun for a masculine one and every filter for a thing.
NOUNS = (
    _(" By %(filter_title)s "),
    _("Add another %(model)s"),
    _("Change selected %(model)s"),
    _("View selected %(model)s"),
    _("Delete selected %(model)s"),
)
# Lists: selection, actions, filters, pages.
LISTS = (
    _("Select record"),
    _("Select action"),
    _("Select action to run"),
    _("Select value"),
    _("Run"),
    _("Apply Filters"),
    _("Reset filters"),
    _("No results found"),
    _("This page yielded into no results."),
    _("No data"),
    _("Not enough data."),
    _("Date from"),
    _("Date to"),
    _("Previous"),
    _("Next"),
    _("%(full_result_count)s total"),
    _("True"),
    _("False"),
    _("No"),
)
# Forms.
FORMS = (
    _("General"),
    _("Add row"),
    _("This item will be deleted."),
    _("Click to cancel"),
    _("Choose file to upload"),
    _("Current file"),
    _("Click to download"),
    _("Image preview"),
    _("Record picture"),
    _("Toggle password visibility"),
    _("Date"),
    _("Select format"),
)
# The frame around a page.
FRAME = (
    _("Welcome"),
    _("Welcome back to"),
    _("Return to site"),
    _("Go back"),
    _("All applications"),
    _("Search apps and models..."),
    _("Light"),
    _("Dark"),
    _("System"),
    _("You have been successfully logged out from the administration"),
    _("Forgotten your password or username?"),
    _("Account locked: too many login attempts. Please try again later."),
    _("Account locked: too many login attempts. Contact an admin to unlock your account."),
)
# The palette and its keys.
PALETTE = (
    _("Navigate"),
    _("Select"),
    _("Recent searches"),
    _("Nothing matched your search"),
    _("Available shortcuts"),
    _("Global shortcuts"),
    _("Open command tool"),
    _("Open shortcuts list"),
    _("Toggle sidebar"),
    _("Toggle dark/light mode"),
    _("Changelist shortcuts"),
    _("Toggle filter"),
    _("Create new record"),
    _("Command tool shortcuts"),
    _("Open selection"),
    _("Open selection in new tab"),
)
# Scheduled jobs.
JOBS = (
    _("Schedule"),
    _("Arguments"),
    _("Execution Options"),
    _("Periodic Tasks Using This Schedule"),
    _("crontab"),
    _("crontabs"),
    _('Cron Months (1-12) Of The Year to Run. Use "*" for "all". (Example: "1,12")'),
)
