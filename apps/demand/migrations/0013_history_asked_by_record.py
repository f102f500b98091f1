"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("demand", "0012_bells_by_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicaldemandadjustment",
            name="history_date",
            field=models.DateTimeField(),
        ),
    ]
