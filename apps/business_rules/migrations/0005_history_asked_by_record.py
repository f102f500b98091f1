"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("business_rules", "0004_deeds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalbusinessrule",
            name="code",
            field=models.CharField(max_length=60, verbose_name="code"),
        ),
        migrations.AlterField(
            model_name="historicalbusinessrule",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalruledraft",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalruleexample",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalruleoverride",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalruleviolation",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalwaiver",
            name="history_date",
            field=models.DateTimeField(),
        ),
    ]
