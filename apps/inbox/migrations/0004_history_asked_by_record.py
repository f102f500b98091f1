"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0003_deeds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalattention",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalsubscription",
            name="history_date",
            field=models.DateTimeField(),
        ),
    ]
