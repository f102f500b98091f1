"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0002_deeds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicaluser",
            name="email",
            field=models.EmailField(max_length=254, verbose_name="e-mail"),
        ),
        migrations.AlterField(
            model_name="historicaluser",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicaluser",
            name="sub",
            field=models.UUIDField(default=uuid.uuid4, editable=False, verbose_name="identity"),
        ),
    ]
