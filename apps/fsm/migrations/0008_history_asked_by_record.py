"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fsm", "0007_bells_by_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalemployeestatusperiod",
            name="history_date",
            field=models.DateTimeField(),
        ),
    ]
