"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tags", "0008_bells_by_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalemployeetag",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalpositiontag",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicaltagcatalog",
            name="code",
            field=models.CharField(max_length=40, verbose_name="code"),
        ),
        migrations.AlterField(
            model_name="historicaltagcatalog",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicaltagcatalog",
            name="name",
            field=models.CharField(max_length=200, verbose_name="name"),
        ),
    ]
