from django.contrib.postgres.operations import BtreeGistExtension, TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    """btree_gist for the constraints over dates, pg_trgm for search; both are trusted extensions."""

    dependencies = []
    operations = [BtreeGistExtension(), TrigramExtension()]
