"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalwebhookendpoint",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalwebhookendpoint",
            name="name",
            field=models.CharField(max_length=100, verbose_name="name"),
        ),
    ]
