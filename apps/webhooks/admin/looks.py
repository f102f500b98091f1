"""What the pages of webhooks load."""

from django.forms import Media

# The heading and the facts look as those of a file that is taken out.
LOOKS = Media(css={"all": ["imports/sheets.css", "webhooks/webhooks.css"]})
