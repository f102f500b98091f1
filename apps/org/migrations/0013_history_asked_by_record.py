"""History is asked by record, by what it hangs on, by who and by deed: no index of codes and moments to pay for."""


from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("org", "0012_bells_by_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="historicalemployee",
            name="employee_number",
            field=models.CharField(max_length=40, verbose_name="employee number"),
        ),
        migrations.AlterField(
            model_name="historicalemployee",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalleave",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalorgunit",
            name="code",
            field=models.CharField(max_length=40, verbose_name="code"),
        ),
        migrations.AlterField(
            model_name="historicalorgunit",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalposition",
            name="code",
            field=models.CharField(max_length=40, verbose_name="code"),
        ),
        migrations.AlterField(
            model_name="historicalposition",
            name="history_date",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="historicalunitscope",
            name="history_date",
            field=models.DateTimeField(),
        ),
    ]
